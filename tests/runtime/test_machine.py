"""The C runtime: Programs built by hand, with small kernels compiled here. `make sanitize` runs it with sanitizers."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from symtensor.runtime.core import core, load_library

if core is None:
    pytest.skip("the C runtime was not built", allow_module_level=True)

ROOT = Path(__file__).parents[2]

KERNELS = r"""
#include <stdint.h>
#include <string.h>
#include <time.h>
#define KERNEL(name) int name(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)

KERNEL(affine) { const double *x = buffers[0]; double *y = buffers[1];
    for (int64_t i = begin; i < end; i++) y[i] = 2 * x[i] + 1; return 0; }
KERNEL(add) { const double *x = buffers[0], *y = buffers[1]; double *z = buffers[2];
    for (int64_t i = begin; i < end; i++) z[i] = x[i] + y[i]; return 0; }
KERNEL(total) { const double *x = buffers[0]; double *y = buffers[1]; *y = 0;       /* one unit over sizes[0] */
    for (int64_t i = 0; i < sizes[0]; i++) *y += x[i]; return 0; }
KERNEL(number) { int64_t *y = buffers[0]; for (int64_t i = begin; i < end; i++) y[i] = i + sizes[0]; return 0; }
KERNEL(status) { return (int)sizes[0]; }
KERNEL(status_at) { return begin <= sizes[0] && sizes[0] < end ? 7 : 0; }
KERNEL(chunk) { int64_t *y = buffers[0]; for (int64_t i = begin; i < end; i++) y[i] = begin; return 0; }
static int inside, most; /* calls of slow_affine at one time */
int most_inside(void) { int was = most; most = 0; return was; }
KERNEL(slow_affine) {
    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (now > most) most = now;
    struct timespec time = {0, 5000000};
    nanosleep(&time, NULL);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    return affine(buffers, sizes, begin, end, scratch); }
KERNEL(through_scratch) { const double *x = buffers[0]; double *y = buffers[1], *own = scratch;
    if ((uintptr_t)scratch % 64 != 0) return 9;
    for (int64_t i = begin; i < end; i++) { for (int j = 0; j < 8; j++) own[j] = x[i];
        double sum = 0; for (int j = 0; j < 8; j++) sum += own[j]; y[i] = sum; } return 0; }
KERNEL(aligned) { int64_t *y = buffers[1]; *y = (uintptr_t)buffers[0] % 64; return 0; }
KERNEL(count_positive) { const double *x = buffers[0]; int64_t *y = buffers[1]; *y = 0;
    for (int64_t i = 0; i < sizes[0]; i++) *y += x[i] > 0; return 0; }
KERNEL(over_ten) { const double *x = buffers[0]; *(_Bool *)buffers[1] = *x > 10; return 0; }
KERNEL(negative) { const double *x = buffers[0]; return *x < 0 ? 7 : 0; }
KERNEL(keep_positive) { const double *x = buffers[0]; double *y = buffers[1]; int64_t next = 0;
    for (int64_t i = 0; i < sizes[0]; i++) if (x[i] > 0) y[next++] = x[i]; return 0; }
"""


@pytest.fixture(scope="module", autouse=True)
def kernels(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels.c").write_text(KERNELS)
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", "kernels.so", "kernels.c"]
    try:
        subprocess.run(command, cwd=folder, check=True)
    except FileNotFoundError:
        pytest.skip("these tests compile their kernels with gcc")
    Plan.library = ctypes.CDLL(str(folder / "kernels.so"))


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


# Elementwise calls, shapes, arguments.

@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,), (3, 4), (3, 0), (2, 3, 4), (1,) * 20])
def test_elementwise(shape: tuple[int, ...]) -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=shape))
    y = affine(len(shape))(x)
    assert type(y) is np.ndarray and y.shape == shape and y.dtype == np.float64
    np.testing.assert_array_equal(y, 2 * x + 1)


@pytest.mark.parametrize("wrap, expected", [("list", [[3.0], [7.0]]), (("a", "b"), {"a": [3.0], "b": [7.0]}),
                                            (None, None)])
def test_wraps(wrap: Any, expected: Any) -> None:
    plan = Plan()
    x = plan.argument()
    y, z = plan.output(plan.buffers[x].shape), plan.output(plan.buffers[x].shape)
    plan.launch("affine", [x, y])
    plan.launch("affine", [y, z])
    assert plan.function(wrap)(np.ones(1)) == expected


def test_wrap_must_fit() -> None:
    for wrap in ("pair", ("a", "b"), 3, "list "):
        with pytest.raises(ValueError, match="wrap is None"):
            affine(wrap=wrap)


SCALARS = [
    ("float64", 1.5, 1.5), ("float64", 3, 3.0), ("float64", True, 1.0), ("float64", np.float32(0.5), 0.5),
    ("float64", np.int32(-3), -3.0), ("float64", np.bool_(True), 1.0), ("float64", float("inf"), float("inf")),
    ("float32", 1.5, 1.5), ("float32", 7, 7.0), ("float32", np.float32(2), 2.0), ("float32", np.int16(2), 2.0),
    ("float32", 1e300, None), ("float32", np.float64(1.5), None), ("float32", float("-inf"), float("-inf")),
    ("int64", 5, 5), ("int64", -2**63, -2**63), ("int64", 2**63, None), ("int64", 1.0, None), ("int64", True, 1),
    ("int64", np.int8(-1), -1), ("int64", np.uint64(1), None), ("int8", 127, 127), ("int8", 128, None),
    ("int8", -128, -128), ("int8", -129, None), ("uint8", 255, 255), ("uint8", 256, None), ("uint8", -1, None),
    ("uint32", 2**32 - 1, 2**32 - 1), ("uint64", 2**63 - 1, 2**63 - 1), ("uint64", -1, None), ("int16", 40000, None),
    ("bool", True, True), ("bool", False, False), ("bool", 1, None), ("bool", np.bool_(True), True),
    ("complex128", 2.5, 2.5), ("complex128", np.complex64(1j), 1j), ("complex64", 2, 2), ("complex64", 1j, None),
    ("float64", "1", None), ("float64", None, None), ("float64", [1.0], None), ("float16", 1.0, None),
]


@pytest.mark.parametrize("dtype, given, expected", SCALARS)
def test_scalars(dtype: str, given: Any, expected: Any) -> None:
    """Numbers that fit are stored without Python; the others go to `convert`."""
    plan = Plan()
    plan.results.append(plan.argument(0, dtype))
    converted = []

    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        converted.append((args, keywords))
        return (np.zeros((), dtype),)

    result = plan.function(convert=convert)(given)
    assert result.dtype == dtype and result.shape == ()
    if expected is None:
        assert converted == [((given,), None)] and result == 0
    else:
        assert not converted and result == expected


@pytest.mark.parametrize("args, keywords", [
    ((), {}), ((1, 2), {}), ((), {"x": 1}), ((np.ones(1),), {"y": 1}), ((np.ones(3, "float32"),), {}),
    ((np.ones((3, 3))[:, 0],), {}),
    ((np.ones(3, ">f8"),), {}), ((np.ones((3, 1)),), {}), ((np.ones(3).view(np.recarray),), {}), (([1.0],), {}),
    ((np.frombuffer(b"\0" * 25, dtype="u1")[1:].view("f8"),), {})])
def test_other_arguments_are_converted(args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    seen = []

    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        seen.append((args, keywords))
        return (np.ones(2),)

    f = affine(convert=convert)
    np.testing.assert_array_equal(f(*args, **keywords), [3, 3])
    assert len(seen) == 1 and seen[0][0] is not None and seen[0][1] == (keywords or None)
    assert all(a is b for a, b in zip(seen[0][0], args, strict=True))


def test_keywords() -> None:
    plan = Plan()
    x, y, z = plan.argument(0), plan.argument(0), plan.argument(0)
    plan.results = [x, y, z]
    converted = []
    f = plan.function("list", convert=lambda args, keywords: converted.append(1) or (0, 0, 0))
    made = {"x" + "012"[i]: i + 1 for i in range(3)}      # strings that are not interned
    assert f(1, 2, 3) == f(1, 2, x2=3) == f(1, x2=3, x1=2) == f(x1=2, x2=3, x0=1) == f(**made) == [1, 2, 3]
    assert not converted
    for args, keywords in (((1, 2, 3), {"x0": 1}), ((1, 2), {"x1": 3}), ((1, 2), {"y": 3}), ((1,), {"x1": 2}),
                           ((1, 2), {"x2": "three"})):
        converted.clear()
        assert f(*args, **keywords) == [0, 0, 0] and converted


@pytest.mark.parametrize("answer", [None, [], (), (1.0, 2.0), (np.ones((2, 2)),), (np.ones(2, "float32"),), ("x",)])
def test_convert_must_keep_its_word(answer: Any) -> None:
    f = affine(convert=lambda args, keywords: answer)
    with pytest.raises(TypeError, match="convert"):
        f()
    np.testing.assert_array_equal(f(np.ones(1)), [3])


def test_convert_may_raise() -> None:
    def convert(args: tuple[Any, ...], keywords: Any) -> tuple[np.ndarray, ...]:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        affine(convert=convert)()


def test_argument_is_never_written_nor_kept() -> None:
    f, x = affine(), np.ones(4)
    x.flags.writeable = False
    count = sys.getrefcount(x)
    f(x)
    assert sys.getrefcount(x) == count and (x == 1).all()


# Matrix products.

ROUTINES = {"none": (), "blas": ("sgemm", "dgemm", "cgemm", "zgemm"), "vector": ("sgemv", "dgemv"),
            "all": ("sgemm", "dgemm", "cgemm", "zgemm", "sgemv", "dgemv", "dnnl_sgemm", "get_num_threads",
                    "set_num_threads")}


@pytest.fixture(params=list(ROUTINES))
def routines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Only some library routines known."""
    addresses = {**load_library("blas"), **load_library("onednn")}
    for name in addresses:
        core.set_library(name, addresses[name] if name in ROUTINES[request.param] else 0)
    yield request.param
    for name, address in addresses.items():
        core.set_library(name, address)


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


def check_product(f: Any, dtype: str, batch: tuple[int, ...], m: int, n: int, k: int, alpha: float, beta: float,
                  transpose_a: bool, transpose_b: bool, shared_b: bool = False) -> None:
    a = random((*batch, *((k, m) if transpose_a else (m, k))), dtype, 1)
    b = random((*(() if shared_b else batch), *((n, k) if transpose_b else (k, n))), dtype, 2)
    c = random((*batch, m, n), dtype, 3) if beta else np.full((*batch, m, n), np.nan, dtype)
    product = (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)
    expected = alpha * product + (beta * c if beta else 0)
    result = f(a, b, c, np.array(alpha, dtype), np.array(beta, dtype))
    tolerance = 1e-4 if dtype in ("float32", "complex64") else 1e-11
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * max(k, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_gemm(routines: str, dtype: str, transposes: tuple[bool, bool]) -> None:
    f = matmul(dtype, *transposes)
    for m, n, k in [(3, 4, 5), (1, 4, 5), (4, 1, 5), (1, 1, 5), (1, 1, 1), (0, 4, 5), (4, 0, 5), (3, 4, 0), (1, 4, 0),
                    (33, 17, 50)]:
        for alpha, beta in [(1, 0), (1, 1), (-0.5, 2), (0, 0.5)]:
            check_product(f, dtype, (), m, n, k, alpha, beta, *transposes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_large_gemm_on_two_threads(routines: str, dtype: str, transposes: tuple[bool, bool]) -> None:
    if routines == "none":
        pytest.skip("slow")
    core.set_threads(2)
    f = matmul(dtype, *transposes)
    for m, n, k in [(150, 90, 100), (90, 161, 100), (1, 1500, 1100), (1500, 1, 1100), (17, 1, 80000), (1, 17, 80000),
                    (1, 1, 10**6)]:
        check_product(f, dtype, (), m, n, k, 0.5, 0, *transposes)
        check_product(f, dtype, (), m, n, k, 0.5, 1, *transposes)
    core.set_threads(0)


@pytest.mark.parametrize("shared_b", [False, True])
@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_batched_gemm(routines: str, transposes: tuple[bool, bool], shared_b: bool) -> None:
    core.set_threads(2)
    f = matmul("float64", *transposes, batched=True, shared_b=shared_b)
    for batch, m, n, k in [(1, 3, 4, 5), (7, 3, 4, 5), (500, 2, 3, 4), (0, 3, 4, 5), (5, 3, 1, 4), (5, 3, 4, 0)]:
        check_product(f, "float64", (batch,), m, n, k, 2, 0, *transposes, shared_b)
        check_product(f, "float64", (batch,), m, n, k, 2, 1, *transposes, shared_b)
    core.set_threads(0)


@pytest.mark.parametrize("transposes", list(itertools.product([False, True], repeat=2)))
def test_a_product_has_the_same_bits_on_one_thread_and_on_two(transposes: tuple[bool, bool]) -> None:
    load_library("onednn")
    f = matmul("float32", *transposes)
    for m, n, k in [(16, 500, 784), (20, 800, 200), (128, 500, 784), (784, 500, 128), (500, 30, 784), (3000, 10, 100)]:
        a = random((k, m) if transposes[0] else (m, k), "float32", 1)
        b = random((n, k) if transposes[1] else (k, n), "float32", 2)
        results = []
        for threads in (1, 2):
            core.set_threads(threads)
            results.append(f(a, b, np.zeros((m, n), "float32"), np.float32(1), np.float32(0)).copy())
        core.set_threads(0)
        assert (results[0] == results[1]).all(), (m, n, k)


def test_a_product_larger_than_its_buffers_is_refused() -> None:
    plan = Plan()
    a, b = plan.argument(2), plan.argument(2)
    (m, k), (_, n) = plan.buffers[a].shape, plan.buffers[b].shape
    plan.routine("gemm", (a, b), [plan.output((m, n))], (m, n, k, plan.size(1)), (False,) * 4)
    f = plan.function()
    with pytest.raises(RuntimeError, match="Routine for more than its buffers hold"):
        f(np.ones((2, 3)), np.ones((2, 2)))


# Factors and solutions.

def solution(name: str, flags: Sequence[int], dtype: str, scratch: bool = True) -> Any:
    """(a, b) -> x, for batches of matrices."""
    plan = Plan()
    a, b = plan.argument(3, dtype), plan.argument(3, dtype)
    batch, n, columns = plan.buffers[b].shape
    out = plan.output(plan.buffers[b].shape, dtype)
    plan.instructions.append(Copy(b, out))
    plan.routine(name, [a], [out], (n, columns, batch), flags, 10**5 if scratch else 0)
    return plan.function()


@pytest.fixture
def lapack() -> None:
    load_library("blas")
    load_library("lapack")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch, n, columns", [(1, 1, 1), (3, 5, 2), (400, 12, 3), (0, 3, 2), (2, 0, 2), (2, 3, 0)])
def test_solve(lapack: None, dtype: str, batch: int, n: int, columns: int) -> None:
    core.set_threads(2)
    a = random((batch, n, n), dtype, 1) + 2 * n * np.eye(n, dtype=dtype)
    b = random((batch, n, columns), dtype, 2)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for transposed in (False, True):
        own = a.swapaxes(1, 2) if transposed else a
        np.testing.assert_allclose(own @ solution("solve", (transposed, False), dtype)(a, b), b, tolerance, tolerance)
        for lower in (False, True):
            part = (np.tril if lower else np.triu)(a)
            part = part.swapaxes(1, 2) if transposed else part
            x = solution("solve_triangular", (lower, transposed, False, False), dtype)(a, b)
            np.testing.assert_allclose(part @ x, b, tolerance, tolerance)
    core.set_threads(0)


def test_routines_that_give_up_say_which_instruction(lapack: None) -> None:
    singular, right = np.zeros((1, 2, 2)), np.ones((1, 2, 1))
    for name, flags in (("solve", (False, False)), ("solve_triangular", (True, False, False, False))):
        with pytest.raises(Failed) as caught:
            solution(name, flags, "float64")(singular, right)
        assert caught.value.args[:2] == ("kernel", 1)


@pytest.mark.parametrize("name", ["sort", "argsort", "select", "cumulate", "search"])
def test_rows_longer_than_their_buffers_are_refused(name: str) -> None:
    """Or more of them, or with too little scratch; what fits is computed."""
    flags = [] if name in ("sort", "argsort") else [0]
    for more, scratch, fits in [((0, 0, 0), 10**5, True), ((1, 0, 0), 10**5, False), ((0, 1, 0), 10**5, False),
                                ((0, 0, 1), 10**5, False), ((0, 0, 0), 0, name in ("cumulate", "search"))]:
        plan = Plan()
        x = plan.argument(1, "float32")
        n, one, two = plan.dim(0), plan.size(1), plan.size(2)
        outer, length, inner = [one, two][more[0]], plan.product([n, [one, two][more[1]]]), [one, two][more[2]]
        out = plan.output([n], "float32" if name in ("sort", "cumulate") else "int64")
        sizes = {"search": (length, plan.product([outer, n, inner])), "select": (outer, length, inner, n)}
        inputs = [x, x] if name == "search" else [x]
        plan.routine(name, inputs, [out], sizes.get(name, (outer, length, inner)), flags, scratch)
        f = plan.function()
        if fits:
            np.testing.assert_array_equal(f(np.float32([1, 2, 3])), {"sort": [1, 2, 3], "cumulate": [1, 3, 6]}.get(
                name, [0, 1, 2]))
        else:
            with pytest.raises(RuntimeError, match="more than its buffers hold"):
                f(np.float32([1, 2, 3]))


def test_too_little_scratch_is_refused(lapack: None) -> None:
    with pytest.raises(RuntimeError, match="more than its buffers hold"):
        solution("solve", (False, False), "float64", scratch=False)(np.ones((1, 2, 2)), np.ones((1, 2, 1)))


# Storages.

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


# Recycling.

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


# Calls of Python, and sizes that depend on data.

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


# Checks, failures, sizes.

@pytest.mark.parametrize("compare, good, bad", [("eq", [(3, 3), (0, 0)], [(3, 4), (1, 3)]),
                                                ("le", [(3, 3), (2, 3)], [(4, 3)]),
                                                ("one_or_eq", [(3, 3), (1, 3)], [(2, 3), (3, 1)])])
def test_checks(compare: str, good: list[tuple[int, int]], bad: list[tuple[int, int]]) -> None:
    plan = Plan()
    plan.argument(), plan.argument()
    plan.checks = [Check(plan.dim(0), plan.dim(1), 0, compare)]
    f = plan.function(None)
    for _ in range(2):
        for left, right in good:
            f(np.ones(left), np.ones(right))
        for left, right in bad:
            with pytest.raises(Failed) as failure:
                f(np.ones(left), np.ones(right))
            assert failure.value.args == ("size", 0, (left, right))


def test_missing_check_is_caught() -> None:
    """Arrays of other shapes than the program derived never reach a kernel."""
    plan = Plan()
    x, y = plan.argument(), plan.argument()
    plan.buffers[y] = replace(plan.buffers[y], shape=plan.buffers[x].shape)
    plan.launch("add", [x, y, plan.output(plan.buffers[x].shape)])
    f = plan.function()
    f(np.ones(3), np.ones(3))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="buffer 1 has another shape"):
            f(np.ones(3), np.ones(2))
    f(np.ones(3), np.ones(3))


def size_function(make: Callable[[Plan], int], **options: Any) -> Any:
    """A function of an int64 whose result has as many elements as the size `make` adds."""
    plan = Plan()
    plan.argument(0, "int64")
    number = make(plan)
    plan.launch("number", [plan.output((number,), "int64")], sizes=[number])
    return plan.function(**options)


@pytest.mark.parametrize("kind, value", [("negative", -2), ("overflow", 2**61), ("memory", 2**55)])
def test_impossible_sizes(kind: str, value: int) -> None:
    f = size_function(lambda plan: plan.sizes.add(SizeCode.INPUT_VALUE, 0))
    assert f(3).tolist() == [3, 4, 5]
    with pytest.raises(Failed) as failure:
        f(value)
    expected = {"negative": (1, -2), "overflow": (1, None), "memory": (0, 2**58)}[kind]
    assert failure.value.args == (kind, *expected)
    assert f(3).tolist() == [3, 4, 5]


def test_arena_too_large() -> None:
    plan = Plan()
    plan.argument(0, "int64")
    n = plan.sizes.add(SizeCode.INPUT_VALUE, 0)
    a, b = plan.arena((n,), "int64"), plan.arena((n,), "int64")
    plan.launch("number", [a, b], sizes=[n], units=plan.size(0))
    f = plan.function(None)
    with pytest.raises(Failed, match="memory"):
        f(2**53)
    f(10)
    assert f.workspace_bytes == 2 * 128


def test_a_fail_that_does_not_raise() -> None:
    f = size_function(lambda plan: plan.sizes.add(SizeCode.INPUT_VALUE, 0), fail=lambda *what: None)
    with pytest.raises(RuntimeError, match="negative 1"):
        f(-1)


@given(st.integers(-20, 20), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_size_arithmetic(a: int, b: int) -> None:
    meanings: dict[SizeCode, Callable[[int, int], int]] = {
        SizeCode.ADD: lambda a, b: a + b, SizeCode.SUB: lambda a, b: a - b, SizeCode.MUL: lambda a, b: a * b,
        SizeCode.FLOORDIV: lambda a, b: a // b if b else 0, SizeCode.MOD: lambda a, b: a % b if b else 0,
        SizeCode.MIN: min, SizeCode.MAX: max}
    for code, meaning in meanings.items():
        plan = Plan()
        plan.argument(0, "int64"), plan.argument(0, "int16")
        left, right = plan.sizes.add(SizeCode.INPUT_VALUE, 0), plan.sizes.add(SizeCode.INPUT_VALUE, 1)
        value = plan.sizes.add(code, left, right)
        y = plan.output((), "int64")
        plan.launch("number", [y], sizes=[value])
        assert plan.function()(a, b) == meaning(a, b)


def test_size_arithmetic_stays_in_range() -> None:
    largest, smallest = 2**63 - 1, -2**63
    for code, a, b, expected in [
            (SizeCode.ADD, largest, 1, largest), (SizeCode.ADD, smallest, -1, smallest),
            (SizeCode.SUB, smallest, 1, smallest), (SizeCode.SUB, 0, smallest, largest),
            (SizeCode.MUL, 2**40, 2**40, largest), (SizeCode.MUL, -2**40, 2**40, smallest),
            (SizeCode.FLOORDIV, smallest, -1, largest), (SizeCode.MOD, smallest, -1, 0)]:
        plan = Plan()
        value = plan.sizes.add(code, plan.size(a), plan.size(b))
        plan.launch("number", [plan.output((), "int64")], sizes=[value])
        assert plan.function()() == expected


@pytest.mark.parametrize("dtype, value, expected", [
    ("int8", -3, -3), ("uint8", 200, 200), ("int16", -300, -300), ("uint16", 60000, 60000), ("int32", -5, -5),
    ("uint32", 4 * 10**9, 4 * 10**9), ("uint64", 2**63, 2**63 - 1), ("bool", True, 1), ("int64", 7, 7)])
def test_values_as_sizes(dtype: str, value: int, expected: int) -> None:
    storage = core.Storage(np.array(value, dtype))
    plan = Plan()
    plan.argument(0, dtype), plan.shared(storage)
    sizes = [plan.sizes.add(SizeCode.INPUT_VALUE, 0), plan.sizes.add(SizeCode.SHARED_VALUE, 0)]
    for size in sizes:
        plan.launch("number", [plan.output((), "int64")], sizes=[size])
    assert [int(y) for y in plan.function("list")(np.array(value, dtype))] == [expected, expected]


def test_units() -> None:
    """No launch for zero units; one unit over nothing still runs."""
    plan = Plan()
    x, y = plan.argument(), plan.output()
    plan.launch("total", [x, y], plan.size(1), [plan.dim(0)])
    plan.launch("status", [x], plan.size(0), [plan.size(5)])
    plan.launch("status", [x], plan.size(-3), [plan.size(5)])
    f = plan.function()
    assert f(np.zeros(0)) == 0 and f(np.ones(3)) == 3


def test_bindings_are_remembered() -> None:
    f = affine_steps(3)
    for _ in range(3):
        for n in range(8):
            assert f(np.ones(n)).tolist() == [15] * n
    assert (f.bind_count, f.call_count) == (8, 24)
    for n in range(9):
        f(np.ones(n))
    assert f.bind_count == 9                     # the ninth took the place of the one used least recently
    f(np.ones(0))
    assert f.bind_count == 10


# Memory: the arena.

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


# Threads.

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


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """`work(number)` in several threads at once; the first exception is raised here."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


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
        import os, signal, threading
        from test_machine import *
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


def test_fork_and_exit() -> None:
    """A child made after threads were used can use them too; leaving with calls in flight is harmless."""
    code = """
        import os, threading
        from test_machine import *
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


# Programs that are not sound.

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


# The Function object.

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
              lambda: broken(UNSOUND["life outside"])()]

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
