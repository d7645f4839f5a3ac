"""What becomes of reductions."""

import pytest

from symtensor.ops.reduce import Reduce, reduce_axes, sum_axes
from symtensor.ops.scalar import exp, invert, log, switch
from symtensor.ops.shape import broadcast_to, dimshuffle, expand_dims, reshape, transpose
from symtensor.ops.size import dimension
from symtensor.types.tensor import TensorType
from tests.rewrite.forms import form, matrix, rewritten, scalar, tensor3, text, vector

x, y = (vector(name) for name in "xy")
a = scalar("a")
m = matrix("m")
t = tensor3("t")
row = TensorType("float64", (1, None))("row")
truths = TensorType("bool", (None, None))("truths")


def most(variable, axes):
    return reduce_axes("max", variable, axes)


@pytest.mark.parametrize(("expression", "expected"), [
    (sum_axes(row, [0]), "dimshuffle[1](row)"), (sum_axes(row, [0, 1]), "dimshuffle[](sum[1](row))"),
    (sum_axes(sum_axes(t, [1]), [0]), "sum[0,1](t)"), (sum_axes(sum_axes(t, [0]), [1]), "sum[0,2](t)"),
    (most(most(m, [0]), [0]), "max[0,1](m)"), (most(sum_axes(m, [0]), [0]), "max[0](sum[0](m))"),
    (sum_axes(transpose(m), [0]), "sum[1](m)"), (sum_axes(dimshuffle(t, [2, 0, 1]), [0]), "sum[2](t)"),
    (sum_axes(dimshuffle(t, [2, 0, 1]), [1]), "dimshuffle[1,0](sum[0](t))"),
    (sum_axes(expand_dims(x, [0]), [0]), "x"), (sum_axes(reshape(m, [-1]), [0]), "sum[0,1](m)"),
    (sum_axes(broadcast_to(a, [3, 4]), [0]), "broadcast[1](mul(a, 3.0), 4)"),
    (sum_axes(broadcast_to(x, [5, dimension(x, 0)]), [0, 1]), "mul(sum[0](x), 5.0)"),
    (most(broadcast_to(x, [5, dimension(x, 0)]), [0]), "x"),
    (reduce_axes("prod", broadcast_to(a, [3]), [0]), "mul(square(a), a)"),
    (sum_axes(-x, [0]), "neg(sum[0](x))"), (most(-m, [1]), "neg(min[1](m))"),
    (sum_axes(a * m, [0]), "mul(sum[0](m), a)"), (sum_axes(m / a, [0, 1]), "true_div(sum[0,1](m), a)"),
    (sum_axes(m * expand_dims(x, [1]), [1]), "mul(sum[1](m), x)"), (sum_axes(m * x, [1]), "sum[1](mul(m, x))"),
    (sum_axes(m * x, [0]), "mul(sum[0](m), x)"), (most(exp(m), [1]), "exp(max[1](m))"),
    (reduce_axes("any", invert(truths), [0]), "invert(all[0](truths))"), (most(log(m), [1]), "max[1](log(m))"),
])
def test_forms(expression, expected):
    assert form(expression) in (expected, expected.replace("mul(square(a), a)", "mul(a, square(a))"))


def test_factors_others_use_stay():
    scaled = m * a
    graph = rewritten([sum_axes(scaled, [0]), scaled])
    assert text(graph.outputs[0]) == "sum[0](mul(m, a))"


def test_any_of_nothing_stays_false():
    spread = broadcast_to(expand_dims(truths, [0]), [0, dimension(truths, 0), dimension(truths, 1)])
    assert "any[0]" in form(Reduce("any", (0,))(spread))


def test_choices_are_not_factors():
    assert form(sum_axes(switch(m > 0, m, 0.0), [1])) == "sum[1](switch(lt(0.0, m), m, 0.0))"
