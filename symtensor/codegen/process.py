"""Running a compiler as a child process that can be ended whole, whatever interrupts us.

>>> run(["/bin/sh", "-c", "echo hello; exit 3"])
(3, 'hello')
>>> run(["/bin/sh", "-c", "sleep 9"], seconds=0.05)
(-1, 'gave no answer in 0.05 s')
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["run", "run_all"]

_POLITE_SECONDS = 2.0
_Process = subprocess.Popen[bytes]


def run(command: Sequence[str], seconds: float | None = None) -> tuple[int, str]:
    """Status and output (both streams) of a command; status -1 where it took more than `seconds`.

    Raises OSError where it cannot be started.
    """
    return run_all([command], seconds)[0]


def run_all(commands: Sequence[Sequence[str]], seconds: float | None = None) -> list[tuple[int, str]]:
    """Run commands side by side. None of them is left running, also when this is interrupted."""
    started: list[_Process] = []
    try:
        for command in commands:
            started.append(_start(command))
        return [_result(process, seconds) for process in started]
    except BaseException:
        for process in started:
            _end(process)
        raise


def _start(command: Sequence[str]) -> _Process:
    # In a session of its own, so that ending it ends its children too: an interrupt may have come from the
    # keyboard, which signals the whole group, or from a notebook, which signals this process alone.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def _result(process: _Process, seconds: float | None) -> tuple[int, str]:
    try:
        output = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        _end(process)
        return -1, f"gave no answer in {seconds:g} s"
    return process.returncode, output.decode(errors="replace").strip()


def _end(process: _Process) -> None:
    """End a process and its children, politely first: gcc then removes its temporary files."""
    for number, seconds in ((signal.SIGTERM, _POLITE_SECONDS), (signal.SIGKILL, None)):
        with suppress(OSError):
            if process.poll() is None:
                os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    if process.stdout:
        process.stdout.close()
