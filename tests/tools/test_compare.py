"""A graph compared with itself, rewritten and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.errors import GraphError
from symtensor.ir.graph import Graph
from symtensor.ir.text import from_text, to_text
from symtensor.rewrite.rule import rule
from symtensor.rewrite.rules import canonicalize
from symtensor.tools.command import main
from symtensor.tools.compare import compared, random_arguments


def text_of(inputs, outputs):
    return to_text(Graph(inputs, outputs))


@pytest.fixture
def wrong_rule():
    @rule(canonicalize, keeps="real")
    def sign_times_itself(x):
        return T.sgn(x) * x, x

    yield sign_times_itself
    canonicalize.rules.remove(sign_times_itself)


def test_all_agree():
    x, w = T.fmatrix("x"), T.fmatrix("w")
    text, status = compared(text_of([x, w], [T.nnet.softmax(T.dot(x, w)), (x + 1).sum()]), {"x.0": 3, "x.1": 5})
    assert status == 0 and text.count("agrees") == 3


def test_a_wrong_rule_is_named(wrong_rule):
    x = T.dvector("x")
    text, status = compared(text_of([x], [T.exp(x), T.sgn(x) * x + T.log(1 + T.exp(x))]))
    assert status == 1
    assert "as written, C        agrees" in text
    assert "rewritten, NumPy     output 1 differs at (" in text
    assert [line for line in text.splitlines() if line.startswith("without")] == ["without sign_times_itself: agrees"]


def test_arguments_fit_the_types():
    n, x, i = T.lscalar("n"), T.dmatrix("x", shape=("a", 3)), T.lvector("i")
    graph = from_text(text_of([n, x, i], [T.zeros((n, 2)), x[i]]))
    count, matrix, index = random_arguments(graph, {"n": 4, "a": 2, "i.0": 6})
    assert int(count) == 4 and matrix.shape == (2, 3) and index.shape == (6,) and index.dtype == "int64"
    again = random_arguments(graph, {"n": 4, "a": 2, "i.0": 6})
    np.testing.assert_array_equal(matrix, again[1])


def test_a_size_that_cannot_be():
    text = "symbol n\ninput %x: float64 (n - 9,)\n%1: float64 (n - 9,) = neg(%x)\nreturn %1"
    with pytest.raises(GraphError, match="is -2 here"):
        compared(text)


def test_command(capsys, tmp_path, wrong_rule):
    x = T.dvector("x")
    (tmp_path / "graph.txt").write_text(text_of([x], [T.sgn(x) * x]))
    assert main(["compare", str(tmp_path / "graph.txt"), "--size", "x.0=30", "--seed", "1"]) == 1
    assert "without sign_times_itself: agrees" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["compare", str(tmp_path / "graph.txt"), "--size", "x.0"])
