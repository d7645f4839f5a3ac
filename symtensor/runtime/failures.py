"""Errors of a running function: from the numbers the virtual machine gives to words.

>>> from symtensor.ir.provenance import Line
>>> error = size_error(("equation", "sizes of axis 0", "eq", "x.0", "y.0", 0, ()), [(Line("a.py", 1, "f"),)], 3, 4)
>>> print(error)
sizes of axis 0: x.0 is 3 and y.0 is 4
  where    a.py:1 in f
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import CheckFailed, IndexOutOfRange, LinearAlgebraError, ShapeError, SymtensorError
from symtensor.ir import provenance
from symtensor.ir.disagreement import declaration_error, equation_error
from symtensor.ir.provenance import Lines
from symtensor.lower.program import Program, Routine

__all__ = ["Failures", "size_error"]


def size_error(message: Any, places: Sequence[Lines], left: int, right: int) -> SymtensorError:
    """The error for two sizes that do not agree; `message` is what the planner noted, with the number of a place."""
    if message[0] == "declared":
        _, name, axis, size = message
        return declaration_error(name, axis, left, (size, right))
    _, meaning, compare, left_text, right_text, place, operands = message
    return equation_error(meaning, compare, (left_text, left), (right_text, right),
                          provenance.describe(places[place]), operands)


class Failures:
    """The callback of the virtual machine: raises the error for what went wrong."""

    def __init__(self, program: Program) -> None:
        self.checks = program.checks
        self.messages = program.messages
        self.origins = program.origins
        self.places = program.places
        self.instructions = program.instructions

    def __call__(self, kind: str, number: int, data: Any) -> None:
        """Raise. `kind` is one of the virtual machine's, `number` a check, instruction or buffer."""
        if kind == "size":
            raise size_error(self.messages[self.checks[number].message], self.places, *data)
        if kind == "memory":
            raise MemoryError(f"{data} bytes could not be allocated" if data else "out of memory")
        if kind in ("negative", "overflow"):
            raise ShapeError("a size is negative" if kind == "negative" else "an array has too many bytes",
                             operands=[f"buffer {number}: {data}"])
        names, places, operands = self.origins[number]
        # Each place by its innermost line: several nodes have a part in an instruction.
        where = dict.fromkeys(text for place in places for text in provenance.describe(self.places[place][:1]))
        if kind == "kernel":
            instruction = self.instructions[number]
            if isinstance(instruction, Routine):
                raise LinearAlgebraError(f"{names}: {instruction.failure}", where=where, operands=operands,
                                         fix=instruction.fix)
            raise IndexOutOfRange("an index is out of range", where=where, operands=operands,
                                  fix="positions run from -size to size - 1")
        raise CheckFailed(f"{names} returned something else than it promised: {data}", where=where, operands=operands)
