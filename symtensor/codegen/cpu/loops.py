"""What functions for processors have in common: loops for vector instructions.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel
>>> loop = Loop.make("i", 10)
>>> printer = ScalarPrinter(Kernel("nothing", [loop], [], [], [], []), C)
>>> with simd(printer, loop, printer.loop(loop), ["reduction(+:a0)"]):
...     printer.emit("a0 += 1;")
>>> print(*printer.lines, sep="\\n")
  #pragma omp simd reduction(+:a0)
  for (long i0 = 0; i0 < 10; ++i0) {
    a0 += 1;
  }
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Loop

__all__ = ["simd"]


@contextmanager
def simd(printer: ScalarPrinter, loop: Loop, head: str, clauses: Sequence[str] = ()) -> Iterator[None]:
    """A loop that opens with `head`, and whose rounds are done several at once."""
    status = ["reduction(|:status)"] if printer.fails else []
    printer.emit(" ".join(["#pragma omp simd", *status, *clauses]))
    with printer.block(head, loop.symbol):
        yield
