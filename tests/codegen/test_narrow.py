"""float16 in generated code: kept in 16 bits, computed in float32 (docs/decisions/060)."""

import platform

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain
from symtensor.ops.elementwise import elementwise
from symtensor.types.dtype import ALL, COMPLEX

pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")
EVERY = np.arange(2**16, dtype="uint16").view("float16")
FINITE = np.sort(EVERY[np.isfinite(EVERY)])


def half(ndim=1, name=None):
    return T.tensor("float16", shape=(None,) * ndim, name=name)


def same_bits(found, wanted):
    """Equal to the bit, zeros with their signs; any NaN is NaN."""
    assert found.dtype == wanted.dtype
    bits = {2: "uint16", 4: "uint32", 8: "uint64"}[found.itemsize]
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[numbers].view(bits), wanted[numbers].view(bits))
    assert np.isnan(found[~numbers]).all()


def test_every_float16_as_float32_and_float64():
    x = half()
    single, double = st.function([x], [x.astype("float32"), x.astype("float64")])(EVERY)
    same_bits(single, EVERY.astype("float32"))
    same_bits(double, EVERY.astype("float64"))


def around(middle, dtype):
    """Numbers, their neighbours on both sides, and the same below zero."""
    middle = middle.astype(dtype)
    near = np.concatenate([middle, np.nextafter(middle, dtype(-np.inf)), np.nextafter(middle, dtype(np.inf))])
    extreme = [0, 65504, 65519, 65520, 65536, 1e-8, 2.0**-25, 1e-38, 1e38, np.inf, np.nan]
    return np.concatenate([near, -near, np.array(extreme, dtype), -np.array(extreme, dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_rounded_to_the_nearest_float16(dtype):
    """At every float16, half way between neighbours, and just beside; float64 is rounded once, not by float32."""
    halves = (FINITE[1:].astype("float64") + FINITE[:-1].astype("float64")) / 2
    values = around(np.concatenate([FINITE.astype("float64"), halves]), dtype)
    x = T.vector("x", dtype=np.dtype(dtype).name)
    with np.errstate(over="ignore"):
        same_bits(st.function([x], x.astype("float16"))(values), values.astype("float16"))


@pytest.mark.parametrize("dtype", [dtype for dtype in ALL if dtype not in COMPLEX])
def test_conversions_are_those_of_numpy(dtype):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=1000) * 10.0 ** rng.integers(-6, 4, size=1000)).astype("float16")
    extreme = []
    if np.dtype(dtype).kind in "iu":
        extreme = [np.iinfo(dtype).min, np.iinfo(dtype).max]
        values = values[(values > max(extreme[0], -60000)) & (values < min(extreme[1], 60000))]
    given = np.concatenate([values.astype(dtype), np.array([0, 1, *extreme], dtype)])
    x, y = half(), T.vector("y", dtype=dtype)
    there, back = st.function([x, y], [x.astype(dtype), y.astype("float16")])(values, given)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(there, values.astype(dtype))
        np.testing.assert_array_equal(back, given.astype("float16"))


def test_a_fused_kernel_rounds_once():
    """300 * 300 is beyond float16, but nothing keeps it."""
    x = half()
    f = st.function([x], [x * x / x, x.astype("float64") ** 2])
    values = np.array([300, 0.5, 2.0**-20], "float16")
    np.testing.assert_array_equal(f(values)[0], values)
    assert f.launches == 1


def test_what_is_compared_or_converted_is_rounded_first():
    x, y = half(name="x"), half(name="y")
    product = x * y
    outputs = [T.eq(product, 0), T.isinf(product), product.astype("float32"), product.astype("bool"), T.floor(x + y),
               T.sgn(product), T.argmax(product), (x + y).astype("int32")]
    f = st.function([x, y], outputs)
    a = np.array([1e-5, 300, 1, 1.0005], "float16")
    b = np.array([1e-5, 300, 1023.75, 1.0005], "float16")
    with np.errstate(all="ignore"):
        p = a * b
        wanted = [p == 0, np.isinf(p), p.astype("float32"), p.astype(bool), np.floor(a + b), np.sign(p), np.argmax(p),
                  (a + b).astype("int32")]
    assert wanted[0][0] and wanted[1][1]
    for one, other in zip(f(a, b), wanted):
        np.testing.assert_array_equal(one, other)


def test_ops_of_users_that_compare_have_rounded_operands():
    @elementwise
    def test_narrow_step(x):
        return T.switch(x > 1, 2 * x, 0 * x)

    x, y = half(name="x"), half(name="y")
    f = st.function([x, y], test_narrow_step(x + y))
    assert f.launches == 1
    a, b = np.array([1, 1], "float16"), np.array([2.0**-12, 2.0**-10], "float16")
    np.testing.assert_array_equal(f(a, b), [0, 2 + 2.0**-9])  # 1 + 2^-12 is 1


@pytest.mark.parametrize("largest", [lambda y: T.max(y, axis=1), lambda y: T.maximum(y, y[:, ::-1]).sum(axis=1)])
def test_the_gradient_of_a_maximum_finds_the_largest(largest):
    """The largest element was stored; those it is compared with are computed anew, in float32."""
    x = half(2)
    y = T.exp(x) * 1.1
    slope = T.grad(T.sum(T.sqr(largest(y).astype("float32"))), x)
    values = np.random.default_rng(0).normal(size=(50, 40)).astype("float16")
    found = st.function([x], slope)(values)
    wide = T.dmatrix()
    exact = T.grad(T.sum(T.sqr(largest(T.exp(wide) * 1.1))), wide)
    wanted = st.function([wide], exact)(values.astype("float64"))
    assert (wanted != 0).sum() >= 50
    far = abs(found - wanted) > 2.0**-9 * abs(wanted)
    ties = (found != 0).sum(axis=1) != (wanted != 0).sum(axis=1)  # rounding may make two of a row equal
    assert not far[~ties].any()
    assert ties.mean() < 0.2


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_are_added_in_float32(axis):
    x = half(2)
    values = np.random.default_rng(0).uniform(0.9, 1, size=(300, 400)).astype("float16") / 100
    found = st.function([x], T.sum(x, axis=axis))(values)
    wanted = values.astype("float64").sum(axis=axis)
    np.testing.assert_allclose(found, wanted, rtol=2.0**-11 + 1e-6)
    assert found.dtype == "float16"


def test_a_loop_rounds_what_it_carries_in_each_step():
    """As memory would: the same bits, whether steps are one kernel, are run in stretches, or go one by one."""
    x, h = half(2, "x"), half(1, "h")
    hs, _ = st.scan(lambda row, h: h + row, x, h)
    rows = np.random.default_rng(0).normal(size=(200, 30)).astype("float16")
    found, last = st.function([x, h], [hs, hs[-1]])(rows, np.zeros(30, "float16"))
    wanted, total = [], np.zeros(30, "float16")
    for row in rows:
        total = total + row
        wanted.append(total)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(last, total)


def test_a_chain_is_within_the_roundings_of_its_ops():
    """Nearer to exact values than the ops one by one, which round after each."""
    x, y = half(name="x"), half(name="y")
    build = lambda x, y: (x * y + x) * y - x * 0.5  # noqa: E731
    f = st.function([x, y], build(x, y))
    assert f.launches == 1
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, size=(2, 1000)).astype("float16")
    exact = build(a.astype("float64"), b.astype("float64"))
    with_roundings, found = build(a, b), f(a, b)
    np.testing.assert_array_equal(found, build(a.astype("float32"), b.astype("float32")).astype("float16"))
    assert abs(found - exact).max() <= 2.0**-11 * abs(exact).max()
    assert abs(found - exact).max() < abs(with_roundings - exact).max()


def test_elements_move_and_are_put():
    x, y, i = half(2, "x"), half(2, "y"), T.lvector("i")
    outputs = [x.T, T.concatenate([x, y * 2], axis=1), x[i], T.inc_subtensor(x[i], y[:3]), T.set_subtensor(x[1:3], 7),
               x[::-1, ::2], T.zeros_like(x) + 1.5]
    a, b = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float16")
    where = np.array([4, 0, 4])
    put, region = a.copy(), a.copy()
    np.add.at(put, where, b[:3])
    region[1:3] = 7
    wanted = [a.T, np.concatenate([a, b * 2], axis=1), a[where], put, region, a[::-1, ::2],
              np.full_like(a, 1.5)]
    for found, other in zip(st.function([x, y, i], outputs)(a, b, where), wanted):
        assert found.dtype == "float16"
        np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("flags", ["", "-mno-avx512f", "-mno-avx512f -mno-f16c"])
def test_runs_of_every_length(flags):
    """Converted by instructions of 16, of 8, and by none; in maps, rows and columns; what is left over one by one."""
    if flags and platform.machine() != "x86_64":
        pytest.skip("flags of gcc for x86")
    x, y = half(2, "x"), half(2, "y")
    outputs = [x * y + 1, (x * y).sum(axis=1), (x + y).sum(axis=0), x[:, ::-1] * y, T.concatenate([x, y], axis=1)]
    with st.config.change(cflags=flags):
        f = st.function([x, y], outputs)
        rng = np.random.default_rng(0)
        for columns in (1, 7, 8, 15, 16, 17, 255, 256, 257, 600):
            a, b = rng.integers(-8, 9, size=(2, 5, columns)).astype("float16") / 8  # sums are exact
            wanted = [a * b + 1, (a * b).astype("float32").sum(axis=1), (a + b).sum(axis=0), a[:, ::-1] * b,
                      np.concatenate([a, b], axis=1)]
            for found, other in zip(f(a, b), wanted):
                np.testing.assert_array_equal(found, other.astype("float16"))


def test_what_is_updated_in_place_is_read_before():
    p = st.shared(np.arange(1000, dtype="float16"), name="p")
    step = st.function([], updates=[(p, p - p * 0.5)])
    step()
    np.testing.assert_array_equal(p.get_value(), np.arange(1000, dtype="float16") / 2)


def test_copies_are_not_converted():
    """Bits of a NaN stay as they are where elements only move."""
    x, y = half(name="x"), half(name="y")
    f = st.function([x, y], T.concatenate([x, y]))
    assert "widen" not in f.kernels[0].text
    values = np.array([0x7e01, 0xfe55, 0x3c00], "uint16").view("float16")
    np.testing.assert_array_equal(f(values, values[:1]).view("uint16"), [0x7e01, 0xfe55, 0x3c00, 0x7e01])
