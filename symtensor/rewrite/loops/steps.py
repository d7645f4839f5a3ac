"""Whole loops: few steps are written out, and loops over the same steps are one.

>>> from symtensor.ir.node import Constant, Variable
>>> from symtensor.ops.loop import Carry
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", ())("x")
>>> power = Variable(x.type)
>>> loop = Loop(Constant(2), [Carry(power, x, power * power)])
>>> unrolled(next(iter(loop.make().values())).owner)
[((x * x) * (x * x))]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications, substitute
from symtensor.ir.node import Apply, Variable
from symtensor.ops.control import Scan
from symtensor.ops.index import stack, subtensor
from symtensor.ops.loop import Loop
from symtensor.ops.size import size_of
from symtensor.rewrite.loops.view import View
from symtensor.rewrite.rule import Replacements

__all__ = ["merged", "unrolled"]

MOST_UNROLLED = 64
"""Nodes up to which the steps of a loop whose number is known are written out."""


# -- few steps --------------------------------------------------------------------------------------------

def unrolled(node: Apply) -> list[Variable] | None:
    """A loop of a few short steps, written out."""
    loop = Loop.of(node)
    steps = size_of(loop.steps)
    if not isinstance(steps, int) or loop.stop is not None or loop.recompute or not steps:
        return None
    if steps > 1 and steps * len(applications(loop.results, set(loop.parameters))) > MOST_UNROLLED:
        return None
    carried = {carry.own: carry.first for carry in loop.carries}
    rows: list[list[Variable]] = [[] for _ in loop.stacks]
    for t in range(steps)[::-1] if loop.backwards else range(steps):
        values = _step(loop, carried, t)
        carried = {carry.own: value for carry, value in zip(loop.carries, values)}
        for stacked, value in zip(rows, values[len(loop.carries):]):
            stacked.append(value)
    order = -1 if loop.backwards else 1
    return [*carried.values(), *(stack(stacked[::order]) for stacked in rows)]


def _step(loop: Loop, carried: Mapping[Variable, Variable], t: int) -> list[Variable]:
    given = {own: subtensor(array, [t]) for own, array in loop.rows.items()}
    return loop.outside(loop.results, {**carried, **given, **loop.others})


# -- loops over the same steps ----------------------------------------------------------------------------

def merged(graph: Graph, users: Mapping[Variable, Sequence[Apply | None]]) -> Replacements:
    """Two loops over the same steps, neither of which needs the other, as one."""
    needed: dict[Apply, set[Apply]] = {}  # for each node the loops that it needs
    before: list[Apply] = []
    for node in graph.nodes():
        own = [needed[v.owner] for v in node.inputs if v.owner is not None]
        if isinstance(node.op, Scan):
            needs = set().union(*own)
            alike = next((one for one in before if one not in needs and _alike(one, node)), None)
            if alike is not None:
                return _as_one(alike, node, users)
            before.append(node)
            needed[node] = needs | {node}
        else:
            needed[node] = max(own, key=len, default=set())
            if any(not more <= needed[node] for more in own):
                needed[node] = set().union(*own)
    return {}


def _alike(one: Apply, other: Apply) -> bool:
    a, b = one.op, other.op
    assert isinstance(a, Scan) and isinstance(b, Scan)
    if (a.backwards, a.recompute) != (b.backwards, b.recompute) or size_of(one.inputs[-1]) != size_of(other.inputs[-1]):
        return False
    return not a.until and not b.until or (a.until and b.until and _same_end(one, other))


def _same_end(one: Apply, other: Apply) -> bool:
    """Whether two loops that end early are the same but for what they stack."""
    a, b = Loop.of(one), Loop.of(other)
    assert a.stop is not None and b.stop is not None
    ends = []
    for loop in (a, b):
        loop.stacks = []
        loop.truncate = -1
        loop.forget_unused()
        ends.append(loop)
    if one.inputs[:len(a.carries)] != other.inputs[:len(b.carries)]:
        return False
    same = list(a.rows.values()) == list(b.rows.values()) and list(a.others.values()) == list(b.others.values())
    return same and Function.of(a.parameters, a.results) == Function.of(b.parameters, b.results)


def _as_one(one: Apply, other: Apply, users: Mapping[Variable, Sequence[Apply | None]]) -> Replacements:
    first, second = View(one, users), View(other, users)
    loop, more = first.loop, second.loop
    copies = {own: Variable(own.type, name=own.name) for own in more.parameters}
    results = substitute(more.results, copies)
    loop.carries = loop.carries + more.carries
    for carry, new in zip(more.carries, results):
        carry.own, carry.new = copies[carry.own], new
    loop.rows.update((copies[own], given) for own, given in more.rows.items())
    loop.others.update((copies[own], given) for own, given in more.others.items())
    for made, value in zip(more.stacks, results[len(more.carries):]):
        made.value = value
    loop.stacks = loop.stacks + more.stacks
    loop.truncate = -1  # (derivatives have been taken by now)
    second.loop = loop
    return {one: first.replacement(), other: second.replacement()}
