"""What becomes of branches: which rules fire, and what stands in the sides afterwards."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph
from symtensor.ops.branch import Branch, branch, lazily
from symtensor.ops.elementwise import Elementwise
from symtensor.rewrite.phases import optimize

c, d = T.bscalar("c"), T.bscalar("d")
x, y = T.dvector("x"), T.dvector("y")
VALUES = [[np.int8(a), np.int8(b), np.array([0.5, 2.0]), np.array([1.0, -1.0])] for a in (0, 1) for b in (0, 1)]


def optimized(*outputs):
    """The graph of expressions of c, d, x and y, and the rules that fired; its values are compared with the graph's."""
    graph = Graph([c, d, x, y], lazily(outputs))
    before = [evaluate_graph(graph, values) for values in VALUES]
    history = optimize(graph)
    for values, expected in zip(VALUES, before):
        for one, other in zip(evaluate_graph(graph, values), expected):
            np.testing.assert_allclose(one, other)
    return graph, history.fired


def branches_of(graph):
    return [node.op for node in graph.nodes() if isinstance(node.op, Branch)]


def ops_of(function):
    return sorted(str(node.op) for node in function.graph.nodes())


def test_condition_known():
    graph, fired = optimized(st.ifelse(T.constant(2) > 1, T.exp(x), T.log(x)))
    assert fired["condition_known"] and not branches_of(graph)
    assert [str(node.op) for node in graph.nodes()] == ["exp"]


def test_condition_known_in_a_branch_on_it():
    condition = x.sum() > 0
    graph, fired = optimized(st.ifelse(condition, st.ifelse(condition, T.exp(x), T.log(x)), y))
    (one,) = branches_of(graph)
    assert fired["condition_known"]
    assert (ops_of(one.then), ops_of(one.otherwise)) == (["exp"], [])


def test_condition_inverted():
    for condition, inverse in ((T.neq(c, 0), T.eq(c, 0)), (x[0] > y[0], T.invert(x[0] > y[0]))):
        graph, fired = optimized(st.ifelse(condition, T.exp(x), y), st.ifelse(inverse, y, T.log(x)))
        (one,) = branches_of(graph)
        assert fired["condition_inverted"] or fired["condition_unequal"]
        assert (ops_of(one.then), ops_of(one.otherwise)) == (["exp", "log"], [])


def test_equal_branches():
    graph, fired = optimized(*st.ifelse(c, [T.exp(x), T.sin(y)], [T.exp(x), T.cos(y)]))
    (one,) = branches_of(graph)
    assert fired["equal_branches"]
    assert (ops_of(one.then), ops_of(one.otherwise)) == (["sin"], ["cos"])
    assert not branches_of(optimized(st.ifelse(c, T.exp(x * 1), T.exp(x)))[0])


@pytest.mark.parametrize("others", [[x], [T.exp(x)], [T.exp(x), y]])
def test_what_tells_a_size_stays_in_the_side_that_needs_it(others):
    rows = st.ifelse(d > 0, x, y).shape[0]
    chosen = st.ifelse(c > 0, [T.constant(1.0), *others], [(rows * x).sum(), *others])
    f = st.function([c, d, x, y], chosen, on_unused_input="ignore")
    for holds, expected in ((0, 9.0), (1, 6.0)):
        found, *same = f(0, holds, [1.0, 2.0], [1.0, 2.0, 3.0])
        assert found == expected and len(same) == len(others)


def test_what_tells_a_size_stays_in_a_side_into_which_something_moves():
    rows, more = st.ifelse(d > 0, x, y).shape[0], T.exp(x)
    outputs = [st.ifelse(c > 0, T.constant(1.0), (rows * more).sum()), more.shape[0]]
    assert optimized(*outputs)[1]["needed_by_one_branch"]
    f = st.function([c, d, x, y], outputs)
    for holds, times in ((0, 3), (1, 2)):
        found, count = f(0, holds, [1.0, 2.0], [1.0, 2.0, 3.0])
        np.testing.assert_allclose(found, times * np.exp([1.0, 2.0]).sum())
        assert count == 2


def test_outputs_that_nothing_uses():
    graph, fired = optimized(st.ifelse(c, [T.exp(x), T.sin(y)], [x, y])[0])
    (one,) = branches_of(graph)
    assert fired["equal_branches"]
    assert len(one.then.results) == len(one.then.parameters) == 1


def test_branches_of_one_condition():
    graph, fired = optimized(st.ifelse(c, T.exp(x), T.log(x)), st.ifelse(c, T.sin(x), T.cos(x)), st.ifelse(d, x, y))
    assert fired["branches_of_one_condition"]
    assert sorted(ops_of(one.then) for one in branches_of(graph)) == [[], ["exp", "sin"]]


def test_a_branch_that_needs_one_of_the_same_condition():
    first = st.ifelse(c, T.exp(x), T.log(x))
    second = st.ifelse(c, T.sin(first), T.cos(first))
    graph, _ = optimized(second)
    (one,) = branches_of(graph)
    assert (ops_of(one.then), ops_of(one.otherwise)) == (["exp", "sin"], ["cos", "log"])


def test_a_branch_that_needs_one_by_way_of_others_stays():
    first = st.ifelse(c, T.exp(x), T.log(x))
    order = T.sort(first)
    graph, _ = optimized(st.ifelse(c, T.sin(order), T.cos(order)), order)
    assert len(branches_of(graph)) == 2


def test_what_follows_element_by_element_is_computed_in_the_branch():
    graph, fired = optimized((st.ifelse(c, T.exp(x), T.constant(1.0) * x.zeros_like()) * 2 + x).sum())
    (one,) = branches_of(graph)
    assert fired["branches_of_one_condition"]
    assert graph.outputs[0].owner.op == one
    assert not any(isinstance(node.op, Elementwise) for node in graph.nodes()[-1:])


@pytest.mark.parametrize("part", [lambda chosen: chosen[0], lambda chosen: chosen[::2].dimshuffle("x", 0)])
def test_of_what_is_chosen_only_the_part_that_is_used_is_computed(part):
    graph, fired = optimized(part(st.ifelse(c, T.exp(x), T.log(x))))
    (one,) = branches_of(graph)
    assert fired["branches_of_one_condition"]
    assert graph.outputs[0].owner.op == one and "exp" in ops_of(one.then)
    sizes = [node.outputs[0].type.shape for node in one.then.graph.nodes() if str(node.op) == "exp"]
    assert sizes != [x.type.shape]


@pytest.mark.parametrize("value", [lambda chosen: chosen.sum() * T.outer(x, y), lambda chosen: chosen * T.exp(y)],
                         ids=["spread", "fused outside"])
def test_what_follows_and_stays_outside(value):
    graph, _ = optimized(value(st.ifelse(c, x, T.log(x))))
    assert not isinstance(graph.outputs[0].owner.op, Branch)


def test_gradient_and_value_are_one_branch():
    cost = st.ifelse(c, (T.exp(x) ** 2).sum(), T.sin(x).sum())
    graph, _ = optimized(cost, st.grad(cost, x))
    (one,) = branches_of(graph)
    assert ops_of(one.then).count("exp") == 1


def test_needed_by_one_branch():
    truth = T.neq(c, 0)
    condition, shared = truth, T.exp(x)
    chosen = branch(condition, [shared + y], [y])[0]  # with exp(x) outside, as rules may leave it
    graph, fired = optimized(chosen)
    (one,) = branches_of(graph)
    assert fired["needed_by_one_branch"]
    assert "exp" in ops_of(one.then) and not ops_of(one.otherwise)


def test_choice_of_numbers():
    a = T.constant(0.1)
    graph, fired = optimized(x * st.ifelse(c, a, 0.01))
    assert fired["choice_of_numbers"] and not branches_of(graph)
