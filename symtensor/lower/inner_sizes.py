"""Sizes inside a loop's step or a side of a branch, by number: they are sizes of the graph around it.

In a side there may be more, which only its own data tells; they are learned as those of a program are.

>>> from symtensor.ir.function import Function
>>> from symtensor.types.tensor import TensorType
>>> from symtensor.lower.size_table import SizeTable
>>> x = TensorType("float32", (None,))("x")
>>> around, step = Graph([x], [x * 2]), Function.of([x], [x * 3])
>>> InnerSizes(SizeTable(around, 1), step.graph, Sizes(step, [x.type])).number(step.results[0].type.shape[0])
0
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.ir.function import Sizes
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.graph_sizes import GraphSizes
from symtensor.ops.size import size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol

__all__ = ["InnerSizes"]


class InnerSizes(GraphSizes):
    """The numbers of the sizes of a step or side. `outside` says what they are around it."""

    def __init__(self, around: GraphSizes, graph: Graph, outside: Sizes) -> None:
        super().__init__(graph, around.tables)
        self.around = around
        self.outside = outside
        self._found: dict[Size, Size] = {}  # sizes of the graph that are known around it, and what they are there

    def first_unknown(self) -> Size | None:
        """A size that the graph's instructions or equations need and that only its own data tells, if there is one."""
        nodes = self.graph.nodes()
        variables = [*self.graph.inputs, *(v for node in nodes for v in (*node.inputs, *node.outputs))]
        lent = [v for node in nodes for v in node.inputs[len(node.op.reads(node.inputs)):] if not v.type.ndim]
        sizes = [size for v in variables for size in v.type.shape] + [s for node in nodes for s in node.op.sizes()]
        sizes += map(size_of, lent)
        return next((size for size in dict.fromkeys(sizes) if not self.is_known(size)), None)

    def check_given(self, given: Sequence[Variable]) -> None:
        """Have checked what the inputs' declared sizes and the graph's equations say, for the values that are given."""
        for own, value in zip(self.graph.inputs, given):
            for axis, (size, actual) in enumerate(zip(self.graph.origin[own].type.shape, value.type.shape)):
                declared = self.written(size)
                if declared is not None:
                    self.check(self.around.number(actual), declared,
                               ("declared", own.name or repr(own), axis, str(size)))
        self.check_decided()

    # -- what is known around -----------------------------------------------------------------------

    def knows(self, symbol: Symbol) -> bool:
        return symbol in self.roots or self._known_around(self.outside.as_written(dims.of_atom(symbol))) is not None

    def is_known(self, size: Size) -> bool:
        return self._known_outside(size) is not None or super().is_known(size)

    def number(self, size: Size) -> int:
        outside = self._known_outside(size)
        return super().number(size) if outside is None else self.around.number(outside)

    def _known_outside(self, size: Size) -> Size | None:
        """What a size is around the graph, if it is known there."""
        for wanted in () if size in self._found else (size, self.graph.solution(size)):
            outside = self._known_around(self.outside(wanted))
            if outside is not None:
                self._found[size] = outside
                break
        return self._found.get(size)

    def written(self, size: Size) -> int | None:
        outside = self._known_around(self.outside.as_written(size))
        return super().written(size) if outside is None else self.around.number(outside)

    def _of_symbol(self, symbol: Symbol) -> int:
        if symbol in self.roots:
            return self.roots[symbol]
        outside = self.outside.as_written(dims.of_atom(symbol))
        assert outside is not None, f"{symbol!r} depends on data"
        return self.around.number(outside)

    def _known_around(self, size: Size | None) -> Size | None:
        return size if size is not None and self.around.is_known(size) else None
