"""Complex numbers put together and taken apart, against NumPy."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch

from .agree import agree, numbers, value


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (0, 3)])
def test_parts(dtype, shape):
    array = numbers(*shape, dtype=dtype)
    agree(T.real, np.real, array)
    agree(lambda x: x.imag, np.imag, array)
    agree(lambda x: x.conj(), np.conj, array)
    agree(lambda x: x.conjugate() * x.real, lambda a: np.conj(a) * np.real(a), array)
    agree(T.angle, lambda a: np.arctan2(np.imag(a), np.real(a)), array, rtol=1e-6)


@pytest.mark.parametrize("dtype, whole", [("float32", "complex64"), ("float64", "complex128"), ("int8", "complex64"),
                                          ("int64", "complex128"), ("float16", "complex64")])
def test_from_parts(dtype, whole):
    left, right = numbers(2, 3, dtype=dtype), numbers(3, dtype=dtype, seed=1)
    agree(T.complex, lambda a, b: (a + 1j * b).astype(whole), left, right, rtol=1e-6)
    wide = [a.astype("float64") for a in (left, right)]
    polar = value(T.complex_from_polar(left, right))
    assert polar.dtype == whole
    np.testing.assert_allclose(polar, wide[0] * np.exp(1j * wide[1]), rtol=1e-2 if dtype == "float16" else 1e-5)


def test_an_infinite_part_leaves_the_other_alone():
    assert value(T.complex(np.inf, 1.0)) == complex(np.inf, 1)
    with pytest.raises(TypeMismatch, match="complex takes real numbers, not complex128"):
        T.complex(1j, 0)


def test_derivatives_by_the_parts():
    x = T.dvector("x")
    assert value(st.grad((T.complex(x, x * 2) * 1j).real.sum(), x), {x: np.array([3.0])}) == -2
    assert value(st.grad((x.real * x.conj()).sum(), x), {x: np.array([3.0])}) == 6
