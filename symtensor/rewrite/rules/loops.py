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
from copy import copy
from dataclasses import dataclass
from functools import partial

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications, leaves, substitute
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops import scalar
from symtensor.ops.contract import MatMul, matmul, swap_last
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import zeros_like
from symtensor.ops.index import Entry, Subtensor, stack, subtensor
from symtensor.ops.loop import Carry, Loop, Stack
from symtensor.ops.reduce import Reduce, sum_axes
from symtensor.ops.shape import broadcast_to, expand_dims, reshape
from symtensor.ops.size import dimension, size_of, size_value
from symtensor.ops.vectorize import vectorize
from symtensor.rewrite.rule import Replacements, rewrite_graph
from symtensor.rewrite.rules import canonicalize
from symtensor.rewrite.rules.views import is_swap

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


_NOTHING = _Expression((), lambda: Constant(0))


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
        self.replaced: dict[Part, _Expression] = {}

    def changed_by(self, step: Callable[[_View], bool]) -> bool:
        """Whether a simplification changes the loop, and do it."""
        changed = step(self)
        if changed:
            self.loop.intern()
        return changed

    def find(self, part: Part) -> Part:
        """The part of the loop as it is now that a part stands for."""
        while part in self.same:
            part = self.same[part]
        return part

    def used(self) -> set[Part]:
        """The parts whose outputs something uses."""
        pending = [output for variable, output in zip(self.node.outputs, self.outputs) if variable in self.users]
        found: set[Part] = set()
        while pending:
            output = pending.pop()
            if not isinstance(output, _Expression):
                output = self.find(output)
                found.add(output)
                output = self.replaced.get(output, _NOTHING)
            pending += output.parts
        return found

    def replacement(self) -> list[Variable | None]:
        """What to put for the outputs."""
        made: dict[Part, Variable] = {**self.loop.make(), **self.fixed}

        def value(output: Part | _Expression) -> Variable:
            if not isinstance(output, _Expression):
                output = self.find(output)
                if output not in self.replaced:
                    return made[output]
                output = self.replaced[output]
            return output.build(*map(value, output.parts))

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
        if any([view.changed_by(step) for step in _steps]):  # a list: all of them
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
    double = [(carry, members[0]) for members in classes for carry in members[1:]]
    loop.replace({carry.own: first.own for carry, first in double})
    view.same.update(double)
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


# -- what all steps can do at once -------------------------------------------------------------------------

@_simplification
def _rows_at_once(view: _View) -> bool:
    """Matrix products of rows of sequences, and what follows from them alone, are done for all rows before the loop."""
    loop = view.loop
    nodes = applications(loop.results, set(loop.parameters))
    free = set(loop.rows) | set(loop.others)
    of_rows, products = set(loop.rows), set()  # type: set[Variable], set[Variable]
    for node in nodes:
        if not all(v in free or isinstance(v, Constant) for v in node.inputs):
            continue
        free.update(node.outputs)
        if any(v in of_rows for v in node.inputs):
            of_rows.update(node.outputs)
            if isinstance(node.op, MatMul) or any(v in products for v in node.inputs):
                products.update(node.outputs)
    uses = [v for node in nodes if node.outputs[0] not in products for v in node.inputs] + loop.results
    early = list(dict.fromkeys(v for v in uses if v in products))
    if not early:
        return False
    copies = {v: Variable(v.type, name=v.name) for v in early}
    loop.rows.update(zip(copies.values(), _at_once(loop, early, {})))
    loop.replace(copies)
    loop.forget_unused()
    return True


def _at_once(loop: Loop, values: Sequence[Variable], stacked: Mapping[Variable, Variable]) -> list[Variable]:
    """Values of all steps, from the arrays whose rows each step is given and from stacks of other values."""
    whole = [slice(None, loop.steps)]
    arrays = {own: subtensor(array, whole) for own, array in loop.rows.items()}
    return substitute(vectorize(values, {**arrays, **stacked}), loop.others)


@_simplification
def _products_summed_at_once(view: _View) -> bool:
    """A sum over the steps of matrix products, or of sums, is one product, or one sum, after the loop."""
    loop, changed = view.loop, False
    if loop.stop is not None:
        return False
    for carry in list(loop.carries):
        added = _added(loop, carry)
        if added is None or added.owner is None or not isinstance(added.owner.op, (MatMul, Reduce)):
            continue
        build = _summed(loop, added.owner)
        if build is None:
            continue
        parts, total = build
        loop.carries.remove(carry)
        view.replaced[carry] = _Expression(parts, partial(_plus, carry.first, total))
        loop.forget_unused()
        changed = True
    return changed


def _plus(first: Variable, total: Callable[..., Variable], *stacks: Variable) -> Variable:
    return scalar.add(first, total(*stacks))  # type: ignore[no-any-return]


def _added(loop: Loop, carry: Carry) -> Variable | None:
    """What each step adds to a carried value that it does nothing else with."""
    node = carry.new.owner
    if node is None or node.op != scalar.add or carry.own not in node.inputs:
        return None
    added = node.inputs[1] if node.inputs[0] is carry.own else node.inputs[0]
    others = [added, *(c.new for c in loop.carries if c is not carry), *(s.value for s in loop.stacks)]
    alone = carry.own not in loop.used(others) and added.type.ndim == carry.own.type.ndim
    return added if alone and added.type.broadcastable == carry.own.type.broadcastable else None


def _summed(loop: Loop, node: Apply) -> tuple[list[Part], Callable[..., Variable]] | None:
    """The stacks that a sum over all steps of what a node computes is made from, and how."""
    whole = [slice(None, loop.steps)]
    arrays = {own: subtensor(array, whole) for own, array in loop.rows.items()}
    varying = loop.used(node.inputs) - set(loop.others)
    if not varying or any(v in loop.others or isinstance(v, Constant) for v in node.inputs):
        return None
    if isinstance(node.op, MatMul) and node.outputs[0].type.ndim == 2:
        operands = [_transposed(node.inputs[0]), node.inputs[1]]
        total: Callable[..., Variable] = _product_of_all
    elif isinstance(node.op, Reduce) and node.op.kind == "sum" and (
            node.inputs[0] in arrays or any(one.value is node.inputs[0] for one in loop.stacks)):
        operands, total = [node.inputs[0]], partial(_sum_of_all, node.op.axes)
    else:
        return None
    parts = [None if v in arrays else loop.stack(v) for v in operands]
    fixed = [arrays.get(v) for v in operands]
    given = [part for part in parts if part is not None]

    def build(*stacks: Variable) -> Variable:
        found = iter(stacks)
        return total(*(next(found) if known is None else known for known in fixed))
    return list(given), build


def _transposed(x: Variable) -> Variable:
    """A matrix with its axes exchanged."""
    return x.owner.inputs[0] if is_swap(x) and x.owner is not None else swap_last(x)


def _product_of_all(a: Variable, b: Variable) -> Variable:
    """The sum over t of transpose(a[t]) @ b[t]."""
    rows = [reshape(x, (dimension(x, 0) * dimension(x, 1), dimension(x, 2))) for x in (a, b)]
    return matmul(swap_last(rows[0]), rows[1])


def _sum_of_all(axes: Sequence[int], x: Variable) -> Variable:
    return sum_axes(x, [0, *(axis + 1 for axis in axes)])


@_simplification
def _results_at_once(view: _View) -> bool:
    """Matrix products that only stacks need, and what follows from them, are done for all steps after the loop."""
    loop, changed = view.loop, False
    if loop.stop is not None:
        return False
    parameters = set(loop.parameters)
    path = {v for node in applications([c.new for c in loop.carries], parameters) for v in node.outputs}
    for one in list(loop.stacks):
        nodes = applications([one.value], parameters | path)
        if one.value in path or not any(isinstance(node.op, MatMul) for node in nodes):
            continue
        known = set(loop.rows) | set(loop.others)
        edge = [v for v in leaves([one.value], parameters | path) if v not in known and not isinstance(v, Constant)]
        parts = [loop.stack(v) for v in edge]
        loop.stacks.remove(one)
        view.replaced[one] = _Expression(parts, partial(_late, copy(loop), one.value, edge))
        loop.forget_unused()
        changed = True
    return changed


def _late(loop: Loop, value: Variable, edge: Sequence[Variable], *stacks: Variable) -> Variable:
    """A value of all steps of a loop, from stacks of what it is computed from."""
    return _at_once(loop, [value], dict(zip(edge, stacks)))[0]


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

