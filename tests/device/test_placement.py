"""Which nodes run where, and how few transfers that takes."""

from __future__ import annotations

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.cut import Costs, least_cut
from symtensor.lower.placement import Placement, place
from symtensor.lower.target import Device
from symtensor.ops.index import Iota
from symtensor.ops.transfer import Transfer

DEVICES = [Device("cuda0", lambda kernel: [], lambda call, dtypes: [] if call.name == "gemm" else None),
           Device("cuda1", lambda kernel: [], lambda call, dtypes: None)]
NUMBERS = {"cpu": 0, "": 1, "cuda0": 1, "cuda1": 2}


def placed(inputs: list[Variable], outputs: list[Variable], default: int = 1,
           homes: dict[int, int] | None = None) -> tuple[Graph, Placement]:
    graph = Graph(inputs, outputs)
    own = {graph.inputs[number]: device for number, device in (homes or {}).items()}
    return graph, place(graph, DEVICES, NUMBERS.__getitem__, default, own)


def transfers(graph: Graph) -> list[str]:
    return [f"{node.op} {node.inputs[0].name or node.inputs[0].owner.op}" for node in graph.nodes()
            if isinstance(node.op, Transfer)]


def on(graph: Graph, placement: Placement) -> dict[str, int]:
    return {str(node.op): placement.device_of(node.outputs[0]) for node in graph.nodes()
            if not isinstance(node.op, Transfer)}


X, Y = T.fmatrix("x"), T.fmatrix("y")


def test_everything_that_can_runs_on_the_device() -> None:
    graph, placement = placed([X, Y], [T.exp(X) * Y, T.exp(X).sum(axis=0)])
    assert set(on(graph, placement).values()) == {1}
    assert transfers(graph) == ["transfer[cuda0] x", "transfer[cuda0] y", "transfer[cpu] mul", "transfer[cpu] sum[0]"]


def test_cheap_work_around_what_has_no_form_stays_with_it() -> None:
    graph, placement = placed([X], [T.log(T.sort(T.exp(X), axis=1) * 2)])
    assert not transfers(graph) and set(on(graph, placement).values()) == {0}
    ((node, reason),) = placement.unplaced.items()
    assert str(node.op) == "sort[1]" and reason == "there is no sort of float32 on cuda0"


def test_a_product_is_worth_a_transfer() -> None:
    graph, placement = placed([X, Y], [T.log(T.sort(T.exp(T.dot(X, Y)), axis=1))])
    assert on(graph, placement) == {"matmul": 1, "exp": 1, "sort[1]": 0, "log": 0}
    assert transfers(graph) == ["transfer[cuda0] x", "transfer[cuda0] y", "transfer[cpu] exp"]


def test_much_work_is_worth_a_transfer() -> None:
    y = X
    for _ in range(20):
        y = T.tanh(y) + 1
    graph, placement = placed([X], [T.sort(y, axis=1), y])
    assert transfers(graph) == ["transfer[cuda0] x", "transfer[cpu] add"]
    assert on(graph, placement)["tanh"] == 1


def test_a_value_is_moved_once() -> None:
    y = T.dot(X, Y)
    graph, _ = placed([X, Y], [T.sort(y, axis=0), T.sort(y, axis=1), y])
    assert transfers(graph).count("transfer[cpu] matmul") == 1


def test_what_follows_from_sizes_is_not_moved() -> None:
    ones = T.ones((X.shape[1], X.shape[0]), "float32")
    graph, placement = placed([X], [T.dot(X, ones) / X.shape[0].astype("float32"), Iota()(X.shape[1])])
    assert transfers(graph) == ["transfer[cuda0] x", "transfer[cpu] true_div"]


def test_work_follows_what_is_on_a_device() -> None:
    graph, placement = placed([X, Y], [T.exp(X), T.exp(Y)], default=0, homes={1: 1})
    assert transfers(graph) == ["transfer[cpu] exp"]
    assert sorted(placement.device_of(n.outputs[0]) for n in graph.nodes() if str(n.op) == "exp") == [0, 1]


def test_transfers_of_users_say_where() -> None:
    left, right = T.exp(X.transfer("cuda0")), T.log(Y.transfer("cuda1"))
    graph, placement = placed([X, Y], [(left + right.transfer("cuda0")).transfer("cpu")], default=0)
    assert on(graph, placement) == {"exp": 1, "log": 2, "add": 1}
    assert transfers(graph) == ["transfer[cuda0] x", "transfer[cuda1] y", "transfer[cuda0] log", "transfer[cpu] add"]


def test_a_transfer_to_where_the_value_is_does_nothing() -> None:
    graph, _ = placed([X], [T.exp(X.transfer("cpu")).transfer("cpu")], default=0)
    assert not transfers(graph)


def test_a_number_kept_on_the_processor_is_counted_there() -> None:
    number = st.shared(0, name="number")
    f = st.function([X], T.exp(X[:, number]), updates=[(number, (number + 1) % 4)], device="cuda0")
    assert f.placement.launches == {"cpu": 1, "cuda0": 1}
    assert [str(move).partition(":")[0] for move in f.placement.moves] == ["cpu -> cuda0", "cuda0 -> cpu"]  # x, exp


def test_kernels_are_not_made_across_devices() -> None:
    f = st.function([X, Y], (T.exp(X.transfer("cuda0")).transfer("cuda1") * T.log(Y.transfer("cuda1"))))
    assert f.placement.launches == {"cpu": 0, "cuda0": 1, "cuda1": 1}


@pytest.mark.parametrize("seed", range(20))
def test_no_division_costs_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 8
    edges = {n: sorted({int(m) for m in rng.integers(n + 1, count + 1, 3) if m < count}) for n in range(count)}
    stay, go = ({int(n) for n in rng.permutation(count)[k:k + 2]} for k in (0, 2))
    stay -= go
    work = {n: int(rng.integers(0, 4)) for n in range(count)}
    costs: Costs[int] = Costs()
    given = [({int(n) for n in rng.integers(0, count, 2)}, bool(rng.integers(2))) for _ in range(2)]  # read by, is here
    wanted = [(int(rng.integers(count)), bool(rng.integers(2))) for _ in range(2)]
    for readers, here in given:
        costs.read(readers, here, 3)
    for n, here in wanted:
        costs.wanted(n, here, 2)
    for n in range(count):
        if n in stay:
            costs.must_stay(n)
        elif n in go:
            costs.must_go(n)
        else:
            costs.stays(n, work[n])
        costs.crosses(n, edges[n], 3)

    def cost(staying: set[int]) -> int:
        moved = sum(3 for n, readers in edges.items() if any((r in staying) != (n in staying) for r in readers))
        moved += sum(3 for readers, here in given if any((r in staying) != here for r in readers))
        moved += sum(2 for n, here in wanted if (n in staying) != here)
        return moved + sum(work[n] for n in staying - stay)
    free = [n for n in range(count) if n not in stay | go]
    best = min(cost(stay | {n for bit, n in enumerate(free) if mask >> bit & 1}) for mask in range(1 << len(free)))
    found = least_cut(costs)
    assert stay <= found and not found & go and cost(found) == best
