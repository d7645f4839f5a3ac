"""The order in which groups run.

A group that only computes new values of storages (nothing reads it) waits until every other reader of those
storages has run, so that it may write them in place, and then runs at once, so that what it reads can be let go.

>>> in_order([], None)
[]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.lower.access import reshaped_base
from symtensor.lower.group import Group

__all__ = ["in_order"]


def in_order(units: Sequence[Group], planner: Any) -> list[Group]:
    """`units` (already in an order in which they can run) with updates moved as said above."""
    if planner is None or not planner.updates:
        return list(units)
    graph = planner.graph
    kept = {reshaped_base(v) for v in graph.outputs[:planner.returned]} | {
        reshaped_base(v) for v in graph.sources.values()}
    new_values = {reshaped_base(v) for v in graph.outputs[planner.returned:]}
    read = {v for unit in units for v in planner.inputs_of(unit)}
    waiting = []
    for unit in units:
        computed = [v for node in unit.nodes for v in node.outputs]
        final = all(v not in read and v not in kept for v in computed if v in new_values or v in read)
        if final and any(v in new_values for v in computed) and not any(v in read or v in kept for v in computed):
            waiting.append(unit)
    return _interleaved(units, waiting, planner)


def _interleaved(units: Sequence[Group], waiting: list[Group], planner: Any) -> list[Group]:
    shared = set(planner.shared)
    needs = {unit: set(planner.inputs_of(unit)) for unit in units}
    producer = {v: unit for unit in units for node in unit.nodes for v in node.outputs}
    readers: dict[Any, set[Group]] = {}
    for unit in units:
        for variable in needs[unit] & shared:
            readers.setdefault(variable, set()).add(unit)
    written = {unit: _written(unit, planner) for unit in waiting}
    done: set[Group] = set()
    order: list[Group] = []

    def ready(unit: Group) -> bool:
        before = {producer[v] for v in needs[unit] if v in producer}
        before |= {r for s in written[unit] for r in readers.get(s, ())} - {unit}
        return before <= done

    def flush() -> None:
        for unit in [u for u in waiting if u not in done and ready(u)]:
            done.add(unit)
            order.append(unit)

    for unit in units:
        if unit not in written:
            flush()
            done.add(unit)
            order.append(unit)
    remaining = len(waiting) + 1
    while remaining and len(order) < len(units):
        flush()
        remaining -= 1
    return order + [u for u in waiting if u not in done]  # updates that read each other's storages: none in place


def _written(unit: Group, planner: Any) -> set[Any]:
    """The storages whose new values a unit computes."""
    computed = {v for node in unit.nodes for v in node.outputs}
    outputs = planner.graph.outputs[planner.returned:]
    return {planner.shared[storage] for storage, v in zip(planner.updates, outputs) if reshaped_base(v) in computed}
