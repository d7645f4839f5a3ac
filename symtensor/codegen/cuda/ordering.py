"""Sorting, selecting, searching and running totals on a device: the kernels of `sort.cuh` and `scan.cuh`.

How many kernels have work to do depends on sizes: those for long rows have no blocks where rows are short.

>>> from symtensor.types.dim import symbol
>>> call = RoutineCall("argsort", (), (1, symbol("n"), 1))
>>> [kernel.name for kernel in print_sort(call, ["float32", "int64"])][:5]
['sort_short_rows', 'take_keys', 'count_digits', 'add_counts', 'move_keys']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from symtensor.codegen.cuda.grid import BLOCK, WARP, kernel_text, units
from symtensor.codegen.cuda.preamble import kernel_source
from symtensor.codegen.dialect import CUDA
from symtensor.ir.routine import RoutineCall
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size, ceildiv
from symtensor.types.dtype import FLOATS, NARROW, itemsize

__all__ = ["print_cumulate", "print_search", "print_select", "print_sort"]

TILE = 2048
"""Elements that a block works on at once."""
BUSY, STEP = 65536, 64
"""Threads that keep a device busy, and the least elements of part of a row, where there are fewer rows than that."""


@dataclass(frozen=True)
class _Kernels:
    """The kernels of a routine, which call functions of a file; `dtypes` are those of the routine's buffers."""

    file: str
    dtypes: Sequence[str]
    printed: list[PrintedKernel] = field(default_factory=list)

    def add(self, function: str, buffers: Sequence[int | Partial], sizes: Sequence[Size], blocks: Size,
            written: int = 1, result: str = "{}") -> None:
        """A kernel of so many blocks, if there can be any.

        The function is given the buffers, of which it writes the last ones, and the sizes; the last buffer as `result`.
        """
        if blocks == 0:
            return
        slots, parameters = range(len(buffers)), [f"s{number}" for number in range(len(sizes))]
        types = [self.dtypes[buffer] if isinstance(buffer, int) else buffer.dtype for buffer in buffers]
        declared = [CUDA.pointer(slot, types[slot], slot < len(buffers) - written) for slot in slots]
        pointers = [*(f"b{slot}" for slot in slots[:-1]), result.format(f"b{slots[-1]}")]
        declared += [f"long {name}" for name in parameters]
        text = "".join(map(kernel_source, dict.fromkeys(("scan.cuh", self.file))))
        text += kernel_text(declared, [f"  {function}({', '.join(pointers + parameters)});"], True)
        self.printed.append(PrintedKernel(function.partition("<")[0], text, tuple(sizes), blocks, 0, 0, tuple(buffers),
                                          BLOCK))


def _is_above(size: Size, limit: int) -> Size:
    """1 where a size is larger, else 0."""
    return dims.minimum(dims.floordiv(size, limit + 1), 1)


# -- order ------------------------------------------------------------------------------------------------

def print_sort(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """Of `sort` and `argsort`."""
    outer, n, inner = call.sizes
    return _print_order(call, dtypes, outer * inner, n, inner, n)


def print_select(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """Of `select`."""
    outer, n, inner, wanted = call.sizes
    return _print_order(call, dtypes, outer * inner, n, inner, wanted)


def _print_order(call: RoutineCall, dtypes: Sequence[str], rows: Size, n: Size, inner: Size,
                 wanted: Size) -> Sequence[PrintedKernel] | None:
    """The first `wanted` of rows in order: where they are, or what they are."""
    if dtypes[0] not in CUDA.types:
        return None
    kernels, long, flip = _Kernels("sort.cuh", dtypes), _is_above(n, TILE), -1 if any(call.flags) else 0
    result = "{}" if call.name != "sort" else f"Elements<{CUDA.types[dtypes[1]]}>{{{{{{}}}}}}"
    kernels.add("sort_short_rows", [0, 1], [n, inner, wanted, flip], rows * (1 - long), result=result)
    tiles = ceildiv(n, TILE)
    few = dims.minimum(wanted, TILE) if call.name == "select" else TILE
    length = n if call.name != "select" else tiles * few
    sorted_tiles = ceildiv(length, TILE)
    key = f"uint{8 * max(itemsize(dtypes[0]), 4)}"
    keys, places, counts, totals = (Partial(dtype, rows * size * long) for dtype, size in (
        (key, length), ("uint32", length), ("uint32", 256 * sorted_tiles), ("uint32", 256)))
    others = Partial(key, keys.length), Partial("uint32", places.length)
    if call.name == "select":
        kernels.add("take_first", [0, keys, places], [n, inner, few, flip], rows * tiles * long, 2)
    else:
        kernels.add("take_keys", [0, keys, places], [rows * n, n, inner, flip], units(rows * n) * long, 2)
    for shift in range(0, 8 * itemsize(dtypes[0]), 8):
        blocks = rows * sorted_tiles * long
        kernels.add("count_digits", [keys, counts], [length, shift], blocks)
        kernels.add("add_counts", [counts, totals], [sorted_tiles], 256 // (BLOCK // WARP) * rows * long, 2)
        kernels.add("move_keys", [keys, places, counts, totals, *others], [length, shift], blocks, 2)
        (keys, places), others = others, (keys, places)
    kernels.add("put_rows", [0, places, 1], [rows * wanted, length, n, inner, wanted], units(rows * wanted) * long,
                result=result)
    return kernels.printed


def print_search(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """Of `search`."""
    if dtypes[0] not in CUDA.types:
        return None
    kernels, (n, count) = _Kernels("sort.cuh", dtypes), call.sizes
    kernels.add(f"search<{'true' if call.flags[0] else 'false'}>", [0, 1, 2], [n, count], units(count))
    return kernels.printed


# -- running totals ---------------------------------------------------------------------------------------

_TOTALS = {**dict.fromkeys(NARROW, "float32"), **dict.fromkeys(("float32", "float64"), "float64"),
           **dict.fromkeys(("int64", "uint64"), "uint64")}
"""In which dtype totals are kept; those of other integers in uint32."""


def print_cumulate(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """Of `cumulate`."""
    if dtypes[0] not in CUDA.types:
        return None
    (outer, n, inner), product = call.sizes, bool(call.flags[0])
    kernels, kind = _Kernels("scan.cuh", dtypes), "Product" if product else "Sum"
    total = _TOTALS.get(dtypes[1], "uint32")
    if product and total in FLOATS:  # the product of some may be infinite where that of all before is 0
        _add_columns(kernels, kind, total, outer, n, inner, 1)
    elif inner == 1:
        _add_rows(kernels, kind, total, outer, n)
    else:
        busy = dims.maximum(dims.floordiv(BUSY, dims.maximum(outer * inner, 1)), 1)
        _add_columns(kernels, kind, total, outer, n, inner, dims.minimum(busy, dims.maximum(ceildiv(n, STEP), 1)))
    return kernels.printed


def _add_rows(kernels: _Kernels, kind: str, dtype: str, outer: Size, n: Size) -> None:
    """Blocks for tiles of rows whose elements are beside each other."""
    tiles = ceildiv(n, TILE)
    several = _is_above(tiles, 1)
    totals = Partial(dtype, outer * tiles * several)
    kernels.add(f"tile_totals<{kind}>", [0, totals], [n], outer * tiles * several)
    kernels.add(f"scan_totals<{kind}>", [totals], [tiles], outer * several)
    kernels.add(f"scan_tiles<{kind}>", [0, totals, 1], [n], outer * tiles)


def _add_columns(kernels: _Kernels, kind: str, dtype: str, outer: Size, n: Size, inner: Size, parts: Size) -> None:
    """Threads for parts of rows, which lie side by side, of one length but for the last ones."""
    step = dims.maximum(ceildiv(n, parts), 1)
    parts = ceildiv(n, step)
    several, threads = _is_above(parts, 1), outer * parts * inner
    totals = Partial(dtype, threads * several)
    kernels.add(f"column_totals<{kind}>", [0, totals], [threads, n, inner, step], ceildiv(threads, BLOCK) * several)
    kernels.add(f"scan_column_totals<{kind}>", [totals], [outer * inner, parts, inner],
                ceildiv(outer * inner, BLOCK) * several)
    kernels.add(f"scan_columns<{kind}>", [0, totals, 1], [threads, n, inner, step], ceildiv(threads, BLOCK))
