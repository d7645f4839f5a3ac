"""Kernels as text, before any printer has made C or CUDA of them.

>>> from symtensor.lower.kernel import Loop, Reduction, Scope, Store
>>> from symtensor.ops.scalar import exp
>>> scope, row, column = Scope(), Loop.make("p", 10), Loop.make("r", 20)
>>> x = scope.load(0, row.counter * 20 + column.counter, "float32")
>>> total = scope.result(0, "float32")
>>> print(kernel_text(Kernel("example", [row, column], [column], [Reduction("sum", scope.compute(exp, x))],
...                          [Store(1, row.counter, total)], ["float32"] * 2)))
kernel example: row, parallel p < 10, reduce r < 20
  v0: float32 = b0[20*p + r]
  v1: float32 = exp(v0)
  v2: float32 = sum of v1 over r
  b1[p] = v2
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.lower.form import form_of
from symtensor.lower.kernel import Carried, Compute, Kernel, Literal, Load, Loop, Result, SizeScalar, Store, Value

__all__ = ["kernel_text"]


def kernel_text(kernel: Kernel) -> str:
    """The loops of a kernel, its values, each after those it is computed from, and what it stores."""
    names = {value: f"v{number}" for number, value in enumerate(kernel.values())}
    lines = [f"kernel {kernel.name}: {type(form_of(kernel)).__name__.lower()}{_loops('parallel', kernel.parallel)}"
             f"{_loops('reduce', kernel.reduce)}"]
    lines += [f"  {name}: {value.dtype} = {_expression(value, kernel, names)}" for value, name in names.items()]
    lines += [_store(store, names) for store in kernel.stores]
    if kernel.recurrence is not None:
        for number, carry in enumerate(kernel.recurrence.carries):
            first, kept, new = (names[value] for value in (carry.first, carry.kept, carry.new))
            lines.append(f"  c{number} = {new}; {first} in round 0, {kept} where a stretch of rounds begins")
        if kernel.recurrence.stop is not None:
            lines.append(f"  until {names[kernel.recurrence.stop]}")
        lines += [f"{_store(store, names)} after a stretch" for store in kernel.recurrence.last]
    return "\n".join(lines)


def _store(store: Store, names: dict[Value, str]) -> str:
    return f"  b{store.slot}[{store.offset}] {'+=' if store.accumulate else '='} {names[store.value]}"


def _loops(kind: str, loops: Sequence[Loop]) -> str:
    return f", {kind} " + ", ".join(f"{loop.symbol} < {loop.extent}" for loop in loops) if loops else ""


def _expression(value: Value, kernel: Kernel, names: dict[Value, str]) -> str:
    if isinstance(value, Load):
        guard = "" if value.guard is None else f" if {names[value.guard]} else 0"
        return f"b{value.slot}[{value.offset}]{guard}"
    if isinstance(value, Literal):
        return str(value.value)
    if isinstance(value, SizeScalar):
        return str(value.size)
    if isinstance(value, Result):
        reduction = kernel.reductions[value.reduction]
        over = ", ".join(str(loop.symbol) for loop in kernel.reduce)
        return f"{reduction.kind} of {names[reduction.value]} over {over}"
    if isinstance(value, Carried):
        return f"c{value.number}"
    assert isinstance(value, Compute)
    return f"{value.op}({', '.join(names[argument] for argument in value.arguments)})"
