"""The virtual machine on programs built by hand: storages, and arrays used again."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan, affine

from symtensor.lower.program import SizeCode
from symtensor.runtime.core import core


def in_place(storage: Any) -> Any:
    """storage <- 2 x + 1 written in place."""
    plan = Plan()
    x, s = plan.argument(), plan.shared(storage)
    plan.written = [0]
    plan.launch("affine", [x, s])
    return plan.function(None)


def test_storage() -> None:
    storage = core.Storage(np.ones(3))
    assert storage.array.tolist() == [1, 1, 1]
    storage.array = np.zeros((2, 2), "float32")
    assert storage.array.shape == (2, 2)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    for bad in ([1.0], 3.0, None, np.ones((4, 4)).T, frozen, np.ones(3, ">f8"), np.ones(3).view(np.recarray)):
        with pytest.raises(TypeError, match="a Storage holds"):
            storage.array = bad
        with pytest.raises(TypeError):
            core.Storage(bad)
    with pytest.raises(TypeError):
        del storage.array


def test_storage_of_another_type_is_refused() -> None:
    storage = core.Storage(np.ones(3))
    f = in_place(storage)
    storage.array = np.ones(3, "float32")
    with pytest.raises(TypeError, match="storage 0 holds"):
        f(np.ones(3))
    storage.array = np.ones(3)
    f(np.ones(3))
    assert storage.array.tolist() == [3, 3, 3]


def test_in_place_write() -> None:
    storage = core.Storage(np.zeros(3))
    address = storage.array.ctypes.data
    in_place(storage)(np.ones(3))
    assert storage.array.tolist() == [3, 3, 3] and storage.array.ctypes.data == address


@pytest.mark.parametrize("hold", [lambda a: a, lambda a: a[1:], lambda a: memoryview(a)])
def test_in_place_write_is_seen_by_nobody_else(hold: Callable[[np.ndarray], Any]) -> None:
    storage = core.Storage(np.zeros(3))
    held = hold(storage.array)
    in_place(storage)(np.ones(3))
    assert storage.array.tolist() == [3, 3, 3] and set(np.asarray(held).tolist()) == {0}


def test_argument_that_is_the_storage_written() -> None:
    plan = Plan()
    storage = core.Storage(np.arange(4.0))
    x, s = plan.argument(), plan.shared(storage)
    plan.written = [0]
    out = plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, s])
    plan.launch("affine", [x, out])        # must still see the argument as it was
    y = plan.function()(storage.array)
    assert y.tolist() == storage.array.tolist() == [1, 3, 5, 7]


def test_two_storages_with_one_array() -> None:
    array = np.arange(3.0)
    one, other = core.Storage(array), core.Storage(array)
    plan = Plan()
    a, b = plan.shared(one), plan.shared(other)
    plan.written = [0]
    plan.launch("affine", [b, a])
    plan.launch("affine", [b, plan.output(plan.buffers[b].shape)])
    assert plan.function()().tolist() == one.array.tolist() == [1, 3, 5]
    assert other.array.tolist() == array.tolist() == [0, 1, 2]


def step(storage: Any, kernel: str = "affine", wrap: Any = None, returned: int = 0) -> Any:
    """storage <- 2 storage + 1, as an update."""
    plan = Plan()
    s = plan.shared(storage)
    plan.launch(kernel, [s, plan.output(plan.buffers[s].shape)])
    plan.updates = [(0, 0)]
    return plan.function(wrap, returned=returned)


def test_updates_alternate_between_two_arrays() -> None:
    storage = core.Storage(np.zeros(1000))
    f = step(storage)
    addresses = []
    for expected in (1, 3, 7, 15, 31, 63):
        assert f() is None and (storage.array == expected).all()
        addresses.append(storage.array.ctypes.data)
    assert len(set(addresses)) == 2


def test_update_leaves_arrays_somebody_holds() -> None:
    storage = core.Storage(np.zeros(10))
    f, seen = step(storage), []
    for _ in range(5):
        seen.append(storage.array)
        f()
    assert [a[0] for a in seen] == [0, 1, 3, 7, 15]


def test_returned_update_is_another_array() -> None:
    storage = core.Storage(np.zeros(10))
    f = step(storage, wrap="single", returned=1)
    for expected in (1, 3, 7):
        y = f()
        assert y is not storage.array and not np.shares_memory(y, storage.array)
        assert (y == expected).all() and (storage.array == expected).all()
        y[:] = -1
        assert (storage.array == expected).all()


def test_updates_are_simultaneous() -> None:
    one, other = core.Storage(np.array([1.0])), core.Storage(np.array([2.0]))
    plan = Plan()
    a, b = plan.shared(one), plan.shared(other)
    plan.launch("affine", [b, plan.output(plan.buffers[b].shape)])
    plan.launch("affine", [a, plan.output(plan.buffers[a].shape)])
    plan.updates = [(0, 0), (1, 1)]
    f = plan.function(None, returned=0)
    f()
    assert (one.array[0], other.array[0]) == (5, 3)
    f()
    assert (one.array[0], other.array[0]) == (7, 11)


def test_one_result_may_update_two_storages() -> None:
    one, other = core.Storage(np.ones(2)), core.Storage(np.zeros(2))
    plan = Plan()
    a = plan.shared(one)
    plan.shared(other)
    plan.launch("affine", [a, plan.output(plan.buffers[a].shape)])
    plan.updates = [(0, 0), (0, 1)]
    f = plan.function(None, returned=0)
    for _ in range(3):
        f()
        assert one.array.tolist() == other.array.tolist() and not np.shares_memory(one.array, other.array)


def test_failed_call_updates_nothing() -> None:
    storage = core.Storage(np.zeros(3))
    plan = Plan()
    s, x = plan.shared(storage), plan.argument(0, "int64")
    plan.launch("affine", [s, plan.output(plan.buffers[s].shape)])
    plan.launch("status", [x], plan.size(1), [plan.sizes.add(SizeCode.INPUT_VALUE, 0)])
    plan.updates = [(0, 0)]
    f = plan.function(None, returned=0)
    with pytest.raises(Failed) as failure:
        f(4)
    kind, number, (status, step, (given, stored)) = failure.value.args
    assert (kind, number, status, step, given) == ("kernel", 1, 4, None, 4)
    assert stored is storage.array and (stored == 0).all()
    f(0)
    assert (storage.array == 1).all()


def test_results_that_are_copied_out() -> None:
    """A result in an argument, a storage, a constant, an ARENA buffer, and twice the same one."""
    storage = core.Storage(np.array([5.0]))
    plan = Plan()
    x, s, c = plan.argument(), plan.shared(storage), plan.constant([7.0])
    t = plan.arena(plan.buffers[x].shape)
    y = plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, t])
    plan.launch("affine", [t, y])
    plan.results += [x, s, c, t, y]
    given = np.array([1.0])
    f = plan.function("list")
    for _ in range(2):
        results = f(given)
        assert [r.tolist() for r in results] == [[7], [1], [5], [7], [3], [7]]
        for one, other in itertools.combinations([*results, given, storage.array, plan.constants[0]], 2):
            assert not np.shares_memory(one, other)


def test_recycling() -> None:
    f, x = affine(), np.ones(1000)
    address = f(x).ctypes.data
    assert f(x).ctypes.data == address
    kept = [f(x * i) for i in range(50)]
    assert [a[0] for a in kept] == [2 * i + 1 for i in range(50)]
    addresses = set()
    for _ in range(20):
        y = f(x)
        addresses.add(y.ctypes.data)
    assert len(addresses) == 2           # the loop holds one while the next is computed


@pytest.mark.parametrize("hold", [lambda y: y[2:], memoryview, lambda y: y.T, lambda y: y.reshape(2, 2),
                                  lambda y: {"a": y}])
def test_held_results_are_not_recycled(hold: Callable[[np.ndarray], Any]) -> None:
    f = affine()
    held = hold(f(np.ones(4)))
    for i in range(5):
        f(np.full(4, float(i)))
    assert set(np.asarray(held["a"] if isinstance(held, dict) else held).ravel().tolist()) == {3}


def test_changed_results_are_not_recycled() -> None:
    f = affine()
    for change in (lambda y: y.setflags(write=False), lambda y: y.resize((7,), refcheck=False),
                   lambda y: setattr(y, "shape", (2, 2)), lambda y: setattr(y, "dtype", "int64")):
        change(f(np.ones(4)))
        y = f(np.ones(4))
        assert y.tolist() == [3, 3, 3, 3] and y.dtype == "float64" and y.flags.writeable
    y = f(np.ones(4))
    reference = weakref.ref(y)
    del y
    f(np.zeros(4))
    assert reference() is None or reference().tolist() == [3, 3, 3, 3]


def test_recycling_can_be_turned_off() -> None:
    f, x = affine(), np.ones(10)
    assert f.recycle is True
    f.recycle = False
    y = f(x)
    assert sys.getrefcount(y) == 2
    f.recycle = True
    y = f(x)
    assert sys.getrefcount(y) == 3
    f.release()
    assert sys.getrefcount(y) == 2
