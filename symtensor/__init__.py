"""symtensor: a symbolic tensor expression compiler.

Build an expression from variables, differentiate it, compile it. The vocabulary is Theano's: `symtensor.tensor`
has the operations, this module what one does with the expressions they make.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> y = (x ** 2).sum()
>>> y.type, st.pp(y)
(TensorType(float64, ()), 'sum((x ** 2))')

Nothing is loaded before it is used: the first public name read from here loads the vocabulary.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from symtensor import grad

# `symtensor.grad` is a package to Python and a function to users. Loading a package makes it an attribute here, once:
# now, so that the name is free for the function.
del grad

__version__ = "0.1.0"

_HOMES = {
    "config": "symtensor.base.config",
    "Variable": "symtensor.ir.node", "Constant": "symtensor.ir.node", "Apply": "symtensor.ir.node",
    "Op": "symtensor.ir.node",
    "TensorType": "symtensor.types.tensor",
    "as_op": "symtensor.ops.python",
    "elementwise": "symtensor.ops.elementwise",
    "function": "symtensor.runtime.function", "In": "symtensor.runtime.function", "Out": "symtensor.runtime.function",
    "Mode": "symtensor.runtime.modes", "MonitorMode": "symtensor.runtime.modes",
    "NanGuardMode": "symtensor.runtime.modes", "DebugMode": "symtensor.runtime.modes",
    "get_mode": "symtensor.runtime.modes", "detect_nan": "symtensor.runtime.modes",
    "shared": "symtensor.runtime.shared",
    "grad": "symtensor.gradient", "Rop": "symtensor.gradient", "Lop": "symtensor.gradient",
    "scan": "symtensor.control.scan", "until": "symtensor.control.scan",
    "map": "symtensor.control.views", "reduce": "symtensor.control.views", "foldl": "symtensor.control.views",
    "foldr": "symtensor.control.views", "scan_checkpoints": "symtensor.control.views",
    "ifelse": "symtensor.control.branches", "OpFromGraph": "symtensor.control.from_graph",
    "COp": "symtensor.control.c_op", "ExternalCOp": "symtensor.control.c_op",
    "Print": "symtensor.ops.effects",
    "clone": "symtensor.cloning", "map_variables": "symtensor.cloning", "vectorize": "symtensor.cloning",
    "dot": "symtensor.tensor.linear",
    "dump": "symtensor.saving", "load": "symtensor.saving", "function_dump": "symtensor.saving",
    "debugprint": "symtensor.printing", "pp": "symtensor.printing", "pprint": "symtensor.printing",
}
"""The module each public name lives in."""
_MODULES = ("tensor", "sparse", "typed_list", "gradient", "graph", "printing", "cuda")

__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module 'symtensor' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    import_module("symtensor.tensor")  # gives variables their methods, whichever name is asked for first
    if name in _MODULES:
        return import_module(f"symtensor.{name}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
