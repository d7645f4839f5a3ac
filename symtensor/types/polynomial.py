"""What sizes are: polynomials with integer coefficients over atoms, and walks over them.

An atom is a `Symbol` or a `Compound` of sizes. Equal polynomials, and equal compounds, are one object: so `==`
is `is`, what is known of a size is found once, and a walk (`Fold`) visits each part once. The algebra that
brings sizes into normal form is in `types.dim`.

>>> n = of_atom(Symbol("n"))
>>> (n + 1) * 2 - n is n + 2
True
>>> (n + 1) * (n - 1)
n*n - 1
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cmp_to_key
from threading import RLock
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Atom", "Bounds", "Compound", "Dim", "Fold", "Monomial", "Size", "Symbol", "Terms", "all_terms", "bends",
           "can_turn", "of_atom", "order_of", "parts", "polynomial", "product", "remembering", "size_order", "total",
           "write", "written"]

Value = TypeVar("Value")
Bounds = tuple[float, float]
MOST_TURNED = 8
"""Terms of a size d up to which max(0, d) and max(0, -d) have one form."""
_serial = itertools.count()
_interned: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_kept: ContextVar[set[Dim] | None] = ContextVar("kept", default=None)
_interning = RLock()  # collecting garbage inside may make sizes


@dataclass(frozen=True, eq=False)
class Symbol:
    """An unknown integer: the size of an axis, or the value of an integer scalar.

    `source` is the variable it is known from: the scalar itself, or with an `axis` the tensor whose
    size it is; None for an input's size. Sizes are never negative. `last` is the largest value it takes, if known.
    """

    name: str
    source: Any = None
    axis: int | None = None
    last: int | None = None
    order: tuple[Any, ...] = field(init=False, repr=False)
    symbols: tuple[Symbol, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (0, next(_serial)))
        object.__setattr__(self, "symbols", (self,))

    def __reduce__(self) -> tuple[Any, ...]:
        # Its age is that of this process. The source comes afterwards: its type may mention the symbol.
        return Symbol, (self.name, None, self.axis), self.source

    def __setstate__(self, source: Any) -> None:
        object.__setattr__(self, "source", source)

    def __repr__(self) -> str:
        return self.name


class Compound:
    """A quotient, remainder, minimum or maximum of two sizes; equal ones are one object.

    In normal form the only extremum is max(0, size). There, `corner` and `direction` say how it bends:
    max(0, corner - direction).
    """

    __slots__ = ("kind", "left", "right", "order", "symbols", "bounds", "_direction", "_flat", "__weakref__")

    kind: str
    left: Size
    right: Size
    order: tuple[Any, ...]
    symbols: tuple[Symbol, ...]
    bounds: Bounds | None  # memo of dim.lower_bound and dim.upper_bound
    _direction: Size | None
    _flat: tuple[Any, ...] | None

    def __new__(cls, kind: str, left: Size, right: Size) -> Compound:
        found: Compound | None = _interned.get((kind, left, right))
        if found is not None:
            return found
        made = super().__new__(cls)
        made.kind, made.left, made.right = kind, left, right
        depth = 1 + max(atom.order[0] for side in (left, right) for m, _ in parts(side)[0] for atom in m)
        made.order = (depth, _STRUCTURE(made))
        made.symbols = tuple(dict.fromkeys(_symbols(left) + _symbols(right)))
        made.bounds = made._direction = made._flat = None
        return _intern((kind, left, right), made)

    @property
    def corner(self) -> int:
        """Where max(0, corner - direction) bends."""
        return parts(self.right)[1]

    @property
    def direction(self) -> Size:
        """What max(0, corner - direction) falls with."""
        if self._direction is None:
            self._direction = self.corner - self.right
        return self._direction

    @property
    def flat(self) -> tuple[Any, ...]:
        """Its own numbers and atoms; lengths come first, so that two of these differ before either ends."""
        if self._flat is None:
            entries: list[Any] = [self.kind]
            for side in (self.left, self.right):
                terms, constant = parts(side)
                entries += [len(terms), constant]
                for monomial, coefficient in terms:
                    entries += [coefficient, len(monomial), *monomial]
            self._flat = tuple(entries)
        return self._flat

    def __repr__(self) -> str:
        return repr(of_atom(self))


@contextmanager
def remembering() -> Iterator[None]:
    """Sizes about which something is found out inside the block live to its end, so that it is found once."""
    if _kept.get() is not None:
        yield
        return
    token = _kept.set(set())
    try:
        yield
    finally:
        _kept.reset(token)


Atom = Symbol | Compound
Monomial = tuple[Atom, ...]
Terms = tuple[tuple[Monomial, int], ...]


def _intern(key: tuple[Any, ...], made: Value) -> Value:
    with _interning:
        return _interned.setdefault(key, made)  # type: ignore[no-any-return]


class Dim:
    """A polynomial over atoms that is not a plain integer; immutable, and equal ones are one object."""

    __slots__ = ("terms", "constant", "_symbols", "_text", "bounds", "positive", "__weakref__")

    terms: Terms
    constant: int
    _symbols: tuple[Symbol, ...] | None
    _text: str | None
    bounds: Bounds | None  # memo of dim.lower_bound and dim.upper_bound
    positive: Size | None  # memo of max(0, size)

    def __new__(cls, terms: Terms, constant: int) -> Dim:
        found: Dim | None = _interned.get((terms, constant))
        if found is not None:
            return found
        made = super().__new__(cls)
        made.terms, made.constant = terms, constant
        made.bounds = made._symbols = made._text = made.positive = None
        return _intern((terms, constant), made)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols the size is made of, each once."""
        if self._symbols is None:
            self._symbols = tuple(dict.fromkeys(s for m, _ in self.terms for atom in m for s in atom.symbols))
        return self._symbols

    def keep(self) -> None:
        """Something was found out about this size."""
        kept = _kept.get()
        if kept is not None:
            kept.add(self)

    def __add__(self, other: Size) -> Size:
        return total((self, 1), (other, 1))

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        return total((self, 1), (other, -1))

    def __rsub__(self, other: Size) -> Size:
        return total((other, 1), (self, -1))

    def __neg__(self) -> Size:
        return total((self, -1))

    def __mul__(self, other: Size) -> Size:
        return product(self, other)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        if self._text is None:
            self._text = write(self, {symbol: symbol.name for symbol in self.symbols})
        return self._text


Size = int | Dim


def of_atom(atom: Atom) -> Dim:
    """An atom as a size."""
    return Dim((((atom,), 1),), 0)


# -- order ------------------------------------------------------------------------------------------------

def parts(size: Size) -> tuple[Terms, int]:
    """The terms and the constant of a size."""
    return (size.terms, size.constant) if isinstance(size, Dim) else ((), int(size))


def _symbols(size: Size) -> tuple[Symbol, ...]:
    return size.symbols if isinstance(size, Dim) else ()


def _compare(left: Atom, right: Atom) -> int:
    """The order of two atoms by what they are made of: a walk down to where they differ, as equal parts are one."""
    while left is not right:
        if isinstance(left, Symbol) or isinstance(right, Symbol) or left.order[0] != right.order[0]:
            return -1 if left.order < right.order else 1
        a, b = next((a, b) for a, b in zip(left.flat, right.flat) if a != b)
        if not isinstance(a, (Symbol, Compound)):
            return -1 if a < b else 1
        left, right = a, b
    return 0


_STRUCTURE = cmp_to_key(_compare)


def order_of(atom: Atom) -> tuple[Any, ...]:
    """The key that sorts atoms: depth first, then what they are made of."""
    return atom.order


def _monomial_order(monomial: Monomial) -> tuple[Any, ...]:
    return (len(monomial), *map(order_of, monomial))


def size_order(size: Size) -> tuple[Any, ...]:
    """The key that sorts sizes: short ones first."""
    terms, constant = parts(size)
    return (len(terms), constant, [(_monomial_order(m), c) for m, c in terms])


# -- sums and products ------------------------------------------------------------------------------------

def polynomial(terms: Mapping[Monomial, int], constant: int = 0) -> Size:
    """The size with these terms; the empty monomial counts as a part of the constant."""
    kept = sorted(((m, c) for m, c in terms.items() if c and m), key=lambda term: _monomial_order(term[0]))
    constant += terms.get((), 0)
    return Dim(tuple(kept), constant) if kept else constant


def total(*scaled: tuple[Size, int]) -> Size:
    """The sum of sizes times integers."""
    found: dict[Monomial, int] = {}
    constant, summands = 0, []
    for size, factor in scaled:
        terms, own_constant = parts(size)
        constant += factor * own_constant
        if terms and factor:
            summands.append((terms, factor))
    if len(summands) == 1:  # they are in order already
        (terms, factor), = summands
        return Dim(terms if factor == 1 else tuple((m, c * factor) for m, c in terms), constant)
    for terms, factor in summands:
        for monomial, coefficient in terms:
            found[monomial] = found.get(monomial, 0) + factor * coefficient
    return polynomial(found, constant)


def product(left: Size, right: Size) -> Size:
    """The product of two sizes, multiplied out."""
    for size, factor in ((left, right), (right, left)):
        if isinstance(factor, int):
            return total((size, factor))
    found: dict[Monomial, int] = {}
    for (m1, c1), (m2, c2) in itertools.product(all_terms(left), all_terms(right)):
        monomial = tuple(sorted(m1 + m2, key=order_of))
        found[monomial] = found.get(monomial, 0) + c1 * c2
    return polynomial(found)


def all_terms(size: Size) -> Terms:
    """The terms of a size, the constant among them as the last."""
    terms, constant = parts(size)
    return (*terms, ((), constant))


# -- walks ------------------------------------------------------------------------------------------------

def is_bend(atom: Atom) -> bool:
    """Whether an atom is a positive part."""
    return isinstance(atom, Compound) and atom.kind == "max"


def can_turn(size: Size) -> bool:
    """Whether max(0, size) may be written as size + max(0, -size): not where much would be written out for it."""
    terms = parts(size)[0]
    return len(terms) <= MOST_TURNED and not any(len(m) > 1 and any(map(is_bend, m)) for m, _ in terms)


def bends(size: Size) -> list[tuple[Compound, int]]:
    """The terms of a size that are a positive part times a number, deepest last."""
    found = [(m[0], c) for m, c in parts(size)[0] if len(m) == 1]
    return [(atom, c) for atom, c in found if isinstance(atom, Compound) and atom.kind == "max"]


def written(size: Dim) -> tuple[Terms, int]:
    """The terms and constant of a size as one writes them: with minima and maxima in place of positive parts."""
    found = bends(size)
    if len(found) == 1:
        (atom, coefficient), = found
        flat = total((size, 1), (of_atom(atom), -coefficient))
        steep = total((flat, 1), (atom.right, coefficient))
        apart = not {m for m, _ in parts(flat)[0]} & {m for m, _ in parts(steep)[0]}
        if abs(coefficient) == 1 and apart and (can_turn(atom.right) or size_order(flat) < size_order(steep)):
            kind = "max" if coefficient > 0 else "min"
            return (((Compound(kind, *sorted((flat, steep), key=size_order)),), 1),), 0
    shown = dict(size.terms)
    shown[()] = size.constant
    for atom, coefficient in found:
        _write_bend(shown, atom, coefficient)
    _write_clamps(shown)
    constant = shown.pop(())
    return tuple((m, c) for m, c in shown.items() if c), constant


def _write_bend(shown: dict[Monomial, int], atom: Compound, coefficient: int) -> None:
    """Write d - k + max(0, k - d) as max(0, d - k), else max(0, k - d) as k - min(k, d)."""
    corner, direction = atom.corner, atom.direction
    taken = {monomial: coefficient * c for monomial, c in parts(direction)[0]}
    rises = (can_turn(direction) and shown[()] == -coefficient * corner
             and all(shown.get(m, 0) * c >= c * c for m, c in taken.items()))
    if not rises and not corner:
        return
    del shown[(atom,)]
    shown[()] += coefficient * corner
    if rises:
        shown.update({monomial: shown[monomial] - c for monomial, c in taken.items()})
        shown[(Compound("max", 0, direction - corner),)] = coefficient
    else:
        shown[(Compound("min", corner, direction),)] = -coefficient


def _write_clamps(shown: dict[Monomial, int]) -> None:
    """Write m * max(0, k - d) - m * max(0, j - d) as m * min(k - j, max(0, k - d)), whose factors stay small."""
    groups: dict[tuple[Monomial, Size], list[tuple[int, int, Compound, Monomial]]] = {}
    for monomial, coefficient in shown.items():
        bent = [atom for atom in monomial if isinstance(atom, Compound) and is_bend(atom)]
        if len(bent) == 1 and len(monomial) > 1:
            cofactor = tuple(atom for atom in monomial if atom is not bent[0])
            key = (cofactor, bent[0].direction)
            groups.setdefault(key, []).append((bent[0].corner, coefficient, bent[0], monomial))
    for (cofactor, _), corners in groups.items():
        corners.sort(key=lambda entry: entry[0])
        while len(corners) > 1:
            high, coefficient, atom, monomial = corners.pop()
            low, opposite, _, other = corners[-1]
            if opposite == -coefficient:
                corners.pop()
                del shown[monomial], shown[other]
                shown[(*cofactor, Compound("min", high - low, of_atom(atom)))] = coefficient


class Fold(Generic[Value]):
    """What sizes are in other terms, made from what their parts are; each part is visited once, without recursion.

    A fold says what a symbol is, what a compound is given its sides, and what a sum of products is given the
    factors; `whole` may know a size without its parts. What it has found it keeps.
    """

    def __init__(self) -> None:
        self._known: dict[Size | Atom, Value] = {}

    def symbol(self, symbol: Symbol) -> Value:
        """The value of a symbol."""
        raise NotImplementedError

    def compound(self, compound: Compound, left: Value, right: Value) -> Value:
        """The value of a quotient, remainder, minimum or maximum."""
        raise NotImplementedError

    def sum(self, terms: list[tuple[list[Value], int]], constant: int) -> Value:
        """The value of a sum of terms, each a product of factors and a coefficient."""
        raise NotImplementedError

    def whole(self, size: Dim) -> Value | None:
        """The value of a size that is known without its parts."""
        return None

    def terms(self, size: Dim) -> tuple[Sequence[tuple[Sequence[Size | Atom], int]], int]:
        """The terms and constant that a size is to be seen as."""
        return written(size)

    def __call__(self, size: Size) -> Value:
        if size in self._known:
            return self._known[size]
        pending: list[tuple[Size | Atom, Any]] = [(size, None)]
        while pending:
            part, view = pending[-1]
            if part in self._known:
                pending.pop()
                continue
            if view is None:
                view = self._view(part)
                if part in self._known:
                    continue
                pending[-1] = part, view
            missing = [(inner, None) for inner in _inner(part, view) if inner not in self._known]
            if missing:
                pending += missing
            else:
                self._known[part] = self._make(part, view)
        return self._known[size]

    def _view(self, part: Size | Atom) -> Any:
        if not isinstance(part, Dim):
            return ()
        found = self.whole(part)
        if found is not None:
            self._known[part] = found
        return self.terms(part) if found is None else ()

    def _make(self, part: Size | Atom, view: Any) -> Value:
        if isinstance(part, Symbol):
            return self.symbol(part)
        if isinstance(part, Compound):
            return self.compound(part, self._known[part.left], self._known[part.right])
        if not isinstance(part, Dim):
            return self.sum([], part)
        terms, constant = view
        return self.sum([([self._known[factor] for factor in factors], c) for factors, c in terms], constant)


def _inner(part: Size | Atom, view: Any) -> Iterator[Size | Atom]:
    if isinstance(part, Compound):
        yield from (part.left, part.right)
    elif isinstance(part, Dim):
        for factors, _ in view[0]:
            yield from factors


class _Text(Fold[str]):
    """Sizes as text, in which a long part has its definition before it, so that it is written once."""

    LONGEST = 160

    def __init__(self, symbols: Mapping[Symbol, str]) -> None:
        super().__init__()
        self.symbols = symbols
        self.definitions: list[str] = []

    def symbol(self, symbol: Symbol) -> str:
        return self.symbols[symbol]

    def compound(self, compound: Compound, left: str, right: str) -> str:
        if compound.kind in ("min", "max"):
            return self._shared(f"{compound.kind}({left}, {right})")
        left = f"({left})" if any(sign in left for sign in "+-") else left
        right = f"({right})" if any(sign in right for sign in "+-*") else right
        return self._shared(f"({left} {'//' if compound.kind == 'floordiv' else '%'} {right})")

    def _shared(self, text: str) -> str:
        if len(text) <= self.LONGEST:
            return text
        self.definitions.append(text)
        return f"${len(self.definitions)}"

    def sum(self, terms: list[tuple[list[str], int]], constant: int) -> str:
        written = []
        for factors, coefficient in terms:
            sign = {1: "", -1: "-"}.get(coefficient, f"{coefficient}*")
            written.append(sign + "*".join(factors))
        if constant or not terms:
            written.append(str(constant))
        return " + ".join(written).replace("+ -", "- ")


def write(size: Size, symbols: Mapping[Symbol, str]) -> str:
    """The text of a size, given the names of its symbols: `$1 := max(...); $1 + n` where a part is long."""
    fold = _Text(symbols)
    text = fold(size)
    return "".join(f"${number} := {part}; " for number, part in enumerate(fold.definitions, 1)) + text
