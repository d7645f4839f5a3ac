"""Compiled kernels, found again by what they are made of.

A kernel is one C function named by the placeholder `KERNEL`. Its key is the hash of its text, the preamble, the
flags, the compiler, the processor and the format of the cache. The kernels of one call that are not in the cache are
compiled together; the shared object gets a name (a hard link) for each kernel's key.

>>> with config.change(cache=False):
...     [kernel] = load_kernels([("twice", "double KERNEL(double x) { return 2 * x; }")])
>>> import ctypes
>>> ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(21.0)
42.0
"""

from __future__ import annotations

import _ctypes  # what ctypes itself calls; NumPy has loaded it, so it costs nothing where cffi costs milliseconds
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen import store
from symtensor.codegen.named import NamedText, symbol_stem
from symtensor.codegen.seal import digest, seal, unseal
from symtensor.codegen.store import Store, StoredFile
from symtensor.codegen.toolchain import Job, Toolchain, instruction_set, require

__all__ = ["LoadedKernel", "load_kernels", "kernel_key", "why", "latest"]

_FORMAT = "1"
# Text for which a second compiler process gains more than it costs (some 30 ms of processor time).
_UNIT_CHARACTERS = 2000
_MOST_UNITS = 8


@dataclass(frozen=True)
class LoadedKernel:
    """A kernel in memory: its function's address, and the shared object it came from."""

    name: str
    key: str
    address: int
    path: str

    @property
    def source(self) -> str:
        """The C text of the unit that the kernel was compiled in."""
        return _source_of(self.path)


@dataclass(frozen=True)
class _Library:
    """A loaded shared object: its handle, and the symbol of each key in it."""

    handle: int
    symbols: dict[str, str]


_kernels: dict[str, LoadedKernel] = {}
# By device and inode: a loaded file stays mapped, so its number is not given to another file.
_libraries: dict[tuple[int, int], _Library] = {}


# --- keys ----------------------------------------------------------------------------------------

@dataclass(frozen=True)
class _Setting:
    """What the kernels of a call have in common: a preamble, and all fields of the key but the text.

    The fields are lines of the unit's manifest, in the order in which a difference is reported.
    """

    preamble: str
    fields: tuple[str, ...]

    def key(self, text: str) -> str:
        return digest(*self.fields, text)


def _setting(tool: Toolchain, preamble: str, extra: Sequence[str]) -> _Setting:
    return _Setting(preamble, (f"format {_FORMAT}", f"compiler {tool.identity}",
                               f"flags {' '.join(tool.options(extra))}", f"instructions {instruction_set()}",
                               f"preamble {digest(preamble)}"))


def kernel_key(text: str, *, preamble: str = "", extra: Sequence[str] = ()) -> str:
    """The key of a kernel under the present compiler and configuration."""
    return _setting(require(), preamble, extra).key(text)


# --- loading -------------------------------------------------------------------------------------

def load_kernels(kernels: Iterable[tuple[str, str]], *, preamble: str = "",
                 extra: Sequence[str] = ()) -> list[LoadedKernel]:
    """Load kernels given as (name, C text), compiling those that are not in the cache.

    The text defines one function, called KERNEL, and nothing else that other kernels could define too; `preamble`
    comes once before the kernels; `extra` are flags for the compiler, such as a sanitizer's.
    """
    tool = require()
    setting = _setting(tool, preamble, extra)
    asked = [NamedText(name, text, setting.key(text)) for name, text in kernels]
    directory = store.current()
    missing = {kernel.key: kernel for kernel in asked
               if kernel.key not in _kernels and not _load_stored(directory, kernel)}
    if missing:
        _build(directory, tool, setting, list(missing.values()), extra)
        directory.clean_sometimes()
    return [replace(_kernels[kernel.key], name=kernel.name) for kernel in asked]


def _load_stored(directory: Store, kernel: NamedText) -> bool:
    """Load a kernel from the cache; False where it is not there, is damaged or does not load on this system."""
    for path in directory.find(f"{kernel.key}.so"):
        try:
            if _load_from(directory, path, kernel):
                return True
        except OSError:
            continue
    return False


def _load_from(directory: Store, path: str, kernel: NamedText) -> bool:
    """Load a kernel from a file; False where it is not in there. Raises OSError where the file does not load."""
    library = _open_library(directory, path)
    if library is None or kernel.key not in library.symbols:
        return False
    address = _ctypes.dlsym(library.handle, library.symbols[kernel.key])
    _kernels[kernel.key] = LoadedKernel(kernel.name, kernel.key, address, path)
    return True


def _open_library(directory: Store, path: str) -> _Library | None:
    """The shared object at `path`, loaded once and only after its seal was found whole."""
    with open(path, "rb") as file:
        number = _number(os.fstat(file.fileno()))
        if number in _libraries:
            return _libraries[number]
        data = file.read()
        opened = unseal(data)
        if opened is None:
            return None
        handle = _dlopen(directory, path, data)
        # The loader took what had the name by then. While the file is open nothing else gets its number.
        if number != _number(os.stat(path)):
            _ctypes.dlclose(handle)
            raise OSError(errno.ESTALE, "it was exchanged while it was read")
    store.touch(path)
    store.touch(_source_of(path))
    symbols = {words[1]: words[2] for words in _kernel_lines(opened[1])}
    _libraries[number] = library = _Library(handle, symbols)
    return library


def _number(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _dlopen(directory: Store, path: str, data: bytes) -> int:
    """The handle of the shared object at `path`, which holds `data`."""
    mode = os.RTLD_NOW | os.RTLD_LOCAL
    try:
        return int(_ctypes.dlopen(path, mode))
    except OSError:
        if os.path.dirname(path) == store.private_directory():
            raise
        # A file system mounted noexec refuses what loads well from elsewhere.
        [copy] = Store(None).add(data, [os.path.basename(path)])
        handle = int(_ctypes.dlopen(copy, mode))
        directory.degrade(OSError(errno.ENOEXEC, "nothing there may be executed"))
        return handle


def _source_of(path: str) -> str:
    return path.removesuffix(".so") + ".c"


# --- compiling -----------------------------------------------------------------------------------

def _build(directory: Store, tool: Toolchain, setting: _Setting, missing: Sequence[NamedText],
           extra: Sequence[str]) -> None:
    """Compile kernels, a unit for each processor where there is much text, put them into the cache, load them."""
    units = _divide(missing)
    texts = ["\n".join([setting.preamble, *(kernel.definition for kernel in unit), ""]) for unit in units]
    if config.debug >= 4:
        print(*texts, sep="\n", file=sys.stderr)
    with store.scratch_directory() as scratch:
        # Not in the cache, where another process may at any time remove a text or put its own under the same name.
        jobs = [Job(f"{scratch}/{unit[0].key}.c", f"{scratch}/{unit[0].key}.so") for unit in units]
        for text, job in zip(texts, jobs):
            _write(job.source, text)
        try:
            tool.compile_all(jobs, extra)
        except CompileError as error:
            raise _with_kept_source(error, directory) from None
        for unit, text, job in zip(units, texts, jobs):
            with open(job.target, "rb") as file:
                sealed = seal(file.read(), _manifest_of(setting, unit))
            _keep_and_load(directory, unit, text.encode(), sealed)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise store.no_place(error) from None


def _with_kept_source(error: CompileError, directory: Store) -> CompileError:
    """A refusal whose source is kept in the cache for the user to read."""
    for source in filter(os.path.exists, error.where):
        with open(source, "rb") as file:
            text = file.read()
        [kept] = directory.add(text, [f"{digest(text.decode())}.c"])
        return CompileError(error.what.replace(source, kept), where=[kept], fix=error.fix)
    return error


def _divide(kernels: Sequence[NamedText]) -> list[list[NamedText]]:
    """Units of about equal text, as many as pay and processors there are.

    >>> [len(unit) for unit in _divide([NamedText("a", "x" * 10, str(i)) for i in range(4)])]
    [4]
    """
    characters = sum(len(kernel.text) for kernel in kernels)
    count = max(1, min(_processors(), _MOST_UNITS, len(kernels), characters // _UNIT_CHARACTERS))
    units: list[list[NamedText]] = [[] for _ in range(count)]
    lengths = [0] * count
    for kernel in sorted(kernels, key=lambda kernel: len(kernel.text), reverse=True):
        shortest = lengths.index(min(lengths))
        units[shortest].append(kernel)
        lengths[shortest] += len(kernel.text)
    return units


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _manifest_of(setting: _Setting, unit: Sequence[NamedText]) -> str:
    lines = [f"kernel {kernel.key} {kernel.symbol} {digest(kernel.text)}" for kernel in unit]
    return "\n".join([*setting.fields, *lines])


def _kernel_lines(manifest: str) -> list[list[str]]:
    """For each kernel of a unit: the word kernel, its key, its symbol, the digest of its text."""
    return [line.split(" ") for line in manifest.splitlines() if line.startswith("kernel ")]


def _keep_and_load(directory: Store, unit: Sequence[NamedText], text: bytes, sealed: bytes) -> None:
    """Put a compiled unit into the cache under the keys of its kernels, and load them."""
    for place in (directory, Store(None)):
        place.add(text, [f"{kernel.key}.c" for kernel in unit])
        paths = place.add(sealed, [f"{kernel.key}.so" for kernel in unit])
        try:
            if all([_load_from(directory, path, kernel) for path, kernel in zip(paths, unit)]):
                return
        except OSError as error:
            reason = str(error)
        else:
            reason = "it was exchanged by another process"
        # Another process may have put its own unit there, or removed it: then a copy of this process serves.
    raise CompileError(f"a compiled kernel cannot be loaded: {reason}", where=[_source_of(paths[0])],
                       fix="does the kernel call a function that neither libm nor libc has?")


# --- why a kernel was compiled -------------------------------------------------------------------

def why(name: str, text: str, *, preamble: str = "", extra: Sequence[str] = ()) -> str:
    """Why a kernel is not in the cache: the first field of its key in which the nearest stored kernel differs."""
    setting = _setting(require(), preamble, extra)
    key = setting.key(text)
    if any(_manifest_at(path) for path in store.current().find(f"{key}.so")):
        return f"it is in the cache: {key}"
    return _reason(setting.fields, key, symbol_stem(name), digest(text), store.current().files())


def latest(count: int) -> list[tuple[StoredFile, str, str]]:
    """Of the newest units their file, the names of their kernels, and why the first was not there before."""
    found: list[tuple[StoredFile, str, str]] = []
    files, units = store.current().files(), set()
    for number, file in reversed(list(enumerate(files))):
        manifest = _manifest_at(file.path) if file.name.endswith(".so") and file.file not in units else ""
        lines = _kernel_lines(manifest)
        if lines and len(found) < count:
            units.add(file.file)
            older = [other for other in files[:number] if other.file != file.file]
            _, key, symbol, own_digest = lines[0]
            names = ", ".join(line[2][:-13] for line in lines)
            found.append((file, names, _reason(manifest.splitlines(), key, symbol[:-12], own_digest, older)))
    return found


def _reason(fields: Sequence[str], key: str, stem: str, wanted: str, files: Sequence[StoredFile]) -> str:
    """Why a kernel is not among files: the first field in which the nearest of them differs, or its text."""
    relative = ""
    for file in reversed(files):
        manifest = _manifest_at(file.path) if file.name.endswith(".so") else ""
        for _, its_key, symbol, its_digest in _kernel_lines(manifest):
            if its_digest == wanted and not file.name.startswith(key):
                return _difference(fields, manifest.splitlines(), file.path)
            if file.name.startswith(its_key) and symbol[:-12] == stem:
                relative = relative or _source_of(file.path)
    return f"text differs from that in {relative}" if relative else "nothing like it is in the cache"


def _difference(mine: Sequence[str], theirs: Sequence[str], path: str) -> str:
    for my_line, their_line in zip(mine, theirs):
        if my_line != their_line:
            field, _, value = my_line.partition(" ")
            return f"{field} differs: now {value!r}, in {path} {their_line.partition(' ')[2]!r}"
    return f"its file was removed or is damaged; {path} holds it too"


def _manifest_at(path: str) -> str:
    """The manifest of a stored unit, empty where it is damaged."""
    opened = store.opened_at(path)
    return opened[1] if opened else ""
