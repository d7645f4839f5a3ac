"""Routines of libraries as hand-written kernels: what a device launches for a `RoutineCall`.

Each file of `cuda_kernels` says of which op it is the meaning. A routine that is not in the table here has no form on
a device, so what asks for it stays on the processor.

>>> from symtensor.types.tensor import TensorType
>>> a, b = TensorType("float32", (100, 30))("a"), TensorType("float32", (30, 50))("b")
>>> [gemm] = print_routine(RoutineCall("gemm", (a, b), sizes=(100, 50, 30, 1), flags=(0, 0, 0, 0)), ["float32"] * 3)
>>> gemm.units, gemm.block, gemm.parameters, gemm.buffers
(2, 256, (100, 50, 30, 0), (0, 1, 2))
>>> print_routine(RoutineCall("unheard_of", (), ()), []) is None
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from symtensor.codegen.cuda import grid
from symtensor.codegen.cuda.grid import BLOCK, WARP, kernel_text
from symtensor.codegen.cuda.kernels import print_whole
from symtensor.codegen.cuda.ordering import print_cumulate, print_search, print_select, print_sort
from symtensor.codegen.cuda.preamble import kernel_source
from symtensor.codegen.dialect import CUDA
from symtensor.ir.routine import RoutineCall
from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS, computed_in

__all__ = ["print_routine"]

_Printer = Callable[[RoutineCall, Sequence[str]], "Sequence[PrintedKernel] | None"]

LARGE, SMALL, ENOUGH = 128, 64, 64
"""Rows and columns of the tiles of matrix products: large ones read less, small ones are used where there would not be
enough large ones to keep a device busy."""
MOST_PARTS, FEWEST_STEPS, BUSY = 64, 512, 256
"""Parts of sums that are long where results are few; steps of a part; and blocks from which on there are enough."""


def print_routine(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """The kernels of a routine whose operands, then outputs, are of `dtypes`; None where there are none.

    Buffers are numbered as in `dtypes`.
    """
    printer = _PRINTERS.get(call.name)
    return printer(call, dtypes) if printer else None


def _gemm(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    m, n, k, batch = call.sizes
    dtype = dtypes[0]
    if dtype not in FLOATS:
        return None
    large: Size = 0 if dtype == "float64" else dims.minimum(dims.floordiv(m * n * batch, ENOUGH * LARGE * LARGE), 1)
    tile = SMALL + (LARGE - SMALL) * large
    units = batch * dims.ceildiv(m, tile) * dims.ceildiv(n, tile)
    c_type = CUDA.types[dtype]
    kinds = ", ".join("true" if flag else "false" for flag in call.flags)
    scalars = "b2, b3" if len(dtypes) == 5 else "nullptr, nullptr"
    arguments = f"(b0, b1, b{len(dtypes) - 1}, s0, s1, s2, {scalars})"
    lines = [f"gemm<{c_type}, {SMALL}, {kinds}>{arguments};"]
    if dtype != "float64":
        lines = [f"if (s3) gemm<{c_type}, {LARGE}, {kinds}>{arguments};", f"else {lines[0]}"]
    parts = _parts_of_product(m, n, k, batch)
    whole = _kernel("gemm", "gemm.cuh", dtypes, 1, (m, n, k, large), units, lines)
    if parts == 1:
        return [whole]
    several = dims.minimum(parts - 1, 1)
    whole = replace(whole, units=units * (1 - several))
    return [whole, *_divided_product(call, dtypes, parts, several, f"gemm_part<{c_type}, {SMALL}, {kinds}>")]


def _parts_of_product(m: Size, n: Size, k: Size, batch: Size) -> Size:
    """The parts of the sums of a product, several where there are few tiles and sums are long."""
    tiles = batch * dims.ceildiv(m, SMALL) * dims.ceildiv(n, SMALL)
    most = dims.minimum(MOST_PARTS, dims.floordiv(BUSY, dims.maximum(tiles, 1)))
    return dims.maximum(1, dims.minimum(most, dims.floordiv(k, FEWEST_STEPS)))


def _divided_product(call: RoutineCall, dtypes: Sequence[str], parts: Size, several: Size,
                     function: str) -> list[PrintedKernel]:
    """Two kernels: sums over parts of k, side by side, and what they amount to."""
    (m, n, k, batch), wide, last = call.sizes, computed_in(dtypes[0]), len(dtypes) - 1
    step = dims.ceildiv(dims.ceildiv(k, parts), WARP) * WARP
    sums = Partial(wide, parts * batch * m * n * several)
    tiles = batch * dims.ceildiv(m, SMALL) * dims.ceildiv(n, SMALL)
    first = _kernel("gemm_part", "gemm.cuh", [*dtypes[:2], wide], 1, (m, n, k, parts, step), parts * tiles * several,
                    [f"{function}(b0, b1, b2, s0, s1, s2, s3, s4);"])
    scalars = "b1, b2" if last == 4 else "nullptr, nullptr"
    call_of_total = f"gemm_total<{CUDA.types[dtypes[0]]}>(b0, b{last - 1}, s0, s1, s2, {scalars});"
    total = _kernel("gemm_total", "gemm.cuh", [wide, *dtypes[2:]], 1, (batch * m * n, m * n, parts),
                    grid.units(batch * m * n) * several, [call_of_total])
    unknown = not isinstance(parts, int)
    return [replace(first, buffers=(0, 1, sums), sometimes=unknown),
            replace(total, buffers=(sums, *range(2, last + 1)), sometimes=unknown)]


def _convolution(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    dtype = dtypes[0]
    if dtype not in FLOATS:
        return None
    batch, groups, channels, filters, *axes = call.sizes
    pixels, taps, outs = (math.prod(axes[place::6]) for place in range(3))
    sizes = f"const Convolution sizes = {{s0, s1, s2, s3, {{{', '.join(map(_axis, range(3)))}}}}};"
    wanted = ("images", "filters", "output")[call.flags[0]]
    kind = f"<{CUDA.types[dtype]}, {'true' if call.flags[1] else 'false'}>"
    if wanted == "filters":
        return _convolution_by_filters(call, dtype, f"{sizes} convolve_filters{kind}", batch * outs,
                                       groups * filters * channels * taps)
    rows, columns = (outs, filters) if wanted == "output" else (pixels, channels)
    units = groups * dims.ceildiv(batch * rows, SMALL) * dims.ceildiv(columns, SMALL)
    function = "convolve" if wanted == "output" else "convolve_images"
    lines = [sizes, f"{function}{kind}(b0, b1, b2, sizes);"]
    return [_kernel(function, "convolution.cuh", dtypes, 1, call.sizes, units, lines)]


def _axis(number: int) -> str:
    """The sizes of an axis of a convolution, from the parameters."""
    return f"{{{', '.join(f'(int)s{4 + 6 * number + place}' for place in range(6))}}}"


def _convolution_by_filters(call: RoutineCall, dtype: str, function: str, steps: Size,
                            elements: Size) -> Sequence[PrintedKernel]:
    """Two kernels: parts of the long sum, computed side by side, and their sum, always in the same order."""
    _, groups, channels, filters, *axes = call.sizes
    parts = dims.maximum(1, dims.minimum(MOST_PARTS, dims.floordiv(steps, FEWEST_STEPS)))
    part = dims.ceildiv(steps, parts)
    tiles = groups * dims.ceildiv(filters, SMALL) * dims.ceildiv(channels * math.prod(axes[1::6]), SMALL)
    number, wide = len(call.sizes), computed_in(dtype)
    lines = [f"{function}(b0, b1, b2, sizes, s{number});"]
    first = _kernel("convolve_filters", "convolution.cuh", [dtype, dtype, wide], 1, (*call.sizes, part),
                    parts * tiles, lines)
    partial = Partial(wide, parts * elements)
    return [replace(first, buffers=(0, 1, partial)), *_sum_of_parts(dtype, parts, elements, partial, 2)]


def _sum_of_parts(dtype: str, parts: Size, elements: Size, partial: Partial, slot: int) -> list[PrintedKernel]:
    """The kernel that adds up the rows of partial results into the buffer `slot`."""
    scope, part, element = Scope(), Loop.make("part", parts), Loop.make("element", elements)
    total = Reduction("sum", scope.load(0, part.counter * elements + element.counter, partial.dtype))
    result = scope.result(0, partial.dtype).kept(dtype)
    kernel = Kernel("sum_of_parts", [part, element], [part], [total], [Store(1, element.counter, result)],
                    [partial.dtype, dtype])
    printed = print_whole(kernel)
    return [replace(printed, buffers=tuple(partial if buffer == 0 else slot for buffer in printed.buffers))]


def _kernel(name: str, file: str, dtypes: Sequence[str], outputs: int, parameters: Sequence[Size], units: Size,
            lines: Sequence[str]) -> PrintedKernel:
    """A kernel that calls functions of a file."""
    blocks = 1 if "float64" in dtypes and file == "convolution.cuh" else 2  # others would spill registers
    slots = range(len(dtypes))
    declared = [CUDA.pointer(slot, dtypes[slot], slot < len(dtypes) - outputs) for slot in slots]
    declared += [f"long s{number}" for number in range(len(parameters))]
    sources = "".join(map(kernel_source, dict.fromkeys(("tensor_cores.cuh", "gemm.cuh", file))))
    text = sources + kernel_text(declared, [f"  {line}" for line in lines], True, blocks)
    return PrintedKernel(name, text, tuple(parameters), units, 0, 0, tuple(slots), BLOCK,
                         written=tuple(slots[-outputs:]))


_PRINTERS: dict[str, _Printer] = {"gemm": _gemm, "convolution": _convolution, "sort": print_sort, "argsort": print_sort,
                                  "select": print_select, "search": print_search, "cumulate": print_cumulate}
