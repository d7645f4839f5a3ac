"""Finding a C compiler, and calling it.

The compiler is looked for when first needed, never at import: the option `cxx` if set, else gcc, clang or cc
on the path, else the one inside the PyPI package `ziglang`. What it accepts is probed once and remembered in the
cache under the identity of the compiler's file, so that a warm process starts no compiler at all.

>>> tool = toolchain()
>>> tool is None or tool.kind in ("gcc", "clang", "zig")
True
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from symtensor.base.config import config
from symtensor.base.errors import CompileError, ConfigError
from symtensor.codegen import store
from symtensor.codegen.seal import digest

__all__ = ["Toolchain", "Job", "toolchain", "require", "first_lines", "probe_reports", "instruction_set"]

_INSTALL = "install gcc (`apt install gcc`, `dnf install gcc`) or the compiler on PyPI (`pip install ziglang`)"
_PROBE_SECONDS = 120.0  # the first run of zig builds its C library: many seconds on a slow machine
_SHOWN_LINES = 12

# Never -ffast-math: besides breaking NaN and signed zeros, a library linked with it makes the whole process
# flush denormals to zero.
_COMMON = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-w")
_OPTIONAL = ("-march=native", "-mprefer-vector-width=512", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd",
             "-fno-strict-aliasing", "-fwrapv", "-fno-semantic-interposition", "-fno-stack-protector",
             "-fcf-protection=none",
             "-fno-asynchronous-unwind-tables", "-fno-ident")
# gcc makes one call of sincos out of a sine and a cosine, which has no vector form; so it is not to know the cosine.
# Nor is it to move a call to where its value may not be needed: then there is no loop without branches any more.
_OPTIONAL_OF = {"gcc": ("-pipe", "-fno-builtin-cos", "-fno-builtin-cosf", "-fno-tree-sink"),
                "clang": ("-ffp-contract=fast", "-fveclib=libmvec"),
                "zig": ("-ffp-contract=fast", "-fveclib=libmvec", "-fno-sanitize=undefined")}
# A kernel needs no start files and no link-time plugin; without them the driver is as fast as running the compiler
# proper, the assembler and the linker by hand.
_BARE_LINK = {"gcc": ("-nostdlib", "-fno-use-linker-plugin"), "clang": ("-nostdlib",), "zig": ()}
_LIBRARIES = {"gcc": ("-lm", "-lc", "-lgcc"), "clang": ("-lm", "-lc"), "zig": ("-lm",)}

_PLAIN_PROBE = "void probe(double *restrict x, long n) { for (long i = 0; i < n; i++) x[i] = x[i] * 2; }\n"
# atan2f is of the last group of functions that libmvec was given.
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
    """One compilation: the path of the C text, and of the shared object to make."""

    source: str
    target: str


@dataclass(frozen=True)
class Toolchain:
    """A C compiler that was found to work, and how to call it.

    `vector_math` says whether functions declared `__attribute__((simd("notinbranch")))` may be called from
    vectorised loops, that is whether the compiler knows the attribute and libmvec is there.
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
        """What tells this compiler's output from another's: its path does not, the C library does."""
        return f"{self.kind} {self.version}, {_c_library()}"

    def options(self, extra: Sequence[str] = ()) -> list[str]:
        """All flags of a compilation, `extra` included."""
        # Sanitizers need the start files and libraries that a bare link leaves out.
        link = () if any(flag.startswith("-fsanitize") for flag in extra) else self.link
        return [*self.flags, *link, *extra, *self.libraries]

    def command_line(self, job: Job, extra: Sequence[str] = ()) -> list[str]:
        """The command that does a job."""
        # Libraries count only behind what needs them. -x c: to g++ a .c file would be C++.
        return [*self.command, "-x", "c", job.source, "-x", "none", "-o", job.target, *self.options(extra)]

    def compile(self, text: str, target: str | os.PathLike[str], *, extra: Sequence[str] = ()) -> str:
        """Make the shared object `target` of C text, which is kept beside it as `.c`; the path of that file."""
        job = Job(os.path.splitext(os.fspath(target))[0] + ".c", os.fspath(target))
        with open(job.source, "w", encoding="utf-8") as file:
            file.write(text)
        self.compile_all([job], extra)
        return job.source

    def compile_all(self, jobs: Sequence[Job], extra: Sequence[str] = ()) -> None:
        """Do several jobs at once, one compiler process each.

        Raises CompileError where the compiler refuses one; the sources stay for the user to read. An interrupt ends
        the compilers and removes sources and targets.
        """
        from symtensor.codegen.process import run_all  # subprocess: not on the way of a warm start

        try:
            results = run_all([self.command_line(job, extra) for job in jobs])
        except OSError as error:
            raise CompileError(f"{self.command[0]} cannot be run: {error.strerror}", fix=_INSTALL) from None
        except BaseException:
            _remove(path for job in jobs for path in (job.source, job.target))
            raise
        for job, (status, output) in zip(jobs, results):
            if status:
                _remove(job.target for job in jobs)
                raise self._refusal(job, status, output)

    def _refusal(self, job: Job, status: int, output: str) -> CompileError:
        ending = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        what = f"the C compiler {' '.join(self.command)} ({self.identity}) {ending}"
        return CompileError("\n    ".join([what, *first_lines(output)]), where=[job.source],
                            fix="the option backend=numpy does without a compiler; the source above shows the defect")


def first_lines(output: str) -> list[str]:
    """What a compiler said, for a message: its first lines, and how many more there are."""
    lines = output.splitlines()
    if len(lines) > _SHOWN_LINES:
        lines[_SHOWN_LINES:] = [f"... {len(lines) - _SHOWN_LINES} more lines"]
    return lines


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


# --- finding -------------------------------------------------------------------------------------

_found: dict[tuple[str, str], Toolchain | None] = {}
_reports: dict[str, str] = {}


def toolchain() -> Toolchain | None:
    """The C compiler to use, or None where there is none; looked for once for each setting of `cxx`, `cflags`."""
    key = config.cxx, config.cflags
    if key not in _found:
        _found[key] = _with_user_flags(_find())
    return _found[key]


def require() -> Toolchain:
    """The C compiler to use; raises CompileError, saying what to install, where there is none."""
    tool = toolchain()
    if tool is None:
        raise CompileError("no C compiler was found", fix=f"{_INSTALL}; the option backend=numpy does without one")
    return tool


def probe_reports() -> dict[str, str]:
    """What was found out about each compiler looked for so far: its command or name, and a line about it."""
    return dict(_reports)


def _find() -> Toolchain | None:
    if config.cxx:
        asked = _asked(config.cxx)
        found = _remembered(asked)
        if found is None:  # another one is not what was asked for
            raise ConfigError(f"option cxx names a compiler that {_reports[' '.join(asked)]}: {config.cxx!r}",
                              fix=f"clear cxx to have one looked for, or {_INSTALL}")
        return found
    for name in ("gcc", "clang", "cc", "ziglang"):
        command = _ziglang() if name == "ziglang" else _on_path(name)
        if command is None:
            _reports[name] = "not installed"
            continue
        found = _remembered(command)
        if found is not None:
            return found
    return None


def _with_user_flags(found: Toolchain | None) -> Toolchain | None:
    if found is None or not config.cflags:
        return found
    import shlex

    extra = tuple(shlex.split(config.cflags))
    for flag in ("-ffast-math", "-Ofast"):
        if flag in extra:
            raise ConfigError(f"option cflags may not hold {flag}: it breaks NaN and signed zeros, and linking with it"
                              " makes the whole process flush denormals to zero", fix=f"leave {flag} out")
    return replace(found, flags=found.flags + extra)


def _on_path(name: str) -> tuple[str, ...] | None:
    path = shutil.which(name)
    return (path,) if path else None


def _ziglang() -> tuple[str, ...] | None:
    """The compiler inside the package ziglang, called without a second Python where possible."""
    import importlib.util

    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = os.path.join(spec.submodule_search_locations[0], "zig")
    return (binary, "cc") if os.access(binary, os.X_OK) else (sys.executable, "-m", "ziglang", "cc")


def _asked(text: str) -> tuple[str, ...]:
    """The command that the option `cxx` means: a command line, or `zig` for either of its two packagings."""
    import shlex

    words = shlex.split(text)
    if words in (["zig"], ["ziglang"]):
        found = _on_path("zig")
        command = (*found, "cc") if found else _ziglang()
    else:
        found = _on_path(words[0]) if words else None
        command = (*found, *words[1:]) if found else None
    if command is None:
        raise ConfigError(f"option cxx names a compiler that is not there: {text!r}",
                          fix=f"clear cxx to have one looked for, or {_INSTALL}")
    return command


# --- probing -------------------------------------------------------------------------------------

def _remembered(command: tuple[str, ...]) -> Toolchain | None:
    """The probe's result, from the cache while the compiler's file is the one that was probed."""
    stamps = [_stamp(path) for path in map(shutil.which, command) if path]  # `ccache gcc` is two files
    key = digest("toolchain 2", *command, "", *stamps, instruction_set(), _c_library(), *_COMMON, *_OPTIONAL,
                 str(_OPTIONAL_OF))
    record = store.fetch("compiler", key)
    found = _from_record(record.decode()) if record is not None else _probe(command)
    if found is None:
        return None  # not kept: what is missing may be mended without a change to the compiler's file
    if record is None:
        store.store("compiler", key, _to_record(found).encode())
    _reports[" ".join(command)] = f"{found.identity}, {'with' if found.vector_math else 'without'} libmvec"
    return found


def _stamp(path: str) -> str:
    status = os.stat(path)
    return f"{path} {status.st_mtime_ns} {status.st_size}"


def _to_record(tool: Toolchain) -> str:
    lists = (tool.command, tool.flags, tool.link, tool.libraries)
    return "\n".join([tool.kind, tool.version, str(int(tool.vector_math)), *map("\t".join, lists)])


def _from_record(text: str) -> Toolchain:
    kind, version, vector_math, *lists = text.split("\n")
    command, flags, link, libraries = (tuple(filter(None, line.split("\t"))) for line in lists)
    return Toolchain(command, kind, version, flags, link, libraries, vector_math == "1")


def _probe(command: tuple[str, ...]) -> Toolchain | None:
    """Find out what the compiler is and accepts, or None where it makes nothing that can be loaded."""
    from symtensor.codegen.process import run

    try:
        status, output = run([*command, "--version"], _PROBE_SECONDS)
    except OSError as error:
        status, output = -1, f"cannot be run: {error.strerror}"
    if status:
        _report(command, output)
        return None
    kind, version = _kind(command, output)
    best = Toolchain(command, kind, version, (*_COMMON, *_OPTIONAL, *_OPTIONAL_OF[kind]), _BARE_LINK[kind],
                     _LIBRARIES[kind])
    with_vectors = replace(best, libraries=("-lmvec", *best.libraries), vector_math=True)
    if kind == "gcc" and b"_ZGV" in _made(with_vectors, _VECTOR_PROBE):
        return with_vectors
    if _made(best, _PLAIN_PROBE):
        return best
    plain = replace(best, flags=_COMMON, link=())
    return _with_accepted_flags(plain, best.flags[len(_COMMON):]) if _made(plain, _PLAIN_PROBE) else None


def _with_accepted_flags(plain: Toolchain, flags: Sequence[str]) -> Toolchain:
    """Some flag is unknown to this compiler or processor: try each alone."""
    accepted = [flag for flag in flags if _made(replace(plain, flags=(*plain.flags, flag)), _PLAIN_PROBE)]
    best = replace(plain, flags=(*plain.flags, *accepted))
    with_vectors = replace(best, libraries=("-lmvec", *best.libraries), vector_math=True)
    return with_vectors if b"_ZGV" in _made(with_vectors, _VECTOR_PROBE) else best


def _kind(command: tuple[str, ...], output: str) -> tuple[str, str]:
    """The family of a compiler and its version, from what --version printed."""
    first = output.splitlines()[0] if output else "unknown"
    if "clang" in first.lower():
        zig = any("zig" in os.path.basename(word) for word in command)
        return ("zig" if zig else "clang"), first
    return "gcc", " ".join(first.split()[1:])  # the first word is the name it was called by


def _made(tool: Toolchain, text: str) -> bytes:
    """The shared object made of a probe's text, or nothing where that fails or cannot be loaded."""
    import _ctypes

    from symtensor.codegen.process import run

    with store.scratch_directory() as scratch:
        job = Job(f"{scratch}/probe.c", f"{scratch}/probe.so")
        try:
            with open(job.source, "w", encoding="utf-8") as source:
                source.write(text)
            status, output = run(tool.command_line(job), _PROBE_SECONDS)
            if status:
                _report(tool.command, output)
                return b""
            _ctypes.dlclose(_ctypes.dlopen(job.target, os.RTLD_NOW | os.RTLD_LOCAL))
            with open(job.target, "rb") as target:
                return target.read()
        except OSError as error:
            _report(tool.command, f"what it makes cannot be loaded: {error}")
            return b""


def _report(command: Sequence[str], output: str) -> None:
    _reports[" ".join(command)] = "does not work: " + (output.splitlines()[0] if output else "it says nothing")


# --- the machine ---------------------------------------------------------------------------------

@functools.cache
def instruction_set() -> str:
    """An identity of the processor, as far as code made for it (-march=native) goes.

    >>> len(instruction_set().split()[-1])
    16
    """
    facts = [os.uname().machine]
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if not line.strip():  # the first processor stands for all
                break
            name, _, value = line.partition(":")
            if name.strip() in ("vendor_id", "cpu family", "model", "flags",
                                "CPU implementer", "CPU part", "Features"):
                facts.append(value.strip())
    return " ".join([*(fact for fact in facts if len(fact) < 40), digest(*facts)])


@functools.cache
def _c_library() -> str:
    # Not every system knows the name; musl, for one, says nothing.
    with suppress(ValueError, OSError):
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown C library"
    return "unknown C library"
