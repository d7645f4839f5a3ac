"""The virtual machine on programs built by hand: the Function object."""

from __future__ import annotations

import gc
import os
import sys
import time
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan, affine, affine_steps, broken, fail, positives, set_at

from symtensor.runtime.core import core


def test_profile() -> None:
    plan = Plan()
    x = plan.argument()
    t, y = plan.arena(plan.buffers[x].shape), plan.output(plan.buffers[x].shape)
    plan.launch("slow_affine", [x, t])
    plan.call(lambda t: (time.sleep(0.002), (t,))[1], [t], [y])
    f = plan.function()
    f(np.ones(3))
    assert f.profile is False and f.timings == [0, 0]
    f.profile = True
    f(np.ones(3))
    first = f.timings
    assert first[0] > 4e6 and first[1] > 1e6
    f(np.ones(3))
    assert f.timings[0] > first[0]
    f.profile = False
    before = f.timings
    f(np.ones(3))
    assert f.timings == before
    f.profile = True
    assert f.timings == [0, 0]


def test_subclass_is_a_function_too() -> None:
    class Named(core.Function):
        def __init__(self, *args: Any) -> None:
            self.name = "f"

    class Counted(Named):
        calls = 0

        def __call__(self, *args: Any) -> Any:
            self.calls += 1
            return super().__call__(*args)

    machine = affine().machine
    f = Named(machine, None, fail, "single")
    assert f(np.ones(1)) == 3 and f.name == "f" and weakref.ref(f)() is f
    g = Counted(machine, None, fail, "single")
    assert g(np.ones(1)) == 3 and g.calls == 1


def test_cycles_are_collected() -> None:
    class Owner:
        pass

    def make() -> Any:
        owner = Owner()
        plan = Plan()
        x = plan.argument()
        plan.call(lambda x: (owner, (x,))[1], [x], [plan.output(plan.buffers[x].shape)])
        owner.function = plan.function(convert=lambda args, keywords: owner)
        owner.function(np.ones(3))
        return weakref.ref(owner)

    reference = make()
    gc.collect()
    assert reference() is None


def used_memory() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_no_leaks() -> None:
    storage = core.Storage(np.zeros(1000))
    plan = Plan()
    x, s, found = plan.argument(), plan.shared(storage), plan.dynamic()
    shape = plan.buffers[x].shape
    t, y, z = plan.arena(shape), plan.output(shape), plan.output(plan.buffers[s].shape)
    plan.launch("affine", [x, t])
    plan.call(lambda t: (t, t[t > 50]), [t], [y, found])
    plan.launch("affine", [s, z])
    (size,) = plan.resize(found)
    plan.launch("affine", [found, plan.arena(size)])
    plan.results.append(found)
    plan.updates = [(1, 0)]
    f, failing = plan.function("list"), positives(lambda x: None)
    raised = [lambda: failing(np.ones(3)), lambda: f(np.ones((2, 2))), lambda: f(), lambda: f("x"),
              lambda: broken(set_at("buffers", 1, last=2))()]

    def everything() -> None:
        for n in (10, 100, 1000):
            f(np.arange(float(n)))
            f(np.arange(n))
            f.peak_bytes([n, n, n])
        for one in raised:
            with pytest.raises((Failed, TypeError, ValueError)):
                one()
        affine_steps(5)(np.ones(1000))

    tracemalloc.start()
    for _ in range(100):
        everything()
    traced, used = tracemalloc.get_traced_memory()[0], used_memory()
    for _ in range(1000):
        everything()
    assert used_memory() - used < 3_000_000
    assert tracemalloc.get_traced_memory()[0] - traced < 48 * 1000
    tracemalloc.stop()


def test_references_are_balanced() -> None:
    plan = Plan()
    x = plan.argument()
    storage = core.Storage(np.ones(1))
    s = plan.shared(storage)
    plan.call(lambda x, s: (x + s,), [x, s], [plan.output(plan.buffers[x].shape)])
    f = plan.function()
    given = np.ones(3)
    watched = [given, storage.array, storage, f, np.dtype("float64"), plan.callables[0], f.machine]
    f(given)
    before = [sys.getrefcount(o) for o in watched]
    for _ in range(100):
        f(given)
    assert [sys.getrefcount(o) for o in watched] == before
