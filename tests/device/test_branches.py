"""Branches on a device: the processor reads the condition, and the side that is taken is launched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.lower.program import Branch, Call, Loop

C, N = T.bscalar("c"), T.lscalar("n")
X, Y, M = T.fvector("x"), T.fvector("y"), T.fmatrix("m")
XS, YS = np.array([0.5, -1.0, 2.0], "float32"), np.array([1.0, 2.0, 3.0], "float32")
MS = np.arange(9, dtype="float32").reshape(3, 3) / 4
GIVEN = {C: 1, N: 2, X: XS, Y: YS, M: MS}


def steps(step: Any) -> Any:
    return st.scan(step, X, T.constant(np.float32(1)))[0]


CASES = {
    "elementwise": lambda: st.ifelse(C, T.exp(X), X * 3),
    "a condition that is computed": lambda: st.ifelse((X * Y).sum() * C > 1, T.exp(X), X * 3),
    "reductions": lambda: st.ifelse(C, (X * Y).sum(), M.max()),
    "products": lambda: st.ifelse(C, T.dot(M, M), M),
    "an input as it is": lambda: st.ifelse(C, X, Y + X),
    "constants": lambda: st.ifelse(C, T.constant(np.ones(3, "float32")), X),
    "views": lambda: st.ifelse(C, M.T, M.reshape((3, 3))),
    "sizes that differ": lambda: st.ifelse(C, X[1:], T.zeros(N, "float32")),
    "sizes from arguments": lambda: st.ifelse(C, M[:N, 1], X),
    "branches in branches": lambda: st.ifelse(C, st.ifelse(X.sum() > 9, X, X * Y) + 1, T.sin(Y)),
    "loops in branches": lambda: st.ifelse(C, st.scan(lambda h, m: T.tanh(T.dot(m, h)), None, X, M, 30)[0][-1], X),
    "branches in loops": lambda: steps(lambda v, t: st.ifelse(v > 0, t * T.exp(v), t - v)) * C,
    "several results": lambda: st.ifelse(C, [X * Y, T.constant(np.float32(2)), Y], [Y, X.sum(), X + Y]),
    "derivatives": lambda: st.grad(st.ifelse(C, T.log(X ** 2 + 1), T.exp(X)).sum(), X),
}


def both(value: Any) -> tuple[Any, Any]:
    return tuple(st.function(list(GIVEN), value, device=device, on_unused_input="ignore")
                 for device in ("cuda", "cpu"))  # type: ignore[return-value]


@pytest.mark.parametrize("name", CASES)
def test_both_sides_run_on_the_device(name: str) -> None:
    f, g = both(CASES[name]())
    for truth in (1, 0, 1):
        found, wanted = (h(truth, *list(GIVEN.values())[1:]) for h in (f, g))
        for got, want in zip(*((v if isinstance(v, list) else [v]) for v in (found, wanted)), strict=True):
            assert got.shape == want.shape and got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)
    assert any(isinstance(one, Branch) for one in f.program.instructions)
    assert not f.placement.on_processor and f.placement.launches["cpu"] <= 2  # the condition
    assert not any(isinstance(one, Call) for one in f.program.instructions)


def test_a_condition_that_a_device_computes_is_read_back() -> None:
    f, _ = both(st.ifelse(T.dot(M, M).sum() > 0, T.exp(X), X * 3))
    moved = [str(move) for move in f.placement.moves if move.source == "cuda0"]
    assert len(moved) == 2 and moved[0].startswith("cuda0 -> cpu: (")


def test_state_is_updated_in_the_side_that_is_taken() -> None:
    weights = st.shared(XS, "weights")
    f = st.function([C], updates=[(weights, st.ifelse(C, weights * 2, weights))], device="cuda")
    for truth, factor in ((1, 2), (0, 2), (1, 4)):
        f(truth)
        np.testing.assert_array_equal(weights.get_value(), XS * factor)
    assert weights.storage.value.device.name == "cuda0"


@pytest.mark.parametrize("make", [
    lambda: (st.ifelse(C, T.slinalg.cholesky(T.dot(M, M.T)), M), "its side has cholesky[lower]: "),
    lambda: (st.ifelse(C, X[:T.argmax(X)], X), "is known only from"),
], ids=["no code", "sizes from data"])
def test_what_has_no_form_there_stays_with_its_reason(make: Any) -> None:
    value, reason = make()
    f, g = both(value)
    for truth in (1, 0):
        np.testing.assert_allclose(*(h(truth, *list(GIVEN.values())[1:]) for h in (f, g)), rtol=1e-5)
    assert any(reason in placed.reason for placed in f.placement.on_processor), f.placement


def test_steps_on_a_device_have_branches() -> None:
    m, first = T.fmatrix("m", shape=(3, 3)), T.fvector("first", shape=(3,))
    value = st.scan(lambda h, m: st.ifelse(h.sum() > 1, T.tanh(T.dot(m, h)), h + 1), None, first, m, 30)[0]
    f, g = (st.function([m, first], value, device=device) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(*(h(MS, XS) for h in (f, g)), rtol=1e-4)
    kinds = [type(one) for one in f.program.instructions]
    assert Loop in kinds and Branch in kinds and f.placement.launches["cpu"] == 0
