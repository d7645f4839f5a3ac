"""The network of the examples trained on a device: as on the processor, in few launches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symtensor.base.config import config
from symtensor.lower.program import BufferKind
from symtensor.runtime.core import core
from symtensor.types.dtype import NARROW
from tests.tensor import test_mixed_precision as mixed
from tests.training import Perceptron

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import mnist_mlp  # noqa: E402

STEPS = 20


def trainer(device: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(mnist_mlp, "SIZES", (784, 60, 60, 10))
    rng = np.random.default_rng(0)
    digits = mnist_mlp.Digits(rng.random((STEPS * mnist_mlp.BATCH, 784), dtype="float32"),
                              rng.integers(0, 10, STEPS * mnist_mlp.BATCH).astype("int32"))
    with config.change(device=device):
        return mnist_mlp.build(digits)


def test_training(monkeypatch: pytest.MonkeyPatch) -> None:
    on_device, reference = (trainer(device, monkeypatch) for device in ("cuda", "cpu"))
    for number in range(STEPS):
        np.testing.assert_allclose(on_device.step(number), reference.step(number), rtol=1e-5)
    for own, other in zip(on_device.step.shared, reference.step.shared, strict=True):
        assert own.name == other.name and isinstance(own.storage.value, core.DeviceArray)
        np.testing.assert_allclose(own.get_value(), other.get_value(), rtol=1e-4, atol=1e-6)
    images = np.random.default_rng(1).random((30, 784), dtype="float32")
    assert (on_device.predict(images) == reference.predict(images)).mean() > 0.9


def test_a_step_takes_few_launches_and_moves_the_loss_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    step = trainer("cuda", monkeypatch).step
    placement = step.placement
    assert placement.launches["cpu"] == placement.library_calls == placement.python_calls == 0
    assert placement.launches["cuda0"] <= 25
    (move,) = placement.moves
    assert move.source == "cuda0" and move.target == "cpu"
    assert not placement.on_processor
    assert all(buffer.device == 1 for buffer in step.program.buffers if buffer.kind is BufferKind.SHARED)


@pytest.mark.parametrize(("method", "most"), [("sgd", 17), ("momentum", 18), ("adam", 19)])
def test_updates_of_all_parameters_are_few_launches(method: str, most: int) -> None:
    step = Perceptron.trained_alike(method)
    assert step.placement.launches["cuda0"] == most
    assert {move.value for move in step.placement.moves if move.target == "cuda0"} == {"images", "labels"}
    assert len(step.placement.moves) == 3


@pytest.mark.parametrize("dtype", NARROW)
def test_mixed_precision(dtype: str) -> None:
    """Weights in float32, layers in narrow floats on the device, by tensor cores."""
    (on_device, own), (reference, other) = (mixed.trainer(dtype, device=device) for device in ("cuda", "cpu"))
    assert on_device.placement.library_calls == 0 and not on_device.placement.on_processor
    text = "".join(kernel.text for kernel in on_device.kernels)
    assert f"gemm<{dtype}" in text
    for _ in range(3):
        loss, *slopes = on_device(*mixed.data())
        wanted_loss, *wanted = reference(*mixed.data())
        np.testing.assert_allclose(loss, wanted_loss, rtol=4 * mixed.rounding(dtype))
        for slope, expected in zip(slopes, wanted):
            assert np.linalg.norm(slope - expected) <= 10 * mixed.rounding(dtype) * np.linalg.norm(expected)
    for one, two in zip(own, other):
        np.testing.assert_allclose(one.get_value(), two.get_value(), atol=10 * mixed.rounding(dtype))
