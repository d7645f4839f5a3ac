"""Sparse matrices element by element: sums, products, comparisons, functions of what is stored ("structured").

>>> import scipy.sparse
>>> x = csr_from_dense([[1.0, 0.0], [0.0, 2.0]])
>>> add(x, x).eval().toarray()
array([[2., 0.],
       [0., 4.]])
>>> mul(x, [[10.0, 10.0], [20.0, 20.0]]).eval().data
array([10., 40.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.elementwise import cast as cast_dense
from symtensor.ops.index import gather, join, scatter
from symtensor.ops.ordering import Search
from symtensor.ops.shape import SpecifyShape, broadcast_to
from symtensor.ops.size import dimension
from symtensor.sparse.structure import (
    CSC,
    check_sparse,
    checked_sizes,
    coordinates,
    csr_from_dense,
    dense_from_sparse,
    joined_coordinates,
    merged,
    selected,
)
from symtensor.sparse.variable import SparseVariable, as_sparse_or_tensor_variable, as_sparse_variable, is_sparse
from symtensor.tensor import complex_parts, elementwise
from symtensor.tensor.creation import arange, ones_like, zeros, zeros_like

__all__ = ["add", "sub", "mul", "true_div", "neg", "eq", "neq", "lt", "le", "gt", "ge", "add_s_s_data", "add_s_s",
           "add_s_d", "mul_s_s", "mul_s_d", "mul_s_v", "structured_add_s_v", "row_scale", "col_scale", "sp_sum",
           "sp_ones_like", "sp_zeros_like", "square_diagonal", "diag", "structured_monoid", "structured_sigmoid",
           "structured_exp", "structured_log", "structured_abs", "structured_pow", "structured_minimum",
           "structured_maximum",
           "structured_add", "sin", "arcsin", "tan", "arctan", "sinh", "arcsinh", "tanh", "arctanh", "rint", "sgn",
           "ceil", "floor", "sqr", "sqrt", "deg2rad", "rad2deg", "trunc", "log1p", "expm1", "conjugate"]


def _at_elements(x: SparseVariable, dense: Any) -> Variable:
    """What a dense matrix, a row of it or a scalar has at the places of the elements of a sparse matrix."""
    dense = as_variable(dense)
    if dense.type.ndim == 0:
        return dense
    if dense.type.ndim > 2:
        raise complaint(TypeMismatch, "a sparse matrix meets a matrix, a vector or a number", dense)
    rows, columns = coordinates(x)
    if dense.type.ndim == 1:
        return gather(SpecifyShape(1)(dense, x.sizes[1]), {0: columns})
    return gather(_spread(dense, x), {0: rows, 1: columns})


def _spread(dense: Variable, x: SparseVariable) -> Variable:
    """A row, a column or a matrix as a matrix of the shape of a sparse one. Raises ShapeError, when it is computed."""
    if dense.type.ndim < 2 or True in dense.type.broadcastable:
        return broadcast_to(dense, list(x.sizes))
    return SpecifyShape(2)(dense, *x.sizes)


# -- sums and products ------------------------------------------------------------------------------------

def add(x: Any, y: Any) -> Any:
    """The sum: of two sparse matrices sparse, in the format of the first; of a sparse and a dense one dense.

    Raises TypeMismatch if none is sparse.

    >>> add(csr_from_dense([[1.0, 0.0]]), [[2.0, 3.0]]).eval()
    array([[3., 3.]])
    """
    x, y = _meeting("add", x, y)
    if is_sparse(x) and is_sparse(y):
        return merged(x.format, *joined_coordinates(x, y), checked_sizes("add", x.sizes, y.sizes))
    matrix, dense = (x, y) if is_sparse(x) else (y, x)
    if dense.type.ndim == 0:
        raise complaint(TypeMismatch, "add: a number added to a sparse matrix would make it dense", dense,
                        fix="structured_add adds it to what is stored; dense_from_sparse(x) + number is dense")
    rows, columns = coordinates(matrix)
    total, stored = together([_spread(dense, matrix), matrix.data])
    dtype = (total[:0, 0] + stored[:0]).type.dtype  # type: ignore[index]
    return scatter(cast_dense(total, dtype), {0: rows, 1: columns}, stored, add=True)


def _meeting(function: str, x: Any, y: Any) -> tuple[Any, Any]:
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if not is_sparse(x) and not is_sparse(y):
        raise complaint(TypeMismatch, f"{function}: neither operand is sparse", x, y,
                        fix=f"symtensor.tensor.{function}")
    return x, y


def neg(x: Any) -> SparseVariable:
    """The negative.

    >>> neg(csr_from_dense([[1.0, 0.0]])).eval().data
    array([-1.])
    """
    x, = check_sparse("neg", x)
    return x.with_data(-x.data)


def sub(x: Any, y: Any) -> Any:
    """The difference; as `add`.

    >>> sub(csr_from_dense([[1.0, 0.0]]), [[0.5, 0.5]]).eval()
    array([[ 0.5, -0.5]])
    """
    x, y = _meeting("sub", x, y)
    return add(x, neg(y) if is_sparse(y) else -y)


def mul(x: Any, y: Any) -> SparseVariable:
    """The product element by element, which is sparse if one of them is: by a sparse or dense matrix, row or number.

    Raises TypeMismatch if none is sparse.

    >>> mul(csr_from_dense([[1.0, 0.0]]), 5.0).eval().data
    array([5.])
    """
    x, y = _meeting("mul", x, y)
    if is_sparse(x) and is_sparse(y):
        return _mul_sparse(x, y)
    matrix, dense = (x, y) if is_sparse(x) else (y, x)
    return matrix.with_data(matrix.data * _at_elements(matrix, dense))


def true_div(x: Any, y: Any) -> SparseVariable:
    """A sparse matrix divided by a number, a row or a dense matrix, at the places of its elements.

    As the places that hold nothing are zeros they stay so, also where the divisor is 0. Raises TypeMismatch for a
    sparse divisor.

    >>> true_div(csr_from_dense([[1.0, 0.0], [0.0, 3.0]]), 2.0).eval().data
    array([0.5, 1.5])
    """
    if is_sparse(y):
        raise complaint(TypeMismatch, f"true_div: to divide by the sparse matrix {y!r} is to divide by zeros",
                        fix="divide the elements: x.with_data(1 / x.data); or x.toarray()")
    x, = check_sparse("true_div", x)
    return x.with_data(x.data / _at_elements(x, y))


def _mul_sparse(x: SparseVariable, y: SparseVariable) -> SparseVariable:
    """An element of x counts where y has one: sorted, both have one element at a place."""
    one, other = (merged(x.format, *coordinates(v), v.data, x.sizes) for v in (x, y))
    both = merged(x.format, *joined_coordinates(one.with_data(ones_like(one.data)),
                                                other.with_data(ones_like(other.data))),
                  checked_sizes("mul", x.sizes, y.sizes))
    places = selected(both, scalar.eq(both.data, 2))
    return places.with_data(elements_at(one, *coordinates(places)) * elements_at(other, *coordinates(places)))


def elements_at(x: SparseVariable, rows: Variable, columns: Variable) -> Variable:
    """The elements of a sparse matrix at some places, zero where there are none."""
    one = merged("csr", *coordinates(x), x.data, x.sizes)
    own_rows, own_columns = coordinates(one)
    width = as_variable(x.sizes[1])
    # One place more, which is nobody's, so that there is one to look at in any case.
    places = join(0, [own_rows * width + own_columns, [2**62]])
    data = join(0, [one.data, zeros([1], x.dtype)])
    wanted = rows * width + columns
    near = Search("left")(places, wanted)
    return scalar.switch(scalar.eq(gather(places, {0: near}), wanted), gather(data, {0: near}), 0)  # type: ignore[no-any-return]


add_s_s, add_s_d, mul_s_s, mul_s_d = add, add, mul, mul


def mul_s_v(x: Any, y: Any) -> SparseVariable:
    """Each row of a sparse matrix times a vector, element by element.

    >>> mul_s_v(csr_from_dense([[1.0, 0.0]]), [5.0, 6.0]).eval().data
    array([5.])
    """
    return mul(x, y)


def add_s_s_data(x: Any, y: Any) -> SparseVariable:
    """The sum of two sparse matrices with elements at the same places, which is not checked but for their number.

    >>> x = csr_from_dense([[1.0, 0.0]])
    >>> add_s_s_data(x, x).eval().data
    array([2.])
    """
    x, y = check_sparse("add_s_s_data", x, y)
    return x.with_data(x.data + y.data)


def structured_add_s_v(x: Any, y: Any) -> SparseVariable:
    """A vector added to each row of a sparse matrix, where there are elements.

    >>> structured_add_s_v(csr_from_dense([[7.0, 0.0]]), [1.0, 1.0]).eval().data
    array([8.])
    """
    x, = check_sparse("structured_add_s_v", x)
    return x.with_data(x.data + _at_elements(x, y))


def row_scale(x: Any, s: Any) -> SparseVariable:
    """Each row of a sparse matrix times its element of a vector.

    >>> row_scale(csr_from_dense([[1.0, 2.0], [0.0, 3.0]]), [10.0, 100.0]).eval().data
    array([ 10.,  20., 300.])
    """
    x, = check_sparse("row_scale", x)
    return x.with_data(x.data * _scale("row_scale", x, s, 0))


def col_scale(x: Any, s: Any) -> SparseVariable:
    """Each column of a sparse matrix times its element of a vector.

    >>> col_scale(csr_from_dense([[1.0, 2.0]]), [10.0, 100.0]).eval().data
    array([ 10., 200.])
    """
    x, = check_sparse("col_scale", x)
    return x.with_data(x.data * _scale("col_scale", x, s, 1))


def _scale(function: str, x: SparseVariable, s: Any, axis: int) -> Variable:
    s = as_variable(s)
    if s.type.ndim != 1:
        raise complaint(TypeMismatch, f"{function}: a vector is needed, not {s.type.ndim} axes", s,
                        fix="x * s for a number or a matrix")
    return gather(SpecifyShape(1)(s, x.sizes[axis]), {0: coordinates(x)[axis]})


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> Variable:
    """The sum of a sparse matrix: of all, or of the columns (axis 0) or rows (axis 1), a dense vector.

    `sparse_grad` is accepted for Theano's sake: derivatives are those by what is stored. Raises TypeMismatch.

    >>> sp_sum(csr_from_dense([[1.0, 2.0], [0.0, 3.0]]), axis=0).eval()
    array([1., 5.])
    """
    x, = check_sparse("sp_sum", x)
    if axis is None:
        return x.data.sum()  # type: ignore[attr-defined,no-any-return]
    if axis not in (0, 1, -1, -2):
        raise TypeMismatch(f"sp_sum: a sparse matrix has no axis {axis}", fix="0, 1 or None")
    kept = 1 - axis % 2
    return scatter(zeros([x.sizes[kept]], x.dtype), {0: coordinates(x)[kept]}, x.data, add=True)


def sp_ones_like(x: Any) -> SparseVariable:
    """Ones where a sparse matrix has elements.

    >>> sp_ones_like(csr_from_dense([[7.0, 0.0]])).eval().data
    array([1.])
    """
    x, = check_sparse("sp_ones_like", x)
    return x.with_data(ones_like(x.data))


def sp_zeros_like(x: Any) -> SparseVariable:
    """A sparse matrix of the same shape without any elements.

    >>> sp_zeros_like(csr_from_dense([[7.0, 0.0]])).eval().nnz
    0
    """
    x, = check_sparse("sp_zeros_like", x)
    return SparseVariable(x.format, x.data[:0], x.indices[:0], zeros_like(x.starts), x.minor)  # type: ignore[index]


def square_diagonal(diagonal: Any) -> SparseVariable:
    """The square matrix with a vector on its diagonal, compressed by columns.

    >>> square_diagonal([1.0, 2.0]).eval().toarray()
    array([[1., 0.],
           [0., 2.]])
    """
    diagonal = as_variable(diagonal)
    if diagonal.type.ndim != 1:
        raise complaint(TypeMismatch, "square_diagonal: a vector is needed", diagonal)
    size = dimension(diagonal, 0)
    return CSC(diagonal, arange(size), arange(size + 1), (size, size))


def diag(x: Any) -> Variable:
    """The diagonal of a square sparse matrix, a dense vector.

    >>> diag(csr_from_dense([[1.0, 2.0], [3.0, 0.0]])).eval()
    array([1., 0.])
    """
    x, = check_sparse("diag", x)
    rows, columns = coordinates(x)
    own = scalar.switch(scalar.eq(rows, columns), x.data, zeros_like(x.data))
    return scatter(zeros([x.sizes[0]], x.dtype), {0: rows}, own, add=True)


# -- comparisons ------------------------------------------------------------------------------------------

def _comparison(compare: Callable[..., Variable], of_zeros: bool) -> Callable[[Any, Any], SparseVariable]:
    def compared(x: Any, y: Any) -> SparseVariable:
        x, y = _meeting(compare.name, x, y)  # type: ignore[attr-defined]
        if of_zeros or not (is_sparse(x) and is_sparse(y)):  # most places hold it
            full = [dense_from_sparse(v) if is_sparse(v) else v for v in (x, y)]
            return csr_from_dense(cast_dense(compare(*full), "uint8"))
        sizes = checked_sizes(compare.name, x.sizes, y.sizes)  # type: ignore[attr-defined]
        places = merged(x.format, *joined_coordinates(x, y), sizes)
        found = compare(*(elements_at(v, *coordinates(places)) for v in (x, y)))
        return selected(places.with_data(cast_dense(found, "uint8")), found)

    compared.__name__ = compared.__qualname__ = compare.name  # type: ignore[attr-defined]
    compared.__doc__ = (f"A sparse matrix of uint8 with ones where `{compare.name}` holds,"  # type: ignore[attr-defined]
                        " of two matrices of which one is sparse.\n\n"
                        f"    >>> {compared.__name__}(csr_from_dense([[0.0, 1.0]]), [[1.0, 1.0]]).eval().dtype.name\n"
                        "    'uint8'\n    ")
    return compared


eq, neq = _comparison(scalar.eq, True), _comparison(scalar.neq, False)
lt, le = _comparison(scalar.lt, False), _comparison(scalar.le, True)
gt, ge = _comparison(scalar.gt, False), _comparison(scalar.ge, True)


# -- functions of what is stored --------------------------------------------------------------------------

def structured_monoid(function: Callable[..., Variable]) -> Callable[..., SparseVariable]:
    """A function of tensors as one of sparse matrices, applied to the elements that are stored.

    >>> structured_monoid(scalar.exp)(csr_from_dense([[0.0, 1.0]])).eval().nnz
    1
    """
    def applied(x: Any, *more: Any) -> SparseVariable:
        x = as_sparse_variable(x)
        return x.with_data(function(x.data, *more))
    applied.__name__ = applied.__qualname__ = getattr(function, "name", None) or function.__name__
    if isinstance(function, Elementwise):
        home, more = "scalar", ", 2.0" * (function.definition.arity - 1)
    else:
        home, more = function.__module__.rpartition(".")[2], ""
    written = f"{home}.{applied.__name__}".replace(".abs", ".abs_")
    applied.__doc__ = (f"`{applied.__name__}` of the elements that a sparse matrix stores.\n\n"
                       f"    >>> structured_monoid({written})(csr_from_dense([[0.0, 0.5]]){more}).eval().nnz\n"
                       "    1\n    ")
    return applied


structured_sigmoid, structured_exp, structured_log = map(structured_monoid, (scalar.sigmoid, scalar.exp, scalar.log))
structured_abs = structured_monoid(scalar.abs_)
structured_pow, structured_add = structured_monoid(scalar.power), structured_monoid(scalar.add)
structured_minimum, structured_maximum = structured_monoid(scalar.minimum), structured_monoid(scalar.maximum)

sin, arcsin, tan, arctan = map(structured_monoid, (scalar.sin, scalar.arcsin, scalar.tan, scalar.arctan))
sinh, arcsinh, tanh, arctanh = map(structured_monoid, (scalar.sinh, scalar.arcsinh, scalar.tanh, scalar.arctanh))
rint, sgn, ceil = map(structured_monoid, (scalar.round_half_to_even, scalar.sign, scalar.ceil))
floor, trunc, sqr, sqrt = map(structured_monoid, (scalar.floor, scalar.trunc, scalar.square, scalar.sqrt))
deg2rad, rad2deg = map(structured_monoid, (elementwise.deg2rad, elementwise.rad2deg))
log1p, expm1 = map(structured_monoid, (scalar.log1p, scalar.expm1))
conjugate = structured_monoid(complex_parts.conj)
