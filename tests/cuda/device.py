"""Programs on a CUDA device without the virtual machine: what each launch does, on its own.

The device is the software driver's, through pycuda; what has no kernel runs by its NumPy meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.library import print_routine
from symtensor.codegen.cuda.modules import CompiledKernel, Compiler, compile_kernels
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.ir.routine import RoutineCall
from symtensor.lower.kernel import Kernel
from symtensor.lower.plan import plan
from symtensor.lower.program import BufferKind, Call, Copy, Launch, Program, Resize, Routine, SizeCode
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.rewrite.phases import optimize
from symtensor.runtime.cuda import software
from tests.driver_mode import chosen, expect_no_findings

software.load()
import pycuda.driver as cuda  # noqa: E402  (it looks for a driver)

Array = np.ndarray


def options_for(text: str) -> Sequence[str]:
    """What compiles soonest, since each kernel runs once: for -O0 g++ does not take the header compiled beforehand."""
    return ("-O0", "-g0") if text.count("SYMTENSOR_KERNEL(") > 8 else ("-O1",)


class Device:
    """A context, and the kernels loaded into it."""

    def __init__(self, mode: str) -> None:
        self.compiler = Compiler(f"software {'checked' if mode == 'check' else 'plain'}, compiled soon",
                                 lambda text: software.module(text, mode=mode, options=options_for(text)))
        self.modules: dict[int, Any] = {}

    def put(self, pointer: Any, array: Any) -> None:
        """Copy an array to the device."""
        if array.nbytes:
            cuda.memcpy_htod(pointer, np.ascontiguousarray(array))

    def get(self, pointer: Any, shape: Sequence[int], dtype: str) -> Array:
        """An array copied from the device."""
        array = np.empty(tuple(shape), dtype)
        if array.nbytes:
            cuda.memcpy_dtoh(array, pointer)
        return array

    def launch(self, kernel: CompiledKernel, blocks: int, threads: int, pointers: Sequence[Any],
               sizes: Sequence[int], *failed: Any) -> None:
        """Run a kernel."""
        key = id(kernel.module)
        if key not in self.modules:
            self.modules[key] = cuda.module_from_buffer(kernel.module)
        function = self.modules[key].get_function(kernel.symbol)
        function(*map(np.uintp, pointers), *map(np.int64, sizes), *failed, block=(threads, 1, 1), grid=(blocks, 1))


@contextmanager
def device(mode: str = "fast") -> Iterator[Device]:
    """A device of the software driver, for the length of a `with` block."""
    mode = chosen(mode)
    software.load(mode)
    cuda.init()
    context = cuda.Device(0).make_context()
    try:
        yield Device(mode)
        expect_no_findings()
    finally:
        context.pop()
        context.detach()
        software.load("fast")


class OnDevice:
    """A graph whose kernels run on the device, one after the other; what has no kernel runs by its NumPy meaning."""

    def __init__(self, device: Device, inputs: Sequence[Variable], outputs: Sequence[Variable],
                 rewrite: bool = False, offset: int = 0, most_blocks: int = 65536) -> None:
        self.device = device
        self.offset = offset  # bytes from where memory is aligned to where each buffer begins
        self.most_blocks = most_blocks  # of a generated kernel, which any grid runs
        self.printed: dict[str, PrintedKernel] = {}
        graph = Graph(list(inputs), list(outputs))
        if rewrite:
            optimize(graph)
        self.program: Program = plan(graph, len(inputs), [], self._print)
        self.calls = sum(isinstance(one, Call) for one in self.program.instructions)

    def _print(self, kernel: Kernel) -> Sequence[PrintedKernel]:
        made = print_kernel(kernel)
        self.printed.update({printed.text: printed for printed in made})
        return made

    def __call__(self, *arrays: Any) -> list[Array]:
        return _Call(self, [np.asarray(a, argument.dtype) for a, argument in
                            zip(arrays, self.program.arguments)]).results()


class _Call:
    """One call: the sizes known so far, and where buffers are."""

    def __init__(self, function: OnDevice, arrays: Sequence[Array]) -> None:
        self.program, self.arrays = function.program, arrays
        self.device = function.device
        self.printed = [function.printed[one.text] for one in self.program.kernels]
        self.sizes: list[int] = []
        self.offset, self.most_blocks = function.offset, function.most_blocks
        self.memory: list[Any] = []
        self.pointers: dict[int, int] = {}
        self.dynamic: dict[int, Array] = {}
        self.failed = cuda.mem_alloc(4)

    def results(self) -> list[Array]:
        segments = [one.begin for one in self.program.instructions if isinstance(one, Resize)]
        self._evaluate(segments[0] if segments else len(self.program.sizes))
        self.kernels = self._compile()
        for instruction in self.program.instructions:
            self._run(instruction)
        return [self._array(number) for number in self.program.results[:self.program.returned]]

    def _compile(self) -> list[CompiledKernel]:
        """The kernels, compiled together with those of the routines whose sizes are known by now."""
        texts = [(one.name, one.text) for one in self.program.kernels]
        for one in self.program.instructions:
            if isinstance(one, Routine) and max(one.sizes, default=0) < len(self.sizes):
                texts += [(printed.name, printed.text) for printed in _printed(*self._call_of(one))]
        return compile_kernels(texts, self.device.compiler)[:len(self.program.kernels)]

    # -- sizes and buffers ------------------------------------------------------------------------

    def _evaluate(self, stop: int) -> None:
        for code, a, b in self.program.sizes[len(self.sizes):stop]:
            self.sizes.append(self._size(SizeCode(code), a, b))

    def _size(self, code: SizeCode, a: int, b: int) -> int:
        roots: dict[SizeCode, Callable[[], int]] = {
            SizeCode.CONSTANT: lambda: a, SizeCode.INPUT_DIM: lambda: self.arrays[a].shape[b],
            SizeCode.INPUT_VALUE: lambda: int(self.arrays[a]), SizeCode.DATA_VALUE: lambda: int(self._array(a)),
            SizeCode.DATA_DIM: lambda: self.dynamic[a].shape[b]}
        if code in roots:
            return roots[code]()
        x, y = self.sizes[a], self.sizes[b]
        return {SizeCode.ADD: x + y, SizeCode.MUL: x * y, SizeCode.MIN: min(x, y),
                SizeCode.MAX: max(x, y), SizeCode.FLOORDIV: x // y if y else 0,
                SizeCode.MOD: x % y if y else 0}[code]

    def _shape(self, number: int) -> tuple[int, ...]:
        own = self.dynamic.get(number)
        return own.shape if own is not None else tuple(self.sizes[n] for n in self.program.buffers[number].shape)

    def _pointer(self, number: int) -> int:
        buffer = self.program.buffers[number]
        if buffer.kind is BufferKind.ALIAS:
            return self._pointer(buffer.source)
        if number not in self.pointers:
            given = self.arrays[buffer.source] if buffer.kind is BufferKind.INPUT else \
                self.program.constants[buffer.source] if buffer.kind is BufferKind.CONSTANT else None
            size = int(np.prod(self._shape(number))) * np.dtype(buffer.dtype).itemsize
            self.memory.append(cuda.mem_alloc(size + self.offset + 1))
            self.pointers[number] = int(self.memory[-1]) + self.offset
            if given is not None:
                self.device.put(self.pointers[number], np.asarray(given))
        return self.pointers[number]

    def _array(self, number: int) -> Array:
        return self.device.get(self._pointer(number), self._shape(number), self.program.buffers[number].dtype)

    # -- instructions -----------------------------------------------------------------------------

    def _run(self, instruction: Any) -> None:
        if isinstance(instruction, Launch):
            self._launch(instruction)
        elif isinstance(instruction, Copy):
            self.device.put(self._pointer(instruction.target), self._array(instruction.source))
        elif isinstance(instruction, Routine):
            self._routine(instruction)
        elif isinstance(instruction, Call):
            self._host(instruction)
        elif isinstance(instruction, Resize):
            self._evaluate(instruction.end)
        else:
            raise NotImplementedError(type(instruction).__name__)

    def _launch(self, launch: Launch) -> None:
        printed, blocks = self.printed[launch.kernel], min(self.sizes[launch.units], self.most_blocks)
        if not blocks:
            return
        pointers, sizes = [self._pointer(n) for n in launch.buffers], [self.sizes[n] for n in launch.sizes]
        if printed.fails:
            self.device.put(self.failed, np.zeros(1, "int32"))
        self.device.launch(self.kernels[launch.kernel], blocks, printed.block, pointers, sizes,
                           *[self.failed] * printed.fails)
        if printed.fails and self.device.get(self.failed, (1,), "int32")[0]:
            raise IndexError("a kernel failed")

    def _routine(self, routine: Routine) -> None:
        buffers = [self._pointer(number) for number in (*routine.inputs, *routine.outputs)]
        self.memory += run_routine(self.device, *self._call_of(routine), buffers)

    def _call_of(self, routine: Routine) -> tuple[RoutineCall, list[str]]:
        dtypes = [self.program.buffers[number].dtype for number in (*routine.inputs, *routine.outputs)]
        return RoutineCall(routine.name, (), [self.sizes[number] for number in routine.sizes], routine.flags), dtypes

    def _host(self, call: Call) -> None:
        results = self.program.callables[call.callable](*(self._array(n) for n in call.inputs))
        for number, result in zip(call.outputs, results):
            if self.program.buffers[number].kind is BufferKind.DYNAMIC:
                self.dynamic[number] = result
            self.device.put(self._pointer(number), result)


def _printed(call: RoutineCall, dtypes: Sequence[str]) -> Sequence[PrintedKernel]:
    printed = print_routine(call, dtypes)
    assert printed is not None, call.name
    return printed


def run_routine(here: Device, call: RoutineCall, dtypes: Sequence[str], buffers: Sequence[int]) -> list[Any]:
    """Run a routine whose sizes are numbers on operands, then outputs; the memory of partial results."""
    printed, memory = _printed(call, dtypes), []
    places: dict[int | Partial, int] = dict(enumerate(buffers))
    for one, kernel in zip(printed, compile_kernels([(p.name, p.text) for p in printed], here.compiler)):
        for partial in one.buffers:
            if isinstance(partial, Partial) and partial not in places:
                memory.append(cuda.mem_alloc(int(partial.length) * np.dtype(partial.dtype).itemsize + 1))
                places[partial] = int(memory[-1])
        if one.units:
            here.launch(kernel, int(one.units), one.block, [places[slot] for slot in one.buffers],
                        list(map(int, one.parameters)))
    return memory
