"""Sizes by number: how each symbol is found from the arguments, and each size from the symbols.

>>> from symtensor.types.dim import lone_symbol, symbol
>>> n = symbol("n")
>>> table = SizeTable({lone_symbol(n): (SizeCode.INPUT_DIM, 0, 0)})
>>> table.number(n * 2 + 1), table.sizes.entries[-1] == (SizeCode.ADD, 2, 3)
(4, True)
"""

from __future__ import annotations

from collections.abc import Mapping

from symtensor.lower.program import SizeCode, Sizes
from symtensor.types.dim import Atom, Dim, Size, Symbol

__all__ = ["SizeTable"]

_CODES = {"floordiv": SizeCode.FLOORDIV, "modulo": SizeCode.MOD, "min": SizeCode.MIN, "max": SizeCode.MAX}


class SizeTable:
    """Numbers sizes; `roots` says where each symbol's value comes from."""

    def __init__(self, roots: Mapping[Symbol, tuple[SizeCode, int, int]]) -> None:
        self.roots = dict(roots)
        self.sizes = Sizes()
        self._numbers: dict[Size, int] = {}
        for code, a, b in self.roots.values():
            self.sizes.add(code, a, b)

    def number(self, size: Size) -> int:
        """The number of a size, with entries made for it and its parts."""
        if size not in self._numbers:
            self._numbers[size] = self._number(size)
        return self._numbers[size]

    def _number(self, size: Size) -> int:
        if not isinstance(size, Dim):
            return self.sizes.constant(size)
        total: int | None = None
        for monomial, coefficient in size.terms:
            term: int | None = None if coefficient == 1 else self.sizes.constant(coefficient)
            for atom in monomial:
                factor = self._atom(atom)
                term = factor if term is None else self.sizes.add(SizeCode.MUL, factor, term)
            assert term is not None
            total = term if total is None else self.sizes.add(SizeCode.ADD, total, term)
        assert total is not None
        if size.constant:
            total = self.sizes.add(SizeCode.ADD, total, self.sizes.constant(size.constant))
        return total

    def _atom(self, atom: Atom) -> int:
        if isinstance(atom, Symbol):
            return self.sizes.add(*self.roots[atom])
        return self.sizes.add(_CODES[atom.kind], self.number(atom.left), self.number(atom.right))
