"""Orthogonal factors of matrices: QR, eigenvectors, singular vectors; and eigenvectors of general matrices.

A transpose, written ', is the conjugate one where matrices are complex. Pullbacks are written in terms of derivatives,
dC/dx + i dC/dy, which cotangents are the conjugates of: they are conjugated at both ends. A vector of a complex matrix
may be multiplied by any number of size 1: a cost that depends on its angle has no derivative, which is an error when it
is computed.

>>> from symtensor.ir.interpret import evaluate
>>> a = Variable(TensorType("float64", (2, 2)), name="a")
>>> evaluate([Eigh(True, False)(a)], {a: [[2.0, 0.0], [1.0, 2.0]]})
[array([1., 3.])]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import LinearAlgebraError
from symtensor.ir.node import Op, Unknown, Variable
from symtensor.ir.routine import RoutineCall
from symtensor.ops import scalar
from symtensor.ops.complex_parts import complex_, conjugate, imag, real
from symtensor.ops.contract import batch_of, matmul
from symtensor.ops.effects import Assert
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.index import join, subtensor
from symtensor.ops.linalg import (
    Solve,
    SolveTriangular,
    adjoint,
    adjoint_triangle,
    diagonal_only,
    floats_only,
    on_diagonal,
    real_diagonal,
    square_size,
    triangle,
)
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import dimension, shape_of
from symtensor.types import dim as dims
from symtensor.types.dtype import COMPLEX, complex_of, itemsize, limits, real_of
from symtensor.types.tensor import TensorType

__all__ = ["Qr", "Eigh", "Svd", "Eig", "over_singular"]

ENDLESS = "the iteration did not converge"
FINITE = "look for NaN or infinities in the matrix"
_BLOCK = 64
"""Rows that LAPACK works on at once, at most (csrc/spectra.c)."""


def _itemsize(a: Variable) -> int:
    return itemsize(a.type.dtype)


def _part_size(a: Variable) -> int:
    """The bytes of a real number that belongs to the matrices."""
    return itemsize(real_of(a.type.dtype))


def _conjugates(*values: Variable | None) -> list[Any]:
    return [None if value is None else conjugate(value) for value in values]


def _columns(x: Variable, start: Any, stop: Any) -> Variable:
    """Some columns of matrices."""
    return subtensor(x, [*[slice(None)] * (x.type.ndim - 1), slice(start, stop)])


def _inner_size(a: Variable) -> Variable:
    """The lesser of the numbers of rows and columns."""
    return scalar.minimum(*(dimension(a, axis) for axis in (a.type.ndim - 2, a.type.ndim - 1)))


def _summed(*parts: Variable | None) -> Variable | None:
    """The sum of what is there."""
    given = [part for part in parts if part is not None]
    return sum(given[1:], given[0]) if given else None


class Qr(Op):
    """q with orthonormal columns and an upper triangle r, with q r = a; without `vectors`, r alone.

    q has min(m, n) columns for matrices of m rows and n columns, or with `complete` m.
    """

    complete: bool
    vectors: bool

    def infer(self, a: Variable) -> list[TensorType]:
        floats_only(a)
        *batch, m, n = a.type.shape
        columns = m if self.complete else dims.minimum(m, n)
        sizes = [(m, columns), (columns, n)] if self.vectors else [(columns, n)]
        return [TensorType(a.type.dtype, (*batch, *size)) for size in sizes]

    def evaluate(self, a: np.ndarray) -> Any:
        q, r = np.linalg.qr(a, "complete" if self.complete else "reduced")
        return (q, r) if self.vectors else r

    def pullback(self, a: Variable, *values: Any) -> Any:
        """Walter and Lehmann, On evaluating higher-order derivatives of the QR decomposition (2018): for the columns
        that make q; those of a wide matrix beyond are q times the rest of r."""
        dq, dr = _conjugates(*values[-2:]) if self.vectors else _conjugates(None, values[-1])
        if all(d is None for d in (dq, dr)):
            return None
        *_, m, n = a.type.shape
        inner = dims.minimum(m, n)
        if self.complete and inner != m:
            if dq is not None:
                return Unknown("columns of q beyond those of a matrix are any that are orthogonal; qr(a) has the rest")
            dr = subtensor(dr, [*[slice(None)] * (a.type.ndim - 2), slice(None, _inner_size(a))])
        q, r = values[:2] if self.vectors and (not self.complete or inner == m) else Qr(False, True)(a)
        if inner == n:
            return conjugate(_by_tall(q, r, dq, dr))
        k = _inner_size(a)
        rest = None if dr is None else _columns(dr, k, None)
        by_rest = None if rest is None else matmul(_columns(a, k, None), adjoint(rest))
        first = _by_tall(q, _columns(r, None, k), _summed(dq, by_rest), None if dr is None else _columns(dr, None, k))
        beyond = _columns(a, k, None) * zeros_like(a) if rest is None else matmul(q, rest)
        return conjugate(join(a.type.ndim - 1, [first, beyond]))

    def routine(self, a: Variable, *outputs: Variable) -> RoutineCall:
        """LAPACK's gelqf and orglq, for the transpose that a row-major matrix is to it."""
        m, n = a.type.shape[-2:]
        columns = m if self.complete else dims.minimum(m, n)
        items = m * dims.maximum(columns, n) + dims.minimum(m, n) + _BLOCK * dims.maximum(m, n)
        return RoutineCall("qr", (a,), sizes=(m, n, batch_of(a)), flags=(self.vectors, self.complete),
                           work=4 * m * n * columns * batch_of(a), scratch=items * _itemsize(a))

    def __repr__(self) -> str:
        return f"qr{_options(complete=self.complete, r_alone=not self.vectors)}"


def _by_tall(q: Variable, r: Variable, dq: Variable | None, dr: Variable | None) -> Variable:
    """The derivative by a with a = q r, for a square r."""
    inner = _summed(None if dr is None else matmul(r, adjoint(dr)), None if dq is None else -matmul(adjoint(dq), q))
    assert inner is not None
    both = real_diagonal(triangle(inner, True) + adjoint(triangle(inner, True, diagonal=False)))
    whole = _summed(dq, matmul(q, both))
    assert whole is not None
    return adjoint(SolveTriangular(False, False, False)(r, adjoint(whole)))


def _options(**given: bool) -> str:
    """The options that hold, as they are written behind the name of an op."""
    names = [name.replace("_", " ") for name, holds in given.items() if holds]
    return f"[{', '.join(names)}]" if names else ""


class Eigh(Op):
    """The eigenvalues w of symmetric or Hermitian matrices, from the least on, and unit eigenvectors, the columns of v.

    The eigenvalues are real. Only the lower triangle is read, or else the upper one. Without `vectors`, w alone.
    """

    lower: bool
    vectors: bool

    def infer(self, a: Variable) -> list[TensorType]:
        square_size(a)
        values = TensorType(real_of(a.type.dtype), a.type.shape[:-1])
        return [values, a.type] if self.vectors else [values]

    def evaluate(self, a: np.ndarray) -> Any:
        compute = np.linalg.eigh if self.vectors else np.linalg.eigvalsh
        try:
            found = compute(a, "L" if self.lower else "U")
        except np.linalg.LinAlgError as error:
            raise LinearAlgebraError(f"{self}: {ENDLESS}", fix=FINITE) from error
        return tuple(found) if self.vectors else found

    def pullback(self, a: Variable, *values: Any) -> Any:
        """v (diag(dw) + (v' dv) / (w_j - w_i)) v', for the triangle that is read."""
        w, v, dw, dv = values if self.vectors else (*Eigh(self.lower, True)(a), values[1], None)
        inner = None if dw is None else cast(diagonal_only(dw), a.type.dtype)
        if dv is not None:
            gaps = expand_dims(w, [w.type.ndim - 1]) - expand_dims(w, [w.type.ndim])
            turn = matmul(adjoint(v), conjugate(dv))
            inner = _summed(inner, _over_gaps(_for_all_angles(turn, turn), gaps))
        if inner is None:
            return None
        whole = matmul(matmul(v, inner), adjoint(v))
        return conjugate(adjoint_triangle((whole + adjoint(whole)) * np.asarray(0.5, a.type.dtype), self.lower))

    def routine(self, a: Variable, *outputs: Variable) -> RoutineCall:
        """LAPACK's syevd or heevd."""
        n, batch = a.type.shape[-1], batch_of(a)
        space = 1 + n * (6 + _BLOCK + (2 * n if self.vectors else 0))
        items = space + (0 if self.vectors else n * n)
        parts = space + 1 if a.type.dtype in COMPLEX else 0
        return RoutineCall("eigh", (a,), sizes=(n, batch), flags=(self.lower, self.vectors),
                           work=10 * n * n * n * batch,
                           scratch=items * _itemsize(a) + parts * _part_size(a) + 4 * (3 + 5 * n), failure=ENDLESS,
                           fix=FINITE)

    def __repr__(self) -> str:
        return f"eigh{_options(upper=not self.lower, values=not self.vectors)}"


_ANGLES = "the cost depends on the angles of complex vectors, which may be any, so it has no derivative by the matrix"


def _for_all_angles(x: Variable, turn: Variable, *others: Variable) -> Variable:
    """`x`; an error where the diagonal of `turn`, v' dv, says that a cost changes when vectors are turned.

    `others` are like it, and their sum with it is meant. Half the digits are for rounding.
    """
    if turn.type.dtype not in COMPLEX:
        return x
    total = sum(others, turn)
    axes = range(turn.type.ndim)
    angles = scalar.switch(on_diagonal(turn), imag(total), zeros_like(imag(total)))
    sizes = sum(sum_axes(scalar.square(scalar.abs_(part)), axes) for part in (turn, *others))
    rounding = float(limits(turn.type.dtype).eps)
    depends = scalar.gt(sum_axes(scalar.square(angles), axes), (sizes + 1) * rounding)
    return Assert(_ANGLES)(x, scalar.eq(depends, False))  # type: ignore[no-any-return]


def _over_gaps(x: Variable, gaps: Variable) -> Variable:
    """`x` divided by `gaps` beside the diagonal, where these are zero anyway, and zero on it."""
    diagonal = on_diagonal(x)
    own = scalar.switch(diagonal, np.asarray(1, gaps.type.dtype), gaps)
    return scalar.switch(diagonal, zeros_like(x), x / own)  # type: ignore[no-any-return]


class Svd(Op):
    """u, s and v' with u diag(s) v' = a: orthonormal columns and rows, and singular values from the largest on.

    There are min(m, n) columns and rows, or with `full` as many as a has rows and columns. Without `vectors`, s alone.
    """

    full: bool
    vectors: bool

    def infer(self, a: Variable) -> list[TensorType]:
        floats_only(a)
        *batch, m, n = a.type.shape
        inner = dims.minimum(m, n)
        sizes: list[tuple[Any, ...]] = [(inner,)]
        if self.vectors:
            sizes = [(m, m if self.full else inner), (inner,), (n if self.full else inner, n)]
        return [TensorType(a.type.dtype if len(size) == 2 else real_of(a.type.dtype), (*batch, *size))
                for size in sizes]

    def evaluate(self, a: np.ndarray) -> Any:
        try:
            found: Any = np.linalg.svd(a, self.full, self.vectors)  # type: ignore[call-overload]
        except np.linalg.LinAlgError as error:
            raise LinearAlgebraError(f"{self}: {ENDLESS}", fix=FINITE) from error
        return tuple(found) if self.vectors else found

    def pullback(self, a: Variable, *values: Any) -> Any:
        """Townsend, Differentiating the singular value decomposition (2016)."""
        m, n = a.type.shape[-2:]
        if not self.vectors:
            return conjugate(_by_singular(Svd(False, True)(a), (None, values[1], None)))
        outputs, cotangents = values[:3], values[3:]
        if self.full and m != n:
            if cotangents[0] is not None or cotangents[2] is not None:
                return Unknown("vectors beyond the singular values are any that are orthogonal; those of the others are"
                               " svd(a, full_matrices=False)")
            outputs = Svd(False, True)(a)
        found = _by_singular(outputs, _conjugates(*cotangents))
        return None if found is None else conjugate(found)

    def routine(self, a: Variable, *outputs: Variable) -> RoutineCall:
        """LAPACK's gesdd."""
        m, n = a.type.shape[-2:]
        inner = dims.minimum(m, n)
        items = m * n + (m + n) * (_BLOCK + 10)
        if self.vectors:
            items = items + 4 * inner * inner + (m * m + n * n if self.full else (m + n) * inner)
        parts = 1 + inner * (7 + (2 * (m + n) + 4 * inner if self.vectors else 0)) if a.type.dtype in COMPLEX else 0
        return RoutineCall("svd", (a,), sizes=(m, n, batch_of(a)), flags=(self.vectors, self.full),
                           work=20 * m * n * inner * batch_of(a),
                           scratch=items * _itemsize(a) + parts * _part_size(a) + 32 * inner, failure=ENDLESS,
                           fix=FINITE)

    def __repr__(self) -> str:
        return f"svd{_options(full=self.full, values=not self.vectors)}"


def _by_singular(outputs: Any, cotangents: Any) -> Variable | None:
    """The derivative by a from those by u, s, v'."""
    (u, s, across), (du, ds, dacross) = outputs, cotangents
    last = s.type.ndim
    row, column = expand_dims(s, [last - 1]), expand_dims(s, [last])
    gaps = row * row - column * column
    inner = None if ds is None else cast(diagonal_only(ds), u.type.dtype)
    turns: list[Variable] = []
    beside = []
    if du is not None:
        turn = matmul(adjoint(u), du)
        inner = _summed(inner, _over_gaps(turn - adjoint(turn), gaps) * row)
        beside.append(matmul((du - matmul(u, turn)) / row, across))
        turns.append(turn)
    if dacross is not None:
        turn = matmul(across, adjoint(dacross))
        inner = _summed(inner, column * _over_gaps(turn - adjoint(turn), gaps))
        beside.append(matmul(u, (dacross - matmul(adjoint(turn), across)) / column))
        turns.append(turn)
    if turns and u.type.dtype in COMPLEX:
        between = turns[0] - turns[1] if len(turns) == 2 else turns[0] if dacross is None else -turns[0]
        inner = _summed(inner, _for_all_angles(_relative_turn(between, row), *turns))
    return _summed(None if inner is None else matmul(matmul(u, inner), across), *beside)


def _relative_turn(turn: Variable, row: Variable) -> Variable:
    """What a change of the angle between two vectors of one singular value does: together they may turn freely."""
    return scalar.switch(on_diagonal(turn), complex_(0.0, imag(turn) / (row * 2)), zeros_like(turn))


def over_singular(values: Variable, rcond: Any) -> tuple[Variable, Variable]:
    """Which singular values are more than `rcond` times the largest, and one over each of them, zero for the others."""
    last = values.type.ndim - 1
    zero = broadcast_to(zeros_like(values), [*shape_of(values)[:-1], 1])
    largest = reduce_axes("max", join(last, [values, zero]), [last])  # there may be none
    counts = scalar.gt(values, expand_dims(largest, [last]) * rcond)
    return counts, scalar.switch(counts, 1 / scalar.switch(counts, values, 1), zeros_like(values))


class Eig(Op):
    """The eigenvalues w and unit eigenvectors, the columns of v, of square matrices: complex numbers.

    Without `vectors`, w alone.
    """

    vectors: bool

    def infer(self, a: Variable) -> list[TensorType]:
        square_size(a)
        dtype = complex_of(a.type.dtype)
        values = TensorType(dtype, a.type.shape[:-1])
        return [values, TensorType(dtype, a.type.shape)] if self.vectors else [values]

    def evaluate(self, a: np.ndarray) -> Any:
        dtype = complex_of(a.dtype.name)
        values, vectors = np.empty(a.shape[:-1], dtype), np.empty(a.shape, dtype)
        from scipy import linalg
        for index in np.ndindex(a.shape[:-2]) if a.size else ():
            try:
                values[index], vectors[index] = linalg.eig(a[index])  # NumPy's takes float64 for float32
            except (np.linalg.LinAlgError, ValueError) as error:
                raise LinearAlgebraError(f"{self}: {ENDLESS}", fix=FINITE) from error
        return (values, vectors) if self.vectors else values

    def pullback(self, a: Variable, *values: Any) -> Any:
        """v'^-1 (diag(dw) + (v' dv - v' v real(diag(v' dv))) / conj(w_j - w_i)) v'.

        Boeddeker et al., On the computation of complex-valued gradients with application to statistically optimum
        beamforming (2017).
        """
        w, v, dw, dv = values if self.vectors else (*Eig(True)(a), values[1], None)
        dw, dv = _conjugates(dw, dv)
        inner = None if dw is None else diagonal_only(dw)
        if dv is not None:
            gaps = conjugate(expand_dims(w, [w.type.ndim - 1]) - expand_dims(w, [w.type.ndim]))
            turn, own = matmul(adjoint(v), dv), matmul(adjoint(v), v)
            turn = _for_all_angles(turn, turn)
            lengths = scalar.switch(on_diagonal(turn), complex_(real(turn), 0.0), zeros_like(turn))
            inner = _summed(inner, _over_gaps(turn - matmul(own, lengths), gaps))
        if inner is None:
            return None
        found = conjugate(Solve()(adjoint(v), matmul(inner, adjoint(v))))
        return found if a.type.dtype in COMPLEX else real(found)

    def routine(self, a: Variable, *outputs: Variable) -> RoutineCall:
        """LAPACK's geev."""
        n, batch = a.type.shape[-1], batch_of(a)
        items = 2 * n * n + n * (2 * _BLOCK + 8)
        return RoutineCall("eig", (a,), sizes=(n, batch), flags=(self.vectors,), work=25 * n * n * n * batch,
                           scratch=items * _itemsize(a), failure=ENDLESS, fix=FINITE)

    def __repr__(self) -> str:
        return f"eig{_options(values=not self.vectors)}"
