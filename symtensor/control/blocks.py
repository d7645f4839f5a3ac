"""Loops in blocks: derivatives keep what each block starts from, and compute the steps of a block anew.

Of a loop of n steps in blocks of k, the values that n / k steps start from are kept instead of n, and at a time the
history of the k steps of one block; the square root of n makes both small. The price: each step is computed twice.

>>> import symtensor.tensor as T
>>> from symtensor.ir.function import Function
>>> from symtensor.ir.interpret import evaluate
>>> total, x = T.dscalar("total"), T.dscalar("x")
>>> sums = Scan(Function.of([total, x], [total + x, total + x]), carries=1, sequences=1)
>>> start, xs, n = T.dscalar("start"), T.dvector("xs"), T.lscalar("n")
>>> _, ends = Blocks(2, ends=True).make(sums, [start, xs, n])
>>> evaluate([ends], {start: 0.0, xs: [1.0, 2.0, 3.0, 4.0, 5.0], n: 5})
[array([ 3., 10., 15.])]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from symtensor.base.errors import GraphError, TypeMismatch
from symtensor.control.budget import block_length
from symtensor.control.tracing import closed
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.control import Scan
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import join, subtensor
from symtensor.ops.shape import expand_dims, reshape
from symtensor.ops.size import dimension
from symtensor.types.dtype import INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["Blocks", "as_blocks"]


@dataclass(frozen=True)
class Blocks:
    """How a loop is divided: `every` so many steps derivatives keep a checkpoint; or so that they keep `most` bytes.

    With `ends`, of what is stacked only the last row of each block is made. `whole` says that no steps are left over,
    `last` that of what is carried only the last row of the stack is read. Raises TypeMismatch, GraphError for a length
    that is none.
    """

    every: Any = None
    ends: bool = False
    whole: bool = False
    most: Any = None
    last: bool = False

    def __post_init__(self) -> None:
        for name, what, fix in (("every", "the number of steps between checkpoints",
                                 "save_every=100, or about the square root of the number of steps"),
                                ("most", "the number of bytes that derivatives keep", "save_bytes=2**20")):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _positive(getattr(self, name), what, fix))

    def make(self, op: Scan, inputs: Sequence[Variable]) -> list[Variable]:
        """What the loop gives for these inputs. Raises GraphError for a loop whose end is not known before."""
        if op.until:
            raise GraphError("a loop that ends by until has no checkpoints: its blocks are not known before it ends",
                             fix="leave out save_every, or bound the loop by n_steps alone")
        if op.truncate >= 0:
            raise GraphError("truncate_gradient and checkpoints are two ways to keep less of a loop",
                             fix="leave out one of them")
        if self.every is None:
            return replace(self, every=block_length(op, inputs, self.most)).make(op, inputs)
        steps = inputs[-1]
        count = steps // self.every
        done = count * self.every
        made = self._whole_blocks(op, inputs, count, done)
        if self.whole or _divides(self.every, steps):
            return made
        rest = self._rest(op, [*made[:op.carries], *inputs[op.carries:]], done)
        stacks = [join(0, [a, b]) for a, b in zip(made[op.carries:], rest[op.carries:])]
        if self.last:
            new = op.step.results[:op.carries]
            stacks = [expand_dims(rest[new.index(value)], [0]) if value in new else whole
                      for value, whole in zip(op.step.results[op.carries:], stacks)]
        return [*rest[:op.carries], *stacks]

    def _whole_blocks(self, op: Scan, inputs: Sequence[Variable], count: Variable, done: Variable) -> list[Variable]:
        """A loop over blocks, whose step is the loop over the steps of one."""
        carried = [Variable(first.type, name=op.step.called(n)) for n, first in enumerate(inputs[:op.carries])]
        arrays = [self._divided(array, count, done) for array in inputs[op.carries:op.carries + op.sequences]]
        rows = [Variable(TensorType.of(array.type.dtype, array.type.shape[1:]), name=op.step.called(op.carries + n))
                for n, array in enumerate(arrays)]
        made = op.make(*carried, *rows, *inputs[op.carries + op.sequences:-1], self.every)
        results = [self._of_block(stack) for stack in made[op.carries:]]
        step, captured = closed([*carried, *rows], [*made[:op.carries], *results])
        outer = Scan(step, op.carries, op.sequences, recompute=True)
        found = outer.make(*inputs[:op.carries], *arrays, *captured, count)
        return [*found[:op.carries], *map(self._all_blocks, found[op.carries:])]

    def _divided(self, array: Variable, count: Variable, done: Variable) -> Variable:
        sizes = [dimension(array, axis) for axis in range(1, array.type.ndim)]
        rows = array if self.whole else subtensor(array, [slice(None, done)])
        return reshape(rows, [count, self.every, *sizes])

    def _of_block(self, stack: Variable) -> Variable:
        return subtensor(stack, [-1]) if self.ends else stack

    def _all_blocks(self, array: Variable) -> Variable:
        if self.ends:
            return array
        sizes = [dimension(array, axis) for axis in range(array.type.ndim)]
        return reshape(array, [sizes[0] * sizes[1], *sizes[2:]])

    def _rest(self, op: Scan, inputs: Sequence[Variable], done: Variable) -> list[Variable]:
        """The steps after the last whole block."""
        rows = slice(op.carries, op.carries + op.sequences)
        given = list(inputs)
        given[rows] = [subtensor(array, [slice(done, None)]) for array in given[rows]]
        made = list(op.make(*given[:-1], inputs[-1] - done))
        stacks = made[op.carries:]
        return made[:op.carries] + [subtensor(s, [slice(-1, None)]) if self.ends else s for s in stacks]


def as_blocks(save_every: Any, save_bytes: Any, last: bool = False) -> Blocks | None:
    """The blocks that a user asked for, by how many steps they have or how many bytes may be kept."""
    if save_every is not None and save_bytes is not None:
        raise GraphError("save_every and save_bytes both say how long the blocks of a loop are",
                         fix="leave out one of them")
    if isinstance(save_every, Blocks):
        return save_every
    return None if save_every is None and save_bytes is None else Blocks(save_every, most=save_bytes, last=last)


def _positive(value: Any, what: str, fix: str) -> Variable:
    variable = as_variable(value)
    if variable.type.ndim or variable.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, f"{what} must be an integer scalar", variable, fix="cast it to int64")
    if isinstance(variable, Constant) and variable.data < 1:
        raise GraphError(f"{what} is at least 1, not {variable.data}", fix=fix)
    return cast(variable, "int64")


def _divides(every: Variable, steps: Variable) -> bool:
    return isinstance(every, Constant) and isinstance(steps, Constant) and not int(steps.data) % int(every.data)
