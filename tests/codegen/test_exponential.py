"""e to the x is right to one unit in the last place for every kind of x, and what is made of it to a few."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.runtime.core import core

pytestmark = pytest.mark.skipif(core is None, reason="the C runtime was not built")


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


LARGEST_ERRORS = [
    (T.exp, mpmath.exp, "float32", (-104.5, 88.7228), 1),
    (T.exp, mpmath.exp, "float64", (-746, 709.7827), 1),
    (T.sigmoid, logistic, "float32", (-87, 104), 2.5),
    (T.sigmoid, logistic, "float64", (-708, 746), 2.5),
]
"""Functions, what they should give, dtypes, from where to where, and the largest error in units in the last place."""


def points(dtype: str, low: float, high: float) -> np.ndarray:
    """Arguments spread over an interval, near 0, and near halves of log 2, where reduced arguments are largest."""
    rng = np.random.default_rng(0)
    halves = (rng.integers(-100, 100, 1000) + 0.5) * np.log(2) * (1 + 1e-3 * rng.normal(size=1000))
    near = np.concatenate([rng.uniform(-3, 3, 2000), rng.normal(size=500) * 1e-6, halves])
    return np.concatenate([np.linspace(low, high, 3001), near[(low < near) & (near < high)]]).astype(dtype)


@pytest.mark.parametrize("function, meaning, dtype, interval, most", LARGEST_ERRORS)
def test_error_in_units_in_the_last_place(function, meaning, dtype, interval, most):
    x = T.vector("x", dtype=dtype)
    values = points(dtype, *interval)
    results = st.function([x], function(x))(values)
    with mpmath.workdps(40):
        for value, result in zip(values, results):
            exact = meaning(mpmath.mpf(float(value)))
            unit = float(np.spacing(np.asarray(float(exact), dtype)))
            assert abs(mpmath.mpf(float(result)) - exact) <= most * unit, value


@pytest.mark.parametrize("dtype, largest, nan", [
    ("float32", "0x1.62e42ep+6", np.array([0x7fc00001], "uint32").view("float32")[0]),
    ("float64", "0x1.62e42fefa39efp+9", np.array([0x7ff8000000000001], "uint64").view("float64")[0])])
def test_special_values_of_exp(dtype, largest, nan):
    """`largest` is the last number whose exponential is finite; `nan` one whose lower bits are not all 0."""
    x = T.vector("x", dtype=dtype)
    f = st.function([x], T.exp(x))
    most = np.asarray(float.fromhex(largest), dtype)
    for value, expected in [(0, 1), (-0.0, 1), (np.inf, np.inf), (-np.inf, 0), (1e30, np.inf), (-1e30, 0),
                            (np.nan, np.nan), (nan, np.nan), (np.nextafter(most, most * 2), np.inf)]:
        for many in (1, 37):  # one by one, and in vectors
            np.testing.assert_array_equal(f(np.full(many, value, dtype)), np.full(many, expected, dtype))
    assert np.isfinite(f(np.full(37, most, dtype))).all()
