"""Complex numbers put together from real ones, and taken apart. They have derivatives of real numbers only.

>>> from symtensor.ops.convert import as_variable
>>> z = complex_(as_variable([1.0]), as_variable([2.0]))
>>> z.type, imag(z).type
(TensorType(complex128, (1,)), TensorType(float64, (1,)))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.ops.elementwise import primitive
from symtensor.types.dtype import complex_of

__all__ = ["complex_", "conj", "imag", "real"]


def _complex(x: Any, y: Any) -> Any:
    result = np.empty(np.broadcast(x, y).shape, complex_of(np.asarray(x).dtype.name))
    result.real, result.imag = x, y  # x + 1j * y would have NaN beside an infinity
    return result


def _conj(x: Any) -> Any:
    return np.conj(x) if np.asarray(x).dtype.kind == "c" else np.array(x)


real = primitive("real", 1, "real", np.real, "", "The real part.")
imag = primitive("imag", 1, "real", np.imag, "", "The imaginary part; 0 of real numbers.")
conj = primitive("conj", 1, "same", _conj, "", "The complex conjugate.")
complex_ = primitive("complex", 2, "complex", _complex, "", "The complex number of a real and an imaginary part.")

# Of real numbers: complex ones are refused before a pullback is asked.
real.define_pullback(lambda x, y, dy: dy)
imag.define_pullback(lambda x, y, dy: None)
conj.define_pullback(lambda x, y, dy: dy)
