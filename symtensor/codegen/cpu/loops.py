"""What functions for processors have in common: loops over what lies side by side, for vector instructions.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel
>>> printer = ScalarPrinter(Kernel("nothing", [], [], [], [], []), C)
>>> simd(printer, ["reduction(+:a0)"])
>>> printer.lines
['  #pragma omp simd reduction(+:a0)']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Loop

__all__ = ["runs", "simd"]


def simd(printer: ScalarPrinter, clauses: Sequence[str] = ()) -> None:
    """Have the rounds of the loop that follows done several at once."""
    status = ["reduction(|:status)"] if printer.fails else []
    printer.emit(" ".join(["#pragma omp simd", *status, *clauses]))


@contextmanager
def runs(printer: ScalarPrinter, outer: Sequence[Loop], inner: Loop) -> Iterator[None]:
    """A loop over the runs of `inner`, from `first` to `last`, that units begin..end are made of."""
    width = printer.size(inner.extent)
    with printer.block("for (long unit = begin; unit < end;)"):
        printer.emit(f"const long row = unit / {width}, first = unit - row * {width};")
        printer.emit(f"const long last = {width} - first < end - unit ? {width} : first + (end - unit);")
        printer.unravel("row", outer)
        yield
        printer.emit("unit += last - first;")
