"""Loops of which derivatives keep checkpoints: the same values and derivatives, in less memory."""


import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GraphError, ShapeError, TypeMismatch
from symtensor.ir.graph import leaves
from symtensor.ops.control import Scan
from symtensor.testing.verify_grad import verify_grad

random = np.random.default_rng(2)
X, H, W = random.standard_normal((7, 4)), random.standard_normal(4), random.standard_normal((4, 4)) / 2


def step(row, h, w):
    return T.tanh(row + T.dot(h, w))


def inner_loops(loop):
    return [node.op for node in loop.step.graph.nodes() if isinstance(node.op, Scan)]


@pytest.mark.parametrize("every", [1, 2, 3, 7, 10])
def test_results_and_derivatives_are_those_of_the_loop(every):
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")

    def all_of(**options):
        hs, _ = st.scan(step, x, h0, w, **options)
        return st.function([x, h0, w], [hs, *st.grad((hs ** 2).sum(), [x, h0, w])])(X, H, W)

    for got, expected in zip(all_of(save_every=every), all_of()):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("steps, rows", [(0, []), (1, [0]), (4, [2, 3]), (6, [2, 5]), (7, [2, 5, 6])])
def test_results_at_the_checkpoints(steps, rows):
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")
    ends, updates = st.scan_checkpoints(step, x, h0, w, save_every_N=3)
    hs, _ = st.scan(step, x, h0, w)
    got, expected = st.function([x, h0, w], [ends, hs])(X[:steps], H, W)
    np.testing.assert_allclose(got, expected[rows].reshape(got.shape), rtol=1e-12)
    assert updates == {} and got.shape == (len(rows), 4)


def test_derivatives():
    def last(**options):
        return lambda x, h0, w: st.scan_checkpoints(step, x, h0, w, **options)[0][-1].sum()
    verify_grad(last(save_every_N=3), [X, H, W])
    verify_grad(last(save_every_N=2, padding=False), [X[:6], H, W])
    verify_grad(lambda x, h0, w: (st.grad(last(save_every_N=3)(x, h0, w), w) ** 2).sum(), [X[:4], H, W])


def test_taps_updates_and_the_order_of_steps():
    x = T.dvector("x")
    counter = st.shared(0, name="counter")

    def taken(v, before, last):
        return before * v + last, {counter: counter + 1}

    options = dict(sequences=x, outputs_info=dict(initial=T.constant([1.0, 2.0]), taps=[-2, -1]), go_backwards=True)
    sums, updates = st.scan(taken, save_every=4, **options)
    plain, _ = st.scan(taken, **options)
    values = random.standard_normal(10)
    got, expected = st.function([x], [sums, plain], updates=updates)(values)
    np.testing.assert_allclose(got, expected)
    assert counter.get_value() == 10


def test_a_number_of_steps_between_that_is_given_late():
    x, every = T.dvector("x"), T.lscalar("every")
    sums, _ = st.scan_checkpoints(lambda v, total: total + v, x, np.float64(0), save_every_N=every)
    f = st.function([x, every], sums)
    for length in (1, 2, 4, 9):
        expected = [*range(length, 9, length)] + [8]
        np.testing.assert_array_equal(f(np.ones(8), length), [min(e, 8) for e in dict.fromkeys(expected)])


def test_the_derivative_keeps_the_checkpoints_only():
    x, h0, w = T.dmatrix("x"), T.dvector("h0"), T.dmatrix("w")
    hs, _ = st.scan_checkpoints(step, x, h0, w, save_every_N=30, padding=False)
    f = st.function([x, h0, w], st.grad(hs[-1].sum(), [x, h0, w]))
    outer = [node.op for node in f.graph.nodes() if isinstance(node.op, Scan)]
    assert [loop.backwards for loop in outer] == [False, True]
    assert [loop.stacks for loop in outer] == [1, 1]  # what the blocks start from; the cotangents of x
    forward, backward = map(inner_loops, outer)
    assert [loop.stacks for loop in forward] == [0]
    assert [loop.backwards for loop in backward] == [False, True]
    assert "Call" not in [type(instruction).__name__ for instruction in f.program.instructions]


def lstm(row, h, c, w):
    z = T.dot(h, w) + row
    i, f, o, g = (z[:, part * UNITS:(part + 1) * UNITS] for part in range(4))
    c = T.nnet.sigmoid(f) * c + T.nnet.sigmoid(i) * T.tanh(g)
    return T.nnet.sigmoid(o) * T.tanh(c), c


STEPS, BATCH, UNITS = 10_000, 4, 16


def test_ten_thousand_steps_in_a_tenth_of_the_memory():
    x, h0, c0, w = T.fmatrix("x"), T.fmatrix("h0"), T.fmatrix("c0"), T.fmatrix("w")
    shapes = {"x": (STEPS, 4 * UNITS), "h0": (BATCH, UNITS), "c0": (BATCH, UNITS), "w": (UNITS, 4 * UNITS)}
    values = [(random.standard_normal(shape) / 4).astype("float32") for shape in shapes.values()]

    def compiled(loop, **options):
        (hs, _), _ = loop(lstm, x, [h0, c0], w, **options)
        f = st.function([x, h0, c0, w], st.grad((hs[-1] ** 2).sum(), w))
        return f(*values), f.peak_bytes(shapes)

    slope, bytes_kept = compiled(st.scan)
    again, fewer_bytes = compiled(st.scan_checkpoints, save_every_N=100, padding=False)
    np.testing.assert_allclose(again, slope, rtol=1e-3, atol=1e-6)
    assert fewer_bytes < bytes_kept / 10


def long_lstm(**options):
    x, h0, c0, w = T.fmatrix("x"), T.fmatrix("h0"), T.fmatrix("c0"), T.fmatrix("w")
    (h, _), _ = st.foldl(lstm, x, [h0, c0], w, **options)
    return st.function([x, h0, c0, w], st.grad((h ** 2).sum(), w))


def lstm_shapes(steps):
    return {"x": (steps, 4 * UNITS), "h0": (BATCH, UNITS), "c0": (BATCH, UNITS), "w": (UNITS, 4 * UNITS)}


@pytest.mark.parametrize("steps", [1, 2, 37, 200])
def test_no_more_bytes_than_that(steps):
    shapes = lstm_shapes(steps)
    values = [(random.standard_normal(shape) / 4).astype("float32") for shape in shapes.values()]
    expected = long_lstm()(*values)
    for budget in (1, 10_000, 100_000, 10**9):
        np.testing.assert_allclose(long_lstm(save_bytes=budget)(*values), expected, rtol=1e-3, atol=1e-6)


def test_what_is_kept_is_what_was_said():
    """Of s bytes a step and c bytes carried, c (n / k + 1) + s k for blocks of k, and what one step needs."""
    carried, each = 2 * BATCH * UNITS * 4, 22 * BATCH * UNITS * 4 // 2
    plain, few = long_lstm(), long_lstm().peak_bytes(lstm_shapes(1))
    history = plain.peak_bytes(lstm_shapes(1001)) - few
    assert history == 1000 * each
    for part in (3, 10):
        budget = history // part
        f = long_lstm(save_bytes=budget)
        length = budget // (2 * each)
        kept = f.peak_bytes(lstm_shapes(1001)) - few
        assert kept <= budget + 8 * each and kept >= length * each
        assert abs(kept - (carried * (1001 // length + 1) + each * length)) <= 8 * each
    least = long_lstm(save_bytes=1).peak_bytes(lstm_shapes(1001)) - few  # near the square root
    assert least < 1.3 * 2 * (1001 * carried * each) ** 0.5


# -- errors -----------------------------------------------------------------------------------------------

def test_errors():
    x = T.dvector("x")
    with pytest.raises(GraphError, match="ends by until has no checkpoints.*\n(.*\n)*.*fix.*leave out save_every"):
        st.scan(lambda v: (v, st.until(v > 1)), x, save_every=10)
    with pytest.raises(GraphError, match="two ways to keep less of a loop"):
        st.scan(lambda v, total: v + total, x, np.float64(0), truncate_gradient=5, save_every=10)
    with pytest.raises(GraphError, match="the number of steps between checkpoints is at least 1, not 0"):
        st.scan(lambda v: v, x, save_every=0)
    with pytest.raises(TypeMismatch, match="between checkpoints must be an integer scalar"):
        st.scan(lambda v: v, x, save_every=2.5)
    with pytest.raises(GraphError, match="bytes that derivatives keep is at least 1, not 0"):
        st.scan(lambda v: v, x, save_bytes=0)
    with pytest.raises(TypeMismatch, match="bytes that derivatives keep must be an integer scalar"):
        st.scan(lambda v: v, x, save_bytes=1e6)
    with pytest.raises(GraphError, match="both say how long the blocks"):
        st.scan(lambda v: v, x, save_every=2, save_bytes=100)
    ends, _ = st.scan_checkpoints(lambda v: v, x, save_every_N=2, padding=False)
    with pytest.raises(ShapeError, match="v.0|x.0"):
        st.function([x], ends)(np.ones(3))
    short, _ = st.scan_checkpoints(lambda v: v, x, n_steps=T.lscalar("n"), save_every_N=2)
    n = next(v for v in leaves([short]) if v.name == "n")
    with pytest.raises(ShapeError, match="x.0"):
        st.function([x, n], short)(np.ones(3), 6)
