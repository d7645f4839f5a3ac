"""Programs found in the cache are those of the graph that was asked for."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import IndexOutOfRange, ShapeError
from symtensor.codegen import store
from symtensor.ir.graph import Graph
from symtensor.ops.elementwise import elementwise
from symtensor.ops.scalar import sin
from symtensor.rewrite.phases import Choice, specialize
from symtensor.rewrite.rule import rule
from symtensor.runtime import program_cache
from symtensor.tools.cached import why

X = T.dvector("x")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_private", None)
    with config.change(cache=True, cache_dir=str(tmp_path)):
        yield


def scaled_by(factor):
    @elementwise(name="scaled_by_a_closure")
    def scaled(x):
        return x * factor
    return scaled


def test_a_body_that_reads_a_closure_is_no_other():
    for factor in (2, 3):
        np.testing.assert_array_equal(st.function([X], scaled_by(factor)(X))([1.0, 2.0]), [factor, 2 * factor])


def test_a_name_defined_anew_leaves_the_first_op_as_it_was():
    first, second = scaled_by(2), scaled_by(3)
    np.testing.assert_array_equal(st.function([X], first(X) + 10 * second(X))([1.0]), [32])


def test_programs_are_not_kept_under_rules_of_others():
    graph = Graph([X], [sin(X)])
    assert program_cache.entry(graph, Choice("fast_run"), 1, []) is not None
    rules = list(specialize.rules)
    try:
        rule(specialize, keeps="real")(_sine_is_zero)
        assert program_cache.entry(graph, Choice("fast_run"), 1, []) is None
    finally:
        specialize.rules[:] = rules


def _sine_is_zero(x):
    """Not so: only something to register."""
    return sin(x), x * 0


def test_ops_of_users_are_not_cached():
    """Their `evaluate` may be anything, and may have been folded into a constant."""
    class Scale(st.Op):
        def infer(self, x):
            return x.type

        def evaluate(self, x):
            return x * 2

    x = T.dvector("x")
    assert program_cache.entry(Graph([x], [Scale()(x)]), Choice("fast_run"), 1, []) is None
    assert program_cache.entry(Graph([x], [x * 2]), Choice("fast_run"), 1, []) is not None


# --- lines that move -----------------------------------------------------------------------------

PROGRAM = """
import symtensor as st, symtensor.tensor as T
x, y = T.dvector(), T.dvector()
w = T.dmatrix("w")
i = T.lvector("i")
f = st.function([x, y, w, i], [T.exp(x) + y * {factor}, w[i]])
"""


def run(source, file="program.py"):
    """A program run as if it stood in a file; what it defines."""
    found = {}
    exec(compile(source, file, "exec"), found)
    return found


def rewrites(f):
    """Whether the function's graph had to be rewritten."""
    return "rewrite" in f.compile_seconds


GOOD = ([1.0, 2.0], [3.0, 4.0], [[1.0]], [0])


def test_a_program_is_found_wherever_it_stands():
    first = run(PROGRAM.format(factor=2))["f"]
    moved = run("# a comment\n\n" + PROGRAM.format(factor=2), "another_script.py")["f"]
    deeper = run("def build():\n    " + PROGRAM.format(factor=2).strip().replace("\n", "\n    ")
                 + "\n    return f\nf = build()")["f"]
    assert [rewrites(f) for f in (first, moved, deeper)] == [True, False, False]
    for f in (first, moved, deeper):
        np.testing.assert_array_equal(f(*GOOD)[0], np.exp([1.0, 2.0]) + [6.0, 8.0])
    assert rewrites(run(PROGRAM.format(factor=3))["f"])


def test_messages_name_the_present_lines():
    source = PROGRAM.format(factor=2).replace("T.dvector(), T.dvector()", "T.dvector(), \\\n  T.dvector()")
    run(source)
    f = run("#\n#\n#\n#\n" + source, "elsewhere.py")["f"]
    assert not rewrites(f)
    with pytest.raises(ShapeError) as caught:
        f([1.0, 2.0], [3.0], [[1.0]], [0])
    assert caught.value.what == "sizes of axis 0: vector@7.0 is 2 and vector@8.0 is 1"
    assert caught.value.where[0] == "elsewhere.py:11 in <module>"
    assert caught.value.operands == ("exp(vector@7): float64 (vector@7.0,)", "(vector@8 * 2.0): float64 (vector@8.0,)")
    with pytest.raises(IndexOutOfRange) as caught:
        f([1.0], [3.0], [[1.0]], [5])
    assert caught.value.where == ("elsewhere.py:11 in <module>",)


def test_inputs_made_on_one_line_and_on_two_are_told_apart():
    """What they are called in messages shows it."""
    source = ("import symtensor as st, symtensor.tensor as T\nx, y = T.dvector(),{} T.dvector()\n"
              "f = st.function([x, y], x + y)")
    run(source.format(""))
    f = run(source.format("\\\n"))["f"]
    assert rewrites(f)
    with pytest.raises(ShapeError, match="vector@2.0 is 1 and vector@3.0 is 2"):
        f([1.0], [1.0, 2.0])


def test_why_a_program_was_not_found():
    assert why() == "nothing is in the cache"
    first = PROGRAM.format(factor=2)
    run(first)
    assert "no other program is in the cache" in why()
    run(PROGRAM.format(factor=3))
    assert "graph differs: now '%3: float64 () = constant 3.0', before '%3: float64 () = constant 2.0'" in why()
    with config.change(cast_policy="numpy"):
        run(first)
    assert "cast_policy differs: now 'numpy', before 'numpy+floatX'" in why()
    run(first.replace("w[i]])", "w[i]], mode='fast_compile')"))
    assert "level differs: now 'fast_compile', before 'fast_run'" in why()


def test_a_miss_is_explained_while_it_happens(capfd):
    run(PROGRAM.format(factor=2))
    with config.change(debug=1):
        run(PROGRAM.format(factor=5))
        run(PROGRAM.format(factor=5))
    printed = capfd.readouterr().err
    assert "is new: graph differs: now '%3: float64 () = constant 5.0'" in printed
    assert "from the cache: nothing to rewrite" in printed
