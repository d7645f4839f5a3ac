"""What a kernel takes of a multiprocessor, as NVRTC reports it, and how many of its warps run at once.

>>> kernel = Resources("matrices", 128, 17152, 0, 0)
>>> [occupancy(kernel, 256, architecture) for architecture in LIMITS]
[0.5, 0.25, 0.25]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["LIMITS", "Limits", "Resources", "occupancy", "reported"]


@dataclass(frozen=True)
class Resources:
    """Registers of a thread; bytes of static shared memory of a block; of a thread, bytes on the stack and spilled."""

    name: str
    registers: int
    shared: int
    stack: int
    spilled: int


@dataclass(frozen=True)
class Limits:
    """What a multiprocessor has: threads, blocks, bytes of shared memory, of which each block costs so many more."""

    threads: int
    blocks: int
    shared: int
    shared_of_block: int


LIMITS = {"sm_75": Limits(1024, 16, 64 << 10, 0), "sm_80": Limits(2048, 32, 164 << 10, 1 << 10),
          "sm_90": Limits(2048, 32, 228 << 10, 1 << 10)}
"""By architecture; from the tables of the CUDA C++ Programming Guide, Compute Capabilities."""
_REGISTERS, _PARTITIONS, _UNIT, _WARP = 65536, 4, 256, 32
"""Registers of a multiprocessor, the parts they are divided into, and how many are given out at once to a warp."""

_REPORT = re.compile(r"Compiling entry function '(\w+)'(.*?)Compile time", re.DOTALL)


def reported(log: str) -> Iterator[Resources]:
    """The kernels of a log that NVRTC wrote with the option `--ptxas-options=-v`."""
    for name, lines in _REPORT.findall(log):
        def number(before: str, after: str, lines: str = lines) -> int:
            found = re.search(rf"{before}(\d+){after}", lines)
            return int(found[1]) if found else 0

        yield Resources(name, number("Used ", " registers"), number("", " bytes smem"),
                        number("", " bytes stack frame"), number("", " bytes spill stores"))


def occupancy(kernel: Resources, block: int, architecture: str) -> float:
    """What part of the warps that a multiprocessor can run do so where blocks have `block` threads."""
    limits, warps = LIMITS[architecture], block // _WARP
    of_warp = -(-kernel.registers * _WARP // _UNIT) * _UNIT
    by_registers = _REGISTERS // _PARTITIONS // of_warp * _PARTITIONS // warps
    by_shared = limits.shared // max(kernel.shared + limits.shared_of_block, 1)
    blocks = min(limits.blocks, limits.threads // block, by_registers, by_shared)
    return blocks * warps / (limits.threads // _WARP)
