"""The software CUDA driver: built when first needed, loaded before pycuda, which then runs on the CPU.

`load()` makes this process one with a CUDA device: afterwards `import pycuda.driver`, and any use of the driver's
entry points, works as on a machine with a GPU. `module(text)` compiles CUDA text into what cuModuleLoadData takes.

What a module's text says besides what NVRTC compiles: a line SYMTENSOR_KERNEL(name, barriers) behind it for each
kernel, barriers being 1 where threads meet at __syncthreads or in warp operations, else 0. For NVRTC define it away:
-DSYMTENSOR_KERNEL(name,barriers)=

>>> sorted(MODES)
['check', 'fast', 'guard', 'shuffled']
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from symtensor.base.config import config
from symtensor.base.errors import CompileError, ConfigError
from symtensor.codegen import store
from symtensor.codegen.cuda.preamble import source_path
from symtensor.codegen.process import run, run_all
from symtensor.codegen.seal import digest
from symtensor.runtime.cuda import nvcc

__all__ = ["MODES", "load", "current_mode", "module", "message", "Finding", "Traffic", "report", "driver_directory",
           "compiler_directory"]

MODES = {
    "fast": "runs each operation as it is called, threads and blocks in order",
    "shuffled": "runs operations as late and threads in as odd an order as is allowed: finds what is missing between",
    "guard": "device memory ends at a closed page and is closed to the host: finds accesses beyond it",
    "check": "watches each access: finds races, uninitialised and foreign memory, with their source lines",
}

_FLAGS = ("-std=gnu++17", "-O2", "-fPIC", "-fvisibility=hidden", "-pthread")
_LINK = ("-shared", "-Wl,-soname,libcuda.so.1", "-Wl,-z,defs", "-pthread", "-ldl", "-lrt")
_loaded: ctypes.CDLL | None = None


def load(mode: str | None = None, *, devices: int | None = None, memory: int | None = None, seed: int | None = None,
         workers: int | None = None, seconds: float | None = None) -> ctypes.CDLL:
    """Make the software driver this process's CUDA driver, and give its library.

    `mode` is one of `MODES`; `devices` how many devices there are, `memory` the bytes of each, `seed` what chooses
    orders in the mode shuffled, `workers` how many threads run blocks (0: one for each core), `seconds` how long a
    kernel may run (0: for ever). What is None keeps its value, at first that of SYMTENSOR_SOFTWARE_MODE and so on.
    Settings hold for contexts made afterwards; the number of devices for the process, once cuInit was called.

    Raises ConfigError for a setting that the driver does not take, or where another CUDA driver is loaded already;
    CompileError where the driver cannot be built.
    """
    global _loaded
    if _loaded is None:
        place = driver_directory()
        _refuse_another(place)
        _loaded = ctypes.CDLL(f"{place}/libcuda.so.1", mode=os.RTLD_GLOBAL | os.RTLD_NOW)
        tools = compiler_directory()
        os.environ["PATH"] = f"{tools}/bin{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {"mode": mode, "devices": devices, "memory": memory, "seed": seed, "workers": workers,
                "seconds": seconds}
    for name, value in settings.items():
        if value is not None:
            _set(_loaded, name, value)
    if mode is not None:
        os.environ["SYMTENSOR_SOFTWARE_MODE"] = mode  # what nvcc, a program of its own, compiles for
    _choose_pycuda_cache()
    return _loaded


def _choose_pycuda_cache() -> None:
    """Where pycuda keeps what it compiled, unless the user says: what is for check is another module."""
    own = f"{compiler_directory()}/pycuda"
    if os.environ.get("PYCUDA_CACHE_DIR", own).startswith(own):
        chosen = f"{own}/{'checked' if current_mode() == 'check' else 'plain'}"
        os.makedirs(chosen, exist_ok=True)
        os.environ["PYCUDA_CACHE_DIR"] = chosen


def _set(library: ctypes.CDLL, name: str, value: object) -> None:
    if not library.symtensor_driver_set(name.encode(), str(value).encode()):
        fix = f"one of {', '.join(MODES)}" if name == "mode" else "a number that is not negative"
        raise ConfigError(f"the software CUDA driver's {name} does not take {value!r}", fix=fix)


def _refuse_another(place: str) -> None:
    with suppress(OSError), open("/proc/self/maps", encoding="utf-8") as file:
        for line in file:
            path = line.split(maxsplit=5)[-1].strip()
            if os.path.basename(path).startswith("libcuda.so") and not path.startswith(place):
                raise ConfigError(f"another CUDA driver is loaded: {path}",
                                  fix="load the software driver before anything that uses CUDA")


def current_mode() -> str:
    """The mode of contexts made from now on."""
    return os.environ.get("SYMTENSOR_SOFTWARE_MODE") or "fast"


def message() -> str:
    """What the driver says of the calling thread's last error, with its standard text."""
    text = ctypes.c_char_p()
    if _loaded is not None:
        _loaded.symtensor_driver_message(ctypes.byref(text))
    return (text.value or b"").decode(errors="replace")


# -- what the mode check found --------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Finding:
    """A defect of a kernel, and how often it was seen: a race, uninitialised or foreign memory, ..."""

    kind: str
    kernel: str
    count: int
    text: str


@dataclass(frozen=True)
class Traffic:
    """What an instruction of a kernel asked of memory, summed over warps.

    `passes` are sectors of 32 bytes in global memory, and turns of the banks in shared memory; `least` what as many
    bytes could do with.
    """

    kernel: str
    line: str
    kind: str
    requests: int
    passes: int
    least: int


def report() -> tuple[list[Finding], list[Traffic]]:
    """What was found and measured in the mode check since the last call, in this process.

    Of each launch the traffic of the first four blocks is measured.
    """
    findings, traffic = [], []
    if _loaded is not None:
        _loaded.symtensor_driver_report.restype = ctypes.c_char_p
        for line in _loaded.symtensor_driver_report().decode(errors="replace").splitlines():
            word, *rest = line.split("\t")
            if word == "finding":
                findings.append(Finding(rest[0], rest[1], int(rest[2]), rest[3]))
            else:
                traffic.append(Traffic(*rest[:3], *map(int, rest[3:])))
    return findings, traffic


# -- modules --------------------------------------------------------------------------------------------------------

def module(text: str, *, mode: str | None = None, options: Sequence[str] = ()) -> bytes:
    """The module of a CUDA text, for cuModuleLoadData; kept in the cache.

    It is for `mode`, the present one where that is None: a module for check runs in all, one for another not in check.
    `options` are -I and -D as for NVRTC. Kernels are those with a SYMTENSOR_KERNEL line; a text without any is looked
    through for `__global__`.

    Raises CompileError with g++'s words.
    """
    tools = compiler_directory()
    kind = "checked" if (mode or current_mode()) == "check" else "plain"
    key = digest("module", os.path.basename(tools), text, kind, *options)
    kept = store.fetch("cuda-module", key)
    if kept is not None:
        return kept
    with store.scratch_directory() as scratch:
        source, target = f"{scratch}/kernel.cu", f"{scratch}/kernel.so"
        Path(source).write_text(text, encoding="utf-8")
        scanned = text
        if "#include" in text or "SYMTENSOR_KERNEL" not in text:
            scanned = nvcc.preprocess(_compiler(), tools, source, options)
            Path(source).write_text(nvcc.registered(text, scanned), encoding="utf-8")
        status, output = run(nvcc.command(_compiler(), tools, f"{driver_directory()}/libcuda.so.1", source, target,
                                          shared=nvcc.shared_names(scanned), kind=kind, options=options))
        if status:
            raise CompileError(f"g++ refuses a CUDA kernel:\n{output}", fix="the text above shows the defect")
        made = Path(target).read_bytes()
    store.store("cuda-module", key, made)
    return made


# -- building the driver --------------------------------------------------------------------------------------------

def _sources() -> Path:
    """The folder with the driver's sources."""
    folder = source_path("software_driver")
    if not folder.is_dir():
        raise CompileError("the sources of the software CUDA driver are not installed", fix="install symtensor anew")
    return folder


@functools.cache
def _compiler() -> tuple[str, ...]:
    found = shutil.which(os.environ.get("CXX", "") or "g++")
    if found is None:
        raise CompileError("no C++ compiler was found; the software CUDA driver needs g++", fix="apt install g++")
    return (found,)


def _digest_of(kind: str, files: Iterable[Path]) -> str:
    """What tells one build from another: the texts it is made of, where they are, and the compiler."""
    version = run([*_compiler(), "--version"])[1].partition("\n")[0]
    ordered = sorted(files)
    return digest(kind, version, *_FLAGS, *map(str, ordered), *(path.read_text(encoding="utf-8") for path in ordered))


@functools.cache
def driver_directory() -> str:
    """The folder that holds libcuda.so.1; the driver is built where it is missing.

    Raises CompileError where there is no g++, or it refuses the driver.
    """
    sources = _sources()
    return _kept("software-driver", [*(sources / "driver").iterdir(), sources / "simt" / "module.h"], _build)


@functools.cache
def compiler_directory() -> str:
    """The folder of the program nvcc that compiles for the driver, as pycuda calls it."""
    headers = (path for path in (_sources() / "simt").rglob("*") if path.is_file())
    return _kept(f"software-nvcc-{driver_directory()[-16:]}", [*headers, Path(nvcc.__file__)], _add_nvcc)


def _kept(kind: str, files: Iterable[Path], build: Callable[[str, str], None]) -> str:
    """A folder of the cache, which build(folder, its later name) fills where it is missing."""
    files = list(files)
    name = f"{kind}-{_digest_of(kind, (path for path in files if path.is_file()))}"
    for root in (config.cache_path, store.private_directory()):
        place = f"{root}/{name}"
        if os.path.isdir(place):
            store.touch(place)
            return place
        try:
            os.makedirs(root, exist_ok=True)
            scratch = tempfile.mkdtemp(prefix=f".{kind}-", dir=root)
        except OSError:
            continue  # the cache cannot be written
        try:
            build(scratch, place)
            with suppress(OSError):  # another process was first
                os.rename(scratch, place)
            return place
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise CompileError("the software CUDA driver cannot be written anywhere", fix="set SYMTENSOR_CACHE_DIR")


def _build(place: str, _: str) -> None:
    sources = sorted((_sources() / "driver").glob("*.cpp"))
    objects = [f"{place}/{source.stem}.o" for source in sources]
    header = f"{place}/driver.h"
    Path(header).write_text(f'#include "{_sources()}/driver/driver.h"\n', encoding="utf-8")
    _check(run_all([[*_compiler(), *_FLAGS, "-x", "c++-header", header, "-o", f"{header}.gch"]]))
    lines = [[*_compiler(), *_FLAGS, "-include", header, "-c", str(source), "-o", made]
             for source, made in zip(sources, objects)]
    workers = os.cpu_count() or 1
    for first in range(0, len(lines), workers):
        _check(run_all(lines[first:first + workers]))
    _check(run_all([[*_compiler(), *objects, *_LINK, "-o", f"{place}/libcuda.so.1"]]))
    os.symlink("libcuda.so.1", f"{place}/libcuda.so")
    for made in [*objects, header, f"{header}.gch"]:
        os.unlink(made)


def _check(results: Sequence[tuple[int, str]]) -> None:
    for status, output in results:
        if status:
            raise CompileError(f"g++ refuses the software CUDA driver:\n{output}", fix="g++ 11 or later is needed")


def _add_nvcc(scratch: str, place: str) -> None:
    words = [f"{driver_directory()}/libcuda.so.1", *_compiler()]
    Path(scratch, "compiler").write_text("\n".join(words), encoding="utf-8")
    shutil.copytree(_sources() / "simt", f"{scratch}/simt")
    lines = []
    for kind in ("plain", "checked", "in_step"):
        os.mkdir(f"{scratch}/{kind}")
        header = f"{scratch}/{kind}/simt.h"
        Path(header).write_text('#include "../simt/simt.h"\n', encoding="utf-8")
        lines.append([*_compiler(), *nvcc.flags(kind), "-x", "c++-header", header, "-o", f"{header}.gch"])
    _check(run_all(lines))
    os.mkdir(f"{scratch}/bin")
    shutil.copy(nvcc.__file__, f"{scratch}/bin/nvcc.py")
    program = Path(scratch, "bin", "nvcc")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{place}/bin/nvcc.py" "{place}" "$@"\n',
                       encoding="utf-8")
    program.chmod(0o755)
