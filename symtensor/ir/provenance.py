"""Where a node comes from: the user's lines that made it.

`here()` walks out of the package to the caller's code; inside `attributed(lines)` it answers those
lines instead, which is how the rewrite engine hands a node's lines on to its replacement.

>>> line = Line("train.py", 12, "loss")
>>> str(line)
'train.py:12 in loss'
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from symtensor.base.config import config

__all__ = ["Line", "Lines", "Places", "here", "attributed", "describe"]

_NOT_THE_USERS = ("<frozen ", os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep)


class Line(NamedTuple):
    """A place in a user's program."""

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number} in {self.function}"


Lines = tuple[Line, ...]
_met: dict[tuple[str, int, str], Line] = {}
"""The lines met so far: each is one object, however many nodes it made."""
_given: ContextVar[Lines | None] = ContextVar("given", default=None)


class Places:
    """Places by number, equal ones by one: what is kept in a file says the number and stays true when lines move.

    >>> places = Places()
    >>> places.number((Line("train.py", 12, "loss"),)), places.number((Line("train.py", 12, "loss"),)), len(places.all)
    (0, 0, 1)
    """

    def __init__(self) -> None:
        self.all: list[Lines] = []
        self._numbers: dict[Lines, int] = {}

    def number(self, lines: Lines) -> int:
        """The number of a place, which gets one now if it has none."""
        number = self._numbers.setdefault(lines, len(self.all))
        if number == len(self.all):
            self.all.append(lines)
        return number


def here() -> Lines:
    """The user's lines on the stack, innermost first, at most `config.traceback_limit`; or those given."""
    given = _given.get()
    if given is not None:
        return given
    lines: list[Line] = []
    frame = sys._getframe(1)
    limit = config.traceback_limit
    while frame is not None and len(lines) < limit:
        code = frame.f_code
        if not code.co_filename.startswith(_NOT_THE_USERS):
            place = (code.co_filename, frame.f_lineno, code.co_name)
            lines.append(_met.get(place) or _met.setdefault(place, Line(*place)))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(lines)


@contextmanager
def attributed(lines: Iterable[Line]) -> Iterator[None]:
    """Nodes made inside the block carry `lines`."""
    token = _given.set(tuple(lines))
    try:
        yield
    finally:
        _given.reset(token)


def describe(lines: Lines) -> list[str]:
    """Lines for a message: the place and, for the innermost, its source text."""
    texts = []
    for position, line in enumerate(lines):
        source = linecache.getline(line.file, line.number).strip() if position == 0 else ""
        texts.append(f"{line}: {source}" if source else str(line))
    return texts
