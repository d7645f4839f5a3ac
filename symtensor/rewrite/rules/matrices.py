"""Matrix products in the form that libraries compute: alpha op(a) op(b) + beta c.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.contract import matmul, swap_last
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> w, a, b = (Variable(TensorType("float32", (None, None)), name=name) for name in "wab")
>>> graph = Graph([w, a, b], [w - 0.1 * matmul(swap_last(a), b)])
>>> history = run_phase(graph, contract)
>>> graph.outputs, graph.outputs[0].owner.inputs
([gemm(w, a.T, b, -0.10000000149011612, 1.0)], (w, a.T, b, -0.10000000149011612, 1.0))
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.contract import Gemm, MatMul, swap_last
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.reduce import Reduce
from symtensor.ops.scalar import add, mul, neg, sub
from symtensor.ops.shape import NEW, expand_dims
from symtensor.rewrite.algebra import number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import canonicalize, contract, specialize
from symtensor.rewrite.rules.spreading import spread, spread_of
from symtensor.rewrite.rules.views import shuffled
from symtensor.types.dtype import FLOATS, numpy_dtype

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


def _same_shape(left: Variable, right: Variable) -> bool:
    return left.type.shape == right.type.shape


# -- products that are found ------------------------------------------------------------------------------

@rewrite(contract, ops=[Reduce], operands=[mul], keeps="real")
def sum_of_outer_product(node: Apply, context: Context) -> Variable | None:
    """sum over k of a[i, k] b[k, j], written with new axes, is a matrix product."""
    (whole,) = node.inputs
    assert isinstance(node.op, Reduce)
    a, b = (_with_all_axes(v, whole.type.ndim) for v in whole.owner.inputs)  # type: ignore[union-attr]
    if node.op.kind != "sum" or len(node.op.axes) != 1 or whole.type.dtype not in FLOATS or context.uses(whole) > 1:
        return None
    (k,) = node.op.axes
    rest = [axis for axis in range(whole.type.ndim) if axis != k and whole.type.shape[axis] != 1]
    only_a = [axis for axis in rest if b.type.shape[axis] == 1]
    only_b = [axis for axis in rest if a.type.shape[axis] == 1]
    batch = [axis for axis in rest if axis not in only_a + only_b]
    if len(only_a) != 1 or len(only_b) != 1 or 1 in (a.type.shape[k], b.type.shape[k]):
        return None
    product = MatMul()(shuffled(a, [*batch, *only_a, k]), shuffled(b, [*batch, k, *only_b]))
    made = [*batch, *only_a, *only_b]
    return shuffled(product, [made.index(axis) if axis in made else NEW
                              for axis in range(whole.type.ndim) if axis != k])


def _with_all_axes(x: Variable, ndim: int) -> Variable:
    return shuffled(x, [NEW] * (ndim - x.type.ndim) + list(range(x.type.ndim)))


@rewrite(specialize, ops=[MatMul], keeps="real")
def product_over_single_elements(node: Apply, context: Context) -> Variable | None:
    """A column times a row is a product element by element; a row times a column is a sum."""
    a, b = node.inputs
    if a.type.shape[-1] == 1 and b.type.shape[-2] == 1:
        return a * b
    if a.type.shape[-2] == 1 and b.type.shape[-1] == 1:
        last = a.type.ndim - 1
        return expand_dims(Reduce("sum", (last,))(a * swap_last(b)), [last])
    return None


@rewrite(canonicalize, ops=[MatMul], keeps="finite")
def product_with_zeros(node: Apply, context: Context) -> Variable | None:
    """Zeros times anything are zeros: the first state of a recurrence."""
    for operand in node.inputs:
        inner = spread_of(operand)
        if inner is not None and number(inner) == 0:
            return spread(inner, node.outputs[0].type.shape)
    return None


@rewrite(canonicalize, ops=[MatMul], keeps="real")
def scalar_out_of_product(node: Apply, context: Context) -> Variable | None:
    """Scalars and signs go out of matrix products, where they meet others or become alpha."""
    for position, operand in enumerate(node.inputs):
        inner = operand.owner
        if inner is None or context.uses(operand) > 1:
            continue
        others = list(node.inputs)
        if inner.op is neg:
            others[position] = inner.inputs[0]
            return -node.op(*others)
        if inner.op is mul and 0 in (v.type.ndim for v in inner.inputs):
            scalar, others[position] = sorted(inner.inputs, key=lambda v: v.type.ndim)
            return scalar * node.op(*others)
    return None


# -- products that are accumulated ------------------------------------------------------------------------

@dataclass(frozen=True)
class _Term:
    """A summand: a scalar times a core."""

    core: Variable
    scale: Variable

    @classmethod
    def of(cls, variable: Variable, context: Context) -> _Term:
        """The summand with what only it uses taken apart."""
        one = Constant(np.ones((), numpy_dtype(variable.type.dtype)))
        term = cls(variable, one)
        while True:
            node = term.core.owner
            if node is None or context.uses(term.core) != 1:
                return term
            if node.op is neg:
                term = cls(node.inputs[0], -term.scale)
            elif node.op is mul and 0 in (v.type.ndim for v in node.inputs):
                scalar, core = sorted(node.inputs, key=lambda v: v.type.ndim)
                term = cls(core, scalar if term.scale is one else term.scale * scalar)
            else:
                return term

    @property
    def is_product(self) -> bool:
        node = self.core.owner
        return node is not None and isinstance(node.op, (MatMul, Gemm))


@rewrite(contract, ops=[add, sub], keeps="real")
def accumulated_product(node: Apply, context: Context) -> Variable | None:
    """c + alpha a b is one call of a library when c is in memory anyway."""
    (root,) = node.outputs
    if root.type.dtype not in FLOATS or root.type.ndim < 2 or not all(_same_shape(v, root) for v in node.inputs):
        return None
    left, right = (_Term.of(v, context) for v in node.inputs)
    if node.op is sub:
        right = replace(right, scale=-right.scale)
    for product, rest in ((right, left), (left, right)):
        if _accumulates(product, rest, root, context):
            a, b = product.core.owner.inputs  # type: ignore[union-attr]
            return Gemm()(rest.core, a, b, product.scale, rest.scale)
    return None


def _accumulates(product: _Term, rest: _Term, root: Variable, context: Context) -> bool:
    inner = product.core.owner
    if inner is None or not isinstance(inner.op, MatMul) or context.uses(product.core) != 1:
        return False
    if not (_same_shape(product.core, root) and _same_shape(rest.core, root)):
        return False
    if rest.is_product:
        return context.uses(rest.core) == 1
    user = context.sole_user(root)
    fuses_on = user is not None and isinstance(user.op, Elementwise)
    return rest.core.owner is None and not fuses_on
