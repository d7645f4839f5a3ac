"""pycuda's own kernels, and text given to its SourceModule, on the software driver. `make pycuda-suite` runs all tests
of pycuda's."""

from __future__ import annotations

import numpy as np
import pytest

from symtensor.runtime.cuda import software
from tests.cuda.test_driver import context, cuda, mode

__all__ = ["mode"]

gpuarray = pytest.importorskip("pycuda.gpuarray", reason="pycuda is not installed: `make test` builds it")
SourceModule = pytest.importorskip("pycuda.compiler").SourceModule


def test_arrays(mode: str) -> None:
    """An elementwise kernel, and a reduction that was written for lanes in step."""
    values = np.arange(3000, dtype=np.float32)
    array = gpuarray.to_gpu(values)
    np.testing.assert_array_equal((2 * array + 1).get(), 2 * values + 1)
    assert gpuarray.sum(array).get() == values.sum()


def test_check_names_what_is_wrong_with_lanes_in_step() -> None:
    """pycuda's reduction is right on a GPU only as long as lanes go in step; check says so, and it comes out right."""
    with context("check"):
        total = gpuarray.sum(gpuarray.to_gpu(np.ones(1000, np.float32))).get()
        found = software.report()[0]
    assert total == 1000
    assert {each.kind for each in found} == {"race"} and {each.kernel for each in found} == {"reduce_kernel_stage1"}


def test_names_of_the_c_library() -> None:
    """A kernel may be called what a function of the C library is called, which is then not run in its place."""
    with context():
        numbers = np.array([1 + 2j, 3 - 4j], np.complex64)
        np.testing.assert_array_equal(gpuarray.to_gpu(numbers).conj().get(), numbers.conj())


TEXT = """
#include <cuda_fp16.h>

template <typename T> __device__ T squared(T x) { return x * x; }

__constant__ float factor;
__device__ int calls;
texture<float, 2, cudaReadModeElementType> picture;

__global__ void __launch_bounds__(64) halves(const __half *from, __half *to) {
    extern __shared__ __half row[];
    row[threadIdx.x] = squared(from[threadIdx.x]);
    __syncthreads();
    to[threadIdx.x] = __hmul(row[blockDim.x - 1 - threadIdx.x], __float2half(factor));
    atomicAdd(&calls, 1);
}

__global__ void turned(float *to, int width, int height) {
    int x = threadIdx.x, y = threadIdx.y;
    to[x * height + y] = tex2D(picture, x, y);
}
"""


def test_text_of_users(mode: str) -> None:
    """Kernels that nothing registers: half precision, constants, variables, dynamic shared memory, textures."""
    module = SourceModule(TEXT, no_extern_c=True)
    cuda.memcpy_htod(module.get_global("factor")[0], np.float32(0.5))
    given, found = np.arange(32, dtype=np.float16), np.empty(32, np.float16)
    halves = module.get_function("_Z6halvesPK6__halfPS_")
    halves(cuda.In(given), cuda.Out(found), block=(32, 1, 1), shared=64)
    np.testing.assert_array_equal(found, (given * given)[::-1] * np.float16(0.5))
    assert cuda.from_device(module.get_global("calls")[0], 1, np.int32)[0] == 32
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)
    reference, turned = module.get_texref("picture"), np.empty((4, 3), np.float32)
    cuda.matrix_to_texref(picture, reference, order="C")
    module.get_function("turned")(cuda.Out(turned), np.int32(4), np.int32(3), block=(4, 3, 1), texrefs=[reference])
    np.testing.assert_array_equal(turned, picture.T)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 65504.0, 65519.9, 65520.0, 6e-8, 2.9e-8, 3.1e-8, 6.1e-5, 1e-3, 0.1,
                                   -1 / 3, np.inf, -np.inf])
def test_rounding_to_half(value: float) -> None:
    """As NumPy rounds, from float and from double."""
    text = """
__global__ void rounded(double value, __half *to) { to[0] = __half(value); to[1] = __float2half(float(value)); }
"""
    with context():
        found = np.empty(2, np.float16)
        cuda.module_from_buffer(software.module(text)).get_function("rounded")(
            np.float64(value), cuda.Out(found), block=(1, 1, 1))
    with np.errstate(over="ignore"):
        expected = np.array([np.float16(np.float64(value)), np.float16(np.float32(value))])
    assert found.tobytes() == expected.tobytes()
