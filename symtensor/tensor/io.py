"""Tensors that are read from a file when a function runs, Theano's `theano.tensor.io`.

>>> import os, tempfile
>>> import numpy as np
>>> path = os.path.join(tempfile.mkdtemp(), "weights.npy")
>>> np.save(path, np.arange(4.0))
>>> (load(path, "float64", (False,)) * 2).eval()
array([0., 2., 4., 6.])
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.disk import LoadFromDisk
from symtensor.types.tensor import TensorType

__all__ = ["LoadFromDisk", "load"]

MODES = (None, "c", "r", "r+")


def load(path: Any, dtype: Any, broadcastable: Sequence[Any], mmap_mode: str | None = None) -> Variable:
    """A tensor that is read from a `.npy` file whenever a function computes it.

    `broadcastable` is Theano's pattern, or a shape with None for open sizes. With `mmap_mode` ("c", "r", "r+") the file
    is mapped to memory. Raises TypeMismatch, and, when it is computed, LoadError for a file that is not there, or holds
    something else.

    >>> load("weights.npy", "float32", (None, 3)).type.dtype
    'float32'
    """
    if not isinstance(path, (str, os.PathLike)):
        raise complaint(TypeMismatch, f"load: a path must be a text, not {type(path).__name__}",
                        fix="where only the caller knows it: f(np.load(path))")
    if mmap_mode not in MODES:
        raise complaint(TypeMismatch, f"load: there is no mmap_mode {mmap_mode!r}", fix='"c", "r", "r+" or None')
    loaded: Variable = LoadFromDisk(os.fspath(path), TensorType(dtype, tuple(broadcastable)), mmap_mode)()
    return loaded
