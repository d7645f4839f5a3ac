"""Functions along an axis against NumPy."""

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch

from .agree import agree, numbers


@pytest.mark.parametrize("times", [0, 1, 2, 4])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float64", "int8", "bool"])
def test_diff(times, axis, dtype):
    agree(lambda x: T.diff(x, times, axis), lambda a: np.diff(a, times, axis), numbers(3, 4, dtype=dtype))


def test_diff_backwards():
    with pytest.raises(TypeMismatch, match="diff cannot be taken -1 times"):
        T.diff(T.dvector("x"), -1)
