"""Identities of arithmetic: zeros, ones, signs, and functions that undo each other.

>>> times_one
mul(x, 1) -> x
"""

from __future__ import annotations

from symtensor.rewrite.rule import rule
from symtensor.rewrite.rules import canonicalize

# mypy: disable-error-code="no-untyped-def"

__all__: list[str] = []


@rule(canonicalize, keeps="value")
def plus_zero(x):
    """-0.0 + 0.0 is 0.0: the sign of a zero may differ."""
    return x + 0, x


@rule(canonicalize, keeps="value")
def minus_zero(x):
    """Nothing is taken away."""
    return x - 0, x


@rule(canonicalize, keeps="exact")
def times_one(x):
    """Nothing changes."""
    return x * 1, x


@rule(canonicalize, keeps="exact")
def over_one(x):
    """Nothing changes."""
    return x / 1, x


@rule(canonicalize, keeps="finite")
def times_zero(x):
    """infinity * 0 and NaN * 0 are NaN and become 0."""
    return x * 0, 0


@rule(canonicalize, keeps="finite")
def zero_over(x):
    """0 / 0 is NaN and becomes 0."""
    return 0 / x, 0


@rule(canonicalize, keeps="exact")
def double_negation(x):
    """Negation undoes itself."""
    return -(-x), x
