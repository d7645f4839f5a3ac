"""What becomes of loops: the structure of compiled ones, each simplification firing on a loop that calls for it."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError
from symtensor.ir.graph import leaves
from symtensor.ops.control import Scan

random = np.random.default_rng(3)


def compiled(inputs, outputs, *values):
    """A function, its loops, and the check that it gives what the graph as written gives."""
    f = st.function(inputs, outputs)
    plain = st.function(inputs, outputs, mode="None")
    for got, expected in zip(f(*values), plain(*values)):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    return f, [node.op for node in f.graph.nodes() if isinstance(node.op, Scan)]


def ops_in(loop):
    return [str(node.op) for node in loop.step.graph.nodes()]


def ops_of(f):
    return [str(node.op) for node in f.graph.nodes()]


x, w, h0 = T.dmatrix("x"), T.dmatrix("w"), T.dvector("h0")
X, W, H = random.standard_normal((6, 4)), random.standard_normal((4, 4)) / 2, random.standard_normal(4)


def test_what_is_the_same_in_all_steps_is_computed_once():
    out, _ = st.scan(lambda row, h: T.tanh(h) + row * T.exp(w).sum(axis=0), x, h0)
    f, (loop,) = compiled([x, h0, w], [out], X, H, W)
    assert "exp" not in ops_in(loop) and "exp" in ops_of(f)


def test_only_the_last_row_is_kept():
    out, _ = st.scan(lambda row, h: T.tanh(h + row), x, h0)
    _, (loop,) = compiled([x, h0], [out[-1]], X, H)
    assert loop.stacks == 0 and loop.carries == 1
    (_, sums), _ = st.scan(lambda row, h: (T.tanh(h + row), (h * row).sum()), x, [h0, None])
    _, (loop,) = compiled([x, h0], [sums[-1]], X, H)
    assert loop.stacks == 0 and loop.carries == 2


def test_what_nothing_uses_is_not_computed():
    (a, b), _ = st.scan(lambda row, a, b: (T.tanh(a + row), T.sin(b) * row), x, [h0, h0])
    _, (loop,) = compiled([x, h0], [a], X, H)
    assert loop.carries == 1 and "sin" not in ops_in(loop)


@pytest.mark.parametrize("backwards", [False, True])
def test_counters_are_not_carried(backwards):
    k, n = T.bscalar("k"), T.lscalar("n")
    (sums, counts), _ = st.scan(lambda row, s, i: (s * 0.5 + row * i, i + k), x, [h0, k], go_backwards=backwards)
    inputs = [x, h0, k]
    for outputs in ([sums, counts], [sums[-1], counts[-1]], [counts]):
        _, (loop,) = compiled(inputs, outputs, np.tile(X, (9, 1)), H, 100)
        assert loop.carries == (0 if outputs == [counts] else 1)
    steps, _ = st.scan(lambda i, s: (i + 3, s * 2, st.until(i > 20)), outputs_info=[np.int64(4), h0[0]], n_steps=n)
    f, (loop,) = compiled([h0, n], [steps[0][-1], steps[1][-1], steps[0]], H, 50)
    assert loop.carries == 1
    with pytest.raises(ShapeError, match="the number of steps may not be negative"):
        f(H, -1)


def test_what_is_carried_twice_is_carried_once():
    (a, b, c), _ = st.scan(lambda row, a, b, c: (T.tanh(b + row), T.tanh(a + row), c * row), x, [h0, h0, h0])
    f, (loop,) = compiled([x, h0], [a, b, c], X, H)
    assert loop.carries == 2


def test_products_with_rows_are_one_product_before_the_loop():
    out, _ = st.scan(lambda row, h: T.tanh(T.dot(row, w) + h), x, h0)
    f, (loop,) = compiled([x, h0, w], [out], X, H, W)
    assert "matmul" not in ops_in(loop) and f.library_calls == 1


def test_products_that_only_results_need_are_one_product_after_the_loop():
    (h, y), _ = st.scan(lambda row, h: (T.tanh(row + h), T.nnet.softmax(T.dot(h, w))), x, [h0, None])
    f, (loop,) = compiled([x, h0, w], [y], X, H, W)
    assert "matmul" not in ops_in(loop) and "exp" not in ops_in(loop) and f.library_calls == 1


def test_slopes_by_weights_are_one_product_after_the_loop():
    batch, weights, start = T.dtensor3("batch"), T.dmatrix("weights"), T.dmatrix("start")
    out, _ = st.scan(lambda rows, h: T.tanh(rows + T.dot(h, weights)), batch, start)
    f, loops = compiled([batch, weights, start], [st.grad(out.sum(), weights)], random.standard_normal((6, 2, 4)), W,
                        random.standard_normal((2, 4)))
    assert len(loops) == 2
    forward, backward = loops
    assert ops_in(forward).count("matmul") == ops_in(backward).count("matmul") == 1
    assert f.library_calls == 3


def test_loops_over_the_same_steps_are_one():
    a, _ = st.scan(lambda row, h: T.tanh(h + row), x, h0)
    b, _ = st.scan(lambda row, h: T.sin(h) * row, x, h0)
    _, loops = compiled([x, h0], [a, b], X, H)
    assert len(loops) == 1


def test_loops_that_need_each_other_stay_apart():
    a, _ = st.scan(lambda row, h: T.tanh(h + row), x, h0)
    b, _ = st.scan(lambda row, h: T.sin(h) * row, a, h0)
    _, loops = compiled([x, h0], [b], X, H)
    assert len(loops) == 2


def test_a_few_steps_are_written_out():
    out, _ = st.scan(lambda h: T.tanh(h) * 2, outputs_info=h0, n_steps=3)
    f, loops = compiled([h0], [out], H)
    assert not loops and ops_of(f).count("tanh") == 3


def test_time_to_compile_does_not_depend_on_the_number_of_steps():
    for steps in (100, 100000):
        out, _ = st.scan(lambda h: T.tanh(h) * 2, outputs_info=h0, n_steps=steps)
        _, (loop,) = compiled([h0], [out[-1]], H)
        assert len(ops_in(loop)) == 2


def test_positions_that_change_from_step_to_step():
    v = T.dvector("v")
    doubled, _ = st.scan(lambda i, kept: T.set_subtensor(kept[i], v[i] * 2 + kept[i - 1]), T.arange(v.shape[0]),
                         T.zeros_like(v))
    f, (loop,) = compiled([v], [doubled[-1]], H)
    assert "Call" not in [type(instruction).__name__ for instruction in f.program.instructions]
    picked, _ = st.scan(lambda i, row: row[i] + x[i, 1:3].sum(), [T.arange(4), x[:4]])
    f, _ = compiled([x], [picked], X)
    assert "Call" not in [type(instruction).__name__ for instruction in f.program.instructions]


def test_what_is_changed_in_place_is_not_copied_in_each_step():
    v = T.dvector("v")
    counts, _ = st.scan(lambda i, kept: T.inc_subtensor(kept[i], 1.0), T.cast(v, "int64"), T.zeros((1000,)))
    f = st.function([v], counts[-1])
    kinds = [type(instruction).__name__ for instruction in f.program.instructions]
    loop = kinds.index("Loop")
    assert "Copy" not in kinds[loop:]
    np.testing.assert_array_equal(f([1, 3, 3])[:5], [0, 1, 0, 2, 0])


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_values_that_take_turns(steps):
    a, b, c = (T.dvector(name) for name in "abc")
    outs, _ = st.scan(lambda a, b, c: (b + 1, c, T.tanh(a)), outputs_info=[a, b, c], n_steps=T.lscalar("n"))
    last = [out[-1] for out in outs]
    n = next(v for v in leaves(last) if v.name == "n")
    f = st.function([a, b, c, n], last)
    expected = [np.array([1.0]), np.array([2.0]), np.array([3.0])]
    for _ in range(steps):
        expected = [expected[1] + 1, expected[2], np.tanh(expected[0])]
    np.testing.assert_allclose(f([1.0], [2.0], [3.0], steps), expected)
