"""`symtensor cuda-check program.py`: a program that uses CUDA, run on the software driver, and what that found.

In the mode check, races, accesses beyond memory and uninitialised reads are told with their source lines, and for each
line of a kernel that touches memory how many sectors of 32 bytes, or turns of the banks of shared memory, a warp needs.

>>> print(findings_text([software.Finding("race", "total", 3, "thread (1, 0, 0) reads at total.cu:3 ...")]))
1 finding
race, 3 times: thread (1, 0, 0) reads at total.cu:3 ...
"""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence

from symtensor.base.config import config
from symtensor.runtime.cuda import software

__all__ = ["checked", "findings_text", "traffic_text"]


def checked(program: str, arguments: Sequence[str] = (), *, mode: str = "check", devices: int | None = None,
            memory: int | None = None, seed: int | None = None) -> tuple[str, int]:
    """Run a program on the software driver; what was found, and the status: 1 for a finding or an error.

    Of a program that raises, what was found until then is told too.
    """
    before = software.current_mode()
    software.load(mode, devices=devices, memory=memory, seed=seed)
    try:
        failed = _run(program, arguments)
    finally:
        software.load(before)
    findings, traffic = software.report()
    parts = [findings_text(findings)] if mode == "check" else []
    if traffic:
        parts.append(traffic_text(traffic))
    return "\n\n".join(parts), int(failed or bool(findings))


def _run(program: str, arguments: Sequence[str]) -> bool:
    """Run a program as the main one; whether it failed, which is then on standard error."""
    before, sys.argv = sys.argv, [program, *arguments]
    driver, config.cuda_driver = config.cuda_driver, "software"
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as leaving:
        return bool(leaving.code)
    except Exception:
        traceback.print_exc()
        return True
    finally:
        sys.argv, config.cuda_driver = before, driver
    return False


def findings_text(findings: Sequence[software.Finding]) -> str:
    """The defects, a line each."""
    count = "no findings" if not findings else "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    lines = [f"{each.kind}{f', {each.count} times' if each.count > 1 else ''}: {each.text}" for each in findings]
    return "\n".join([count, *lines])


def traffic_text(traffic: Sequence[software.Traffic]) -> str:
    """A table of what each line asks of memory: sectors, or turns of banks, for a request of a warp, and the least.

    >>> print(traffic_text([software.Traffic("add", "add.cu:4", "global read", 10, 320, 40)]))
    kernel               line                 access        requests  of each     least
    add                  add.cu:4             global read         10     32.0       4.0
    """
    lines = [f"{'kernel':<20} {'line':<20} {'access':<13} {'requests':>8} {'of each':>8} {'least':>9}"]
    for each in traffic:
        lines.append(f"{each.kernel:<20} {each.line:<20} {each.kind:<13} {each.requests:>8}"
                     f" {each.passes / each.requests:>8.1f} {each.least / each.requests:>9.1f}")
    return "\n".join(lines)
