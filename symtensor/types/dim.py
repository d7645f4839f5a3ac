"""Sizes as symbols, and their algebra.

A size is an `int` or a `Dim`: a polynomial with integer coefficients over atoms. An atom is a `Symbol`
(the size of an input's axis, a name the user gave, or the value of an integer scalar) or a quotient,
remainder, minimum or maximum of sizes. The form is normal, so equal polynomials are equal objects
as far as `==` is concerned, and the compiler can prove that two tensors have one length.

>>> n = symbol("n")
>>> (n + 1) * 2 - n == n + 2
True
>>> n - minimum(n, 1) == maximum(n - 1, 0)       # len(x[1:]) is len(x[:-1])
True
>>> floordiv(n * 6, 3), (n + 3) - n
(2*n, 3)
>>> lower_bound(n * 2 + 1)
1.0
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

__all__ = ["Atom", "Compound", "Dim", "Size", "Symbol", "evaluate", "floordiv", "indicator_negative",
           "known_different", "linear_in", "lone_symbol", "lower_bound", "maximum", "minimum", "modulo", "of_atom",
           "polynomial", "substitute", "symbol", "symbols_of", "upper_bound"]

_serial = itertools.count()


@dataclass(frozen=True, eq=False)
class Symbol:
    """An unknown integer: the size of an axis, or the value of an integer scalar.

    `source` is the variable it is known from: the scalar itself, or with an `axis` the tensor whose
    size it is; None for an input's size. Sizes are never negative.
    """

    name: str
    source: Any = None
    axis: int | None = None
    order: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (0, next(_serial)))

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Compound:
    """A quotient, remainder, minimum or maximum of two sizes, none of which could be simplified away."""

    kind: str
    left: Size
    right: Size

    @cached_property
    def order(self) -> tuple[Any, ...]:
        return (1, self.kind, _size_order(self.left), _size_order(self.right))

    def __repr__(self) -> str:
        sign = {"floordiv": "//", "modulo": "%"}.get(self.kind)
        return f"({self.left} {sign} {self.right})" if sign else f"{self.kind}({self.left}, {self.right})"


Atom = Symbol | Compound
Monomial = tuple[Atom, ...]


class Dim:
    """A polynomial over atoms that is not a plain integer; immutable."""

    __slots__ = ("terms", "constant", "_hash", "_bounds", "_symbols")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...], constant: int) -> None:
        self.terms = terms
        self.constant = constant
        self._hash = hash((terms, constant))
        self._bounds: tuple[float, float] | None = None
        self._symbols: tuple[Symbol, ...] | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self._hash == other._hash
                                 and self.constant == other.constant and self.terms == other.terms)

    def __add__(self, other: Size) -> Size:
        return _sum(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        return _sum(self, other, -1)

    def __rsub__(self, other: Size) -> Size:
        return _sum(other, self, -1)

    def __neg__(self) -> Size:
        return _scale(self, -1)

    def __mul__(self, other: Size) -> Size:
        return _product(self, other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return floordiv(self, other)

    def __rfloordiv__(self, other: Size) -> Size:
        return floordiv(other, self)

    def __mod__(self, other: Size) -> Size:
        return modulo(self, other)

    def __rmod__(self, other: Size) -> Size:
        return modulo(other, self)

    def __repr__(self) -> str:
        parts = []
        for monomial, coefficient in self.terms:
            text = "*".join(map(repr, monomial))
            parts.append(text if coefficient == 1 else f"-{text}" if coefficient == -1 else f"{coefficient}*{text}")
        if self.constant:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


Size = int | Dim


def symbol(name: str, source: Any = None, axis: int | None = None) -> Dim:
    """A fresh symbol as a size."""
    return of_atom(Symbol(name, source, axis))


def of_atom(atom: Atom) -> Dim:
    """An atom as a size."""
    return Dim((((atom,), 1),), 0)


def _parts(size: Size) -> tuple[tuple[tuple[Monomial, int], ...], int]:
    return (size.terms, size.constant) if isinstance(size, Dim) else ((), int(size))


def _monomial_order(monomial: Monomial) -> tuple[Any, ...]:
    return (len(monomial), tuple(atom.order for atom in monomial))


def _size_order(size: Size) -> tuple[Any, ...]:
    terms, constant = _parts(size)
    return (len(terms), constant, tuple((_monomial_order(m), c) for m, c in terms))


def polynomial(terms: Mapping[Monomial, int], constant: int) -> Size:
    """The size with these terms, as they are: what arithmetic has brought into normal form."""
    kept = sorted(((m, c) for m, c in terms.items() if c), key=lambda term: _monomial_order(term[0]))
    return Dim(tuple(kept), constant) if kept else constant


def _sum(left: Size, right: Size, sign: int) -> Size:
    left_terms, left_constant = _parts(left)
    right_terms, right_constant = _parts(right)
    terms = dict(left_terms)
    for monomial, coefficient in right_terms:
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return _lift_extremum(polynomial(terms, left_constant + sign * right_constant))


def _lift_extremum(size: Size) -> Size:
    """p + max(a, b) as max(p + a, p + b), the normal form, when there is just one such term."""
    if not isinstance(size, Dim) or (len(size.terms) == 1 and not size.constant and size.terms[0][1] == 1):
        return size
    extrema = [(m, c) for m, c in size.terms
               if len(m) == 1 and isinstance(m[0], Compound) and m[0].kind in ("min", "max") and c in (1, -1)]
    if len(extrema) != 1:
        return size
    (atom,), coefficient = extrema[0]
    assert isinstance(atom, Compound)
    rest = polynomial({m: c for m, c in size.terms if m != (atom,)}, size.constant)
    choose = maximum if (atom.kind == "max") == (coefficient == 1) else minimum
    return choose(_sum(rest, atom.left, coefficient), _sum(rest, atom.right, coefficient))


def _scale(size: Size, factor: int) -> Size:
    terms, constant = _parts(size)
    return _lift_extremum(polynomial({m: c * factor for m, c in terms}, constant * factor))


def _product(left: Size, right: Size) -> Size:
    left_terms, left_constant = _parts(left)
    right_terms, right_constant = _parts(right)
    if not left_terms or not right_terms:
        return _scale(left, right_constant) if left_terms else _scale(right, left_constant)
    terms: dict[Monomial, int] = {}
    for (m1, c1), (m2, c2) in itertools.product(left_terms + (((), left_constant),),
                                                right_terms + (((), right_constant),)):
        monomial = tuple(sorted(m1 + m2, key=lambda atom: atom.order))
        terms[monomial] = terms.get(monomial, 0) + c1 * c2
    constant = terms.pop((), 0)
    return polynomial(terms, constant)


def floordiv(left: Size, right: Size) -> Size:
    """left // right, rounded down."""
    if right == 1:
        return left
    if isinstance(left, int) and isinstance(right, int):
        return left // right if right else 0
    if left == right and lower_bound(left) >= 1:
        return 1
    quotient = _exact_quotient(left, right)
    return of_atom(Compound("floordiv", left, right)) if quotient is None else quotient


def _exact_quotient(left: Size, right: Size) -> Size | None:
    """left / right when right is one monomial that divides every term and cannot be zero."""
    left_terms, left_constant = _parts(left)
    right_terms, right_constant = _parts(right)
    if not right_terms:
        divisor: Monomial = ()
        factor = right_constant
    elif len(right_terms) == 1 and not right_constant and lower_bound(right) >= 1:
        divisor, factor = right_terms[0]
    else:
        return None
    terms: dict[Monomial, int] = {}
    for monomial, coefficient in left_terms + ((((), left_constant),) if left_constant else ()):
        rest = list(monomial)
        for atom in divisor:
            if atom not in rest:
                return None
            rest.remove(atom)
        if not factor or coefficient % factor:
            return None
        terms[tuple(rest)] = coefficient // factor
    constant = terms.pop((), 0)
    return polynomial(terms, constant)


def modulo(left: Size, right: Size) -> Size:
    """left % right, with the sign of the divisor."""
    if isinstance(left, int) and isinstance(right, int):
        return left % right if right else 0
    if right == 1 or _exact_quotient(left, right) is not None:
        return 0
    return of_atom(Compound("modulo", left, right))


def minimum(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    return _extremum("min", left, right)


def maximum(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    return _extremum("max", left, right)


def _extremum(kind: str, left: Size, right: Size) -> Size:
    if isinstance(left, int) and isinstance(right, int):
        return min(left, right) if kind == "min" else max(left, right)
    difference = _sum(left, right, -1) if not (_is_extremum(left) and _is_extremum(right)) else None
    if left == right:
        return left
    low = lower_bound(left) - upper_bound(right)
    high = upper_bound(left) - lower_bound(right)
    if difference is not None:
        low, high = max(low, lower_bound(difference)), min(high, upper_bound(difference))
    if low >= 0:
        return right if kind == "min" else left
    if high <= 0:
        return left if kind == "min" else right
    first, second = sorted((left, right), key=_size_order)
    return of_atom(Compound(kind, first, second))


def _is_extremum(size: Size) -> bool:
    return isinstance(size, Dim) and any(isinstance(a, Compound) and a.kind in ("min", "max")
                                         for m, _ in size.terms for a in m)


def indicator_negative(size: Size) -> Size:
    """1 where size is negative, else 0."""
    return minimum(maximum(_scale(size, -1), 0), 1)


_INFINITE = float("inf")


def lower_bound(size: Size) -> float:
    """A number the size is never below (minus infinity when none is known)."""
    return _bounds(size)[0]


def upper_bound(size: Size) -> float:
    """A number the size is never above (infinity when none is known)."""
    return _bounds(size)[1]


def _bounds(size: Size) -> tuple[float, float]:
    if isinstance(size, int):
        return size, size
    if size._bounds is None:  # kept: sizes nest, and the work would double with each level
        low = high = float(size.constant)
        for monomial, coefficient in size.terms:
            ends = [_times(coefficient, end) for end in _monomial_bounds(monomial)]
            low, high = low + min(ends), high + max(ends)
        size._bounds = low, high
    return size._bounds


def _monomial_bounds(monomial: Monomial) -> tuple[float, float]:
    low, high = 1.0, 1.0
    for atom in monomial:
        products = [_times(a, b) for a in (low, high) for b in _atom_bounds(atom)]
        low, high = min(products), max(products)
    return low, high


def _times(left: float, right: float) -> float:
    return 0.0 if left == 0 or right == 0 else left * right


def _atom_bounds(atom: Atom) -> tuple[float, float]:
    if isinstance(atom, Symbol):
        return (0.0 if atom.source is None or atom.axis is not None else -_INFINITE), _INFINITE
    left, right = _bounds(atom.left), _bounds(atom.right)
    if atom.kind == "min":
        return min(left[0], right[0]), min(left[1], right[1])
    if atom.kind == "max":
        return max(left[0], right[0]), max(left[1], right[1])
    if atom.kind == "modulo" and right[0] > 0:
        return 0.0, right[1] - 1
    if atom.kind == "floordiv" and right[0] >= 0 and left[0] >= 0:
        return 0.0, left[1]
    return -_INFINITE, _INFINITE


def known_different(left: Size, right: Size) -> bool:
    """Whether the two can never be equal."""
    difference = _sum(left, right, -1)
    return lower_bound(difference) > 0 or upper_bound(difference) < 0


def symbols_of(size: Size) -> tuple[Symbol, ...]:
    """The symbols a size is made of, each once."""
    if isinstance(size, int):
        return ()
    if size._symbols is None:
        atoms = [atom for monomial, _ in size.terms for atom in monomial]
        size._symbols = tuple(dict.fromkeys(symbol for atom in atoms for symbol in _symbols_of_atom(atom)))
    return size._symbols


def _symbols_of_atom(atom: Atom) -> tuple[Symbol, ...]:
    return (atom,) if isinstance(atom, Symbol) else symbols_of(atom.left) + symbols_of(atom.right)


_KINDS: dict[str, Callable[[Size, Size], Size]] = {
    "floordiv": floordiv, "modulo": modulo, "min": minimum, "max": maximum}


def substitute(size: Size, replace: Callable[[Symbol], Size | None]) -> Size:
    """The size with each symbol replaced by what `replace` gives for it (None keeps it)."""
    if isinstance(size, int) or all(replace(symbol) is None for symbol in symbols_of(size)):
        return size
    total: Size = size.constant
    for monomial, coefficient in size.terms:
        term: Size = coefficient
        for atom in monomial:
            if isinstance(atom, Symbol):
                found = replace(atom)
                value: Size = of_atom(atom) if found is None else found
            else:
                value = _KINDS[atom.kind](substitute(atom.left, replace), substitute(atom.right, replace))
            term = _product(term, value)
        total = _sum(total, term, 1)
    return total


def lone_symbol(size: Size) -> Symbol | None:
    """The symbol a size is, if it is just that."""
    if isinstance(size, Dim) and len(size.terms) == 1 and not size.constant:
        monomial, coefficient = size.terms[0]
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Symbol):
            return monomial[0]
    return None


def linear_in(size: Size, symbol: Symbol) -> tuple[Size, Size] | None:
    """(a, b) with size == a * symbol + b, neither naming the symbol; None if there are no such sizes."""
    terms, constant = _parts(size)
    factor: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        if symbol in monomial:
            remaining = list(monomial)
            remaining.remove(symbol)
            factor[tuple(remaining)] = coefficient
        else:
            rest[monomial] = coefficient
    slope = polynomial({m: c for m, c in factor.items() if m}, factor.get((), 0))
    offset = polynomial(rest, constant)
    if any(symbol in symbols_of(part) for part in (slope, offset)):
        return None
    return slope, offset


def evaluate(size: Size, values: Mapping[Symbol, int]) -> int:
    """The integer a size is under an assignment of its symbols."""
    result = substitute(size, lambda s: values[s])
    assert isinstance(result, int)
    return result
