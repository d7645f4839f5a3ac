"""What is said when sizes that must agree do not, wherever that is found.

>>> print(equation_error("sizes of axis 0", "eq", ("x.0", 3), ("y.0", 4)))
sizes of axis 0: x.0 is 3 and y.0 is 4
>>> print(equation_error("index n is out of range for axis 0", "le", ("n + 1", 6), ("5", 5)))
index n is out of range for axis 0
  operand  n + 1 = 6
"""

from __future__ import annotations

from collections.abc import Iterable

from symtensor.base.errors import IndexOutOfRange, ShapeError, SymtensorError

__all__ = ["equation_error", "declaration_error", "limit_error"]

Side = tuple[str, int]
"""A size as text, and the number it is."""
_STRETCH = "only a size known to be 1 stretches: T.addbroadcast(x, axis), or declare it: T.matrix(shape=(1, None))"


def equation_error(meaning: str, compare: str, left: Side, right: Side, where: Iterable[str] = (),
                   operands: Iterable[str] = ()) -> SymtensorError:
    """The error for an equation ("eq") or inequality ("le") that does not hold."""
    if compare == "le":
        values = [f"{text} = {value}" for text, value in (left, right) if text != str(value)]
        return limit_error(meaning, where=where, operands=[*operands, *values])
    broadcasts = meaning.removeprefix("sizes of axis ").isdigit() and 1 in (left[1], right[1])
    return ShapeError(f"{meaning}: {_is(left)} and {_is(right)}", where=where, operands=operands,
                      fix=_STRETCH if broadcasts else None)


def limit_error(meaning: str, where: Iterable[str] = (), operands: Iterable[str] = ()) -> SymtensorError:
    """The error for an inequality that does not hold."""
    kind = IndexOutOfRange if "index" in meaning else ShapeError
    return kind(meaning, where=where, operands=operands)


def declaration_error(name: str, axis: int, actual: int, declared: Side, where: Iterable[str] = ()) -> SymtensorError:
    """The error for an argument whose size is not the one its type declares."""
    text, value = declared
    size = str(value) if text == str(value) else f"{value} ({text})"
    return ShapeError(f"{name!r} must have size {size} along axis {axis}, not {actual}", where=where)


def _is(side: Side) -> str:
    text, value = side
    return text if text == str(value) else f"{text} is {value}"
