"""Fusion: which nodes share a kernel.

Nodes that code can be generated for are collected in `Group`s; every other node stands alone. A group has loops;
each of its variables lies along all of them, or, in a group that reduces, along the parallel ones only (a value of
each row). A node joins the group of what it reads when it reads at its own place, when its axes are the group's
loops, and when no path through another group would make a cycle. Groups that then read the same things side by
side, and small groups whose only reader is a group with rows, are merged too.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, None))("x")
>>> graph = Graph([x], [sum_axes(exp(x * 2), [1])])
>>> [[str(node.op) for node in unit.nodes] for unit in group(graph)]
[['mul', 'exp', 'sum[1]']]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import Accesses, Read, has_code, iteration_shape, needed, reshaped_base, whole_inputs
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.size import size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["Group", "Place", "group", "reduced_axes"]

MOST_NODES = 160
MOST_BUFFERS = 32
SHORT = 4096
"""Elements up to which a whole tensor is reduced, and used again, by one unit of a kernel."""
CHEAP = 8
"""The cost, in additions, up to which a value is computed again rather than written and read."""

Place = tuple[int | None, ...]
"""For each axis of a variable the loop that runs along it; None for an axis of size 1."""


@dataclass(eq=False)
class Group:
    """Nodes that run together: one kernel, or one node that is no kernel (`fused` is False).

    `loops` are the sizes run over; `reduced` says which loops the group's reductions run over.
    `places` tells where each variable computed here lies; `staged` holds those that need a reduction's result;
    `inputs` are the variables read that are computed elsewhere.
    """

    nodes: list[Apply]
    fused: bool = False
    loops: tuple[Size, ...] = ()
    reduced: frozenset[int] = frozenset()
    places: dict[Variable, Place] = field(default_factory=dict)
    staged: set[Variable] = field(default_factory=set)
    inputs: set[Variable] = field(default_factory=set)
    first: int = 0
    last: int = 0

    @property
    def parallel(self) -> tuple[int, ...]:
        """The loops that are not reduced over."""
        return tuple(number for number in range(len(self.loops)) if number not in self.reduced)

    def place_of(self, node: Apply) -> Place:
        """The loops along the axes that a node of this group runs over: those of its input if it reduces."""
        kept = iter(self.places[node.outputs[0]])
        if not isinstance(node.op, (Reduce, ArgReduce)):
            return tuple(kept)
        dropped, inner = reduced_axes(node), iter(sorted(self.reduced))
        return tuple(next(kept) if axis not in dropped else None if size == 1 else next(inner)
                     for axis, size in enumerate(iteration_shape(node)))

    def rows(self, reduced: Iterable[int]) -> bool:
        """Whether a reduction over these loops leaves rows: results that may be used again over the row.

        All of a tensor is no row, unless it is known to be short: its parts are better reduced side by side.
        """
        reduced = set(reduced)
        trailing = reduced == set(range(len(self.loops) - len(reduced), len(self.loops)))
        total: Size = 1
        for size in self.loops:
            total = total * size
        return trailing and (len(self.loops) > len(reduced) or (isinstance(total, int) and total <= SHORT))


def group(graph: Graph, accesses: Accesses | None = None) -> list[Group]:
    """The groups of a graph in an order in which they can run."""
    accesses = accesses or Accesses(graph)
    grouping = _Grouping(graph, accesses)
    units = grouping.run()
    cheap = grouping.cheap_to_repeat()
    if not cheap:
        return units
    accesses.compute_where_used(cheap)
    return _Grouping(graph, accesses).run()


class _Grouping:
    def __init__(self, graph: Graph, accesses: Accesses) -> None:
        self.graph = graph
        self.accesses = accesses
        self.order = needed(graph)
        self.position = {node: number for number, node in enumerate(self.order)}
        self.home: dict[Variable, Group] = {}
        self._reads: dict[Apply, list[Read]] = {}
        self.readers: dict[Variable, list[Apply]] = {}
        self.computed_sources = {symbol: variable for symbol, variable in graph.sources.items()
                                 if variable.owner is not None and variable not in self.accesses.inputs}

    def run(self) -> list[Group]:
        wanted = self._wanted()
        for node in self.order:
            if node.outputs[0] in wanted or not self.accesses.is_free(node.outputs[0]):
                self._place(node, alone=self.accesses.is_free(node.outputs[0]))
        self._merge_siblings()
        self._absorb_rows()
        return self._sorted()

    # -- what must exist in memory ----------------------------------------------------------------

    def _wanted(self) -> set[Variable]:
        """Variables that outputs, sizes and nodes without code need in memory, though they only move."""
        wanted = set()
        for variable in self.graph.roots():
            wanted.add(reshaped_base(variable))
        for node in self.order:
            if not has_code(node):
                wanted.update(whole_inputs(node))
        return wanted

    def reads(self, node: Apply) -> list[Read]:
        """What a node reads, by variable in memory; values that its sizes are made of among it."""
        if node not in self._reads:
            found = self.accesses.of(node) if has_code(node) else [Read(v, None) for v in whole_inputs(node)]
            self._reads[node] = found + [Read(v, None) for v in self._size_sources(node)]
        return self._reads[node]

    def _size_sources(self, node: Apply) -> list[Variable]:
        """Computed variables whose values or sizes a node must know before it can run."""
        if not self.computed_sources:
            return []
        sizes: list[Size] = []
        pending, on_the_way = [node], {node}
        while pending:
            current = pending.pop()
            sizes += (size for v in (*current.inputs, *current.outputs) for size in v.type.shape)
            lent = current.inputs[len(current.op.reads(current.inputs)):]
            sizes += map(size_of, (v for v in lent if not v.type.ndim))
            sizes += current.op.sizes()
            free = {v.owner for v in current.inputs if v.owner is not None and self.accesses.is_free(v)} - on_the_way
            on_the_way |= free
            pending += free
        found = {s: self.computed_sources[s] for size in sizes for s in dims.symbols_of(self.graph.solution(size))
                 if s in self.computed_sources}
        own = set(node.outputs)
        return [reshaped_base(v) for v in found.values() if v not in own]

    # -- placing nodes one by one -----------------------------------------------------------------

    def _place(self, node: Apply, alone: bool) -> None:
        number = self.position[node]
        if not has_code(node):
            self._settle(node, Group([node], first=number, last=number))
            return
        reads = self.reads(node)
        candidates: dict[Group, None] = {}
        for read in reads:
            home = self.home.get(read.variable)
            if home is not None and home.fused and read.axes is not None:
                candidates[home] = None
        for read in reads:
            if read.axes is None:
                candidates.pop(self.home.get(read.variable), None)  # type: ignore[arg-type]
        chosen: Group | None = None
        for candidate in sorted(candidates, key=lambda g: (-len(g.loops), -g.last)):
            if chosen is None:
                if self._join(node, candidate, reads):
                    chosen = candidate
            else:
                self._merge(chosen, candidate)
        if chosen is None:
            self._settle(node, self._single(node))

    def _single(self, node: Apply) -> Group:
        shape = iteration_shape(node)
        axes = [axis for axis, size in enumerate(shape) if size != 1]
        made = Group([node], True, tuple(shape[axis] for axis in axes))
        made.first = made.last = self.position[node]
        loop_of = {axis: loop for loop, axis in enumerate(axes)}
        if isinstance(node.op, (Reduce, ArgReduce)):
            made.reduced = frozenset(loop_of[axis] for axis in reduced_axes(node) if axis in loop_of)
        self._put(node, made, loop_of)
        return made

    def _settle(self, node: Apply, target: Group) -> None:
        for variable in node.outputs:
            self.home[variable] = target
        for read in self.reads(node):
            self.readers.setdefault(read.variable, []).append(node)
            if self.home.get(read.variable) is not target:
                target.inputs.add(read.variable)

    def _put(self, node: Apply, target: Group, loop_of: dict[int, int]) -> None:
        """Note where a node's output lies in its group, and whether it needs a reduction's result."""
        reduces = isinstance(node.op, (Reduce, ArgReduce))
        dropped = reduced_axes(node) if reduces else ()
        axes = [axis for axis in range(len(iteration_shape(node))) if axis not in dropped]
        target.places[node.outputs[0]] = tuple(loop_of.get(axis) for axis in axes)
        reduced = reduces and any(axis in loop_of for axis in dropped)
        if reduced or any(read.variable in target.staged for read in self.reads(node)):
            target.staged.add(node.outputs[0])

    def _join(self, node: Apply, target: Group, reads: list[Read]) -> bool:
        """Put a node into a group if that is right; whether it was."""
        if len(target.nodes) >= MOST_NODES or len(target.inputs) >= MOST_BUFFERS:
            return False
        loop_of = self._loops_of(node, target, reads)
        if loop_of is None:
            return False
        staged = any(read.variable in target.staged for read in reads)
        reduced = target.reduced
        if isinstance(node.op, (Reduce, ArgReduce)):
            own = frozenset(loop_of[axis] for axis in reduced_axes(node) if axis in loop_of)
            if own and (len(loop_of) != len(target.loops) or (reduced and own != reduced)):
                return False
            reduced = reduced or own
        full = len(loop_of) == len(target.loops)
        if not full and set(loop_of.values()) != set(target.parallel):
            return False
        if full and staged and reduced and not target.rows(reduced):
            return False
        outside = {self.home[r.variable] for r in reads if r.variable in self.home} - {target}
        if any(self._depends(other, target) for other in outside):
            return False
        target.reduced = reduced
        target.nodes.append(node)
        target.last = self.position[node]
        self._put(node, target, loop_of)
        self._settle(node, target)
        return True

    def _loops_of(self, node: Apply, target: Group, reads: list[Read]) -> dict[int, int] | None:
        """Which loop of the group runs along each axis of a node (None if they do not fit)."""
        shape = iteration_shape(node)
        loop_of = self._loops_read(target, reads)
        if loop_of is None:
            return None
        free = [loop for loop in range(len(target.loops)) if loop not in loop_of.values()]
        for axis, size in enumerate(shape):
            if size != 1 and axis not in loop_of:
                if not free or target.loops[free[0]] != size or not target.reduced:
                    return None
                loop_of[axis] = free.pop(0)
        ordered = [loop_of[axis] for axis in sorted(loop_of)]
        if any(target.loops[loop] != shape[axis] for axis, loop in loop_of.items()) or ordered != sorted(set(ordered)):
            return None
        return loop_of

    def _loops_read(self, target: Group, reads: list[Read]) -> dict[int, int] | None:
        """Which loop runs along each axis by which a node reads the group's variables (None if they disagree)."""
        loop_of: dict[int, int] = {}
        for read in reads:
            if self.home.get(read.variable) is not target:
                continue
            if read.axes is None:
                return None
            for axis, loop in zip(read.axes, target.places[read.variable]):
                if axis is None or loop is None:
                    if axis is not loop:
                        return None
                elif loop_of.setdefault(axis, loop) != loop:
                    return None
        return loop_of

    # -- merging whole groups ---------------------------------------------------------------------

    def _merge(self, target: Group, other: Group) -> bool:
        """Move all of `other` into `target` if that is right; whether it was."""
        if target is other or len(target.nodes) + len(other.nodes) > MOST_NODES:
            return False
        if len(target.inputs | other.inputs) > MOST_BUFFERS:
            return False
        onto = self._loops_onto(target, other)
        if onto is None or not self._reads_fit(target, other, onto) or self._path_between(target, other):
            return False
        target.reduced = target.reduced or other.reduced
        target.nodes += other.nodes
        target.nodes.sort(key=self.position.__getitem__)
        target.first, target.last = min(target.first, other.first), max(target.last, other.last)
        for variable, place in other.places.items():
            target.places[variable] = tuple(None if loop is None else onto[loop] for loop in place)
            self.home[variable] = target
        target.staged = self._staged(target)
        target.inputs = (target.inputs | other.inputs) - target.places.keys()
        return True

    def _loops_onto(self, target: Group, other: Group) -> dict[int, int] | None:
        """Where the loops of `other` go among those of `target`."""
        if target.loops == other.loops:
            same = not target.reduced or not other.reduced or target.reduced == other.reduced
            if not same or not self._stages_fit(target, other):
                return None
            return {loop: loop for loop in range(len(target.loops))}
        row_sizes = tuple(target.loops[loop] for loop in target.parallel)
        if target.reduced and not other.reduced and other.loops == row_sizes:
            return dict(enumerate(target.parallel))
        return None

    def _stages_fit(self, target: Group, other: Group) -> bool:
        """Whether merging groups of the same loops keeps what needs a result in rows or out of the loops over R."""
        if target.rows(target.reduced or other.reduced):
            return True
        together = target.nodes + other.nodes
        reducers = {v for node in together if isinstance(node.op, (Reduce, ArgReduce)) for v in node.outputs}
        whole = len(target.loops)
        for node in together:
            place = target.places.get(node.outputs[0]) or other.places.get(node.outputs[0]) or ()
            full = len([loop for loop in place if loop is not None]) == whole or node.outputs[0] in reducers
            if full and any(r.variable in reducers or r.variable in target.staged | other.staged
                            for r in self.reads(node)):
                return False
        return True

    def _staged(self, target: Group) -> set[Variable]:
        staged: set[Variable] = set()
        for node in target.nodes:
            reduces = isinstance(node.op, (Reduce, ArgReduce)) and target.reduced
            if reduces or any(read.variable in staged for read in self.reads(node)):
                staged.update(node.outputs)
        return staged

    def _merge_siblings(self) -> None:
        """Groups that read one variable at one place and run over the same loops become one."""
        for variable, readers in list(self.readers.items()):
            if not variable.type.ndim:
                continue
            seen: list[Group] = []
            for node in readers:
                own = self.home[node.outputs[0]]
                if not own.fused or own in seen:
                    continue
                direct = any(r.variable is variable and r.axes is not None for r in self.reads(node))
                if not direct or not any(self._merge(other, own) for other in seen):
                    seen.append(own)

    def _absorb_rows(self) -> None:
        """A group without reductions whose only readers are in one group with rows computes there."""
        for own in self._groups():
            if not own.fused or own.reduced or not own.loops:
                continue
            users = {self.home[n.outputs[0]] for v in own.places for n in self.readers.get(v, ())} - {own}
            if len(users) == 1:
                (user,) = users
                if user.fused and user.reduced:
                    self._merge(user, own)

    def _reads_fit(self, target: Group, other: Group, onto: dict[int, int]) -> bool:
        """Whether each of two groups reads what the other computes only at its own place."""
        same = {loop: loop for loop in range(len(target.loops))}
        for reader, reader_onto, source, source_onto in ((target, same, other, onto), (other, onto, target, same)):
            for node in reader.nodes:
                loop_of = self._node_place(node, reader)
                for read in self.reads(node):
                    if read.variable not in source.places:
                        continue
                    if read.axes is None:
                        return False
                    here = [None if axis is None else reader_onto.get(loop_of.get(axis, -1)) for axis in read.axes]
                    there = [None if loop is None else source_onto[loop] for loop in source.places[read.variable]]
                    if here != there:
                        return False
        return True

    def _node_place(self, node: Apply, target: Group) -> dict[int, int]:
        """The loop along each axis of a node's iteration."""
        place = target.places[node.outputs[0]]
        if not isinstance(node.op, (Reduce, ArgReduce)):
            return {axis: loop for axis, loop in enumerate(place) if loop is not None}
        dropped = reduced_axes(node)
        kept = iter(place)
        left = iter(sorted(target.reduced))
        result = {}
        for axis, size in enumerate(iteration_shape(node)):
            loop = next(kept) if axis not in dropped else None if size == 1 else next(left)
            if loop is not None:
                result[axis] = loop
        return result

    # -- what is better computed twice than kept ---------------------------------------------------

    def cheap_to_repeat(self) -> list[Variable]:
        """Values kept for other groups that follow cheaply from others that are kept, with what leads to them."""
        outputs = {reshaped_base(v) for v in self.graph.roots()}
        found: dict[Variable, None] = {}
        for unit in self._groups():
            kept = [v for v in unit.places if unit.fused and self._read_outside(v, unit)]
            for variable in kept:
                if variable in outputs or variable in unit.staged:
                    continue
                sources = {v for v in kept if v is not variable and v not in found} | self.accesses.inputs | outputs
                found.update(dict.fromkeys(self._way_to(variable, unit, sources)))
        return list(found)

    def _read_outside(self, variable: Variable, unit: Group) -> bool:
        return any(self.home[node.outputs[0]] is not unit for node in self.readers.get(variable, ()))

    def _way_to(self, goal: Variable, unit: Group, sources: set[Variable]) -> list[Variable]:
        """The variables to compute on the way from `sources` to `goal`, if that is cheap; else none."""
        way: dict[Variable, None] = {}
        used: set[Variable] = set()
        cost = 0
        pending = [goal]
        while pending:
            variable = pending.pop()
            if variable in way:
                continue
            node = variable.owner
            if node is None or variable not in unit.places or not isinstance(node.op, Elementwise):
                return []
            if any(not has_code(reader) for reader in self.readers.get(variable, ())):
                return []
            way[variable] = None
            cost += node.op.definition.cost
            for read in self.reads(node):
                if read.variable in sources:
                    used.add(read.variable)
                else:
                    pending.append(read.variable)
            if cost > CHEAP or len(used) > 2:
                return []
        return list(way)

    # -- dependence between groups ----------------------------------------------------------------

    def _before(self, target: Group) -> Iterator[Group]:
        """The groups that a group reads from."""
        for variable in target.inputs:
            home = self.home.get(variable)
            if home is not None and home is not target:
                yield home

    def _depends(self, start: Group, goal: Group) -> bool:
        """Whether `start` is, or directly or not reads from, `goal`."""
        seen: set[Group] = set()
        pending = [start]
        while pending:
            current = pending.pop()
            if current is goal:
                return True
            if current in seen or current.last < goal.first:
                continue
            seen.add(current)
            pending += self._before(current)
        return False

    def _path_between(self, one: Group, other: Group) -> bool:
        """Whether a path leads from one group to the other through a third."""
        for start, goal in ((one, other), (other, one)):
            if any(between is not goal and self._depends(between, goal) for between in self._before(start)):
                return True
        return False

    def _groups(self) -> list[Group]:
        return list(dict.fromkeys(self.home.values()))

    def _sorted(self) -> list[Group]:
        """All groups, each after those it reads from."""
        done: dict[Group, None] = {}
        pending = sorted(self._groups(), key=lambda g: -g.last)
        while pending:
            current = pending[-1]
            missing = [g for g in self._before(current) if g not in done]
            if current in done or not missing:
                done[current] = None
                pending.pop()
            else:
                pending += dict.fromkeys(missing)
        return list(done)


def reduced_axes(node: Apply) -> tuple[int, ...]:
    """The axes a reduction runs over."""
    return node.op.axes if isinstance(node.op, Reduce) else (node.op.axis,)  # type: ignore[attr-defined]
