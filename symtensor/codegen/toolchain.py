"""Finding and running a C compiler.

The compiler is looked for when first needed, never at import: the option `cxx` if set, else gcc, clang or cc
on the path, else the one inside the PyPI package `ziglang`. What it accepts is probed once and remembered in the
cache under the identity of the compiler's file, so that a warm process starts no compiler at all.

>>> tool = toolchain()
>>> tool is None or tool.kind in ("gcc", "clang", "zig")
True
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from symtensor.base.config import config
from symtensor.base.errors import CompileError, ConfigError
from symtensor.codegen import store
from symtensor.codegen.seal import digest

__all__ = ["Toolchain", "Job", "toolchain", "find_reports", "instruction_set", "NO_COMPILER"]

NO_COMPILER = "install gcc (`apt install gcc`, `dnf install gcc`) or a compiler from PyPI (`pip install ziglang`)"
_PROBE_SECONDS = 60.0  # the first run of zig builds its C library: seconds on a slow machine
_SHOWN_LINES = 12

# Never -ffast-math: besides breaking NaN and signed zeros, a library linked with it makes the whole process
# flush denormals to zero.
_COMMON = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-w")
_OPTIONAL = ("-march=native", "-mprefer-vector-width=512", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd",
             "-fno-strict-aliasing", "-fno-semantic-interposition", "-fno-stack-protector", "-fcf-protection=none",
             "-fno-asynchronous-unwind-tables", "-fno-ident")
_OPTIONAL_OF = {"gcc": ("-pipe",), "clang": ("-ffp-contract=fast", "-fveclib=libmvec"),
                "zig": ("-ffp-contract=fast", "-fveclib=libmvec", "-fno-sanitize=undefined")}
# A kernel needs no start files, and no link-time plugin: a quarter of the time of a small compile.
_BARE_LINK = {"gcc": ("-nostdlib", "-fno-use-linker-plugin"), "clang": ("-nostdlib",), "zig": ()}
_LIBRARIES = {"gcc": ("-lm", "-lc", "-lgcc"), "clang": ("-lm", "-lc"), "zig": ("-lm",)}

_PLAIN_PROBE = "void probe(double *restrict x, long n) { for (long i = 0; i < n; i++) x[i] = x[i] * 2; }\n"
_VECTOR_PROBE = """\
__attribute__((simd("notinbranch"))) double exp(double);
__attribute__((simd("notinbranch"))) float atan2f(float, float);
void probe(double *restrict x, float *restrict y, long n) {
    for (long i = 0; i < n; i++) x[i] = exp(x[i]);
    for (long i = 0; i < n; i++) y[i] = atan2f(y[i], y[i]);
}
"""


@dataclass(frozen=True)
class Job:
    """One compilation: C text, the shared object to make, where the text is (or will be) kept."""

    text: str
    target: str
    source: str


@dataclass(frozen=True)
class Toolchain:
    """A C compiler that was found to work, and how to call it.

    `vector_math` says whether functions declared `__attribute__((simd("notinbranch")))` may be called from
    vectorised loops, that is whether libmvec is there. `link` are flags left out of a sanitized compile.
    """

    command: tuple[str, ...]
    kind: str
    version: str
    flags: tuple[str, ...]
    link: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    vector_math: bool = False

    @property
    def identity(self) -> str:
        """What tells this compiler's output from another's; its path does not."""
        return f"{self.kind} {self.version}"

    def command_line(self, source: str, target: str, extra: Sequence[str] = ()) -> list[str]:
        """The command that makes `target` from `source`."""
        # Sanitizers need the start files and libraries that a bare link leaves out.
        link = () if any(flag.startswith("-fsanitize") for flag in extra) else self.link
        return [*self.command, *self.flags, *extra, *link, "-x", "c", source, "-x", "none",
                "-o", target, *self.libraries]

    def compile(self, text: str, target: str | os.PathLike[str], *, source: str | os.PathLike[str] | None = None,
                extra: Sequence[str] = ()) -> None:
        """Make the shared object `target`. The text is kept at `source`, or beside the target as `.c`."""
        target = os.fspath(target)
        source = os.fspath(source) if source is not None else os.path.splitext(target)[0] + ".c"
        self.compile_all([Job(text, target, source)], extra)

    def compile_all(self, jobs: Sequence[Job], extra: Sequence[str] = ()) -> None:
        """Make several shared objects at once, one compiler process each.

        Raises CompileError and keeps the source; interrupted, it ends the compilers and removes what they left.
        """
        running: list[subprocess.Popen[bytes]] = []
        try:
            for job in jobs:
                _keep(job)
                running.append(_start(self.command_line(job.source, job.target, extra)))
            outputs = [process.communicate()[0] for process in running]
        except BaseException:
            for process in running:
                _end(process)
            for job in jobs:
                for path in (job.target, job.source):
                    with suppress(OSError):
                        os.unlink(path)
            raise
        for job, process, output in zip(jobs, running, outputs):
            if process.returncode:
                raise self._refused(job, process.returncode, output)

    def _refused(self, job: Job, status: int, output: bytes) -> CompileError:
        with suppress(OSError):
            os.unlink(job.target)
        lines = output.decode(errors="replace").strip().splitlines()
        shown = lines[:_SHOWN_LINES] + [f"... {len(lines) - _SHOWN_LINES} lines more"] * (len(lines) > _SHOWN_LINES)
        what = f"{shlex.join(self.command)} ({self.identity}) ended with status {status}"
        return CompileError("\n".join([what, *("    " + line for line in shown)]), where=[job.source],
                            fix="read the source named above; with the option backend=numpy no compiler is used")


# --- running -------------------------------------------------------------------------------------

def _keep(job: Job) -> None:
    if not os.path.exists(job.source):
        with open(job.source, "w", encoding="utf-8") as file:
            file.write(job.text)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # In a session of its own, so that ending it ends its children too, wherever the interrupt went.
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        raise CompileError(f"{command[0]} cannot be run: {error.strerror}", fix=NO_COMPILER) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    # First politely: gcc removes its temporary files when asked to end.
    for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, None)):
        with suppress(OSError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    if process.stdout:
        process.stdout.close()


def _run(command: Sequence[str], seconds: float = _PROBE_SECONDS) -> tuple[int, str]:
    """Status and output of a command, bounded in time."""
    process = _start(command)
    try:
        output = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        _end(process)
        return -1, f"gave no answer in {seconds:.0f} s"
    except BaseException:
        _end(process)
        raise
    return process.returncode, output.decode(errors="replace").strip()


# --- finding -------------------------------------------------------------------------------------

_found: dict[object, Toolchain | None] = {}
_reports: dict[str, str] = {}


def toolchain() -> Toolchain | None:
    """The C compiler to use, or None where there is none; found once for each setting."""
    key = (config.cxx, config.cflags, tuple(os.get_exec_path()))
    if key not in _found:
        _found[key] = _with_user_flags(_find())
    return _found[key]


def find_reports() -> dict[str, str]:
    """What each probe so far found: the candidate's command and a line about it."""
    return dict(_reports)


def _find() -> Toolchain | None:
    candidates = [_asked(config.cxx)] if config.cxx else [*map(_on_path, ("gcc", "clang", "cc")), _ziglang()]
    for command in candidates:
        if command is not None:
            found = _remembered(command)
            _reports.setdefault(shlex.join(command), found.identity if found else "does not work")
            if found is not None:
                return found
    return None


def _with_user_flags(found: Toolchain | None) -> Toolchain | None:
    extra = tuple(shlex.split(config.cflags))
    for flag in ("-ffast-math", "-Ofast"):
        if flag in extra:
            raise ConfigError(f"option cflags must not hold {flag}: it breaks NaN and signed zeros, and linked it makes"
                              " the whole process flush denormals to zero", fix=f"leave {flag} out")
    return replace(found, flags=found.flags + extra) if found and extra else found


def _on_path(name: str) -> tuple[str, ...] | None:
    path = shutil.which(name)
    return (path,) if path else None


def _ziglang() -> tuple[str, ...] | None:
    """The compiler inside the package ziglang, called without a second Python where possible."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = os.path.join(spec.submodule_search_locations[0], "zig")
    return (binary, "cc") if os.access(binary, os.X_OK) else (sys.executable, "-m", "ziglang", "cc")


def _asked(text: str) -> tuple[str, ...]:
    """The command that the option `cxx` means."""
    words = shlex.split(text)
    if words in (["zig"], ["ziglang"]):
        found = _on_path("zig")
        command = (*found, "cc") if found else _ziglang()
    else:
        path = shutil.which(words[0]) if words else None
        command = (path, *words[1:]) if path else None
    if command is None:
        raise ConfigError(f"option cxx names a compiler that is not there: {text!r}", fix=f"{NO_COMPILER}, or clear cxx")
    return command


# --- probing -------------------------------------------------------------------------------------

def _remembered(command: tuple[str, ...]) -> Toolchain | None:
    """The probe's result, from the cache where the compiler's file is still the one that was probed."""
    status = os.stat(command[0])
    key = digest("toolchain 1", repr(command), repr((status.st_mtime_ns, status.st_size)), instruction_set())
    record = store.fetch("compiler", key)
    if record is not None:
        return Toolchain(*ast.literal_eval(record.decode()))
    found = _probe(command)
    if found is not None:  # a failure is not kept: its cause may lie outside the compiler's file
        fields = (found.command, found.kind, found.version, found.flags, found.link, found.libraries, found.vector_math)
        store.store("compiler", key, repr(fields).encode())
    return found


def _probe(command: tuple[str, ...]) -> Toolchain | None:
    """Find out what the compiler is and accepts, or None where it makes nothing that loads."""
    status, output = _run([*command, "--version"])
    if status:
        _reports[shlex.join(command)] = output or f"ended with status {status}"
        return None
    kind, version = _kind(command, output)
    best = Toolchain(command, kind, version, (*_COMMON, *_OPTIONAL, *_OPTIONAL_OF[kind]), _BARE_LINK[kind],
                     _LIBRARIES[kind])
    with_vectors = replace(best, libraries=("-lmvec", *best.libraries))
    if kind == "gcc" and "_ZGV" in _tried(with_vectors, _VECTOR_PROBE):
        return replace(with_vectors, vector_math=True)
    if _tried(best, _PLAIN_PROBE):
        return best
    plain = replace(best, flags=_COMMON, link=())
    if not _tried(plain, _PLAIN_PROBE):
        return None
    # Some flag is unknown to this compiler or this machine: ask for each alone.
    accepted = [flag for flag in best.flags[len(_COMMON):]
                if _tried(replace(plain, flags=(*_COMMON, flag)), _PLAIN_PROBE)]
    return replace(plain, flags=(*_COMMON, *accepted))


def _kind(command: tuple[str, ...], output: str) -> tuple[str, str]:
    """The family of a compiler and its version, from what --version printed."""
    first = output.splitlines()[0] if output else "unknown"
    if "clang" in first.lower():
        zig = any("zig" in os.path.basename(word) for word in command)
        return ("zig" if zig else "clang"), first
    return "gcc", " ".join(first.split()[1:])  # the first word is the name it was called by


def _tried(tool: Toolchain, text: str) -> str:
    """What the probe made, as text to search for symbols, or nothing where it fails or cannot be loaded."""
    import _ctypes

    target = os.path.join(store.private_directory(), f"probe-{os.urandom(6).hex()}.so")
    source = target[:-3] + ".c"
    try:
        _keep(Job(text, target, source))
        status, output = _run(tool.command_line(source, target))
        if status:
            _reports[shlex.join(tool.command)] = output.splitlines()[0] if output else f"ended with status {status}"
            return ""
        _ctypes.dlopen(target, os.RTLD_NOW | os.RTLD_LOCAL)
        with open(target, "rb") as file:
            return file.read().decode("latin-1")
    except OSError as error:
        _reports[shlex.join(tool.command)] = f"what it makes cannot be loaded: {error}"
        return ""
    finally:
        for path in (source, target):
            with suppress(OSError):
                os.unlink(path)


# --- the processor -------------------------------------------------------------------------------

@functools.cache
def instruction_set() -> str:
    """An identity of the processor, as far as code made for it (-march=native) goes.

    >>> len(instruction_set().split()[-1])
    16
    """
    facts = [platform.machine()]
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if not line.strip():  # the first processor stands for all
                break
            name, _, value = (part.strip() for part in line.partition(":"))
            if name in ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part"):
                facts.append(value)
    shown = " ".join(fact for fact in facts if len(fact) < 40)
    return f"{shown} {digest(*facts)}"
