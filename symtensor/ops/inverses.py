"""Inverses and determinants of square matrices, and the factors with exchanges from which they are computed.

>>> from symtensor.ir.interpret import evaluate
>>> a = Variable(TensorType("float64", (2, 2)), name="a")
>>> evaluate([Inverse()(a), *SlogDet()(a)], {a: [[0.0, 2.0], [1.0, 0.0]]})
[array([[0. , 1. ],
       [0.5, 0. ]]), array(-1.), array(0.69314718)]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.base.errors import LinearAlgebraError, TypeMismatch
from symtensor.ir.node import Op, Variable, at_most, equal_sizes
from symtensor.ir.routine import RoutineCall
from symtensor.ops import scalar
from symtensor.ops.complex_parts import complex_, conjugate, imag
from symtensor.ops.contract import batch_of, matmul, matrices_behind, swap_last
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.index import Iota, gather, join, subtensor
from symtensor.ops.linalg import REGULAR, SINGULAR, SolveTriangular, adjoint, floats_only, square_size, triangle
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import COMPLEX, itemsize, real_of
from symtensor.types.tensor import TensorType

__all__ = ["Exchange", "Inverse", "Pinv", "SlogDet", "Lu", "LuSolve", "LuInverse", "factored_determinant"]

_BLOCK = 64
"""Rows that LAPACK works on at once, at most (csrc/lu.c)."""


def _itemsize(a: Variable) -> int:
    return itemsize(a.type.dtype)


def _lapack(name: str, a: np.ndarray) -> Callable[..., Any]:
    """LAPACK's function for the dtype of an array."""
    from scipy.linalg import lapack
    letter = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[a.dtype.name]
    return getattr(lapack, letter + name)  # type: ignore[no-any-return]


class Inverse(Op):
    """The inverse of square matrices."""

    def infer(self, a: Variable) -> TensorType:
        square_size(a)
        return a.type

    def evaluate(self, a: np.ndarray) -> Any:
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError as error:
            raise LinearAlgebraError(f"{self}: {SINGULAR}", fix=REGULAR) from error

    def pullback(self, a: Variable, y: Variable, dy: Variable) -> Any:
        across = swap_last(y)
        return -matmul(matmul(across, dy), across)

    def routine(self, a: Variable, y: Variable) -> RoutineCall:
        """LAPACK's getrf and getri."""
        n, batch = a.type.shape[-1], batch_of(a)
        return RoutineCall("inverse", (), sizes=(n, batch), starts_from=a, work=2 * n * n * n * batch,
                           scratch=_BLOCK * n * _itemsize(a) + n * 4, failure=SINGULAR, fix=REGULAR)

    def __repr__(self) -> str:
        return "inverse"


class Pinv(Op):
    """The Moore-Penrose inverse; singular values of at most `rcond` times the largest count as zeros.

    Rules make it of singular values and vectors; it is an op of its own for its derivative, which they have not where
    singular values are equal.
    """

    rcond: float

    def infer(self, a: Variable) -> TensorType:
        floats_only(a)
        *batch, m, n = a.type.shape
        return TensorType(a.type.dtype, (*batch, n, m))

    def evaluate(self, a: np.ndarray) -> Any:
        try:
            return np.linalg.pinv(a, self.rcond)
        except np.linalg.LinAlgError as error:
            raise LinearAlgebraError(f"{self}: the iteration did not converge") from error

    def pullback(self, a: Variable, y: Variable, dy: Variable) -> Any:
        """Golub and Pereyra, The differentiation of pseudo-inverses (1973), for matrices of constant rank.

        In terms of derivatives, which cotangents are the conjugates of.
        """
        dy = conjugate(dy)
        across, dacross = adjoint(y), adjoint(dy)
        left, right = matmul(y, across), matmul(across, y)
        beside = matmul(dacross, left) - matmul(a, matmul(y, matmul(dacross, left)))
        below = matmul(right, dacross) - matmul(matmul(matmul(right, dacross), y), a)
        return conjugate(beside + below - matmul(matmul(across, dy), across))

    def __repr__(self) -> str:
        return "pinv"


class SlogDet(Op):
    """The sign of the determinant of square matrices, and the logarithm of its absolute value.

    Of a singular matrix, 0 and minus infinity. The sign of a complex number is a number of size 1.
    """

    def infer(self, a: Variable) -> list[TensorType]:
        square_size(a)
        return [TensorType(dtype, a.type.shape[:-2]) for dtype in (a.type.dtype, real_of(a.type.dtype))]

    def evaluate(self, a: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return tuple(np.linalg.slogdet(a))

    def pullback(self, a: Variable, sign: Variable, value: Variable, dsign: Any, dvalue: Any) -> Any:
        """log(det(a)) changes by the trace of the inverse times da; its imaginary part is the angle of the sign."""
        scale = dvalue
        if dsign is not None and a.type.dtype in COMPLEX:
            turn = imag(dsign * sign)
            scale = complex_(zeros_like(turn) if dvalue is None else dvalue, turn)
        if scale is None:
            return None
        return expand_dims(scale, [scale.type.ndim, scale.type.ndim + 1]) * swap_last(Inverse()(a))

    def routine(self, a: Variable, sign: Variable, value: Variable) -> RoutineCall | None:
        """LAPACK's getrf. Rules make determinants of complex matrices of the factors themselves."""
        if a.type.dtype in COMPLEX:
            return None
        matrices = matrices_behind(a)
        n, batch = a.type.shape[-1], batch_of(a)
        return RoutineCall("slogdet", (matrices.variable,), sizes=(n, batch), flags=(matrices.one,),
                           work=n * n * n * batch, scratch=n * n * _itemsize(a) + n * 4)

    def __repr__(self) -> str:
        return "slogdet"


class Lu(Op):
    """Factors of matrices: a lower triangle times an upper one with ones on its diagonal, columns exchanged.

    Both triangles in one matrix; and for each position from the first on the one it was exchanged with, a right side's
    rows from the last on. It is LAPACK's factorisation of the transpose, which a row-major matrix is to LAPACK. Rules
    make it of solutions, inverses and determinants of one matrix, to compute it once.
    """

    def infer(self, a: Variable) -> list[TensorType]:
        floats_only(a)
        *batch, m, n = a.type.shape
        return [a.type, TensorType("int32", (*batch, dims.minimum(m, n)))]

    def evaluate(self, a: np.ndarray) -> Any:
        packed, exchanges = np.empty(a.shape, a.dtype), np.empty((*a.shape[:-2], min(a.shape[-2:])), "int32")
        getrf = _lapack("getrf", a)
        for index in np.ndindex(a.shape[:-2]) if a.size else ():
            factors, exchanges[index], _ = getrf(a[index].T)
            packed[index] = factors.T
        return packed, exchanges

    def pullback(self, a: Variable, packed: Variable, exchanges: Variable, dpacked: Any, dexchanges: Any) -> Any:
        """For b = l u, db = l'^-1 (lower triangle of l' dl + upper one of du u') u'^-1; then columns are exchanged.

        Columns beyond those of l are l times the rest of u; rows beyond those of u the rest of l times u.
        """
        if dpacked is None:
            return None
        m, n = a.type.shape[-2:]
        inner = dimension(exchanges, exchanges.type.ndim - 1)
        whole = _by_square(packed, dpacked) if m == n else _by_rectangle(packed, dpacked, inner)
        return swap_last(Exchange(False)(exchanges, swap_last(whole)))

    def routine(self, a: Variable, packed: Variable, exchanges: Variable) -> RoutineCall:
        """LAPACK's getrf."""
        m, n = a.type.shape[-2:]
        return RoutineCall("lu", (), sizes=(m, n, batch_of(a)), starts_from=a,
                           work=m * n * dims.minimum(m, n) * batch_of(a))

    def __repr__(self) -> str:
        return "lu"


def _by_square(packed: Variable, dpacked: Variable) -> Variable:
    """The cotangent of l u from that of both in one matrix."""
    return _between(packed, _within(packed, dpacked))


def _between(packed: Variable, inner: Variable) -> Variable:
    """l'^-1 inner u'^-1."""
    left = SolveTriangular(True, True, False)(packed, inner)
    return swap_last(SolveTriangular(False, False, True)(packed, swap_last(left)))


def _by_rectangle(packed: Variable, dpacked: Variable, k: Variable) -> Variable:
    """The same, of k by k matrices in the corner of larger ones."""
    (corner, right), (below, nothing) = _blocks(packed, k)
    (dcorner, dright), (dbelow, _) = _blocks(dpacked, k)
    by_right, by_below = matmul(dright, swap_last(right)), matmul(swap_last(below), dbelow)
    inner = _within(corner, dcorner) - triangle(by_right, True) - triangle(by_below, False, diagonal=False)
    last = packed.type.ndim - 1
    above = join(last, [_between(corner, inner), SolveTriangular(True, True, False)(corner, dright)])
    beneath = join(last, [swap_last(SolveTriangular(False, False, True)(corner, swap_last(dbelow))), nothing])
    return join(last - 1, [above, beneath])


def _blocks(x: Variable, k: Variable) -> list[list[Variable]]:
    """The first k rows and columns of matrices, and the others."""
    halves, batch = (slice(None, k), slice(k, None)), [slice(None)] * (x.type.ndim - 2)
    return [[subtensor(x, [*batch, rows, columns]) for columns in halves] for rows in halves]


class Exchange(Op):
    """The rows of matrices exchanged as `Lu` says: from the last exchange on, or `forward` from the first."""

    forward: bool

    def infer(self, exchanges: Variable, b: Variable) -> TensorType:
        if exchanges.type.dtype != "int32" or exchanges.type.ndim != b.type.ndim - 1 or not exchanges.type.ndim:
            raise TypeMismatch("the exchanges are those of factors")
        for axis, (x, y) in enumerate(zip(exchanges.type.shape[:-1], b.type.shape[:-2])):
            equal_sizes(x, y, f"sizes of batch axis {axis}")
        at_most(exchanges.type.shape[-1], b.type.shape[-2], "there are as many rows as exchanges")
        return b.type

    def evaluate(self, exchanges: np.ndarray, b: np.ndarray) -> Any:
        result, count = b.copy(), exchanges.shape[-1]
        for index in np.ndindex(exchanges.shape[:-1]):
            for i in range(count) if self.forward else range(count - 1, -1, -1):
                pair = [i, exchanges[index][i]]
                result[index][pair] = result[index][pair[::-1]]
        return result

    def pullback(self, exchanges: Variable, b: Variable, y: Variable, dy: Variable) -> Any:
        return None, Exchange(not self.forward)(exchanges, dy)

    def routine(self, exchanges: Variable, b: Variable, y: Variable) -> RoutineCall:
        """A loop over the exchanges."""
        rows, columns = b.type.shape[-2:]
        count, batch = exchanges.type.shape[-1], batch_of(b)
        return RoutineCall("exchange", (exchanges,), sizes=(rows, columns, count, batch), flags=(self.forward,),
                           starts_from=b, work=count * columns * batch)

    def __repr__(self) -> str:
        return "exchange[forward]" if self.forward else "exchange"


def factored_determinant(packed: Variable, exchanges: Variable) -> list[Variable]:
    """What `SlogDet` gives, from the factors and exchanges of `Lu`; of complex numbers too."""
    last = packed.type.ndim - 1
    places = Iota()(dimension(packed, last))
    diagonal = gather(packed, {last - 1: places, last: places})
    signs = scalar.sign(diagonal)
    if packed.type.dtype not in COMPLEX:  # as NumPy has it
        signs = scalar.switch(scalar.isnan(diagonal), 1.0, signs)
    exchanged = cast(scalar.switch(scalar.eq(exchanges, places), 1, -1), packed.type.dtype)
    return [reduce_axes("prod", signs * exchanged, [last - 1]), sum_axes(scalar.log(scalar.abs_(diagonal)), [last - 1])]


class LuSolve(Op):
    """x with a x = b, or a' x = b if `transposed`, from the factors of a by `Lu` and the exchanges."""

    transposed: bool

    def infer(self, packed: Variable, exchanges: Variable, b: Variable) -> TensorType:
        n = _factored_size(packed, exchanges)
        if b.type.ndim != packed.type.ndim or b.type.dtype != packed.type.dtype:
            raise TypeMismatch("the right side must have the rank and dtype of the matrices")
        for axis, (x, y) in enumerate(zip(packed.type.shape[:-2], b.type.shape[:-2])):
            equal_sizes(x, y, f"sizes of batch axis {axis}")
        equal_sizes(n, b.type.shape[-2], "rows of the matrix and of the right side")
        return b.type

    def evaluate(self, packed: np.ndarray, exchanges: np.ndarray, b: np.ndarray) -> Any:
        if (np.diagonal(packed, axis1=-2, axis2=-1) == 0).any():
            raise LinearAlgebraError(f"{self}: {SINGULAR}", fix=REGULAR)
        getrs = _lapack("getrs", b)
        result = b.copy()
        for index in np.ndindex(b.shape[:-2]) if b.size else ():
            result[index] = getrs(packed[index].T, exchanges[index], b[index], trans=not self.transposed)[0]
        return result

    def pullback(self, packed: Variable, exchanges: Variable, b: Variable, x: Variable, dx: Variable) -> Any:
        db = LuSolve(not self.transposed)(packed, exchanges, dx)
        left, right = (x, db) if self.transposed else (db, x)
        return _by_factors(packed, -matmul(left, swap_last(Exchange(True)(exchanges, right)))), None, db

    def routine(self, packed: Variable, exchanges: Variable, b: Variable, x: Variable) -> RoutineCall:
        """BLAS's trsm, twice."""
        n, columns, batch = *b.type.shape[-2:], batch_of(b)
        return RoutineCall("lu_solve", (packed, exchanges), sizes=(n, columns, batch), flags=(self.transposed,),
                           starts_from=b, work=2 * n * n * columns * batch, scratch=n * 4, failure=SINGULAR,
                           fix=REGULAR)

    def __repr__(self) -> str:
        return "lu_solve[transposed]" if self.transposed else "lu_solve"


class LuInverse(Op):
    """The inverse of a, from its factors by `Lu` and the exchanges."""

    def infer(self, packed: Variable, exchanges: Variable) -> TensorType:
        _factored_size(packed, exchanges)
        return packed.type

    def evaluate(self, packed: np.ndarray, exchanges: np.ndarray) -> Any:
        identity = np.broadcast_to(np.eye(packed.shape[-1], dtype=packed.dtype), packed.shape)
        try:
            return LuSolve(False).evaluate(packed, exchanges, identity)
        except LinearAlgebraError as error:
            raise LinearAlgebraError(f"{self}: {SINGULAR}", fix=REGULAR) from error

    def pullback(self, packed: Variable, exchanges: Variable, y: Variable, dy: Variable) -> Any:
        across = swap_last(y)
        da = -matmul(matmul(across, dy), across)
        return _by_factors(packed, swap_last(Exchange(True)(exchanges, swap_last(da)))), None

    def routine(self, packed: Variable, exchanges: Variable, y: Variable) -> RoutineCall:
        """LAPACK's getri."""
        n, batch = packed.type.shape[-1], batch_of(packed)
        return RoutineCall("lu_inverse", (exchanges,), sizes=(n, batch), starts_from=packed, work=2 * n * n * n * batch,
                           scratch=_BLOCK * n * _itemsize(packed) + n * 4, failure=SINGULAR,
                           fix=REGULAR)

    def __repr__(self) -> str:
        return "lu_inverse"


def _factored_size(packed: Variable, exchanges: Variable) -> Size:
    n = square_size(packed)
    if exchanges.type.dtype != "int32" or exchanges.type.ndim != packed.type.ndim - 1:
        raise TypeMismatch("the exchanges are those of the factors")
    for own, other in zip(exchanges.type.shape, packed.type.shape[:-1]):
        equal_sizes(own, other, "sizes of factors and exchanges")
    return n


def _within(packed: Variable, dpacked: Variable) -> Variable:
    """The lower triangle of l' dl and the upper one of du u', for the two factors in one matrix."""
    lower, upper = triangle(packed, True), triangle(packed, False, diagonal=False)
    left = matmul(swap_last(lower), triangle(dpacked, True))
    above = triangle(dpacked, False, diagonal=False)
    right = above + matmul(above, swap_last(upper))
    return triangle(left, True) + triangle(right, False, diagonal=False)


def _by_factors(packed: Variable, db: Variable) -> Variable:
    """The cotangent of two factors in one matrix from that of their product l u."""
    lower, upper = triangle(packed, True), triangle(packed, False, diagonal=False)
    by_lower = db + matmul(db, swap_last(upper))
    return triangle(by_lower, True) + triangle(matmul(swap_last(lower), db), False, diagonal=False)
