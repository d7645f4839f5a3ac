"""The cheapest division of things in two, where some must stay and others must go: a minimum cut.

>>> costs = Costs()
>>> costs.must_stay("sort"); costs.must_go("matmul"); costs.stays("exp", 1)
>>> costs.crosses("matmul", ["exp", "log"], 8); costs.crosses("exp", ["sort"], 8)
>>> sorted(least_cut(costs))     # one transfer in any case, and exp costs less where it goes
['sort']
>>> costs.crosses("sort", ["exp"], 8)
>>> sorted(least_cut(costs))     # two transfers, unless exp stays
['exp', 'sort']
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

__all__ = ["Costs", "least_cut"]

Thing = TypeVar("Thing", bound=Hashable)
_HERE, _AWAY = 0, 1
_NEVER = 1 << 40


class Costs(Generic[Thing]):
    """What it costs that things stay or go, as a network: paid for is an edge from what stays to what goes."""

    def __init__(self) -> None:
        self.edges: list[dict[int, int]] = [{}, {}]
        self.number: dict[Thing, int] = {}

    def must_stay(self, thing: Thing) -> None:
        """The thing cannot go."""
        self._edge(_HERE, self._of(thing), _NEVER)

    def must_go(self, thing: Thing) -> None:
        """The thing cannot stay."""
        self._edge(self._of(thing), _AWAY, _NEVER)

    def stays(self, thing: Thing, cost: int) -> None:
        """What it costs if the thing stays."""
        self._edge(self._of(thing), _AWAY, cost)

    def crosses(self, maker: Thing, readers: Iterable[Thing], cost: int) -> None:
        """What it costs, once, if any of the readers is not where the maker is."""
        source, leaving, coming = self._of(maker), self._new(), self._new()
        self._edge(source, leaving, cost)
        self._edge(coming, source, cost)
        for reader in readers:
            self._edge(leaving, self._of(reader), _NEVER)
            self._edge(self._of(reader), coming, _NEVER)

    def read(self, readers: Iterable[Thing], here: bool, cost: int) -> None:
        """What it costs, once, if any of the readers of something that is here, or away, is not there."""
        crossing = self._new()
        self._edge(*((_HERE, crossing) if here else (crossing, _AWAY)), cost)
        for reader in readers:
            number = self._of(reader)
            self._edge(*((crossing, number) if here else (number, crossing)), _NEVER)

    def wanted(self, maker: Thing, here: bool, cost: int) -> None:
        """What it costs if the thing is not where its value is wanted."""
        if here:
            self._edge(_HERE, self._of(maker), cost)
        else:
            self._edge(self._of(maker), _AWAY, cost)

    def _of(self, thing: Thing) -> int:
        if thing not in self.number:
            self.number[thing] = self._new()
        return self.number[thing]

    def _new(self) -> int:
        self.edges.append({})
        return len(self.edges) - 1

    def _edge(self, source: int, target: int, cost: int) -> None:
        if cost:
            self.edges[source][target] = self.edges[source].get(target, 0) + cost
            self.edges[target].setdefault(source, 0)


def least_cut(costs: Costs[Thing]) -> set[Thing]:
    """The things that stay where the sum of costs is least; where several sums are, as few as can be."""
    left = [dict(targets) for targets in costs.edges]
    while (path := _path(left)) is not None:
        amount = min(left[a][b] for a, b in zip(path, path[1:]))
        for a, b in zip(path, path[1:]):
            left[a][b] -= amount
            left[b][a] = left[b].get(a, 0) + amount
    reached = _reached(left)
    return {thing for thing, number in costs.number.items() if number in reached}


def _reached(left: list[dict[int, int]]) -> dict[int, int]:
    """The numbers to which something can still flow, each with the one it comes from."""
    before = {_HERE: _HERE}
    pending = deque([_HERE])
    while pending and _AWAY not in before:
        number = pending.popleft()
        for target, room in left[number].items():
            if room and target not in before:
                before[target] = number
                pending.append(target)
    return before


def _path(left: list[dict[int, int]]) -> list[int] | None:
    """The shortest way on which something can still flow."""
    before = _reached(left)
    if _AWAY not in before:
        return None
    path = [_AWAY]
    while path[-1] != _HERE:
        path.append(before[path[-1]])
    return path[::-1]
