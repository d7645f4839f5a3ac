"""Random expressions with branches within branches, some of sizes that data tells: rewritten and as written."""

import itertools

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

UNARY = (T.sin, T.cos, T.tanh, lambda v: v * 2, lambda v: v[::-1], T.cumsum, T.sort, lambda v: v * v.sum(),
         lambda v: v / v.shape[0])


def expression(rng, x, y, c, d):
    """A vector and the one before it, made of branches and what is between them."""
    values = [x, x + y, x * y]
    conditions = [c > 0, d > 0, T.eq(c, 0), x.sum() > 0, y[0] > x[0]]

    def pick():
        return values[rng.integers(max(0, len(values) - 5), len(values))]

    def condition():
        return conditions[rng.integers(len(conditions))]

    def changed():
        return UNARY[rng.integers(len(UNARY))](pick())

    for _ in range(9):
        kind = rng.random()
        if kind < 0.4:
            values.append(st.ifelse(condition(), changed(), pick()))
        elif kind < 0.5:
            values += st.ifelse(condition(), [pick(), changed()], [pick(), pick()])
        elif kind < 0.75:
            values.append(changed())
        else:
            values.append(pick() + pick())
        if rng.random() < 0.15:
            conditions.append(values[-1].sum() > 0)
    return values[-1], values[-2]


@pytest.mark.parametrize("seed", range(12))
def test_rewritten_and_as_written(seed):
    rng = np.random.default_rng([5, seed])
    x, y, c, d = T.dvector("x"), T.dvector("y"), T.bscalar("c"), T.bscalar("d")
    last, before = expression(rng, x, y, c, d)
    cost = last.sum() * before[0]
    outputs = [cost, last, *st.grad(cost, [x, y], disconnected_inputs="ignore")]
    fast, plain = (st.function([c, d, x, y], outputs, on_unused_input="ignore", mode=mode) for mode in (None, "None"))
    values = rng.normal(size=(2, 3))
    for first, second in itertools.product((0, 1), (0, 1)):
        for got, expected in zip(fast(first, second, *values), plain(first, second, *values)):
            np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
