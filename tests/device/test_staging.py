"""Values on their way to a device and back: they go through page-locked memory, and streams are late."""

from __future__ import annotations

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import IndexOutOfRange
from tests.threads import in_threads

X, I = T.fvector("x"), T.lvector("i")  # noqa: E741
PIECE = 2**20 // 4


def pinned() -> int:
    return int(st.cuda.device("cuda0").pinned_bytes)


@pytest.mark.parametrize("count", [1, PIECE - 1, PIECE, PIECE + 17, 9 * PIECE + 5])
def test_an_argument_may_change_when_the_call_is_over(count: int) -> None:
    weights = st.shared(np.zeros(count, "float32"), "weights")
    step = st.function([X], updates=[(weights, weights + X)], device="cuda")
    given, wanted = np.empty(count, "float32"), np.zeros(count, "float32")
    for number in range(3):
        given[:] = np.arange(count) % 1000 + number
        wanted += given
        step(given)
        given[:] = -1
    np.testing.assert_array_equal(weights.get_value(), wanted)


def test_many_small_arguments_take_turns() -> None:
    weights = st.shared(np.zeros(3, "float32"), "weights")
    step, given = st.function([X], updates=[(weights, weights + X)], device="cuda"), np.empty(3, "float32")
    before = None
    for number in range(300):
        given[:] = number
        step(given)
        before = pinned() if number == 10 else before
    assert weights.get_value()[0] == 299 * 300 / 2 and pinned() == before


def test_results_come_together_in_memory_that_is_used_again() -> None:
    f = st.function([X], [X[::n] * n for n in range(1, 20)], device="cuda")
    x = np.arange(70_000, dtype="float32")
    held = None
    for number in range(3):
        for n, result in enumerate(f(x + number), start=1):
            np.testing.assert_array_equal(result, (x + number)[::n] * n)
        assert held in (None, pinned())
        held = pinned()
    st.cuda.device("cuda0").trim()
    assert pinned() < (held or 0)
    np.testing.assert_array_equal(f(x)[0], x)


def test_what_is_too_large_comes_as_it_is() -> None:
    b = T.vector("b", dtype="int8")
    before, x = pinned(), np.ones(65 * 2**20, "int8")
    assert (st.function([b], b + 1, device="cuda")(x) == 2).all()
    assert pinned() - before < 2**25


def test_a_call_that_fails_expects_nothing_more() -> None:
    f = st.function([X, I], [X * 2, X[I]], device="cuda")
    x, held = np.arange(5000, dtype="float32"), None
    for _ in range(4):
        with pytest.raises(IndexOutOfRange):
            f(x, [5000])
        np.testing.assert_array_equal(f(x, [4999])[1], [4999])
        assert held in (None, pinned())
        held = pinned()


def test_a_value_that_comes_from_one_device_and_goes_to_another() -> None:
    m = T.fmatrix("m")
    factor = T.slinalg.cholesky((T.dot(m, m.T)).transfer("cuda0").transfer("cpu"))
    f = st.function([m], [(factor * 2).transfer("cuda1").transfer("cpu"), T.exp(m).transfer("cuda0").transfer("cpu")])
    a = np.eye(3, dtype="float32") + 0.5
    np.testing.assert_allclose(f(a)[0], 2 * np.linalg.cholesky(a @ a.T), rtol=1e-5)
    np.testing.assert_allclose(f(a)[1], np.exp(a), rtol=1e-6)


def test_threads_share_the_way() -> None:
    def work(number: int) -> None:
        f = st.function([X], [X + number, X[:7] * number], device=f"cuda{number % 2}")
        for size in (5, 3 * PIECE, 1000):
            x = np.full(size, number, "float32")
            for _ in range(3):
                first, second = f(x)
                assert (first == 2 * number).all() and (second == number * number).all()

    in_threads(4, work)
