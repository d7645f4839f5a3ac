"""Derivatives checked against differences.

>>> from symtensor.ops import scalar
>>> import numpy as np
>>> verify_grad(lambda x, y: scalar.exp(x) * y, [np.ones((2, 3)), np.array([[2.0]])])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import GradientError, TypeMismatch
from symtensor.grad.forward import Rop
from symtensor.grad.reverse import grad
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Variable
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import sum_axes
from symtensor.types.dtype import FLOATS
from symtensor.types.tensor import TensorType

__all__ = ["Compile", "interpreted", "numeric_gradient", "variables_for", "verify_grad"]

Compile = Callable[[Sequence[Variable], Sequence[Variable]], Callable[..., Sequence[Any]]]
"""What makes a callable from inputs and outputs."""

_STEP = {"float16": 0.1, "float32": 2e-2, "float64": 1e-3}
_TOLERANCE = {"float16": 1e-1, "float32": 1e-2, "float64": 1e-6}


def verify_grad(fun: Callable[..., Any], pt: Sequence[Any], n_tests: int = 2, rng: Any = None, eps: float | None = None,
                abs_tol: float | None = None, rel_tol: float | None = None, compile: Compile | None = None) -> None:
    """Compare the derivative of `fun` at the arrays `pt` with differences, in reverse and in forward mode.

    `fun` takes one variable for each float array in `pt` and gives a variable. The result is projected to a scalar at
    random, `n_tests` times, with `rng` (a NumPy generator). A derivative may be off by `abs_tol` or, relative to
    its size, by `rel_tol`; `eps` is the step of the differences, whose error is of the order of its fourth
    power. `compile(inputs, outputs)` runs the graphs; by default the interpreter does.
    Raises GradientError, which says where the derivatives differ most; TypeMismatch for points that are not floats.

    >>> import numpy as np
    >>> from symtensor.ops import scalar
    >>> verify_grad(lambda x: scalar.stop_gradient(x) * x, [np.ones(2)])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    symtensor.base.errors.GradientError: derivative by argument 0 at (0,): reverse mode says ...
    """
    points = [np.array(value) for value in pt]
    for point in points:
        if point.dtype.name not in FLOATS:
            raise TypeMismatch(f"verify_grad needs float arrays, not {point.dtype}", fix="convert the points")
    lowest = min((point.dtype.name for point in points), key=FLOATS.index)
    tolerances = tuple(_TOLERANCE[lowest] if given is None else given for given in (abs_tol, rel_tol))
    generator = np.random.default_rng(0) if rng is None else rng
    inputs = variables_for(points)
    output = as_variable(fun(*inputs))
    run = compile or interpreted
    shape = np.shape(run(inputs, [output])(*points)[0])
    for _ in range(n_tests):
        _verify(inputs, output, points, generator.uniform(0.5, 1.5, size=shape), generator, eps or _STEP[lowest],
                tolerances, run)


def _verify(inputs: Sequence[Variable], output: Variable, points: Sequence[np.ndarray], projection: np.ndarray,
            generator: Any, eps: float, tolerances: Sequence[float], run: Compile) -> None:
    cost = sum_axes(cast(output, "float64") * projection, range(output.type.ndim))
    directions = [np.asarray(generator.uniform(0.5, 1.5, size=p.shape)).astype(p.dtype) for p in points]
    slopes = grad(cost, list(inputs), disconnected_inputs="ignore")
    along = Rop(cost, list(inputs), directions, disconnected_outputs="ignore")
    *reverse, forward = run(inputs, [*slopes, along])(*points)
    compute = run(inputs, [cost])
    numeric = numeric_gradient(lambda *values: float(compute(*values)[0]), points, eps)
    for position, (found, wanted) in enumerate(zip(reverse, numeric)):
        _compare(f"derivative by argument {position}", "reverse mode", found, wanted, tolerances)
    total = np.asarray(sum(np.sum(d * n) for d, n in zip(directions, numeric)))
    _compare("derivative along a random direction", "forward mode", forward, total, tolerances)


def numeric_gradient(function: Callable[..., float], points: Sequence[np.ndarray], eps: float) -> list[np.ndarray]:
    """The derivatives of a scalar function of arrays by central differences of two widths, combined.

    >>> import numpy as np
    >>> numeric_gradient(lambda x: float(np.sum(x ** 2)), [np.array([1.0, 3.0])], 1e-3)[0].round(9)
    array([2., 6.])
    """
    found = []
    for position, point in enumerate(points):
        slope = np.zeros(point.shape)
        for index in np.ndindex(point.shape):
            wide, narrow = (_difference(function, points, position, index, step) for step in (eps, eps / 2))
            slope[index] = (4 * narrow - wide) / 3
        found.append(slope)
    return found


def _difference(function: Callable[..., float], points: Sequence[np.ndarray], position: int, index: Any,
                step: float) -> float:
    values = []
    moved = [np.array(point) for point in points]
    for sign in (1, -1):
        moved[position][index] = points[position][index] + sign * step
        values.append((function(*moved), float(moved[position][index])))
    (above, right), (below, left) = values
    return (above - below) / (right - left)  # the step as rounding left it


def _compare(what: str, mode: str, found: Any, wanted: np.ndarray, tolerances: Sequence[float]) -> None:
    found, wanted = np.asarray(found, "float64"), np.asarray(wanted)
    absolute = np.abs(found - wanted)
    relative = absolute / np.maximum(np.abs(found) + np.abs(wanted), 1e-8)
    wrong = ~((absolute <= tolerances[0]) | (relative <= tolerances[1]))  # a NaN is wrong
    if not np.any(wrong):
        return
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(np.where(wrong, np.nan_to_num(absolute, nan=np.inf), -1)),
                                                   found.shape))
    raise GradientError(f"{what} at {worst}: {mode} says {found[worst]}, differences say {wanted[worst]}",
                        operands=[f"absolute error {absolute[worst]:.3g} against {tolerances[0]:.3g}",
                                  f"relative error {relative[worst]:.3g} against {tolerances[1]:.3g}"],
                        fix="correct the op's pullback, or move the point away from where the slope jumps")


def variables_for(points: Sequence[np.ndarray]) -> list[Variable]:
    """A variable for each array: of size 1 where the array is, of unknown size elsewhere.

    >>> import numpy as np
    >>> variables_for([np.ones((2, 1))])[0].type
    TensorType(float64, (x0.0, 1))
    """
    return [Variable(TensorType(point.dtype, [size if size == 1 else None for size in point.shape]), name=f"x{number}")
            for number, point in enumerate(points)]


def interpreted(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Callable[..., Sequence[Any]]:
    """The callable that interprets the graph."""
    return lambda *values: evaluate(outputs, dict(zip(inputs, values)))
