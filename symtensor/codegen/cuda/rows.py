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

Few rows that are long are divided into shares, of which a block does each. Every stage is then a launch of its own, in
which blocks do their shares and keep what these amount to; in the launches after it each block combines that of all
shares of its row, always in the same order. One text does both: how many shares a row has is a parameter.

>>> j = Loop.make("j", dims.symbol("n"))
>>> x = scope.load(0, i.counter * j.extent + j.counter, "int32")
>>> rows = Kernel("max", [i, j], [j], [Reduction("max", x)], [Store(1, i.counter, most)], ["int32"] * 2)
>>> shares = shares_of(rows)
>>> shares.count, shares.launches
(-min(1, (n // 8192)) + min(102, (n // 8192)) + 1, 2)
>>> printer = ScalarPrinter(rows, CUDA)
>>> blocks = print_row(printer, Row((i,), (j,)), shares)
>>> print(*printer.lines[8:22], sep="\\n")
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const int v0 = b0[(i1 + s1 * i0)];
        a0 = (v0 > a0) ? v0 : a0;
      }
    }
    if (stage > 0 && lane < shares) {
      a0 = b2[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](int x, int y) -> int { return (y > x) ? y : x; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b2[at] = a0;
"""

from __future__ import annotations

from dataclasses import dataclass

from symtensor.codegen.cuda.combine import Accumulators, parts_of
from symtensor.codegen.cuda.grid import BLOCK, WARP, strided, units
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Row, form_of
from symtensor.lower.kernel import Kernel, Load, product
from symtensor.lower.schedule import Schedule, Stage
from symtensor.lower.target import Partial
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["Shares", "print_row", "shares_of"]

SHORT, LONG = 8, 2048
"""Lengths of rows up to which one thread does a row, and from which on a block does."""
FEW, BUSY, SHARE = 128, 1024, 8192
"""Rows are divided where they are too few to keep a device busy with a block for each: into so many shares that there
are as many blocks as keep it busy, of at least so many elements. All devices are taken for one, since where a row is
divided changes how a sum is rounded."""


@dataclass(frozen=True)
class Shares:
    """How rows are divided: each into `count` shares, 1 where sizes say that it is not worth it.

    The kernel is launched so many times, if there are several shares. What shares amount to is kept in `partials`,
    which are the buffers from slot `first` on, in the order of `combine.parts_of`.
    """

    count: Size
    launches: int
    partials: tuple[Partial, ...]
    first: int

    @property
    def several(self) -> Size:
        """1 if there are several, else 0."""
        return dims.minimum(self.count - 1, 1)


def shares_of(kernel: Kernel) -> Shares | None:
    """How a kernel divides the rows that it reduces; None if it reduces none, or may not, or never would."""
    form = form_of(kernel)
    if not isinstance(form, Row) or not _is_divisible(kernel):
        return None
    rows = product(form.points)
    is_few = 1 - dims.minimum(dims.floordiv(rows, FEW), 1)
    most = dims.minimum(BLOCK, dims.floordiv(BUSY, dims.maximum(rows, 1)) * is_few)
    count = dims.maximum(1, dims.minimum(most, dims.floordiv(_length(form), SHARE)))
    if count == 1:
        return None
    stages = Schedule(kernel).stages
    length = rows * count * dims.minimum(count - 1, 1)
    partials = tuple(Partial(dtype, length) for reduction in kernel.reductions for _, dtype in parts_of(reduction))
    return Shares(count, len(stages) + bool(stages[-1].reductions), partials, len(kernel.dtypes))


def _is_divisible(kernel: Kernel) -> bool:
    """Whether no block reads what another writes: what is written at a point is read at that point only."""
    inner = {loop.symbol for loop in kernel.reduce}
    places = {store.slot: store.offset for store in kernel.stores}
    own = {slot: place for slot, place in places.items() if inner.intersection(dims.symbols_of(place))}
    return all(load.slot not in places or load.offset == own.get(load.slot)
               for load in kernel.values() if isinstance(load, Load))


def print_row(printer: ScalarPrinter, form: Row, shares: Shares | None = None) -> Size:
    """For each point the stages over its row, or over a share of it. The units."""
    group, count = _group(form), product(form.points)
    stages = _Stages(printer, form, shares)
    printer.values_before()
    printer.emit(f"const int group = {printer.size(group)}, rows = {BLOCK} / group, lane = threadIdx.x % group;")
    number = printer.size(count) + " * shares" * bool(shares)
    with printer.block(strided(printer, "blockIdx.x * (long)rows + threadIdx.x / group", number, "rows")):
        if shares:
            printer.emit(f"const long row = {printer.dialect.quotient.format('at', 'shares')};")
        printer.unravel("row" if shares else "at", form.points)
        printer.values_at(0)
        printer.values_at(1, (0,))
        if shares:
            stages.print_bounds()
        for stage in printer.schedule.stages:
            if stage.reductions or stage.stores:
                stages.print(stage)
            printer.values_at(1, (stage.number + 1,))
        if printer.schedule.row_stores:
            with printer.block("if (lane == 0 && at == row * shares)" if shares else "if (lane == 0)"):
                printer.store(printer.schedule.row_stores)
    return units(count * (shares.count if shares else 1), dims.floordiv(BLOCK, group))


def _length(form: Row) -> Size:
    """How long rows are: an extent that differs from row to row counts as it is in the first."""
    counters = {loop.symbol: 0 for loop in (*form.points, *form.reduced)}
    return dims.substitute(product(form.reduced), counters.get)


def _group(form: Row) -> Size:
    """How many threads do a row."""
    length = _length(form)

    def above(limit: int) -> Size:
        return dims.minimum(dims.floordiv(length, limit + 1), 1)

    return 1 + (WARP - 1) * above(SHORT) + (BLOCK - WARP) * above(LONG)


class _Stages:
    """Passes over a row, or over the share of it from `begin` to `end`; `stage` is then that of the launch.

    What an earlier stage computed is computed again, which costs less than memory.
    """

    def __init__(self, printer: ScalarPrinter, form: Row, shares: Shares | None) -> None:
        self.printer = printer
        self.form = form
        self.shares = shares
        self.accumulators = Accumulators(printer)
        places = [(number, part) for number, reduction in enumerate(printer.kernel.reductions)
                  for part, _ in parts_of(reduction)]
        self.kept = {place: f"b{slot}" for slot, place in enumerate(places, shares.first)} if shares else {}

    def print_bounds(self) -> None:
        """Define where a share begins and ends."""
        emit = self.printer.emit
        emit(f"const long length = {self.printer.size(product(self.form.reduced))};")
        emit("const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;")
        emit("const long end = begin + share < length ? begin + share : length;")

    def print(self, stage: Stage) -> None:
        """One pass, and what its reductions amount to."""
        printer, shares, numbers = self.printer, self.shares, stage.reductions
        self.accumulators.begin(numbers)
        if shares is None:
            self._pass(stage, "lane", printer.size(product(self.form.reduced)))
        elif stage.number + 1 == shares.launches:
            self._pass(stage, "begin + lane", "end")
        else:
            with printer.block(f"if (stage <= {stage.number})"):
                self._pass(stage, "begin + lane", "end")
        kept = [(f"a{number}{part}", buffer) for (number, part), buffer in self.kept.items() if number in numbers]
        if kept:
            with printer.block(f"if (stage > {stage.number} && lane < shares)"):
                for accumulator, buffer in kept:
                    printer.emit(f"{accumulator} = {buffer}[row * shares + lane];")
        self.accumulators.finish(numbers, f"over_group<{BLOCK}>(group")
        if kept:
            with printer.block(f"if (shares > 1 && stage == {stage.number})"):
                for accumulator, buffer in kept:
                    printer.emit(f"if (lane == 0) {buffer}[at] = {accumulator};")
                printer.emit("continue;")

    def _pass(self, stage: Stage, first: str, stop: str) -> None:
        printer = self.printer
        if self.shares:
            printer.emit("#pragma unroll 4")  # NVRTC does so by itself where all of a row is meant
        with printer.block(f"for (long part = {first}; part < {stop}; part += group)"):
            printer.unravel("part", self.form.reduced)
            printer.define([printer.kernel.reductions[number].value for number in stage.reductions]
                           + [store.value for store in stage.stores])
            for number in stage.reductions:
                self.accumulators.add(number, "part")
            printer.store(stage.stores)
