"""The step of a loop as a graph to be planned: what it is given and gives, in order, and its flow.

>>> from symtensor.ops.loop import Carry
>>> from symtensor.types.tensor import TensorType
>>> total, x, xs = (TensorType("float32", (None,) * rank)(name) for rank, name in ((1, "total"), (1, "x"), (2, "xs")))
>>> loop = Loop(TensorType("int64", ())("n"), [Carry(total, total, total + x)], {x: xs})
>>> [last] = list(loop.make().values())[:1]
>>> step = Step(last.owner)
>>> step.flow.arguments, step.flow.shared, step.graph.outputs
([x], [total], [(total + x)])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply
from symtensor.lower.flow import Flow
from symtensor.lower.target import Device
from symtensor.lower.written import write
from symtensor.ops.control import Scan
from symtensor.ops.loop import Loop

__all__ = ["Step"]


class Step:
    """A loop's step.

    Its graph takes rows, others and carried values, and gives stacks, the condition to stop, and carried values anew.
    `outside` tells what a size of the step is around the loop, or None. All of it runs on the processor, or on the one
    of `devices` that `device` numbers.
    """

    def __init__(self, node: Apply, device: int = 0, devices: Sequence[Device] = ()) -> None:
        assert isinstance(node.op, Scan)
        self.node = node
        self.device = device
        self.loop = loop = Loop.of(node)
        stop = [] if loop.stop is None else [loop.stop]
        results = [*(stack.value for stack in loop.stacks), *stop, *(carry.new for carry in loop.carries)]
        self.graph = Graph([*loop.rows, *loop.others, *(carry.own for carry in loop.carries)], results)
        write(self.graph, lambda variable: device, devices)
        self.graph.settle_sizes()
        self.outside = node.op.sizes_of(node.inputs)

    @cached_property
    def flow(self) -> Flow:
        """The flow of the step; what it carries takes the part of storages."""
        return Flow(self.graph, len(self.loop.rows) + len(self.loop.others), range(len(self.loop.carries)),
                    lambda variable: self.device)
