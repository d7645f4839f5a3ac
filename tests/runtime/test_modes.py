"""Modes: which rules they choose, what they see of a call, and what DebugMode finds."""

import pickle
import random
from contextlib import suppress

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import (
    BadDestroyMap,
    BadOptimization,
    BadThunkOutput,
    ConfigError,
    IndexOutOfRange,
    InvalidValueError,
    ShapeError,
)
from symtensor.ops.python import as_op
from symtensor.ops.scalar import square
from symtensor.rewrite.phases import PIPELINE, Choice
from symtensor.rewrite.rule import rule
from symtensor.rewrite.rules import specialize
from symtensor.rewrite.tags import THEANOS, named
from symtensor.runtime import debug, modes
from symtensor.testing.mixed_graphs import mixed_graph, random_values
from symtensor.testing.random_graphs import random_graph
from symtensor.testing.random_loops import random_loops


@pytest.fixture
def wrong_rule():
    """A rule that is false."""
    @rule(specialize, keeps="real")
    def square_is_double(x):
        return square(x), x + x
    yield "square_is_double"
    specialize.rules.pop()


def fired(f):
    return {name for name, count in f.source.history.fired.items() if count}


# -- which rules ------------------------------------------------------------------------------------------

def test_rules_phases_and_theanos_names_are_left_out_and_taken_in():
    x = T.dvector("x")
    y = T.log(1 + x)
    with st.config.change(cache=False):
        assert "log_one_plus" in fired(st.function([x], y))
        for tag in ("log_one_plus", "stabilize", "local_log1p"):
            assert "log_one_plus" not in fired(st.function([x], y, mode=st.get_mode("FAST_RUN").excluding(tag)))
        fast = st.get_mode("FAST_COMPILE")
        assert "log_one_plus" not in fired(st.function([x], y, mode=fast))
        for tag in ("log_one_plus", "stabilize", "local_log1p"):
            assert "log_one_plus" in fired(st.function([x], y, mode=fast.including(tag)))
        assert fired(st.function([x], y, mode=st.Mode(optimizer=None).including("log_one_plus"))) == {"log_one_plus"}
        assert fired(st.function([x], y * 1, mode=st.get_mode().requiring("log_one_plus"))) == {"log_one_plus"}
        assert fired(st.function([x], y * 1, mode=st.get_mode().requiring("stabilize"))) == {"log_one_plus"}
        with st.config.change(optimizer_excluding="stabilize:times_one"):
            assert not {"log_one_plus", "times_one"} & fired(st.function([x], y * 1))


def test_a_choice_is_part_of_what_the_cache_knows_programs_by(tmp_path):
    x = T.dvector("x")
    with st.config.change(cache_dir=str(tmp_path)):
        for mode in (None, st.get_mode().excluding("stabilize"), st.get_mode().excluding("one_factorization")):
            f = st.function([x], T.log(1 + x), mode=mode)
            assert "rewrite" in f.compile_seconds
            np.testing.assert_allclose(f([1e-20]), [0.0 if mode and "stabilize" in mode.excluded else 1e-20])


def test_theanos_names_are_those_of_rules_that_are_there():
    names = {phase.name for phase in PIPELINE["fast_run"]}.union(*(p.names() for p in PIPELINE["fast_run"]))
    assert not {name for values in THEANOS.values() for name in values.split()} - names
    assert all(named(name) for name in THEANOS)


def test_a_name_that_nothing_has_is_said_once(recwarn):
    for _ in range(2):
        assert st.get_mode("FAST_RUN").excluding("local_of_theano") == st.get_mode("FAST_RUN")
    assert [str(w.message) for w in recwarn] == [
        "no rewriting of symtensor is called 'local_of_theano': to include or exclude it changes nothing"
        " (docs/reference/rules.md lists what there is)"]


def test_modes_by_name():
    assert st.Mode(optimizer="o1").choice() == Choice("fast_compile")
    assert st.Mode(optimizer=None).choice() == st.Mode(optimizer="merge").choice() == Choice("None")
    for name in ("FAST_RUN", "FAST_COMPILE", "Mode", "DebugMode", "NanGuardMode", "fast_compile", "None", None):
        x = T.dscalar("x")
        assert st.function([x], x + 1, mode=name)(1) == 2
    with pytest.raises(ConfigError, match="there is no mode 'FAST'\n  fix      one of Mode, FAST_RUN"):
        st.get_mode("FAST")
    with pytest.raises(ConfigError, match="there is no optimizer 'fast'"):
        st.Mode(optimizer="fast")
    modes.register_mode("careful", st.NanGuardMode())
    try:
        assert st.get_mode("careful") == st.NanGuardMode()
        with pytest.raises(ConfigError, match="there is a mode 'careful' already"):
            modes.register_mode("careful", st.Mode())
    finally:
        del modes._registered["careful"]


def test_the_option_names_the_mode_of_functions_that_are_given_none():
    x = T.dvector("x")
    with st.config.change(mode="NanGuardMode", inf_is_error=False):
        f = st.function([x], T.log(x))
    assert f([0.0]) == -np.inf
    with pytest.raises(InvalidValueError, match="log gives nan"):
        f([-1.0])


def test_functions_of_a_mode_are_copied_and_pickled():
    x, total = T.dvector("x"), st.shared(0.0, "total")
    f = st.function([x], T.log(x).sum(), updates=[(total, total + x.sum())], mode=st.NanGuardMode())
    for again in (f.copy(), pickle.loads(pickle.dumps(f))):
        assert again([1.0]) == 0.0 and again["total"] == 1.0
        with pytest.raises(InvalidValueError):
            again([-1.0])


def test_python_linkers_run_op_by_op():
    x = T.dscalar("x")
    assert not st.function([x], x + 1, mode=st.Mode("py")).kernels
    assert st.function([x], x + 1, mode=st.Mode("vm")).kernels


# -- looking on -------------------------------------------------------------------------------------------

def test_monitors_see_each_op_with_its_values():
    x, seen = T.dvector("x"), []
    mode = st.MonitorMode(pre_func=lambda i, node, fn: seen.append((i, str(node.op), [a.tolist() for a, in fn.inputs])),
                          post_func=lambda i, node, fn: seen.append((i, [a.tolist() for a, in fn.outputs])))
    f = st.function([x], T.exp(x).sum(), mode=mode)
    assert f([0.0, 0.0]) == 2
    assert seen == [(0, "exp", [[0, 0]]), (0, [[1, 1]]), (1, str(f.graph.nodes()[1].op), [[1, 1]]), (1, [2])]


def test_monitors_see_the_steps_of_loops(capsys):
    x, n = T.dscalar("x"), T.lscalar("n")
    ys, _ = st.scan(lambda y: T.log(y) + 1, outputs_info=x, n_steps=n)
    f = st.function([x, n], ys[-1], mode=st.MonitorMode(post_func=st.detect_nan))
    assert f(2.0, 3) > 0 and capsys.readouterr().out == ""
    assert np.isnan(f(-1.0, 3))
    shown = capsys.readouterr().out
    assert shown.startswith("*** NaN detected *** log(") and "test_modes.py" in shown and "[array(-1.)]" in shown


@pytest.mark.parametrize("value, what", [
    (np.nan, "is given nan"), (np.inf, "is given inf"), (1e11, "is given a number above 1e10"), (-1.0, "log gives nan"),
    (0.0, "log gives inf")])
def test_the_guard_says_where_a_number_is_wrong(value, what):
    x = T.dvector("x")
    f = st.function([x], T.log(x), mode="NanGuardMode")
    with pytest.raises(AssertionError) as caught:
        f([1.0, value])
    text = str(caught.value)
    assert f"{what}: 1 of 2 elements, the first at (1,)" in text and "test_modes.py" in text
    assert "operand  x: float64 (x.0,), here of shape (2,) = [" in text and "fix      look at what is given" in text


def test_the_guard_looks_for_what_it_is_told_and_does_what_it_is_told():
    x = T.dvector("x")
    assert st.function([x], T.log(x), mode=st.NanGuardMode(nan_is_error=False))([np.nan]).shape == (1,)
    assert st.function([x], x * 2, mode=st.NanGuardMode(big_is_error=False))([1e11]) == 2e11
    f = st.function([x], T.log(x), mode=st.NanGuardMode())
    with st.config.change(nan_guard_action="warn"), pytest.warns(UserWarning, match="log gives nan: 1 of 1"):
        assert np.isnan(f([-1.0]))
    counts = T.lvector("counts")
    assert st.function([counts], counts * 2, mode="NanGuardMode")([10**12]) == 2 * 10**12


def test_nothing_is_updated_by_a_call_that_the_guard_ends():
    x, w = T.dscalar("x"), st.shared(1.0, "w")
    f = st.function([x], w, updates=[(w, T.log(x))], mode="NanGuardMode")
    with pytest.raises(InvalidValueError):
        f(-1.0)
    assert w.get_value() == 1.0


# -- DebugMode --------------------------------------------------------------------------------------------

def test_a_rule_that_changes_a_value_is_named(wrong_rule):
    x, total = T.dvector("x"), st.shared(0.0, "total")
    f = st.function([x], x ** 2, updates=[(total, total + 1)], mode="DebugMode")
    assert f([2.0]) == 4 and total.get_value() == 1  # where the rule happens to be right
    with pytest.raises(BadOptimization) as caught:
        f([2.0, 3.0])
    text = str(caught.value)
    assert text.startswith("the rule square_is_double changes a value: ") and "it was 9.0 at (1,), and is 6.0" in text
    assert "test_modes.py" in text.split("the rule: ")[1] and 'fix      correct it, or leave it out: mode.excl' in text
    assert total.get_value() == 1
    mode = st.DebugMode().excluding(wrong_rule)
    assert st.function([x], x ** 2, mode=mode)([3.0]) == 9


def test_a_rule_that_changes_a_value_in_a_loop_is_named(wrong_rule):
    x, n = T.dscalar("x"), T.lscalar("n")
    ys, _ = st.scan(lambda y: y ** 2 + 1, outputs_info=x, n_steps=n)
    with pytest.raises(BadOptimization, match="the rule .*square_is_double.* changes a value: scan"):
        st.function([x, n], ys, mode="DebugMode")(3.0, 3)


def test_a_compiled_result_that_is_wrong_is_found(monkeypatch):
    x, w = T.dvector("x"), st.shared(np.ones(2), "w")
    f = st.function([x], x * 2, updates=[(w, w + x)], mode="DebugMode")
    right = debug.Check.optimized

    def other(self, arrays):
        self.expected = [right(self, arrays)[0], np.zeros(2)]
        return self.expected

    monkeypatch.setattr(debug.Check, "optimized", other)
    with pytest.raises(BadThunkOutput, match="output 1 of the compiled function is not what NumPy gives"):
        f([1.0, 2.0])
    assert w.get_value().tolist() == [1, 1]


def test_an_op_that_writes_to_its_argument_is_found():
    @as_op(T.dvector, T.dvector, infer_shape=lambda shapes: shapes)
    def spoil(x):
        x[0] = 7
        return x * 2
    x = T.dvector("x")
    with pytest.raises(BadDestroyMap, match="spoil writes to an array that it is given(.*\n)*  fix      let it work"):
        st.function([x], spoil(x + 1), mode="DebugMode")([1.0])


def test_numbers_that_are_not_finite_are_an_error_unless_allowed():
    x = T.dvector("x")
    with pytest.raises(InvalidValueError, match="log gives inf"):
        st.function([x], T.log(x), mode="DebugMode")([0.0])
    mode = st.DebugMode()
    mode.check_isfinite = False
    assert st.function([x], T.log(x), mode=mode)([0.0]) == -np.inf


MAKERS = {"graphs": lambda rng: random_graph(rng, steps=14), "loops": lambda rng: random_loops(rng, loops=2),
          "mixed": mixed_graph}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_in_random_expressions(kind, seed):
    made = MAKERS[kind](random.Random(seed))
    values = random_values(random.Random(seed), made) if kind == "mixed" else made.values
    with suppress(ShapeError, IndexOutOfRange):  # the sizes drawn may not fit
        mode = st.DebugMode(check_isfinite=False)
        st.function(made.inputs, made.outputs, on_unused_input="ignore", mode=mode)(*values)
