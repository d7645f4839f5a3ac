"""Loops against the same loops in Python."""

import os
import signal
import threading

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GraphError, IndexOutOfRange, MissingInputError, ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

random = np.random.default_rng(5)


def test_a_number_carried():
    n = T.lscalar("n")
    powers, updates = st.scan(lambda p: p * 2, outputs_info=np.float64(1), n_steps=n)
    f = st.function([n], [powers, powers[-1]])
    assert updates == {}
    for steps in (1, 2, 7):
        all_powers, last = f(steps)
        np.testing.assert_array_equal(all_powers, 2.0 ** np.arange(1, steps + 1))
        assert last == 2.0 ** steps


def test_no_steps():
    x = T.dmatrix("x")
    sums, _ = st.scan(lambda row, total: row + total, x, T.zeros((3,)))
    assert st.function([x], sums)(np.ones((0, 3))).shape == (0, 3)


def test_rows_carried_values_and_others_in_order():
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")

    def step(row, h, w):
        new = T.tanh(row + T.dot(h, w))
        return new, new.sum()

    (hs, sums), _ = st.scan(step, x, [h0, None], w)
    xs, h, ws = random.standard_normal((5, 4)), random.standard_normal(4), random.standard_normal((4, 4))
    got_hs, got_sums = st.function([x, h0, w], [hs, sums])(xs, h, ws)
    for t in range(5):
        h = np.tanh(xs[t] + h @ ws)
        np.testing.assert_allclose(got_hs[t], h)
        np.testing.assert_allclose(got_sums[t], h.sum())


def test_what_is_used_without_being_given():
    x, w = T.dvector("x"), T.dmatrix("w")
    scale = st.shared(2.0, name="scale")
    rows, _ = st.scan(lambda v: v * T.exp(w).sum() * scale, x)
    ws = random.standard_normal((2, 3))
    np.testing.assert_allclose(st.function([x, w], rows)([1.0, 2.0], ws), np.exp(ws).sum() * 2 * np.array([1.0, 2.0]))


def test_taps_of_sequences():
    x = T.dvector("x")
    sums, _ = st.scan(lambda before, now, after: before + 10 * now + 100 * after, dict(input=x, taps=[-1, 0, 2]))
    values = np.arange(7.0)
    np.testing.assert_array_equal(st.function([x], sums)(values),
                                  [values[t - 1] + 10 * values[t] + 100 * values[t + 2] for t in range(1, 5)])


def test_taps_of_results():
    first = T.dvector("first")
    numbers, _ = st.scan(lambda a, b: a + b, outputs_info=dict(initial=first, taps=[-2, -1]), n_steps=8)
    np.testing.assert_array_equal(st.function([first], numbers)([1, 1]), [2, 3, 5, 8, 13, 21, 34, 55])
    far, _ = st.scan(lambda a, b: a - b, outputs_info=dict(initial=first, taps=[-3, -1]), n_steps=6)
    expected = [1.0, 2.0, 4.0]
    for _ in range(6):
        expected.append(expected[-3] - expected[-1])
    np.testing.assert_array_equal(st.function([first], far)([1, 2, 4]), expected[3:])


def test_backwards():
    x = T.dvector("x")
    for options in (dict(go_backwards=True), dict(n_steps=-3), dict(n_steps=np.int8(-3)), dict(n_steps=T.constant(-3)),
                    dict(n_steps=3, go_backwards=True)):
        sums, _ = st.scan(lambda v, total: 2 * total + v, x, np.float64(0), **options)
        expected, total = [], 0.0
        for v in (5.0, 7.0, 1.0):
            total = 2 * total + v
            expected.append(total)
        np.testing.assert_array_equal(st.function([x], sums)([1.0, 7.0, 5.0]), expected)


def test_a_loop_that_ends_early():
    limit = T.dscalar("limit")
    values, _ = st.scan(lambda v: (v * 2, st.until(v * 2 > limit)), outputs_info=np.float64(1), n_steps=100)
    f = st.function([limit], values)
    np.testing.assert_array_equal(f(20), [2, 4, 8, 16, 32])
    assert f(0).tolist() == [2]
    assert len(f(1e300)) == 100


def test_updates_of_shared_variables():
    counter, n = st.shared(0, name="counter"), T.lscalar("n")
    values, updates = st.scan(lambda: (counter * 2, {counter: counter + 3}), n_steps=n)
    f = st.function([n], values, updates=updates)
    np.testing.assert_array_equal(f(4), [0, 6, 12, 18])
    assert counter.get_value() == 12


def test_numbers_take_the_dtype_of_the_results():
    x = T.fvector("x")
    sums, _ = st.scan(lambda v, total: total + v, x, 0)
    assert sums.type.dtype == "float32"
    np.testing.assert_array_equal(st.function([x], sums)(np.float32([1, 2, 3])), [1, 3, 6])


def test_loops_in_loops():
    x = T.dmatrix("x")
    sums, _ = st.scan(lambda row: st.scan(lambda v, total: total + v, row, np.float64(0))[0], x)
    values = random.standard_normal((3, 4))
    np.testing.assert_allclose(st.function([x], sums)(values), np.cumsum(values, axis=1))


def test_sizes_that_are_values():
    n, x = T.lscalar("n"), T.dvector("x")
    rows, _ = st.scan(lambda v: v * T.ones((n, 2)), x)
    assert st.function([n, x], rows)(3, [1.0, 2.0]).shape == (2, 3, 2)


# -- derivatives ------------------------------------------------------------------------------------------

def recurrent(x, h0, w):
    hs, _ = st.scan(lambda row, h: T.tanh(row + T.dot(h, w)), x, h0)
    return hs


VALUES = [random.standard_normal((4, 3)), random.standard_normal(3), random.standard_normal((3, 3)) / 2]


def test_gradient():
    verify_grad(lambda *args: recurrent(*args).sum(), VALUES)
    verify_grad(lambda *args: recurrent(*args)[-1].sum(), VALUES)


def test_second_derivative():
    verify_grad(lambda *args: sum((g ** 2).sum() for g in st.grad(recurrent(*args).sum(), list(args))), VALUES)


def test_forward_mode():
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")
    tangents = [T.dmatrix("tx"), T.dvector("th"), T.dmatrix("tw")]
    hs = recurrent(x, h0, w)
    f = st.function([x, h0, w, *tangents], st.Rop(hs, [x, h0, w], tangents))
    along = [random.standard_normal(v.shape) for v in VALUES]
    g = st.function([x, h0, w], hs)
    step = 1e-6
    ahead, behind = (g(*(v + sign * step * t for v, t in zip(VALUES, along))) for sign in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(f(*VALUES, *along), numeric, rtol=1e-6, atol=1e-8)


def test_gradient_of_a_loop_that_ends_early():
    def last(x):
        values, _ = st.scan(lambda v: (v * v, st.until(v * v > 100)), outputs_info=x, n_steps=20)
        return values[-1]
    verify_grad(last, [np.array(1.7)])


def test_truncated_gradient():
    x, w = T.dvector("x"), T.dscalar("w")

    def slope(steps, values, truncate):
        out, _ = st.scan(lambda v, h: w * h + v, x, np.float64(0), truncate_gradient=truncate)
        return st.function([x, w], st.grad(out[-1], [x, w]))(values, 0.5)

    values = np.arange(1.0, 6.0)
    full = slope(5, values, -1)
    np.testing.assert_allclose(full[0], 0.5 ** np.arange(4, -1, -1))
    short = slope(5, values, 2)
    np.testing.assert_allclose(short[0], [0, 0, 0, 0.5, 1])
    hs = [0.0]
    for v in values:
        hs.append(0.5 * hs[-1] + v)
    np.testing.assert_allclose(short[1], hs[4] + 0.5 * hs[3])


def test_gradient_of_taps():
    def last(first):
        out, _ = st.scan(lambda a, b: T.sin(a) * b, outputs_info=dict(initial=first, taps=[-2, -1]), n_steps=5)
        return out.sum()
    verify_grad(last, [np.array([0.7, 1.3])])


def test_gradient_of_loops_in_loops():
    def total(x):
        sums, _ = st.scan(lambda row: st.scan(lambda v, acc: T.sin(acc * v) + v, row, T.constant(1.0))[0], x)
        return (sums ** 2).sum()
    verify_grad(total, [random.standard_normal((3, 4))])


# -- errors -----------------------------------------------------------------------------------------------

def test_errors():
    x, h = T.dmatrix("x"), T.dvector("h")
    with pytest.raises(GraphError, match="does not know how many steps"):
        st.scan(lambda v: v * 2, outputs_info=h)
    with pytest.raises(GraphError, match="returns 1 results, and outputs_info describes 2"):
        st.scan(lambda row, a, b: a, x, [h, h])
    with pytest.raises(TypeMismatch, match="iterates over the first axis of a sequence, and s has none"):
        st.scan(lambda v: v, T.dscalar("s"))
    with pytest.raises(TypeMismatch, match="starts as float64"):
        st.scan(lambda row, carried: T.cast(carried, "float32"), x, h)
    with pytest.raises(GraphError, match="look back only"):
        st.scan(lambda row, carried: carried, x, dict(initial=h, taps=[1]))
    with pytest.raises(MissingInputError, match="strict=True"):
        st.scan(lambda row: row * h, x, strict=True)
    with pytest.raises(TypeMismatch, match="n_steps must be an integer"):
        st.scan(lambda row: row, x, n_steps=T.dscalar("n"))
    sums, _ = st.scan(lambda row, total: row + total, x, h)
    with pytest.raises(ShapeError, match="row|size"):
        st.function([x, h], sums)(np.ones((2, 3)), np.ones(4))
    short, _ = st.scan(lambda row: row, x, n_steps=5)
    with pytest.raises(ShapeError, match="shorter than the 5 steps"):
        st.function([x], short)(np.ones((2, 3)))


def test_an_error_in_a_step_says_which():
    h, positions = T.dvector("h"), T.lvector("positions")
    picks, _ = st.scan(lambda i: h[T.stack([i])].sum(), positions)
    with pytest.raises(IndexOutOfRange, match="in step 2: an index is out of range") as caught:
        st.function([h, positions], picks)(np.ones(3), [0, 1, 7])
    assert any("test_scan.py" in place for place in caught.value.where)


@pytest.mark.parametrize("one_kernel", [True, False])
def test_interrupting_a_long_loop(one_kernel):
    x, n = T.dscalar("x"), T.lscalar("n")
    start = x if one_kernel else T.stack([x, x])
    values, _ = st.scan(lambda v: (v if one_kernel else v[::-1]) * 0.5 + 1, outputs_info=start, n_steps=n)
    f = st.function([x, n], values[-1].sum() / start.size)
    assert one_kernel != ("Loop" in [type(instruction).__name__ for instruction in f.program.instructions])
    f(1.0, 3)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        f(1.0, 10**13)  # some hours
    assert f(1.0, 1) == 1.5


def test_loops_run_without_python():
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")
    f = st.function([x, h0, w], st.grad(recurrent(x, h0, w).sum(), [x, h0, w]))
    kinds = [type(i).__name__ for i in f.program.instructions]
    assert kinds.count("Loop") == 2 and "Call" not in kinds


def test_steps_that_call_python():
    @st.as_op(itypes=[T.dvector], otypes=[T.dvector], infer_shape=lambda shapes: shapes)
    def backwards(v):
        return v[::-1]

    x = T.dmatrix("x")
    sums, _ = st.scan(lambda row, total: backwards(total) + row, x, T.zeros((3,)))
    values, total, expected = np.arange(12.0).reshape(4, 3), np.zeros(3), []
    for row in values:
        total = total[::-1] + row
        expected.append(total)
    np.testing.assert_array_equal(st.function([x], sums)(values), expected)


def test_values_put_elsewhere_are_not_kept():
    """A derivative computes shifted copies anew: of a wave it keeps the heights, and not their neighbours besides."""
    u, c = T.dvector("u"), T.dscalar("c")

    def step(before, now, c):
        padded = T.set_subtensor(T.zeros_like(now)[1:-1], now[2:])
        return 2 * now - before + c * (T.roll(now, 1) + T.roll(now, -1) + padded - 2 * now)
    rows, _ = st.scan(step, outputs_info=[{"initial": T.stack([u, u]), "taps": [-2, -1]}], non_sequences=c, n_steps=100)
    f = st.function([u, c], st.grad(T.sqr(rows[-1]).sum(), c))
    assert f.peak_bytes({"u": (10000,), "c": ()}) < 1.2 * 100 * 10000 * 8
    value, small = np.random.default_rng(0).standard_normal(7), 1e-6
    total = st.function([u, c], T.sqr(rows[-1]).sum())
    slope = (total(value, 0.1 + small) - total(value, 0.1 - small)) / (2 * small)
    np.testing.assert_allclose(f(value, 0.1), slope, rtol=1e-6)
