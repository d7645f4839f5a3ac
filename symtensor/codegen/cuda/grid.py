"""How threads share work: the sizes of blocks and grids, and loops over what is a thread's.

>>> units(1000)
4
>>> from symtensor.types.dim import symbol
>>> units(symbol("n"))
min(65536, ((n + 255) // 256))
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["BLOCK", "THREAD", "WARP", "kernel_text", "strided", "units"]

BLOCK, WARP = 256, 32
"""Threads of a block, of which every device holds several at once, and of a warp."""
MOST_BLOCKS = 65536
"""Blocks of a grid. More would be no better: a device runs some hundreds at once, so the last ones do not wait long."""

THREAD = f"blockIdx.x * {BLOCK}L + threadIdx.x"
"""The number of a thread."""


def kernel_text(parameters: Sequence[str], lines: Sequence[str], barriers: bool, blocks: int = 1) -> str:
    """A kernel's text. Registers are limited so that a multiprocessor holds at least so many blocks at once; where no
    number is said, NVRTC spills registers to have more of them.

    The last line tells the software driver whether threads wait for each other: if not, it runs them one by one.
    """
    head = f'extern "C" __global__ void __launch_bounds__({BLOCK}, {blocks}) KERNEL({", ".join(parameters)}) {{'
    return "\n".join([head, *lines, "}", f"SYMTENSOR_KERNEL(KERNEL, {int(barriers)})", ""])


def units(count: Size, together: Size = BLOCK) -> Size:
    """The blocks that do `count` pieces of work, each `together` of them at a time."""
    return dims.minimum(dims.ceildiv(count, together), MOST_BLOCKS)


def strided(printer: ScalarPrinter, first: str, count: Size | str, together: str = str(BLOCK)) -> str:
    """The head of a loop over `count` pieces of work, of which a block does `together` at a time."""
    stop = count if isinstance(count, str) else printer.size(count)
    return f"for (long at = {first}; at < {stop}; at += gridDim.x * (long){together})"
