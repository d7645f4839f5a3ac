"""The virtual machine on programs built by hand: threads, processes, interruptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan, affine_steps, run

from symtensor.lower.program import SizeCode
from symtensor.runtime.core import core
from tests.threads import in_threads


def test_work_is_divided() -> None:
    core.set_threads(2)
    assert core.get_threads() == 2
    plan = Plan()
    x = plan.argument()
    plan.launch("chunk", [plan.output(plan.buffers[x].shape, "int64")])
    f = plan.function()
    assert set(f(np.ones(19999))) == {0} and len(set(f(np.ones(30000)))) == 2
    core.set_threads(1)
    assert set(f(np.ones(30000))) == {0}
    core.set_threads(0)
    for bad in (-1, 10**6):
        with pytest.raises(ValueError):
            core.set_threads(bad)


def test_scratch_belongs_to_a_thread() -> None:
    core.set_threads(4)
    plan = Plan()
    x = plan.argument()
    plan.launch("through_scratch", [x, plan.output(plan.buffers[x].shape)], scratch=64)
    f = plan.function()
    for n in (0, 1, 7, 100, 100001):
        x = np.random.default_rng(n).integers(1000, size=n).astype(float)
        np.testing.assert_array_equal(f(x), 8 * x)
    core.set_threads(0)


def test_failure_in_one_chunk() -> None:
    core.set_threads(2)
    plan = Plan()
    x, y = plan.argument(), plan.argument(0, "int64")
    del y
    plan.launch("status_at", [x], plan.dim(0), [plan.sizes.add(SizeCode.INPUT_VALUE, 1)])
    f = plan.function(None)
    for place in (0, 49999, 99999):
        with pytest.raises(Failed) as failure:
            f(np.ones(100000), place)
        assert failure.value.args[:2] == ("kernel", 0) and failure.value.args[2][0] == 7
    f(np.ones(100000), -1)
    core.set_threads(0)


def test_concurrent_calls() -> None:
    f = affine_steps(4)

    def work(number: int) -> None:
        for i in range(60):
            n = 1 + (i * 7919 + number * 104729) % 50000
            assert (f(np.full(n, float(number))) == 16 * number + 15).all()

    in_threads(4, work)


def test_calls_run_side_by_side_unless_they_write() -> None:
    plan, storage = Plan(), core.Storage(np.ones(1))
    x = plan.argument()
    plan.launch("slow_affine", [x, plan.output(plan.buffers[x].shape)], work=plan.size(10**6))
    update = Plan()
    s = update.shared(storage)
    update.launch("slow_affine", [s, update.output([update.size(1)])], work=update.size(10**6))
    update.updates = [(0, 0)]
    f, g = plan.function(), update.function(None, returned=0)
    Plan.library.most_inside()
    in_threads(4, lambda number: [f(np.ones(1)) for _ in range(10)] and None)
    assert Plan.library.most_inside() > 1
    in_threads(4, lambda number: [g() for _ in range(5)] and None)
    assert Plan.library.most_inside() == 1 and storage.array[0] == 2.0**21 - 1


def test_concurrent_writes_are_one_after_the_other() -> None:
    """Of two functions that add 1 to one storage, one of them in place, no addition gets lost."""
    storage = core.Storage(np.zeros(30000))
    functions = [increment_update(storage), increment(storage)]

    def work(number: int) -> None:
        for _ in range(100):
            functions[number % 2]()

    in_threads(4, work)
    assert (storage.array == 400).all()


def increment(storage: Any) -> Any:
    """storage += 1 written in place"""
    plan = Plan()
    s, one = plan.shared(storage), plan.constant(np.ones(30000))
    plan.written = [0]
    plan.launch("add", [s, one, s])
    return plan.function(None)


def increment_update(storage: Any) -> Any:
    """storage += 1 as an update"""
    plan = Plan()
    s, one = plan.shared(storage), plan.constant(np.ones(30000))
    plan.launch("add", [s, one, plan.output(plan.buffers[s].shape)])
    plan.updates = [(0, 0)]
    return plan.function(None, returned=0)


def test_readers_never_see_half_an_update() -> None:
    storage = core.Storage(np.zeros(30000))
    write = increment(storage)
    plan = Plan()
    s = plan.shared(storage)
    plan.launch("affine", [s, plan.output(plan.buffers[s].shape)])
    read = plan.function()

    def work(number: int) -> None:
        for _ in range(200):
            if number == 0:
                write()
            elif number == 1:
                assert len(set(read())) == 1
            else:
                assert len(set(storage.array)) == 1

    in_threads(3, work)


def test_waiting_for_another_call_can_be_interrupted() -> None:
    code = """
        import ctypes, os, signal, threading
        import numpy as np
        from plan import Plan, core
        Plan.library = ctypes.CDLL(LIBRARY)
        storage = core.Storage(np.zeros(2))
        plan = Plan()
        s = plan.shared(storage)
        inside, leave = threading.Event(), threading.Event()
        plan.call(lambda s: (inside.set(), leave.wait(60), (s,))[2], [s], [plan.output(plan.buffers[s].shape)])
        plan.updates = [(0, 0)]
        f = plan.function(None, returned=0)
        other = threading.Thread(target=f, daemon=True)
        other.start()
        inside.wait()
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            f()
        except KeyboardInterrupt:
            print("interrupted", other.is_alive())
        leave.set()
        other.join()
    """
    assert run(code) == "interrupted True"


def test_fork_and_exit() -> None:
    """A child made after threads were used can use them too; leaving with calls in flight is harmless."""
    code = """
        import ctypes, os, threading
        import numpy as np
        from plan import Plan, affine, affine_steps, core, matmul
        from symtensor.runtime.core import load_library
        Plan.library = ctypes.CDLL(LIBRARY)
        core.set_threads(2)
        load_library("onednn")
        f, g, x = affine_steps(3), matmul("float32", False, False), np.ones(200000)
        a, one = np.ones((200, 200), "float32"), np.ones((), "float32")
        f(x), g(a, a, a, one, one)
        for _ in range(3):
            child = os.fork()
            assert (f(x) == 15).all() and (g(a, a, a, one, one) == 201).all()
            if child == 0:
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        slow = affine(kernel="slow_affine")
        for _ in range(3):
            threading.Thread(target=lambda: [slow(x) for _ in range(1000)], daemon=True).start()
        f(x)
        print("done")
    """
    assert run(code) == "done"
