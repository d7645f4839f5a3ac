"""Errors of a running function: from the numbers the virtual machine gives to words.

>>> error = size_error(("equation", "sizes of axis 0", "eq", "x.0", "y.0", ("a.py:1 in f",)), 3, 4)
>>> print(error)
sizes of axis 0: x.0 is 3 and y.0 is 4
  where    a.py:1 in f
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import CheckFailed, IndexOutOfRange, ShapeError, SymtensorError
from symtensor.lower.program import Program

__all__ = ["Failures", "size_error"]


def size_error(message: Any, left: int, right: int) -> SymtensorError:
    """The error for two sizes that do not agree; `message` is what the planner noted."""
    if message[0] == "declared":
        _, name, axis, size = message
        return ShapeError(f"{name} has size {left} along axis {axis}, where {size} = {right} was declared")
    _, meaning, compare, left_text, right_text, where = message
    if compare == "le":
        return (IndexOutOfRange if "index" in meaning else ShapeError)(
            meaning, where=where, operands=_values((left_text, left), (right_text, right)))
    return ShapeError(f"{meaning}: {_is(left_text, left)} and {_is(right_text, right)}", where=where)


def _is(text: str, value: int) -> str:
    return text if text == str(value) else f"{text} is {value}"


def _values(*pairs: tuple[str, int]) -> list[str]:
    return [f"{text} = {value}" for text, value in pairs if text != str(value)]


class Failures:
    """The callback of the virtual machine: raises the error for what went wrong."""

    def __init__(self, program: Program) -> None:
        self.checks = program.checks
        self.messages = program.messages
        self.origins = program.origins

    def __call__(self, kind: str, number: int, data: Any) -> None:
        """Raise. `kind` is one of the virtual machine's, `number` a check, instruction or buffer."""
        if kind == "size":
            raise size_error(self.messages[self.checks[number].message], *data)
        if kind == "memory":
            raise MemoryError(f"{data} bytes could not be allocated" if data else "out of memory")
        if kind in ("negative", "overflow"):
            raise ShapeError("a size is negative" if kind == "negative" else "an array has too many bytes",
                             operands=[f"buffer {number}: {data}"])
        names, where, operands = self.origins[number]
        if kind == "kernel":
            raise IndexOutOfRange(f"an index is out of range in {names}", where=where, operands=operands,
                                  fix="positions run from -size to size - 1")
        raise CheckFailed(f"{names} returned something else than it promised: {data}", where=where, operands=operands)
