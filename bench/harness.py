"""How things are timed: cases, the loop around a call, and the process that each framework runs in.

A family is a module with `CASES`, with `MAKERS`, which for each framework makes the call to time from the arguments of
a case, and with `reference`, what the call must return, or what the family's `observed` makes of it. A family whose
calls are over before their work is has a `Timer` of its own. The process is told case names on its standard input and
answers each with one line of JSON. It is idle while others are measured, so that thread pools do not collide.

>>> Case("sum of 10", (10,), bar=2.0).limit({"read": 1e9})
>>> Case("sum of 10", (10,), bar=2.0, read=40).limit({"read": 1e9})
4e-08
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Case", "Worker", "Failed", "OURS", "FRAMEWORKS", "environment", "limit_threads", "clock", "run_process"]

OURS = "symtensor"
FRAMEWORKS = (OURS, "numpy", "torch", "torch.compile", "jax", "pytensor-c", "pytensor-numba")
HERE = Path(__file__).parent
SAMPLE_SECONDS = 0.02
SAMPLES = 3
TIMEOUT = 600


@dataclass(frozen=True)
class Case:
    """One thing to measure, and what is known about it beforehand.

    `bar` is the ratio to the fastest peer (or to `rival`, if given) that is to be reached, and `absolute` the value.
    `read`, `moved` and `flops` are the bytes read, those read and written, and the arithmetic that nothing can avoid.
    `frameworks` are those it is written for.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    bar: float | None = None
    absolute: float | None = None
    rival: str | None = None
    read: float = 0
    moved: float = 0
    flops: float = 0
    frameworks: tuple[str, ...] = FRAMEWORKS

    def limit(self, machine: Mapping[str, float]) -> float | None:
        """Seconds below which the machine cannot do it, as measured; None where that says nothing."""
        seconds = [amount / machine[name] for name, amount in
                   (("read", self.read), ("copy", self.moved), ("flops", self.flops)) if amount]
        return max(seconds, default=None)


class Failed(Exception):
    """A framework could not do a case; the text says why."""


def environment(threads: int, clock: str, cache: Path) -> dict[str, str]:
    """The environment of every measured process: one number of threads, and caches of its own for all frameworks.

    `clock` is "wall", or "cpu" for the seconds that processors spend on the process: of use with one thread, on a
    machine that others use at the same time.
    """
    left_out = ("SYMTENSOR_", "OPENBLAS_", "PYTHONDONTWRITEBYTECODE")  # users' modules are compiled once, so are ours
    own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    count = str(threads)
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
                            "SYMTENSOR_THREADS"), count)
    return own | counts | {
        "BENCH_THREADS": count,
        "BENCH_CLOCK": clock,
        "SYMTENSOR_CACHE_DIR": str(cache / "symtensor"),
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PLATFORMS": "cpu",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "PYTENSOR_FLAGS": f"floatX=float32,base_compiledir={cache / 'pytensor'},openmp={threads > 1}",
    }


def limit_threads() -> None:
    """Keep this process to as many processors as it may have threads."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[:int(os.environ["BENCH_THREADS"])])


def clock() -> float:
    """Seconds by the clock asked for; those of processes that have ended (compilers) count as this one's."""
    if os.environ["BENCH_CLOCK"] == "wall":
        return time.perf_counter()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def run_process(arguments: list[str], environment: Mapping[str, str]) -> str:
    """What a Python process prints. Raises Failed with the last line of its complaint."""
    try:
        done = subprocess.run([sys.executable, *arguments], env=dict(environment), capture_output=True, text=True,
                              timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {TIMEOUT} s") from None
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1])
    return done.stdout


class Worker:
    """A process that measures the cases of a family with one framework."""

    def __init__(self, family: str, framework: str, environment: Mapping[str, str]) -> None:
        command = [sys.executable, str(HERE / "harness.py"), family, framework]
        self._process = subprocess.Popen(command, env=dict(environment), text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def measure(self, case: str) -> float:
        """Seconds of one call: the least of a few samples. The first time for a case, it is made and checked too."""
        assert self._process.stdin and self._process.stdout
        try:
            print(case, file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise Failed(f"the process ended with {self._process.poll()}") from None
        if "failed" in answer:
            raise Failed(answer["failed"])
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class _Timer:
    """The call of one case, with how often to repeat it in a sample."""

    def __init__(self, family: Any, framework: str, case: Case) -> None:
        call = family.MAKERS[framework](*case.arguments)
        check(family, case, call)
        self._timer = timeit.Timer("call()", timer=clock, globals={"call": call})
        self._repeats = 1
        while self._timer.timeit(self._repeats) < SAMPLE_SECONDS:
            self._repeats *= 2

    def seconds(self) -> float:
        """The least of a few samples, for one call."""
        return min(self._timer.repeat(SAMPLES, self._repeats)) / self._repeats


def check(family: Any, case: Case, call: Callable[[], Any]) -> None:
    """Raise AssertionError unless the call, made as often as the reference has entries, returns what it must."""
    wanted, observed = family.reference(*case.arguments), getattr(family, "observed", np.asarray)
    for number, value in enumerate(wanted):
        np.testing.assert_allclose(observed(call()), value, rtol=1e-3, atol=1e-4, err_msg=f"call {number}")


def serve(family: Any, framework: str) -> None:
    """Answer each case named on standard input with the seconds of one call."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks print does not mix with the answers
    cases = {case.name: case for case in family.CASES}
    timers: dict[str, _Timer] = {}
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in timers:
                timers[name] = getattr(family, "Timer", _Timer)(family, framework, cases[name])
            answer: dict[str, Any] = {"seconds": timers[name].seconds()}
        except Exception as error:  # whatever a framework raises is a result to report
            answer = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    limit_threads()
    serve(import_module(sys.argv[1]), sys.argv[2])
