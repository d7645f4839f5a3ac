"""Sizes as text, and back: the part of a graph's text that is algebra.

>>> n = Symbol("n")
>>> size = dims.floordiv(dims.of_atom(n) + 1, 2)
>>> write(size, names([n]))
'((n + 1) // 2)'
>>> read("((n + 1) // 2)", {"n": n}) is size
True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from symtensor.base.errors import TextError
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol, write

__all__ = ["names", "read", "read_all", "write"]

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][\w.]*)|(\$\d+)|(:=|//|[-+*%(),;]))")
_OPERATIONS: dict[str, Callable[[Size, Size], Size]] = {
    "min": dims.minimum, "max": dims.maximum, "//": dims.floordiv, "%": dims.modulo}


def names(symbols: Iterable[Symbol]) -> dict[Symbol, str]:
    """A name for each symbol, its own where that can be read back and no other symbol has it.

    The line in the name of a variable without one is left out: a text says the same wherever it was written.
    """
    found: dict[Symbol, str] = {}
    taken = {"min", "max"}
    for symbol in symbols:
        base = re.sub(r"[^\w.]", "_", re.sub(r"@\d+", "", symbol.name))
        base = base if re.match(r"[A-Za-z_]", base) else f"_{base}"
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        found[symbol] = name
    return found


def read(text: str, symbols: Mapping[str, Symbol]) -> Size:
    """The size that a text writes. Raises TextError."""
    (size,) = read_all(text, symbols)
    return size


def read_all(text: str, symbols: Mapping[str, Symbol]) -> tuple[Size, ...]:
    """The sizes in a list with commas between them. Raises TextError."""
    parser = _Parser(text, symbols)
    sizes: list[Size] = []
    while parser.tokens:
        sizes.append(parser.size())
        if parser.tokens:
            parser.expect(",")
    return tuple(sizes)


class _Parser:
    """Sums of products of atoms, after definitions of parts that are long."""

    def __init__(self, text: str, symbols: Mapping[str, Symbol]) -> None:
        self.text, self.symbols = text, symbols
        self.definitions: dict[str, Size] = {}
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

    def size(self) -> Size:
        """A sum, with the definitions of its parts before it."""
        while self.tokens[-2:-1] == [":="]:
            name, _ = self.take(), self.take()
            self.definitions[name] = self.sum()
            self.expect(";")
        return self.sum()

    def sum(self) -> Size:
        """Products with signs between them."""
        total = self.product()
        while self.tokens and self.tokens[-1] in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            total = total + sign * self.product()
        return total

    def product(self) -> Size:
        """Factors with stars between them, after a sign or none."""
        if self.tokens and self.tokens[-1] == "-":
            self.take()
            return -self.product()
        product = self.factor()
        while self.tokens and self.tokens[-1] == "*":
            self.take()
            product = product * self.factor()
        return product

    def factor(self) -> Size:
        """A number, a symbol, a defined part, a minimum or maximum, or what stands in parentheses."""
        token = self.take()
        if token.isdigit():
            return int(token)
        if token in ("min", "max"):
            self.expect("(")
            left, _, right = self.sum(), self.expect(","), self.sum()
            self.expect(")")
            return _OPERATIONS[token](left, right)
        if token == "(":
            return self.parenthesis()
        if token in self.definitions:
            return self.definitions[token]
        if token not in self.symbols:
            raise TextError(f"{token!r} is no symbol", fix="declare it first: symbol " + token)
        return dims.of_atom(self.symbols[token])

    def parenthesis(self) -> Size:
        """The rest of a sum, a quotient or a remainder in parentheses."""
        left = self.sum()
        sign = self.expect(")", "//", "%")
        if sign == ")":
            return left
        right = self.sum()
        self.expect(")")
        return _OPERATIONS[sign](left, right)
