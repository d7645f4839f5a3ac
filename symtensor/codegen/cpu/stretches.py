"""Loads under a condition, in loops for vector instructions: the loop in stretches in which conditions do not change.

A processor that leaves elements of a vector out of a load still pays dearly where their addresses lie outside of all
memory, as they do before and after the parts of a joined array. So a loop ends a stretch wherever a comparison with its
counter changes. Within one each load has a pointer: to what it reads, or, where its condition does not hold, to zeros.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> x = scope.load(0, i.counter - 10, "float32", scope.in_region(i.counter - 10, 900, 1))
>>> printer = ScalarPrinter(Kernel("shift", [i], [], [], [Store(1, i.counter, x)], ["float32"] * 2), C)
>>> stretches = Stretches(printer, i, "i0", "")
>>> with stretches.around("0", "1000"), printer.block("for (long i0 = left; i0 < right; ++i0)", i.symbol):
...     printer.body(printer.kernel.stores)
>>> print(*printer.lines, sep="\\n")
  for (long left = 0, right; left < 1000; left = right) {
    right = 1000 - left < 1024 ? 1000 : left + 1024;
    _Bool g0;
    {
      if (left < 10 && 10 < right) right = 10;
      if (left < 910 && 910 < right) right = 910;
      const long v1 = (left + -10);
      const _Bool v2 = (v1 < 900);
      const _Bool v4 = (v1 >= 0);
      const _Bool v5 = (v4 & v2);
      g0 = v5;
    }
    const float *q1 = g0 ? &b0[(left + -10)] : (const float *)(nothing + 8192);
    for (long i0 = left; i0 < right; ++i0) {
      const float w6 = q1[i0 - left];
      b1[i0] = w6;
    }
  }
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symtensor.codegen.scalar_printer import Place, ScalarPrinter, Staged
from symtensor.lower.kernel import (
    Compute,
    Kernel,
    Literal,
    Load,
    Loop,
    SizeScalar,
    Store,
    Value,
    index_values,
    loop_symbols,
    operands,
)
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol

__all__ = ["NOTHING", "Stretches", "has_stretches"]

MOST, NARROW = 1024, 64
"""Elements of a stretch, so that the zeros stay cached; rounds up to which a loop is not cut if that is known: what
conditions leave out is near then, and a mask costs less."""
NOTHING = f"""static char nothing[{2 * MOST * 8}] __attribute__((aligned(64), unused));
static inline void wake_nothing(void) {{
  for (unsigned long i = 0; i < sizeof nothing; i += 4096) ((volatile char *)nothing)[i];
}}
"""
"""Zeros, which pointers enter in the middle: some go on, and some back. Their pages are read once, for a compiler may
make masked loads of them after all, which do not bring into memory what they leave out."""
_CUTS = {"lt": (0,), "ge": (0,), "le": (1,), "gt": (1,), "eq": (0, 1), "neq": (0, 1)}
"""What i + d is where its comparison with 0 becomes another one than in the round before."""
_BACK = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "neq": "neq"}
"""What is to be said of -x for what is said of x."""


class Stretches:
    """What a loop loads under conditions. `name` is its variable; `base` is added to it for the counter of `loop`."""

    def __init__(self, printer: ScalarPrinter, loop: Loop, name: str, base: str) -> None:
        self.printer, self.symbol, self.name, self.base = printer, loop.symbol, name, base
        self.loads: dict[Value, int] = {value: slope for value in printer.kernel.values()
                      if isinstance(value, Load) and (slope := _slope(value, loop)) is not None}
        self.conditions = {condition for load in self.loads for guard in operands(load)
                           for condition in _conditions(guard) if isinstance(condition, Compute)}
        self.known: dict[tuple[Value, tuple[str, ...]], str] = {}
        self.outer: Staged | None = None
        self.head: Place | None = None

    @contextmanager
    def around(self, first: str, stop: str) -> Iterator[None]:
        """The loop over stretches; inside it, the one over elements is to be printed, from `left` to `right`."""
        printer = self.printer
        self.outer = printer.staged
        with printer.block(f"for (long left = {first}, right; left < {stop}; left = right)"):
            printer.emit(f"right = {stop} - left < {MOST} ? {stop} : left + {MOST};")
            self.head = printer.here()
            printer.staged = self
            yield
            printer.staged = self.outer
            printer.insert(self.head)

    # -- what the printer asks ------------------------------------------------------------------------

    def __contains__(self, value: object) -> bool:
        return value in self.loads or value in self.conditions or (self.outer is not None and value in self.outer)

    def name_of(self, value: Value) -> str | None:
        """What a value is called that is known before the stretch, or loaded by its pointer."""
        if value in self.conditions:
            return self._known(value)
        if value in self.loads:
            return self._loaded(value)
        return None if self.outer is None else self.outer.name_of(value)

    def _loaded(self, value: Value) -> str:
        """Load by a pointer, whether or not the value is chosen later: then it needs no mask."""
        pointer, slope, name = self._known(value), self.loads[value], f"w{self.printer.schedule.number_of[value]}"
        if slope == 0:
            return pointer
        place = f"{self.name} - left" if slope == 1 else f"left - {self.name}"
        self.printer.emit(f"const {self.printer.dialect.types[value.dtype]} {name} = {pointer}[{place}];")
        return name

    def put(self, store: Store) -> str | None:
        """What is said in the place of a store."""
        return None if self.outer is None else self.outer.put(store)

    # -- what stands before a stretch -----------------------------------------------------------------

    def _known(self, value: Value) -> str:
        """The name of a condition or pointer, defined before the stretch for the present values of other counters."""
        assert self.head is not None
        if value in self.head.names:
            return self.head.names[value]
        key = value, tuple(self.printer.counters.values())
        if key not in self.known:
            guard = self._known(value.guard) if isinstance(value, Load) and value.guard is not None else ""
            with self.printer.at(self.head, {self.symbol: f"({self.base} + left)" if self.base else "left"}):
                self.known[key] = self._pointer(value, guard) if isinstance(value, Load) else self._condition(value)
        return self.known[key]

    def _condition(self, value: Value) -> str:
        printer, name = self.printer, f"g{len(self.known)}"
        printer.emit(f"{printer.dialect.truth} {name};")
        with printer.block():
            for cut in dict.fromkeys(cut for part in _conditions(value) for cut in _cuts(part, self.symbol)):
                place = printer.size(cut)
                place = f"{place} - {self.base}" if self.base else place
                printer.emit(f"if (left < {place} && {place} < right) right = {place};")
            printer.define([value])
            printer.emit(f"{name} = {printer.names[value]};")
        return name

    def _pointer(self, load: Load, guard: str) -> str:
        printer, c_type = self.printer, self.printer.dialect.types[load.dtype]
        name, place = f"q{len(self.known)}", f"b{load.slot}[{printer.size(load.offset)}]"
        if self.loads[load] == 0:
            printer.emit(f"const {c_type} {name} = {guard} ? {place} : {printer.dialect.zero(load.dtype)};")
        else:
            printer.opening["  wake_nothing();"] = None
            printer.emit(f"const {c_type} *{name} = {guard} ? &{place} : (const {c_type} *)(nothing + {MOST * 8});")
        return name


def has_stretches(kernel: Kernel, loop: Loop) -> bool:
    """Whether a loop loads under conditions that its counter, or that of a loop around it, and sizes tell."""
    return any(_slope(value, loop) is not None for value in kernel.values())


def _slope(value: Value, loop: Loop) -> int | None:
    """How far a load goes from round to round, none, one on or one back; None if it is no load for a pointer."""
    if not isinstance(value, Load) or value.guard is None or any(index_values(value.offset)):
        return None
    linear = dims.linear_in(value.offset, loop.symbol)
    if linear is None or linear[0] not in (-1, 0, 1) or not _is_settled(value.guard, loop.symbol):
        return None
    if isinstance(loop.extent, int) and loop.extent <= NARROW and _follows(value.guard, loop.symbol):
        return None
    return int(linear[0])  # type: ignore[arg-type]


def _follows(value: Value, symbol: Symbol) -> bool:
    """Whether a condition may be another in each round."""
    return symbol in loop_symbols(value) or any(_follows(v, symbol) for v in operands(value))


def _is_settled(value: Value, symbol: Symbol) -> bool:
    """Whether a condition changes only at places that are known before the loop."""
    if isinstance(value, SizeScalar):
        return symbol not in loop_symbols(value) and not any(index_values(value.size))
    if isinstance(value, Compute) and not value.op.definition.fails:
        return _compared(value, symbol) is not None or all(_is_settled(v, symbol) for v in value.arguments)
    return isinstance(value, Literal)


def _compared(value: Value, symbol: Symbol) -> tuple[str, Size] | None:
    """A name of a comparison, and d, for one of the counter plus d with 0."""
    if not isinstance(value, Compute) or value.op.name not in _CUTS:
        return None
    if any(not isinstance(v, (SizeScalar, Literal)) or v.dtype != "int64" for v in value.arguments):
        return None
    left, right = (v.as_index() for v in value.arguments)
    difference = left - right
    linear = None if any(index_values(difference)) else dims.linear_in(difference, symbol)
    if linear is None or linear[0] not in (-1, 1):
        return None
    return (value.op.name, linear[1]) if linear[0] == 1 else (_BACK[value.op.name], -linear[1])


def _cuts(value: Value, symbol: Symbol) -> list[Size]:
    """The counters from which on a comparison is another one than in the round before."""
    compared = _compared(value, symbol)
    return [] if compared is None else [after - compared[1] for after in _CUTS[compared[0]]]


def _conditions(value: Value) -> list[Value]:
    """The conditions that one is made of, itself first."""
    return [value, *(c for v in operands(value) for c in _conditions(v))] if value.dtype == "bool" else []
