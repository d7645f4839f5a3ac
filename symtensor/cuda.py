"""Devices, for users: which there are, names for them, their memory, and arrays that are on them.

>>> reg_context("spare", "cuda1")
>>> get_context("spare")
'cuda1'
"""

from __future__ import annotations

from typing import Any

from symtensor.runtime.cuda.names import canonical as get_context
from symtensor.runtime.cuda.names import contexts, reg_context

__all__ = ["array", "contexts", "convolutions", "count", "device", "get_context", "gpuarray", "reg_context"]


def device(name: str = "cuda") -> Any:
    """A device of the C runtime, opened: `memory`, `held_bytes`, `limit`, `synchronize()`, `trim()`.

    Raises DeviceError where it is not there.
    """
    from symtensor.runtime.cuda.devices import open_device  # only who asks for a device loads what devices need
    return open_device(name).core


def count() -> int:
    """How many devices there are. Raises DeviceError where there is no driver."""
    from symtensor.runtime.cuda.devices import count as counted
    return counted()


def array(value: Any, device: str | None = None) -> Any:
    """A contiguous array on a device, by default that in use: a copy of an array of NumPy or of one on any device.

    What has `__cuda_array_interface__` is taken, and what is made has it; it also speaks DLPack. Raises DeviceError,
    TypeMismatch, MemoryError.
    """
    from symtensor.runtime.cuda.border import array as made
    return made(value, device)


def convolutions(device: str = "cuda") -> Any:
    """What cuDNN was asked for on a device so far, in this process: by which algorithm it did it, or that it did not.

    Each prints as a line. The list is empty where cuDNN is not used.
    """
    from symtensor.runtime.cuda.convolutions import convolutions as listed
    return listed(device)


def gpuarray(value: Any) -> Any:
    """PyCUDA's GPUArray over the memory of an array that is on a device, such as a function's result."""
    from symtensor.runtime.cuda.border import gpuarray as made
    return made(value)
