"""The flow of values between groups: which variables are in memory, who computes and who reads them.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> flow = Flow(Graph([x], [x * 2]), 1, [])
>>> [(flow.inputs_of(unit) == flow.graph.inputs, flow.outputs_of(unit) == flow.graph.outputs) for unit in flow.units]
[(True, True)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.access import Accesses, reshaped_base
from symtensor.lower.fuse import fuse
from symtensor.lower.group import Group, on_processor

__all__ = ["Flow"]


class Flow:
    """A graph's groups, in an order in which they can run, and what goes between them.

    `device_of` says on which device a variable is that is no constant: 0 is the processor.

    The first `arguments` inputs are given at each call, the others (`shared`) live in storages; the last
    `len(updates)` outputs become the values of the storages that `updates` numbers.
    """

    def __init__(self, graph: Graph, arguments: int, updates: Sequence[int],
                 device_of: Callable[[Variable], int] = on_processor) -> None:
        self.graph = graph
        self.device_of = device_of
        self.arguments = graph.inputs[:arguments]
        self.shared = graph.inputs[arguments:]
        self.updates = list(updates)
        self.returned = len(graph.outputs) - len(self.updates)
        self.accesses = Accesses(graph)
        self.units = fuse(graph, self.accesses, device_of)
        self._inputs = {unit: self._find_inputs(unit) for unit in self.units}
        self.stored = self._find_stored()

    def _find_inputs(self, unit: Group) -> list[Variable]:
        found: dict[Variable, None] = {}
        for node in unit.nodes:
            inputs = [r.variable for r in self.accesses.of(node)] if unit.fused else self.accesses.memory(node)
            found.update(dict.fromkeys(map(reshaped_base, inputs)))
        return [v for v in found if v not in unit.places]

    def _find_stored(self) -> set[Variable]:
        stored = {reshaped_base(v) for v in self.graph.roots()}
        for unit in self.units:
            stored.update(self._inputs[unit])
            if not unit.fused:
                stored.update(unit.nodes[0].outputs)
        return stored

    def inputs_of(self, unit: Group) -> list[Variable]:
        """The variables in memory that a unit reads."""
        return self._inputs[unit]

    def outputs_of(self, unit: Group) -> list[Variable]:
        """The variables that a unit computes and that are kept in memory (`stored`)."""
        return [v for node in unit.nodes for v in node.outputs if v in self.stored]

    def new_values(self) -> list[tuple[Variable, Variable]]:
        """Pairs of a shared input and the variable in memory that is its new value."""
        outputs = self.graph.outputs[self.returned:]
        return [(self.shared[storage], reshaped_base(v)) for storage, v in zip(self.updates, outputs)]

    def kept(self) -> set[Variable]:
        """Variables in memory that must stay as they are to the end: results, and values that sizes are made of."""
        returned = self.graph.outputs[:self.returned]
        return {reshaped_base(v) for v in (*returned, *self.graph.sources.values())}
