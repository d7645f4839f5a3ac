"""Theano's `theano.tensor.nlinalg`: what of linear algebra is found there, and its ops that are made with parameters.

>>> trace([[1, 2], [3, 4]]).eval()
array(5)
>>> QRFull("r")([[2.0]]).type
TensorType(float64, (1, 1))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from symtensor.tensor import systems
from symtensor.tensor.decompositions import eig, eigh, qr, svd
from symtensor.tensor.extra_ops import AllocDiag
from symtensor.tensor.linear import matrix_dot, tensordot
from symtensor.tensor.matrix_functions import matrix_power, norm
from symtensor.tensor.padding import alloc_diag
from symtensor.tensor.selection import diag, diagonal, extract_diag, trace
from symtensor.tensor.systems import det, inv, pinv, tensorinv, tensorsolve

__all__ = ["alloc_diag", "det", "diag", "eig", "eigh", "extract_diag", "lstsq", "matrix_dot", "matrix_inverse",
           "matrix_power", "norm", "pinv", "qr", "svd", "tensordot", "tensorinv", "tensorsolve", "trace",
           "AllocDiag", "Det", "Eig", "Eigh", "ExtractDiag", "MatrixInverse", "MatrixPinv", "QRFull", "QRIncomplete",
           "SVD", "TensorInv", "TensorSolve"]

Function = Callable[..., Any]
matrix_inverse = inv


def lstsq(x: Any = None, y: Any = None, rcond: Any = -1) -> Any:
    """The least squares solution, see `linalg.lstsq`; called with nothing, as Theano's op is made, the function itself.

    >>> lstsq()([[2.0]], [4.0], -1)[0].eval()
    array([2.])
    """
    return systems.lstsq if x is None else systems.lstsq(x, y, rcond)


def MatrixInverse() -> Function:
    """`matrix_inverse`.

    >>> MatrixInverse()([[2.0]]).eval()
    array([[0.5]])
    """
    return inv


def MatrixPinv() -> Function:
    """`pinv`.

    >>> MatrixPinv()([[2.0]]).eval()
    array([[0.5]])
    """
    return pinv


def Det() -> Function:
    """`det`.

    >>> Det()([[2.0]]).eval()
    array(2.)
    """
    return det


def ExtractDiag(offset: int = 0, axis1: int = 0, axis2: int = 1, view: bool = False) -> Function:
    """`diagonal` with its places given. `view` is accepted for Theano's sake: there are no views to see.

    >>> ExtractDiag()([[1, 2], [3, 4]]).eval()
    array([1, 4])
    """
    return partial(diagonal, offset=offset, axis1=axis1, axis2=axis2)


def Eig() -> Function:
    """`eig`.

    >>> Eig()([[2.0]])[0].eval()
    array([2.+0.j])
    """
    return eig


def Eigh(UPLO: str = "L") -> Function:
    """`eigh` of the triangle given.

    >>> Eigh("U")([[2.0]])[0].eval()
    array([2.])
    """
    return partial(eigh, UPLO=UPLO)


def QRFull(mode: str) -> Function:
    """`qr` with its mode given.

    >>> [factor.type.ndim for factor in QRFull("reduced")([[2.0]])]
    [2, 2]
    """
    return partial(qr, mode=mode)


def QRIncomplete(mode: str) -> Function:
    """`qr` with the mode "r" given.

    >>> QRIncomplete("r")([[2.0]]).type.ndim
    2
    """
    return partial(qr, mode=mode)


def SVD(full_matrices: bool = True, compute_uv: bool = True) -> Function:
    """`svd` with its flags given.

    >>> SVD(compute_uv=False)([[2.0]]).eval()
    array([2.])
    """
    return partial(svd, full_matrices=full_matrices, compute_uv=compute_uv)


def TensorInv(ind: int = 2) -> Function:
    """`tensorinv` with its axes given.

    >>> TensorInv(1)([[2.0]]).eval()
    array([[0.5]])
    """
    return partial(tensorinv, ind=ind)


def TensorSolve(axes: Any = None) -> Function:
    """`tensorsolve` with its axes given.

    >>> TensorSolve()([[2.0]], [4.0]).eval()
    array([2.])
    """
    return partial(tensorsolve, axes=axes)
