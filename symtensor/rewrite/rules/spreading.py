"""Broadcasting: values are spread as late as can be, and not at all where another operand gives the shape.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.shape import broadcast_to
>>> from symtensor.ops.size import dimension
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
>>> graph = Graph([x, y], [broadcast_to(1.0, [dimension(x, 0)]) * 2.0 + x])
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs[0].owner
add(2.0, x)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.index import Gather, Join, Scatter, SetSubtensor, Subtensor
from symtensor.ops.shape import Broadcast, Dimshuffle, Reshape
from symtensor.ops.size import size_value
from symtensor.rewrite.engine import Context
from symtensor.rewrite.pattern import uniform
from symtensor.rewrite.rule import ANY, rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types.dim import Size
from symtensor.types.dtype import numpy_dtype

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__ = ["spread_of", "spread"]


def spread_of(variable: Variable) -> Variable | None:
    """What is spread to make a variable; a constant of equal elements is a number spread."""
    node = variable.owner
    if node is not None and isinstance(node.op, Broadcast):
        return node.inputs[0]
    value = uniform(variable) if variable.type.ndim else None
    return None if value is None else Constant(np.asarray(value, dtype=numpy_dtype(variable.type.dtype)))


def spread(x: Variable, shape: Sequence[Size]) -> Variable:
    """`x` spread to a shape given by sizes."""
    if x.type.shape == tuple(shape):
        return x
    return Broadcast(len(shape))(x, *map(size_value, shape))


@rewrite(canonicalize, specialize, ops=[Elementwise])
def spread_after_elementwise(node: Apply, context: Context) -> Variable | None:
    """Operands are not spread before an elementwise op: it does so itself, or its result is spread."""
    inner = [spread_of(v) for v in node.inputs]
    if inner.count(None) == len(inner):
        return None
    made: Variable = node.op.make(*(v if found is None else found for v, found in zip(node.inputs, inner)))[0]
    shape = node.outputs[0].type.shape
    by_equation = any(size == 1 and own != 1 for own, size in zip(made.type.shape[::-1], shape[::-1]))
    return None if by_equation else made  # what is 1 broadcasts; the engine spreads the result, if it must


@rewrite(canonicalize, specialize, ops=[Elementwise])
def implicit_axes(node: Apply, context: Context) -> Variable | None:
    """New axes in front need not be made where another operand has them: operands align at the right."""
    padded = [_without_new_axes(v) for v in node.inputs]
    if padded.count(None) == len(padded):
        return None
    full = [v for v, inner in zip(node.inputs, padded)
            if inner is None and v.type.ndim == node.outputs[0].type.ndim]
    if not full:
        return None
    return node.op.make(*(v if inner is None else inner for v, inner in zip(node.inputs, padded)))[0]


def _without_new_axes(variable: Variable) -> Variable | None:
    """What new axes were put in front of, and nothing else was done to."""
    node = variable.owner
    if node is None or not isinstance(node.op, Dimshuffle):
        return None
    (x,) = node.inputs
    missing = variable.type.ndim - x.type.ndim
    return x if missing > 0 and node.op.order[missing:] == tuple(range(x.type.ndim)) else None


@rewrite(canonicalize, specialize, ops=[Broadcast], operands=[ANY])
def useless_spreading(node: Apply, context: Context) -> Variable | None:
    """What has the shape already, or is spread twice."""
    x, *sizes = node.inputs
    solution = context.graph.solution
    if tuple(map(solution, x.type.shape)) == tuple(map(solution, node.outputs[0].type.shape)):
        return x
    inner = spread_of(x)
    inner = _without_new_axes(x) if inner is None else inner
    return None if inner is None else node.op(inner, *sizes)


@rewrite(canonicalize, specialize, ops=[Dimshuffle], operands=[Broadcast])
def axes_of_spread(node: Apply, context: Context) -> Variable | None:
    """Axes are permuted before spreading."""
    (whole,), order = node.inputs, node.op.order  # type: ignore[attr-defined]
    (x, *_) = whole.owner.inputs  # type: ignore[union-attr]
    missing = whole.type.ndim - x.type.ndim
    if missing and any(0 <= axis < missing for axis in order) and x.type.ndim:
        x = Dimshuffle((-1,) * missing + tuple(range(x.type.ndim)))(x)
        missing = 0
    inner = x if not x.type.ndim else Dimshuffle(tuple(a if a == -1 else a - missing for a in order))(x)
    return spread(inner, node.outputs[0].type.shape)


@rewrite(canonicalize, specialize, ops=[Reshape, Subtensor, Gather], operands=[ANY])
def part_of_spread_number(node: Apply, context: Context) -> Variable | None:
    """Any part of one number repeated is that number repeated."""
    number = spread_of(node.inputs[0])
    if number is None or number.type.ndim:
        return None
    return spread(number, node.outputs[0].type.shape)


@rewrite(canonicalize, ops=[Join])
def join_of_spread_number(node: Apply, context: Context) -> Variable | None:
    """One number repeated, then repeated again."""
    numbers = [spread_of(v) for v in node.inputs]
    first = numbers[0]
    if first is None or first.type.ndim or not all(_is_same(first, other) for other in numbers):
        return None
    return spread(first, node.outputs[0].type.shape)


@rewrite(canonicalize, specialize, ops=[SetSubtensor, Scatter], operands=[ANY, Broadcast])
def value_put_is_spread(node: Apply, context: Context) -> Variable | None:
    """What is put into a region is spread there anyway."""
    x, y, *places = node.inputs
    return node.op(x, y.owner.inputs[0], *places)  # type: ignore[union-attr]


def _is_same(first: Variable, other: Variable | None) -> bool:
    if isinstance(first, Constant) and isinstance(other, Constant):
        return not other.type.ndim and first.data.tobytes() == other.data.tobytes()
    return first is other
