"""The kernel IR: loops, scalar values, reductions and stores. C and CUDA are printed from it.

A kernel runs over parallel loops P and reduction loops R. A `Value` is a scalar computed for each point
of the loops it depends on: an element loaded from a buffer, a scalar op, a size or index, the
result of a reduction over R, what a recurrence carries. Index arithmetic is the algebra of sizes, with loop counters
as symbols.

A complex number is a `Pair` of real values while a kernel is made; what is loaded, computed, reduced, carried and
stored are its parts, so no target knows of it.

>>> from symtensor.ops.scalar import mul
>>> scope = Scope()
>>> i = Loop.make("i", 10)
>>> x = scope.load(0, i.counter, "float32")
>>> scope.compute(mul, x, x) is scope.compute(mul, x, x)
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from symtensor.ir.graph import applications
from symtensor.ir.node import Constant
from symtensor.ops import scalar
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Size, Symbol
from symtensor.types.dtype import COMPLEX, complex_of, computed_in, numpy_dtype, real_of

__all__ = ["Loop", "Value", "Pair", "Load", "Compute", "Literal", "SizeScalar", "Result", "Carried", "Scope",
           "Reduction", "Store", "Carry", "Recurrence", "Kernel", "index_values", "loop_symbols", "needs_result",
           "operands", "parts", "product", "stores"]


@dataclass(frozen=True, eq=False)
class Loop:
    """A loop: its counter's symbol and how often it runs."""

    symbol: Symbol
    extent: Size

    @classmethod
    def make(cls, name: str, extent: Size) -> Loop:
        """A loop with a fresh counter."""
        return cls(Symbol(name, last=extent - 1 if isinstance(extent, int) and extent else None), extent)

    @property
    def counter(self) -> Dim:
        """The counter as a size."""
        return dims.of_atom(self.symbol)


@dataclass(frozen=True, eq=False)
class Value:
    """A scalar of a kernel."""

    scope: Scope = field(repr=False)
    dtype: str

    def compute(self, op: Elementwise, *arguments: Value) -> Value:
        """An elementwise op on scalars."""
        return self.scope.compute(op, *arguments)

    def computed(self) -> Value:
        """This value in the dtype in which it is computed: a narrow float that was kept becomes wider."""
        return self.scope.cast(self, computed_in(self.dtype))

    def kept(self, dtype: str) -> Value:
        """This value as it is kept in `dtype`: rounded, if that is narrower than what it is computed in."""
        if dtype == computed_in(dtype):
            return self
        if isinstance(self, Compute) and self.op.name == "cast" and self.arguments[0].dtype == dtype:
            return self.arguments[0]
        return self.scope.cast(self, dtype)

    def as_index(self) -> Size:
        """This integer as part of an index."""
        if isinstance(self, SizeScalar):
            return self.size
        if isinstance(self, Literal):
            return int(self.value)
        return self.scope.index_symbol(self)

    def __and__(self, other: Value) -> Value:
        if isinstance(self, Literal) and self.value:
            return other
        if isinstance(other, Literal) and other.value:
            return self
        return self.scope.compute(scalar.and_, self, other)


@dataclass(frozen=True, eq=False)
class Pair(Value):
    """A complex number by its parts, which lie side by side in memory."""

    real: Value
    imag: Value


@dataclass(frozen=True, eq=False)
class Load(Value):
    """The element at `offset` of buffer `slot`; where `guard` does not hold nothing is read, and the value is 0."""

    slot: int
    offset: Size
    guard: Value | None = None


@dataclass(frozen=True, eq=False)
class Compute(Value):
    """A primitive scalar op."""

    op: Elementwise
    arguments: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Literal(Value):
    """A number known now."""

    value: Any


@dataclass(frozen=True, eq=False)
class SizeScalar(Value):
    """A size or loop index as an int64."""

    size: Size


@dataclass(frozen=True, eq=False)
class Result(Value):
    """What reduction `reduction` of the kernel gave."""

    reduction: int


@dataclass(frozen=True, eq=False)
class Carried(Value):
    """What the round before made of value `number` that the kernel's recurrence carries."""

    number: int


_DIVISIONS = {"floor_div": dims.floordiv, "mod": dims.modulo}


class Scope:
    """Makes values; equal ones are one object."""

    def __init__(self) -> None:
        self._values: dict[tuple[Any, ...], Value] = {}
        self._indices: dict[Value, Dim] = {}

    def _intern(self, key: tuple[Any, ...], make: Any) -> Any:
        if key not in self._values:
            self._values[key] = make()
        return self._values[key]

    def load(self, slot: int, offset: Size, dtype: str, guard: Value | None = None) -> Value:
        """An element of a buffer."""
        if dtype in COMPLEX:
            return self.pair(*(self.load(slot, offset * 2 + part, real_of(dtype), guard) for part in (0, 1)))
        if isinstance(guard, Literal) and guard.value:
            guard = None
        return self._intern(("load", slot, offset, dtype, guard), lambda: Load(self, dtype, slot, offset, guard))

    def literal(self, value: Any, dtype: str) -> Value:
        """A number."""
        if dtype in COMPLEX:
            number = numpy_dtype(dtype).type(value)
            return self.pair(*(self.literal(part, real_of(dtype)) for part in (number.real, number.imag)))
        number = numpy_dtype(dtype).type(value)
        return self._intern(("literal", dtype, number.tobytes()), lambda: Literal(self, dtype, number))

    def pair(self, real: Value, imag: Value) -> Value:
        """The complex number of two parts."""
        return self._intern(("pair", real, imag), lambda: Pair(self, complex_of(real.dtype), real, imag))

    def true(self) -> Value:
        """Truth."""
        return self.literal(True, "bool")

    def size(self, size: Size) -> Value:
        """A size or index as an int64 scalar."""
        if isinstance(size, int):
            return self.literal(size, "int64")
        return self._intern(("size", size), lambda: SizeScalar(self, "int64", size))

    def in_region(self, offset: Size, length: Size, stride: int) -> Value:
        """Whether `offset` is one of 0, stride, 2 * stride, ... (`length` of them)."""
        zero = self.literal(0, "int64")
        position = self.size(offset)
        inside = self.compute(scalar.lt, position, self.size(length * stride))
        if dims.lower_bound(offset) < 0:
            inside = self.compute(scalar.ge, position, zero) & inside
        if stride > 1:
            remainder = self.compute(scalar.mod, position, self.literal(stride, "int64"))
            inside = inside & self.compute(scalar.eq, remainder, zero)
        return inside

    def result(self, reduction: int, dtype: str) -> Value:
        """The result of a reduction."""
        return self._intern(("result", reduction), lambda: Result(self, dtype, reduction))

    def index_symbol(self, value: Value) -> Dim:
        """A computed integer as a symbol that may stand in an index."""
        if value not in self._indices:
            self._indices[value] = dims.symbol(f"index{len(self._indices)}", value)
        return self._indices[value]

    def carried(self, number: int, dtype: str) -> Value:
        """A value that a recurrence carries."""
        return self._intern(("carried", number), lambda: Carried(self, dtype, number))

    def cast(self, value: Value, dtype: str) -> Value:
        """A value as one of another dtype."""
        return self.compute(Cast("cast", dtype), value)

    def compute(self, op: Elementwise, *arguments: Value) -> Value:
        """An elementwise op on scalars; ops with a body, and those on complex numbers, are expanded."""
        if op.definition.body is not None:
            inputs, output = op.trace(tuple(a.dtype for a in arguments))
            return self._expand(inputs, [output], arguments)[0]
        if op.on_parts(arguments[-1].dtype):
            found = self._expand(*op.traced_parts(arguments[-1].dtype), [p for a in arguments for p in parts(a)])
            return self.pair(*found) if len(found) > 1 else found[0]
        if op.name in ("identity", "stop_gradient"):
            return arguments[0]
        if op.name == "cast" and op.result_dtype(arguments[0].dtype) == arguments[0].dtype:
            return arguments[0]
        if op.name == "switch" and isinstance(arguments[0], Literal):
            return arguments[1] if arguments[0].value else arguments[2]
        if all(isinstance(a, Literal) for a in arguments) and not op.definition.fails:
            return self.literal(op.evaluate(*(a.value for a in arguments)),  # type: ignore[attr-defined]
                                op.result_dtype(arguments[-1].dtype))
        known = self._divided_index(op.name, arguments) if op.name in _DIVISIONS else None
        if known is not None:
            return known
        dtype = op.result_dtype(arguments[-1].dtype)
        return self._intern(("compute", op, arguments), lambda: Compute(self, dtype, op, arguments))

    def _divided_index(self, name: str, arguments: tuple[Value, ...]) -> Value | None:
        """A quotient or remainder of an index and a number, where the algebra of sizes has it without a division."""
        left, right = arguments
        index = left.arguments[0] if isinstance(left, Compute) and left.op.name == "cast" else left
        if not isinstance(index, SizeScalar) or not isinstance(right, Literal) or left.dtype not in ("int64", "uint64"):
            return None
        size = _DIVISIONS[name](index.size, int(right.value))
        if dims.lower_bound(index.size) < 0 or not dims.is_polynomial(size):
            return None
        return self.size(size) if left is index else self.compute(left.op, self.size(size))  # type: ignore[attr-defined]

    def _expand(self, inputs: Sequence[Any], outputs: Sequence[Any], arguments: Sequence[Value]) -> list[Value]:
        """The values of a graph over scalars whose inputs are `arguments`."""
        known: dict[Any, Value] = dict(zip(inputs, arguments))

        def find(variable: Any) -> Value:
            if isinstance(variable, Constant):
                return self.literal(variable.data, variable.type.dtype)
            return known[variable]

        for node in applications(outputs, known):
            assert isinstance(node.op, Elementwise)
            known[node.outputs[0]] = self.compute(node.op, *map(find, node.inputs))
        return [find(output) for output in outputs]


def parts(value: Value) -> tuple[Value, ...]:
    """The real values that a value is made of."""
    return (value.real, value.imag) if isinstance(value, Pair) else (value,)


def operands(value: Value) -> Iterator[Value]:
    """The values a value is computed from, those inside its index included."""
    if isinstance(value, Compute):
        yield from value.arguments
    elif isinstance(value, Load):
        yield from index_values(value.offset)
        if value.guard is not None:
            yield value.guard
    elif isinstance(value, SizeScalar):
        yield from index_values(value.size)


def index_values(size: Size) -> Iterator[Value]:
    """The computed integers inside an index expression."""
    for atom in dims.symbols_of(size):
        if isinstance(atom.source, Value):
            yield atom.source


def needs_result(value: Value) -> bool:
    """Whether a value is computed from a reduction's result."""
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        if isinstance(current, Result):
            return True
        if current not in seen:
            seen.add(current)
            pending += operands(current)
    return False


def product(loops: Iterable[Loop]) -> Size:
    """How many points loops have."""
    return math.prod((loop.extent for loop in loops), start=1)


def loop_symbols(value: Value) -> Iterator[Symbol]:
    """The loop counters and size symbols named directly in a value's own index."""
    size = value.offset if isinstance(value, Load) else value.size if isinstance(value, SizeScalar) else 0
    for atom in dims.symbols_of(size):
        if not isinstance(atom.source, Value):
            yield atom


@dataclass(frozen=True, eq=False)
class Reduction:
    """`value`, computed at every point of P x R, combined over R.

    `kind` is a kind of `ops.reduce.Reduce`, or "argmax" / "argmin", which give the counter of the loop.
    """

    kind: str
    value: Value


@dataclass(frozen=True, eq=False)
class Store:
    """`value` written to `offset` of buffer `slot`, or with `accumulate` added to what is there."""

    slot: int
    offset: Size
    value: Value
    accumulate: bool = False


def stores(slot: int, offset: Size, value: Value, accumulate: bool = False) -> list[Store]:
    """What writes a value to element `offset` of a buffer: a store for each of its parts."""
    own = parts(value)
    return [Store(slot, offset * len(own) + number, part, accumulate) for number, part in enumerate(own)]


@dataclass(frozen=True, eq=False)
class Carry:
    """A value carried from round to round: `first` in round 0, `new` after each.

    The rounds may be run in several stretches, one after the other; a later one starts with `kept`, which names
    the counter of its first round.
    """

    first: Value
    kept: Value
    new: Value


@dataclass(frozen=True, eq=False)
class Recurrence:
    """What a kernel carries through the rounds of its one reduced loop, which run in order for each point of P.

    The kernel's stores are made in each round, those in `last` after the last one of a stretch. With `stop` the rounds
    end after the first in which it holds; stores of the rounds not reached are of zeros.
    """

    carries: tuple[Carry, ...]
    last: tuple[Store, ...]
    stop: Value | None = None

    def values(self) -> Iterator[Value]:
        """What is computed for it."""
        for carry in self.carries:
            yield from (carry.first, carry.kept, carry.new)
        if self.stop is not None:
            yield self.stop


@dataclass
class Kernel:
    """Loops, what is reduced and what is stored.

    `loops` are all loops from the outermost, as the elements lie in memory; `reduce` are those of them that are
    reduced over (or run in order, see `lower.form`);
    what a loop run in order carries is its `recurrence`. `dtypes` are those of the buffers by slot; a slot
    both loaded and stored is updated in place. `lines` are the user's.
    """

    name: str
    loops: list[Loop]
    reduce: list[Loop]
    reductions: list[Reduction]
    stores: list[Store]
    dtypes: list[str]
    lines: list[str] = field(default_factory=list)
    recurrence: Recurrence | None = None

    @property
    def all_stores(self) -> list[Store]:
        """The stores of each point, and those that a recurrence makes in the end."""
        return [*self.stores, *(self.recurrence.last if self.recurrence is not None else ())]

    @property
    def written(self) -> tuple[int, ...]:
        """The slots of the buffers that are stored to."""
        return tuple(sorted({store.slot for store in self.all_stores}))

    @property
    def cost(self) -> int:
        """About how many additions a point takes at which all values are computed."""
        return sum(value.op.definition.cost for value in self.values() if isinstance(value, Compute))

    @property
    def parallel(self) -> list[Loop]:
        """The loops P: their points do not depend on each other."""
        return [loop for loop in self.loops if loop not in self.reduce]

    def values(self) -> list[Value]:
        """All values, each after those it is computed from."""
        order: dict[Value, None] = {}
        stores = self.all_stores
        pending: list[Value] = [s.value for s in reversed(stores)] + [r.value for r in reversed(self.reductions)]
        if self.recurrence is not None:
            pending += self.recurrence.values()
        for store in stores:
            pending += index_values(store.offset)
        while pending:
            value = pending[-1]
            missing = [v for v in operands(value) if v not in order]
            if value in order or not missing:
                order[value] = None
                pending.pop()
            else:
                pending += missing
        return list(order)
