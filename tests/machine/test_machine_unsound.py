"""The virtual machine on programs built by hand: programs that are not sound."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from plan import Plan, broken, set_at

from symtensor.lower.program import BufferKind, Call, Check, Copy, Resize, SizeCode
from symtensor.runtime.core import core

UNSOUND = {
    "unknown buffer": set_at("instructions", 0, buffers=(0, 3)),
    "negative buffer": set_at("instructions", 0, buffers=(-1, 1)),
    "no number": set_at("instructions", 0, buffers=("a",)),
    "unknown kernel": set_at("instructions", 0, kernel=1),
    "unknown size": set_at("instructions", 0, units=99),
    "huge number": set_at("instructions", 0, units=2**70),
    "unknown instruction": lambda plan: plan.instructions.append("jump"),
    "unknown dtype kind": set_at("buffers", 1, dtype="M8[s]"),
    "foreign byte order": set_at("buffers", 1, dtype=">f8"),
    "long double": set_at("buffers", 1, dtype="longdouble"),
    "life outside": set_at("buffers", 1, last=2),
    "life backwards": set_at("buffers", 1, first=1, last=0),
    "used after its life": set_at("buffers", 1, last=0),
    "used before its life": set_at("buffers", 1, first=1),
    "unknown argument": set_at("buffers", 0, source=1),
    "argument of another dtype": set_at("buffers", 0, dtype="float32"),
    "argument of another rank": set_at("buffers", 0, shape=()),
    "unknown kind": set_at("buffers", 0, kind=7),
    "output of another result": set_at("buffers", 2, source=1),
    "two outputs of one result": lambda plan: plan.buffer(BufferKind.OUTPUT, 0, "float64", ()),
    "alias of a later buffer": lambda plan: plan.buffer(BufferKind.ALIAS, 5, "float64", ()),
    "rank too high": lambda plan: plan.buffer(BufferKind.INPUT, 0, "float64", [0] * 100),
    "constant missing": lambda plan: plan.buffer(BufferKind.CONSTANT, 0, "float64", ()),
    "dynamic never made": lambda plan: plan.launch("affine", [0, plan.dynamic()], plan.size(1)),
    "unknown result": lambda plan: plan.results.append(9),
    "too many returned": lambda plan: plan.program(returned=2),
    "update of no storage": lambda plan: plan.updates.append((0, 0)),
    "update not a pair": lambda plan: plan.updates.append((0,)),
    "written but no storage": lambda plan: plan.written.append(0),
    "axis out of range": lambda plan: plan.dim(0, 1),
    "value of a vector": lambda plan: plan.sizes.add(SizeCode.INPUT_VALUE, 0),
    "data before any Resize": lambda plan: plan.sizes.add(SizeCode.DATA_VALUE, 2),
    "size of later sizes": lambda plan: plan.sizes.add(SizeCode.ADD, 0, 99),
    "unknown code": lambda plan: plan.sizes.entries.append((14, 0, 0)),
    "entry not a triple": lambda plan: plan.sizes.entries.append((0, 0)),
    "check of an unknown size": lambda plan: plan.checks.append(Check(0, 99, 0)),
    "unknown comparison": lambda plan: plan.checks.append(Check(0, 0, 0, "lt")),
    "unknown callable": lambda plan: plan.instructions.append(Call(0, (), ())),
    "unknown routine": lambda plan: plan.routine("gemv", (0, 0), [2], (0, 0, 0, 0), (0, 0, 0, 0)),
    "routine of too few buffers": lambda plan: plan.routine("gemm", (0,), [2], (0, 0, 0, 0), (0, 0, 0, 0)),
    "routine of too few sizes": lambda plan: plan.routine("gemm", (0, 0), [2], (0, 0, 0), (0, 0, 0, 0)),
    "routine of too few flags": lambda plan: plan.routine("gemm", (0, 0), [2], (0, 0, 0, 0), (0, 0, 0)),
    "routine of integers": lambda plan: plan.routine("gemm", [plan.argument(0, "int64")] * 2, [2], (0, 0, 0, 0),
                                                     (0, 0, 0, 0)),
    "routine of two dtypes": lambda plan: plan.routine("gemm", (0, plan.argument(0, "float32")), [2], (0, 0, 0, 0),
                                                       (0, 0, 0, 0)),
    "routine that writes an argument": lambda plan: plan.routine("gemm", (0, 0), [0], (0, 0, 0, 0), (0, 0, 0, 0)),
    "write to an argument": lambda plan: plan.instructions.append(Copy(2, 0)),
    "resize of what is known": lambda plan: plan.instructions.append(Resize((0,))),
    "resize of an unknown size": lambda plan: replace(plan.program(), instructions=[Resize((99,))]),
    "size read twice": lambda plan: plan.instructions.extend(
        [Resize((plan.sizes.read(SizeCode.DATA_VALUE, plan.constant(1, "int64")),))] * 2),
}


@pytest.mark.parametrize("name", list(UNSOUND))
def test_unsound_programs_are_refused(name: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        broken(UNSOUND[name])()
    gc.collect()


def test_sizes_not_known_yet_are_refused() -> None:
    plan = Plan()
    x, found = plan.argument(), plan.dynamic()
    y = plan.output((plan.dim(0),))
    plan.call(lambda x: (x,), [x], [found])
    (shape,) = plan.resize(found)
    plan.launch("affine", [found, y], shape[0])
    plan.instructions = [plan.instructions[0], plan.instructions[2], plan.instructions[1]]
    with pytest.raises(ValueError, match="not known yet"):
        plan.function()


def test_other_constructor_errors() -> None:
    plan = Plan()
    plan.shared(core.Storage(np.ones(1)))
    program = plan.program()
    with pytest.raises(ValueError, match="1 storages"):
        core.Machine(program, [], [], [])
    with pytest.raises(TypeError, match="not a Storage"):
        core.Machine(program, [], [3], [])
    with pytest.raises(TypeError, match="not callable"):
        core.Machine(program, [], plan.storages, [3])
    with pytest.raises(ValueError, match="same object"):
        storages = [program.storages[0]] * 2
        core.Machine(replace(program, storages=storages), [], plan.storages * 2, [])
    with pytest.raises(AttributeError):
        core.Machine(None, [], [], [])
    with pytest.raises(TypeError):
        core.Function(None, None, None, None)
    with pytest.raises(TypeError):
        core.Function.__new__(core.Function)
