"""The C runtime's loops: Programs built by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan

from symtensor.lower.program import Buffer, BufferKind, Copy, Loop, LoopCarry, LoopRow, SizeCode

HERE = Path(__file__).parent


class LoopPlan(Plan):
    """A Program with loops under construction."""

    def moving(self, shape: Sequence[int] = (), source: int | None = None, dtype: str = "float64") -> int:
        """A buffer that moves; what steps make of it is in rows of `source`."""
        return self.buffer(BufferKind.MOVING, len(self.buffers) if source is None else source, dtype, shape)

    @contextmanager
    def loop(self, steps: int, rows: Sequence[LoopRow] = (), carries: Sequence[LoopCarry] = (), **more: Any
             ) -> Iterator[None]:
        """A Loop over the instructions that are added inside."""
        place = len(self.instructions)
        self.instructions.append(None)
        yield
        self.instructions[place] = Loop(len(self.instructions), steps, more.pop("backwards", False), tuple(rows),
                                        tuple(carries), **more)

    def _uses(self, instruction: Any) -> list[int]:
        if not isinstance(instruction, Loop):
            return super()._uses(instruction)
        carried = [b for c in instruction.carries for b in (c.first, c.new, c.final, *c.spares)]
        return [row.source for row in instruction.rows] + carried + [*instruction.stop, *instruction.count]

    def _with_lives(self, instructions: Sequence[Any]) -> list[Buffer]:
        """All that loops use lives as long as the outermost of them."""
        buffers = super()._with_lives(instructions)
        for place, loop in reversed(list(enumerate(instructions))):
            if not isinstance(loop, Loop):
                continue
            for number, buffer in enumerate(buffers):
                if buffer.kind is BufferKind.ARENA and buffer.first < loop.end and buffer.last >= place:
                    first, last = min(buffer.first, place), max(buffer.last, loop.end - 1)
                    buffers[number] = replace(buffer, first=first, last=last)
            for number in (*(row.own for row in loop.rows), *(carry.own for carry in loop.carries)):
                buffers[number] = replace(buffers[number], first=place, last=loop.end - 1)
        return buffers


def rows_plan(backwards: bool = False) -> LoopPlan:
    """x -> 2 x + 1, row by row."""
    plan = LoopPlan()
    x = plan.argument(2)
    y = plan.output(plan.buffers[x].shape)
    given, made = plan.moving([plan.dim(0, 1)]), plan.moving([plan.dim(0, 1)], y)
    with plan.loop(plan.dim(0, 0), [LoopRow(given, x), LoopRow(made, y, True)], backwards=backwards):
        plan.launch("affine", [given, made])
    return plan


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (0, 3), (4, 0)])
def test_rows(backwards: bool, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(rows_plan(backwards).function()(x), 2 * x + 1)


def sums_plan(backwards: bool = False, stop: str = "", spares: int = 1) -> LoopPlan:
    """start, x -> start + x[0] + x[1] ..., the sums before that, and the number of steps."""
    plan = LoopPlan()
    start, x = plan.argument(0), plan.argument()
    last, sums, count = plan.output(), plan.output([plan.dim(1)]), plan.output((), "int64")
    own, given, made = plan.moving(), plan.moving(), plan.moving((), sums)
    new, more = plan.arena(), [plan.arena() for _ in range(spares)]
    enough = [plan.arena((), "bool")] if stop else []
    with plan.loop(plan.dim(1), [LoopRow(given, x), LoopRow(made, sums, True)],
                   [LoopCarry(own, start, new, last, tuple(more))], backwards=backwards, stop=tuple(enough),
                   count=(count,)):
        plan.launch("add", [own, given, new])
        plan.instructions.append(Copy(new, made))
        if stop:
            plan.launch(stop, [new, enough[0]])
    return plan


@pytest.mark.parametrize("spares", [1, 2, 3])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_carries(steps: int, backwards: bool, spares: int) -> None:
    x = np.arange(1.0, steps + 1)
    last, sums, count = sums_plan(backwards, spares=spares).function("list")(10.0, x)
    expected = 10 + np.cumsum(x[::-1])[::-1] if backwards else 10 + np.cumsum(x)
    assert last == 10 + x.sum() and count == steps
    np.testing.assert_array_equal(sums, expected)


def test_a_loop_ends_when_its_condition_holds() -> None:
    f = sums_plan(stop="over_ten").function("list")
    last, sums, count = f(0.0, np.array([4.0, 4.0, 4.0, 4.0]))
    assert (last, sums.tolist(), count) == (12, [4, 8, 12, 0], 3)
    last, sums, count = f(0.0, np.array([4.0, 4.0]))
    assert (last, sums.tolist(), count) == (8, [4, 8], 2)


def test_carries_that_change_places() -> None:
    """1, 1, 2, 3, 5, ...: the value before is handed on without a copy."""
    plan = LoopPlan()
    n = plan.argument(0, "int64")
    first, steps = plan.constant(1.0), plan.sizes.add(SizeCode.INPUT_VALUE, n)
    own, before, new = plan.moving(), plan.moving(), plan.arena()
    last, ahead = plan.output(), plan.output()
    with plan.loop(steps, (), [LoopCarry(own, first, new, ahead, (plan.arena(), plan.arena())),
                               LoopCarry(before, first, own, last)]):
        plan.launch("add", [own, before, new])
    f = plan.function("list")
    assert [[int(v) for v in f(np.int64(steps))] for steps in (0, 1, 2, 3, 8)] == [
        [1, 1], [1, 2], [2, 3], [3, 5], [34, 55]]


def test_loops_in_loops() -> None:
    """The sums of rows, each by a loop over its elements."""
    plan = LoopPlan()
    x = plan.argument(2)
    rows, columns = plan.dim(0, 0), plan.dim(0, 1)
    sums, zero = plan.output([rows]), plan.constant(0.0)
    row, made, own, element = plan.moving([columns]), plan.moving((), sums), plan.moving(), plan.moving()
    new, spare = plan.arena(), plan.arena()
    with (plan.loop(rows, [LoopRow(row, x), LoopRow(made, sums, True)]),
          plan.loop(columns, [LoopRow(element, row)], [LoopCarry(own, zero, new, made, (spare,))])):
        plan.launch("add", [own, element, new])
    f = plan.function()
    for shape in ((3, 4), (2, 1), (3, 0), (0, 2)):
        x = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_allclose(f(x), x.sum(axis=1), rtol=1e-15, atol=1e-15)


def test_a_failing_step_says_which() -> None:
    plan = LoopPlan()
    x = plan.argument()
    row = plan.moving()
    with plan.loop(plan.dim(0), [LoopRow(row, x)]):
        plan.launch("negative", [row], plan.size(1))
    plan.results.append(x)
    f = plan.function()
    assert f([1.0, 2.0]).tolist() == [1, 2]
    with pytest.raises(Failed) as caught:
        f([1.0, 2.0, -3.0, -4.0])
    kind, instruction, (status, step, _) = caught.value.args
    assert (kind, instruction, status, step) == ("kernel", 1, 7, 2)


INTERRUPTED = """
import os, signal, sys, threading
sys.path.insert(0, {here!r})
import numpy as np, ctypes
from test_machine_loops import LoopPlan, LoopCarry, SizeCode
LoopPlan.library = ctypes.CDLL({library!r})
plan = LoopPlan()
n = plan.argument(0, "int64")
own, new = plan.moving(), plan.arena()
with plan.loop(plan.sizes.add(SizeCode.INPUT_VALUE, n), (), [LoopCarry(own, plan.constant(0.0), new, plan.output(),
                                                                      (plan.arena(),))]):
    plan.launch("affine", [own, new])
f = plan.function()
assert f(np.int64(3)) == 7
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    f(np.int64(10**15))
except KeyboardInterrupt:
    print("interrupted", f(np.int64(3)))
"""


def test_ctrl_c_ends_a_loop() -> None:
    """Of some ten million years: that it ends says that it was looked for signals."""
    program = INTERRUPTED.format(here=str(HERE), library=Plan.library._name)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert run.stdout == "interrupted 7.0\n", run.stderr


# Loops that cannot be right.

def with_loop(**fields: Any) -> Any:
    """The program with its Loop changed."""
    return lambda program: replace(program, instructions=[replace(program.instructions[0], **fields),
                                                          *program.instructions[1:]])


def with_more(*instructions: Any) -> Any:
    return lambda program: replace(program, instructions=[*program.instructions, *instructions])


@pytest.mark.parametrize("change, message", [
    (with_loop(end=9), "end is 9"),
    (with_loop(end=0), "end: is before the loop"),
    (with_loop(steps=99), "steps is 99"),
    (with_loop(rows=(LoopRow(0, 0),)), "buffer 0 does not move"),
    (with_loop(rows=(LoopRow(2, 0), LoopRow(3, 0, True))), "buffer 0 must not be written"),
    (with_loop(rows=(LoopRow(2, 0), LoopRow(3, 1))), "may not be written, but says where it is"),
    (with_loop(count=(1, 1)), "is more than one buffer"),
    (with_more(Copy(2, 1)), "is used outside its life"),
    (lambda program: replace(program, instructions=[program.instructions[0], Copy(1, 2)]), "must not be written"),
])
def test_unsound_loops(change: Any, message: str) -> None:
    plan = rows_plan()
    with pytest.raises(ValueError, match=message):
        plan.machine(change(plan.program()))


def test_rows_that_are_not_there() -> None:
    plan = rows_plan()
    plan.instructions[0] = replace(plan.instructions[0], steps=plan.size(4))
    with pytest.raises(RuntimeError, match="is a Loop for more than its buffers hold"):
        plan.function()(np.ones((3, 2)))
