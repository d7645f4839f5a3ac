"""Arrays on devices that other libraries made, and ours for them: one memory, no copy.

PyCUDA, CuPy, PyTorch and others show their arrays by the CUDA Array Interface, and take those of others.
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ops.transfer import PROCESSOR
from symtensor.runtime.core import core
from symtensor.runtime.cuda.devices import OpenDevice, count, open_device, opened
from symtensor.runtime.cuda.names import default
from symtensor.runtime.shared import is_foreign
from symtensor.types.dtype import dtype_read

__all__ = ["array", "gpuarray", "over"]


def over(value: Any) -> Any:
    """A DeviceArray over the memory of another library's array. Raises TypeMismatch for one that is not contiguous."""
    facts = value.__cuda_array_interface__
    shape, dtype = tuple(facts["shape"]), dtype_read(facts["typestr"])
    strides = facts.get("strides")
    if strides is not None and 0 not in shape and tuple(strides) != _contiguous(shape, dtype.itemsize):
        raise TypeMismatch("an array on a device must be contiguous, row after row", fix="give such a copy of it")
    device = _device_of(int(facts["data"][0]))
    if facts.get("stream") is not None:  # what the other library has queued comes first
        device.core.wait_for(int(facts["stream"]))
    return core.DeviceArray.over(device.core, value, int(facts["data"][0]), dtype, shape)


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides, stride = [], itemsize
    for size in reversed(shape):
        strides.append(stride)
        stride *= size
    return tuple(reversed(strides))


def _device_of(address: int) -> OpenDevice:
    """The device that an address is on."""
    known = opened()
    names = [device.name for device in known] + [f"cuda{n}" for n in range(count())]
    for name in dict.fromkeys(names):
        if not address or open_device(name).core.holds(address):
            return open_device(name)
    raise TypeMismatch(f"the address {address:#x} is on none of " + ", ".join(dict.fromkeys(names)))


def array(value: Any, device: str | None = None) -> Any:
    """An array on a device, by default that in use: a copy of an array of NumPy, or of one on any device."""
    name = device or default()
    own = open_device("cuda0" if name == PROCESSOR else name)
    return core.DeviceArray(own.core, over(value) if is_foreign(value) else value)


def gpuarray(value: Any) -> Any:
    """PyCUDA's GPUArray over the memory of a DeviceArray."""
    context = open_device(value.device.name).context
    from pycuda.gpuarray import GPUArray
    context.push()
    try:
        return GPUArray(value.shape, value.dtype, gpudata=value.gpudata, base=value)
    finally:
        context.pop()
