"""Mixed precision as users write it: weights kept in float32, layers computed in float16, the loss in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain
from symtensor.runtime.core import core
from symtensor.testing.verify_grad import verify_grad

pytestmark = pytest.mark.skipif(toolchain() is None or core is None, reason="there is no C compiler")
BATCH, SIZES, SCALE = 64, (20, 48, 48, 5), 1024.0
ROUNDING = 2.0**-11
"""Of float16: half of what its neighbours differ by, relative to the number."""


def weights() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=shape) / np.sqrt(shape[0])).astype("float32")
            for shape in zip(SIZES, SIZES[1:])] + [np.zeros(n, "float32") for n in SIZES[1:]]


def network(x: Any, parameters: Sequence[Any], dtype: str) -> Any:
    """Logits, in float32; layers in `dtype`."""
    matrices, biases = parameters[:3], parameters[3:]
    hidden = x.astype(dtype)
    for number, (w, b) in enumerate(zip(matrices, biases)):
        hidden = T.dot(hidden, w.astype(dtype)) + b.astype(dtype)
        hidden = T.nnet.relu(hidden) if number < 2 else hidden
    return hidden.astype("float32")


def trainer(dtype: str, **options: Any) -> tuple[Any, list[Any]]:
    """A step of gradient descent: the loss is scaled up, so that small slopes are no zeros in float16."""
    parameters = [st.shared(value, name=f"p{number}") for number, value in enumerate(weights())]
    x, labels = T.fmatrix("x"), T.lvector("labels")
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(network(x, parameters, dtype)), labels).mean()
    slopes = [slope / SCALE for slope in T.grad(loss * SCALE, parameters)]
    assert all(slope.dtype == "float32" for slope in slopes)
    step = st.function([x, labels], [loss, *slopes], updates=[(p, p - 0.1 * g) for p, g in zip(parameters, slopes)],
                       **options)
    return step, parameters


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(BATCH, SIZES[0])).astype("float32")
    return x, (x[:, :SIZES[-1]]).argmax(axis=1)


def test_slopes_are_those_of_float32_within_the_roundings():
    """Three layers forward and back round some ten times what they give to the next."""
    (half, _), (single, _) = trainer("float16"), trainer("float32")
    (loss, *slopes), (wanted_loss, *wanted) = half(*data()), single(*data())
    assert abs(loss - wanted_loss) <= 10 * ROUNDING * abs(wanted_loss)
    for slope, other in zip(slopes, wanted):
        assert np.linalg.norm(slope - other) <= 10 * ROUNDING * np.linalg.norm(other)
        assert np.linalg.norm(slope - other) > 0


def test_training_goes_as_in_float32():
    (half, own), (single, other) = trainer("float16"), trainer("float32")
    losses = np.array([[float(step(*data())[0]) for step in (half, single)] for _ in range(100)])
    assert losses[-1, 1] < 0.3 * losses[0, 1]
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=50 * ROUNDING)
    for one, two in zip(own, other):
        assert one.get_value().dtype == "float32"
        np.testing.assert_allclose(one.get_value(), two.get_value(), atol=20 * ROUNDING * abs(two.get_value()).max())


def test_products_are_of_float16_and_the_rest_shares_kernels():
    step, _ = trainer("float16")
    assert step.library_calls == 8  # three products forward, three and two back


@pytest.mark.parametrize("function", [
    lambda x, y: T.tanh(x * y) + x, lambda x, y: T.nnet.softmax(x + y), lambda x, y: T.dot(x, y.T),
    lambda x, y: T.exp(-T.sqr(x - y)).sum(axis=1), lambda x, y: T.maximum(x, y) * T.sqrt(T.sqr(x) + 1)])
def test_derivatives_in_float16_are_those_in_float64(function):
    """Reverse and forward mode, each with as many roundings as the expression has ops."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(3, 4)).astype("float16") for _ in range(3)]
    found = {}
    for dtype in ("float16", "float64"):
        x, y, v = (T.tensor(dtype, shape=(3, 4), name=name) for name in "xyv")
        z = function(x, y)
        f = st.function([x, y, v], [*T.grad(T.sum(T.sqr(z)), [x, y]), T.Rop(z, x, v)])
        found[dtype] = f(*(array.astype(dtype) for array in arrays))
    for half, exact in zip(found["float16"], found["float64"]):
        assert half.dtype == "float16"
        np.testing.assert_allclose(half, exact, rtol=8 * ROUNDING, atol=8 * ROUNDING * abs(exact).max())


def test_verify_grad_takes_float16():
    verify_grad(lambda x: T.tanh(x) * x, [np.array([0.5, -1.5, 2.0], "float16")], rng=np.random.RandomState(0))
