"""Compiled CUDA kernels, found again by what they are made of, in the store where C kernels are.

What a device's driver loads is a module: a cubin, made by NVRTC for its architecture, or what the compiler of the
software driver makes. The kernels of one call that are not in the store are compiled together and share one.

>>> from symtensor.codegen.cuda import nvrtc
>>> text = 'extern "C" __global__ void KERNEL(float *x) { x[threadIdx.x] *= 2; }'
>>> [kernel] = compile_kernels([("twice", text)], nvrtc_compiler("sm_80")) if nvrtc.find() else [None]
>>> kernel is None or kernel.module[:4] == b"\\x7fELF" and kernel.symbol.startswith("twice_")
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from symtensor.codegen import store
from symtensor.codegen.cuda import nvrtc
from symtensor.codegen.cuda.preamble import preamble
from symtensor.codegen.named import NamedText
from symtensor.codegen.seal import digest, seal
from symtensor.codegen.store import Store

__all__ = ["CompiledKernel", "Compiler", "compile_kernels", "nvrtc_compiler"]

_FORMAT = "1"


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel's function in a module. Kernels that were compiled together have one object as their module."""

    name: str
    symbol: str
    module: bytes


@dataclass(frozen=True)
class Compiler:
    """What makes a module of CUDA text for a device, and what tells its modules from those for another."""

    identity: str
    compile: Callable[[str], bytes]


_compiled: dict[str, CompiledKernel] = {}
_modules: dict[str, bytes] = {}  # by the keys of their kernels


def nvrtc_compiler(architecture: str) -> Compiler:
    """NVRTC for the devices of an architecture such as "sm_80". Raises CompileError where it is not installed."""
    return Compiler(f"NVRTC {nvrtc.version()} {architecture}", lambda text: nvrtc.compile_text(text, architecture))


def compile_kernels(kernels: Iterable[tuple[str, str]], compiler: Compiler) -> list[CompiledKernel]:
    """Compile kernels given as (name, CUDA text), or find them in the store.

    Raises CompileError where the compiler refuses a text.
    """
    setting = (f"cuda format {_FORMAT}", compiler.identity, preamble())
    asked = [NamedText(name, text, digest(*setting, text)) for name, text in kernels]
    directory = store.current()
    missing = {kernel.key: kernel for kernel in asked
               if kernel.key not in _compiled and not _find_stored(directory, kernel)}
    if missing:
        _build(directory, compiler, list(missing.values()))
        directory.clean_sometimes()
    return [replace(_compiled[kernel.key], name=kernel.name) for kernel in asked]


def _record(key: str) -> str:
    return f"cuda-{key}.record"


def _find_stored(directory: Store, kernel: NamedText) -> bool:
    """Take a kernel from the store; False where it is not there or damaged."""
    for path in directory.find(_record(kernel.key)):
        opened = store.opened_at(path)
        symbols = dict(line.split(" ") for line in opened[1].splitlines()) if opened else {}
        if opened is not None and kernel.key in symbols:
            store.touch(path)
            module = _modules.setdefault(digest(*symbols), opened[0])
            _compiled[kernel.key] = CompiledKernel(kernel.name, symbols[kernel.key], module)
            return True
    return False


def _build(directory: Store, compiler: Compiler, missing: Sequence[NamedText]) -> None:
    """Compile kernels into one module, and keep it under the keys of all."""
    text = "\n".join([preamble(), *(kernel.definition for kernel in missing)])
    module = compiler.compile(text)
    manifest = "\n".join(f"{kernel.key} {kernel.symbol}" for kernel in missing)
    directory.add(seal(module, manifest), [_record(kernel.key) for kernel in missing])
    for kernel in missing:
        _compiled[kernel.key] = CompiledKernel(kernel.name, kernel.symbol, module)
