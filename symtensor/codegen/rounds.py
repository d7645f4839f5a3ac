"""The rounds of a recurrence: what targets have in common. Which points go through them, and where, a target says.

>>> from symtensor.codegen.dialect import C
>>> from symtensor.lower.kernel import Carry, Kernel, Recurrence, Scope, Store
>>> from symtensor.ops.scalar import add
>>> scope, t = Scope(), Loop.make("t", 1000)
>>> total, x = scope.carried(0, "float32"), scope.load(0, t.counter, "float32")
>>> carry = Carry(scope.literal(0, "float32"), scope.load(1, 0, "float32"), scope.compute(add, total, x))
>>> kernel = Kernel("sum", [t], [t], [], [], ["float32"] * 2, [], Recurrence((carry,), (Store(1, 0, total),)))
>>> printer = ScalarPrinter(kernel, C)
>>> Rounds(printer, t).run()
>>> print(*printer.lines, sep="\\n")
  float c0;
  if (from == 0) {
    c0 = 0.0f;
  }
  else {
    const long i0 = from;
    const float v3 = b1[0];
    c0 = v3;
  }
  for (long i0 = from; i0 < to; ++i0) {
    const float k0 = c0;
    const float v0 = b0[i0];
    const float v2 = (k0 + v0);
    c0 = v2;
  }
  b1[0] = c0;
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Carried, Loop, Value, index_values

__all__ = ["Rounds"]


class Rounds:
    """The rounds `from` to `to` of one point, or of those of the loop that `points` opens, side by side.

    Then what each carries is in an array of `length`, at `[c]`. If the rounds may stop, `ended` says that they have.
    """

    def __init__(self, printer: ScalarPrinter, steps: Loop, length: int | None = None,
                 points: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        assert printer.kernel.recurrence is not None
        self.printer, self.steps, self.points = printer, steps, points
        self.recurrence = printer.kernel.recurrence
        self.round = printer.counters[steps.symbol]
        self.carried = {value.number: value for value in printer.schedule.order if isinstance(value, Carried)}
        self.length, self.element = ("", "") if length is None else (f"[{length}]", "[c]")

    @property
    def results(self) -> list[Value]:
        """What a round computes."""
        stores, stop = self.printer.kernel.stores, self.recurrence.stop
        return [*(store.value for store in stores), *(v for store in stores for v in index_values(store.offset)),
                *(carry.new for carry in self.recurrence.carries), *(() if stop is None else (stop,))]

    def define_fixed(self) -> None:
        """Define what is the same in all rounds of all points."""
        level_of = self.printer.schedule.level_of
        self.printer.define(v for v in self.printer.schedule.closure(self.results, ()) if level_of[v] == 0)

    def run(self) -> None:
        """Carried values from where they are kept, the rounds, carried values to where they are kept."""
        emit, block, carries = self.printer.emit, self.printer.block, self.recurrence.carries
        for number, carry in enumerate(carries):
            emit(f"{self.printer.dialect.types[carry.new.dtype]} c{number}{self.length};")
        with block("if (from == 0)"):
            self._begin([carry.first for carry in carries])
        with block("else"):
            emit(f"const long {self.round} = from;")
            self._begin([carry.kept for carry in carries])
        if self.recurrence.stop is not None:
            emit("long done = to;")
            emit("int ended = 0;")
        with block(self.printer.loop(self.steps, "from", "to")), self.points():
            self._round()
        if self.recurrence.stop is not None:
            self._not_reached()
        if self.recurrence.last:
            self._finish()

    def _begin(self, values: Sequence[Value]) -> None:
        with self.points():
            self.printer.define(values)
            for number, value in enumerate(values):
                self.printer.emit(f"c{number}{self.element} = {self.printer.names[value]};")

    def _round(self) -> None:
        printer, stop = self.printer, self.recurrence.stop
        for number, value in self.carried.items():
            printer.emit(f"const {printer.dialect.types[value.dtype]} k{number} = c{number}{self.element};")
            printer.names[value] = f"k{number}"
        printer.define(self.results)
        printer.store(printer.kernel.stores)
        for number, carry in enumerate(self.recurrence.carries):
            printer.emit(f"c{number}{self.element} = {printer.names[carry.new]};")
        if stop is not None:
            with printer.block(f"if ({printer.names[stop]})"):
                printer.emit(f"done = {self.round} + 1;")
                printer.emit("ended = 1;")
                printer.emit("break;")

    def _finish(self) -> None:
        with self.points():
            for number, value in self.carried.items():
                self.printer.names[value] = f"c{number}{self.element}"
            self.printer.body(self.recurrence.last)

    def _not_reached(self) -> None:
        """Zeros in the rows of rounds that are not reached."""
        with self.printer.block("if (ended)"), self.printer.block(self.printer.loop(self.steps, "done")):
            for store in self.printer.kernel.stores:
                self.printer.emit(f"b{store.slot}[{self.printer.size(store.offset)}] = 0;")
