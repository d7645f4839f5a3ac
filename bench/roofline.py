"""What CUDA kernels ask of a device, against the least that could be: a count, made without a device.

For each kernel family: launches, bytes that its loads and stores ask for, each pass over a row counted, against those
of reading each input and writing each output once; operations for each byte; and, where NVRTC is installed, registers
and the part of a multiprocessor's warps that run at once. Nothing here says how fast a kernel is.

    python bench/roofline.py [--architecture sm_80]

>>> [family.name for family in FAMILIES][:3]
['chain', 'softmax', 'layer norm']
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symtensor.codegen.cuda import nvrtc
from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.preamble import preamble
from symtensor.codegen.cuda.resources import LIMITS, occupancy
from symtensor.codegen.named import with_name
from symtensor.ir.graph import Graph, leaves
from symtensor.ir.node import Constant, Variable
from symtensor.lower.kernel import Compute, Kernel, Load, Loop, Store, Value, product
from symtensor.lower.plan import plan
from symtensor.lower.schedule import Schedule
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.rewrite.phases import optimize
from symtensor.types import dim as dims
from symtensor.types.dtype import itemsize
from symtensor.types.tensor import TensorType

ROWS, COLUMNS = 4096, 1024


@dataclass(frozen=True)
class Family:
    """A kind of kernel: what makes an expression with it."""

    name: str
    build: Callable[[], Variable]


def _x(dtype: str = "float32", *shape: int) -> Variable:
    return TensorType(dtype, shape or (ROWS, COLUMNS))("x")


def _chain() -> Variable:
    import symtensor.tensor as T
    return T.tanh(_x()) * _x() + 0.5


def _softmax() -> Variable:
    import symtensor.tensor as T
    return T.nnet.softmax(_x())


def _layer_norm() -> Variable:
    import symtensor.tensor as T
    return T.nnet.layer_normalization(_x(), _x("float32", COLUMNS), _x("float32", COLUMNS))


def _gather() -> Variable:
    return _x()[_x("int64", ROWS)] * 2


def _normal() -> Variable:
    from symtensor.tensor.shared_randomstreams import RandomStreams
    return RandomStreams(1).normal((ROWS, COLUMNS), dtype="float32")


FAMILIES = [Family("chain", _chain), Family("softmax", _softmax), Family("layer norm", _layer_norm),
            Family("sum", lambda: _x().sum()), Family("sum of rows", lambda: _x().sum(axis=1)),
            Family("sum of columns", lambda: _x().sum(axis=0)), Family("argmax", lambda: _x().argmax(axis=1)),
            Family("transposed", lambda: _x().T * 2), Family("gather", _gather)]


@dataclass
class Count:
    """Bytes asked for, the fewest there could be, and operations."""

    asked: int = 0
    least: int = 0
    operations: int = 0

    def add(self, kernel: Kernel, printed: Sequence[PrintedKernel]) -> None:
        """Count a kernel: its passes, and the partial results between two launches."""
        schedule = Schedule(kernel)
        touched: dict[int, int] = {}
        for stage in schedule.stages:
            roots = [kernel.reductions[n].value for n in stage.reductions] + [store.value for store in stage.stores]
            self._pass(kernel, schedule, roots or [store.value for store in kernel.stores], touched)
        for store in kernel.stores:
            self.asked += _bytes(kernel, store)
            touched[store.slot] = max(touched.get(store.slot, 0), _bytes(kernel, store))
        partial = {buffer for one in printed for buffer in one.buffers if isinstance(buffer, Partial)}
        self.asked += sum(2 * int(one.length) * itemsize(one.dtype) for one in partial)
        self.least += sum(touched.values())

    def _pass(self, kernel: Kernel, schedule: Schedule, roots: Sequence[Value], touched: dict[int, int]) -> None:
        for value in schedule.closure(roots, ()):
            if isinstance(value, Load):
                self.asked += _bytes(kernel, value)
                touched[value.slot] = max(touched.get(value.slot, 0), _bytes(kernel, value))
            elif isinstance(value, Compute):
                points = kernel.loops if schedule.level_of[value] == 2 else kernel.parallel
                self.operations += value.op.definition.cost * _number(points)


def _bytes(kernel: Kernel, access: Load | Store) -> int:
    """The bytes of an access at all points of the loops that it moves with: in the others a cache has them."""
    symbols = _moving(access)
    return _number([loop for loop in kernel.loops if loop.symbol in symbols]) * itemsize(kernel.dtypes[access.slot])


def _moving(access: Load | Store) -> set[object]:
    symbols: set[object] = set()
    pending = list(dims.symbols_of(access.offset))
    while pending:
        symbol = pending.pop()
        symbols.add(symbol)
        if isinstance(symbol.source, Load):
            pending += dims.symbols_of(symbol.source.offset)
        elif isinstance(symbol.source, Compute):
            pending += [s for v in symbol.source.arguments if isinstance(v, Load) for s in dims.symbols_of(v.offset)]
    return symbols


def _number(loops: Sequence[Loop]) -> int:
    return int(product(loops))  # type: ignore[arg-type]


def counted(family: Family) -> tuple[Count, list[tuple[str, str]]]:
    """The count of a family, and its kernels."""
    output = family.build()
    inputs = [v for v in leaves([output]) if not isinstance(v, Constant)]
    graph, count = Graph(inputs, [output]), Count()
    optimize(graph)

    def note(kernel: Kernel) -> Sequence[PrintedKernel]:
        printed = print_kernel(kernel)
        count.add(kernel, printed)
        return printed

    return count, [(one.name, one.text) for one in plan(graph, len(inputs), [], note).kernels]


def describe(architecture: str) -> str:
    """The table."""
    lines = [f"{'kernel':<16}{'launches':>9}{'bytes asked / least':>24}{'operations a byte':>19}"
             f"{'registers, occupancy on ' + architecture:>36}"]
    for family in FAMILIES:
        count, kernels = counted(family)
        ratio = f"{count.asked / 1e6:.1f} / {count.least / 1e6:.1f} MB, {count.asked / count.least:.2f}"
        lines.append(f"{family.name:<16}{len(kernels):>9}{ratio:>24}{count.operations / count.least:>19.1f}"
                     f"{_resources(kernels, architecture):>36}")
    return "\n".join(lines)


def _resources(kernels: Sequence[tuple[str, str]], architecture: str) -> str:
    if nvrtc.find() is None:
        return "(NVRTC is not installed)"
    text = "\n".join([preamble(), *(with_name(text, f"k{number}_{name}")
                                    for number, (name, text) in enumerate(kernels))])
    found = sorted(nvrtc.resources(text, architecture), key=lambda kernel: kernel.name)
    return "; ".join(f"{kernel.registers}, {occupancy(kernel, 256, architecture):.0%}" for kernel in found)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--architecture", choices=list(LIMITS), default="sm_80")
    print(describe(options.parse_args().architecture))
