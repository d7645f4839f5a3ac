"""The order in which groups run.

A group that only computes new values of storages (nothing reads it) waits until every other reader of those
storages has run, so that it may write them in place, and then runs at once, so that what it reads can be let go.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.contract import matmul
>>> from symtensor.types.tensor import TensorType
>>> w, x = TensorType("float32", (3, 3))("w"), TensorType("float32", (3, 3))("x")
>>> flow = Flow(Graph([x, w], [w - x, matmul(x, w)][::-1]), 1, [0])
>>> [str(unit.nodes[-1].op) for unit in in_order(flow)]
['matmul', 'sub']
"""

from __future__ import annotations

from symtensor.ir.node import Variable
from symtensor.lower.flow import Flow
from symtensor.lower.group import Group

__all__ = ["in_order"]


def in_order(flow: Flow) -> list[Group]:
    """The flow's units with updates moved as said above."""
    written = _updating(flow)
    if not written:
        return flow.units
    producer = {v: unit for unit in flow.units for node in unit.nodes for v in node.outputs}
    before = {unit: {producer[v] for v in flow.inputs_of(unit) if v in producer} for unit in written}
    writers: dict[Variable, list[Group]] = {}
    for unit, storages in written.items():
        for storage in storages:
            writers.setdefault(storage, []).append(unit)
    for unit in flow.units:
        for storage in flow.inputs_of(unit):
            for writer in writers.get(storage, ()):
                before[writer].add(unit)
    return _placed(flow.units, {unit: needed - {unit} for unit, needed in before.items()})


def _placed(units: list[Group], before: dict[Group, set[Group]]) -> list[Group]:
    """`units` where those in `before` come as soon as what they wait for has run."""
    waiting_for: dict[Group, list[Group]] = {}
    missing = {unit: len(needed) for unit, needed in before.items()}
    for unit, needed in before.items():
        for other in needed:
            waiting_for.setdefault(other, []).append(unit)
    order: list[Group] = []
    done: set[Group] = set()
    pending = [unit for unit in units if unit not in before or not missing[unit]][::-1]
    while pending:
        unit = pending.pop()
        order.append(unit)
        done.add(unit)
        for waiting in waiting_for.get(unit, ()):
            missing[waiting] -= 1
            if not missing[waiting]:
                pending.append(waiting)
    return order + [unit for unit in units if unit not in done]  # updates that read each other's storages


def _updating(flow: Flow) -> dict[Group, set[Variable]]:
    """The units that compute nothing but new values of storages, and of which."""
    new_values = flow.new_values()
    needed = flow.kept() | {v for unit in flow.units for v in flow.inputs_of(unit)}
    found = {}
    for unit in flow.units:
        computed = {v for node in unit.nodes for v in node.outputs}
        storages = {storage for storage, value in new_values if value in computed}
        if storages and computed.isdisjoint(needed):
            found[unit] = storages
    return found
