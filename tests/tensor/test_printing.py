"""The tree and the formula, letter by letter."""

import io
import re

import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch
from symtensor.ir.graph import Graph


def test_shared_parts_are_printed_once():
    x = T.dvector("x")
    y = T.exp(x)
    z = y / y.sum()
    z.name = "z"
    assert st.debugprint(z, file="str") == """\
true_div [id A] 'z'
 |exp [id B]
 | |x [id C]
 |sum[0] [id D]
   |exp [id B] ...
"""


def test_the_options():
    x = T.dvector("x")
    y = (x + 1).sum()
    y.owner.inputs[0].name = "moved"
    assert st.debugprint(y, depth=2, file="str") == "sum[0] [id A]\n |add [id B] 'moved'\n"
    assert st.debugprint(y, stop_on_name=True, file="str") == "sum[0] [id A]\n |add [id B] 'moved'\n"
    assert st.debugprint(y, ids="int", file="str").startswith("sum[0] [id 0]\n |add [id 1] 'moved'\n   |x [id 2]")
    assert st.debugprint(y, ids="", print_type=True, file="str") == (
        "sum[0] <float64 ()>\n |add <float64 (x.0,)> 'moved'\n   |x <float64 (x.0,)>\n   |1 <float64 ()>\n")
    with pytest.raises(TypeMismatch, match="there are no ids 'abc'"):
        st.debugprint(y, ids="abc")


def test_what_can_be_printed():
    x = T.dvector("x")
    assert st.debugprint([x, x], file="str") == "x [id A]\nx [id A]\n"
    assert st.debugprint(Graph([x], [x + 1]), file="str").startswith("add [id A]\n")
    assert st.debugprint((x + 1).owner, file="str").startswith("add [id A]\n")
    stream = io.StringIO()
    assert st.debugprint(x, file=stream) is None and stream.getvalue() == "x [id A]\n"
    with pytest.raises(TypeMismatch, match="3 is no expression to print"):
        st.debugprint(3)


def test_several_outputs_are_numbered():
    rows, columns = T.nonzero(T.dmatrix("x"))
    assert st.debugprint(columns, ids="", file="str").splitlines()[0] == "nonzero.1"
    assert st.pp(columns).endswith("[1]")


def test_many_ids():
    x = T.dscalar("x")
    y = x
    for _ in range(30):
        y = y + 1
    assert "[id BA]" in st.debugprint(y, file="str")


FORMULAS = {
    "((x + 1) * (-v))": lambda x, v: (x + 1) * -v,
    "(x ** 2.5)": lambda x, v: x ** 2.5,
    "((x // 2) % 3)": lambda x, v: x // 2 % 3,
    "((x > 0) & (x != 1))": lambda x, v: (x > 0) & T.neq(x, 1),
    "exp(tanh(x))": lambda x, v: T.exp(T.tanh(x)),
    "switch((x < 0), 0, x)": lambda x, v: T.switch(x < 0, 0, x),
    "sum(x)": lambda x, v: x.sum(),
    "max(x, axis=1)": lambda x, v: x.max(axis=1),
    "(x @ v)": lambda x, v: T.dot(x, v),
    "(x.T @ x)": lambda x, v: T.dot(x.T, x),
    "x[0]": lambda x, v: x[0],
    "x[1:, ::-1]": lambda x, v: x[1:, ::-1],
    "x[:, -1]": lambda x, v: x[:, -1],
    "x.shape[0]": lambda x, v: x.shape[0],
    "float32(x)": lambda x, v: x.astype("float32"),
    "(v + [1., 2.])": lambda x, v: v + [1.0, 2.0],
    "argmax[1](x)": lambda x, v: x.argmax(axis=1),
    "join[0](v, v)": lambda x, v: T.concatenate([v, v]),
}


def test_sizes_in_compiled_graphs():
    x = T.dvector("x")
    f = st.function([x], x / x.shape[0])
    assert st.pp(f) == "(x / float64(x.0))"
    assert st.debugprint(f, file="str").startswith("true_div [id A]\n |x [id B]\n")


def test_formulas_of_what_spreads():
    x = T.dvector("x")
    assert st.pp(st.grad((x ** 2).sum(), x)) == "((1 * x) * 2)"
    assert st.pp(T.zeros((3, 4)) + x[:4]) == "(broadcast(0, (3, 4)) + x[:4])"
    assert st.pp(T.zeros((3,))) == "broadcast(0, (3,))"


def test_formulas_of_functions():
    x = T.dvector("x")
    assert st.pp(st.function([x], [x + 1, -x])) == "[(x + 1), (-x)]"


def test_expressions_represent_themselves_briefly():
    x, hidden = T.dvector("x"), T.dvector("x") * 2
    assert repr(x + 1) == "(x + 1.0)" and repr(T.exp(x + 1) * x) == "(exp(...) * x)"
    hidden.name = "hidden"
    assert repr(hidden) == "hidden" and repr(hidden.sum()) == "sum(hidden)"
    unnamed = T.dmatrix()
    assert re.fullmatch(r"matrix@\d+", repr(unnamed)) and str(unnamed.type.shape[0]) == f"{unnamed!r}.0"
    for _ in range(2000):
        x = T.concatenate([x, x[:1]])
    assert len(repr(x)) < 100


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas(formula):
    assert st.pp(FORMULAS[formula](T.dmatrix("x"), T.dvector("v"))) == formula
