"""Sorting, selecting, searching and running totals on a device: the kernels of `sort.cuh` and `scan.cuh`.

How many kernels have work to do depends on sizes: those for long rows have no blocks where rows are short.

>>> from symtensor.types.dim import symbol
>>> call = RoutineCall("argsort", (), (1, symbol("n"), 1))
>>> [kernel.name for kernel in print_sort(call, ["float32", "int64"])][:5]
['sort_short_rows', 'take_keys', 'count_digits', 'add_counts', 'move_keys']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symtensor.codegen.cuda.grid import BLOCK, kernel_text, units
from symtensor.codegen.cuda.preamble import kernel_source
from symtensor.codegen.dialect import CUDA
from symtensor.ir.routine import RoutineCall
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import itemsize

__all__ = ["print_cumulate", "print_search", "print_select", "print_sort"]

TILE = 2048
"""Elements that a block works on at once."""
BUSY, STEP = 65536, 64
"""Threads that keep a device busy, and the least elements that one goes through where fewer rows than that are divided."""


@dataclass(frozen=True)
class _Buffers:
    """The dtypes of a routine's buffers; and kernels that call functions of the files, given buffers and sizes."""

    dtypes: Sequence[str]
    files: Sequence[str]
    kernels: list[PrintedKernel] = field(default_factory=list)

    def add(self, call: str, buffers: Sequence[int | Partial], sizes: Sequence[Size], blocks: Size,
            barriers: bool = True, written: Sequence[int] = ()) -> None:
        """A kernel of so many blocks, if there can be any; `call` names its function and what stands around arguments."""
        if blocks == 0:
            return
        function, _, pattern = call.partition("(")
        types = [self.dtypes[buffer] if isinstance(buffer, int) else buffer.dtype for buffer in buffers]
        declared = [CUDA.pointer(slot, dtype, slot not in written) for slot, dtype in enumerate(types)]
        declared += [f"long s{number}" for number in range(len(sizes))]
        arguments = [*(f"b{slot}" for slot in range(len(buffers))), *(f"s{number}" for number in range(len(sizes)))]
        line = f"  {function}({pattern.format(*arguments) if pattern else ', '.join(arguments) + ');'}"
        text = "".join(map(kernel_source, self.files)) + kernel_text(declared, [line], barriers)
        self.kernels.append(PrintedKernel(function.partition("<")[0], text, tuple(sizes), blocks, 0, 0, tuple(buffers),
                                          BLOCK))


def _ceiling(size: Size, step: Size) -> Size:
    return dims.floordiv(size + step - 1, step)


def _is_positive(size: Size) -> Size:
    """1 where a size is not 0."""
    return dims.minimum(size, 1)
