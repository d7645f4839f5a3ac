"""Factors and solutions of linear systems, computed by LAPACK.

Each works on the last two axes, for every matrix of the batch before them.

>>> from symtensor.ir.interpret import evaluate
>>> a = Variable(TensorType("float64", (2, 2)), name="a")
>>> evaluate([Cholesky(True, False)(a)], {a: [[4.0, 2.0], [2.0, 5.0]]})
[array([[2., 0.],
       [1., 2.]])]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.base.errors import LinearAlgebraError, ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, equal_sizes
from symtensor.ir.routine import RoutineCall
from symtensor.ops import scalar
from symtensor.ops.complex_parts import complex_, conjugate, real
from symtensor.ops.contract import batch_of, matmul, matrices_behind, swap_last
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.index import Iota
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension
from symtensor.types.dim import Size
from symtensor.types.dtype import COMPLEX, itemsize
from symtensor.types.tensor import TensorType

__all__ = ["Cholesky", "Solve", "SolveTriangular", "adjoint", "adjoint_triangle", "diagonal_only", "each_matrix",
           "floats_only", "identity_like", "on_diagonal", "real_diagonal", "square_size", "triangle"]

NOT_DEFINITE = "a matrix is not positive definite"
SINGULAR = "a matrix is singular"
REGULAR = "pinv and lstsq take singular matrices too; or add a small number to the diagonal"
JITTER = "add a small number to the diagonal"


def triangle(x: Variable, lower: bool, diagonal: bool = True) -> Variable:
    """`x` with zeros above the diagonal (below, for an upper triangle), and on it unless `diagonal`."""
    rows, columns = (Iota()(dimension(x, axis)) for axis in (x.type.ndim - 2, x.type.ndim - 1))
    first, second = (expand_dims(rows, [1]), columns) if lower else (columns, expand_dims(rows, [1]))
    return scalar.switch((scalar.ge if diagonal else scalar.gt)(first, second), x, zeros_like(x))


def each_matrix(function: Callable[..., np.ndarray], result: np.ndarray, *operands: np.ndarray) -> np.ndarray:
    """`result` filled with what a function gives for the matrices of each place of a batch."""
    for index in np.ndindex(result.shape[:-2]):
        result[index] = function(*(operand[index] for operand in operands))
    return result


def on_diagonal(x: Variable) -> Variable:
    """For matrices like `x`, whether an element is on the diagonal; without the axes of the batch."""
    rows, columns = (Iota()(dimension(x, axis)) for axis in (x.type.ndim - 2, x.type.ndim - 1))
    return scalar.eq(expand_dims(rows, [1]), columns)


def identity_like(x: Variable) -> Variable:
    """One identity of the sizes and dtype of the matrices of `x`."""
    return cast(on_diagonal(x), x.type.dtype)


def diagonal_only(x: Variable) -> Variable:
    """Square matrices with the vectors in the last axis of `x` on their diagonals."""
    size = dimension(x, x.type.ndim - 1)
    places = Iota()(size)
    return scalar.switch(scalar.eq(expand_dims(places, [1]), places), expand_dims(x, [x.type.ndim]), zeros_like(x))


def adjoint(x: Variable) -> Variable:
    """The conjugates of `x` with its last two axes exchanged."""
    return conjugate(swap_last(x))  # type: ignore[no-any-return]


def real_diagonal(x: Variable) -> Variable:
    """`x` without what is imaginary on its diagonal."""
    if x.type.dtype not in COMPLEX:
        return x
    return scalar.switch(on_diagonal(x), complex_(real(x), 0.0), x)


def adjoint_triangle(whole: Variable, lower: bool) -> Variable:
    """The derivative by a Hermitian matrix of which one triangle is read, which so stands for both."""
    both = real_diagonal(triangle(whole, True) + triangle(adjoint(whole), True, diagonal=False))
    return both if lower else adjoint(both)


def floats_only(a: Variable) -> None:
    """Raise TypeMismatch for what LAPACK does not work on, ShapeError for what has no matrices."""
    if a.type.ndim < 2:
        raise ShapeError("matrices are needed")
    if a.type.dtype not in ("float32", "float64", *COMPLEX):
        raise TypeMismatch(f"LAPACK works on numbers of 32 and 64 bits, not {a.type.dtype}", fix="cast the matrices")


def square_size(a: Variable) -> Size:
    """The size of square matrices. Raises ShapeError, TypeMismatch."""
    if a.type.ndim < 2:
        raise ShapeError("square matrices are needed")
    floats_only(a)
    return equal_sizes(a.type.shape[-2], a.type.shape[-1], "rows and columns of a square matrix")


def _solution_type(a: Variable, b: Variable) -> TensorType:
    """The type of x where a x = b."""
    n = square_size(a)
    if b.type.ndim != a.type.ndim or b.type.dtype != a.type.dtype:
        raise TypeMismatch("the right side must have the rank and dtype of the matrices")
    for axis, (x, y) in enumerate(zip(a.type.shape[:-2], b.type.shape[:-2])):
        equal_sizes(x, y, f"sizes of batch axis {axis}")
    equal_sizes(n, b.type.shape[-2], "rows of the matrix and of the right side")
    return b.type


class Cholesky(Op):
    """The triangle l with l l' = a (u with u' u = a unless `lower`), for positive definite matrices a.

    l' is the conjugate transpose, and of complex matrices a Hermitian ones are meant. Only that triangle of a is read.
    Where a is not positive definite, or not finite, the result is NaN if `nan`, else that is an error.
    """

    lower: bool
    nan: bool

    def infer(self, a: Variable) -> TensorType:
        square_size(a)
        return a.type

    def evaluate(self, a: np.ndarray) -> Any:
        return each_matrix(self._factor, np.empty_like(a), a)

    def _factor(self, a: np.ndarray) -> np.ndarray:
        try:
            factor = np.linalg.cholesky(a if self.lower else a.conj().T)
        except np.linalg.LinAlgError:
            factor = np.ones_like(a) * np.nan
        if not np.isfinite(np.diagonal(factor)).all():  # LAPACK says nothing of what is not finite
            if not self.nan:
                raise LinearAlgebraError(f"{self}: {NOT_DEFINITE}", fix=JITTER)
            factor = np.ones_like(a) * np.nan
        return factor if self.lower else factor.conj().T

    def pullback(self, a: Variable, factor: Variable, cotangent: Variable) -> Any:
        """Murray, Differentiation of the Cholesky decomposition (2016), for the triangle that is read.

        In terms of derivatives, which cotangents are the conjugates of.
        """
        lower, dl = (v if self.lower else adjoint(v) for v in (factor, conjugate(cotangent)))
        inner = triangle(matmul(adjoint(lower), dl), True)
        half = inner - triangle(triangle(inner, False), True) * np.asarray(0.5, a.type.dtype)
        transposed, across = SolveTriangular(True, True, False), conjugate(lower)
        both = transposed(across, adjoint(transposed(across, adjoint(half))))
        return conjugate(adjoint_triangle(both, self.lower))

    def routine(self, a: Variable, factor: Variable) -> RoutineCall:
        """LAPACK's potrf."""
        n, batch = a.type.shape[-1], batch_of(a)
        return RoutineCall("cholesky", (), sizes=(n, batch), flags=(self.lower, self.nan), starts_from=a,
                           work=n * n * n * batch, failure=NOT_DEFINITE, fix=JITTER)

    def __repr__(self) -> str:
        return f"cholesky[{'lower' if self.lower else 'upper'}{', nan' if self.nan else ''}]"


class SolveTriangular(Op):
    """x with op(a) x = b for the lower or upper triangle of a, the only part of a that is read.

    op transposes if `transposed`; with `unit`, ones are on the diagonal, which is not read.
    """

    lower: bool
    transposed: bool
    unit: bool

    def infer(self, a: Variable, b: Variable) -> TensorType:
        return _solution_type(a, b)

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> Any:
        own = (np.tril if self.lower else np.triu)(a, (-1 if self.lower else 1) if self.unit else 0)
        if self.unit:
            own = own + np.eye(a.shape[-1], dtype=a.dtype)
        return _solved(self, np.swapaxes(own, -1, -2) if self.transposed else own, b)

    def pullback(self, a: Variable, b: Variable, x: Variable, dx: Variable) -> Any:
        db = SolveTriangular(self.lower, not self.transposed, self.unit)(a, dx)
        left, right = (x, db) if self.transposed else (db, x)
        return triangle(-matmul(left, swap_last(right)), self.lower, diagonal=not self.unit), db

    def routine(self, a: Variable, b: Variable, x: Variable) -> RoutineCall:
        """BLAS's trsm."""
        matrices = matrices_behind(a)
        n, columns, batch = *b.type.shape[-2:], batch_of(b)
        lower, transposed = (flag != matrices.transposed for flag in (self.lower, self.transposed))
        return RoutineCall("solve_triangular", (matrices.variable,), sizes=(n, columns, batch),
                           flags=(lower, transposed, self.unit, matrices.one), starts_from=b,
                           work=n * n * columns * batch, failure=SINGULAR, fix=REGULAR)

    def __repr__(self) -> str:
        names = ["lower" if self.lower else "upper", *["transposed"] * self.transposed, *["unit"] * self.unit]
        return f"solve_triangular[{', '.join(names)}]"


class Solve(Op):
    """x with a x = b, for square matrices a."""

    def infer(self, a: Variable, b: Variable) -> TensorType:
        return _solution_type(a, b)

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> Any:
        return _solved(self, a, b)

    def pullback(self, a: Variable, b: Variable, x: Variable, dx: Variable) -> Any:
        db = Solve()(swap_last(a), dx)
        return -matmul(db, swap_last(x)), db

    def routine(self, a: Variable, b: Variable, x: Variable) -> RoutineCall:
        """LAPACK's getrf and BLAS's trsm."""
        matrices = matrices_behind(a)
        n, columns, batch = *b.type.shape[-2:], batch_of(b)
        return RoutineCall("solve", (matrices.variable,), sizes=(n, columns, batch),
                           flags=(matrices.transposed, matrices.one), starts_from=b,
                           work=n * n * (n + columns) * batch, scratch=n * n * itemsize(a.type.dtype) + n * 4,
                           failure=SINGULAR, fix=REGULAR)

    def __repr__(self) -> str:
        return "solve"


def _solved(op: Op, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError as error:
        raise LinearAlgebraError(f"{op}: {SINGULAR}", fix=REGULAR) from error
