"""Programs on a CUDA device without the virtual machine: what one launch does, on its own.

The device is the software driver's. Kernels of all programs that are made here are compiled together, with the first
call of one of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.library import print_routine
from symtensor.codegen.cuda.modules import CompiledKernel, Compiler, compile_kernels
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.kernel import Kernel
from symtensor.lower.plan import plan
from symtensor.lower.program import BufferKind, Call, Copy, Launch, Program, Resize, SizeCode
from symtensor.lower.target import PrintedKernel
from symtensor.rewrite.phases import optimize

Array = np.ndarray


class Device:
    """The driver's entry points, as far as launches need them."""

    def __init__(self, mode: str) -> None:
        from symtensor.runtime.cuda import software

        self.driver = software.load(mode)
        self.compiler = Compiler(f"software {mode} O0", lambda text: software.module(text, mode=mode, options=("-O0", "-g0")))
        self.message = software.message
        context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
        self.modules: dict[int, ctypes.c_void_p] = {}

    def call(self, name: str, *arguments: Any) -> None:
        """Call an entry point; raises RuntimeError with what the driver says where that fails."""
        status = getattr(self.driver, name)(*arguments)
        if status:
            raise RuntimeError(f"{name}: error {status}: {self.message()}")

    def allocate(self, size: int) -> int:
        """Memory of the device."""
        pointer = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(max(size, 1)))
        return pointer.value

    def free(self, pointer: int) -> None:
        """Give memory back."""
        self.call("cuMemFree_v2", ctypes.c_uint64(pointer))

    def put(self, pointer: int, array: Array) -> None:
        """Copy an array to the device."""
        if array.nbytes:
            data = np.ascontiguousarray(array)
            self.call("cuMemcpyHtoD_v2", ctypes.c_uint64(pointer), data.ctypes.data_as(ctypes.c_void_p),
                      ctypes.c_size_t(data.nbytes))

    def get(self, pointer: int, shape: Sequence[int], dtype: str) -> Array:
        """An array copied from the device."""
        array = np.empty(tuple(shape), dtype)
        if array.nbytes:
            self.call("cuMemcpyDtoH_v2", array.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(pointer),
                      ctypes.c_size_t(array.nbytes))
        return array

    def launch(self, kernel: CompiledKernel, blocks: int, threads: int, pointers: Sequence[int],
               sizes: Sequence[int]) -> None:
        """Run a kernel, and wait for it."""
        values: list[Any] = [ctypes.c_uint64(pointer) for pointer in pointers] + [ctypes.c_int64(n) for n in sizes]
        arguments = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        self.call("cuLaunchKernel", self._function(kernel), blocks, 1, 1, threads, 1, 1, 0, None, arguments, None)
        self.call("cuCtxSynchronize")

    def _function(self, kernel: CompiledKernel) -> ctypes.c_void_p:
        if id(kernel.module) not in self.modules:
            module = ctypes.c_void_p()
            self.call("cuModuleLoadData", ctypes.byref(module), kernel.module)
            self.modules[id(kernel.module)] = module
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), self.modules[id(kernel.module)],
                  kernel.symbol.encode())
        return function


@cache
def device(mode: str = "fast") -> Device:
    """The device of this process. Later modes hold for new contexts only, so a process should ask for one."""
    return Device(mode)


class OnDevice:
    """A graph whose kernels run on the device, one after the other; what has no kernel runs by its NumPy meaning."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], mode: str = "fast",
                 rewrite: bool = True) -> None:
        self.mode = mode
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
        self.device = device(function.mode)
        self.kernels = compile_kernels(self.program.kernels, self.device.compiler)
        self.printed = [function.printed[text] for _, text in self.program.kernels]
        self.sizes: list[int] = []
        self.pointers: dict[int, int] = {}
        self.dynamic: dict[int, Array] = {}
        self.failed = self.device.allocate(4)

    def results(self) -> list[Array]:
        segments = [one.begin for one in self.program.instructions if isinstance(one, Resize)]
        self._evaluate(segments[0] if segments else len(self.program.sizes))
        for instruction in self.program.instructions:
            self._run(instruction)
        found = [self._array(number) for number in self.program.results[:self.program.returned]]
        for pointer in {*self.pointers.values(), self.failed}:
            self.device.free(pointer)
        return found

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
        return {SizeCode.ADD: x + y, SizeCode.SUB: x - y, SizeCode.MUL: x * y, SizeCode.MIN: min(x, y),
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
            self.pointers[number] = self.device.allocate(size)
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
        elif isinstance(instruction, Call):
            self._host(instruction)
        elif isinstance(instruction, Resize):
            self._evaluate(instruction.end)
        else:
            raise NotImplementedError(type(instruction).__name__)

    def _launch(self, launch: Launch) -> None:
        printed, blocks = self.printed[launch.kernel], self.sizes[launch.units]
        if not blocks:
            return
        pointers, sizes = [self._pointer(n) for n in launch.buffers], [self.sizes[n] for n in launch.sizes]
        if printed.fails:
            self.device.put(self.failed, np.zeros(1, "int32"))
        self.device.launch(self.kernels[launch.kernel], blocks, printed.block, pointers,
                           sizes + [self.failed] * printed.fails)
        if printed.fails and self.device.get(self.failed, (1,), "int32")[0]:
            raise IndexError("a kernel failed")

    def _host(self, call: Call) -> None:
        results = self.program.callables[call.callable](*(self._array(n) for n in call.inputs))
        for number, result in zip(call.outputs, results):
            if self.program.buffers[number].kind is BufferKind.DYNAMIC:
                self.dynamic[number] = result
            self.device.put(self._pointer(number), result)


def run_routine(call: Any, dtypes: Sequence[str], buffers: Sequence[Array], mode: str = "fast") -> list[Array]:
    """The buffers of a routine after its kernels have run."""
    here = device(mode)
    printed = print_routine(call, dtypes)
    assert printed is not None
    pointers = [here.allocate(array.nbytes) for array in buffers]
    for pointer, array in zip(pointers, buffers):
        here.put(pointer, array)
    for own, kernel in zip(printed, compile_kernels([(p.name, p.text) for p in printed], here.compiler)):
        here.launch(kernel, int(own.units), own.block, [pointers[slot] for slot in own.buffers],  # type: ignore
                    [int(size) for size in own.parameters])  # type: ignore[arg-type]
    return [here.get(pointer, array.shape, str(array.dtype)) for pointer, array in zip(pointers, buffers)]
