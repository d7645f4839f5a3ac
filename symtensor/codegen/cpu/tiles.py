"""Kernels that reduce nothing, with points of a row done together (`lower.neighbours`): whole tiles, then the rest.

Tiles do not begin where rows do, so units are rows; or, where there is but one row, tiles. What is a tile and what is
the rest does not depend on the number of threads.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.neighbours import tiled
>>> from symtensor.lower.kernel import Kernel, Scope, Store
>>> from symtensor.ops.elementwise import Cast
>>> from symtensor.ops.random import random32
>>> scope, i = Scope(), Loop.make("i", 1000)
>>> bits = scope.compute(random32, *[scope.literal(7, "uint64")] * 2,
...                      scope.compute(Cast("cast", "uint64"), scope.size(i.counter)))
>>> printer = ScalarPrinter(Kernel("bits", [i], [], [], [Store(0, i.counter, bits)], ["uint64"]), C)
>>> print_tiles(printer, Map((i,)), tiled(printer.kernel))
16
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symtensor.codegen.cpu.loops import simd
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map
from symtensor.lower.kernel import Loop, product
from symtensor.lower.neighbours import TILE, Tiled
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_tiles"]


def print_tiles(printer: ScalarPrinter, form: Map, together: Tiled) -> Size:
    """The loops of a kernel whose points are done together. The units."""
    *outer, inner = form.points
    with _row(printer, outer, inner, together):
        printer.emit(f"const long tile = (base + first + {TILE - 1}) / {TILE}, tiles = (base + last) / {TILE};")
        printer.emit(f"const long whole = tile < tiles ? tile * {TILE} - base : last;")
        printer.emit(f"const long rest = tile < tiles ? tiles * {TILE} - base : last;")
        with printer.block("for (int part = 0; part < 2; ++part)"):
            printer.emit("const long from = part ? rest : first, to = part ? last : whole;")
            with simd(printer, inner, "from", "to"):
                printer.body(printer.kernel.stores)
        with printer.block():
            _whole_tiles(printer.beside(together.kernel), together)
    return product(outer) if outer else dims.ceildiv(inner.extent + together.base, TILE)


@contextmanager
def _row(printer: ScalarPrinter, outer: list[Loop], inner: Loop, together: Tiled) -> Iterator[None]:
    """Define `first` and `last`, what is to be done of a row, for each; and `base`, which leads from them to tiles."""
    if outer:
        with printer.block("for (long row = begin; row < end; ++row)"):
            printer.unravel("row", outer)
            printer.emit(f"const long first = 0, last = {printer.size(inner.extent)};")
            printer.emit(f"const long base = {printer.size(together.base)};")
            yield
        return
    width = printer.size(inner.extent)
    printer.emit(f"const long base = {printer.size(together.base)};")
    printer.emit(f"const long start = begin * {TILE} - base, stop = end * {TILE} - base;")
    printer.emit(f"const long first = start > 0 ? start : 0, last = {width} < stop ? {width} : stop;")
    yield


def _whole_tiles(printer: ScalarPrinter, together: Tiled) -> None:
    """Tiles `tile` to `tiles`."""
    printer.values_at(0)
    with (printer.block(printer.loop(together.tile, "tile", "tiles")),
          simd(printer, together.lane)):
        printer.body(together.kernel.stores)
