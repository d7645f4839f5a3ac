"""What loses digits or overflows as written gives the right number after the pipeline."""

import mpmath
import numpy as np
import pytest

from symtensor.base.errors import ShapeError
from symtensor.grad.reverse import grad
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.ops.index import Iota, gather, join, subtensor
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.scalar import cos, erf, erfc, exp, log, sigmoid, softplus, sqrt, square, stop_gradient, tanh
from symtensor.ops.shape import broadcast_to, expand_dims, transpose
from symtensor.ops.size import dimension
from symtensor.rewrite.phases import stabilized
from symtensor.runtime.function import function
from symtensor.types.tensor import TensorType
from tests.rewrite.forms import form, integers, matrix, rewritten, text, vector

x, y = (vector(name) for name in "xy")
m = matrix("m")
k = integers("k")


@pytest.mark.parametrize(("expression", "expected"), [
    (log(1 + x), "log1p(x)"), (log(1 - x), "log1p(neg(x))"), (exp(x) - 1, "expm1(x)"), (1 - exp(x), "neg(expm1(x))"),
    (log(1 + exp(x)), "softplus(x)"), (1 / (1 + exp(-x)), "sigmoid(x)"), (exp(x) / (1 + exp(x)), "sigmoid(x)"),
    (exp(-x) / (exp(-x) + 1), "sigmoid(neg(x))"), (y / (1 + exp(-x)), "mul(y, sigmoid(x))"),
    (1 - sigmoid(x), "sigmoid(neg(x))"), (log(sigmoid(x)), "neg(softplus(neg(x)))"),
    (log(1 - sigmoid(x)), "neg(softplus(x))"), (log(1 / (1 + exp(x))), "neg(softplus(x))"),
    (softplus(x) - x, "softplus(neg(x))"), (sigmoid(x) - 1, "neg(sigmoid(neg(x)))"),
    (log(x ** 2), "mul(2.0, log(abs(x)))"), (log(x ** 3), "mul(3.0, log(x))"), (log(sqrt(x)), "mul(0.5, log(x))"),
    (log(exp(x) * y), "add(x, log(y))"), (log(y / exp(x)), "sub(log(y), x)"), (log(x * y), "log(mul(x, y))"),
    (1 - erf(x), "erfc(x)"), (1 + erf(x), "erfc(neg(x))"), (1 - erfc(x), "erf(x)"),
    ((exp(x) - exp(-x)) / (exp(x) + exp(-x)), "tanh(x)"), ((exp(2 * x) - 1) / (exp(2 * x) + 1), "tanh(x)"),
    ((1 - exp(-2 * x)) / (1 + exp(-2 * x)), "tanh(x)"),
    (1 - cos(x), "mul(2.0, square(sin(mul(0.5, x))))"),
    # stable forms stay
    (sigmoid(x), "sigmoid(x)"), (softplus(x), "softplus(x)"), (tanh(x), "tanh(x)"), (log(x), "log(x)"),
    (exp(x - stop_gradient(reduce_axes("max", x, [0]))), "exp(sub(x, max[0](x)))"),
])
def test_forms(expression, expected):
    assert form(expression) in (expected, expected.replace("add(x, log(y))", "add(log(y), x)"))


def values(expression, arrays):
    graph = rewritten([expression])
    return evaluate_graph(graph, [arrays[v.name] for v in graph.inputs])[0]


HUGE = np.array([[1000.0, 0.0, -1000.0], [-2000.0, -2001.0, -1999.0], [1.0, 2.0, 3.0]])


def exact_log_sum_exp(rows):
    with mpmath.workdps(2000):
        return np.array([float(mpmath.log(mpmath.fsum(mpmath.exp(v) for v in row))) for row in rows])


def test_log_sum_exp():
    np.testing.assert_allclose(values(log(sum_axes(exp(m), [1])), {"m": HUGE}), exact_log_sum_exp(HUGE), rtol=1e-15)
    kept = values(log(expand_dims(sum_axes(exp(m), [1]), [1])), {"m": HUGE})
    np.testing.assert_allclose(kept[:, 0], exact_log_sum_exp(HUGE), rtol=1e-15)


def test_log_sum_exp_of_infinities():
    infinite = np.array([[-np.inf, -np.inf], [np.inf, 0.0], [-np.inf, 3.0], [np.nan, 0.0]])
    expected = [-np.inf, np.inf, 3.0, np.nan]
    np.testing.assert_array_equal(values(log(sum_axes(exp(m), [1])), {"m": infinite}), expected)
    pair = {"x": infinite[:, 0], "y": infinite[:, 1]}
    np.testing.assert_array_equal(values(log(exp(x) + exp(y)), pair), expected)


def test_no_largest_of_no_elements():
    x = vector("x", shape=(0,))
    for expression in (log(sum_axes(exp(x), [0])), exp(x) / sum_axes(exp(x), [0])):
        assert "max" not in text(rewritten([expression]).outputs[0])


def test_rows_of_no_elements_have_gradients():
    x = matrix("x")
    total = sum_axes(log(sum_axes(exp(x), [1])), [0])
    (value,) = evaluate(stabilized([total]), {x: np.zeros((3, 0))})
    assert value == -np.inf
    f = function([x], grad(total, x))
    assert f(np.zeros((3, 0))).shape == (3, 0)


def test_log_add_exp():
    pair = {"x": np.array([1000.0, -1000.0, 0.0]), "y": np.array([999.0, -1001.0, -5.0])}
    expected = exact_log_sum_exp(np.stack([pair["x"], pair["y"]], axis=1))
    np.testing.assert_allclose(values(log(exp(x) + exp(y)), pair), expected, rtol=1e-15, atol=1e-15)


def softmax(variable):
    return exp(variable) / expand_dims(sum_axes(exp(variable), [1]), [1])


def test_softmax():
    found = values(softmax(m), {"m": HUGE})
    assert found[0].tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)


def test_log_softmax_of_picked_elements():
    picked = gather(log(softmax(m)), {0: Iota()(dimension(m, 0)), 1: k})
    labels = np.array([2, 0, 1])
    expected = HUGE[np.arange(3), labels] - exact_log_sum_exp(HUGE)
    np.testing.assert_allclose(values(picked, {"m": HUGE, "k": labels}), expected, rtol=1e-15)
    assert "log(true_div" not in text(rewritten([picked]).outputs[0])
    after = gather(softmax(m), {0: Iota()(dimension(m, 0)), 1: k})
    np.testing.assert_allclose(values(log(after), {"m": HUGE, "k": labels}), expected, rtol=1e-15)


def test_log_of_erfc_far_out():
    points = np.array([-3.0, 0.5, 10.0, 25.0, 26.0, 27.0, 100.0, 1e6])
    with mpmath.workdps(60):
        expected = [float(mpmath.log(mpmath.erfc(mpmath.mpf(p)))) if p < 1e4
                    else -p * p - np.log(p * np.sqrt(np.pi)) for p in points]
    np.testing.assert_allclose(values(log(erfc(x)), {"x": points}), expected, rtol=1e-15)


def test_one_sigmoid_is_kept_where_both_are_used():
    s = sigmoid(x)
    graph = rewritten([s, s * (1 - s)])
    assert text(graph.outputs[1]) == "mul(sigmoid(x), sub(1.0, sigmoid(x)))"


def test_stabilized_keeps_names_lines_and_users_variables():
    hidden = square(x)
    hidden.name = "hidden"
    outputs = stabilized([log(1 + exp(hidden)), hidden * 1], [hidden])
    assert outputs[0].owner.op is softplus and outputs[0].owner.inputs == (hidden,)
    assert outputs[1] is hidden
    assert "test_stability.py" in str(outputs[0].lines[0])
    named = log(1 + y)
    named.name = "loss"
    assert stabilized([named])[0].name == "loss"


def test_stabilized_writes_sizes_as_users_do():
    (found,) = stabilized([subtensor(join(0, [m, m]), (slice(None, -1),)) * 0 + 7])
    assert "SizeValue" not in text(found) and "Dimension" in text(found)
    assert evaluate([found], {m: np.ones((2, 3))})[0].tolist() == [[7.0] * 3] * 3


def test_stabilized_keeps_checks_of_indices():
    (found,) = stabilized([gather(x, {0: Iota()(dimension(m, 0))})])
    assert "wrap_index(iota(" in text(found)


def test_stabilized_says_what_sizes_it_relied_on():
    column = TensorType("float64", (None, 1))("column")
    row = broadcast_to(column, [1, 4])  # so the column has one element
    (found,) = stabilized([transpose(row)])
    assert evaluate([found], {column: np.ones((1, 1))})[0].shape == (4, 1)
    with pytest.raises(ShapeError):
        evaluate([found], {column: np.ones((2, 1))})
