"""Theano's `theano.tensor.inplace`: `exp_inplace` is `exp`. What is computed in place the compiler decides.

>>> exp_inplace(0.0).eval()
array(1.)
"""

from __future__ import annotations

from typing import Any

from symtensor.ops import scalar, special
from symtensor.ops.elementwise import Elementwise
from symtensor.tensor import elementwise
from symtensor.tensor import special as composed

_SUFFIX = "_inplace"
__all__: list[str] = []
for _module in (scalar, special, elementwise, composed):
    for _name in _module.__all__:
        _function: Any = getattr(_module, _name)
        if isinstance(_function, Elementwise) or _name in composed.__all__:
            globals()[_name.rstrip("_") + _SUFFIX] = _function
            __all__.append(_name.rstrip("_") + _SUFFIX)
