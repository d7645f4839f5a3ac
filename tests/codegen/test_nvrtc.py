"""NVIDIA's compiler takes what is printed for CUDA, for old and new devices, and says what is wrong otherwise.

What kernels take of a multiprocessor is a golden table, `resources.md`: a change of it is a change of speed on devices
that nobody may have at hand. After a change that is meant, `pytest tests/codegen/test_nvrtc.py --update-golden` writes
it anew.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from difflib import unified_diff
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from symtensor.base.errors import CompileError
from symtensor.codegen.cuda import nvrtc
from symtensor.codegen.cuda.library import print_routine
from symtensor.codegen.cuda.preamble import preamble
from symtensor.codegen.cuda.resources import LIMITS, Resources, occupancy
from symtensor.codegen.dialect import CUDA
from symtensor.codegen.named import with_name
from symtensor.ir.routine import RoutineCall
from symtensor.types.dim import symbol
from symtensor.types.dtype import FLOATS

pytestmark = pytest.mark.skipif(nvrtc.find() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc")
HERE = Path(__file__).parent
PINNED = "13.0"
BLOCK = 256


def golden_kernels() -> Iterator[str]:
    """The golden cases' kernels, named after the case too: another case may have one of the same name."""
    for path in sorted((HERE / "golden").glob("*.cu")):
        text = path.read_text(encoding="utf-8")
        yield re.sub(r"(?<=[14]\) )(?=\w+\()|(?<=SYMTENSOR_KERNEL\()", f"{path.stem}__", text)


def library_kernels() -> Iterator[str]:
    """Hand-written kernels in all their variants."""
    m, n, k, batch = map(symbol, "mnkb")
    for dtype, transposed, scaled in product(FLOATS, product([0, 1], repeat=2), [0, 1]):
        call = RoutineCall("gemm", (), (m, n, k, batch), (*transposed, 0, 0))
        for kernel in print_routine(call, [dtype] * (5 if scaled else 3)):
            name = f"{kernel.name}__{dtype}_{'nt'[transposed[0]]}{'nt'[transposed[1]]}{'_scaled' * scaled}"
            yield with_name(kernel.text, name)
    sizes = [symbol(f"s{number}") for number in range(22)]
    for dtype, wanted, last in product(FLOATS, range(3), range(2)):
        for kernel in print_routine(RoutineCall("convolution", (), sizes, (wanted, last)), [dtype] * 3):
            yield with_name(kernel.text, f"convolution__{kernel.name}_{dtype}{'_last' * last}")
    yield from ordering_kernels()


def ordering_kernels() -> Iterator[str]:
    """Those of what depends on the order of elements, each once."""
    outer, n, inner, wanted = map(symbol, ("outer", "n", "inner", "wanted"))
    calls = {"sort": (outer, n, inner), "select": (outer, n, inner, wanted), "search": (n, wanted),
             "cumulate": (outer, n, inner), "cumulate rows": (outer, n, 1)}
    for dtype, (name, sizes) in product(["float32", "float64"], calls.items()):
        call = RoutineCall(name.split()[0], (), sizes, (0,))
        dtypes = [dtype] * 2 if call.name in ("sort", "cumulate") else [dtype, "int64"]
        kernels = print_routine(call, [dtype] * (call.name == "search") + dtypes)
        texts = {f"{call.name}__{kernel.name}_{dtype}": kernel.text for kernel in kernels}
        yield from itertools.starmap(with_name, ((text, own) for own, text in texts.items()))


@cache
def resources(architecture: str) -> dict[str, Resources]:
    """What all these kernels take, by name."""
    text = "\n".join([preamble(), *golden_kernels(), *library_kernels()])
    return {kernel.name: kernel for kernel in nvrtc.resources(text, architecture)}


@pytest.mark.parametrize("architecture", LIMITS)
def test_kernels_compile_and_keep_all_in_registers(architecture):
    found = resources(architecture)
    assert len(found) > 30
    assert [kernel for kernel in found.values() if kernel.spilled] == []


def table() -> str:
    """Registers and occupancy by architecture, and bytes of shared memory, for each kernel."""
    lines = [f"# Registers, shared memory and occupancy of kernels (NVRTC {PINNED}, blocks of {BLOCK} threads)", "",
             f"| kernel | shared | {' | '.join(LIMITS)} |", f"|---|---|{'---|' * len(LIMITS)}"]
    for name in sorted(resources("sm_80")):
        own = {architecture: resources(architecture)[name] for architecture in LIMITS}
        columns = [f"{kernel.registers}, {occupancy(kernel, BLOCK, architecture):.0%}"
                   for architecture, kernel in own.items()]
        lines.append(f"| {name} | {own['sm_80'].shared} | {' | '.join(columns)} |")
    return "\n".join([*lines, ""])


@pytest.mark.skipif(nvrtc.find() is not None and nvrtc.version() != PINNED,
                    reason=f"the table is of NVRTC {PINNED}: pip install '.[cuda-test]'")
def test_resources_are_those_of_the_table(request):
    path = HERE / "resources.md"
    if request.config.getoption("--update-golden"):
        path.write_text(table(), encoding="utf-8")
    before, now = path.read_text(encoding="utf-8"), table()
    change = unified_diff(before.splitlines(), now.splitlines(), path.name, "now", lineterm="")
    assert before == now, "\n".join(
        [*change, "", f"if this is meant: pytest {__file__} --update-golden"])


@pytest.mark.parametrize("architecture", LIMITS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_that_tensor_cores_multiply(dtype, architecture):
    known = dtype == "float16" or (dtype == "bfloat16" and architecture != "sm_75")
    kernel = print_routine(RoutineCall("gemm", (), tuple(map(symbol, "mnkb")), (0, 0, 0, 0)), [dtype] * 3)[0]
    claim = f"static_assert(ByTensorCores<{CUDA.types[dtype]}>::IS_KNOWN == {str(known).lower()});"
    assert nvrtc.compile_text("\n".join([preamble(), kernel.text, claim]), architecture)


def test_a_refusal_shows_the_line():
    with pytest.raises(CompileError, match="NVRTC .* does not take the kernels it was given for sm_80") as caught:
        nvrtc.compile_text("__global__ void kernel(float *x) {\n  x[0] = nowhere;\n}", "sm_80")
    assert 'identifier "nowhere" is undefined' in str(caught.value)
    assert "line 2: x[0] = nowhere;" in str(caught.value)
