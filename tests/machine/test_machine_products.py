"""The virtual machine on programs built by hand: matrix products, factors and solutions by library routines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan, matmul, random

from symtensor.lower.program import Copy
from symtensor.runtime.core import core, load_library

ROUTINES = {"none": (), "blas": ("sgemm", "dgemm", "cgemm", "zgemm"), "vector": ("sgemv", "dgemv"),
            "all": ("sgemm", "dgemm", "cgemm", "zgemm", "sgemv", "dgemv", "dnnl_sgemm", "get_num_threads",
                    "set_num_threads")}


@pytest.fixture(params=list(ROUTINES))
def routines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Only some library routines known."""
    addresses = {**load_library("blas"), **load_library("onednn")}
    for name in addresses:
        core.set_library(name, addresses[name] if name in ROUTINES[request.param] else 0)
    yield request.param
    for name, address in addresses.items():
        core.set_library(name, address)


def check_product(f: Any, dtype: str, batch: tuple[int, ...], m: int, n: int, k: int, alpha: float, beta: float,
                  transpose_a: bool, transpose_b: bool, shared_b: bool = False) -> None:
    a = random((*batch, *((k, m) if transpose_a else (m, k))), dtype, 1)
    b = random((*(() if shared_b else batch), *((n, k) if transpose_b else (k, n))), dtype, 2)
    c = random((*batch, m, n), dtype, 3) if beta else np.full((*batch, m, n), np.nan, dtype)
    product = (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)
    expected = alpha * product + (beta * c if beta else 0)
    result = f(a, b, c, np.array(alpha, dtype), np.array(beta, dtype))
    tolerance = 1e-4 if dtype in ("float32", "complex64") else 1e-11
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * max(k, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_gemm(routines: str, dtype: str, transposes: tuple[bool, bool]) -> None:
    f = matmul(dtype, *transposes)
    for m, n, k in [(3, 4, 5), (1, 4, 5), (4, 1, 5), (1, 1, 5), (1, 1, 1), (0, 4, 5), (4, 0, 5), (3, 4, 0), (1, 4, 0),
                    (33, 17, 50)]:
        for alpha, beta in [(1, 0), (1, 1), (-0.5, 2), (0, 0.5)]:
            check_product(f, dtype, (), m, n, k, alpha, beta, *transposes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_large_gemm_on_two_threads(routines: str, dtype: str, transposes: tuple[bool, bool]) -> None:
    if routines == "none":
        pytest.skip("slow")
    core.set_threads(2)
    f = matmul(dtype, *transposes)
    for m, n, k in [(150, 90, 100), (90, 161, 100), (1, 1500, 1100), (1500, 1, 1100), (17, 1, 80000), (1, 17, 80000),
                    (1, 1, 10**6)]:
        check_product(f, dtype, (), m, n, k, 0.5, 0, *transposes)
        check_product(f, dtype, (), m, n, k, 0.5, 1, *transposes)
    core.set_threads(0)


@pytest.mark.parametrize("shared_b", [False, True])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_batched_gemm(routines: str, transposes: tuple[bool, bool], shared_b: bool) -> None:
    core.set_threads(2)
    f = matmul("float64", *transposes, batched=True, shared_b=shared_b)
    for batch, m, n, k in [(1, 3, 4, 5), (7, 3, 4, 5), (500, 2, 3, 4), (0, 3, 4, 5), (5, 3, 1, 4), (5, 3, 4, 0)]:
        check_product(f, "float64", (batch,), m, n, k, 2, 0, *transposes, shared_b)
        check_product(f, "float64", (batch,), m, n, k, 2, 1, *transposes, shared_b)
    core.set_threads(0)


@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_a_product_has_the_same_bits_on_one_thread_and_on_two(transposes: tuple[bool, bool]) -> None:
    load_library("onednn")
    f = matmul("float32", *transposes)
    for m, n, k in [(16, 500, 784), (20, 800, 200), (128, 500, 784), (784, 500, 128), (500, 30, 784), (3000, 10, 100)]:
        a = random((k, m) if transposes[0] else (m, k), "float32", 1)
        b = random((n, k) if transposes[1] else (k, n), "float32", 2)
        results = []
        for threads in (1, 2):
            core.set_threads(threads)
            results.append(f(a, b, np.zeros((m, n), "float32"), np.float32(1), np.float32(0)).copy())
        core.set_threads(0)
        assert (results[0] == results[1]).all(), (m, n, k)


def test_a_product_larger_than_its_buffers_is_refused() -> None:
    plan = Plan()
    a, b = plan.argument(2), plan.argument(2)
    (m, k), (_, n) = plan.buffers[a].shape, plan.buffers[b].shape
    plan.routine("gemm", (a, b), [plan.output((m, n))], (m, n, k, plan.size(1)), (False,) * 4)
    f = plan.function()
    with pytest.raises(RuntimeError, match="Routine for more than its buffers hold"):
        f(np.ones((2, 3)), np.ones((2, 2)))


def solution(name: str, flags: Sequence[int], dtype: str, scratch: bool = True) -> Any:
    """(a, b) -> x, for batches of matrices."""
    plan = Plan()
    a, b = plan.argument(3, dtype), plan.argument(3, dtype)
    batch, n, columns = plan.buffers[b].shape
    out = plan.output(plan.buffers[b].shape, dtype)
    plan.instructions.append(Copy(b, out))
    plan.routine(name, [a], [out], (n, columns, batch), flags, 10**5 if scratch else 0)
    return plan.function()


@pytest.fixture
def lapack() -> None:
    load_library("blas")
    load_library("lapack")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch, n, columns", [(1, 1, 1), (3, 5, 2), (400, 12, 3), (0, 3, 2), (2, 0, 2), (2, 3, 0)])
def test_solve(lapack: None, dtype: str, batch: int, n: int, columns: int) -> None:
    core.set_threads(2)
    a = random((batch, n, n), dtype, 1) + 2 * n * np.eye(n, dtype=dtype)
    b = random((batch, n, columns), dtype, 2)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for transposed in (False, True):
        own = a.swapaxes(1, 2) if transposed else a
        np.testing.assert_allclose(own @ solution("solve", (transposed, False), dtype)(a, b), b, tolerance, tolerance)
        for lower in (False, True):
            part = (np.tril if lower else np.triu)(a)
            part = part.swapaxes(1, 2) if transposed else part
            x = solution("solve_triangular", (lower, transposed, False, False), dtype)(a, b)
            np.testing.assert_allclose(part @ x, b, tolerance, tolerance)
    core.set_threads(0)


def test_routines_that_give_up_say_which_instruction(lapack: None) -> None:
    singular, right = np.zeros((1, 2, 2)), np.ones((1, 2, 1))
    for name, flags in (("solve", (False, False)), ("solve_triangular", (True, False, False, False))):
        with pytest.raises(Failed) as caught:
            solution(name, flags, "float64")(singular, right)
        assert caught.value.args[:2] == ("kernel", 1)


@pytest.mark.parametrize("name", ["sort", "argsort", "select", "cumulate", "search"])
def test_rows_longer_than_their_buffers_are_refused(name: str) -> None:
    """Or more of them, or with too little scratch; what fits is computed."""
    flags = [] if name in ("sort", "argsort") else [0]
    for more, scratch, fits in [((0, 0, 0), 10**5, True), ((1, 0, 0), 10**5, False), ((0, 1, 0), 10**5, False),
                                ((0, 0, 1), 10**5, False), ((0, 0, 0), 0, name in ("cumulate", "search"))]:
        plan = Plan()
        x = plan.argument(1, "float32")
        n, one, two = plan.dim(0), plan.size(1), plan.size(2)
        outer, length, inner = [one, two][more[0]], plan.product([n, [one, two][more[1]]]), [one, two][more[2]]
        out = plan.output([n], "float32" if name in ("sort", "cumulate") else "int64")
        sizes = {"search": (length, plan.product([outer, n, inner])), "select": (outer, length, inner, n)}
        inputs = [x, x] if name == "search" else [x]
        plan.routine(name, inputs, [out], sizes.get(name, (outer, length, inner)), flags, scratch)
        f = plan.function()
        if fits:
            np.testing.assert_array_equal(f(np.float32([1, 2, 3])), {"sort": [1, 2, 3], "cumulate": [1, 3, 6]}.get(
                name, [0, 1, 2]))
        else:
            with pytest.raises(RuntimeError, match="more than its buffers hold"):
                f(np.float32([1, 2, 3]))


def test_too_little_scratch_is_refused(lapack: None) -> None:
    with pytest.raises(RuntimeError, match="more than its buffers hold"):
        solution("solve", (False, False), "float64", scratch=False)(np.ones((1, 2, 2)), np.ones((1, 2, 1)))
