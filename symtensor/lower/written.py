"""Nodes written as the libraries want them that compute them.

The processor's know no narrow floats. A product of float16 matrices becomes one of float32, between conversions that
share kernels with what is around them. So it adds in float32 and rounds once, as kernels do (docs/decisions/060). What
those of a device want, the device says.

>>> from symtensor.ops.contract import MatMul
>>> from symtensor.types.tensor import TensorType
>>> a, b = TensorType("float16", (None, 3))("a"), TensorType("float16", (3, 5))("b")
>>> graph = Graph([a, b], [MatMul()(a, b)])
>>> made = write(graph)
>>> [node.op for node in graph.nodes()]
[cast[float32], cast[float32], matmul, cast[float16]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.lower.group import on_processor
from symtensor.lower.target import Applier, Device
from symtensor.ops.elementwise import Cast
from symtensor.ops.shape import Broadcast, Dimshuffle
from symtensor.types.dtype import NARROW, computed_in, numpy_dtype

__all__ = ["write"]

_IN_FLOAT32 = ("gemm", "convolution")
"""Routines that devices have for narrow floats, and the processor has not; others only move elements, or know them."""


def write(graph: Graph, device_of: Callable[[Variable], int] = on_processor,
          devices: Sequence[Device] = ()) -> dict[Variable, int]:
    """Change a graph so that nodes are as libraries want them: what was made anew, and on which device it is."""
    made: dict[Variable, Variable] = {}
    on: dict[Variable, int] = {}
    for node in graph.nodes():
        inputs, device = tuple(made.get(v, v) for v in node.inputs), device_of(node.outputs[0])
        applied = _applier(graph, node, on, device)
        outputs = (devices[device - 1].written if device else _widened)(node, inputs, applied)
        if outputs is None and inputs != node.inputs:
            outputs = applied(node.op, inputs)
        for old, new in zip(node.outputs, outputs or ()):
            made[old] = new
            new.name = new.name or old.name
            new.known_size = old.known_size if new.known_size is None else new.known_size
            graph._note_source(old, new)
    if made:
        graph.replace(lambda v: made.get(v, v))
    return on


def _applier(graph: Graph, node: Apply, on: dict[Variable, int], device: int) -> Applier:
    """Applies ops for the places in the user's program that a node stands for, and notes where the results are."""
    def applied(op: Op, inputs: tuple[Variable, ...]) -> tuple[Variable, ...]:
        members = tuple(graph.constant(v) if isinstance(v, Constant) else v for v in inputs)
        outputs = graph.apply(op, members, graph.place_of(node))
        graph.credit(outputs[0].owner, graph.lines_of(node))  # type: ignore[arg-type]
        on.update(dict.fromkeys(outputs, device))
        return outputs
    return applied


def _widened(node: Apply, inputs: tuple[Variable, ...], applied: Applier) -> tuple[Variable, ...] | None:
    """What is computed in float32 by a library of the processor that knows no narrow floats."""
    call = node.op.library_call(node) if node.outputs[0].type.dtype in NARROW else None
    if call is None or call.name not in _IN_FLOAT32:
        return None
    wide = applied(node.op, tuple(_wide(v, applied) for v in inputs))
    return tuple(applied(Cast("cast", v.type.dtype), (w,))[0] for w, v in zip(wide, node.outputs))


def _wide(variable: Variable, applied: Applier) -> Variable:
    """A variable in the dtype that it is computed in; what a library looks through stays outside of the conversion."""
    dtype, node = computed_in(variable.type.dtype), variable.owner
    if dtype == variable.type.dtype:
        return variable
    if isinstance(variable, Constant):
        return Constant(variable.data.astype(numpy_dtype(dtype)))
    if node is not None and isinstance(node.op, (Dimshuffle, Broadcast)):
        return applied(node.op, (_wide(node.inputs[0], applied), *node.inputs[1:]))[0]
    return applied(Cast("cast", dtype), (variable,))[0]
