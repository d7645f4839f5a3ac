"""Programs found in the cache are those of the graph that was asked for."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.ir.graph import Graph
from symtensor.ops.elementwise import elementwise
from symtensor.ops.scalar import sin
from symtensor.rewrite.phases import specialize
from symtensor.rewrite.rule import rule
from symtensor.runtime import program_cache

X = T.dvector("x")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path):
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
    assert program_cache.key(graph, "fast_run", 1, []) is not None
    rules = list(specialize.rules)
    try:
        rule(specialize, keeps="real")(_sine_is_zero)
        assert program_cache.key(graph, "fast_run", 1, []) is None
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
    assert program_cache.key(Graph([x], [Scale()(x)]), "fast_run", 1, []) is None
    assert program_cache.key(Graph([x], [x * 2]), "fast_run", 1, []) is not None
