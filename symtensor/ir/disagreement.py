"""What is said when sizes that must agree do not, or an op raises, wherever that is found.

>>> print(equation_error("sizes of axis 0", "eq", ("x.0", 3), ("y.0", 4)))
sizes of axis 0: x.0 is 3 and y.0 is 4
  fix      give arrays of one size, or cut the longer one: x[:y.shape[0]]
>>> print(equation_error("index n is out of range for axis 0", "le", ("n + 1", 6), ("5", 5)))
index n is out of range for axis 0
  operand  n + 1 = 6
  fix      positions run from -size to size - 1
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symtensor.base.errors import IndexOutOfRange, ShapeError, SymtensorError

__all__ = ["equation_error", "contradiction", "declaration_error", "explained", "limit_error"]

Side = tuple[str, int]
"""A size as text, and the number it is."""
_FIXES = {
    "columns of the left and rows of the right": "transpose one of them, x.T, or give arrays whose inner sizes agree",
    "number of elements before and after": "let one size be found: x.reshape((n, -1))",
    "of the region and of the value": "give a value of the part's shape, or a number for all of it",
    "of the parts joined": "cut or pad the parts to one size",
    "rows and columns of a square matrix": "give a square matrix; pinv and lstsq take others too",
    "rows of the matrix and of the right side": "give a right side with as many rows as the matrix has",
    "of the sparse matrix": "give arrays whose sizes agree, or transpose one of them",
    "sizes of axis": "give arrays of one size, or cut the longer one: x[:y.shape[0]]",
    "as specified": "give an array of that size, or leave the size open: specify_shape(x, (None, 3))",
    "index": "positions run from -size to size - 1",
    "of no elements": "give at least one element, or join one: concatenate([x, [0]])",
    "may not be negative": "give a number of 0 and above",
    "are larger than": "pad what they slide over, or make them smaller",
    "half of the spectrum has": "give a spectrum of at least one place",
    "is shorter than": "give longer sequences, or a smaller n_steps",
}
"""One thing to try, by what the meaning of an equation contains."""
_STRETCH = "only a size known to be 1 stretches: T.addbroadcast(x, axis), or declare it: T.matrix(shape=(1, None))"


def equation_error(meaning: str, compare: str, left: Side, right: Side, where: Iterable[str] = (),
                   operands: Iterable[str] = ()) -> SymtensorError:
    """The error for an equation ("eq") or inequality ("le") that does not hold."""
    if compare == "le":
        values = [f"{text} = {value}" for text, value in (left, right) if text != str(value)]
        return limit_error(meaning, where=where, operands=[*operands, *values])
    return ShapeError(f"{meaning}: {_is(left)} and {_is(right)}", where=where, operands=operands,
                      fix=_fix(meaning, left[1], right[1]))


def contradiction(meaning: str, left: Any, right: Any, where: Iterable[str] = (),
                  operands: Iterable[str] = ()) -> SymtensorError:
    """The error for sizes that can never be equal, whatever is given."""
    return ShapeError(f"{meaning}: {left} and {right} can never be equal", where=where, operands=operands,
                      fix=_fix(meaning, left, right))


def _fix(meaning: str, *sizes: Any) -> str:
    if 1 in sizes and meaning.removeprefix("sizes of axis ").isdigit():
        return _STRETCH
    return next((fix for part, fix in _FIXES.items() if part in meaning), "give arrays whose sizes agree")


def limit_error(meaning: str, where: Iterable[str] = (), operands: Iterable[str] = ()) -> SymtensorError:
    """The error for an inequality that does not hold."""
    kind = IndexOutOfRange if "index" in meaning else ShapeError
    return kind(meaning, where=where, operands=operands, fix=_fix(meaning))


def declaration_error(name: str, axis: int, actual: int, declared: Side, where: Iterable[str] = ()) -> SymtensorError:
    """The error for an argument whose size is not the one its type declares."""
    text, value = declared
    size = str(value) if text == str(value) else f"{value} ({text})"
    return ShapeError(f"{name!r} must have size {size} along axis {axis}, not {actual}", where=where)


def explained(error: BaseException, op: str, where: Iterable[str], operands: Iterable[str]) -> BaseException:
    """What to raise for an error that an op raised on arrays: it says where the user wrote that, and of what it is.

    >>> print(explained(IndexError("too large"), "take", ["a.py:1 in f"], []))
    take: too large
      where    a.py:1 in f
    """
    if isinstance(error, SymtensorError):
        error.where, error.operands = error.where or tuple(where), error.operands or tuple(operands)
        return error
    if isinstance(error, IndexError):
        return IndexOutOfRange(f"{op}: {error}", where=where, operands=operands)
    report = SymtensorError(f"raised by {op}", where=where, operands=operands)
    error.__notes__ = [*getattr(error, "__notes__", ()), str(report)]  # type: ignore[attr-defined]
    return error


def _is(side: Side) -> str:
    text, value = side
    return text if text == str(value) else f"{text} is {value}"
