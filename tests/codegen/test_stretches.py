"""Loads under conditions: loops in stretches, whose loads have pointers and no masks."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

SIZES = [0, 1, 2, 7, 64, 1023, 1025, 3000]


def _join(x):
    return T.concatenate([x * 2, x[1:], x[:3]]), lambda v: np.concatenate([v * 2, v[1:], v[:3]])


def _back(x):
    return T.concatenate([x[::-1], x]), lambda v: np.concatenate([v[::-1], v])


def _put(x):
    return T.set_subtensor(T.zeros_like(x)[2:], x[:-2]), lambda v: np.concatenate([0 * v[:2], v[:-2]])


def _strided(x):
    def expected(v):
        result = v.copy()
        result[1::3] = v[1::3] * 2
        return result
    return T.inc_subtensor(x[1::3], x[1::3]), expected


def _sum(x):
    return T.concatenate([x, x[1:]]).sum(), lambda v: np.concatenate([v, v[1:]]).sum()


def _columns(x):
    both = T.concatenate([x[None], x[None, ::-1], x[None]])
    return T.roll(both, 1, 1).sum(axis=0), lambda v: np.roll(np.stack([v, v[::-1], v]), 1, 1).sum(axis=0)


def _rows(x):
    both = T.concatenate([x[:, None], x[:, None] + 1], axis=0)
    return both * [[1, 2, 3]], lambda v: np.concatenate([v[:, None], v[:, None] + 1]) * [[1, 2, 3]]


def _nested(x):
    joined = T.concatenate([x, x])
    return T.concatenate([joined[1:], joined[:1]]), lambda v: np.roll(np.concatenate([v, v]), -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "bool"])
@pytest.mark.parametrize("write", [_join, _back, _put, _strided, _sum, _columns, _rows, _nested])
def test_values(write, dtype, size):
    """Whatever the sizes of the parts, the values are those of the interpreter; and NumPy's."""
    x = T.vector("x", dtype=dtype)
    result, expected = write(x)
    value = (np.arange(size) % 5).astype(dtype)
    with st.config.change(backend="numpy", optimizer="None"):
        reference = st.function([x], result)(value)
    found = st.function([x], result)(value)
    assert found.dtype == reference.dtype
    np.testing.assert_array_equal(found, reference)
    if dtype == "float64":
        np.testing.assert_allclose(found, expected(value), rtol=1e-14)


@pytest.mark.parametrize("write", [_join, _back, _put, _sum, _columns])
def test_no_masks(write):
    """A load that leaves elements out costs as much as a hundred where the addresses left out are in no memory."""
    x = T.dvector("x")
    for kernel in st.function([x], write(x)[0]).kernels:
        assert "? b0[" not in kernel.text


def test_conditions_of_outer_loops():
    """Rows of a joined matrix: the condition is the same along a row, and there is no mask either."""
    x = T.dmatrix("x")
    f = st.function([x], T.roll(x, 1, 0) + T.roll(x, -1, 0))
    [kernel] = f.kernels
    assert "nothing" in kernel.text and "? b0[" not in kernel.text.replace("? &b0", "")
    value = np.random.default_rng(0).standard_normal((70, 1500))
    np.testing.assert_array_equal(f(value), np.roll(value, 1, 0) + np.roll(value, -1, 0))


def test_number_under_a_condition():
    """What is the same all along the loop is loaded once in a stretch."""
    x, scale = T.dvector("x"), T.dscalar("scale")
    f = st.function([x, scale], T.concatenate([x * scale, x[1:]]))
    value = np.arange(2000.0)
    np.testing.assert_array_equal(f(value, 3), np.concatenate([value * 3, value[1:]]))


def test_narrow_loops_are_not_cut():
    """Of few columns, where their number is known, each row is one loop with masks, as near as what they leave out."""
    x = T.dmatrix("x", shape=(None, 3))
    f = st.function([x], T.concatenate([x, x[:, :1]], axis=1))
    assert "left" not in f.kernels[0].text
    value = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(f(value), np.concatenate([value, value[:, :1]], axis=1))
