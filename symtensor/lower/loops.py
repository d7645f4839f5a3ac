"""Loops: one kernel where that can be; else the step's instructions among those of the program, over moving buffers.

Rows of sequences are where they are; a stack's row is computed where it stays. A carried value is computed in the
memory of the one before where that is safe; else two or more blocks of memory take turns.

>>> import symtensor.lower.plan as planning
>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.target import PrintedKernel
>>> from symtensor.ops.index import subtensor
>>> from symtensor.ops.loop import Carry, Loop, Stack
>>> from symtensor.types.tensor import TensorType
>>> total, x, xs = (TensorType("float32", (None,) * rank)(name) for rank, name in ((1, "total"), (1, "x"), (2, "xs")))
>>> new = subtensor(total, [slice(None, None, -1)]) + x
>>> loop = Loop(TensorType("int64", ())("n"), [Carry(total, total, new)], {x: xs}, stacks=[Stack(new)])
>>> graph = Graph([loop.steps, total, xs], list(loop.make().values())[1:2])
>>> program = planning.plan(graph, 3, [], lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1, 2))])
>>> [type(instruction).__name__ for instruction in program.instructions]
['Loop', 'Launch']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import reshaped_base
from symtensor.lower.group import Refusal
from symtensor.lower.inner_sizes import InnerSizes
from symtensor.lower.program import Buffer, BufferKind, Copy, LoopCarry, LoopRow
from symtensor.lower.program import Loop as LoopInstruction
from symtensor.lower.recurrence import recurrence
from symtensor.lower.step import Step
from symtensor.ops.size import size_of

if TYPE_CHECKING:
    from symtensor.lower.part import Part

__all__ = ["plan_loop"]


def plan_loop(part: Part, node: Apply, device: int = 0) -> str | None:
    """Add the instructions of a loop to a part; why not, if its steps have sizes that only their own data tells."""
    accesses = part.flow.accesses
    kernel = recurrence(accesses.step(node), accesses, part.needs)
    if not isinstance(kernel, Refusal):
        part.launch(*kernel, node, device)
        return None
    planned = _LoopPlan(part, Step(node, device, part.assembly.devices) if device else accesses.step(node))
    unknown = planned.sizes.first_unknown()
    if unknown is not None:
        return f"the size {unknown} is known in each step only"
    planned.run()
    return None


class _LoopPlan:
    def __init__(self, part: Part, step: Step) -> None:
        self.around = part
        self.node = step.node
        self.device = step.device
        self.step = step
        self.loop, self.graph = step.loop, step.graph
        self.given = len(self.loop.rows) + len(self.loop.others)
        self.sizes = InnerSizes(part.sizes, step.graph, step.outside)
        self.rows: list[LoopRow] = []
        self.carries: list[LoopCarry] = []
        self.copies: list[tuple[Variable, int]] = []

    def run(self) -> None:
        """Copies of what is changed in place, the Loop, and the instructions of its step."""
        self.part = self.around.inner(self.step.flow, self.sizes)
        self.memory = self.part.buffers
        self._give_others()
        own = [self._give_carry(number) for number in range(len(self.loop.carries))]
        self.memory.loop = place = self.around.emit(Copy(0, 0), self.node)  # stands for the Loop
        self._give_rows()
        self._place_stacks()
        carries = [self._carry(number, buffer) for number, buffer in enumerate(own) if buffer is not None]
        stop = self._stop()
        self.part.run(learns=False)
        for variable, target in self.copies:
            self.part.emit(Copy(self.memory.of(reshaped_base(variable), self.device), target), variable)
        count = (self.around.buffers.of(self.node.outputs[-1]),) if stop else ()
        self.around.assembly.instructions[place] = LoopInstruction(
            len(self.around.assembly.instructions), self.around.sizes.number(size_of(self.loop.steps)),
            self.loop.backwards, tuple(self.rows), tuple(carries), stop, count)

    # -- what a step is given ---------------------------------------------------------------------

    def _outside(self, variable: Variable) -> int:
        """The buffer of a value around the loop."""
        return self.around.buffers.of(reshaped_base(variable), self.device)

    def _buffer(self, kind: BufferKind, variable: Variable, source: int = 0) -> Buffer:
        return Buffer(kind, source, variable.type.dtype, self.sizes.numbers(variable.type.shape), device=self.device)

    def _moving(self, variable: Variable, source: int | None = None) -> int:
        """A buffer that moves; what is written there is in rows of `source`."""
        buffers = self.around.assembly.buffers
        return self.around.assembly.add(
            self._buffer(BufferKind.MOVING, variable, len(buffers) if source is None else source))

    def _give_others(self) -> None:
        first = len(self.loop.rows)
        for own, value in zip(self.graph.inputs[first:self.given], self.loop.others.values()):
            self.memory.put(own, self._outside(value))

    def _give_rows(self) -> None:
        for own, array in zip(self.graph.inputs, self.loop.rows.values()):
            moving = self.memory.put(own, self._moving(own))
            first = self.around.flow.accesses.first_row(array)
            self.rows.append(LoopRow(moving, self.around.buffers.of(first, self.device)))

    def _give_carry(self, number: int) -> int | None:
        """The buffer that moves with a carried value; None for one that stays where it is, changed in place."""
        own, carry = self.graph.inputs[self.given + number], self.loop.carries[number]
        if not self._stays(number):
            return self.memory.put(own, self._moving(own))
        final = self.node.outputs[number]
        needed = self.around.needs(final)
        target = self._outside(final) if needed else self.around.buffers.add(self._buffer(BufferKind.ARENA, own))
        self.around.emit(Copy(self._outside(carry.first), target), self.node)
        self.memory.put(own, target)
        return None

    def _stays(self, number: int) -> bool:
        own, base = self.graph.inputs[self.given + number], self._new_base(number)
        return base is not own and self.part.places.of(base) is own

    def _new_base(self, number: int) -> Variable:
        return reshaped_base(self.graph.outputs[len(self.loop.stacks) + (self.loop.stop is not None) + number])

    # -- what it makes ----------------------------------------------------------------------------

    def _place_stacks(self) -> None:
        """A stacked value is computed in its row, or copied there if it is in another place already."""
        for number, value in enumerate(self.graph.outputs[:len(self.loop.stacks)]):
            target = self._outside(self.node.outputs[len(self.loop.carries) + number])
            row = self._moving(value, target)
            self.rows.append(LoopRow(row, target, written=True))
            base = self.part.places.of(reshaped_base(value))
            if self.memory.may_hold(base, value):
                self.memory.put(base, row)
            else:
                self.copies.append((value, row))

    def _carry(self, number: int, own: int) -> LoopCarry:
        """A carried value that is in another place after each step."""
        carry, final = self.loop.carries[number], self.node.outputs[number]
        base = self.part.places.of(self._new_base(number))
        spares: tuple[int, ...] = ()
        if base not in self.memory and base.owner is not None:
            blocks = [self.around.buffers.add(self._buffer(BufferKind.ARENA, self.graph.inputs[self.given + number]))
                      for _ in range(1 + self._kept_for(number))]
            self.memory.put(base, blocks[0])
            spares = tuple(blocks[1:])
        last = self._outside(final) if self.around.needs(final) else own
        return LoopCarry(own, self._outside(carry.first), self.memory.of(base, self.device), last, spares)

    def _kept_for(self, number: int) -> int:
        """For how many steps a value is carried on: by itself, and by carried values that take it over."""
        reached, steps = {number}, 0
        while reached:
            steps += 1
            owns = {self.graph.inputs[self.given + one] for one in reached}
            reached = {one for one in range(len(self.loop.carries)) if self._new_base(one) in owns} - reached
            if steps > len(self.loop.carries):
                break
        return steps

    def _stop(self) -> tuple[int, ...]:
        if self.loop.stop is None:
            return ()
        base = self.part.places.of(reshaped_base(self.graph.outputs[len(self.loop.stacks)]))
        if base not in self.memory and base.owner is not None:
            self.memory.put(base, self.around.buffers.add(self._buffer(BufferKind.ARENA, base)))
        return (self.memory.of(base, self.device),)
