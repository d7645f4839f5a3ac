"""The virtual machine on programs built by hand: calls of Python, and sizes that depend on data."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan, positives

from symtensor.lower.program import BufferKind, Check, SizeCode
from symtensor.runtime.core import core


def test_call_with_arena_and_output_buffers() -> None:
    plan = Plan()
    x = plan.argument()
    shape = plan.buffers[x].shape
    a, b, y = plan.arena(shape), plan.arena(shape), plan.output(shape)
    plan.launch("affine", [x, a])
    plan.call(lambda a, x: (a * 10,), [a, x], [b])
    plan.call(lambda b: (b[::-1],), [b], [y])      # not contiguous, and over the input's memory
    f = plan.function()
    for _ in range(3):
        assert f(np.arange(3.0)).tolist() == [50, 30, 10]


def test_arrays_a_callable_keeps_stay_valid() -> None:
    plan, kept = Plan(), []
    x = plan.argument()
    a, y = plan.arena(plan.buffers[x].shape), plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, a])
    plan.call(lambda a: (kept.append(a), (a,))[1], [a], [y])
    f = plan.function()
    f(np.ones(100))
    f.release()
    f(np.ones(10**6))
    del f
    gc.collect()
    assert kept[0].sum() == 300 and kept[1].sum() == 3 * 10**6


def test_call_of_scalars() -> None:
    plan = Plan()
    x, y = plan.argument(0), plan.output()
    plan.call(lambda x: (x + np.float64(1),), [x], [y])
    f = plan.function()
    assert f(2.0) == 3 and f(np.array(5.0)) == 6


def test_call_writes_storage_in_place() -> None:
    storage = core.Storage(np.zeros(3))
    plan = Plan()
    s = plan.shared(storage)
    plan.written = [0]
    plan.call(lambda s: (s + 1,), [s], [s])
    f = plan.function(None)
    f()
    f()
    assert storage.array.tolist() == [2, 2, 2]


@pytest.mark.parametrize("answer, what", [
    ((np.ones(3, "float32"),), "dtype"), ((np.ones(4),), "shape"), ((np.ones((3, 1)),), "rank"),
    (([1, 2, 3],), "dtype"), ((None,), "dtype"),
    ((), "tuple"), ([np.ones(3)], "tuple"), (None, "tuple"), ((np.ones(3), np.ones(3)), "tuple")])
def test_call_must_return_what_was_promised(answer: Any, what: str) -> None:
    plan = Plan()
    x, y = plan.argument(), plan.output([plan.size(3)])
    plan.call(lambda x: answer, [x], [y])
    f = plan.function()
    with pytest.raises(Failed) as failure:
        f(np.ones(2))
    kind, index, (position, text) = failure.value.args
    assert (kind, index, position) == ("call", 0, -1 if what == "tuple" else 0) and what in text


def test_sizes_that_depend_on_data() -> None:
    f = positives()
    for values in ([1, -1, 2], [-1], [], [3, 4, 5, 6, 7], [-1, 2], [1, 1, -1, -1]):
        x = np.array(values, float)
        doubled, found = f(x)
        assert found.tolist() == [v for v in values if v > 0] and doubled.tolist() == [2 * v + 1 for v in found]


def test_dynamic_results_are_made_fit() -> None:
    """Cast within their kind, made contiguous, and copied when somebody else could change them."""
    kept = np.array([1.0, 2.0, 3.0])
    for pick in (lambda x: x, lambda x: kept, lambda x: kept[::-1], lambda x: np.array([3, 2], "int32"),
                 lambda x: np.array([3, 2], "float32"), lambda x: [1.0, 2.0],
                 lambda x: np.array([1.0]).view(np.recarray)):
        x = np.array([5.0, 6.0])
        expected = np.asarray(pick(x), "float64").tolist()
        doubled, found = positives(pick)(x)
        assert found.tolist() == expected and found.flags.c_contiguous and type(found) is np.ndarray
        assert doubled.tolist() == [2 * v + 1 for v in expected]
        assert not np.shares_memory(found, x) and not np.shares_memory(found, kept)
    for pick, what in ((lambda x: 1j * x, "dtype"), (lambda x: np.ones((2, 2)), "rank"), (lambda x: None, "rank"),
                       (lambda x: ["a"], "dtype")):
        with pytest.raises(Failed) as failure:
            positives(pick)(np.ones(2))
        assert failure.value.args[:2] == ("call", 0) and what in failure.value.args[2][1]


def test_a_fresh_dynamic_result_is_not_copied() -> None:
    made = []

    def pick(x: np.ndarray) -> np.ndarray:
        y = x + 1
        made.append(y.ctypes.data)
        return y

    assert positives(pick)(np.ones(100))[1].ctypes.data == made[0]


def test_a_dynamic_result_in_a_tuple_somebody_keeps_is_copied() -> None:
    plan, kept = Plan(), (np.array([1.0, 2.0]),)
    found = plan.dynamic()
    plan.call(lambda: kept, [], [found])
    plan.resize(found)
    plan.results.append(found)
    y = plan.function()()
    y[:] = 7
    assert kept[0].tolist() == [1, 2]


def test_data_value_read_from_a_kernel() -> None:
    """A count made by one kernel is the size of what the next one makes; two segments after one another."""
    plan = Plan()
    x = plan.argument()
    count, again = plan.arena((), "int64"), plan.arena((), "int64")
    n = plan.dim(0)
    plan.launch("count_positive", [x, count], plan.size(1), [n])
    plan.resize()
    size = plan.sizes.add(SizeCode.DATA_VALUE, count, 0)
    kept = plan.arena((size,))
    plan.launch("keep_positive", [x, kept], plan.size(1), [n])
    plan.launch("count_positive", [kept, again], plan.size(1), [size])
    plan.resize()
    double = plan.sizes.add(SizeCode.MUL, plan.sizes.add(SizeCode.DATA_VALUE, again, 0), plan.size(2))
    y, z = plan.output((double,), "int64"), plan.output((size,))
    plan.launch("number", [y], double, [double])
    plan.launch("affine", [kept, z])
    f = plan.function("list")
    for values in ([1, -1, 2], [1, -1, 2], [-1, -1], [1, 2, 3, 4, 5], [-3, 5]):
        positive = [v for v in values if v > 0]
        y, z = f(np.array(values, float))
        assert z.tolist() == [2 * v + 1 for v in positive]
        assert y.tolist() == list(range(2 * len(positive), 4 * len(positive)))


def test_checks_of_a_later_segment() -> None:
    plan = Plan()
    x, found = plan.argument(), plan.dynamic()
    plan.call(lambda x: (x[x > 0],), [x], [found])
    (shape,) = plan.resize(found)
    plan.checks = [Check(shape[0], plan.size(2), 0, "le")]
    plan.launch("affine", [found, plan.output(shape)])
    f = plan.function()
    assert f(np.array([1.0, 2, -3])).tolist() == [3, 5]
    for _ in range(2):
        with pytest.raises(Failed) as failure:
            f(np.array([1.0, 2, 3]))
        assert failure.value.args == ("size", 0, (3, 2))
    assert f(np.array([1.0, 2, -3])).tolist() == [3, 5]


def test_dynamic_shape_that_disagrees_with_the_program() -> None:
    """A DYNAMIC buffer whose shape is known before: a defect of the op that made it."""
    plan = Plan()
    x = plan.argument()
    found = plan.buffer(BufferKind.DYNAMIC, 0, "float64", plan.buffers[x].shape)
    plan.call(lambda x: (x[1:].copy(),), [x], [found])
    plan.launch("affine", [found, plan.output(plan.buffers[x].shape)])
    with pytest.raises(Failed, match="shape"):
        plan.function()(np.ones(3))


def test_exceptions_in_calls() -> None:
    storage, raising = core.Storage(np.zeros(2)), []

    def callable(s: np.ndarray) -> tuple[np.ndarray, ...]:
        if raising:
            raise raising[0]
        return (s + 1,)

    plan = Plan()
    s = plan.shared(storage)
    plan.call(callable, [s], [plan.output(plan.buffers[s].shape)])
    plan.updates = [(0, 0)]
    f = plan.function(None, returned=0)
    for exception in (ZeroDivisionError("x"), KeyboardInterrupt(), SystemExit(3)):
        raising[:] = [exception]
        with pytest.raises(type(exception)):
            f()
        raising.clear()
        before = storage.array[0]
        f()
        assert storage.array[0] == before + 1


def test_interrupt_during_a_call() -> None:
    plan = Plan()
    x = plan.argument()
    ended: list[bool] = []
    plan.call(lambda x: (os.kill(os.getpid(), 2), time.sleep(5), ended.append(True), (x,))[3], [x],
              [plan.output(plan.buffers[x].shape)])
    f = plan.function()
    with pytest.raises(KeyboardInterrupt):
        f(np.ones(2))
    assert not ended


def test_reentrant_calls() -> None:
    """Allowed for a pure function; an error, not a deadlock, for one with updates."""
    storage, depth = core.Storage(np.zeros(2)), []

    def again(f: Any) -> Callable[..., Any]:
        def callable(x: np.ndarray) -> tuple[np.ndarray]:
            if len(depth) == 2:
                return (x,)
            depth.append(1)
            return (f[0](x) if f[0].machine.roots[0][0] == SizeCode.INPUT_DIM else f[0](),)
        return callable

    plan, f = Plan(), []
    x = plan.argument()
    plan.call(again(f), [x], [plan.output(plan.buffers[x].shape)])
    f.append(plan.function())
    assert f[0](np.ones(3)).tolist() == [1, 1, 1] and len(depth) == 2
    depth.clear()
    plan, g = Plan(), []
    s = plan.shared(storage)
    plan.call(again(g), [s], [plan.output(plan.buffers[s].shape)])
    plan.updates = [(0, 0)]
    g.append(plan.function(None, returned=0))
    with pytest.raises(RuntimeError, match="called again"):
        g[0]()
    depth[:] = [1, 1]
    g[0]()


def test_reading_a_storage_being_written_in_place_is_an_error_inside_the_call() -> None:
    storage = core.Storage(np.zeros(2))
    reader = Plan()
    s = reader.shared(storage)
    reader.launch("affine", [s, reader.output(reader.buffers[s].shape)])
    read = reader.function()
    plan = Plan()
    s = plan.shared(storage)
    plan.written = [0]
    plan.call(lambda s: (read(),), [s], [s])
    with pytest.raises(RuntimeError, match="called again"):
        plan.function(None)()
    assert read().tolist() == [1, 1]
