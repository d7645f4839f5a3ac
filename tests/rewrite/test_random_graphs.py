"""Random expressions mean the same before and after the pipeline, and after what is done before differentiation."""

import random

import numpy as np
import pytest

from symtensor.base.config import config
from symtensor.base.errors import ShapeError
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.rewrite.phases import optimize, stabilized
from symtensor.testing.random_graphs import random_graph


def same(left, right):
    """Whether arrays agree up to rounding of intermediate values; infinite and NaN where the other is."""
    for a, b in zip(left, right, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind == "f":
            scale = np.max(np.abs(a[np.isfinite(a)]), initial=1.0)
            np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-9 * scale)
        else:
            np.testing.assert_array_equal(b, a)


def moderate(values):
    """Whether no result is so large, or undefined, that classes looser than exact may show."""
    return all(np.all(np.abs(v) < 1e12) if v.dtype.kind == "f" else True for v in values)


def optimized(made, level):
    graph = Graph(made.inputs, made.outputs)
    with config.change(on_rewrite_error="raise", verify=True):
        optimize(graph, level)
    return graph


@pytest.mark.parametrize("level", ["fast_run", "fast_compile"])
@pytest.mark.parametrize("seed", range(150))
def test_optimized_means_the_same(seed, level):
    made = random_graph(random.Random(seed), steps=14)
    try:
        expected = evaluate(made.outputs, dict(zip(made.inputs, made.values)))
    except ShapeError:
        expected = None  # the sizes drawn do not fit: the compiled graph must say so too
    if expected is None:
        with pytest.raises(ShapeError):
            evaluate_graph(optimized(made, level), made.values)
    else:
        found = evaluate_graph(optimized(made, level), made.values)
        if moderate(expected):
            same(expected, found)


@pytest.mark.parametrize("seed", range(60))
def test_stabilized_means_the_same(seed):
    made = random_graph(random.Random(seed), steps=14)
    given = dict(zip(made.inputs, made.values))
    try:
        expected = evaluate(made.outputs, given)
    except ShapeError:
        pytest.skip("the sizes drawn do not fit")
    with config.change(on_rewrite_error="raise"):
        found = stabilized(made.outputs, made.inputs)
    if moderate(expected):
        same(expected, evaluate(found, given))
