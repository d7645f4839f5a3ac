"""A loop whose steps go through elements one by one is one kernel: for each element all steps, its values in registers.

Element i of what is carried may follow from element i of what was carried, and from anything that no step changes. So
each point of the elements goes through the steps by itself, and nobody waits for it between them.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.kernel import product
>>> from symtensor.lower.plan import plan
>>> from symtensor.lower.target import PrintedKernel
>>> from symtensor.ops.loop import Carry as OuterCarry, Loop as OuterLoop, Stack
>>> from symtensor.tools.kernel_text import kernel_text
>>> from symtensor.types.tensor import TensorType
>>> total, x, xs = (TensorType("float32", (None,) * rank)(name) for rank, name in ((1, "total"), (1, "x"), (2, "xs")))
>>> loop = OuterLoop(TensorType("int64", ())("n"), [OuterCarry(total, total, total + x)], {x: xs})
>>> graph = Graph([loop.steps, total, xs], list(loop.make().values())[:1])
>>> kernels = []
>>> def note(kernel):
...     kernels.append(kernel_text(kernel))
...     return [PrintedKernel(kernel.name, "", (0, product(kernel.reduce)), 1, 1, 0, (0, 1, 2), in_order=True)]
>>> [type(instruction).__name__ for instruction in plan(graph, 3, [], note).instructions]
['Launch']
>>> print(kernels[0])
kernel scan_add: sequential, parallel i0 < total.0, reduce t < n
  v0: float32 = b0[i0 + total.0*t]
  v1: float32 = c0
  v2: float32 = add(v1, v0)
  v3: float32 = b1[i0]
  v4: float32 = b2[i0]
  c0 = v2; v4 in round 0, v3 where a stretch of rounds begins
  b1[i0] = v1 after a stretch
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.lower.access import SUPPORTED, Accesses, apply_element, reshaped_base
from symtensor.lower.build import collapse, flat_offset, named, number_in
from symtensor.lower.flow import Flow
from symtensor.lower.group import Group, Place, Refusal
from symtensor.lower.kernel import Carry, Kernel, Loop, Recurrence, Scope, Store, Value, loop_symbols, parts, stores
from symtensor.lower.relocate import Relocation, with_used_slots
from symtensor.lower.step import Step
from symtensor.lower.target import Partial
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.size import size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.dtype import COMPLEX, INTEGERS, real_of

__all__ = ["recurrence"]

MOST_NODES, MOST_CARRIED = 500, 64
"""Nodes of a step that make one kernel, and values carried: a compiler's time grows faster than their number."""
SHORTEST = 64
"""Rounds that the first stretch of a kernel's rounds has at least, if it does not have all (see `program.Launch`)."""

Key = Variable | Partial


def recurrence(step: Step, accesses: Accesses, needs: Callable[[Variable], bool]) -> tuple[Kernel, list[Key]] | Refusal:
    """The kernel that runs all steps of a loop, and its buffers by slot; or why there is none.

    `accesses` are those of the graph around the loop: values that only move there are read where they are. `needs`
    says whether anything uses an output of the loop.
    """
    refusal = _refused(step)
    if refusal is not None:
        return refusal
    try:
        return _Builder(step, accesses, needs).run()
    except _Elsewhere as elsewhere:
        return elsewhere.refusal


def read_by(step: Step, accesses: Accesses) -> list[Variable] | None:
    """The variables in memory that the kernel of a loop reads, or whose values are sizes in it; None if it has none."""
    found = recurrence(step, accesses, lambda output: True)
    if isinstance(found, Refusal):
        return None
    inputs = [key for key in found[1] if isinstance(key, Variable) and key not in step.node.outputs]
    numbers = [v for v in step.node.inputs[:-1] if not v.type.ndim and v.type.dtype in INTEGERS]
    return list(dict.fromkeys([*inputs, *(reshaped_base(v) for v in numbers if not accesses.is_free(v))]))


class _Elsewhere(Exception):
    """A value is needed at another point than it is carried or computed at."""

    def __init__(self, reason: str, *about: object) -> None:
        self.refusal = Refusal(reason, about)


def _refused(step: Step) -> Refusal | None:
    """Why the steps of a loop are no kernel, as far as their nodes tell."""
    flow = step.flow
    points = _points(flow)
    for unit in flow.units:
        for node in unit.nodes:
            if not unit.fused or isinstance(node.op, (Reduce, ArgReduce)):
                return Refusal("{} does not go element by element", (node.op,))
            if node.op.fails:
                return Refusal("{} may fail, and the error is to name the step", (node.op,))
        if unit.loops not in ((), points):
            return Refusal("one group has loops over {}, another over {}", (unit.loops, points))
    if sum(len(unit.nodes) for unit in flow.units) > MOST_NODES:
        return Refusal("a step has more than {} nodes", (MOST_NODES,))
    if len(flow.shared) > MOST_CARRIED:
        return Refusal("more than {} values are carried", (MOST_CARRIED,))
    if step.loop.stop is not None and points:
        return Refusal("it ends for all points at once")
    if any(v.type.dtype not in SUPPORTED for v in flow.graph.inputs):
        return Refusal("there is no code for one of its dtypes")
    return None


def _points(flow: Flow) -> tuple[Size, ...]:
    """The sizes of the loops over a step's elements: the most that a group, or a carried value, has."""
    carried = [_wide(flow.graph.solution, v.type.shape) for v in flow.shared]
    return max([unit.loops for unit in flow.units] + carried, key=len, default=())


def _wide(solution: Callable[[Size], Size], shape: Sequence[Size]) -> tuple[Size, ...]:
    return tuple(size for size in map(solution, shape) if size != 1)


class _Builder:
    """The kernel in the step's own sizes, then in those around it."""

    def __init__(self, step: Step, around: Accesses, needs: Callable[[Variable], bool]) -> None:
        self.scanned, self.node, self.flow, self.needs = step.loop, step.node, step.flow, needs
        scanned, flow, self.outside = step.loop, step.flow, step.outside
        self.graph, self.accesses, self.solution = flow.graph, flow.accesses, flow.graph.solution
        self.scope = Scope()
        self.loops = [Loop.make(f"i{number}", extent) for number, extent in enumerate(_points(flow))]
        self.steps = Symbol("steps")
        self.t = Loop.make("t", dims.of_atom(self.steps))
        self.slots: dict[Key, int] = {}
        self.around = _Around(around, self.scope, self.slots)
        given = flow.arguments
        self.rows = dict(zip(given, scanned.rows.values()))
        self.others = dict(zip(given[len(self.rows):], scanned.others.values()))
        self.values: dict[Variable, Value] = {}
        self.offsets: dict[Variable, Size] = {}
        results = list(self.graph.outputs)
        self.stacks, self.news = results[:len(scanned.stacks)], results[-len(flow.shared):] if flow.shared else []
        self.last: list[Store] = []
        self.carried = 0

    def run(self) -> tuple[Kernel, list[Key]]:
        for own in self.flow.shared:
            self.values[own] = self._carried(own.type.dtype).computed()
            self.offsets[own] = flat_offset(self._index(own), own.type.shape)
        for unit in self.flow.units:
            for node in unit.nodes:
                self._node(unit, node)
        stored = [store for number in range(len(self.stacks)) for store in self._stacked(number)]
        carries = [carry for number in range(len(self.news)) for carry in self._carry(number)]
        stop = None
        if self.scanned.stop is not None:
            carries.append(self._count())
            stop = self._result(self.graph.outputs[len(self.stacks)])[0]
        name = named(node for unit in self.flow.units for node in unit.nodes)
        kernel = Kernel(f"scan_{name}" if name else "scan", [self.t, *self.loops], [self.t], [], stored,
                        [key.dtype if isinstance(key, Partial) else real_of(key.type.dtype) for key in self.slots], [],
                        Recurrence(tuple(carries), tuple(self.last), stop))
        kernel, used = with_used_slots(collapse(self._in_sizes_around(kernel)))
        keys = list(self.slots)
        return kernel, [keys[slot] for slot in used]

    # -- the values of a step -----------------------------------------------------------------------

    def _carried(self, dtype: str) -> Value:
        """A value carried from the round before."""
        if dtype in COMPLEX:
            return self.scope.pair(*(self._carried(real_of(dtype)) for _ in range(2)))
        self.carried += 1
        return self.scope.carried(self.carried - 1, dtype)

    def _node(self, unit: Group, node: Apply) -> None:
        (output,) = node.outputs
        index = self._at_place(unit.places[output])
        self.values[output] = apply_element(self, node, index)
        self.offsets[output] = flat_offset(index, output.type.shape)

    def _at_place(self, place: Place) -> tuple[Size, ...]:
        return tuple(0 if loop is None else self.loops[loop].counter for loop in place)

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None) -> Value:
        """The element of a variable: carried or computed at this point, computed on the way, or loaded."""
        if (number := number_in(self.scope, variable)) is not None:
            return number
        base, offset = reshaped_base(variable), flat_offset(index, variable.type.shape)
        if base in self.values:
            if offset != self.offsets[base]:
                raise _Elsewhere("{!r} is needed at another point than it is computed at", base)
            return self.values[base]
        if base in self.rows and (base is variable or not self.around.moves(self.rows[base])):
            row = self._row(self.t.counter)
            return self.around.at(self.rows[base], (row, *index), guard, row * math.prod(base.type.shape) + offset)
        if base in self.others and (base is variable or not self.around.moves(self.others[base])):
            return self.around.at(self.others[base], index, guard, offset)
        if isinstance(variable, Constant):
            return self.around.at(variable, index, guard, offset)
        assert self.accesses.is_free(variable) and variable.owner is not None
        return apply_element(self, variable.owner, index, guard)

    def _slot(self, key: Key) -> int:
        return self.slots.setdefault(key, len(self.slots))

    def _row(self, round: Size) -> Size:
        """The number of a round's row."""
        return self.t.extent - 1 - round if self.scanned.backwards else round

    def _index(self, variable: Variable) -> tuple[Size, ...]:
        """The point at which an element of a variable is needed that lies along all loops."""
        sizes = tuple(loop.extent for loop in self.loops)
        if _wide(self.solution, variable.type.shape) != sizes:
            raise _Elsewhere("{!r} does not have an element for each point", variable)
        counters = iter(self.loops)
        return tuple(0 if self.solution(size) == 1 else next(counters).counter for size in variable.type.shape)

    # -- what the steps give ------------------------------------------------------------------------

    def _result(self, variable: Variable) -> tuple[Value, Size]:
        """A result of the step at a point, and the place of this element in memory."""
        base = reshaped_base(variable)
        if base in self.values:
            self._index(variable)
            return self.values[base], self.offsets[base]
        index = self._index(variable)
        return self.at(variable, index), flat_offset(index, variable.type.shape)

    def _stacked(self, number: int) -> list[Store]:
        variable = self.stacks[number]
        value, offset = self._result(variable)
        slot = self._slot(self.node.outputs[len(self.news) + number])
        place = self._row(self.t.counter) * math.prod(variable.type.shape) + offset
        return stores(slot, place, value.kept(variable.type.dtype))

    def _carry(self, number: int) -> Iterator[Carry]:
        own, final = self.flow.shared[number], self.node.outputs[number]
        new, place = self._result(self.news[number])
        if place != self.offsets[own]:
            raise _Elsewhere("{!r} is needed at another point than it is computed at", self.news[number])
        kept = None if self.needs(final) else self._stacked_before(number, 1)
        if kept is None:
            length = math.prod(final.type.shape) * len(parts(new))
            slot = self._slot(final if self.needs(final) else Partial(real_of(own.type.dtype), length))
            kept = self.scope.load(slot, place, own.type.dtype)
            self.last += stores(slot, place, self.values[own].kept(own.type.dtype))
        first = self.around.at(self.scanned.carries[number].first, self._index(own), None, place)
        yield from map(Carry, parts(first.kept(own.type.dtype)), parts(kept), parts(new.kept(own.type.dtype)))

    def _stacked_before(self, number: int, back: int) -> Value | None:
        """What was carried, some rounds before, where it is in a stack: then it need not be kept elsewhere."""
        new, own = self.news[number], self.flow.shared[number]
        if new in self.stacks:
            output = self.node.outputs[len(self.news) + self.stacks.index(new)]
            offset = self._row(self.t.counter - back) * math.prod(new.type.shape) + self.offsets[own]
            return self.scope.load(self._slot(output), offset, new.type.dtype)
        if new in self.flow.shared and back < SHORTEST:
            return self._stacked_before(self.flow.shared.index(new), back + 1)
        return None

    def _count(self) -> Carry:
        """The number of rounds done, as one more value that is carried."""
        slot = self._slot(self.node.outputs[-1])
        self.last.append(Store(slot, 0, self._carried("int64")))
        return Carry(self.scope.literal(0, "int64"), self.scope.load(slot, 0, "int64"),
                     self.scope.size(self.t.counter + 1))

    # -- around the loop ------------------------------------------------------------------------------

    def _in_sizes_around(self, kernel: Kernel) -> Kernel:
        """The kernel in sizes around the loop."""
        known: dict[Symbol, Size] = {self.steps: size_of(self.scanned.steps)}
        loops: dict[Loop, Loop] = {}
        for symbol in dict.fromkeys(_symbols(kernel)):
            if symbol not in known and all(loop.symbol is not symbol for loop in kernel.loops):
                size = self.outside(dims.of_atom(symbol))
                if symbol not in self.around.symbols and size is None:
                    raise _Elsewhere("{!r} is known around the loop only as part of other sizes", symbol)
                if symbol in self.around.symbols and size not in (None, dims.of_atom(symbol)):
                    raise _Elsewhere("{!r} is another size around the loop", symbol)
                known[symbol] = dims.of_atom(symbol) if size is None else size
        for loop in kernel.loops:
            loops[loop] = Loop.make(str(loop.symbol), dims.substitute(loop.extent, known.get))
        counters = {**known, **{old.symbol: new.counter for old, new in loops.items()}}
        moved = Relocation(Scope(), counters).kernel(kernel)
        moved.loops, moved.reduce = list(loops.values()), [loops[self.t]]
        return moved


class _Around:
    """Elements of values around the loop, in memory, or on the way from there."""

    def __init__(self, accesses: Accesses, scope: Scope, slots: dict[Key, int]) -> None:
        self.accesses, self.scope, self.slots = accesses, scope, slots
        self.symbols: set[Symbol] = set()

    def moves(self, variable: Variable) -> bool:
        """Whether elements of a variable are found, or computed, on the way."""
        return self.accesses.is_free(reshaped_base(variable))

    def solution(self, size: Size) -> Size:
        """A size around the loop in its simplest form."""
        found = self.accesses.solution(size)
        self.symbols.update(dims.symbols_of(found))
        return found

    def at(self, variable: Variable, index: tuple[Size, ...], guard: Value | None = None,
           offset: Size | None = None) -> Value:
        """The element of a variable at an index, where it has been found out at `offset`."""
        for size in (*variable.type.shape, *(() if variable.owner is None else variable.owner.op.sizes())):
            self.symbols.update(dims.symbols_of(size))
        base = reshaped_base(variable)
        if (number := number_in(self.scope, base)) is not None:
            return number
        if self.moves(variable):
            assert variable.owner is not None
            return apply_element(self, variable.owner, index, guard)
        slot = self.slots.setdefault(base, len(self.slots))
        offset = flat_offset(index, variable.type.shape) if offset is None else offset
        return self.scope.load(slot, offset, base.type.dtype, guard).computed()


def _symbols(kernel: Kernel) -> Iterator[Symbol]:
    """The symbols of all sizes of a kernel."""
    for value in kernel.values():
        yield from loop_symbols(value)
    for size in (*(store.offset for store in kernel.all_stores), *(loop.extent for loop in kernel.loops)):
        yield from (symbol for symbol in dims.symbols_of(size) if not isinstance(symbol.source, Value))
