"""Opened devices: a context, a stream, memory, and kernels loaded from their text.

PyCUDA opens the device's primary context, the one that other libraries of this process use too. All else is the C
runtime's work, which is given the addresses of the driver's functions.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.codegen.cuda.joint import join
from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.library import print_routine
from symtensor.codegen.cuda.modules import CompiledKernel, Compiler, compile_kernels, nvrtc_compiler
from symtensor.lower.program import KernelCode
from symtensor.lower.target import Device
from symtensor.runtime.core import core
from symtensor.runtime.cuda.libraries import library_of, written
from symtensor.runtime.cuda.names import canonical, ordinal
from symtensor.runtime.memory import out_of_memory

__all__ = ["OpenDevice", "count", "open_device", "opened", "uploaded"]

_INSTALL = ("install NVIDIA's driver and `pip install pycuda nvidia-cuda-nvrtc`; device=cpu does without, and"
            " cuda_driver=software runs the same kernels on the processor")
_LIBRARY = "libcuda.so.1"
_open: dict[str, OpenDevice] = {}
_lock = threading.RLock()


@dataclass(eq=False)
class OpenDevice:
    """A device in use: `core` is the C runtime's, `context` PyCUDA's; kernels are compiled for its `architecture`."""

    name: str
    core: Any
    context: Any
    architecture: str
    modules: dict[int, tuple[CompiledKernel, int]] = field(default_factory=dict)
    """The handles of modules by the identity of their bytes, each with a kernel that keeps these alive."""

    @property
    def target(self) -> Device:
        """The device as the compiler sees it."""
        return Device(self.name, print_kernel, print_routine, architecture=self.architecture, join=join,
                      library=library_of(self.architecture), written=written)

    def load(self, kernels: Sequence[KernelCode]) -> list[int]:
        """The handles of kernels, compiled where they are not in the store. Raises CompileError."""
        if not kernels:
            return []
        with _lock:
            return [self._handle(kernel) for kernel in self.compiled(kernels)]

    def compiled(self, kernels: Sequence[KernelCode]) -> list[CompiledKernel]:
        """Kernels in modules, compiled where they are not in the store. Raises CompileError."""
        return compile_kernels([(kernel.name, kernel.text) for kernel in kernels], _compiler(self.architecture))

    def _handle(self, kernel: CompiledKernel) -> int:
        if id(kernel.module) not in self.modules:
            self.modules[id(kernel.module)] = kernel, self.core.load(kernel.module)
        return int(self.core.kernel(self.modules[id(kernel.module)][1], kernel.symbol))


def open_device(name: str) -> OpenDevice:
    """The device of a name, opened at its first use. Raises DeviceError where it is not there."""
    name = canonical(name)
    with _lock:
        if name not in _open:
            _open[name] = _opened(name)
        return _open[name]


def uploaded(name: str, array: Any, label: str | None = None) -> Any:
    """An array of NumPy as one on a device. Raises DeviceError, OutOfMemory."""
    device = open_device(name)
    try:
        return core.DeviceArray(device.core, array)
    except MemoryError:
        raise out_of_memory(device.core, array.nbytes, f"the shared variable {label or 'being made'}") from None


def count() -> int:
    """How many devices there are. Raises DeviceError where there is no driver."""
    return int(_pycuda().Device.count())


def opened() -> list[OpenDevice]:
    """The devices in use."""
    return list(_open.values())


def _opened(name: str) -> OpenDevice:
    cuda, number = _pycuda(), ordinal(name)
    if number >= count():
        there = ", ".join(f"cuda{n}" for n in range(count()))
        raise DeviceError(f"there is no device {name}", fix=f"there are {there}" if there else "device=cpu")
    device = cuda.Device(number)
    context = _held_for_good(device.retain_primary_context())
    made = core.Device(name, number, context.handle)
    made.synchronous = config.cuda_synchronous
    return OpenDevice(name, made, context, _architecture(device))


def _held_for_good(context: Any) -> Any:
    """The context, attached once more: PyCUDA detaches it when any of its objects for it goes, though others use it."""
    context.push()
    ctypes.CDLL(_LIBRARY).cuCtxAttach(ctypes.byref(ctypes.c_void_p()), 0)
    context.pop()
    return context


def _architecture(device: Any) -> str:
    if config.cuda_driver == "software":
        return "software"
    major, minor = device.compute_capability()
    return f"sm_{major}{minor}"


def _compiler(architecture: str) -> Compiler:
    if architecture != "software":
        return nvrtc_compiler(architecture)
    from symtensor.runtime.cuda import software
    kind = "checked" if software.current_mode() == "check" else "plain"  # a plain module does not run in the mode check
    return Compiler(f"software {kind} {software.driver_directory()}", software.module)


@cache
def _pycuda() -> Any:
    """PyCUDA's module of the driver, ready for use; the C runtime knows the driver's functions from then on."""
    if core is None:
        raise DeviceError("the C runtime of symtensor was not built, and devices need it",
                          fix="install a C compiler and reinstall symtensor")
    if config.cuda_driver == "software":
        from symtensor.runtime.cuda import software
        software.load()
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise DeviceError("there is no CUDA driver on this machine: libcuda.so.1 was not found", fix=_INSTALL) from None
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        raise DeviceError(f"PyCUDA cannot be imported: {error}", fix=_INSTALL) from None
    try:
        cuda.init()
    except cuda.Error as error:
        raise DeviceError(f"the CUDA driver does not start: {error}", fix=_INSTALL) from None
    core.set_driver({entry: _address(library, entry) for entry in core.set_driver(None)})
    return cuda


def _address(library: ctypes.CDLL, entry: str) -> int:
    return ctypes.cast(getattr(library, entry), ctypes.c_void_p).value or 0
