"""Axes permuted and shapes changed: merged with each other, removed, and moved towards the inputs.

New axes of size 1 go the other way, to where results are used: what is computed without them serves all users.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.scalar import exp
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None, None)), name="x")
>>> graph = Graph([x], [dimshuffle(exp(dimshuffle(x, (1, 0))), (1, "x", 0))])
>>> history = run_phase(graph, canonicalize)
>>> node = graph.outputs[0].owner
>>> node, node.inputs[0].owner
(dimshuffle[0,x,1](exp(x)), exp(x))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from symtensor.ir.node import Apply, Variable
from symtensor.ops.contract import MatMul, is_swap, swap_last
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import NEW, Dimshuffle, Reshape, SpecifyShape, dimshuffle
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite
from symtensor.rewrite.rules import canonicalize, contract, resolve, specialize
from symtensor.types.dim import Size

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__ = ["aligned", "channels_to_front", "shuffled"]


def shuffled(x: Variable, order: Sequence[int]) -> Variable:
    """`x` with its axes in an order as a Dimshuffle has it; x itself if nothing changes."""
    return x if tuple(order) == tuple(range(x.type.ndim)) else Dimshuffle(tuple(order))(x)


def channels_to_front(order: Sequence[int]) -> tuple[int, ...] | None:
    """The permutation of images, and of axes behind these, by which an order brings the last axis of images to be the
    second; None if it does not.

    Such permutations move to where results are used (`layouts`), while all others move towards the inputs.

    >>> channels_to_front((0, 3, 1, 2)), channels_to_front((0, 3, 1, 2, -1, -1)), channels_to_front((0, 2, 3, 1))
    ((0, 3, 1, 2), (0, 3, 1, 2, 4, 5), None)
    """
    last = order[1] if len(order) >= 4 else 0
    if last < 3 or tuple(order[:last + 1]) != (0, last, *range(1, last)):
        return None
    return (*order[:last + 1], *range(last + 1, len(order)))


@rewrite(canonicalize, specialize, contract, ops=[Dimshuffle], operands=[ANY], early=True)
def axes_in_place(node: Apply, context: Context) -> Variable | None:
    """Nothing is permuted but axes of size 1."""
    (x,) = node.inputs
    sizes, order = x.type.shape, node.op.order  # type: ignore[attr-defined]
    if len(order) != len(sizes):
        return None
    stays = all(axis == place or (sizes[place] == 1 and (axis == NEW or sizes[axis] == 1))
                for place, axis in enumerate(order))
    return x if stays else None


@rewrite(canonicalize, specialize, contract, ops=[Dimshuffle], operands=[Dimshuffle], early=True)
def axes_twice(node: Apply, context: Context) -> Variable | None:
    """Two permutations are one."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Dimshuffle) and isinstance(node.op, Dimshuffle)
    order = inner.op.order
    return shuffled(inner.inputs[0], [NEW if axis == NEW else order[axis] for axis in node.op.order])


@rewrite(canonicalize, ops=[Dimshuffle], operands=[ANY], early=True)
def axes_before_elementwise(node: Apply, context: Context) -> Variable | None:
    """Axes are permuted and dropped before an elementwise op that nothing else uses, and new ones made after it; an
    index is checked where it was."""
    whole, order = node.inputs[0], node.op.order  # type: ignore[attr-defined]
    inner = whole.owner
    if inner is None or not isinstance(inner.op, Elementwise) or context.uses(whole) > 1 or not whole.type.ndim:
        return None
    kept = [axis for axis in order if axis != NEW]
    if inner.op.fails or kept == list(range(whole.type.ndim)) or channels_to_front(order) is not None:
        return None
    moved = inner.op.make(*(aligned(v, whole.type.ndim, kept) for v in inner.inputs))[0]
    return shuffled(moved, _new_at(order))


@rewrite(canonicalize, specialize, ops=[Elementwise])
def new_axes_after_elementwise(node: Apply, context: Context) -> Variable | None:
    """New axes that all operands have are made for the result, so that users with others share what is computed."""
    ndim = node.outputs[0].type.ndim
    orders = [(NEW,) * (ndim - v.type.ndim) + _order(v) for v in node.inputs if v.type.ndim]
    new = [place for place, axes in enumerate(zip(*orders)) if set(axes) == {NEW}]
    if not new or node.op.fails:
        return None
    kept = [place for place in range(ndim) if place not in new]
    bare = node.op.make(*(aligned(v, ndim, kept) for v in node.inputs))[0]
    return shuffled(bare, _new_at([NEW if place in new else place for place in range(ndim)]))


def _order(x: Variable) -> tuple[int, ...]:
    """Where the axes of a variable are from: new ones of size 1, or axes of what it is made of."""
    node = x.owner
    return node.op.order if node is not None and isinstance(node.op, Dimshuffle) else tuple(range(x.type.ndim))


def _new_at(order: Sequence[int]) -> list[int]:
    """An order that makes the axes that another makes, and permutes none."""
    places = itertools.count()
    return [NEW if axis == NEW else next(places) for axis in order]


def aligned(operand: Variable, ndim: int, order: Sequence[int]) -> Variable:
    """An operand, aligned at the right of `ndim` axes, permuted as the whole is."""
    if not operand.type.ndim:
        return operand
    missing = ndim - operand.type.ndim
    return shuffled(operand, [axis - missing if axis >= missing else NEW for axis in order])


@rewrite(canonicalize, ops=[Dimshuffle], operands=[MatMul], keeps="real")
def transpose_of_product(node: Apply, context: Context) -> Variable | None:
    """The transpose of a product is the product of the transposes, exchanged."""
    whole = node.inputs[0]
    if not is_swap(node.outputs[0]) or context.uses(whole) > 1:
        return None
    a, b = whole.owner.inputs  # type: ignore[union-attr]
    return MatMul()(swap_last(b), swap_last(a))


@rewrite(canonicalize, specialize, ops=[Reshape], operands=[ANY], early=True)
def useless_reshape(node: Apply, context: Context) -> Variable | None:
    """The shape is there already, or only axes of size 1 come and go."""
    x = node.inputs[0]
    solution = context.graph.solution
    before = tuple(map(solution, x.type.shape))
    after = tuple(map(solution, node.outputs[0].type.shape))
    if before == after:
        return x
    order = _matching_axes(before, after)
    return None if order is None else dimshuffle(x, ["x" if axis == NEW else axis for axis in order])


def _matching_axes(before: Sequence[Size], after: Sequence[Size]) -> list[int] | None:
    """The order of a dimshuffle from one shape to another that has the same sizes but for ones."""
    kept = [axis for axis, size in enumerate(before) if size != 1]
    if [before[axis] for axis in kept] != [size for size in after if size != 1]:
        return None
    remaining = iter(kept)
    return [NEW if size == 1 else next(remaining) for size in after]


@rewrite(canonicalize, specialize, ops=[Reshape], operands=[Reshape], early=True)
def reshape_twice(node: Apply, context: Context) -> Variable | None:
    """Only the last shape counts."""
    inner = node.inputs[0].owner
    assert inner is not None
    return node.op(inner.inputs[0], *node.inputs[1:])


@rewrite(canonicalize, specialize, ops=[Reshape], operands=[Dimshuffle], early=True)
def reshape_of_new_axes(node: Apply, context: Context) -> Variable | None:
    """Axes of size 1 that come or go do not change the order of the elements."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Dimshuffle)
    kept = [axis for axis in inner.op.order if axis != NEW]
    return node.op(inner.inputs[0], *node.inputs[1:]) if kept == sorted(kept) else None


@rewrite(canonicalize, ops=[Reshape], operands=[ANY], early=True)
def reshape_before_elementwise(node: Apply, context: Context) -> Variable | None:
    """A shape changes before an elementwise op of one array (and numbers) that nothing else uses."""
    whole = node.inputs[0]
    inner = whole.owner
    if inner is None or not isinstance(inner.op, Elementwise) or context.uses(whole) > 1:
        return None
    if sum(v.type.ndim > 0 for v in inner.inputs) != 1:
        return None
    sizes = node.inputs[1:]
    return inner.op.make(*(node.op(v, *sizes) if v.type.ndim else v for v in inner.inputs))[0]


@rewrite(resolve, ops=[SpecifyShape], operands=[ANY])
def promise_of_shape(node: Apply, context: Context) -> Variable | None:
    """The promise is among the graph's equations, which are checked before anything runs."""
    x = node.inputs[0]
    solution = context.graph.solution
    same = tuple(map(solution, x.type.shape)) == tuple(map(solution, node.outputs[0].type.shape))
    return x if same else None
