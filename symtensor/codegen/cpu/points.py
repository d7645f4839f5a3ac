"""Kernels that reduce nothing: units are points.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> scope, i = Scope(), Loop.make("i", 10)
>>> zeros = Kernel("zeros", [i], [], [], [Store(0, i.counter, scope.literal(0, "int32"))], ["int32"])
>>> printer = ScalarPrinter(zeros, C)
>>> print_map(printer, Map((i,)))
10
>>> print(*printer.lines, sep="\\n")
  #pragma omp simd
  for (long i0 = begin; i0 < end; ++i0) {
    b0[i0] = 0;
  }
"""

from __future__ import annotations

from contextlib import ExitStack

from symtensor.codegen.cpu.loops import runs, simd
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map, Scatter
from symtensor.lower.kernel import product
from symtensor.types.dim import Size

__all__ = ["print_map", "print_scatter"]


def print_map(printer: ScalarPrinter, form: Map) -> Size:
    """Each point by itself; the innermost loop runs over runs of points that lie in one row. The units."""
    outer, inner = form.points[:-1], form.points[-1:]
    printer.values_at(0)
    if not inner:
        printer.store(printer.kernel.stores)
    elif not outer:
        simd(printer)
        with printer.block(printer.loop(inner[0], "begin", "end")):
            printer.body(printer.kernel.stores)
    else:
        with runs(printer, outer, inner[0]):
            simd(printer)
            with printer.block(printer.loop(inner[0], "first", "last")):
                printer.body(printer.kernel.stores)
    return product(form.points)


def print_scatter(printer: ScalarPrinter, form: Scatter) -> Size:
    """For each run of points all that is ordered, in order. The units."""
    outer, inner = form.points[:-1], form.points[-1:]
    printer.values_at(0)
    with ExitStack() as blocks:
        if inner:
            blocks.enter_context(runs(printer, outer, inner[0]))
        for loop in form.ordered:
            blocks.enter_context(printer.block(printer.loop(loop)))
        if inner:
            simd(printer)
            blocks.enter_context(printer.block(printer.loop(inner[0], "first", "last")))
        printer.body(printer.kernel.stores)
    return product(form.points)
