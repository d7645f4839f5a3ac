"""How long the blocks of a loop may be so that its derivative keeps no more than so many bytes.

Of n steps in blocks of k, the derivative keeps the c bytes that are carried for each of about n / k blocks, and the s
bytes that a step leaves to the step back, and that back leaves to sums over the steps, for each of the k steps of the
block at hand: c (n / k + 1) + s k. With half of the budget for the second, k = budget / 2 s, all stays within it if
any k does. If none does, k is near the square root of n c / s, where it is least.

>>> from symtensor.ir.function import Function
>>> from symtensor.ops.scalar import tanh
>>> from symtensor.types.tensor import TensorType
>>> h, n = TensorType("float64", (100,))("h"), TensorType("int64", ())("n")
>>> loop = Scan(Function.of([h], [tanh(h)]), carries=1, sequences=0)
>>> step_bytes(loop, [h, n])
800
>>> size_of(block_length(loop, [h, Constant(1000)], Constant(160_000)))
100
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul

from symtensor.grad.reverse import pullback
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.control import Scan
from symtensor.ops.loop import Loop
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.phases import optimize
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import CONTINUOUS, itemsize

__all__ = ["block_length", "step_bytes"]

STEPS_OF_NEWTON = 4


def block_length(op: Scan, inputs: Sequence[Variable], budget: Variable) -> Variable:
    """The number of steps of a block, an expression of sizes: it is known when a call begins."""
    steps, most = size_of(inputs[-1]), size_of(budget)
    carried = sum((_bytes(v.type.dtype, v.type.shape) for v in inputs[:op.carries]), 0)
    each = dims.maximum(1, step_bytes(op, inputs))
    length = dims.maximum(1, dims.floordiv(most, 2 * each))
    square, root = dims.floordiv(steps * carried, each), length
    for _ in range(STEPS_OF_NEWTON):
        root = dims.maximum(1, dims.floordiv(root + dims.floordiv(square, root), 2))
    return size_value(dims.maximum(1, dims.minimum(steps, dims.maximum(length, root))))


def step_bytes(op: Scan, inputs: Sequence[Variable]) -> Size:
    """The bytes that the derivative of a loop keeps for each step: rows of stacks of its loops, as they will run."""
    outputs = op.make(*inputs)
    wrt = [v for v in (*inputs[:op.carries], *inputs[op.carries + op.sequences:-1]) if v.type.dtype in CONTINUOUS]
    cotangents = [Variable(v.type) if v.type.dtype in CONTINUOUS else None for v in outputs]
    given = [v for v in inputs if not isinstance(v, Constant)]
    graph = Graph([*dict.fromkeys(given), *(v for v in cotangents if v is not None)],
                  [v for v in pullback(outputs, cotangents, list(dict.fromkeys(wrt))) if v is not None])
    optimize(graph)
    return sum((_stacked(node) for node in graph.nodes() if isinstance(node.op, Scan)), 0)


def _stacked(node: Apply) -> Size:
    """The bytes of a row of each stack of a loop; what is carried and what becomes of it share their memory."""
    loop = Loop.of(node)
    handed_on = {carry.own: carry.new for carry in loop.carries}
    rows = {handed_on.get(stack.value, stack.value): output
            for stack, output in zip(loop.stacks, node.outputs[len(loop.carries):])}
    return sum((_bytes(output.type.dtype, output.type.shape[1:]) for output in rows.values()), 0)


def _bytes(dtype: str, shape: Sequence[Size]) -> Size:
    return reduce(mul, shape, itemsize(dtype))
