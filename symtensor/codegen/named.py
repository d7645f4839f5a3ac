"""Kernels on their way to a compiler: a text in which `KERNEL` stands for the name, and the key it is found under.

The functions of which a joint kernel is made are called KERNEL_0, KERNEL_1 and so on.

>>> kernel = NamedText("a[0] + b", "double KERNEL(double x);", "0123456789abcdef")
>>> kernel.symbol, kernel.definition
('a_0____b_0123456789ab', 'double a_0____b_0123456789ab(double x);')
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["NamedText", "symbol_stem", "with_name"]

_PLACEHOLDER = re.compile(r"\bKERNEL(?=\b|_\d)")


@dataclass(frozen=True)
class NamedText:
    """A kernel that was asked for."""

    name: str
    text: str
    key: str

    @property
    def symbol(self) -> str:
        """The name of its function."""
        return symbol_stem(self.name) + self.key[:12]

    @property
    def definition(self) -> str:
        """The text with that name in it."""
        return with_name(self.text, self.symbol)


def with_name(text: str, name: str) -> str:
    """A kernel's text with its name in it."""
    return _PLACEHOLDER.sub(name, text)


def symbol_stem(name: str) -> str:
    """What the functions of all kernels of a name begin with."""
    stem = re.sub(r"\W", "_", name, flags=re.ASCII)[:60] + "_"
    return f"k{stem}" if stem[0].isdigit() else stem
