"""The benchmarks' own arithmetic: ratios, verdicts, and that a wrong result is never timed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from harness import Case, Failed, check  # noqa: E402
from report import Result, summary  # noqa: E402
from run import collect  # noqa: E402

ROUNDS = {"symtensor": [2.0, 9.0, 1.0], "numpy": [6.0], "jax": [4.0]}


def test_ratio_is_of_medians_to_the_fastest_peer() -> None:
    result = Result(Case("c", bar=2.0), rounds=ROUNDS)
    assert result.rival() == "jax" and result.ratio() == 2.0 and result.met()


def test_named_rival() -> None:
    result = Result(Case("c", bar=4, rival="numpy"), rounds=ROUNDS)
    assert result.rival() == "numpy" and result.ratio() == 3.0 and result.met() is False
    assert Result(Case("c", bar=4, rival="torch"), rounds=ROUNDS).rival() is None


def test_both_bars_count() -> None:
    assert Result(Case("c", bar=2.0, absolute=1.5), rounds=ROUNDS).met() is False
    assert Result(Case("c", absolute=2.5), rounds=ROUNDS).met() is True
    assert Result(Case("c"), rounds=ROUNDS).met() is None


def test_failures_are_shown_and_miss_the_bar() -> None:
    def measure(case: Case, framework: str) -> float:
        if framework == "symtensor":
            raise Failed("no")
        return 1.0

    result = collect(Case("c", bar=1), ["symtensor", "numpy"], 3, measure)
    assert result.cells()[1] == "failed" and result.met() is False
    assert summary([result]) == ["missed: c: -, , bar 1x", "failed: c in symtensor: no"]


def test_a_wrong_result_is_caught() -> None:
    family = SimpleNamespace(reference=lambda: [np.ones(3)])
    check(family, Case("c"), lambda: np.ones(3))
    with pytest.raises(AssertionError):
        check(family, Case("c"), lambda: np.array([1.0, 1.0, 1.1]))
