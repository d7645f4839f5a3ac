"""Narrow floats in loops for vector instructions: a run of neighbours is converted before the loop, or after it.

Processors convert 8 or 16 of them by one instruction. Compilers use it for whole arrays, not for the scalars of a
loop; so what a loop reads from neighbours goes through a small array of float32, and so does what it writes. Other
elements are converted one by one (`codegen.narrow`).

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> from symtensor.ops.scalar import mul
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> x = scope.load(0, i.counter, "float16").computed()
>>> square = Kernel("square", [i], [], [], [Store(1, i.counter, scope.compute(mul, x, x).kept("float16"))],
...                 ["float16"] * 2)
>>> printer = ScalarPrinter(square, C)
>>> with Runs(printer, i, "i0", "").around("0", "1000"), printer.block("for (long i0 = run; i0 < limit; ++i0)"):
...     printer.body(square.stores)
>>> print(*printer.lines, sep="\\n")
  for (long run = 0; run < 1000; run += 256) {
    const long limit = 1000 - run < 256 ? 1000 : run + 256;
    float w0[256], n0[256];
    widen_float16(w0, &b0[run], limit - run);
    for (long i0 = run; i0 < limit; ++i0) {
      const float v2 = (w0[i0 - run] * w0[i0 - run]);
      n0[i0 - run] = v2;
    }
    narrow_to_float16(&b1[run], n0, limit - run);
  }
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Compute, Kernel, Load, Loop, Store, Value
from symtensor.types import dim as dims
from symtensor.types.dim import Symbol
from symtensor.types.dtype import NARROW

__all__ = ["RUN", "Runs", "has_runs"]

RUN, MOST = 256, 32
"""Elements of a run, whole units and whole vectors of all processors; and arrays of one loop, which stay cached."""


class Runs:
    """What a loop reads and writes in runs. `name` is its variable; `base` is added to it for the counter of `loop`."""

    def __init__(self, printer: ScalarPrinter, loop: Loop, name: str, base: str) -> None:
        self.printer, self.loop, self.name, self.base = printer, loop, name, base
        self.read: dict[tuple[str, str], str] = {}
        self.written: dict[tuple[str, str], str] = {}

    @contextmanager
    def around(self, first: str, stop: str) -> Iterator[None]:
        """The loop over runs; inside it, the one over the elements of a run is to be printed, from `run` to `limit`."""
        printer, outer = self.printer, self.printer.staged
        with printer.block(f"for (long run = {first}; run < {stop}; run += {RUN})"):
            printer.emit(f"const long limit = {stop} - run < {RUN} ? {stop} : run + {RUN};")
            place = len(printer.lines)
            printer.staged = self
            yield
            printer.staged = outer
            loop, printer.lines[place:] = printer.lines[place:], []
            arrays = [f"{name}[{RUN}]" for name in (*self.read.values(), *self.written.values())]
            if arrays:
                printer.emit(f"float {', '.join(arrays)};")
            for (dtype, start), name in self.read.items():
                printer.emit(f"widen_{dtype}({name}, &{start}, limit - run);")
            printer.lines += loop
            for (dtype, start), name in self.written.items():
                printer.emit(f"narrow_to_{dtype}(&{start}, {name}, limit - run);")

    # -- what the printer asks ------------------------------------------------------------------------

    def __contains__(self, value: object) -> bool:
        return False

    def name_of(self, value: Value) -> str | None:
        """What a value is called that needs no statement, since it is in an array, or is only to be put into one."""
        if isinstance(value, Load):
            return f"b{value.slot}[{self.printer.size(value.offset)}]" if self._start(value) else None
        if not isinstance(value, Compute) or value.op.name != "cast":
            return None
        operand = value.arguments[0]
        if isinstance(operand, Load):
            return self._element(operand, self.read, "w")
        if value.dtype in NARROW and operand.dtype == "float32":
            return f"narrow_{value.dtype}({self.printer.names[operand]})"
        return None

    def put(self, store: Store) -> str | None:
        """The statement that puts what is to be stored into an array."""
        value = store.value
        if not isinstance(value, Compute) or value.op.name != "cast" or value.arguments[0].dtype != "float32":
            return None
        element = self._element(store, self.written, "n")
        return None if element is None else f"{element} = {self.printer.names[value.arguments[0]]};"

    def _element(self, access: Load | Store, arrays: dict[tuple[str, str], str], letter: str) -> str | None:
        """The element of a run's array; None where there are too many."""
        start = self._start(access)
        key = self.printer.kernel.dtypes[access.slot], start or ""
        if start is None or (key not in arrays and len(self.read) + len(self.written) == MOST):
            return None
        return f"{arrays.setdefault(key, f'{letter}{len(arrays)}')}[{self.name} - run]"

    def _start(self, access: Load | Store) -> str | None:
        """Where the run of an access begins; None if it has none, or the place takes more than an expression."""
        printer, symbol = self.printer, self.loop.symbol
        if not _is_run(access, printer.kernel, self.loop):
            return None
        own, lines = printer.counters[symbol], len(printer.lines)
        printer.counters[symbol] = f"({self.base} + run)" if self.base else "run"
        start = f"b{access.slot}[{printer.size(access.offset)}]"
        printer.counters[symbol] = own
        if len(printer.lines) == lines:
            return start
        del printer.lines[lines:]
        return None


def has_runs(kernel: Kernel, loop: Loop) -> bool:
    """Whether a loop reads or writes runs of narrow floats."""
    accesses: list[Load | Store] = [value for value in kernel.values() if isinstance(value, Load)]
    return any(_is_run(access, kernel, loop) for access in [*accesses, *kernel.all_stores])


def _is_run(access: Load | Store, kernel: Kernel, loop: Loop) -> bool:
    """Whether what is read or written are neighbours, one in each round, and no others of that buffer are written."""
    if kernel.dtypes[access.slot] not in NARROW:
        return False
    if access.guard is not None if isinstance(access, Load) else access.accumulate:
        return False
    linear = dims.linear_in(access.offset, loop.symbol)
    if linear is None or linear[0] != 1 or any(map(_is_computed, dims.symbols_of(linear[1]))):
        return False
    return all(store.offset == access.offset and not store.accumulate
               for store in kernel.all_stores if store.slot == access.slot)


def _is_computed(symbol: Symbol) -> bool:
    return isinstance(symbol.source, Value)
