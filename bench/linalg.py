"""Linear algebra: many small matrices, and a log determinant of a large one with its gradient; float64.

>>> [case.name for case in CASES]
['cholesky, 1000x16x16', 'solve, 1000x16x16', 'inverse, 1000x16x16', 'log det and slope, 500']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

MANY, SMALL, LARGE = 1000, 16, 500
BATCH = f"{MANY}x{SMALL}x{SMALL}"
CASES = [Case(f"cholesky, {BATCH}", ("cholesky",), bar=1.0), Case(f"solve, {BATCH}", ("solve",), bar=1.0),
         Case(f"inverse, {BATCH}", ("inverse",), bar=1.0), Case(f"log det and slope, {LARGE}", ("logdet",), bar=1.0)]
Call = Callable[[], Any]


def inputs(name: str) -> list[np.ndarray]:
    """Positive definite matrices, and right sides for the systems."""
    random = np.random.default_rng(0)
    shape = (LARGE, LARGE) if name == "logdet" else (MANY, SMALL, SMALL)
    root = random.standard_normal(shape)
    matrices = root @ root.swapaxes(-1, -2) / shape[-1] + np.eye(shape[-1])
    return [matrices, random.standard_normal((MANY, SMALL, 1))] if name == "solve" else [matrices]


def by_hand(name: str, linalg: Any, a: Any, b: Any = None) -> Any:
    """The function written with a library's linear algebra."""
    if name == "cholesky":
        return linalg.cholesky(a)
    return linalg.solve(a, b) if name == "solve" else linalg.inv(a)


def reference(name: str) -> list[np.ndarray]:
    return [in_numpy(name)()]


def in_symtensor(name: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    given = inputs(name)
    variables = [T.TensorType("float64", (None,) * array.ndim)() for array in given]
    if name != "logdet":
        return partial(st.function(variables, by_hand(name, T.linalg, *variables)), *given)
    value = T.linalg.slogdet(variables[0])[1]
    return partial(st.function(variables, T.concatenate([[value], st.grad(value, variables[0]).flatten()])), *given)


def in_numpy(name: str) -> Call:
    given = inputs(name)
    if name != "logdet":
        return partial(by_hand, name, np.linalg, *given)
    # The value and the slope in a row, as the others give them.
    return lambda: np.concatenate([[np.linalg.slogdet(given[0])[1]], np.linalg.inv(given[0]).T.ravel()])


def in_torch(name: str, compiled: bool = False) -> Call:
    import torch
    given = [torch.from_numpy(array) for array in inputs(name)]
    if name != "logdet":
        function = partial(by_hand, name, torch.linalg)
        return partial(torch.compile(function) if compiled else function, *given)

    def value_and_slope() -> Any:
        a = given[0].requires_grad_()
        value = torch.linalg.slogdet(a)[1]
        return torch.cat([value.detach()[None], torch.autograd.grad(value, a)[0].ravel()])
    return value_and_slope


def in_jax(name: str) -> Call:
    import jax
    jax.config.update("jax_enable_x64", True)
    given = list(map(jax.numpy.asarray, inputs(name)))

    def value_and_slope(a: Any) -> Any:
        value, slope = jax.value_and_grad(lambda a: jax.numpy.linalg.slogdet(a)[1])(a)
        return jax.numpy.concatenate([value[None], slope.ravel()])

    compiled = jax.jit(value_and_slope if name == "logdet" else partial(by_hand, name, jax.numpy.linalg))
    return lambda: compiled(*given).block_until_ready()


def in_pytensor(backend: str, name: str) -> Call:
    import pytensor
    import pytensor.tensor as pt
    given = inputs(name)
    variables = [pt.TensorType("float64", (None,) * array.ndim)() for array in given]
    if name != "logdet":
        core = by_hand(name, pt.linalg, *variables)
        return partial(pytensor_function(backend, variables, core), *given)
    value = pt.linalg.slogdet(variables[0])[1]
    slope = pytensor.grad(value, variables[0]).ravel()
    return partial(pytensor_function(backend, variables, pt.concatenate([value[None], slope])), *given)


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
