"""jacobian, hessian and the vectorizing of graphs under them."""

import numpy as np
import pytest

from symtensor.base.errors import DisconnectedInputError, GradientError, TypeMismatch
from symtensor.grad.jacobian import hessian, jacobian
from symtensor.grad.reverse import grad
from symtensor.ir.interpret import evaluate
from symtensor.ops import scalar
from symtensor.ops.contract import matmul
from symtensor.ops.convert import constant
from symtensor.ops.index import gather, nonzero, scatter
from symtensor.ops.reduce import sum_axes
from symtensor.ops.shape import dimshuffle, reshape
from symtensor.ops.size import dimension
from symtensor.ops.vectorize import _rules, vectorize
from symtensor.testing.examples import examples_of
from symtensor.testing.verify_grad import variables_for
from symtensor.types.tensor import TensorType
from tests.grad.test_forward import FUNCTIONS

vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))


def stacked(function, x, point, shape):
    """The jacobian by gradients of single elements."""
    flat = reshape(function(x), (-1,))
    rows = []
    for number in range(int(np.prod(shape))):
        row = np.zeros(int(np.prod(shape)))
        row[number] = 1
        rows.append(grad(sum_axes(flat * row, [0]), x, disconnected_inputs="ignore"))
    return np.reshape(evaluate(rows, {x: point}), (*shape, *point.shape))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_of_a_jacobian_are_gradients(name):
    x = matrix("x")
    point = np.random.default_rng(3).normal(size=(3, 4))
    value, found = evaluate([FUNCTIONS[name](x), jacobian(FUNCTIONS[name](x), x)], {x: point})
    np.testing.assert_allclose(found, stacked(FUNCTIONS[name], x, point, value.shape), rtol=1e-12, atol=1e-14)


def test_containers_constants_and_disconnected_variables():
    x, y = vector("x"), vector("y")
    square = x * x
    found = jacobian(square * x, (x, y), disconnected_inputs="ignore")
    assert isinstance(found, tuple)
    values = evaluate(found, {x: np.array([1.0, 2.0]), y: np.ones(3)})
    assert values[0].tolist() == [[3, 0], [0, 12]]
    assert values[1].tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(DisconnectedInputError, match="y is in wrt"):
        jacobian(x, y)
    held = jacobian(square * x, x, consider_constant=[square])
    assert evaluate([held], {x: np.array([1.0, 2.0])})[0].tolist() == [[1, 0], [0, 4]]
    with pytest.raises(TypeMismatch, match="must be of floats"):
        jacobian(scalar.gt(x, 0), x)


def test_hessian_of_quadratic_and_linear_forms():
    x = vector("x")
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    column = dimshuffle(x, (0, "x"))
    form = sum_axes(matmul(dimshuffle(x, ("x", 0)), matmul(constant(a), column)), [0, 1])
    found = evaluate([hessian(form, x), hessian(sum_axes(x * 3, [0]), x)], {x: np.array([0.3, 0.4])})
    np.testing.assert_allclose(found[0], a + a.T, rtol=1e-12)
    assert found[1].tolist() == [[0, 0], [0, 0]]


def test_hessian_of_a_matrix_and_third_derivatives():
    x = matrix("x")
    found = hessian(sum_axes(scalar.exp(x), [0, 1]), x)
    point = np.array([[0.1, 0.2], [0.3, 0.4]])
    third = jacobian(found, x)
    second, cubic = evaluate([found, third], {x: point})
    np.testing.assert_allclose(second.reshape(4, 4), np.diag(np.exp(point).ravel()), rtol=1e-12)
    assert cubic.shape == (2,) * 6
    assert cubic[0, 1, 0, 1, 0, 1] == pytest.approx(np.exp(0.2), rel=1e-12)


def test_what_is_not_selected_stays_zero():
    x = vector("x")
    found = evaluate([jacobian(scalar.switch(scalar.gt(x, 0), scalar.log(x), 0), x)], {x: np.array([0.0, 2.0])})
    assert found[0].tolist() == [[0, 0], [0, 0.5]]


@pytest.mark.parametrize("cls", [cls for cls in _rules if cls.__name__ not in ("Elementwise", "Cast")],
                         ids=lambda cls: cls.__name__)
def test_every_rule_gives_what_one_by_one_gives(cls):
    """Each example of the class, with float operands near its own given three at once, alone and together."""
    rng = np.random.default_rng(4)
    for example in examples_of(cls):
        inputs = variables_for(example.arrays)
        outputs = example.op.make(*inputs)
        if getattr(example.op, "until", False):
            continue  # would end at different steps: refused
        floats = [i for i, array in enumerate(example.arrays) if array.dtype.kind == "f"]
        for chosen in {tuple(floats), tuple(floats[:1]), tuple(floats[-1:])} - {()}:
            arrays = {i: (example.arrays[i] + 0.1 * rng.normal(size=(3, *example.arrays[i].shape)))
                      .astype(example.arrays[i].dtype) for i in chosen}
            many = dict(zip((inputs[i] for i in chosen), variables_for(list(arrays.values()))))
            values = dict(zip(inputs, example.arrays))
            found = evaluate(vectorize(outputs, many), {**values, **dict(zip(many.values(), arrays.values()))})
            for number in range(3):
                single = {**values, **{inputs[i]: array[number] for i, array in arrays.items()}}
                for one, expected in zip(found, evaluate(outputs, single)):
                    is_double = expected.dtype.name in ("float64", "complex128")
                    np.testing.assert_allclose(one[number], expected, *((1e-12, 1e-14) if is_double else (1e-5, 1e-6)))


def test_elementwise_operands_of_all_ranks():
    x, y = matrix("x"), vector("y")
    many_x, many_y = TensorType("float64", [None] * 3)("xs"), matrix("ys")
    X, Y = np.arange(24.0).reshape(2, 3, 4), np.arange(8.0).reshape(2, 4)
    both, left, right, plain = (vectorize([v], m)[0] for v, m in [
        (x + y, {x: many_x, y: many_y}), (x + y, {x: many_x}), (x + y, {y: many_y}), (x * 1, {y: many_y})])
    found = evaluate([both, left, right, plain], {many_x: X, many_y: Y, x: X[0], y: Y[0]})
    np.testing.assert_array_equal(found[0], X + Y[:, None])
    np.testing.assert_array_equal(found[1], X + Y[0])
    np.testing.assert_array_equal(found[2], X[0] + Y[:, None])
    np.testing.assert_array_equal(found[3], np.stack([X[0]] * 2))


def test_sizes_are_one_for_all():
    x, many = vector("x"), matrix("xs")
    mean = sum_axes(x, [0]) / dimension(x, 0)
    assert evaluate(vectorize([mean, dimension(x, 0)], {x: many}), {many: np.array([[1.0, 3.0], [5.0, 7.0]])}) \
        == [pytest.approx([2, 6]), pytest.approx([2, 2])]


def test_sizes_that_differ_are_refused():
    x = vector("x")
    (places,) = nonzero(scalar.gt(x, 0))
    with pytest.raises(GradientError, match="nonzero would have different sizes along an axis of many values(.*\n)*"
                                            "  fix      compute the values one by one, or pad them"):
        vectorize([places], {x: matrix("xs")})


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_positions_that_differ(axes, rank):
    """Elements read and written at positions of which some, or the tensor, or what is written differ."""
    rng = np.random.default_rng(5)
    x, y = TensorType("float64", [None] * 3)("x"), TensorType("float64", [None] * (3 - len(axes) + rank))("y")
    indices = [TensorType("int64", [None] * rank)(f"i{axis}") for axis in axes]
    shape = (3, 4, 5)
    values = {x: rng.normal(size=shape)}
    values.update({i: rng.integers(0, shape[axis], (2, 3)[:rank]) for i, axis in zip(indices, axes)})
    read, = evaluate([gather(x, dict(zip(axes, indices)))], values)
    values[y] = rng.normal(size=read.shape)
    outputs = [gather(x, dict(zip(axes, indices))), scatter(x, dict(zip(axes, indices)), y, add=True)]
    for chosen in [indices[:1], indices, [x, *indices], [y, *indices[:1]], [x, y, indices[-1]], [x, y]]:
        many, arrays = {}, {}
        for v in chosen:
            many[v] = TensorType(v.type.dtype, [None] * (v.type.ndim + 1))()
            drawn = rng.normal(size=(6, *values[v].shape)) if v in (x, y) else rng.integers(
                0, shape[axes[indices.index(v)]], (6, *values[v].shape))
            arrays[v] = drawn
        found = evaluate(vectorize(outputs, many), {**values, **{many[v]: array for v, array in arrays.items()}})
        for number in range(6):
            expected = evaluate(outputs, {**values, **{v: array[number] for v, array in arrays.items()}})
            for one, other in zip(found, expected):
                np.testing.assert_allclose(one[number], other, rtol=1e-14, atol=1e-14)
