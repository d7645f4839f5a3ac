"""How dtypes combine, against the rules as they are written: NumPy's table, floatX, weak Python numbers."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ConfigError, TypeMismatch
from symtensor.types.dtype import (
    ALL,
    COMPLEX,
    DISCRETE,
    FLOATS,
    INTEGERS,
    converted,
    fits,
    numpy_dtype,
    promote,
    same_kind,
    weak_dtype,
)

POLICIES = ("numpy", "custom", "numpy+floatX")
HELD = {"bfloat16": ["bfloat16"], "float16": ["float16"], "float32": FLOATS[:3], "float64": FLOATS}
"""The floats that each float holds all of."""
BESIDE_BFLOAT16 = {
    **dict.fromkeys(("bool", "int8", "uint8", "bfloat16"), "bfloat16"),
    **dict.fromkeys(("int16", "uint16", "float16", "float32"), "float32"),
    **dict.fromkeys(("int32", "int64", "uint32", "uint64", "float64"), "float64"),
    "complex64": "complex64", "complex128": "complex128"}


def expected(one, other, floatX, policy):
    """NumPy's table; with "numpy+floatX", no float beyond floatX unless one of the two is beyond it."""
    narrow = "bfloat16" in (one, other)
    joined = BESIDE_BFLOAT16[other if one == "bfloat16" else one] if narrow else np.result_type(one, other).name
    beyond = [name for name in (one, other) if name in FLOATS and name not in HELD[floatX]]
    if policy == "numpy+floatX" and joined in FLOATS and joined not in HELD[floatX] and not beyond:
        return floatX
    return joined


def test_bfloat16_combines_as_ml_dtypes_says_and_as_float16_does_with_integers():
    for other, wanted in BESIDE_BFLOAT16.items():
        with suppress(np.exceptions.DTypePromotionError):
            assert np.result_type(numpy_dtype("bfloat16"), numpy_dtype(other)).name == wanted
        if other in DISCRETE:
            assert wanted == np.result_type("float16", other).name.replace("float16", "bfloat16")


def test_what_fits_is_what_numpy_converts_safely():
    for one, other in product(ALL, ALL):
        if "bfloat16" not in (one, other):
            assert fits(one, other) == np.can_cast(one, other, "safe")
            assert same_kind(one, other) == np.can_cast(one, other, "same_kind")
    assert [one for one in ALL if fits(one, "bfloat16")] == ["bool", "int8", "uint8", "bfloat16"]
    assert [one for one in ALL if fits("bfloat16", one)] == ["bfloat16", "float32", "float64", *COMPLEX]
    assert not fits(np.dtype("U1"), "float64") and not fits(np.dtype("V2"), "bfloat16")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint64"])
def test_conversion_to_bfloat16_rounds_once(dtype):
    """To the nearest of its neighbours, and of two to the even one."""
    rng = np.random.default_rng(0)
    whole = np.dtype(dtype).kind in "iu"
    values = (rng.integers(2**24, 2**31, 1000) if whole else rng.normal(size=1000)).astype(dtype)
    middle = (values.astype("float32").view("uint32") & 0xffff0000 | 0x8000).view("float32").astype(dtype)
    beside = [middle - values.dtype.type(1), middle + values.dtype.type(1)] if whole else \
        [np.nextafter(middle, end, dtype=dtype) for end in (-np.inf, np.inf)]
    values = np.concatenate([values, middle, *beside])
    bits = converted(values, "bfloat16").view("uint16")
    here, up, down = (_fractions((bits + step).view(numpy_dtype("bfloat16"))) for step in map(np.uint16, (0, 1, 65535)))
    off = abs(_fractions(values) - here)
    for far in (abs(_fractions(values) - up), abs(_fractions(values) - down)):
        assert all((off < far) | ((off == far) & (bits % 2 == 0)))


def test_only_one_module_asks_numpy_about_dtypes():
    """NumPy takes bfloat16 for no float: what asks it for kinds, limits or safe conversions is wrong about that."""
    asks = re.compile(r"\.dtype\.kind\b|np\.(finfo|can_cast|result_type|promote_types|issubdtype|floating|inexact)\b"
                      r"|np\.dtype\(|startswith\(.float")
    package = Path(st.__file__).parent
    for path in package.rglob("*.py"):
        if path != package / "types" / "dtype.py":
            assert not asks.search(path.read_text(encoding="utf-8")), f"{path}: ask symtensor.types.dtype"


def test_ml_dtypes_is_imported_when_bfloat16_is_named(tmp_path):
    program = (
        "import sys, numpy as np, symtensor as st, symtensor.tensor as T\n"
        "x = T.vector('x', dtype='float16'); f = st.function([x], x * 2.5 + x.astype('float32').astype('int8'))\n"
        "assert 'ml_dtypes' not in sys.modules\n"
        "with st.config.change(floatX='bfloat16'): y = T.vector('y'); print((y * 0.1).dtype)\n"
        "print(st.function([y], y * 0.1 + np.float64(1).astype(y.dtype))([1.0, 2.0]))\n")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path,
                           env={**os.environ, "PYTHONPATH": str(Path(st.__file__).parents[1])})
    assert found.stdout.split() == ["bfloat16", "[1.10156", "1.20312]"]


def _fractions(values):
    return np.array([Fraction(value.item()) for value in values])


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
