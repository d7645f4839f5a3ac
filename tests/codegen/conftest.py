"""A cache of its own for each test, as a process that has just started would see it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.codegen import cache, store

ROOT = Path(__file__).parents[2]


Start = Callable[..., "subprocess.Popen[str]"]


def _forget() -> None:
    cache._kernels.clear()
    cache._libraries.clear()
    store._stores.clear()
    store._private = None
    store._warned = False


@pytest.fixture
def fresh() -> Iterator[Callable[[], None]]:
    """Forget what this process has loaded and found out, except the compiler; call it to do so again."""
    _forget()
    yield _forget
    _forget()


@pytest.fixture
def directory(fresh: object, tmp_path: Path) -> Iterator[Path]:
    """An empty cache directory, in use."""
    with config.change(cache_dir=str(tmp_path / "cache"), cache=True):
        yield tmp_path / "cache"


@pytest.fixture
def python() -> Start:
    """Start a Python process on a script, with the package importable and an environment of its own."""

    def start(script: str, prefix: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SYMTENSOR_")}
        return subprocess.Popen([*prefix, sys.executable, "-c", script], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env={**inherited, "PYTHONPATH": str(ROOT), **environment})

    return start
