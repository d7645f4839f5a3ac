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
from symtensor.ops.complex_parts import real_part
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import sum_axes
from symtensor.types.dtype import COMPLEX, CONTINUOUS, FLOATS, kind_of, promote, real_of
from symtensor.types.tensor import TensorType

__all__ = ["Compile", "interpreted", "numeric_gradient", "variables_for", "verify_grad"]

Compile = Callable[[Sequence[Variable], Sequence[Variable]], Callable[..., Sequence[Any]]]
"""What makes a callable from inputs and outputs."""

_STEP = {"bfloat16": 0.3, "float16": 0.1, "float32": 2e-2, "float64": 1e-3}
_TOLERANCE = {"bfloat16": 2e-1, "float16": 1e-1, "float32": 1e-2, "float64": 1e-6}


def verify_grad(fun: Callable[..., Any], pt: Sequence[Any], n_tests: int = 2, rng: Any = None, eps: float | None = None,
                out_type: Any = None, abs_tol: float | None = None, rel_tol: float | None = None, mode: Any = None,
                cast_to_output_type: bool = False, no_debug_ref: bool = True, compile: Compile | None = None) -> None:
    """Compare the derivative of `fun` at the arrays `pt` with differences, in reverse and in forward mode.

    `fun` takes one variable for each array of floats or complex numbers in `pt` and gives a variable. The result is
    projected to a real scalar at random, `n_tests` times, with `rng` (a NumPy generator). A derivative may be off by
    `abs_tol` or, relative to its size, by `rel_tol`; `eps` is the step of the differences, whose error is of the order
    of its fourth power. `compile(inputs, outputs)` runs the graphs; by default the interpreter does, which needs no
    `mode`; it and `out_type`, `cast_to_output_type` and `no_debug_ref` are Theano's, and choose nothing.
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
        if point.dtype.name not in CONTINUOUS:
            raise TypeMismatch(f"verify_grad needs float arrays, not {point.dtype}", fix="convert the points")
    lowest = min((real_of(point.dtype.name) for point in points), key=FLOATS.index)
    tolerances = tuple(_TOLERANCE[lowest] if given is None else given for given in (abs_tol, rel_tol))
    generator = np.random.default_rng(0) if rng is None else rng
    inputs = variables_for(points)
    output = as_variable(fun(*inputs))
    run = compile or interpreted
    shape = np.shape(run(inputs, [output])(*points)[0])
    for _ in range(n_tests):
        weights = _between(generator, shape, output.type.dtype)
        _verify(inputs, output, points, weights, generator, eps or _STEP[lowest],
                tolerances, run)


verify_grad.E_grad = GradientError  # type: ignore[attr-defined]
"""What it raises, as Theano's tests ask for it."""


def _verify(inputs: Sequence[Variable], output: Variable, points: Sequence[np.ndarray], projection: np.ndarray,
            generator: Any, eps: float, tolerances: Sequence[float], run: Compile) -> None:
    cost = real_part(sum_axes(cast(output, projection.dtype) * projection, range(output.type.ndim)))
    directions = [_between(generator, p.shape, p.dtype.name).astype(p.dtype) for p in points]
    slopes = grad(cost, list(inputs), disconnected_inputs="ignore")
    along = Rop(cost, list(inputs), directions, disconnected_outputs="ignore")
    *reverse, forward = run(inputs, [*slopes, along])(*points)
    compute = run(inputs, [cost])
    numeric = numeric_gradient(lambda *values: float(compute(*values)[0]), points, eps)
    for position, (found, wanted) in enumerate(zip(reverse, numeric)):
        _compare(f"derivative by argument {position}", "reverse mode", found, wanted, tolerances)
    total = np.asarray(sum(np.sum((np.conj(n) * d).real) for d, n in zip(directions, numeric)))
    _compare("derivative along a random direction", "forward mode", forward, total, tolerances)


def _between(generator: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Numbers whose parts are between 0.5 and 1.5, of float64 or complex128."""
    parts = generator.uniform(0.5, 1.5, size=shape)
    return np.asarray(parts + 1j * generator.uniform(0.5, 1.5, size=shape) if dtype in COMPLEX else parts)


def numeric_gradient(function: Callable[..., float], points: Sequence[np.ndarray], eps: float) -> list[np.ndarray]:
    """The derivatives of a scalar function of arrays by central differences of two widths, combined.

    By a complex number it is that by its real part, plus i times that by its imaginary part.

    >>> import numpy as np
    >>> numeric_gradient(lambda x: float(np.sum(x ** 2)), [np.array([1.0, 3.0])], 1e-3)[0].round(9)
    array([2., 6.])
    """
    found = []
    for position, point in enumerate(points):
        slope = np.zeros(point.shape, "complex128" if kind_of(point.dtype) == "c" else "float64")
        for index in np.ndindex(point.shape):
            for unit in (1, 1j) if kind_of(point.dtype) == "c" else (1,):
                wide, narrow = (_difference(function, points, position, index, step, unit) for step in (eps, eps / 2))
                slope[index] += unit * (4 * narrow - wide) / 3
        found.append(slope)
    return found


def _difference(function: Callable[..., float], points: Sequence[np.ndarray], position: int, index: Any,
                step: float, unit: complex) -> float:
    values = []
    moved = [np.array(point) for point in points]
    for sign in (1, -1):
        moved[position][index] = points[position][index] + sign * step * unit
        values.append((function(*moved), float((moved[position][index] / unit).real)))
    (above, right), (below, left) = values
    return (above - below) / (right - left)  # the step as rounding left it


def _compare(what: str, mode: str, found: Any, wanted: np.ndarray, tolerances: Sequence[float]) -> None:
    found, wanted = np.asarray(found, promote(np.asarray(found).dtype.name, "float64")), np.asarray(wanted)
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
