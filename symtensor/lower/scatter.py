"""The kernel of an op that puts elements into its first input, such as `Scatter`, in order of the indices.

>>> from symtensor.ops.index import scatter
>>> from symtensor.types.tensor import TensorType
>>> x, y = TensorType("float32", (None, 4))("x"), TensorType("float32", (None, 4))("y")
>>> node = scatter(x, {0: TensorType("int64", (None,))("i")}, y, add=True).owner
>>> kernel, buffers = scatter_kernel(node)
>>> len(kernel.parallel), len(kernel.reduce), buffers[0] is node.outputs[0]
(1, 1, True)
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import Element, reshaped_base
from symtensor.lower.build import flat_offset, number_in
from symtensor.lower.kernel import Kernel, Loop, Scope, Value, stores
from symtensor.types.dim import Size
from symtensor.types.dtype import real_of

__all__ = ["scatter_kernel"]


def scatter_kernel(node: Apply) -> tuple[Kernel, list[Variable]]:
    """The kernel and its buffers by slot, the result first: it holds x when the kernel starts."""
    op, (result,) = node.op, node.outputs
    assert op.puts is not None and op.put is not None
    puts = op.puts(*node.inputs)
    reader = _Reader(result)
    loops = [Loop.make(f"i{number}", size) for number, size in enumerate(puts.shape)]
    index: tuple[Size, ...] = tuple(0 if loop.extent == 1 else loop.counter for loop in loops)
    place, value = op.put(index, *(Element(reader, v) for v in node.inputs))
    running = [loop for loop in loops if loop.extent != 1]
    ordered = [loop for loop in running if loops.index(loop) in puts.ordered]
    stored = stores(0, flat_offset(place, result.type.shape), value.kept(result.type.dtype), puts.add)
    name = "scatter_add" if puts.add else "scatter"
    return Kernel(name, running, ordered, [], stored, [real_of(v.type.dtype) for v in reader.buffers]), reader.buffers


class _Reader:
    """Loads elements of variables in memory."""

    def __init__(self, result: Variable) -> None:
        self.scope = Scope()
        self.buffers = [result]

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """The element of a variable at `index`."""
        if (number := number_in(self.scope, variable)) is not None:
            return number
        base = reshaped_base(variable)
        if base not in self.buffers:
            self.buffers.append(base)
        offset = flat_offset(index, variable.type.shape)
        return self.scope.load(self.buffers.index(base), offset, base.type.dtype).computed()
