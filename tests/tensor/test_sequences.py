"""Functions along an axis against NumPy."""

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import agree, numbers, value


@pytest.mark.parametrize("times", [0, 1, 2, 4])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float64", "int8", "bool"])
def test_diff(times, axis, dtype):
    agree(lambda x: T.diff(x, times, axis), lambda a: np.diff(a, times, axis), numbers(3, 4, dtype=dtype))


def test_diff_backwards():
    with pytest.raises(TypeMismatch, match="diff cannot be taken -1 times"):
        T.diff(T.dvector("x"), -1)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint8", "bool", "complex128"])
@pytest.mark.parametrize("axis", [None, 0, 1, -2])
def test_running_totals(dtype, axis):
    def rounded_once(function):  # NumPy adds narrow floats in their own dtype
        return lambda a: function(a, axis, dtype="float64").astype(dtype)

    total, product = (rounded_once(f) if dtype in ("float32", "float16") else lambda a, f=f: f(a, axis)
                      for f in (np.cumsum, np.cumprod))
    for shape in [(3, 4), (0, 3), (1, 1)]:
        array = numbers(*shape, dtype=dtype)
        rtol = {"float16": 1e-3, "float32": 1e-6}.get(dtype, 1e-12)
        agree(lambda x: T.cumsum(x, axis), total, array, rtol=rtol)
        agree(lambda x: x.cumprod(axis), product, array, rtol=rtol)


def test_running_totals_of_many_are_accurate():
    many = np.full(10**6, 0.1, "float32")
    np.testing.assert_allclose(value(T.cumsum(T.constant(many)))[-1], 1e5, rtol=1e-6)


@pytest.mark.parametrize("point", [[[1.5, 2.0, -1.0, 0.5]], [[1.5, 0.0, 2.0, 3.0]], [[0.0, 2.0, 0.0, 3.0]]], ids=str)
def test_derivatives_of_running_totals(point):
    for axis in (None, 0, 1):
        verify_grad(lambda x: T.cumprod(x, axis), [np.array(point)])  # noqa: B023
        verify_grad(lambda x: T.cumsum(x, axis), [np.array(point)])  # noqa: B023


def test_running_totals_along_an_axis_that_is_not():
    with pytest.raises(ShapeError, match="cumsum: 2 is not one of 2 axes"):
        T.cumsum(T.dmatrix("x"), 2)
