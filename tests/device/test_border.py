"""Arrays on devices that other libraries share with us, without a copy."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import TypeMismatch

A = np.arange(12, dtype="float32").reshape(3, 4)
X = T.fmatrix("x")


class Foreign:
    """Another library's array: it has nothing but the interface."""

    def __init__(self, array: Any, **facts: Any) -> None:
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **facts}


def test_pycuda_computes_in_the_memory_of_a_result() -> None:
    result = st.function([X], (X + 1).transfer("cuda0"))(A)
    view = st.cuda.gpuarray(result)
    assert view.shape == A.shape and view.dtype == "float32" and int(view.gpudata) == result.gpudata
    import pycuda.driver as cuda
    context = cuda.Device(0).retain_primary_context()
    context.push()
    try:
        np.testing.assert_array_equal(view.get(), A + 1)
        view.set(np.full_like(A, 7))
    finally:
        context.pop()
    st.cuda.device("cuda0").wait_for(1)
    assert (result.get() == 7).all()


def test_arrays_of_others_are_taken() -> None:
    foreign = Foreign(st.cuda.array(A, "cuda0"))
    np.testing.assert_array_equal(st.function([X], X * 2, device="cuda")(foreign), A * 2)
    np.testing.assert_array_equal(st.function([X], X * 2)(foreign), A * 2)
    weights = st.shared(np.zeros((1, 1), "float32"), target="cuda0")
    weights.set_value(foreign, borrow=True)
    assert weights.storage.value.gpudata == foreign.array.gpudata
    st.function([], updates=[(weights, weights + 1)])()  # in memory of its own: others do not see it change
    np.testing.assert_array_equal(weights.get_value(), A + 1)
    np.testing.assert_array_equal(foreign.array.get(), A)


def test_what_is_not_contiguous_is_refused() -> None:
    foreign = Foreign(st.cuda.array(A, "cuda0"), strides=(4, 12))
    with pytest.raises(TypeMismatch, match="must be contiguous"):
        st.cuda.array(foreign, "cuda0")


def test_dlpack() -> None:
    result = st.cuda.array(A, "cuda1")
    assert result.__dlpack_device__() == (2, 1)
    capsule = result.__dlpack__(stream=None)
    assert '"dltensor"' in repr(capsule)
    address = result.gpudata
    del result
    held = st.cuda.device("cuda1").held_bytes
    del capsule
    assert st.cuda.device("cuda1").held_bytes < held and address
    with pytest.raises(BufferError, match="shared, not copied"):
        st.cuda.array(A, "cuda1").__dlpack__(copy=True)


def test_bfloat16_is_two_bytes_of_no_kind_to_the_array_interface_and_has_a_name_in_dlpack() -> None:
    value = A.astype("bfloat16")
    there = st.cuda.array(value, "cuda1")
    assert repr(there) == "<bf16 (3, 4) on cuda1>" and there.dtype == "bfloat16"
    assert there.__cuda_array_interface__["typestr"] == "<V2"
    back = st.cuda.array(Foreign(there), "cuda1")
    assert back.dtype == "bfloat16" and back.get().tobytes() == value.tobytes()
    w = st.shared(value, target="cuda1")
    w.set_value(Foreign(there))
    assert w.get_value().tobytes() == value.tobytes()
    for array, kind, bits in [(there, 4, 16), (st.cuda.array(A.astype("float16"), "cuda1"), 2, 16),
                              (st.cuda.array(A.astype("complex64"), "cuda1"), 5, 64)]:
        ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
        ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        capsule = array.__dlpack__(stream=None)
        address = ctypes.pythonapi.PyCapsule_GetPointer(capsule, b"dltensor")
        code, size, lanes = struct.unpack_from("<BBH", ctypes.string_at(address, 24), 20)  # behind data, device, ndim
        assert (code, size, lanes) == (kind, bits, 1)


def test_devices_and_their_memory() -> None:
    assert st.cuda.count() == 2
    left, total = st.cuda.device("cuda0").memory
    assert 0 < left <= total
    with pytest.raises(AttributeError):
        st.cuda.device("cuda0").memory = 1
