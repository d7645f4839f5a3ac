"""Which values are computed in the memory of another: in-place updates of storages and reuse of dying inputs.

A variable may take the place of an input of its group when nothing reads that input later, both have as many bytes,
and the kernel reads the input only at the element it is about to write.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.types.tensor import TensorType
>>> w, x = TensorType("float32", (3,))("w"), TensorType("float32", (3,))("x")
>>> flow = Flow(Graph([x, w], [w - x]), 1, [0])
>>> reuse(flow, flow.units).of(flow.graph.outputs[0])
w
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from symtensor.ir.node import Constant, Variable
from symtensor.lower.access import reshaped_base, starts_from, whole_inputs
from symtensor.lower.flow import Flow
from symtensor.lower.group import Group

__all__ = ["SharedMemory", "reuse"]


class SharedMemory:
    """Which variables share memory: an output that takes the place of an input is computed in place."""

    def __init__(self) -> None:
        self.over: dict[Variable, Variable] = {}

    def of(self, variable: Variable) -> Variable:
        """The variable whose memory this one's value is written to."""
        while variable in self.over:
            variable = self.over[variable]
        return variable


def reuse(flow: Flow, units: Sequence[Group]) -> SharedMemory:
    """The places of all variables, for units in the order in which they will run."""
    last = {variable: number for number, unit in enumerate(units) for variable in flow.inputs_of(unit)}
    kept = {reshaped_base(v) for v in flow.graph.roots()}
    targets = _targets(flow, kept)
    places = SharedMemory()
    for number, unit in enumerate(units):
        dying = [v for v in flow.inputs_of(unit) if last[v] == number and v not in kept and _is_temporary(flow, v)]
        taken: set[Variable] = set()
        for output in flow.outputs_of(unit):
            choices = [targets[output]] if output in targets else dying
            free = (v for v in choices if v not in taken and last.get(v, -1) <= number and _same_bytes(output, v))
            choice = next((v for v in free if _in_place(flow, unit, output, v)), None)
            if choice is not None:
                places.over[output] = choice
                taken.add(choice)
    return places


def _targets(flow: Flow, kept: set[Variable]) -> dict[Variable, Variable]:
    """For each variable that is the new value of one storage, and nothing else, the storage's input."""
    shown = Counter(map(reshaped_base, flow.graph.outputs))
    return {value: shared for shared, value in flow.new_values() if shown[value] == 1 and shared not in kept}


def _is_temporary(flow: Flow, variable: Variable) -> bool:
    return variable not in flow.accesses.inputs and not isinstance(variable, Constant)


def _same_bytes(one: Variable, other: Variable) -> bool:
    return one.type.dtype == other.type.dtype and math.prod(one.type.shape) == math.prod(other.type.shape)


def _in_place(flow: Flow, unit: Group, output: Variable, choice: Variable) -> bool:
    """Whether `unit` may write `output` where it reads `choice`."""
    if not unit.fused:
        node = unit.nodes[0]
        start = starts_from(node)
        begins = start is not None and output is node.outputs[0] and reshaped_base(start) is choice
        return begins and whole_inputs(node).count(choice) == 1
    if unit.reduced and not _is_row_value(unit, output) and not all(_is_row_value(unit, v) for v in unit.staged):
        return False  # a later pass over the row might read what an earlier one has overwritten
    for node in unit.nodes:
        for read in flow.accesses.of(node):
            if reshaped_base(read.variable) is not choice:
                continue
            if read.variable is not choice or read.axes is None or choice.type.shape != output.type.shape:
                return False
            place = unit.place_of(node)
            here = tuple(None if axis is None else place[axis] for axis in read.axes)
            if here != unit.places[output]:
                return False
    return True


def _is_row_value(unit: Group, variable: Variable) -> bool:
    """Whether a variable of a group has one value for each row, written when the row is done."""
    return {loop for loop in unit.places[variable] if loop is not None} == set(unit.parallel)
