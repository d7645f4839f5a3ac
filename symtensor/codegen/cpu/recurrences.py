"""Kernels whose rounds run in order: units are blocks of points, which go through the rounds side by side.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Carry, Kernel, Loop, Recurrence, Scope, Store
>>> from symtensor.ops.scalar import add
>>> scope, t, i = Scope(), Loop.make("t", 1000), Loop.make("i", 10000)
>>> total, x = scope.carried(0, "float32"), scope.load(0, t.counter * 10000 + i.counter, "float32")
>>> carry = Carry(scope.literal(0, "float32"), scope.load(1, i.counter, "float32"), scope.compute(add, total, x))
>>> last = Store(1, i.counter, total)
>>> kernel = Kernel("sum", [t, i], [t], [], [], ["float32"] * 2, [], Recurrence((carry,), (last,)))
>>> printer = ScalarPrinter(kernel, C)
>>> print_recurrence(printer, Sequential((i,), t))
3
>>> printer.lines[3:6]
['    float c0[4096];', '    if (from == 0) {', '      #pragma omp simd']
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symtensor.codegen.cpu.loops import simd
from symtensor.codegen.rounds import Rounds
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Sequential
from symtensor.lower.kernel import Kernel, Loop, product
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import itemsize

__all__ = ["print_recurrence"]

MOST, FEWEST, CARRIED = 4096, 512, 131072
"""Points of a unit: so many that rounds read and write long runs of memory, so few that what they carry, up to so many
bytes, stays near the processor."""


def print_recurrence(printer: ScalarPrinter, form: Sequential) -> Size:
    """For each block of points all rounds in order, in each the points of the block. The units."""
    if not form.points:
        return _print_one(printer, form)
    *outer, inner = form.points
    most = _side_by_side(printer.kernel, inner)

    @contextmanager
    def points() -> Iterator[None]:
        with simd(printer, inner, "0", "points", base="first"):
            yield

    rounds = Rounds(printer, form.steps, most, points)
    rounds.define_fixed()
    blocks = dims.ceildiv(inner.extent, most)
    with printer.block("for (long unit = begin; unit < end; ++unit)"):
        count, width = printer.size(blocks), printer.size(inner.extent)
        printer.emit(f"const long block = unit % {count}, first = block * {most};")
        printer.emit(f"const long points = {width} - first < {most} ? {width} - first : {most};")
        printer.unravel(f"(unit / {count})", outer)
        rounds.run()
    return product(outer) * blocks


def _print_one(printer: ScalarPrinter, form: Sequential) -> Size:
    """The rounds of one point, which may end early: then no more are wanted."""
    rounds = Rounds(printer, form.steps)
    rounds.define_fixed()
    rounds.run()
    if rounds.recurrence.stop is not None:
        printer.emit("if (ended) status = -1;")
    return 1


def _side_by_side(kernel: Kernel, inner: Loop) -> int:
    """How many points of the innermost loop a unit has at most."""
    assert kernel.recurrence is not None
    bytes_of_point = sum(itemsize(carry.new.dtype) for carry in kernel.recurrence.carries)
    most = max(FEWEST, min(MOST, CARRIED // max(bytes_of_point, 1) // FEWEST * FEWEST))
    return max(1, min(most, inner.extent)) if isinstance(inner.extent, int) else most
