"""Few long rows, which several blocks divide among them, in functions on a device."""

from __future__ import annotations

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

VALUES = np.random.default_rng(0).standard_normal((3, 30_000)).astype("float32")
OF_ROWS = {"sum": lambda x: x.sum(axis=1), "softmax": T.nnet.softmax, "argmax": lambda x: T.argmax(x, axis=1),
           "centred": lambda x: x - x.mean(axis=1, keepdims=True), "layer norm": T.nnet.layer_normalization,
           "last argmax": lambda x: T.argmax(x.ravel()), "any": lambda x: (x > 4).any(axis=1)}


@pytest.mark.parametrize("name", OF_ROWS)
def test_as_on_the_processor_and_each_time_the_same(name):
    x = T.fmatrix("x")
    f, g = (st.function([x], OF_ROWS[name](x), device=device) for device in ("cuda", "cpu"))
    for rows, columns in ((3, 30_000), (3, 20), (1, 20_001), (3, 16_384)):
        first, second = f(VALUES[:rows, :columns]), f(VALUES[:rows, :columns])
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, g(VALUES[:rows, :columns]), rtol=1e-4, atol=1e-5)


def test_no_rows():
    x = T.fmatrix("x")
    f = st.function([x], T.nnet.softmax(x), device="cuda")
    assert f(VALUES[:0]).shape == (0, 30_000)


def test_rows_that_are_updated_in_place():
    weights = st.shared(VALUES, "weights")
    step = st.function([], [], updates=[(weights, T.nnet.softmax(weights) - 0.5 * weights)], device="cuda")
    wanted = VALUES.astype("float64")
    for _ in range(2):
        step()
        powers = np.exp(wanted - wanted.max(axis=1, keepdims=True))
        wanted = powers / powers.sum(axis=1, keepdims=True) - 0.5 * wanted
    np.testing.assert_allclose(weights.get_value(), wanted, rtol=1e-4, atol=1e-5)


def test_the_first_of_equal_elements_is_found_in_whatever_share():
    x = T.fmatrix("x")
    f = st.function([x], [T.argmax(x, axis=1), T.argmin(x, axis=1)], device="cuda")
    values = np.zeros((2, 40_000), "float32")
    values[0, [9_000, 39_000]], values[1, [39_999, 20_000]], values[0, 8_200], values[1, 100] = 1, np.nan, -1, -1
    most, least = f(values)
    assert most.tolist() == [9_000, 20_000] and least.tolist() == np.argmin(values, axis=1).tolist()
