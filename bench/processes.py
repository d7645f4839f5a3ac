"""Measurements that need a process each: time to compile, time to import, memory of a training step.

Run as a program with the name of a measurement and of a framework, it prints one number.

>>> [case.name for case in CASES][:2]
['compile, cold', 'compile, warm']
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cnn
import mlp
from harness import FRAMEWORKS, Case, clock, limit_threads, run_process
from peers import SETUP

BATCH = 128
CASES = [
    Case("compile, cold", ("compile",), bar=1, absolute=1, rival="jax"),
    Case("compile, warm", ("compile",), absolute=0.15),
    Case("compile VGG-A, cold", ("compile VGG-A",), absolute=5),
    Case("compile VGG-A, warm", ("compile VGG-A",), absolute=0.5),
    Case("import, beyond NumPy", ("import",), absolute=0.15),
    Case("memory of an MLP step", ("memory",)),
]
PARTICIPANTS = {
    "import": ("symtensor", "torch", "jax", "pytensor-c"),
    "compile": ("symtensor", "torch.compile", "jax", "pytensor-c", "pytensor-numba"),
    "compile VGG-A": ("symtensor",),
    "memory": FRAMEWORKS,
}
HERE = Path(__file__).parent


def measure(case: Case, framework: str, environment: Mapping[str, str]) -> float:
    """The seconds or bytes that a fresh process prints."""
    return float(run_process([str(HERE / "processes.py"), case.arguments[0], framework], environment))


def import_seconds(framework: str) -> float:
    """Seconds until a framework is ready for use, NumPy being loaded."""
    started = clock()
    exec(SETUP[framework], {})
    return clock() - started


def compile_seconds(framework: str) -> float:
    """Seconds to write down the training step of the MLP family, compile it and run it once."""
    exec(SETUP[framework], {})
    mlp.parameters(), mlp.batch(BATCH)
    started = clock()
    mlp.MAKERS[framework](BATCH)()
    return clock() - started


def network_seconds(framework: str) -> float:
    """Seconds to write down and compile a training step of VGG-A, which has 22 parameters; a call takes far longer."""
    import symtensor as st
    import symtensor.tensor as T
    shared, images = [st.shared(parameter) for parameter in cnn.parameters("vgg_a")], cnn.batch_of("vgg_a", 8)[0]
    started = clock()
    x, y = T.tensor4("x", dtype="float32", shape=images.shape), T.ivector("y")
    loss = cnn.loss_in_symtensor("vgg_a", x, y, shared)
    st.function([x, y], loss, updates=[(p, p - cnn.RATE * slope) for p, slope in zip(shared, st.grad(loss, shared))])
    return clock() - started


def step_bytes(framework: str) -> float:
    """Bytes that training steps need at their peak, beyond those of the imported framework and the data."""
    exec(SETUP[framework], {})
    mlp.parameters(), mlp.batch(BATCH)
    before = resident_bytes("VmRSS")
    step = mlp.MAKERS[framework](BATCH)
    step()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten: compiling is not what is measured
    for _ in range(10):
        step()
    return resident_bytes("VmHWM") - before


def resident_bytes(field: str) -> float:
    """A field of what Linux tells about this process's memory; the peak so far where there is no Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return next(1024.0 * float(line.split()[1]) for line in status.splitlines() if line.startswith(field))


if __name__ == "__main__":
    limit_threads()
    measurements: dict[str, Any] = {"import": import_seconds, "compile": compile_seconds,
                                    "compile VGG-A": network_seconds, "memory": step_bytes}
    print(measurements[sys.argv[1]](sys.argv[2]))
