"""The configuration: the only reader of the environment.

Options are attributes of `config`. A value comes, first wins, from an assignment,
from `SYMTENSOR_FLAGS="name=value,name=value"`, from `SYMTENSOR_<NAME>`, from the default.

>>> with config.change(floatX="float32"):
...     config.floatX
'float32'
>>> config.floatx
Traceback (most recent call last):
...
symtensor.base.errors.ConfigError: there is no option 'floatx'
  fix      did you mean 'floatX'?
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from symtensor.base.errors import ConfigError

__all__ = ["Option", "OPTIONS", "Config", "config"]


@dataclass(frozen=True)
class Option:
    """One option: its default, what it means, and the values it takes (`choices`) or how text becomes one."""

    name: str
    default: Any
    meaning: str
    choices: tuple[Any, ...] = ()
    parse: Callable[[str], Any] = str

    def check(self, value: Any) -> Any:
        """The value, parsed from text where the option is not a text; raises ConfigError."""
        if isinstance(value, str) and self.parse is not str:
            try:
                value = self.parse(value)
            except ValueError as error:
                raise ConfigError(f"option {self.name} does not take {value!r}: {error}") from None
        if self.choices and value not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            raise ConfigError(f"option {self.name} does not take {value!r}", fix=f"one of {allowed}")
        return value


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected true or false")


def _auto_or_boolean(text: str) -> bool | str:
    return text if text == "auto" else _boolean(text)


def _default_cache() -> str:
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(root):  # no home directory: expanduser left the tilde
        root = os.path.join(tempfile.gettempdir(), f"symtensor-{os.getuid() if hasattr(os, 'getuid') else 0}")
    return os.path.join(root, "symtensor")


OPTIONS: dict[str, Option] = {option.name: option for option in (
    Option("floatX", "float64", "dtype of float variables made without a dtype",
           ("bfloat16", "float16", "float32", "float64")),
    Option("cast_policy", "numpy+floatX", "how mixed dtypes combine: NumPy's table (Theano's custom, too), or the"
           " same but never above floatX unless a float64 takes part", ("numpy", "custom", "numpy+floatX")),
    Option("on_unused_input", "raise", "what function() does with an input no output needs",
           ("raise", "warn", "ignore")),
    Option("compute_test_value", "off", "whether x.tag.test_value is the value of an expression for those of its"
           " inputs: when asked for, or as each op is applied, where an input without one is a warning or an error",
           ("off", "ignore", "warn", "raise")),
    Option("optimizer", "fast_run", "which rewriting phases run", ("fast_run", "fast_compile", "None")),
    Option("optimizer_including", "", "rules, passes or phases more, by name: stabilize:multiply_out"),
    Option("optimizer_excluding", "", "rules, passes or phases to leave out"),
    Option("optimizer_requiring", "", "rules, passes or phases that alone are used"),
    Option("mode", "Mode", "what functions are made and run by that are given no mode: Mode, FAST_RUN, FAST_COMPILE,"
           " DebugMode, NanGuardMode"),
    Option("profile", False, "measure functions that are not told otherwise, and print where their time went when"
           " Python ends", (True, False), _boolean),
    Option("nan_is_error", True, "whether NanGuardMode stops at a NaN", (True, False), _boolean),
    Option("inf_is_error", True, "whether NanGuardMode stops at an infinity", (True, False), _boolean),
    Option("big_is_error", True, "whether NanGuardMode stops at a number above 1e10", (True, False), _boolean),
    Option("nan_guard_action", "raise", "what NanGuardMode does then", ("raise", "warn", "pdb")),
    Option("check_finite", True, "whether DebugMode stops at a NaN or an infinity", (True, False), _boolean),
    Option("backend", "c", "what runs kernels: generated C, or the NumPy meaning of each op", ("c", "numpy")),
    Option("device", "cpu", "where functions run and shared variables live: cpu, cuda, cuda1, ... or a context's name"),
    Option("contexts", "", "names for devices, for programs that use several: dev0->cuda0;dev1->cuda1"),
    Option("cuda_atomics", False, "add floats that are put into one place of a device's memory in any order: faster,"
           " but other last bits in each run", (True, False), _boolean),
    Option("cuda_blas", "", "products of matrices on devices; empty: by cuBLAS, where it is found; own: by our own"
           " kernels; else the path of a library like cuBLAS"),
    Option("cuda_dnn", "auto", "convolutions on devices; auto: by cuDNN where it is found and does them, else by own"
           " kernels; True: by cuDNN, or an error; False: by our own", ("auto", True, False), _auto_or_boolean),
    Option("cuda_dnn_megabytes", 512, "memory of a device that cuDNN may use for the work of a convolution", (), int),
    Option("cuda_dnn_path", "", "path of cuDNN or of its folder; empty: it is looked for"),
    Option("cuda_driver", "", "driver of CUDA devices; empty: the system's; software: one that runs on the processor"),
    Option("cuda_synchronous", False, "wait for each kernel of a device, so that an error names the kernel",
           (True, False), _boolean),
    Option("cuda_tf32", False, "let cuDNN round float32 to TF32, of 10 bits, in convolutions: faster on tensor cores",
           (True, False), _boolean),
    Option("cxx", "", "C compiler to use; empty: gcc, clang or cc on the path, else the ziglang package"),
    Option("cflags", "", "flags added to the compiler's command line"),
    Option("cache_dir", "", "where compiled kernels and programs live; empty: the user's cache directory"),
    Option("cache", True, "keep compiled kernels and programs on disk", (True, False), _boolean),
    Option("cache_megabytes", 1024, "size to which the cache is cleaned, the longest unused files first", (), int),
    Option("openmp", True, "use more than one thread", (True, False), _boolean),
    Option("threads", 0, "threads a kernel may use; 0: one for each core", (), int),
    Option("debug", 0, "1 prints phases, 2 rules fired, 3 programs, 4 C", (0, 1, 2, 3, 4), int),
    Option("on_rewrite_error", "warn", "what a rule that raises does: stop the compile, or be reported and skipped",
           ("raise", "warn")),
    Option("verify", False, "verify the graph after every rewriting phase", (True, False), _boolean),
    Option("truth_of_variables", "error", "what `if x:` does for a variable that is no comparison: an error, or true"
           " as in Theano, whose programs ask so whether they have one", ("error", "true")),
    Option("traceback_limit", 4, "user lines kept for each node", (), int),
)}


class Config:
    """The options as attributes; see `OPTIONS` for names and meanings."""

    def __getattr__(self, name: str) -> Any:
        # Reached once per option: the value found is kept as a plain attribute.
        if name.startswith("__"):
            raise AttributeError(name)
        option = _option(name)
        value = option.check(_from_environment(option))
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = _option(name).check(value)

    @contextmanager
    def change(self, **values: Any) -> Iterator[None]:
        """Options changed for the length of a `with` block."""
        before = {name: getattr(self, name) for name in values}
        try:
            for name, value in values.items():
                setattr(self, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    @property
    def cache_path(self) -> str:
        """The cache directory in use: `cache_dir`, or the user's cache directory."""
        return self.cache_dir or _default_cache()

    def describe(self) -> str:
        """One line for each option: name, value, meaning."""
        return "\n".join(f"{name} = {getattr(self, name)!r}\n    {option.meaning}"
                         for name, option in OPTIONS.items())


def _option(name: str) -> Option:
    try:
        return OPTIONS[name]
    except KeyError:
        near = difflib.get_close_matches(name, OPTIONS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "print(config.describe()) lists the options"
        raise ConfigError(f"there is no option {name!r}", fix=hint) from None


def _from_environment(option: Option) -> Any:
    flags = dict(part.split("=", 1) for part in os.environ.get("SYMTENSOR_FLAGS", "").split(",") if "=" in part)
    for name in flags:
        _option(name.strip())
    if option.name in flags:
        return flags[option.name].strip()
    return os.environ.get(f"SYMTENSOR_{option.name.upper()}", option.default)


config = Config()
