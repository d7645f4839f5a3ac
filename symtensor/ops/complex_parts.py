"""Complex numbers put together from real ones, and taken apart.

Derivatives are those of `grad.conventions`.

>>> from symtensor.ops.convert import as_variable
>>> z = complex_(as_variable([1.0]), as_variable([2.0]))
>>> z.type, imag(z).type
(TensorType(complex128, (1,)), TensorType(float64, (1,)))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.ops.elementwise import primitive
from symtensor.types.dtype import COMPLEX, complex_of, kind_of

__all__ = ["complex_", "conj", "conjugate", "imag", "real", "real_part"]


def _complex(x: Any, y: Any) -> Any:
    result = np.empty(np.broadcast(x, y).shape, complex_of(np.asarray(x).dtype.name))
    result.real, result.imag = x, y  # x + 1j * y would have NaN beside an infinity
    return result


def _conj(x: Any) -> Any:
    return np.conj(x) if kind_of(np.asarray(x).dtype) == "c" else np.array(x)


real = primitive("real", 1, "real", np.real, "", "The real part.")
imag = primitive("imag", 1, "real", np.imag, "", "The imaginary part; 0 of real numbers.")
conj = primitive("conj", 1, "same", _conj, "", "The complex conjugate.")
complex_ = primitive("complex", 2, "complex", _complex, "", "The complex number of a real and an imaginary part.")



def conjugate(x: Any) -> Any:
    """The complex conjugate of a variable: itself if it is real."""
    return conj(x) if x.type.dtype in COMPLEX else x


def real_part(x: Any) -> Any:
    """The real part of a variable: itself if it is real."""
    return real(x) if x.type.dtype in COMPLEX else x


# A part moves with the operand's part alone: of what the cotangent says of both, see `grad.conventions`.
real.define_pullback(lambda z, x, dx: complex_(dx, 0.0) if z.type.dtype in COMPLEX else dx)
imag.define_pullback(lambda z, y, dy: complex_(0.0, -dy) if z.type.dtype in COMPLEX else None)
conj.define_pullback(lambda z, w, dw: conjugate(dw))
complex_.define_pullback(lambda x, y, z, dz: (real(dz), -imag(dz)))
