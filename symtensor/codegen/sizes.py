"""Sizes as C expressions.

>>> from symtensor.types.dim import symbol
>>> n, i = symbol("n"), Symbol("i")
>>> SizeText({i: "i0"}.get, lambda size: "s0", print)(n * 2 * of_atom(i) + 1)
'(s0 * i0 + 1)'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symtensor.types import dim as dims
from symtensor.types.dim import Atom, Compound, Dim, Fold, Size, Symbol, of_atom

__all__ = ["SizeText"]

LONGEST = 80
"""Characters of a part of a size up to which it is written where it is used."""


class SizeText(Fold[str]):
    """Sizes that are others at each point as C, in which what is fixed is a parameter.

    `name` gives the text of a symbol that varies, None for one that is fixed; `parameter` that of a fixed size;
    `define` is called with the text of a long part, before the text that uses it, and names it: so what
    sizes share is written once.
    """

    def __init__(self, name: Callable[[Symbol], str | None], parameter: Callable[[Dim], str],
                 define: Callable[[str], str]) -> None:
        super().__init__()
        self.name, self.parameter, self.define = name, parameter, define

    def _varies(self, part: Atom | Dim) -> bool:
        symbols = (part,) if isinstance(part, Symbol) else part.symbols
        return any(self.name(symbol) is not None for symbol in symbols)

    def whole(self, size: Dim) -> str | None:
        return None if self._varies(size) else self.parameter(size)

    def terms(self, size: Dim) -> tuple[Sequence[tuple[Sequence[Size | Atom], int]], int]:
        """The terms that vary, the fixed factors of each as one size, and all fixed terms as another."""
        varying = dims.polynomial({m: c for m, c in size.terms if any(map(self._varies, m))})
        assert isinstance(varying, Dim)
        terms, constant = dims.written(varying)
        fixed = size - varying + constant
        split = [self._split(factors, coefficient) for factors, coefficient in terms]
        return (split, fixed) if isinstance(fixed, int) else ([*split, ([fixed], 1)], 0)

    def _split(self, factors: Sequence[Atom], coefficient: int) -> tuple[Sequence[Size | Atom], int]:
        fixed = [of_atom(atom) for atom in factors if not self._varies(atom)]
        varying = [atom for atom in factors if self._varies(atom)]
        return ([math.prod(fixed, start=coefficient), *varying], 1) if fixed else (varying, coefficient)

    def symbol(self, symbol: Symbol) -> str:
        return str(self.name(symbol))

    def compound(self, compound: Compound, left: str, right: str) -> str:
        text = _operation(compound, left, right, 0)
        if len(text) <= LONGEST:
            return text
        return self.define(_operation(compound, left, right, 1))  # no guard holds there: the divisor may be 0

    def sum(self, terms: list[tuple[list[str], int]], constant: int) -> str:
        texts = [" * ".join(factors if c == 1 else [f"({c})" if c < 0 else str(c), *factors]) for factors, c in terms]
        if constant or not texts:
            texts.append(str(constant))
        return texts[0] if len(texts) == 1 else f"({' + '.join(texts)})"


def _operation(compound: Compound, left: str, right: str, least_divisor: int) -> str:
    if compound.kind in ("min", "max"):
        return f"({left} {'<' if compound.kind == 'min' else '>'} {right} ? {left} : {right})"
    divides = compound.kind == "floordiv"
    if dims.lower_bound(compound.left) >= 0 and dims.lower_bound(compound.right) >= least_divisor:
        return f"({left} {'/' if divides else '%'} {right})"
    return f"{'floor_div' if divides else 'modulo'}_int64({left}, {right})"
