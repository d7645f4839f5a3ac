"""Groups: nodes that share a kernel, and the one operation on them, merging two where that is legal.

Each node starts as a group of its own. A group has loops; each variable computed in it lies along all of them, or, in
a group that reduces, along the parallel ones only (a value of each row). `Groups.legal` says whether one group may be
merged into another, and if not, why; `Groups.merge` does it. Which merges are tried is said in
`symtensor/lower/fuse.py`.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, None))("x")
>>> graph = Graph([x], [sum_axes(exp(x), [1]), sum_axes(x * 2, [0])])
>>> groups = Groups(graph, Accesses(graph))
>>> exponential, row, double, column = groups
>>> print(groups.legal(row, column))
one has loops over x.0, x.1 (reduced), the other over x.0 (reduced), x.1
>>> merged = groups.merge(groups.legal(row, exponential))
>>> [str(node.op) for node in merged.nodes], merged.loops, merged.reduced
(['exp', 'sum[1]'], (x.0, x.1), frozenset({1}))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import Accesses, Read, has_code, iteration_shape, needed, reshaped_base
from symtensor.lower.acyclic import MOST_BETWEEN, Order
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.types.dim import Size

__all__ = ["DeviceOf", "Group", "Groups", "Merge", "Place", "Refusal", "leaves_rows", "on_processor", "reduced_axes"]

MOST_NODES = 160
MOST_BUFFERS = 32
SHORT = 4096
"""Elements up to which a whole tensor is reduced, and used again, by one unit of a kernel."""

Place = tuple[int | None, ...]
"""For each axis of a variable the loop that runs along it; None for an axis of size 1."""
DeviceOf = Callable[[Variable], int]
"""The device a variable is computed on, by number; 0 is the processor."""


def on_processor(variable: Variable) -> int:
    """Everything is on the processor."""
    return 0


def reduced_axes(node: Apply) -> tuple[int, ...]:
    """The axes a reduction runs over; none for other nodes."""
    if isinstance(node.op, Reduce):
        return tuple(node.op.axes)
    return (node.op.axis,) if isinstance(node.op, ArgReduce) else ()


@dataclass(eq=False)
class Group:
    """Nodes that run together: one kernel, or one node that is no kernel (`fused` is False).

    `loops` are the sizes run over; `reduced` says which loops the group's reductions run over.
    `places` tells where each variable computed here lies; `staged` holds those that need a reduction's result;
    `inputs` are the variables read that are computed elsewhere, each with the nodes that read it. It runs on `device`.
    """

    nodes: list[Apply]
    fused: bool = False
    device: int = 0
    loops: tuple[Size, ...] = ()
    reduced: frozenset[int] = frozenset()
    places: dict[Variable, Place] = field(default_factory=dict)
    staged: set[Variable] = field(default_factory=set)
    inputs: dict[Variable, list[Apply]] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Apply, device: int = 0) -> Group:
        """The group of one node that there is code for: a loop for each axis that it runs over."""
        shape, dropped = iteration_shape(node), reduced_axes(node)
        axes = [axis for axis, size in enumerate(shape) if size != 1]
        loop_of = {axis: loop for loop, axis in enumerate(axes)}
        reduced = frozenset(loop_of[axis] for axis in dropped if axis in loop_of)
        place = tuple(loop_of.get(axis) for axis in range(len(shape)) if axis not in dropped)
        return cls([node], True, device, tuple(shape[axis] for axis in axes), reduced, {node.outputs[0]: place},
                   set(node.outputs) if reduced else set())

    @property
    def parallel(self) -> tuple[int, ...]:
        """The loops that are not reduced over."""
        return tuple(number for number in range(len(self.loops)) if number not in self.reduced)

    @property
    def rows(self) -> tuple[Size, ...]:
        """The sizes of the loops that are not reduced over."""
        return tuple(self.loops[loop] for loop in self.parallel)

    def place_of(self, node: Apply) -> Place:
        """The loops along the axes that a node of this group runs over: those of its input if it reduces."""
        place = self.places[node.outputs[0]]
        dropped = reduced_axes(node)
        if not dropped:
            return place
        kept, inner = iter(place), iter(sorted(self.reduced))
        return tuple(next(kept) if axis not in dropped else None if size == 1 else next(inner)
                     for axis, size in enumerate(iteration_shape(node)))


@dataclass(frozen=True)
class Merge:
    """A merge that is legal: `other` goes into `into`, each of its loops onto one of those in `onto`.

    If one reads from the other, `late` does so from `early`, and its variables in `staged` thereby come to need a
    reduction's result. The groups in `between` must run before both.
    """

    into: Group
    other: Group
    onto: tuple[int, ...]
    early: Group
    late: Group
    staged: set[Variable] = field(default_factory=set)
    between: list[Group] = field(default_factory=list)

    def moved(self, group: Group, place: Place) -> Place:
        """A place in one of the two groups as one in the group they become."""
        return place if group is self.into else tuple(None if loop is None else self.onto[loop] for loop in place)


@dataclass(frozen=True)
class Refusal:
    """Why two groups may not be merged: a text with places for what it is about."""

    reason: str
    about: tuple[object, ...] = ()

    def __str__(self) -> str:
        return self.reason.format(*self.about)


class Groups:
    """The groups of a graph's nodes: at first each node that must be computed is one.

    `home` tells in which group a variable is computed, `readers` which nodes read it. Iterated over, they come in an
    order in which each follows those it reads from.
    """

    def __init__(self, graph: Graph, accesses: Accesses, device_of: DeviceOf = on_processor) -> None:
        self.graph = graph
        self.accesses = accesses
        order = needed(graph, through=True)
        wanted = _wanted(graph, order, accesses)
        self.nodes = [n for n in order if n.outputs[0] in wanted or not accesses.is_free(n.outputs[0])]
        self.position = {node: number for number, node in enumerate(self.nodes)}
        self.home: dict[Variable, Group] = {}
        self.readers: dict[Variable, list[Apply]] = {}
        for node in self.nodes:
            device = device_of(node.outputs[0])
            own = Group.of(node, device) if has_code(node) else Group([node], device=device)
            self.home.update(dict.fromkeys(node.outputs, own))
            for read in accesses.needs(node):
                if read.variable not in own.inputs:
                    own.inputs[read.variable] = [node]
                    self.readers.setdefault(read.variable, []).append(node)
        self._order = Order((self.home[node.outputs[0]] for node in self.nodes), self.before)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._order)

    def before(self, group: Group) -> Iterator[Group]:
        """The groups that a group reads from."""
        return (self.home[variable] for variable in group.inputs if variable in self.home)

    def legal(self, into: Group, other: Group) -> Merge | Refusal:
        """How `other` may be merged into `into`, or why not. All that must hold is said here."""
        # Both are kernels, and together no larger than one may be.
        refusal = _beyond_bounds(into, other)
        if refusal is not None:
            return refusal
        # The loops of one are those of the other, or its parallel ones; all reductions run over the same loops.
        onto = _loops_onto(into, other)
        if onto is None:
            return Refusal("loops over {} do not go onto loops over {}", (_loops(other), _loops(into)))
        if into.reduced and other.reduced and into.reduced != other.reduced:
            return Refusal("one has loops over {}, the other over {}", (_loops(into), _loops(other)))
        # What one computes the other reads only at its own place.
        early, late = sorted((into, other), key=self._order.rank)
        merge = Merge(into, other, onto, early, late, self._staged_by(early, late))
        for reader, read in self._reads_between(early, late):
            if not _at_own_place(merge, reader, read):
                return Refusal("{} reads {!r} elsewhere than at its own place", (reader.op, read.variable))
        # What needs a reduction's result at every point reduced over finds it in its own row.
        node = _misses_result(merge)
        if node is not None:
            return Refusal("{} needs a result that is known only after the loops it runs in", (node.op,))
        # No path leads from one to the other through a third.
        between = self._order.between(early, late)
        if between is None:
            return Refusal("more than {} groups lie between them", (MOST_BETWEEN,))
        if early in between:
            return Refusal("one needs the other through a third")
        merge.between.extend(between)
        return merge

    def merge(self, merge: Merge) -> Group:
        """Do a legal merge; the group that both are then."""
        into, other = merge.into, merge.other
        self._order.merge(merge.early, merge.late, into, merge.between)
        into.places.update({variable: merge.moved(other, place) for variable, place in other.places.items()})
        into.reduced = into.reduced or other.reduced
        into.staged |= other.staged | merge.staged
        into.nodes += other.nodes
        into.nodes.sort(key=self.position.__getitem__)
        for variable, nodes in other.inputs.items():
            into.inputs.setdefault(variable, []).extend(nodes)
        for variable in into.inputs.keys() & into.places.keys():
            del into.inputs[variable]
        self.home.update(dict.fromkeys(other.places, into))
        return into

    def _reads_between(self, early: Group, late: Group) -> Iterator[tuple[Apply, Read]]:
        """What nodes of one group read of another."""
        for variable in late.inputs:
            if variable in early.places:
                for node in late.inputs[variable]:
                    yield from ((node, read) for read in self.accesses.needs(node) if read.variable is variable)

    def _staged_by(self, early: Group, late: Group) -> set[Variable]:
        """The variables of `late` that need a reduction's result of `early`, directly or not."""
        staged: set[Variable] = set()
        if early.staged.isdisjoint(late.inputs):
            return staged
        for node in late.nodes:
            if any(read.variable in early.staged or read.variable in staged for read in self.accesses.needs(node)):
                staged.update(node.outputs)
        return staged


def leaves_rows(loops: tuple[Size, ...], reduced: frozenset[int]) -> bool:
    """Whether a reduction over some of the loops leaves rows: results that may be used again over the row.

    All of a tensor is no row, unless it is known to be short: its parts are better reduced side by side.
    """
    total = math.prod(loops)
    trailing = reduced == set(range(len(loops) - len(reduced), len(loops)))
    return trailing and (len(loops) > len(reduced) or (isinstance(total, int) and total <= SHORT))


def _loops_onto(into: Group, other: Group) -> tuple[int, ...] | None:
    """For each loop of `other` the one of `into` that does its work."""
    if other.loops == into.loops:
        return tuple(range(len(into.loops)))
    if into.reduced and not other.reduced and other.loops == into.rows:
        return into.parallel
    return None


def _at_own_place(merge: Merge, node: Apply, read: Read) -> bool:
    """Whether a node of the later group reads a variable of the earlier one where it is computed at that point."""
    if read.axes is None:
        return False
    along = merge.late.place_of(node)
    here = tuple(None if axis is None else along[axis] for axis in read.axes)
    return merge.moved(merge.late, here) == merge.moved(merge.early, merge.early.places[read.variable])


def _misses_result(merge: Merge) -> Apply | None:
    """A node that runs over all loops and needs a reduction's result, though the reduction leaves no rows."""
    if not merge.staged or leaves_rows(merge.into.loops, merge.into.reduced | merge.other.reduced):
        return None
    for node in merge.late.nodes:
        along = set(merge.late.place_of(node)) - {None}
        if node.outputs[0] in merge.staged and len(along) == len(merge.into.loops):
            return node
    return None


def _beyond_bounds(into: Group, other: Group) -> Refusal | None:
    """Why two groups make no kernel, whatever they compute."""
    if not (into.fused and other.fused):
        return Refusal("{} is no kernel", ((other if into.fused else into).nodes[0].op,))
    if into.device != other.device:
        return Refusal("they run on different devices")
    if len(into.nodes) + len(other.nodes) > MOST_NODES:
        return Refusal("together they have more than {} nodes", (MOST_NODES,))
    if _inputs_together(into, other) > MOST_BUFFERS:
        return Refusal("together they read more than {} arrays", (MOST_BUFFERS,))
    return None


def _inputs_together(into: Group, other: Group) -> int:
    """How many arrays two groups read that neither computes."""
    return sum(v not in into.places and v not in other.places for v in into.inputs.keys() | other.inputs.keys())


def _loops(group: Group) -> str:
    """The loops of a group in words."""
    words = [f"{size!r} (reduced)" if loop in group.reduced else repr(size) for loop, size in enumerate(group.loops)]
    return ", ".join(words) or "one element"


def _wanted(graph: Graph, order: list[Apply], accesses: Accesses) -> set[Variable]:
    """Variables that outputs, sizes and nodes without code need in memory, though they only move."""
    wanted = set(map(reshaped_base, graph.roots()))
    for node in order:
        if not has_code(node):
            wanted.update(accesses.memory(node))
    return wanted
