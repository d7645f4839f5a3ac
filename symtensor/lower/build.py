"""From a group to kernels: its nodes' elements as one web of scalars, its loops collapsed and shaped.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.group import group
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, None))("x")
>>> graph = Graph([x], [exp(x * 2)])
>>> [unit] = group(graph)
>>> [kernel] = build(graph, unit, Accesses(graph), SharedMemory(), set(graph.outputs)).kernels
>>> kernel.shape, [loop.extent for loop in kernel.parallel]
('map', [x.0*x.1])
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace

from symtensor.ir import provenance
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.lower.access import Accesses, apply_element, reshaped_base
from symtensor.lower.group import Group, Place, reduced_axes
from symtensor.lower.kernel import Kernel, Load, Loop, Reduction, Result, Scope, SizeScalar, Store, Value, operands
from symtensor.lower.memory import SharedMemory
from symtensor.lower.relocate import Relocation
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["Built", "Partial", "build"]

SPLIT, SPLIT_COLUMNS, FEWEST_ROWS = 16384, 262144, 128
"""Elements that one unit of a reduction over everything, or over rows, combines (of at least so many rows): partial
results are combined in a second kernel. They do not depend on the number of threads, so neither do the bits."""


@dataclass(frozen=True, eq=False)
class Partial:
    """A buffer between the two kernels of a split reduction: dtype and number of elements."""

    dtype: str
    length: Size


@dataclass
class Built:
    """The kernels of a group, to be run in order, and for each kernel what its buffer slots are."""

    kernels: list[Kernel] = field(default_factory=list)
    buffers: list[list[Variable | Partial]] = field(default_factory=list)


def build(graph: Graph, unit: Group, accesses: Accesses, places: SharedMemory, stored: Container[Variable]) -> Built:
    """The kernels that compute a group's variables which are in `stored`, the variables kept in memory."""
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
        self.slots: dict[Variable | Partial, int] = {}
        self.values: dict[Variable, Value] = {}
        self.reductions: list[Reduction] = []
        self.stores: list[Store] = []

    def run(self) -> Built:
        for node in self.unit.nodes:
            self._node(node)
        parallel = [self.loops[loop] for loop in self.unit.parallel]
        reduce = [self.loops[loop] for loop in sorted(self.unit.reduced)]
        kernel = Kernel(self._name(), "map", parallel, reduce, self.reductions, self.stores, [], self.loops,
                        self._lines())
        kernel = collapse(kernel)
        built = Built()
        if self._splits(kernel):
            built.kernels = list(self._split(kernel))
        else:
            built.kernels = [kernel]
        built.kernels = [replace(each, shape=shape_of(each)) for each in built.kernels]
        for number, each in enumerate(built.kernels):
            built.kernels[number], buffers = self._with_buffers(each)
            built.buffers.append(buffers)
        return built

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
            self.stores.append(Store(self._slot(self.places.of(output)), offset, value))

    def _index(self, place: Place) -> tuple[Size, ...]:
        return tuple(0 if loop is None else self.loops[loop].counter for loop in place)

    def _reduction(self, node: Apply) -> Value:
        source, output = node.inputs[0], node.outputs[0]
        value = self.at(source, self._index(self.unit.place_of(node)))
        if all(source.type.shape[axis] == 1 for axis in reduced_axes(node)):
            return self.scope.literal(0, "int64") if isinstance(node.op, ArgReduce) else value
        kind = node.op.kind  # type: ignore[attr-defined]
        self.reductions.append(Reduction("any" if kind == "sum" and value.dtype == "bool" else kind, value))
        return self.scope.result(len(self.reductions) - 1, output.type.dtype)

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """The element of a variable: computed in this group, computed on the way, or loaded."""
        if variable in self.values:
            return self.values[variable]
        if isinstance(variable, Constant) and (not variable.type.ndim or is_uniform(variable)):
            return self.scope.literal(variable.data.flat[0], variable.type.dtype)
        base = reshaped_base(variable)
        if self.accesses.is_free(variable) and (base in self.values or self.accesses.is_free(base)):
            return apply_element(self, variable.owner, index, guard)  # type: ignore[arg-type]
        offset = flat_offset(index, variable.type.shape)
        return self.scope.load(self._slot(self.places.of(base)), offset, base.type.dtype, guard)

    def _slot(self, key: Variable | Partial) -> int:
        return self.slots.setdefault(key, len(self.slots))

    # -- splitting a reduction --------------------------------------------------------------------

    def _splits(self, kernel: Kernel) -> bool:
        """Whether the outermost loop is reduced over, in one pass, so that blocks of it can be done side by side."""
        if not kernel.reductions or kernel.order[0] not in kernel.reduce:
            return False
        if kernel.parallel and (shape_of(kernel) != "column" or len(kernel.parallel) > 1):
            return False
        if any(r.kind.startswith("arg") or _needs_result(r.value) for r in kernel.reductions):
            return False
        if any(_needs_result(store.value) for store in self._point_stores(kernel)):
            return False
        total = _product(kernel.order)
        return not (isinstance(total, int) and total <= SPLIT)

    def _point_stores(self, kernel: Kernel) -> list[Store]:
        """The stores made at every point of R."""
        inner = {loop.symbol for loop in kernel.reduce}
        return [s for s in kernel.stores if any(symbol in inner for symbol in dims.symbols_of(s.offset))]

    def _split(self, kernel: Kernel) -> tuple[Kernel, Kernel]:
        """Partial results of blocks of the outermost loop, then their combination and what follows from it."""
        outermost, *others = kernel.order
        width = _product(others)
        rows: Size = SPLIT
        if others:
            most = SPLIT_COLUMNS if kernel.parallel else SPLIT
            rows = dims.maximum(dims.floordiv(most, dims.maximum(width, 1)), FEWEST_ROWS if kernel.parallel else 1)
        block = Loop.make("block", dims.floordiv(outermost.extent + rows - 1, rows))
        inside = Loop.make("j", dims.minimum(rows, outermost.extent - block.counter * rows))
        point = self._point_stores(kernel)
        columns = _product(kernel.parallel)
        column: Size = kernel.parallel[0].counter if kernel.parallel else 0
        partials = [Partial(r.value.dtype, block.extent * columns) for r in kernel.reductions]
        moved = Relocation(self.scope, {outermost.symbol: block.counter * rows + inside.counter})
        first = Kernel(kernel.name, "", [block, *kernel.parallel], [inside, *kernel.reduce[1:]],
                       [Reduction(r.kind, moved.value(r.value)) for r in kernel.reductions],
                       [moved.store(s) for s in point]
                       + [Store(self._slot(p), block.counter * columns + column, self.scope.result(n, p.dtype))
                          for n, p in enumerate(partials)], [], [block, inside, *others], kernel.lines)
        again = Loop.make("block", block.extent)
        loads = [self.scope.load(self._slot(p), again.counter * columns + column, p.dtype) for p in partials]
        second = Kernel(kernel.name + "_total", "", kernel.parallel, [again],
                        [Reduction(r.kind, load) for r, load in zip(kernel.reductions, loads)],
                        [s for s in kernel.stores if s not in point], [], [again, *kernel.parallel], kernel.lines)
        return first, second

    # -- naming -----------------------------------------------------------------------------------

    def _with_buffers(self, kernel: Kernel) -> tuple[Kernel, list[Variable | Partial]]:
        """The kernel with slots numbered anew for the buffers it uses, and those buffers."""
        keys = list(self.slots)
        used: dict[int, None] = {}
        for value in kernel.values():
            if isinstance(value, Load):
                used[value.slot] = None
        for store in kernel.stores:
            used[store.slot] = None
        buffers = [keys[slot] for slot in used]
        renumber = {slot: number for number, slot in enumerate(used)}
        dtypes = [key.dtype if isinstance(key, Partial) else key.type.dtype for key in buffers]
        fresh = Relocation(Scope(), {}, renumber)
        renumbered = replace(
            kernel, dtypes=dtypes, reductions=[Reduction(r.kind, fresh.value(r.value)) for r in kernel.reductions],
            stores=[fresh.store(store) for store in kernel.stores])
        return renumbered, buffers

    def _name(self) -> str:
        names = [node.op.kind if isinstance(node.op, (Reduce, ArgReduce)) else str(node.op).partition("[")[0]
                 for node in self.unit.nodes]
        return "_".join(dict.fromkeys(names))[:60]

    def _lines(self) -> list[str]:
        found: dict[str, None] = {}
        for node in self.unit.nodes:
            for lines in self.graph.lines_of(node):
                found.update(dict.fromkeys(provenance.describe(lines[:1])))
        return list(found)[:8]


def is_uniform(constant: Constant) -> bool:
    """Whether all elements of a constant have the same bits."""
    data = constant.data
    return bool(data.size) and data.tobytes() == data.flat[0].tobytes() * data.size


def flat_offset(index: tuple[Size, ...], shape: tuple[Size, ...]) -> Size:
    """The place in memory, in elements, of an index into a row-major array."""
    offset: Size = 0
    for position, size in zip(index, shape):
        offset = offset * size + position
    return offset


def _needs_result(value: Value) -> bool:
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        if isinstance(current, Result):
            return True
        if current not in seen:
            seen.add(current)
            pending += operands(current)
    return False


def _product(loops: list[Loop]) -> Size:
    total: Size = 1
    for loop in loops:
        total = total * loop.extent
    return total


def shape_of(kernel: Kernel) -> str:
    """How the loops of a collapsed kernel lie; see `Kernel`."""
    if not kernel.reductions:
        return "map"
    positions = {loop.symbol: number for number, loop in enumerate(kernel.order)}
    inner = [positions[loop.symbol] for loop in kernel.reduce]
    innermost = bool(kernel.parallel) and positions[kernel.parallel[-1].symbol] > max(inner)
    plain = not any(r.kind.startswith("arg") or _needs_result(r.value) for r in kernel.reductions)
    return "column" if innermost and plain else "row"


def collapse(kernel: Kernel) -> Kernel:
    """The kernel with neighbouring loops joined where everything read and written lies in one run over both."""
    while True:
        for outer, inner in zip(kernel.order, kernel.order[1:]):
            if (outer in kernel.parallel) == (inner in kernel.parallel) and _joinable(kernel, outer, inner):
                kernel = _joined(kernel, outer, inner)
                break
        else:
            return kernel


def _offsets(kernel: Kernel) -> list[tuple[Size, bool]]:
    """All index expressions, and whether they place an element (or are used as a number)."""
    found = [(store.offset, True) for store in kernel.stores]
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
    return not any(r.kind.startswith("arg") for r in kernel.reductions) or outer in kernel.parallel


def _joined(kernel: Kernel, outer: Loop, inner: Loop) -> Kernel:
    both = Loop.make(outer.symbol.name, outer.extent * inner.extent)
    # Every offset is a * (outer * extent + inner) + b, so outer -> 0 and inner -> both keeps its meaning.
    moved = Relocation(Scope(), {outer.symbol: 0, inner.symbol: both.counter})

    def swap(loops: list[Loop]) -> list[Loop]:
        return [both if loop is inner else loop for loop in loops if loop is not outer]

    return replace(kernel, parallel=swap(kernel.parallel), reduce=swap(kernel.reduce), order=swap(kernel.order),
                   reductions=[Reduction(r.kind, moved.value(r.value)) for r in kernel.reductions],
                   stores=[moved.store(store) for store in kernel.stores])
