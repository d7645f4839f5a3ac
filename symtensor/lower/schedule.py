"""When each value of a kernel is computed: before the loops, once a row, or at every point of a stage.

A reduction ends a stage; a value belongs to the first stage in which all it needs is known. A value of an
earlier stage that a later one needs at every point is computed again when that is cheap, and otherwise kept
in a row of scratch memory.

>>> from symtensor.lower.kernel import Loop, Reduction, Scope
>>> from symtensor.ops.scalar import exp, mul
>>> scope, row, column = Scope(), Loop.make("p", 10), Loop.make("r", 20)
>>> e = scope.compute(exp, scope.load(0, row.counter * 20 + column.counter, "float32"))
>>> total = scope.result(0, "float32")
>>> kernel = Kernel("normal", [row, column], [column], [Reduction("sum", e)],
...                 [Store(1, row.counter * 20 + column.counter, scope.compute(mul, e, total))], ["float32"] * 2)
>>> schedule = Schedule(kernel)
>>> len(schedule.stages), schedule.kept == [e]
(2, True)
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from symtensor.lower.kernel import (
    Carried,
    Compute,
    Kernel,
    Literal,
    Load,
    Result,
    SizeScalar,
    Store,
    Value,
    loop_symbols,
    operands,
)
from symtensor.types import dim as dims

__all__ = ["Stage", "Schedule"]

RECOMPUTE_LIMIT = 10
"""The cost, in additions, up to which a value is computed again in a later stage rather than kept."""


@dataclass
class Stage:
    """One pass over R: reductions it accumulates, stores it makes, values it keeps for later passes."""

    number: int
    reductions: list[int] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    keeps: list[Value] = field(default_factory=list)


class Schedule:
    """The levels and stages of a kernel's values.

    `level_of`: 0 changes in no loop, 1 with P, 2 with R (or, where nothing is reduced, with any loop). `stage_of`: the
    first stage where it can be known. `point_stores` are made at every point of R, `row_stores` once a point of P.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.inside = {loop.symbol for loop in (kernel.reduce if kernel.reductions else kernel.loops)}
        self.order = kernel.values()
        self.number_of = {value: number for number, value in enumerate(self.order)}
        self.level_of: dict[Value, int] = {}
        self.stage_of: dict[Value, int] = {}
        self.results: dict[int, Value] = {v.reduction: v for v in self.order if isinstance(v, Result)}
        self._place_values()
        self.point_stores = [s for s in kernel.stores if self._store_level(s) == 2]
        self.row_stores = [s for s in kernel.stores if self._store_level(s) < 2]
        count = 1 + max([self.stage_of[r.value] for r in kernel.reductions]
                        + [self.stage_of[s.value] for s in self.point_stores], default=0)
        self.stages = [Stage(number) for number in range(count)]
        for number, reduction in enumerate(kernel.reductions):
            self.stages[self.stage_of[reduction.value]].reductions.append(number)
        for store in self.point_stores:
            self.stages[self.stage_of[store.value]].stores.append(store)
        self.kept: list[Value] = []
        self._needed: dict[int, set[Value]] = {}
        self._keep()

    def _place_values(self) -> None:
        loops = {loop.symbol for loop in self.kernel.loops}
        for value in self.order:
            level = stage = 0
            for symbol in loop_symbols(value):
                level = max(level, 2 if symbol in self.inside else 1 if symbol in loops else 0)
            if isinstance(value, Carried):
                level = 2
            if isinstance(value, Result):
                level, stage = 1, self.stage_of[self.kernel.reductions[value.reduction].value] + 1
            for operand in operands(value):
                level, stage = max(level, self.level_of[operand]), max(stage, self.stage_of[operand])
            self.level_of[value], self.stage_of[value] = level, stage

    def _store_level(self, store: Store) -> int:
        varies = any(symbol in self.inside for symbol in dims.symbols_of(store.offset))
        return 2 if varies else self.level_of[store.value]

    # -- what later stages need of earlier ones ---------------------------------------------------

    def _roots(self, stage: Stage) -> list[Value]:
        return [self.kernel.reductions[n].value for n in stage.reductions] + [s.value for s in stage.stores]

    def _keep(self) -> None:
        for stage in self.stages:
            for value in self._early_operands(stage):
                if value not in self.kept and self._cost(value) > RECOMPUTE_LIMIT:
                    self.kept.append(value)
                    self.stages[self.stage_of[value]].keeps.append(value)
        for stage in self.stages:
            self._needed[stage.number] = self.closure(self._roots(stage) + stage.keeps, (), set(
                v for v in self.kept if self.stage_of[v] < stage.number))

    def _early_operands(self, stage: Stage) -> list[Value]:
        """Values of earlier stages that this one uses directly at every point."""
        found: dict[Value, None] = {}
        seen: set[Value] = set()
        pending = self._roots(stage)
        while pending:
            value = pending.pop()
            if value in seen or self.level_of[value] < 2:
                continue
            seen.add(value)
            if self.stage_of[value] < stage.number:
                if not isinstance(value, (Load, Literal, SizeScalar)):
                    found[value] = None
            else:
                pending += operands(value)
        return list(found)

    def _cost(self, value: Value) -> int:
        values = self.closure([value], ())
        return sum(v.op.definition.cost for v in values if isinstance(v, Compute) and self.level_of[v] == 2)

    def needed_in(self, stage: int) -> set[Value]:
        """The values that a stage computes or loads at every point."""
        return self._needed.get(stage, set())

    def closure(self, wanted: Iterable[Value], known: Container[Value], stop: Container[Value] = ()) -> set[Value]:
        """The values needed for `wanted` that are not known; the walk ends at `stop`."""
        needed: set[Value] = set()
        pending = list(wanted)
        while pending:
            value = pending.pop()
            if value in needed or value in known:
                continue
            needed.add(value)
            if value not in stop:
                pending += operands(value)
        return needed
