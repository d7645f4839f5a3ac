"""`explain`: from the user's lines to kernels."""

from __future__ import annotations

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch
from symtensor.tools.explain import explain, parts_of


def softmax_regression():
    x, w, b, y = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b"), T.ivector("y")
    p = T.nnet.softmax(T.dot(x, w) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    return [x, w, b, y], [cost, *st.grad(cost, [w, b])]


def test_every_node_of_a_function_is_in_some_part():
    inputs, outputs = softmax_regression()
    f = st.function(inputs, outputs)
    computed = {node for part in parts_of(f.graph) for node in part.nodes}
    assert computed == set(f.graph.nodes())
    titles = [part.title.split()[0] for part in parts_of(f.graph)]
    assert titles.count("library") == f.library_calls
    text = explain(f)
    assert text.count("library matmul") + text.count("library gemm") == f.library_calls
    assert text.count("  returns ") >= 2


def test_rules_and_lines_are_named():
    x = T.dvector("x")
    y = T.log(1 + x)
    line = y.lines[0].number
    text = explain(y)
    assert "    log_one_plus" in text
    assert f"test_explain.py:{line} in test_rules_and_lines_are_named" in text
    assert "test_explain.py" not in explain(y, lines=False)


def test_kernels_are_those_of_the_function():
    inputs, outputs = softmax_regression()
    f = st.function(inputs, outputs)
    named = {name for part in parts_of(f.graph) if part.title.startswith("kernel ")
             for name in part.title.removeprefix("kernel ").split(", ")}
    assert {kernel.name for kernel in f.kernels} <= named


def test_a_python_op_is_a_part_of_its_own():
    vector = T.dvector

    @st.as_op(itypes=[vector], otypes=[vector], infer_shape=lambda shapes: shapes)
    def sort(x):
        return np.sort(x)

    text = explain(sort(T.dvector("x") * 2) + 1, lines=False)
    assert [line for line in text.splitlines() if not line.startswith(" ") and line] == [
        "kernel mul", "Python sort", "kernel add"]


def test_what_is_no_expression():
    with pytest.raises(TypeMismatch, match="is no expression to explain"):
        explain(3)


@pytest.mark.parametrize("ndim", [0, 1])
def test_a_long_chain(ndim):
    y = T.tensor("float64", shape=(None,) * ndim)
    for _ in range(3000):
        y = T.sin(y)
    assert explain(y, lines=False).count("sin(") == 3000
