"""Reductions: over fewer axes, of smaller arrays, with what does not vary taken out.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None, None)), name="x")
>>> graph = Graph([x], [sum_axes(sum_axes(-3.0 * x, [0]), [0])])
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs[0].owner
mul(sum(x), -3.0)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symtensor.ir.node import Apply, Variable
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import Reduce, reduce_axes
from symtensor.ops.scalar import exp, exp2, expm1, invert, mul, power, sigmoid, softplus, tanh, true_div
from symtensor.ops.shape import NEW, Broadcast, Dimshuffle, Reshape, drop_axes
from symtensor.ops.size import size_value
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite, rule
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.rewrite.rules.views import shuffled
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import BOOL, FLOATS, INTEGERS, SIGNED

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

_AXES = [(0,), (1,), (0, 1)]


# -- what is reduced over ---------------------------------------------------------------------------------

@rewrite(canonicalize, specialize, ops=[Reduce], operands=[ANY])
def reduction_of_single_elements(node: Apply, context: Context) -> Variable | None:
    """Along an axis of size 1 there is nothing to combine."""
    (x,) = node.inputs
    assert isinstance(node.op, Reduce)
    single = [axis for axis in node.op.axes if x.type.shape[axis] == 1]
    if not single:
        return None
    left = [axis for axis in node.op.axes if axis not in single]
    return reduce_axes(node.op.kind, drop_axes(x, single), [axis - sum(s < axis for s in single) for axis in left])


@rewrite(canonicalize, specialize, ops=[Reduce], operands=[Reduce], keeps="real")
def reduction_of_reduction(node: Apply, context: Context) -> Variable | None:
    """One reduction over both sets of axes."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Reduce) and isinstance(node.op, Reduce)
    if inner.op.kind != node.op.kind or context.uses(node.inputs[0]) > 1:
        return None
    x = inner.inputs[0]
    kept = [axis for axis in range(x.type.ndim) if axis not in inner.op.axes]
    return reduce_axes(node.op.kind, x, [*inner.op.axes, *(kept[axis] for axis in node.op.axes)])


@rewrite(canonicalize, specialize, ops=[Reduce], operands=[Dimshuffle], keeps="real")
def reduction_before_axes(node: Apply, context: Context) -> Variable | None:
    """Axes are permuted after reducing: there are fewer."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Dimshuffle) and isinstance(node.op, Reduce)
    x, order, axes = inner.inputs[0], inner.op.order, node.op.axes
    reduced = [order[axis] for axis in axes if order[axis] != NEW]
    remains = [axis for axis in range(x.type.ndim) if axis not in reduced]
    left = [axis for position, axis in enumerate(order) if position not in axes]
    return shuffled(reduce_axes(node.op.kind, x, reduced),
                    [remains.index(axis) if axis != NEW else NEW for axis in left])


@rewrite(canonicalize, specialize, ops=[Reduce], operands=[Reshape], keeps="real")
def reduction_of_reshape(node: Apply, context: Context) -> Variable | None:
    """Over all elements the shape does not matter."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(node.op, Reduce)
    if len(node.op.axes) < node.inputs[0].type.ndim:
        return None
    return reduce_axes(node.op.kind, inner.inputs[0], range(inner.inputs[0].type.ndim))


@rewrite(canonicalize, specialize, ops=[Reduce], operands=[Broadcast], keeps="real")
def reduction_of_spread(node: Apply, context: Context) -> Variable | None:
    """The sum of n equal numbers is n times one; the largest of them is any."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(node.op, Reduce)
    x, shape = inner.inputs[0], node.inputs[0].type.shape
    missing = len(shape) - x.type.ndim
    stretched = [axis for axis in node.op.axes
                 if axis < missing or (x.type.shape[axis - missing] == 1 and shape[axis] != 1)]
    if not stretched:
        return None
    count = math.prod((shape[axis] for axis in stretched), start=1)
    own = [axis - missing for axis in node.op.axes if axis >= missing]
    once = _repeated(node.op.kind, reduce_axes(node.op.kind, x, own), count)
    if once is None:
        return None
    target = node.outputs[0].type.shape
    return once if once.type.shape == target else Broadcast(len(target))(once, *map(size_value, target))


def _repeated(kind: str, x: Variable, count: Size) -> Variable | None:
    """The reduction of `count` equal values; None where it cannot be written."""
    dtype = x.type.dtype
    if kind == "sum" and dtype not in BOOL:
        return mul(x, cast(size_value(count), dtype))
    if kind == "prod" and dtype in FLOATS + INTEGERS:
        return power(x, cast(size_value(count), dtype))
    return x if kind in ("max", "min") or dims.lower_bound(count) >= 1 else None


# -- what goes through ------------------------------------------------------------------------------------

@rewrite(canonicalize, specialize, ops=[Reduce], operands=[mul], keeps="real")
def factor_out_of_sum(node: Apply, context: Context) -> Variable | None:
    """A factor that is the same all along the axes multiplies the sum, not its terms."""
    return _take_out(node, context)


@rewrite(canonicalize, specialize, ops=[Reduce], operands=[true_div], keeps="real")
def divisor_out_of_sum(node: Apply, context: Context) -> Variable | None:
    """A divisor that is the same all along the axes divides the sum, not its terms."""
    return _take_out(node, context)


def _take_out(node: Apply, context: Context) -> Variable | None:
    (whole,) = node.inputs
    inner = whole.owner
    assert inner is not None and isinstance(node.op, Reduce)
    if node.op.kind != "sum" or whole.type.dtype in BOOL or context.uses(whole) > 1:
        return None
    pairs = [inner.inputs, inner.inputs[::-1]] if inner.op is mul else [inner.inputs]
    for x, factor in pairs:
        if x.type.shape == whole.type.shape and _is_flat(factor, whole, node.op.axes):
            missing = whole.type.ndim - factor.type.ndim
            own = drop_axes(factor, [axis - missing for axis in node.op.axes if axis >= missing])
            return inner.op(node.op(x), own)
    return None


def _is_flat(x: Variable, whole: Variable, axes: Sequence[int]) -> bool:
    """Whether an operand of `whole` is the same all along the axes."""
    missing = whole.type.ndim - x.type.ndim
    return all(axis < missing or x.type.shape[axis - missing] == 1 for axis in axes)


@rule(canonicalize, keeps="value", dtypes=SIGNED + FLOATS, axes=_AXES)
def sum_of_negation(x, axes):
    """Rounding does not depend on the sign; that of a sum of zero may differ."""
    return Reduce("sum", axes)(-x), -Reduce("sum", axes)(x)


@rule(canonicalize, keeps="exact", dtypes=FLOATS, axes=_AXES)
def largest_negation(x, axes):
    """The negative of the smallest."""
    return Reduce("max", axes)(-x), -Reduce("min", axes)(x)


@rule(canonicalize, keeps="exact", dtypes=FLOATS, axes=_AXES)
def smallest_negation(x, axes):
    """The negative of the largest."""
    return Reduce("min", axes)(-x), -Reduce("max", axes)(x)


@rule(canonicalize, keeps="exact", dtypes=BOOL, axes=_AXES)
def any_opposite(x, axes):
    """Not all."""
    return Reduce("any", axes)(invert(x)), invert(Reduce("all", axes)(x))


@rule(canonicalize, keeps="exact", dtypes=BOOL, axes=_AXES)
def all_opposite(x, axes):
    """Not any."""
    return Reduce("all", axes)(invert(x)), invert(Reduce("any", axes)(x))


_INCREASING = (exp, exp2, expm1, sigmoid, softplus, tanh)


@rewrite(canonicalize, ops=[Reduce], operands=[ANY], keeps="nearer")
def largest_of_increasing(node: Apply, context: Context) -> Variable | None:
    """The largest value of an increasing function is its value at the largest: one call for each row."""
    (whole,) = node.inputs
    inner = whole.owner
    assert isinstance(node.op, Reduce)
    if node.op.kind not in ("max", "min") or inner is None or inner.op not in _INCREASING or context.uses(whole) > 1:
        return None
    return inner.op(node.op(inner.inputs[0]))
