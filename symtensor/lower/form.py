"""The form of a kernel: how its loops lie to each other, which each target realises in its own way.

>>> from symtensor.lower.kernel import Reduction, Scope, Store
>>> scope, i, j = Scope(), Loop.make("i", 10), Loop.make("j", 20)
>>> x, total = scope.load(0, i.counter * 20 + j.counter, "float32"), scope.result(0, "float32")
>>> rows = Kernel("rows", [i, j], [j], [Reduction("sum", x)], [Store(1, i.counter, total)], ["float32"] * 2)
>>> form_of(rows) == Row(points=(i,), reduced=(j,))
True
>>> columns = Kernel("columns", [i, j], [i], [Reduction("sum", x)], [Store(1, j.counter, total)], ["float32"] * 2)
>>> form_of(columns) == Column(points=(), across=j, reduced=(i,))
True
"""

from __future__ import annotations

from dataclasses import dataclass

from symtensor.lower.kernel import Kernel, Loop, needs_result

__all__ = ["Column", "Form", "Map", "Row", "Scatter", "Sequential", "form_of"]


@dataclass(frozen=True)
class Map:
    """Nothing is reduced: each of the points by itself."""

    points: tuple[Loop, ...]


@dataclass(frozen=True)
class Row:
    """For each of the points passes over `reduced`, one for each stage of the schedule; results may be used in them."""

    points: tuple[Loop, ...]
    reduced: tuple[Loop, ...]


@dataclass(frozen=True)
class Column:
    """For each of the points one pass over `reduced`, and inside it the run of neighbours `across`: a result for each.

    Neighbours are reduced side by side, since they lie side by side in memory. Results are used over P only.
    """

    points: tuple[Loop, ...]
    across: Loop
    reduced: tuple[Loop, ...]


@dataclass(frozen=True)
class Scatter:
    """Nothing is reduced, but points of `ordered` may store to one place: for each of the points they run in order."""

    points: tuple[Loop, ...]
    ordered: tuple[Loop, ...]


@dataclass(frozen=True)
class Sequential:
    """For each of the points the rounds of `steps` in order, with values carried from one to the next."""

    points: tuple[Loop, ...]
    steps: Loop


Form = Map | Row | Column | Scatter | Sequential


def form_of(kernel: Kernel) -> Form:
    """The form of a kernel."""
    points, reduced = tuple(kernel.parallel), tuple(kernel.reduce)
    if kernel.recurrence is not None:
        return Sequential(points, *reduced)
    if not kernel.reductions:
        return Scatter(points, reduced) if reduced else Map(points)
    one_pass = not any(r.kind.startswith("arg") or needs_result(r.value) for r in kernel.reductions)
    if one_pass and points and kernel.loops[-1] is points[-1]:
        return Column(points[:-1], points[-1], reduced)
    return Row(points, reduced)
