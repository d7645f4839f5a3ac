"""The limits of this machine, measured by a few lines of C: bandwidth to read and to copy, and float32 arithmetic.

Run as a program it prints them as JSON: bytes a second for "read" and "copy" (read and written), operations a second
for "flops".

>>> sorted(measure.__annotations__)
['return', 'threads']
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from harness import clock, limit_threads

COUNT = 16 * 1024 * 1024
REPEATS = 7
SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-fassociative-math", "-fno-signed-zeros",
         "-fno-trapping-math", "-fno-math-errno", "-fopenmp", "-shared", "-fPIC"]


def library() -> ctypes.CDLL:
    """The C functions, compiled for this machine."""
    with tempfile.TemporaryDirectory() as directory:
        built = Path(directory, "limits.so")
        subprocess.run(["cc", *FLAGS, str(SOURCE), "-o", str(built)], check=True)
        return ctypes.CDLL(str(built))


def least_seconds(work: Callable[[], object]) -> float:
    """The fewest seconds of a few runs."""
    work()
    seconds = []
    for _ in range(REPEATS):
        started = clock()
        work()
        seconds.append(clock() - started)
    return min(seconds)


def measure(threads: int) -> dict[str, float]:
    """Bytes read, bytes copied and float32 operations a second."""
    made = library()
    source, target = np.ones(COUNT, "float32"), np.zeros(COUNT, "float32")
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (source, target)]
    count, one, rounds = ctypes.c_long(COUNT), ctypes.c_long(1), ctypes.c_long(2_000_000)
    read = least_seconds(lambda: made.read_all(pointers[0], count, one))
    copy = least_seconds(lambda: made.copy_all(pointers[1], pointers[0], count, one))
    arithmetic = least_seconds(lambda: made.multiply_add(rounds))
    return {"read": source.nbytes / read, "copy": 2 * source.nbytes / copy,
            "flops": threads * rounds.value * made.operations_of_a_round() / arithmetic}


if __name__ == "__main__":
    limit_threads()
    print(json.dumps(measure(int(os.environ["BENCH_THREADS"]))))
