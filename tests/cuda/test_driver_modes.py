"""Planted defects, each found by the mode that claims it, and named with the line it is on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symtensor.runtime.cuda import software
from tests.cuda.test_driver import context, cuda, kernel

NO_BARRIER = """
extern "C" __global__ void turned(const float *from, float *to) {
    __shared__ float row[64];
    row[threadIdx.x] = from[threadIdx.x];
    BARRIER
    to[threadIdx.x] = row[63 - threadIdx.x];
}
SYMTENSOR_KERNEL(turned, 1)
"""

BEYOND = """
extern "C" __global__ void doubled(float *values, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n)
        values[i] *= 2;
}
SYMTENSOR_KERNEL(doubled, 0)
"""

BLOCKS_RACE = """
extern "C" __global__ void counted(int *count, int by_atomics) {
    if (by_atomics) atomicAdd(count, 1);
    else
        *count += 1;
}
SYMTENSOR_KERNEL(counted, 0)
"""

UNINITIALISED = """
extern "C" __global__ void half_filled(float *to) {
    __shared__ float row[64];
    if (threadIdx.x < 32) row[threadIdx.x] = 1;
    __syncthreads();
    to[threadIdx.x] = row[threadIdx.x];
}
SYMTENSOR_KERNEL(half_filled, 1)
"""

LAST_BLOCK = """
__device__ unsigned finished;
extern "C" __global__ void summed(const float *values, float *parts, float *sum) {
    __shared__ bool last;
    parts[blockIdx.x] = values[blockIdx.x];
    __threadfence();
    if (threadIdx.x == 0) last = atomicAdd(&finished, 1) == gridDim.x - 1;
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float all = 0;
        for (int i = 0; i < gridDim.x; i++) all += parts[i];
        *sum = all;
    }
}
SYMTENSOR_KERNEL(summed, 1)
"""


def turned(mode: str, barrier: str) -> bool:
    """Whether a row was turned round, by a kernel with or without the barrier that this needs."""
    given, found = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    run = kernel(NO_BARRIER.replace("BARRIER", barrier), "turned")
    run(cuda.In(given), cuda.Out(found), block=(64, 1, 1))
    return bool((found == given[::-1]).all())


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_shows_a_missing_barrier(seed: int) -> None:
    """Threads in an odd order: right with the barrier, wrong without."""
    with context("shuffled", seed=seed):
        assert turned("shuffled", "__syncthreads();")
        assert not turned("shuffled", "")


def test_check_names_a_missing_barrier() -> None:
    """A race in shared memory, with both lines, and none where the barrier stands."""
    with context("check"):
        turned("check", "__syncthreads();")
        assert software.report()[0] == []
        turned("check", "")
        found = [each for each in software.report()[0] if each.kind == "race"]
    assert "reads at kernel.cu:6" in found[0].text or "writes at kernel.cu:4" in found[0].text
    assert "no barrier between" in found[0].text


@pytest.mark.parametrize("mode", ["guard", "check"])
def test_out_of_bounds(mode: str) -> None:
    """One element too many is error 700, with the line and the allocation, and stays."""
    with context("fast"):
        before = cuda.mem_get_info()[0]  # other contexts of the process may hold some
    with context(mode):
        values = cuda.mem_alloc(4000)
        cuda.memset_d32(values, 0, 1000)
        kernel(BEYOND, "doubled")(values, np.int32(1000), block=(256, 1, 1), grid=(4, 1))
        with pytest.raises(cuda.LogicError, match="illegal memory access") as raised:
            cuda.Context.synchronize()
        assert "kernel.cu:5" in str(raised.value) and "thread (232, 0, 0)" in str(raised.value)
        assert "an allocation of 4000 bytes" in str(raised.value)
        with pytest.raises(cuda.LogicError, match="illegal memory access"):
            cuda.mem_alloc(4)
    with context("fast"):
        assert cuda.mem_get_info()[0] == before  # nothing of the broken context remains


@pytest.mark.parametrize("by_atomics", [False, True])
def test_race_between_blocks(by_atomics: bool) -> None:
    """Blocks that change one variable race, unless by atomic operations."""
    with context("check"):
        count = np.zeros(1, np.int32)
        kernel(BLOCKS_RACE, "counted")(cuda.InOut(count), np.int32(by_atomics), block=(32, 1, 1), grid=(4, 1))
        found = software.report()[0]
    assert count[0] == 128
    assert bool(found) != by_atomics
    assert all(each.kind == "race" and "kernel.cu:5" in each.text for each in found)
    assert by_atomics or any("no order of blocks" in each.text for each in found)


def test_blocks_in_order_by_a_fence_and_an_atomic() -> None:
    """The last block may read what the others published."""
    with context("check"):
        values, total = np.arange(8, dtype=np.float32), np.zeros(1, np.float32)
        run = kernel(LAST_BLOCK, "summed")
        run(cuda.In(values), cuda.InOut(np.zeros(8, np.float32)), cuda.InOut(total), block=(1, 1, 1), grid=(8, 1))
        assert software.report()[0] == []
    assert total[0] == values.sum()


def test_uninitialised_shared_memory() -> None:
    """Check names the line; in shuffled what is read is no number."""
    with context("check"):
        kernel(UNINITIALISED, "half_filled")(cuda.Out(np.zeros(64, np.float32)), block=(64, 1, 1))
        found = software.report()[0]
    assert [each.kind for each in found] == ["uninitialised"] and "kernel.cu:6" in found[0].text
    with context("shuffled"):
        values = np.zeros(64, np.float32)
        kernel(UNINITIALISED, "half_filled")(cuda.Out(values), block=(64, 1, 1))
    assert np.isnan(values[32:]).all() and (values[:32] == 1).all()


# -- always -----------------------------------------------------------------------------------------------------------

def failing(text: str, name: str, *arguments: Any, mode: str = "fast", **launch: Any) -> str:
    """What the error of a kernel says."""
    with context(mode), pytest.raises((cuda.LaunchError, cuda.LogicError)) as raised:  # noqa: PT012
        kernel(text, name)(*arguments, **launch)
        cuda.Context.synchronize()
    return str(raised.value)


def test_divergent_barrier() -> None:
    """Threads at two barriers, both named."""
    text = """extern "C" __global__ void split() {
    if (threadIdx.x < 5)
        __syncthreads();
    else
        __syncthreads();
}
SYMTENSOR_KERNEL(split, 1)"""
    said = failing(text, "split", block=(32, 1, 1))
    assert "divergent barrier: thread 0 waits at kernel.cu:3, thread 5 at kernel.cu:5, in kernel split" in said


def test_deadlock() -> None:
    """Threads that wait for a lane which waits at a barrier."""
    text = """extern "C" __global__ void stuck() {
    if (threadIdx.x < 5) __syncthreads();
    else __syncwarp();
}
SYMTENSOR_KERNEL(stuck, 1)"""
    said = failing(text, "stuck", block=(32, 1, 1))
    assert "deadlock: 27 threads at a warp operation of the lanes 0xffffffff, 5 threads at the barrier at" in said


def test_a_barrier_that_was_not_registered() -> None:
    """A kernel said to have no barriers runs as a loop, in which none can be."""
    text = """extern "C" __global__ void waits() { __syncthreads(); }
SYMTENSOR_KERNEL(waits, 0)"""
    assert "a barrier in a kernel registered as using none, in kernel waits" in failing(text, "waits", block=(2, 1, 1))


def test_division_by_zero_and_assertions() -> None:
    """Both end the launch with their line; the process goes on."""
    text = """extern "C" __global__ void divided(int n) {
    assert(n != 3);
    volatile int result = 7 / n;
}
SYMTENSOR_KERNEL(divided, 0)"""
    said = failing(text, "divided", np.int32(0), block=(1, 1, 1))
    assert "an integer was divided by zero, in kernel divided, block (0, 0, 0), thread (0, 0, 0), kernel.cu:3" in said
    said = failing(text, "divided", np.int32(3), block=(1, 1, 1))
    assert "device-side assert triggered: assertion n != 3, at kernel.cu:2, in kernel divided" in said


def test_misaligned_vectors() -> None:
    """Check holds vectors to their alignment."""
    text = """extern "C" __global__ void moved(float *values) {
    float4 four = *(float4 *)(values + 1);
    *(float4 *)values = four;
}
SYMTENSOR_KERNEL(moved, 0)"""
    said = failing(text, "moved", cuda.InOut(np.zeros(8, np.float32)), block=(1, 1, 1), mode="check")
    assert "misaligned address: an access to what is not aligned to its size, at kernel.cu:2, in kernel moved" in said


def test_an_index_beyond_a_shared_array() -> None:
    """The next variable's memory is the block's too; check knows how long an array is."""
    text = """extern "C" __global__ void shifted(int *to) {
    __shared__ int row[8], other[8];
    other[threadIdx.x] = row[threadIdx.x] = 0;
    row[threadIdx.x + 1] = 1;
    to[threadIdx.x] = other[threadIdx.x];
}
SYMTENSOR_KERNEL(shifted, 0)"""
    said = failing(text, "shifted", cuda.Out(np.zeros(8, np.int32)), block=(8, 1, 1), mode="check")
    assert "an index beyond its array, at kernel.cu:4, in kernel shifted, block (0, 0, 0), thread (7, 0, 0)" in said
    assert [each.kind for each in software.report()[0] if each.kind != "race"] == ["out of bounds"]


def test_endless_loop() -> None:
    """A kernel that does not end is ended."""
    text = """extern "C" __global__ void endless() { volatile int one = 1; while (one) ; }
SYMTENSOR_KERNEL(endless, 0)"""
    software.load(seconds=0.2)
    try:
        said = failing(text, "endless", block=(1, 1, 1))
    finally:
        software.load(seconds=60)
    assert "the launch timed out" in said and "it ran for more than 0.2 s, in kernel endless" in said
