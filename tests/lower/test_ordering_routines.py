"""Sorting, running totals and searching by the runtime's routines: long rows, rows side by side, special values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ops.ordering import Argsort, Cumulate, Search, Select, Sort
from symtensor.runtime.core import core
from symtensor.types import dtype as dtypes
from symtensor.types.dtype import widened

SHAPES = [((70001,), 0), ((1, 3), 1), ((5, 24), 1), ((4, 25), 1), ((3, 300), 1), ((300, 3), 0), ((2, 130, 37), 1),
          ((0, 3), 0), ((3, 0), 1), ((3, 0), 0), ((2, 3000), 1)]
SPECIAL = {"bfloat16": "u2", "float16": "u2", "float32": "u4", "float64": "u8"}


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Any:
    """How many threads a routine may use."""
    before = core.get_threads()
    core.set_threads(request.param)
    yield request.param
    core.set_threads(before)


def called(op: Any, *values: np.ndarray) -> Callable[..., Any]:
    """The op compiled, which makes no call of Python."""
    inputs = [T.tensor(value.dtype.name, shape=(None,) * value.ndim) for value in values]
    f = st.function(inputs, op(*inputs))
    assert f.library_calls == 1
    return f


def any_bits(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Elements of any bits, so of any size, NaNs of all kinds among them, and zeros of both signs."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    value = np.frombuffer(rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape).copy()
    if dtype in SPECIAL and value.size:
        flat = value.reshape(-1)
        flat[rng.integers(0, value.size, value.size // 3)] = rng.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 1], 1)
        flat[::3], flat[1::4] = 0.0, -0.0
    return value


def bits(value: np.ndarray) -> np.ndarray:
    return value.view(SPECIAL[value.dtype.name]) if value.dtype.name in SPECIAL else value


@pytest.mark.parametrize("dtype", dtypes.DISCRETE + dtypes.FLOATS)
def test_sorting_is_stable_and_keeps_bits(dtype: str, threads: int) -> None:
    for shape, axis in SHAPES:
        x = any_bits(dtype, shape)
        order = np.argsort(widened(x), axis=axis, kind="stable")
        np.testing.assert_array_equal(called(Argsort(axis), x)(x), order)
        np.testing.assert_array_equal(bits(called(Sort(axis), x)(x)), bits(np.take_along_axis(x, order, axis)))


LENGTHS = [*range(1, 71), 127, 128, 129, 255, 256, 257, 511, 512, 513, 1025]


@pytest.mark.parametrize("dtype", dtypes.DISCRETE + dtypes.FLOATS)
def test_short_rows_of_every_length(dtype: str, threads: int) -> None:
    """As many as fill a vector, one more and fewer, one behind the other and side by side; the extremes among them."""
    argsort, sort = (called(op, any_bits(dtype, (1, 1, 1))) for op in (Argsort(1), Sort(1)))
    extremes = [0, 1] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max] if dtype not in SPECIAL else \
        [-np.inf, np.inf]
    for n in LENGTHS:
        for outer, inner in ((19, 1), (16, 1), (2, 21), (5, 3)):
            x = any_bits(dtype, (outer, n, inner), n)
            x.reshape(-1)[5::7] = extremes[n % 2]
            order = np.argsort(widened(x), axis=1, kind="stable")
            np.testing.assert_array_equal(argsort(x), order)
            np.testing.assert_array_equal(bits(sort(x)), bits(np.take_along_axis(x, order, 1)))


@pytest.mark.parametrize("dtype", ["bool", "int8", "bfloat16", "float16", "float32", "uint64", "float64"])
@pytest.mark.parametrize("n", [4096, 8191, 8192, 8193])
def test_the_longest_of_short_rows(n: int, dtype: str, threads: int) -> None:
    x = any_bits(dtype, (5, n))
    order = np.argsort(widened(x), axis=1, kind="stable")
    np.testing.assert_array_equal(called(Argsort(1), x)(x), order)
    np.testing.assert_array_equal(bits(called(Sort(1), x)(x)), bits(np.take_along_axis(x, order, 1)))


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
def test_short_rows_in_which_the_first_bits_are_equal(dtype: str, threads: int) -> None:
    """So that the last ones decide, or, where these are equal too, the positions."""
    rng = np.random.default_rng(5)
    argsort = called(Argsort(1), np.zeros((1, 1), dtype))
    for n in (3, 16, 40, 300, 2000, 8192):
        high, low = rng.integers(0, 4, (11, n)) << 60, rng.integers(0, 50, (11, n))
        for x in (high + low, low, high, high - low, (high + low * 1000).view(dtype), high + (low << 13) + low):
            x = x.astype(dtype)
            np.testing.assert_array_equal(argsort(x), np.argsort(widened(x), axis=1, kind="stable"))


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64", "int32", "float32"])
def test_sorting_of_keys_that_differ_in_few_bits(dtype: str, threads: int) -> None:
    """Or in many that are far apart: the high halves of most are equal, of some not."""
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 2**31 - 1, 90000)
    shapes = [whole % 7, whole << 8 >> 8, np.zeros(90000, "int64"), np.sort(whole), -np.sort(whole)]
    if dtype.endswith("64"):
        shapes += [(whole % 5 << 60) + whole, (whole % 3 << 40) + whole % 100, (whole % 2000 << 45) + (whole & 511)]
    for one in shapes:
        x = one.astype(dtype)
        for row in (x, x[:20], x[:400]):
            order = np.argsort(row, kind="stable")
            np.testing.assert_array_equal(called(Argsort(0), row)(row), order)
            np.testing.assert_array_equal(called(Sort(0), row)(row), row[order])


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", dtypes.DISCRETE + dtypes.FLOATS)
def test_selecting(dtype: str, largest: bool, threads: int) -> None:
    for shape, axis in SHAPES:
        x = any_bits(dtype, shape)
        for count in sorted({0, 1, 5, 300, 20000, shape[axis]}):
            if count <= shape[axis]:
                op, wanted = Select(axis, largest), np.array(count)
                np.testing.assert_array_equal(called(op, x, wanted)(x, wanted), op.evaluate(x, wanted))


@pytest.mark.parametrize("largest", [False, True])
def test_selecting_where_each_element_is_wanted_until_the_next_comes(largest: bool, threads: int) -> None:
    ascending = np.arange(50000.0)
    for x in (ascending, -ascending, ascending // 100, ascending * 0):
        for dtype in ("float32", "int64"):
            op, row, wanted = Select(0, largest), x.astype(dtype), np.array(30)
            np.testing.assert_array_equal(called(op, row, wanted)(row, wanted), op.evaluate(row, wanted))


@pytest.mark.parametrize("kind", ["sum", "prod"])
@pytest.mark.parametrize("dtype", dtypes.INTEGERS + dtypes.FLOATS + dtypes.COMPLEX)
def test_running_totals(dtype: str, kind: str, threads: int) -> None:
    rng = np.random.default_rng(2)
    for shape, axis in SHAPES:
        x = rng.normal(0.0, 2.0, shape) if kind == "sum" else rng.normal(1.0, 0.1, shape)
        x = any_bits(dtype, shape) if dtype in dtypes.INTEGERS else (x + (0.3j * x if dtype in dtypes.COMPLEX else 0))
        x = x.astype(dtype)
        op = Cumulate(kind, axis)
        expected, found = op.evaluate(x), called(op, x)(x)
        if dtype == "float64" or dtype in dtypes.INTEGERS:
            np.testing.assert_array_equal(found, expected)
        else:
            found, expected = widened(found), widened(expected)
            np.testing.assert_allclose(found, expected, 1e-12 if dtype == "complex128" else 3e-7, 1e-6)


@pytest.mark.parametrize("dtype", dtypes.DISCRETE)
def test_running_totals_of_integers_that_are_widened(dtype: str, threads: int) -> None:
    for shape, axis in SHAPES:
        x = any_bits(dtype, shape)
        for wide in ("int64", "uint64"):
            v = T.tensor(dtype, shape=(None,) * x.ndim)
            f = st.function([v], [Cumulate(kind, axis)(v.astype(wide)) for kind in ("sum", "prod")])
            assert f.library_calls == 2 and f.launches == 0
            for found, function in zip(f(x), (np.cumsum, np.cumprod)):
                np.testing.assert_array_equal(found, function(x.astype(wide), axis))


@pytest.mark.parametrize("dtype", dtypes.NARROW)
def test_all_numbers_of_16_bits_are_their_own_totals(dtype: str, threads: int) -> None:
    x = np.arange(2**16, dtype="uint16").view(dtype)
    found = called(Cumulate("sum", 1), x[:, None])(x[:, None])[:, 0]
    with np.errstate(invalid="ignore"):
        kept = ~np.isnan(x) & (x != 0)
        np.testing.assert_array_equal(found[kept].view("uint16"), x[kept].view("uint16"))
        assert np.isnan(found[np.isnan(x)]).all() and not found[x == 0].any()


def test_running_totals_of_numbers_that_are_not_negative_never_fall(threads: int) -> None:
    x = np.random.default_rng(3).random(10**5).astype("float32") ** 8
    assert (np.diff(called(Cumulate("sum", 0), x)(x)) >= 0).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", dtypes.DISCRETE + dtypes.FLOATS)
def test_searching(dtype: str, side: str, threads: int) -> None:
    values = any_bits(dtype, (3, 9000))
    for length in (0, 1, 2, 3, 8, 1000):
        ascending = Sort(0).evaluate(any_bits(dtype, (length,), 4))
        found = called(Search(side), ascending, values)(ascending, values)
        np.testing.assert_array_equal(found, np.searchsorted(widened(ascending), widened(values), side))
