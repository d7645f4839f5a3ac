"""Sizes in normal form are worth what they were written as, equal ones are one, and bounds hold."""

import gc
import math
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symtensor.ir import size_text
from symtensor.types import dim as dims
from symtensor.types.dim import Symbol

N, M = Symbol("n"), Symbol("m")
VALUE = Symbol("value", "a scalar")
SYMBOLS = (N, M, VALUE)
NAMES = size_text.names(SYMBOLS)
n, m, value = map(dims.of_atom, SYMBOLS)
least, most = dims.minimum, dims.maximum

NUMBERS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "min": min, "max": max,
    "floordiv": lambda a, b: a // b if b else 0, "modulo": lambda a, b: a % b if b else 0}
SIZES = {**NUMBERS, "min": least, "max": most, "floordiv": dims.floordiv, "modulo": dims.modulo}

leaves = st.one_of(st.integers(-4, 5), st.sampled_from(SYMBOLS))


def expressions_of(*operations):
    """Expressions: an int, a symbol, or a tuple of an operation and two expressions."""
    return st.recursive(leaves, lambda inner: st.tuples(st.sampled_from(operations), inner, inner), max_leaves=9)


bends = expressions_of("add", "sub", "min", "max")
expressions = st.one_of(expressions_of(*NUMBERS), bends)
assignments = st.fixed_dictionaries({N: st.integers(0, 9), M: st.integers(0, 9), VALUE: st.integers(-9, 9)})


def interpreted(expression, table, leaf):
    """An expression in a table's operations."""
    if isinstance(expression, tuple):
        operation, left, right = expression
        return table[operation](interpreted(left, table, leaf), interpreted(right, table, leaf))
    return expression if isinstance(expression, int) else leaf(expression)


def as_size(expression):
    """An expression as a size, by the algebra."""
    return interpreted(expression, SIZES, dims.of_atom)


class Evaluation(dims.Fold[int]):
    """Sizes by plain arithmetic, as they are written: nothing of the algebra is used."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def symbol(self, symbol):
        return self.values[symbol]

    def compound(self, compound, left, right):
        return NUMBERS[compound.kind](left, right)

    def sum(self, terms, constant):
        return constant + sum(math.prod(factors) * coefficient for factors, coefficient in terms)


@given(expressions, assignments)
@settings(max_examples=600, deadline=None)
def test_normal_form_is_worth_what_was_written(expression, values):
    expected = interpreted(expression, NUMBERS, values.__getitem__)
    size = as_size(expression)
    assert Evaluation(values)(size) == expected
    assert dims.evaluate(size, values) == expected
    assert dims.lower_bound(size) <= expected <= dims.upper_bound(size)


@given(expressions)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_back_as_the_same_object(expression):
    size = as_size(expression)
    read = size_text.read(size_text.write(size, NAMES), {name: symbol for symbol, name in NAMES.items()})
    assert read == size
    assert read is size or isinstance(size, int)


@given(expressions, expressions, assignments)
@settings(max_examples=200, deadline=None)
def test_substitution_replaces(expression, replacement, values):
    replaced = dims.substitute(as_size(expression), {VALUE: as_size(replacement)}.get)
    number = interpreted(replacement, NUMBERS, values.__getitem__)
    assert dims.evaluate(replaced, values) == interpreted(expression, NUMBERS, {**values, VALUE: number}.__getitem__)


@given(expressions, expressions, st.one_of(st.integers(1, 5), st.sampled_from(SYMBOLS)), assignments)
@settings(max_examples=300, deadline=None)
def test_a_row_and_a_column_are_the_place_they_were_found_of(place, other, columns, values):
    size, more, columns = as_size(place), as_size(other), as_size(columns)
    found = dims.joined(dims.floordiv(size, columns) + more, dims.modulo(size, columns), columns)
    number = dims.evaluate(columns, values)
    if number:
        assert dims.evaluate(found, values) == dims.evaluate(size, values) + dims.evaluate(more, values) * number


@given(bends)
@settings(max_examples=300, deadline=None)
def test_functions_of_one_size_are_equal_where_their_values_are(expression):
    size = interpreted(expression, SIZES, lambda symbol: n)
    values = [dims.evaluate(size, {N: number}) for number in range(60)]
    assert size == from_values(values)


def from_values(values):
    """The size that is values[n], straight from the last two on."""
    size = (n - (len(values) - 1)) * (values[-1] - values[-2]) + values[-1]
    for k in range(1, len(values) - 1):
        size = size + most(k - n, 0) * (values[k - 1] - 2 * values[k] + values[k + 1])
    return size


@pytest.mark.parametrize(("left", "right"), [
    (n - least(n, 1), most(n - 1, 0)),
    (most(most(n - 1, 0) - 1, 0), most(n - 2, 0)),
    (-most(0, m - 1) + least(1, n), least(0, 1 - m) + least(1, n)),
    (least(n, m) + most(n, m), n + m),
    (least(least(n, 5), 3), least(n, 3)),
    (most(least(n, 7) - 2, 0), least(most(n - 2, 0), 5)),
    (least(n, m) * 2, least(2 * m, 2 * n)),
    (most(least(n, m), m), m),
    (least(1, n + least(1, n)), least(1, n)),
    (dims.indicator_negative(value), 1 - dims.indicator_negative(-1 - value)),
    (dims.floordiv(2 * n + m * 4 + 1, 2), n + 2 * m),
    (dims.floordiv(n + 5, 2), dims.floordiv(n + 1, 2) + 2),
    (dims.modulo(2 * n + 1, 2), 1),
    (dims.modulo(n * 4 + m, 4), dims.modulo(m, 4)),
    (dims.floordiv(least(n, 3), 4), 0),
])
def test_equal_sizes_are_one(left, right):
    assert left == right
    if isinstance(left, dims.Dim):
        assert left is right


@pytest.mark.parametrize(("size", "text"), [
    (most(n - 1, 0), "max(0, n - 1)"), (least(n, 1), "min(1, n)"), (least(2 * n, m + 1), "min(2*n, m + 1)"),
    (m + most(n - 1, 0), "m + max(0, n - 1)"), (least(7, n) - least(2, m), "-min(2, m) + min(7, n)"),
    (3 * n - least(1, n), "2*n + max(0, n - 1)"), (least(2, n) - n, "min(0, -n + 2)"),
    (n + least(n, 1) * 3, "n + 3*min(1, n)"),
    (value + n * dims.indicator_negative(value), "value + n*min(1, max(0, -value))"),
    (dims.floordiv(n * m, n), "(n*m // n)"), (dims.modulo(n + 1, m), "((n + 1) % m)")])
def test_written(size, text):
    assert repr(size) == text


def test_clamped_bounds_are_known():
    clamped = least(most(value, 0), n)
    assert dims.lower_bound(clamped) == 0 and dims.upper_bound(least(clamped, 4)) == 4
    assert dims.lower_bound(n - clamped) == 0
    assert dims.known_different(most(n, 1), 0) and not dims.known_different(n, m)


def test_numbers_too_large_for_floats_have_bounds():
    large = 10 ** 400
    assert dims.lower_bound(n * large + large) == large
    assert dims.lower_bound(n - (2 ** 53 + 1)) == -(2 ** 53 + 1)
    assert dims.upper_bound(large - n) == large and dims.lower_bound(n * large - m * large) == -math.inf


def nested(depth):
    """A size whose parts are shared at each of `depth` levels, so that written out it doubles with each."""
    size = n
    for _ in range(depth):
        size = dims.floordiv(size * m + value, size + 3) + dims.modulo(size, m + 1)
    return size


def test_shared_parts_are_visited_once():
    size = nested(150)
    assert size is nested(150)
    values = {N: 9, M: 3, VALUE: 5}
    assert dims.evaluate(size, values) == Evaluation(values)(size)
    text = size_text.write(size, NAMES)
    assert len(text) < 150 * 500
    assert size_text.read(text, {name: symbol for symbol, name in NAMES.items()}) is size
    assert dims.substitute(size, {VALUE: m}.get) is not size


def test_chains_of_slices_and_of_growth_stay_short():
    cut, grown = n, n
    for _ in range(300):
        cut = most(cut - 1, 0)
        grown = grown + least(grown, 1)
    assert cut is most(n - 300, 0)
    assert grown is n + 300 * least(n, 1)


def test_slices_at_unknown_places_grow_by_a_few_terms_each():
    size, expected, values = n, range(40), {N: 40}
    for number in range(40):
        start = dims.symbol(f"start{number}", "a scalar")
        counted = start + size * dims.indicator_negative(start)
        size = most(size - least(most(counted, 0), size), 0)
        values[start.symbols[0]] = place = (1, -35, 0, 2)[number % 4]
        expected = expected[place:]
        assert dims.lower_bound(size) == 0
        assert len(size.terms) <= 2 * number + 3
        assert dims.evaluate(size, values) == len(expected)


def test_minima_of_many_sizes_grow_by_a_few_terms_each():
    size, values, expected = n, {N: 5}, 5
    for number in range(100):
        other = dims.symbol(f"m{number}")
        size = size + least(other, size)
        values[other.symbols[0]] = number
        expected += min(number, expected)
        assert len(size.terms) <= 2 * number + 3
    assert dims.evaluate(size, values) == expected
    assert max(abs(c) for _, c in size.terms) < 2 ** 20


def test_what_is_found_out_about_sizes_is_remembered_to_the_end_of_the_block():
    with dims.remembering():
        late = dims.symbol("late")
        with dims.remembering():
            dims.lower_bound(n - late)
        kept = weakref.ref(n - late)
        assert kept() is not None and kept().bounds == (-math.inf, math.inf)
    del late
    gc.collect()
    assert kept() is None
