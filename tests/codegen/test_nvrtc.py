"""NVIDIA's compiler takes what is printed for CUDA, for old and new devices, and says what is wrong otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from symtensor.base.errors import CompileError
from symtensor.codegen.cuda import nvrtc
from symtensor.codegen.cuda.preamble import preamble

pytestmark = pytest.mark.skipif(nvrtc.find() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc")
GOLDEN = Path(__file__).parent / "golden"


def renamed(text: str) -> str:
    """Kernels named as no function of CUDA is."""
    return text.replace("__launch_bounds__(256, 1) ", "__launch_bounds__(256, 1) kernel_")


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_golden_kernels_compile(architecture):
    for path in sorted(GOLDEN.glob("*.cu")):
        cubin = nvrtc.compile_text(preamble() + renamed(path.read_text()), architecture)
        assert cubin.startswith(b"\x7fELF"), path.name


def test_a_refusal_shows_the_line():
    with pytest.raises(CompileError, match="NVRTC .* does not take the kernels it was given for sm_80") as caught:
        nvrtc.compile_text("__global__ void kernel(float *x) {\n  x[0] = nowhere;\n}", "sm_80")
    assert 'identifier "nowhere" is undefined' in str(caught.value)
    assert "line 2: x[0] = nowhere;" in str(caught.value)
