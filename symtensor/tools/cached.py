"""`symtensor cache`: what is in the cache directory, and how to make it smaller.

>>> info().splitlines()[0].startswith("directory")
True
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

from symtensor.base.config import config
from symtensor.codegen import cache

__all__ = ["ACTIONS", "info", "clean", "clear"]

_KINDS = {".so": "compiled kernels", ".c": "their C text", ".record": "programs and compilers found"}


def info() -> str:
    """what is in the cache"""
    files = cache.entries()
    lines = [f"directory   {config.cache_path}" + ("" if config.cache else " (turned off: option cache)"),
             f"size        {cache.size() / 2**20:.1f} of at most {config.cache_megabytes} MB"]
    counts = Counter(os.path.splitext(file.name)[1] for file in files)
    lines += [f"{counts[ending]:<11} {kind}" for ending, kind in _KINDS.items()]
    if files:
        lines.append(f"oldest use  {(time.time() - files[0].used) / 86400:.1f} days ago")
    return "\n".join(lines)


def clean() -> str:
    """remove the longest unused files, down to the option cache_megabytes"""
    return _removed(cache.clean(config.cache_megabytes << 20))


def clear() -> str:
    """remove everything"""
    return _removed(cache.clear())


def _removed(names: int) -> str:
    return f"removed {names} files; {cache.size() / 2**20:.1f} MB left in {config.cache_path}"


ACTIONS: dict[str, Callable[[], str]] = {"info": info, "clean": clean, "clear": clear}
"""What can be done with the cache; the docstrings are the help of the command."""
