"""Which values are computed in the memory of another: in-place updates of storages and reuse of dying inputs.

A variable may take the place of an input of its group when nothing reads that input later, both have as many bytes,
and the kernel reads the input only at the element it is about to write.

>>> reuse.__name__
'reuse'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.ir.node import Constant, Variable
from symtensor.lower.access import reshaped_base
from symtensor.lower.group import Group
from symtensor.ops.contract import Gemm
from symtensor.ops.index import Scatter
from symtensor.types.dim import Size
from symtensor.types.dtype import itemsize

__all__ = ["reuse"]


def reuse(planner: Any, units: Sequence[Group]) -> None:
    """Fill `planner.places` for units in the order in which they will run."""
    last: dict[Variable, int] = {}
    for number, unit in enumerate(units):
        for variable in planner.inputs_of(unit):
            last[variable] = number
    graph = planner.graph
    kept = {reshaped_base(v) for v in graph.roots()}
    targets = {}
    for storage, output in zip(planner.updates, graph.outputs[planner.returned:]):
        base = reshaped_base(output)
        shared = planner.shared[storage]
        repeated = [reshaped_base(v) for v in graph.outputs].count(base) > 1
        if not repeated and shared not in kept and _same_bytes(base, shared):
            targets[base] = shared
    for number, unit in enumerate(units):
        dying = [v for v in planner.inputs_of(unit) if last[v] == number and v not in kept]
        taken: set[Variable] = set()
        for output in planner.outputs_of(unit):
            storage = targets.get(output)
            choices = [storage] if storage is not None else [v for v in dying if _is_temporary(planner, v)]
            for choice in choices:
                if choice in taken or last.get(choice, -1) > number or not _same_bytes(output, choice):
                    continue
                if _in_place(planner, unit, output, choice):
                    planner.places.over[output] = choice
                    taken.add(choice)
                    break


def _is_temporary(planner: Any, variable: Variable) -> bool:
    return variable not in planner.accesses.inputs and not isinstance(variable, Constant)


def _same_bytes(one: Variable, other: Variable) -> bool:
    return (itemsize(one.type.dtype) == itemsize(other.type.dtype) and one.type.dtype == other.type.dtype
            and _elements(one) == _elements(other))


def _elements(variable: Variable) -> Size:
    total: Size = 1
    for size in variable.type.shape:
        total = total * size
    return total


def _in_place(planner: Any, unit: Group, output: Variable, choice: Variable) -> bool:
    """Whether `unit` may write `output` where it reads `choice`."""
    if not unit.fused:
        op, inputs = unit.nodes[0].op, unit.nodes[0].inputs
        return isinstance(op, (Gemm, Scatter)) and all(reshaped_base(v) is not choice for v in inputs[1:])
    if unit.reduced and not _is_row_value(unit, output) and not all(_is_row_value(unit, v) for v in unit.staged):
        return False  # a later pass over the row might read what an earlier one has overwritten
    for node in unit.nodes:
        for read in planner.accesses.of(node):
            if reshaped_base(read.variable) is not choice:
                continue
            if read.variable is not choice or read.axes is None or choice.type.shape != output.type.shape:
                return False
            place = unit.places[node.outputs[0]]
            here = tuple(None if axis is None else place[axis] for axis in read.axes)
            if here != unit.places[output]:
                return False
    return True


def _is_row_value(unit: Group, variable: Variable) -> bool:
    """Whether a variable of a group has one value for each row, written when the row is done."""
    return {loop for loop in unit.places[variable] if loop is not None} == set(unit.parallel)
