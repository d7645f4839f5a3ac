"""Derivatives compiled give what derivatives interpreted give, exact zeros included."""

import numpy as np
import pytest

from symtensor.grad.forward import Rop
from symtensor.grad.jacobian import jacobian
from symtensor.grad.reverse import grad
from symtensor.ir.interpret import evaluate
from symtensor.ops.reduce import sum_axes
from symtensor.runtime.function import function
from symtensor.types.tensor import TensorType
from tests.grad.test_forward import FUNCTIONS
from tests.grad.test_reverse import SELECTED

vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))


def compare(outputs, values):
    compiled = function(list(values), outputs)(*values.values())
    for found, wanted in zip(compiled, evaluate(outputs, values), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)
    return compiled


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives(name):
    x = matrix("x")
    value = FUNCTIONS[name](x)
    first = grad(sum_axes(value * value, range(value.type.ndim)), x)
    second = grad(sum_axes(first * first, [0, 1]), x)
    compare([value, first, second, Rop(first, x, x), jacobian(value, x)],
            {x: np.random.default_rng(5).normal(size=(3, 4))})


@pytest.mark.parametrize("name", SELECTED)
def test_what_is_not_selected_has_derivative_zero(name):
    function, wanted = SELECTED[name]
    x = vector("x")
    first = grad(sum_axes(function(x), [0]), x)
    found, _ = compare([first, Rop(first, x, x * 0 + 1, disconnected_outputs="ignore")],
                       {x: np.array([0.0, -1.0, 2.0])})
    assert found.tolist() == pytest.approx(wanted, abs=0, rel=1e-14)
