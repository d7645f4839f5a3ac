"""How dtypes combine, against the rules as they are written: NumPy's table, floatX, weak Python numbers."""

from itertools import product

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ConfigError, TypeMismatch
from symtensor.types.dtype import ALL, COMPLEX, FLOATS, INTEGERS, promote, weak_dtype

POLICIES = ("numpy", "custom", "numpy+floatX")
WIDTH = {name: width for width, name in enumerate(FLOATS)}


def expected(one, other, floatX, policy):
    """NumPy's table; with "numpy+floatX", no float beyond floatX unless one of the two is beyond it."""
    joined = np.result_type(one, other).name
    beyond = [name for name in (one, other) if WIDTH.get(name, -1) > WIDTH[floatX]]
    if policy == "numpy+floatX" and joined in FLOATS and WIDTH[joined] > WIDTH[floatX] and not beyond \
            and joined not in (one, other):
        return floatX
    return joined


@pytest.mark.parametrize("floatX", FLOATS)
@pytest.mark.parametrize("policy", POLICIES)
def test_all_pairs(floatX, policy):
    with st.config.change(floatX=floatX, cast_policy=policy):
        for one, other in product(ALL, ALL):
            assert promote(one, other) == expected(one, other, floatX, policy), (one, other)


@pytest.mark.parametrize("floatX", FLOATS)
def test_operators_combine_so(floatX):
    for policy in POLICIES:
        with st.config.change(floatX=floatX, cast_policy=policy):
            for one, other in product(ALL, ALL):
                x, y = T.vector("x", dtype=one), T.vector("y", dtype=other)
                for made in (x + y, x * y, T.switch(T.bvector("c"), x, y), T.concatenate([x, y])):
                    assert made.dtype == expected(one, other, floatX, policy), (one, other)


@pytest.mark.parametrize("floatX", FLOATS)
def test_quotients_of_integers_are_of_floatX(floatX):
    with st.config.change(floatX=floatX):
        for one in ("bool", *INTEGERS):
            x = T.vector("x", dtype=one)
            assert (x / x).dtype == (x / 2).dtype == x.mean().dtype == floatX
            assert (x // 3).dtype == ("int8" if one == "bool" else one)


def test_functions_of_integers_are_computed_in_enough_digits():
    for one in ("bool", *INTEGERS):
        wanted = "float64" if one in ("int32", "int64", "uint32", "uint64") else "float32"
        assert T.exp(T.vector("x", dtype=one)).dtype == T.sqrt(T.vector("x", dtype=one)).dtype == wanted


@pytest.mark.parametrize("floatX", FLOATS)
def test_python_numbers_are_weak(floatX):
    with st.config.change(floatX=floatX):
        for one in FLOATS:
            x = T.vector("x", dtype=one)
            for number in (True, 3, -70000, 2.5, 1e300):
                assert (x + number).dtype == (number * x).dtype == T.maximum(x, number).dtype == one
        for one in COMPLEX:
            x = T.vector("x", dtype=one)
            assert (x * 2).dtype == (x * 2.5).dtype == (x * 1j).dtype == one
        for one in INTEGERS:
            x, info = T.vector("x", dtype=one), np.iinfo(one)
            assert (x + int(info.max)).dtype == (x + int(info.min)).dtype == (x + True).dtype == one
            assert (x + 0.5).dtype == promote(one, floatX)


def test_integers_that_do_not_fit_widen():
    for one, number, wanted in [("int8", 128, "int16"), ("int8", -129, "int16"), ("uint8", -1, "int16"),
                                ("uint8", 256, "int16"), ("int16", 2**15, "int32"), ("int32", 2**31, "int64"),
                                ("uint32", -1, "int64"), ("bool", 200, "int16")]:
        assert (T.vector("x", dtype=one) + number).dtype == weak_dtype(number, one) == wanted
    with pytest.raises(TypeMismatch, match="fits no integer dtype"):
        T.lvector("x") + 2**64


def test_numpys_scalars_are_arrays():
    x = T.fvector("x")
    assert (x * np.float64(2)).dtype == "float64" and (x * np.float32(2)).dtype == "float32"
    assert (T.bvector("b") + np.int64(1)).dtype == "int64"


def test_a_policy_that_is_none():
    with pytest.raises(ConfigError, match="option cast_policy does not take 'all'"):
        st.config.cast_policy = "all"


def test_floats_autocast_as_in_theanos_own_tests():
    f, d = T.fvector("f"), T.dvector("d")
    with T.autocast_float_as("float32"):
        assert [(x + 1.1).dtype for x in (d, f)] == ["float64", "float32"]
        assert [(f + np.asarray(1.1, dtype)).dtype for dtype in ("float64", "float32")] == ["float64", "float32"]
        assert [(x + 1).dtype for x in (d, f)] == ["float64", "float32"]
        assert (T.ivector() + 1.1).dtype == "float64" and T.constant(1.1).dtype == "float32"
    with T.autocast_float_as("float64"):
        assert [(x + 1.1).dtype for x in (d, f)] == [(x + 1.0).dtype for x in (d, f)] == ["float64", "float64"]
        assert (f + np.asarray(1.1, "float32")).dtype == (f + 1).dtype == "float32"
        with T.autocast_float_as("float32", "float64"):
            assert (f + 1.0).dtype == (f + float("nan")).dtype == (f * float("inf")).dtype == "float32"
            assert (f + 1.1).dtype == (f + 1e300).dtype == "float64"
        assert (f + 1.1).dtype == "float64"
    assert (f + 1.1).dtype == "float32" and T.constant(1.1).dtype == "float64"


def test_autocasting_to_what_is_no_float():
    with pytest.raises(TypeMismatch, match="'int32' is no float dtype"), T.autocast_float_as("int32"):
        pass
