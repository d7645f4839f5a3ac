"""Graphs that are well-formed pass, and each way of breaking one is found."""

import random

import numpy as np
import pytest

from symtensor.base.errors import VerifyError
from symtensor.ir.graph import Graph, leaves
from symtensor.ir.node import Apply, Constant
from symtensor.ir.text import from_text, to_text
from symtensor.ir.verify import verify
from symtensor.ops import scalar, size
from symtensor.ops.index import nonzero, set_subtensor
from symtensor.ops.reduce import Reduce
from symtensor.rewrite.phases import optimize
from symtensor.testing.random_graphs import random_graph
from symtensor.types import dim as dims
from symtensor.types.tensor import TensorType

vector = TensorType("float64", (None,))


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_are_well_formed(seed):
    made = random_graph(random.Random(seed))
    verify(Graph(made.inputs, made.outputs))


@pytest.mark.parametrize("seed", range(20))
def test_rewriting_keeps_them_so_and_their_text_whole(seed):
    made = random_graph(random.Random(seed))
    graph = Graph(made.inputs, made.outputs)
    optimize(graph)
    verify(graph)
    assert to_text(from_text(to_text(graph))) == to_text(graph)


def test_pruning_keeps_the_sources_of_bounds_that_no_type_mentions():
    x, i = vector("x"), TensorType("int64", ())("i")
    graph = Graph([x, i], [set_subtensor(x, (slice(i, None),), x * 0)])
    graph.prune()
    verify(graph)
    graph.sources.clear()
    with pytest.raises(VerifyError, match="the size i of .* has no source"):
        verify(graph)


@pytest.fixture
def graph():
    x = vector("x")
    (places,) = nonzero(scalar.gt(x, 0))
    return Graph([x], [scalar.exp(x) * 2, places])


def break_cycle(graph):
    node = graph.outputs[0].owner
    node.inputs = (graph.outputs[0], node.inputs[1])


def break_membership(graph):
    graph.outputs[0] = vector("stranger")


def break_interning(graph):
    graph.outputs[0] = Apply(scalar.exp, [graph.inputs[0]]).outputs[0]


def break_type(graph):
    graph.outputs[0].type = graph.outputs[0].type.with_dtype("float32")


def break_shape(graph):
    graph.outputs[0].type = TensorType.of("float64", (graph.inputs[0].type.shape[0] + 1,))


def break_operands(graph):
    node = graph.outputs[0].owner
    node.op = Reduce("any", (0,))
    graph._table[(node.op, node.inputs)] = node.outputs


def a_constant(graph):
    return next(v for v in leaves(graph.outputs) if isinstance(v, Constant))


def break_constant(graph):
    constant = a_constant(graph)
    constant.data = np.float32(2)


def break_writeable(graph):
    constant = a_constant(graph)
    constant.data = constant.data.copy()


def break_source(graph):
    graph.sources[next(iter(graph.sources))] = graph.inputs[0]


def break_sources(graph):
    graph.sources.clear()


def break_symbol(graph):
    graph.outputs.append(graph.intern(size.size_value(dims.symbol("unknown"))))


def break_output(graph):
    graph.outputs[0].index = 1


def break_input(graph):
    graph.inputs.append(graph.outputs[0])


@pytest.mark.parametrize(("breakage", "message"), [
    (break_cycle, "mul needs its own result"), (break_membership, "stranger is in the graph, but is neither"),
    (break_interning, "exp is applied twice"), (break_type, r"mul is float32 .* infers float64"),
    (break_shape, r"mul is float64 \(x.0 \+ 1,\) in the graph and infers float64 \(x.0,\)"),
    (break_operands, "any.0. no longer accepts its operands"), (break_constant, "the constant 2.0 is float32"),
    (break_writeable, "can be written to"), (break_source, "cannot be found from x"),
    (break_sources, "has no source"), (break_symbol, "the size unknown of SizeValue"),
    (break_output, "output 0 of mul does not say so"),
    (break_input, r"the input \(exp\(x\) \* 2.0\) is computed by mul")])
def test_each_breakage_is_found(graph, breakage, message):
    verify(graph)
    breakage(graph)
    with pytest.raises(VerifyError, match=message):
        verify(graph)


def test_the_users_line_is_named(graph):
    break_type(graph)
    with pytest.raises(VerifyError, match="test_verify.py"):
        verify(graph)
