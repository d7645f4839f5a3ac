"""What a compiled function tells of devices: what runs where, what is moved, what has no form on its device.

>>> from symtensor.lower.program import Program
>>> print(report(Program([], [], [], [], [], [], [], [], [], 0, [], [])))
cpu: 0 launches, 0 library calls, 0 calls of Python
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from symtensor.ir import provenance
from symtensor.lower.program import Branch, BufferKind, Call, Copy, Launch, Program, Routine
from symtensor.ops.transfer import PROCESSOR

__all__ = ["Move", "Placed", "Report", "report"]


@dataclass(frozen=True)
class Move:
    """A value that a call moves: what it is, and from where to where. An argument may be there already."""

    value: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}: {self.value}"


@dataclass(frozen=True)
class Placed:
    """A node that has no form on the device meant for it: its op, why, and the user's lines."""

    op: str
    reason: str
    where: Sequence[str]

    def __str__(self) -> str:
        return "\n    ".join([f"{self.op}: {self.reason}", *self.where])


@dataclass(frozen=True)
class Report:
    """`launches` counts the kernels on each device; `moves` are the transfers; `on_processor` is what had to stay.

    `libraries` counts what libraries of devices are asked for; where they refuse, kernels run that are not counted.
    Launches that have something to do for few sizes are not counted either.
    """

    launches: dict[str, int]
    library_calls: int
    python_calls: int
    moves: Sequence[Move]
    on_processor: Sequence[Placed]
    libraries: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{name}: {count} launches" for name, count in self.launches.items()]
        lines[0] += f", {self.library_calls} library calls, {self.python_calls} calls of Python"
        lines += [f"{name}: {count} of the library calls" for name, count in self.libraries.items()]
        if self.moves:
            lines += ["moved in each call:", *(f"  {move}" for move in self.moves)]
        if self.on_processor:
            lines += ["without a form on the device:", *(f"  {placed}" for placed in self.on_processor)]
        return "\n".join(lines)

    __repr__ = __str__


def report(program: Program) -> Report:
    """The report on a program."""
    names = [PROCESSOR, *program.devices]
    launches = dict.fromkeys(names, 0)
    moves = [Move(program.arguments[buffer.source].name, PROCESSOR, names[buffer.device])
             for buffer in program.buffers if buffer.kind is BufferKind.INPUT and buffer.device]
    spare = _for_refusals(program)
    for number, (instruction, (_, _, operands)) in enumerate(zip(program.instructions, program.origins)):
        if isinstance(instruction, Launch) and not instruction.sometimes and number not in spare:
            launches[names[program.kernels[instruction.kernel].device]] += 1
        elif isinstance(instruction, Copy):
            source, target = (program.buffers[b].device for b in (instruction.source, instruction.target))
            if source != target:
                moves.append(Move(operands[0] if operands else "a value", names[source], names[target]))
    library, python = (sum(isinstance(one, kind) for one in program.instructions) for kind in (Routine, Call))
    unplaced = [Placed(op, reason, [text for n in places for text in provenance.describe(program.places[n][:1])])
                for op, reason, places in program.unplaced]
    named = [_LIBRARIES[one.name] for one in program.instructions
             if isinstance(one, Routine) and one.name in _LIBRARIES]
    return Report(launches, library, python, moves, unplaced, dict(Counter(named)))


_LIBRARIES = {"device_gemm": "cuBLAS", "device_convolution": "cuDNN"}


def _for_refusals(program: Program) -> set[int]:
    """The instructions that run only where a library of a device refuses."""
    told = {buffer for one in program.instructions if isinstance(one, Routine) for buffer in one.outputs[1:]}
    return {number for one in program.instructions if isinstance(one, Branch) and one.condition in told
            for number in range(one.then.end, one.otherwise.end)}
