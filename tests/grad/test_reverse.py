"""grad, Lop and pullback: Theano's semantics, and exact zeros from what was not selected."""

import warnings

import numpy as np
import pytest

from symtensor.base.errors import DisconnectedInputError, GradientError, TypeMismatch
from symtensor.grad.reverse import Lop, grad, pullback
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Op, Variable
from symtensor.ops import scalar
from symtensor.ops.contract import matmul
from symtensor.ops.elementwise import cast, elementwise
from symtensor.ops.index import gather, subtensor
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension
from symtensor.types.tensor import TensorType

number = TensorType("float64", ())
vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))


def total(x):
    return sum_axes(x, range(x.type.ndim))


def slopes(function, points, order=1):
    """The derivative of the given order of an elementwise function, at points."""
    x = vector("x")
    result = function(x)
    for _ in range(order):
        result = grad(total(result), x, disconnected_inputs="ignore")
    return evaluate([result], {x: np.array(points)})[0].tolist()


# -- containers, names, arguments -------------------------------------------------------------------------

def test_the_container_of_wrt_comes_back_and_results_have_names():
    x, y = number("x"), number("y")
    cost = x * y
    cost.name = "cost"
    assert isinstance(grad(cost, [x, y]), list)
    assert isinstance(grad(cost, (x, y)), tuple)
    assert grad(cost, x).name == "dcost/dx"


def test_by_an_intermediate_variable():
    x = number("x")
    square = x * x
    by_square, by_x = evaluate(grad(scalar.exp(square), [square, x]), {x: 0.5})
    assert by_square == np.exp(0.25)
    assert by_x == np.exp(0.25)


def test_an_integer_input_has_zeros_of_floatX():
    x = TensorType("int32", (None,))("x")
    slope = grad(total(x * 2.0), x)
    assert slope.type.dtype == "float64"
    assert evaluate([slope], {x: np.array([1, 2], "int32")})[0].tolist() == [0, 0]


def test_an_integer_cost_has_derivative_zero():
    x = vector("x")
    count = total(cast(scalar.gt(x, 0), "int64"))
    assert evaluate([grad(count, x)], {x: np.ones(2)})[0].tolist() == [0, 0]


def test_the_cost_must_be_a_real_scalar():
    x = vector("x")
    with pytest.raises(TypeMismatch, match="the cost must be a real scalar") as caught:
        grad(x, x)
    assert "take its sum or mean" in str(caught.value)
    z = TensorType("complex128", ())("z")
    with pytest.raises(TypeMismatch, match="complex"):
        grad(z, z)


def test_consider_constant():
    x = number("x")
    square = x * x
    assert evaluate([grad(square * x, x, consider_constant=[square])], {x: 3.0})[0] == 9


def test_known_grads_stand_in_for_the_cost_and_override():
    x = number("x")
    square = x * x
    cube = square * x
    assert evaluate([grad(None, x, known_grads={square: 10.0})], {x: 3.0})[0] == 60
    assert evaluate([grad(cube, x, known_grads={square: 10.0})], {x: 3.0})[0] == 9 + 60
    with pytest.raises(GradientError, match="cost is None"):
        grad(None, x)
    with pytest.raises(TypeMismatch, match="derivative given"):
        grad(None, x, known_grads={square: vector("v")})


def test_disconnected_inputs():
    x, y = number("x"), number("y")
    with pytest.raises(DisconnectedInputError, match="y is in wrt, but nothing") as caught:
        grad(x * 2, y)
    assert "test_reverse.py" in str(caught.value)
    with pytest.warns(UserWarning, match="y is in wrt, but nothing"):
        assert evaluate([grad(x * 2, y, disconnected_inputs="warn")], {y: 1.0})[0] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(x * 2, y, disconnected_inputs="ignore", return_disconnected="None") is None
    with pytest.raises(GradientError, match="not treated as 'no'"):
        grad(x * 2, y, disconnected_inputs="no")


def test_shapes_positions_and_stopped_gradients_disconnect():
    x = vector("x")
    i = TensorType("int64", ())("i")
    size = scalar.mul(dimension(x, 0), 1.0)
    for cost, wrt in [(size, x), (total(scalar.stop_gradient(x)), x), (subtensor(x, (i,)), i)]:
        with pytest.raises(DisconnectedInputError):
            grad(cost, wrt)


def test_connected_with_derivative_zero():
    assert slopes(scalar.floor, [1.5]) == [0]
    x = vector("x")
    assert evaluate([grad(total(scalar.gt(x, 0) * 2.0), x)], {x: np.ones(1)})[0].tolist() == [0]


def test_simplify_sees_the_cost_and_what_to_keep():
    x = number("x")
    cost = scalar.log(scalar.exp(x))
    seen = []

    def simplify(outputs, keep):
        seen.append((list(outputs), list(keep)))
        return [x * 1]

    assert evaluate([grad(cost, x, simplify=simplify)], {x: 1000.0})[0] == 1
    assert seen == [([cost], [x])]


def test_an_op_without_derivative_is_named_with_its_line():
    class Opaque(Op):
        def infer(self, x):
            return x.type

    x = number("x")
    opaque = Opaque()(x)
    with pytest.raises(GradientError, match="Opaque.. has no derivative") as caught:
        grad(opaque, x)
    assert "opaque = Opaque()(x)" in str(caught.value)


def test_a_pullback_of_the_wrong_type_is_an_error():
    class Skewed(Op):
        def infer(self, x):
            return x.type

        def pullback(self, x, y, dy):
            return total(dy)

    x = vector("x")
    with pytest.raises(GradientError, match="the pullback of Skewed.. gave float64"):
        grad(total(Skewed()(x)), x)


def test_lop_of_several_outputs():
    x, v, w = vector("x"), vector("v"), vector("w")
    values = {x: np.array([1.0, 2.0]), v: np.array([1.0, 1.0]), w: np.array([0.0, 1.0])}
    assert evaluate([Lop([x * x, scalar.exp(x)], x, [v, w])], values)[0].tolist() == [2.0, 4.0 + np.exp(2.0)]
    with pytest.raises(TypeMismatch, match="Lop: 1 eval_points are given for 2 variables"):
        Lop([x, x], x, [v])


def test_gradient_nodes_carry_the_line_of_what_they_are_the_gradient_of():
    x = number("x")
    y = scalar.exp(x)
    slope = grad(y * 2, x)
    assert slope.owner.lines == y.owner.lines


# -- broadcasting -----------------------------------------------------------------------------------------

def test_operands_that_broadcast_get_sums():
    a, b = matrix("a"), number("b")
    row, column = TensorType("float64", (1, None))("row"), TensorType("float64", (None, 1))("column")
    found = grad(total(a * row * column * b), [a, row, column, b])
    rng = np.random.default_rng(0)
    values = [rng.normal(size=s) for s in ((3, 4), (1, 4), (3, 1), ())]
    A, R, C, B = values
    wanted = [R * C * B + 0 * A, (A * C * B).sum(0, keepdims=True), (A * R * B).sum(1, keepdims=True),
              (A * R * C).sum()]
    for got, want, value in zip(evaluate(found, dict(zip([a, row, column, b], values))), wanted, values, strict=True):
        assert got.shape == value.shape
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_an_operand_that_broadcasts_where_something_else_is_selected():
    x, b = vector("x"), number("b")
    cost = total(scalar.switch(scalar.gt(x, 0), scalar.log(x) * b, b))
    assert evaluate([grad(cost, b)], {x: np.array([0.0, np.e, -1.0]), b: 2.0})[0] == 3.0


def test_one_operand_used_many_times():
    x = number("x")
    assert evaluate([grad(x * x * x + x * x, x)], {x: 2.0})[0] == 16


def test_matrix_product():
    a, b = matrix("a"), matrix("b")
    A, B = np.arange(6.0).reshape(2, 3), np.ones((3, 2))
    da, db = evaluate(grad(total(matmul(a, b)), [a, b]), {a: A, b: B})
    assert da.tolist() == [[2] * 3] * 2
    assert db.tolist() == [[3, 3], [5, 5], [7, 7]]


def test_positions_read_twice_count_twice():
    x, i = vector("x"), TensorType("int64", (None,))("i")
    found = evaluate([grad(total(gather(x, {0: i})), x)], {x: np.ones(3), i: np.array([0, 2, -1])})[0]
    assert found.tolist() == [1, 0, 2]


# -- exact zeros ------------------------------------------------------------------------------------------

SELECTED = {
    "log": (lambda x: scalar.switch(scalar.gt(x, 0), scalar.log(x), 0), [0, 0, 0.5]),
    "sqrt": (lambda x: scalar.switch(scalar.gt(x, 0), scalar.sqrt(x), 0), [0, 0, 0.5 / np.sqrt(2)]),
    "division": (lambda x: scalar.switch(scalar.neq(x, 0), 1 / x, 0), [0, -1, -0.25]),
    "else branch": (lambda x: scalar.switch(scalar.le(x, 0), 0, scalar.log(x)), [0, 0, 0.5]),
    "both branches": (lambda x: scalar.switch(scalar.gt(x, 0), scalar.log(x), 3 * x), [3, 3, 0.5]),
    "maximum": (lambda x: scalar.maximum(scalar.log(scalar.maximum(x, 0)), -1), [0, 0, 0.5]),
    "nested": (lambda x: scalar.switch(scalar.gt(x, 0), scalar.switch(scalar.gt(x, 1), scalar.log(x - 1) * 2, 1), 0),
               [0, 0, 2]),
    "chain": (lambda x: scalar.switch(scalar.gt(x, 1), scalar.exp(scalar.sqrt(scalar.log(x - 1) + 1)), 0),
              [0, 0, np.exp(1) / 2]),
    "different masks meet": (lambda x: scalar.switch(scalar.gt(x, 0), scalar.log(x), 0)
                             + scalar.switch(scalar.gt(x, 1), scalar.log(x), 0), [0, 0, 1]),
    "masks meet below an infinite slope": (
        lambda x: (lambda y: scalar.switch(scalar.gt(x, 0), y * 2, 0) + scalar.switch(scalar.gt(x, 1), y, 0))(
            scalar.log(x)), [0, 0, 1.5]),
    "mask made before the slope": (lambda x: scalar.sqrt(scalar.switch(scalar.gt(x, 0), x, 0)),
                                   [0, 0, 0.5 / np.sqrt(2)]),
}


@pytest.mark.parametrize("name", SELECTED)
def test_what_is_not_selected_has_derivative_zero(name):
    function, wanted = SELECTED[name]
    assert slopes(function, [0.0, -1.0, 2.0]) == pytest.approx(wanted, abs=0, rel=1e-14)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("name", ["log", "sqrt", "chain", "nested", "masks meet below an infinite slope"])
def test_so_have_higher_derivatives(name, order):
    function, _ = SELECTED[name]
    low, lower, selected = slopes(function, [0.0, -1.0, 2.0], order)
    assert low == 0
    assert lower == 0
    assert np.isfinite(selected)
    assert selected != 0


def test_the_largest_of_an_axis_selects():
    x = matrix("x")
    cost = total(reduce_axes("max", scalar.log(x), [1]))
    assert evaluate([grad(cost, x)], {x: np.array([[0.0, 2.0], [4.0, 0.0]])})[0].tolist() == [[0, 0.5], [0.25, 0]]


def test_a_mask_is_applied_before_a_reduction():
    x, w = vector("x"), matrix("w")
    hidden = scalar.switch(scalar.gt(x, 0), scalar.log(x), 0)
    product = matmul(w, expand_dims(hidden, [1]))
    assert evaluate([grad(total(product), x)], {x: np.array([0.0, 2.0]), w: np.ones((3, 2))})[0].tolist() == [0, 1.5]


# -- elementwise ops made from bodies ---------------------------------------------------------------------

swish = elementwise(lambda x: x * scalar.sigmoid(x), name="test_swish")
blend = elementwise(lambda x, y: x * y + scalar.sin(y), name="test_blend")
safe_log = elementwise(lambda x: scalar.switch(scalar.gt(x, 0), scalar.log(x), 0), name="test_safe_log")


def test_a_body_is_differentiated():
    s = 1 / (1 + np.exp(-0.5))
    assert slopes(swish, [0.5]) == pytest.approx([s + 0.5 * s * (1 - s)], rel=1e-14)
    assert slopes(safe_log, [0.0, 2.0]) == [0, 0.5]
    assert slopes(lambda x: scalar.switch(scalar.gt(x, 1), safe_log(scalar.log(x)), 0), [0.0, np.e]) == [0, 1 / np.e]


def test_a_body_given_one_variable_twice():
    assert slopes(lambda x: blend(x, x), [0.5]) == pytest.approx([1.0 + np.cos(0.5)], rel=1e-14)


def test_a_body_whose_operand_broadcasts():
    x, b = vector("x"), number("b")
    found = evaluate(grad(total(blend(x, b)), [x, b]), {x: np.array([1.0, 2.0]), b: 0.5})
    assert found[0].tolist() == [0.5, 0.5]
    assert found[1] == pytest.approx(3 + 2 * np.cos(0.5), rel=1e-14)


# -- size -------------------------------------------------------------------------------------------------

def test_a_long_chain_needs_no_recursion():
    x = number("x")
    y = x
    for _ in range(30_000):
        y = Variable.__add__(y, x)
    assert evaluate([grad(y, x)], {x: 1.0})[0] == 30_001


def test_pullback_answers_none_for_exact_zero():
    x, y = vector("x"), vector("y")
    assert pullback([scalar.floor(x)], [y], [x, y]) == [None, None]
