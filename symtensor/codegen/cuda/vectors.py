"""Which elements neighbouring points load and store side by side, so that a thread moves several at once.

>>> from symtensor.lower.kernel import Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 10), Loop.make("j", dims.symbol("n"))
>>> x = scope.load(0, i.counter * j.extent + j.counter, "float32")
>>> copy = Kernel("copy", [i, j], [], [], [Store(1, i.counter * j.extent + j.counter, x)], ["float32"] * 2)
>>> wide = side_by_side(copy)
>>> wide.width, len(wide.loads), len(wide.stores), wide.divisible
(4, 1, 1, (n,))
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from symtensor.lower.kernel import Kernel, Load, Loop, Store, Value
from symtensor.types import dim as dims
from symtensor.types.dim import Atom, Size, Symbol
from symtensor.types.dtype import itemsize

__all__ = ["Wide", "side_by_side"]

BYTES, MOST = 16, 8
"""Bytes that a thread loads at once, and elements at most."""
DEAR = 60
"""The cost of a point, in additions, from which on memory does not limit a kernel."""


@dataclass(frozen=True)
class Wide:
    """The innermost loop of a map in runs of `width` rounds: loads and stores that are one access for all of a run.

    They may be where pointers are aligned to a whole run and the sizes `divisible` can be divided by `width`.
    """

    width: int
    loads: tuple[Load, ...]
    stores: tuple[Store, ...]
    divisible: tuple[Size, ...]

    @property
    def slots(self) -> list[int]:
        """The buffers that are accessed so."""
        return list(dict.fromkeys([load.slot for load in self.loads] + [store.slot for store in self.stores]))


def side_by_side(kernel: Kernel) -> Wide | None:
    """The wide accesses of a map, if there are any and memory limits it."""
    if not kernel.loops:
        return None
    inner = kernel.loops[-1]
    accesses: list[Load | Store] = [v for v in kernel.values() if isinstance(v, Load) and v.guard is None]
    accesses += [store for store in kernel.stores if not store.accumulate]
    accesses = [access for access in accesses if _follows(access.offset, inner)]
    if kernel.cost >= DEAR or not accesses:
        return None
    width = min(MOST, BYTES // max(itemsize(kernel.dtypes[access.slot]) for access in accesses))
    needed: dict[Size, None] = {} if len(kernel.loops) == 1 else {inner.extent: None}
    wide: list[Load | Store] = []
    for access in accesses:
        conditions = _conditions(access.offset - inner.counter, kernel, width)
        if conditions is not None:
            wide.append(access)
            needed.update(dict.fromkeys(conditions))
    stored = tuple(access for access in wide if isinstance(access, Store))
    if width == 1 or not stored or any(isinstance(size, int) and size % width for size in needed):
        return None
    return Wide(width, tuple(access for access in wide if isinstance(access, Load)), stored,
                tuple(size for size in needed if not isinstance(size, int)))


def _follows(offset: Size, inner: Loop) -> bool:
    """Whether the place moves by one element with the innermost counter."""
    linear = dims.linear_in(offset, inner.symbol)
    return linear is not None and linear[0] == 1


def _conditions(rest: Size, kernel: Kernel, width: int) -> list[Size] | None:
    """The sizes that must be divisible for `rest` to be so at every point; None where that is not known."""
    terms, constant = dims.parts(rest)
    if constant % width:
        return None
    fixed = [math.prod(map(dims.of_atom, _fixed(monomial, kernel)), start=coefficient)
             for monomial, coefficient in terms if coefficient % width]
    return None if any(isinstance(size, int) for size in fixed) else fixed


def _fixed(monomial: tuple[Atom, ...], kernel: Kernel) -> Iterator[Atom]:
    """The factors that are the same at all points."""
    counters = {loop.symbol for loop in kernel.loops}
    for atom in monomial:
        symbols = (atom,) if isinstance(atom, Symbol) else atom.symbols
        if not any(symbol in counters or isinstance(symbol.source, Value) for symbol in symbols):
            yield atom
