"""Products of matrices of which some are sparse.

>>> from symtensor.sparse.structure import csr_from_dense
>>> x = csr_from_dense([[1.0, 0.0], [0.0, 2.0]])
>>> dot(x, [[1.0, 2.0], [3.0, 4.0]]).eval()
array([[1., 2.],
       [6., 8.]])
>>> dot(x, x).eval().toarray()
array([[1., 0.],
       [0., 4.]])
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.effects import Assert
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota, gather, scatter
from symtensor.ops.ordering import Cumulate, Search
from symtensor.ops.size import dimension
from symtensor.ops.sparse import SampledDot, SparseDot, SparseDotTransposed
from symtensor.sparse.structure import as_format, check_sparse, coordinates, merged
from symtensor.sparse.variable import SparseVariable, as_sparse_or_tensor_variable, is_sparse
from symtensor.tensor.creation import ones, zeros
from symtensor.tensor.manipulation import specify_shape
from symtensor.types.dtype import COMPLEX, DISCRETE, promote

__all__ = ["dot", "structured_dot", "true_dot", "sampling_dot", "usmm"]


def dot(x: Any, y: Any) -> Any:
    """The matrix product: dense if one of them is dense, sparse if both are sparse. Raises TypeMismatch.

    The dense one may be a vector.

    >>> from symtensor.sparse.structure import csr_from_dense
    >>> dot(csr_from_dense([[1.0, 0.0]]), [[2.0], [3.0]]).eval()
    array([[2.]])
    """
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if is_sparse(x) and is_sparse(y):
        return true_dot(x, y)
    if is_sparse(x):
        return _by_dense(x, y)
    if is_sparse(y):
        product = _by_dense(y.T, x if x.type.ndim == 1 else x.T)
        return product if x.type.ndim == 1 else product.T  # type: ignore[attr-defined]
    raise complaint(TypeMismatch, "dot: neither operand is sparse", x, y, fix="symtensor.tensor.dot")


def _by_dense(x: SparseVariable, y: Variable) -> Variable:
    if y.type.ndim not in (1, 2):
        raise complaint(TypeMismatch, "dot: a sparse matrix meets a matrix or a vector", y)
    dtype = promote(x.dtype, y.type.dtype)
    if dtype in COMPLEX:
        raise complaint(TypeMismatch, "dot: a sparse matrix of complex numbers has no product", y)
    dense = y.dimshuffle(0, "x") if y.type.ndim == 1 else y  # type: ignore[attr-defined]
    found = _exactly(x, dense, dtype) if dtype in DISCRETE else _by_routine(x, dense, dtype)
    return found[:, 0] if y.type.ndim == 1 else found  # type: ignore[index,no-any-return]


def _by_routine(x: SparseVariable, y: Variable, dtype: str) -> Variable:
    inner = "float64" if dtype == "float64" else "float32"
    product = SparseDot() if x.format == "csr" else SparseDotTransposed()
    return cast(product(cast(x.data, inner), x.indices, x.starts, cast(y, inner), x.minor), dtype)


def _exactly(x: SparseVariable, y: Variable, dtype: str) -> Variable:
    """The product of integers, which floats do not hold: each element times a row of y, added to its row."""
    rows, columns = coordinates(x)
    inner = specify_shape(cast(y, dtype), (x.sizes[1], None))
    products = cast(x.data, dtype).dimshuffle(0, "x") * gather(inner, {0: columns})  # type: ignore[attr-defined]
    return scatter(zeros([x.sizes[0], dimension(y, 1)], products.type.dtype), {0: rows}, products, add=True)


def structured_dot(x: Any, y: Any) -> Any:
    """`dot` of a sparse matrix and a dense one; the derivative by the sparse one is that by what it stores.

    >>> from symtensor.sparse.structure import csr_from_dense
    >>> structured_dot(csr_from_dense([[1.0, 0.0]]), [[2.0], [3.0]]).eval()
    array([[2.]])
    """
    check_sparse("structured_dot", x if is_sparse(x) else y)
    return dot(x, y)


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> SparseVariable:
    """The product of two sparse matrices, sparse, in the format of the first.

    Each element (i, k) of x meets the elements (k, j) of y; what they make at one place is added up. Raises
    TypeMismatch.

    >>> from symtensor.sparse.structure import csr_from_dense
    >>> true_dot(csr_from_dense([[2.0]]), csr_from_dense([[3.0]])).eval().data
    array([6.])
    """
    x, y = check_sparse("true_dot", x, y)
    left, right = as_format(x, "csr"), as_format(y, "csr")
    rows, middle = coordinates(left)
    first, stop = (gather(right.starts, {0: middle + shift}).astype("int64") for shift in (0, 1))  # type: ignore[attr-defined]
    counts = stop - first
    check = Assert("dot: columns of the left and rows of the right matrix differ")
    number = check(counts.sum(), scalar.eq(left.sizes[1], right.sizes[0]))
    behind = Cumulate("sum", 0)(counts)
    pair = Iota()(number)
    one = Search("right")(behind, pair)  # the element of x that a pair has
    other = gather(first, {0: one}) + pair - gather(behind - counts, {0: one})
    products = gather(left.data, {0: one}) * gather(right.data, {0: other})
    columns = gather(cast(right.indices, "int64"), {0: other})
    return merged(x.format, gather(rows, {0: one}), columns, products, (left.sizes[0], right.sizes[1]))


def sampling_dot(x: Any, y: Any, p: Any) -> SparseVariable:
    """The elements of the dense product x y' where `p` has elements, times those; sparse.

    x has the rows of p as rows, y its columns as rows. Raises TypeMismatch.

    >>> from symtensor.sparse.structure import csr_from_dense
    >>> sampling_dot([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], csr_from_dense([[0.0, 1.0]])).eval().data
    array([17.])
    """
    p, = check_sparse("sampling_dot", p)
    x, y = as_variable(x), as_variable(y)
    inner = "float32" if promote(x.type.dtype, y.type.dtype) == "float32" else "float64"
    major, minor = (x, y) if p.format == "csr" else (y, x)
    found = SampledDot()(p.indices, p.starts, cast(major, inner), cast(minor, inner))
    return p.with_data(p.data * cast(found, promote(x.type.dtype, y.type.dtype)))


def usmm(alpha: Any, x: Any, y: Any, z: Any) -> Variable:
    """z + alpha x y, of which x or y is sparse; dense.

    >>> from symtensor.sparse.structure import csr_from_dense
    >>> usmm(2.0, csr_from_dense([[1.0]]), [[3.0]], [[1.0]]).eval()
    array([[7.]])
    """
    return as_variable(z) + as_variable(alpha) * structured_dot(x, y)  # type: ignore[no-any-return]


def picked_rows(x: SparseVariable, positions: Any) -> SparseVariable:
    """The rows of a sparse matrix at some positions, which may repeat: a product with ones at those places."""
    places = gather(Iota()(x.sizes[0]), {0: as_variable(positions)})  # negative ones count from the end
    count = dimension(places, 0)
    picked = ones([count], x.dtype)
    picks = SparseVariable("csr", picked, cast(places, "int32"), cast(Iota()(count + 1), "int32"), x.sizes[0])
    found = true_dot(picks, x)
    return as_format(found, x.format)
