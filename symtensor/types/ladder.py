"""Functions of one integer that are made of straight pieces, and their positive parts.

A `Ladder` is offset + slope * t + the sum of c * max(0, k - t) over its corners {k: c}. On the integers that
form is unique: corners are where the second difference is not zero. So minima, maxima and clamps of
one unknown, however they nest, have one form (`types.dim` builds on it).

>>> Ladder(1, -2).positive()                                  # max(0, t - 2)
Ladder(slope=1, offset=-2, corners={2: 1})
>>> Ladder(2, -3).positive()(2)                               # max(0, 2 * t - 3) at 2
1
>>> Ladder(1, -2).positive().within(0, 2)                     # nothing is left of it where t <= 2
Ladder(slope=0, offset=0, corners={})
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Ladder"]


@dataclass(frozen=True)
class Ladder:
    """offset + slope * t + the sum of c * max(0, k - t) over corners {k: c}, as a function of an integer t."""

    slope: int
    offset: int
    corners: dict[int, int] = field(default_factory=dict)

    def __call__(self, t: int) -> int:
        return self.offset + self.slope * t + sum(c * (k - t) for k, c in self.corners.items() if k > t)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """(slope, offset) of the straight pieces, from the right."""
        slope, offset = self.slope, self.offset
        yield slope, offset
        for corner in sorted(self.corners, reverse=True):
            slope, offset = slope - self.corners[corner], offset + self.corners[corner] * corner
            yield slope, offset

    def positive(self) -> Ladder:
        """max(0, this)."""
        places = set(self.corners)
        for slope, offset in self._pieces():
            if slope:
                zero = -offset // slope  # a piece that crosses zero between two integers bends at both
                places.update((zero, zero + 1))
        value = {t: max(0, self(t)) for place in places for t in (place - 1, place, place + 1)}
        bends = {t: value[t - 1] - 2 * value[t] + value[t + 1] for t in sorted(places)}
        corners = {t: bend for t, bend in bends.items() if bend}
        if self.slope:  # far to the right it is this or zero
            return Ladder(self.slope, self.offset, corners) if self.slope > 0 else Ladder(0, 0, corners)
        return Ladder(0, max(0, self.offset), corners)

    def within(self, low: float, high: float) -> Ladder:
        """A function equal to this one on low..high, without corners that do not show there."""
        slope, offset, corners = self.slope, self.offset, {}
        for corner, bend in self.corners.items():
            if corner >= high:
                slope, offset = slope - bend, offset + bend * corner
            elif corner > low:
                corners[corner] = bend
        return Ladder(slope, offset, corners)

    def bounds(self, low: float, high: float) -> tuple[float, float]:
        """The least and the greatest value on low..high, either of which may be infinite."""
        ends: list[float] = [self(t) for t in self.corners if low < t < high]
        pieces = list(self._pieces())
        for end, (slope, offset) in ((high, pieces[0]), (low, pieces[-1])):
            if isinstance(end, int):
                ends.append(self(end))
            else:
                ends.append((end if slope > 0 else -end) if slope else offset)
        return min(ends), max(ends)
