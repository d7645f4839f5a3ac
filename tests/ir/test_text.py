"""Graphs written and read back are the same graphs."""

import random

import numpy as np
import pytest

from symtensor.base.errors import ShapeError, TextError
from symtensor.ir import text
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.node import Constant, Op
from symtensor.ir.text import from_text, to_text
from symtensor.ir.verify import verify
from symtensor.ops import index, scalar, size
from symtensor.ops.index import nonzero, subtensor
from symtensor.ops.linalg import SolveTriangular
from symtensor.ops.python import as_op
from symtensor.ops.reduce import sum_axes
from symtensor.testing.random_graphs import random_graph
from symtensor.types import dim as dims
from symtensor.types.tensor import TensorType

vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))


def round_trip(graph, *arrays):
    written = to_text(graph)
    again = from_text(written)
    assert to_text(again) == written
    verify(again)
    for first, second in zip(outcome(graph, arrays), outcome(again, arrays), strict=True):
        np.testing.assert_array_equal(first, second)
    return written


def outcome(graph, arrays):
    """The outputs with their dtypes, or what the error says where the sizes do not fit."""
    try:
        results = evaluate_graph(graph, arrays)
    except ShapeError as error:
        return [type(error).__name__]  # a graph read back no longer knows what its inputs were declared as
    return [*results, [str(result.dtype) for result in results]]


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed):
    made = random_graph(random.Random(seed))
    round_trip(Graph(made.inputs, made.outputs), *made.values)


@pytest.mark.parametrize("data", [
    np.float64("nan"), np.float32("-inf"), np.float64(-0.0), np.float32(0.1), np.array([[True, False]]), np.int8(-3),
    np.uint64(2**64 - 1), np.array(3 + 1j), np.array(complex(0, np.nan)), np.zeros((0, 3)), np.arange(100.0),
    np.float16(0.1), np.array([0x7ff8000000000123], "uint64").view("float64")], ids=repr)
def test_constants_keep_their_bits(data):
    data = np.asarray(data)
    graph = from_text(to_text(Graph([], [Constant(data)])))
    found = graph.outputs[0].data
    assert found.dtype == data.dtype
    assert found.shape == data.shape
    assert found.tobytes() == data.tobytes()


def test_names_that_are_no_labels_are_quoted():
    x, again = vector("x"), vector("x")
    y = x + again
    y.name = "d cost/d 'x'"
    written = round_trip(Graph([x, again], [y]), np.ones(2), np.ones(2))
    assert "input %0 'x': float64 (x.0,)" in written
    assert from_text(written).outputs[0].name == y.name
    assert from_text(written).inputs[1].name == "x"


def test_equations_and_what_they_imply():
    x, y = vector("x"), vector("y")
    graph = Graph([x, y], [sum_axes(x + y, [0]), subtensor(x, (3,))])
    written = round_trip(graph, np.arange(4.0), np.ones(4))
    assert "equation x.0 == y.0 'sizes of axis 0'" in written
    assert "equation 4 <= x.0 'index 3 is out of range for axis 0 of size x.0'" in written
    assert "solved y.0 = x.0" in written
    again = from_text(written)
    assert again.solution(again.equations[0][0].right) == again.inputs[0].type.shape[0]


def test_sizes_from_scalars_and_from_data():
    n, x = TensorType("int64", ())("n"), vector("x")
    (places,) = nonzero(scalar.gt(x, 0))
    graph = Graph([n, x], [index.Iota()(n * 2), index.gather(x, {0: places}), scalar.add(size.dimension(places, 0), n)])
    written = round_trip(graph, np.int64(3), np.array([1.0, -1.0, 2.0]))
    assert "symbol n = value of %n" in written


def test_size_values_and_parameters():
    x = matrix("x")
    graph = Graph([x], [x * 1])
    number = size.size_value(x.type.shape[0] * 2 + dims.floordiv(graph.inputs[0].type.shape[1], 3))
    graph.outputs.append(graph.intern(number))
    assert "SizeValue(; size=size('2*x.0 + (x.1 // 3)'))" in round_trip(graph, np.ones((2, 7)))


def test_ops_with_flags_and_entries():
    a = matrix("a")
    solved = SolveTriangular(True, False, False).make(a, a)[0]
    written = round_trip(Graph([a], [solved, subtensor(a, (slice(1, None, 2), -1))]), np.eye(3))
    assert "SolveTriangular(%a, %a; lower=True, transposed=False, unit=False)" in written
    assert "entries=(Entry(pick=False, start=True, stop=False, step=2), Entry(pick=True," in written


def test_lines_of_the_user_are_kept_when_asked_for():
    x = vector("x")
    graph = Graph([x], [x + 1])
    written = to_text(graph, lines=True)
    again = from_text(written)
    assert again.lines_of(again.outputs[0].owner) == graph.lines_of(graph.outputs[0].owner)
    assert to_text(again, lines=True) == written
    assert to_text(again) == to_text(graph)


def test_a_long_chain_needs_no_recursion():
    x = vector("x")
    y = x
    for _ in range(5_000):
        y = y + x
    graph = Graph([x], [y])
    assert len(from_text(to_text(graph)).nodes()) == 5_000


def test_a_python_function_has_no_text():
    @as_op(itypes=[vector], otypes=[vector])
    def opaque(x):
        return x

    x = vector("x")
    with pytest.raises(TextError, match="a parameter of opaque, has no text"):
        to_text(Graph([x], [opaque(x)]))


def test_two_classes_of_one_name():
    def make():
        class Homonym(Op):
            def infer(self, x):
                return x.type
        return Homonym()

    x = vector("x")
    to_text(Graph([x], [make()(x)]))
    with pytest.raises(TextError, match="two classes are called Homonym"):
        to_text(Graph([x], [make()(x)]))
    del text._named["Homonym"]


GOOD = "symbol n\ninput %x: float64 (n,)\n%1: float64 (n,) = exp(%x)\nreturn %1"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("exp(%x)", "nosuch(%x)", "line 3: there is no op 'nosuch'"),
    ("exp(%x)", "exp(%y)", "line 3: %y is not defined"),
    ("exp(%x)", "exp(%x, %x)", "line 3: exp"),
    ("exp(%x)", "exp %x", "line 3: 'exp %x' is no application"),
    ("%1: float64 (n,)", "%1: int8 (n,)", r"line 3: %1 is float64 \(n,\), not int8"),
    ("%1: float64 (n,)", "%x: float64 (n,)", "line 3: %x is defined twice"),
    ("%1: float64 (n,)", "%1: float64 (n, m)", "line 3: 'm' is no symbol"),
    ("exp(%x)", "Reduce(%x; kind=open('f'), axes=(0,))", "line 3: there is no op 'open'"),
    ("exp(%x)", "constant [1.0, 2.0]", "line 3: "),
    ("return %1", "", "without a return"),
    ("return %1", "give %1", "line 4: 'give' begins no statement"),
    ("symbol n", "symbol n = value of %z", "the source %z of n is not defined"),
    ("input %x: float64 (n,)", "input %x float64", "line 2: '%x float64' is no variable")])
def test_text_that_is_no_graph_is_refused_with_its_line(old, new, message):
    from_text(GOOD)
    with pytest.raises(TextError, match=message):
        from_text(GOOD.replace(old, new, 1))
