"""Linear algebra: factors of matrices and linear systems, for each matrix in the last two axes of a batch.

>>> from symtensor.tensor.inputs import matrix
>>> a = matrix("a", "float64")
>>> cholesky(a).type
TensorType(float64, (a.0, a.1))
>>> solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 4.0]).eval()
array([1., 1.])
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Op, Variable, complaint
from symtensor.ops import linalg
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.shape import broadcast_to, drop_axes, expand_dims, pad_left
from symtensor.ops.size import shape_of
from symtensor.tensor.linear import batch_sizes
from symtensor.types.dtype import promote

__all__ = ["cholesky", "solve", "solve_triangular", "solve_lower_triangular", "solve_upper_triangular"]


def _in_floats(*values: Variable) -> list[Variable]:
    """Variables in one dtype that LAPACK works on. Raises TypeMismatch for complex numbers."""
    dtype = promote(*(v.type.dtype for v in values))
    if dtype.startswith("complex"):
        raise complaint(TypeMismatch, "no factors or solutions of complex matrices", *values,
                        fix="write the real and the imaginary part as one real matrix of twice the size")
    return [cast(v, dtype if dtype in ("float32", "float64") else promote(dtype, "float32")) for v in values]


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Variable:
    """The triangle `l` with `l @ l.T == a`, or the upper one `u` with `u.T @ u == a`, of positive definite matrices.

    Only that triangle of `a` is read. Where `a` is not positive definite, running the function raises
    LinearAlgebraError, or with `on_error="nan"` the result is NaN. Raises ShapeError, TypeMismatch.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]]).eval()
    array([[2., 0.],
           [1., 2.]])
    """
    if on_error not in ("raise", "nan"):
        raise complaint(TypeMismatch, f"cholesky: on_error is 'raise' or 'nan', not {on_error!r}",
                        fix="on_error='nan' for factors of NaN")
    (a,) = _in_floats(as_variable(a))
    return linalg.Cholesky(bool(lower), on_error == "nan")(a)


def solve_triangular(a: Any, b: Any, lower: bool = False, trans: int | str = 0,
                     unit_diagonal: bool = False) -> Variable:
    """The solution x of `a @ x == b` with the upper (`lower`: lower) triangle of `a`, the only part that is read.

    `trans` is 0 or "N", or 1 or "T" for `a.T @ x == b`; with `unit_diagonal` the diagonal counts as ones. `b` is a
    vector or holds matrices; batches broadcast. A zero on the diagonal is a LinearAlgebraError when the function runs.
    Raises ShapeError, TypeMismatch.

    >>> solve_triangular([[2.0, 1.0], [0.0, 4.0]], [4.0, 8.0]).eval()
    array([1., 2.])
    """
    if trans not in (0, 1, "N", "T"):
        raise complaint(TypeMismatch, f"solve_triangular: trans is 0, 1, 'N' or 'T', not {trans!r}",
                        fix="trans='T' for the transposed matrix")
    return _solved(linalg.SolveTriangular(bool(lower), trans in (1, "T"), bool(unit_diagonal)), a, b)


def solve_lower_triangular(a: Any, b: Any) -> Variable:
    """The solution x of `a @ x == b` with the lower triangle of `a`; see `solve_triangular`.

    >>> solve_lower_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 5.0]).eval()
    array([1., 1.])
    """
    return solve_triangular(a, b, lower=True)


def solve_upper_triangular(a: Any, b: Any) -> Variable:
    """The solution x of `a @ x == b` with the upper triangle of `a`; see `solve_triangular`.

    >>> solve_upper_triangular([[2.0, 1.0], [0.0, 4.0]], [4.0, 8.0]).eval()
    array([1., 2.])
    """
    return solve_triangular(a, b)


def solve(a: Any, b: Any) -> Variable:
    """The solution x of `a @ x == b` for square matrices `a`; `b` is a vector or holds matrices; batches broadcast.

    A singular matrix is a LinearAlgebraError when the function runs. Raises ShapeError, TypeMismatch.

    >>> solve([[0.0, 1.0], [2.0, 0.0]], [[1.0, 2.0], [4.0, 6.0]]).eval()
    array([[2., 3.],
           [1., 2.]])
    """
    return _solved(linalg.Solve(), a, b)


def _solved(op: Op, a: Any, b: Any) -> Variable:
    a, b = _in_floats(*together([a, b]))
    if a.type.ndim < 2 or not b.type.ndim:
        raise complaint(TypeMismatch, f"{op}: matrices, and vectors or matrices as right sides, are needed", a, b,
                        fix="add axes with shape_padleft")
    if b.type.ndim == 1:
        result = _solved(op, a, expand_dims(b, [1]))
        return drop_axes(result, [result.type.ndim - 1])
    rank, sizes = max(a.type.ndim, b.type.ndim), batch_sizes(a, b)
    if sizes:
        a, b = (broadcast_to(pad_left(v, rank - v.type.ndim), [*sizes, *shape_of(v)[-2:]]) for v in (a, b))
    return op(a, b)
