"""Arrays put together: parts joined, shifted and put beside each other, float64, on two and more sides of a condition.

>>> [case.arguments[0] for case in CASES]
['concatenate', 'prepend', 'roll', 'slope', 'columns']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from harness import Case

COUNT, ROWS, LEFT, RIGHT = 100_000, 100_000, 3, 2
WIDE = ROWS * (LEFT + RIGHT)
Call = Callable[..., Any]
CASES = [Case(label, (name,), bar=1.0, moved=16.0 * moved, frameworks=("symtensor", "numpy", "torch", "jax"))
         for label, name, moved in (
             ("concatenate, 2 x 1e5", "concatenate", 2 * COUNT), ("one number before 1e5", "prepend", COUNT),
             ("roll by 1, 1e5", "roll", COUNT), ("derivative of differences, 1e5", "slope", COUNT),
             (f"columns side by side, 1e5 x ({LEFT} + {RIGHT})", "columns", WIDE))]


@cache
def inputs(name: str) -> list[np.ndarray]:
    """What is put together."""
    random = np.random.default_rng(0)
    shapes: dict[str, list[tuple[int, ...]]] = {
        "concatenate": [(COUNT,), (COUNT,)], "prepend": [(1,), (COUNT,)], "columns": [(ROWS, LEFT), (ROWS, RIGHT)]}
    return [random.random(shape) for shape in shapes.get(name, [(COUNT,)])]


def by_numpy(name: str, np: Any) -> Call:
    """The case in terms of NumPy, for whatever library speaks them."""
    if name == "slope":  # of the sum of squares of x[1:] - x[:-1]

        def slope(x: Any) -> Any:
            steps, nothing = 2 * (x[1:] - x[:-1]), np.zeros(1)
            return np.concatenate([nothing, steps]) - np.concatenate([steps, nothing])
        return slope
    if name == "roll":
        return lambda x: np.roll(x, 1)
    return lambda x, y: np.concatenate([x, y], 1 if name == "columns" else 0)


def reference(name: str) -> list[np.ndarray]:
    return [by_numpy(name, np)(*inputs(name))]


def in_symtensor(name: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    given = inputs(name)
    variables = [T.TensorType("float64", (None,) * array.ndim)() for array in given]
    result = (st.grad(((variables[0][1:] - variables[0][:-1]) ** 2).sum(), variables[0]) if name == "slope"
              else by_numpy(name, T)(*variables))
    f = st.function(variables, result)
    return lambda: f(*given)


def in_numpy(name: str) -> Call:
    given, function = inputs(name), by_numpy(name, np)
    return lambda: function(*given)


def in_torch(name: str) -> Call:
    import torch
    given = [torch.from_numpy(array) for array in inputs(name)]
    if name != "slope":
        function = by_numpy(name, torch)
        return lambda: function(*given)
    x = given[0].requires_grad_()
    return lambda: torch.autograd.grad((torch.diff(x) ** 2).sum(), x)[0]


def in_jax(name: str) -> Call:
    import jax
    jax.config.update("jax_enable_x64", True)
    function = by_numpy(name, jax.numpy)
    if name == "slope":
        function = jax.grad(lambda x: ((x[1:] - x[:-1]) ** 2).sum())
    compiled, given = jax.jit(function), [jax.numpy.asarray(array) for array in inputs(name)]
    return lambda: compiled(*given).block_until_ready()


MAKERS = {"symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "jax": in_jax}
