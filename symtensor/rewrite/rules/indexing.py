"""Basic indexing: slices merged, made whole, moved towards the inputs; parts of what was put together.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.scalar import exp
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None, None)), name="x")
>>> graph = Graph([x], [subtensor(subtensor(exp(x), (slice(2, None),)), (3,))])
>>> history = run_phase(graph, canonicalize)
>>> node = graph.outputs[0].owner
>>> node, node.inputs[0].owner
(exp(x[5]), subtensor[i, :](x, 5))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symtensor.ir.node import Apply, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.index import Entry, Iota, Join, SetSubtensor, Subtensor, resolve, subtensor
from symtensor.ops.scalar import add
from symtensor.ops.shape import Dimshuffle
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.algebra import number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.rewrite.rules.spreading import spread, spread_of
from symtensor.rewrite.rules.views import shuffled
from symtensor.types import dim as dims
from symtensor.types.dim import Size

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

WHOLE = Entry()


@dataclass(frozen=True)
class _Part:
    """What a basic index does to one axis: the positions start, start + step, ... (`length` of them), or one."""

    start: Size
    length: Size
    step: int
    is_pick: bool
    index: Any
    """As `subtensor` takes it."""
    begin: Size
    """What `start` is if the part is not empty: the bound before it was cut to the axis."""

    def is_whole(self, size: Size) -> bool:
        """Whether every position of an axis of this size is taken, in order."""
        return not self.is_pick and self.start == 0 and self.length == size and self.step == 1


def _parts(entries: Sequence[Entry], bounds: Sequence[Variable], shape: Sequence[Size]) -> list[_Part]:
    found, remaining = [], list(bounds)
    for axis, (entry, size) in enumerate(zip(entries, shape)):
        own, remaining = remaining[:entry.inputs], remaining[entry.inputs:]
        region = resolve(entry, [size_of(v) for v in own], size, axis)
        cut = entry.start and entry.step > 0 and dims.lower_bound(size_of(own[0])) >= 0
        bound = size_of(own[0]) if cut else region.start
        found.append(_Part(region.start, region.length, region.step, entry.pick, entry.index(iter(own)), bound))
    return found


def _parts_of(node: Apply) -> list[_Part]:
    """The parts of a Subtensor node."""
    return _parts(node.op.entries, node.inputs[1:], node.inputs[0].type.shape)  # type: ignore[attr-defined]


@rewrite(canonicalize, specialize, ops=[Subtensor], operands=[ANY], early=True)
def useless_slice(node: Apply, context: Context) -> Variable | None:
    """A slice of everything is no slice."""
    x, entries = node.inputs[0], node.op.entries  # type: ignore[attr-defined]
    parts = _parts_of(node)
    whole = [part.is_whole(size) for part, size in zip(parts, x.type.shape)]
    if all(is_whole == (entry == WHOLE) for is_whole, entry in zip(whole, entries)) and not all(whole):
        return None
    return subtensor(x, [slice(None) if is_whole else part.index for part, is_whole in zip(parts, whole)])


@rewrite(canonicalize, ops=[Subtensor], operands=[Subtensor], early=True)
def slice_of_slice(node: Apply, context: Context) -> Variable | None:
    """One slice, where the sizes prove that it has the same positions."""
    inner = node.inputs[0].owner
    assert inner is not None
    outer = iter(_parts_of(node))
    index = [part.index if part.is_pick else _composed(part, next(outer)) for part in _parts_of(inner)]
    merged = subtensor(inner.inputs[0], index)
    return merged if merged.type.shape == node.outputs[0].type.shape else None


def _composed(inner: _Part, outer: _Part) -> Any:
    """The index that takes of an axis what `outer` takes of what `inner` takes; where that is nothing, another may."""
    if outer.is_pick:
        return size_value(inner.begin + outer.start * inner.step)
    begin = inner.begin + outer.begin * inner.step
    step = inner.step * outer.step
    stop = begin + outer.length * step
    is_open = step < 0 and dims.upper_bound(stop) < 0  # down to the first: a negative stop would count from the end
    return slice(size_value(begin), None if is_open else size_value(stop), step)


@rewrite(canonicalize, ops=[Subtensor], operands=[ANY], early=True)
def slice_before_elementwise(node: Apply, context: Context) -> Variable | None:
    """A part is taken before an elementwise op that nothing else uses: less is computed."""
    whole = node.inputs[0]
    inner = whole.owner
    if inner is None or not isinstance(inner.op, Elementwise) or context.uses(whole) > 1:
        return None
    parts = _parts_of(node)
    return inner.op.make(*(_part_of_operand(v, whole, parts) for v in inner.inputs))[0]


def _part_of_operand(operand: Variable, whole: Variable, parts: Sequence[_Part]) -> Variable:
    """The part of an operand, aligned at the right, that goes into the part of the whole."""
    missing = whole.type.ndim - operand.type.ndim
    index = [part.index if own != 1 or size == 1 else 0 if part.is_pick else slice(None)
             for part, own, size in zip(parts[missing:], operand.type.shape, whole.type.shape[missing:])]
    return subtensor(operand, index)


@rewrite(canonicalize, ops=[Subtensor], operands=[Dimshuffle], early=True)
def slice_before_axes(node: Apply, context: Context) -> Variable | None:
    """A part is taken before axes are permuted."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Dimshuffle)
    x, parts = inner.inputs[0], _parts_of(node)
    index: list[Any] = [0 if axis not in inner.op.order else slice(None) for axis in range(x.type.ndim)]
    for axis, part in zip(inner.op.order, parts):
        if axis != -1:
            index[axis] = part.index
        elif not part.is_pick and part.length != 1:
            return None
    remains = [axis for axis in range(x.type.ndim) if isinstance(index[axis], slice)]
    order = [remains.index(axis) if axis != -1 else -1
             for axis, part in zip(inner.op.order, parts) if not part.is_pick]
    return shuffled(subtensor(x, index), order)


@rewrite(canonicalize, ops=[Subtensor], operands=[Join])
def slice_of_join(node: Apply, context: Context) -> Variable | None:
    """A slice that lies in one of the parts joined is a slice of that part."""
    join = node.inputs[0].owner
    assert join is not None and isinstance(join.op, Join)
    parts = _parts_of(node)
    wanted = parts[join.op.axis]
    if wanted.step < 0:
        return None
    begin: Size = 0
    for piece in join.inputs:
        end = begin + piece.type.shape[join.op.axis]
        last = wanted.start + (wanted.length - 1) * wanted.step
        if _at_most(begin, wanted.start) and _at_most(last + 1, end):
            start = wanted.start - begin
            stop = start + wanted.length * wanted.step
            own = size_value(start) if wanted.is_pick else slice(size_value(start), size_value(stop), wanted.step)
            index = [own if axis == join.op.axis else part.index for axis, part in enumerate(parts)]
            return subtensor(piece, index)
        begin = end
    return None


def _at_most(left: Size, right: Size) -> bool:
    return dims.lower_bound(right - left) >= 0


@rewrite(canonicalize, ops=[Subtensor], operands=[Iota])
def position_in_count(node: Apply, context: Context) -> Variable | None:
    """The number at a position is the position."""
    (part,) = _parts_of(node)
    return size_value(part.start) if part.is_pick else None


@rewrite(canonicalize, ops=[Subtensor], operands=[SetSubtensor])
def slice_of_set_slice(node: Apply, context: Context) -> Variable | None:
    """What was just put there."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, SetSubtensor) and isinstance(node.op, Subtensor)
    x, y, *bounds = inner.inputs
    if inner.op.entries != node.op.entries or any(v is not w for v, w in zip(bounds, node.inputs[1:])):
        return None
    value = spread(y, node.outputs[0].type.shape)
    return node.op(x, *bounds) + value if inner.op.add else value


@rewrite(canonicalize, ops=[SetSubtensor], keeps="value")
def useless_set(node: Apply, context: Context) -> Variable | None:
    """What is there already is put back, or nothing is added."""
    x, y, *bounds = node.inputs
    assert isinstance(node.op, SetSubtensor)
    if node.op.add:
        inner = spread_of(y) if y.type.ndim else y
        return x if inner is not None and number(inner) == 0 else None
    found = y.owner
    same = (found is not None and isinstance(found.op, Subtensor) and found.inputs[0] is x
            and found.op.entries == node.op.entries
            and all(v is w for v, w in zip(found.inputs[1:], bounds)))
    return x if same else None


@rewrite(canonicalize, ops=[SetSubtensor], keeps="value")
def set_of_everything(node: Apply, context: Context) -> Variable | None:
    """Setting the whole forgets what was there; adding to the whole is a sum."""
    x, y, *bounds = node.inputs
    assert isinstance(node.op, SetSubtensor)
    parts = _parts(node.op.entries, bounds, x.type.shape)
    if not all(part.is_whole(size) for part, size in zip(parts, x.type.shape)):
        return None
    return add(x, y) if node.op.add else spread(y, x.type.shape)


@rewrite(canonicalize, ops=[SetSubtensor], keeps="value")
def increment_of_zeros(node: Apply, context: Context) -> Variable | None:
    """Adding to zeros is setting."""
    x, y, *bounds = node.inputs
    assert isinstance(node.op, SetSubtensor)
    inner = spread_of(x)
    if not node.op.add or inner is None or number(inner) != 0:
        return None
    return SetSubtensor(node.op.entries, False)(x, y, *bounds)


@rewrite(canonicalize, specialize, ops=[Join])
def join_of_joins(node: Apply, context: Context) -> Variable | None:
    """Parts of parts along one axis are parts; one part alone is the whole; empty parts go."""
    assert isinstance(node.op, Join)
    pieces: list[Variable] = []
    for piece in node.inputs:
        inner = piece.owner
        merges = inner is not None and inner.op == node.op and context.uses(piece) <= 1
        pieces += inner.inputs if merges and inner is not None else [piece]
    pieces = [piece for piece in pieces if piece.type.shape[node.op.axis] != 0] or pieces[:1]
    if len(pieces) == 1:
        return pieces[0]
    if len(pieces) == len(node.inputs) and all(a is b for a, b in zip(pieces, node.inputs)):
        return None
    return node.op.make(*pieces)[0]
