"""Points of a loop done together because they share work: a block of random bits is numbers for several of them.

A block is four numbers, for points at distances of `NEIGHBOURS` (`ops.random`). If each point computes its own, three
of four are thrown away; so the points that use the same block become one round of a loop, and the block is computed
once: the copies of what a point computes differ in an index only, and equal values of a scope are one.

>>> from symtensor.lower.kernel import Store
>>> from symtensor.ops.elementwise import Cast
>>> from symtensor.ops.random import random32
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> bits = scope.compute(random32, scope.load(0, 0, "uint64"), scope.literal(0, "uint64"),
...                      scope.compute(Cast("cast", "uint64"), scope.size(i.counter)))
>>> shared = tiled(Kernel("bits", [i], [], [], [Store(1, i.counter, bits)], ["uint64"] * 2))
>>> [str(store.offset) for store in shared.kernel.stores]
['64*tile + lane', '64*tile + lane + 16', '64*tile + lane + 32', '64*tile + lane + 48']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symtensor.lower.kernel import Compute, Kernel, Literal, Loop, Scope, SizeScalar, Value
from symtensor.lower.relocate import Relocation
from symtensor.lower.schedule import Schedule
from symtensor.ops.random import NEIGHBOURS
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["COPIES", "TILE", "Tiled", "tiled"]

COPIES = 4
TILE = COPIES * NEIGHBOURS
"""Points of a tile: those that share their blocks with no others."""
DEAR, WORTH = 50, 0.6
"""What a point must cost, and what part of the cost of separate points those together may have at most."""


@dataclass(frozen=True)
class Tiled:
    """A kernel whose last two loops are tiles and lanes: round `lane` of a tile does `COPIES` points of a run.

    The point of the run that is the first of tile number t is t * TILE - base.
    """

    kernel: Kernel
    base: Size

    @property
    def tile(self) -> Loop:
        """The loop over tiles; how far it runs is for the target to say."""
        return self.kernel.loops[-2]

    @property
    def lane(self) -> Loop:
        """The loop inside a tile."""
        return self.kernel.loops[-1]


def tiled(kernel: Kernel) -> Tiled | None:
    """A kernel that reduces nothing with points of its innermost loop done together, if that saves enough."""
    cost = _cost(kernel)
    if cost < DEAR or not kernel.loops:
        return None
    *outer, inner = kernel.loops
    for base in dict.fromkeys(_bases(kernel, inner)):
        tile, lane, scope = Loop.make("tile", inner.extent), Loop.make("lane", NEIGHBOURS), Scope()
        first = tile.counter * TILE + lane.counter - base
        copies = [Relocation(scope, {inner.symbol: first + copy * NEIGHBOURS}) for copy in range(COPIES)]
        stores = [copy.store(store) for copy in copies for store in kernel.stores]
        made = Kernel(kernel.name, [*outer, tile, lane], [], [], stores, kernel.dtypes, kernel.lines)
        if _cost(made) < WORTH * COPIES * cost:
            return Tiled(made, base)
    return None


def _bases(kernel: Kernel, inner: Loop) -> Iterator[Size]:
    """What is added to the innermost counter in indices that are divided into tiles."""
    for value in kernel.values():
        if not isinstance(value, Compute) or value.op.name != "floor_div":
            continue
        index, divisor = value.arguments
        index = index.arguments[0] if isinstance(index, Compute) and index.op.name == "cast" else index
        if not isinstance(index, SizeScalar) or not isinstance(divisor, Literal) or TILE % divisor.value:
            continue
        linear = dims.linear_in(index.size, inner.symbol)
        if linear is None or linear[0] != 1 or dims.lower_bound(linear[1]) < 0:
            continue
        if not any(isinstance(symbol.source, Value) for symbol in dims.symbols_of(linear[1])):
            yield linear[1]


def _cost(kernel: Kernel) -> int:
    """The cost of what is computed at each point."""
    level_of = Schedule(kernel).level_of
    return sum(v.op.definition.cost for v, level in level_of.items() if isinstance(v, Compute) and level == 2)
