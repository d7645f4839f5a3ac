"""Random expressions give the same compiled as by the NumPy meaning of each op, one by one."""

import random

import numpy as np
import pytest

from symtensor.base.errors import ShapeError
from symtensor.ir.interpret import evaluate
from symtensor.runtime.function import function
from symtensor.testing.random_graphs import random_graph
from symtensor.types.dtype import limits, widened


def compare(seed: int, level: str, dtype: str = "float64", tolerance: float = 1e-8) -> None:
    """Compile one random graph and compare it with its meaning."""
    graph = random_graph(random.Random(seed), dtype=dtype)
    try:
        expected = evaluate(graph.outputs, dict(zip(graph.inputs, graph.values)))
    except ShapeError:
        expected = None
    if expected is None:
        with pytest.raises(ShapeError):
            function(graph.inputs, graph.outputs, mode=level, on_unused_input="ignore")(*graph.values)
        return
    f = function(graph.inputs, graph.outputs, mode=level, on_unused_input="ignore")
    for got, want in zip(f(*graph.values), expected):
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(widened(got), widened(want), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("seed", range(60))
def test_compiled_agrees_with_meaning(seed: int) -> None:
    compare(seed, "fast_run")


@pytest.mark.parametrize("seed", range(40))
def test_complex_numbers_agree_with_meaning(seed: int) -> None:
    compare(seed, "fast_run", "complex128")


@pytest.mark.parametrize("level", ["fast_run", "None"])
@pytest.mark.parametrize("dtype, seed", [("float16", seed) for seed in range(25)]
                         + [("bfloat16", seed) for seed in range(25)])
def test_narrow_floats_agree_with_meaning(dtype: str, seed: int, level: str) -> None:
    """NumPy rounds after each of 12 ops, kernels where they store; what is compared or converted is the same."""
    compare(seed, level, dtype, 6 * float(limits(dtype).eps))


@pytest.mark.parametrize("seed", range(60, 90))
def test_unoptimised_agrees_with_meaning(seed: int) -> None:
    compare(seed, "None")
