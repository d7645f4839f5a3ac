"""Random branches, in each other and in loops, some of sizes that data tells: by kernels as by their meaning."""

import itertools
import random

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import IndexOutOfRange, ShapeError
from symtensor.ir.interpret import evaluate
from symtensor.lower.program import Branch, Call
from symtensor.ops.branch import lazily
from symtensor.testing.random_branches import random_branches

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


def agree(got, want):
    """Whether arrays agree up to the rounding of float32."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=1) if want.dtype.kind == "f" else 1
    return np.allclose(got.astype(float), want.astype(float), rtol=1e-4, atol=1e-5 * scale, equal_nan=True)


def meaning(graph):
    """The outputs by the interpreter, or the error it raises."""
    try:
        values = {**dict(zip(graph.inputs, graph.values)), **{s: s.get_value() for s in graph.updates}}
        return evaluate(lazily(graph.outputs), values)
    except (ShapeError, IndexOutOfRange) as error:
        return error


@pytest.mark.parametrize("level", ["fast_run", "None"])
@pytest.mark.parametrize("seed", (*range(24), 226, 289, 429, 435, 488, 490, 566))
def test_compiled_agrees_with_meaning(seed, level):
    graph = random_branches(random.Random(seed))
    expected = meaning(graph)
    try:
        f = st.function(graph.inputs, graph.outputs, mode=level, on_unused_input="ignore",
                        updates=list(graph.updates.items()))
        found = f(*graph.values)
    except (ShapeError, IndexOutOfRange):
        assert isinstance(expected, (ShapeError, IndexOutOfRange))
        return
    called = {names for i, (names, _, _) in zip(f.program.instructions, f.program.origins) if isinstance(i, Call)}
    assert "branch" not in called
    if isinstance(expected, Exception):  # (rules leave out what nothing needs, and then it cannot be wrong)
        assert isinstance(expected, IndexOutOfRange) or level == "fast_run"
        return
    for got, want in zip(found, expected, strict=True):
        assert agree(got, want)
    for storage, new in graph.updates.items():
        assert agree(np.asarray(storage.get_value()), expected[graph.outputs.index(new)])


def test_random_branches_are_compiled():
    made = [st.function(graph.inputs, graph.outputs, on_unused_input="ignore", mode="None")
            for graph in (random_branches(random.Random(seed)) for seed in range(6))]
    assert sum(isinstance(i, Branch) for f in made for i in f.program.instructions) > 8
