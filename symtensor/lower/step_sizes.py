"""Sizes inside a loop's step, by number: they are sizes of the graph around the loop.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> around, step = Graph([x], [x * 2]), Graph([x], [x * 3])
>>> StepSizes(SizeTable(around, 1), step, lambda size: size).number(x.type.shape[0])
0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from symtensor.ir.graph import Graph
from symtensor.ir.provenance import Places
from symtensor.lower.size_table import SizeTable
from symtensor.types.dim import Size

__all__ = ["StepSizes"]


class StepSizes:
    """The numbers of a step's sizes.

    `outside` gives what a size is around the loop, None if only the step's data tells.
    """

    def __init__(self, around: SizeTable | StepSizes, graph: Graph, outside: Callable[[Size], Size | None]) -> None:
        self.around = around
        self.graph = graph
        self.outside = outside

    @property
    def places(self) -> Places:
        """The places that messages name."""
        return self.around.places

    def is_known(self, size: Size) -> bool:
        """Whether the size is the same in all steps, and known when the loop begins."""
        outside = self._outside(size)
        return outside is not None and self.around.is_known(outside)

    def number(self, size: Size) -> int:
        """The number of a size."""
        outside = self._outside(size)
        assert outside is not None, f"{size} depends on the data of a step"
        return self.around.number(outside)

    def numbers(self, shape: Iterable[Size]) -> tuple[int, ...]:
        """The numbers of sizes."""
        return tuple(map(self.number, shape))

    def _outside(self, size: Size) -> Size | None:
        found = self.outside(size)
        return self.outside(self.graph.solution(size)) if found is None else found
