"""Expressions for many values at once: a new leading axis through a graph.

An op has a rule that says how it is applied when some of its operands have one axis more, in front; one that has
none is applied in a loop over the values. Sizes must be the same for all values.

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.types.tensor import TensorType
>>> x, many = (Variable(TensorType("float64", [None] * rank)) for rank in (1, 2))
>>> evaluate(vectorize([sum_axes(x * x, [0])], {x: many}), {many: [[1.0, 2.0], [3.0, 4.0]]})
[array([ 5., 25.])]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symtensor.base.errors import GradientError, SymtensorError
from symtensor.ir import provenance
from symtensor.ir.function import Function
from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Op, Variable, describe
from symtensor.ops.assume import Assume
from symtensor.ops.branch import Branch, IfElse
from symtensor.ops.contract import Kron, MatMul
from symtensor.ops.control import Scan
from symtensor.ops.convolution import Convolution
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.ops.fourier import Fourier, RealFourier, RealFourierBack
from symtensor.ops.index import FULL, Gather, Iota, Join, Scatter, SetSubtensor, Subtensor
from symtensor.ops.inverses import Exchange, Inverse, Lu, LuInverse, LuSolve, Pinv, SlogDet
from symtensor.ops.linalg import Cholesky, Solve, SolveTriangular
from symtensor.ops.loop import Carry, Loop, Stack
from symtensor.ops.ordering import Argsort, Cumulate, Search, Select, Sort
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.shape import NEW, Broadcast, Dimshuffle, Reshape, SpecifyShape, broadcast_to, dimshuffle, reshape
from symtensor.ops.size import Dimension, dimension, shape_of, size_of
from symtensor.ops.spectra import Eig, Eigh, Qr, Svd
from symtensor.ops.window import Overlap, WindowReduce, Windows
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["Operand", "vectorize", "vectorizes"]


@dataclass(frozen=True)
class Operand:
    """An operand of an op under its rule: a value, with the new axis in front if `many`."""

    value: Variable
    many: bool
    count: Variable
    """How long the new axis is."""

    @property
    def ndim(self) -> int:
        """The rank without the new axis."""
        return self.value.type.ndim - self.many

    def spread(self) -> Variable:
        """The value with the new axis in any case."""
        return self.value if self.many else broadcast_to(self.value, [self.count, *shape_of(self.value)])

    def padded(self, ndim: int) -> Variable:
        """The value such that it broadcasts to `ndim` axes and, if it has it, the new one in front of them."""
        if not self.many:
            return self.value
        return dimshuffle(self.value, [0, *["x"] * (ndim - self.ndim), *range(1, self.ndim + 1)])


Rule = Callable[[Any, Sequence[Operand]], Variable | Sequence[Variable] | None]
_rules: dict[type[Op], Rule] = {}


def vectorizes(*classes: type[Op]) -> Callable[[Rule], Rule]:
    """Decorator: `f(op, operands)` is the application of an op of these classes with one axis more in front.

    None is the loop over the values.
    """
    def register(rule: Rule) -> Rule:
        _rules.update(dict.fromkeys(classes, rule))
        return rule
    return register


def vectorize(outputs: Sequence[Variable], many: Mapping[Variable, Variable]) -> list[Variable]:
    """The outputs with one axis more in front, when the keys of `many` become its values, which have one.

    All values of `many` have leading axes of one length. Raises GradientError for an op whose sizes would differ along
    the new axis.
    """
    changed = dict(many)
    count = dimension(next(iter(many.values())), 0)
    leading = set(many)
    for node in applications(outputs, many):
        if not any(v in changed for v in node.inputs):
            continue
        operands = [Operand(changed.get(v, v), v in leading, count) for v in node.inputs]
        with provenance.attributed(node.lines):
            if isinstance(node.op, Dimension):  # a size is one for all
                changed[node.outputs[0]] = dimension(operands[0].value, node.op.axis + operands[0].many)
            elif not any(operand.many for operand in operands):
                changed.update(zip(node.outputs, node.op.make(*(operand.value for operand in operands))))
            else:
                changed.update(zip(node.outputs, _applied(node, operands)))
                leading.update(node.outputs)
    return [changed[v] if v in leading else Operand(changed.get(v, v), False, count).spread() for v in outputs]


def _applied(node: Apply, operands: Sequence[Operand]) -> Sequence[Variable]:
    rule, fixed = _rules.get(type(node.op)), node.op.sizes_from  # from here on: sizes and bounds
    differs = fixed is not None and any(operand.many for operand in operands[fixed:])
    results = None if rule is None or differs else rule(node.op, operands)
    if results is None:
        results = _one_by_one(node, operands)
    return [results] if isinstance(results, Variable) else results


def _one_by_one(node: Apply, operands: Sequence[Operand]) -> Sequence[Variable]:
    """A loop over the values: for an op without a rule, or operands for which a rule does nothing."""
    loop = Loop(operands[0].count)
    owns, sizes = [], dict[Size, Size]()
    for operand in operands:
        own = _own(operand, sizes)
        (loop.rows if operand.many else loop.others)[own] = operand.value
        owns.append(own)
    stacks = [loop.stack(result) for result in node.op.make(*owns)]
    try:
        made = loop.make()
    except SymtensorError as error:
        raise GradientError(f"{node.op} would have different sizes along an axis of many values",
                            where=provenance.describe(node.lines), operands=map(describe, node.inputs),
                            fix="compute the values one by one, or pad them to one size") from error
    return [made[stack] for stack in stacks]


def _own(operand: Operand, sizes: dict[Size, Size]) -> Variable:
    """What stands for an operand in a step: sizes that are equal outside are equal there."""
    outer = operand.value.type
    own = Variable(TensorType(outer.dtype, outer.static_shape[operand.many:]))
    shape = [size if isinstance(size, int) else sizes.setdefault(size, new)
             for size, new in zip(outer.shape[operand.many:], own.type.shape)]
    own.type = TensorType.of(outer.dtype, tuple(shape))
    return own


# -- the rules --------------------------------------------------------------------------------------------

@vectorizes(Elementwise, Cast)
def _(op: Elementwise, operands: Sequence[Operand]) -> Variable:
    ndim = max(operand.ndim for operand in operands)
    return op.make(*(operand.padded(ndim) for operand in operands))[0]


@vectorizes(Reduce)
def _(op: Reduce, operands: Sequence[Operand]) -> Variable:
    return Reduce(op.kind, tuple(axis + 1 for axis in op.axes)).make(operands[0].value)[0]


@vectorizes(ArgReduce)
def _(op: ArgReduce, operands: Sequence[Operand]) -> Variable:
    return ArgReduce(op.kind, op.axis + 1).make(operands[0].value)[0]


@vectorizes(Argsort, Cumulate, Select, Sort)
def _(op: Argsort | Cumulate | Select | Sort, operands: Sequence[Operand]) -> Variable:
    return replace(op, axis=op.axis + 1).make(*(operand.value for operand in operands))[0]


@vectorizes(Dimshuffle)
def _(op: Dimshuffle, operands: Sequence[Operand]) -> Variable:
    order = (0, *(axis if axis == NEW else axis + 1 for axis in op.order))
    return Dimshuffle(order).make(operands[0].value)[0]


@vectorizes(Reshape, SpecifyShape)
def _(op: Reshape | SpecifyShape, operands: Sequence[Operand]) -> Variable:
    x, *sizes = operands
    return type(op)(op.ndim + 1).make(x.value, x.count, *(size.value for size in sizes))[0]


@vectorizes(Broadcast)
def _(op: Broadcast, operands: Sequence[Operand]) -> Variable:
    x, *sizes = operands
    return Broadcast(op.ndim + 1).make(x.padded(op.ndim), x.count, *(size.value for size in sizes))[0]


@vectorizes(Subtensor)
def _(op: Subtensor, operands: Sequence[Operand]) -> Variable:
    return Subtensor((FULL, *op.entries)).make(*(operand.value for operand in operands))[0]


@vectorizes(SetSubtensor)
def _(op: SetSubtensor, operands: Sequence[Operand]) -> Variable:
    x, y, *bounds = operands
    region = sum(not entry.pick for entry in op.entries)
    inner = SetSubtensor((FULL, *op.entries), op.add)
    return inner.make(x.spread(), y.padded(region), *(bound.value for bound in bounds))[0]


@vectorizes(Join)
def _(op: Join, operands: Sequence[Operand]) -> Variable:
    return Join(op.axis + 1).make(*(operand.spread() for operand in operands))[0]


@vectorizes(MatMul)
def _(op: MatMul, operands: Sequence[Operand]) -> Variable:
    a, b = operands
    if not b.many and b.ndim == 2:  # all rows of all left matrices, times the one right matrix
        count, m, k = shape_of(a.value)
        return reshape(op.make(reshape(a.value, (count * m, k)), b.value)[0], (count, m, dimension(b.value, 1)))
    return op.make(a.spread(), b.spread())[0]


@vectorizes(Assume, Cholesky, Eig, Eigh, Exchange, Inverse, Kron, Lu, LuInverse, LuSolve, Pinv, Qr, SlogDet, Svd)
def _(op: Op, operands: Sequence[Operand]) -> Sequence[Variable]:
    """Matrices of one more axis in the batch."""
    return op.make(*(operand.spread() for operand in operands))


@vectorizes(Solve, SolveTriangular)
def _(op: Solve | SolveTriangular, operands: Sequence[Operand]) -> Variable:
    a, b = operands
    if a.many or a.ndim != 2:
        return op.make(a.spread(), b.spread())[0]
    count, n, columns = shape_of(b.value)  # the columns of all right sides, for the one matrix
    solved = op.make(a.value, reshape(dimshuffle(b.value, [1, 0, 2]), (n, count * columns)))[0]
    return dimshuffle(reshape(solved, (n, count, columns)), [1, 0, 2])


@vectorizes(Gather)
def _(op: Gather, operands: Sequence[Operand]) -> Variable:
    x, *indices = operands
    if any(index.many for index in indices):
        return _gathered(op, x, indices)
    result = Gather(tuple(axis + 1 for axis in op.axes)).make(x.value, *(index.value for index in indices))[0]
    place = _place(op.axes, indices)
    rest = [axis for axis in range(result.type.ndim) if axis != place]
    return dimshuffle(result, [place, *rest])


def _gathered(op: Gather, x: Operand, indices: Sequence[Operand]) -> Variable:
    """Elements at positions that differ from value to value: of each value's own tensor, if that differs too."""
    rank = max(index.ndim for index in indices)
    if x.many:
        places = [_numbers(x, rank), *(index.padded(rank) for index in indices)]
        result = Gather((0, *(axis + 1 for axis in op.axes))).make(x.value, *places)[0]
        first = 0
    else:
        result = Gather(op.axes).make(x.value, *(index.padded(rank) for index in indices))[0]
        first = op.front
    order = [axis for axis in range(result.type.ndim) if not first <= axis <= first + rank]
    order[op.front:op.front] = range(first + 1, first + 1 + rank)
    return dimshuffle(result, [first, *order])


def _numbers(x: Operand, rank: int) -> Variable:
    """The number of each value, along the new axis in front of `rank` others."""
    return dimshuffle(Iota()(x.count), [0, *["x"] * rank])


@vectorizes(Scatter)
def _(op: Scatter, operands: Sequence[Operand]) -> Variable:
    x, y, *indices = operands
    rank = max(index.ndim for index in indices)
    region = x.ndim - len(op.axes) + rank
    if any(index.many for index in indices):
        front = Gather(op.axes).front
        order = [*range(front, front + rank), *range(front), *range(front + rank, region)]
        shown = y.padded(region) if y.many else dimshuffle(y.value, ["x"] * (1 + region - y.ndim) + list(range(y.ndim)))
        places = [_numbers(x, rank), *(index.padded(rank) for index in indices)]
        return Scatter((0, *(axis + 1 for axis in op.axes)), op.add).make(
            x.spread(), dimshuffle(shown, [0, *(axis + 1 for axis in order)]), *places)[0]
    axes: list[Any] = ["x"] * (region - y.ndim) + [axis + y.many for axis in range(y.ndim)]
    axes.insert(_place(op.axes, indices), 0 if y.many else "x")
    inner = Scatter(tuple(axis + 1 for axis in op.axes), op.add)
    return inner.make(x.spread(), dimshuffle(y.value, axes), *(index.value for index in indices))[0]


def _place(axes: Sequence[int], indices: Sequence[Operand]) -> int:
    """Where the new axis stands among those of what is gathered: behind the arrays' axes if these come first."""
    neighbours = axes[-1] - axes[0] + 1 == len(axes)
    return 0 if neighbours else max(index.ndim for index in indices)


@vectorizes(Scan)
def _(op: Scan, operands: Sequence[Operand]) -> Sequence[Variable]:
    """A loop whose steps do all values at once."""
    if op.until:
        raise GradientError("a loop that ends early would end at different steps for many values")
    loop = Loop.over(op, [operand.value for operand in operands])
    given = dict(zip(loop.parameters, operands))
    always = {carry.own for carry in loop.carries}
    many = {own: Variable(_many_type(own, size_of(operand.count))) for own, operand in given.items()
            if operand.many or own in always}
    values = vectorize(loop.results, many)
    count = len(loop.carries)
    over = Loop(loop.steps, [Carry(many[c.own], given[c.own].spread(), new) for c, new in zip(loop.carries, values)],
                {many.get(own, own): _swapped(array) if own in many else array for own, array in loop.rows.items()},
                {many.get(own, own): value for own, value in loop.others.items()},
                [Stack(value) for value in values[count:]], None, loop.backwards, loop.truncate, loop.recompute)
    made = over.make()
    return [*(made[carry] for carry in over.carries), *(_swapped(made[stack]) for stack in over.stacks)]


@vectorizes(RealFourier, Fourier)
def _(op: RealFourier | Fourier, operands: Sequence[Operand]) -> Variable:
    return _folded(op, [operands[0]], 0, ())


@vectorizes(RealFourierBack)
def _(op: RealFourierBack, operands: Sequence[Operand]) -> Variable:
    return _folded(op, [operands[0]], 0, (operands[1].value,))


@vectorizes(Convolution)
def _(op: Convolution, operands: Sequence[Operand]) -> Variable | None:
    """Batches of many values are one batch; values that have filters of their own are taken one by one."""
    batched = {"output": 0, "images": 1}.get(op.of)
    if batched is None or operands[1 - batched].many:
        return None
    return _folded(op, operands[:2], batched, [size.value for size in operands[2:]])


def _folded(op: Op, operands: Sequence[Operand], batched: int, sizes: Sequence[Variable]) -> Variable:
    """An op for which the first axis of an operand, and of its result, is a batch: with one batch for all values."""
    count, batch, *rest = shape_of(operands[batched].value)
    values = [operand.value for operand in operands]
    values[batched] = reshape(values[batched], (count * batch, *rest))
    result = op.make(*values, *sizes)[0]
    return reshape(result, (count, batch, *shape_of(result)[1:]))


@vectorizes(Overlap, WindowReduce, Windows)
def _(op: Overlap | WindowReduce | Windows, operands: Sequence[Operand]) -> Variable:
    x, *sizes = operands
    moved = op.window.moved(range(1, x.ndim + 1))
    return replace(op, window=moved).make(x.value, *(size.value for size in sizes))[0]


@vectorizes(Search)
def _(op: Search, operands: Sequence[Operand]) -> Variable | None:
    ascending, values = operands
    return None if ascending.many else op.make(ascending.value, values.value)[0]


@vectorizes(IfElse)
def _(op: IfElse, operands: Sequence[Operand]) -> Sequence[Variable] | None:
    if operands[0].many:
        return None
    return op.make(operands[0].value, *(operand.spread() for operand in operands[1:]))


@vectorizes(Branch)
def _(op: Branch, operands: Sequence[Operand]) -> Sequence[Variable] | None:
    """A branch whose sides do all values at once."""
    if operands[0].many:
        return None
    condition, given = operands[0].value, operands[1:]
    functions = []
    for function in op.functions().values():
        pairs, count = list(zip(function.parameters, given)), dims.symbol("many")
        many = {own: Variable(_many_type(own, count)) for own, operand in pairs if operand.many}
        parameters = [many.get(own, own) for own, _ in pairs]
        functions.append(Function.of(parameters, vectorize(function.results, many)))
    return Branch(*functions).make(condition, *(operand.value for operand in given))


def _many_type(variable: Variable, count: Size) -> TensorType:
    return TensorType.of(variable.type.dtype, (count, *variable.type.shape))


def _swapped(x: Variable) -> Variable:
    """`x` with its first two axes exchanged."""
    return dimshuffle(x, [1, 0, *range(2, x.type.ndim)])
