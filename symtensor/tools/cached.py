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
from symtensor.codegen.store import current
from symtensor.runtime import program_cache

__all__ = ["ACTIONS", "info", "clean", "clear"]

_SHOWN = 5
_KINDS = {".so": "compiled kernels", ".c": "their C text", ".record": "programs, CUDA kernels and compilers found",
          "": "builds of the software CUDA driver and of pycuda"}


def info() -> str:
    """what is in the cache"""
    files = current().files()
    lines = [f"directory   {config.cache_path}" + ("" if config.cache else " (turned off: option cache)"),
             f"size        {current().size() / 2**20:.1f} of at most {config.cache_megabytes} MB"]
    counts = Counter(os.path.splitext(file.name)[1] for file in files)
    lines += [f"{counts[ending]:<11} {kind}" for ending, kind in _KINDS.items()]
    if files:
        lines.append(f"oldest use  {(time.time() - files[0].used) / 86400:.1f} days ago")
    return "\n".join(lines)


def why() -> str:
    """of what was compiled last, why it was not found"""
    found = [*program_cache.latest(_SHOWN), *cache.latest(_SHOWN)]
    lines = [f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(file.used))}  {what}\n  {file.path}\n  {reason}"
             for file, what, reason in sorted(found, key=lambda entry: entry[0].used, reverse=True)]
    return "\n".join(lines) or "nothing is in the cache"


def clean() -> str:
    """remove the longest unused files, down to the option cache_megabytes"""
    return _removed(current().clean(config.cache_megabytes << 20))


def clear() -> str:
    """remove everything"""
    return _removed(current().clean(-1))


def _removed(names: int) -> str:
    return f"removed {names} files; {current().size() / 2**20:.1f} MB left in {config.cache_path}"


ACTIONS: dict[str, Callable[[], str]] = {"info": info, "why": why, "clean": clean, "clear": clear}
"""What can be done with the cache; the docstrings are the help of the command."""
