"""Branches: the instructions of both sides among those of the program, of which the virtual machine runs the one.

Both sides write the same buffers. What lives in one side only takes the memory that what lives in the other takes.

>>> import symtensor.lower.plan as planning
>>> from symtensor.lower.target import PrintedKernel
>>> from symtensor.ops.branch import IfElse, lazily
>>> from symtensor.types.tensor import TensorType
>>> c, x = TensorType("bool", ())("c"), TensorType("float32", (None,))("x")
>>> graph = Graph([c, x], lazily(IfElse().make(c, x * 2, x)))
>>> program = planning.plan(graph, 2, [], lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1))])
>>> for instruction in program.instructions:
...     print(instruction)
Branch(condition=0, then=Side(end=2, checks=()), otherwise=Side(end=3, checks=()), outputs=(2,))
Launch(kernel=0, buffers=(1, 2), sizes=(), units=1, work=1, scratch=2, in_order=False)
Copy(source=1, target=2)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import reshaped_base
from symtensor.lower.flow import Flow
from symtensor.lower.inner_sizes import InnerSizes
from symtensor.lower.program import Branch, BufferKind, Copy, Side
from symtensor.lower.written import write
from symtensor.ops.branch import sizes_of

if TYPE_CHECKING:
    from symtensor.lower.part import Part

__all__ = ["plan_branch"]


def plan_branch(part: Part, node: Apply, device: int = 0) -> str | None:
    """Add the instructions of a branch, whose sides run on a device, to a part.

    Why not, if it is in a loop and has sizes that only a step's own data tells: steps find no memory.
    """
    targets = {number: part.buffers.of(v) for number, v in enumerate(node.outputs) if part.needs(v)}
    sides = [_Side(part, node, function, targets, device) for function in node.op.functions().values()]
    for side in sides:
        if part.buffers.loop is not None and side.unknown is not None:
            return f"the size {side.unknown} is known in each step only"
    condition = part.buffers.of(reshaped_base(node.inputs[0]))
    place = part.emit(Copy(condition, condition), node)  # stands for the Branch
    then, otherwise = (side.run() for side in sides)
    part.assembly.instructions[place] = Branch(condition, then, otherwise, tuple(targets.values()))
    return None


class _Side:
    """What one side computes of a branch's outputs: those in `targets`, the buffers of some by their number."""

    def __init__(self, around: Part, node: Apply, function: Function, targets: Mapping[int, int],
                 device: int) -> None:
        self.around = around
        self.device = device
        self.node = node
        self.targets = targets
        self.graph: Graph = function.graph.copy()
        self.graph.outputs = [self.graph.outputs[number] for number in targets]
        self.graph.prune()
        write(self.graph, lambda variable: device, around.assembly.devices)
        self.graph.settle_sizes()
        self.sizes = InnerSizes(around.sizes, self.graph, sizes_of(Function(self.graph), node.inputs[1:]))
        self.unknown = self.sizes.first_unknown()

    def run(self) -> Side:
        """The instructions; what the Branch says of them."""
        flow = Flow(self.graph, len(self.graph.inputs), (), lambda variable: self.device)
        part = self.part = self.around.inner(flow, self.sizes)
        for own, value in zip(self.graph.inputs, self.node.inputs[1:]):
            part.buffers.put(own, self.around.buffers.of(reshaped_base(value), self.device))
        self.sizes.check_given(self.node.inputs[1:])
        copies = [(v, target) for v, target in zip(self.graph.outputs, self.targets.values())
                  if not self._placed(v, target)]
        part.run(learns=self.unknown is not None)
        for number, variable in zip(self.targets, self.graph.outputs):
            self._check_result(variable, self.node.outputs[number])
        for variable, target in copies:
            part.emit(Copy(part.buffers.whole(variable), target), variable)
        return Side(len(part.assembly.instructions), tuple(self.sizes.checks))

    def _check_result(self, own: Variable, outside: Variable) -> None:
        """Have checked that a result has the sizes that are known, or that equations say, of the branch's output."""
        place = self.around.graph.place_of(self.node)
        for axis, (size, expected) in enumerate(zip(own.type.shape, outside.type.shape)):
            if self.around.sizes.is_known(expected):
                self.sizes.check(self.sizes.number(size), self.around.sizes.number(expected), (
                    "equation", f"size of axis {axis} of {outside!r}", "eq", str(size), str(expected),
                    self.sizes.tables.places.number(place), ()))

    def _placed(self, variable: Variable, target: int) -> bool:
        """Have a result computed in a buffer, if that is possible."""
        memory, base = self.part.buffers, self.part.places.of(reshaped_base(variable))
        dynamic = self.part.assembly.buffers[target].kind is BufferKind.DYNAMIC
        if dynamic or not memory.may_hold(base, variable):
            return False
        memory.put(base, target)
        return True
