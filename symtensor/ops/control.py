"""Control flow: loops whose step is a function of the IR.

>>> from symtensor.types.tensor import TensorType
>>> total, x = (Variable(TensorType("float64", ()), name=name) for name in ("total", "x"))
>>> step = Function.of([total, x], [total + x, total + x])
>>> start, xs, n = Variable(total.type), Variable(TensorType("float64", (None,)), name="xs"), Variable(_COUNT)
>>> last, sums = Scan(step, carries=1, sequences=1)(start, xs, n)
>>> last.type.ndim, sums.type.ndim
(0, 1)
>>> from symtensor.ir.interpret import evaluate
>>> evaluate([last, sums], {start: 0.0, xs: [1.0, 2.0, 3.0], n: 3})
[array(6.), array([1., 3., 6.])]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, SymtensorError, TypeMismatch
from symtensor.ir.function import Function, Sizes
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.node import Op, Variable, at_most, describe, equal_sizes
from symtensor.ops.size import size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["Scan"]

_COUNT = TensorType("int64", ())


class Scan(Op):
    """A loop: `step` is applied `steps` times, each time to what the time before gave.

    Its inputs are the first values of `carries` values that are handed from step to step; `sequences` arrays,
    of which step t is given row t; arrays that are the same for all steps; and the number of steps. `step` takes
    the carried values, the rows and the others, and gives the carried values anew, then what is stacked: row t of an
    output. The outputs are the last carried values and the stacks.

    With `until` the step gives one bool more, and the loop ends after the first step where it holds. Then there is one
    output more, the number of steps done, and rows of stacks that were not reached are zero. With `backwards` the
    steps go from the last row to the first. Derivatives in reverse mode go through the last `truncate` steps only,
    if it is not negative. With `recompute` they keep the carried values only and compute the rest of a step anew, and
    nothing is computed for all steps at once, which would keep it too.
    """

    step: Function
    carries: int
    sequences: int
    until: bool = False
    backwards: bool = False
    truncate: int = -1
    recompute: bool = False
    sizes_from = -1

    def functions(self) -> Mapping[str, Function]:
        return {"step": self.step}

    @property
    def stacks(self) -> int:
        """How many outputs are stacked."""
        return len(self.step.results) - self.carries - self.until

    def sizes_of(self, inputs: Sequence[Variable]) -> Sizes:
        """What the step's sizes are for a loop over these inputs."""
        rows = slice(self.carries, self.carries + self.sequences)
        types = [v.type for v in inputs[:-1]]
        types[rows] = [TensorType.of(t.dtype, t.shape[1:]) for t in types[rows]]
        values = {number: size_of(v) for number, v in enumerate(inputs[:-1])
                  if number >= rows.stop and not v.type.ndim and v.type.dtype in INTEGERS}
        return Sizes(self.step, types, values)

    def infer(self, *inputs: Variable) -> list[TensorType]:
        self._check_inputs(inputs)
        steps = size_of(inputs[-1])
        at_most(0, steps, f"the number of steps may not be negative: {steps}")
        for v in inputs[self.carries:self.carries + self.sequences]:
            at_most(steps, v.type.shape[0], f"the sequence {v!r} is shorter than the {steps} steps")
        sizes = self.sizes_of(inputs)
        results = [sizes.type(v.type) for v in self.step.results]
        for number, (v, new) in enumerate(zip(inputs[:self.carries], results)):
            self._check_carry(number, v.type, new)
        types = [v.type for v in inputs[:self.carries]]
        types += [self._stacked(t, steps) for t in results[self.carries:self.carries + self.stacks]]
        return [*types, _COUNT] if self.until else types

    def _check_inputs(self, inputs: Sequence[Variable]) -> None:
        if self.until and self.backwards:
            raise TypeMismatch("a loop that ends early does not go backwards", fix="turn its sequences round")
        if len(inputs) != len(self.step.parameters) + 1:
            raise TypeMismatch(f"the step takes {len(self.step.parameters)} arguments, not {len(inputs) - 1}")
        for number, (given, wanted) in enumerate(zip(inputs, self.step.parameters)):
            row = self.carries <= number < self.carries + self.sequences
            if given.type.dtype != wanted.type.dtype or given.type.ndim != wanted.type.ndim + row:
                kind = "a row of " if row else ""
                raise TypeMismatch(f"the step takes {describe(wanted)}, and is given {kind}{describe(given)}")

    def _check_carry(self, number: int, old: TensorType, new: TensorType) -> None:
        name = self.step.called(number)
        if old.dtype != new.dtype or old.ndim != new.ndim:
            raise TypeMismatch(f"the value carried as {name} starts as {old.describe()}, and the step makes"
                               f" {new.describe()} of it", fix="cast or reshape the first value or the result")
        for axis, (own, size) in enumerate(zip(old.shape, new.shape)):
            if size is None:
                raise ShapeError(f"the size of axis {axis} of the value carried as {name} depends on the step's data",
                                 fix="keep one size in all steps: pad the value, or mask it")
            equal_sizes(own, size, f"size of axis {axis} of the value carried as {name}, before and after a step")

    def _stacked(self, type: TensorType, steps: Size) -> TensorType:
        if None in type.shape:
            raise ShapeError(f"the sizes of {type.describe()}, a result of the step, depend on the step's data",
                             fix="give each step a result of the same size: pad it, or mask it")
        return TensorType.of(type.dtype, (steps, *type.shape))

    def evaluate(self, *values: np.ndarray) -> Any:
        carried, steps = list(values[:self.carries]), int(values[-1])
        rows = values[self.carries:self.carries + self.sequences]
        others = values[self.carries + self.sequences:-1]
        made: dict[int, list[np.ndarray]] = {}
        for t in range(steps)[::-1] if self.backwards else range(steps):
            try:
                results = evaluate_graph(self.step.graph, [*carried, *(row[t] for row in rows), *others])
            except SymtensorError as error:
                error.what = f"in step {t}: {error.what}"
                raise
            carried, made[t] = results[:self.carries], results[self.carries:]
            if self.until and made[t][-1]:
                break
        shapes = self._stack_shapes(values) if len(made) < steps or not steps else []
        stacks = [self._stack(number, made, steps, shapes) for number in range(self.stacks)]
        done = [np.int64(len(made))] if self.until else []
        return (*carried, *stacks, *done)

    def _stack_shapes(self, values: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
        """The shapes of rows that no step has made."""
        inputs = [Variable(TensorType(v.dtype.name, v.shape)) for v in map(np.asarray, values)]
        sizes = self.sizes_of(inputs)
        known = {s: int(values[inputs.index(s.source)]) for v in self.step.results
                 for size in sizes.type(v.type).shape for s in dims.symbols_of(size) if s.source in inputs}
        return [tuple(dims.evaluate(size, known) for size in sizes.type(v.type).shape)
                for v in self.step.results[self.carries:self.carries + self.stacks]]

    def _stack(self, number: int, made: dict[int, list[np.ndarray]], steps: int,
               shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
        if not shapes:
            return np.stack([made[t][number] for t in range(steps)])
        stack = np.zeros((steps, *shapes[number]), self.step.results[self.carries + number].type.dtype)
        for t, results in made.items():
            stack[t] = results[number]
        return stack

    def __repr__(self) -> str:
        return "scan"
