"""One check for every op: types, shapes, values on each target, derivatives.

Authors of ops call it on their own; `tests/ops` calls it on every op there is.

>>> from symtensor.ops import scalar
>>> from symtensor.ops.elementwise import elementwise
>>> @elementwise
... def check_op_example(x):
...     return x * scalar.sigmoid(x)
>>> report = check_op(check_op_example, targets=("numpy",))
>>> report.derivatives > 0, report.skipped
(True, [])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symtensor.base.errors import CheckFailed, GradientError, TypeMismatch
from symtensor.codegen.toolchain import toolchain
from symtensor.grad.forward import Rop
from symtensor.grad.reverse import grad
from symtensor.ir.graph import applications
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Op, Unknown, Variable
from symtensor.ops.complex_parts import real_part
from symtensor.ops.convert import constant
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.ops.inverses import Pinv
from symtensor.ops.reduce import sum_axes
from symtensor.testing.examples import Example, counted, examples_of
from symtensor.testing.verify_grad import Compile, interpreted, variables_for, verify_grad
from symtensor.types.dtype import CONTINUOUS, FLOATS, NARROW

__all__ = ["Report", "check_op"]


@dataclass
class Report:
    """What was checked: how many examples, on which targets, how many derivatives; and what was not, and why."""

    op: Any
    examples: int = 0
    targets: list[str] = field(default_factory=list)
    derivatives: int = 0
    skipped: list[str] = field(default_factory=list)


def check_op(op: Op | type[Op], examples: Iterable[Example] | None = None, targets: Sequence[str] = ("numpy", "c"),
             compile: Compile | None = None, ulps: int | None = None, derivatives: bool = True) -> Report:
    """Check that an op, or each op of a class, is what it says it is.

    Types and symbolic shapes are compared with what `evaluate` gives; generated code with NumPy, for arrays of
    any strides, within `ulps` (by default 0 for arithmetic, 8 for functions of a library); first and second derivatives
    with differences, in reverse and forward mode. `examples` are applications to try; elementwise ops and the
    ops of this package need none. `compile(inputs, outputs)` makes the callables of the target "c". An op whose
    derivative is not meant to be that of its value is checked with `derivatives=False`.
    Raises VerifyError, CheckFailed or GradientError.

    >>> from symtensor.ops.shape import Dimshuffle
    >>> check_op(Dimshuffle, targets=("numpy",)).examples > 3
    True
    """
    report = Report(op)
    found = list(examples_of(op) if examples is None else examples)
    for example in found:
        inputs, outputs = _apply(example)
        evaluate(outputs, dict(zip(inputs, example.arrays)))  # which compares results with the types announced
    report.examples = len(found)
    report.targets.append("numpy")
    if "c" in targets and toolchain() is None and compile is None:
        report.skipped.append("c: there is no C compiler")
    elif "c" in targets:
        _check_compiled(found, compile or _function(), ulps)
        report.targets.append("c")
    if derivatives and isinstance(op, Elementwise) and not isinstance(op, Cast):
        _check_elementwise_derivatives(op, report)
    elif derivatives:
        _check_derivatives(found, report)
    return report


def _function() -> Compile:
    from symtensor.runtime.function import function  # needs a compiler, which the other checks do not
    return lambda inputs, outputs: function(list(inputs), list(outputs), on_unused_input="ignore")


def _apply(example: Example) -> tuple[list[Variable], list[Variable]]:
    inputs = variables_for(example.arrays)
    return inputs, list(example.op.make(*inputs))


# -- values -----------------------------------------------------------------------------------------------

def _check_compiled(examples: Sequence[Example], compile: Compile, ulps: int | None) -> None:
    """Compiled code gives what `evaluate` gives. Examples with the same types share one callable."""
    applied = [_apply(example) for example in examples]
    inputs = [v for own, _ in applied for v in own]
    outputs = [v for _, own in applied for v in own]
    run = compile(inputs, outputs)
    for arrange in (np.asarray, _spaced, _reversed):
        arrays = [arrange(array) for example in examples for array in example.arrays]
        found = iter(run(*arrays))
        for example, (own_inputs, own_outputs) in zip(examples, applied):
            allowed = _allowed_ulps(example.op, own_inputs) if ulps is None else ulps
            for wanted in evaluate(own_outputs, dict(zip(own_inputs, example.arrays))):
                _compare(example, next(found), wanted, allowed, arrange.__name__)


def _spaced(array: np.ndarray) -> np.ndarray:
    """The same values, two elements apart along every axis."""
    every_other: Any = (..., *(slice(None, None, 2),) * array.ndim)
    spaced: np.ndarray = np.zeros([2 * size for size in array.shape], array.dtype)[every_other]
    spaced[...] = array
    return spaced


def _reversed(array: np.ndarray) -> np.ndarray:
    """The same values, with negative strides."""
    backwards: Any = (..., *(slice(None, None, -1),) * array.ndim)
    return np.asfortranarray(array[backwards])[backwards] if array.ndim else array


def _allowed_ulps(op: Op, inputs: Sequence[Variable] = ()) -> int:
    """None for what C and NumPy both round correctly; some for functions of a library and for sums."""
    if isinstance(op, Elementwise):
        if inputs and op.on_parts(inputs[-1].type.dtype):
            return _allowed_of_parts(op, inputs[-1].type.dtype)
        own = 0 if op.definition.cost <= 8 and op.definition.body is None else 8
        return op.definition.ulps or own
    by_library = op.routine is not None or isinstance(op, Pinv)
    return 64 if by_library or op.functions() or getattr(op, "kind", None) in ("sum", "prod") else 0


def _allowed_of_parts(op: Elementwise, dtype: str) -> int:
    """None for a function of complex numbers whose parts are rounded once; errors of the functions it calls add."""
    made = [applications([part]) for part in op.traced_parts(dtype)[1]]
    several = 4 if max(map(len, made)) > 1 else 0
    return op.definition.ulps or max([several, *(sum(_allowed_ulps(node.op) for node in nodes) for nodes in made)])


def _compare(example: Example, found: Any, wanted: np.ndarray, ulps: int, layout: str) -> None:
    found = np.asarray(found)
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        raise CheckFailed(f"{example!r}: compiled code gave {found.dtype} {found.shape}, NumPy {wanted.dtype}"
                          f" {wanted.shape}")
    if found.dtype.name in NARROW:  # computed in a wider dtype: what is rounded is nearly the same
        ulps = min(ulps, 1)
    wrong = ~_equal(found, wanted, ulps)
    if np.any(wrong):
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        operands = [f"{array.dtype} {array[where] if array.shape == found.shape else array.shape}"
                    for array in example.arrays]
        raise CheckFailed(f"{example!r}: at {where} compiled code gave {found[where]!r}, NumPy {wanted[where]!r}"
                          f" ({layout.strip('_')} operands, {ulps} ulps allowed)", operands=operands)


def _equal(found: np.ndarray, wanted: np.ndarray, ulps: int) -> np.ndarray:
    """Where two arrays agree: equal, both NaN, or floats at most `ulps` units in the last place apart; of complex
    numbers, units in the last place of their larger part."""
    equal = (found == wanted) | ((found != found) & (wanted != wanted))
    if found.dtype.name not in CONTINUOUS or not ulps:
        return np.asarray(equal)
    pairs = [(found, wanted)]
    if found.dtype.name not in FLOATS:
        pairs = [(found.real, wanted.real), (found.imag, wanted.imag)]
    with np.errstate(all="ignore"):
        sizes = [np.abs(part) for pair in pairs for part in pair]
        unit = np.spacing(np.max([np.where(np.isfinite(size), size, 0) for size in sizes], axis=0))
        near = [(f == w) | ((f != f) & (w != w)) | (np.abs(f - w) <= ulps * unit) for f, w in pairs]
    return np.asarray(np.logical_and.reduce(near))


# -- derivatives ------------------------------------------------------------------------------------------

def _check_derivatives(examples: Sequence[Example], report: Report) -> None:
    """First derivatives of every output by every operand of 64-bit floats, and second ones, against differences."""
    for example in examples:
        positions = [p for p, array in enumerate(example.arrays) if array.dtype in ("float64", "complex128")]
        _, outputs = _apply(example)
        if not example.differentiable or not positions or all(v.type.dtype not in CONTINUOUS for v in outputs):
            continue
        points = [example.arrays[p] for p in positions]
        for index, output in enumerate(outputs):
            if output.type.dtype in CONTINUOUS:
                first = _projected(example, positions, index)
                verify_grad(first, points, n_tests=1)
                verify_grad(_slope(first), points, n_tests=1, abs_tol=1e-5, rel_tol=1e-5)
                report.derivatives += 2


def _projected(example: Example, positions: Sequence[int], index: int) -> Callable[..., Variable]:
    """One output as a function of the operands at `positions`, the others held."""
    def function(*given: Variable) -> Variable:
        operands: list[Variable] = [constant(array) for array in example.arrays]
        for position, variable in zip(positions, given):
            operands[position] = variable
        return example.op.make(*operands)[index]
    return function


def _slope(function: Callable[..., Variable]) -> Callable[..., Variable]:
    """The derivative of the sum of squares of a function, itself a scalar function by a sum with fixed weights."""
    def slope(*given: Variable) -> Variable:
        value = function(*given)
        cost = real_part(sum_axes(value * value, range(value.type.ndim)))
        slopes = grad(cost, list(given), disconnected_inputs="ignore")
        total: Any = 0.0
        for number, derivative in enumerate(slopes):
            total = total + (number + 1.0) * real_part(sum_axes(derivative, range(derivative.type.ndim)))
        return total
    return slope


def _check_elementwise_derivatives(op: Elementwise, report: Report) -> None:
    """Derivatives at many random points at once; those where differences of several widths disagree are left out."""
    points = _points(op)
    inputs = variables_for(points)
    moving = [i for i, v in enumerate(inputs) if v.type.dtype in FLOATS]
    try:
        output = op(*inputs)
    except TypeMismatch:  # not an op on floats
        return
    if op.definition.fails or output.type.dtype not in FLOATS:
        return
    try:
        moving = [i for i in moving if i not in _unknown(op, inputs, output)]
        slopes = _slopes(output, [inputs[i] for i in moving])
    except GradientError as error:
        report.skipped.append(f"derivatives: {error.what}")
        return
    for position, slope in zip(moving, slopes):
        _check_slope(op, output, inputs, position, slope, points)
        for other, second in zip(moving, _slopes(slope, [inputs[i] for i in moving])):
            _check_slope(op, slope, inputs, other, second, points, order=2)
        report.derivatives += 1 + len(moving)


def _unknown(op: Elementwise, inputs: Sequence[Variable], output: Variable) -> set[int]:
    """The operands by which an op says that it gives no derivative."""
    if op.definition.pullback is None:
        return set()
    pulled = op.definition.pullback(*inputs, output, output)
    several = pulled if isinstance(pulled, (list, tuple)) else [pulled]
    return {position for position, result in enumerate(several) if isinstance(result, Unknown)}


def _points(op: Elementwise) -> list[np.ndarray]:
    """Operands at 400 places, near 0 but not at it, and further away."""
    rng = np.random.default_rng(1)
    points = [rng.choice([-3.0, -1.0, -0.45, 0.45, 1.0, 3.0], size=400) * rng.uniform(0.1, 1, size=400)
              for _ in range(op.definition.arity)]
    points = [np.floor(abs(p)) if i in counted(op) else p for i, p in enumerate(points)]
    return [p > 0 if op.definition.kind == "switch" and i == 0 else p for i, p in enumerate(points)]


def _slopes(output: Variable, wrt: Sequence[Variable]) -> list[Variable]:
    return list(grad(sum_axes(output, range(output.type.ndim)), list(wrt), disconnected_inputs="ignore"))


def _check_slope(op: Elementwise, output: Variable, inputs: Sequence[Variable], position: int, slope: Variable,
                 points: Sequence[np.ndarray], order: int = 1) -> None:
    compute = interpreted(inputs, [output])
    narrow, *wider = (_differences(compute, points, position, step) for step in (1e-5, 2.3e-5, 7.1e-5))
    with np.errstate(all="ignore"):
        scale = np.maximum(1.0, np.abs(narrow))
        smooth = np.all([np.isfinite(narrow), *(np.abs(wide - narrow) < 1e-4 * scale for wide in wider)], axis=0)
    if smooth.sum() < 20:
        raise CheckFailed(f"{op}: too few points at which it is smooth to check its derivative of order {order}")
    ones = np.ones(len(points[position]))
    forward = Rop(output, inputs[position], ones, disconnected_outputs="ignore")
    for mode, found in zip(("reverse", "forward"), interpreted(inputs, [slope, forward])(*points)):
        wrong = smooth & ~(np.abs(found - narrow) < 1e-3 * scale)
        if np.any(wrong):
            worst = int(np.argmax(wrong))
            at = ", ".join(str(p[worst]) for p in points)
            raise GradientError(f"derivative {order} of {op} by operand {position} at ({at}): {mode} mode says"
                                f" {found[worst]}, differences say {narrow[worst]}",
                                fix=f"correct the pullback of {op}")


def _differences(compute: Callable[..., Any], points: Sequence[np.ndarray], position: int, step: float) -> np.ndarray:
    """Central differences by one operand, at all points at once."""
    above, below = ([p + sign * step if i == position else p for i, p in enumerate(points)] for sign in (1, -1))
    return np.asarray((compute(*above)[0] - compute(*below)[0]) / (2 * step))
