"""Kernels that reduce nothing: a thread for each point, or for each run of points that are loaded and stored at once.

>>> from symtensor.codegen.dialect import CUDA
>>> from symtensor.lower.kernel import Kernel, Scope, Store
>>> from symtensor.types.dim import symbol
>>> scope, i = Scope(), Loop.make("i", symbol("n"))
>>> zeros = Kernel("zeros", [i], [], [], [Store(0, i.counter, scope.literal(0, "int32"))], ["int32"])
>>> printer = ScalarPrinter(zeros, CUDA)
>>> print_map(printer, Map((i,)))
min(65536, ((n + 1023) // 1024))
>>> print(*printer.lines, sep="\\n")
  const long whole = is_aligned(b0, 16) ? s0 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 4;
    Vector<int, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      y0.at[lane] = 0;
    }
    *(Vector<int, 4> *)&b0[i0] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    b0[i0] = 0;
  }
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from symtensor.base.config import config
from symtensor.codegen.cuda.grid import BLOCK, THREAD, strided, units
from symtensor.codegen.cuda.vectors import Wide, side_by_side
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map, Scatter
from symtensor.lower.kernel import Loop, Store, Value, index_values, product
from symtensor.lower.neighbours import COPIES, TILE, Tiled, tiled
from symtensor.ops.random import NEIGHBOURS
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import itemsize

__all__ = ["print_map", "print_scatter"]


def print_map(printer: ScalarPrinter, form: Map) -> Size:
    """A thread for each point, each run of points, or all points that share work. The units."""
    printer.values_before()
    together, wide = tiled(printer.kernel), side_by_side(printer.kernel)
    if together is not None:
        return _print_tiles(printer, form, together)
    count = product(form.points)
    if wide is None:
        _print_points(printer, form.points, THREAD)
        return units(count)
    printer.emit(f"const long whole = {_can_be_wide(printer, wide)} ? {printer.size(count)} / {wide.width} : 0;")
    with printer.block(strided(printer, THREAD, "whole")):
        _Run(printer, form, wide).body()
    _print_points(printer, form.points, f"whole * {wide.width} + {THREAD}")
    return units(count, BLOCK * wide.width)


def print_scatter(printer: ScalarPrinter, form: Scatter) -> Size:
    """A thread for each point, which does all that is ordered, in order; or one for all, if the order is no matter.

    Sums of integers are the same in any order; sums of floats are not, in the last bits.
    """
    printer.values_before()
    if not all(map(_atomic_type, printer.kernel.stores)):
        _print_points(printer, form.points, THREAD, form.ordered)
        return units(product(form.points))
    with printer.block(strided(printer, THREAD, product(printer.kernel.loops))):
        printer.unravel("at", printer.kernel.loops)
        _print_atomic(printer)
    return units(product(printer.kernel.loops))


_EXACT = {"int32": "int", "uint32": "unsigned int", "int64": "unsigned long long", "uint64": "unsigned long long"}
_ROUNDED = {"float32": "float", "float64": "double"}
"""The types of CUDA whose additions are one step, which no other thread can come between."""


def _atomic_type(store: Store) -> str | None:
    """The type in which a store adds to memory in one step, if it may."""
    return ({**_EXACT, **_ROUNDED} if config.cuda_atomics else _EXACT).get(store.value.dtype) \
        if store.accumulate else None


def _print_atomic(printer: ScalarPrinter) -> None:
    stores = printer.kernel.stores
    printer.define([store.value for store in stores] + [v for store in stores for v in index_values(store.offset)])
    for store in stores:
        c_type, place = _atomic_type(store), f"&b{store.slot}[{printer.size(store.offset)}]"
        printer.emit(f"atomicAdd(({c_type} *){place}, ({c_type}){printer.names[store.value]});")


def _print_points(printer: ScalarPrinter, points: Sequence[Loop], first: str, ordered: Sequence[Loop] = ()) -> None:
    """A loop over points, and inside it loops over what is ordered."""
    with ExitStack() as blocks:
        blocks.enter_context(printer.block(strided(printer, first, product(points))))
        printer.unravel("at", points)
        for loop in ordered:
            blocks.enter_context(printer.block(printer.loop(loop)))
        printer.body(printer.kernel.stores)


# -- runs of points that are loaded and stored at once ------------------------------------------------------

def _can_be_wide(printer: ScalarPrinter, wide: Wide) -> str:
    """The condition under which runs may be used."""
    bytes_of = {slot: wide.width * itemsize(printer.kernel.dtypes[slot]) for slot in wide.slots}
    aligned = [f"is_aligned(b{slot}, {size})" for slot, size in bytes_of.items()]
    return " && ".join(aligned + [f"{printer.size(size)} % {wide.width} == 0" for size in wide.divisible])


class _Run:
    """The points of a run: `lane` is the number of one in it."""

    def __init__(self, printer: ScalarPrinter, form: Map, wide: Wide) -> None:
        self.printer = printer
        self.form = form
        self.wide = wide
        self.counter = form.points[-1].symbol

    def body(self) -> None:
        """Load a run, compute its points, store it."""
        printer, wide, emit = self.printer, self.wide, self.printer.emit
        printer.unravel(f"at * {wide.width}", self.form.points)
        lanes: dict[Value, str] = {load: f"x{number}.at[lane]" for number, load in enumerate(wide.loads)}
        for number, load in enumerate(wide.loads):
            printer.define(index_values(load.offset))
            emit(f"const {self._type(load.slot)} x{number} = {self._place(load.slot, load.offset, 'const ')};")
        for number, store in enumerate(wide.stores):
            emit(f"{self._type(store.slot)} y{number};")
        own = printer.counters[self.counter]
        emit("#pragma unroll")
        with printer.block(f"for (int lane = 0; lane < {wide.width}; ++lane)"):
            printer.counters[self.counter] = f"({own} + lane)"
            printer.names.update(lanes)
            self._point()
        printer.counters[self.counter] = own
        for number, store in enumerate(wide.stores):
            printer.define(index_values(store.offset))
            emit(f"{self._place(store.slot, store.offset)} = y{number};")

    def _point(self) -> None:
        stores = self.printer.kernel.stores
        others = [store for store in stores if store not in self.wide.stores]
        self.printer.define([store.value for store in stores])
        for number, store in enumerate(self.wide.stores):
            self.printer.emit(f"y{number}.at[lane] = {self.printer.names[store.value]};")
        self.printer.body(others)

    def _type(self, slot: int) -> str:
        return f"Vector<{self.printer.dialect.types[self.printer.kernel.dtypes[slot]]}, {self.wide.width}>"

    def _place(self, slot: int, offset: Size, constant: str = "") -> str:
        return f"*({constant}{self._type(slot)} *)&b{slot}[{self.printer.size(offset)}]"


# -- points that share work -------------------------------------------------------------------------------

def _print_tiles(printer: ScalarPrinter, form: Map, together: Tiled) -> Size:
    """A thread for all points of a tile that share work; where a row begins or ends inside the tile, one by one."""
    *outer, inner = form.points
    tile = Loop(together.tile.symbol, dims.ceildiv(inner.extent + together.base, TILE))
    count = product([*outer, tile, together.lane])
    width, own = printer.size(inner.extent), printer.counters[inner.symbol]
    with printer.block(strided(printer, THREAD, count)):
        beside = printer.beside(together.kernel)
        beside.unravel("at", [*outer, tile, together.lane])
        number, lane = (beside.counters[loop.symbol] for loop in (tile, together.lane))
        printer.emit(f"const long start = {number} * {TILE} - {printer.size(together.base)}, first = start + {lane};")
        with printer.block(f"if (start >= 0 && start + {TILE} <= {width})"):
            _shared_points(printer.beside(together.kernel))
        with printer.block("else"), printer.block(f"for (int copy = 0; copy < {COPIES}; ++copy)"):
            printer.emit(f"const long {own} = first + copy * {NEIGHBOURS};")
            with printer.block(f"if ({own} >= 0 && {own} < {width})"):
                printer.body(printer.kernel.stores)
    return units(count)


def _shared_points(printer: ScalarPrinter) -> None:
    printer.values_at(0)
    printer.body(printer.kernel.stores)
