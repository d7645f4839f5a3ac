"""Shared variables get the same values whether they are written in place or not."""

import random

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config

SIZE = 6


def matrix(rng, matrices, depth=0):
    """A random square matrix made of the shared ones."""
    deeper = depth + 1
    if depth > 2 or rng.random() < 0.2:
        return rng.choice(matrices)
    a, b = (matrix(rng, matrices, deeper) for _ in range(2))
    rows = [slice(1, 3), slice(None, None, 2), 0, -1]
    makers = [
        lambda: a.T, lambda: a[::-1], lambda: a[:, ::-1], lambda: a + b, lambda: T.tanh(a), lambda: T.dot(a, b) * 0.1,
        lambda: a + b.sum(axis=0), lambda: T.set_subtensor(a[rng.choice(rows)], 1.5),
        lambda: a - b.mean(axis=1, keepdims=True),
        lambda: T.inc_subtensor(a[T.constant(np.array([0, 2, 2, -1]))], b[:4]), lambda: T.concatenate([a[2:], b[:2]]),
        lambda: rng.choice(matrices) * 0.5 + T.dot(a.T, b) * 0.25, lambda: T.nnet.softmax(a) * b.max(axis=0)]
    return rng.choice(makers)()


def assert_same_values(f, g, shared, calls=2):
    """Two functions over the same shared variables return the same and leave the same in them."""
    for _ in range(calls):
        before = [s.get_value() for s in shared]
        expected, after = g(), [s.get_value() for s in shared]
        for variable, value in zip(shared, before):
            variable.set_value(value)
        found = f()
        for got, want in zip([*found, *(s.get_value() for s in shared)], [*expected, *after], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)


def both(outputs, updates):
    """The function compiled, and run by the meaning of each op."""
    f = st.function([], outputs, updates=updates)
    with config.change(backend="numpy"):
        return f, st.function([], outputs, updates=updates, mode="None")


@pytest.mark.parametrize("seed", range(25))
def test_updates_that_read_each_other(seed):
    rng, values = random.Random(seed), np.random.RandomState(seed)
    shared = [st.shared(values.randn(SIZE, SIZE) * 0.5, f"s{number}") for number in range(3)]
    updates = [(s, matrix(rng, shared)) for s in rng.sample(shared, rng.randint(1, 3))]
    outputs = [matrix(rng, shared), *rng.sample(shared, rng.randint(0, 1)), *rng.sample([new for _, new in updates], 1)]
    assert_same_values(*both(outputs, updates), shared)


def test_an_update_that_a_reduction_reads_too():
    shared = [st.shared(np.arange(36.0).reshape(6, 6), "s"), st.shared(np.ones((6, 6)), "t")]
    s, t = shared
    updates = [(s, s * 0.5), (t, t + s.sum(axis=0) - s.max(axis=1))]
    assert_same_values(*both([s.sum()], updates), shared)


def test_rows_of_a_table_are_updated_where_it_lies():
    table = st.shared(np.random.default_rng(0).standard_normal((6, 3)), name="table")
    positions = T.lvector("positions")
    cost = (table[positions] ** 2).sum()
    f = st.function([positions], cost, updates=[(table, table - 0.1 * st.grad(cost, table))])
    expected = table.get_value()
    slope = 2 * expected[[1, 1, 4]]
    np.subtract.at(expected, [1, 1, 4], 0.1 * slope)
    f([1, 1, 4])
    np.testing.assert_allclose(table.get_value(), expected, rtol=1e-12)
    assert {type(instruction).__name__ for instruction in f.program.instructions} == {"Launch"}
    assert f.peak_bytes({"positions": (3,)}) < 3 * 3 * 8 * 8
