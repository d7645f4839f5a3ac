"""Loops on a device: steps launched by the machine, recurrences as one kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.lower.program import Copy, Launch, Loop

RNG = np.random.default_rng(2)
XS, H0 = T.ftensor3("xs"), T.fmatrix("h0")
U, V = T.fmatrix("u"), T.fmatrix("v")
ARRAYS = [RNG.standard_normal(shape).astype("float32") * 0.5 for shape in ((7, 5, 4), (5, 6), (4, 6), (6, 6))]


def both(inputs: list[Any], outputs: Any, *arrays: Any) -> Any:
    """The function on the device, whose results are those of the function on the processor."""
    f, g = (st.function(inputs, outputs, device=device) for device in ("cuda", "cpu"))
    for _ in range(2):
        for found, wanted in zip(f(*arrays), g(*arrays), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    return f


def hidden() -> Any:
    return st.scan(lambda x, h, u, v: T.tanh(T.dot(x, u) + T.dot(h, v)), XS, H0, non_sequences=[U, V])[0]


def test_a_recurrent_network_and_its_derivative() -> None:
    f = both([XS, H0, U, V], [hidden(), *st.grad((hidden()[-1] ** 2).sum(), [U, V])], *ARRAYS)
    assert f.library_calls == 0 and f.placement.launches["cpu"] == 0
    assert not f.placement.on_processor and {move.target for move in f.placement.moves} == {"cuda0", "cpu"}
    instructions, buffers = f.program.instructions, f.program.buffers
    loops = [(number, one.end) for number, one in enumerate(instructions) if isinstance(one, Loop)]
    assert len(loops) == 2
    for begin, end in loops:  # in whose steps nothing leaves the device
        for one in instructions[begin + 1:end]:
            assert isinstance(one, (Launch, Copy))
            assert not isinstance(one, Copy) or buffers[one.source].device == buffers[one.target].device == 1


def test_a_recurrence_is_one_kernel() -> None:
    xs, start = T.fmatrix("xs"), T.fvector("start")
    totals, _ = st.scan(lambda x, total: 0.5 * total + x, xs, start)
    f = both([xs, start], [totals, totals[-1]], RNG.standard_normal((9, 300)).astype("float32"),
             np.ones(300, "float32"))
    assert not any(isinstance(one, Loop) for one in f.program.instructions)
    assert f.placement.launches["cuda0"] <= 3


def test_a_loop_that_ends_by_its_data() -> None:
    a, start = T.fmatrix("a"), T.fmatrix("start")

    def step(x: Any, a: Any) -> Any:
        new = T.dot(x, a)
        return new, st.until(new.sum() > 100)
    values, _ = st.scan(step, outputs_info=start, non_sequences=a, n_steps=50)
    f = both([a, start], [values[-1], values.shape[0]], np.full((3, 3), 0.5, "float32"), np.eye(3, dtype="float32"))
    assert f.placement.launches["cuda0"] >= 2


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_steps_that_hand_on_several_values(steps: int) -> None:
    n, w = T.lscalar("n"), T.fmatrix("w")
    (a, b), _ = st.scan(lambda a, b, w: [b, T.tanh(T.dot(a, w))], outputs_info=[H0, H0 + 1], non_sequences=w, n_steps=n)
    total = a.sum(axis=0) + b.sum(axis=0)
    both([H0, w, n], [total], ARRAYS[1], ARRAYS[3], steps)


def test_a_step_with_an_op_that_has_no_form_stays_on_the_processor() -> None:
    values, _ = st.scan(lambda h, x: T.slinalg.cholesky(T.dot(h, h.T) + x), None, H0[:, :5], U[0, 0], n_steps=20)
    f = both([H0, U], [values * 2], ARRAYS[1], np.full((4, 6), 9, "float32"))
    assert f.placement.launches["cuda0"] == 0 or f.placement.on_processor
