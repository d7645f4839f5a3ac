"""What calls ask of a CUDA device, counted as they run on the software driver: nothing here says how fast anything is.

    python bench/cuda_counts.py [--architecture sm_80]

For training steps: launches, values and bytes that are moved between the processor and the device. For each kernel
family, and each kernel of a step: sectors of 32 bytes of global memory that a warp's requests take against the least
for as many bytes, turns of the banks of shared memory against the least, and, where NVRTC is installed, registers and
the part of a multiprocessor's warps that run at once. `bench/roofline.py` has bytes and operations by form.

>>> str(Traffic(global_passes=12, global_least=8)).split()
['1.50', '-']
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import symtensor as st  # noqa: E402
import symtensor.tensor as T  # noqa: E402
from symtensor.codegen.cuda import nvrtc  # noqa: E402
from symtensor.codegen.cuda.preamble import preamble  # noqa: E402
from symtensor.codegen.cuda.resources import LIMITS, Resources, occupancy  # noqa: E402
from symtensor.codegen.named import with_name  # noqa: E402
from symtensor.runtime.cuda import software  # noqa: E402
from symtensor.runtime.cuda.devices import open_device  # noqa: E402
from tests.training import METHODS, Perceptron  # noqa: E402

BLOCK = 256
BATCH = 64


@dataclass(frozen=True)
class Call:
    """A function on the device, and what it is called with."""

    name: str
    function: Any
    arrays: tuple[np.ndarray, ...]


@dataclass
class Traffic:
    """Requests of the first blocks of each launch: what they took of memory, and the least that could do."""

    global_passes: int = 0
    global_least: int = 0
    shared_passes: int = 0
    shared_least: int = 0

    def __str__(self) -> str:
        pairs = ((self.global_passes, self.global_least), (self.shared_passes, self.shared_least))
        return "".join(f"{f'{passes / least:.2f}' if least else '-':>9}" for passes, least in pairs)


def calls(only: str) -> Iterator[Call]:
    """One call for each family of kernels, then training steps: those that have `only` in their name."""
    random = np.random.default_rng(0)
    matrix, side = (random.standard_normal(shape).astype("float32") for shape in ((96, 256), (256, 128)))
    x, w, i = T.fmatrix("x"), T.fmatrix("w"), T.lvector("i")
    of_matrix = {"chain": T.tanh(x) * x + 0.5, "softmax": T.nnet.softmax(x),
                 "layer norm": T.nnet.layer_normalization(x), "sum": x.sum(), "sum of rows": x.sum(axis=1),
                 "sum of columns": x.sum(axis=0), "argmax": T.argmax(x, axis=1), "transposed": x.T * 2}
    families = {name: ([x], value, (matrix,)) for name, value in of_matrix.items()}
    long = random.standard_normal((4, 20_000)).astype("float32")
    families["few long rows"] = [x], T.nnet.softmax(x), (long,)
    families["gather"] = [x, i], x[i] * 2, (matrix, random.integers(0, 96, 96))
    families["product"] = [x, w], T.dot(x, w), (matrix, side)
    families["product, long sums"] = [x, w], T.dot(x, w), (long[:, :4096], long[:, :4096].T)
    for name, (inputs, value, arrays) in families.items():
        if only in name:
            yield Call(name, st.function(inputs, value.transfer("cuda"), device="cuda"), arrays)
    images, labels = random.random((BATCH, 128), "float32"), random.integers(0, 10, BATCH).astype("int32")
    for method in METHODS:
        if only in f"MLP step, {method}":
            step = Perceptron(method, (128, 64, 64, 10)).step(device="cuda")
            yield Call(f"MLP step, {method}", step, (images, labels))


def traffic_of(call: Call) -> dict[str, Traffic]:
    """What the kernels of a call ask of memory, by the symbols of kernels. Raises RuntimeError for a finding."""
    call.function(*call.arrays)
    software.report()
    call.function(*call.arrays)
    st.cuda.device("cuda").synchronize()
    findings, lines = software.report()
    if findings:
        raise RuntimeError(f"{call.name}: {findings[0].text}")
    found: defaultdict[str, Traffic] = defaultdict(Traffic)
    for line in lines:
        own = found[line.kernel]
        if line.kind.startswith("global"):
            own.global_passes, own.global_least = own.global_passes + line.passes, own.global_least + line.least
        else:
            own.shared_passes, own.shared_least = own.shared_passes + line.passes, own.shared_least + line.least
    return dict(found)


def resources_of(call: Call, architecture: str) -> dict[str, Resources]:
    """What the kernels of a call take of a multiprocessor, by their numbers in its program."""
    if nvrtc.find() is None:
        return {}
    texts = [with_name(code.text, f"k{number}") for number, code in enumerate(call.function.program.kernels)]
    return {kernel.name: kernel for kernel in nvrtc.resources("\n".join([preamble(), *texts]), architecture)}


def moved(call: Call) -> str:
    """The values that a call moves, and their bytes where these are arguments."""
    sizes = {variable.name: array.nbytes for variable, array in zip(call.function.signature.arguments, call.arrays)}
    moves = call.function.placement.moves
    into, out = ([move.value for move in moves if (move.target == "cpu") is outwards] for outwards in (False, True))
    return f"{len(into)} in ({sum(sizes.get(name, 0) for name in into)} bytes), {len(out)} out"


def described(call: Call, architecture: str) -> list[str]:
    """The lines of a call: itself, and its kernels."""
    launches = call.function.placement.launches
    traffic, resources = traffic_of(call), resources_of(call, architecture)
    lines = [f"{call.name}: {launches['cuda0']} launches, {launches['cpu']} on the processor, moved: {moved(call)}"]
    codes = call.function.program.kernels
    for number, (code, compiled) in enumerate(zip(codes, open_device("cuda").compiled(codes))):
        own, kernel = traffic.get(compiled.symbol, Traffic()), resources.get(f"k{number}")
        full = "" if kernel is None else f"{kernel.registers:>11}{occupancy(kernel, BLOCK, architecture):>11.0%}"
        lines.append(f"  {code.name[:50]:<52}{own}{full}")
    return lines


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=list(LIMITS), default="sm_80")
    parser.add_argument("--only", default="", help="the calls with this in their name")
    options = parser.parse_args()
    architecture = options.architecture
    st.config.cuda_driver = "software"
    software.load("check")
    print(f"{'':<54}{'global':>9}{'shared':>9}{'registers':>11}{'occupancy':>11}  ({architecture})")
    for call in calls(options.only):
        print("\n".join(described(call, architecture)), flush=True)


if __name__ == "__main__":
    main()
