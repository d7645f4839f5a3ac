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
from collections.abc import Callable, Iterable, Mapping

from symtensor.base.errors import TextError
from symtensor.types import dim as dims
from symtensor.types.dim import Atom, Dim, Size, Symbol

__all__ = ["names", "read", "read_all", "write"]

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][\w.]*)|(//|[-+*%(),]))")
_OPERATIONS: dict[str, Callable[[Size, Size], Size]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "//": dims.floordiv, "%": dims.modulo, "min": dims.minimum, "max": dims.maximum}


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
    """Sums of products of atoms; every quotient, remainder, minimum and maximum stands in parentheses."""

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

    def expect(self, token: str) -> None:
        """Take a token that must be next."""
        found = self.take()
        if found != token:
            raise TextError(f"{found!r} where {token!r} should be in {self.text!r}")

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Size]) -> Size:
        size = operand()
        while self.tokens and self.tokens[-1] in operators:
            size = _OPERATIONS[self.take()](size, operand())
        return size

    def sum(self) -> Size:
        """A sum of products."""
        return self._chain(("+", "-"), self.product)

    def product(self) -> Size:
        """A product, quotient or remainder of atoms."""
        return self._chain(("*", "//", "%"), self.atom)

    def atom(self) -> Size:
        """A number, a symbol, a minimum or maximum, or something in parentheses; each may have a sign."""
        token = self.take()
        if token == "-":
            return -self.atom()
        if token.isdigit():
            return int(token)
        if token == "(":
            size = self.sum()
            self.expect(")")
            return size
        if token in ("min", "max"):
            self.expect("(")
            left = self.sum()
            self.expect(",")
            size = _OPERATIONS[token](left, self.sum())
            self.expect(")")
            return size
        if token not in self.symbols:
            raise TextError(f"{token!r} is no symbol", fix="declare it first: symbol " + token)
        return dims.of_atom(self.symbols[token])
