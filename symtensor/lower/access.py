"""Which elements a node reads: its inputs' indices as functions of its own, seen through ops that only move.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.shape import transpose
>>> from symtensor.types.tensor import TensorType
>>> x, y = TensorType("float32", (None, None))("x"), TensorType("float32", (None, None))("y")
>>> graph = Graph([x, y], [x + transpose(y)])
>>> node = graph.nodes()[-1]
>>> [(read.variable, read.axes) for read in Accesses(graph).of(node)]
[(x, (0, 1)), (y, (1, 0))]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symtensor.ir.graph import Graph, applications
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.lower.kernel import Scope, Value
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.index import Subtensor
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.shape import Dimshuffle, Reshape, SpecifyShape
from symtensor.ops.size import size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.dtype import ALL, COMPLEX

if TYPE_CHECKING:
    from symtensor.lower.step import Step

__all__ = ["Accesses", "Element", "Read", "has_code", "iteration_shape", "needed", "puts_elements", "reshaped_base",
           "starts_from", "whole_inputs"]

SUPPORTED = frozenset(ALL)
"""Dtypes that generated code handles; ops on others run by their NumPy meaning."""
MOST_DEPTH, MOST_MOVES, RESHAPE = 8, 12, 4
"""How many scalar ops on sizes and constants, and ops that only move, may be computed anew wherever they are used; a
reshape counts as several, since the index of what it reads names its own index more than once."""
WORTH_PERMUTING = 1024
"""Elements from which permuted axes are made once in memory, where reading through them would cost more."""
CHEAP_TO_MOVE, CHEAP_TO_REPEAT, MOST_INLINED = 10, 2, 16
"""Costs up to which a value with one reader is computed there: read elsewhere, read many times; and how many are."""
_AXES = [dims.of_atom(Symbol(f"axis{number}")) for number in range(64)]
_NUMBER: dict[Size, int] = {size: number for number, size in enumerate(_AXES)}


def has_code(node: Apply) -> bool:
    """Whether code can be generated for a node."""
    op, used = node.op, {v.type.dtype for v in (*node.op.reads(node.inputs), *node.outputs)}
    if not used <= SUPPORTED:
        return False
    if isinstance(op, Elementwise):
        definition = op.definition
        if not used.isdisjoint(COMPLEX):
            return op.on_parts(node.inputs[-1].type.dtype) or (definition.body is not None and _has_code_inside(node))
        return definition.name == "cast" or bool(definition.c) or definition.body is not None
    if isinstance(op, Reduce):
        return op.kind == "sum" or used.isdisjoint(COMPLEX)
    return isinstance(op, ArgReduce) or op.element is not None


def _has_code_inside(node: Apply) -> bool:
    """Whether code can be generated for all that an op with a body does."""
    _, output = node.op.trace(tuple(v.type.dtype for v in node.inputs))  # type: ignore[attr-defined]
    return all(map(has_code, applications([output])))


def puts_elements(node: Apply) -> bool:
    """Whether a node without code has a kernel of its own, which puts elements into its first input."""
    return node.op.put is not None and all(v.type.dtype in SUPPORTED for v in node.inputs)


def starts_from(node: Apply) -> Variable | None:
    """The variable whose value the output of a node without code begins as."""
    call = node.op.library_call(node)
    return node.inputs[0] if puts_elements(node) else None if call is None else call.starts_from


def iteration_shape(node: Apply) -> tuple[Size, ...]:
    """The shape a node runs over: its output's, or its input's if it reduces."""
    source = node.inputs[0] if isinstance(node.op, (Reduce, ArgReduce)) else node.outputs[0]
    return source.type.shape


def reshaped_base(variable: Variable) -> Variable:
    """The variable whose bytes, in the same order, are those of this one."""
    while variable.owner is not None and _keeps_order(variable.owner) and has_code(variable.owner):
        variable = variable.owner.inputs[0]
    return variable


def _permuted_first(graph: Graph) -> set[Variable]:
    """Arrays with permuted axes that are better made than read through.

    One is read more than once, where an elementwise op broadcasts it: each time with steps in memory. Of the other the
    last axis of a shape runs through several permuted ones, so that each element is found by division.
    """
    found = set()
    for node in graph.nodes():
        if isinstance(node.op, Reshape):
            x = node.inputs[0]
            read = [] if x.type.shape[-1:] == node.outputs[0].type.shape[-1:] else [x]
        elif isinstance(node.op, Elementwise):
            read = [v for v in node.op.reads(node.inputs) if _is_broadcast(v, node.outputs[0])]
        else:
            continue
        for base in map(reshaped_base, read):
            size = math.prod(base.type.shape)
            if base.owner is not None and isinstance(base.owner.op, Dimshuffle) and (
                    not isinstance(size, int) or size >= WORTH_PERMUTING):
                found.add(base)
    return found


def _is_broadcast(operand: Variable, whole: Variable) -> bool:
    """Whether an operand has an axis of size 1, or none, where the whole has another."""
    own = (1,) * (whole.type.ndim - operand.type.ndim) + operand.type.shape
    return any(size == 1 and other != 1 for size, other in zip(own, whole.type.shape))


def _keeps_order(node: Apply) -> bool:
    op = node.op
    if not isinstance(op, Dimshuffle):
        return isinstance(op, (Reshape, SpecifyShape))
    x = node.inputs[0]
    kept = [axis for axis in op.order if axis >= 0 and x.type.shape[axis] != 1]
    return kept == sorted(kept)


@dataclass(frozen=True)
class Read:
    """A variable read by a node. `axes` gives for each of its axes the node's axis that runs along it (None for
    a fixed 0 on an axis of size 1); `axes` is None when the place read is anything else."""

    variable: Variable
    axes: tuple[int | None, ...] | None


class Element:
    """An input as an op's `element` sees it: elements are asked for by index.

    `outer` is a guard under which the element of the op itself was asked for.
    """

    def __init__(self, reader: Any, variable: Variable, outer: Value | None = None) -> None:
        self.reader = reader
        self.variable = variable
        self.outer = outer
        self.type = variable.type
        self.scope: Scope = reader.scope

    def at(self, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """The element at `index`; with a guard, nothing is read where it does not hold."""
        if self.outer is not None:
            guard = self.outer if guard is None else self.outer & guard
        return self.reader.at(self.variable, index, guard)

    def as_size(self) -> Size:
        """An integer scalar as a size."""
        return self.reader.solution(size_of(self.variable))


def apply_element(reader: Any, node: Apply, index: tuple[Size, ...], guard: Value | None = None) -> Value:
    """A node's element at `index`, its inputs read through `reader`, where `guard` holds."""
    elements = [Element(reader, v, guard) for v in node.inputs]
    assert node.op.element is not None
    if not node.op.reads(node.inputs):
        return node.op.element(index, *elements, scope=reader.scope)
    return node.op.element(index, *elements)


def needed(graph: Graph, through: bool = False) -> list[Apply]:
    """The nodes whose elements something reads: not those that only lend their sizes. Nor, if `through`, those whose
    results routines do not need, since they read what these are made of."""
    read = set(graph.roots())
    found = []
    for node in reversed(graph.nodes()):
        if any(v in read for v in node.outputs):
            found.append(node)
            read.update(node.op.reads(node.inputs) if has_code(node) else _given(node) if through else node.inputs)
    return found[::-1]


def whole_inputs(node: Apply) -> list[Variable]:
    """The variables in memory that a node without code is given."""
    return list(map(reshaped_base, _given(node)))


def _given(node: Apply) -> Sequence[Variable]:
    """What a node without code is given; a routine may read what its inputs were made of."""
    call = node.op.library_call(node)
    return node.inputs if call is None else call.memory()


class Accesses:
    """Finds and remembers what each node of a graph reads."""

    def __init__(self, graph: Graph) -> None:
        self.solution = graph.solution
        self.inputs = set(graph.inputs)
        self._sources = {symbol: variable for symbol, variable in graph.sources.items()
                         if variable.owner is not None and variable not in self.inputs}
        self._needs: dict[Apply, list[Read]] = {}
        self.scope = Scope()
        self._found: dict[Apply, list[Read]] = {}
        self._recording: dict[Read, None] = {}
        self._offsets: dict[tuple[Size, ...], int] = {}
        self._moves: dict[Variable, bool] = {}
        self._depth: dict[Variable, int] = {}
        self._inlined: dict[Apply, int] = {}
        self._memory: dict[Apply, list[Variable]] = {}
        self._steps: dict[Apply, Step] = {}
        self._permuted = _permuted_first(graph)
        self._inline(graph)

    def of(self, node: Apply) -> list[Read]:
        """The variables a node reads that are not computed on the way."""
        if node not in self._found:
            self._recording = {}
            index = axis_index(iteration_shape(node))
            if isinstance(node.op, (Reduce, ArgReduce)):
                self.at(node.inputs[0], index)
            else:
                apply_element(self, node, index)
            self._found[node] = list(self._recording)
        return self._found[node]

    def needs(self, node: Apply) -> list[Read]:
        """All that must be there before a node can run: what it reads, and what its sizes are made of."""
        if node not in self._needs:
            found = self.of(node) if has_code(node) else [Read(v, None) for v in self.memory(node)]
            self._needs[node] = found + [Read(v, None) for v in self._size_sources(node)]
        return self._needs[node]

    def memory(self, node: Apply) -> list[Variable]:
        """The variables in memory that a node without code is given. A loop that is one kernel has no need of what it
        can read, or compute, on the way."""
        if not isinstance(node.op, Scan):
            return whole_inputs(node)
        if node not in self._memory:
            from symtensor.lower.recurrence import read_by  # of which the step has accesses of its own
            read = read_by(self.step(node), self)
            if read is None:
                rows = slice(node.op.carries, node.op.carries + node.op.sequences)
                read = whole_inputs(node)
                read[rows] = map(self.first_row, node.inputs[rows])
            self._memory[node] = read
        return self._memory[node]

    def first_row(self, rows: Variable) -> Variable:
        """The variable in memory whose first bytes are those of a loop's rows: of a slice from 0 on, the whole."""
        base = reshaped_base(rows)
        node = base.owner
        if node is None or not isinstance(node.op, Subtensor) or base in self.inputs or not has_code(node):
            return base
        whole = reshaped_base(node.inputs[0])
        lies = whole.owner is None or whole in self.inputs or not whole.owner.op.moves
        return self.first_row(whole) if lies and node.op.offset(*node.inputs) == 0 else base

    def step(self, node: Apply) -> Step:
        """The step of a loop."""
        from symtensor.lower.step import Step
        if node not in self._steps:
            self._steps[node] = Step(node)
        return self._steps[node]

    def _size_sources(self, node: Apply) -> list[Variable]:
        """Computed variables whose values or sizes a node must know before it can run."""
        if not self._sources:
            return []
        sizes: dict[Size, None] = {}
        pending, on_the_way = [node], {node}
        while pending:
            current = pending.pop()
            lent = current.inputs[len(current.op.reads(current.inputs)):]
            for group in (*(v.type.shape for v in (*current.inputs, *current.outputs)), current.op.sizes(),
                          map(size_of, (v for v in lent if not v.type.ndim))):
                sizes.update(dict.fromkeys(group))
            free = {v.owner for v in current.inputs if v.owner is not None and self.is_free(v)} - on_the_way
            on_the_way |= free
            pending += free
        symbols = {s: None for size in sizes for s in dims.symbols_of(self.solution(size)) if s in self._sources}
        return [reshaped_base(self._sources[s]) for s in symbols if self._sources[s] not in node.outputs]

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """Note a read; ops that only move are followed to what they read."""
        if isinstance(variable, Constant) and not variable.type.ndim:
            return self.scope.literal(variable.data, variable.type.dtype).computed()
        if self.is_free(variable):
            assert variable.owner is not None
            return apply_element(self, variable.owner, index, guard)
        self._recording[Read(variable, _axes(index, variable.type.shape))] = None
        if index not in self._offsets:  # any that differ where the indices do: the value stands for the element only
            self._offsets[index] = len(self._offsets)
        return self.scope.load(variable.serial, self._offsets[index], variable.type.dtype, guard).computed()

    def is_free(self, variable: Variable) -> bool:
        """Whether a variable is computed where it is used: it only moves, or is a scalar of sizes and constants."""
        if variable not in self._moves:
            self._moves[variable] = self._decide_free(variable)
        return self._moves[variable]

    def compute_where_used(self, variables: Iterable[Variable]) -> None:
        """Take variables as free from now on."""
        freed = dict.fromkeys(variables, True)
        self._moves.update(freed)
        for node, reads in list(self._found.items()):
            if any(read.variable in freed for read in reads):
                del self._found[node]
        self._needs.clear()

    def _inline(self, graph: Graph) -> None:
        """Let cheap values be computed where their only reader reads them out of its own place.

        They could not share its kernel otherwise: parts of a concatenation, indices of a gather.
        """
        kept = set(map(reshaped_base, graph.roots()))
        readers: dict[Variable, list[tuple[Apply, Read]]] = {}
        nodes = graph.nodes()
        for node in nodes:  # inputs first: then no question about a long chain of scalars leads to the next
            self.is_free(node.outputs[0])
        for node in reversed(nodes):
            output = node.outputs[0]
            if not has_code(node):
                kept.update(self.memory(node))
            elif not self.is_free(output):
                users = readers.get(output, [])
                if len(users) == 1 and output not in kept and self._worth_inlining(node, *users[0]):
                    self._moves[output] = True
                    self._found.pop(users[0][0])
                    node = users[0][0]
                for read in self.of(node):
                    readers.setdefault(read.variable, []).append((node, read))

    def _worth_inlining(self, node: Apply, user: Apply, read: Read) -> bool:
        if not isinstance(node.op, Elementwise) or isinstance(user.op, (Reduce, ArgReduce)):
            return False
        wide = sum(size != 1 for size in iteration_shape(user))
        narrow = read.axes is not None and sum(axis is not None for axis in read.axes) < wide
        self._inlined[user] = self._inlined.get(user, 0) + 1
        limit = CHEAP_TO_REPEAT if narrow else CHEAP_TO_MOVE if read.axes is None else 0
        return node.op.definition.cost <= limit and self._inlined[user] <= MOST_INLINED

    def _decide_free(self, variable: Variable) -> bool:
        node = variable.owner
        if node is None or variable in self.inputs or not has_code(node) or variable in self._permuted:
            return False
        if not node.op.moves and (not isinstance(node.op, Elementwise) or variable.type.ndim or node.op.fails):
            return False
        sources = node.op.reads(node.inputs)
        if not node.op.moves and not all(isinstance(v, Constant) or self.is_free(v) for v in sources):
            return False
        step = RESHAPE if isinstance(node.op, Reshape) else 1
        depth = step + max([self._depth.get(v, 0) for v in sources if self.is_free(v)], default=0)
        # A variable that shows another's bytes is never cut off: it has no memory of its own.
        if depth > (MOST_MOVES if node.op.moves else MOST_DEPTH) and reshaped_base(variable) is variable:
            return False
        self._depth[variable] = depth
        return True


def axis_index(shape: tuple[Size, ...]) -> tuple[Size, ...]:
    """The index of a node's element in symbols of its axes."""
    return tuple(0 if size == 1 else _AXES[axis] for axis, size in enumerate(shape))


def _axes(index: tuple[Size, ...], shape: tuple[Size, ...]) -> tuple[int | None, ...] | None:
    found: list[int | None] = []
    for position, size in zip(index, shape):
        if size == 1:
            found.append(None)
            continue
        axis = _NUMBER.get(position)
        if axis is None or axis in found:
            return None
        found.append(axis)
    return tuple(found)
