"""A program under construction: its instructions, kernels and buffers, whichever part of the graph they are for.

>>> made = Assembly(lambda kernel: [])
>>> made.add(Buffer(BufferKind.ARENA, 0, "float32", ())), made.emit(Copy(0, 0), ("copy", (), ()))
(0, 0)
>>> made.with_lifetimes(())
[Buffer(kind=<BufferKind.ARENA: 3>, source=0, dtype='float32', shape=(), first=0, last=0, device=0)]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from symtensor.lower.kernel import Kernel
from symtensor.lower.program import (
    Branch,
    Buffer,
    BufferKind,
    Call,
    Copy,
    Instruction,
    KernelCode,
    Launch,
    Loop,
    Resize,
    Routine,
)
from symtensor.lower.target import Device, Joiner, PrintedKernel, Printer

__all__ = ["Assembly", "Origin", "used_buffers"]

Origin = tuple[str, tuple[int, ...], tuple[str, ...]]
"""What an instruction computes, for messages: the ops, the numbers of the user's places, the operands."""


@dataclass
class Assembly:
    """What all parts of a program share; `home` says of a buffer in which loop it is anew in each step.

    `printed` has what kernels were printed as, by their numbers; `partial` the buffers of partial results.
    """

    print_kernel: Printer
    devices: Sequence[Device] = ()
    join: Joiner | None = None
    instructions: list[Instruction] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    kernels: list[KernelCode] = field(default_factory=list)
    callables: list[Any] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    home: dict[int, int] = field(default_factory=dict)
    printed: list[PrintedKernel] = field(default_factory=list)
    partial: set[int] = field(default_factory=set)
    _kernel_number: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, buffer: Buffer, loop: int | None = None) -> int:
        """The number of a new buffer, which is anew in each step of a loop (the number of the Loop) if one is given."""
        self.buffers.append(buffer)
        if loop is not None:
            self.home[len(self.buffers) - 1] = loop
        return len(self.buffers) - 1

    def emit(self, instruction: Instruction, origin: Origin) -> int:
        """The number of a new instruction."""
        self.instructions.append(instruction)
        self.origins.append(origin)
        return len(self.instructions) - 1

    def kernels_of(self, kernel: Kernel, device: int = 0) -> Iterator[tuple[int, PrintedKernel]]:
        """What the target makes of a kernel, each with its number."""
        print_kernel = self.devices[device - 1].print_kernel if device else self.print_kernel
        return self.numbered(print_kernel(kernel), device)

    def numbered(self, kernels: Iterable[PrintedKernel], device: int) -> Iterator[tuple[int, PrintedKernel]]:
        """Kernels printed for a device, each with its number: equal texts have one."""
        for printed in kernels:
            number = self._kernel_number.setdefault((printed.text, device), len(self.kernels))
            if number == len(self.kernels):
                self.kernels.append(KernelCode(printed.name, printed.text, device))
                self.printed.append(printed)
            yield number, printed

    def joiner(self, device: int) -> Joiner | None:
        """What makes one kernel of several on a device, if anything does."""
        return self.devices[device - 1].join if device else self.join

    # -- when all instructions are there ----------------------------------------------------------

    def drop_unused_kernels(self) -> None:
        """Number the kernels that are launched anew."""
        used = sorted({one.kernel for one in self.instructions if isinstance(one, Launch)})
        number = {old: new for new, old in enumerate(used)}
        self.kernels, self.printed = [self.kernels[old] for old in used], [self.printed[old] for old in used]
        self.instructions = [replace(one, kernel=number[one.kernel]) if isinstance(one, Launch) else one
                             for one in self.instructions]

    def with_lifetimes(self, sizes: Sequence[tuple[int, int, int]]) -> list[Buffer]:
        """The buffers with the first and last instruction that needs each that has no memory, or name, of its own.

        What a loop uses and does not make anew in each step lives as long as the loop.
        """
        loops = {number: one for number, one in enumerate(self.instructions) if isinstance(one, Loop)}
        lives: dict[int, tuple[int, int]] = {}
        around: list[int] = []
        for number, instruction in enumerate(self.instructions):
            around = [loop for loop in around if number < loops[loop].end]
            for buffer in self._shown(instruction, sizes):
                first, last = self._life(buffer, number, around, loops)
                old = lives.get(buffer, (first, last))
                lives[buffer] = min(first, old[0]), max(last, old[1])
            if number in loops:
                around.append(number)
        for number, loop in loops.items():
            for moving in (*(row.own for row in loop.rows), *(carry.own for carry in loop.carries)):
                lives[moving] = number, loop.end - 1
        limited = (BufferKind.ARENA, BufferKind.MOVING, BufferKind.ALIAS)
        return [replace(b, first=lives[n][0], last=lives[n][1]) if b.kind in limited and n in lives else b
                for n, b in enumerate(self.buffers)]

    def _shown(self, instruction: Instruction, sizes: Sequence[tuple[int, int, int]]) -> Iterator[int]:
        """The buffers an instruction reads or writes, and those they are aliases of."""
        for buffer in used_buffers(instruction, sizes):
            yield buffer
            while self.buffers[buffer].kind is BufferKind.ALIAS:
                buffer = self.buffers[buffer].source
                yield buffer

    def _life(self, buffer: int, number: int, around: Sequence[int], loops: dict[int, Loop]) -> tuple[int, int]:
        """The instructions for which a buffer is needed because instruction `number`, inside loops, uses it."""
        if number in loops:
            around = [*around, number]
        home = self.home.get(buffer)
        for loop in around:  # from the outermost
            if home is None or home < loop:
                return loop, loops[loop].end - 1
        return number, number


def used_buffers(instruction: Instruction, sizes: Sequence[tuple[int, int, int]]) -> tuple[int, ...]:
    """The buffers an instruction reads or writes."""
    if isinstance(instruction, Launch):
        return instruction.buffers
    if isinstance(instruction, Copy):
        return (instruction.source, instruction.target)
    if isinstance(instruction, Resize):
        return tuple(sizes[number][1] for number in instruction.sizes)
    if isinstance(instruction, Loop):
        rows = (row.source for row in instruction.rows)
        carries = (b for c in instruction.carries for b in (c.first, c.new, c.final, *c.spares))
        return (*rows, *carries, *instruction.stop, *instruction.count)
    if isinstance(instruction, Branch):
        return (instruction.condition, *instruction.outputs)
    assert isinstance(instruction, (Call, Routine))
    return instruction.inputs + instruction.outputs
