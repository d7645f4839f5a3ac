"""Kernels that reduce rows: units are points of P, and each runs its stages over R.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 10), Loop.make("j", 20)
>>> x, most = scope.load(0, i.counter * 20 + j.counter, "int32"), scope.result(0, "int32")
>>> rows = Kernel("max", [i, j], [j], [Reduction("max", x)], [Store(1, i.counter, most)], ["int32"] * 2)
>>> printer = ScalarPrinter(rows, C)
>>> print_row(printer, Row((i,), (j,)))
10
>>> print(*printer.lines, sep="\\n")
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    int a0 = (-2147483648L);
    #pragma omp simd reduction(max:a0)
    for (long i1 = 0; i1 < 20; ++i1) {
      const int v0 = b0[(20 * i0 + i1)];
      a0 = (v0 > a0) ? v0 : a0;
    }
    b1[i0] = a0;
  }
"""

from __future__ import annotations

from contextlib import ExitStack

from symtensor.codegen.cpu.loops import simd
from symtensor.codegen.dialect import COMBINE
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Row
from symtensor.lower.kernel import Reduction, Value, product
from symtensor.lower.schedule import Schedule, Stage
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS

__all__ = ["print_row", "scratch_bytes"]

PART = 4096
"""Elements of a row summed before their partial sum joins the row's, which bounds the rounding error."""


def print_row(printer: ScalarPrinter, form: Row) -> Size:
    """For each point the stages over its row. The units."""
    rows = _Rows(printer, form)
    printer.values_at(0)
    with printer.block("for (long unit = begin; unit < end; ++unit)"):
        printer.unravel("unit", form.points)
        printer.values_at(1, (0,))
        for stage in printer.schedule.stages:
            if stage.reductions or stage.stores or stage.keeps:
                rows.stage(stage)
            printer.values_at(1, (stage.number + 1,))
        printer.store(printer.schedule.row_stores)
    return product(form.points)


def scratch_bytes(schedule: Schedule) -> Size:
    """The memory that a thread needs for the values of one row that are kept for later stages."""
    return _scratch_row(schedule) * len(schedule.kept) if schedule.kept else 0


def _scratch_row(schedule: Schedule) -> Size:
    return dims.floordiv(product(schedule.kernel.reduce) * 8 + 63, 64) * 64


def _nan_matters(reduction: Reduction) -> bool:
    """Whether NaN must be looked for beside a reduction, since vector instructions lose it."""
    return reduction.kind in ("max", "min") and reduction.value.dtype in FLOATS


class _Rows:
    def __init__(self, printer: ScalarPrinter, form: Row) -> None:
        self.printer = printer
        self.dialect = printer.dialect
        self.schedule = printer.schedule
        self.reductions = printer.kernel.reductions
        self.form = form

    def stage(self, stage: Stage) -> None:
        """One pass over the row; its results are known after it."""
        partial = [number for number in stage.reductions if self._in_parts(number)]
        for number in stage.reductions:
            self._accumulator(number)
        with ExitStack() as blocks:
            for loop in self.form.reduced[:-1]:
                blocks.enter_context(self.printer.block(self.printer.loop(loop)))
            if partial:
                self._partial_sums(stage, partial)
            else:
                self._pass(stage, partial, "0", self.printer.size(self.form.reduced[-1].extent))
        for number in stage.reductions:
            self._finish(number)

    def _in_parts(self, number: int) -> bool:
        """Whether a sum is made of partial sums, which bounds its rounding error."""
        reduction, inner = self.reductions[number], self.form.reduced[-1]
        short = isinstance(inner.extent, int) and inner.extent <= PART
        return reduction.kind == "sum" and reduction.value.dtype in FLOATS and not short

    def _accumulator(self, number: int) -> None:
        reduction = self.reductions[number]
        # The sum of partial sums is kept in double, so that a long row is as accurate as a short one.
        c_type = self.dialect.types["float64" if self._in_parts(number) else reduction.value.dtype]
        self.printer.emit(f"{c_type} a{number} = {self.dialect.initial(reduction)};")
        if reduction.kind.startswith("arg"):
            self.printer.emit(f"long at{number} = 0;")
        elif _nan_matters(reduction):
            self.printer.emit(f"int nan{number} = 0;")

    def _partial_sums(self, stage: Stage, partial: list[int]) -> None:
        """The innermost loop in parts, each with sums of its own."""
        inner, emit = self.form.reduced[-1], self.printer.emit
        extent = self.printer.size(inner.extent)
        with self.printer.block(f"for (long part = 0; part < {extent}; part += {PART})"):
            emit(f"const long stop = {extent} - part < {PART} ? {extent} : part + {PART};")
            for number in partial:
                emit(f"{self.dialect.types[self.reductions[number].value.dtype]} p{number} = 0;")
            self._pass(stage, partial, "part", "stop")
            for number in partial:
                emit(f"a{number} += p{number};")

    def _pass(self, stage: Stage, partial: list[int], first: str, stop: str) -> None:
        """The innermost loop, from `first` to `stop`: all that happens at a point."""
        inner = self.form.reduced[-1]
        accumulators = {number: f"{'p' if number in partial else 'a'}{number}" for number in stage.reductions}
        if any(self.reductions[number].kind.startswith("arg") for number in stage.reductions):
            rounds = self.printer.block(self.printer.loop(inner, first, stop))
        else:
            clauses = [clause for item in accumulators.items() for clause in self._clauses(*item)]
            rounds = simd(self.printer, inner, first, stop, clauses)
        with rounds:
            self._load_kept(stage.number)
            self.printer.define([self.reductions[number].value for number in stage.reductions]
                                + [store.value for store in stage.stores] + stage.keeps)
            for number, name in accumulators.items():
                self._accumulate(number, name)
            self.printer.store(stage.stores)
            for value in stage.keeps:
                self.printer.emit(f"{self._kept_place(value)} = {self.printer.names[value]};")

    def _clauses(self, number: int, name: str) -> list[str]:
        reduction = self.reductions[number]
        nan = [f"reduction(|:nan{number})"] if _nan_matters(reduction) else []
        return [f"reduction({COMBINE.get(reduction.kind, reduction.kind)}:{name})", *nan]

    def _accumulate(self, number: int, name: str) -> None:
        reduction, emit = self.reductions[number], self.printer.emit
        value = self.printer.names[reduction.value]
        better = self.dialect.better(reduction, name, value)
        if reduction.kind.startswith("arg"):
            if reduction.value.dtype in FLOATS:
                better = f"({better} || {value} != {value}) && {name} == {name}"
            place = self.printer.linear(self.form.reduced)
            emit(f"if ({better} || {place} == 0) {{ {name} = {value}; at{number} = {place}; }}")
        elif _nan_matters(reduction):
            emit(f"{name} = {better} ? {value} : {name};")
            emit(f"nan{number} |= {value} != {value};")
        else:
            emit(f"{name} = {self.dialect.combined(reduction, name, value)};")

    def _finish(self, number: int) -> None:
        reduction = self.reductions[number]
        if _nan_matters(reduction):
            self.printer.emit(f"if (nan{number}) a{number} = {self.dialect.not_a_number(reduction.value.dtype)};")
        result = self.schedule.results.get(number)
        if result is not None:
            name = f"at{number}" if reduction.kind.startswith("arg") else f"a{number}"
            narrow = self._in_parts(number) and reduction.value.dtype == "float32"
            self.printer.names[result] = f"(float){name}" if narrow else name

    # -- values kept for later stages -------------------------------------------------------------

    def _kept_place(self, value: Value) -> str:
        number = self.schedule.kept.index(value)
        offset = f"{number} * {self.printer.size(_scratch_row(self.schedule))}" if number else "0"
        c_type, place = self.dialect.types[value.dtype], self.printer.linear(self.form.reduced)
        return f"(({c_type} *)((char *)scratch + {offset}))[{place}]"

    def _load_kept(self, stage: int) -> None:
        for number, value in enumerate(self.schedule.kept):
            if self.schedule.stage_of[value] < stage and value in self.schedule.needed_in(stage):
                c_type = self.dialect.types[value.dtype]
                self.printer.emit(f"const {c_type} k{number} = {self._kept_place(value)};")
                self.printer.names[value] = f"k{number}"
