"""Sizes written and read back are equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symtensor.base.errors import TextError
from symtensor.ir.size_text import names, read, read_all, write
from symtensor.types import dim as dims
from symtensor.types.dim import Symbol

SYMBOLS = [Symbol("n"), Symbol("x.0"), Symbol("min"), Symbol("n")]
atoms = st.one_of(st.integers(-3, 9), st.sampled_from(SYMBOLS).map(dims.of_atom))
operations = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, dims.floordiv, dims.modulo, dims.minimum,
              dims.maximum]
sizes = st.recursive(atoms, lambda inner: st.builds(lambda f, a, b: f(a, b), st.sampled_from(operations), inner, inner),
                     max_leaves=6)


@given(sizes)
def test_written_and_read_back(size):
    known = names(SYMBOLS)
    assert read(write(size, known), {name: symbol for symbol, name in known.items()}) == size


def test_names_are_unique_and_can_be_read():
    assert list(names([*SYMBOLS, Symbol("2 odd")]).values()) == ["n", "x.0", "min_2", "n_2", "_2_odd"]


def test_a_list_of_sizes():
    n = Symbol("n")
    assert read_all("n, 3,", {"n": n}) == (dims.of_atom(n), 3)
    assert read_all("", {}) == ()


@pytest.mark.parametrize(("text", "message"), [
    ("n + ", "ends too early"), ("n $ 2", "is no size"), ("(n", "ends too early"), ("m", "'m' is no symbol"),
    ("min(n 2)", "where ',' should be")])
def test_text_that_is_no_size(text, message):
    with pytest.raises(TextError, match=message):
        read(text, {"n": Symbol("n")})
