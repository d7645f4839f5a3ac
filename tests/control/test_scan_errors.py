"""What scan says when it is given something wrong: each message, and the way to mend it."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import SymtensorError

x, h, s = T.dmatrix("x"), T.dvector("h"), T.dscalar("s")

WRONG = {
    "no number of steps": (lambda: st.scan(lambda v: v * 2, outputs_info=h), "does not know how many steps", "n_steps"),
    "results": (lambda: st.scan(lambda row, a, b: a, x, [h, h]), "returns 1 results, and outputs_info describes 2",
                "one entry for each result"),
    "scalar sequence": (lambda: st.scan(lambda v: v, s), "first axis of a sequence, and s has none", "non_sequences"),
    "dtype": (lambda: st.scan(lambda row, v: T.cast(v, "float32"), x, h), "starts as float64", "cast"),
    "rank": (lambda: st.scan(lambda row, v: v.sum(), x, h), "starts as float64", "reshape"),
    "taps ahead": (lambda: st.scan(lambda row, v: v, x, dict(initial=h, taps=[1])), "look back only", "taps=[-1]"),
    "taps twice": (lambda: st.scan(lambda a, b: a, dict(input=x, taps=[0, 0])), "are different integers", "taps="),
    "taps of a scalar": (lambda: st.scan(lambda a, b: a, outputs_info=dict(initial=s, taps=[-2, -1]), n_steps=3),
                         "a row for each step before", "T.stack"),
    "taps without a start": (lambda: st.scan(lambda a: a, outputs_info=dict(taps=[-1]), n_steps=3),
                             "taps without an initial value", "initial=x"),
    "no input": (lambda: st.scan(lambda a: a, dict(taps=[0])), "has an input", "input=x"),
    "key of a sequence": (lambda: st.scan(lambda a: a, dict(input=x, tap=[0])),
                          "a sequence given as a dict has no 'tap'", "its keys are input, taps"),
    "key of a result": (lambda: st.scan(lambda row, a: a, x, dict(initial=h, tap=[-1])), "has no 'tap'",
                        "initial, taps"),
    "return_steps": (lambda: st.scan(lambda row, a: a, x, dict(initial=h, return_steps=1)), "how many results",
                     "outputs[-n:]"),
    "parameters": (lambda: st.scan(lambda row: row, x, h), "takes (row), and is called with 2 values",
                   "a parameter for each"),
    "strict": (lambda: st.scan(lambda row: row * h, x, strict=True), "strict=True does not allow", "non_sequences"),
    "n_steps": (lambda: st.scan(lambda row: row, x, n_steps=s), "n_steps must be an integer scalar", "int64"),
    "until": (lambda: st.until(h > 0), "the condition to end a loop must be a scalar", "any() or all()"),
    "updates": (lambda: st.scan(lambda row: (row, {h: h}), x), "can update shared variables only", "shared(value)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_message_and_fix(name):
    wrong, message, fix = WRONG[name]
    with pytest.raises(SymtensorError) as caught:
        wrong()
    assert message in str(caught.value)
    assert "fix" in str(caught.value) and fix in str(caught.value)


def test_negative_number_of_steps():
    n = T.lscalar("n")
    values, _ = st.scan(lambda v: v * 2, outputs_info=s, n_steps=n)
    with pytest.raises(SymtensorError, match="the number of steps may not be negative"):
        st.function([s, n], values)(1.0, -1)


def test_a_step_that_returns_no_variable():
    with pytest.raises(SymtensorError):
        st.scan(lambda row: object(), x)


def test_an_index_out_of_range_names_the_step_and_the_line():
    positions = T.lvector("positions")
    picks, _ = st.scan(lambda i: h[T.stack([i])].sum(), positions)
    with pytest.raises(SymtensorError, match="in step 1") as caught:
        st.function([h, positions], picks)(np.ones(2), [0, 9])
    assert any("test_scan_errors.py" in place for place in caught.value.where)
