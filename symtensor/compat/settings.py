"""Theano's configuration: `theano.config` and `change_flags`, over the options of symtensor.

What symtensor has an option for is that option. What concerns the inside of Theano is taken, kept and without effect,
so that programs which set it run. What is neither is an error, as in Theano.

>>> settings = Settings()
>>> with change_flags(floatX="float32", exception_verbosity="high"):
...     settings.floatX, settings.exception_verbosity
('float32', 'high')
>>> settings.gcc.cxxflags, settings.warn.sum_div_dimshuffle_bug
('', False)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symtensor.base.config import OPTIONS, config
from symtensor.base.errors import ConfigError

__all__ = ["SAME", "Settings", "WITHOUT_EFFECT", "change_flags"]

SAME = {
    "gcc.cxxflags": "cflags", "base_compiledir": "cache_dir", "compiledir": "cache_dir",
    "NanGuardMode.nan_is_error": "nan_is_error", "NanGuardMode.inf_is_error": "inf_is_error",
    "NanGuardMode.big_is_error": "big_is_error", "NanGuardMode.action": "nan_guard_action",
    "DebugMode.check_finite": "check_finite", "dnn.enabled": "cuda_dnn", "dnn.library_path": "cuda_dnn_path",
}
"""Options of Theano's that have another name here."""

WITHOUT_EFFECT: dict[str, Any] = {
    "linker": "cvm", "exception_verbosity": "low", "int_division": "int", "warn_float64": "ignore",
    "allow_gc": True, "deterministic": "default", "on_opt_error": "warn", "on_shape_error": "warn",
    "profile_memory": False, "profile_optimizer": False, "print_test_value": False,
    "print_active_device": True, "print_global_stats": False, "compute_test_value_opt": "off",
    "optimizer_verbose": False,
    "openmp_elemwise_minsize": 200000, "init_gpu_device": "", "force_device": False, "assert_no_cpu_op": "ignore",
    "check_input": True, "check_stack_trace": "off", "cache_optimizations": False, "cycle_detection": "regular",
    "nocleanup": False, "pickle_test_value": True, "unpickle_function": True, "reoptimize_unpickled_function": False,
    "compiledir_format": "", "vm.lazy": None, "tensor.cmp_sloppy": 0, "tensor.local_elemwise_fusion": True,
    "tensor.insert_inplace_optimizer_validate_nb": -1, "lib.amdlibm": False, "blas.ldflags": "",
    "blas.check_openmp": True, "scan.allow_gc": False, "scan.allow_output_prealloc": True, "scan.debug": False,
    "traceback.limit": 8, "traceback.compile_limit": 0, "compile.wait": 5, "compile.timeout": 120,
    "conv.assert_shape": False, "unittests.rseed": 666, "optdb.max_use_ratio": 8.0, "optdb.position_cutoff": None,
    "numpy.seterr_all": "ignore", "experimental.local_alloc_elemwise": False, "warn.ignore_bug_before": "0.9",
    "DebugMode.patience": 10, "DebugMode.check_c": True, "DebugMode.check_py": True,
    "DebugMode.check_strides": 0, "DebugMode.check_preallocated_output": "",
    "DebugMode.warn_input_not_reused": True, "dnn.include_path": "",
    "dnn.conv.algo_fwd": "small", "dnn.conv.algo_bwd_filter": "none", "dnn.conv.algo_bwd_data": "none",
    "dnn.conv.precision": "as_input_f32", "cuda.root": "", "cuda.include_path": "", "gpuarray.preallocate": 0.0,
    "gpuarray.sched": "default", "gpuarray.single_stream": True, "gpuarray.cache_path": "", "gpuelemwise.sync": True,
    "metaopt.verbose": 0, "metaopt.optimizer_including": "", "metaopt.optimizer_excluding": "", "ctc.root": "",
    "cmodule.age_thresh_use": 2073600, "cmodule.compilation_warning": False, "cmodule.preload_cache": False,
    "cmodule.remove_gxx_opt": False, "cmodule.debug": False, "cmodule.warn_no_version": False,
    "profiling.n_apply": 20, "profiling.n_ops": 20, "profiling.min_memory_size": 1024,
    "profiling.min_peak_memory": False, "profiling.destination": "stderr", "profiling.ignore_first_call": False,
}
"""Options of Theano's that choose nothing here, with what they are there."""

_kept: dict[str, Any] = {}


def _read(name: str) -> Any:
    name = SAME.get(name, name)
    if name in OPTIONS:
        return getattr(config, name)
    if name in WITHOUT_EFFECT or name in _kept:
        return _kept.get(name, WITHOUT_EFFECT.get(name))
    if name.startswith("warn."):  # one for each of Theano's old defects
        return False
    raise ConfigError(f"neither Theano nor symtensor has an option {name!r}", fix="print(symtensor.config.describe())")


def _write(name: str, value: Any) -> None:
    name = SAME.get(name, name)
    if name in OPTIONS:
        setattr(config, name, value)
    else:
        _read(name)
        _kept[name] = value


class Settings:
    """The options as attributes; those of a group are below its name, as in `config.gcc.cxxflags`."""

    def __init__(self, group: str = "") -> None:
        object.__setattr__(self, "_group", group)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = self._group + name
        if any(known.startswith(f"{full}.") for known in (*SAME, *WITHOUT_EFFECT)):
            return Settings(f"{full}.")
        return _read(full)

    def __setattr__(self, name: str, value: Any) -> None:
        _write(self._group + name, value)


class ConfigVar:
    """One option, as Theano lists them: `__get__` reads it and `__set__` sets it."""

    def __init__(self, fullname: str) -> None:
        self.fullname = fullname

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return _read(self.fullname)

    def __set__(self, owner: Any, value: Any) -> None:
        _write(self.fullname, value)


_config_var_list = [ConfigVar(name) for name in (*OPTIONS, *SAME, *WITHOUT_EFFECT)]


@contextmanager
def change_flags(flags: Mapping[str, Any] | None = None, **more: Any) -> Iterator[None]:
    """Options changed for the length of a `with` block, or of each call of a function that it decorates."""
    values = {**(flags or {}), **more}
    before = {name: _read(name) for name in values}
    try:
        for name, value in values.items():
            _write(name, value)
        yield
    finally:
        for name, value in before.items():
            _write(name, value)
