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

from collections.abc import Callable, Sequence

from symtensor.codegen.cuda.grid import BLOCK, kernel_text
from symtensor.codegen.cuda.preamble import kernel_source
from symtensor.codegen.dialect import CUDA
from symtensor.ir.routine import RoutineCall
from symtensor.lower.target import PrintedKernel
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["print_routine"]

_Printer = Callable[[RoutineCall, Sequence[str]], "Sequence[PrintedKernel] | None"]

LARGE, SMALL, ENOUGH = 128, 64, 64
"""Rows and columns of the tiles of matrix products: large ones read less, small ones are used where there would not be
enough large ones to keep a device busy."""


def print_routine(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    """The kernels of a routine whose operands, then outputs, are of `dtypes`; None where there are none.

    Buffers are numbered as in `dtypes`.
    """
    printer = _PRINTERS.get(call.name)
    return printer(call, dtypes) if printer else None


def _gemm(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel] | None:
    m, n, k, batch = call.sizes
    dtype = dtypes[0]
    if dtype not in ("float32", "float64"):
        return None
    large: Size = 0 if dtype == "float64" else dims.minimum(dims.floordiv(m * n * batch, ENOUGH * LARGE * LARGE), 1)
    tile = SMALL + (LARGE - SMALL) * large
    units = batch * _ceiling(m, tile) * _ceiling(n, tile)
    c_type = CUDA.types[dtype]
    kinds = ", ".join("true" if flag else "false" for flag in call.flags)
    scalars = "b2, b3" if len(dtypes) == 5 else "nullptr, nullptr"
    arguments = f"(b0, b1, b{len(dtypes) - 1}, s0, s1, s2, {scalars})"
    lines = [f"gemm<{c_type}, {c_type}, {SMALL}, {kinds}>{arguments};"]
    if dtype != "float64":
        lines = [f"if (s3) gemm<{c_type}, {c_type}, {LARGE}, {kinds}>{arguments};", f"else {lines[0]}"]
    return [_kernel("gemm", "gemm.cuh", dtypes, 1, (m, n, k, large), units, lines)]


def _ceiling(size: Size, step: Size) -> Size:
    return dims.floordiv(size + step - 1, step)


def _kernel(name: str, file: str, dtypes: Sequence[str], outputs: int, parameters: tuple[Size, ...], units: Size,
            lines: Sequence[str]) -> PrintedKernel:
    """A kernel that calls functions of a file."""
    slots = range(len(dtypes))
    declared = [CUDA.pointer(slot, dtypes[slot], slot < len(dtypes) - outputs) for slot in slots]
    declared += [f"long s{number}" for number in range(len(parameters))]
    text = kernel_source(file) + kernel_text(declared, [f"  {line}" for line in lines], True, blocks=2)
    return PrintedKernel(name, text, parameters, units, 0, 0, tuple(slots), BLOCK)


_PRINTERS: dict[str, _Printer] = {"gemm": _gemm}
