"""Products by a library of the device: a stand-in for cuBLAS checks arguments, and computes on the driver's memory."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.ir.routine import RoutineCall
from symtensor.lower.program import Routine
from symtensor.runtime.cuda.libraries import library_of
from symtensor.types.dtype import NARROW, limits, widened
from tests.training import Perceptron

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctypes.CDLL]:
    made = tmp_path_factory.mktemp("cublas") / "libcublas.so"
    subprocess.run(["g++", "-std=c++17", "-O1", "-shared", "-fPIC", str(Path(__file__).parent / "cublas.cpp"),
                    "-o", str(made)], check=True)
    with config.change(cuda_blas=str(made)):
        yield ctypes.CDLL(str(made))


@pytest.fixture(autouse=True)
def _no_calls(library: ctypes.CDLL) -> None:
    calls(library)


def calls(library: ctypes.CDLL) -> list[str]:
    """The functions called since this was asked last."""
    text = (ctypes.c_char * 4096).in_dll(library, "standin_calls")
    found = text.value.decode().split()
    text.value = b""
    return [name for name in found if name != "create"]


def both(inputs: list[Any], outputs: Any, *arrays: Any, tolerance: float = 1e-5) -> Any:
    """The function on the device, whose results are those of the function on the processor."""
    f, g = (st.function(inputs, outputs, device=device) for device in ("cuda", "cpu"))
    for _ in range(2):
        np.testing.assert_allclose(widened(f(*arrays)), widened(g(*arrays)), rtol=tolerance, atol=tolerance)
    assert any(isinstance(one, Routine) and one.name == "device_gemm" for one in f.program.instructions)
    return f


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_layouts(library: ctypes.CDLL, dtype: str, transposed: tuple[int, int]) -> None:
    a, b = T.matrix("a", dtype=dtype), T.matrix("b", dtype=dtype)
    left, right = (v.T if flag else v for v, flag in zip((a, b), transposed))
    arrays = [RNG.standard_normal(shape[::-1] if flag else shape).astype(dtype)
              for shape, flag in zip(((7, 5), (5, 3)), transposed)]
    both([a, b], T.dot(left, right), *arrays)
    assert set(calls(library)) == {f"{dtype == 'float32' and 'S' or 'D'}gemm"}


@pytest.mark.parametrize("shapes", [((1, 5), (5, 1)), ((4, 0), (0, 3)), ((0, 4), (4, 3)), ((1, 1), (1, 9))])
def test_sizes_that_are_small_or_zero(library: ctypes.CDLL, shapes: Any) -> None:
    a, b = T.fmatrices("a", "b")
    both([a, b], T.dot(a, b), *(RNG.standard_normal(shape).astype("float32") for shape in shapes))


def test_batches(library: ctypes.CDLL) -> None:
    a, b, one = T.ftensor3("a"), T.ftensor3("b"), T.fmatrix("one")
    x, y, z = (RNG.standard_normal(shape).astype("float32") for shape in ((4, 3, 5), (4, 5, 2), (5, 2)))
    both([a, b], T.matmul(a, b), x, y)
    assert set(calls(library)) == {"SgemmStridedBatched"}
    both([a, one], T.matmul(a, one), x, z)  # one product with more rows
    assert set(calls(library)) == {"Sgemm"}
    both([one, b], T.matmul(one.T, b), z, y)
    assert set(calls(library)) == {"SgemmStridedBatched"}


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_are_added_in_floats(library: ctypes.CDLL, dtype: str) -> None:
    a, b = T.matrix("a", dtype=dtype), T.matrix("b", dtype=dtype)
    arrays = [RNG.standard_normal(shape).astype(dtype) for shape in ((6, 40), (40, 3))]
    both([a, b], T.dot(a, b), *arrays, tolerance=2 * float(limits(dtype).eps))
    assert set(calls(library)) == {"GemmStridedBatchedEx"}


def test_bfloat16_is_not_asked_of_devices_whose_tensor_cores_do_not_know_it(library: ctypes.CDLL) -> None:
    call = RoutineCall("gemm", (), (9, 9, 9, 1), (0, 0, 0, 0))
    for dtype, architecture, is_asked in [("bfloat16", "sm_75", False), ("bfloat16", "sm_80", True),
                                          ("bfloat16", "sm_100", True), ("float16", "sm_75", True)]:
        assert (library_of(architecture)(call, [dtype] * 3) is not None) == is_asked


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_training(library: ctypes.CDLL, method: str) -> None:
    step = Perceptron.trained_alike(method)
    assert step.library_calls == 8 and step.placement.launches["cpu"] == 0


def test_our_own_kernels_may_be_preferred(library: ctypes.CDLL) -> None:
    a, b = T.fmatrices("a", "b")
    with config.change(cuda_blas="own"):
        f = st.function([a, b], T.dot(a, b), device="cuda")
    assert f.library_calls == 0 and f.placement.launches["cuda0"] == 1


def test_a_library_that_gives_up_is_an_error(library: ctypes.CDLL) -> None:
    a, b = T.fmatrices("a", "b")
    f = st.function([a, b], T.dot(a, b), device="cuda")
    arrays = [np.ones((2, 2), "float32")] * 2
    status = ctypes.c_int.in_dll(library, "standin_fails")
    status.value = 13
    with pytest.raises(DeviceError, match=r"cuBLAS gives up \(status 13\)") as caught:
        f(*arrays)
    assert caught.value.fix == "cuda_blas=own"
    status.value = 0
    np.testing.assert_array_equal(f(*arrays), np.full((2, 2), 2))


def test_a_library_that_is_not_there_is_an_error() -> None:
    with config.change(cuda_blas="/nowhere/libcublas.so"), pytest.raises(DeviceError, match="is not there") as caught:
        st.function([], T.dot(T.ones((2, 2)), T.ones((2, 2))), device="cuda")
    assert caught.value.fix == "own, or the path of libcublas.so"
