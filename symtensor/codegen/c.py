"""The C printer: a kernel of the kernel IR as one serial chunk function.

The function is `int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch)` and
does units begin..end of the kernel; the runtime splits units between threads. One operation a
statement; sizes are parameters, so one text serves all sizes.

>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> from symtensor.ops.scalar import mul
>>> scope, loop = Scope(), Loop.make("i", 10)
>>> x = scope.load(0, loop.counter, "float32")
>>> printed = print_kernel(Kernel("square", "map", [loop], [], [], [Store(1, loop.counter, scope.compute(mul, x, x))],
...                               ["float32", "float32"]))
>>> printed.units, printed.parameters
(10, ())
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symtensor.codegen.expressions import CLAUSE, combined, initial, literal, nan_matters
from symtensor.codegen.preamble import C_TYPES
from symtensor.codegen.sizes import SizeText
from symtensor.lower.kernel import (
    Compute,
    Kernel,
    Literal,
    Load,
    Loop,
    PrintedKernel,
    Result,
    SizeScalar,
    Store,
    Value,
    index_values,
)
from symtensor.lower.schedule import Schedule
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.dtype import DISCRETE

__all__ = ["print_kernel"]

COLUMNS = 4096
"""Columns that a unit of a column kernel reduces side by side: long runs of memory, accumulators that stay cached."""
TOGETHER, SHORT = 4, 24
"""Rows of a column kernel read together, which saves passes over the accumulators; values up to which they are."""
PART = 4096
"""Elements of a row summed before their partial sum joins the row's, which bounds the rounding error."""
ROWS = 128
"""Rows summed before a column's partial sum joins its total, which bounds the rounding error."""


def print_kernel(kernel: Kernel) -> PrintedKernel:
    """A kernel as C."""
    return _Printer(kernel).print()


class _Printer:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.schedule = Schedule(kernel)
        self.parameters: dict[Size, str] = {}
        self.names: dict[Value, str] = {}
        self.lines: list[str] = []
        self.depth = 1
        self.defined = 0
        self.counters = {loop.symbol: f"i{number}"
                         for number, loop in enumerate(kernel.parallel + kernel.reduce)}
        self.fails = any(isinstance(v, Compute) and v.op.definition.fails for v in kernel.values())

    # -- the whole --------------------------------------------------------------------------------

    def print(self) -> PrintedKernel:
        shape = {"map": self._map, "row": self._row, "column": self._column,
                 "scatter": self._scatter}[self.kernel.shape]
        units = shape()
        work: Size = 1
        for loop in self.kernel.parallel + self.kernel.reduce:
            work = work * self._plain_extent(loop)
        cost = sum(v.op.definition.cost for v in self.kernel.values() if isinstance(v, Compute))
        header = ["int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {"]
        header += [f"  {self._pointer(slot)}" for slot in range(len(self.kernel.dtypes))]
        header += [f"  const long {name} = sizes[{number}];" for number, name in enumerate(self.parameters.values())]
        header.append("  int status = 0;")
        text = "\n".join(header + self.lines + ["  return status;", "}"]) + "\n"
        return PrintedKernel(self.kernel.name, text, tuple(self.parameters), units,
                             work * max(1, cost // 8), self._scratch_bytes())

    def _plain_extent(self, loop: Loop) -> Size:
        own = {each.symbol for each in self.kernel.parallel + self.kernel.reduce}
        return 1 if own & set(dims.symbols_of(loop.extent)) else loop.extent

    def _pointer(self, slot: int) -> str:
        c_type = C_TYPES[self.kernel.dtypes[slot]]
        constant = "" if any(store.slot == slot for store in self.kernel.stores) else "const "
        return f"{constant}{c_type} *restrict b{slot} = buffers[{slot}];"

    def _scratch_bytes(self) -> Size:
        return self._scratch_row() * len(self.schedule.kept) if self.schedule.kept else 0

    def _scratch_row(self) -> Size:
        return dims.floordiv(self._reduced() * 8 + 63, 64) * 64

    def _reduced(self) -> Size:
        total: Size = 1
        for loop in self.kernel.reduce:
            total = total * loop.extent
        return total

    def emit(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("  " * self.depth + text)

    def open(self, text: str) -> None:
        """A line that opens a block."""
        self.emit(text + " {")
        self.depth += 1

    def close(self) -> None:
        """The end of a block."""
        self.depth -= 1
        self.emit("}")

    # -- loops of each shape ----------------------------------------------------------------------

    def _map(self) -> Size:
        """Units are points; the innermost loop runs over runs of them that lie in one row."""
        outer, inner = self.kernel.parallel[:-1], self.kernel.parallel[-1:]
        self._values_at(0, ())
        if not inner:
            self._stores(self.kernel.stores)
            return 1
        counter = self.counters[inner[0].symbol]
        if not outer:
            self._pragma(())
            self.open(f"for (long {counter} = begin; {counter} < end; ++{counter})")
            self._body(self.kernel.stores)
            self.close()
            return inner[0].extent
        self._runs(outer, inner[0])
        self._pragma(())
        self.open(f"for (long {counter} = first; {counter} < last; ++{counter})")
        self._body(self.kernel.stores)
        self.close()
        self.emit("unit += last - first;")
        self.close()
        return _product(outer) * inner[0].extent

    def _runs(self, outer: Sequence[Loop], inner: Loop) -> None:
        """Open a loop over the runs of `inner`, from `first` to `last`, that units begin..end are made of."""
        width = self.size(inner.extent)
        self.open("for (long unit = begin; unit < end;)")
        self.emit(f"const long row = unit / {width}, first = unit - row * {width};")
        self.emit(f"const long last = {width} - first < end - unit ? {width} : first + (end - unit);")
        self._unravel("row", outer)

    def _scatter(self) -> Size:
        """Units are points of P; for each run of them all of R, in order."""
        outer, inner = self.kernel.parallel[:-1], self.kernel.parallel[-1:]
        self._values_at(0, ())
        if inner:
            self._runs(outer, inner[0])
        for loop in self.kernel.reduce:
            self._for(loop)
        if inner:
            counter = self.counters[inner[0].symbol]
            self._pragma(())
            self.open(f"for (long {counter} = first; {counter} < last; ++{counter})")
        self._body(self.kernel.stores)
        for _ in self.kernel.reduce:
            self.close()
        if inner:
            self.close()
            self.emit("unit += last - first;")
            self.close()
        return _product(self.kernel.parallel)

    def _row(self) -> Size:
        """Units are points of P; each runs its stages over R."""
        self._values_at(0, ())
        self.open("for (long unit = begin; unit < end; ++unit)")
        self._unravel("unit", self.kernel.parallel)
        self._values_at(1, (0,))
        for stage in self.schedule.stages:
            if stage.reductions or stage.stores or stage.keeps:
                self._accumulators(stage.reductions)
                self._reduce_loops(stage.number, stage.reductions, stage.stores, stage.keeps)
                self._finish(stage.reductions)
            self._values_at(1, (stage.number + 1,))
        self._stores(self.schedule.row_stores)
        self.close()
        return _product(self.kernel.parallel)

    def _column(self) -> Size:
        """Units are blocks of the innermost loop of P, for each point of the others; R runs outside the block."""
        outer, inner = self.kernel.parallel[:-1], self.kernel.parallel[-1]
        counter, width = self.counters[inner.symbol], self.size(inner.extent)
        blocks = dims.floordiv(inner.extent + COLUMNS - 1, COLUMNS)
        self._values_at(0, ())
        self.open("for (long unit = begin; unit < end; ++unit)")
        self.emit(f"const long block = unit % {self.size(blocks)}, first = block * {COLUMNS};")
        self.emit(f"const long columns = {width} - first < {COLUMNS} ? {width} - first : {COLUMNS};")
        self._unravel(f"(unit / {self.size(blocks)})", outer)
        self._column_totals()
        self._column_loops(counter)
        self.open("for (long c = 0; c < columns; ++c)")
        self.emit(f"const long {counter} = first + c;")
        saved = dict(self.names)
        for number, result in self.schedule.results.items():
            self.names[result] = f"total{number}[c]"
        self._body(self.schedule.row_stores)
        self.names = saved
        self.close()
        self.close()
        return _product(outer) * blocks

    def _column_totals(self) -> None:
        for number, reduction in enumerate(self.kernel.reductions):
            c_type = C_TYPES[reduction.value.dtype]
            self.emit(f"{c_type} total{number}[{COLUMNS}], part{number}[{COLUMNS}];")
            self.emit(f"for (long c = 0; c < columns; ++c) total{number}[c] = {initial(reduction)};")

    def _column_loops(self, counter: str) -> None:
        outermost, *others = self.kernel.reduce
        row, rows = self.counters[outermost.symbol], self.size(outermost.extent)
        self.open(f"for (long rows = 0; rows < {rows}; rows += {ROWS})")
        self.emit(f"const long stop = {rows} - rows < {ROWS} ? {rows} : rows + {ROWS};")
        for number, reduction in enumerate(self.kernel.reductions):
            self.emit(f"for (long c = 0; c < columns; ++c) part{number}[c] = {initial(reduction)};")
        self.emit(f"long {row} = rows;")
        if not others and len(self.schedule.order) <= SHORT:
            self._column_points(f"for (; {row} + {TOGETHER} <= stop; {row} += {TOGETHER})", TOGETHER, ())
        self._column_points(f"for (; {row} < stop; ++{row})", 1, others)
        for number, reduction in enumerate(self.kernel.reductions):
            total, part = f"total{number}[c]", f"part{number}[c]"
            self.emit(f"for (long c = 0; c < columns; ++c) {total} = {combined(reduction, total, part)};")
        self.close()

    def _column_points(self, loop: str, together: int, others: Sequence[Loop]) -> None:
        """The loop over rows, several of them `together`, and inside it the loop over columns."""
        row, column = self.kernel.reduce[0].symbol, self.counters[self.kernel.parallel[-1].symbol]
        own = self.counters[row]
        self.open(loop)
        for other in others:
            self._for(other)
        self._pragma(())
        self.open("for (long c = 0; c < columns; ++c)")
        self.emit(f"const long {column} = first + c;")
        for number in range(together):
            self.counters[row] = f"({own} + {number})" if number else own
            if together > 1:
                self.emit("{")
                self.depth += 1
            self._column_point()
            if together > 1:
                self.close()
        self.counters[row] = own
        for _ in range(len(others) + 2):
            self.close()

    def _column_point(self) -> None:
        saved = dict(self.names)
        self._define([r.value for r in self.kernel.reductions] + [s.value for s in self.schedule.point_stores])
        for number, reduction in enumerate(self.kernel.reductions):
            name = f"part{number}[c]"
            self.emit(f"{name} = {combined(reduction, name, self.names[reduction.value])};")
        self._stores(self.schedule.point_stores)
        self.names = saved

    # -- reductions over a row --------------------------------------------------------------------

    def _accumulators(self, reductions: Sequence[int]) -> None:
        for number in reductions:
            reduction = self.kernel.reductions[number]
            # The sum of partial sums is kept in double, so that a long row is as accurate as a short one.
            c_type = "double" if self._in_parts(number) else C_TYPES[reduction.value.dtype]
            self.emit(f"{c_type} a{number} = {initial(reduction)};")
            if reduction.kind.startswith("arg"):
                self.emit(f"long at{number} = 0;")
            elif nan_matters(reduction):
                self.emit(f"int nan{number} = 0;")

    def _reduce_loops(self, stage: int, reductions: Sequence[int], stores: Sequence[Store],
                      keeps: Sequence[Value]) -> None:
        *outer, inner = self.kernel.reduce
        for loop in outer:
            self._for(loop)
        own = [self.kernel.reductions[n] for n in reductions]
        partial = [n for n in reductions if self._in_parts(n)]
        counter, extent = self.counters[inner.symbol], self.size(inner.extent)
        first, stop = "0", extent
        if partial:
            self.open(f"for (long part = 0; part < {extent}; part += {PART})")
            self.emit(f"const long stop = {extent} - part < {PART} ? {extent} : part + {PART};")
            for number in partial:
                self.emit(f"{C_TYPES[self.kernel.reductions[number].value.dtype]} p{number} = 0;")
            first, stop = "part", "stop"
        if not any(r.kind.startswith("arg") for r in own):
            self._pragma(reductions, partial)
        self.open(f"for (long {counter} = {first}; {counter} < {stop}; ++{counter})")
        saved = dict(self.names)
        self._load_kept(stage)
        self._define([r.value for r in own] + [s.value for s in stores] + list(keeps))
        for number in reductions:
            self._accumulate(number, "p" if number in partial else "a")
        self._stores(stores)
        for value in keeps:
            self.emit(f"{self._kept_place(value)} = {self.names[value]};")
        self.names = saved
        self.close()
        if partial:
            for number in partial:
                self.emit(f"a{number} += p{number};")
            self.close()
        for _ in outer:
            self.close()

    def _in_parts(self, number: int) -> bool:
        """Whether a sum is made of partial sums, which bounds its rounding error."""
        reduction, inner = self.kernel.reductions[number], self.kernel.reduce[-1]
        short = isinstance(inner.extent, int) and inner.extent <= PART
        return reduction.kind == "sum" and reduction.value.dtype.startswith("float") and not short

    def _accumulate(self, number: int, prefix: str) -> None:
        reduction = self.kernel.reductions[number]
        name, value = f"{prefix}{number}", self.names[reduction.value]
        if reduction.kind.startswith("arg"):
            better = f"{value} {'>' if reduction.kind == 'argmax' else '<'} {name}"
            if reduction.value.dtype.startswith("float"):
                better = f"({better} || {value} != {value}) && {name} == {name}"
            place = self._linear()
            self.emit(f"if ({better} || {place} == 0) {{ {name} = {value}; at{number} = {place}; }}")
            return
        if nan_matters(reduction):
            sign = ">" if reduction.kind == "max" else "<"
            self.emit(f"{name} = {value} {sign} {name} ? {value} : {name};")
            self.emit(f"nan{number} |= {value} != {value};")
        else:
            self.emit(f"{name} = {combined(reduction, name, value)};")

    def _finish(self, reductions: Sequence[int]) -> None:
        for number in reductions:
            reduction = self.kernel.reductions[number]
            if nan_matters(reduction):
                suffix = "f" if reduction.value.dtype == "float32" else ""
                self.emit(f'if (nan{number}) a{number} = __builtin_nan{suffix}("");')
            result = self.schedule.results.get(number)
            if result is not None:
                self.names[result] = f"at{number}" if reduction.kind.startswith("arg") else f"a{number}"
                if self._in_parts(number) and reduction.value.dtype == "float32":
                    self.names[result] = f"(float)a{number}"

    def _linear(self) -> str:
        text = ""
        for loop in self.kernel.reduce:
            counter = self.counters[loop.symbol]
            text = f"({text} * {self.size(loop.extent)} + {counter})" if text else counter
        return text

    def _kept_place(self, value: Value) -> str:
        number = self.schedule.kept.index(value)
        offset = f"{number} * {self.size(self._scratch_row())}" if number else "0"
        return f"(({C_TYPES[value.dtype]} *)((char *)scratch + {offset}))[{self._linear()}]"

    def _load_kept(self, stage: int) -> None:
        for value in self.schedule.kept:
            if self.schedule.stage_of[value] < stage:
                name = f"k{self.schedule.kept.index(value)}"
                if value in self.schedule.needed_in(stage):
                    self.emit(f"const {C_TYPES[value.dtype]} {name} = {self._kept_place(value)};")
                    self.names[value] = name

    # -- statements -------------------------------------------------------------------------------

    def _pragma(self, reductions: Sequence[int], partial: Sequence[int] = ()) -> None:
        clauses = ["reduction(|:status)"] if self.fails else []
        for number in reductions:
            reduction = self.kernel.reductions[number]
            clauses.append(f"reduction({CLAUSE[reduction.kind]}:{'p' if number in partial else 'a'}{number})")
            if nan_matters(reduction):
                clauses.append(f"reduction(|:nan{number})")
        self.emit(" ".join(["#pragma omp simd", *clauses]))

    def _for(self, loop: Loop) -> None:
        counter = self.counters[loop.symbol]
        self.open(f"for (long {counter} = 0; {counter} < {self.size(loop.extent)}; ++{counter})")

    def _unravel(self, flat: str, loops: Sequence[Loop]) -> None:
        for position in range(len(loops) - 1, -1, -1):
            counter, extent = self.counters[loops[position].symbol], loops[position].extent
            if position == 0:
                self.emit(f"const long {counter} = {flat};")
            else:
                rest = f"rest{position}"
                self.emit(f"const long {rest} = {flat} / {self.size(extent)};")
                self.emit(f"const long {counter} = {flat} - {rest} * {self.size(extent)};")
                flat = rest

    def _body(self, stores: Sequence[Store]) -> None:
        saved = dict(self.names)
        self._define([store.value for store in stores] + [v for store in stores for v in index_values(store.offset)])
        self._stores(stores)
        self.names = saved

    def _values_at(self, level: int, stages: tuple[int, ...]) -> None:
        """Define what does not change in the loops inside: level 0 before all loops, level 1 once a point of P."""
        for value in self.schedule.order:
            here = self.schedule.level_of[value] == level and (level == 0 or self.schedule.stage_of[value] in stages)
            if here and value not in self.names:
                self._statement(value)

    def _define(self, wanted: Iterable[Value]) -> None:
        """Statements for values not yet named, and for what they need."""
        needed = self.schedule.closure(wanted, self.names)
        for value in self.schedule.order:
            if value in needed:
                self._statement(value)

    def _statement(self, value: Value) -> None:
        if isinstance(value, Literal):
            self.names[value] = literal(value)
            return
        if isinstance(value, Result):
            return  # named where its reduction finishes
        name = f"v{self.schedule.number_of[value]}"
        self.emit(f"const {C_TYPES[value.dtype]} {name} = {self._expression(value)};")
        self.names[value] = name

    def _expression(self, value: Value) -> str:
        if isinstance(value, Load):
            text = f"b{value.slot}[{self.size(value.offset)}]"
            return text if value.guard is None else f"{self.names[value.guard]} ? {text} : 0"
        if isinstance(value, SizeScalar):
            return self.size(value.size)
        assert isinstance(value, Compute)
        return self._operation(value)

    def _operation(self, value: Compute) -> str:
        arguments = [self.names[a] for a in value.arguments]
        dtype = value.arguments[-1].dtype
        if value.op.name == "cast":
            return f"{arguments[0]} != 0" if value.dtype == "bool" else f"({C_TYPES[value.dtype]}){arguments[0]}"
        definition = value.op.definition
        template = definition.c
        if dtype in DISCRETE and definition.c_integer:
            template = definition.c_integer
        if dtype == "bool" and definition.c_bool:
            template = definition.c_bool
        return template.format(*arguments, f="f" if dtype == "float32" else "", s="_" + dtype)

    def _stores(self, stores: Sequence[Store]) -> None:
        for store in stores:
            sign = "=" if not store.accumulate else "|=" if store.value.dtype == "bool" else "+="
            self.emit(f"b{store.slot}[{self.size(store.offset)}] {sign} {self.names[store.value]};")

    # -- sizes ------------------------------------------------------------------------------------

    def size(self, size: Size) -> str:
        """A size as C: parts that do not name loops are parameters."""
        if isinstance(size, int):
            return str(size)
        return SizeText(self._varying, self._parameter, self._defined)(size)

    def _varying(self, symbol: Symbol) -> str | None:
        return self.counters.get(symbol) or (self.names[symbol.source] if isinstance(symbol.source, Value) else None)

    def _parameter(self, size: Size) -> str:
        return self.parameters.setdefault(size, f"s{len(self.parameters)}")

    def _defined(self, text: str) -> str:
        self.defined += 1
        self.emit(f"const long z{self.defined} = {text};")
        return f"z{self.defined}"


def _product(loops: Iterable[Loop]) -> Size:
    total: Size = 1
    for loop in loops:
        total = total * loop.extent
    return total
