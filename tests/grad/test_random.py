"""On random graphs the two modes are each other's transpose, and the gradient is that of differences."""

import random

import numpy as np
import pytest

from symtensor.base.errors import ShapeError
from symtensor.grad.forward import Rop
from symtensor.grad.reverse import grad
from symtensor.ir.interpret import evaluate
from symtensor.ops.reduce import sum_axes
from symtensor.testing.random_graphs import random_graph
from symtensor.types.dtype import FLOATS


def fitting_graph(seed):
    """A random graph whose sizes fit its values, and what it gives."""
    rng = random.Random(seed)
    while True:
        made = random_graph(rng, steps=10)
        try:
            return made, evaluate(made.outputs, dict(zip(made.inputs, made.values)))
        except ShapeError:
            continue  # an equation between two of its sizes does not hold


@pytest.mark.parametrize("seed", range(50))
def test_forward_is_the_transpose_of_reverse(seed):
    made, results = fitting_graph(seed)
    values = dict(zip(made.inputs, made.values))
    rng = np.random.default_rng(seed)
    cost = sum(sum_axes(output * rng.normal(size=result.shape), range(output.type.ndim))
               for output, result in zip(made.outputs, results) if output.type.dtype in FLOATS)
    floats = [v for v in made.inputs if v.type.dtype in FLOATS]
    directions = [rng.normal(size=values[v].shape) for v in floats]
    slopes = grad(cost, floats, disconnected_inputs="ignore")
    along = Rop(cost, floats, directions, disconnected_outputs="ignore")
    *reverse, forward = evaluate([*slopes, along], values)
    assert all(slope.shape == values[v].shape for v, slope in zip(floats, reverse))
    total = sum(float(np.sum(slope * direction)) for slope, direction in zip(reverse, directions))
    assert float(forward) == pytest.approx(total, rel=1e-9, abs=1e-9, nan_ok=True)

    second = grad(along, floats, disconnected_inputs="ignore")
    twice = Rop(along, floats, directions, disconnected_outputs="ignore")
    *reverse, forward = evaluate([*second, twice], values)
    total = sum(float(np.sum(slope * direction)) for slope, direction in zip(reverse, directions))
    assert float(forward) == pytest.approx(total, rel=1e-8, abs=1e-8, nan_ok=True)
