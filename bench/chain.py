"""A chain of elementwise operations on float32 vectors: tanh(a*x + b) * sigmoid(y) + exp(-x*x).

>>> [case.name for case in CASES]
['chain, n = 1e3', 'chain, n = 1e5', 'chain, n = 1e7']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

A, B = 1.5, 0.25
CASES = [
    Case("chain, n = 1e3", (1_000,), bar=8),
    Case("chain, n = 1e5", (100_000,), bar=1.2),
    Case("chain, n = 1e7", (10_000_000,), bar=2, moved=3 * 4e7),
]
Call = Callable[[], Any]


def inputs(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y."""
    random = np.random.default_rng(0)
    return random.standard_normal(size, "float32"), random.standard_normal(size, "float32")


def chain(x: Any, y: Any, library: Any) -> Any:
    """The expression in a library that has tanh and exp."""
    sigmoid = getattr(library, "sigmoid", lambda v: 1 / (1 + library.exp(-v)))
    return library.tanh(A * x + B) * sigmoid(y) + library.exp(-x * x)


def reference(size: int) -> list[np.ndarray]:
    return [chain(*inputs(size), np)]


def in_symtensor(size: int) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x, y = T.fvectors("x", "y")
    return partial(st.function([x, y], chain(x, y, T)), *inputs(size))


def in_numpy(size: int) -> Call:
    return partial(chain, *inputs(size), np)


def in_torch(size: int, compiled: bool = False) -> Call:
    import torch
    torch.set_grad_enabled(False)
    expression = partial(chain, library=torch)
    return partial(torch.compile(expression) if compiled else expression, *map(torch.from_numpy, inputs(size)))


def in_jax(size: int) -> Call:
    import jax
    compiled = jax.jit(lambda x, y: chain(x, y, jax.numpy))
    arguments = list(map(jax.numpy.asarray, inputs(size)))
    return lambda: compiled(*arguments).block_until_ready()


def in_pytensor(backend: str, size: int) -> Call:
    import pytensor.tensor as pt
    x, y = pt.fvectors("x", "y")
    return partial(pytensor_function(backend, [x, y], chain(x, y, pt)), *inputs(size))


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
