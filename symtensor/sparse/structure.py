"""Where the elements of sparse matrices are: conversions between dense and sparse, formats, sorting, selecting.

All are compositions: positions are integer tensors, and the elements of a result are gathered from those of the
operands, or added up from them; so they have derivatives.

>>> import symtensor.tensor as T
>>> x = T.dmatrix("x")
>>> csr_from_dense(x).eval({x: [[0.0, 2.0], [0.0, 0.0]]}).nnz
1
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.effects import Assert
from symtensor.ops.elementwise import cast as cast_dense
from symtensor.ops.index import Iota, gather, join, nonzero, scatter
from symtensor.ops.ordering import Argsort, Cumulate, Search
from symtensor.ops.shape import broadcast_to
from symtensor.ops.size import dimension
from symtensor.sparse.variable import SparseVariable, as_sparse_variable, is_sparse
from symtensor.tensor.creation import zeros
from symtensor.tensor.ordering import unique

__all__ = ["CSM", "CSC", "CSR", "csm_properties", "csm_data", "csm_indices", "csm_indptr", "csm_shape",
           "dense_from_sparse", "csr_from_dense", "csc_from_dense", "cast", "transpose", "clean", "remove0",
           "ensure_sorted_indices", "construct_sparse_from_list", "coordinates", "from_coordinates", "merged",
           "bcast", "wcast", "icast", "lcast", "fcast", "dcast", "ccast", "zcast"]


def CSM(data: Any, indices: Any, indptr: Any, shape: Any, format: str = "csr") -> SparseVariable:
    """The sparse matrix of a format with the given elements, indices, starts (int32 vectors) and shape.

    Raises TypeMismatch.

    >>> CSR([5.0], [1], [0, 0, 1], (2, 3)).eval().toarray()
    array([[0., 0., 0.],
           [0., 5., 0.]])
    """
    rows, columns = (as_variable(shape)[0], as_variable(shape)[1]) if not isinstance(shape, (tuple, list)) else shape  # type: ignore[index]
    positions = [cast_dense(as_variable(v), "int32") for v in (indices, indptr)]
    minor = cast_dense(as_variable(columns if format == "csr" else rows), "int64")
    return SparseVariable(format, as_variable(data), positions[0], positions[1], minor)


def CSR(data: Any, indices: Any, indptr: Any, shape: Any) -> SparseVariable:
    """A matrix compressed by rows; see `CSM`.

    >>> CSR([5.0], [1], [0, 0, 1], (2, 2)).eval().toarray()
    array([[0., 0.],
           [0., 5.]])
    """
    return CSM(data, indices, indptr, shape, "csr")


def CSC(data: Any, indices: Any, indptr: Any, shape: Any) -> SparseVariable:
    """A matrix compressed by columns; see `CSM`.

    >>> CSC([5.0], [1], [0, 0, 1], (2, 2)).eval().toarray()
    array([[0., 0.],
           [0., 5.]])
    """
    return CSM(data, indices, indptr, shape, "csc")


def csm_properties(x: Any) -> tuple[Variable, Variable, Variable, Variable]:
    """Elements, indices, starts and shape of a sparse matrix.

    >>> csm_properties(csr_from_dense([[0.0, 5.0]]))[0].eval()
    array([5.])
    """
    x = as_sparse_variable(x)
    return x.data, x.indices, x.starts, x.shape


def csm_data(x: Any) -> Variable:
    """The elements of a sparse matrix, a vector.

    >>> csm_data(csr_from_dense([[0.0, 5.0]])).eval()
    array([5.])
    """
    return as_sparse_variable(x).data


def csm_indices(x: Any) -> Variable:
    """The place of each element in its row (column, for csc).

    >>> csm_indices(csr_from_dense([[0.0, 5.0]])).eval()
    array([1], dtype=int32)
    """
    return as_sparse_variable(x).indices


def csm_indptr(x: Any) -> Variable:
    """Where each row (column) begins among the elements, and at the end their number.

    >>> csm_indptr(csr_from_dense([[0.0, 5.0]])).eval()
    array([0, 1], dtype=int32)
    """
    return as_sparse_variable(x).starts


def csm_shape(x: Any) -> Variable:
    """The shape, a vector.

    >>> csm_shape(csr_from_dense([[0.0, 5.0]])).eval()
    array([1, 2])
    """
    return as_sparse_variable(x).shape


# -- coordinates ------------------------------------------------------------------------------------------

def major_of(x: SparseVariable) -> Variable:
    """The row (column, for csc) of each element, int64: where it counts up, it counts the rows that begin there."""
    length = dimension(x.indices, 0)
    ends = x.starts[1:-1]  # type: ignore[index]
    marks = scatter(zeros([length + 1], "int64"), {0: ends}, as_variable(1).astype("int64"), add=True)  # type: ignore[attr-defined]
    return Cumulate("sum", 0)(marks)[:-1]  # type: ignore[no-any-return]


def coordinates(x: SparseVariable) -> tuple[Variable, Variable]:
    """The row and the column of each element, int64.

    >>> [v.eval().tolist() for v in coordinates(csr_from_dense([[0.0, 5.0]]))]
    [[0], [1]]
    """
    major, minor = major_of(x), cast_dense(x.indices, "int64")
    return (major, minor) if x.format == "csr" else (minor, major)


def from_coordinates(format: str, rows: Variable, columns: Variable, data: Variable, shape: Any) -> SparseVariable:
    """The sparse matrix with elements at the given places, sorted by them; those at one place stay apart.

    >>> places = as_variable([0]), as_variable([1])
    >>> from_coordinates("csr", *places, as_variable([5.0]), (1, 2)).eval().toarray()
    array([[0., 5.]])
    """
    major, minor = (rows, columns) if format == "csr" else (columns, rows)
    count = as_variable(shape[0] if format == "csr" else shape[1])
    length = as_variable(shape[1] if format == "csr" else shape[0])
    order = Argsort(0)(major * length + minor)
    major, minor, data = (gather(v, {0: order}) for v in (major, minor, data))
    return _compressed(format, major, minor, data, count, length)


def _compressed(format: str, major: Variable, minor: Variable, data: Variable, count: Variable,
                length: Variable) -> SparseVariable:
    """The matrix of elements that are in order already."""
    starts = Search("left")(major, Iota()(count + 1))
    return SparseVariable(format, data, cast_dense(minor, "int32"), cast_dense(starts, "int32"), length)


def merged(format: str, rows: Variable, columns: Variable, data: Variable, shape: Any) -> SparseVariable:
    """The sparse matrix with elements at the given places, sorted by them; those at one place are added up.

    >>> places = as_variable([0, 0]), as_variable([1, 1])
    >>> merged("csr", *places, as_variable([5.0, 2.0]), (1, 2)).eval().toarray()
    array([[0., 7.]])
    """
    major, minor = (rows, columns) if format == "csr" else (columns, rows)
    count = as_variable(shape[0] if format == "csr" else shape[1])
    length = as_variable(shape[1] if format == "csr" else shape[0])
    places, number = unique(major * length + minor, return_inverse=True)
    total = scatter(zeros([dimension(places, 0)], data.type.dtype), {0: number}, data, add=True)
    return _compressed(format, places // length, places % length, total, count, length)


# -- conversions ------------------------------------------------------------------------------------------

def dense_from_sparse(x: Any) -> Variable:
    """A sparse matrix as a dense one; elements at one place are added up.

    >>> import scipy.sparse
    >>> dense_from_sparse(scipy.sparse.eye(2, format="csr")).eval()
    array([[1., 0.],
           [0., 1.]])
    """
    x = as_sparse_variable(x)
    rows, columns = coordinates(x)
    return scatter(zeros(list(x.sizes), x.dtype), {0: rows, 1: columns}, x.data, add=True)


def _from_dense(x: Any, format: str) -> SparseVariable:
    x = as_variable(x)
    if x.type.ndim != 2:
        raise complaint(TypeMismatch, f"{format}_from_dense: a matrix is needed", x, fix="give a vector a second axis")
    read = x if format == "csr" else x.T  # type: ignore[attr-defined]
    major, minor = nonzero(scalar.neq(read, 0))
    data = gather(read, {0: major, 1: minor})
    return _compressed(format, major, minor, data, dimension(read, 0), dimension(read, 1))


def csr_from_dense(x: Any) -> SparseVariable:
    """The elements of a dense matrix that are not zero, compressed by rows. Raises TypeMismatch.

    >>> csr_from_dense([[0.0, 2.0], [3.0, 0.0]]).eval().data
    array([2., 3.])
    """
    return _from_dense(x, "csr")


def csc_from_dense(x: Any) -> SparseVariable:
    """The elements of a dense matrix that are not zero, compressed by columns. Raises TypeMismatch.

    >>> csc_from_dense([[0.0, 5.0]]).eval().data
    array([5.])
    """
    return _from_dense(x, "csc")


def as_format(x: SparseVariable, format: str) -> SparseVariable:
    """A sparse matrix in a format."""
    return x if x.format == format else from_coordinates(format, *coordinates(x), x.data, x.sizes)


def cast(x: Any, dtype: str) -> SparseVariable:
    """A sparse matrix with elements of another dtype.

    >>> cast(csr_from_dense([[0.0, 5.0]]), "float32").type
    SparseType(csr, float32)
    """
    x = as_sparse_variable(x)
    return x.with_data(cast_dense(x.data, dtype))


bcast, wcast, icast, lcast = (partial(cast, dtype=dtype) for dtype in ("int8", "int16", "int32", "int64"))
fcast, dcast, ccast, zcast = (partial(cast, dtype=dtype) for dtype in ("float32", "float64", "complex64", "complex128"))


def transpose(x: Any) -> SparseVariable:
    """The transpose: the same parts, in the other format.

    >>> transpose(csr_from_dense([[0.0, 5.0]])).eval().toarray()
    array([[0.],
           [5.]])
    """
    return as_sparse_variable(x).T


def ensure_sorted_indices(x: Any) -> SparseVariable:
    """A sparse matrix with the elements of each row (column) in order of their place.

    >>> CSR([1.0, 2.0], [1, 0], [0, 2], (1, 2)).sort_indices().eval().indices
    array([0, 1], dtype=int32)
    """
    x = as_sparse_variable(x)
    return from_coordinates(x.format, *coordinates(x), x.data, x.sizes)


def remove0(x: Any) -> SparseVariable:
    """A sparse matrix without the elements that are zero.

    >>> remove0(CSR([1.0, 0.0], [0, 1], [0, 2], (1, 2))).eval().nnz
    1
    """
    x = as_sparse_variable(x)
    return selected(x, scalar.neq(x.data, 0))


def clean(x: Any) -> SparseVariable:
    """A sparse matrix sorted, and without the elements that are zero.

    >>> clean(CSR([0.0, 2.0], [0, 1], [0, 2], (1, 2))).eval().nnz
    1
    """
    return ensure_sorted_indices(remove0(x))


def selected(x: SparseVariable, wanted: Variable) -> SparseVariable:
    """A sparse matrix without the elements for which a vector of bools does not hold."""
    places = nonzero(wanted)[0]
    major, indices, data = (gather(v, {0: places}) for v in (major_of(x), x.indices, x.data))
    return _compressed(x.format, major, indices, data, x.major, x.minor)


def construct_sparse_from_list(x: Any, values: Any, ilist: Any) -> SparseVariable:
    """A matrix of the shape of `x`, compressed by columns, that is zero but for the rows `ilist`, which are `values`.

    >>> construct_sparse_from_list([[0.0, 0.0]] * 3, [[1.0, 2.0]], [2]).eval().toarray()
    array([[0., 0.],
           [0., 0.],
           [1., 2.]])
    """
    x, values, rows = as_variable(x), as_variable(values), cast_dense(as_variable(ilist), "int64")
    if x.type.ndim != 2 or values.type.ndim != 2 or rows.type.ndim != 1:
        raise complaint(ShapeError, "construct_sparse_from_list: a matrix, rows and a vector of places are needed",
                        x, values, rows)
    width = dimension(values, 1)
    shape = [dimension(rows, 0), width]
    return merged("csc", broadcast_to(rows.dimshuffle(0, "x"), shape).flatten(),  # type: ignore[attr-defined]
                  broadcast_to(Iota()(width), shape).flatten(), values.flatten(),  # type: ignore[attr-defined]
                  (dimension(x, 0), dimension(x, 1)))


def joined_coordinates(*matrices: SparseVariable) -> tuple[Variable, Variable, Variable]:
    """Rows, columns and elements of several matrices, one after the other."""
    places = [coordinates(x) for x in matrices]
    return (join(0, [rows for rows, _ in places]), join(0, [columns for _, columns in places]),
            join(0, [x.data for x in matrices]))


def checked_sizes(function: str, sizes: Sequence[Variable], others: Sequence[Variable]) -> list[Variable]:
    """The sizes of two matrices that must have the same: computed, they are an AssertionFailed if they differ.

    Checked at the sizes, not at the elements, of which there may be none.
    """
    check = Assert(f"{function}: the sizes of the matrices differ")
    return [check(size, scalar.eq(size, other)) for size, other in zip(sizes, others)]


def check_sparse(function: str, *arguments: Any) -> list[SparseVariable]:
    """Arguments that must be sparse, as variables. Raises TypeMismatch."""
    for argument in arguments:
        if not is_sparse(argument):
            raise TypeMismatch(f"{function}: {argument!r} is not sparse", fix="csr_from_dense(x)")
    return [as_sparse_variable(argument) for argument in arguments]
