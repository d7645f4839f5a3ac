"""What becomes of sizes, spreading, permuted axes, shapes, parts and joins."""

import numpy as np
import pytest

from symtensor.base.errors import IndexOutOfRange, ShapeError
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.node import Constant
from symtensor.ops.contract import matmul
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota, gather, join, scatter, set_subtensor, stack, subtensor
from symtensor.ops.scalar import exp, sqrt, square, stop_gradient, switch, tanh
from symtensor.ops.shape import SpecifyShape, broadcast_to, dimshuffle, drop_axes, expand_dims, reshape, transpose
from symtensor.ops.size import dimension, integer
from tests.rewrite.forms import form, integers, matrix, rewritten, scalar, tensor3, text, vector
from tests.rewrite.forms import integer as integer_type

x, y = (vector(name) for name in "xy")
a = scalar("a")
m, w = (matrix(name) for name in "mw")
t = tensor3("t")
k = integers("k")
n = integer_type("n")


def rows(variable):
    return dimension(variable, 0)


@pytest.mark.parametrize(("expression", "expected"), [
    (rows(exp(m) + 1), "SizeValue(size=m.0)()"), (rows(matmul(m, w)) * 2 + 1, "SizeValue(size=2*m.0 + 1)()"),
    (rows(reshape(m, [-1])) // rows(m), "SizeValue(size=(m.0*m.1 // m.0))()"), (rows(m) - rows(m), "0"),
    (rows(subtensor(m, (slice(1, None),))), "SizeValue(size=max(0, m.0 - 1))()"),
    (rows(broadcast_to(a, [n, 2])), "SizeValue(size=n)()"), (dimension(broadcast_to(a, [n, 2]), 1), "2"),
    (cast(rows(x), "float64") * 2, "mul(2.0, cast[float64](SizeValue(size=x.0)()))"), (stop_gradient(x), "x"),
])
def test_sizes(expression, expected):
    assert form(expression) in (expected, expected.replace("mul(2.0, cast[float64](SizeValue(size=x.0)()))",
                                                           "mul(cast[float64](SizeValue(size=x.0)()), 2.0)"))


@pytest.mark.parametrize(("expression", "expected"), [
    (broadcast_to(1.0, [rows(x)]) + x, "add(1.0, x)"),
    (exp(broadcast_to(a, [rows(x)])), "broadcast[1](exp(a), SizeValue(size=x.0)())"),
    (broadcast_to(broadcast_to(a, [rows(x)]), [rows(m), rows(x)]) * a,
     "broadcast[2](square(a), SizeValue(size=m.0)(), SizeValue(size=x.0)())"),
    (transpose(broadcast_to(a, [rows(m), 3])), "broadcast[2](a, 3, SizeValue(size=m.0)())"),
    (reshape(broadcast_to(a, [rows(m), 3]), [-1]), "broadcast[1](a, SizeValue(size=3*m.0)())"),
    (subtensor(broadcast_to(a, [rows(m), 3]), (0,)), "broadcast[1](a, 3)"),
    (join(0, [broadcast_to(a, [2]), broadcast_to(a, [3])]), "broadcast[1](a, 5)"),
    (expand_dims(x, [0]) * m, "mul(x, m)"), (m + expand_dims(expand_dims(a, [0]), [0]), "add(m, a)"),
    (m * np.ones((1, 4)), "m"),
])
def test_spreading(expression, expected):
    assert form(expression) == expected


@pytest.mark.parametrize(("expression", "expected"), [
    (transpose(transpose(m)), "m"), (dimshuffle(dimshuffle(x, ["x", 0]), [1]), "x"),
    (transpose(exp(transpose(m))), "exp(m)"),
    (transpose(exp(m) + x), "add(exp(dimshuffle[1,0](m)), dimshuffle[0,x](x))"),
    (transpose(matmul(m, w)), "matmul(dimshuffle[1,0](w), dimshuffle[1,0](m))"),
    (reshape(reshape(m, [-1]), [rows(m), dimension(m, 1)]), "m"), (reshape(x, [1, -1]), "dimshuffle[x,0](x)"),
    (reshape(expand_dims(m, [1]), [-1]), "reshape[1](m, SizeValue(size=m.0*m.1)())"),
    (reshape(transpose(m), [-1]), "reshape[1](dimshuffle[1,0](m), SizeValue(size=m.0*m.1)())"),
    (reshape(exp(reshape(m, [-1])), [rows(m), dimension(m, 1)]), "exp(m)"),
    (drop_axes(expand_dims(m, [1]), [1]), "m"), (exp(expand_dims(x, [1])), "dimshuffle[0,x](exp(x))"),
    (exp(dimshuffle(m, [1, "x", 0])), "dimshuffle[0,x,1](exp(dimshuffle[1,0](m)))"),
    (expand_dims(x, [1]) + expand_dims(y, [1]), "dimshuffle[0,x](add(x, y))"),
    (expand_dims(x, [1]) + expand_dims(y, [0]), "add(dimshuffle[0,x](x), y)"),
    (m + expand_dims(-x, [1]), "sub(m, dimshuffle[0,x](x))"),
    (m - expand_dims(x - 1.0, [1]) - 1.0, "sub(m, dimshuffle[0,x](x))"),
    (square(m / expand_dims(sqrt(x), [1])), "true_div(square(m), dimshuffle[0,x](x))"),
    (m / expand_dims(x, [1]) * expand_dims(x * y, [1]), "mul(dimshuffle[0,x](y), m)"),
])
def test_views(expression, expected):
    assert form(expression) == expected


def test_axes_of_a_value_others_use_stay():
    e = exp(m)
    graph = rewritten([transpose(e), e])
    assert [text(v) for v in graph.outputs] == ["dimshuffle[1,0](exp(m))", "exp(m)"]


def test_new_axes_do_not_keep_users_from_sharing():
    e = exp(expand_dims(x, [1]))
    graph = rewritten([drop_axes(e, [1]), e * m, transpose(e), exp(x)])
    assert [text(v) for v in graph.outputs] == ["exp(x)", "mul(dimshuffle[0,x](exp(x)), m)", "dimshuffle[x,0](exp(x))",
                                                "exp(x)"]
    assert sum(node.op is exp for node in graph.nodes()) == 1


def test_specified_shapes_become_equations():
    (promised,) = SpecifyShape(1).make(x, integer(3))
    graph = rewritten([promised * 2])
    assert text(graph.outputs[0]) == "mul(2.0, x)" or text(graph.outputs[0]) == "mul(x, 2.0)"
    with pytest.raises(ShapeError):
        evaluate_graph(graph, [np.zeros(4)])


@pytest.mark.parametrize(("expression", "expected"), [
    (subtensor(m, (slice(0, None), slice(None))), "m"), (subtensor(m, (slice(0, rows(m)),)), "m"),
    (subtensor(subtensor(m, (slice(1, None),)), (0,)), "subtensor[i, :](m, 1)"),
    (subtensor(subtensor(m, (1,)), (2,)), "subtensor[i, i](m, 1, 2)"),
    (subtensor(subtensor(x, (slice(None, None, 2),)), (1,)), "subtensor[i](x, 2)"),
    (subtensor(subtensor(x, (slice(None, None, -1),)), (0,)), "subtensor[i](x, SizeValue(size=x.0 - 1)())"),
    (subtensor(exp(m) + x, (1,)), "add(exp(subtensor[i, :](m, 1)), x)"),
    (subtensor(exp(m) * expand_dims(x, [1]), (1, 2)), "mul(exp(subtensor[i, i](m, 1, 2)), subtensor[i](x, 1))"),
    (subtensor(transpose(m), (0,)), "subtensor[:, i](m, 0)"),
    (subtensor(transpose(m), (slice(None, 2),)), "dimshuffle[1,0](subtensor[:, :i](m, 2))"),
    (subtensor(expand_dims(m, [0]), (0,)), "m"), (subtensor(join(0, [x, y]), (0,)), "subtensor[i](join[0](x, y), 0)"),
    (subtensor(join(0, [x, y]), (slice(None, rows(x)),)), "x"),
    (subtensor(join(0, [x, y]), (slice(rows(x), rows(x) + rows(y)),)), "y"),
    (subtensor(stack([x, y]), (1,)), "y"), (subtensor(Iota()(n), (1,)), "1"),
    (subtensor(set_subtensor(x, (1,), a), (1,)), "a"), (set_subtensor(x, (1,), subtensor(x, (1,))), "x"),
    (subtensor(set_subtensor(x, (1,), a, add=True), (1,)), "add(subtensor[i](x, 1), a)"),
    (set_subtensor(x, (slice(1, 3),), Constant(0.0), add=True), "x"),
    (set_subtensor(x, (slice(None),), a), "broadcast[1](a, SizeValue(size=x.0)())"),
    (set_subtensor(x, (slice(None),), a, add=True), "add(x, a)"),
    (set_subtensor(broadcast_to(0.0, [rows(x)]), (1,), a, add=True),
     "set_subtensor[i](broadcast[1](0.0, SizeValue(size=x.0)()), a, 1)"),
    (set_subtensor(x, (slice(1, 3),), broadcast_to(a, [2])), "set_subtensor[i:i](x, a, 1, 3)"),
    (join(0, [join(0, [x, y]), x]), "join[0](x, y, x)"), (join(0, [x, broadcast_to(0.0, [0])]), "x"),
])
def test_parts(expression, expected):
    assert form(expression) == expected


LABELS = "wrap_index(k, SizeValue(size=m.1)())"


@pytest.mark.parametrize(("expression", "expected"), [
    (gather(m, {0: Iota()(rows(m))}), "m"),
    (gather(exp(m), {0: Iota()(rows(k)), 1: k}), f"exp(gather[0,1](m, iota(SizeValue(size=k.0)()), {LABELS}))"),
    (gather(exp(m) + expand_dims(x, [1]), {0: Iota()(rows(m)), 1: k}),
     f"add(exp(gather[0,1](m, iota(SizeValue(size=m.0)()), {LABELS})), x)"),
    (gather(tanh(m), {0: k}), "gather[0](tanh(m), wrap_index(k, SizeValue(size=m.0)()))"),
    (scatter(broadcast_to(0.0, [rows(m), dimension(m, 1)]), {0: Iota()(rows(m)), 1: k}, x, add=True),
     f"switch(eq(iota(SizeValue(size=m.1)()), dimshuffle[0,x]({LABELS})), dimshuffle[0,x](x), 0.0)"),
    (scatter(x, {0: Iota()(integer(3))}, a, add=True), "inc_subtensor[:i](x, a, 3)"),
])
def test_integer_arrays(expression, expected):
    assert form(expression) == expected


def test_a_count_beyond_the_axis_is_an_equation():
    graph = rewritten([gather(x, {0: Iota()(n)})])
    assert text(graph.outputs[0]) == "gather[0](x, iota(n))"
    arrays = {"x": np.arange(3.0), "n": np.int64(2)}
    assert evaluate_graph(graph, [arrays[v.name] for v in graph.inputs])[0].tolist() == [0, 1]
    with pytest.raises(IndexOutOfRange, match="index n - 1 is out of range"):
        evaluate_graph(graph, [{**arrays, "n": np.int64(4)}[v.name] for v in graph.inputs])


def test_the_sum_of_a_one_hot_row_is_its_number():
    from symtensor.ops.reduce import sum_axes
    from symtensor.ops.scalar import eq, wrap_index
    hot = eq(Iota()(dimension(m, 1)), expand_dims(wrap_index(k, dimension(m, 1)), [1]))
    expected = "x"
    assert form(sum_axes(switch(hot, expand_dims(x, [1]), 0.0), [1])) == expected


@pytest.mark.parametrize(("start", "stop", "step"), [(5, None, -1), (None, None, -1), (2, 7, 2), (-3, None, 1)])
@pytest.mark.parametrize("outer", [slice(1, None), slice(None, None, -1), slice(None, -2, 2), slice(-1, None, -3), 0])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 6, 11])
def test_a_slice_of_a_slice_is_that_part(start, stop, step, outer, length):
    inner, values = slice(start, stop, step), np.arange(float(length))
    graph = rewritten([subtensor(subtensor(x, (inner,)), (outer,))])
    if outer != 0:
        np.testing.assert_array_equal(evaluate_graph(graph, [values])[0], values[inner][outer])
    elif values[inner].size:
        assert evaluate_graph(graph, [values])[0] == values[inner][0]


def test_slices_of_slices_are_one_short_slice():
    reversed_twice = subtensor(subtensor(x, (slice(None, None, -1),)), (slice(None, None, -1),))
    assert form(reversed_twice) == "x"
    deep = x
    for _ in range(6):
        deep = subtensor(subtensor(deep, (slice(1, None),)), (slice(None, -1),))
    assert form(deep) == "subtensor[i:i](x, 6, SizeValue(size=max(6, x.0 - 6))())"


def test_a_size_that_is_one_by_an_equation_only_does_not_broadcast():
    every_other = subtensor(y, (slice(None, None, 2),))
    graph = rewritten([cast(broadcast_to(every_other, [integer(1)]), "int64"), x + y])
    found, _ = evaluate_graph(graph, [np.array([1.5, 2.0]), np.array([1.0, 2.0])][::-1])
    assert found.tolist() == [1]


def test_a_position_on_an_axis_of_size_one_is_checked():
    row = matrix("row").type.clone(shape=(1, None))("row")
    picked = gather(tanh(row), {0: k, 1: k})
    graph = rewritten([picked])
    assert evaluate_graph(graph, [np.ones((1, 3)), np.array([0])])[0].tolist() == [np.tanh(1.0)]
    with pytest.raises(IndexOutOfRange):
        evaluate_graph(graph, [np.ones((1, 3)), np.array([1])])
