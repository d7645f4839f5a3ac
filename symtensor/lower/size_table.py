"""Sizes by number: how each symbol is found from the arguments, each size from the symbols, what must be equal.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> table = SizeTable(Graph([x], [x * 2]), 1)
>>> table.number(x.type.shape[0] * 2 + 1), table.sizes.entries[-1] == (SizeCode.ADD, 4, 5)
(6, True)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial, reduce
from typing import Any

from symtensor.ir.graph import Graph
from symtensor.ir.node import Constant, Equation, Variable
from symtensor.ir.provenance import Lines, Places
from symtensor.lower.program import Check, SizeCode, Sizes
from symtensor.types import dim as dims
from symtensor.types.dim import Compound, Fold, Size, Symbol

__all__ = ["Root", "SizeTable"]

Root = tuple[SizeCode, int, int]
"""Where the value of a symbol comes from: an entry of the table that is read, not computed."""
_CODES = {"floordiv": SizeCode.FLOORDIV, "modulo": SizeCode.MOD, "min": SizeCode.MIN, "max": SizeCode.MAX}


class SizeTable:
    """Numbers the sizes of a graph, of whose inputs the first `arguments` are given at each call.

    `roots` says where each symbol's value comes from. `checks` are the sizes that must agree, among them those
    that the inputs' declared types repeat; `messages` says of each what is wrong if they do not, and where, by
    the number in `places`.
    """

    def __init__(self, graph: Graph, arguments: int) -> None:
        self.graph = graph
        self.arguments = graph.inputs[:arguments]
        self.shared = graph.inputs[arguments:]
        self.sizes = Sizes()
        self.roots: dict[Symbol, Root] = {}
        self.checks: list[Check] = []
        self.messages: list[Any] = []
        self.places = Places()
        self._numbers = _Numbers(self.sizes, self.roots)
        self._undecided = list(graph.equations)
        repeated = self._declared()
        for symbol, variable in graph.sources.items():
            root = self._value_root(variable)
            if root is not None:
                self.roots[symbol] = root
        for root in self.roots.values():
            self.sizes.add(*root)
        for root, size, name, axis in repeated:
            self._check(self.sizes.add(*root), self.number(size), ("declared", name, axis, str(size)))
        self._check_decided()

    def _declared(self) -> list[tuple[Root, Size, str, int]]:
        """Take the roots that are sizes of inputs; the sizes that are declared but are no new root."""
        repeated = []
        for inputs, code in ((self.arguments, SizeCode.INPUT_DIM), (self.shared, SizeCode.SHARED_DIM)):
            for number, variable in enumerate(inputs):
                for axis, size in enumerate(self.graph.origin[variable].type.shape):
                    lone = dims.lone_symbol(size)
                    if lone is not None and lone not in self.roots and lone.source is None:
                        self.roots[lone] = (code, number, axis)
                    else:
                        repeated.append(((code, number, axis), size, variable.name or repr(variable), axis))
        return repeated

    def _value_root(self, variable: Variable) -> Root | None:
        if isinstance(variable, Constant):
            return (SizeCode.CONSTANT, int(variable.data), 0)
        if variable in self.arguments:
            return (SizeCode.INPUT_VALUE, self.arguments.index(variable), 0)
        if variable in self.shared:
            return (SizeCode.SHARED_VALUE, self.shared.index(variable), 0)
        return None

    # -- checks -----------------------------------------------------------------------------------

    def learn(self, roots: Mapping[Symbol, Root]) -> None:
        """Symbols that are known from here on."""
        self.roots.update(roots)
        for root in roots.values():
            self.sizes.add(*root)
        self._check_decided()

    def is_known(self, size: Size) -> bool:
        """Whether a size can be computed from the roots there are so far."""
        return all(symbol in self.roots for symbol in dims.symbols_of(self.graph.solution(size)))

    def _known(self, size: Size) -> bool:
        return all(symbol in self.roots for symbol in dims.symbols_of(size))

    def _check_decided(self) -> None:
        """Make checks of the equations between sizes that are known by now."""
        waiting: list[tuple[Equation, Lines]] = []
        for equation, lines in self._undecided:
            if self._known(equation.left) and self._known(equation.right):
                message = ("equation", equation.meaning, equation.compare, str(equation.left), str(equation.right),
                           self.places.number(lines), tuple(equation.describe()))
                self._check(self._plain_number(equation.left), self._plain_number(equation.right), message,
                            equation.compare)
            else:
                waiting.append((equation, lines))
        self._undecided = waiting

    def _check(self, left: int, right: int, message: Any, compare: str = "eq") -> None:
        if left != right:
            self.checks.append(Check(left, right, len(self.messages), compare))
            self.messages.append(message)

    # -- numbers ----------------------------------------------------------------------------------

    def number(self, size: Size) -> int:
        """The number of a size, with entries made for it and its parts."""
        return self._plain_number(self.graph.solution(size))

    def numbers(self, shape: Iterable[Size]) -> tuple[int, ...]:
        """The numbers of sizes."""
        return tuple(map(self.number, shape))

    def _plain_number(self, size: Size) -> int:
        """The number of a size as it is written: an equation says something only before it is assumed."""
        return self._numbers(size)


class _Numbers(Fold[int]):
    """The numbers of sizes, with entries made for their parts."""

    def __init__(self, sizes: Sizes, roots: Mapping[Symbol, Root]) -> None:
        super().__init__()
        self.sizes = sizes
        self.roots = roots

    def symbol(self, symbol: Symbol) -> int:
        return self.sizes.add(*self.roots[symbol])

    def compound(self, compound: Compound, left: int, right: int) -> int:
        return self.sizes.add(_CODES[compound.kind], left, right)

    def sum(self, terms: list[tuple[list[int], int]], constant: int) -> int:
        parts = [self._product(factors, coefficient) for factors, coefficient in terms]
        if constant or not parts:
            parts.append(self.sizes.constant(constant))
        return reduce(partial(self.sizes.add, SizeCode.ADD), parts)

    def _product(self, factors: list[int], coefficient: int) -> int:
        if coefficient != 1:
            factors = [self.sizes.constant(coefficient), *factors]
        return reduce(lambda product, factor: self.sizes.add(SizeCode.MUL, factor, product), factors)
