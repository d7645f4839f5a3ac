"""What libraries compute of narrow floats: on the processor in float32, since they know no others.

A product of float16 matrices becomes one of float32, between conversions that share kernels with what is around them.
So it adds in float32 and rounds once, as kernels do (docs/decisions/060).

>>> from symtensor.ops.contract import MatMul
>>> from symtensor.types.tensor import TensorType
>>> a, b = TensorType("float16", (None, 3))("a"), TensorType("float16", (3, 5))("b")
>>> graph = Graph([a, b], [MatMul()(a, b)])
>>> made = widen(graph)
>>> [node.op for node in graph.nodes()]
[cast[float32], cast[float32], matmul, cast[float16]]
"""

from __future__ import annotations

from collections.abc import Callable

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ir.provenance import Lines
from symtensor.lower.group import on_processor
from symtensor.ops.elementwise import Cast
from symtensor.ops.shape import Broadcast, Dimshuffle
from symtensor.types.dtype import NARROW, computed_in, numpy_dtype

__all__ = ["widen"]

_IN_FLOAT32 = ("gemm", "convolution")
"""Routines that devices have for narrow floats, and the processor has not; others only move elements, or know them."""


def widen(graph: Graph, device_of: Callable[[Variable], int] = on_processor) -> dict[Variable, Variable]:
    """Change a graph so that the processor's libraries are given no narrow floats: what was made anew for what."""
    made: dict[Variable, Variable] = {}
    for node in graph.nodes():
        inputs = tuple(made.get(v, v) for v in node.inputs)
        first = graph.place_of(node)
        if _is_by_library(node) and not device_of(node.outputs[0]):
            wide = graph.apply(node.op, tuple(_wide(graph, v, first) for v in inputs), first)
            outputs = tuple(graph.apply(Cast("cast", v.type.dtype), (w,), first)[0]
                            for w, v in zip(wide, node.outputs))
        elif inputs != node.inputs:
            outputs = graph.apply(node.op, inputs, first)
        else:
            continue
        graph.credit(outputs[0].owner, graph.lines_of(node))  # type: ignore[arg-type]
        for old, new in zip(node.outputs, outputs):
            made[old] = new
            new.name = new.name or old.name
            new.known_size = old.known_size if new.known_size is None else new.known_size
            graph._note_source(old, new)
    if made:
        graph.replace(lambda v: made.get(v, v))
    return made


def _is_by_library(node: Apply) -> bool:
    """Whether a library computes narrow floats here that it does not know."""
    call = node.op.library_call(node) if node.outputs[0].type.dtype in NARROW else None
    return call is not None and call.name in _IN_FLOAT32


def _wide(graph: Graph, variable: Variable, lines: Lines) -> Variable:
    """A variable in the dtype that it is computed in; what a library looks through stays outside of the conversion."""
    dtype, node = computed_in(variable.type.dtype), variable.owner
    if dtype == variable.type.dtype:
        return variable
    if isinstance(variable, Constant):
        return graph.constant(Constant(variable.data.astype(numpy_dtype(dtype))))
    if node is not None and isinstance(node.op, (Dimshuffle, Broadcast)):
        return graph.apply(node.op, (_wide(graph, node.inputs[0], lines), *node.inputs[1:]), lines)[0]
    return graph.apply(Cast("cast", dtype), (variable,), lines)[0]
