"""The software CUDA driver under unmodified pycuda: contexts, memory, modules, launches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from symtensor.runtime.cuda import software

software.load()
cuda = pytest.importorskip("pycuda.driver", reason="pycuda is not installed: `make test` builds it")

ADD = """
extern "C" __global__ void add(const float *a, const float *b, float *c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}
SYMTENSOR_KERNEL(add, 0)
"""

TOTAL = """
extern "C" __global__ void total(const float *values, float *sum, int n) {
    extern __shared__ float part[];
    float own = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) own += values[i];
    part[threadIdx.x] = own;
    __syncthreads();
    for (int half = blockDim.x / 2; half >= 32; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x >= 32) return;
    own = part[threadIdx.x];
    for (int lanes = 16; lanes; lanes /= 2) own += __shfl_down_sync(0xffffffff, own, lanes);
    if (!threadIdx.x) atomicAdd(sum, own);
}
SYMTENSOR_KERNEL(total, 1)
"""


@contextmanager
def context(mode: str = "fast", **settings: Any) -> Iterator[Any]:
    """A context of the software driver, for the length of a `with` block."""
    software.load(mode, **settings)
    software.report()  # forgets what others found
    cuda.init()
    made = cuda.Device(0).make_context()
    try:
        yield made
    finally:
        made.pop()
        made.detach()
        software.load("fast", memory=4 << 30, seed=1, workers=0)


@pytest.fixture(params=["fast", "shuffled", "guard"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each mode, in a context."""
    with context(request.param):
        yield request.param


def kernel(text: str, name: str) -> Any:
    """A kernel of a CUDA text."""
    return cuda.module_from_buffer(software.module(text)).get_function(name)


def test_elementwise(mode: str) -> None:
    """A kernel without barriers, more threads than elements."""
    a, b = np.random.default_rng(0).random((2, 1000), dtype=np.float32)
    c = np.empty_like(a)
    kernel(ADD, "add")(cuda.In(a), cuda.In(b), cuda.Out(c), np.int32(1000), block=(256, 1, 1), grid=(4, 1))
    np.testing.assert_array_equal(c, a + b)


def test_barriers_and_shuffles(mode: str) -> None:
    """A reduction in dynamic shared memory and by shuffles; threads that have left do not hold the others up."""
    values = np.arange(1000, dtype=np.float32)
    found = np.zeros(1, np.float32)
    kernel(TOTAL, "total")(cuda.In(values), cuda.InOut(found), np.int32(1000), block=(256, 1, 1), shared=1024)
    assert found[0] == values.sum()
