"""Branches in the virtual machine: Programs built by hand of which one side runs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plan import Failed, Plan

from symtensor.lower.program import (
    Branch,
    Buffer,
    BufferKind,
    Check,
    Copy,
    Launch,
    Loop,
    LoopRow,
    Program,
    Resize,
    Side,
    SizeCode,
)


class BranchPlan(Plan):
    """A Plan with branches, and with lives for all buffers that have one."""

    def branch(self, condition: int, then: Callable[[], Any], otherwise: Callable[[], Any],
               outputs: Sequence[int] = (), checks: tuple[Sequence[int], Sequence[int]] = ((), ())) -> int:
        """A Branch whose sides' instructions two functions add; its number."""
        place = len(self.instructions)
        self.instructions.append(Branch(condition, Side(0), Side(0), tuple(outputs)))
        ends = [(side(), len(self.instructions))[1] for side in (then, otherwise)]
        self.instructions[place] = Branch(condition, *(Side(end, tuple(own)) for end, own in zip(ends, checks)),
                                          tuple(outputs))
        return place

    def program(self, returned: int | None = None) -> Program:
        made = super().program(returned)
        return replace(made, buffers=[self._with_life(n, b, made) for n, b in enumerate(made.buffers)])

    def _with_life(self, number: int, buffer: Buffer, program: Program) -> Buffer:
        """From the first instruction that names a buffer to the last, which may be in a side."""
        uses = [n for n, i in enumerate(program.instructions) if number in self._uses(i) or number in _named(i)
                or any(self.buffers[other].kind is BufferKind.ALIAS and self.buffers[other].source == number
                       for other in self._uses(i))]
        if buffer.kind not in (BufferKind.ARENA, BufferKind.ALIAS, BufferKind.MOVING) or not uses:
            return buffer
        return replace(buffer, first=min(uses), last=max(uses))


def _named(instruction: Any) -> tuple[int, ...]:
    if isinstance(instruction, Branch):
        return (instruction.condition, *instruction.outputs)
    if isinstance(instruction, Loop):
        return tuple(buffer for row in instruction.rows for buffer in (row.own, row.source))
    return ()


def chosen(steps: tuple[int, int] = (1, 2)) -> tuple[BranchPlan, Any]:
    """(c, x) -> x -> 2 x + 1 so many times for each side, the last time into the result."""
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    shape = plan.buffers[x].shape
    y = plan.output(shape)

    def side(count: int) -> None:
        last = x
        for number in range(count):
            made = y if number == count - 1 else plan.arena(shape)
            plan.launch("affine", [last, made])
            last = made

    plan.branch(c, lambda: side(steps[0]), lambda: side(steps[1]), [y])
    return plan, plan.function()


# -- what runs --------------------------------------------------------------------------------------------

def test_one_side_runs() -> None:
    plan, f = chosen()
    for _ in range(3):
        np.testing.assert_array_equal(f(True, np.ones(3)), [3, 3, 3])
        np.testing.assert_array_equal(f(False, np.ones(2)), [7, 7])
    f.profile = True
    f(True, np.ones(3))
    branch, then, first, second = f.timings
    assert then > 0 and branch == first == second == 0
    f.profile = True
    f(False, np.ones(3))
    branch, then, first, second = f.timings
    assert first > 0 and second > 0 and branch == then == 0


def test_a_side_without_instructions() -> None:
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    y = plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, y])
    plan.branch(c, lambda: None, lambda: plan.launch("affine", [x, y]), [y])
    plan.branch(c, lambda: None, lambda: None)
    f = plan.function()
    assert f(True, np.ones(1)) == f(False, np.ones(1)) == [3]


def test_branches_in_branches() -> None:
    plan = BranchPlan()
    conditions = [plan.argument(0, "bool") for _ in range(3)]
    x = plan.argument()
    y = plan.output(plan.buffers[x].shape)

    def level(number: int, value: float) -> None:
        if number == 3:
            plan.launch("add", [x, plan.constant([value]), y], plan.size(1))
        else:
            plan.branch(conditions[number], lambda: level(number + 1, value + 2 ** number),
                        lambda: level(number + 1, value), [y])

    level(0, 0.0)
    f = plan.function()
    for number in range(8):
        truths = [bool(number & 2 ** bit) for bit in range(3)]
        assert f(*truths, np.zeros(1)) == [number]


def test_failures_in_a_side_name_the_instruction() -> None:
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    y = plan.output(plan.buffers[x].shape)
    plan.branch(c, lambda: plan.launch("affine", [x, y]),
                lambda: (plan.launch("affine", [x, y]), plan.launch("status", [y], plan.size(1), [plan.size(5)])), [y])
    f = plan.function()
    f(True, np.ones(1))
    with pytest.raises(Failed) as caught:
        f(False, np.ones(1))
    assert caught.value.args[:2] == ("kernel", 3) and caught.value.args[2][:2] == (5, None)


def test_python_in_a_side() -> None:
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    y, calls = plan.output(plan.buffers[x].shape), []
    t = plan.arena(plan.buffers[x].shape)
    plan.branch(c, lambda: (plan.call(lambda v: (calls.append(1), (v + 1,))[1], [x], [t]),
                            plan.launch("affine", [t, y])), lambda: plan.launch("affine", [x, y]), [y])
    f = plan.function()
    assert f(False, np.ones(1)) == [3] and not calls
    assert f(True, np.ones(1)) == [5] and len(calls) == 1


def test_exceptions_in_a_side_leave_the_function_whole() -> None:
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    y = plan.output(plan.buffers[x].shape)

    def raises(v: np.ndarray) -> Any:
        raise LookupError("no")

    plan.branch(c, lambda: plan.call(raises, [x], [y]), lambda: plan.launch("affine", [x, y]), [y])
    f = plan.function()
    for _ in range(2):
        with pytest.raises(LookupError, match="no"):
            f(True, np.ones(1))
        assert f(False, np.ones(1)) == [3]


def test_large_work_in_a_side() -> None:
    plan, f = chosen((2, 1))
    x = np.arange(100000.0)
    np.testing.assert_array_equal(f(True, x), 4 * x + 3)
    np.testing.assert_array_equal(f(False, x), 2 * x + 1)


# -- in loops ---------------------------------------------------------------------------------------------

def rows_with_a_branch(python: bool = False) -> Any:
    """(truths, rows) -> each row once or, where the truth is false, twice 2 x + 1."""
    plan = BranchPlan()
    truths, rows = plan.argument(1, "bool"), plan.argument(2)
    shape = plan.buffers[rows].shape
    made = plan.output(shape)
    plan.instructions.append(None)
    first = len(plan.buffers)
    own = [plan.buffer(BufferKind.MOVING, first, "bool", ()), plan.buffer(BufferKind.MOVING, first + 1, "float64",
                                                                         shape[1:]),
           plan.buffer(BufferKind.MOVING, made, "float64", shape[1:])]
    t = plan.arena(shape[1:])

    def twice() -> None:
        if python:
            plan.call(lambda v: (2 * v + 1,), [own[1]], [t])
        else:
            plan.launch("affine", [own[1], t])
        plan.launch("affine", [t, own[2]])

    plan.branch(own[0], lambda: plan.launch("affine", [own[1], own[2]]), twice, [own[2]])
    rows_given = tuple(LoopRow(one, source, written=source == made) for one, source in zip(own, (truths, rows, made)))
    plan.instructions[0] = Loop(len(plan.instructions), shape[0], False, rows_given, ())
    return plan.function()


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("columns", [1, 3, 20000])
def test_a_branch_in_the_steps_of_a_loop(columns: int, python: bool) -> None:
    f = rows_with_a_branch(python)
    truths, rows = np.array([True, False, False, True]), np.random.default_rng(0).normal(size=(4, columns))
    for given in (truths, ~truths, truths):
        np.testing.assert_array_equal(f(given, rows), np.where(given[:, None], 2 * rows + 1, 2 * (2 * rows + 1) + 1))


# -- memory and sizes of a side ---------------------------------------------------------------------------

def of_sizes(make: Callable[[BranchPlan, int], int]) -> Any:
    """(c, n) -> 1 if c holds, through a buffer of the size that `make` makes of n; else 2."""
    plan = BranchPlan()
    c, n = plan.argument(0, "bool"), plan.argument(0, "int64")
    size = make(plan, plan.sizes.add(SizeCode.INPUT_VALUE, n))
    y, t = plan.output((), "int64"), plan.arena((size,), "int64")
    plan.branch(c, lambda: (plan.launch("number", [t], plan.size(0), [plan.size(0)]),
                            plan.launch("number", [y], plan.size(1), [plan.size(1)])),
                lambda: plan.launch("number", [y], plan.size(1), [plan.size(2)]), [y])
    return plan.function()


@pytest.mark.parametrize("make, good, bad, kind", [
    (lambda plan, n: n, 3, -1, "negative"), (lambda plan, n: n, 3, 2 ** 62, "overflow"),
    (lambda plan, n: n, 3, 2 ** 55, "memory"),
    (lambda plan, n: plan.sizes.add(SizeCode.FLOORDIV, plan.size(-4), n), -2, 2, "negative")])
def test_impossible_sizes_of_the_side_not_taken(make: Any, good: int, bad: int, kind: str) -> None:
    f = of_sizes(make)
    for _ in range(2):
        assert f(False, bad) == 2 and f(True, good) == 1 and f(False, good) == 2
        with pytest.raises(Failed) as caught:
            f(True, bad)
        assert caught.value.args[0] == kind


def test_checks_of_the_side_taken() -> None:
    plan = BranchPlan()
    c, x, z = plan.argument(0, "bool"), plan.argument(), plan.argument()
    y = plan.output(plan.buffers[x].shape)
    plan.checks.append(Check(plan.dim(1), plan.dim(2), 0))
    plan.branch(c, lambda: plan.launch("add", [x, z, y]), lambda: plan.launch("affine", [x, y]), [y], ((0,), ()))
    f = plan.function()
    for _ in range(2):
        assert list(f(True, np.ones(2), np.ones(2))) == [2, 2]
        assert list(f(False, np.ones(2), np.ones(3))) == [3, 3]
        with pytest.raises(Failed) as caught:
            f(True, np.ones(2), np.ones(3))
        assert caught.value.args == ("size", 0, (2, 3))


def test_sides_share_memory() -> None:
    plan, f = chosen((5, 5))
    roots = (1000,)
    alone = BranchPlan()
    x = alone.argument()
    shape = alone.buffers[x].shape
    values = [x, *(alone.arena(shape) for _ in range(4)), alone.output(shape)]
    for source, target in zip(values, values[1:]):
        alone.launch("affine", [source, target])
    assert f.peak_bytes(roots) == alone.function().peak_bytes(roots)
    x = np.ones(1000)
    f(True, x), f(False, x)
    assert f.workspace_bytes == f.peak_bytes(roots) - 8000


def test_peak_bytes_without_a_side_that_cannot_be_taken() -> None:
    f = of_sizes(lambda plan, n: n)
    assert f.peak_bytes((-1,)) == 8
    assert f.peak_bytes((1000,)) == 8008


def test_memory_of_a_side_moves_and_the_other_finds_it() -> None:
    plan, f = chosen((3, 2))
    for size in (1, 1000, 10, 100000, 1000):
        for truth, expected in ((True, 15), (False, 7), (True, 15)):
            assert (f(truth, np.ones(size)) == expected).all()


# -- sizes that data tells --------------------------------------------------------------------------------

def positives() -> Any:
    """(c, x) -> 2 y + 1 for y the positive elements of x, or x itself."""
    plan = BranchPlan()
    c, x = plan.argument(0, "bool"), plan.argument()
    found, result = plan.dynamic(), plan.dynamic()

    def then() -> None:
        plan.call(lambda v: (v[v > 0],), [x], [found])
        (shape,) = plan.resize(found)
        t = plan.arena(shape)
        plan.launch("affine", [found, t])
        plan.instructions.append(Copy(t, result))

    def otherwise() -> None:
        t = plan.arena(plan.buffers[x].shape)
        plan.launch("affine", [x, t])
        plan.instructions.append(Copy(t, result))

    plan.branch(c, then, otherwise, [result])
    (shape,) = plan.resize(result)
    y = plan.output(shape)
    plan.launch("affine", [result, y])
    plan.results.append(result)
    return plan.function("list")


def test_a_side_makes_an_array_of_its_own_size() -> None:
    f = positives()
    rng = np.random.default_rng(1)
    for size in (5, 5, 0, 100, 5):
        x = rng.normal(size=size)
        for truth in (True, False, True):
            y, result = f(truth, x)
            expected = 2 * (x[x > 0] if truth else x) + 1
            np.testing.assert_array_equal(result, expected)
            np.testing.assert_array_equal(y, 2 * expected + 1)


# -- programs that are not sound --------------------------------------------------------------------------

def unsound(change: Callable[[BranchPlan], Any]) -> None:
    plan, _ = chosen()
    program = change(plan)
    plan.machine(program if isinstance(program, Program) else plan.program())


def with_branch(**fields: Any) -> Callable[[BranchPlan], None]:
    def change(plan: BranchPlan) -> None:
        plan.instructions[0] = replace(plan.instructions[0], **fields)
    return change


def _made_in_one_side(plan: BranchPlan) -> None:
    made = plan.dynamic()
    plan.branch(0, lambda: plan.call(lambda: (), [], [made]), lambda: None)
    plan.call(lambda v: (), [made], [])


def _size_of_a_side(plan: BranchPlan) -> None:
    number = plan.constant(1, "int64")
    plan.branch(0, lambda: plan.instructions.append(Resize((plan.sizes.read(SizeCode.DATA_VALUE, number),))),
                lambda: None)
    plan.launch("affine", [1, 2], len(plan.sizes.entries) - 1)


def _size_of_both_sides(plan: BranchPlan) -> None:
    number = plan.constant(1, "int64")
    sizes = [plan.sizes.read(SizeCode.DATA_VALUE, number) for _ in range(2)]
    plan.branch(0, lambda: plan.instructions.append(Resize((sizes[0],))),
                lambda: plan.instructions.append(Resize((sizes[1],))))
    plan.sizes.add(SizeCode.ADD, *sizes)


def _buffer_of_the_other_side(plan: BranchPlan) -> Program:
    program = plan.program()
    t = next(n for n, b in enumerate(program.buffers) if b.kind is BufferKind.ARENA)
    launch = program.instructions[1]
    assert isinstance(launch, Launch)
    return replace(program, instructions=[program.instructions[0], replace(launch, buffers=(t, 2)),
                                          *program.instructions[2:]])


UNSOUND = {
    "a condition that is no bool": with_branch(condition=1),
    "an unknown condition": with_branch(condition=99),
    "a side that ends before it begins": with_branch(then=Side(0)),
    "sides that overlap": with_branch(otherwise=Side(1)),
    "a side that ends after the program": with_branch(otherwise=Side(5)),
    "an output that is an argument": with_branch(outputs=(1,)),
    "an unknown check": with_branch(then=Side(2, (0,))),
    "no side": with_branch(then=None),
    "a branch that ends after the one around it": lambda plan: plan.instructions.__setitem__(
        1, Branch(0, Side(2), Side(3))),
    "made in one side": _made_in_one_side,
    "a size of one side after the branch": _size_of_a_side,
    "a size made of sizes of both sides": _size_of_both_sides,
    "a buffer that lives in the other side": _buffer_of_the_other_side,
}


@pytest.mark.parametrize("name", list(UNSOUND))
def test_unsound_branches_are_refused(name: str) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        unsound(UNSOUND[name])
    gc.collect()


def test_a_branch_ends_within_its_loop() -> None:
    plan, _ = chosen()
    plan.instructions.insert(0, Loop(3, plan.size(1), False, (), ()))
    plan.instructions[1] = Branch(0, Side(3), Side(5), (2,))
    with pytest.raises(ValueError, match="ends after the loop around it"):
        plan.machine(plan.program())
