"""Theano's `theano.tensor.inplace`: `exp_inplace` is `exp`. What is computed in place the compiler decides.

>>> exp_inplace(0.0).eval()
array(1.)
"""

from __future__ import annotations

from symtensor.ops.elementwise import Elementwise
from symtensor.tensor import elementwise, special

_names = {name: getattr(module, name) for module in (elementwise, special) for name in module.__all__}
_inplace = {f"{name.rstrip('_')}_inplace": function for name, function in _names.items()
            if isinstance(function, Elementwise) or name in special.__all__}
__all__ = list(_inplace)
globals().update(_inplace)
