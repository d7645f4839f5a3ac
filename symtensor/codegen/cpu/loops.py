"""What functions for processors have in common: loops for vector instructions.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel
>>> printer = ScalarPrinter(Kernel("nothing", [], [], [], [], []), C)
>>> simd(printer, ["reduction(+:a0)"])
>>> printer.lines
['  #pragma omp simd reduction(+:a0)']
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.codegen.scalar_printer import ScalarPrinter

__all__ = ["simd"]


def simd(printer: ScalarPrinter, clauses: Sequence[str] = ()) -> None:
    """Have the rounds of the loop that follows done several at once."""
    status = ["reduction(|:status)"] if printer.fails else []
    printer.emit(" ".join(["#pragma omp simd", *status, *clauses]))
