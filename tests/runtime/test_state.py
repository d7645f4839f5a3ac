"""Values a function keeps: inputs with a value or an update; copies of functions; functions and expressions pickled."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GraphError, TypeMismatch
from symtensor.codegen.toolchain import Toolchain

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["c", "numpy"])
def backend(request):
    with st.config.change(backend=request.param):
        yield request.param


# -- inputs that keep a value -------------------------------------------------------------------------------

def test_state_as_theano_documents_it(backend):
    x, s = T.dscalars("x", "s")
    inc = st.function([x, st.In(s, value=10.0, update=s + x)], [])
    dec = st.function([x, st.In(s, value=inc.container[s], update=s - x)], [])
    assert inc[s] == 10
    assert dec(3) == [] and inc[s] == 7
    inc(2)
    assert dec["s"] == dec.value[s] == inc.container["s"].value == 9
    inc.value[s] = 5
    assert dec[s] == 5


def test_state_may_be_given_for_a_call(backend):
    x, s = T.dscalars("x", "s")
    f = st.function([x, st.In(s, value=1.0, update=s + x)], s * 2)
    assert f(1.0) == 2.0 and f(1.0) == 4.0
    assert f(1.0, 10.0) == 20.0 and f[s] == 11.0
    assert f(s=3.0, x=1.0) == 6.0 and f[s] == 4.0
    with pytest.raises(TypeMismatch):
        f("no number", 7.0)
    with pytest.raises(TypeMismatch):
        f(1.0, [7.0])
    assert f[s] == 4.0


def test_updates_of_inputs_are_simultaneous_with_others(backend):
    s, t = T.dscalars("s", "t")
    w = st.shared(1.0, name="w")
    f = st.function([st.In(s, value=1.0, update=t), st.In(t, value=2.0, update=s + w)], [], updates=[(w, w + s)])
    f()
    assert (f[s], f[t], f[w], w.get_value()) == (2, 2, 2, 2)


def test_a_default_can_be_changed(backend):
    x, y = T.dvectors("x", "y")
    f = st.function([x, st.In(y, value=[1, 2])], x + y)
    assert f([1.0, 1.0]).tolist() == [2, 3]
    f[y] = [5, 5]
    assert f([1.0, 1.0]).tolist() == [6, 6] and f[y].tolist() == [5, 5]
    f[y][0] = 100
    assert f([1.0, 1.0], [0.0, 0.0]).tolist() == [1, 1] and f([1.0, 1.0]).tolist() == [6, 6]
    g = st.function([x, st.In(y, value=[1, 2])], x - y)
    assert g["y"].tolist() == [1, 2]


def test_an_implicit_input_is_not_given(backend):
    x, y = T.dscalars("x", "y")
    f = st.function([st.In(y, value=3.0, implicit=True), x], x * y)
    assert f(2.0) == 6.0
    with pytest.raises(TypeMismatch, match="takes 1 arguments, not 2"):
        f(2.0, 3.0)
    with pytest.raises(TypeMismatch, match="no input named 'y'"):
        f(2.0, y=1.0)


def test_what_is_no_state():
    x, s = T.dscalars("x", "s")
    with pytest.raises(GraphError) as error:
        st.In(s, update=s + 1)
    assert error.value.what == "the input s has the option update and no value to begin with"
    assert error.value.fix == "In(s, value=..., update=...)"
    with pytest.raises(GraphError, match="stands before x, which has none") as error:
        st.function([st.In(s, value=0.0, update=s + x), x], s)
    assert error.value.fix == "give inputs with an update last, or make them implicit=True"
    with pytest.raises(TypeMismatch, match="the update of s is"):
        st.function([st.In(s, value=0.0, update=T.zeros((2,)))], s)
    with pytest.raises(TypeMismatch, match="'s' must have 0 axes"):
        st.function([st.In(s, value=[0.0])], s)
    f = st.function([x], x)
    with pytest.raises(KeyError, match="keeps no value of x; it keeps nothing with a name"):
        f[x]


def test_options_that_change_nothing_are_taken(backend):
    x = T.dvector("x")
    f = st.function([st.In(x, mutable=True, borrow=True)], st.Out(x * 2, borrow=True))
    given = np.ones(2)
    f.trust_input = True
    assert f(given).tolist() == [2, 2] and given.tolist() == [1, 1]
    f.free()
    assert f(given).tolist() == [2, 2]


# -- copies -------------------------------------------------------------------------------------------------

@pytest.fixture
def no_compiler(monkeypatch):
    """Nothing may be compiled from here on."""
    def refuse(*_):
        raise AssertionError("something is compiled")

    return lambda: monkeypatch.setattr(Toolchain, "compile_all", refuse)


def test_copies_of_a_function(backend, no_compiler):
    x, c = T.dvector("x"), T.dscalar("c")
    w, other = st.shared(np.ones(2), name="w"), st.shared(np.full(3, 5.0), name="other")
    f = st.function([x, st.In(c, value=2.0, update=c + 1)], x * w * c, updates=[(w, w + 1)], name="f")
    no_compiler()
    g, h, k = f.copy(), f.copy(swap={w: other}, name="h"), f.copy(swap={"w": other}, share_memory=True)
    assert (g.name, h.name) == ("f", "h")
    assert f([1.0, 1.0]).tolist() == [2, 2] and g([1.0, 1.0]).tolist() == [4, 4]
    assert h([1.0, 1.0, 1.0]).tolist() == [10] * 3 and k([1.0, 1.0, 1.0]).tolist() == [12] * 3
    assert w.get_value().tolist() == [3, 3] and other.get_value().tolist() == [7] * 3
    assert (f[c], g[c]) == (3, 3) and f["w"].tolist() == [3, 3]
    if backend == "c":
        assert g.kernels == f.kernels


def test_a_copy_without_updates(backend):
    w = st.shared(1.0, name="w")
    f = st.function([], w * 2, updates=[(w, w + 1)])
    g = f.copy(delete_updates=True)
    assert g() == g() == 2 and f() == 2 and g() == 4


def test_swaps_that_do_not_fit():
    w, matrix = st.shared(np.ones(2), name="w"), st.shared(np.ones((2, 2)), name="m")
    f = st.function([], w * 2)
    with pytest.raises(TypeMismatch, match="w cannot be swapped for m") as error:
        f.copy(swap={w: matrix})
    assert error.value.fix == "give a shared variable of the same dtype and fixed sizes"
    with pytest.raises(TypeMismatch, match="m cannot be swapped: it is no shared variable of this function"):
        f.copy(swap={matrix: w})


# -- pickles ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("again", [lambda f: pickle.loads(pickle.dumps(f)), copy.deepcopy])
def test_functions_are_pickled_with_what_they_keep(backend, again):
    x, c = T.dvector("x"), T.dscalar()
    w = st.shared(np.ones(2), name="w")
    f = st.function([x, st.In(c, name="c", value=2.0, update=c + 1)], {"a": x * w * c}, updates=[(w, w + 1)], name="f")
    f([1.0, 1.0])
    g, v = again((f, w))
    assert g.name == "f" and g[v].tolist() == [2, 2] and g["c"] == 3
    assert g([1.0, 1.0])["a"].tolist() == [6, 6] and g["c"] == 4
    assert v.get_value().tolist() == [3, 3] and w.get_value().tolist() == [2, 2] and f["c"] == 3
    if backend == "c":
        assert "rewrite" not in g.compile_seconds
    with pytest.raises(TypeMismatch, match="f was called without 'x'"):
        g()
    assert again(g)([1.0, 1.0])["a"].tolist() == [12, 12]


def test_expressions_are_pickled_with_their_sizes():
    x, y, n = T.dvector("x"), T.dmatrix(), T.lscalar("n")
    z = (T.exp(x)[:n] + y[1:, 0:2].sum(axis=0)).reshape((n // 2, 2))
    z.tag.note = "kept"
    x2, y2, n2, z2, twice = pickle.loads(pickle.dumps((x, y, n, z, z * 2)))
    assert twice.owner.inputs[0] is z2 and repr(z2.type) == repr(z.type) and z2.tag.note == "kept"
    assert z2.lines == z.lines and repr(y2) == repr(y)
    values = np.arange(5.0), np.ones((4, 3)), 2
    np.testing.assert_array_equal(st.function([x2, y2, n2], z2)(*values), st.function([x, y, n], z)(*values))
    slope = T.grad(z2.sum(), x2)
    np.testing.assert_allclose(st.function([x2, y2, n2], slope)(*values), [1, np.exp(1), 0, 0, 0], rtol=1e-15)


def test_named_dimensions_are_the_same_after_pickling():
    a, b = T.dvector("a", shape=("rows",)), T.dvector("b", shape=("rows",))
    again = pickle.loads(pickle.dumps(a))
    assert again.type.shape == b.type.shape and not (again + b).owner.equations


def test_constants_stay_constant():
    with pytest.raises(ValueError, match="read-only"):
        pickle.loads(pickle.dumps(T.constant([1.0, 2.0]))).data[0] = 3


def test_a_long_chain_is_pickled_without_recursion():
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = y + x
    for again in (pickle.loads(pickle.dumps(y)), copy.deepcopy(y)):
        assert again.owner is not y.owner and repr(again.owner.op) == "add"


def _run(script: str, **environment: str) -> str:
    """What a fresh process prints."""
    inherited = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", script], env=inherited, text=True, capture_output=True,
                          check=True).stdout


def test_a_process_that_imported_nothing(tmp_path):
    x = T.dvector("x")
    w = st.shared(np.ones(2), name="w")
    f = st.function([x], T.nnet.softmax(x * w), updates=[(w, w * 2)])
    (tmp_path / "f").write_bytes(pickle.dumps((f, x, f.graph)))
    script = "import pickle; f, x, g = pickle.load(open({!r}, 'rb')); print(f([1.0, 1.0]), f['w'], x, len(g.nodes()))"
    assert _run(script.format(str(tmp_path / "f"))) == f"[0.5 0.5] [2. 2.] x {len(f.graph.nodes())}\n"


OPS = """
import symtensor as st
class Twice(st.Op):
    def infer(self, x): return x.type
    def evaluate(self, x): return x * 2
@st.elementwise
def thrice(x): return x * 3
"""
WRITE = """
import pickle, symtensor as st, symtensor.tensor as T
x = T.dvector("x")
expression = thrice(Twice()(x))
pickle.dump((st.function([x], expression), expression), open({!r}, "wb"))
"""
READ = """
import pickle
try:
    f, expression = pickle.load(open({!r}, "rb"))
    print(f([1.0]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_ops_of_users_are_found_in_their_module(tmp_path):
    (tmp_path / "ops_of_a_user.py").write_text(OPS)
    path, environment = str(tmp_path / "f"), {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    _run("from ops_of_a_user import *\n" + WRITE.format(path), **environment)
    assert _run(READ.format(path), **environment) == "[6.]\n"
    assert "import the module that defines it first" in _run(READ.format(path))
    _run(OPS + WRITE.format(path))
    assert "import the module that defines it first" in _run(READ.format(path))


def test_numbers_given_for_variables_take_their_dtype():
    count, x = st.shared(np.int64(5), "count"), T.fvector("x")
    reset = st.function([], count, updates=[(count, 0)])
    assert int(reset()) == 5 and count.get_value() == 0 and count.get_value().dtype == "int64"
    assert st.function([], x * 2, givens={x: [1, 2]})().dtype == "float32"
    with pytest.raises(TypeMismatch, match="the update of count is float64"):
        st.function([], updates=[(count, 0.5)])


def test_strict_shared_variables_and_those_that_convert():
    strict = st.shared(np.float64(7.0), strict=True)
    with pytest.raises(TypeMismatch, match="a value of float64 ()"):
        strict.set_value(8)
    strict.set_value(np.float64(8))
    rounded = st.shared(np.int8(7), allow_downcast=True)
    rounded.set_value(3.9)
    assert strict.get_value() == 8 and rounded.get_value() == 3
