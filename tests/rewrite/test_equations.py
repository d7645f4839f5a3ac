"""Every equation of the pipeline keeps what its class says, by the automatic check; and the check finds liars."""

import pytest

from symtensor import ops  # noqa: F401  (operators on variables)
from symtensor.base.errors import CheckFailed, RewriteError
from symtensor.ir.graph import Graph
from symtensor.ops.scalar import exp, log, log1p, sigmoid, sqrt, square, switch
from symtensor.rewrite.engine import run_phase
from symtensor.rewrite.pattern import build
from symtensor.rewrite.phases import PIPELINE
from symtensor.rewrite.rule import Equation, Phase, rule
from symtensor.testing.check_rule import check_rule, instances
from symtensor.types.dtype import FLOATS

EQUATIONS = list(dict.fromkeys(one for phase in PIPELINE["fast_run"] for one in phase.rules
                               if isinstance(one, Equation)))
example = Phase("example", "Where the rules of these tests go.")


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.name)
def test_keeps_what_it_says(equation):
    check_rule(equation)


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.name)
def test_no_other_rule_of_its_phase_stands_before_it(equation):
    """An equation's own left side is rewritten by it, in the first phase it belongs to."""
    phase = next(phase for phase in PIPELINE["fast_run"] if equation in phase.rules)
    sides = (build(equation.left, bindings) for bindings in instances(equation))
    histories = (run_phase(Graph([], side if isinstance(side, list) else [side]), phase) for side in sides)
    assert any(equation.name in history.fired for history in histories)


LIES = [
    ("exact", lambda x: (x + 0, x)),                               # -0.0 + 0.0 is 0.0
    ("exact", lambda x: (x * 2 / 2, x)),                           # overflows
    ("value", lambda x: (x * 0, 0)),                               # infinity and NaN
    ("value", lambda x, y: ((x + y) - y, x)),                      # rounds
    ("nearer", lambda x: (log1p(x), log(1 + x))),                  # loses digits
    ("nearer", lambda x: (sigmoid(-x), 1 - sigmoid(x))),           # loses digits
    ("nearer", lambda x: (log(exp(x) * x), x + log(x) + 1)),       # is wrong
    ("finite", lambda x: (exp(-x), 1 - x)),                        # is wrong
    ("finite", lambda x, y: (switch(x < y, x, y), y)),             # is wrong half of the time
    ("real", lambda x: (sqrt(square(x)), x)),                      # is wrong for x < 0
    ("real", lambda x, y: (square(x + y), square(x) + square(y))),
    ("real", lambda x: (exp(x), exp(x) * (1 + 1e-6))),             # within no rounding
]


@pytest.mark.parametrize(("keeps", "sides"), LIES)
def test_lies_are_found(keeps, sides):
    sides.__doc__ = None
    with pytest.raises(CheckFailed, match="does not keep"):
        check_rule(rule(example, keeps=keeps, dtypes=FLOATS)(sides))


def test_a_rule_that_changes_the_dtype_is_found():
    with pytest.raises(CheckFailed, match="turns int8 into float64"):
        check_rule(rule(example, keeps="real", dtypes=["int8"])(lambda x: (x + x, x * 2.0)))


def test_a_rule_that_never_applies_is_found():
    with pytest.raises(CheckFailed, match="applies to no variables"):
        check_rule(rule(example, keeps="exact", dtypes=["bool"])(lambda x: (exp(x), x)))


def test_an_unknown_class_is_refused():
    with pytest.raises(RewriteError, match="cannot keep 'everything'"):
        rule(example, keeps="everything")(lambda x: (x + 0, x))


def test_a_left_side_without_an_op_is_refused():
    with pytest.raises(RewriteError, match="must apply an op"):
        rule(example, keeps="exact")(lambda x: (x, x))
