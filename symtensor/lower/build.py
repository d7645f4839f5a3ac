"""From a group to a kernel: its nodes' elements as one web of scalars, its loops collapsed.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.fuse import fuse
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, None))("x")
>>> graph = Graph([x], [exp(x * 2)])
>>> [unit] = fuse(graph)
>>> kernel, buffers = build(graph, unit, Accesses(graph), SharedMemory(), set(graph.outputs))
>>> kernel.name, [loop.extent for loop in kernel.loops], buffers == graph.inputs + graph.outputs
('mul_exp', [x.0*x.1], True)
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import replace

from symtensor.ir import provenance
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.lower.access import Accesses, apply_element, reshaped_base
from symtensor.lower.group import Group, Place, reduced_axes
from symtensor.lower.kernel import Kernel, Load, Loop, Reduction, Scope, SizeScalar, Store, Value, parts, stores
from symtensor.lower.memory import SharedMemory
from symtensor.lower.relocate import Relocation, with_used_slots
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import computed_in, real_of

__all__ = ["build", "collapse", "flat_offset", "named", "number_in"]


def build(graph: Graph, unit: Group, accesses: Accesses, places: SharedMemory,
          stored: Container[Variable]) -> tuple[Kernel, list[Variable]]:
    """The kernel that computes a group's variables which are in `stored`, those kept in memory; its buffers by slot."""
    return _Builder(graph, unit, accesses, places, stored).run()


class _Builder:
    def __init__(self, graph: Graph, unit: Group, accesses: Accesses, places: SharedMemory,
                 stored: Container[Variable]) -> None:
        self.graph = graph
        self.unit = unit
        self.places = places
        self.stored = stored
        self.solution = graph.solution
        self.scope = Scope()
        self.accesses = accesses
        self.loops = [Loop.make(f"i{number}", extent) for number, extent in enumerate(unit.loops)]
        self.slots: dict[Variable, int] = {}
        self.values: dict[Variable, Value] = {}
        self.reductions: list[Reduction] = []
        self.stores: list[Store] = []

    def run(self) -> tuple[Kernel, list[Variable]]:
        for node in self.unit.nodes:
            self._node(node)
        reduce = [self.loops[loop] for loop in sorted(self.unit.reduced)]
        kernel = collapse(Kernel(named(self.unit.nodes), self.loops, reduce, self.reductions, self.stores,
                                 [real_of(variable.type.dtype) for variable in self.slots], self._lines()))
        kernel, slots = with_used_slots(kernel)
        variables = list(self.slots)
        return kernel, [variables[slot] for slot in slots]

    # -- values -----------------------------------------------------------------------------------

    def _node(self, node: Apply) -> None:
        output = node.outputs[0]
        if isinstance(node.op, (Reduce, ArgReduce)):
            value = self._reduction(node)
        else:
            value = apply_element(self, node, self._index(self.unit.places[output]))
        self.values[output] = value
        if output in self.stored:
            offset = flat_offset(self._index(self.unit.places[output]), output.type.shape)
            self.stores += stores(self._slot(self.places.of(output)), offset, value.kept(output.type.dtype))

    def _index(self, place: Place) -> tuple[Size, ...]:
        return tuple(0 if loop is None else self.loops[loop].counter for loop in place)

    def _reduction(self, node: Apply) -> Value:
        source, output = node.inputs[0], node.outputs[0]
        value = self.at(source, self._index(self.unit.place_of(node)))
        if all(source.type.shape[axis] == 1 for axis in reduced_axes(node)):
            return self.scope.literal(0, "int64") if isinstance(node.op, ArgReduce) else value
        if isinstance(node.op, ArgReduce):  # which compares
            value = value.kept(source.type.dtype).computed()
        kind = node.op.kind  # type: ignore[attr-defined]
        results = []
        for part in parts(value):
            self.reductions.append(Reduction("any" if kind == "sum" and part.dtype == "bool" else kind, part))
            results.append(self.scope.result(len(self.reductions) - 1, computed_in(real_of(output.type.dtype))))
        return self.scope.pair(*results) if len(results) > 1 else results[0]

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """The element of a variable: computed in this group, computed on the way, or loaded."""
        free = self.accesses.is_free(variable)
        if variable in self.values and not (free and index != self._index(self.unit.places[variable])):
            return self.values[variable]
        if (number := number_in(self.scope, variable)) is not None:
            return number
        base = reshaped_base(variable)
        if free and (base in self.values or self.accesses.is_free(base)):
            return apply_element(self, variable.owner, index, guard)  # type: ignore[arg-type]
        offset = flat_offset(index, variable.type.shape)
        return self.scope.load(self._slot(self.places.of(base)), offset, base.type.dtype, guard).computed()

    def _slot(self, key: Variable) -> int:
        return self.slots.setdefault(key, len(self.slots))

    # -- naming -----------------------------------------------------------------------------------

    def _lines(self) -> list[str]:
        found: dict[str, None] = {}
        for node in self.unit.nodes:
            for lines in self.graph.lines_of(node):
                found.update(dict.fromkeys(provenance.describe(lines[:1])))
        return list(found)[:8]


def named(nodes: Iterable[Apply]) -> str:
    """The name of a kernel that computes some nodes."""
    names = [node.op.kind if isinstance(node.op, (Reduce, ArgReduce)) else re.split(r"\W", str(node.op))[0]
             for node in nodes]
    return "_".join(dict.fromkeys(names))[:60]


def number_in(scope: Scope, variable: Variable) -> Value | None:
    """The number that all elements of a constant are, as a value of a kernel; None for any other variable."""
    if not isinstance(variable, Constant) or not variable.data.size:
        return None
    data = variable.data
    is_one = data.size == 1 or data.tobytes() == data.flat[0].tobytes() * data.size
    return scope.literal(data.flat[0], variable.type.dtype).computed() if is_one else None


def flat_offset(index: tuple[Size, ...], shape: tuple[Size, ...]) -> Size:
    """The place in memory, in elements, of an index into a row-major array."""
    offset: Size = 0
    for position, size in zip(index, shape):
        offset = dims.joined(offset, position, size)
    return offset


def collapse(kernel: Kernel) -> Kernel:
    """The kernel with neighbouring loops joined where everything read and written lies in one run over both."""
    while True:
        for outer, inner in zip(kernel.loops, kernel.loops[1:]):
            if (outer in kernel.reduce) == (inner in kernel.reduce) and _joinable(kernel, outer, inner):
                kernel = _joined(kernel, outer, inner)
                break
        else:
            return kernel


def _offsets(kernel: Kernel) -> list[tuple[Size, bool]]:
    """All index expressions, and whether they place an element (or are used as a number)."""
    found = [(store.offset, True) for store in kernel.all_stores]
    for value in kernel.values():
        if isinstance(value, Load):
            found.append((value.offset, True))
        elif isinstance(value, SizeScalar):
            found.append((value.size, False))
    return found


def _joinable(kernel: Kernel, outer: Loop, inner: Loop) -> bool:
    for offset, _ in _offsets(kernel):
        parts = dims.linear_in(offset, outer.symbol)
        if parts is None:
            return False
        within = dims.linear_in(parts[1], inner.symbol)
        if within is None or any(s is inner.symbol for s in dims.symbols_of(parts[0])):
            return False
        if parts[0] != within[0] * inner.extent:
            return False
    return not any(r.kind.startswith("arg") for r in kernel.reductions) or outer not in kernel.reduce


def _joined(kernel: Kernel, outer: Loop, inner: Loop) -> Kernel:
    both = Loop.make(outer.symbol.name, outer.extent * inner.extent)
    # Every offset is a * (outer * extent + inner) + b, so outer -> 0 and inner -> both keeps its meaning.
    moved = Relocation(Scope(), {outer.symbol: 0, inner.symbol: both.counter})

    def swap(loops: list[Loop]) -> list[Loop]:
        return [both if loop is inner else loop for loop in loops if loop is not outer]

    return replace(moved.kernel(kernel), loops=swap(kernel.loops), reduce=swap(kernel.reduce))
