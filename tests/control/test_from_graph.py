"""`OpFromGraph`: values, derivatives of its own in all forms, what it refuses; and ops with effects."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import AssertionFailed, GraphError, IndexOutOfRange, TypeMismatch
from symtensor.ops.effects import Assert, PdbBreakpoint, Print, Raise

x, y = T.dvectors("x", "y")
POINT, OTHER = np.array([1.0, 2.0]), np.array([3.0, 5.0])


def slopes(op: Any) -> list[np.ndarray]:
    a, b = T.dvectors("a", "b")
    return st.function([a, b], st.grad(op(a, b).sum(), [a, b], disconnected_inputs="ignore"))(POINT, OTHER)


def test_it_is_the_expression() -> None:
    """Applied to other variables; shared variables in it stay, and are updated from outside."""
    w = st.shared(2.0, "w")
    op = st.OpFromGraph([x, y], [x * y * w, x.sum()])
    a = T.dvector("a")
    first, second = op(a, a + 1)
    f = st.function([a], [first, second], updates=[(w, w * 10)])
    assert [v.tolist() for v in f(POINT)] == [[4.0, 12.0], 3.0]
    assert f(POINT)[0].tolist() == [40.0, 120.0]
    assert op(POINT, OTHER)[0].eval().tolist() == [600.0, 2000.0]


def double_and_ten(inputs: list[Any], gradients: list[Any]) -> list[Any]:
    return [gradients[0] * 2, gradients[0] * 10]


@pytest.mark.parametrize("overrides, wanted", [
    ({}, (OTHER, POINT)),
    ({"grad_overrides": double_and_ten}, ([2.0, 2.0], [10.0, 10.0])),
    ({"grad_overrides": ["default", lambda inputs, gradients: gradients[0] * inputs[1]]}, (OTHER, OTHER)),
    ({"grad_overrides": [None, "default"]}, ([0.0, 0.0], POINT)),
    ({"lop_overrides": lambda inputs, outputs, gradients: [outputs[0] * gradients[0], gradients[0]]},
     (POINT * OTHER, [1.0, 1.0])),
    ({"lop_overrides": st.OpFromGraph([x, y, T.dvector(), T.dvector()], [x + y, y])}, (POINT + OTHER, OTHER)),
])
def test_gradients_of_its_own(overrides: dict[str, Any], wanted: Any) -> None:
    """A function, a list, an op of the same arguments; given the outputs or not."""
    op = st.OpFromGraph([x, y], [x * y], **overrides)
    for own, expected in zip(slopes(op), wanted):
        np.testing.assert_allclose(own, expected)
    np.testing.assert_allclose(op(POINT, OTHER).eval(), POINT * OTHER)


def test_tangents() -> None:
    """Of its own, or those of the expression, also where gradients are overridden."""
    a, v = T.dvectors("a", "v")
    plain = st.OpFromGraph([x], [x ** 2], grad_overrides=lambda inputs, gradients: T.clip(gradients[0], 0, 1))
    own = st.OpFromGraph([x], [x ** 2], rop_overrides=lambda inputs, tangents: tangents[0] * 7)
    found = st.function([a, v], [st.Rop(op(a), a, v) for op in (plain, own)])(POINT, OTHER)
    np.testing.assert_allclose(found, [2 * POINT * OTHER, 7 * OTHER])
    np.testing.assert_allclose(st.function([a], st.grad(own(a).sum(), a))(POINT), 2 * POINT)


def test_the_mark_costs_nothing() -> None:
    """The compiled function is that of the expression; it is pickled if the override is."""
    a, b = T.dvectors("a", "b")
    op = st.OpFromGraph([x, y], [T.exp(x) * y], grad_overrides=double_and_ten)
    f = st.function([a, b], op(a, op(b, a)) + 1)
    assert f.launches == 1
    np.testing.assert_allclose(pickle.loads(pickle.dumps(f))(POINT, OTHER), np.exp(POINT) * np.exp(OTHER) * POINT + 1)


@pytest.mark.parametrize("make, message", [
    (lambda: st.OpFromGraph([x], [x + y]), "the outputs depend on what is not among the inputs"),
    (lambda: st.OpFromGraph([st.shared(1.0)], [x]), "cannot be an input"),
    (lambda: st.OpFromGraph([x], [x], grad_overrides=double_and_ten, lop_overrides=double_and_ten), "both"),
    (lambda: slopes(st.OpFromGraph([x, y], [x * y], grad_overrides=lambda i, g: [g[0]])), "gave 1 derivatives for 2"),
    (lambda: slopes(st.OpFromGraph([x, y], [x * y], grad_overrides=[None])), "1 overrides were given for 2"),
])
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()


def test_arguments_that_do_not_fit() -> None:
    op = st.OpFromGraph([x], [x], name="same")
    with pytest.raises(TypeMismatch, match=r"same takes 1 arguments, not 2(.|\n)*fix +give x"):
        op(x, x)
    with pytest.raises(TypeMismatch, match="has 2 axes, and x has 1"):
        op(T.dmatrix("m"))


# -- effects ----------------------------------------------------------------------------------------------

def test_an_assertion_is_checked_in_the_kernel() -> None:
    """It is fused, tells its own message and the user's line, and is not there for derivatives."""
    checked = Assert("x must be positive")(x * 2, x.min() > 0, x.shape[0] < 3)
    f = st.function([x], checked + 1)
    assert {type(i).__name__ for i in f.program.instructions} == {"Launch"}
    assert f(POINT).tolist() == [3.0, 5.0]
    with pytest.raises(AssertionFailed, match="^x must be positive\n.*test_from_graph"):
        f(-POINT)
    with pytest.raises(AssertionFailed):
        f(np.ones(3))
    assert st.function([x], st.grad(checked.sum(), x))(POINT).tolist() == [2.0, 2.0]


def test_an_assertion_in_a_step() -> None:
    """The error says which step it was; an index out of range beside it is still told apart."""
    rows, _ = st.scan(lambda v: Assert("too large")(v * 2, v < 3), sequences=x)
    f = st.function([x], rows)
    assert f(POINT).tolist() == [2.0, 4.0]
    with pytest.raises(AssertionFailed, match="in step 1: .*too large"):
        f(np.array([1.0, 5.0]))
    i = T.lvector("i")
    both = st.function([x, i], Assert("too large")(x[i], x.max() < 9) * 1)
    with pytest.raises(IndexOutOfRange, match="index 5 is out of"):
        both(POINT, [5])


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed, and what is not computed is not printed."""
    f = st.function([x], Print("x is", ("shape", "max"))(x).sum())
    assert f(POINT) == 3.0
    assert capsys.readouterr().out == "x is shape = (2,)\nx is max = 2.0\n"
    st.function([x], st.grad((Print("again")(x) ** 2).sum(), x))(POINT)
    assert capsys.readouterr().out == "again __str__ = [1. 2.]\n"


def test_raising_and_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Raise` in the branch that is taken, and a breakpoint that is reached when its condition holds."""
    f = st.function([x], st.ifelse(x.sum() > 3, Raise("no more", ValueError)(x), x))
    assert f(POINT).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="no more"):
        f(OTHER)
    stops: list[int] = []
    monkeypatch.setattr("pdb.set_trace", lambda: stops.append(1))
    g = st.function([x], PdbBreakpoint("large")(x.sum() > 3, x) * 2)
    assert g(POINT).tolist() == [2.0, 4.0] and not stops
    assert g(OTHER).tolist() == [6.0, 10.0] and stops == [1]
