"""Complex numbers put together and taken apart, under Theano's names.

>>> from symtensor.tensor.inputs import cvector
>>> z = cvector("z")
>>> real(z).type, angle(z).type, conj(z).type
(TensorType(float32, (z.0,)), TensorType(float32, (z.0,)), TensorType(complex64, (z.0,)))
"""

from __future__ import annotations

from typing import Any

from symtensor.ir.node import Variable
from symtensor.ops import complex_parts, scalar
from symtensor.ops.convert import as_variable, together
from symtensor.tensor.creation import zeros_like
from symtensor.types.dtype import COMPLEX

__all__ = ["real", "imag", "conj", "angle", "complex", "complex_from_polar"]


def real(z: Any) -> Variable:
    """The real part, of the dtype of the parts; real numbers as they are.

    >>> real([1 + 2j]).eval()
    array([1.])
    """
    z = as_variable(z)
    return complex_parts.real(z) if z.type.dtype in COMPLEX else z


def imag(z: Any) -> Variable:
    """The imaginary part, of the dtype of the parts; zeros for real numbers.

    >>> imag([1 + 2j]).eval()
    array([2.])
    """
    z = as_variable(z)
    return complex_parts.imag(z) if z.type.dtype in COMPLEX else zeros_like(z)


def conj(z: Any) -> Variable:
    """The complex conjugate; real numbers as they are.

    >>> conj([1 + 2j]).eval()
    array([1.-2.j])
    """
    z = as_variable(z)
    return complex_parts.conj(z) if z.type.dtype in COMPLEX else z


def angle(z: Any) -> Variable:
    """The angle of a complex number from the positive axis, between -pi and pi; of a negative real number pi.

    >>> angle([1j, -1.0]).eval()
    array([1.57079633, 3.14159265])
    """
    z = as_variable(z)
    return scalar.arctan2(imag(z), real(z))


def complex(real: Any, imag: Any) -> Variable:
    """The complex number of a real and an imaginary part: complex64 for parts of up to float32, else complex128.

    Raises TypeMismatch for complex parts, ShapeError.

    >>> complex(1.0, [2.0, 3.0]).eval()
    array([1.+2.j, 1.+3.j])
    """
    return complex_parts.complex_(*together([real, imag]))


def complex_from_polar(abs: Any, angle: Any) -> Variable:
    """The complex number of a modulus and an angle. Raises as `complex` does.

    >>> complex_from_polar(2.0, 0.0).eval()
    array(2.+0.j)
    """
    abs, angle = together([abs, angle])
    return complex(abs * scalar.cos(angle), abs * scalar.sin(angle))
