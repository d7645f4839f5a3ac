"""Libraries of CUDA that compute routines in the place of our own kernels: cuBLAS, where it is found.

The option `cuda_blas` says which: empty for cuBLAS of the system or of NVIDIA's wheel; "own" for our kernels; else the
path of a library with the same functions. On the software driver NVIDIA's own cannot run, and is not looked for.

>>> from symtensor.types.tensor import TensorType
>>> a = TensorType("float32", (100, 30))("a")
>>> with config.change(cuda_blas="own"):
...     blas_path(), library_routine(RoutineCall("gemm", (a, a), (9, 9, 9, 1), (0, 1, 0, 0)), ["float32"] * 3)
(None, None)
"""

from __future__ import annotations

import ctypes
import glob
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache

from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.ir.routine import RoutineCall

__all__ = ["blas_path", "library_addresses", "library_routine"]

_OWN = "own"


def blas_path() -> str | None:
    """The library that computes products of matrices on devices; None where our own kernels do.

    Raises DeviceError for a path in the option at which there is none.
    """
    if config.cuda_blas == _OWN or (not config.cuda_blas and config.cuda_driver == "software"):
        return None
    if not config.cuda_blas:
        return _found()
    if not os.path.exists(config.cuda_blas):
        raise DeviceError(f"the option cuda_blas names {config.cuda_blas!r}, which is not there",
                          fix="own, or the path of libcublas.so")
    return str(config.cuda_blas)


@cache
def _found() -> str | None:
    """Where cuBLAS is; one without the functions that are needed is none."""
    for path in _paths():
        try:
            _opened(path)
            return path
        except OSError:
            continue
    return None


def _paths() -> Iterator[str]:
    """Where cuBLAS may be: in NVIDIA's wheels, then where the system's loader finds it."""
    for path in sys.path:
        for folder in ("cublas", "cu*"):
            yield from sorted(glob.glob(os.path.join(path, "nvidia", folder, "lib", "libcublas.so.*")), reverse=True)
    yield from (f"libcublas.so.{version}" for version in (13, 12, 11))


def _opened(path: str) -> ctypes.CDLL:
    """The library; cuBLAS asks the loader for its other half by name alone, which is found if it is loaded already."""
    folder, name = os.path.split(path)
    for other in glob.glob(os.path.join(folder, name.replace("libcublas.", "libcublasLt."))) if folder else ():
        if other != path:
            ctypes.CDLL(other, mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(path)


def library_addresses(wanted: Collection[str]) -> dict[str, int]:
    """The addresses of cuBLAS's functions, 0 for missing ones."""
    path = blas_path()
    library = _opened(path) if path is not None else None
    return {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 if hasattr(library, name) else 0
            for name in wanted}


def library_routine(call: RoutineCall, dtypes: Sequence[str]) -> RoutineCall | None:
    """What a library computes in the place of our kernels for a routine of operands and outputs of these dtypes.

    Products of float32 and float64, and of float16 where alpha and beta are not in memory: they would be float32 there.
    """
    if call.name != "gemm" or blas_path() is None:
        return None
    if dtypes[0] not in ("float32", "float64") and (dtypes[0] != "float16" or len(dtypes) > 3):
        return None
    return replace(call, name="device_gemm", work=0, scratch=0, failure="cuBLAS gives up", fix="cuda_blas=own")
