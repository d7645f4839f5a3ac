"""Fusion: which groups are merged, of those that may be.

What may be merged is said in `symtensor/lower/group.py`; here is only what is tried, and in which order. First each
node with what it reads, then groups that read one thing side by side, then small groups that a row alone uses. Last,
a value that another kernel would read, and that follows cheaply from others it reads, is computed there once more.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, None))("x")
>>> graph = Graph([x], [sum_axes(exp(x * 2), [1])])
>>> [[str(node.op) for node in unit.nodes] for unit in fuse(graph)]
[['mul', 'exp', 'sum[1]']]
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Container, Sequence

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import Accesses, has_code, iteration_shape, reshaped_base
from symtensor.lower.group import DeviceOf, Group, Groups, Merge, on_processor
from symtensor.ops.elementwise import Elementwise
from symtensor.types.dim import Size

__all__ = ["fuse", "in_running_order", "merged"]

MOST_SIBLINGS = 8
"""Groups over the same loops, of those that read a variable, that another reader is tried with."""
CHEAP, MOST_SOURCES = 8, 3
"""The cost, in additions, up to which a value is computed again rather than written and read, and how many it reads of
its own size: what is broadcast is smaller."""
CHEAP_FROM_SCALARS, FEW = 128, 16
"""The same for a value computed from nothing in memory but arrays of a few elements, as random numbers are."""


def fuse(graph: Graph, accesses: Accesses | None = None, device_of: DeviceOf = on_processor) -> list[Group]:
    """The groups of a graph in an order in which they can run."""
    return in_running_order(merged(graph, accesses or Accesses(graph), device_of))


def merged(graph: Graph, accesses: Accesses, device_of: DeviceOf = on_processor) -> Groups:
    """The groups of a graph after all merges."""
    groups = _merged(graph, accesses, device_of)
    cheap = _cheap_to_repeat(groups)
    if not cheap:
        return groups
    accesses.compute_where_used(cheap)
    return _merged(graph, accesses, device_of)


def _merged(graph: Graph, accesses: Accesses, device_of: DeviceOf) -> Groups:
    groups = Groups(graph, accesses, device_of)
    _merge_with_sources(groups)
    _merge_siblings(groups)
    _absorb_into_rows(groups)
    return groups


def _try(groups: Groups, one: Group, other: Group) -> bool:
    """Merge two groups if that is legal; whether it was. The one with fewer loops goes into the other."""
    if one is other:
        return False
    other, into = sorted((other, one), key=lambda group: (len(group.loops), len(group.nodes)))
    merge = groups.legal(into, other)
    if isinstance(merge, Merge):
        groups.merge(merge)
    return isinstance(merge, Merge)


def _merge_with_sources(groups: Groups) -> None:
    """Each node goes to what it reads: to what has most loops, and of that to what is computed last."""
    for node in groups.nodes:
        sources = set(groups.before(groups.home[node.outputs[0]]))
        for source in sorted(sources, key=lambda g: (-len(g.loops), -groups.position[g.nodes[-1]])):
            _try(groups, source, groups.home[node.outputs[0]])


def _merge_siblings(groups: Groups) -> None:
    """Groups that read one variable, each at its own place, and run over the same loops or rows become one."""
    for variable, readers in groups.readers.items():
        if variable.type.ndim:
            _merge_readers(groups, [node for node in readers if any(
                read.variable is variable and read.axes is not None for read in groups.accesses.needs(node))])


def _merge_readers(groups: Groups, nodes: list[Apply]) -> None:
    seen: defaultdict[tuple[Size, ...], deque[Apply]] = defaultdict(lambda: deque(maxlen=MOST_SIBLINGS))
    for node in nodes:
        own = groups.home[node.outputs[0]]
        near = [seen[sizes] for sizes in dict.fromkeys((own.loops, own.rows))]
        others = dict.fromkeys(groups.home[sibling.outputs[0]] for siblings in near for sibling in siblings)
        if own not in others and not any(_try(groups, other, own) for other in others):
            for siblings in near:
                siblings.append(node)


def _absorb_into_rows(groups: Groups) -> None:
    """A group without reductions whose only readers are in one group with rows computes there."""
    for own in list(groups):
        if not own.fused or own.reduced or not own.loops:
            continue
        users = {groups.home[node.outputs[0]] for v in own.places for node in groups.readers.get(v, ())} - {own}
        if len(users) == 1:
            (user,) = users
            if user.fused and user.reduced:
                _try(groups, user, own)


# -- what is better computed twice than kept -------------------------------------------------------

def _cheap_to_repeat(groups: Groups) -> list[Variable]:
    """Values kept for other groups that follow cheaply from others that are kept, with what leads to them."""
    outputs = {reshaped_base(v) for v in groups.graph.roots()}
    found: dict[Variable, None] = {}
    for unit in groups:
        kept = [v for v in unit.places if unit.fused and _is_read_outside(groups, v, unit)]
        for variable in kept:
            if variable not in outputs and variable not in unit.staged:
                others = set(kept) - {variable} - found.keys() | (outputs & unit.places.keys())
                found.update(dict.fromkeys(_way_to(groups, variable, unit, others, found)))
    return list(found)


def _is_read_outside(groups: Groups, variable: Variable, unit: Group) -> bool:
    return any(groups.home[node.outputs[0]] is not unit for node in groups.readers.get(variable, ()))


def _way_to(groups: Groups, goal: Variable, unit: Group, kept: Container[Variable],
            found: Container[Variable]) -> list[Variable]:
    """The variables to compute on the way to `goal` from inputs and what is kept, if that is cheap; else none.

    What follows from a few numbers may cost more: to keep it takes memory meanwhile. What was `found` to be computed
    where it is used, in whichever unit, is on the way as well: a chain of such values is not cheap.
    """
    way: dict[Variable, None] = {}
    used: set[Variable] = set()
    cost = 0
    pending = [goal]
    while pending:
        variable = pending.pop()
        if variable in way:
            continue
        node = variable.owner
        if node is None or not isinstance(node.op, Elementwise) or (
                variable not in unit.places and variable not in found):
            return []
        if any(not has_code(reader) for reader in groups.readers.get(variable, ())):
            return []
        way[variable] = None
        cost += node.op.definition.cost
        for read in groups.accesses.needs(node):
            known = read.variable in kept or (
                groups.home.get(read.variable) is not unit and read.variable not in found)
            (used.add if known else pending.append)(read.variable)
        whole = [source for source in used if _long_axes(source.type.shape) >= _long_axes(goal.type.shape)]
        if cost > CHEAP_FROM_SCALARS or (cost > CHEAP or len(whole) > MOST_SOURCES) and not all(map(_is_short, used)):
            return []
    return list(way) if cost <= CHEAP or _is_read_once(groups, goal) else []


def _is_read_once(groups: Groups, variable: Variable) -> bool:
    """Whether each reader reads each element of a variable once, along its own loops; one number is, by any loop."""
    along = _long_axes(variable.type.shape)
    for node in groups.readers.get(variable, ()) if along else ():
        loops = _long_axes(iteration_shape(node))
        for read in groups.accesses.needs(node):
            if read.variable is variable and (read.axes is None or along < loops):
                return False
    return True


def _long_axes(shape: Sequence[Size]) -> int:
    """How many axes a shape has, without those of size 1."""
    return sum(size != 1 for size in shape)


def _is_short(variable: Variable) -> bool:
    size = math.prod(variable.type.shape)
    return isinstance(size, int) and size <= FEW


# -- the order of running --------------------------------------------------------------------------

def in_running_order(groups: Groups) -> list[Group]:
    """All groups, each after those it reads from, and no sooner than its last node would be computed."""
    done: dict[Group, None] = {}
    pending = sorted(groups, key=lambda group: -groups.position[group.nodes[-1]])
    while pending:
        current = pending[-1]
        missing = [group for group in groups.before(current) if group not in done]
        if current in done or not missing:
            done[current] = None
            pending.pop()
        else:
            pending += dict.fromkeys(missing)
    return list(done)
