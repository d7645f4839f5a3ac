"""An order of units that depend on each other, kept while units are merged: no merge may make a cycle.

Merging two units makes a cycle where a path leads from one to the other through a third. Such a path stays between
the two in every order in which units follow what they depend on; so only what lies between them is searched, from
the later one back, and no more than `MOST_BETWEEN` units of it: then the time for a merge does not grow with the
number of units.

>>> needs = {"a": [], "b": ["a"], "c": ["b", "a"], "d": ["a"]}
>>> order = Order("abcd", needs.__getitem__)
>>> order.between("a", "c")   # a path leads through b
['a', 'b']
>>> order.between("a", "d")
[]
>>> needs["cd"] = ["b", "a"]
>>> order.merge("c", "d", "cd", order.between("c", "d"))
>>> [unit for unit in order]
['a', 'b', 'cd']
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["MOST_BETWEEN", "Order"]

MOST_BETWEEN = 64
"""Units searched for a path between two that are to be merged; where there are more, they are too far apart."""
_GAP = 2**20

Unit = TypeVar("Unit", bound=Hashable)


class Order(Generic[Unit]):
    """Units in an order in which each follows those that `needs` names, which may name a unit several times."""

    def __init__(self, units: Iterable[Unit], needs: Callable[[Unit], Iterable[Unit]]) -> None:
        self._needs = needs
        self._rank: dict[Unit, int] = {}
        self._previous: dict[Unit, Unit | None] = {}
        self._next: dict[Unit | None, Unit | None] = {None: None}
        last = None
        for unit in units:
            self._link(last, unit)
            last = unit
        self._number()

    def __iter__(self) -> Iterator[Unit]:
        unit = self._next[None]
        while unit is not None:
            yield unit
            unit = self._next[unit]

    def rank(self, unit: Unit) -> int:
        """A number that is larger for units that come later."""
        return self._rank[unit]

    def between(self, early: Unit, late: Unit) -> list[Unit] | None:
        """The units after `early` that `late` depends on, directly or not, in their order.

        Where one of them depends on `early`, it stands among them. None where they are more than `MOST_BETWEEN`.
        """
        found: set[Unit] = set()
        start = self._rank[early]
        pending = [unit for unit in self._needs(late) if self._rank[unit] > start]
        while pending and early not in found:
            unit = pending.pop()
            if unit not in found:
                found.add(unit)
                pending += [needed for needed in self._needs(unit) if self._rank[needed] >= start]
            if len(found) > MOST_BETWEEN:
                return None
        return sorted(found, key=self._rank.__getitem__)

    def merge(self, early: Unit, late: Unit, merged: Unit, between: Sequence[Unit]) -> None:
        """Put `merged` in the place of `early` and `late`, behind `between`, which `self.between` found for them."""
        place = self._previous[early]
        for unit in (early, late, *between):
            self._unlink(unit)
        below = self._rank[place] if place is not None else -_GAP
        following = self._next[place]
        above = self._rank[following] if following is not None else below + _GAP * (len(between) + 2)
        step = (above - below) // (len(between) + 2)
        for unit in (*between, merged):
            self._link(place, unit)
            below += step
            self._rank[unit] = below
            place = unit
        if not step:
            self._number()

    def _link(self, place: Unit | None, unit: Unit) -> None:
        """Put a unit behind another, or first."""
        following = self._next[place]
        self._next[place], self._next[unit], self._previous[unit] = unit, following, place
        if following is not None:
            self._previous[following] = unit

    def _unlink(self, unit: Unit) -> None:
        previous, following = self._previous.pop(unit), self._next.pop(unit)
        self._next[previous] = following
        if following is not None:
            self._previous[following] = previous
        del self._rank[unit]

    def _number(self) -> None:
        """Number all units anew, with room between them."""
        for number, unit in enumerate(self):
            self._rank[unit] = number * _GAP
