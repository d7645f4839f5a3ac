"""Theano's modules, by where the names in them are found here.

>>> module = Address("theano.scan_module.scan_utils")
>>> module.equal_computations.__module__, module.nothing
Traceback (most recent call last):
...
AttributeError: theano.scan_module.scan_utils has no 'nothing' in symtensor
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from symtensor.base.config import config

__all__ = ["ADDRESSES", "Address", "install"]

_OWN, _SCALARS, _CLASSES, _CHECKS = "compat.ops", "compat.scalars", "compat.classes", "testing.verify_grad"
_ERRORS, _NODES, _GRAPHS, _NAMES = "base.errors", "ir.node", "graph", "compat.names"
_MODES, _SHARED, _OPS = "runtime.modes", "runtime.shared", "ops.elementwise ops.shape ops.index ops.effects ops.size"

ADDRESSES = {
    **dict.fromkeys(("", "theano"), f"{_NAMES} {_OWN} . gradient {_MODES}"),
    **dict.fromkeys(("compat", "compat.python2x"), "compat.python2"),
    "compile": f"{_NAMES} {_MODES} runtime.profile . {_SHARED} {_ERRORS}", "compile.builders": "control.from_graph",
    "compile.debugmode": f"{_MODES} {_ERRORS}",
    "compile.function": "runtime.function", "compile.function_module": f"runtime.function {_ERRORS}",
    "compile.io": "runtime.function", "compile.mode": _MODES,
    "compile.monitormode": _MODES, "compile.nanguardmode": _MODES,
    "compile.ops": f"ops.python {_OPS} {_OWN} {_NAMES}", "compile.pfunc": f"runtime.function runtime.shared {_NAMES}",
    "compile.profiling": "runtime.profile", "compile.sharedvalue": _SHARED, "configdefaults": _NAMES,
    "configparser": f"{_NAMES} compat.settings",
    "gof": f"{_OWN} {_NODES} {_GRAPHS} control.c_op {_ERRORS} {_NAMES}", "gof.fg": f"ir.graph {_ERRORS} {_NAMES}",
    "gof.graph": f"{_OWN} {_GRAPHS} {_NODES} cloning", "gof.null_type": f"{_OWN} {_ERRORS}",
    "gof.op": f"{_OWN} {_NODES} control.c_op {_NAMES}",
    "gof.toolbox": _NAMES, "gof.type": "types.tensor", "gof.utils": f"{_ERRORS} {_NAMES}",
    "gpuarray": _NAMES, "gpuarray.basic_ops": _NAMES, "gpuarray.dnn": _NAMES,
    "gradient": f"{_OWN} gradient {_ERRORS} {_NAMES}", "ifelse": "control.branches", "misc": ".",
    "misc.pkl_utils": "saving", "printing": "printing",
    "sandbox": ".", "sandbox.cuda": _NAMES, "sandbox.cuda.basic_ops": _NAMES, "sandbox.cuda.dnn": _NAMES,
    "sandbox.gpuarray": _NAMES, "sandbox.gpuarray.dnn": _NAMES, "sandbox.linalg": "tensor.nlinalg tensor.slinalg",
    "sandbox.rng_mrg": "sandbox.rng_mrg", "sandbox.softsign": "tensor.nnet",
    "scalar": f"{_NAMES} {_SCALARS} ops.scalar tensor", "scalar.basic": f"{_NAMES} {_SCALARS} ops.scalar tensor",
    "scalar.basic_scipy": f"{_NAMES} {_SCALARS} ops.special tensor",
    "scan_module": "control.scan control.views", "scan_module.scan": "control.scan",
    "scan_module.scan_op": "ops.control",
    "scan_module.scan_checkpoints": "control.views", "scan_module.scan_utils": f"{_GRAPHS} cloning control.scan",
    "scan_module.scan_views": "control.views",
    "sparse": "sparse", "sparse.basic": f"sparse {_NAMES}",
    "tensor": f"compat.tensor tensor {_OWN} tensor.io types.tensor {_SHARED} {_CLASSES} {_OPS} {_NAMES} {_CHECKS}",
    "tensor.basic": f"compat.tensor tensor {_OWN} types.tensor {_CLASSES} {_OPS} {_NAMES} {_CHECKS}",
    "tensor.elemwise": f"{_CLASSES} {_OPS} {_OWN} {_NAMES}", "tensor.extra_ops": "tensor.extra_ops tensor",
    "tensor.fft": "tensor.fft",
    "tensor.io": "tensor.io", "tensor.nlinalg": "tensor.nlinalg tensor",
    "tensor.nnet": "compat.nnet tensor.nnet", "tensor.nnet.nnet": "compat.nnet tensor.nnet",
    "tensor.nnet.basic": "compat.nnet tensor.nnet", "tensor.nnet.sigm": "tensor.nnet", "tensor.opt": _NAMES,
    "tensor.raw_random": "tensor.random", "tensor.shared_randomstreams": f"tensor.shared_randomstreams {_NAMES}",
    "tensor.sharedvar": f"{_SHARED} {_NAMES}", "tensor.sort": "tensor.ordering", "tensor.subtensor":
    f"tensor.indexing {_CLASSES} ops.index {_NAMES}", "tensor.type": "types.tensor", "tensor.type_other": _NAMES,
    "tensor.utils": _NAMES, "tensor.var": "compat.tensor tensor", "tensor.xlogx": "tensor",
    "tests": ".", "tests.unittest_tools": f"testing.verify_grad {_NAMES}", "typed_list": "typed_list",
    "updates": _NAMES, "version": ".",
}
"""By address below `theano`: the modules below `symtensor` in which its names are looked for, in this order.

An address that is not here is symtensor's module of the same name, if there is one. A point is `symtensor` itself.
"""
_SHADOWED = {"compile.function", "compile.pfunc", "scan_module.scan", "tensor.sort", "tensor.var"}
"""Addresses that in Theano, too, are a function to who has not imported them as modules."""


class Address(ModuleType):
    """A module of Theano's: its names are those of modules of symtensor."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"{name}, as symtensor has it.")
        below = name.partition(".")[2]
        self._address = name.replace("theano.theano", "theano")  # which Theano has in itself
        self.__path__ = []
        self._homes = [f"symtensor.{home}".rstrip(".") for home in ADDRESSES.get(below, below).split()]

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._public()
        if name.startswith("__") and name != "__version__":
            raise AttributeError(f"{self.__name__} has no {name!r}")
        below = f"{self._address}.{name}"
        if below.partition(".")[2] in ADDRESSES.keys() - _SHADOWED:
            return import_module(below)
        for home in self._homes:
            module = import_module(home)
            if hasattr(module, name) and not isinstance(getattr(module, name), ModuleType):
                return getattr(module, name)
        if _is_address(below):
            return import_module(below)
        raise AttributeError(f"{self.__name__} has no {name!r} in symtensor")

    def __setattr__(self, name: str, value: Any) -> None:
        # What was imported as a module is none when it is asked for as an attribute, if a function has its name.
        if not (isinstance(value, Address) and value.__name__.partition(".")[2] in _SHADOWED):
            super().__setattr__(name, value)

    def _public(self) -> list[str]:
        """What `from ... import *` gives: what its homes hold of symtensor."""
        found: set[str] = set()
        for home in map(import_module, self._homes):
            found.update(name for name, value in vars(home).items() if name[0] != "_" and (
                name in getattr(home, "__all__", ()) or _is_own(value)))
        return sorted(found)

    def __dir__(self) -> list[str]:
        return sorted({name for home in self._homes for name in dir(import_module(home)) if name[0] != "_"})


def _is_own(value: Any) -> bool:
    """Whether a value is a function, class or object of symtensor's, and no module."""
    made_in = getattr(value, "__module__", None)
    return isinstance(made_in, str) and made_in.startswith("symtensor")


def _is_address(name: str) -> bool:
    """Whether Theano's module of that name has a place here."""
    below = name.partition(".")[2]
    return name == "theano" or below in ADDRESSES or _has_module(f"symtensor.{below}")


def _has_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class _Finder(MetaPathFinder, Loader):
    """Finds `theano` and what is below it."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "theano" or not _is_address(fullname):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Address(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: names are looked up as they are asked for."""


def install() -> None:
    """Let `import theano`, and imports of modules below it, give symtensor, from now on in this process.

    Variables are true then, as in Theano, unless they are comparisons: programs write `if mask:` for `is not None`.

    Raises ImportError if a Theano of another make has been imported already.
    """
    known = sys.modules.get("theano")
    if known is not None and not isinstance(known, Address):
        raise ImportError(f"theano has been imported from {getattr(known, '__file__', 'elsewhere')} already")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    config.truth_of_variables = "true"
