"""Kernels that reduce columns: units are blocks of neighbouring columns, reduced side by side.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Reduction, Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 10), Loop.make("j", 20)
>>> x, total = scope.load(0, i.counter * 20 + j.counter, "float32"), scope.result(0, "float32")
>>> columns = Kernel("sum", [i, j], [i], [Reduction("sum", x)], [Store(1, j.counter, total)], ["float32"] * 2)
>>> print_column(ScalarPrinter(columns, C), Column((), j, (i,)))
1
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from symtensor.codegen.cpu.loops import simd
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Column
from symtensor.lower.kernel import Loop, product
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_column"]

COLUMNS = 4096
"""Columns that a unit reduces side by side: long runs of memory, accumulators that stay cached."""
TOGETHER, SHORT = 4, 24
"""Rows read together, which saves passes over the accumulators; values up to which they are."""
ROWS = 128
"""Rows summed before a column's partial sum joins its total, which bounds the rounding error."""


def print_column(printer: ScalarPrinter, form: Column) -> Size:
    """For each point and block of columns all of R, in it the columns of the block. The units."""
    counter, width = printer.counters[form.across.symbol], printer.size(form.across.extent)
    blocks = dims.ceildiv(form.across.extent, COLUMNS)
    printer.values_at(0)
    with printer.block("for (long unit = begin; unit < end; ++unit)"):
        count = printer.size(blocks)
        printer.emit(f"const long block = unit % {count}, first = block * {COLUMNS};")
        printer.emit(f"const long columns = {width} - first < {COLUMNS} ? {width} - first : {COLUMNS};")
        printer.unravel(f"(unit / {count})", form.points)
        _Columns(printer, form).totals()
        with printer.block("for (long c = 0; c < columns; ++c)"):
            printer.emit(f"const long {counter} = first + c;")
            for number, result in printer.schedule.results.items():
                printer.names[result] = f"total{number}[c]"
            printer.body(printer.schedule.row_stores)
    return product(form.points) * blocks


class _Columns:
    def __init__(self, printer: ScalarPrinter, form: Column) -> None:
        self.printer = printer
        self.dialect = printer.dialect
        self.schedule = printer.schedule
        self.reductions = printer.kernel.reductions
        self.form = form

    def totals(self) -> None:
        """The totals of the block's columns."""
        outermost, *others = self.form.reduced
        row, rows = self.printer.counters[outermost.symbol], self.printer.size(outermost.extent)
        emit = self.printer.emit
        for number, reduction in enumerate(self.reductions):
            emit(f"{self.dialect.types[reduction.value.dtype]} total{number}[{COLUMNS}], part{number}[{COLUMNS}];")
            self._each(f"total{number}[c] = {self.dialect.initial(reduction)}")
        with self.printer.block(f"for (long rows = 0; rows < {rows}; rows += {ROWS})"):
            emit(f"const long stop = {rows} - rows < {ROWS} ? {rows} : rows + {ROWS};")
            for number, reduction in enumerate(self.reductions):
                self._each(f"part{number}[c] = {self.dialect.initial(reduction)}")
            emit(f"long {row} = rows;")
            if not others and len(self.schedule.order) <= SHORT:
                self._rows(f"for (; {row} + {TOGETHER} <= stop; {row} += {TOGETHER})", TOGETHER, ())
            self._rows(f"for (; {row} < stop; ++{row})", 1, others)
            for number, reduction in enumerate(self.reductions):
                total = f"total{number}[c]"
                self._each(f"{total} = {self.dialect.combined(reduction, total, f'part{number}[c]')}")

    def _each(self, statement: str) -> None:
        self.printer.emit(f"for (long c = 0; c < columns; ++c) {statement};")

    def _rows(self, loop: str, together: int, others: Sequence[Loop]) -> None:
        """The loop over rows, several of them `together`, and inside it the loop over columns."""
        printer, row = self.printer, self.form.reduced[0].symbol
        own = printer.counters[row]
        with ExitStack() as blocks:
            blocks.enter_context(printer.block(loop))
            for other in others:
                blocks.enter_context(printer.block(printer.loop(other)))
            blocks.enter_context(simd(printer, self.form.across, "0", "columns", base="first"))
            if together == 1:
                self._point()
            for number in range(together if together > 1 else 0):
                printer.counters[row] = f"({own} + {number})" if number else own
                with printer.block():
                    self._point()
        printer.counters[row] = own

    def _point(self) -> None:
        stores = self.schedule.point_stores
        self.printer.define([r.value for r in self.reductions] + [store.value for store in stores])
        for number, reduction in enumerate(self.reductions):
            part = f"part{number}[c]"
            combined = self.dialect.combined(reduction, part, self.printer.names[reduction.value])
            self.printer.emit(f"{part} = {combined};")
        self.printer.store(stores)
