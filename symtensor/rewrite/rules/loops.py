"""Loops made smaller: nothing is done in each step that can be done once, or for all steps at once, or not at all.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications, substitute
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import zeros_like
from symtensor.ops.index import Entry, Subtensor, stack, subtensor
from symtensor.ops.loop import Carry, Loop, Stack
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.rule import Replacements, rewrite_graph
from symtensor.rewrite.rules import canonicalize

__all__: list[str] = []

MOST_UNROLLED = 64
"""Nodes up to which the steps of a loop whose number is known are written out."""

Part = Carry | Stack | None
"""What a loop has an output for; None is the number of steps."""


@dataclass(frozen=True)
class _Expression:
    """An output of the loop as it was, as an expression of outputs of the loop as it is now."""

    parts: Sequence[Part]
    build: Callable[..., Variable]


class _View:
    """A loop of a graph with what is known of the uses of its outputs."""

    def __init__(self, node: Apply, users: Mapping[Variable, Sequence[Apply | None]]) -> None:
        self.node = node
        self.users = users
        self.loop = Loop.of(node)
        count: list[Part] = [] if self.loop.stop is None else [None]
        self.outputs: list[Part | _Expression] = [*self.loop.carries, *self.loop.stacks, *count]
        self.same: dict[Part, Part] = {}
        self.fixed: dict[Part, Variable] = {}

    def find(self, part: Part) -> Part:
        """The part of the loop as it is now that a part stands for."""
        while part in self.same:
            part = self.same[part]
        return part

    def used(self) -> set[Part]:
        """The parts whose outputs something uses."""
        parts = [part for variable, output in zip(self.node.outputs, self.outputs) if variable in self.users
                 for part in (output.parts if isinstance(output, _Expression) else [output])]
        return {self.find(part) for part in parts}

    def replacement(self) -> list[Variable | None]:
        """What to put for the outputs."""
        made: dict[Part, Variable] = {**self.loop.make(), **self.fixed}

        def value(output: Part | _Expression) -> Variable:
            if isinstance(output, _Expression):
                return output.build(*(made[self.find(part)] for part in output.parts))
            return made[self.find(output)]

        return [value(output) if variable in self.users else None
                for variable, output in zip(self.node.outputs, self.outputs)]


Step = Callable[[_View], bool]
_steps: list[Step] = []


def _simplification(step: Step) -> Step:
    """Decorator: `f(view)` changes a loop, and says whether it did."""
    _steps.append(step)
    return step


@rewrite_graph(canonicalize)
def loops(graph: Graph) -> Replacements:
    """Loops without what is not used, computed twice, or the same in all steps; loops over the same steps made one."""
    nodes = [node for node in graph.nodes() if isinstance(node.op, Scan)]
    if not nodes:
        return {}
    users = _users(graph)
    found: dict[Apply, Sequence[Variable | None]] = {}
    for node in nodes:
        unrolled = _unrolled(node)
        if unrolled is not None:
            found[node] = unrolled
            continue
        view = _View(node, users)
        if any([step(view) for step in _steps]):  # a list: all of them
            found[node] = view.replacement()
    return found or _merged(graph, nodes, users)


def _users(graph: Graph) -> dict[Variable, list[Apply | None]]:
    """For each variable the nodes that use it, and None if it is kept for itself."""
    users: dict[Variable, list[Apply | None]] = {}
    for node in graph.nodes():
        for variable in node.inputs:
            users.setdefault(variable, []).append(node)
    for variable in graph.roots():
        users.setdefault(variable, []).append(None)
    return users


# -- what is not needed -----------------------------------------------------------------------------------

@_simplification
def _only_the_last(view: _View) -> bool:
    """A stack of which only the last row is read is a carried value."""
    changed = False
    for position, (variable, output) in enumerate(zip(view.node.outputs, view.outputs)):
        readers = view.users.get(variable, ())
        if not isinstance(output, Stack) or not readers or not all(_reads_last(view, user) for user in readers):
            continue
        carry = next((c for c in view.loop.carries if c.new is output.value), None)
        if carry is None:
            row = output.value
            carry = view.loop.carry(Variable(row.type), _zeros_of_row(variable))
            carry.new = row
        view.outputs[position] = _Expression([carry], partial(_as_rows, variable))
        changed = True
    return changed


def _zeros_of_row(array: Variable) -> Variable:
    return broadcast_to(zeros_like(array), list(map(size_value, array.type.shape[1:])))


def _as_rows(array: Variable, last: Variable) -> Variable:
    """An array with the last row of another one, the only one that is read: that row, spread."""
    return broadcast_to(expand_dims(last, [0]), list(map(size_value, array.type.shape)))


def _reads_last(view: _View, user: Apply | None) -> bool:
    if user is None or not isinstance(user.op, Subtensor) or user.op.entries[0] != Entry(pick=True):
        return False
    place, done = size_of(user.inputs[1]), size_of(view.node.outputs[-1] if view.loop.stop is not None
                                                  else view.node.inputs[-1])
    return place == done - 1 or (view.loop.stop is None and place == -1)


@_simplification
def _without_dead_parts(view: _View) -> bool:
    """Stacks that nothing uses, and carried values that nothing used depends on, go."""
    loop, used = view.loop, view.used()
    stacks = [one for one in loop.stacks if one in used]
    needed = [one.value for one in stacks] + ([] if loop.stop is None else [loop.stop])
    alive = {carry for carry in loop.carries if carry in used}
    needed += [carry.new for carry in alive]
    while True:
        reached = loop.used(needed)
        fresh = [carry for carry in loop.carries if carry not in alive and carry.own in reached]
        if not fresh:
            break
        alive.update(fresh)
        needed += [carry.new for carry in fresh]
    changed = len(stacks) < len(loop.stacks) or len(alive) < len(loop.carries)
    loop.stacks, loop.carries = stacks, [carry for carry in loop.carries if carry in alive]
    return loop.forget_unused() or changed


# -- what is computed twice -------------------------------------------------------------------------------

@_simplification
def _equal_inputs(view: _View) -> bool:
    """Rows of one array, and one value given twice, are one; numbers are known inside."""
    loop = view.loop
    mapping: dict[Variable, Variable] = {}
    for arrays in (loop.rows, loop.others):
        seen: dict[Variable, Variable] = {}
        for own, given in arrays.items():
            if arrays is loop.others and isinstance(given, Constant) and not given.type.ndim:
                mapping[own] = given
            elif seen.setdefault(given, own) is not own:
                mapping[own] = seen[given]
    if mapping:
        loop.replace(mapping)
        loop.forget_unused()
    return bool(mapping)


@_simplification
def _equal_carries(view: _View) -> bool:
    """Carried values that start as one value, and of which each step makes one value, are one.

    They are taken to be equal until that proves wrong; what remains is true by induction.
    """
    loop = view.loop
    classes = _classes(loop.carries, lambda carry: carry.first)
    while len(classes) < len(loop.carries):
        leader = {carry.own: members[0].own for members in classes for carry in members[1:]}
        new = dict(zip(loop.carries, _interned(loop, leader)))
        finer = [part for members in classes for part in _classes(members, new.__getitem__)]
        if len(finer) == len(classes):
            break
        classes = finer
    if len(classes) == len(loop.carries):
        return False
    same = {carry: members[0] for members in classes for carry in members[1:]}
    loop.replace({carry.own: first.own for carry, first in same.items()})
    view.same.update(same)
    loop.carries = [members[0] for members in classes]
    return True


def _classes(carries: Iterable[Carry], key: Callable[[Carry], Variable]) -> list[list[Carry]]:
    found: dict[Variable, list[Carry]] = {}
    for carry in carries:
        found.setdefault(key(carry), []).append(carry)
    return list(found.values())


def _interned(loop: Loop, mapping: Mapping[Variable, Variable]) -> list[Variable]:
    """What the carried values become if variables are replaced: equal ones are one object."""
    copy = Loop(loop.steps, [Carry(c.own, c.first, c.new) for c in loop.carries])
    copy.replace(mapping)
    return Graph(loop.parameters, [carry.new for carry in copy.carries]).outputs


@_simplification
def _equal_stacks(view: _View) -> bool:
    """A value is stacked once."""
    first: dict[Variable, Stack] = {}
    for one in view.loop.stacks:
        if first.setdefault(one.value, one) is not one:
            view.same[one] = first[one.value]
    changed = len(first) < len(view.loop.stacks)
    view.loop.stacks = list(first.values())
    return changed


# -- what is the same in all steps ------------------------------------------------------------------------

@_simplification
def _carries_that_stay(view: _View) -> bool:
    """A carried value that no step changes is the same for all steps."""
    loop = view.loop
    fixed = [carry for carry in loop.carries if carry.new is carry.own]
    for carry in fixed:
        loop.carries.remove(carry)
        loop.others[carry.own] = view.fixed[carry] = carry.first
    return bool(fixed)


@_simplification
def _invariants(view: _View) -> bool:
    """What depends on nothing that changes from step to step is computed once, outside."""
    loop = view.loop
    varying = {carry.own for carry in loop.carries} | set(loop.rows)
    nodes = applications(loop.results, set(loop.parameters))
    heavy: set[Variable] = set()
    for node in nodes:
        if any(v in varying for v in node.inputs):
            varying.update(node.outputs)
        elif not node.op.moves and any(not isinstance(v, Constant) for v in node.inputs):
            heavy.update(node.outputs)
    uses = [v for node in nodes if node.outputs[0] not in heavy for v in node.inputs] + loop.results
    outside = list(dict.fromkeys(v for v in uses if v in heavy))
    if not outside:
        return False
    copies = {v: Variable(v.type, name=v.name or repr(v)) for v in outside}
    for variable, value in zip(outside, substitute(outside, loop.others)):
        loop.others[copies[variable]] = value
    loop.replace(copies)
    loop.forget_unused()
    return True


# -- few steps --------------------------------------------------------------------------------------------

def _unrolled(node: Apply) -> list[Variable] | None:
    """A loop of a few short steps, written out."""
    loop = Loop.of(node)
    steps = size_of(loop.steps)
    if not isinstance(steps, int) or loop.stop is not None or not steps:
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
    return substitute(loop.results, {**carried, **given, **loop.others})


# -- loops over the same steps ----------------------------------------------------------------------------

def _merged(graph: Graph, nodes: Sequence[Apply], users: Mapping[Variable, Sequence[Apply | None]]) -> Replacements:
    """Two loops over the same steps, neither of which needs the other, as one."""
    for one, other in _pairs(nodes):
        if _alike(one, other) and not _depends(one, other) and not _depends(other, one):
            return _as_one(one, other, users)
    return {}


def _pairs(nodes: Sequence[Apply]) -> Iterator[tuple[Apply, Apply]]:
    for number, one in enumerate(nodes):
        for other in nodes[number + 1:]:
            yield one, other


def _alike(one: Apply, other: Apply) -> bool:
    a, b = one.op, other.op
    assert isinstance(a, Scan) and isinstance(b, Scan)
    if a.backwards != b.backwards or size_of(one.inputs[-1]) != size_of(other.inputs[-1]):
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


def _depends(node: Apply, on: Apply) -> bool:
    """Whether a node needs a result of another."""
    return on in applications(node.inputs)


def _as_one(one: Apply, other: Apply, users: Mapping[Variable, Sequence[Apply | None]]) -> Replacements:
    first, second = _View(one, users), _View(other, users)
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

