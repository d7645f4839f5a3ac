"""Indexing by integer arrays: counting indices, one position of each row, and sums of rows that hold one number.

Cross entropy reads one log-probability of each row: the gather goes through the elementwise ops, so that
only the rows' sums and the picked elements are read, and its derivative becomes a comparison instead of a scatter.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.scalar import exp
>>> from symtensor.ops.index import gather
>>> from symtensor.ops.size import dimension
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None, None)), name="x")
>>> labels = Variable(TensorType("int64", (None,)), name="labels")
>>> rows = Iota()(dimension(x, 0))
>>> graph = Graph([x, labels], [gather(exp(x), {0: rows, 1: labels})])
>>> for phase in (resolve, canonicalize):
...     history = run_phase(graph, phase)
>>> graph.outputs[0].owner
exp(gather[0,1](x, iota(...), wrap_index(labels, ...)))
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.ir import provenance
from symtensor.ir.node import Apply, Equation, Variable
from symtensor.ops.elementwise import Elementwise, zeros_like
from symtensor.ops.index import Gather, Iota, Scatter, set_subtensor
from symtensor.ops.reduce import Reduce
from symtensor.ops.scalar import add, eq, mul, neg, sub, switch, wrap_index
from symtensor.ops.shape import Dimshuffle, drop_axes, expand_dims
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.algebra import number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite
from symtensor.rewrite.rules import canonicalize, resolve, specialize, stabilize
from symtensor.rewrite.rules.spreading import spread, spread_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


def _counts(index: Variable) -> bool:
    """Whether an index is 0, 1, 2..."""
    return index.owner is not None and isinstance(index.owner.op, Iota)


def _counts_all(index: Variable, size: Size) -> bool:
    """Whether an index goes through all positions of an axis of this size, in order."""
    return _counts(index) and index.type.shape[0] == size


@rewrite(canonicalize, ops=[wrap_index], operands=[wrap_index])
def index_checked_already(node: Apply, context: Context) -> Variable | None:
    """An index in range is in range."""
    index, size = node.inputs
    return index if index.owner.inputs[1] is size else None  # type: ignore[union-attr]


@rewrite(resolve, ops=[wrap_index], operands=[Iota])
def count_in_range(node: Apply, context: Context) -> Variable | None:
    """A count is in range if it ends in range: one equation of the compiled graph, instead of a check of each."""
    index, size = node.inputs
    if size.type.ndim:
        return None
    end, limit = index.type.shape[0], size_of(size)
    if dims.lower_bound(limit - end) < 0:
        meaning = f"index {end - 1} is out of range for an axis of size {limit}"
        context.graph.equations.append((Equation(end, limit, meaning, "le"), provenance.here()))
    return index


@rewrite(canonicalize, ops=[Gather], operands=[ANY])
def gather_of_everything(node: Apply, context: Context) -> Variable | None:
    """Reading all positions of an axis in order reads the whole."""
    x, *indices = node.inputs
    axes = node.op.axes  # type: ignore[attr-defined]
    return x if len(axes) == 1 and _counts_all(indices[0], x.type.shape[axes[0]]) else None


@rewrite(canonicalize, ops=[Scatter], operands=[ANY])
def scatter_by_counting(node: Apply, context: Context) -> Variable | None:
    """Writing the first positions of an axis in order is writing a slice."""
    x, y, *indices = node.inputs
    assert isinstance(node.op, Scatter)
    if len(indices) != 1 or not _counts(indices[0]):
        return None
    (axis,) = node.op.axes
    return set_subtensor(x, [slice(None)] * axis + [slice(None, size_value(indices[0].type.shape[0]))], y, node.op.add)


@rewrite(canonicalize, ops=[Gather], operands=[ANY])
def gather_before_elementwise(node: Apply, context: Context) -> Variable | None:
    """Elements are picked before an elementwise op where that computes less: when axes go."""
    whole, *indices = node.inputs
    inner = whole.owner
    if inner is None or not isinstance(inner.op, Elementwise) or node.outputs[0].type.ndim >= whole.type.ndim:
        return None
    axes = node.op.axes  # type: ignore[attr-defined]
    operands = [_picked(v, whole.type.shape, axes, indices) for v in inner.inputs]
    return None if any(v is None for v in operands) else inner.op.make(*operands)[0]  # type: ignore[arg-type]


def _picked(operand: Variable, shape: Sequence[Size], axes: Sequence[int],
            indices: Sequence[Variable]) -> Variable | None:
    """The elements of an operand that go with the picked ones of the whole, which has the given shape."""
    if not operand.type.ndim:
        return operand
    if operand.type.ndim != len(shape) or len(axes) != len(shape):
        return None
    stretched = [axis for axis, (own, size) in enumerate(zip(operand.type.shape, shape)) if own == 1 and size != 1]
    kept = [axis for axis in axes if axis not in stretched]
    narrow = drop_axes(operand, stretched)
    return Gather(tuple(range(len(kept))))(narrow, *(indices[axis] for axis in kept)) if kept else narrow


@rewrite(canonicalize, ops=[Gather], operands=[Dimshuffle])
def gather_before_axes(node: Apply, context: Context) -> Variable | None:
    """Picks of single elements do not mind how axes are permuted."""
    inner = node.inputs[0].owner
    assert inner is not None and isinstance(inner.op, Dimshuffle)
    axes, indices = node.op.axes, node.inputs[1:]  # type: ignore[attr-defined]
    order, x = inner.op.order, inner.inputs[0]
    if len(axes) != len(order) or not x.type.ndim or sorted(a for a in order if a != -1) != list(range(x.type.ndim)):
        return None
    own = [indices[order.index(axis)] for axis in range(x.type.ndim)]
    picked = Gather(tuple(range(x.type.ndim)))(x, *own)
    return picked if picked.type.shape == node.outputs[0].type.shape else None


@rewrite(stabilize, ops=[Scatter], keeps="value")
def one_hot(node: Apply, context: Context) -> Variable | None:
    """Adding one number to each row of zeros is comparing positions with the number's place."""
    x, y, *indices = node.inputs
    assert isinstance(node.op, Scatter)
    inner = spread_of(x)
    if inner is None or number(inner) != 0 or node.op.axes != (0, 1) or x.type.ndim != 2:
        return None
    rows, columns = indices
    if not _counts(rows) or columns.type.shape != rows.type.shape:
        return None
    positions = Iota()(size_value(x.type.shape[1]))
    value = expand_dims(y, [1]) if y.type.ndim else y
    rows_written = switch(eq(positions, expand_dims(columns, [1])), value, zeros_like(y))
    if _counts_all(rows, x.type.shape[0]):
        return rows_written
    return set_subtensor(x, [slice(None, size_value(rows.type.shape[0]))], rows_written)


@rewrite(canonicalize, stabilize, ops=[Reduce], keeps="value")
def sum_of_one_hot(node: Apply, context: Context) -> Variable | None:
    """The sum of a row that holds one number is that number."""
    assert isinstance(node.op, Reduce)
    (whole,) = node.inputs
    choice = whole.owner
    if node.op.kind != "sum" or choice is None or choice.op is not switch or whole.type.ndim != 2:
        return None
    condition, value, other = choice.inputs
    labels = _label(condition)
    if labels is None or node.op.axes != (1,) or number(other) != 0:
        return None
    if value.type.ndim == 2 and value.type.shape[1] != 1:
        return None
    inner = drop_axes(value, [1]) if value.type.ndim == 2 else value if not value.type.ndim else None
    return None if inner is None else spread(inner, node.outputs[0].type.shape)


def _label(condition: Variable) -> Variable | None:
    """The checked positions that a condition compares, one for each row, with counted ones."""
    node = condition.owner
    if node is None or node.op is not eq:
        return None
    for counted, places in (node.inputs, node.inputs[::-1]):
        inner = places.owner
        if counted.owner is None or not isinstance(counted.owner.op, Iota) or counted.type.ndim != 1:
            continue
        if inner is not None and isinstance(inner.op, Dimshuffle) and inner.op.order == (0, -1):
            checked = inner.inputs[0]
            if _is_checked(checked, counted.type.shape[0]):
                return checked
    return None


def _is_checked(index: Variable, size: Size) -> bool:
    node = index.owner
    return (node is not None and node.op is wrap_index and not node.inputs[1].type.ndim
            and size_of(node.inputs[1]) == size)


@rewrite(specialize, ops=[add, sub], keeps="real")
def added_where_it_is_not_zero(node: Apply, context: Context) -> Variable | None:
    """Adding what was added to zeros at some positions is adding there: nothing is done for the other elements.

    So a step down the slope of a table, of which some rows were read, changes these rows.
    """
    for place in (1, 0) if node.op is add else (1,):
        x, term = node.inputs[1 - place], node.inputs[place]
        factor, sum_of = _scaled(term, context)
        inner = sum_of.owner
        if inner is None or not isinstance(inner.op, Scatter) or not inner.op.add or context.uses(sum_of) > 1:
            continue
        zeros, values, *indices = inner.inputs
        spread_number = spread_of(zeros)
        if spread_number is None or number(spread_number) != 0 or x.type.shape != sum_of.type.shape:
            continue
        values = values if factor is None else values * factor
        return inner.op.make(x, neg(values) if node.op is sub else values, *indices)[0]
    return None


def _scaled(variable: Variable, context: Context) -> tuple[Variable | None, Variable]:
    """A product of one number for all elements and something that nothing else uses, taken apart."""
    node = variable.owner
    if node is not None and node.op is mul and context.uses(variable) == 1:
        for factor, rest in (node.inputs, node.inputs[::-1]):
            if not factor.type.ndim and rest.type.ndim == variable.type.ndim:
                return factor, rest
    return None, variable
