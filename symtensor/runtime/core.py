"""The C runtime `symtensor._core`: whether it is there, its libraries, its threads.

Importing it settles OpenMP's threads: how many, and how long they spin. Pointers to the functions of BLAS and LAPACK
come from SciPy, oneDNN's from its wheel; a library is loaded for the first function that has a routine of it.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import CompileError

__all__ = ["core", "load_library", "load_routines", "apply_threads"]

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

ONEDNN = "onednn-cpu-gomp"
ONEDNN_FILE = "libdnnl.so.3"


def apply_threads() -> None:
    """Make the C runtime keep to the options `openmp` and `threads`, as they are now."""
    if core is not None:
        core.set_threads(config.threads if config.openmp else 1)


apply_threads()


def load_routines(names: Iterable[str]) -> None:
    """Load the libraries that these routines call. Raises CompileError where one cannot do without what is missing."""
    routines = core.routines()
    for name in dict.fromkeys(names):
        functions, needed = routines[name]
        missing = [function for library, function in functions if not load_library(library).get(function)]
        if needed and missing:
            raise CompileError(f"{name} needs {missing[0]}, which no library here has",
                               fix={"device_gemm": "cuda_blas=own", "device_convolution": "cuda_dnn=False"}.get(
                                   name, "pip install scipy"))


@cache
def load_library(library: str) -> dict[str, int]:
    """The addresses of the functions of a library that routines call, 0 for missing ones; the C runtime knows them."""
    if core is None:
        return {}
    wanted = {function for functions, _ in core.routines().values() for own, function in functions if own == library}
    if library in ("cublas", "cudnn"):
        from symtensor.runtime.cuda.libraries import library_addresses
        found = library_addresses(library, wanted)
    else:
        found = _onednn(wanted) if library == "onednn" else _scipy(library, wanted)
    for function, address in found.items():
        core.set_library(function, address)
    return found


def _scipy(library: str, wanted: Collection[str]) -> dict[str, int]:
    """Addresses of functions of the BLAS or LAPACK that SciPy was built with."""
    module = _scipy_module(f"cython_{library}")
    pointers = {} if module is None else module.__pyx_capi__
    found = {name: core.capsule_address(pointers[name]) if name in pointers else 0 for name in wanted}
    return found if module is None else found | _openblas_threads(str(module.__file__))


def _scipy_module(short: str) -> Any:
    """SciPy's module of pointers, loaded alone: all of scipy.linalg would take ten times as long."""
    name = f"scipy.linalg.{short}"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("scipy")
    folder = Path(package.origin, "..", "linalg").resolve() if package and package.origin else Path()
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        file = folder / f"{short}{suffix}"
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
            return {f"{verb}_num_threads": _address(getattr(library, f"{prefix}_{verb}_num_threads"))
                    for verb in ("get", "set")}
    return {}


def _address(routine: Any) -> int:
    return ctypes.cast(routine, ctypes.c_void_p).value or 0


def _onednn(wanted: Collection[str]) -> dict[str, int]:
    """Addresses of functions of oneDNN."""
    for path in _onednn_paths():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            return {name: _address(getattr(library, name)) for name in wanted}
    return dict.fromkeys(wanted, 0)


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
