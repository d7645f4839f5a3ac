"""Inverses and solutions: a system in the place of an inverse, and what is known of a matrix put to use.

Rules that rely on facts come after derivatives: the derivative by a matrix is that of the expression as it is written.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.rewrite.phases import optimize
>>> from symtensor.types.tensor import TensorType
>>> a, b = (Variable(TensorType("float64", (3, 3)), name=name) for name in "ab")
>>> graph = Graph([a, b], [matmul(Inverse()(a), b), Solve()(Assume(("positive_definite",))(a), b)])
>>> history = optimize(graph)
>>> [variable.owner.op for variable in graph.outputs]
[solve, solve_triangular[lower, transposed]]
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Variable
from symtensor.ops import scalar
from symtensor.ops.assume import Assume
from symtensor.ops.contract import Kron, MatMul, is_swap, matmul, swap_last
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota, gather
from symtensor.ops.inverses import Inverse, Pinv
from symtensor.ops.linalg import Cholesky, Solve, SolveTriangular, diagonal_only
from symtensor.ops.shape import Dimshuffle, expand_dims
from symtensor.ops.size import size_value
from symtensor.rewrite.engine import Context
from symtensor.rewrite.facts import facts_of, holds
from symtensor.rewrite.pattern import later
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.rewrite.rules.spreading import spread

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__ = ["diagonal_of", "is_square"]

swapped = later(swap_last)
inverse, solve = Inverse(), Solve()


def is_square(x: Variable) -> bool:
    """Whether the matrices of `x` are known to be square."""
    return x.type.shape[-1] == x.type.shape[-2]


def diagonal_of(x: Variable) -> Variable:
    """The diagonals of square matrices."""
    last = x.type.ndim - 1
    places = Iota()(size_value(x.type.shape[last]))
    return gather(x, {last - 1: places, last: places})


@later
def identity(x: Variable) -> Variable:
    """Identities of the shape of `x`."""
    places = Iota()(size_value(x.type.shape[-1]))
    return spread(cast(scalar.eq(expand_dims(places, [1]), places), x.type.dtype), x.type.shape)


# -- whatever is known ------------------------------------------------------------------------------------

@rule(canonicalize, keeps="real")
def inverse_of_inverse(a):
    """Is the matrix itself."""
    return inverse(inverse(a)), a


@rule(canonicalize, keeps="real")
def inverse_times(a, b):
    """A system is solved with fewer operations, and more exactly, than a matrix is inverted."""
    return matmul(inverse(a), b), solve(a, b)


@rule(canonicalize, keeps="real")
def times_inverse(a, b):
    """The system of the transposes."""
    return matmul(b, inverse(a)), swapped(solve(swapped(a), swapped(b)))


@rule(canonicalize, keeps="real")
def solution_by_inverse(a, b):
    """The system of an inverse is a product."""
    return solve(inverse(a), b), matmul(a, b)


@rule(canonicalize, keeps="real")
def solution_by_itself(a):
    """Is the identity."""
    return solve(a, a), identity(a)


@rule(canonicalize, keeps="real", when=lambda a, b: is_square(a) and is_square(b))
def inverse_of_kronecker_product(a, b):
    """The inverses of small matrices in the place of that of a large one."""
    return inverse(Kron()(a, b)), Kron()(inverse(a), inverse(b))


@rule(canonicalize, keeps="real", rcond=[1e-15])
def pseudo_inverse_of_pseudo_inverse(a, rcond):
    """Is the matrix itself."""
    return Pinv(rcond)(Pinv(rcond)(a)), a


@rewrite(canonicalize, ops=[Dimshuffle], operands=[Inverse], keeps="real")
def transposed_inverse(node: Apply, context: Context) -> Variable | None:
    """The inverse of the transpose: transposes go to where matrices are read."""
    (inner,) = node.inputs
    assert inner.owner is not None
    return Inverse()(swap_last(inner.owner.inputs[0])) if is_swap(node.outputs[0]) else None


# -- what is known of a matrix ----------------------------------------------------------------------------

@rewrite(specialize, ops=[Dimshuffle], keeps="real")
def transposed_symmetric(node: Apply, context: Context) -> Variable | None:
    """A symmetric matrix is its own transpose."""
    return node.inputs[0] if is_swap(node.outputs[0]) and holds("symmetric", node.inputs[0]) else None


@rule(specialize, keeps="real", facts={"a": "identity"})
def identity_times(a, b):
    """The identity changes nothing."""
    return matmul(a, b), b


@rule(specialize, keeps="real", facts={"b": "identity"})
def times_identity(a, b):
    """The identity changes nothing."""
    return matmul(a, b), a


@rewrite(specialize, ops=[MatMul], keeps="real")
def product_that_is_identity(node: Apply, context: Context) -> Variable | None:
    """q' q for an orthogonal q."""
    return identity(node.outputs[0]) if holds("identity", node.outputs[0]) else None


@rule(specialize, keeps="real", facts={"a": "orthogonal"})
def inverse_of_orthogonal(a):
    """Is the transpose."""
    return inverse(a), swapped(a)


@rule(specialize, keeps="real", facts={"a": "orthogonal"})
def solution_by_orthogonal(a, b):
    """The transpose is the inverse."""
    return solve(a, b), matmul(swapped(a), b)


def _as_columns(a: Variable) -> Variable:
    diagonal = diagonal_of(a)
    return expand_dims(diagonal, [diagonal.type.ndim])


@rule(specialize, keeps="real", facts={"a": "diagonal"})
def inverse_of_diagonal(a):
    """Where an element of the diagonal is zero it becomes infinite."""
    return inverse(a), later(diagonal_only)(1 / later(diagonal_of)(a))


@rule(specialize, keeps="real", facts={"a": "diagonal"})
def solution_by_diagonal(a, b):
    """Where an element of the diagonal is zero the result is infinite or NaN."""
    return solve(a, b), b / later(_as_columns)(a)


@rule(specialize, keeps="real", facts={"a": "lower_triangular"})
def solution_by_lower_triangle(a, b):
    """Without a factorization."""
    return solve(a, b), SolveTriangular(True, False, False)(a, b)


@rule(specialize, keeps="real", facts={"a": "upper_triangular"})
def solution_by_upper_triangle(a, b):
    """Without a factorization."""
    return solve(a, b), SolveTriangular(False, False, False)(a, b)


@rule(specialize, keeps="real", facts={"a": "lower_triangular"})
def inverse_of_lower_triangle(a):
    """Without a factorization."""
    return inverse(a), SolveTriangular(True, False, False)(a, identity(a))


@rule(specialize, keeps="real", facts={"a": "upper_triangular"})
def inverse_of_upper_triangle(a):
    """Without a factorization."""
    return inverse(a), SolveTriangular(False, False, False)(a, identity(a))


@rule(specialize, keeps="real", facts={"a": "positive_definite"})
def solution_by_positive_definite(a, b):
    """By the Cholesky factor, in half the operations, and shared with whatever else needs it."""
    factor = Cholesky(True, False)(a)
    return solve(a, b), SolveTriangular(True, True, False)(factor, SolveTriangular(True, False, False)(factor, b))


@rule(specialize, keeps="real", facts={"b": "identity"})
def solution_for_identity(a, b):
    """Is the inverse, for which there is a cheaper routine."""
    return solve(a, b), inverse(a)


@rewrite(specialize, ops=[Cholesky], operands=[MatMul], keeps="real")
def factor_of_product_of_factors(node: Apply, context: Context) -> Variable | None:
    """The factor of l l' is l, for a triangle with positive numbers on its diagonal."""
    (product,) = node.inputs
    assert isinstance(node.op, Cholesky) and product.owner is not None
    left, right = product.owner.inputs
    own = facts_of(left)
    if not {"lower_triangular", "positive_diagonal"} <= own or not holds("positive_definite", product):
        return None
    return left if node.op.lower else right


@rewrite(specialize, ops=[Assume], keeps="exact")
def assumption_seen_anyway(node: Apply, context: Context) -> Variable | None:
    """What is assumed can be seen."""
    assert isinstance(node.op, Assume)
    return node.inputs[0] if facts_of(node.inputs[0]) >= set(node.op.facts) else None
