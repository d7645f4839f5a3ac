"""The virtual machine on programs built by hand: checks, failures, sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan import Failed, Plan, affine_steps

from symtensor.lower.program import Check, SizeCode
from symtensor.runtime.core import core


@pytest.mark.parametrize("compare, good, bad", [("eq", [(3, 3), (0, 0)], [(3, 4), (1, 3)]),
                                                ("le", [(3, 3), (2, 3)], [(4, 3)])])
def test_checks(compare: str, good: list[tuple[int, int]], bad: list[tuple[int, int]]) -> None:
    plan = Plan()
    plan.argument(), plan.argument()
    plan.checks = [Check(plan.dim(0), plan.dim(1), 0, compare)]
    f = plan.function(None)
    for _ in range(2):
        for left, right in good:
            f(np.ones(left), np.ones(right))
        for left, right in bad:
            with pytest.raises(Failed) as failure:
                f(np.ones(left), np.ones(right))
            assert failure.value.args == ("size", 0, (left, right))


def test_missing_check_is_caught() -> None:
    """Arrays of other shapes than the program derived never reach a kernel."""
    plan = Plan()
    x, y = plan.argument(), plan.argument()
    plan.buffers[y] = replace(plan.buffers[y], shape=plan.buffers[x].shape)
    plan.launch("add", [x, y, plan.output(plan.buffers[x].shape)])
    f = plan.function()
    f(np.ones(3), np.ones(3))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="buffer 1 has another shape"):
            f(np.ones(3), np.ones(2))
    f(np.ones(3), np.ones(3))


def size_function(make: Callable[[Plan], int], **options: Any) -> Any:
    """A function of an int64 whose result has as many elements as the size `make` adds."""
    plan = Plan()
    plan.argument(0, "int64")
    number = make(plan)
    plan.launch("number", [plan.output((number,), "int64")], sizes=[number])
    return plan.function(**options)


@pytest.mark.parametrize("kind, value", [("negative", -2), ("overflow", 2**61), ("memory", 2**55)])
def test_impossible_sizes(kind: str, value: int) -> None:
    f = size_function(lambda plan: plan.sizes.add(SizeCode.INPUT_VALUE, 0))
    assert f(3).tolist() == [3, 4, 5]
    with pytest.raises(Failed) as failure:
        f(value)
    expected = {"negative": (1, -2), "overflow": (1, None), "memory": (0, 2**58)}[kind]
    assert failure.value.args == (kind, *expected)
    assert f(3).tolist() == [3, 4, 5]


def test_arena_too_large() -> None:
    plan = Plan()
    plan.argument(0, "int64")
    n = plan.sizes.add(SizeCode.INPUT_VALUE, 0)
    a, b = plan.arena((n,), "int64"), plan.arena((n,), "int64")
    plan.launch("number", [a, b], sizes=[n], units=plan.size(0))
    f = plan.function(None)
    with pytest.raises(Failed, match="memory"):
        f(2**53)
    f(10)
    assert f.workspace_bytes == 2 * 128


def test_a_fail_that_does_not_raise() -> None:
    f = size_function(lambda plan: plan.sizes.add(SizeCode.INPUT_VALUE, 0), fail=lambda *what: None)
    with pytest.raises(RuntimeError, match="negative 1"):
        f(-1)


@given(st.integers(-20, 20), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_size_arithmetic(a: int, b: int) -> None:
    meanings: dict[SizeCode, Callable[[int, int], int]] = {
        SizeCode.ADD: lambda a, b: a + b, SizeCode.MUL: lambda a, b: a * b,
        SizeCode.FLOORDIV: lambda a, b: a // b if b else 0, SizeCode.MOD: lambda a, b: a % b if b else 0,
        SizeCode.MIN: min, SizeCode.MAX: max}
    for code, meaning in meanings.items():
        plan = Plan()
        plan.argument(0, "int64"), plan.argument(0, "int16")
        left, right = plan.sizes.add(SizeCode.INPUT_VALUE, 0), plan.sizes.add(SizeCode.INPUT_VALUE, 1)
        value = plan.sizes.add(code, left, right)
        y = plan.output((), "int64")
        plan.launch("number", [y], sizes=[value])
        assert plan.function()(a, b) == meaning(a, b)


def test_size_arithmetic_stays_in_range() -> None:
    largest, smallest = 2**63 - 1, -2**63
    for code, a, b, expected in [
            (SizeCode.ADD, largest, 1, largest), (SizeCode.ADD, smallest, -1, smallest),
            (SizeCode.MUL, 2**40, 2**40, largest), (SizeCode.MUL, -2**40, 2**40, smallest),
            (SizeCode.FLOORDIV, smallest, -1, largest), (SizeCode.MOD, smallest, -1, 0)]:
        plan = Plan()
        value = plan.sizes.add(code, plan.size(a), plan.size(b))
        plan.launch("number", [plan.output((), "int64")], sizes=[value])
        assert plan.function()() == expected


@pytest.mark.parametrize("dtype, value, expected", [
    ("int8", -3, -3), ("uint8", 200, 200), ("int16", -300, -300), ("uint16", 60000, 60000), ("int32", -5, -5),
    ("uint32", 4 * 10**9, 4 * 10**9), ("uint64", 2**63, 2**63 - 1), ("bool", True, 1), ("int64", 7, 7)])
def test_values_as_sizes(dtype: str, value: int, expected: int) -> None:
    storage = core.Storage(np.array(value, dtype))
    plan = Plan()
    plan.argument(0, dtype), plan.shared(storage)
    sizes = [plan.sizes.add(SizeCode.INPUT_VALUE, 0), plan.sizes.add(SizeCode.SHARED_VALUE, 0)]
    for size in sizes:
        plan.launch("number", [plan.output((), "int64")], sizes=[size])
    assert [int(y) for y in plan.function("list")(np.array(value, dtype))] == [expected, expected]


def test_units() -> None:
    """No launch for zero units; one unit over nothing still runs."""
    plan = Plan()
    x, y = plan.argument(), plan.output()
    plan.launch("total", [x, y], plan.size(1), [plan.dim(0)])
    plan.launch("status", [x], plan.size(0), [plan.size(5)])
    plan.launch("status", [x], plan.size(-3), [plan.size(5)])
    f = plan.function()
    assert f(np.zeros(0)) == 0 and f(np.ones(3)) == 3


def test_bindings_are_remembered() -> None:
    f = affine_steps(3)
    for _ in range(3):
        for n in range(8):
            assert f(np.ones(n)).tolist() == [15] * n
    assert (f.bind_count, f.call_count) == (8, 24)
    for n in range(9):
        f(np.ones(n))
    assert f.bind_count == 9                     # the ninth took the place of the one used least recently
    f(np.ones(0))
    assert f.bind_count == 10
