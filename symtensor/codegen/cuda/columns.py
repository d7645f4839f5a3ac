"""Kernels that reduce columns: a block for neighbouring columns, whose threads divide the rows among them.

>>> from symtensor.codegen.dialect import CUDA
>>> from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 100), Loop.make("j", 40)
>>> x, total = scope.load(0, i.counter * 40 + j.counter, "float32"), scope.result(0, "float32")
>>> columns = Kernel("sum", [i, j], [i], [Reduction("sum", x)], [Store(1, j.counter, total)], ["float32"] * 2)
>>> printer = ScalarPrinter(columns, CUDA)
>>> print_column(printer, Column((), j, (i,)))
2
>>> print(*printer.lines, sep="\\n")
  for (long at = blockIdx.x; at < 2; at += gridDim.x) {
    const long block = at;
    const long i0 = block * 32 + threadIdx.x % 32;
    float a0 = 0;
    if (i0 < 40) {
      for (long part = threadIdx.x / 32; part < 100; part += 8) {
        const long i1 = part;
        const float v0 = b0[(40 * i1 + i0)];
        a0 = a0 + v0;
      }
    }
    a0 = over_columns<256>(a0, 32, [](float x, float y) -> float { return x + y; });
    if (threadIdx.x < 32 && i0 < 40) {
      b1[i0] = a0;
    }
  }
"""

from __future__ import annotations

from symtensor.codegen.cuda.combine import Accumulators
from symtensor.codegen.cuda.grid import BLOCK, WARP, units
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Column
from symtensor.lower.kernel import Loop, product
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_column"]


def print_column(printer: ScalarPrinter, form: Column) -> Size:
    """For each point and block of neighbours all of R. The units."""
    accumulators = Accumulators(printer)
    numbers = range(len(printer.kernel.reductions))
    counter, width = printer.counters[form.across.symbol], printer.size(form.across.extent)
    block = Loop.make("block", dims.ceildiv(form.across.extent, WARP))
    printer.counters[block.symbol] = "block"
    count = product([*form.points, block])
    printer.values_before()
    with printer.block(f"for (long at = blockIdx.x; at < {printer.size(count)}; at += gridDim.x)"):
        printer.unravel("at", [*form.points, block])
        printer.emit(f"const long {counter} = block * {WARP} + threadIdx.x % {WARP};")
        accumulators.begin(numbers)
        with printer.block(f"if ({counter} < {width})"):
            _print_rows(printer, form, accumulators)
        accumulators.finish(numbers, f"over_columns<{BLOCK}>({WARP}")
        with printer.block(f"if (threadIdx.x < {WARP} && {counter} < {width})"):
            printer.body(printer.schedule.row_stores)
    return units(count, 1)


def _print_rows(printer: ScalarPrinter, form: Column, accumulators: Accumulators) -> None:
    """The rows of a thread, for one column."""
    length, stores = printer.size(product(form.reduced)), printer.schedule.point_stores
    with printer.block(f"for (long part = threadIdx.x / {WARP}; part < {length}; part += {BLOCK // WARP})"):
        printer.unravel("part", form.reduced)
        printer.define([r.value for r in printer.kernel.reductions] + [store.value for store in stores])
        for number in range(len(printer.kernel.reductions)):
            accumulators.add(number, "part")
        printer.store(stores)
