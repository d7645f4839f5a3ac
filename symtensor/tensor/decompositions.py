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
from symtensor.ops.contract import swap_last
from symtensor.ops.convert import as_variable, together
from symtensor.ops.inverses import Lu, LuSolve
from symtensor.ops.linalg import identity_like, triangle
from symtensor.ops.shape import broadcast_to
from symtensor.ops.size import shape_of
from symtensor.ops.spectra import Eig, Eigh, Qr, Svd
from symtensor.tensor.systems import cholesky, in_floats, solve_triangular

__all__ = ["lu", "qr", "svd", "svdvals", "eig", "eigh", "eigvalsh"]


def lu(a: Any) -> list[Variable]:
    """A permutation p, a lower triangle l with ones on its diagonal and an upper one u with `p @ l @ u == a`.

    `a` is square. Raises ShapeError, TypeMismatch.

    >>> [part.eval().tolist() for part in lu([[1.0, 2.0], [2.0, 2.0]])]
    [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.5, 1.0]], [[2.0, 2.0], [0.0, 1.0]]]
    """
    (a,) = in_floats(as_variable(a))
    packed, exchanges = Lu()(swap_last(a))
    identity = broadcast_to(identity_like(a), shape_of(a))
    lower = triangle(swap_last(packed), True, diagonal=False) + identity
    return [LuSolve(False)(identity, exchanges, identity), lower, triangle(swap_last(packed), False)]


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
    many rows, and both have derivatives. With `compute_uv` false only s. Raises ShapeError, TypeMismatch.

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

    They have no derivative; `eigh` is for symmetric matrices. Raises ShapeError, TypeMismatch.

    >>> eig([[0.0, 1.0], [-1.0, 0.0]])[0].eval()
    array([0.+1.j, 0.-1.j])
    """
    (a,) = in_floats(as_variable(a))
    return Eig()(a)


def eigh(a: Any, UPLO: str = "L") -> list[Variable]:
    """Eigenvalues, from the least on, and unit eigenvectors, the columns of a matrix, of symmetric matrices.

    Only the lower triangle is read, or with `UPLO` "U" the upper one; it stands for both in the derivative. Raises
    ConfigError, ShapeError, TypeMismatch.

    >>> eigh([[2.0, 1.0], [1.0, 2.0]])[0].eval()
    array([1., 3.])
    """
    if UPLO not in ("L", "U"):
        raise complaint(ConfigError, f"eigh: UPLO is 'L' or 'U', not {UPLO!r}", as_variable(a), fix="UPLO='L'")
    (a,) = in_floats(as_variable(a))
    return Eigh(UPLO == "L", True)(a)


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Variable:
    """The eigenvalues w of symmetric matrices, from the least on; with positive definite `b` those of `a v == w b v`.

    Only the triangle that `lower` names is read. Raises ShapeError, TypeMismatch.

    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]]).eval(), eigvalsh([[2.0]], [[4.0]]).eval()
    (array([1., 3.]), array([0.5]))
    """
    if b is None:
        (a,) = in_floats(as_variable(a))
        return Eigh(bool(lower), False)(a)
    a, b = in_floats(*together([a, b]))
    factor = cholesky(b, lower)
    whole = triangle(a, lower) + swap_last(triangle(a, lower, diagonal=False))
    half = solve_triangular(factor, whole, lower, trans=0 if lower else 1)
    return Eigh(True, False)(solve_triangular(factor, swap_last(half), lower, trans=0 if lower else 1))
