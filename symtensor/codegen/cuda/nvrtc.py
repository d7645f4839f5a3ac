"""NVRTC, NVIDIA's compiler of CUDA text in this process: the package nvidia-cuda-nvrtc on PyPI, or a CUDA toolkit's.

It needs neither a device nor a driver. It is looked for, and loaded, when first needed.

>>> library = find()
>>> library is None or "libnvrtc" in library
True
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from symtensor.base.errors import CompileError
from symtensor.codegen.cuda.resources import Resources, reported
from symtensor.codegen.toolchain import first_lines

__all__ = ["compile_text", "find", "resources", "version"]

_INSTALL = "pip install nvidia-cuda-nvrtc"
_DECLARATIONS = """
typedef struct _nvrtcProgram *nvrtcProgram;
int nvrtcVersion(int *major, int *minor);
const char *nvrtcGetErrorString(int result);
int nvrtcCreateProgram(nvrtcProgram *program, const char *text, const char *name, int headers, const char **texts,
                       const char **names);
int nvrtcDestroyProgram(nvrtcProgram *program);
int nvrtcCompileProgram(nvrtcProgram program, int count, const char **options);
int nvrtcGetCUBINSize(nvrtcProgram program, size_t *size);
int nvrtcGetCUBIN(nvrtcProgram program, char *cubin);
int nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size);
int nvrtcGetProgramLog(nvrtcProgram program, char *log);
void *dlopen(const char *path, int mode);
"""

# No -use_fast_math: functions keep the accuracy that ops promise, and NaN and subnormal numbers are what they are.
_OPTIONS = ("-default-device", "-std=c++17", "-restrict", "-w")


def find() -> str | None:
    """The path of NVRTC's shared library, None where it is not installed."""
    for folder in _folders():
        found = sorted(path for path in glob.glob(f"{folder}/libnvrtc.so*") if "alt" not in path)
        if found:
            return found[-1]
    return None


def _folders() -> Iterator[str]:
    for path in sys.path:
        yield from sorted(glob.glob(os.path.join(path, "nvidia", "cu*", "lib")), reverse=True)
        yield os.path.join(path, "nvidia", "cuda_nvrtc", "lib")
    for root in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if root:
            yield os.path.join(root, "lib64")


@cache
def _library() -> tuple[Any, Any]:
    """The foreign interface and the library. Raises CompileError where there is none."""
    path = find()
    if path is None:
        raise CompileError("NVRTC, which compiles CUDA kernels, was not found", fix=_INSTALL)
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    # NVRTC asks the loader for its builtins by name alone, which finds them if they are already loaded.
    for builtins in glob.glob(os.path.join(os.path.dirname(path), "libnvrtc-builtins.so*")):
        ffi.dlopen(builtins, ffi.RTLD_NOW | ffi.RTLD_GLOBAL)
    return ffi, ffi.dlopen(path)


@cache
def version() -> str:
    """The version of NVRTC, which is part of what a compiled kernel is made of."""
    ffi, library = _library()
    major, minor = ffi.new("int *"), ffi.new("int *")
    library.nvrtcVersion(major, minor)
    return f"{major[0]}.{minor[0]}"


def compile_text(text: str, architecture: str) -> bytes:
    """The cubin made of CUDA text for an architecture such as "sm_80". Raises CompileError, with what NVRTC says."""
    return _compile(text, architecture, ())[0]


def resources(text: str, architecture: str) -> list[Resources]:
    """What the kernels of CUDA text take of a device."""
    return list(reported(_compile(text, architecture, ("--ptxas-options=-v",))[1]))


def _compile(text: str, architecture: str, options: Sequence[str]) -> tuple[bytes, str]:
    """The cubin, and what NVRTC says."""
    ffi, library = _library()
    program = ffi.new("nvrtcProgram *")
    _check(library.nvrtcCreateProgram(program, text.encode(), b"kernels.cu", 0, ffi.NULL, ffi.NULL))
    try:
        words = [ffi.new("char[]", word.encode()) for word in (*_OPTIONS, f"-arch={architecture}", *options)]
        if library.nvrtcCompileProgram(program[0], len(words), ffi.new("char *[]", words)):
            raise _refusal(text, _log(program[0]), architecture)
        size = ffi.new("size_t *")
        _check(library.nvrtcGetCUBINSize(program[0], size))
        cubin = ffi.new("char[]", size[0])
        _check(library.nvrtcGetCUBIN(program[0], cubin))
        return bytes(ffi.buffer(cubin)), _log(program[0])
    finally:
        library.nvrtcDestroyProgram(program)


def _log(program: Any) -> str:
    ffi, library = _library()
    size = ffi.new("size_t *")
    _check(library.nvrtcGetProgramLogSize(program, size))
    log = ffi.new("char[]", size[0])
    _check(library.nvrtcGetProgramLog(program, log))
    return str(ffi.string(log).decode(errors="replace"))


def _check(status: int) -> None:
    ffi, library = _library()
    if status:
        raise CompileError(f"NVRTC: {ffi.string(library.nvrtcGetErrorString(status)).decode()}")


def _refusal(text: str, log: str, architecture: str) -> CompileError:
    lines = first_lines(log)
    numbers = [int(number) for number in re.findall(r"kernels\.cu\((\d+)\)", log)[:1]]
    source = text.splitlines()
    lines += [f"line {number}: {source[number - 1].strip()}" for number in numbers if number <= len(source)]
    what = f"NVRTC {version()} does not take the kernels it was given for {architecture}"
    return CompileError("\n    ".join([what, *lines]), fix="option device=cpu does without CUDA")
