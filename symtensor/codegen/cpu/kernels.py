"""The C printer: a kernel of the kernel IR as one or two serial chunk functions.

A function is `int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch)` and
does units begin..end of the kernel; the runtime splits units between threads. One operation a
statement; sizes are parameters, so one text serves all sizes.

>>> from symtensor.lower.kernel import Loop, Scope, Store
>>> from symtensor.ops.scalar import mul
>>> scope, loop = Scope(), Loop.make("i", 100)
>>> x = scope.load(0, loop.counter, "float32")
>>> square = Kernel("square", [loop], [], [], [Store(1, loop.counter, scope.compute(mul, x, x))], ["float32"] * 2)
>>> [printed] = print_kernel(square)
>>> printed.units, printed.parameters, printed.buffers
(2, (), (0, 1))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symtensor.codegen.cpu.columns import print_column
from symtensor.codegen.cpu.points import print_map, print_scatter
from symtensor.codegen.cpu.recurrences import print_recurrence
from symtensor.codegen.cpu.rows import print_row, scratch_bytes
from symtensor.codegen.dialect import C
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Column, Form, Map, Row, Scatter, Sequential, form_of
from symtensor.lower.kernel import Kernel, product
from symtensor.lower.split import is_divisible, split
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_kernel"]

SPLIT, SPLIT_COLUMNS, FEWEST_ROWS = 16384, 262144, 128
"""Elements that one unit of a reduction over everything, or over rows, combines (of at least so many rows): partial
results are combined in a second kernel. They do not depend on the number of threads, so neither do the bits."""


def print_kernel(kernel: Kernel) -> Sequence[PrintedKernel]:
    """A kernel as C: one function, or two where a reduction is better split."""
    total = product(kernel.loops)
    if not is_divisible(kernel) or (isinstance(total, int) and total <= SPLIT):
        return [_print(kernel, tuple(range(len(kernel.dtypes))))]
    return [_print(part, buffers) for part, buffers in split(kernel, _rows_of_block(kernel))]


def _rows_of_block(kernel: Kernel) -> Size:
    """Rounds of the outermost loop that one unit of a split reduction does."""
    others = kernel.loops[1:]
    if not others:
        return SPLIT
    most, fewest = (SPLIT_COLUMNS, FEWEST_ROWS) if kernel.parallel else (SPLIT, 1)
    return dims.maximum(dims.floordiv(most, dims.maximum(product(others), 1)), fewest)


def _print(kernel: Kernel, buffers: tuple[int | Partial, ...]) -> PrintedKernel:
    printer = ScalarPrinter(kernel, C)
    form = form_of(kernel)
    units = _LOOPS[type(form)](printer, form)
    in_order = kernel.recurrence is not None
    parameters = list(printer.parameters.values()) + (["from", "to"] if in_order else [])
    header = ["int KERNEL(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {"]
    header += [f"  {C.pointer(slot, dtype, slot not in kernel.written)} = buffers[{slot}];"
               for slot, dtype in enumerate(kernel.dtypes)]
    header += [f"  const long {name} = sizes[{number}];" for number, name in enumerate(parameters)]
    header.append("  int status = 0;")
    text = printer.functions() + "\n".join([*header, *printer.opening, *printer.lines, "  return status;", "}"]) + "\n"
    rounds = (0, product(kernel.reduce)) if in_order else ()
    return PrintedKernel(kernel.name, text, (*printer.parameters, *rounds), units, _work(kernel),
                         scratch_bytes(printer.schedule), buffers, in_order=in_order, written=kernel.written)


_LOOPS: dict[type[Form], Callable[[ScalarPrinter, Any], Size]] = {
    Map: print_map, Row: print_row, Column: print_column, Scatter: print_scatter, Sequential: print_recurrence}
"""What prints the loops of a kernel, by its form, and says how many units they have."""


def _work(kernel: Kernel) -> Size:
    """An estimate of what the kernel costs, in elements; an extent that changes counts as it is in the first round."""
    counters = {loop.symbol: 0 for loop in kernel.loops}
    work = dims.substitute(product(kernel.parallel + kernel.reduce), counters.get)
    return work * max(1, kernel.cost // 8)
