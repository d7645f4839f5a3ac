"""Compiled kernels, found again by what they are made of.

A kernel is one C function named by the placeholder `KERNEL`. Its key is the hash of its text, the preamble, the
flags, the compiler, the processor and the format of the cache. The kernels of one call that are not in the cache are
compiled together; the shared object is linked under each kernel's key.

>>> with config.change(cache=False):
...     [kernel] = load_kernels([("twice", "double KERNEL(double x) { return 2 * x; }")])
>>> ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(21.0)
42.0
"""

from __future__ import annotations

import _ctypes
import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen import store as stores
from symtensor.codegen.seal import blake2b, digest, seal, unseal
from symtensor.codegen.store import StoredFile, Store, fetch, store
from symtensor.codegen.toolchain import NO_COMPILER, Toolchain, instruction_set, toolchain

__all__ = ["LoadedKernel", "load_kernels", "kernel_key", "why", "entries", "size", "clean", "clear", "store", "fetch"]

_FORMAT = "1"
_PLACEHOLDER = re.compile(r"\bKERNEL\b")


@dataclass(frozen=True)
class LoadedKernel:
    """A kernel in memory: its function's address, and the files it came from."""

    name: str
    key: str
    address: int
    path: str

    @property
    def source(self) -> str:
        """The C text of the unit that the kernel was compiled in."""
        return self.path[:-len(".so")] + ".c"


@dataclass(frozen=True)
class _Library:
    """A loaded shared object: its handle and the symbol of each key in it."""

    handle: int
    symbols: dict[str, str]


_kernels: dict[str, LoadedKernel] = {}
# A file that is loaded stays mapped, so that its number cannot be given to another file.
_libraries: dict[tuple[int, int], _Library] = {}


# --- keys ----------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Setting:
    """What the keys of all kernels of a call have in common."""

    compiler: str
    flags: str
    instructions: str
    preamble: str

    def key(self, text: str) -> str:
        return digest(_FORMAT, self.compiler, self.flags, self.instructions, self.preamble, text)

    def manifest(self) -> list[str]:
        return [f"format {_FORMAT}", f"compiler {self.compiler}", f"flags {self.flags}",
                f"instructions {self.instructions}", f"preamble {digest(self.preamble)}"]


def _setting(tool: Toolchain, preamble: str, extra: Sequence[str]) -> _Setting:
    return _Setting(tool.identity, " ".join((*tool.flags, *extra)), instruction_set(), preamble)


def _compiler() -> Toolchain:
    tool = toolchain()
    if tool is None:
        raise CompileError("no C compiler was found", fix=f"{NO_COMPILER}; or set the option backend=numpy")
    return tool


def kernel_key(text: str, preamble: str = "", extra: Sequence[str] = ()) -> str:
    """The key of a kernel under the present compiler and configuration."""
    return _setting(_compiler(), preamble, extra).key(text)


# --- loading -------------------------------------------------------------------------------------

def load_kernels(kernels: Iterable[tuple[str, str]], *, preamble: str = "",
                 extra: Sequence[str] = ()) -> list[LoadedKernel]:
    """Load kernels given as (name, C text), compiling those that are not in the cache.

    The text defines one function, called KERNEL; `preamble` is put before the kernels and must not define anything
    visible outside; `extra` are compiler flags, such as a sanitizer's.
    """
    asked = list(kernels)
    tool = _compiler()
    setting = _setting(tool, preamble, extra)
    keys = [setting.key(text) for _, text in asked]
    directory = stores.current()
    missing: dict[str, tuple[str, str]] = {}
    for key, (name, text) in zip(keys, asked):
        if key not in _kernels and not _load_stored(directory, key, name):
            missing[key] = name, text
    if missing:
        _build(directory, tool, setting, missing, extra)
    return [_kernels[key] if _kernels[key].name == name else replace(_kernels[key], name=name)
            for key, (name, _) in zip(keys, asked)]


def _load_stored(directory: Store, key: str, name: str) -> bool:
    """Load a kernel from the cache; False where it is not there or its file is damaged."""
    return any(_load_from(directory, path, key, name) for path in directory.find(f"{key}.so"))


def _load_from(directory: Store, path: str, key: str, name: str) -> bool:
    library = _open_library(directory, path)
    symbol = library.symbols.get(key) if library else None
    if library is None or symbol is None:
        return False
    try:
        address = _ctypes.dlsym(library.handle, symbol)
    except OSError:  # the file was exchanged between reading and loading it
        return False
    _kernels[key] = LoadedKernel(name, key, address, path)
    return True


def _open_library(directory: Store, path: str) -> _Library | None:
    """The shared object at `path`, loaded once and only after its seal was found whole."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            number = status.st_dev, status.st_ino
            if number in _libraries:
                return _libraries[number]
            opened = unseal(file.read())
    except OSError:
        return None
    if opened is None:
        return None
    stores.touch(path)
    lines = (line.split(" ") for line in opened[1].splitlines())
    symbols = {words[1]: words[2] for words in lines if words[0] == "kernel"}
    _libraries[number] = library = _Library(_dlopen(directory, path), symbols)
    return library


def _dlopen(directory: Store, path: str) -> int:
    flags = os.RTLD_NOW | os.RTLD_LOCAL
    try:
        return int(_ctypes.dlopen(path, flags))
    except OSError as error:
        own = stores.private_directory()
        if path.startswith(own):
            raise _unloadable(path, error) from None
        # A file system mounted noexec refuses what loads well from elsewhere.
        with open(path, "rb") as file:
            [copy] = Store(None).add(file.read(), [os.path.basename(path)])
        try:
            handle = int(_ctypes.dlopen(copy, flags))
        except OSError:
            raise _unloadable(path, error) from None
        directory.degrade(OSError(errno.ENOEXEC, "nothing there may be executed"))
        return handle


def _unloadable(path: str, error: OSError) -> CompileError:
    return CompileError(f"a compiled kernel cannot be loaded: {error}", where=[path[:-len(".so")] + ".c"],
                        fix=f"remove {path}")


# --- compiling -----------------------------------------------------------------------------------

def _build(directory: Store, tool: Toolchain, setting: _Setting, missing: dict[str, tuple[str, str]],
           extra: Sequence[str]) -> None:
    """Compile kernels together, put them into the cache and load them."""
    symbols = {key: _symbol(name, key) for key, (name, _) in missing.items()}
    parts = [_PLACEHOLDER.sub(symbols[key], text) for key, (_, text) in missing.items()]
    text = "\n".join([setting.preamble, *parts, ""])
    if config.debug >= 4:
        print(text, file=sys.stderr)
    sources = directory.add(text.encode(), [f"{key}.c" for key in missing])
    target = os.path.join(stores.private_directory(), f"unit-{os.urandom(6).hex()}.so")
    tool.compile(text, target, source=sources[0], extra=extra)
    with open(target, "rb") as file:
        body = file.read()
    os.unlink(target)
    lines = [f"kernel {key} {symbols[key]} {digest(text)}" for key, (_, text) in missing.items()]
    sealed = seal(body, "\n".join(setting.manifest() + lines))
    names = [f"{key}.so" for key in missing]
    paths = directory.add(sealed, names)
    for (key, (name, _)), path in zip(missing.items(), paths):
        if not _load_from(directory, path, key, name):
            # Another process put its own unit there, or the directory went away: use the copy of this process.
            own = Store(None).add(sealed, names)[0]
            if not _load_from(directory, own, key, name):
                raise CompileError(f"the compiled kernel {name} is not in its file", where=[own])
    directory.clean_sometimes()


def _symbol(name: str, key: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)[:60] + "_" + key[:12]


# --- looking after the cache ---------------------------------------------------------------------

def entries() -> list[StoredFile]:
    """The cache's files, the least recently used first."""
    return stores.current().files()


def size() -> int:
    """Bytes on disk."""
    return stores.current().size()


def clean(max_bytes: int) -> int:
    """Remove the least recently used files until `max_bytes` are left; the number of names removed."""
    return stores.current().clean(max_bytes)


def clear() -> int:
    """Remove all of the cache's files; the number of names removed."""
    return clean(-1)


def why(name: str, text: str, *, preamble: str = "", extra: Sequence[str] = ()) -> str:
    """Why a kernel is not in the cache: the first field of the key in which a stored kernel differs."""
    setting = _setting(_compiler(), preamble, extra)
    directory = stores.current()
    if any(_manifest(path) for path in directory.find(f"{setting.key(text)}.so")):
        return "it is in the cache"
    wanted, prefix = digest(text), _symbol(name, "")
    near = None
    for file in reversed([file for file in directory.files() if file.name.endswith(".so")]):
        fields, kernels = _manifest(file.path) or ([], [])
        if any(words[3] == wanted for words in kernels):
            for mine, theirs in zip(setting.manifest(), fields):
                if mine != theirs:
                    field, _, value = mine.partition(" ")
                    return f"{field} differs: {value}; in the cache {theirs.partition(' ')[2]} ({file.path})"
        if near is None and any(words[2].startswith(prefix) and words[1] == file.name[:16] for words in kernels):
            near = file
    return f"text differs: from {near.path[:-3]}.c" if near else "nothing like it is in the cache"


def _manifest(path: str) -> tuple[list[str], list[list[str]]] | None:
    """The setting's lines and the kernels' words of a stored unit, or None where it is damaged."""
    try:
        with open(path, "rb") as file:
            opened = unseal(file.read())
    except OSError:
        return None
    if opened is None:
        return None
    lines = opened[1].splitlines()
    return ([line for line in lines if not line.startswith("kernel ")],
            [line.split(" ") for line in lines if line.startswith("kernel ")])
