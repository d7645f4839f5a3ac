"""Kernels that reduce rows: a thread, a warp or a block for each point, by the length of its row.

>>> from symtensor.codegen.dialect import CUDA
>>> from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 10), Loop.make("j", 200)
>>> x, most = scope.load(0, i.counter * 200 + j.counter, "int32"), scope.result(0, "int32")
>>> rows = Kernel("max", [i, j], [j], [Reduction("max", x)], [Store(1, i.counter, most)], ["int32"] * 2)
>>> printer = ScalarPrinter(rows, CUDA)
>>> print_row(printer, Row((i,), (j,)))
2
>>> print(*printer.lines, sep="\\n")
  const int group = 32, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < 10; at += gridDim.x * (long)rows) {
    const long i0 = at;
    int a0 = (-2147483648L);
    for (long part = lane; part < 200; part += group) {
      const long i1 = part;
      const int v0 = b0[(200 * i0 + i1)];
      a0 = (v0 > a0) ? v0 : a0;
    }
    a0 = over_group<256>(a0, group, [](int x, int y) -> int { return (y > x) ? y : x; });
    if (lane == 0) {
      b1[i0] = a0;
    }
  }
"""

from __future__ import annotations

from symtensor.codegen.cuda.combine import Accumulators
from symtensor.codegen.cuda.grid import BLOCK, WARP, strided, units
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Row
from symtensor.lower.kernel import product
from symtensor.lower.schedule import Stage
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_row"]

SHORT, LONG = 8, 2048
"""Lengths of rows up to which one thread does a row, and from which on a block does."""


def print_row(printer: ScalarPrinter, form: Row) -> Size:
    """For each point the stages over its row. The units."""
    group, count = _group(form), product(form.points)
    accumulators = Accumulators(printer)
    printer.values_before()
    printer.emit(f"const int group = {printer.size(group)}, rows = {BLOCK} / group, lane = threadIdx.x % group;")
    with printer.block(strided(printer, "blockIdx.x * (long)rows + threadIdx.x / group", count, "rows")):
        printer.unravel("at", form.points)
        printer.values_at(0)
        printer.values_at(1, (0,))
        for stage in printer.schedule.stages:
            if stage.reductions or stage.stores:
                _print_stage(printer, form, accumulators, stage)
            printer.values_at(1, (stage.number + 1,))
        if printer.schedule.row_stores:
            with printer.block("if (lane == 0)"):
                printer.store(printer.schedule.row_stores)
    return units(count, dims.floordiv(BLOCK, group))


def _group(form: Row) -> Size:
    """How many threads do a row: an extent that differs from row to row counts as it is in the first."""
    counters = {loop.symbol: 0 for loop in (*form.points, *form.reduced)}
    length = dims.substitute(product(form.reduced), counters.get)

    def above(limit: int) -> Size:
        return dims.minimum(dims.floordiv(length, limit + 1), 1)

    return 1 + (WARP - 1) * above(SHORT) + (BLOCK - WARP) * above(LONG)


def _print_stage(printer: ScalarPrinter, form: Row, accumulators: Accumulators, stage: Stage) -> None:
    """One pass over the row. What an earlier stage computed is computed again, which costs less than memory."""
    accumulators.begin(stage.reductions)
    length = printer.size(product(form.reduced))
    with printer.block(f"for (long part = lane; part < {length}; part += group)"):
        printer.unravel("part", form.reduced)
        printer.define([printer.kernel.reductions[number].value for number in stage.reductions]
                       + [store.value for store in stage.stores])
        for number in stage.reductions:
            accumulators.add(number, "part")
        printer.store(stage.stores)
    accumulators.finish(stage.reductions, f"over_group<{BLOCK}>(group")
