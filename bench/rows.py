"""Softmax and layer normalization of each row of a float32 matrix of 4096 x 1024.

>>> [case.name for case in CASES]
['softmax, 4096x1024', 'layer norm, 4096x1024']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

ROWS, COLUMNS, EPSILON = 4096, 1024, 1e-5
CASES = [Case(f"{name}, {ROWS}x{COLUMNS}", (name,), bar=1.1, moved=2 * 4 * ROWS * COLUMNS)
         for name in ("softmax", "layer norm")]
Call = Callable[[], Any]


def inputs() -> list[np.ndarray]:
    """The matrix, and the scale and shift of layer normalization."""
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, "float32") for shape in ((ROWS, COLUMNS), COLUMNS, COLUMNS)]


def by_hand(name: str, library: Any, x: Any, gamma: Any, beta: Any) -> Any:
    """The function written with a library's exp, sqrt and reductions."""
    if name == "softmax":
        powers = library.exp(x - x.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    centered = x - x.mean(axis=1, keepdims=True)
    variance = (centered * centered).mean(axis=1, keepdims=True)
    return centered / library.sqrt(variance + EPSILON) * gamma + beta


def reference(name: str) -> list[np.ndarray]:
    return [by_hand(name, np, *inputs())]


def in_symtensor(name: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x, gamma, beta = T.fmatrix("x"), T.fvector("gamma"), T.fvector("beta")
    if name == "softmax":
        return partial(st.function([x], T.nnet.softmax(x)), inputs()[0])
    return partial(st.function([x, gamma, beta], T.nnet.layer_normalization(x, gamma, beta, epsilon=EPSILON)),
                   *inputs())


def in_numpy(name: str) -> Call:
    return partial(by_hand, name, np, *inputs())


def in_torch(name: str, compiled: bool = False) -> Call:
    import torch
    torch.set_grad_enabled(False)

    def layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (COLUMNS,), gamma, beta, EPSILON)

    function = (lambda x, gamma, beta: torch.softmax(x, 1)) if name == "softmax" else layer_norm
    return partial(torch.compile(function) if compiled else function, *map(torch.from_numpy, inputs()))


def in_jax(name: str) -> Call:
    import jax
    function = (lambda x, gamma, beta: jax.nn.softmax(x)) if name == "softmax" else partial(by_hand, name, jax.numpy)
    compiled = jax.jit(function)
    arguments = list(map(jax.numpy.asarray, inputs()))
    return lambda: compiled(*arguments).block_until_ready()


def in_pytensor(backend: str, name: str) -> Call:
    import pytensor.tensor as pt
    from pytensor.tensor.special import softmax
    x, gamma, beta = pt.fmatrix("x"), pt.fvector("gamma"), pt.fvector("beta")
    if name == "softmax":
        return partial(pytensor_function(backend, [x], softmax(x, axis=1)), inputs()[0])
    return partial(pytensor_function(backend, [x, gamma, beta], by_hand(name, pt, x, gamma, beta)), *inputs())


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
