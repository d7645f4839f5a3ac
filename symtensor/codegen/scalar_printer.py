"""The scalars of a kernel as statements, one operation each: what the targets have in common.

A target decides which loops run where; inside them it calls `values_at`, `body` or `define`, and says in `names`
how a value is called that it has computed in its own way, such as the result of a reduction. Another target could
have each thread of a grid compute some points:

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Reduction, Scope
>>> from symtensor.ops.scalar import mul
>>> from symtensor.types.dim import symbol
>>> scope, loop = Scope(), Loop.make("i", symbol("n"))
>>> x = scope.load(0, loop.counter, "float32")
>>> square = Kernel("square", [loop], [], [], [Store(1, loop.counter, scope.compute(mul, x, x))], ["float32"] * 2)
>>> printer = ScalarPrinter(square, C)
>>> thread, threads = "blockIdx.x * blockDim.x + threadIdx.x", "gridDim.x * blockDim.x"
>>> with printer.block(f"for (long i0 = {thread}; i0 < {printer.size(loop.extent)}; i0 += {threads})"):
...     printer.body(square.stores)
>>> print(*printer.lines, printer.parameters, sep="\\n")
  for (long i0 = blockIdx.x * blockDim.x + threadIdx.x; i0 < s0; i0 += gridDim.x * blockDim.x) {
    const float v0 = b0[i0];
    const float v1 = (v0 * v0);
    b1[i0] = v1;
  }
{n: 's0'}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from symtensor.codegen.dialect import Dialect
from symtensor.codegen.sizes import SizeText
from symtensor.lower.kernel import (
    Carried,
    Compute,
    Kernel,
    Literal,
    Load,
    Loop,
    Result,
    SizeScalar,
    Store,
    Value,
    index_values,
    loop_symbols,
    operands,
)
from symtensor.lower.schedule import Schedule
from symtensor.types.dim import Size, Symbol

__all__ = ["Place", "ScalarPrinter", "Staged"]


class Staged(Protocol):
    """What a loop reads and writes by way of something else than its buffers."""

    def __contains__(self, value: object) -> bool:
        """Whether nothing that a value is computed from is needed; a condition is then the same in all rounds."""

    def name_of(self, value: Value) -> str | None:
        """What a value is called that needs no statement of its own."""

    def put(self, store: Store) -> str | None:
        """What is said in the place of a store."""


@dataclass
class Place:
    """A place that the printer has passed and comes back to, and what was known there."""

    line: int
    depth: int
    names: dict[Value, str]
    lines: list[str] = field(default_factory=list)


class ScalarPrinter:
    """The lines of a kernel's function as they come, and the names that values, sizes and loop counters have in them.

    `parameters` are the sizes that do not change inside the kernel, with their names, in the order of first use.
    """

    def __init__(self, kernel: Kernel, dialect: Dialect) -> None:
        self.kernel = kernel
        self.dialect = dialect
        self.schedule = Schedule(kernel)
        self.parameters: dict[Size, str] = {}
        self.names: dict[Value, str] = {}
        self.truths: set[Value] = set()
        self.counters = {loop.symbol: f"i{number}" for number, loop in enumerate(kernel.parallel + kernel.reduce)}
        self.fails = any(isinstance(v, Compute) and v.op.definition.fails for v in kernel.values())
        self.lines: list[str] = []
        self.together: Symbol | None = None  # the counter of the loop whose rounds are done several at once
        self.opening: dict[str, None] = {}  # lines with which the function begins
        self.staged: Staged | None = None  # what is read before the innermost loop and written after it
        self._varying_values: dict[tuple[Value, Symbol], bool] = {}
        self._depth = 1
        self._defined = 0

    def beside(self, kernel: Kernel) -> ScalarPrinter:
        """A printer of another kernel with the same buffers, whose lines go where this one's go, at its depth."""
        other = ScalarPrinter(kernel, self.dialect)
        other.parameters, other.opening, other.lines, other._depth, other._defined = (
            self.parameters, self.opening, self.lines, self._depth, self._defined)
        return other

    def functions(self) -> str:
        """The texts of the functions that its ops are calls of."""
        values = self.kernel.values()
        return "".join(dict.fromkeys(v.op.definition.c_functions for v in values if isinstance(v, Compute)))

    # -- lines and blocks -------------------------------------------------------------------------

    def emit(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("  " * self._depth + text)

    @contextmanager
    def block(self, text: str = "", together: Symbol | None = None) -> Iterator[None]:
        """A block that opens with `text`. What values are called inside is forgotten after it.

        `together` is the counter of a loop that the block is, if its rounds are done several at once.
        """
        self.emit(f"{text} {{" if text else "{")
        self._depth += 1
        names, before = dict(self.names), self.together
        self.together = together or before
        yield
        self.names, self.together = names, before
        self._depth -= 1
        self.emit("}")

    def here(self) -> Place:
        """The present place, where lines are to be put later."""
        return Place(len(self.lines), self._depth, dict(self.names))

    @contextmanager
    def at(self, place: Place, counters: Mapping[Symbol, str]) -> Iterator[None]:
        """Print at a place passed before, where some counters were others."""
        before = self.lines, self._depth, self.names, self.counters, self.together, self.staged
        self.lines, self._depth, self.names, self.counters = (
            place.lines, place.depth, dict(place.names), {**self.counters, **counters})
        self.together = self.staged = None
        yield
        self.lines, self._depth, self.names, self.counters, self.together, self.staged = before

    def insert(self, place: Place) -> None:
        """Put what was printed at a place among the lines."""
        self.lines[place.line:place.line] = place.lines

    def loop(self, loop: Loop, first: str = "0", stop: str | None = None) -> str:
        """The head of a loop over all rounds, or those from `first` up to `stop`."""
        counter = self.counters[loop.symbol]
        return f"for (long {counter} = {first}; {counter} < {stop or self.size(loop.extent)}; ++{counter})"

    def unravel(self, flat: str, loops: Sequence[Loop]) -> None:
        """Define the counters of loops from the number of a point in the order in which they run."""
        for position in range(len(loops) - 1, -1, -1):
            counter, extent = self.counters[loops[position].symbol], loops[position].extent
            if position == 0:
                self.emit(f"const long {counter} = {flat};")
            else:
                rest = f"rest{position}"
                self.emit(f"const long {rest} = {self.dialect.quotient.format(flat, self.size(extent))};")
                self.emit(f"const long {counter} = {flat} - {rest} * {self.size(extent)};")
                flat = rest

    def linear(self, loops: Iterable[Loop]) -> str:
        """The number of a point in the order in which loops run."""
        text = ""
        for loop in loops:
            counter = self.counters[loop.symbol]
            text = f"({text} * {self.size(loop.extent)} + {counter})" if text else counter
        return text

    # -- values -----------------------------------------------------------------------------------

    def values_at(self, level: int, stages: Collection[int] | None = None) -> None:
        """Define the values of a level of the schedule, of all stages or some."""
        for value in self.schedule.order:
            here = stages is None or self.schedule.stage_of[value] in stages
            if here and self.schedule.level_of[value] == level and value not in self.names:
                self._statement(value)

    def values_before(self) -> None:
        """Define the values of level 0 that no store changes; the others are read by who may write them.

        What another thread has written must not be read later, even where the value is not used.
        """
        written = self.kernel.written
        changed: set[Value] = set()
        for value in self.schedule.order:
            if isinstance(value, Load) and value.slot in written or any(v in changed for v in operands(value)):
                changed.add(value)
            elif self.schedule.level_of[value] == 0 and value not in self.names:
                self._statement(value)

    def define(self, wanted: Iterable[Value]) -> None:
        """Define values not yet named, and what they need."""
        needed = self.schedule.closure(wanted, self.names, self.staged or ())
        for value in self.schedule.order:
            if value in needed:
                self._statement(value)

    def body(self, stores: Sequence[Store]) -> None:
        """Define what stores need, and store."""
        self.define([store.value for store in stores] + [v for store in stores for v in index_values(store.offset)])
        self.store(stores)

    def store(self, stores: Iterable[Store]) -> None:
        """Store values that are named."""
        for store in stores:
            place, value = f"b{store.slot}[{self.size(store.offset)}]", self.names[store.value]
            put = self.staged.put(store) if self.staged is not None else None
            added = self.dialect.added(place, store.value.dtype, value) if store.accumulate else None
            self.emit(put or added or f"{place} = {value};")

    def _statement(self, value: Value) -> None:
        if isinstance(value, Literal):
            self.names[value] = self.dialect.number(value)
            return
        if isinstance(value, (Result, Carried)):
            return  # named where its reduction finishes, or its round begins
        staged = self.staged.name_of(value) if self.staged is not None else None
        if staged is not None:
            self.names[value] = staged
            return
        name = f"v{self.schedule.number_of[value]}"
        self.emit(f"const {self._type(value)} {name} = {self._expression(value)};")
        self.names[value] = name

    def _type(self, value: Value) -> str:
        """The type of a scalar. What is true of numbers is a mask of vector registers, what comes from memory bytes."""
        made_here = isinstance(value, Compute) and value.dtype == "bool" and not value.op.definition.fails and all(
            v.dtype != "bool" or v in self.truths or isinstance(v, Literal) for v in value.arguments)
        if made_here:
            self.truths.add(value)
        return self.dialect.truth if made_here else self.dialect.types[value.dtype]

    def _expression(self, value: Value) -> str:
        if isinstance(value, Load):
            text, zero = f"b{value.slot}[{self.size(value.offset)}]", self.dialect.zero(value.dtype)
            return text if value.guard is None else f"{self._operand(value, value.guard)} ? {text} : {zero}"
        if isinstance(value, SizeScalar):
            return self.size(value.size)
        assert isinstance(value, Compute)
        return self.dialect.operation(value, [self._operand(value, argument) for argument in value.arguments])

    def _operand(self, user: Value, value: Value) -> str:
        """What a value is called where another is computed from it.

        Compilers know no mask for a condition that is the same in all rounds done together; so it becomes a comparison
        with the counter, which is less than `everywhere` in each round, and they cannot know that.
        """
        name = self.names[value]
        if self.together is None or value.dtype != "bool" or isinstance(value, Literal):
            return name
        fixed = self.staged is not None and value in self.staged
        if not fixed and (self._varies(value, self.together) or not self._varies(user, self.together)):
            return name
        self.opening['  long everywhere = 9223372036854775807;\n  __asm__("" : "+r"(everywhere));'] = None
        return f"({self.counters[self.together]} < everywhere * {name})"

    def _varies(self, value: Value, counter: Symbol) -> bool:
        """Whether a value is another in each round of a loop."""
        key = value, counter
        if key not in self._varying_values:
            self._varying_values[key] = counter in loop_symbols(value) or any(
                self._varies(operand, counter) for operand in operands(value))
        return self._varying_values[key]

    # -- sizes ------------------------------------------------------------------------------------

    def size(self, size: Size) -> str:
        """A size: parts that do not name loops are parameters."""
        if isinstance(size, int):
            return str(size)
        return SizeText(self._varying, self._parameter, self._name_part)(size)

    def _varying(self, symbol: Symbol) -> str | None:
        return self.counters.get(symbol) or (self.names[symbol.source] if isinstance(symbol.source, Value) else None)

    def _parameter(self, size: Size) -> str:
        return self.parameters.setdefault(size, f"s{len(self.parameters)}")

    def _name_part(self, text: str) -> str:
        self._defined += 1
        self.emit(f"const long z{self._defined} = {text};")
        return f"z{self._defined}"
