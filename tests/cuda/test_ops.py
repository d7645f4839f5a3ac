"""Every op that has kernels, on the software device: what is printed for CUDA means what the op means in NumPy."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence

import pytest

import symtensor.ops
from symtensor.codegen.cuda import nvrtc
from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.library import print_routine
from symtensor.codegen.cuda.preamble import preamble
from symtensor.codegen.named import with_name
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.access import SUPPORTED, has_code, puts_elements
from symtensor.lower.plan import plan
from symtensor.ops import random, scalar
from symtensor.ops.contract import Gemm, MatMul
from symtensor.ops.convolution import Convolution
from symtensor.ops.elementwise import Cast, Elementwise, primitives
from symtensor.ops.index import Gather, Iota, Join, Scatter, SetSubtensor, Subtensor
from symtensor.ops.ordering import Argsort, Cumulate, Search, Select, Sort
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.shape import Broadcast, Dimshuffle, Reshape
from symtensor.ops.window import Overlap, Windows
from symtensor.testing.check_op import check_op
from symtensor.testing.examples import Example, examples_of
from symtensor.testing.verify_grad import Compile, variables_for
from tests.cuda.device import Device, OnDevice, device

for module in pkgutil.iter_modules(symtensor.ops.__path__, "symtensor.ops."):
    importlib.import_module(module.name)

ELEMENTWISE = [op for name, op in primitives.items() if op.definition.body is None]
MOVING = [Cast, Broadcast, Dimshuffle, Reshape, Iota, Join, Subtensor, SetSubtensor, Gather, Scatter, Windows, Overlap]
TOGETHER = [Reduce, ArgReduce, MatMul, Gemm, Convolution, Argsort, Cumulate, Search, Select, Sort]
"""Classes of ops whose kernels have barriers."""


@pytest.fixture(scope="module", params=["fast", "shuffled"])
def either(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A device that runs threads in order, and one that runs them in any order."""
    with device(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def fast() -> Iterator[Device]:
    """A device that runs threads in order."""
    with device("fast") as made:
        yield made


def kernels_on(where: Device) -> Compile:
    """What compiles graphs for a device, and expects a kernel for all of it."""
    def compile(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> OnDevice:
        made = OnDevice(where, inputs, outputs)
        assert not made.calls
        return made
    return compile


def dtype_of(example: Example) -> str:
    """The dtype of an elementwise op's operands, a condition excepted."""
    return str(example.arrays[-1].dtype)


def has_kernel(example: Example) -> bool:
    """Whether an example is computed by a kernel, and not by its NumPy meaning."""
    node = example.op.make(*variables_for(example.arrays))[0].owner
    call = node.op.library_call(node)
    if call is None:
        return has_code(node) or puts_elements(node)
    return print_routine(call, [v.type.dtype for v in (*call.memory(), *node.outputs)]) is not None


def special_values(op: Elementwise) -> Iterator[Example]:
    """An op at the special values of each dtype: the first example of each."""
    found: dict[str, Example] = {}
    for example in examples_of(op):
        found.setdefault(dtype_of(example), example)
    yield from filter(has_kernel, found.values())


@pytest.mark.parametrize("dtype", sorted(SUPPORTED))
def test_elementwise(fast, dtype):
    """All ops of a dtype at once: their kernels are compiled together."""
    examples = [example for op in ELEMENTWISE for example in special_values(op) if dtype_of(example) == dtype]
    assert len(examples) > 10
    check_op(scalar.add, examples, compile=kernels_on(fast), derivatives=False)


@pytest.mark.parametrize("op", [scalar.add, scalar.switch, random.random32, random.random64], ids=str)
def test_shapes(fast, op):
    """How operands broadcast is the same for all ops; numbers that share a block are computed together."""
    examples = [e for e in examples_of(op) if dtype_of(e) in ("float32", "uint64", "bool")]
    check_op(op, examples, compile=kernels_on(fast), derivatives=False)


@pytest.mark.parametrize("op", MOVING, ids=lambda op: op.__name__)
def test_moving(fast, op):
    examples = [e for e in examples_of(op) if has_kernel(e)]
    check_op(op, examples, compile=kernels_on(fast), derivatives=False)


@pytest.mark.parametrize("op", TOGETHER, ids=lambda op: op.__name__)
def test_together(either, op):
    examples = [e for e in examples_of(op) if has_kernel(e)]
    check_op(op, examples, compile=kernels_on(either), derivatives=False)


@pytest.mark.skipif(nvrtc.find() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64", "int32", "uint8", "bool"])
def test_elementwise_for_devices(dtype):
    """What ran on the software device NVIDIA's compiler takes, too, and needs no memory to keep scalars in."""
    examples = [example for op in ELEMENTWISE for example in special_values(op) if dtype_of(example) == dtype]
    made = kernels_of(examples)
    text = "\n".join([preamble(), *(with_name(text, f"k{n}_{name}") for n, (name, text) in enumerate(made))])
    found = nvrtc.resources(text, "sm_80")
    assert len(found) == len(made)
    assert [kernel for kernel in found if kernel.spilled] == []


def kernels_of(examples: Sequence[Example]) -> list[tuple[str, str]]:
    """The kernels of a graph of examples."""
    applied = [variables_for(example.arrays) for example in examples]
    outputs = [v for example, inputs in zip(examples, applied) for v in example.op.make(*inputs)]
    inputs = [v for own in applied for v in own]
    return [(one.name, one.text) for one in plan(Graph(inputs, outputs), len(inputs), [], print_kernel).kernels]
