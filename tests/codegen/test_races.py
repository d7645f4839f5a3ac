"""Several processes on one cache: none hinders another, whenever it starts, stops or is killed."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen import cache
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.seal import unseal
from symtensor.codegen.store import Store, current, store
from symtensor.codegen.toolchain import Job, Toolchain, toolchain
from tests.codegen.test_kernel_cache import adder, call

Start = Callable[..., "subprocess.Popen[str]"]
pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")

WORKER = """
import ctypes, time
from symtensor.codegen.cache import load_kernels
time.sleep({pause})
numbers = {numbers}
kernels = load_kernels([(f"add_{{n}}", f"double KERNEL(double x) {{{{ return x + {{n}}; }}}}") for n in numbers])
print([ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(0.5) - 0.5 for kernel in kernels] == numbers)
"""

# Late to read its source, as on a machine with much to do.
SLOW = """#!/bin/sh
sleep 0.{pause}
exec gcc "$@"
"""


def _slow_compiler(place: Path, pause: int) -> str:
    script = place / f"gcc{pause}"
    script.write_text(SLOW.format(pause=pause))
    script.chmod(0o755)
    return str(script)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.parametrize("seed", range(3))
def test_many_processes_on_an_empty_cache(directory: Path, tmp_path: Path, python: Start, seed: int) -> None:
    """Units that overlap, compilers of different speed, some processes killed at a random moment."""
    chance = random.Random(seed)
    processes = []
    for _ in range(6):
        numbers = chance.sample(range(1, 7), chance.randint(2, 5))
        script = WORKER.format(numbers=numbers, pause=chance.random() / 5)
        processes.append(python(script, SYMTENSOR_CACHE_DIR=str(directory),
                                SYMTENSOR_CXX=_slow_compiler(tmp_path, chance.randint(0, 3))))
    time.sleep(0.3 + chance.random())
    victims = processes[:2]
    for process in victims:
        process.kill()
    assert [process.communicate()[0] for process in processes[2:]] == ["True\n"] * 4
    for process in victims:
        process.communicate()
    for name in os.listdir(directory):
        if name.endswith(".so"):
            assert unseal((directory / name).read_bytes()) is not None
    assert [call(kernel) for kernel in load_kernels(map(adder, range(1, 7)))] == [n + 0.5 for n in range(1, 7)]


@pytest.mark.parametrize("clear", [False, True])
def test_texts_are_exchanged_or_removed_before_the_compiler_reads_them(directory: Path, clear: bool,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    compile_all = Toolchain.compile_all

    def late(self: Toolchain, jobs: Sequence[Job], extra: Sequence[str] = ()) -> None:
        for path in directory.glob("*.c"):
            path.write_text("double another_unit(double x) { return x; }")
        if clear:
            current().clean(-1)
        compile_all(self, jobs, extra)

    monkeypatch.setattr(Toolchain, "compile_all", late)
    kernels = load_kernels([adder(1), adder(101)])
    assert [call(kernel) for kernel in kernels] == [1.5, 101.5]


def test_a_file_exchanged_while_it_is_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process gives the name to its own unit after ours was found whole and before the loader takes it."""
    [other] = load_kernels([adder(7)])
    others = Path(other.path).read_bytes()
    exchanged: list[str] = []
    dlopen = cache._dlopen

    def late(store: Store, path: str, data: bytes) -> int:
        if not exchanged:
            exchanged.append(path)
            store.add(others + b"a file of its own", [os.path.basename(path)])
        return dlopen(store, path, data)

    monkeypatch.setattr(cache, "_dlopen", late)
    kernels = load_kernels([adder(1), adder(2)])
    assert [call(kernel) for kernel in kernels] == [1.5, 2.5]
    assert exchanged[0].startswith(str(directory))


CHILD = """
import os
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.store import private_directory
mine = private_directory()
child = os.fork()
if child == 0:
    own = private_directory()
    [kernel] = load_kernels([("one", "int KERNEL(void) { return 1; }")])
    assert own != mine and kernel.path.startswith(own)
    raise SystemExit
assert os.waitpid(child, 0)[1] == 0
print(os.listdir(mine))
"""


def test_a_forked_child_has_a_directory_of_its_own(python: Start, tmp_path: Path) -> None:
    process = python(CHILD, SYMTENSOR_CACHE="0", TMPDIR=str(tmp_path))
    assert process.communicate()[0] == "[]\n"
    assert os.listdir(tmp_path) == []


def test_no_place_at_all(fresh: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the cache nor a temporary directory can be written: kernels are refused, records are not kept."""
    def refuse(**_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    (tmp_path / "file").write_text("")
    with config.change(cache_dir=str(tmp_path / "file" / "cache"), cache=True):
        with pytest.warns(RuntimeWarning, match="cannot be used"):
            assert store("program", "a1", b"data") is None
        with pytest.raises(CompileError, match="no temporary file can be written: No space left on device") as caught:
            load_kernels([adder(1)])
        assert caught.value.fix == "set TMPDIR to a directory that you can write, with some megabytes free"
