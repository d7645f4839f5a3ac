"""Decompositions of matrices, for each matrix in the last two axes of a batch.

>>> q, r = qr([[3.0, 1.0], [4.0, 2.0]])
>>> abs(r).eval()
array([[5. , 2.2],
       [0. , 0.4]])
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import ConfigError
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.contract import swap_last
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota, subtensor
from symtensor.ops.inverses import Exchange, Lu
from symtensor.ops.linalg import adjoint, floats_only, identity_like, real_diagonal, triangle
from symtensor.ops.shape import broadcast_to, drop_axes, expand_dims
from symtensor.ops.size import dimension, shape_of
from symtensor.ops.spectra import Eig, Eigh, Qr, Svd
from symtensor.tensor.systems import cholesky, in_floats, solve_triangular
from symtensor.types.dtype import real_of

__all__ = ["lu", "qr", "svd", "svdvals", "eig", "eigvals", "eigh", "eigvalsh"]


def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> list[Variable]:
    """A permutation p, a lower triangle l with ones on its diagonal and an upper one u with `p @ l @ u == a`.

    For a matrix of m rows and n columns l has min(m, n) columns and u as many rows. With `permute_l` only `p @ l` and u
    are given; with `p_indices` p is a vector with `l[p] @ u == a`. Raises ShapeError, TypeMismatch.

    >>> [part.eval().tolist() for part in lu([[1.0, 2.0], [2.0, 2.0]])]
    [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.5, 1.0]], [[2.0, 2.0], [0.0, 1.0]]]
    >>> [part.type.shape for part in lu([[1.0, 2.0], [2.0, 2.0], [1.0, 1.0]], permute_l=True)]
    [(3, 2), (2, 2)]
    """
    (a,) = in_floats(as_variable(a))
    floats_only(a)
    packed, exchanges = Lu()(swap_last(a))
    both, inner = swap_last(packed), dimension(exchanges, exchanges.type.ndim - 1)
    batch = [slice(None)] * (a.type.ndim - 2)
    columns = subtensor(both, [*batch, slice(None), slice(None, inner)])
    lower = triangle(columns, True, diagonal=False) + identity_like(columns)
    upper = triangle(subtensor(both, [*batch, slice(None, inner)]), False)
    if permute_l:
        return [Exchange(False)(exchanges, lower), upper]
    *sizes, rows, _ = shape_of(a)
    if p_indices:
        places = broadcast_to(expand_dims(Iota()(rows), [1]), [*sizes, rows, 1])
        return [drop_axes(Exchange(False)(exchanges, places), [a.type.ndim - 1]), lower, upper]
    places = Iota()(rows)
    identity = cast(scalar.eq(expand_dims(places, [1]), places), real_of(a.type.dtype))
    return [Exchange(False)(exchanges, broadcast_to(identity, [*sizes, rows, rows])), lower, upper]


def qr(a: Any, mode: str = "reduced") -> Any:
    """`q` with orthonormal columns and an upper triangle `r`, with `q @ r == a`; with the mode "r" only r.

    For a matrix of m rows and n columns, q has min(m, n) columns, or with the mode "complete" m. "full" is an old name
    of "reduced". Raises ConfigError for another mode, ShapeError, TypeMismatch.

    >>> q, r = qr([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "complete")
    >>> q.type, r.type
    (TensorType(float64, (3, 3)), TensorType(float64, (3, 2)))
    """
    modes = {"reduced": (False, True), "full": (False, True), "complete": (True, True), "r": (False, False)}
    if mode not in modes:
        raise complaint(ConfigError, f"qr: there is no mode {mode!r}", as_variable(a), fix="one of " + ", ".join(modes))
    (a,) = in_floats(as_variable(a))
    return Qr(*modes[mode])(a)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Unitary `u`, singular values `s` from the largest on, and unitary `v` with `u * s @ v == a`, as in NumPy.

    u and v are square; with `full_matrices` false u has only as many columns as there are singular values, and v as
    many rows, and both have derivatives. A complex column of u may be multiplied, and the row of v divided, by any
    number of size 1; a cost that depends on it has no derivative, an AssertionFailed when that is computed. With
    `compute_uv` false only s. Raises ShapeError, TypeMismatch.

    >>> svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).eval()
    array([4., 3.])
    """
    (a,) = in_floats(as_variable(a))
    return Svd(bool(full_matrices), True)(a) if compute_uv else svdvals(a)


def svdvals(a: Any) -> Variable:
    """The singular values, from the largest on. Raises ShapeError, TypeMismatch.

    >>> svdvals([[3.0, 0.0], [0.0, 4.0]]).eval()
    array([4., 3.])
    """
    (a,) = in_floats(as_variable(a))
    return Svd(False, False)(a)


def eig(a: Any) -> list[Variable]:
    """Eigenvalues and unit eigenvectors, the columns of a matrix, of square matrices: complex numbers.

    `eigh` is for symmetric matrices. A vector may be multiplied by any number of size 1; a cost that depends on it has
    no derivative, an AssertionFailed when that is computed. Raises ShapeError, TypeMismatch.

    >>> eig([[0.0, 1.0], [-1.0, 0.0]])[0].eval()
    array([0.+1.j, 0.-1.j])
    """
    (a,) = in_floats(as_variable(a))
    return Eig(True)(a)


def eigvals(a: Any) -> Variable:
    """The eigenvalues of square matrices: complex numbers. Raises ShapeError, TypeMismatch.

    >>> eigvals([[0.0, 1.0], [-1.0, 0.0]]).eval()
    array([0.+1.j, 0.-1.j])
    """
    (a,) = in_floats(as_variable(a))
    return Eig(False)(a)


def eigh(a: Any, UPLO: str = "L") -> list[Variable]:
    """Eigenvalues, from the least on, and unit eigenvectors, the columns of a matrix, of symmetric matrices.

    Complex matrices are Hermitian, their eigenvalues real. Only the lower triangle is read, or with `UPLO` "U" the
    upper; it stands for both in the derivative. A complex vector may be multiplied by any number of size 1; a cost that
    depends on it has no derivative, an AssertionFailed when that is computed. Raises ConfigError, ShapeError,
    TypeMismatch.

    >>> eigh([[2.0, 1.0], [1.0, 2.0]])[0].eval()
    array([1., 3.])
    """
    if UPLO not in ("L", "U"):
        raise complaint(ConfigError, f"eigh: UPLO is 'L' or 'U', not {UPLO!r}", as_variable(a), fix="UPLO='L'")
    (a,) = in_floats(as_variable(a))
    return Eigh(UPLO == "L", True)(a)


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Variable:
    """The eigenvalues w of symmetric or Hermitian matrices, from the least on; with a `b` those of `a v == w b v`.

    `b` is positive definite. Only the triangle that `lower` names is read. Raises ShapeError, TypeMismatch.

    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]]).eval(), eigvalsh([[2.0]], [[4.0]]).eval()
    (array([1., 3.]), array([0.5]))
    """
    if b is None:
        (a,) = in_floats(as_variable(a))
        return Eigh(bool(lower), False)(a)
    a, b = in_floats(*together([a, b]))
    factor = cholesky(b, lower)
    whole = real_diagonal(triangle(a, lower) + adjoint(triangle(a, lower, diagonal=False)))
    half = solve_triangular(factor, whole, lower, trans="N" if lower else "C")
    return Eigh(True, False)(solve_triangular(factor, adjoint(half), lower, trans="N" if lower else "C"))
