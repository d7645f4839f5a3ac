"""Programs built by hand, for the tests of the virtual machine."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from symtensor.lower.program import (
    Argument,
    Buffer,
    BufferKind,
    Call,
    Check,
    Copy,
    Launch,
    Program,
    Resize,
    Routine,
    SizeCode,
    Sizes,
)
from symtensor.runtime.core import core

ROOT = Path(__file__).parents[2]


class Failed(Exception):
    """What the tests' `fail` raises: kind, number, data."""


def fail(kind: str, number: int, data: Any) -> None:
    if kind == "exception":
        raise data
    raise Failed(kind, number, data)


@dataclass
class ResizeFrom:
    """A Resize of all sizes that data tells from number `first` to that of the next."""

    first: int


class Plan:
    """A Program under construction. Methods that make a buffer return its number."""

    library: Any

    def __init__(self) -> None:
        self.sizes = Sizes()
        self.arguments: list[Argument] = []
        self.storages: list[Any] = []
        self.constants: list[np.ndarray] = []
        self.checks: list[Check] = []
        self.buffers: list[Buffer] = []
        self.instructions: list[Any] = []
        self.results: list[int] = []
        self.updates: list[tuple[int, int]] = []
        self.kernels: list[str] = []
        self.callables: list[Any] = []
        self.written: list[int] = []

    def size(self, value: int) -> int:
        return self.sizes.constant(value)

    def dim(self, argument: int, axis: int = 0) -> int:
        return self.sizes.add(SizeCode.INPUT_DIM, argument, axis)

    def product(self, shape: Sequence[int]) -> int:
        number = self.size(1)
        for size in shape:
            number = self.sizes.add(SizeCode.MUL, number, size)
        return number

    def buffer(self, kind: BufferKind, source: int, dtype: str, shape: Sequence[int]) -> int:
        self.buffers.append(Buffer(kind, source, dtype, tuple(shape)))
        return len(self.buffers) - 1

    def argument(self, ndim: int = 1, dtype: str = "float64") -> int:
        number = len(self.arguments)
        self.arguments.append(Argument(f"x{number}", dtype, ndim))
        return self.buffer(BufferKind.INPUT, number, dtype, [self.dim(number, axis) for axis in range(ndim)])

    def shared(self, storage: Any) -> int:
        number = len(self.storages)
        self.storages.append(storage)
        shape = [self.sizes.add(SizeCode.SHARED_DIM, number, axis) for axis in range(storage.array.ndim)]
        return self.buffer(BufferKind.SHARED, number, storage.array.dtype.name, shape)

    def constant(self, value: Any, dtype: str = "float64") -> int:
        self.constants.append(np.array(value, dtype))
        return self.buffer(BufferKind.CONSTANT, len(self.constants) - 1, dtype,
                           [self.size(n) for n in self.constants[-1].shape])

    def arena(self, shape: Sequence[int] = (), dtype: str = "float64") -> int:
        return self.buffer(BufferKind.ARENA, 0, dtype, shape)

    def output(self, shape: Sequence[int] = (), dtype: str = "float64") -> int:
        self.results.append(len(self.buffers))
        return self.buffer(BufferKind.OUTPUT, len(self.results) - 1, dtype, shape)

    def dynamic(self, dtype: str = "float64") -> int:
        """A DYNAMIC vector; `resize` gives it its shape."""
        return self.buffer(BufferKind.DYNAMIC, 0, dtype, ())

    def resize(self, *dynamic: int) -> list[tuple[int, ...]]:
        """A Resize for the sizes added from here on, first those of the DYNAMIC buffers; their shapes."""
        self.instructions.append(ResizeFrom(len(self.sizes.entries)))
        shapes = [(self.sizes.add(SizeCode.DATA_DIM, number, 0),) for number in dynamic]
        for number, shape in zip(dynamic, shapes, strict=True):
            self.buffers[number] = replace(self.buffers[number], shape=shape)
        return shapes

    def launch(self, kernel: str, buffers: Sequence[int], units: int | None = None, sizes: Sequence[int] = (),
               work: int | None = None, scratch: int = 0) -> None:
        if kernel not in self.kernels:
            self.kernels.append(kernel)
        units = self.product(self.buffers[buffers[-1]].shape) if units is None else units
        self.instructions.append(Launch(self.kernels.index(kernel), tuple(buffers), tuple(sizes), units,
                                        units if work is None else work, self.size(scratch)))

    def call(self, callable: Callable[..., Any], inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.callables.append(callable)
        self.instructions.append(Call(len(self.callables) - 1, tuple(inputs), tuple(outputs)))

    def routine(self, name: str, inputs: Sequence[int], outputs: Sequence[int], sizes: Sequence[int],
                flags: Sequence[int] = (), scratch: int = 0) -> None:
        self.instructions.append(Routine(name, tuple(inputs), tuple(outputs), tuple(sizes), tuple(flags),
                                         self.product(sizes), self.size(scratch)))

    def program(self, returned: int | None = None) -> Program:
        instructions = self._with_sizes_read()
        storages = [Argument(f"s{n}", s.array.dtype.name, s.array.ndim) for n, s in enumerate(self.storages)]
        return Program(self.arguments, storages, self.constants, self.sizes.entries, self.checks,
                       self._with_lives(instructions), instructions, self.results, self.updates,
                       len(self.results) if returned is None else returned, [(k, "") for k in self.kernels],
                       self.callables, written=self.written)

    def _with_sizes_read(self) -> list[Any]:
        """The instructions with the sizes that each Resize reads: those from its first to that of the next."""
        begins = [i.first for i in self.instructions if isinstance(i, ResizeFrom)]
        data = [n for n, (code, _, _) in enumerate(self.sizes.entries)
                if code in (SizeCode.DATA_VALUE, SizeCode.DATA_DIM)]
        return [Resize(tuple(n for n in data if i.first <= n and not any(i.first < b <= n for b in begins)))
                if isinstance(i, ResizeFrom) else i for i in self.instructions]

    def _with_lives(self, instructions: Sequence[Any]) -> list[Buffer]:
        lives: dict[int, list[int]] = {}
        for index, instruction in enumerate(instructions):
            for number in self._uses(instruction):
                while self.buffers[number].kind == BufferKind.ALIAS:
                    number = self.buffers[number].source
                lives.setdefault(number, []).append(index)
        last = len(instructions) - 1
        return [replace(b, first=lives[n][0], last=last if n in self.results else lives[n][-1])
                if b.kind == BufferKind.ARENA else b for n, b in enumerate(self.buffers)]

    def _uses(self, instruction: Any) -> list[int]:
        """The buffers an instruction touches."""
        match instruction:
            case Launch():
                return list(instruction.buffers)
            case Copy():
                return [instruction.source, instruction.target]
            case Call() | Routine():
                return [*instruction.inputs, *instruction.outputs]
            case Resize():
                entries = [self.sizes.entries[number] for number in instruction.sizes]
                return [a for code, a, _ in entries if code == SizeCode.DATA_VALUE]
        return []

    def machine(self, program: Program) -> Any:
        addresses = [ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value for name in self.kernels]
        return core.Machine(program, addresses, self.storages, self.callables)

    def function(self, wrap: Any = "single", convert: Any = None, fail: Any = fail, returned: int | None = None) -> Any:
        dtypes = [a.dtype for a in self.arguments]

        def to_arrays(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
            return tuple(np.require(a, d, ["C", "A"]) for a, d in zip(args, dtypes, strict=True))

        return core.Function(self.machine(self.program(returned)), convert or to_arrays, fail, wrap)


def affine(ndim: int = 1, kernel: str = "affine", wrap: Any = "single", **options: Any) -> Any:
    """x -> 2 x + 1"""
    plan = Plan()
    x = plan.argument(ndim)
    plan.launch(kernel, [x, plan.output(plan.buffers[x].shape)])
    return plan.function(wrap, **options)


def affine_steps(steps: int, shape: Callable[[Plan, int], Sequence[int]] | None = None) -> Any:
    """x -> 2 x + 1, several times, through ARENA buffers."""
    plan = Plan()
    x = plan.argument()
    for step in range(steps):
        y = (plan.output if step == steps - 1 else plan.arena)(plan.buffers[x].shape)
        plan.launch("affine", [x, y])
        x = y
    return plan.function()


def matmul(dtype: str, transpose_a: bool, transpose_b: bool, batched: bool = False, shared_b: bool = False) -> Any:
    """(a, b, c, alpha, beta) -> alpha a b + beta c"""
    plan = Plan()
    axes = 2 + batched
    a, b, c = plan.argument(axes, dtype), plan.argument(2 if shared_b else axes, dtype), plan.argument(axes, dtype)
    alpha, beta = plan.argument(0, dtype), plan.argument(0, dtype)
    (*batch, m, n) = plan.buffers[c].shape
    k = plan.buffers[a].shape[-2 if transpose_a else -1]
    out = plan.output(plan.buffers[c].shape, dtype)
    plan.instructions.append(Copy(c, out))
    plan.routine("gemm", (a, b, alpha, beta), [out], (m, n, k, (batch or [plan.size(1)])[0]),
                 (transpose_a, transpose_b, False, shared_b))
    return plan.function()


def random(shape: Sequence[int], dtype: str, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    value = generator.normal(size=shape)
    return np.asarray(value + 1j * generator.normal(size=shape) if dtype[0] == "c" else value).astype(dtype)


def positives(pick: Callable[[np.ndarray], Any] = lambda x: x[x > 0]) -> Any:
    """x -> 2 p + 1, p where p = pick(x), through a DYNAMIC buffer and an ARENA buffer of its size."""
    plan = Plan()
    x, found = plan.argument(), plan.dynamic()
    plan.call(lambda x: (pick(x),), [x], [found])
    (shape,) = plan.resize(found)
    t, y = plan.arena(shape), plan.output(shape)
    plan.launch("affine", [found, t])
    plan.instructions.append(Copy(t, y))
    plan.results.append(found)
    return plan.function("list")


def run(code: str) -> str:
    """What a fresh process prints that runs `code`, which may use the helpers of this file."""
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "\n".join(line[indent:] for line in lines).replace("LIBRARY", repr(Plan.library._name))
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    done = subprocess.run([sys.executable, "-c", text], env=os.environ | {"PYTHONPATH": path}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def broken(change: Callable[[Plan], Any]) -> Callable[[], Any]:
    """x -> 2 (2 x + 1) + 1 with something wrong in it."""
    def make() -> Any:
        plan = Plan()
        x = plan.argument()
        shape = plan.buffers[x].shape
        t, y = plan.arena(shape), plan.output(shape)
        plan.launch("affine", [x, t])
        plan.launch("affine", [t, y])
        program = change(plan)
        return plan.machine(program if isinstance(program, Program) else plan.program())
    return make


def set_at(name: str, index: int, **fields: Any) -> Callable[[Plan], Any]:
    """A Program with some fields of one item changed."""
    def change(plan: Plan) -> Program:
        program = plan.program()
        items = list(getattr(program, name))
        items[index] = replace(items[index], **fields)
        return replace(program, **{name: items})
    return change
