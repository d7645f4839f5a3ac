"""`symtensor doctor`: what was found on this machine, and the one command that gets what was not.

>>> print(Probe("libexample", False, "not found", "pip install example"))
missing  libexample   not found
         run: pip install example
>>> probe_python().found
True
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import DeviceError, SymtensorError
from symtensor.codegen.store import current, store
from symtensor.codegen.toolchain import probe_reports, toolchain
from symtensor.runtime.core import ONEDNN, core, load_library

__all__ = ["Probe", "probes", "report"]


@dataclass(frozen=True)
class Probe:
    """One thing looked for: whether all is well, what was found out, and the command to run if not.

    Without what is not `needed`, functions run all the same, only slower.
    """

    name: str
    found: bool
    result: str
    command: str = ""
    needed: bool = True

    def __str__(self) -> str:
        word = "ok" if self.found else "missing" if self.needed else "slower"
        advice = "" if self.found or not self.command else f"\n{'':<9}run: {self.command}"
        return f"{word:<9}{self.name:<13}{self.result}{advice}"


def report() -> tuple[str, int]:
    """All probes as text, and the status of the command: 1 when something needed is missing.

    >>> text, status = report()
    >>> text.startswith("ok       Python")
    True
    """
    found = list(probes())
    return "\n".join(map(str, found)), int(any(probe.needed and not probe.found for probe in found))


def probes() -> Iterator[Probe]:
    """The results of all probes. None of them raises, and none changes what later calls do."""
    yield probe_python()
    yield probe_numpy()
    yield probe_runtime()
    yield probe_compiler()
    yield probe_vector_math()
    yield probe_blas()
    yield probe_lapack()
    yield probe_onednn()
    yield from device_probes()
    yield probe_cache()
    yield probe_threads()


def probe_python() -> Probe:
    """The interpreter."""
    return Probe("Python", sys.version_info >= (3, 10), f"{platform.python_version()}, {sys.executable}")


def probe_numpy() -> Probe:
    """NumPy, which arguments and results belong to."""
    return Probe("NumPy", True, f"{np.__version__}, {os.path.dirname(np.__file__)}")


def probe_runtime() -> Probe:
    """The C runtime, built when symtensor was installed."""
    if core is not None:
        return Probe("C runtime", True, str(core.__file__))
    project = Path(__file__).parents[2]
    what = str(project) if (project / "setup.py").exists() else "symtensor"
    return Probe("C runtime", False, "was not built: functions run by the NumPy meaning of each op, slowly",
                 f"pip install --force-reinstall --no-deps --editable {what}" if what != "symtensor"
                 else "pip install --force-reinstall --no-deps --no-binary symtensor symtensor")


def probe_compiler() -> Probe:
    """The C compiler, with what is wrong with those that were passed over."""
    try:
        tool = toolchain()
    except SymtensorError as error:
        return Probe("C compiler", False, error.what, "unset SYMTENSOR_CXX SYMTENSOR_CFLAGS SYMTENSOR_FLAGS")
    own = "" if tool is None else " ".join(tool.command)
    others = [f"{name}: {text}" for name, text in probe_reports().items() if name != own]
    result = "; ".join([f"{own}, {tool.identity}" if tool else "none works", *others])
    return Probe("C compiler", tool is not None, result, "pip install ziglang")


def probe_vector_math() -> Probe:
    """libmvec, by which loops over exp, log, sin and others compute several elements at once."""
    try:
        tool = toolchain()
    except SymtensorError:
        tool = None
    if tool is not None and tool.vector_math:
        return Probe("vector math", True, "libmvec")
    command = "apt install gcc" if tool is None or tool.kind != "gcc" else ""
    return Probe("vector math", False, "not used: the compiler cannot, or the C library has no libmvec", command,
                 needed=False)


def probe_blas() -> Probe:
    """BLAS, for matrix products and triangular systems: the one SciPy was built with."""
    return _scipy("BLAS", "a plain loop multiplies, and triangular systems are not compiled")


def probe_lapack() -> Probe:
    """LAPACK, for factors of matrices and linear systems: the one SciPy was built with."""
    return _scipy("LAPACK", "functions of them are not compiled")


def _scipy(name: str, otherwise: str) -> Probe:
    functions = load_library(name.lower())
    missing = sorted(function for function, address in functions.items() if not address)
    if functions and not missing:
        return Probe(name, True, f"SciPy's: {' '.join(sorted(functions))}")
    return Probe(name, False, f"not found: {' '.join(missing)}; {otherwise}", "pip install scipy", needed=False)


def probe_onednn() -> Probe:
    """oneDNN, for large float32 matrix products."""
    if load_library("onednn").get("dnnl_sgemm"):
        return Probe("oneDNN", True, "dnnl_sgemm")
    return Probe("oneDNN", False, "not found: BLAS multiplies float32 matrices", f"pip install {ONEDNN}==2023.2.0",
                 needed=False)


def device_probes() -> Iterator[Probe]:
    """cuBLAS and cuDNN, where there is NVIDIA's driver, or an option names one of them."""
    from symtensor.runtime.cuda.libraries import blas_path, dnn_path
    for name, option, find, work in (("cuBLAS", "cuda_blas", blas_path, "multiply matrices"),
                                     ("cuDNN", "cuda_dnn_path", dnn_path, "convolve")):
        if not getattr(config, option) and find_library("cuda") is None:
            continue
        try:
            path, lacks = find(), "not used"
        except DeviceError as error:
            path, lacks = None, error.what
        yield Probe(name, path is not None, path or f"{lacks}: our own kernels {work} on devices",
                    f"pip install nvidia-{name.lower()}-cu12", needed=False)


def probe_cache() -> Probe:
    """The cache directory: whether files can be kept there, and how large it is."""
    if not config.cache:
        return Probe("cache", False, "turned off: each process compiles anew", "unset SYMTENSOR_CACHE SYMTENSOR_FLAGS",
                     needed=False)
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        written = store("doctor", "probe", b"")
    if written is not None:
        os.unlink(written)
    if written is not None and os.path.dirname(written) == config.cache_path:
        return Probe("cache", True, f"{config.cache_path}, {current().size() / 2**20:.1f} of at most"
                                    f" {config.cache_megabytes} MB")
    reason = str(complaints[0].message) if complaints else f"{config.cache_path} cannot be written"
    return Probe("cache", False, reason, f"mkdir -p {config.cache_path} && chmod u+rwx {config.cache_path}")


def probe_threads() -> Probe:
    """How many threads a kernel may use."""
    if core is None:
        return Probe("threads", False, "1: there is no C runtime", needed=False)
    return Probe("threads", True, f"{core.get_threads()} of {os.cpu_count()} processors"
                                  f" (openmp={config.openmp}, threads={config.threads})")
