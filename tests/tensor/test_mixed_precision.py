"""Mixed precision as users write it: weights kept in float32, layers computed in narrow floats, the loss in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor import gradient
from symtensor.base.errors import GradientError
from symtensor.codegen.toolchain import toolchain
from symtensor.runtime.core import core
from symtensor.testing.verify_grad import verify_grad
from symtensor.types.dtype import NARROW, limits

pytestmark = pytest.mark.skipif(toolchain() is None or core is None, reason="there is no C compiler")
BATCH, SIZES = 64, (20, 48, 48, 5)
SCALE = {"bfloat16": 1.0, "float16": 1024.0, "float32": 1.0}
"""By what the loss is scaled up, so that small slopes are no zeros: bfloat16 has numbers as small as float32."""


def rounding(dtype: str) -> float:
    """Half of what neighbours differ by, relative to the number."""
    return float(limits(dtype).eps) / 2


def weights() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=shape) / np.sqrt(shape[0])).astype("float32")
            for shape in zip(SIZES, SIZES[1:])] + [np.zeros(n, "float32") for n in SIZES[1:]]


def network(x: Any, parameters: Sequence[Any], dtype: str) -> Any:
    """Logits, in float32; layers in `dtype`. They are smooth: at a corner a rounding would change a slope by a jump."""
    matrices, biases = parameters[:3], parameters[3:]
    hidden = x.astype(dtype)
    for number, (w, b) in enumerate(zip(matrices, biases)):
        hidden = T.dot(hidden, w.astype(dtype)) + b.astype(dtype)
        hidden = T.tanh(hidden) if number < 2 else hidden
    return hidden.astype("float32")


def trainer(dtype: str, **options: Any) -> tuple[Any, list[Any]]:
    """A step of gradient descent."""
    parameters = [st.shared(value, name=f"p{number}") for number, value in enumerate(weights())]
    x, labels = T.fmatrix("x"), T.lvector("labels")
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(network(x, parameters, dtype)), labels).mean()
    slopes = [slope / SCALE[dtype] for slope in T.grad(loss * SCALE[dtype], parameters)]
    assert all(slope.dtype == "float32" for slope in slopes)
    step = st.function([x, labels], [loss, *slopes], updates=[(p, p - 0.1 * g) for p, g in zip(parameters, slopes)],
                       **options)
    return step, parameters


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(BATCH, SIZES[0])).astype("float32")
    return x, (x[:, :SIZES[-1]]).argmax(axis=1)


@pytest.mark.parametrize("dtype", NARROW)
def test_slopes_are_those_of_float32_within_the_roundings(dtype: str) -> None:
    """Three layers forward and back round what they give to the next, each anew, up and down."""
    (half, _), (single, _) = trainer(dtype), trainer("float32")
    (loss, *slopes), (wanted_loss, *wanted) = half(*data()), single(*data())
    assert abs(loss - wanted_loss) <= 3 * rounding(dtype) * abs(wanted_loss)
    for slope, other in zip(slopes, wanted):
        assert np.linalg.norm(slope - other) <= 3 * rounding(dtype) * np.linalg.norm(other)
        assert np.linalg.norm(slope - other) > 0


@pytest.mark.parametrize("dtype", NARROW)
def test_training_goes_as_in_float32(dtype: str) -> None:
    (half, own), (single, other) = trainer(dtype), trainer("float32")
    losses = np.array([[float(step(*data())[0]) for step in (half, single)] for _ in range(100)])
    assert losses[-1, 1] < 0.3 * losses[0, 1]
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=50 * rounding(dtype))
    for one, two in zip(own, other):
        assert one.get_value().dtype == "float32"
        bound = 20 * rounding(dtype) * abs(two.get_value()).max()
        np.testing.assert_allclose(one.get_value(), two.get_value(), atol=bound)


@pytest.mark.parametrize("dtype", NARROW)
def test_a_narrow_copy_of_the_weights_is_kept_beside_them(dtype: str) -> None:
    """Layers and slopes know the copies alone; steps that are too small for them add up in the float32 weights."""
    masters = [st.shared(value, name=f"p{number}") for number, value in enumerate(weights())]
    copies = [st.shared(value.astype(dtype), name=f"c{number}") for number, value in enumerate(weights())]
    x, labels = T.fmatrix("x"), T.lvector("labels")
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(network(x, copies, dtype)), labels).mean()
    slopes = [slope.astype("float32") / SCALE[dtype] for slope in T.grad(loss * SCALE[dtype], copies)]
    after = [master - 0.1 * slope for master, slope in zip(masters, slopes)]
    step = st.function([x, labels], loss, updates=[*zip(masters, after), *((c, a.astype(dtype)) for c, a in zip(
        copies, after))])
    cast_each_time, own = trainer(dtype)
    losses = [(float(step(*data())), float(cast_each_time(*data())[0])) for _ in range(50)]
    np.testing.assert_allclose(*zip(*losses), rtol=20 * rounding(dtype))
    assert losses[-1][0] < 0.5 * losses[0][0]
    for copy, master, other in zip(copies, masters, own):
        assert copy.get_value().dtype == dtype and master.get_value().dtype == "float32"
        assert copy.get_value().tobytes() == master.get_value().astype(dtype).tobytes()
        bound = 20 * rounding(dtype) * abs(other.get_value()).max()
        np.testing.assert_allclose(master.get_value(), other.get_value(), atol=bound)


@pytest.mark.parametrize("dtype", NARROW)
def test_products_are_narrow_and_the_rest_shares_kernels(dtype: str) -> None:
    step, _ = trainer(dtype)
    assert step.library_calls == 8  # three products forward, three and two back


@pytest.mark.parametrize("narrow", NARROW)
@pytest.mark.parametrize("function", [
    lambda x, y: T.tanh(x * y) + x, lambda x, y: T.nnet.softmax(x + y), lambda x, y: T.dot(x, y.T),
    lambda x, y: T.exp(-T.sqr(x - y)).sum(axis=1), lambda x, y: T.maximum(x, y) * T.sqrt(T.sqr(x) + 1)])
def test_derivatives_in_narrow_floats_are_those_in_float64(function: Any, narrow: str) -> None:
    """Reverse and forward mode, each with as many roundings as the expression has ops."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(3, 4)).astype(narrow) for _ in range(3)]
    found = {}
    for dtype in (narrow, "float64"):
        x, y, v = (T.tensor(dtype, shape=(3, 4), name=name) for name in "xyv")
        z = function(x, y)
        f = st.function([x, y, v], [*T.grad(T.sum(T.sqr(z)), [x, y]), T.Rop(z, x, v)])
        found[dtype] = f(*(array.astype(dtype) for array in arrays))
    for half, exact in zip(found[narrow], found["float64"]):
        assert half.dtype == narrow
        bound = 8 * rounding(narrow)
        np.testing.assert_allclose(half.astype("float64"), exact, rtol=bound, atol=bound * abs(exact).max())


@pytest.mark.parametrize("dtype", NARROW)
def test_verify_grad_takes_narrow_floats(dtype: str) -> None:
    verify_grad(lambda x: T.tanh(x) * x, [np.array([0.5, -1.5, 2.0], dtype)], rng=np.random.RandomState(0))
    with pytest.raises(GradientError):
        verify_grad(lambda x: gradient.grad_scale(T.tanh(x) * x, 2), [np.array([0.5, -1.5, 2.0], dtype)])
