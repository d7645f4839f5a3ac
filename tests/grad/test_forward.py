"""Rop and pushforward: against Lop, in combinations with grad, and with exact zeros."""

import numpy as np
import pytest

from symtensor.base.errors import DisconnectedInputError
from symtensor.grad.forward import Rop, pushforward
from symtensor.grad.reverse import Lop, grad
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Op
from symtensor.ops import scalar
from symtensor.ops.contract import matmul
from symtensor.ops.elementwise import elementwise
from symtensor.ops.index import gather, join, set_subtensor, subtensor
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import broadcast_to, dimshuffle, reshape
from symtensor.ops.size import dimension
from symtensor.types.tensor import TensorType

number = TensorType("float64", ())
vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))
cube = elementwise(lambda x: x * x * x, name="test_cube")
mixed = elementwise(lambda x, y: scalar.sin(x) * y + x, name="test_mixed")


def softmax(x):
    e = scalar.exp(x - scalar.stop_gradient(dimshuffle(reduce_axes("max", x, [1]), (0, "x"))))
    return e / dimshuffle(sum_axes(e, [1]), (0, "x"))


FUNCTIONS = {
    "elementwise": lambda x: scalar.exp(x) * scalar.sin(x) / (1 + scalar.square(x)),
    "broadcasting": lambda x: x * dimshuffle(sum_axes(x, [1]), (0, "x")),
    "bodies": lambda x: cube(x) + mixed(x, x) + mixed(x, dimshuffle(sum_axes(x, [0]), ("x", 0))),
    "sum": lambda x: sum_axes(x * x, [0, 1]),
    "product": lambda x: reduce_axes("prod", x, [1]),
    "largest": lambda x: reduce_axes("max", x * 2, [0]),
    "softmax": softmax,
    "matrix product": lambda x: matmul(x, dimshuffle(x, (1, 0))),
    "shapes": lambda x: reshape(dimshuffle(x * x, (1, 0)), (-1,)),
    "spread": lambda x: broadcast_to(dimshuffle(subtensor(x * x, (slice(None), 0)), (0, "x")), (dimension(x, 0), 5)),
    "slices": lambda x: subtensor(x * x, (slice(None, None, -1), 1)),
    "positions": lambda x: gather(x * x, {0: [0, 0, -1]}),
    "set": lambda x: set_subtensor(x * x, (slice(1, None),), subtensor(x, (slice(1, None),))),
    "join": lambda x: join(1, [x * x, scalar.exp(x)]),
    "selection": lambda x: scalar.switch(scalar.gt(x, 0), scalar.sqrt(x), scalar.minimum(x, 2 * x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_and_reverse_are_each_others_transpose(name):
    """v'(J u) == (v'J) u, for the function and for its gradient."""
    x, u, v = matrix("x"), matrix("u"), matrix("v")
    function = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    values = {x: rng.normal(size=(3, 4)), u: rng.normal(size=(3, 4))}
    for y in (function(x), grad(sum_axes(function(x), range(function(x).type.ndim)), x)):
        v = y.type.clone()("v")
        values[v] = rng.normal(size=evaluate([y], values)[0].shape)
        forward, reverse = evaluate([Rop(y, x, u), Lop(y, x, v)], values)
        assert np.sum(values[v] * forward) == pytest.approx(np.sum(reverse * values[u]), rel=1e-11)
        assert np.all(np.isfinite(forward))
        assert forward.shape == values[v].shape


@pytest.mark.parametrize("name", ["elementwise", "bodies", "product", "softmax", "matrix product", "selection"])
def test_products_with_the_hessian_by_three_ways(name):
    x, u = matrix("x"), matrix("u")
    cost = sum_axes(scalar.square(FUNCTIONS[name](x)), range(FUNCTIONS[name](x).type.ndim))
    slope = grad(cost, x)
    ways = [Rop(slope, x, u), grad(sum_axes(slope * u, [0, 1]), x), grad(Rop(cost, x, u), x)]
    rng = np.random.default_rng(2)
    first, second, third = evaluate(ways, {x: rng.normal(size=(3, 4)), u: rng.normal(size=(3, 4))})
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(first, third, rtol=1e-9, atol=1e-12)


def test_zero_tangents_meet_infinite_slopes():
    x = vector("x")
    flat = scalar.switch(scalar.gt(x, 0), x, 0)
    found = evaluate([Rop(scalar.sqrt(flat), x, np.ones(3)), Rop(scalar.log(flat + flat), x, np.ones(3))],
                     {x: np.array([0.0, -1.0, 4.0])})
    assert [f.tolist() for f in found] == [[0, 0, 0.25], [0, 0, 0.25]]


def test_containers_and_several_variables():
    x, y = number("x"), number("y")
    found = Rop([x * y, x + 0], [x, y], [1.0, 10.0])
    assert isinstance(found, list)
    assert [float(v) for v in evaluate(found, {x: 2.0, y: 3.0})] == [23.0, 1.0]
    assert evaluate([Rop(x * y, [x, y], [None, 1.0])], {x: 2.0, y: 3.0})[0] == 2


def test_an_output_that_does_not_depend():
    x, y = vector("x"), vector("y")
    with pytest.raises(DisconnectedInputError, match=r"exp\(y\) does not depend on any variable of wrt"):
        Rop(scalar.exp(y), x, np.ones(2))
    assert Rop(scalar.exp(y), x, np.ones(2), disconnected_outputs="ignore", return_disconnected="None") is None
    assert evaluate([Rop(scalar.exp(y), x, np.ones(2), disconnected_outputs="ignore")], {y: np.ones(2)})[0].tolist() \
        == [0, 0]


def test_an_op_with_a_pushforward_of_its_own():
    class Twice(Op):
        def infer(self, x):
            return x.type

        def evaluate(self, x):
            return 2 * x

        def pushforward(self, x, y, dx):
            return dx + dx

    x = vector("x")
    assert evaluate([Rop(Twice()(x * x), x, np.ones(2))], {x: np.array([1.0, 3.0])})[0].tolist() == [4, 12]


def test_a_long_chain_needs_no_recursion():
    x = number("x")
    y = x
    for _ in range(20_000):
        y = scalar.add(y, x)
    assert evaluate([Rop(y, x, 1.0)], {x: 1.0})[0] == 20_001


def test_pushforward_answers_none_for_exact_zero():
    x, t = vector("x"), vector("t")
    assert pushforward([scalar.floor(x), scalar.stop_gradient(x)], [x], [t]) == [None, None]
