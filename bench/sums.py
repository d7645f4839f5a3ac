"""Sums of a float32 matrix of 4096 x 4096 along its first axis, its second, and both.

>>> [case.arguments for case in CASES]
[(0,), (1,), (None,)]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

SIZE = 4096
CASES = [Case(f"sum, {label}, {SIZE}x{SIZE}", (axis,), bar=0.95, read=4 * SIZE * SIZE)
         for label, axis in (("axis 0", 0), ("axis 1", 1), ("all", None))]
Call = Callable[[], Any]


def inputs() -> np.ndarray:
    """The matrix; its elements are positive, so that no sum cancels."""
    return np.random.default_rng(0).random((SIZE, SIZE), "float32")


def reference(axis: int | None) -> list[np.ndarray]:
    return [inputs().sum(axis, dtype="float64")]


def in_symtensor(axis: int | None) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x = T.fmatrix("x")
    return partial(st.function([x], x.sum(axis)), inputs())


def in_numpy(axis: int | None) -> Call:
    return partial(inputs().sum, axis)


def in_torch(axis: int | None, compiled: bool = False) -> Call:
    import torch
    torch.set_grad_enabled(False)

    def total(x: Any) -> Any:
        return x.sum() if axis is None else x.sum(axis)

    return partial(torch.compile(total) if compiled else total, torch.from_numpy(inputs()))


def in_jax(axis: int | None) -> Call:
    import jax
    compiled = jax.jit(lambda x: x.sum(axis))
    argument = jax.numpy.asarray(inputs())
    return lambda: compiled(argument).block_until_ready()


def in_pytensor(backend: str, axis: int | None) -> Call:
    import pytensor.tensor as pt
    x = pt.fmatrix("x")
    return partial(pytensor_function(backend, [x], x.sum(axis)), inputs())


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
