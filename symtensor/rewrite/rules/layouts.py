"""The layout of images: channels stay last from one convolution to the next.

Convolutions take and give images with their channels last, where users have them behind the batch. So each is between
two permutations of axes. The second, which brings channels to the front, moves through what follows, until it meets the
first one of the next convolution, and both go.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.scalar import tanh
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 5, 5, 3))("x")
>>> graph = Graph([x], [tanh(Dimshuffle((0, 3, 1, 2))(x))])
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs[0].owner.op, graph.outputs[0].owner.inputs[0].owner
(dimshuffle[0,3,1,2], tanh(x))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symtensor.ir.node import Apply, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.index import Join
from symtensor.ops.shape import Broadcast, Dimshuffle
from symtensor.ops.window import Overlap, WindowReduce, Windows
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.rewrite.rules.spreading import spread
from symtensor.rewrite.rules.views import aligned, channels_to_front, shuffled

__all__: list[str] = []


def _front_of(variable: Variable) -> tuple[int, ...] | None:
    """The permutation that brings channels to the front, if a variable is the result of one, perhaps spread."""
    node = variable.owner
    if node is not None and isinstance(node.op, Broadcast) and node.inputs[0].type.ndim == variable.type.ndim:
        node = node.inputs[0].owner
    if node is None or not isinstance(node.op, Dimshuffle):
        return None
    return channels_to_front(node.op.order)


def _back(order: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes another."""
    return tuple(order.index(axis) for axis in range(len(order)))


def _channels_last(variable: Variable, order: Sequence[int]) -> Variable:
    """A variable with its channels where they were before `order` brought them to the front."""
    back = _back(order)
    node = variable.owner
    if node is not None and isinstance(node.op, Broadcast):
        return spread(aligned(node.inputs[0], variable.type.ndim, back), [variable.type.shape[a] for a in back])
    return aligned(variable, variable.type.ndim, back)


@rewrite(canonicalize, specialize, ops=[Elementwise])
def channels_last_in_elementwise(node: Apply, context: Context) -> Variable | None:
    """Channels come to the front after an elementwise op; what else it is given is permuted to fit."""
    ndim = node.outputs[0].type.ndim
    if ndim < 4 or node.op.fails:
        return None
    orders = (_front_of(v) for v in node.inputs if v.type.ndim == ndim)
    order = next(filter(None, orders), None)
    if order is None:
        return None
    back = _back(order)
    return shuffled(node.op.make(*(aligned(v, ndim, back) for v in node.inputs))[0], order)


@rewrite(canonicalize, specialize, ops=[Windows, Overlap, WindowReduce], operands=[ANY])
def channels_last_in_windows(node: Apply, context: Context) -> Variable | None:
    """Channels come to the front after windows slide over an image."""
    x, *sizes = node.inputs
    order, window = _front_of(x), node.op.window  # type: ignore[attr-defined]
    after = node.outputs[0].type.ndim
    ndim = min(x.type.ndim, after)
    if order is None or sorted(order[:ndim]) != list(range(ndim)):
        return None
    op = replace(node.op, window=window.moved(order))  # type: ignore[type-var]
    return shuffled(op(_channels_last(x, order), *sizes), (*order[:ndim], *range(ndim, after)))


@rewrite(canonicalize, specialize, ops=[Join], operands=[ANY])
def channels_last_in_join(node: Apply, context: Context) -> Variable | None:
    """Images side by side have their channels brought to the front together."""
    orders = {_front_of(v) for v in node.inputs}
    order = orders.pop()
    if orders or order is None:
        return None
    op = Join(order[node.op.axis])  # type: ignore[attr-defined]
    return shuffled(op(*(_channels_last(v, order) for v in node.inputs)), order)
