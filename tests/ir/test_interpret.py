"""The interpreter: values, sizes, and errors that name the user's line."""

import numpy as np
import pytest

from symtensor.base.errors import IndexOutOfRange, MissingInputError, ShapeError, TypeMismatch, VerifyError
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.ir.node import Op, Variable
from symtensor.ops import index, scalar, shape, size
from symtensor.ops.python import as_op
from symtensor.ops.reduce import reduce_axes
from symtensor.types.tensor import TensorType

vector = TensorType("float64", (None,))


def test_intermediate_values_may_be_given():
    x = vector("x")
    square = x * x
    assert evaluate([square + 1], {square: np.array([5.0])})[0].tolist() == [6.0]


def test_size_values_come_from_the_shapes_of_inputs():
    x = vector("x")
    n = size.size_value(x.type.shape[0] * 2 + 1)
    mean = reduce_axes("sum", x, [0]) / size.size_value(x.type.shape[0])
    assert [v.tolist() for v in evaluate([n, mean], {x: np.array([1.0, 3.0])})] == [5, 2.0]


def test_size_values_come_from_integer_scalars():
    n = TensorType("int64", ())("n")
    counted = index.Iota()(n + 1)
    again = size.size_value(counted.type.shape[0] * 2)
    graph = Graph([n], [counted, again])
    assert [v.tolist() for v in evaluate([counted, again], {n: 2})] == [[0, 1, 2], 6]
    assert [v.tolist() for v in evaluate_graph(graph, [2])] == [[0, 1, 2], 6]


def test_size_values_come_from_data_dependent_shapes():
    x = vector("x")
    (places,) = index.nonzero(scalar.gt(x, 0))
    graph = Graph([x], [size.dimension(places, 0)])
    number = graph.intern(size.size_value(graph.outputs[0].owner.inputs[0].type.shape[0]))
    graph.replace(lambda variable: number if variable is graph.outputs[0] else variable)
    assert evaluate_graph(graph, [np.array([1.0, -1.0, 2.0])])[0] == 2


def test_a_graph_whose_equations_replaced_a_symbol():
    x, y = vector("x"), vector("y")
    graph = Graph([x, y], [x + y, size.size_value(y.type.shape[0])])
    assert [v.tolist() for v in evaluate_graph(graph, [np.ones(2), np.ones(2)])] == [[2, 2], 2]
    with pytest.raises(ShapeError, match="sizes of axis 0: x.0 is 2 and y.0 is 1"):
        evaluate_graph(graph, [np.ones(2), np.ones(1)])


def test_sizes_that_meet_must_be_equal_even_where_numpy_would_broadcast():
    x, y = vector("x"), vector("y")
    with pytest.raises(ShapeError) as caught:
        evaluate([x + y], {x: np.ones(3), y: np.ones(1)})
    assert "sizes of axis 0: x.0 is 3 and y.0 is 1" in str(caught.value)
    assert "test_interpret.py" in str(caught.value)


def test_a_long_chain_needs_no_recursion():
    x = vector("x")
    y = x
    for _ in range(50_000):
        y = scalar.add(y, x)
    assert evaluate([y], {x: np.ones(1)})[0] == 50_001


def test_missing_and_unfit_values():
    x = vector("x")
    with pytest.raises(MissingInputError, match="x has no value"):
        evaluate([x + 1], {})
    with pytest.raises(TypeMismatch, match="the value given for x is float32"):
        evaluate([x + 1], {x: np.ones(1, "float32")})
    fixed = TensorType("float64", (2,))("fixed")
    with pytest.raises(ShapeError, match="the value given for fixed"):
        evaluate([fixed], {fixed: np.ones(3)})


def test_an_index_out_of_range_names_the_line_and_operands():
    x = vector("x")
    picked = index.gather(x, {0: TensorType("int64", (None,))("i")})
    i = picked.owner.inputs[1].owner.inputs[0]
    with pytest.raises(IndexOutOfRange) as caught:
        evaluate([picked], {x: np.ones(3), i: np.array([3])})
    assert "index 3 is out of range for an axis of size 3" in str(caught.value)
    assert "picked = index.gather" in str(caught.value)


class Wrong(Op):
    """Announces a vector and gives a scalar."""

    def infer(self, x):
        return x.type

    def evaluate(self, x):
        return x.sum()


def test_an_op_that_breaks_its_promise_is_named():
    x = vector("x")
    with pytest.raises(VerifyError, match=r"Wrong\(\) announced float64 \(x.0,\) and its evaluate gave float64 \(\)"):
        evaluate([Wrong()(x)], {x: np.ones(3)})


def test_an_exception_of_a_users_function_keeps_its_type_and_gains_a_note():
    @as_op(itypes=[vector], otypes=[vector])
    def picky(x):
        raise KeyError("no such key")

    x = vector("x")
    with pytest.raises(KeyError) as caught:
        evaluate([picky(x)], {x: np.ones(3)})
    assert any("raised by picky" in note and "test_interpret.py" in note for note in caught.value.__notes__)


def test_reshape_checks_the_number_of_elements():
    x = vector("x")
    with pytest.raises(ShapeError, match="number of elements"):
        evaluate([shape.reshape(x, (2, 2))], {x: np.ones(3)})


def test_inputs_without_owner_are_returned_as_given():
    x = Variable(vector, name="x")
    array = np.ones(2)
    assert evaluate([x], {x: array})[0] is array


def test_equations_of_a_graph_are_checked_also_where_their_node_is_gone():
    x, mask = vector("x"), TensorType("bool", (None,))("mask")
    (found,) = index.nonzero(mask)
    graph = Graph([x, mask], [(x + index.gather(x, {0: found})) * 0])
    before = graph.outputs[0]
    graph.replace(lambda v: graph.inputs[0] if v is before else v)
    values = np.array([1.0, 2.0])
    assert evaluate_graph(graph, [values, np.array([True, True])])[0].tolist() == [1, 2]
    with pytest.raises(ShapeError, match="sizes of axis 0"):
        evaluate_graph(graph, [values, np.array([True, False])])


def test_sizes_that_contradict_each_other_are_an_error_of_the_graph():
    x, y = vector("x"), vector("y")
    longer = index.join(0, [x, TensorType("float64", (2,))("two")])
    with pytest.raises(ShapeError, match=r"sizes of axis 0: y.0 \(here x.0\) and x.0 \+ 2 can never be equal, where"):
        Graph([x, y], [x + y, y + longer])
