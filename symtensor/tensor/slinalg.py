"""Theano's `theano.tensor.slinalg`: what of linear algebra is found there, and its ops that are made with parameters.

>>> solve_lower_triangular([[2.0]], [4.0]).eval()
array([2.])
>>> Solve("symmetric")([[2.0]], [4.0]).eval()
array([2.])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from symtensor.base.errors import ConfigError
from symtensor.grad.conventions import outside
from symtensor.ir.node import complaint
from symtensor.ops import linalg
from symtensor.ops.complex_parts import conjugate
from symtensor.ops.convert import as_variable
from symtensor.tensor.decompositions import eigvalsh
from symtensor.tensor.linear import kron
from symtensor.tensor.matrix_functions import expm
from symtensor.tensor.systems import (
    cho_solve,
    cholesky,
    solve,
    solve_lower_triangular,
    solve_symmetric,
    solve_triangular,
    solve_upper_triangular,
)

__all__ = ["cho_solve", "cholesky", "eigvalsh", "expm", "kron", "solve", "solve_lower_triangular", "solve_symmetric",
           "solve_triangular", "solve_upper_triangular", "Cholesky", "CholeskyGrad", "Eigvalsh", "Expm", "Solve"]

Function = Callable[..., Any]


def Cholesky(lower: bool = True, destructive: bool = False, on_error: str = "raise") -> Function:
    """`cholesky` with its parameters given. `destructive` is accepted for Theano's sake: memory is used again anyway.

    >>> Cholesky(lower=False)([[4.0]]).eval()
    array([[2.]])
    """
    return partial(cholesky, lower=lower, on_error=on_error)


def CholeskyGrad(lower: bool = True) -> Function:
    """The derivative by x of a cost, from x, its factor and the derivative by that.

    >>> CholeskyGrad()([[4.0]], [[2.0]], [[1.0]]).eval()
    array([[0.25]])
    """
    def slope(x: Any, factor: Any, cotangent: Any) -> Any:
        x, factor, cotangent = map(as_variable, (x, factor, cotangent))
        return outside(linalg.Cholesky(bool(lower), False).pullback(x, factor, conjugate(cotangent)))
    return slope


_STRUCTURES: dict[str, Function] = {
    "general": solve, "symmetric": solve_symmetric, "lower_triangular": solve_lower_triangular,
    "upper_triangular": solve_upper_triangular, "positive_definite": partial(solve, assume_a="pos"),
}


def Solve(A_structure: str = "general", lower: bool = False, overwrite_A: bool = False,
          overwrite_b: bool = False) -> Function:
    """`solve` for matrices of a structure. `overwrite_A` and `overwrite_b` are accepted: memory is used again anyway.

    Structures are "general", "symmetric", "positive_definite", "lower_triangular" and "upper_triangular". Raises
    ConfigError.

    >>> Solve("lower_triangular", lower=True)([[2.0, 0.0], [1.0, 4.0]], [2.0, 5.0]).eval()
    array([1., 1.])
    """
    if A_structure not in _STRUCTURES:
        raise complaint(ConfigError, f"Solve: there is no matrix structure {A_structure!r}",
                        fix="one of " + ", ".join(_STRUCTURES))
    return _STRUCTURES[A_structure]


def Eigvalsh(lower: bool = True) -> Function:
    """`eigvalsh` of the triangle given.

    >>> Eigvalsh()([[2.0]], [[4.0]]).eval()
    array([0.5])
    """
    return partial(eigvalsh, lower=lower)


def Expm() -> Function:
    """`expm`.

    >>> Expm()([[0.0]]).eval()
    array([[1.]])
    """
    return expm
