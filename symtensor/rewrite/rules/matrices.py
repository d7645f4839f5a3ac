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
([gemm_ta], (w, a, b, -0.10000000149011612, 1.0))
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.contract import Gemm, MatMul
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.scalar import add, mul, neg, sub
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import contract
from symtensor.rewrite.rules.views import is_swap
from symtensor.types.dtype import FLOATS, numpy_dtype

__all__: list[str] = []


def _same_shape(left: Variable, right: Variable) -> bool:
    return left.type.shape == right.type.shape


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
            return _gemm(rest, a, b, product.scale)
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


def _gemm(rest: _Term, a: Variable, b: Variable, alpha: Variable) -> Variable:
    """alpha a b + rest, with exchanged axes of a and b as flags."""
    flags = is_swap(a), is_swap(b)
    a, b = (v.owner.inputs[0] if swapped else v for v, swapped in zip((a, b), flags))  # type: ignore[union-attr]
    return Gemm(*flags)(rest.core, a, b, alpha, rest.scale)  # type: ignore[no-any-return]
