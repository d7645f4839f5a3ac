"""Sizes as text, and back: the part of a graph's text that is algebra.

>>> n = Symbol("n")
>>> size = (dims.of_atom(n) + 3) // 2
>>> write(size, names([n]))
'((n + 3) // 2)'
>>> read("((n + 3) // 2)", {"n": n}) == size
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product

from symtensor.base.errors import TextError
from symtensor.types import dim as dims
from symtensor.types.dim import Atom, Compound, Dim, Monomial, Size, Symbol

__all__ = ["names", "read", "read_all", "write"]

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][\w.]*)|(//|[-+*%(),]))")


def names(symbols: Iterable[Symbol]) -> dict[Symbol, str]:
    """A name for each symbol, its own where that can be read back and no other symbol has it."""
    found: dict[Symbol, str] = {}
    taken = {"min", "max"}
    for symbol in symbols:
        base = re.sub(r"[^\w.]", "_", symbol.name)
        base = base if re.match(r"[A-Za-z_]", base) else f"_{base}"
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        found[symbol] = name
    return found


def write(size: Size, symbols: Mapping[Symbol, str]) -> str:
    """The text of a size."""
    if not isinstance(size, Dim):
        return str(size)
    parts = []
    for monomial, coefficient in size.terms:
        factors = "*".join(_atom(atom, symbols) for atom in monomial)
        sign = {1: "", -1: "-"}.get(coefficient, f"{coefficient}*")
        parts.append(f"{sign}{factors}")
    if size.constant:
        parts.append(str(size.constant))
    return " + ".join(parts).replace("+ -", "- ")


def _atom(atom: Atom, symbols: Mapping[Symbol, str]) -> str:
    if isinstance(atom, Symbol):
        return symbols[atom]
    left, right = write(atom.left, symbols), write(atom.right, symbols)
    if atom.kind in ("min", "max"):
        return f"{atom.kind}({left}, {right})"
    left, right = (f"({side})" if re.search(r"[-+*]", side) else side for side in (left, right))
    return f"({left} {'//' if atom.kind == 'floordiv' else '%'} {right})"


def read(text: str, symbols: Mapping[str, Symbol]) -> Size:
    """The size that a text writes. Raises TextError."""
    (size,) = read_all(text, symbols)
    return size


def read_all(text: str, symbols: Mapping[str, Symbol]) -> tuple[Size, ...]:
    """The sizes in a list with commas between them. Raises TextError."""
    parser = _Parser(text, symbols)
    sizes: list[Size] = []
    while parser.tokens:
        sizes.append(parser.sum())
        if parser.tokens:
            parser.expect(",")
    return tuple(sizes)


class _Parser:
    """Sums of products of atoms, taken as they are written: sizes in normal form come back unchanged."""

    def __init__(self, text: str, symbols: Mapping[str, Symbol]) -> None:
        self.text, self.symbols = text, symbols
        self.tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise TextError(f"{text!r} is no size")
            self.tokens.append(match.group().strip())
            position = match.end()
        self.tokens.reverse()

    def take(self) -> str:
        """The next token."""
        if not self.tokens:
            raise TextError(f"{self.text!r} ends too early")
        return self.tokens.pop()

    def expect(self, *tokens: str) -> str:
        """Take a token that must be one of `tokens`."""
        found = self.take()
        if found not in tokens:
            raise TextError(f"{found!r} where {tokens[0]!r} should be in {self.text!r}")
        return found

    def sum(self) -> Size:
        """Products with signs between them."""
        total = self.product()
        while self.tokens and self.tokens[-1] in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            total = _combined(total, self.product(), sign)
        return total

    def product(self) -> Size:
        """Factors with stars between them, after a sign or none."""
        if self.tokens and self.tokens[-1] == "-":
            self.take()
            return _combined(0, self.product(), -1)
        product = self.factor()
        while self.tokens and self.tokens[-1] == "*":
            self.take()
            product = _multiplied(product, self.factor())
        return product

    def factor(self) -> Size:
        """A number, a symbol, a minimum or maximum, a quotient or remainder, or a sum in parentheses."""
        token = self.take()
        if token.isdigit():
            return int(token)
        if token in ("min", "max"):
            self.expect("(")
            left, _, right = self.sum(), self.expect(","), self.sum()
            self.expect(")")
            return dims.of_atom(Compound(token, left, right))
        if token != "(":
            if token not in self.symbols:
                raise TextError(f"{token!r} is no symbol", fix="declare it first: symbol " + token)
            return dims.of_atom(self.symbols[token])
        left = self.sum()
        sign = self.expect(")", "//", "%")
        if sign == ")":
            return left
        right = self.sum()
        self.expect(")")
        return dims.of_atom(Compound("floordiv" if sign == "//" else "modulo", left, right))


def _terms(size: Size) -> dict[Monomial, int]:
    """The terms of a size, its constant among them as the empty product."""
    return {**dict(size.terms), (): size.constant} if isinstance(size, Dim) else {(): size}


def _combined(left: Size, right: Size, sign: int) -> Size:
    terms = _terms(left)
    for monomial, coefficient in _terms(right).items():
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return dims.polynomial(terms, terms.pop(()))


def _multiplied(left: Size, right: Size) -> Size:
    terms: dict[Monomial, int] = {}
    for (first, a), (second, b) in product(_terms(left).items(), _terms(right).items()):
        monomial = tuple(sorted(first + second, key=lambda atom: atom.order))
        terms[monomial] = terms.get(monomial, 0) + a * b
    return dims.polynomial(terms, terms.pop(()))
