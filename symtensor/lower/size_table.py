"""The sizes of a whole program, by number: those of its arguments and shared variables are known from the start.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> table = SizeTable(Graph([x], [x * 2]), 1)
>>> table.number(x.type.shape[0] * 2 + 1), table.tables.sizes.entries[-1] == (SizeCode.ADD, 4, 5)
(6, True)
"""

from __future__ import annotations

from collections.abc import Iterator

from symtensor.ir.graph import Graph
from symtensor.ir.node import Constant, Variable
from symtensor.lower.graph_sizes import GraphSizes, Tables
from symtensor.lower.program import SizeCode
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol

__all__ = ["SizeTable"]

Root = tuple[SizeCode, int, int]
"""Where the value of a symbol comes from: an entry of the table that is read, not computed."""


class SizeTable(GraphSizes):
    """The sizes of a graph of whose inputs the first `arguments` are given at each call.

    Sizes that the inputs' declared types repeat must agree.
    """

    def __init__(self, graph: Graph, arguments: int) -> None:
        super().__init__(graph, Tables())
        self.arguments = graph.inputs[:arguments]
        self.shared = graph.inputs[arguments:]
        roots, repeated = self._declared()
        for symbol, variable in graph.sources.items():
            root = self._value_root(variable)
            if root is not None:
                roots[symbol] = root
        add = self.tables.sizes.add
        self.roots.update({symbol: add(*root) for symbol, root in roots.items()})
        for root, size, name, axis in repeated:
            self.check(add(*root), self.number(size), ("declared", name, axis, str(size)))
        self.check_decided()

    def _declared(self) -> tuple[dict[Symbol, Root], list[tuple[Root, Size, str, int]]]:
        """The roots that are sizes of inputs; the sizes that are declared but are no new root."""
        roots: dict[Symbol, Root] = {}
        repeated = []
        for root, size, variable in self._sizes_of_inputs():
            lone = dims.lone_symbol(size)
            if lone is not None and lone not in roots and lone.source is None:
                roots[lone] = root
            else:
                repeated.append((root, size, variable.name or repr(variable), root[2]))
        return roots, repeated

    def _sizes_of_inputs(self) -> Iterator[tuple[Root, Size, Variable]]:
        """The size of each axis as the type declares it, and where the call tells it."""
        for inputs, code in ((self.arguments, SizeCode.INPUT_DIM), (self.shared, SizeCode.SHARED_DIM)):
            for number, variable in enumerate(inputs):
                for axis, size in enumerate(self.graph.origin[variable].type.shape):
                    yield (code, number, axis), size, variable

    def _value_root(self, variable: Variable) -> Root | None:
        if isinstance(variable, Constant):
            return (SizeCode.CONSTANT, int(variable.data), 0)
        if variable in self.arguments:
            return (SizeCode.INPUT_VALUE, self.arguments.index(variable), 0)
        if variable in self.shared:
            return (SizeCode.SHARED_VALUE, self.shared.index(variable), 0)
        return None
