"""Kernels that reduce nothing: units are blocks of points that lie side by side.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> zeros = Kernel("zeros", [i], [], [], [Store(0, i.counter, scope.literal(0, "int32"))], ["int32"])
>>> printer = ScalarPrinter(zeros, C)
>>> print_map(printer, Map((i,)))
16
>>> print(*printer.lines, sep="\\n")
  const long first = begin * 64, stop = end * 64;
  const long last = 1000 < stop ? 1000 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    b0[i0] = 0;
  }
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from symtensor.codegen.cpu.loops import simd
from symtensor.codegen.cpu.tiles import print_tiles
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map, Scatter
from symtensor.lower.kernel import Loop, product
from symtensor.lower.neighbours import tiled
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_map", "print_scatter"]

BLOCK = 64
"""Points of a unit, that of a row's end excepted. Vector instructions and the scalar ones that do the rest of a row may
round otherwise; since a thread begins with a whole block, what is the rest does not depend on the number of threads."""


def print_map(printer: ScalarPrinter, form: Map) -> Size:
    """Each point by itself, or those that share work side by side. The units."""
    printer.values_at(0)
    together = tiled(printer.kernel)
    if together is not None:
        return print_tiles(printer, form, together)
    with _runs(printer, form.points):
        printer.body(printer.kernel.stores)
    return _units(form.points)


def print_scatter(printer: ScalarPrinter, form: Scatter) -> Size:
    """For each run of points all that is ordered, in order. The units."""
    printer.values_at(0)
    with _runs(printer, form.points, form.ordered):
        printer.body(printer.kernel.stores)
    return _units(form.points)


def _units(points: Sequence[Loop]) -> Size:
    return product(points[:-1]) * dims.ceildiv(points[-1].extent, BLOCK) if points else 1


@contextmanager
def _runs(printer: ScalarPrinter, points: Sequence[Loop], between: Sequence[Loop] = ()) -> Iterator[None]:
    """Loops over the points of units begin..end, runs of the innermost loop; `between` runs and points other loops."""
    with ExitStack() as blocks:
        if len(points) > 1:
            blocks.enter_context(_rows(printer, points[:-1], points[-1]))
        elif points:
            width = printer.size(points[-1].extent)
            printer.emit(f"const long first = begin * {BLOCK}, stop = end * {BLOCK};")
            printer.emit(f"const long last = {width} < stop ? {width} : stop;")
        for loop in between:
            blocks.enter_context(printer.block(printer.loop(loop)))
        if points:
            blocks.enter_context(simd(printer, points[-1], "first", "last"))
        yield


@contextmanager
def _rows(printer: ScalarPrinter, outer: Sequence[Loop], inner: Loop) -> Iterator[None]:
    """A loop over the rows that units begin..end lie in; `inner` runs from `first` to `last` in each."""
    width, blocks = printer.size(inner.extent), printer.size(dims.ceildiv(inner.extent, BLOCK))
    with printer.block(f"for (long row = begin / {blocks}; row * {blocks} < end; ++row)"):
        printer.emit(f"const long start = row * {blocks}, stop = (end - start) * {BLOCK};")
        printer.emit(f"const long first = start < begin ? (begin - start) * {BLOCK} : 0;")
        printer.emit(f"const long last = {width} < stop ? {width} : stop;")
        printer.unravel("row", outer)
        yield
