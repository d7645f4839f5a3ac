"""Sizes as symbols, and their algebra.

A size is an `int` or a `Dim`: a polynomial with integer coefficients over atoms. An atom is a `Symbol`
(the size of an input's axis, a name the user gave, or the value of an integer scalar), a quotient or
remainder of sizes, or a positive part max(0, size), of which all minima and maxima are made:
min(a, b) is a - max(0, a - b). Equal sizes in normal form are one object, so the compiler can prove
that two tensors have one length, and what is known of a size is found once.

>>> n = symbol("n")
>>> (n + 1) * 2 - n == n + 2
True
>>> n - minimum(n, 1) == maximum(n - 1, 0)       # len(x[1:]) is len(x[:-1])
True
>>> maximum(maximum(n - 1, 0) - 1, 0)            # len(x[1:][1:])
max(0, n - 2)
>>> floordiv(n * 6, 3), (n + 3) - n
(2*n, 3)
>>> lower_bound(n * 2 + 1)
1
"""

from __future__ import annotations

import copyreg
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from symtensor.types.ladder import Ladder
from symtensor.types.polynomial import (
    MOST_TURNED,
    Atom,
    Bounds,
    Compound,
    Dim,
    Fold,
    Monomial,
    Size,
    Symbol,
    all_terms,
    bends,
    can_turn,
    of_atom,
    parts,
    polynomial,
    remembering,
    size_order,
    total,
    write,
    written,
)

__all__ = ["Atom", "Compound", "Dim", "Fold", "Monomial", "Size", "Symbol", "ceildiv", "evaluate",
           "floordiv", "indicator_negative", "is_polynomial", "joined", "known_different", "linear_in", "lone_symbol",
           "lower_bound", "maximum", "minimum", "modulo", "of_atom", "parts", "polynomial", "positive_part_of",
           "remembering", "substitute", "symbol", "symbols_of", "upper_bound", "write", "written"]

_INFINITE = float("inf")


def symbol(name: str, source: Any = None, axis: int | None = None) -> Dim:
    """A fresh symbol as a size."""
    return of_atom(Symbol(name, source, axis))


# -- quotients and remainders -----------------------------------------------------------------------------

def floordiv(left: Size, right: Size) -> Size:
    """left // right, rounded down; 0 when right is 0."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right if right else 0
    if left is right and lower_bound(left) >= 1:
        return 1
    quotient, rest = _divided(left, right)
    if _is_remainder(rest, right):
        return quotient
    return total((quotient, 1), (of_atom(Compound("floordiv", rest, right)), 1))


def ceildiv(left: Size, right: Size) -> Size:
    """left / right, rounded up, for a positive right: how many pieces of that size hold it all.

    >>> ceildiv(10, 4), ceildiv(symbol("n"), 4)
    (3, ((n + 3) // 4))
    """
    return floordiv(left + right - 1, right)


def modulo(left: Size, right: Size) -> Size:
    """left % right, with the sign of the divisor; 0 when right is 0."""
    if isinstance(left, int) and isinstance(right, int):
        return left % right if right else 0
    if left is right:
        return 0
    rest = _divided(left, right)[1]
    return rest if _is_remainder(rest, right) else of_atom(Compound("modulo", rest, right))


def _is_remainder(size: Size, divisor: Size) -> bool:
    """Whether 0 <= size < divisor, as far as is known."""
    if isinstance(size, int) and size == 0:
        return lower_bound(divisor) >= 1 or upper_bound(divisor) <= -1
    return lower_bound(size) >= 0 and lower_bound(total((divisor, 1), (size, -1))) >= 1


def _divided(left: Size, right: Size) -> tuple[Size, Size]:
    """(q, r) with left == q * right + r, where q has all that a divisor of one term divides for sure."""
    terms, constant = parts(right)
    if not isinstance(right, Dim):
        divisor, factor = (), right  # type: tuple[Monomial, int]
    elif len(terms) == 1 and not constant and lower_bound(right) >= 1:
        divisor, factor = terms[0]
    else:
        return 0, left
    if not factor:
        return 0, left
    quotient: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in all_terms(left):
        remaining = _without(monomial, divisor)
        if remaining is None or (monomial and coefficient % factor):
            rest[monomial] = coefficient
        else:
            quotient[remaining], rest[monomial] = divmod(coefficient, factor)
    return polynomial(quotient), polynomial(rest)


def _without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The other factors of a monomial that has all those of `divisor`."""
    remaining = list(monomial)
    for atom in divisor:
        if atom not in remaining:
            return None
        remaining.remove(atom)
    return tuple(remaining)


def joined(row: Size, column: Size, columns: Size) -> Size:
    """The place of an element in rows of so many columns: row * columns + column, as the place that both were found of.

    There is an element, so that `columns` is not 0, as quotients and remainders must reckon with.

    >>> place, n = symbol("place"), symbol("n")
    >>> joined(floordiv(place, n) + 2, modulo(place, n), n)
    place + 2*n
    """
    remainders = [m[0] for m, c in parts(column)[0] if c == len(m) == 1]
    for atom in remainders:
        if isinstance(atom, Compound) and atom.kind == "modulo" and atom.right == columns:
            quotient = Compound("floordiv", atom.left, columns)
            if ((quotient,), 1) in parts(row)[0]:
                row = total((row, 1), (of_atom(quotient), -1))
                column = total((column, 1), (of_atom(atom), -1), (atom.left, 1))
    return row * columns + column


# -- minima and maxima ------------------------------------------------------------------------------------

def minimum(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    base, other = sorted((left, right), key=size_order)
    return total((base, 1), (_positive_part(total((base, 1), (other, -1))), -1))


def maximum(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    base, other = sorted((left, right), key=size_order)
    return total((base, 1), (_positive_part(total((other, 1), (base, -1))), 1))


def indicator_negative(size: Size) -> Size:
    """1 where size is negative, else 0."""
    return minimum(_positive_part(total((size, -1))), 1)


def _positive_part(size: Size) -> Size:
    """max(0, size)."""
    if isinstance(size, int):
        return max(0, size)
    if size.positive is None:
        size.positive = _bent(size)
    return size.positive


def _bent(size: Dim) -> Size:
    """max(0, size), found."""
    low, high = _bounds(size)
    if low >= 0 or high <= 0:
        return size if low >= 0 else 0
    direction, ladder = _as_ladder(size) or _straight(size)
    ladder = ladder.positive().within(*_bounds(direction))
    corners = ((of_atom(Compound("max", 0, corner - direction)), bend) for corner, bend in ladder.corners.items())
    return total((direction, ladder.slope), (ladder.offset, 1), *corners)


def _as_ladder(size: Dim) -> tuple[Size, Ladder] | None:
    """(direction, ladder) when a size bends, and along one direction only: it is ladder(direction)."""
    found = bends(size)
    if not found:
        return None
    direction = found[-1][0].direction
    own = [(atom, c) for atom, c in found if atom.direction is direction]
    if len(size.terms) - len(own) not in (0, len(parts(direction)[0])):
        return None
    straight = total((size, 1), *((of_atom(atom), -c) for atom, c in own))
    terms, constant = parts(straight)
    slope = terms[0][1] // parts(direction)[0][0][1] if terms else 0
    if total((straight, 1), (direction, -slope)) != constant:
        return None
    return direction, Ladder(slope, constant, {atom.corner: c for atom, c in own})


def _straight(size: Dim) -> tuple[Size, Ladder]:
    """(direction, ladder) with all of a size but its constant and common factor as the direction.

    max(0, size) and max(0, -size) get one direction and so one form, unless products of extrema would have to
    be written out for it: then the direction is the one that the size falls with.
    """
    factor = math.gcd(*(coefficient for _, coefficient in size.terms))
    slope = factor if can_turn(size) and size.terms[0][1] > 0 else -factor
    return polynomial({m: c // slope for m, c in size.terms}), Ladder(slope, size.constant)


# -- bounds -----------------------------------------------------------------------------------------------

def lower_bound(size: Size) -> float:
    """A number the size is never below (minus infinity when none is known)."""
    return _bounds(size)[0]


def upper_bound(size: Size) -> float:
    """A number the size is never above (infinity when none is known)."""
    return _bounds(size)[1]


def known_different(left: Size, right: Size) -> bool:
    """Whether the two can never be equal."""
    difference = total((left, 1), (right, -1))
    return lower_bound(difference) > 0 or upper_bound(difference) < 0


_SPLITS = 4
"""Bends of a short size at which its bounds are found piece by piece; a long one has one such."""


def _bounds(size: Size) -> Bounds:
    if isinstance(size, int):
        return size, size
    if size.bounds is None:  # those of its atoms' sides are known since the atoms were made: this does not go deep
        size.bounds = _bounds_by_pieces(size, 2)
        size.keep()
    return size.bounds


def _bounds_by_pieces(size: Size, splits: int) -> Bounds:
    """The bounds of a sum with bends, which are closer than those of its terms added up."""
    if isinstance(size, int):
        return size, size
    found = _as_ladder(size)
    if found is not None:
        direction, ladder = found
        return ladder.bounds(*_bounds_of_terms(direction))
    low, high = _bounds_of_terms(size)
    is_short = len(size.terms) <= MOST_TURNED
    splits = splits if is_short else min(splits, 1)
    for atom, coefficient in bends(size)[-_SPLITS if is_short else -1:] if splits else ():
        flat = total((size, 1), (of_atom(atom), -coefficient))
        steep = total((flat, 1), (atom.right, coefficient))
        ends = zip(_bounds_by_pieces(flat, splits - 1), _bounds_by_pieces(steep, splits - 1))
        choose: Callable[[Iterable[float]], float] = max if coefficient > 0 else min
        own_low, own_high = map(choose, ends)
        low, high = max(low, own_low), min(high, own_high)
    return low, high


def _bounds_of_terms(size: Size) -> Bounds:
    terms, constant = parts(size)
    low: float = constant
    high: float = constant
    for monomial, coefficient in terms:
        own: Bounds = (1, 1)
        for atom in monomial:
            own = _product_of_bounds(own, _atom_bounds(atom))
        own = _product_of_bounds(own, (coefficient, coefficient))
        low, high = _plus(low, own[0]), _plus(high, own[1])
    return low, high


def _product_of_bounds(left: Bounds, right: Bounds) -> Bounds:
    products = [_times(a, b) for a in left for b in right]
    return min(products), max(products)


def _times(left: float, right: float) -> float:
    if left == 0 or right == 0:
        return 0
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    return _INFINITE if (left > 0) == (right > 0) else -_INFINITE


def _plus(left: float, right: float) -> float:
    """The sum; an infinite one is a float, and no other, as integers may be too large for one."""
    return left if isinstance(left, float) else right if isinstance(right, float) else left + right


def _atom_bounds(atom: Atom) -> Bounds:
    if isinstance(atom, Symbol):
        low = 0 if atom.source is None or atom.axis is not None else -_INFINITE
        return low, _INFINITE if atom.last is None else atom.last
    if atom.bounds is None:
        atom.bounds = _compound_bounds(atom, _bounds(atom.left), _bounds(atom.right))
    return atom.bounds


def _compound_bounds(atom: Compound, left: Bounds, right: Bounds) -> Bounds:
    if atom.kind == "min":
        return min(left[0], right[0]), min(left[1], right[1])
    if atom.kind == "max":
        return max(left[0], right[0]), max(left[1], right[1])
    if atom.kind == "modulo" and right[0] >= 0:
        return 0, max(0, _plus(right[1], -1))
    if atom.kind == "floordiv" and isinstance(atom.right, int) and atom.right > 0:
        low, high = (end if isinstance(end, float) else end // atom.right for end in left)
        return low, high
    if atom.kind == "floordiv" and right[0] >= 0 and left[0] >= 0:
        return 0, left[1]
    return -_INFINITE, _INFINITE


# -- reading and replacing --------------------------------------------------------------------------------

def symbols_of(size: Size) -> tuple[Symbol, ...]:
    """The symbols a size is made of, each once."""
    return size.symbols if isinstance(size, Dim) else ()


def is_polynomial(size: Size) -> bool:
    """Whether a size is made of symbols without a quotient, a remainder or an extremum."""
    return all(isinstance(atom, Symbol) for monomial, _ in parts(size)[0] for atom in monomial)


def lone_symbol(size: Size) -> Symbol | None:
    """The symbol a size is, if it is just that."""
    if isinstance(size, Dim) and len(size.terms) == 1 and not size.constant:
        monomial, coefficient = size.terms[0]
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Symbol):
            return monomial[0]
    return None


def positive_part_of(size: Size) -> Size | None:
    """What a size is the positive part of, if it is max(0, something).

    >>> n = symbol("n")
    >>> positive_part_of(maximum(n - 3, 0)), positive_part_of(n)
    (n - 3, None)
    """
    found = bends(size)
    if len(found) != 1 or found[0][1] != 1:
        return None
    atom = found[0][0]
    rest = total((size, 1), (of_atom(atom), -1))
    if rest == 0:
        return atom.right
    negative = total((atom.right, -1))
    return negative if rest == negative else None  # max(0, d) - d is max(0, -d)


def linear_in(size: Size, symbol: Symbol) -> tuple[Size, Size] | None:
    """(a, b) with size == a * symbol + b, neither naming the symbol; None if there are no such sizes."""
    terms, constant = parts(size)
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


_KINDS: dict[str, Callable[[Size, Size], Size]] = {
    "floordiv": floordiv, "modulo": modulo, "min": minimum, "max": maximum}


class _Substitution(Fold[Size]):
    """Sizes with symbols replaced."""

    def __init__(self, replace: Callable[[Symbol], Size | None]) -> None:
        super().__init__()
        self.replace = replace
        self.replaced: dict[Symbol, bool] = {}

    def symbol(self, symbol: Symbol) -> Size:
        found = self.replace(symbol)
        return of_atom(symbol) if found is None else found

    def compound(self, compound: Compound, left: Size, right: Size) -> Size:
        return _KINDS[compound.kind](left, right)

    def sum(self, terms: list[tuple[list[Size], int]], constant: int) -> Size:
        return total(*((math.prod(factors), c) for factors, c in terms), (constant, 1))

    def whole(self, size: Dim) -> Size | None:
        for symbol in size.symbols:
            if symbol not in self.replaced:
                self.replaced[symbol] = self.replace(symbol) is not None
        return None if any(self.replaced[symbol] for symbol in size.symbols) else size

    def terms(self, size: Dim) -> tuple[Any, int]:
        return parts(size)


def substitute(size: Size, replace: Callable[[Symbol], Size | None]) -> Size:
    """The size with each symbol replaced by what `replace` gives for it (None keeps it)."""
    return _Substitution(replace)(size)


def evaluate(size: Size, values: Mapping[Symbol, int]) -> int:
    """The integer a size is under an assignment of its symbols."""
    result = substitute(size, lambda s: values[s])
    assert isinstance(result, int)
    return result


# -- pickling ---------------------------------------------------------------------------------------------

def _pickled(size: Dim) -> tuple[Any, ...]:
    """A size is made anew from its parts: which form is normal depends on the age of symbols."""
    terms = [([atom if isinstance(atom, Symbol) else (atom.kind, atom.left, atom.right) for atom in monomial], factor)
             for monomial, factor in size.terms]
    return _unpickled, (terms, size.constant)


def _unpickled(terms: list[tuple[list[Any], int]], constant: int) -> Size:
    size: Size = constant
    for atoms, factor in terms:
        size = size + factor * math.prod(map(_factor, atoms))
    return size


def _factor(atom: Symbol | tuple[str, Size, Size]) -> Size:
    if isinstance(atom, Symbol):
        return of_atom(atom)
    kind, left, right = atom
    return {"floordiv": floordiv, "modulo": modulo, "max": maximum}[kind](left, right)


copyreg.pickle(Dim, _pickled)  # type: ignore[arg-type]
