"""What holds the memory of devices, for the error when there is none left.

>>> in_words(3 << 20), in_words(1500), in_words(12)
('3.0 MB', '1.5 KB', '12 bytes')
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from symtensor.base.errors import OutOfMemory
from symtensor.runtime.core import core
from symtensor.runtime.shared import SharedVariable, living

__all__ = ["functions", "in_words", "out_of_memory"]

functions: WeakSet[Any] = WeakSet()
"""Compiled functions that use devices."""
_SHOWN = 4


def in_words(size: int) -> str:
    """A number of bytes as text."""
    for unit, shift in (("GB", 30), ("MB", 20), ("KB", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.1f} {unit}"
    return f"{size} bytes"


def out_of_memory(device: Any, size: int, what: str) -> OutOfMemory:
    """The error for a device, of the C runtime, that has no more memory: what was to have it, and who has it now."""
    left, total = device.memory
    held = [*_held("shared variables", ((v.name or repr(v), _bytes_on(device, v)) for v in living())),
            *_held("intermediate results of functions, and buffers they keep",
                   ((f.name or repr(f), f.workspace_bytes) for f in functions
                    if any(own is device for own in f.devices)))]
    return OutOfMemory(f"{device.name} has no memory left for {what}: {in_words(size)}", operands=[
        f"in use: {in_words(device.held_bytes)}; left: {in_words(left)} of {in_words(total)}", *held],
        fix="smaller batches; function.free() gives back intermediate results, `del` arrays that functions returned")


def _bytes_on(device: Any, variable: SharedVariable) -> int:
    value = variable.storage.value
    return value.nbytes if core is not None and isinstance(value, core.DeviceArray) and value.device is device else 0


def _held(kind: str, entries: Iterable[tuple[str, int]]) -> list[str]:
    found = sorted(((size, name) for name, size in entries if size), reverse=True)
    if not found:
        return []
    names = ", ".join(f"{name} {in_words(size)}" for size, name in found[:_SHOWN])
    more = f", {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{kind}: {in_words(sum(size for size, _ in found))} ({names}{more})"]
