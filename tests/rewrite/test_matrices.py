"""What becomes of matrix products."""

import numpy as np
import pytest

from symtensor.ops.contract import matmul, swap_last
from symtensor.ops.reduce import sum_axes
from symtensor.ops.scalar import exp, tanh
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import dimension
from symtensor.types.tensor import TensorType
from tests.rewrite.forms import form, rewritten, tensor3, text

a, b, c, d = (TensorType("float32", (None, None))(name) for name in "abcd")
s, r = (TensorType("float32", ())(name) for name in "sr")
t, u = (tensor3.with_dtype("float32")(name) for name in "tu")
row = TensorType("float32", (1, None))("row")
column = TensorType("float32", (None, 1))("column")


@pytest.mark.parametrize(("expression", "expected"), [
    (c + matmul(a, b), "gemm(c, a, b, 1.0, 1.0)"), (matmul(a, b) + c, "gemm(c, a, b, 1.0, 1.0)"),
    (c - matmul(a, b), "gemm(c, a, b, -1.0, 1.0)"), (matmul(a, b) - c, "gemm(c, a, b, 1.0, -1.0)"),
    (c - s * matmul(a, b), "gemm(c, a, b, neg(s), 1.0)"), (r * c + s * matmul(a, b), "gemm(c, a, b, s, r)"),
    (c - 0.5 * matmul(swap_last(a), b), "gemm(c, dimshuffle[1,0](a), b, -0.5, 1.0)"),
    (c + matmul(a, swap_last(b)), "gemm(c, a, dimshuffle[1,0](b), 1.0, 1.0)"),
    (matmul(a, b) + matmul(c, d), "gemm(matmul(a, b), c, d, 1.0, 1.0)"),
    (matmul(s * a, -b) + c, "gemm(c, a, b, neg(s), 1.0)"), (t + matmul(u, u), "gemm(t, u, u, 1.0, 1.0)"),
    (matmul(a, b) + row, "add(matmul(a, b), row)"), (tanh(matmul(a, b) + c), "tanh(add(matmul(a, b), c))"),
    (tanh(matmul(a, b) + matmul(c, d)), "tanh(gemm(matmul(a, b), c, d, 1.0, 1.0))"),
    (matmul(a, b) + exp(c), "add(matmul(a, b), exp(c))"),
    (swap_last(matmul(a, b)), "matmul(dimshuffle[1,0](b), dimshuffle[1,0](a))"),
    (swap_last(matmul(swap_last(a), swap_last(b))), "matmul(b, a)"),
    (matmul(column, row), "mul(column, row)"), (matmul(2 * a, b), "mul(2.0, matmul(a, b))"),
    (sum_axes(expand_dims(a, [2]) * expand_dims(b, [0]), [1]), "matmul(a, b)"),
    (sum_axes(expand_dims(a, [2]) * expand_dims(swap_last(b), [0]), [1]), "matmul(a, dimshuffle[1,0](b))"),
    (sum_axes(expand_dims(t, [3]) * expand_dims(u, [1]), [2]), "matmul(t, u)"),
    (sum_axes(a * c, [1]), "sum[1](mul(a, c))"),
    (c + matmul(broadcast_to(np.float32(0), [dimension(c, 0), dimension(b, 0)]), b), "c"),
])
def test_forms(expression, expected):
    assert form(expression) in (expected, expected.replace("mul(2.0, matmul(a, b))", "mul(matmul(a, b), 2.0)"))


def test_a_row_times_a_column_is_a_sum():
    assert form(matmul(row, column)).startswith("dimshuffle[0,x](sum[1](mul(")


def test_products_others_use_are_not_accumulated():
    product = matmul(a, b)
    graph = rewritten([c + product, product])
    assert text(graph.outputs[0]) == "add(c, matmul(a, b))"


def test_integers_are_not_accumulated():
    i = TensorType("int64", (None, None))("i")
    assert form(i + matmul(i, i)) == "add(i, matmul(i, i))"


def test_a_training_step_is_one_call_for_each_weight():
    from symtensor.gradient import grad
    x = TensorType("float32", (None, None))("x")
    w = TensorType("float32", (None, None))("w")
    loss = sum_axes(exp(matmul(x, w)), [0, 1])
    graph = rewritten([w - 0.1 * grad(loss, w)])
    ops = [str(node.op) for node in graph.nodes()]
    assert sorted(ops) == ["dimshuffle[1,0]", "exp", "gemm", "matmul"]


