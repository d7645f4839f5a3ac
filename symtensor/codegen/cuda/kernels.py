"""The CUDA printer: a kernel of the kernel IR as one or two functions that a grid of threads runs.

A function takes pointers by slot, then the sizes that are its parameters, then, if it can fail, where to say so. Blocks
have `BLOCK` threads. Any grid does all the work; how large it is best is said by `units`.

>>> from symtensor.lower.kernel import Loop, Scope, Store
>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.dim import symbol
>>> scope, loop = Scope(), Loop.make("i", symbol("n"))
>>> x = scope.compute(exp, scope.load(0, loop.counter * 2, "float64"))
>>> kernel = Kernel("exp", [loop], [], [], [Store(1, loop.counter, x, accumulate=True)], ["float64"] * 2)
>>> [printed] = print_kernel(kernel)
>>> printed.units, printed.block, printed.parameters
(min(65536, ((n + 255) // 256)), 256, (n,))
>>> print(printed.text)
extern "C" __global__ void __launch_bounds__(256, 1) KERNEL(const double *__restrict__ b0,
    double *__restrict__ b1, long s0) {
  for (long at = blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    const double v0 = b0[2 * i0];
    const double v1 = exp_float64(v0);
    b1[i0] += v1;
  }
}
SYMTENSOR_KERNEL(KERNEL, 0)
<BLANKLINE>
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from symtensor.codegen.cuda import joint
from symtensor.codegen.cuda.columns import print_column
from symtensor.codegen.cuda.grid import BLOCK, kernel_text
from symtensor.codegen.cuda.points import print_map, print_scatter
from symtensor.codegen.cuda.recurrences import print_recurrence
from symtensor.codegen.cuda.rows import Shares, print_row, shares_of
from symtensor.codegen.dialect import CUDA
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Column, Form, Map, Row, Scatter, Sequential, form_of
from symtensor.lower.kernel import Kernel, product
from symtensor.lower.split import is_divisible, split
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_kernel", "print_whole"]

SPLIT, ROWS = 8192, 512
"""Elements that one block of a reduction over everything combines, and rows that one block of columns does: their
results are combined by a second kernel, always in the same order."""


def print_kernel(kernel: Kernel) -> Sequence[PrintedKernel]:
    """A kernel as CUDA: one function, or two where a reduction is better split, or one for several launches."""
    if not is_divisible(kernel):
        shares = shares_of(kernel)
        return [print_whole(kernel)] if shares is None else _print_shares(kernel, shares)
    most, extent = ROWS if kernel.parallel else SPLIT, product(kernel.reduce)
    if isinstance(extent, int) and extent <= most:
        return [print_whole(kernel)]
    rounds = dims.maximum(dims.floordiv(most, dims.maximum(product(kernel.reduce[1:]), 1)), 1)
    return [_print(part, buffers) for part, buffers in split(kernel, rounds)]


def print_whole(kernel: Kernel) -> PrintedKernel:
    """A kernel as one function."""
    return _print(kernel, tuple(range(len(kernel.dtypes))))


def _print_shares(kernel: Kernel, shares: Shares) -> list[PrintedKernel]:
    """A kernel whose rows are divided if they are long: the launches of one function."""
    printed = _print(kernel, (*range(len(kernel.dtypes)), *shares.partials), shares)
    unknown = not isinstance(shares.count, int)
    return [replace(printed, parameters=(*printed.parameters, shares.count, stage), sometimes=unknown and stage > 0,
                    units=printed.units * (shares.several if stage else 1)) for stage in range(shares.launches)]


def _print(kernel: Kernel, buffers: tuple[int | Partial, ...], shares: Shares | None = None) -> PrintedKernel:
    printer = ScalarPrinter(kernel, CUDA)
    form = form_of(kernel)
    units = print_row(printer, form, shares) if shares and isinstance(form, Row) else _LOOPS[type(form)](printer, form)
    in_order = kernel.recurrence is not None
    dtypes = kernel.dtypes + [partial.dtype for partial in (shares.partials if shares else ())]
    written = (*kernel.written, *range(len(kernel.dtypes), len(dtypes)))
    parameters = [CUDA.pointer(slot, dtype, slot not in written) for slot, dtype in enumerate(dtypes)]
    others = ["from", "to"] if in_order else ["shares", "stage"] if shares else []
    parameters += [f"long {name}" for name in (*printer.parameters.values(), *others)]
    lines = printer.lines
    if printer.fails:
        parameters.append("int *failed")
        lines = ["  int status = 0;", *lines, "  if (status) atomicExch(failed, 1);"]
    functions, barriers = printer.functions(), bool(kernel.reductions)
    body = None
    combines = any(isinstance(buffer, Partial) and slot not in written for slot, buffer in enumerate(buffers))
    if joint.may_join(printer) or (combines and not printer.fails):  # to launch what is small is all that it costs
        body = joint.body(parameters, lines, barriers, functions)
    rounds = (0, product(kernel.reduce)) if in_order else ()
    return PrintedKernel(kernel.name, functions + kernel_text(parameters, lines, barriers),
                         (*printer.parameters, *rounds), units, 0, 0, buffers, BLOCK, printer.fails, in_order,
                         written, body)


_LOOPS: dict[type[Form], Callable[[ScalarPrinter, Any], Size]] = {
    Map: print_map, Row: print_row, Column: print_column, Scatter: print_scatter, Sequential: print_recurrence}
"""What prints the loops of a kernel, by its form, and says how many units they have."""
