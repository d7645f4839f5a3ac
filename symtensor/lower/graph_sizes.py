"""Sizes by number: how each is found from what is known of symbols, and which must be equal.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> sizes = GraphSizes(Graph([x], [x * 2]), Tables())
>>> symbol, = dims.symbols_of(x.type.shape[0])
>>> sizes.learn({symbol: sizes.tables.sizes.add(SizeCode.INPUT_DIM, 0, 0)})
>>> sizes.number(x.type.shape[0] * 2 + 1), sizes.tables.sizes.entries[-1] == (SizeCode.ADD, 2, 3)
(4, True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

from symtensor.ir.graph import Graph
from symtensor.ir.node import Equation
from symtensor.ir.provenance import Lines, Places
from symtensor.lower.program import Check, SizeCode, Sizes
from symtensor.types import dim as dims
from symtensor.types.dim import Compound, Fold, Size, Symbol

__all__ = ["GraphSizes", "Tables"]

_CODES = {"floordiv": SizeCode.FLOORDIV, "modulo": SizeCode.MOD, "min": SizeCode.MIN, "max": SizeCode.MAX}


@dataclass
class Tables:
    """What all parts of a program share: the table of sizes, and those that must agree.

    `messages` says of each check what is wrong if it fails, and where, by the number in `places`.
    """

    sizes: Sizes = field(default_factory=Sizes)
    checks: list[Check] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    places: Places = field(default_factory=Places)


class GraphSizes:
    """The numbers of a graph's sizes. `roots` are those of the symbols known so far, `checks` what this graph needs."""

    def __init__(self, graph: Graph, tables: Tables) -> None:
        self.graph = graph
        self.tables = tables
        self.roots: dict[Symbol, int] = {}
        self.checks: list[int] = []
        self._undecided = list(graph.equations)
        self._numbers = _Numbers(tables.sizes, self._of_symbol)

    def _of_symbol(self, symbol: Symbol) -> int:
        """The number of a symbol that is known."""
        return self.roots[symbol]

    def knows(self, symbol: Symbol) -> bool:
        """Whether it is known what a symbol is."""
        return symbol in self.roots

    def is_known(self, size: Size) -> bool:
        """Whether a size can be computed from what is known so far."""
        return all(map(self.knows, dims.symbols_of(self.graph.solution(size))))

    def number(self, size: Size) -> int:
        """The number of a size, with entries made for it and its parts."""
        return self._numbers(self.graph.solution(size))

    def numbers(self, shape: Iterable[Size]) -> tuple[int, ...]:
        """The numbers of sizes."""
        return tuple(map(self.number, shape))

    # -- checks -----------------------------------------------------------------------------------

    def learn(self, roots: Mapping[Symbol, int]) -> None:
        """Symbols that are known from here on."""
        self.roots.update(roots)
        self.check_decided()

    def written(self, size: Size) -> int | None:
        """The number of a size as it is written, if that is known: an equation holds only once it was checked."""
        return self._numbers(size) if all(map(self.knows, dims.symbols_of(size))) else None

    def check_decided(self) -> None:
        """Make checks of the equations between sizes that are known by now."""
        waiting: list[tuple[Equation, Lines]] = []
        for equation, lines in self._undecided:
            left, right = self.written(equation.left), self.written(equation.right)
            if left is None or right is None:
                waiting.append((equation, lines))
                continue
            message = ("equation", equation.meaning, equation.compare, str(equation.left), str(equation.right),
                       self.tables.places.number(lines), tuple(equation.describe()))
            self.check(left, right, message, equation.compare)
        self._undecided = waiting

    def check(self, left: int, right: int, message: Any, compare: str = "eq") -> None:
        """Have two sizes checked."""
        if left != right:
            self.checks.append(len(self.tables.checks))
            self.tables.checks.append(Check(left, right, len(self.tables.messages), compare))
            self.tables.messages.append(message)


class _Numbers(Fold[int]):
    """The numbers of sizes, with entries made for their parts."""

    def __init__(self, sizes: Sizes, of_symbol: Callable[[Symbol], int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.of_symbol = of_symbol

    def symbol(self, symbol: Symbol) -> int:
        return self.of_symbol(symbol)

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
