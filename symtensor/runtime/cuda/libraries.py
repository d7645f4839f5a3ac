"""Libraries of CUDA that compute routines in the place of our own kernels: cuBLAS and cuDNN, where they are found.

The option `cuda_blas` says which multiplies matrices: empty for cuBLAS of the system or of NVIDIA's wheel; "own" for
our kernels; else the path of a library with the same functions. `cuda_dnn` says whether cuDNN convolves: "auto" where
it is found and does what is asked for; True always; False never. On the software driver NVIDIA's own cannot run, and
is not looked for.

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
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial

from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.ir.node import Apply, Variable
from symtensor.ir.routine import RoutineCall
from symtensor.lower.target import Applier, DeviceLibrary
from symtensor.ops.convolution import Convolution
from symtensor.ops.shape import Dimshuffle
from symtensor.runtime.core import core
from symtensor.types.dtype import FLOATS, NARROW

__all__ = ["blas_path", "dnn_path", "library_addresses", "library_key", "library_of", "library_routine", "status_text",
           "written"]

_OWN = "own"


@dataclass(frozen=True)
class _Library:
    """Where NVIDIA's wheels and the system have a library, what it needs loaded before, and what explains a status."""

    file: str
    folders: tuple[str, ...]
    versions: tuple[int, ...]
    before: tuple[str, ...]
    status: str

    def paths(self) -> Iterator[str]:
        """In NVIDIA's wheels, then where the system's loader finds it."""
        for path in sys.path:
            for folder in self.folders:
                for version in self.versions:
                    yield from sorted(glob.glob(os.path.join(path, "nvidia", folder, "lib", f"{self.file}.{version}")),
                                      reverse=True)
        yield from (f"{self.file}.{version}" for version in self.versions)

    def opened(self, path: str) -> ctypes.CDLL:
        """The library; what it asks the loader for by name alone is found if it is loaded already."""
        folder = os.path.dirname(path)
        for other in self.before:
            for found in sorted(glob.glob(os.path.join(folder, other))) if folder else ():
                ctypes.CDLL(found, mode=ctypes.RTLD_GLOBAL)
        return ctypes.CDLL(path)


_LIBRARIES = {
    "cublas": _Library("libcublas.so", ("cublas", "cu*"), (13, 12, 11), ("libcublasLt.so.*",), "cublasGetStatusString"),
    "cudnn": _Library("libcudnn.so", ("cudnn",), (9, 8), (), "cudnnGetErrorString")}


@cache
def _found(name: str) -> str | None:
    """Where a library is; one that does not load, or has not all that is needed of it, is none."""
    library = _LIBRARIES[name]
    functions = [function for needed, _ in core.routines().values() for own, function in needed if own == name]
    for path in library.paths():
        with suppress(OSError):
            opened = library.opened(path)
            if all(hasattr(opened, function) for function in functions):
                return path
    return None


def blas_path() -> str | None:
    """The library that computes products of matrices on devices; None where our own kernels do.

    Raises DeviceError for a path in the option at which there is none.
    """
    return None if config.cuda_blas == _OWN else _path("cublas", "cuda_blas", "own, or the path of libcublas.so")


def dnn_path() -> str | None:
    """The library that convolves on devices; None where our own kernels do.

    Raises DeviceError for a path in the option at which there is none, and where there must be one and is none. The
    path may be that of its folder.
    """
    if config.cuda_dnn is False:
        return None
    path = _path("cudnn", "cuda_dnn_path", "the path of libcudnn.so")
    if path is None and config.cuda_dnn is True:
        why = "does not run on the software driver" if config.cuda_driver == "software" else "is not found"
        raise DeviceError(f"the option cuda_dnn asks for cuDNN, which {why}",
                          fix="pip install nvidia-cudnn-cu12, or the path in cuda_dnn_path; cuda_dnn=auto does without")
    return path


def _path(name: str, option: str, fix: str) -> str | None:
    """The library that an option names, else the one that is found."""
    given = str(getattr(config, option))
    if not given:
        return None if config.cuda_driver == "software" else _found(name)
    inside = sorted(glob.glob(os.path.join(given, f"{_LIBRARIES[name].file}*"))) if os.path.isdir(given) else [given]
    if not inside or not os.path.exists(given):
        raise DeviceError(f"the option {option} names {given!r}, which is not there", fix=fix)
    return inside[-1]


def library_key() -> str:
    """What of the libraries, and of the options for them, a program depends on."""
    path = _path("cudnn", "cuda_dnn_path", "the path of libcudnn.so") if config.cuda_dnn is not False else None
    return f"{blas_path()} {path} {config.cuda_dnn} {config.cuda_tf32} {config.cuda_dnn_megabytes}"


def library_addresses(name: str, wanted: Collection[str]) -> dict[str, int]:
    """The addresses of a library's functions, 0 for missing ones. Raises DeviceError for a file that is no library."""
    path = {"cublas": blas_path, "cudnn": dnn_path}[name]()
    try:
        library = _LIBRARIES[name].opened(path) if path is not None else None
    except OSError as error:
        raise DeviceError(f"{path} cannot be loaded: {error}",
                          fix={"cublas": "cuda_blas=own", "cudnn": "cuda_dnn=False"}[name]) from None
    return {function: ctypes.cast(getattr(library, function), ctypes.c_void_p).value or 0
            if hasattr(library, function) else 0 for function in wanted}


@cache
def library_of(architecture: str) -> DeviceLibrary:
    """What libraries compute on devices of an architecture."""
    return partial(library_routine, has_bfloat16=not architecture.startswith("sm_") or int(architecture[3:]) >= 80)


def library_routine(call: RoutineCall, dtypes: Sequence[str], has_bfloat16: bool = True) -> RoutineCall | None:
    """What a library computes in the place of our kernels for a routine of operands and outputs of these dtypes.

    Products of float32 and float64, and of narrow floats where alpha and beta are not in memory: they would be float32
    there. Convolutions of all floats, which cuDNN may refuse when it is told the sizes. bfloat16 is not asked of either
    where tensor cores do not know it.
    """
    dtype = dtypes[0] if dtypes else ""
    if dtype == "bfloat16" and not has_bfloat16:
        return None
    if call.name == "convolution" and dnn_path() is not None:
        flags = (*call.flags, int(config.cuda_atomics), int(config.cuda_tf32), config.cuda_dnn_megabytes)
        return replace(call, name="device_convolution", flags=flags, work=0, failure="cuDNN gives up",
                       fix="cuda_dnn=False for our own kernels", may_refuse=config.cuda_dnn is not True)
    if call.name != "gemm" or blas_path() is None or dtype not in FLOATS:
        return None
    if dtype in NARROW and len(dtypes) > 3:
        return None
    return replace(call, name="device_gemm", work=0, scratch=0, failure="cuBLAS gives up", fix="cuda_blas=own")


def written(node: Apply, inputs: tuple[Variable, ...], applied: Applier) -> tuple[Variable, ...] | None:
    """How a node is written where libraries compute: cuDNN wants filters with their channels last, as images have them.

    It knows none such in float64, and filters of one channel or one place lie so as they are.
    """
    op = node.op
    if not isinstance(op, Convolution) or op.filters_last or dnn_path() is None:
        return None
    place = 0 if op.of == "images" else 1
    filters = node.outputs[0] if op.of == "filters" else node.inputs[place]
    channels, *kernel = filters.type.shape[1:]
    if filters.type.dtype == "float64" or channels == 1 or all(size == 1 for size in kernel):
        return None
    last = replace(op, filters_last=True)
    if op.of == "filters":
        return applied(Dimshuffle(last.filter_order), applied(last, inputs))
    to_last = Dimshuffle((0, *range(2, op.axes + 2), 1))
    return applied(last, (*inputs[:place], *applied(to_last, (inputs[place],)), *inputs[place + 1:]))


def status_text(routine: str, status: int) -> str:
    """What a library of devices says of the status of its routine, in brackets; nothing for other routines."""
    name = {"device_gemm": "cublas", "device_convolution": "cudnn"}.get(routine)
    if name is None:
        return ""
    path = {"cublas": blas_path, "cudnn": dnn_path}[name]()
    explain = getattr(_LIBRARIES[name].opened(path), _LIBRARIES[name].status, None) if path is not None else None
    if explain is None:
        return f" (status {status})"
    explain.restype = ctypes.c_char_p
    return f" ({explain(status).decode()})"
