"""Kernels are compiled once, found again, and never loaded damaged."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen import cache
from symtensor.codegen.cache import LoadedKernel, kernel_key, load_kernels, why
from symtensor.codegen.seal import seal, unseal
from symtensor.codegen.store import Store, current
from symtensor.codegen.toolchain import Toolchain, toolchain
from tests.threads import in_threads

Start = Callable[..., "subprocess.Popen[str]"]
pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")


def adder(number: int) -> tuple[str, str]:
    """A kernel that adds a number."""
    return f"add_{number}", f"double KERNEL(double x) {{ return x + {number}; }}"


def call(kernel: LoadedKernel, value: float = 0.5) -> float:
    return float(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(value))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of units of each compilation from here on."""
    counts: list[int] = []
    compile_all = Toolchain.compile_all

    def counting(self: Toolchain, jobs: Sequence[object], extra: Sequence[str] = ()) -> None:
        counts.append(len(jobs))
        compile_all(self, jobs, extra)  # type: ignore[arg-type]

    monkeypatch.setattr(Toolchain, "compile_all", counting)
    return counts


def names(directory: Path, suffix: str = "") -> list[str]:
    return sorted(name for name in os.listdir(directory) if name.endswith(suffix) and not name.endswith(".record"))


# --- hits and misses -----------------------------------------------------------------------------

def test_kernels_of_a_call_are_one_unit(directory: Path, compiled: list[int]) -> None:
    kernels = load_kernels(adder(number) for number in (1, 2, 3))
    assert [call(kernel) for kernel in kernels] == [1.5, 2.5, 3.5]
    assert [kernel.name for kernel in kernels] == ["add_1", "add_2", "add_3"]
    assert compiled == [1]
    assert len({os.stat(kernel.path).st_ino for kernel in kernels}) == 1
    for kernel, (_, text) in zip(kernels, (adder(number) for number in (1, 2, 3))):
        assert kernel.path == f"{directory}/{kernel.key}.so"
        assert kernel.key == kernel_key(text)
        assert f"add_{kernel.name[-1]}_{kernel.key[:12]}(double x)" in Path(kernel.source).read_text()


def test_much_text_is_several_units(directory: Path, compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_UNIT_CHARACTERS", 50)
    monkeypatch.setattr(cache, "_processors", lambda: 2)
    kernels = load_kernels(adder(number) for number in range(7))
    assert [call(kernel) for kernel in kernels] == [number + 0.5 for number in range(7)]
    assert compiled == [2]
    assert len({os.stat(kernel.path).st_ino for kernel in kernels}) == 2


def test_next_process_compiles_nothing(directory: Path, compiled: list[int], fresh: Callable[[], None]) -> None:
    first = load_kernels([adder(1), adder(2)])
    fresh()
    again = load_kernels([adder(2), adder(1)])
    assert [kernel.key for kernel in again] == [kernel.key for kernel in reversed(first)]
    assert [call(kernel) for kernel in again] == [2.5, 1.5]
    assert compiled == [1]


def test_only_what_is_missing_is_compiled(directory: Path, compiled: list[int], fresh: Callable[[], None]) -> None:
    load_kernels([adder(1)])
    fresh()
    kernels = load_kernels([adder(2), adder(1)])
    assert [call(kernel) for kernel in kernels] == [2.5, 1.5]
    assert compiled == [1, 1]
    assert "add_1" not in Path(kernels[0].source).read_text()


def test_loaded_kernels_are_remembered(directory: Path) -> None:
    [first] = load_kernels([adder(1)])
    shutil.rmtree(directory)
    assert load_kernels([adder(1)]) == [first]


def test_equal_text_is_one_kernel(directory: Path, fresh: Callable[[], None]) -> None:
    text = adder(1)[1]
    for _ in range(2):
        one, other = load_kernels([("one", text), ("other", text)])
        assert (one.name, other.name) == ("one", "other")
        assert one.address == other.address
        fresh()
    # The symbol in the file is made of the name it was compiled under.
    assert call(load_kernels([("third", text)])[0]) == 1.5


def test_nothing_to_load(directory: Path, compiled: list[int]) -> None:
    assert load_kernels([]) == []
    assert compiled == []


def test_names_that_c_does_not_take(directory: Path) -> None:
    kernels = load_kernels([(name, adder(number)[1])
                            for number, name in enumerate(["a b", "2d", "größe", "a.b[0]", "", "x" * 500])])
    assert [call(kernel) for kernel in kernels] == [number + 0.5 for number in range(6)]


def test_only_the_whole_word_is_the_placeholder(directory: Path) -> None:
    text = "static double MY_KERNEL_2(double x) { return x; } double KERNEL(double x) { return MY_KERNEL_2(x); }"
    assert call(load_kernels([("helped", text)])[0]) == 0.5


def test_whatever_decides_the_code_is_in_the_key(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "double KERNEL(double x) { return x + STEP; }"
    keys = {kernel_key(text), kernel_key(text + " "), kernel_key(text, preamble="#define STEP 1"),
            kernel_key(text, extra=["-DSTEP=1"])}
    with config.change(cflags="-g"):
        keys.add(kernel_key(text))
    monkeypatch.setattr(cache, "instruction_set", lambda: "another processor")
    keys.add(kernel_key(text))
    assert len(keys) == 6


def test_preamble_and_extra_flags(directory: Path) -> None:
    text = "double KERNEL(double x) { return x + STEP + MORE; }"
    for step in (1, 2):
        for more in (10, 20):
            [kernel] = load_kernels([("step", text)], preamble=f"enum {{ STEP = {step} }};", extra=[f"-DMORE={more}"])
            assert call(kernel) == step + more + 0.5


def test_without_a_cache(directory: Path, fresh: Callable[[], None]) -> None:
    with config.change(cache=False):
        [kernel] = load_kernels([adder(1)])
        assert call(kernel) == 1.5
        assert Path(kernel.source).exists()
    assert not directory.exists()


def test_threads(directory: Path) -> None:
    results: list[float] = []

    def work(number: int) -> None:
        results.extend(call(kernel) for kernel in load_kernels([adder(1), adder(2)]))

    in_threads(4, work)
    assert sorted(results) == [1.5] * 4 + [2.5] * 4
    assert names(directory, ".tmp") == []


# --- damage --------------------------------------------------------------------------------------

def _opened(data: bytes) -> tuple[bytes, str]:
    opened = unseal(data)
    assert opened is not None
    return opened


def _without_seal(data: bytes) -> bytes:
    return _opened(data)[0]


def _with_another_key(data: bytes) -> bytes:
    body, manifest = _opened(data)
    return seal(body, manifest.replace("kernel ", "kernel 0"))


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[:100],
    lambda data: data[:-1],
    lambda data: data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:],
    lambda data: bytes(len(data)),
    _without_seal,
    _with_another_key,
])
def test_damaged_file_is_replaced(directory: Path, compiled: list[int], fresh: Callable[[], None],
                                  damage: Callable[[bytes], bytes]) -> None:
    [kernel] = load_kernels([adder(1)])
    path = Path(kernel.path)
    whole = path.read_bytes()
    fresh()
    path.unlink()  # the file itself is mapped into this process
    path.write_bytes(damage(whole))
    assert call(load_kernels([adder(1)])[0]) == 1.5
    assert compiled == [1, 1]
    fresh()
    assert call(load_kernels([adder(1)])[0]) == 1.5
    assert compiled == [1, 1]


def test_sealed_file_that_does_not_load(directory: Path, compiled: list[int], python: Start) -> None:
    """As a file made on a system with other libraries. Made by another process: the loader knows files by name."""
    script = f"from symtensor.codegen.cache import load_kernels; print(load_kernels([{adder(1)}])[0].path)"
    path = Path(python(script, SYMTENSOR_CACHE_DIR=str(directory)).communicate()[0].strip())
    path.write_bytes(seal(b"no object", _opened(path.read_bytes())[1]))
    assert call(load_kernels([adder(1)])[0]) == 1.5
    assert compiled == [1]
    assert _opened(path.read_bytes())[0].startswith(b"\x7fELF")


def test_directory_in_place_of_a_file(directory: Path, fresh: Callable[[], None]) -> None:
    [kernel] = load_kernels([adder(1)])
    fresh()
    os.unlink(kernel.path)
    os.mkdir(kernel.path)
    with pytest.warns(RuntimeWarning, match="cannot be used"):
        assert call(load_kernels([adder(1)])[0]) == 1.5


def test_lost_race(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process puts a unit without our kernel, or a damaged one, in the place between writing and loading."""
    for number, contents in enumerate((seal(b"", "kernel other symbol digest"), b"damaged", None)):
        publish = Store.add

        def add(self: Store, data: bytes, names: Sequence[str], contents: bytes | None = contents,
                publish: Callable[..., list[str]] = publish) -> list[str]:
            paths = publish(self, data, names)
            if self.root == str(directory) and names[0].endswith(".so"):
                os.unlink(paths[0])
                if contents is not None:
                    Path(paths[0]).write_bytes(contents)
            return paths

        monkeypatch.setattr(Store, "add", add)
        kernels = load_kernels([adder(number), adder(number + 100)])
        assert [call(kernel) for kernel in kernels] == [number + 0.5, number + 100.5]
        assert Path(kernels[0].source).exists()
        monkeypatch.setattr(Store, "add", publish)


RACE = """
import ctypes, os, sys, time
from symtensor.codegen.cache import load_kernels
numbers = {numbers}
open({ready!r}, "w").close()
while not os.path.exists({go!r}): pass
kernels = load_kernels([(f"add_{{n}}", f"double KERNEL(double x) {{{{ return x + {{n}}; }}}}") for n in numbers])
print([ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(0.5) - 0.5 for kernel in kernels] == numbers)
"""


@pytest.mark.parametrize("sets", [([1, 2, 3], [1, 2, 3]), ([1, 2, 3, 4], [3, 1, 5])])
def test_processes_racing_on_an_empty_cache(directory: Path, tmp_path: Path, python: Start, fresh: Callable[[], None],
                                            compiled: list[int], sets: tuple[list[int], list[int]]) -> None:
    ready, go = [tmp_path / f"ready{i}" for i in range(2)], tmp_path / "go"
    processes = [python(RACE.format(numbers=numbers, ready=str(flag), go=str(go)), SYMTENSOR_CACHE_DIR=str(directory))
                 for numbers, flag in zip(sets, ready)]
    while not all(flag.exists() for flag in ready):
        assert all(process.poll() is None for process in processes)
    go.touch()
    assert [process.communicate()[0] for process in processes] == ["True\n"] * 2
    for name in names(directory, ".so"):
        assert unseal((directory / name).read_bytes()) is not None
    assert names(directory, ".tmp") == []
    every = sorted({*sets[0], *sets[1]})
    assert [call(kernel) for kernel in load_kernels(map(adder, every))] == [number + 0.5 for number in every]
    assert compiled == []


# --- directories that cannot be used -------------------------------------------------------------

def test_unusable_directory(fresh: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with config.change(cache_dir=str(tmp_path / "file" / "cache")):
        with pytest.warns(RuntimeWarning, match="Not a directory.*make it a directory that you can write") as caught:
            kernels = [load_kernels([adder(number)])[0] for number in (1, 2)]
        assert [call(kernel) for kernel in kernels] == [1.5, 2.5]
        assert len(caught) == 1


MOUNTED = """
import ctypes, os, sys, warnings
from symtensor.codegen.cache import load_kernels
warnings.showwarning = lambda message, *rest: print(f"warning: {message}")
for n in {numbers}:
    [kernel] = load_kernels([(f"add_{n}", f"double KERNEL(double x) {{ return x + {n}; }}")])
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(0.5) == n + 0.5
print("done")
"""


def _mounted(python: Start, tmp_path: Path, options: str, numbers: str, before: str = "true") -> str:
    """What a process prints that has its cache on a file system of its own."""
    place = tmp_path / "mounted"
    place.mkdir()
    enter = ("unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} tmpfs {place} && {before} && exec "$@"', "sh")
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    process = python(MOUNTED.replace("{numbers}", numbers), enter, SYMTENSOR_CACHE_DIR=str(place / "cache"))
    return process.communicate()[0]


def test_noexec(python: Start, tmp_path: Path) -> None:
    output = _mounted(python, tmp_path, "size=1m,noexec", "[1, 2]")
    assert output.count("warning:") == 1
    assert "nothing there may be executed" in output
    assert "without noexec, or set SYMTENSOR_CACHE_DIR" in output
    assert output.endswith("done\n")


def test_full(python: Start, tmp_path: Path) -> None:
    output = _mounted(python, tmp_path, "size=32k", "range(1, 6)")
    assert output.count("warning:") == 1
    assert "No space left on device" in output
    assert "free some space on that disk, or set SYMTENSOR_CACHE_DIR" in output
    assert output.endswith("done\n")


def test_read_only(python: Start, tmp_path: Path) -> None:
    place = tmp_path / "mounted"
    output = _mounted(python, tmp_path, "size=1m", "[1, 2]", f"mount -o remount,ro {place}")
    assert output.count("warning:") == 1
    assert "Read-only file system" in output
    assert "make it a directory that you can write" in output
    assert output.endswith("done\n")


# --- messages ------------------------------------------------------------------------------------

def test_refused_kernel(directory: Path) -> None:
    with pytest.raises(CompileError, match="undeclared") as caught:
        load_kernels([("bad", "double KERNEL(double x) { return y; }")])
    [source] = caught.value.where
    assert os.path.dirname(source) == str(directory)
    assert f"bad_{kernel_key('double KERNEL(double x) { return y; }')[:12]}" in Path(source).read_text()
    assert names(directory) == [os.path.basename(source)]


def test_kernel_that_calls_what_is_not_there(directory: Path) -> None:
    with pytest.raises(CompileError, match="cannot be loaded.*no_such_function") as caught:
        load_kernels([("bad", "double no_such_function(void); double KERNEL(void) { return no_such_function(); }")])
    assert Path(caught.value.where[0]).exists()


def test_debug_prints_the_text(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_kernels([adder(1)])
    assert capfd.readouterr() == ("", "")
    with config.change(debug=4):
        load_kernels([adder(2)])
    assert "return x + 2;" in capfd.readouterr().err


# --- looking after the cache ---------------------------------------------------------------------

def test_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, text = adder(1)
    assert why(name, text) == "nothing like it is in the cache"
    [kernel] = load_kernels([(name, text)])
    assert why(name, text) == f"it is in the cache: {kernel.key}"
    assert why(name, text + " ") == f"text differs from that in {kernel.source}"
    assert why("other", text + " ") == "nothing like it is in the cache"
    assert why(name, text, preamble="x").startswith("preamble differs: now ")
    with config.change(cflags="-g"):
        reason = why(name, text)
        assert reason.startswith("flags differs: now '-std=gnu11 ")
        assert kernel.path in reason
    monkeypatch.setattr(cache, "instruction_set", lambda: "another processor")
    assert why(name, text).startswith("instructions differs: now 'another processor', in ")
    monkeypatch.setattr(Toolchain, "identity", "gcc 99")
    assert why(name, text).startswith("compiler differs: now 'gcc 99', in ")


def test_why_a_damaged_file(directory: Path) -> None:
    name, text = adder(1)
    kernels = load_kernels([(name, text), adder(2)])
    os.unlink(kernels[0].path)
    assert why(name, text) == f"its file was removed or is damaged; {kernels[1].path} holds it too"


def test_entries_size_clear(directory: Path, fresh: Callable[[], None], compiled: list[int]) -> None:
    kernels = load_kernels([adder(1), adder(2)])
    kept = {entry.name for entry in current().files()}
    assert kept >= {f"{kernel.key}.{suffix}" for kernel in kernels for suffix in ("so", "c")}
    files = {entry.file: entry.bytes for entry in current().files()}
    assert current().size() == sum(files.values())
    assert current().clean(-1) == len(kept)
    assert current().files() == []
    assert [call(kernel) for kernel in load_kernels([adder(1), adder(2)])] == [1.5, 2.5]
    fresh()
    assert [call(kernel) for kernel in load_kernels([adder(1), adder(2)])] == [1.5, 2.5]
    assert compiled == [1, 1]
