"""Narrow floats in generated code: kept in 16 bits, computed in float32 (docs/decisions/060)."""

import platform

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain
from symtensor.ops.elementwise import elementwise
from symtensor.types.dtype import ALL, COMPLEX, NARROW, converted, kind_of, limits, numpy_dtype

pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")


@pytest.fixture(params=NARROW)
def narrow(request):
    """The name of a narrow dtype, which NumPy knows from now on."""
    return numpy_dtype(request.param).name


def every(narrow):
    """All numbers of a dtype of 16 bits."""
    return np.arange(2**16, dtype="uint16").view(narrow)


def half(narrow, ndim=1, name=None):
    return T.tensor(narrow, shape=(None,) * ndim, name=name)


def rounding(narrow):
    """By how much of itself a number is changed at most when it is rounded."""
    return float(limits(narrow).eps) / 2


def same_bits(found, wanted):
    """Equal to the bit, zeros with their signs; any NaN is NaN."""
    assert found.dtype == wanted.dtype
    bits = {2: "uint16", 4: "uint32", 8: "uint64"}[found.itemsize]
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[numbers].view(bits), wanted[numbers].view(bits))
    assert np.isnan(found[~numbers]).all()


def test_every_number_as_float32_and_float64(narrow):
    x, values = half(narrow), every(narrow)
    single, double = st.function([x], [x.astype("float32"), x.astype("float64")])(values)
    with np.errstate(invalid="ignore"):
        same_bits(single, values.astype("float32"))
        same_bits(double, values.astype("float64"))


def around(middle, dtype):
    """Numbers, their neighbours on both sides, and the same below zero."""
    with np.errstate(over="ignore"):
        middle = middle.astype(dtype)
        near = np.concatenate([middle, np.nextafter(middle, dtype(-np.inf)), np.nextafter(middle, dtype(np.inf))])
    extreme = [0, 65504, 65519, 65520, 65536, 1e-8, 2.0**-25, 1e-38, 1e-45, 1e38, 3.3961775e38, 3.4e38, np.inf, np.nan]
    return np.concatenate([near, -near, np.array(extreme, dtype), -np.array(extreme, dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_rounded_to_the_nearest(narrow, dtype):
    """At every number, half way between neighbours, and just beside; float64 is rounded once, not by float32."""
    finite = every(narrow)
    finite = np.sort(finite[np.isfinite(finite)].astype("float64"))
    values = around(np.concatenate([finite, (finite[1:] + finite[:-1]) / 2]), dtype)
    x = T.vector("x", dtype=np.dtype(dtype).name)
    same_bits(st.function([x], x.astype(narrow))(values), converted(values, narrow))


def test_every_kind_of_float32_is_rounded_as_numpy_rounds_it(narrow):
    """Of all sizes, subnormals, infinities and NaNs with whatever else is in their bits."""
    values = np.random.default_rng(0).integers(0, 2**32, 2**18, dtype="uint32")
    values = np.concatenate([values, values & 0x807fffff, values | 0x7f800000]).view("float32")
    assert np.isnan(values).sum() > 2**17
    x = T.fvector("x")
    with np.errstate(all="ignore"):
        same_bits(st.function([x], x.astype(narrow))(values), values.astype(narrow))


@pytest.mark.parametrize("dtype", [dtype for dtype in ALL if dtype not in COMPLEX])
def test_conversions_are_those_of_numpy(narrow, dtype):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=1000) * 10.0 ** rng.integers(-6, 4, size=1000)).astype(narrow)
    extreme = []
    if kind_of(dtype) in "iu":
        extreme = [np.iinfo(dtype).min, np.iinfo(dtype).max]
        values = values[(values > max(extreme[0], -60000)) & (values < min(extreme[1], 60000))]
    given = np.concatenate([values.astype(dtype), np.array([0, 1, *extreme], dtype)])
    x, y = half(narrow), T.vector("y", dtype=dtype)
    there, back = st.function([x, y], [x.astype(dtype), y.astype(narrow)])(values, given)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(there, values.astype(dtype))
        np.testing.assert_array_equal(back, given.astype(narrow))


def test_a_fused_kernel_rounds_once(narrow):
    """The square of the first is beyond all numbers, but nothing keeps it."""
    x = half(narrow)
    f = st.function([x], [x * x / x, x.astype("float64") ** 2])
    values = np.array([float(limits(narrow).max) / 16, 0.5, 2.0**-20], narrow)
    np.testing.assert_array_equal(f(values)[0], values)
    assert f.launches == 1


def test_what_is_compared_or_converted_is_rounded_first(narrow):
    x, y = half(narrow, name="x"), half(narrow, name="y")
    product = x * y
    outputs = [T.eq(product, 0), T.isinf(product), product.astype("float32"), product.astype("bool"), T.floor(x + y),
               T.sgn(product), T.argmax(product), (x + y).astype("int32")]
    f = st.function([x, y], outputs)
    low, high, beside = float(limits(narrow).tiny) / 8, float(limits(narrow).max) / 16, 1 + rounding(narrow)
    a = np.array([low, high, 1, beside], narrow)
    b = np.array([low, high, 0.5 / rounding(narrow) - 0.25, beside], narrow)
    with np.errstate(all="ignore"):
        p = a * b
        wanted = [p == 0, np.isinf(p), p.astype("float32"), p.astype(bool), np.floor(a + b), np.sign(p), np.argmax(p),
                  (a + b).astype("int32")]
    assert wanted[0][0] and wanted[1][1]
    for one, other in zip(f(a, b), wanted):
        np.testing.assert_array_equal(one, other)


def test_ops_of_users_that_compare_have_rounded_operands(narrow):
    @elementwise
    def test_narrow_step(x):
        return T.switch(x > 1, 2 * x, 0 * x)

    x, y = half(narrow, name="x"), half(narrow, name="y")
    f = st.function([x, y], test_narrow_step(x + y))
    assert f.launches == 1
    small = rounding(narrow)
    a, b = np.array([1, 1], narrow), np.array([small / 2, 2 * small], narrow)
    np.testing.assert_array_equal(f(a, b).astype("float64"), [0, 2 + 4 * small])  # 1 + small / 2 is 1


@pytest.mark.parametrize("largest", [lambda y: T.max(y, axis=1), lambda y: T.maximum(y, y[:, ::-1]).sum(axis=1)])
def test_the_gradient_of_a_maximum_finds_the_largest(narrow, largest):
    """The largest element was stored; those it is compared with are computed anew, in float32."""
    x = half(narrow, 2)
    y = T.exp(x) * 1.1
    slope = T.grad(T.sum(T.sqr(largest(y).astype("float32"))), x)
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(narrow)
    found = st.function([x], slope)(values)
    wide = T.dmatrix()
    exact = T.grad(T.sum(T.sqr(largest(T.exp(wide) * 1.1))), wide)
    wanted = st.function([wide], exact)(values.astype("float64"))
    assert (wanted != 0).sum() >= 50
    far = abs(found.astype("float64") - wanted) > 4 * rounding(narrow) * abs(wanted)
    ties = (found != 0).sum(axis=1) != (wanted != 0).sum(axis=1)  # rounding may make two of a row equal
    assert not far[~ties].any()
    assert ties.mean() < 400 * rounding(narrow)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_are_added_in_float32(narrow, axis):
    x = half(narrow, 2)
    values = np.random.default_rng(0).uniform(0.009, 0.01, size=(300, 400)).astype(narrow)
    found = st.function([x], T.sum(x, axis=axis))(values)
    wanted = values.astype("float64").sum(axis=axis)
    np.testing.assert_allclose(found.astype("float64"), wanted, rtol=rounding(narrow) + 1e-6)
    assert found.dtype == narrow


def test_a_loop_rounds_what_it_carries_in_each_step(narrow):
    """As memory would: the same bits, whether steps are one kernel, are run in stretches, or go one by one."""
    x, h = half(narrow, 2, "x"), half(narrow, 1, "h")
    hs, _ = st.scan(lambda row, h: h + row, x, h)
    rows = np.random.default_rng(0).normal(size=(200, 30)).astype(narrow)
    found, last = st.function([x, h], [hs, hs[-1]])(rows, np.zeros(30, narrow))
    wanted, total = [], np.zeros(30, narrow)
    for row in rows:
        total = total + row
        wanted.append(total)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(last, total)


def test_a_chain_is_within_the_roundings_of_its_ops(narrow):
    """Nearer to exact values than the ops one by one, which round after each."""
    x, y = half(narrow, name="x"), half(narrow, name="y")
    build = lambda x, y, c=0.5: (x * y + x) * y - x * c  # noqa: E731
    f = st.function([x, y], build(x, y))
    assert f.launches == 1
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, size=(2, 1000)).astype(narrow)
    exact = build(a.astype("float64"), b.astype("float64"))
    with_roundings, found = build(a, b, np.array(0.5, narrow)).astype("float64"), f(a, b)
    np.testing.assert_array_equal(found, build(a.astype("float32"), b.astype("float32")).astype(narrow))
    found = found.astype("float64")
    assert abs(found - exact).max() <= rounding(narrow) * abs(exact).max()
    assert abs(found - exact).max() < abs(with_roundings - exact).max()


def test_elements_move_and_are_put(narrow):
    x, y, i = half(narrow, 2, "x"), half(narrow, 2, "y"), T.lvector("i")
    outputs = [x.T, T.concatenate([x, y * 2], axis=1), x[i], T.inc_subtensor(x[i], y[:3]), T.set_subtensor(x[1:3], 7),
               x[::-1, ::2], T.zeros_like(x) + 1.5]
    a, b = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(narrow)
    where = np.array([4, 0, 4])
    put, region = a.copy(), a.copy()
    np.add.at(put, where, b[:3])
    region[1:3] = 7
    wanted = [a.T, np.concatenate([a, b + b], axis=1), a[where], put, region, a[::-1, ::2],
              np.full(a.shape, 1.5, narrow)]
    for found, other in zip(st.function([x, y, i], outputs)(a, b, where), wanted):
        assert found.dtype == narrow
        np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("flags", ["", "-mno-avx512f", "-mno-avx512f -mno-f16c"])
def test_runs_of_every_length(narrow, flags):
    """Converted by instructions of 16, of 8, and by none; in maps, rows and columns; what is left over one by one."""
    if flags and platform.machine() != "x86_64":
        pytest.skip("flags of gcc for x86")
    x, y = half(narrow, 2, "x"), half(narrow, 2, "y")
    outputs = [x * y + 1, (x * y).sum(axis=1), (x + y).sum(axis=0), x[:, ::-1] * y, T.concatenate([x, y], axis=1)]
    with st.config.change(cflags=flags):
        f = st.function([x, y], outputs)
        rng = np.random.default_rng(0)
        for columns in (1, 7, 8, 15, 16, 17, 255, 256, 257, 600):
            a, b = (rng.integers(-8, 9, size=(2, 5, columns)) / 8).astype(narrow)  # sums are exact
            c, d = a.astype("float32"), b.astype("float32")
            wanted = [c * d + 1, (c * d).sum(axis=1), (c + d).sum(axis=0), c[:, ::-1] * d,
                      np.concatenate([a, b], axis=1)]
            for found, other in zip(f(a, b), wanted):
                np.testing.assert_array_equal(found, other.astype(narrow))


def test_what_is_updated_in_place_is_read_before(narrow):
    p = st.shared(np.arange(1000).astype(narrow), name="p")
    step = st.function([], updates=[(p, p - p * 0.5)])
    step()
    np.testing.assert_array_equal(p.get_value().astype("float64"), np.arange(1000).astype(narrow).astype("float64") / 2)


def test_copies_are_not_converted(narrow):
    """Bits of a NaN stay as they are where elements only move."""
    x, y = half(narrow, name="x"), half(narrow, name="y")
    f = st.function([x, y], T.concatenate([x, y]))
    assert "widen" not in f.kernels[0].text
    values = np.array([0x7fc1, 0xffd5, 0x3c00], "uint16").view(narrow)
    np.testing.assert_array_equal(f(values, values[:1]).view("uint16"), [0x7fc1, 0xffd5, 0x3c00, 0x7fc1])
