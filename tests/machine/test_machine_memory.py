"""The virtual machine on programs built by hand: memory: the arena."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan import Failed, Plan, affine_steps

from symtensor.lower.program import BufferKind, Copy, SizeCode


def chain_bytes(steps: int, shape: Callable[[Plan, int], Sequence[int]]) -> int:
    """What the ARENA buffers of a chain of steps take."""
    plan = Plan()
    x = plan.argument()
    for number in range(steps):
        y = plan.arena(shape(plan, number))
        plan.launch("affine", [x, y], plan.size(0))
        x = y
    return int(plan.function(None).peak_bytes([8]))


def test_packing() -> None:
    assert chain_bytes(1000, lambda plan, i: [plan.dim(0)]) == 2 * 64
    assert chain_bytes(1000, lambda plan, i: [plan.size(1000 * (1 + i % 2))]) <= 8 * 3000 + 128
    assert chain_bytes(200, lambda plan, i: [plan.size(8 * (i + 1))]) <= 64 * 1.6 * (199 + 200)
    assert chain_bytes(3, lambda plan, i: [plan.size(0)]) == 0


def test_packing_of_many_buffers() -> None:
    plan, generator = Plan(), np.random.default_rng(0)
    plan.argument()
    alive: list[int] = []
    for _ in range(10000):
        y = plan.arena([plan.size(int(generator.integers(1, 5000)))])
        used = [alive.pop(int(generator.integers(len(alive)))) for _ in range(len(alive) > 500)]
        plan.launch("affine", [*used, y], plan.size(0))
        alive.append(y)
    assert plan.function(None).peak_bytes([1]) < 600 * 5000 * 8


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25),
       st.lists(st.integers(0, 30), min_size=3, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_random_programs(steps: list[tuple[int, int, int]], lengths: list[int], random: Any) -> None:
    """Adds and doublings of buffers of three lengths: what lives at the same time never overlaps."""
    plan = Plan()
    buffers = [(plan.argument(), group) for group in range(3)]
    values = [np.arange(n, dtype=float) + group for group, n in enumerate(lengths)]
    arguments = [v.copy() for v in values]
    for kind, first, second in steps:
        x, group = buffers[-1 - first % len(buffers)]
        same = [i for i, (_, other) in enumerate(buffers) if other == group]
        i, j = len(buffers) - 1 - first % len(buffers), same[-1 - second % len(same)]
        shape = plan.buffers[x].shape
        out = plan.output(shape) if random.random() < 0.2 else plan.arena(shape)
        plan.launch(*(("add", [x, buffers[j][0], out]) if kind % 2 else ("affine", [x, out])))
        buffers.append((out, group))
        values.append(values[i] + values[j] if kind % 2 else 2 * values[i] + 1)
    plan.results.append(buffers[-1][0])
    f = plan.function("list")
    expected = {number: value for (number, _), value in zip(buffers, values, strict=True)}
    for _ in range(2):
        for number, result in zip(plan.results, f(*arguments), strict=True):
            np.testing.assert_array_equal(result, expected[number])


def test_arena_buffers_are_aligned() -> None:
    plan = Plan()
    x, outs = plan.argument(), []
    for extra in range(4):
        t = plan.arena([plan.sizes.add(SizeCode.ADD, plan.dim(0), plan.size(extra))])
        outs.append(plan.output((), "int64"))
        plan.launch("aligned", [t, outs[-1]])
    plan.instructions.append(Copy(x, x))
    with pytest.raises(ValueError, match="must not be written"):
        plan.function("list")
    plan.instructions.pop()
    assert plan.function("list")(np.ones(3)) == [0, 0, 0, 0]


def test_alias() -> None:
    plan = Plan()
    x = plan.argument(2)
    t = plan.arena(plan.buffers[x].shape)
    n = plan.product(plan.buffers[x].shape)
    flat = plan.buffer(BufferKind.ALIAS, t, "float64", [n])
    part = plan.buffer(BufferKind.ALIAS, flat, "float64", [plan.size(2)])
    given = plan.buffer(BufferKind.ALIAS, x, "float64", [n])
    plan.launch("affine", [given, flat])
    plan.launch("affine", [part, plan.output([plan.size(2)])])
    plan.call(lambda a, b: (a + b,), [part, part], [plan.output([plan.size(2)])])
    plan.results.append(given)
    f = plan.function("list")
    y, z, w = f(np.ones((2, 2)))
    assert (y.tolist(), z.tolist(), w.tolist()) == ([7, 7], [6, 6], [1, 1, 1, 1])
    with pytest.raises(RuntimeError, match="larger than the buffer it is an alias of"):
        f(np.ones((1, 1)))


def test_large_arena_shrinks() -> None:
    f = affine_steps(3)
    f(np.ones(10**7))
    assert f.workspace_bytes >= 8 * 10**7
    for _ in range(20):
        f(np.ones(10))
    assert f.workspace_bytes < 1000
    f(np.ones(10**6))
    for _ in range(20):
        f(np.ones(10))
    assert f.workspace_bytes >= 8 * 10**6            # not worth giving up
    f.release()
    assert f.workspace_bytes == 0
    assert f(np.ones(2)).tolist() == [15, 15]


def test_peak_bytes() -> None:
    f = affine_steps(3)
    assert [tuple(r) for r in f.machine.roots] == [(SizeCode.INPUT_DIM, 0, 0)]
    assert f.peak_bytes([8]) == 3 * 64 and f.peak_bytes((1000,)) == 2 * 8000 + 8000
    with pytest.raises(Failed, match="overflow"):
        f.peak_bytes([2**62])
    with pytest.raises(Failed, match="negative"):
        f.peak_bytes([-1])
    for bad in ([], [1, 2], ["x"], 3):
        with pytest.raises((ValueError, TypeError)):
            f.peak_bytes(bad)
