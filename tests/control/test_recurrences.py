"""Loops that are one kernel: which are, which are not and why, and that both ways give the same bits."""

import random

import numpy as np
import pytest

import symtensor as st
import symtensor.lower.recurrence as lowering
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError
from symtensor.ir.graph import Graph
from symtensor.lower.access import Accesses
from symtensor.lower.group import Refusal
from symtensor.lower.recurrence import recurrence
from symtensor.lower.step import Step
from symtensor.ops.control import Scan
from symtensor.rewrite.phases import optimize
from symtensor.testing.random_loops import random_loops

numbers = np.random.default_rng(9)
x, h, v, n = T.dmatrix("x"), T.dvector("h"), T.dvector("v"), T.lscalar("n")
X, H, V = numbers.standard_normal((70, 5)), numbers.standard_normal(5), numbers.standard_normal(70)


def kinds(f):
    return [type(instruction).__name__ for instruction in f.program.instructions]


def in_order(f):
    """How many launches of a function go through rounds."""
    return sum(getattr(instruction, "in_order", False) for instruction in f.program.instructions)


def by_instructions(monkeypatch, *args, **options):
    """A function whose loops are all Loop instructions."""
    with monkeypatch.context() as patch, config.change(cache=False):
        patch.setattr(lowering, "_refused", lambda step: Refusal("it is not to be"))
        f = st.function(*args, **options)
    assert not in_order(f)
    return f


def agree(found, expected):
    """Compare results bit by bit."""
    if not isinstance(found, list):
        found, expected = [found], [expected]
    for got, want in zip(found, expected, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def peak_bytes(f, inputs, values):
    """What a call needs; nothing if only data tells."""
    if "Resize" in kinds(f):
        return 0
    return f.peak_bytes({variable.name: np.shape(value) if np.ndim(value) else int(value)
                         for variable, value in zip(inputs, values)})


def scanned(step, *args, **options):
    return st.scan(step, *args, **options)[0]


LOOPS = {
    "numbers": ([n], lambda: scanned(lambda p: p * 2, outputs_info=np.float64(1), n_steps=n), [70]),
    "a sequence of numbers": ([v], lambda: scanned(lambda e, s: T.tanh(e + s), v, np.float64(0)), [V]),
    "points": ([x, h], lambda: scanned(lambda e, s: T.tanh(e + s), x, h), [X, H]),
    "what does not change": ([x, h], lambda: scanned(lambda e, s, w: e * w + s, x, T.zeros_like(h), h), [X, H]),
    "taps": ([v], lambda: scanned(lambda a, b: a * 0.5 - b, outputs_info=dict(initial=v[:3], taps=[-3, -1]),
                                  n_steps=200), [V]),
    "taps of sequences": ([v], lambda: scanned(lambda a, b, s: a * b + s * 0.5, dict(input=v, taps=[-2, 1]),
                                               T.constant(0.25)), [V]),
    "backwards": ([x, h], lambda: scanned(lambda e, s: e * 0.5 + s * 0.5, x, h, go_backwards=True), [X, H]),
    "an end": ([n], lambda: scanned(lambda p: (p * 2, st.until(p > 100)), outputs_info=np.float64(1), n_steps=n),
               [300]),
    "whole numbers": ([n], lambda: scanned(lambda p: (p * 7 + 3) % 1000, outputs_info=n, n_steps=n), [65]),
    "the number of the step": ([n], lambda: scanned(lambda t, s: s + t * t, T.arange(n), np.int64(0)), [99]),
    "another element of what does not change": (
        [x, h], lambda: scanned(lambda e, s, w: s * 0.5 + e[::-1] * w[0], x, T.zeros_like(h), h), [X, H]),
    "planes": ([x, n], lambda: scanned(lambda s: T.sin(s) + x, outputs_info=x, n_steps=n), [X, 6]),
}


@pytest.mark.parametrize("name", LOOPS)
def test_one_kernel(name, monkeypatch):
    inputs, build, values = LOOPS[name]
    made = build()
    for outputs in (made, made[-1], [made, made[-1]]):
        f, g = st.function(inputs, outputs), by_instructions(monkeypatch, inputs, outputs)
        assert in_order(f) == 1 and "Loop" not in kinds(f)
        agree(f(*values), g(*values))
        assert peak_bytes(f, inputs, values) <= peak_bytes(g, inputs, values)


@pytest.mark.parametrize("name", ["a sequence of numbers", "points", "taps", "backwards", "planes"])
def test_derivatives_are_kernels(name, monkeypatch):
    inputs, build, values = LOOPS[name]
    slopes = st.grad(T.sqr(build()).sum(), [variable for variable in inputs if variable is not n])
    f, g = st.function(inputs, slopes), by_instructions(monkeypatch, inputs, slopes)
    assert in_order(f) >= 2 and "Loop" not in kinds(f)
    agree(f(*values), g(*values))


@pytest.mark.parametrize("steps", [0, 1, 63, 64, 65, 2_500_000])
def test_long_and_short(steps, monkeypatch):
    """Long loops are run in stretches; what is carried from one to the next is not lost."""
    first = T.dvector("first")
    values = scanned(lambda a, b: T.cos(a) - b * 0.25, outputs_info=dict(initial=first, taps=[-3, -1]), n_steps=n)
    outputs = [values, values[-4:], scanned(lambda a, b: (a + b, b), outputs_info=[first[0], first[1]], n_steps=n)[0]]
    f, g = st.function([first, n], outputs), by_instructions(monkeypatch, [first, n], outputs)
    assert in_order(f) >= 1
    agree(f([1, 2, 3], steps), g([1, 2, 3], steps))


def test_an_end_after_many_stretches():
    f = st.function([n], scanned(lambda p: (p + 1, st.until(T.ge(p, n))), outputs_info=np.int64(0), n_steps=n * 2))
    assert in_order(f) == 1
    for limit in (0, 5, 4_000_000):
        values = f(limit)
        np.testing.assert_array_equal(values, np.arange(1, limit + 2)[:2 * limit])


def test_rows_that_are_not_reached():
    count, stop = T.dvector("count"), T.lscalar("stop")
    values = scanned(lambda t, s: (s + t, st.until(T.eq(t, stop))), count, np.float64(1))
    f = st.function([count, stop], [values, values[-1], values.shape[0]])
    rows, last, length = f(np.arange(10.0), 3)
    np.testing.assert_array_equal(rows, [1, 2, 4, 7])
    assert last == 7 and length == 4


def test_no_points():
    f = st.function([x, h], scanned(lambda e, s: e + s, x, h))
    assert in_order(f) == 1 and f(np.ones((3, 0)), np.ones(0)).shape == (3, 0)


def test_many_points(monkeypatch):
    """More points than go side by side, on every number of threads."""
    rows, start = numbers.standard_normal((50, 10_007)), numbers.standard_normal(10_007)
    outputs = scanned(lambda e, s: T.exp(-e * e) + s * 0.5, x, h)
    f, g = st.function([x, h], outputs), by_instructions(monkeypatch, [x, h], outputs)
    np.testing.assert_array_equal(f(rows, start), g(rows, start))


def test_nothing_is_copied():
    """Sequences and first values are read where they are, through slices and transpositions."""
    square = numbers.standard_normal((4, 4))
    for made in (scanned(lambda e, s: T.tanh(e + s), x.T[::-1], T.zeros((x.shape[0],))),
                 scanned(lambda a, b, s: a * b + s, dict(input=x, taps=[-1, 1]), T.ones((x.shape[1],)))):
        f, plain = st.function([x], made), st.function([x], made, mode="None")
        assert kinds(f) == ["Launch"]
        np.testing.assert_allclose(f(square), plain(square), rtol=1e-12)


def test_random_numbers_in_a_step(monkeypatch):
    streams = T.shared_randomstreams.RandomStreams(7)
    paths, updates = st.scan(lambda s: s + 0.1 * streams.normal((5,)), outputs_info=h, n_steps=n)
    f = st.function([h, n], paths, updates=updates)
    assert in_order(f) == 1 and "Loop" not in kinds(f)
    again = T.shared_randomstreams.RandomStreams(7)
    (plain, changes) = st.scan(lambda s: s + 0.1 * again.normal((5,)), outputs_info=h, n_steps=n)
    g = by_instructions(monkeypatch, [h, n], plain, updates=changes)
    for steps in (3, 0, 70):  # logarithms differ in the last digit between vector instructions and others
        np.testing.assert_allclose(f(H, steps), g(H, steps), rtol=1e-12)
    assert not np.array_equal(f(H, 3), f(H, 3))


def test_shared_variables():
    counter = st.shared(0, name="counter")
    values, updates = st.scan(lambda: (counter * 2, {counter: counter + 3}), n_steps=n)
    f = st.function([n], values, updates=updates)
    assert in_order(f) == 1
    np.testing.assert_array_equal(f(4), [0, 6, 12, 18])
    assert counter.get_value() == 12


@pytest.mark.parametrize("seed", range(300, 360))
def test_random_loops_give_the_same_bits(seed, monkeypatch):
    graph = random_loops(random.Random(seed))
    options = dict(on_unused_input="ignore", updates=list(graph.updates.items()))
    try:
        f, g = (make(graph.inputs, graph.outputs, **options) for make in (
            st.function, lambda *args, **options: by_instructions(monkeypatch, *args, **options)))
        before = {storage: storage.get_value() for storage in graph.updates}
        found = f(*graph.values)
    except (ShapeError, IndexError):
        return
    for storage, value in before.items():
        storage.set_value(value)
    agree(found, g(*graph.values))
    assert peak_bytes(f, graph.inputs, graph.values) <= peak_bytes(g, graph.inputs, graph.values)


# -- those that are not -----------------------------------------------------------------------------------

w, i = T.dmatrix("w"), T.lvector("i")
REFUSED = {
    "matmul does not go element by element": lambda: scanned(lambda e, s: T.tanh(e + T.dot(s, w)), x, h),
    "sum[0] does not go element by element": lambda: scanned(lambda e, s: e + s.sum(), x, h),
    "is needed at another point than it is computed at": lambda: scanned(lambda e, s: e + s[::-1], x, h),
    "wrap_index may fail, and the error is to name the step": lambda: scanned(lambda t, s: s + h[t], i, v[0]),
    "does not have an element for each point": lambda: sum(out[-1] for out in scanned(
        lambda e, s, c: (e + s * c, c * 2), x, [h, v[0]])),
    "it ends for all points at once": lambda: scanned(
        lambda s, c: ([s * 2, c + 1], st.until(c > 3)), None, [h, T.constant(0)], n_steps=9)[0],
    "one group has loops over": lambda: scanned(lambda e, s: T.exp(e) + s, x, T.outer(h, h)),
    "more than 64 values are carried": lambda: scanned(
        lambda a, b: a + b, None, dict(initial=v, taps=[-70, -1]), n_steps=n),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_reasons_against(reason):
    graph = Graph([x, h, v, w, i, n], [REFUSED[reason]()])
    optimize(graph)
    (node,) = [node for node in graph.nodes() if isinstance(node.op, Scan)]
    found = recurrence(Step(node), Accesses(graph), lambda output: True)
    assert isinstance(found, Refusal) and reason in str(found)
