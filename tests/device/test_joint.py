"""On a device, kernels that depend on each other in nothing are launched as one, and nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.runtime.cuda.devices as devices
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError
from symtensor.lower.program import Launch, Loop
from symtensor.testing.random_graphs import random_graph
from tests.training import METHODS, Perceptron


def launches(f: Any) -> list[Launch]:
    return [one for one in f.program.instructions if isinstance(one, Launch)]


@contextmanager
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each kernel is launched alone."""
    with monkeypatch.context() as patch, config.change(cache=False):
        patch.setattr(devices, "join", None)
        yield


def apart(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **more: Any) -> Any:
    """A function on a device with each kernel launched alone."""
    with alone(monkeypatch):
        return on_device(*arguments, **more)


def on_device(*arguments: Any, **more: Any) -> Any:
    """A function on a device."""
    return st.function(*arguments, device="cuda0", **more)


@pytest.mark.parametrize("method", METHODS)
def test_updates_are_one_launch(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.random((16, 30), dtype="float32"), rng.integers(0, 10, 16).astype("int32")
    joint, other = Perceptron(method), Perceptron(method)
    f = joint.step(device="cuda0")
    with alone(monkeypatch):
        g = other.step(device="cuda0")
    assert len(launches(f)) < len(launches(g))
    for _ in range(3):
        assert f(images, labels) == g(images, labels)
    for own, value in zip(joint.state, other.state, strict=True):
        np.testing.assert_array_equal(own.get_value(), value.get_value())


def test_sizes_may_differ_and_be_zero() -> None:
    x, y, z = T.dvectors("x", "y", "z")
    f = on_device([x, y, z], [value.transfer("cuda0") for value in (T.exp(x), T.exp(y), z * 2)])
    assert len(launches(f)) == 1
    for lengths in ((3, 5, 7), (0, 100, 0), (1000, 0, 64), (0, 0, 0), (4000, 8000, 9001)):
        arrays = [np.linspace(-1, 1, n) for n in lengths]
        results = [np.exp(arrays[0]), np.exp(arrays[1]), arrays[2] * 2]
        for found, wanted in zip(map(np.asarray, f(*arrays)), results, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_what_is_read_keeps_its_order() -> None:
    a, b = st.shared(np.full(3, 2.0), "a"), st.shared(np.full(5, 3.0), "b")
    f = on_device([], [a * 10, b * 10], updates=[(a, a + b.sum()), (b, b + a.sum())])
    for found, wanted in zip(f(), [[20.0] * 3, [30.0] * 5], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert a.get_value().tolist() == [17.0] * 3 and b.get_value().tolist() == [9.0] * 5


def test_a_launch_does_not_wait_with_more_memory_than_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [T.dmatrix(f"x{n}") for n in range(6)]
    arguments = inputs, [T.exp(T.dot(x, x))[0] for x in inputs]
    f, g = on_device(*arguments), apart(monkeypatch, *arguments)
    sizes = {x.name: (100, 100) for x in inputs}
    assert f.peak_bytes(sizes) == g.peak_bytes(sizes) and len(launches(f)) == len(launches(g))


def test_launches_in_the_steps_of_a_loop_are_joined_there() -> None:
    a, b = T.dmatrices("a", "b")

    def step(a: Any, b: Any) -> Any:
        return T.tanh(T.dot(a, a)), T.tanh(T.dot(b, b)) + 1
    (left, right), _ = st.scan(step, outputs_info=[a, b], n_steps=20)
    f = on_device([a, b], [left, right])
    (loop,) = (one for one in f.program.instructions if isinstance(one, Loop))
    always = [launch for launch in launches(f) if not launch.sometimes]  # others divide long products
    assert loop.end <= len(f.program.instructions) and len(always) == 3  # two products, and one of both
    x, y = np.eye(2) * 0.5, np.full((3, 3), 0.1)
    for row, other in zip(*f(x, y), strict=True):
        x, y = np.tanh(x @ x), np.tanh(y @ y) + 1
        np.testing.assert_allclose(row, x, rtol=1e-12)
        np.testing.assert_allclose(other, y, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_compute_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(random.Random(1000 + seed), steps=30)
    try:
        f = on_device(graph.inputs, graph.outputs, on_unused_input="ignore")
    except ShapeError:
        return
    g = apart(monkeypatch, graph.inputs, graph.outputs, on_unused_input="ignore")
    try:
        wanted = g(*graph.values)
    except ShapeError:
        with pytest.raises(ShapeError):
            f(*graph.values)
        return
    for found, value in zip(f(*graph.values), wanted, strict=True):
        np.testing.assert_array_equal(found, value)
