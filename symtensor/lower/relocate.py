"""Kernels carried over: loop counters replaced, buffer slots renumbered.

>>> from symtensor.lower.kernel import Loop
>>> scope, i = Scope(), Loop.make("i", 10)
>>> moved = Relocation(Scope(), {i.symbol: 3}, {0: 5}).value(scope.load(0, i.counter * 2, "float32"))
>>> moved.slot, moved.offset
(5, 6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symtensor.lower.kernel import (
    Carried,
    Carry,
    Compute,
    Kernel,
    Literal,
    Load,
    Recurrence,
    Reduction,
    Result,
    Scope,
    SizeScalar,
    Store,
    Value,
    operands,
)
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol

__all__ = ["Relocation", "with_used_slots"]


class Relocation:
    """Copies values into `scope` with counters and slots replaced."""

    def __init__(self, scope: Scope, counters: Mapping[Symbol, Size], slots: Mapping[int, int] | None = None) -> None:
        self.scope = scope
        self.counters = counters
        self.slots = slots
        self._made: dict[Value, Value] = {}

    def value(self, value: Value) -> Value:
        """The copy of a value."""
        pending = [value]
        while pending:
            current = pending[-1]
            missing = [v for v in operands(current) if v not in self._made]
            if current not in self._made and missing:
                pending += missing
                continue
            if current not in self._made:
                self._made[current] = self._copy(current)
            pending.pop()
        return self._made[value]

    def store(self, store: Store) -> Store:
        """The copy of a store."""
        return Store(self._slot(store.slot), self.size(store.offset), self.value(store.value), store.accumulate)

    def kernel(self, kernel: Kernel) -> Kernel:
        """The kernel with its reductions, recurrence and stores carried over; its loops stay."""
        recurrence = None if kernel.recurrence is None else self._recurrence(kernel.recurrence)
        return replace(kernel, reductions=[Reduction(r.kind, self.value(r.value)) for r in kernel.reductions],
                       stores=[self.store(store) for store in kernel.stores], recurrence=recurrence)

    def _recurrence(self, old: Recurrence) -> Recurrence:
        carries = (Carry(*map(self.value, (carry.first, carry.kept, carry.new))) for carry in old.carries)
        return Recurrence(tuple(carries), tuple(map(self.store, old.last)),
                          None if old.stop is None else self.value(old.stop))

    def size(self, size: Size) -> Size:
        """An index expression with its counters, and the values inside it, replaced."""
        return dims.substitute(size, self._symbol)

    def _symbol(self, symbol: Symbol) -> Size | None:
        if isinstance(symbol.source, Value):
            return self.value(symbol.source).as_index()
        return self.counters.get(symbol)

    def _slot(self, slot: int) -> int:
        return slot if self.slots is None else self.slots[slot]

    def _copy(self, value: Value) -> Value:
        if isinstance(value, Load):
            guard = None if value.guard is None else self._made[value.guard]
            return self.scope.load(self._slot(value.slot), self.size(value.offset), value.dtype, guard)
        if isinstance(value, SizeScalar):
            return self.scope.size(self.size(value.size))
        if isinstance(value, Literal):
            return self.scope.literal(value.value, value.dtype)
        if isinstance(value, Result):
            return self.scope.result(value.reduction, value.dtype)
        if isinstance(value, Carried):
            return self.scope.carried(value.number, value.dtype)
        assert isinstance(value, Compute)
        return self.scope.compute(value.op, *(self._made[a] for a in value.arguments))


def with_used_slots(kernel: Kernel) -> tuple[Kernel, Sequence[int]]:
    """The kernel with slots numbered anew for the buffers it uses, and what slots they had."""
    loaded = [value.slot for value in kernel.values() if isinstance(value, Load)]
    used = list(dict.fromkeys(loaded + [store.slot for store in kernel.all_stores]))
    fresh = Relocation(Scope(), {}, {slot: number for number, slot in enumerate(used)})
    return replace(fresh.kernel(kernel), dtypes=[kernel.dtypes[slot] for slot in used]), used
