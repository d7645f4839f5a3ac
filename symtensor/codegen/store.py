"""The cache directory: files that appear whole or not at all, and a place to go when it cannot be written.

No lock exists. A file is written under a name of its own and renamed; writers of one name race and the last
wins, with equal content. Where the directory is missing and cannot be made, read-only, full or without the right
to execute, files go to a directory of this process and one warning says how to mend it.

>>> with config.change(cache=False):
...     path = store("example", "a1", b"finished program")
...     fetch("example", "a1")
b'finished program'
>>> fetch("example", "unknown") is None
True
"""

from __future__ import annotations

import atexit
import errno
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen.seal import seal, unseal

__all__ = ["Store", "StoredFile", "current", "private_directory", "scratch_directory", "store", "fetch",
           "records", "opened_at", "no_place"]

# Only files named so are ours to delete: a user may point the cache at a directory with other things in it.
_OURS = re.compile(r"[0-9a-f]{16}\.(so|c)|[\w-]+\.record|\.[0-9a-f]{16}\.tmp"
                   r"|(software-driver|software-nvcc|pycuda)-[0-9a-f-]+")
_SAFE = re.compile(r"[\w-]{1,120}")
_DAY = 86400.0
_warned = False


def _token() -> str:
    return os.urandom(8).hex()


# --- a directory of this process -----------------------------------------------------------------

_private: tuple[int, str] | None = None


def private_directory() -> str:
    """A directory of this process alone, removed when it ends."""
    global _private
    # A forked child makes its own: its parent removes what it inherited.
    if _private is None or _private[0] != os.getpid() or not os.path.isdir(_private[1]):
        _private = os.getpid(), _made_directory()
        atexit.register(_remove_private, *_private)
    return _private[1]


@contextmanager
def scratch_directory() -> Iterator[str]:
    """A directory for the length of a `with` block."""
    path = _made_directory()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _made_directory() -> str:
    try:
        return tempfile.mkdtemp(prefix="symtensor-")
    except OSError as error:
        raise no_place(error) from None


def no_place(error: OSError) -> CompileError:
    """The error where nothing can be written for the time of a compilation."""
    return CompileError(f"no temporary file can be written: {error.strerror or error}",
                        fix="set TMPDIR to a directory that you can write, with some megabytes free")


def _remove_private(maker: int, path: str) -> None:
    if os.getpid() == maker:  # a forked child inherits the registration but not the directory
        shutil.rmtree(path, ignore_errors=True)


# --- the store -----------------------------------------------------------------------------------

@dataclass(frozen=True)
class StoredFile:
    """A file of the cache: `file` tells hard links to one file, which share its bytes, apart from copies."""

    name: str
    path: str
    bytes: int
    used: float
    file: tuple[int, int]


class Store:
    """Named files in `root`, or in the process's own directory where `root` is None or cannot be written."""

    def __init__(self, root: str | None) -> None:
        self.root = root
        self.degraded = root is None
        self._cleaned = False

    def places(self) -> list[str]:
        """The directories to look in, best first."""
        own = [_private[1]] if _private is not None else []
        return own if self.root is None else [self.root, *own]

    def find(self, name: str) -> Iterator[str]:
        """The paths at which `name` may be."""
        for place in self.places():
            path = f"{place}/{name}"
            if os.path.exists(path):
                yield path

    def add(self, data: bytes, names: Sequence[str]) -> list[str]:
        """Write one file under each of the names (links to it where possible); the paths."""
        if not self.degraded and self.root is not None:
            try:
                os.makedirs(self.root, mode=0o700, exist_ok=True)
                return _publish(self.root, data, names)
            except OSError as error:
                self.degrade(error)
        try:
            return _publish(private_directory(), data, names)
        except OSError as error:
            raise no_place(error) from None

    def degrade(self, error: OSError) -> None:
        """From here on new files go to the process's own directory."""
        self.degraded = True
        _warn_once(f"the cache {self.root} cannot be used ({error.strerror or error}): what is compiled now is lost"
                   f" when this process ends; {_remedy(error)}, or set SYMTENSOR_CACHE_DIR to another directory")

    def files(self) -> list[StoredFile]:
        """The cache's files, the least recently used first."""
        found = (file for place in self.places() for file in _files_in(place))
        return sorted(found, key=lambda file: (file.used, file.name))

    def size(self) -> int:
        """Bytes on disk."""
        return sum({file.file: file.bytes for file in self.files()}.values())

    def clean(self, max_bytes: int) -> int:
        """Remove the least recently used files until `max_bytes` are left; the number of names removed."""
        files = self.files()
        total = sum({file.file: file.bytes for file in files}.values())
        stale, removed, freed = time.time() - _DAY, 0, set()
        for file in files:
            unfinished = file.name.endswith(".tmp") and file.used < stale
            if unfinished or total > max_bytes or file.file in freed:
                removed += _remove(file.path)
                if file.file not in freed:
                    freed.add(file.file)
                    total -= file.bytes
        return removed

    def clean_sometimes(self) -> None:
        """Clean to the configured size, at most daily for one cache and once a process."""
        if self._cleaned or self.degraded:
            return
        self._cleaned = True
        marker = f"{self.root}/.cleaned"
        with suppress(OSError):
            if not os.path.exists(marker) or os.stat(marker).st_mtime < time.time() - _DAY:
                with open(marker, "w"):
                    os.utime(marker)
                self.clean(config.cache_megabytes << 20)


def _files_in(place: str) -> Iterator[StoredFile]:
    """The cache's files in a directory, those left out that another process removes meanwhile."""
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with suppress(OSError):
                if _OURS.fullmatch(entry.name):
                    yield _describe(entry)


def _describe(entry: os.DirEntry[str]) -> StoredFile:
    status = entry.stat()
    size = _folder_bytes(entry.path) if entry.is_dir() else status.st_size
    return StoredFile(entry.name, entry.path, size, status.st_mtime, (status.st_dev, status.st_ino))


def _folder_bytes(path: str) -> int:
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)


def _remove(path: str) -> int:
    """Remove a file, or a folder: first its name, so that nobody finds half of it."""
    try:
        if os.path.isdir(path):
            gone = f"{os.path.dirname(path)}/.{_token()}.tmp"
            os.rename(path, gone)
            shutil.rmtree(gone, ignore_errors=True)
            return 1
        os.unlink(path)
    except OSError:  # another process was first
        return 0
    return 1


def _publish(directory: str, data: bytes, names: Sequence[str]) -> list[str]:
    """Write under a private name, then give the file its names, each in one step."""
    private = f"{directory}/.{_token()}.tmp"
    paths = [f"{directory}/{name}" for name in names]
    try:
        _write(private, data)
        for path in paths[1:]:
            _link(private, path, data)
        os.replace(private, paths[0])
    except BaseException:
        _remove(private)
        raise
    return paths


def _write(path: str, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
        file.write(data)


def _link(source: str, path: str, data: bytes) -> None:
    """One more name for `source`, replacing what has that name; a copy where the file system has no links."""
    private = f"{os.path.dirname(path)}/.{_token()}.tmp"
    try:
        try:
            os.link(source, private)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            _write(private, data)
        os.replace(private, path)
    finally:
        # Renaming a link over a link to the same file leaves both names.
        _remove(private)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space on that disk"
    if error.errno == errno.ENOEXEC:
        return "mount that file system without noexec"
    return "make it a directory that you can write"


def _warn_once(message: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(message, RuntimeWarning, stacklevel=2)


_stores: dict[str | None, Store] = {}


def current() -> Store:
    """The store that the configuration asks for."""
    root = config.cache_path if config.cache else None
    if root not in _stores:
        _stores[root] = Store(None if root is not None and _foreign(root) else root)
    return _stores[root]


def _foreign(root: str) -> bool:
    """Whether the default directory is somebody else's: what is in there would run with our rights."""
    if config.cache_dir or not hasattr(os, "getuid"):
        return False
    try:
        owner = os.stat(root).st_uid
    except OSError:
        return False
    if owner in (os.getuid(), 0):
        return False
    _warn_once(f"the cache {root} belongs to another user and is left alone: what is compiled now is lost when this"
               " process ends; set SYMTENSOR_CACHE_DIR to a directory of your own")
    return True


# --- records: bytes under a kind and a key -------------------------------------------------------

def _record_name(kind: str, key: str) -> str:
    if not _SAFE.fullmatch(kind) or not _SAFE.fullmatch(key):
        raise ValueError(f"a record's kind and key are letters, digits, '_' and '-': {kind!r}, {key!r}")
    return f"{kind}-{key}.record"


def store(kind: str, key: str, data: bytes) -> str | None:
    """Keep `data` under a kind and a key; the path of the file, or None where no place is left for it."""
    name = _record_name(kind, key)
    try:
        return current().add(seal(data, name), [name])[0]
    except CompileError:
        return None  # what was found out is found out again


def fetch(kind: str, key: str) -> bytes | None:
    """What was stored under this kind and key, or None where nothing was or it is damaged."""
    name = _record_name(kind, key)
    for path in current().find(name):
        opened = opened_at(path)
        if opened is not None and opened[1] == name:
            touch(path)
            return opened[0]
    return None


def records(kind: str) -> Iterator[tuple[str, StoredFile, bytes]]:
    """What is stored under a kind, by key, the most recently used first; looking at it is no use of it."""
    for file in reversed(current().files()):
        opened = opened_at(file.path) if file.name.startswith(f"{kind}-") else None
        if opened is not None and opened[1] == file.name:
            yield file.name[len(kind) + 1:].removesuffix(".record"), file, opened[0]


def opened_at(path: str) -> tuple[bytes, str] | None:
    """The body and the manifest of a stored file, or None where it is not there or damaged."""
    try:
        with open(path, "rb") as file:
            return unseal(file.read())
    except OSError:
        return None


def touch(path: str) -> None:
    """Note that a file was used, at most daily: cleaning removes what was not."""
    with suppress(OSError):
        if os.stat(path).st_mtime < time.time() - _DAY:
            os.utime(path)
