"""Determinants and diagonals of products, and what of factors nobody uses.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.rewrite.phases import optimize
>>> from symtensor.types.tensor import TensorType
>>> a = Variable(TensorType("float64", (3, 3)), name="a")
>>> factor = Cholesky(True, False)(a)
>>> graph = Graph([a], [SlogDet()(matmul(factor, swap_last(factor)))[1]])
>>> history = optimize(graph)
>>> sorted({str(node.op) for node in graph.nodes()} & {"cholesky[lower]", "slogdet", "matmul", "log"})
['cholesky[lower]', 'log']
"""

from __future__ import annotations

from collections.abc import Container

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.ops import scalar
from symtensor.ops.contract import Kron, MatMul, is_swap, matmul, swap_last
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Gather, Iota, subtensor
from symtensor.ops.inverses import Inverse, SlogDet
from symtensor.ops.linalg import Cholesky
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import broadcast_like
from symtensor.ops.size import size_value
from symtensor.ops.spectra import Eigh, Qr, Svd
from symtensor.rewrite.engine import Context
from symtensor.rewrite.pattern import later
from symtensor.rewrite.rule import Replacements, rewrite, rewrite_graph, rule
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.rewrite.rules.inverses import diagonal_of, is_square

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


@later
def sign(a: Variable) -> Variable:
    """The sign of the determinant."""
    return SlogDet()(a)[0]


@later
def size(a: Variable) -> Variable:
    """The logarithm of the absolute value of the determinant."""
    return SlogDet()(a)[1]


@later
def of_kron(a: Variable, b: Variable) -> list[Variable]:
    """Of a Kronecker product, from the determinants of its factors."""
    (sign_a, size_a), (sign_b, size_b) = SlogDet()(a), SlogDet()(b)
    of_a, of_b = (cast(size_value(x.type.shape[-1]), x.type.dtype) for x in (a, b))
    return [sign_a ** of_b * sign_b ** of_a, of_b * size_a + of_a * size_b]


@later
def of_triangle(a: Variable) -> list[Variable]:
    """From the diagonal of a triangle."""
    diagonal = diagonal_of(a)
    last = diagonal.type.ndim - 1
    return [reduce_axes("prod", scalar.sign(diagonal), [last]), sum_axes(scalar.log(scalar.abs_(diagonal)), [last])]


@later
def of_definite(a: Variable) -> list[Variable]:
    """From the Cholesky factor."""
    logarithms = scalar.log(diagonal_of(Cholesky(True, False)(a)))
    value = 2 * sum_axes(logarithms, [logarithms.type.ndim - 1])
    return [broadcast_like(cast(1, a.type.dtype), value), value]


@rule(canonicalize, keeps="real", when=lambda a, b: is_square(a) and is_square(b))
def determinant_of_product(a, b):
    """Is the product of the determinants."""
    return SlogDet()(matmul(a, b)), [sign(a) * sign(b), size(a) + size(b)]


@rule(canonicalize, keeps="real")
def determinant_of_inverse(a):
    """Is one over the determinant."""
    return SlogDet()(Inverse()(a)), [sign(a), -size(a)]


@rule(canonicalize, keeps="real", when=lambda a, b: is_square(a) and is_square(b))
def determinant_of_kronecker_product(a, b):
    """The determinants of small matrices in the place of that of a large one."""
    return SlogDet()(Kron()(a, b)), of_kron(a, b)


@rewrite(canonicalize, ops=[SlogDet], keeps="real")
def determinant_of_transposed(node: Apply, context: Context) -> list[Variable] | None:
    """Is that of the matrix itself."""
    (a,) = node.inputs
    return SlogDet()(a.owner.inputs[0]) if a.owner is not None and is_swap(a) else None


@rule(canonicalize, keeps="real", dtypes=["float32", "float64"])
def absolute_value_of_exponential(x, y):
    """The absolute value of a determinant is the exponential of a logarithm that is known."""
    return scalar.abs_(x * scalar.exp(y)), scalar.abs_(x) * scalar.exp(y)


@rule(specialize, keeps="real", facts={"a": "lower_triangular"})
def determinant_of_lower_triangle(a):
    """Is the product of the diagonal."""
    return SlogDet()(a), of_triangle(a)


@rule(specialize, keeps="real", facts={"a": "upper_triangular"})
def determinant_of_upper_triangle(a):
    """Is the product of the diagonal."""
    return SlogDet()(a), of_triangle(a)


@rule(specialize, keeps="real", facts={"a": "positive_definite"})
def determinant_of_positive_definite(a):
    """By the Cholesky factor, shared with whatever else needs it."""
    return SlogDet()(a), of_definite(a)


@rewrite(canonicalize, ops=[Gather], operands=[MatMul], keeps="real")
def diagonal_of_product(node: Apply, context: Context) -> Variable | None:
    """The diagonal of a product, as of a trace, needs no other element of it."""
    product, *places = node.inputs
    assert isinstance(node.op, Gather) and product.owner is not None
    last = product.type.ndim - 1
    if node.op.axes != (last - 1, last) or context.uses(product) > 1 or not all(map(_counts, places)):
        return None
    a, b = product.owner.inputs
    return sum_axes(_first_rows(a, node.outputs[0]) * _first_rows(swap_last(b), node.outputs[0]), [last])


def _counts(place: Variable) -> bool:
    """Whether positions are 0, 1, 2 and so on."""
    while place.owner is not None and str(place.owner.op) == "wrap_index":
        place = place.owner.inputs[0]
    return place.owner is not None and isinstance(place.owner.op, Iota)


def _first_rows(x: Variable, diagonal: Variable) -> Variable:
    """As many rows of matrices as a diagonal has elements."""
    number = diagonal.type.shape[-1]
    if x.type.shape[-2] == number:
        return x
    return subtensor(x, [*[slice(None)] * (x.type.ndim - 2), slice(None, size_value(number))])


@rewrite_graph(specialize)
def vectors_nobody_uses(graph: Graph) -> Replacements:
    """Eigenvalues, singular values and triangles alone are found with fewer operations."""
    used = graph.users()
    found: Replacements = {}
    for node in graph.nodes():
        alone = _alone(node, used)
        if alone is not None:
            found = {**found, node: alone}
    return found


def _alone(node: Apply, used: Container[Variable]) -> list[Variable | None] | None:
    """The outputs of a node of which one alone is used."""
    if len(node.outputs) == 1 or not isinstance(node.op, (Eigh, Svd, Qr)):
        return None
    wanted = [output in used for output in node.outputs]
    if isinstance(node.op, Eigh) and not wanted[1]:
        return [Eigh(node.op.lower, False)(*node.inputs), None]
    if isinstance(node.op, Svd) and not wanted[0] and not wanted[2]:
        return [None, Svd(False, False)(*node.inputs), None]
    if isinstance(node.op, Qr) and not wanted[0]:
        return [None, Qr(node.op.complete, False)(*node.inputs)]
    return None
