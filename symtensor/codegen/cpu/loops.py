"""What functions for processors have in common: loops for vector instructions.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel
>>> loop = Loop.make("i", 10)
>>> printer = ScalarPrinter(Kernel("nothing", [loop], [], [], [], []), C)
>>> with simd(printer, loop, clauses=["reduction(+:a0)"]):
...     printer.emit("a0 += 1;")
>>> print(*printer.lines, sep="\\n")
  #pragma omp simd reduction(+:a0)
  for (long i0 = 0; i0 < 10; ++i0) {
    a0 += 1;
  }
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from symtensor.codegen.cpu.runs import Runs, has_runs
from symtensor.codegen.cpu.stretches import Stretches, has_stretches
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Loop

__all__ = ["simd"]


@contextmanager
def simd(printer: ScalarPrinter, loop: Loop, first: str = "0", stop: str | None = None, clauses: Sequence[str] = (),
         base: str = "") -> Iterator[None]:
    """A loop whose rounds are done several at once: all, or those from `first` up to `stop`.

    With a `base` its variable is `c`, counted from there.
    """
    counter, stop = printer.counters[loop.symbol], stop or printer.size(loop.extent)
    name = "c" if base else counter
    status = ["reduction(|:status)"] if printer.fails else []
    with ExitStack() as blocks:
        if has_runs(printer.kernel, loop):
            blocks.enter_context(Runs(printer, loop, name, base).around(first, stop))
            first, stop = "run", "limit"
        if has_stretches(printer.kernel, loop):
            blocks.enter_context(Stretches(printer, loop, name, base).around(first, stop))
            first, stop = "left", "right"
        printer.emit(" ".join(["#pragma omp simd", *status, *clauses]))
        blocks.enter_context(printer.block(f"for (long {name} = {first}; {name} < {stop}; ++{name})", loop.symbol))
        if base:
            printer.emit(f"const long {counter} = {base} + c;")
        yield
