"""Linear algebra in the form that libraries compute: what is no routine is made of routines, and factors are shared.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.inverses import Inverse, SlogDet
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> a = Variable(TensorType("float64", (3, 3)), name="a")
>>> graph = Graph([a], [SlogDet()(a)[1], Inverse()(a)])
>>> history = run_phase(graph, contract)
>>> sorted({str(node.op) for node in graph.nodes()} & {"lu", "lu_inverse", "inverse", "slogdet"})
['lu', 'lu_inverse']
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.ops.assume import Assume
from symtensor.ops.contract import Kron, blocks_of, is_swap, matmul, swap_last
from symtensor.ops.inverses import Inverse, Lu, LuInverse, LuSolve, Pinv, SlogDet, factored_determinant
from symtensor.ops.linalg import Solve, adjoint
from symtensor.ops.shape import expand_dims
from symtensor.ops.spectra import Svd, over_singular
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import Replacements, rewrite, rewrite_graph
from symtensor.rewrite.rules import contract
from symtensor.types.dtype import COMPLEX

__all__: list[str] = []


@rewrite(contract, ops=[Assume], keeps="exact")
def assumption_used(node: Apply, context: Context) -> Variable | None:
    """What was assumed of a matrix has been used by now."""
    return node.inputs[0]


@rewrite(contract, ops=[Kron], keeps="exact")
def kronecker_product_by_elements(node: Apply, context: Context) -> Variable | None:
    """What is left of Kronecker products are products of elements."""
    return blocks_of(*node.inputs)


@rewrite(contract, ops=[Pinv], keeps="real")
def pseudo_inverse_by_singular_values(node: Apply, context: Context) -> Variable | None:
    """pinv(u diag(s) v') is v diag(1/s) u', where s counts."""
    assert isinstance(node.op, Pinv)
    u, values, across = Svd(False, True)(node.inputs[0])
    _, over = over_singular(values, np.asarray(node.op.rcond, values.type.dtype))
    return matmul(adjoint(across), expand_dims(over, [over.type.ndim]) * adjoint(u))


@rewrite_graph(contract)
def one_factorization(graph: Graph) -> Replacements:
    """Solutions, the inverse and the determinant of one matrix, or of its transpose, come from one factorization.

    So does the determinant of complex matrices always, for which there is no routine.
    """
    users: dict[Variable, list[Apply]] = {}
    for node in graph.nodes():
        if isinstance(node.op, (Solve, Inverse, SlogDet)):
            users.setdefault(_untransposed(node.inputs[0]), []).append(node)
    return {node: _from_factors(node, matrix) for matrix, nodes in users.items()
            if len(nodes) > 1 or _is_complex_determinant(nodes[0]) for node in nodes}


def _is_complex_determinant(node: Apply) -> bool:
    return isinstance(node.op, SlogDet) and node.inputs[0].type.dtype in COMPLEX


def _untransposed(x: Variable) -> Variable:
    return x.owner.inputs[0] if x.owner is not None and is_swap(x) else x


def _from_factors(node: Apply, matrix: Variable) -> Sequence[Variable]:
    """The outputs of a node, from the factors of its matrix or of the transpose of that."""
    packed, exchanges = Lu()(matrix)
    transposed = node.inputs[0] is not matrix
    if isinstance(node.op, Solve):
        return [LuSolve(transposed)(packed, exchanges, node.inputs[1])]
    if isinstance(node.op, Inverse):
        inverse = LuInverse()(packed, exchanges)
        return [swap_last(inverse) if transposed else inverse]
    return factored_determinant(packed, exchanges)
