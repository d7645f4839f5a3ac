"""What DebugMode does in a call: each rewriting of the graph, and the compiled program, compared with NumPy.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> check = Check(([x], [x * 2 + 1]), DebugMode())
>>> check.optimized([np.ones(2)])
[array([3., 3.])]
>>> check.compare([np.zeros(2)])  # doctest: +ELLIPSIS
Traceback (most recent call last):
...
symtensor.base.errors.BadThunkOutput: output 0 of the compiled function is not what NumPy gives
  where    ...
  operand  it is 0.0 at (0,), and by NumPy 3.0
  fix      report the graph: symtensor.debugprint(f), with the arguments
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from symtensor.base.errors import BadDestroyMap, BadOptimization, BadThunkOutput
from symtensor.ir import provenance
from symtensor.ir.graph import Graph, ancestors
from symtensor.ir.interpret import Step, evaluate_graph, evaluation, watched
from symtensor.ir.node import Variable, describe
from symtensor.rewrite import engine
from symtensor.rewrite.phases import optimize
from symtensor.runtime.modes import DebugMode, Guard
from symtensor.types.dtype import DISCRETE, kind_of, widened

__all__ = ["Check", "differing", "tolerance_of"]

Values = Callable[[Sequence[Variable]], list[np.ndarray]]
_TOLERANCE = {"bfloat16": 8e-2, "float16": 1e-2, "float32": 1e-4, "complex64": 1e-4}
_NUMBERS_APPEAR = ("nearer", "finite", "real")
"""What rules keep that may give a number where there was none."""


class Check:
    """The check of one call. `written` are the inputs and outputs the function was made of."""

    def __init__(self, written: tuple[Sequence[Variable], Sequence[Variable]], mode: DebugMode) -> None:
        self.graph = Graph(*written)
        self.mode = mode
        self.expected: list[np.ndarray] = []

    def optimized(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What NumPy gives for the rewritten graph. Raises BadOptimization for a rule that changed a value."""
        graph = self.graph
        with watched(_Onlooker(self.mode.check_isfinite)):
            evaluate_graph(graph, arrays)
        steps = optimize(graph, self.mode.choice(), record=True).steps
        values = evaluation(graph, arrays)
        inner: list[str] = []
        for step in steps:
            if step.graph is not graph:
                inner.append(step.name)
                continue
            self._check(step, values, inner)
        self.expected = values(graph.outputs)
        return self.expected

    def _check(self, step: engine.Step, values: Values, inner: Sequence[str]) -> None:
        for old, new in zip(step.old, step.new):
            if old is new:
                continue
            (before,), (after,) = values([old]), values([new])
            scale = _magnitude(values(old.owner.inputs)) if old.owner is not None else 0.0
            place = _difference(before, after, scale, tolerance_of([before.dtype.name]), step.keeps in _NUMBERS_APPEAR)
            if place is None:
                continue
            names = step.name or " or ".join(dict.fromkeys(inner))
            first = names.split(" or ")[0]
            raise BadOptimization(
                f"the rule {names} changes a value: {old!r} becomes {new!r}",
                where=[*provenance.describe(self.graph.place_of(old.owner) if old.owner else ()),
                       *([f"the rule: {step.place}"] if step.place else [])],
                operands=[*map(describe, old.owner.inputs if old.owner else ()),
                          f"it was {before[place]} at {place}, and is {after[place]}"
                          if before.shape == after.shape else f"it was of shape {before.shape}, and is {after.shape}"],
                fix=f'correct it, or leave it out: mode.excluding("{first}")')

    def compare(self, found: Sequence[np.ndarray]) -> None:
        """Raise BadThunkOutput if the results of the compiled function are not those expected."""
        tolerance = tolerance_of(v.type.dtype for v in ancestors(self.graph.outputs))
        for number, (variable, wanted, result) in enumerate(zip(self.graph.outputs, self.expected, found)):
            place = _difference(wanted, result, _magnitude([wanted]), tolerance, False)
            if place is not None:
                same = wanted.shape == result.shape
                raise BadThunkOutput(
                    f"output {number} of the compiled function is not what NumPy gives",
                    where=provenance.describe(variable.lines),
                    operands=[f"it is {result[place]} at {place}, and by NumPy {wanted[place]}" if same else
                              f"it is of shape {result.shape}, and by NumPy {wanted.shape}"],
                    fix="report the graph: symtensor.debugprint(f), with the arguments")


class _Onlooker(Guard):
    """Looks whether ops write to what they are given, and, if asked, for numbers that are not finite."""

    def __init__(self, check_isfinite: bool) -> None:
        super().__init__(["nan", "inf"] if check_isfinite else [])
        self.before_it: list[list[np.ndarray]] = []

    def before(self, step: Step) -> None:
        super().before(step)
        self.before_it.append([np.array(array) for array in step.inputs])

    def after(self, step: Step) -> None:
        for variable, old, new in zip(step.node.inputs, self.before_it.pop(), step.inputs):
            if old.tobytes() != np.asarray(new).tobytes():
                raise BadDestroyMap(f"{step.node.op} writes to an array that it is given",
                                    where=provenance.describe(step.lines), operands=[describe(variable)],
                                    fix="let it work on a copy: x = x.copy()")
        super().after(step)


def _magnitude(arrays: Sequence[np.ndarray]) -> float:
    """The largest number in some arrays that is finite."""
    largest = 0.0
    for array in arrays:
        if kind_of(array.dtype) in "fc" and array.size:
            sizes = np.abs(array)
            largest = max(largest, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
    return largest


def tolerance_of(dtypes: Iterable[str]) -> float:
    """By how much, relative to its size, a number may be off that is computed in these dtypes.

    >>> tolerance_of(["int64", "float32"])
    0.0001
    """
    return max((_TOLERANCE.get(dtype, 1e-9) for dtype in dtypes), default=0.0)


def differing(wanted: np.ndarray, found: np.ndarray, scale: float, tolerance: float) -> np.ndarray:
    """Which elements of two arrays of one shape differ by more than rounding of numbers as large as `scale` may.

    >>> differing(np.array([1.0, np.nan]), np.array([1.1, np.nan]), 1.0, 1e-9)
    array([ True, False])
    """
    if wanted.dtype.name in DISCRETE:
        return np.asarray(wanted != found)
    return ~np.isclose(widened(found), widened(wanted), rtol=tolerance, atol=tolerance * max(scale, 1e-30),
                       equal_nan=True)


def _difference(before: np.ndarray, after: np.ndarray, scale: float, tolerance: float,
                may_appear: bool) -> tuple[int, ...] | None:
    """The first place where two arrays differ. Shapes that differ do so at ()."""
    if before.shape != after.shape:
        return ()
    wrong = differing(before, after, scale, tolerance)
    if may_appear:
        wrong &= np.isfinite(widened(before))
    return tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.any() else None
