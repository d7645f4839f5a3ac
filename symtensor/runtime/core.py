"""The C runtime `symtensor._core`: whether it is there, its libraries, its threads.

Importing it settles OpenMP's threads: how many, and how long they spin. The BLAS routines come from SciPy
as function pointers and oneDNN's from its wheel, both when first asked for, with `load_libraries`.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from symtensor.base.config import config

__all__ = ["core", "available", "load_libraries", "apply_threads"]

# Threads that wait for work spin for so many rounds and then sleep. libgomp's default of ages turns a busy
# machine's step of milliseconds into one of seconds; 1000 is as fast on an idle one and bears company best.
# It is read when libgomp is loaded, so it is set before.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _import_core() -> ModuleType | None:
    try:
        return importlib.import_module("symtensor._core")
    except ImportError:
        return None


core: Any = _import_core()

BLAS = ("sgemm", "dgemm", "cgemm", "zgemm", "sgemv", "dgemv")
ONEDNN = "onednn-cpu-gomp"
ONEDNN_FILE = "libdnnl.so.3"

_loaded: dict[str, bool] = {}


def available() -> bool:
    """Whether the C runtime was built."""
    return core is not None


def apply_threads() -> None:
    """Make the C runtime keep to the options `openmp` and `threads`, as they are now."""
    if core is not None:
        core.set_threads(config.threads if config.openmp else 1)


apply_threads()


def load_libraries() -> dict[str, bool]:
    """Find BLAS and oneDNN, once; which routines were found."""
    if core is None or _loaded:
        return _loaded
    for name, address in {**_blas(), **_onednn()}.items():
        core.set_library(name, address)
        _loaded[name] = address != 0
    return _loaded


def _blas() -> dict[str, int]:
    """Addresses of the BLAS routines SciPy was built with."""
    cython_blas = _cython_blas()
    if cython_blas is None:
        return dict.fromkeys(BLAS, 0)
    routines = {name: core.capsule_address(cython_blas.__pyx_capi__[name]) for name in BLAS}
    return routines | _openblas_threads(str(cython_blas.__file__))


def _cython_blas() -> Any:
    """SciPy's module of BLAS pointers, loaded alone: all of scipy.linalg would take ten times as long."""
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("scipy")
    folder = Path(package.origin, "..", "linalg").resolve() if package and package.origin else Path()
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        file = folder / f"cython_blas{suffix}"
        if file.exists():
            loader = importlib.machinery.ExtensionFileLoader(name, str(file))
            spec = importlib.util.spec_from_file_location(name, file, loader=loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
            sys.modules.pop(name, None)  # scipy.linalg imports it in its own order
            return module
    return None


def _openblas_threads(file: str) -> dict[str, int]:
    """How many threads OpenBLAS uses is read and set here; not found in any other BLAS."""
    library = ctypes.CDLL(file)
    for prefix in ("scipy_openblas", "openblas"):
        with suppress(AttributeError):
            return {"get_threads": _address(getattr(library, f"{prefix}_get_num_threads")),
                    "set_threads": _address(getattr(library, f"{prefix}_set_num_threads"))}
    return {}


def _address(routine: Any) -> int:
    return ctypes.cast(routine, ctypes.c_void_p).value or 0


def _onednn() -> dict[str, int]:
    """The address of oneDNN's matrix product; 0 when the library is missing."""
    for path in _onednn_paths():
        try:
            routine = ctypes.CDLL(str(path)).dnnl_sgemm
        except (OSError, AttributeError):
            continue
        return {"dnnl_sgemm": _address(routine)}
    return {"dnnl_sgemm": 0}


def _onednn_paths() -> Iterator[Path]:
    """Where the library may be: the environment's `lib`, then where the wheel's own record says."""
    yield Path(sys.prefix, "lib", ONEDNN_FILE)
    from importlib import metadata  # slow to import, and needed only where the file is elsewhere
    try:
        files = metadata.files(ONEDNN) or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == ONEDNN_FILE:
            yield Path(str(file.locate()))
