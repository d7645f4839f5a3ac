"""Parts of sparse matrices, and matrices put together from parts.

>>> x = csr_from_dense([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
>>> x[:, 1:].eval().toarray()
array([[0., 2.],
       [3., 0.]])
>>> x[1, 1].eval(), x[-1, 0].eval()
(array(3.), array(0.))
>>> vstack([x, x]).shape.eval()
array([4, 3])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast as cast_dense
from symtensor.ops.index import Iota, gather, join, scatter
from symtensor.ops.size import dimension
from symtensor.sparse import arithmetic, products
from symtensor.sparse.structure import (
    as_format,
    cast,
    check_sparse,
    checked_sizes,
    coordinates,
    csr_from_dense,
    dense_from_sparse,
    ensure_sorted_indices,
    from_coordinates,
)
from symtensor.sparse.variable import SparseVariable
from symtensor.tensor.creation import full
from symtensor.types.dtype import promote

__all__ = ["get_item_2d", "get_item_scalar", "get_item_list", "get_item_2lists", "hstack", "vstack", "csr_from_dense"]


def getitem(x: SparseVariable, index: Any) -> Any:
    """`x[rows, columns]`, each a slice or a position; or a list of rows, or two lists. Raises TypeMismatch, ShapeError.

    Two positions give a scalar; a position beside a slice counts as a slice of one.
    """
    if isinstance(index, (list, Variable)) and as_variable(index).type.ndim == 1:
        return get_item_list(x, index)
    entries = index if isinstance(index, tuple) else (index,)
    if len(entries) > 2 or any(entry is None or entry is Ellipsis for entry in entries):
        raise ShapeError(f"a sparse matrix has 2 axes, and {len(entries)} are indexed", operands=[repr(x)],
                         fix="x[rows, columns]")
    rows, columns = (*entries, slice(None))[:2]
    if not isinstance(rows, slice) and not isinstance(columns, slice):
        ranks = [as_variable(entry).type.ndim for entry in (rows, columns)]
        return get_item_scalar(x, (rows, columns)) if ranks == [0, 0] else get_item_2lists(x, rows, columns)
    return get_item_2d(x, (rows, columns))


def get_item_2d(x: Any, index: Sequence[Any]) -> SparseVariable:
    """`x[rows, columns]` for slices, or a slice and a position; sparse.

    >>> get_item_2d(csr_from_dense([[1.0, 2.0]]), (slice(None), slice(1, None))).eval().data
    array([2.])
    """
    x, = check_sparse("get_item_2d", x)
    places, sizes = list(coordinates(x)), list(x.sizes)
    kept: Variable | None = None
    for axis, entry in enumerate(index):
        if isinstance(entry, slice) and entry == slice(None):
            continue
        whole = Iota()(sizes[axis])
        picked = whole[entry] if isinstance(entry, slice) else whole[entry].dimshuffle("x")  # type: ignore[index]
        count = dimension(picked, 0)
        moved = scatter(full([sizes[axis]], -1, "int64"), {0: picked}, Iota()(count))
        places[axis], sizes[axis] = gather(moved, {0: places[axis]}), count
        inside = scalar.ge(places[axis], 0)
        kept = inside if kept is None else kept & inside
    if kept is None:
        return x
    positions = kept.nonzero()[0]  # type: ignore[attr-defined]
    rows, columns, data = (gather(v, {0: positions}) for v in (*places, x.data))
    return from_coordinates(x.format, rows, columns, data, sizes)


def get_item_scalar(x: Any, index: Sequence[Any]) -> Variable:
    """`x[row, column]`, a dense scalar. Raises IndexOutOfRange when computed.

    >>> get_item_scalar(csr_from_dense([[1.0, 2.0]]), (0, 1)).eval()
    array(2.)
    """
    x, = check_sparse("get_item_scalar", x)
    row, column = (Iota()(size)[entry] for size, entry in zip(x.sizes, index))  # type: ignore[index]
    rows, columns = coordinates(x)
    return scalar.switch(scalar.eq(rows, row) & scalar.eq(columns, column), x.data, 0).sum()  # type: ignore[no-any-return]


def get_item_list(x: Any, index: Any) -> SparseVariable:
    """The rows of a sparse matrix at the positions of a list, which may repeat; sparse.

    >>> get_item_list(csr_from_dense([[1.0], [2.0]]), [1, 1]).eval().toarray()
    array([[2.],
           [2.]])
    """
    x, = check_sparse("get_item_list", x)
    return products.picked_rows(x, index)


def get_item_2lists(x: Any, ind1: Any, ind2: Any) -> Variable:
    """The elements of a sparse matrix at the places (ind1[i], ind2[i]), a dense vector.

    >>> get_item_2lists(csr_from_dense([[1.0, 0.0], [0.0, 2.0]]), [1, 0], [1, 1]).eval()
    array([2., 0.])
    """
    x, = check_sparse("get_item_2lists", x)
    rows, columns = (gather(Iota()(size), {0: as_variable(places)}) for size, places in zip(x.sizes, (ind1, ind2)))
    return arithmetic.elements_at(x, rows, columns)


def _stacked(function: str, blocks: Sequence[Any], axis: int, format: str | None, dtype: str | None) -> SparseVariable:
    matrices = check_sparse(function, *blocks)
    if not matrices:
        raise TypeMismatch(f"{function} needs at least one matrix", fix=f"{function}([x, y])")
    wanted = promote(*(m.dtype for m in matrices)) if dtype is None else dtype
    places: list[list[Variable]] = [[], []]
    moved: Any = 0
    for matrix in matrices:
        for own, (found, coordinate) in enumerate(zip(places, coordinates(matrix))):
            found.append(coordinate + moved if own == axis else coordinate)
        moved = moved + matrix.sizes[axis]
    sizes = list(matrices[0].sizes)
    for matrix in matrices[1:]:
        sizes[1 - axis], = checked_sizes(function, [sizes[1 - axis]], [matrix.sizes[1 - axis]])
    sizes[axis] = as_variable(moved)
    return from_coordinates(format or "csc", join(0, places[0]), join(0, places[1]),
                            join(0, [cast_dense(m.data, wanted) for m in matrices]), sizes)


def hstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> SparseVariable:
    """Sparse matrices side by side, compressed by columns unless another format is named. Raises TypeMismatch.

    >>> x = csr_from_dense([[1.0, 0.0]])
    >>> hstack([x, x]).eval().toarray()
    array([[1., 0., 1., 0.]])
    """
    return _stacked("hstack", blocks, 1, format, dtype)


def vstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> SparseVariable:
    """Sparse matrices above each other, compressed by columns unless another format is named. Raises TypeMismatch.

    >>> x = csr_from_dense([[1.0, 0.0]])
    >>> vstack([x, x]).eval().shape
    (2, 2)
    """
    return _stacked("vstack", blocks, 0, format, dtype)


def _without_meaning(sign: str, fix: str) -> Callable[..., Any]:
    """The method of an operator that sparse matrices have not."""
    def operator(x: Any, y: Any) -> Any:
        raise complaint(TypeMismatch, f"the sparse matrix {x!r} has no {sign}", fix=f"in symtensor.sparse: {fix}")
    return operator


def _extend() -> None:
    """Give sparse variables their operators and methods."""
    methods = {
        "__add__": arithmetic.add, "__radd__": lambda x, y: arithmetic.add(y, x),
        "__sub__": arithmetic.sub, "__rsub__": lambda x, y: arithmetic.sub(y, x),
        "__mul__": arithmetic.mul, "__rmul__": lambda x, y: arithmetic.mul(y, x),
        "__truediv__": arithmetic.true_div, "__rtruediv__": lambda x, y: arithmetic.true_div(y, x),
        "__neg__": arithmetic.neg, "__abs__": arithmetic.structured_abs,
        "__lt__": arithmetic.lt, "__le__": arithmetic.le, "__gt__": arithmetic.gt,
        "__ge__": arithmetic.ge, "__getitem__": getitem, "__matmul__": products.dot,
        "__rmatmul__": lambda x, y: products.dot(y, x), "dot": products.dot, "sum": arithmetic.sp_sum,
        "toarray": dense_from_sparse, "todense": dense_from_sparse, "astype": cast,
        "sort_indices": ensure_sorted_indices, "tocsr": lambda x: as_format(x, "csr"),
        "tocsc": lambda x: as_format(x, "csc")}
    for operator, sign, fix in (
            ("pow", "**", "structured_pow(x, y) for the elements, dot(x, x) for the matrix"),
            ("floordiv", "//", "floor(x / y)"), ("mod", "%", "x.with_data(x.data % y)")):
        methods[f"__{operator}__"] = methods[f"__r{operator}__"] = _without_meaning(sign, fix)
    for name, method in methods.items():
        setattr(SparseVariable, name, method)


_extend()
