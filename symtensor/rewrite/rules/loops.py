"""Loops made smaller: nothing is done in each step that can be done once, or for all steps at once, or not at all.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.loop import Carry, Loop
>>> from symtensor.ops.scalar import exp
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> w, n = Variable(TensorType("float64", ()), name="w"), Variable(TensorType("int64", ()), name="n")
>>> own, power = Variable(w.type, name="w"), Variable(w.type, name="power")
>>> loop = Loop(n, [Carry(power, w, power * exp(own))], others={own: w})
>>> graph = Graph([w, n], [next(iter(loop.make().values()))])
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs[0].owner.op.step, graph.outputs[0].owner.inputs[1]
((power, exp(w)) -> ((power * exp(w))), exp(w))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.ops.control import Scan
from symtensor.rewrite.loops.at_once import products_summed_at_once, results_at_once, rows_at_once
from symtensor.rewrite.loops.counters import counters
from symtensor.rewrite.loops.parts import (
    carries_that_stay,
    equal_carries,
    equal_inputs,
    equal_stacks,
    invariants,
    only_the_last,
    without_dead_parts,
)
from symtensor.rewrite.loops.positions import positions_in_steps
from symtensor.rewrite.loops.steps import merged, unrolled
from symtensor.rewrite.loops.view import View
from symtensor.rewrite.rule import Replacements, rewrite_graph
from symtensor.rewrite.rules import canonicalize

__all__: list[str] = []

SIMPLIFICATIONS: tuple[Callable[[View], bool], ...] = (
    only_the_last, without_dead_parts, equal_inputs, equal_carries, equal_stacks, carries_that_stay, invariants,
    counters, positions_in_steps, rows_at_once, products_summed_at_once, results_at_once)
"""What is tried on a loop, in this order; each says whether it changed it."""


@rewrite_graph(canonicalize)
def loops(graph: Graph) -> Replacements:
    """Loops without what is not used, computed twice, or the same in all steps; loops over the same steps made one."""
    nodes = [node for node in graph.nodes() if isinstance(node.op, Scan)]
    if not nodes:
        return {}
    users = graph.users()
    found: dict[Apply, Sequence[Variable | None]] = {}
    for node in nodes:
        view = View(node, users)
        written_out = unrolled(node)
        if written_out is not None:
            found[node] = written_out
        elif any([view.changed_by(one) for one in SIMPLIFICATIONS]):  # a list: all of them
            found[node] = view.replacement()
    return found or merged(graph, users)
