"""Reductions as threads see them: an accumulator for each, and what combines two.

>>> from symtensor.codegen.dialect import CUDA
>>> from symtensor.lower.kernel import Kernel, Loop, Scope, Store
>>> scope, i = Scope(), Loop.make("i", 10)
>>> x, total = scope.load(0, i.counter, "float32"), scope.result(0, "float32")
>>> kernel = Kernel("sum", [i], [i], [Reduction("sum", x)], [Store(1, 0, total)], ["float32"] * 2)
>>> accumulators = Accumulators(ScalarPrinter(kernel, CUDA))
>>> accumulators.combine(0)
'[](float x, float y) -> float { return x + y; }'
"""

from __future__ import annotations

from collections.abc import Iterable

from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.kernel import Reduction
from symtensor.types.dtype import FLOATS

__all__ = ["Accumulators", "parts_of"]


def parts_of(reduction: Reduction) -> list[tuple[str, str]]:
    """The numbers that the accumulator of a reduction is made of: how each is named in it, and its dtype."""
    dtype = reduction.value.dtype
    return [(".value", dtype), (".place", "int64")] if reduction.kind.startswith("arg") else [("", dtype)]


class Accumulators:
    """The accumulators `a0`, `a1`... of a kernel's reductions, each of one thread."""

    def __init__(self, printer: ScalarPrinter) -> None:
        self.printer = printer
        self.dialect = printer.dialect
        self.reductions = printer.kernel.reductions

    def begin(self, numbers: Iterable[int]) -> None:
        """Define accumulators, with what a reduction of nothing gives."""
        for number in numbers:
            reduction = self.reductions[number]
            initial = self.dialect.initial(reduction)
            if reduction.kind.startswith("arg"):
                initial = f"{{{initial}, {2**63 - 1}L}}"
            self.printer.emit(f"{self._type(reduction)} a{number} = {initial};")

    def add(self, number: int, place: str) -> None:
        """Combine a value, which is named, with its accumulator; `place` is the number of its point."""
        reduction = self.reductions[number]
        value = self.printer.names[reduction.value]
        if reduction.kind.startswith("arg"):
            self.printer.emit(f"a{number} = {self.combine(number)}(a{number}, {{{value}, {place}}});")
        else:
            self.printer.emit(f"a{number} = {self.dialect.combined(reduction, f'a{number}', value)};")

    def combine(self, number: int) -> str:
        """The function that combines two accumulators."""
        reduction = self.reductions[number]
        c_type = self._type(reduction)
        result = self._nearer(reduction) if reduction.kind.startswith("arg") else \
            self.dialect.combined(reduction, "x", "y")
        return f"[]({c_type} x, {c_type} y) -> {c_type} {{ return {result}; }}"

    def finish(self, numbers: Iterable[int], together: str) -> None:
        """Combine the accumulators of threads by the function `together`, and give results their names."""
        for number in numbers:
            name, arguments = together.split("(")
            self.printer.emit(f"a{number} = {name}(a{number}, {arguments}, {self.combine(number)});")
            result = self.printer.schedule.results.get(number)
            if result is not None:
                arg = self.reductions[number].kind.startswith("arg")
                self.printer.names[result] = f"a{number}.place" if arg else f"a{number}"

    def _type(self, reduction: Reduction) -> str:
        c_type = self.dialect.types[reduction.value.dtype]
        return f"Found<{c_type}>" if reduction.kind.startswith("arg") else c_type

    def _nearer(self, reduction: Reduction) -> str:
        """The first of two found values that a search looks for; NaN is what any search looks for."""
        better = self.dialect.better(reduction, "x.value", "y.value")
        equal = "x.value == y.value"
        if reduction.value.dtype in FLOATS:
            better = f"({better} || y.value != y.value) && x.value == x.value"
            equal = f"({equal} || (x.value != x.value && y.value != y.value))"
        return f"{better} || ({equal} && y.place < x.place) ? y : x"
