"""Sums are accurate whatever their length and whatever else is computed beside them, and so are their bits."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.runtime.core import core

V, M = T.fvector("V"), T.fmatrix("M")


@pytest.mark.parametrize("outputs", [[V.mean(), V.var()], [V.mean()], [V.sum() / V.size]])
def test_mean_and_variance_of_large_values(outputs):
    values = np.full(10**6, 1e4, "float32") + np.arange(10**6, dtype="float32") % 7
    exact = values.astype("float64")
    for got, want in zip(st.function([V], outputs)(values), (exact.mean(), exact.var())):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_sum_of_many_equal_values():
    many = np.full(10**7, 0.1, "float32")
    np.testing.assert_allclose(st.function([V], V.sum())(many), many.astype("float64").sum(), rtol=1e-5)
    rows = many.reshape(2, -1)
    for axis in (0, 1):
        got = st.function([M], M.sum(axis=axis))(rows if axis else rows.T)
        np.testing.assert_allclose(got, np.full(2, rows[0].astype("float64").sum()), rtol=1e-5)


def results(f, values):
    """What a function gives on one thread and on more, as bytes."""
    before = core.get_threads()
    try:
        for threads in (1, 2, 3, 4):
            core.set_threads(threads)
            yield f(values).tobytes()
    finally:
        core.set_threads(before)


@pytest.mark.skipif(core is None, reason="the C runtime was not built")
@pytest.mark.parametrize("output", [M.sum(), M.sum(axis=0), M.sum(axis=1), T.nnet.softmax(M), M.var()], ids=str)
def test_bits_do_not_depend_on_threads(output):
    values = np.random.RandomState(0).randn(3000, 301).astype("float32")
    assert len(set(results(st.function([M], output), values))) == 1


@pytest.mark.skipif(core is None, reason="the C runtime was not built")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [T.exp, T.tanh, T.sin], ids=str)
def test_bits_of_elements_do_not_depend_on_threads(function, dtype):
    """A thread must not begin in the middle of what another one would compute with one vector instruction."""
    x = T.matrix("x", dtype=dtype)
    flat, transposed = st.function([x], function(x)), st.function([x], function(x.T) * 2)
    for shape in [(1, 20011), (3, 20011), (301, 103), (501, 65), (37, 1001), (10007, 5)]:
        values = np.random.RandomState(0).randn(*shape).astype(dtype)
        for f in (flat, transposed):
            assert len(set(results(f, values))) == 1, shape
