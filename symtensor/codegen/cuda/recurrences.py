"""Kernels whose rounds run in order: a thread for each point, which goes through all of them.

>>> from symtensor.codegen.dialect import CUDA
>>> from symtensor.lower.kernel import Carry, Kernel, Loop, Recurrence, Scope, Store
>>> from symtensor.ops.scalar import add
>>> scope, t, i = Scope(), Loop.make("t", 1000), Loop.make("i", 10000)
>>> total, x = scope.carried(0, "float32"), scope.load(0, t.counter * 10000 + i.counter, "float32")
>>> carry = Carry(scope.literal(0, "float32"), scope.load(1, i.counter, "float32"), scope.compute(add, total, x))
>>> last = Store(1, i.counter, total)
>>> kernel = Kernel("sum", [t, i], [t], [], [], ["float32"] * 2, [], Recurrence((carry,), (last,)))
>>> printer = ScalarPrinter(kernel, CUDA)
>>> print_recurrence(printer, Sequential((i,), t))
40
>>> printer.lines[2:5]
['    float c0;', '    if (from == 0) {', '      c0 = 0.0f;']
"""

from __future__ import annotations

from symtensor.codegen.cuda.grid import THREAD, strided, units
from symtensor.codegen.rounds import Rounds
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Sequential
from symtensor.lower.kernel import product
from symtensor.types.dim import Size

__all__ = ["print_recurrence"]


def print_recurrence(printer: ScalarPrinter, form: Sequential) -> Size:
    """A thread for each point, which does all rounds in order. The units."""
    rounds, count = Rounds(printer, form.steps), product(form.points)
    rounds.define_fixed()
    with printer.block(strided(printer, THREAD, count)):
        printer.unravel("at", form.points)
        rounds.run()
    return units(count)
