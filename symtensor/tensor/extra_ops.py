"""Theano's `theano.tensor.extra_ops`: the functions that are found there, and its ops that are made with parameters.

>>> Unique(return_counts=True)([3, 1, 3])[1].eval()
array([1, 2])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.tensor.creation import bartlett, zeros
from symtensor.tensor.manipulation import repeat, squeeze
from symtensor.tensor.ordering import searchsorted, unique
from symtensor.tensor.padding import alloc_diag
from symtensor.tensor.selection import (
    bincount,
    compress,
    fill_diagonal,
    fill_diagonal_offset,
    ravel_multi_index,
    to_one_hot,
    unravel_index,
)
from symtensor.tensor.sequences import cumprod, cumsum, diff

__all__ = ["bartlett", "bincount", "compress", "cumprod", "cumsum", "diff", "fill_diagonal", "fill_diagonal_offset",
           "ravel_multi_index", "repeat", "searchsorted", "squeeze", "to_one_hot", "unique", "unravel_index",
           "AllocDiag", "AllocEmpty", "CumOp", "Unique"]

Function = Callable[..., Any]


def Unique(return_index: bool = False, return_inverse: bool = False, return_counts: bool = False) -> Function:
    """`unique` with its flags given: `Unique(True)(x)`.

    >>> Unique()([2, 1, 2]).eval()
    array([1, 2])
    """
    return partial(unique, return_index=return_index, return_inverse=return_inverse, return_counts=return_counts)


def CumOp(axis: int | None = None, mode: str = "add") -> Function:
    """`cumsum`, or with the mode "mul" `cumprod`, with its axis given: `CumOp(0)(x)`. Raises TypeMismatch.

    >>> CumOp(mode="mul")([2, 3]).eval()
    array([2, 6])
    """
    if mode not in ("add", "mul"):
        raise complaint(TypeMismatch, f"CumOp: there is no mode {mode!r}", fix='"add" or "mul"')
    return partial(cumsum if mode == "add" else cumprod, axis=axis)


def AllocDiag(offset: int = 0, axis1: int = 0, axis2: int = 1) -> Function:
    """`alloc_diag` with its places given: `AllocDiag()(x)`.

    >>> AllocDiag()([1, 2]).eval()
    array([[1, 0],
           [0, 2]])
    """
    return partial(alloc_diag, offset=offset, axis1=axis1, axis2=axis2)


def AllocEmpty(dtype: Any) -> Function:
    """What makes a tensor of a dtype whose elements do not matter, from its sizes: zeros, which cost as little.

    >>> AllocEmpty("float32")(2, 3).type
    TensorType(float32, (2, 3))
    """
    def allocated(*shape: Any) -> Variable:
        return zeros(shape, dtype)
    return allocated
