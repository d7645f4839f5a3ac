"""Linear systems, inverses and determinants, for each matrix in the last two axes of a batch.

>>> from symtensor.tensor.inputs import matrix
>>> a = matrix("a", "float64")
>>> cholesky(a).type
TensorType(float64, (a.0, a.1))
>>> solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 4.0]).eval()
array([1., 1.])
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import ConfigError, ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, complaint
from symtensor.ops import inverses, linalg, scalar, spectra
from symtensor.ops.contract import matmul
from symtensor.ops.convert import as_variable, constant, together
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.ops.reduce import sum_axes
from symtensor.ops.shape import broadcast_to, drop_axes, expand_dims, pad_left, reshape
from symtensor.ops.size import dimension, shape_of
from symtensor.tensor.arguments import axis_of, product, settled
from symtensor.tensor.complex_parts import conj, imag, real
from symtensor.tensor.linear import batch_sizes
from symtensor.tensor.manipulation import flatten, transpose
from symtensor.types.dtype import COMPLEX, limits, promote

__all__ = ["cholesky", "cho_solve", "solve", "solve_triangular", "solve_lower_triangular", "solve_upper_triangular",
           "solve_symmetric", "inv", "pinv", "det", "slogdet", "lstsq", "tensorinv", "tensorsolve"]


def in_floats(*values: Variable) -> list[Variable]:
    """Variables in one dtype that LAPACK works on."""
    dtype = promote(*(v.type.dtype for v in values))
    return [cast(v, dtype if dtype in ("float32", "float64", *COMPLEX) else promote(dtype, "float32")) for v in values]


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Variable:
    """The triangle `l` with `l @ l.T == a`, or the upper one `u` with `u.T @ u == a`, of positive definite matrices.

    Complex ones are Hermitian, and the transposes conjugate ones. Only that triangle of `a` is read. Where `a` is not
    positive definite, running the function raises LinearAlgebraError, or with `on_error="nan"` the result is NaN.
    Raises ShapeError, TypeMismatch.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]]).eval()
    array([[2., 0.],
           [1., 2.]])
    """
    if on_error not in ("raise", "nan"):
        raise complaint(TypeMismatch, f"cholesky: on_error is 'raise' or 'nan', not {on_error!r}",
                        fix="on_error='nan' for factors of NaN")
    (a,) = in_floats(as_variable(a))
    return linalg.Cholesky(bool(lower), on_error == "nan")(a)


def solve_triangular(a: Any, b: Any, lower: bool = False, trans: int | str = 0,
                     unit_diagonal: bool = False) -> Variable:
    """The solution x of `a @ x == b` with the upper (`lower`: lower) triangle of `a`, the only part that is read.

    `trans` is 0 or "N", 1 or "T" for `a.T @ x == b`, or 2 or "C" for the conjugate of `a.T`; with `unit_diagonal` the
    diagonal counts as ones. `b` is a vector or holds matrices; batches broadcast. A zero on the diagonal is a
    LinearAlgebraError when the function runs. Raises ShapeError, TypeMismatch.

    >>> solve_triangular([[2.0, 1.0], [0.0, 4.0]], [4.0, 8.0]).eval()
    array([1., 2.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise complaint(TypeMismatch, f"solve_triangular: trans is 0, 1, 2, 'N', 'T' or 'C', not {trans!r}",
                        fix="trans='T' for the transposed matrix")
    op = linalg.SolveTriangular(bool(lower), trans not in (0, "N"), bool(unit_diagonal))
    if trans in (2, "C"):  # the conjugate of the equation has the matrix as it is
        return conj(_solved(op, a, conj(b)))
    return _solved(op, a, b)


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


def solve(a: Any, b: Any, assume_a: str = "gen", lower: bool = False) -> Variable:
    """The solution x of `a @ x == b` for square matrices `a`; `b` is a vector or holds matrices; batches broadcast.

    `assume_a` says what `a` is known to be: "gen", nothing; "sym", symmetric; "pos", positive definite (Hermitian if it
    is complex), which is solved by Cholesky factors of the triangle that `lower` names. A singular matrix is a
    LinearAlgebraError when the function runs. Raises ConfigError, ShapeError, TypeMismatch.

    >>> solve([[0.0, 1.0], [2.0, 0.0]], [[1.0, 2.0], [4.0, 6.0]]).eval()
    array([[2., 3.],
           [1., 2.]])
    """
    if assume_a == "pos":
        return cho_solve((cholesky(a, lower), lower), b)
    if assume_a not in ("gen", "sym"):
        raise complaint(ConfigError, f"solve: assume_a is 'gen', 'sym' or 'pos', not {assume_a!r}",
                        fix="assume_a='gen' where nothing is known")
    return _solved(linalg.Solve(), a, b)


def solve_symmetric(a: Any, b: Any) -> Variable:
    """The solution x of `a @ x == b` for symmetric matrices `a`; see `solve`.

    >>> solve_symmetric([[0.0, 2.0], [2.0, 1.0]], [2.0, 3.0]).eval()
    array([1., 1.])
    """
    return solve(a, b, assume_a="sym")


def cho_solve(c_and_lower: Any, b: Any) -> Variable:
    """The solution x of `a @ x == b` from the pair of a Cholesky factor of `a`, and whether that is the lower one.

    >>> cho_solve((cholesky([[4.0, 2.0], [2.0, 5.0]]), True), [6.0, 7.0]).eval()
    array([1., 1.])
    """
    factor, lower = c_and_lower
    inner = solve_triangular(factor, b, lower, trans="N" if lower else "C")
    return solve_triangular(factor, inner, lower, trans="C" if lower else "N")


def inv(a: Any) -> Variable:
    """The inverses of square matrices; a singular one is a LinearAlgebraError when the function runs.

    `inv(a) @ b` is computed as `solve(a, b)`. Raises ShapeError, TypeMismatch.

    >>> inv([[0.0, 2.0], [1.0, 0.0]]).eval()
    array([[0. , 1. ],
           [0.5, 0. ]])
    """
    (a,) = in_floats(as_variable(a))
    return inverses.Inverse()(a)


def pinv(a: Any, rcond: float = 1e-15) -> Variable:
    """The Moore-Penrose inverses: `pinv(a) @ b` is the least x with the least `a @ x - b`.

    Singular values of at most `rcond` times the largest count as zeros. Raises ShapeError, TypeMismatch.

    >>> pinv([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]).eval()
    array([[1. , 0. , 0. ],
           [0. , 0.5, 0. ]])
    """
    (a,) = in_floats(as_variable(a))
    return inverses.Pinv(float(rcond))(a)


def slogdet(a: Any) -> list[Variable]:
    """The signs of the determinants of square matrices, and the logarithms of their absolute values.

    The sign of a complex number z is z / abs(z). Of a singular matrix these are 0 and minus infinity; its derivative is
    a LinearAlgebraError when the function runs. Raises ShapeError, TypeMismatch.

    >>> [value.eval() for value in slogdet([[0.0, 2.0], [1.0, 0.0]])]
    [array(-1.), array(0.69314718)]
    """
    (a,) = in_floats(as_variable(a))
    return inverses.SlogDet()(a)


def det(a: Any) -> Variable:
    """The determinants of square matrices; `log(det(a))` does not overflow. Raises ShapeError, TypeMismatch.

    >>> det([[0.0, 2.0], [1.0, 0.0]]).eval()
    array(-2.)
    """
    sign, value = slogdet(a)
    return sign * scalar.exp(value)


def lstsq(a: Any, b: Any, rcond: Any = -1) -> list[Variable]:
    """The least x with the least `a @ x - b`; its squared residuals, the rank of `a`, its singular values.

    `a` is a matrix, `b` a vector or a matrix. Singular values below `rcond` times the largest count as zeros; a
    negative `rcond` stands for the precision of the dtype. As in NumPy there are no residuals unless `a` has more rows
    than columns and full rank. Raises ShapeError, TypeMismatch.

    >>> x, residuals, rank, values = lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])
    >>> x.eval().round(6), rank.eval()
    (array([1., 2.]), array(2))
    """
    a, b = in_floats(*together([a, b]))
    if a.type.ndim != 2 or b.type.ndim not in (1, 2):
        raise complaint(TypeMismatch, "lstsq: a matrix, and a vector or matrix to come near, are needed", a, b,
                        fix="reshape them")
    if b.type.ndim == 1:
        x, *others = lstsq(a, expand_dims(b, [1]), rcond)
        return [drop_axes(x, [1]), *others]
    u, values, across = spectra.Svd(False, True)(a)
    eps = constant(limits(a.type.dtype).eps, dtype=values.type.dtype)
    rcond = cast(as_variable(rcond), values.type.dtype)
    counts, over = spectra.over_singular(values, scalar.switch(scalar.lt(rcond, 0), eps, rcond))
    x = matmul(linalg.adjoint(across), expand_dims(over, [1]) * matmul(linalg.adjoint(u), b))
    rank = sum_axes(cast(counts, "int64"), [0])
    rows, columns = shape_of(a)
    has_residuals = scalar.and_(scalar.eq(rank, columns), scalar.gt(rows, columns))
    number = scalar.switch(has_residuals, dimension(b, 1), 0)
    squares = _squared_sizes(b - matmul(a, x))
    residuals = subtensor(sum_axes(squares, [0]), [slice(None, settled(number))])
    return [x, residuals, rank, values]


def _squared_sizes(x: Variable) -> Variable:
    parts = [real(x), imag(x)] if x.type.dtype in COMPLEX else [x]
    return sum(scalar.square(part) for part in parts)  # type: ignore[return-value]


def tensorinv(a: Any, ind: int = 2) -> Variable:
    """The inverse of `a` as to `tensordot` over `ind` axes. Raises ShapeError.

    >>> import numpy as np
    >>> tensorinv(np.eye(4).reshape(4, 2, 2), ind=1).type
    TensorType(float64, (2, 2, 4))
    """
    a = as_variable(a)
    if not 0 < ind <= a.type.ndim:
        raise complaint(ShapeError, f"tensorinv: ind is 1 to {a.type.ndim}, not {ind}", a, fix="ind=1")
    sizes = shape_of(a)
    square = reshape(a, [product(sizes[:ind]), product(sizes[ind:])])
    return reshape(inv(square), [*sizes[ind:], *sizes[:ind]])


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Variable:
    """The tensor x with `tensordot(a, x, x.ndim) == b`; `axes` of `a` are first moved to its end. Raises ShapeError.

    >>> import numpy as np
    >>> tensorsolve(np.eye(4).reshape(2, 2, 2, 2), [[1.0, 2.0], [3.0, 4.0]]).eval()
    array([[1., 2.],
           [3., 4.]])
    """
    a, b = in_floats(*together([a, b]))
    moved = [axis_of(a, axis, "tensorsolve") for axis in axes or ()]
    a = transpose(a, [axis for axis in range(a.type.ndim) if axis not in moved] + moved)
    if b.type.ndim >= a.type.ndim:
        raise complaint(ShapeError, "tensorsolve: a has the axes of b, and then those of the result", a, b,
                        fix="name with `axes` those of a that are the result's, or reshape b")
    sizes = shape_of(a)[b.type.ndim:]
    square = reshape(a, [product(shape_of(b)), product(sizes)])
    return reshape(solve(square, flatten(b)), sizes)


def _solved(op: Op, a: Any, b: Any) -> Variable:
    a, b = in_floats(*together([a, b]))
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
