"""What all steps of a loop can do at once: matrix products before the loop, after it, and summed over it.

>>> from symtensor.ops.loop import Stack
>>> from symtensor.types.tensor import TensorType
>>> xs, w = (TensorType("float64", (None,) * rank)(name) for rank, name in ((3, "xs"), (2, "w")))
>>> x, own, n = Variable(w.type), Variable(w.type), TensorType("int64", ())("n")
>>> loop = Loop(n, rows={x: xs}, others={own: w}, stacks=[Stack(matmul(x, own) + 1)])
>>> node = next(iter(loop.make().values())).owner
>>> view = View(node, {node.outputs[0]: [None]})
>>> rows_at_once(view), len(view.loop.others), [array.type.ndim for array in view.loop.rows.values()]
(True, 0, [3])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial

from symtensor.ir.graph import applications, leaves
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops import scalar
from symtensor.ops.contract import MatMul, is_swap, matmul, swap_last
from symtensor.ops.index import subtensor
from symtensor.ops.loop import Carry, Loop
from symtensor.ops.reduce import Reduce, sum_axes
from symtensor.ops.shape import reshape
from symtensor.ops.size import dimension
from symtensor.ops.vectorize import vectorize
from symtensor.rewrite.loops.view import Expression, Part, View

__all__ = ["products_summed_at_once", "results_at_once", "rows_at_once"]


def rows_at_once(view: View) -> bool:
    """Matrix products of rows of sequences, and what follows from them alone, are done for all rows before the loop."""
    loop = view.loop
    if loop.recompute:
        return False
    nodes = applications(loop.results, set(loop.parameters))
    free = set(loop.rows) | set(loop.others)
    of_rows, products = set(loop.rows), set()  # type: set[Variable], set[Variable]
    for node in nodes:
        if not all(v in free or isinstance(v, Constant) for v in node.inputs):
            continue
        free.update(node.outputs)
        if any(v in of_rows for v in node.inputs):
            of_rows.update(node.outputs)
            if isinstance(node.op, MatMul) or any(v in products for v in node.inputs):
                products.update(node.outputs)
    uses = [v for node in nodes if node.outputs[0] not in products for v in node.inputs] + loop.results
    early = list(dict.fromkeys(v for v in uses if v in products))
    if not early:
        return False
    copies = {v: Variable(v.type, name=v.name) for v in early}
    loop.rows.update(zip(copies.values(), _at_once(loop, early, {})))
    loop.replace(copies)
    loop.forget_unused()
    return True


def _at_once(loop: Loop, values: Sequence[Variable], stacked: Mapping[Variable, Variable]) -> list[Variable]:
    """Values of all steps, from the arrays whose rows each step is given and from stacks of other values."""
    whole = [slice(None, loop.steps)]
    arrays = {**{own: subtensor(array, whole) for own, array in loop.rows.items()}, **stacked}
    many = {own: Variable(array.type) for own, array in arrays.items()}
    return loop.outside(vectorize(values, many), {**{many[own]: array for own, array in arrays.items()}, **loop.others})


def products_summed_at_once(view: View) -> bool:
    """A sum over the steps of matrix products, or of sums, is one product, or one sum, after the loop."""
    loop, changed = view.loop, False
    if loop.stop is not None or loop.recompute:
        return False
    for carry in list(loop.carries):
        added = _added(loop, carry)
        if added is None or added.owner is None or not isinstance(added.owner.op, (MatMul, Reduce)):
            continue
        build = _summed(loop, added.owner)
        if build is None:
            continue
        parts, total = build
        loop.carries.remove(carry)
        view.replaced[carry] = Expression(parts, partial(_plus, carry.first, total))
        loop.forget_unused()
        changed = True
    return changed


def _plus(first: Variable, total: Callable[..., Variable], *stacks: Variable) -> Variable:
    return scalar.add(first, total(*stacks))  # type: ignore[no-any-return]


def _added(loop: Loop, carry: Carry) -> Variable | None:
    """What each step adds to a carried value that it does nothing else with."""
    added = carry.added
    if added is None:
        return None
    others = [added, *(c.new for c in loop.carries if c is not carry), *(s.value for s in loop.stacks)]
    alone = carry.own not in loop.used(others) and added.type.ndim == carry.own.type.ndim
    return added if alone and added.type.broadcastable == carry.own.type.broadcastable else None


def _summed(loop: Loop, node: Apply) -> tuple[list[Part], Callable[..., Variable]] | None:
    """The stacks that a sum over all steps of what a node computes is made from, and how."""
    whole = [slice(None, loop.steps)]
    arrays = {own: subtensor(array, whole) for own, array in loop.rows.items()}
    varying = loop.used(node.inputs) - set(loop.others)
    if not varying or any(v in loop.others or isinstance(v, Constant) for v in node.inputs):
        return None
    if isinstance(node.op, MatMul) and node.outputs[0].type.ndim == 2:
        operands = [_transposed(node.inputs[0]), node.inputs[1]]
        total: Callable[..., Variable] = _product_of_all
    elif isinstance(node.op, Reduce) and node.op.kind == "sum" and (
            node.inputs[0] in arrays or any(one.value is node.inputs[0] for one in loop.stacks)):
        operands, total = [node.inputs[0]], partial(_sum_of_all, node.op.axes)
    else:
        return None
    parts = [None if v in arrays else loop.stack(v) for v in operands]
    fixed = [arrays.get(v) for v in operands]
    given = [part for part in parts if part is not None]

    def build(*stacks: Variable) -> Variable:
        found = iter(stacks)
        return total(*(next(found) if known is None else known for known in fixed))
    return list(given), build


def _transposed(x: Variable) -> Variable:
    """A matrix with its axes exchanged."""
    return x.owner.inputs[0] if is_swap(x) and x.owner is not None else swap_last(x)


def _product_of_all(a: Variable, b: Variable) -> Variable:
    """The sum over t of transpose(a[t]) @ b[t]."""
    rows = [reshape(x, (dimension(x, 0) * dimension(x, 1), dimension(x, 2))) for x in (a, b)]
    return matmul(swap_last(rows[0]), rows[1])


def _sum_of_all(axes: Sequence[int], x: Variable) -> Variable:
    return sum_axes(x, [0, *(axis + 1 for axis in axes)])


def results_at_once(view: View) -> bool:
    """Matrix products that only stacks need, and what follows from them, are done for all steps after the loop."""
    loop, changed = view.loop, False
    if loop.stop is not None or loop.recompute:
        return False
    parameters = set(loop.parameters)
    path = {v for node in applications([c.new for c in loop.carries], parameters) for v in node.outputs}
    for one in list(loop.stacks):
        nodes = applications([one.value], parameters | path)
        if one.value in path or not any(isinstance(node.op, MatMul) for node in nodes):
            continue
        known = set(loop.rows) | set(loop.others)
        edge = [v for v in leaves([one.value], parameters | path) if v not in known and not isinstance(v, Constant)]
        parts = [loop.stack(v) for v in edge]
        loop.stacks.remove(one)
        view.replaced[one] = Expression(parts, partial(_late, _as_it_is(loop), one.value, edge))
        loop.forget_unused()
        changed = True
    return changed


def _as_it_is(loop: Loop) -> Loop:
    """A loop's parameters and what they are given, which later changes of the loop leave alone."""
    return Loop(loop.steps, [copy(carry) for carry in loop.carries], dict(loop.rows), dict(loop.others))


def _late(loop: Loop, value: Variable, edge: Sequence[Variable], *stacks: Variable) -> Variable:
    """A value of all steps of a loop, from stacks of what it is computed from."""
    return _at_once(loop, [value], dict(zip(edge, stacks)))[0]
