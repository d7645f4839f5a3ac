"""The kernels of the tests of the virtual machine, compiled here."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
from plan import Plan

from symtensor.runtime.core import core

if core is None:
    pytest.skip("the C runtime was not built", allow_module_level=True)

KERNELS = r"""
#include <stdint.h>
#include <string.h>
#include <time.h>
#define KERNEL(name) int name(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)

KERNEL(affine) { const double *x = buffers[0]; double *y = buffers[1];
    for (int64_t i = begin; i < end; i++) y[i] = 2 * x[i] + 1; return 0; }
KERNEL(add) { const double *x = buffers[0], *y = buffers[1]; double *z = buffers[2];
    for (int64_t i = begin; i < end; i++) z[i] = x[i] + y[i]; return 0; }
KERNEL(total) { const double *x = buffers[0]; double *y = buffers[1]; *y = 0;       /* one unit over sizes[0] */
    for (int64_t i = 0; i < sizes[0]; i++) *y += x[i]; return 0; }
KERNEL(number) { int64_t *y = buffers[0]; for (int64_t i = begin; i < end; i++) y[i] = i + sizes[0]; return 0; }
KERNEL(status) { return (int)sizes[0]; }
KERNEL(status_at) { return begin <= sizes[0] && sizes[0] < end ? 7 : 0; }
KERNEL(chunk) { int64_t *y = buffers[0]; for (int64_t i = begin; i < end; i++) y[i] = begin; return 0; }
static int inside, most; /* calls of slow_affine at one time */
int most_inside(void) { int was = most; most = 0; return was; }
KERNEL(slow_affine) {
    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (now > most) most = now;
    struct timespec time = {0, 5000000};
    nanosleep(&time, NULL);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    return affine(buffers, sizes, begin, end, scratch); }
KERNEL(through_scratch) { const double *x = buffers[0]; double *y = buffers[1], *own = scratch;
    if ((uintptr_t)scratch % 64 != 0) return 9;
    for (int64_t i = begin; i < end; i++) { for (int j = 0; j < 8; j++) own[j] = x[i];
        double sum = 0; for (int j = 0; j < 8; j++) sum += own[j]; y[i] = sum; } return 0; }
KERNEL(aligned) { int64_t *y = buffers[1]; *y = (uintptr_t)buffers[0] % 64; return 0; }
KERNEL(count_positive) { const double *x = buffers[0]; int64_t *y = buffers[1]; *y = 0;
    for (int64_t i = 0; i < sizes[0]; i++) *y += x[i] > 0; return 0; }
KERNEL(over_ten) { const double *x = buffers[0]; *(_Bool *)buffers[1] = *x > 10; return 0; }
KERNEL(negative) { const double *x = buffers[0]; return *x < 0 ? 7 : 0; }
KERNEL(keep_positive) { const double *x = buffers[0]; double *y = buffers[1]; int64_t next = 0;
    for (int64_t i = 0; i < sizes[0]; i++) if (x[i] > 0) y[next++] = x[i]; return 0; }
"""


@pytest.fixture(scope="session", autouse=True)
def kernels(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels.c").write_text(KERNELS)
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", "kernels.so", "kernels.c"]
    try:
        subprocess.run(command, cwd=folder, check=True)
    except FileNotFoundError:
        pytest.skip("these tests compile their kernels with gcc")
    Plan.library = ctypes.CDLL(str(folder / "kernels.so"))
