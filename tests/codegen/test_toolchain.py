"""Finding a compiler, what it is given, and its errors."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.base.errors import CompileError, ConfigError
from symtensor.codegen import toolchain as module
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.toolchain import Toolchain, instruction_set, require, toolchain

Start = Callable[..., "subprocess.Popen[str]"]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_zig = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed")


@pytest.fixture(autouse=True)
def unfound(directory: Path) -> Iterator[None]:
    """Nothing found yet, and nothing left found."""
    before = dict(module._found)
    module._found.clear()
    module._reports.clear()
    yield
    module._found.clear()
    module._found.update(before)


def _script(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def _call(path: Path, name: str, value: float) -> float:
    function = ctypes.CDLL(str(path))[name]
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    return float(function(value))


# --- finding -------------------------------------------------------------------------------------

@needs_gcc
def test_gcc_is_found_and_fully_usable() -> None:
    tool = require()
    assert (tool.kind, os.path.basename(tool.command[0])) == ("gcc", "gcc")
    assert "-march=native" in tool.flags
    assert tool.identity.startswith("gcc (") or tool.identity.startswith("gcc 1")
    assert module.probe_reports()[tool.command[0]].startswith(tool.identity)
    assert toolchain() is tool


def test_never_fast_math() -> None:
    for kind in ("gcc", "clang", "zig"):
        flags = [*module._COMMON, *module._OPTIONAL, *module._OPTIONAL_OF[kind], *module._BARE_LINK[kind]]
        assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(flags)
    for flag in ("-ffast-math", "-Ofast"):
        with config.change(cflags=f"-g {flag}"), pytest.raises(ConfigError, match="denormals"):
            toolchain()


@needs_gcc
def test_denormals_survive_a_loaded_kernel(tmp_path: Path) -> None:
    require().compile("double same(double x) { return x; }", tmp_path / "same.so")
    assert _call(tmp_path / "same.so", "same", 5e-324) == 5e-324
    assert sys.float_info.min / 2 > 0


@needs_gcc
def test_a_warm_process_runs_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    found = require()
    module._found.clear()
    monkeypatch.setattr(module, "_probe", lambda command: pytest.fail("probed again"))
    assert toolchain() == found


@needs_gcc
def test_importing_starts_and_loads_nothing(python: Start) -> None:
    process = python("import sys, symtensor.codegen.cache; print('subprocess' in sys.modules)")
    assert process.communicate()[0] == "False\n"


def test_user_flags_come_last() -> None:
    with config.change(cflags="-DONE=1 '-DTWO=a b'"):
        tool = toolchain()
        if tool:
            assert tool.flags[-2:] == ("-DONE=1", "-DTWO=a b")


def test_a_compiler_that_is_not_there() -> None:
    with config.change(cxx="no-such-compiler"), pytest.raises(ConfigError, match="'no-such-compiler'"):
        toolchain()


def test_a_compiler_asked_for_that_does_not_work(tmp_path: Path) -> None:
    """It is named, with what it says, and no other one is used in its place."""
    broken = _script(tmp_path / "mycc", "echo 'mycc: no licence' >&2; exit 1")
    with config.change(cxx=str(broken)), pytest.raises(ConfigError) as caught:
        toolchain()
    assert "option cxx names a compiler that does not work: mycc: no licence" in str(caught.value)
    assert "clear cxx to have one looked for" in str(caught.value)


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on the path but what a test puts there; ziglang not installed."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module, "_ziglang", lambda: None)
    return tmp_path / "bin"


def test_no_compiler_at_all(no_compiler: Path) -> None:
    assert toolchain() is None
    with pytest.raises(CompileError, match="no C compiler was found") as caught:
        load_kernels([("twice", "double KERNEL(double x) { return 2 * x; }")])
    assert "apt install gcc" in str(caught.value)
    assert "pip install ziglang" in str(caught.value)
    assert module.probe_reports() == dict.fromkeys(("gcc", "clang", "cc", "ziglang"), "not installed")


def test_a_broken_gcc_is_passed_over(no_compiler: Path) -> None:
    real = shutil.which("gcc", path="/usr/bin:/usr/local/bin")
    if real is None:
        pytest.skip("gcc is not installed")
    broken = _script(no_compiler / "gcc", "echo 'gcc: fatal error: cannot execute cc1' >&2; exit 1")
    # Its own path, since the compiler looks for its assembler there.
    _script(no_compiler / "cc", f"PATH=/usr/bin:/usr/local/bin exec {real} \"$@\"")
    tool = require()
    assert tool.command == (str(no_compiler / "cc"),)
    assert module.probe_reports()[broken] == "does not work: gcc: fatal error: cannot execute cc1"


def test_a_compiler_that_hangs(no_compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROBE_SECONDS", 0.2)
    hanging = _script(no_compiler / "gcc", "while :; do :; done")
    start = time.monotonic()
    assert toolchain() is None
    assert time.monotonic() - start < 5
    assert module.probe_reports()[hanging] == "does not work: gave no answer in 0.2 s"


@needs_gcc
def test_flags_the_compiler_does_not_know(tmp_path: Path) -> None:
    """As on a processor without that option: the rest of the flags is kept."""
    picky = _script(tmp_path / "gcc-picky", 'case "$*" in *-mprefer-vector-width*|*-fcf-protection*) '
                    'echo "unrecognized option" >&2; exit 1;; esac\nexec gcc "$@"')
    with config.change(cxx=picky):
        tool = require()
    assert "-march=native" in tool.flags
    assert not {"-mprefer-vector-width=512", "-fcf-protection=none"} & set(tool.flags)
    assert tool.vector_math


@needs_gcc
def test_without_libmvec(tmp_path: Path) -> None:
    poor = _script(tmp_path / "gcc-poor", 'case "$*" in *-lmvec*) echo "cannot find -lmvec" >&2; exit 1;; esac\n'
                   'exec gcc "$@"')
    with config.change(cxx=poor):
        tool = require()
    assert not tool.vector_math
    assert "-lmvec" not in tool.libraries
    assert "-nostdlib" in tool.link


@needs_gcc
@pytest.mark.parametrize("text", ["g++", "gcc -m64", "env gcc"])
def test_forms_of_the_option(text: str, tmp_path: Path) -> None:
    with config.change(cxx=text):
        # Not C++: a declaration that only C takes.
        require().compile("double twice(double new) { return 2 * new; }", tmp_path / "twice.so")
    assert _call(tmp_path / "twice.so", "twice", 2.5) == 5.0


@needs_zig
@pytest.mark.parametrize("text", ["zig", f"{sys.executable} -m ziglang cc"])
def test_zig(text: str) -> None:
    with config.change(cxx=text):
        tool = require()
        [kernel] = load_kernels([("half", "double KERNEL(double x) { return x / 2; }")])
    assert tool.kind == "zig"
    assert not tool.vector_math
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(kernel.address)(5.0) == 2.5


@needs_zig
def test_zig_is_found_where_nothing_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require().kind == "zig"


# --- compiling -----------------------------------------------------------------------------------

@needs_gcc
def test_vector_math_is_called_from_vectorised_loops(tmp_path: Path) -> None:
    tool = require()
    if not tool.vector_math:
        pytest.skip("libmvec is not installed")
    tool.compile(module._VECTOR_PROBE, tmp_path / "probe.so")
    function = ctypes.CDLL(str(tmp_path / "probe.so")).probe
    doubles, floats = (ctypes.c_double * 37)(*[1.0] * 37), (ctypes.c_float * 37)(*[1.0] * 37)
    function(doubles, floats, ctypes.c_long(37))
    assert list(doubles) == pytest.approx([2.718281828459045] * 37, rel=1e-15)
    assert list(floats) == pytest.approx([0.7853981633974483] * 37, rel=1e-6)


@needs_gcc
def test_refused_text(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        require().compile("int f(void) {\n  return undeclared_name;\n}", tmp_path / "bad.so")
    message = str(caught.value)
    source = tmp_path / "bad.c"
    assert message.startswith(f"the C compiler {require().command[0]} ({require().identity}) ended with status 1\n")
    assert f"{source}:2:10: error" in message
    assert f"  where    {source}\n" in message
    assert "  fix      " in message
    assert source.read_text().startswith("int f")
    assert not (tmp_path / "bad.so").exists()


@needs_gcc
def test_only_the_first_lines_of_many_errors(tmp_path: Path) -> None:
    text = "\n".join(f"int f{i}(void) {{ return g{i}; }}" for i in range(100))
    with pytest.raises(CompileError, match=r"\.\.\. \d+ more lines") as caught:
        require().compile(text, tmp_path / "bad.so")
    assert len(str(caught.value).splitlines()) < 20


def test_a_compiler_that_goes_away(tmp_path: Path) -> None:
    tool = Toolchain((str(tmp_path / "gone"),), "gcc", "1", ())
    with pytest.raises(CompileError, match="cannot be run: No such file") as caught:
        tool.compile("", tmp_path / "k.so")
    assert "apt install gcc" in str(caught.value)


def test_a_compiler_that_is_killed(tmp_path: Path) -> None:
    tool = Toolchain((_script(tmp_path / "cc", "kill -9 $$"),), "gcc", "1", ())
    with pytest.raises(CompileError, match="was ended by signal 9"):
        tool.compile("", tmp_path / "k.so")


@needs_gcc
def test_sanitized(tmp_path: Path, python: Start) -> None:
    """A kernel that reads behind its array is caught; the address sanitizer has to be loaded first."""
    tool = require()
    text = "double f(double *x, long n) { return x[n]; } int g(int x) { return 1 << x; }"
    tool.compile(text, tmp_path / "checked.so", extra=("-fsanitize=address,undefined", "-g"))
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    script = ("import ctypes\n"
              f"library = ctypes.CDLL({str(tmp_path / 'checked.so')!r})\n"
              "library.g(40)\n"
              "ctypes.pythonapi.PyMem_RawMalloc.restype = ctypes.c_void_p\n"
              "library.f(ctypes.c_void_p(ctypes.pythonapi.PyMem_RawMalloc(32)), ctypes.c_long(4))\n")
    process = python(script, LD_PRELOAD=asan, ASAN_OPTIONS="detect_leaks=0")
    output = process.communicate()[0]
    assert "shift exponent 40 is too large" in output
    assert "AddressSanitizer" in output
    assert process.returncode != 0


SLOW = """\
case "$*" in
  *--version*|*probe.c*) exec gcc "$@";;
esac
gcc "$@"
sleep 60 &
echo $! > {flag}.tmp
mv {flag}.tmp {flag}
wait
"""


@needs_gcc
def test_interrupt_while_compiling(tmp_path: Path, directory: Path, python: Start) -> None:
    """The compiler and its children end, no file is left, and the next process compiles as if nothing had been."""
    flag, scratch = tmp_path / "started", tmp_path / "scratch"
    scratch.mkdir()
    script = ("from symtensor.codegen.cache import load_kernels\n"
              "[kernel] = load_kernels([('one', 'int KERNEL(void) { return 1; }')])\n"
              "import ctypes; print(ctypes.CFUNCTYPE(ctypes.c_int)(kernel.address)())")
    environment = {"SYMTENSOR_CACHE_DIR": str(directory), "TMPDIR": str(scratch)}
    slow = _script(tmp_path / "slow", SLOW.format(flag=flag))
    process = python(script, SYMTENSOR_CXX=slow, **environment)
    child = int(_wait_for(flag))
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[0]
    _wait_until(lambda: not _alive(child))
    assert os.listdir(scratch) == []
    assert [name for name in os.listdir(directory) if not name.endswith(".record")] == []
    assert python(script, **environment).communicate()[0] == "1\n"
    assert os.listdir(scratch) == []


def _wait_for(path: Path) -> str:
    _wait_until(path.exists)
    return path.read_text()


def _wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def _alive(process: int) -> bool:
    try:
        # An orphan that ended may still be listed, as a zombie, where no init collects it.
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_instruction_set_is_stable() -> None:
    assert instruction_set() == instruction_set.__wrapped__()
    assert instruction_set().startswith(os.uname().machine)
