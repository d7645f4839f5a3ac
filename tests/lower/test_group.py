"""When groups may be merged: each reason against it; no merge makes a cycle."""

import random

import pytest

import symtensor.tensor as T
from symtensor.ir.graph import Graph
from symtensor.lower.access import Accesses
from symtensor.lower.acyclic import MOST_BETWEEN, Order
from symtensor.lower.fuse import fuse
from symtensor.lower.group import MOST_BUFFERS, MOST_NODES, Groups, Merge

X, Y, V = T.dmatrix("X"), T.dmatrix("Y"), T.dvector("V")


def groups_of(outputs, inputs=(X, Y, V)):
    """The groups of an expression before any is merged."""
    graph = Graph(list(inputs), outputs)
    return Groups(graph, Accesses(graph))


def first_and_last(groups):
    """What is said of merging the first group and the last, the one with more loops taking the other."""
    units = list(groups)
    other, into = sorted((units[0], units[-1]), key=lambda group: len(group.loops))
    return groups.legal(into, other)


REFUSED = {
    "no kernel": (lambda: T.exp(T.dot(X, Y)), "matmul is no kernel"),
    "other loops": (lambda: T.exp(X) + T.exp(V)[0], "loops over V.0 do not go onto loops over X.0, X.1"),
    "other reductions": (lambda: X.sum(axis=0) * X.sum(axis=1)[0],
                         "one has loops over X.0, X.1 (reduced), the other over X.0 (reduced), X.1"),
    "another place": (lambda: T.tanh(T.exp(X)[::-1]), "tanh reads exp(X) elsewhere than at its own place"),
    "no rows": (lambda: X / X.sum(axis=0), "true_div needs a result that is known only after the loops it runs in"),
    "a path": (lambda: T.sin(X) + T.dot(T.sin(X), Y), "one needs the other through a third"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_why_groups_stay_apart(name):
    make, reason = REFUSED[name]
    refusals = set()
    groups = groups_of([make()])
    units = list(groups)
    for into in units:
        for other in units:
            if into is not other and len(into.loops) >= len(other.loops):
                refusals.add(str(groups.legal(into, other)))
    assert reason in refusals


def test_groups_stay_within_bounds():
    many = [T.dvector(f"x{n}") for n in range(MOST_BUFFERS + 1)]
    wide = groups_of([T.exp(many[0]), T.concatenate([T.exp(v) for v in many[1:]])], many)
    assert max(len(unit.inputs) for unit in fuse(wide.graph)) <= MOST_BUFFERS
    products = [a * b for a, b in zip(many[::2], many[1::2])]
    for product in products[1:]:
        products[0] = products[0] + product
    sums = groups_of([products[0] + many[-1]], many)
    units = fuse(sums.graph)
    assert len(units) == 2 and max(len(unit.inputs) for unit in units) <= MOST_BUFFERS
    x = V
    for _ in range(MOST_NODES):
        x = T.sin(x)
    assert [len(unit.nodes) for unit in fuse(groups_of([T.cos(x)]).graph)] == [MOST_NODES, 1]


def test_groups_with_much_between_them_stay_apart():
    x = y = T.sin(X)
    for _ in range(MOST_BETWEEN + 1):
        x = T.dot(x, Y)
    far = first_and_last(groups_of([y + x]))
    assert str(far) == f"more than {MOST_BETWEEN} groups lie between them"


def test_a_value_used_by_a_row_alone_is_computed_there():
    groups = groups_of([T.tanh(V).dimshuffle(0, "x") + X.sum(axis=1, keepdims=True)])
    assert isinstance(first_and_last(groups), Merge)


@pytest.mark.parametrize("seed", range(30))
def test_merging_keeps_an_order(seed):
    """Random merges of a random graph: those that make a cycle are seen, and the others leave an order."""
    rng = random.Random(seed)
    edges = {n: {m for m in rng.sample(range(n), min(n, 2)) if n - m < 12} for n in range(40)}
    order = Order(range(40), lambda unit: edges[unit])

    def reaches(late, early):
        return late == early or any(reaches(unit, early) for unit in edges[late])

    for _ in range(60):
        one, other = rng.sample(sorted(edges), 2)
        early, late = sorted((one, other), key=order.rank)
        between = order.between(early, late)
        cycle = any(unit != early and reaches(unit, early) for unit in edges[late])
        assert (early in between) == cycle
        if cycle:
            continue
        edges[one] = (edges[one] | edges.pop(other)) - {one, other}
        for unit, needs in edges.items():
            edges[unit] = {one if n == other else n for n in needs} if unit != one else needs
        order.merge(early, late, one, between)
        units = list(order)
        assert sorted(units) == sorted(edges)
        assert all(order.rank(n) < order.rank(unit) for unit in units for n in edges[unit])
        assert [order.rank(unit) for unit in units] == sorted({order.rank(unit) for unit in units})


@pytest.mark.parametrize("seed", range(3))
def test_kernels_can_run_in_the_order_given(seed):
    """Of many groups that read each other's values far and near, none waits for itself."""
    rng = random.Random(seed)
    pool = [T.dvector(f"x{n}") for n in range(3)]
    for _ in range(1500):
        a, b = rng.choice(pool[-40:]), rng.choice(pool[-40:])
        pool.append(rng.choice([T.tanh(a), a + b, a * b, a - b.mean()]))
    units = fuse(Graph(pool[:3], pool[-3:]))
    known = set(pool[:3])
    for unit in units:
        assert known.issuperset(v for v in unit.inputs if v.owner is not None)
        known.update(unit.places)


def test_an_order_finds_room_for_any_number_of_merges():
    """Units that must come before what they are merged with are put into ever the same gap."""
    needs = {"first": [], "last": []}
    order = Order(["first", "last", *range(200)], lambda unit: needs[unit])
    for number in range(0, 200, 2):
        needs[number], needs[number + 1] = [], [number]
        order.merge("last", number + 1, "last", order.between("last", number + 1))
        needs["last"].append(number)
    assert list(order) == ["first", *range(0, 200, 2), "last"]
    assert all(order.rank(unit) < order.rank("last") for unit in needs["last"])
