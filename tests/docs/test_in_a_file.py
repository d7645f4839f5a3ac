"""The teaching file does what it says, and says the same as the package."""

from __future__ import annotations

import doctest
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

FILE = Path(__file__).parents[2] / "docs" / "symtensor_in_a_file.py"
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the file calls gcc")


@pytest.fixture(scope="module")
def small():
    spec = importlib.util.spec_from_file_location("symtensor_in_a_file", FILE)
    assert spec is not None and spec.loader is not None
    module = sys.modules["symtensor_in_a_file"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_examples_and_its_own_test(small):
    assert doctest.testmod(small).failed == 0
    assert small.self_test().count("for (long i") == 1


def test_the_package_agrees(small):
    def cost(m, x, y, w, log, exp, sum_):
        return sum_(log(1 + exp(-y * x * w)) / (x * x + 1)) - w * w

    point = [np.array([1.0, -2.0, 400.0]), np.array([1.0, 1.0, -1.0]), 2.5]
    inputs = [small.variable("x", rank=1), small.variable("y", rank=1), small.variable("w")]
    value = cost(small, *inputs, small.log, small.exp, small.sum_)
    own = small.function(inputs, [value, *(small.grad(value, v) for v in inputs)])(*point)

    variables = [T.dvector("x"), T.dvector("y"), T.dscalar("w")]
    value = cost(T, *variables, T.log, T.exp, T.sum)
    packaged = st.function(variables, [value, *st.grad(value, variables)])(*point)
    for one, other in zip(own, packaged):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_sum_that_is_used_again_ends_a_stage(small):
    x = small.variable("x", rank=1)
    e = small.exp(x)
    f = small.function([x], [e / small.sum_(e)])
    assert f.text.count("for (long i") == 2
    np.testing.assert_allclose(f([0.0, np.log(3)])[0], [0.25, 0.75])


def test_a_deep_graph(small):
    x = small.variable("x", rank=1)
    deep = x
    for _ in range(20000):
        deep = deep * 1 + 1
    assert len(small.walk([deep])) > 20000
    [normal] = small.normalize([deep])
    assert float(small.evaluate([normal], {x: 0.5})[0]) == 20000.5


@pytest.mark.parametrize("values, error", [(([1.0], [1.0, 2.0]), ValueError), ((1.0, [1.0]), TypeError)])
def test_what_does_not_fit(small, values, error):
    x, y = small.variable("x", rank=1), small.variable("y", rank=1)
    with pytest.raises(error):
        small.function([x, y], [x + y])(*values)
