"""Compiled functions on a device: values, results that stay there, state, several devices, errors."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import DeviceError, IndexOutOfRange, OutOfMemory
from symtensor.runtime.core import core
from symtensor.runtime.cuda.devices import open_device
from tests.threads import in_threads

RNG = np.random.default_rng(1)
A = RNG.standard_normal((33, 20)).astype("float32")
B = RNG.standard_normal((20, 17)).astype("float32")
X, Y = T.fmatrix("x"), T.fmatrix("y")


def both(inputs: list[Any], outputs: Any, **more: Any) -> tuple[Any, Any]:
    """The function on the device, and on the processor."""
    return st.function(inputs, outputs, device="cuda", **more), st.function(inputs, outputs, device="cpu", **more)


def assert_same(pair: tuple[Any, Any], *arrays: Any) -> Any:
    """Both functions give the same; the one on the device."""
    found, wanted = (f(*arrays) for f in pair)
    for got, value in zip(found if isinstance(found, list) else [found],
                          wanted if isinstance(wanted, list) else [wanted], strict=True):
        assert isinstance(got, np.ndarray) and got.dtype == value.dtype
        np.testing.assert_allclose(got, value, rtol=3e-5, atol=1e-5)
    return pair[0]


# -- values ----------------------------------------------------------------------------------------

def test_a_chain_of_elementwise_ops_is_one_kernel() -> None:
    f = assert_same(both([X], T.exp(X) * 2 + X), A)
    assert f.placement.launches == {"cpu": 0, "cuda0": 1}
    down, up = map(str, f.placement.moves)
    assert down == "cpu -> cuda0: x" and up.startswith("cuda0 -> cpu: ((")


@pytest.mark.parametrize("array", [A, A[:1], A[:, :1], A[:0], A[:, :0], A[::-1, ::2]], ids=lambda a: str(a.shape))
def test_reductions(array: np.ndarray) -> None:
    assert_same(both([X], [X.sum(), X.sum(axis=0), X.sum(axis=1), (X * X).mean(axis=1) + 1]), array)


def test_order_and_running_totals() -> None:
    """All of it stays on the device, with the derivative; integers are widened there."""
    slope = st.grad((T.sort(X, axis=0) * X).sum(), X)
    outputs = [T.sort(X, axis=0), T.topk(X, 3), T.argtopk(X, -3, axis=0), T.cumsum(X * 2), T.cumprod(X, axis=1), slope,
               T.searchsorted(T.sort(X[0]), X), T.cumsum(X > 0, axis=0), T.cumsum(X > 0)]
    f = assert_same(both([X], outputs), A)
    assert f.placement.launches["cpu"] == f.library_calls == 0 and "without a form" not in str(f.placement)


def test_products_and_rows() -> None:
    f = assert_same(both([X, Y], T.nnet.softmax(T.dot(X, Y))), A, B)
    assert f.library_calls == 0 and f.placement.launches["cuda0"] == 2


def test_an_op_without_a_form_on_the_device() -> None:
    f = assert_same(both([X], T.exp(T.slinalg.cholesky(T.dot(X, X.T)))), A[:5])
    (stays,) = f.placement.on_processor
    assert stays.op == "cholesky[lower]" and "there is no cholesky of float32 on cuda0" in str(f.placement)
    assert "test_functions.py" in stays.where[0]


def test_sizes_that_only_data_tells() -> None:
    rows = T.nonzero(X.sum(axis=1) > 0)[0]
    assert_same(both([X], [T.exp(X[rows]), X[rows].sum(axis=0)]), A)


def test_constants_are_on_the_device_once() -> None:
    f = assert_same(both([X], T.dot(X, T.constant(B)) + T.constant(B[0])), A)
    assert len(f.placement.moves) == 2
    assert_same((f, lambda x: x @ B + B[0]), A[:3])


@pytest.mark.parametrize("shape", [(3, 4), (5, 1), (1, 1), (64, 64)])
def test_one_function_serves_all_sizes(shape: tuple[int, int], cache: dict[str, Any] = {}) -> None:  # noqa: B006
    pair = cache.setdefault("pair", both([X], [T.tanh(X).sum(axis=0), X.T + 1]))
    assert_same(pair, RNG.standard_normal(shape).astype("float32"))


def test_a_gather_and_a_scatter() -> None:
    i = T.lvector("i")
    pair = both([X, i], [X[i] * 2, T.inc_subtensor(X[i], 1.0)])
    assert_same(pair, A, np.array([0, -1, 3, 3]))


def test_the_option_and_names_of_contexts() -> None:
    with config.change(device="cuda1"):
        f = st.function([X], X * 2)
    assert f.program.devices == ["cuda1"]
    with config.change(contexts="dev0->cuda0;dev1->cuda1"):
        g = st.function([X], X * 2, device="dev1")
        assert g.program.devices == ["cuda1"] and g(A)[0, 0] == A[0, 0] * 2


def test_bytes_of_a_call_by_device() -> None:
    f = st.function([X], T.dot(T.exp(X), T.exp(X).T).sum(), device="cuda")
    assert f.peak_bytes({"x": (1000, 250)}) == 4
    assert 5_000_000 <= f.peak_bytes({"x": (1000, 250)}, "cuda0") < 5_100_000


def test_a_profile_has_times_of_kernels() -> None:
    f = st.function([X, Y], T.dot(X, Y).sum(), device="cuda")
    f.profile = True
    for _ in range(3):
        f(A, B)
    launches = [time for time, one in zip(f.timings, f.program.instructions) if type(one).__name__ == "Launch"]
    assert len(launches) >= 2 and all(time > 0 for time in launches)


# -- results that stay on the device ---------------------------------------------------------------

def test_a_result_stays_where_a_transfer_puts_it() -> None:
    f = st.function([X], (X * 2).transfer("cuda0"))
    result = f(A)
    assert isinstance(result, core.DeviceArray) and result.shape == A.shape and result.dtype == "float32"
    assert result.device is open_device("cuda0").core and repr(result) == "<f32 (33, 20) on cuda0>"
    np.testing.assert_array_equal(result.get(), A * 2)
    np.testing.assert_array_equal(np.asarray(result, "float64"), (A * 2).astype("float64"))
    assert len(f.placement.moves) == 1


def test_results_of_calls_are_arrays_of_their_own() -> None:
    f = st.function([X], (X * 2).transfer("cuda"))
    first, second = f(A), f(A + 1)
    np.testing.assert_array_equal(first.get(), A * 2)
    np.testing.assert_array_equal(second.get(), (A + 1) * 2)


def test_an_argument_that_is_on_the_device_is_not_moved() -> None:
    scale = T.fscalar("scale")
    f = st.function([X, scale], (T.tanh(X) * scale).transfer("cuda0"))
    inside = st.cuda.array(A, "cuda0")
    np.testing.assert_allclose(f(f(inside, 2.0), 0.5).get(), np.tanh(np.tanh(A) * 2) / 2, rtol=1e-5)
    np.testing.assert_array_equal(inside.get(), A)
    for other in (A, st.cuda.array(A, "cuda1"), A.tolist()):
        np.testing.assert_allclose(f(other, np.float32(2)).get(), np.tanh(A) * 2, rtol=1e-5)
    both_sides = st.function([X], [T.linalg.svd(X, compute_uv=False), T.dot(X, X.T)], device="cuda")
    np.testing.assert_allclose(both_sides(inside)[0], np.linalg.svd(A, compute_uv=False), rtol=1e-5)


def test_memory_is_used_again() -> None:
    f, device = st.function([X], (X * 2).transfer("cuda")), open_device("cuda").core
    for _ in range(3):
        f(A)
    held, unused = device.held_bytes, device.unused_bytes
    for _ in range(10):
        f(A)
    assert (device.held_bytes, device.unused_bytes) == (held, unused)


def test_the_array_interface() -> None:
    result = st.function([X], (X * 2).transfer("cuda"))(A)
    facts = result.__cuda_array_interface__
    assert facts["shape"] == A.shape and facts["typestr"] == "<f4" and facts["version"] == 3
    assert facts["data"] == (result.gpudata, False) and facts["strides"] is None
    assert facts["stream"] == result.device.stream


# -- state -----------------------------------------------------------------------------------------

def train(device: str) -> tuple[Any, Any]:
    weights = st.shared(np.linspace(-1, 1, 20 * 17, dtype="float32").reshape(20, 17), "weights")
    loss = (T.dot(X, weights) ** 2).mean()
    step = st.function([X], loss, updates=[(weights, weights - 0.1 * st.grad(loss, weights))], device=device)
    return weights, step


def test_a_shared_variable_is_updated_where_it_is() -> None:
    (weights, step), (other, reference) = train("cuda"), train("cpu")
    for _ in range(4):
        np.testing.assert_allclose(step(A), reference(A), rtol=1e-5)
        np.testing.assert_allclose(weights.get_value(), other.get_value(), rtol=1e-5, atol=1e-6)
    assert isinstance(weights.storage.value, core.DeviceArray)
    assert step.placement.moves[0].value == "x"
    assert len(step.placement.moves) == 2


def test_values_on_the_device_are_got_and_set() -> None:
    weights, step = train("cuda")
    step(A)
    inside = weights.get_value(borrow=True, return_internal_type=True)
    assert isinstance(inside, core.DeviceArray) and inside is weights.storage.value
    before = inside.get()
    step(A)  # which must not change what was handed out
    np.testing.assert_array_equal(inside.get(), before)
    weights.set_value(np.zeros((20, 3), "float32"))
    assert weights.get_value().shape == (20, 3) and isinstance(weights.storage.value, core.DeviceArray)
    assert float(step(A)) == 0
    weights.set_value(inside)
    np.testing.assert_array_equal(weights.get_value(), before)


def test_functions_on_both_sides_share_a_variable() -> None:
    weights, step = train("cuda")
    total, scale = st.function([], weights.sum(), device="cpu"), st.function([], updates=[(weights, weights * 2)],
                                                                             device="cpu")
    for _ in range(2):
        step(A)
        np.testing.assert_allclose(total(), weights.get_value().sum(), rtol=1e-4, atol=1e-4)
        before = weights.get_value()
        scale()
        np.testing.assert_array_equal(weights.get_value(), before * 2)
        view = weights.get_value(borrow=True)
        step(A)
        np.testing.assert_array_equal(view, before * 2)


def test_shared_variables_are_made_on_the_device() -> None:
    with config.change(device="cuda"):
        values = [st.shared(np.ones(3, "float32")), st.shared(np.float64(2.0)), st.shared(np.int64(3))]
    assert [isinstance(v.storage.value, core.DeviceArray) for v in values] == [True, True, False]
    there = st.shared(np.ones(3), target="cuda1")
    assert there.storage.value.device is open_device("cuda1").core
    f = st.function([], there * 2)
    assert f.program.devices == ["cuda1"] and f().tolist() == [2, 2, 2]


def test_an_update_that_is_another_variables_value() -> None:
    a, b = st.shared(np.ones(3, "float32"), "a"), st.shared(np.zeros(3, "float32"), "b")
    f = st.function([], [a + b], updates=[(a, b), (b, a + 1)], device="cuda")
    assert [f()[0].tolist() for _ in range(3)] == [[1] * 3, [2] * 3, [3] * 3]
    assert a.get_value().tolist() == [1] * 3 and b.get_value().tolist() == [3] * 3


def test_pickles_are_read_without_the_device() -> None:
    weights, step = train("cuda")
    step(A)
    again, state = pickle.loads(pickle.dumps((step, weights)))
    np.testing.assert_allclose(again(A), step(A), rtol=1e-6)
    assert isinstance(again.shared[0].storage.value, core.DeviceArray)
    np.testing.assert_allclose(state.get_value(), again.shared[0].get_value())


# -- several devices -------------------------------------------------------------------------------

def test_work_on_two_devices() -> None:
    one = st.shared(np.ones((20, 4), "float32"), "one", target="cuda0")
    two = st.shared(np.full((4, 5), 2, "float32"), "two", target="cuda1")
    f = st.function([X], T.dot(T.dot(X, one), two), updates=[(one, one * 2), (two, two + 1)])
    assert f.program.devices == ["cuda0", "cuda1"]
    for number in range(3):
        wanted = A @ np.ones((20, 4), "float32") * 2 ** number @ np.full((4, 5), 2 + number, "float32")
        np.testing.assert_allclose(f(A), wanted, rtol=1e-4, atol=1e-4)
    moves = [str(move).partition(":")[0] for move in f.placement.moves]
    assert sorted(moves) == ["cpu -> cuda0", "cuda0 -> cuda1", "cuda1 -> cpu"]


def test_a_value_goes_from_device_to_device() -> None:
    there = st.function([X], (X + 1).transfer("cuda1"))(A)
    weights = st.shared(np.zeros((1, 1), "float32"), target="cuda0")
    weights.set_value(there)
    np.testing.assert_array_equal(st.function([], weights * 2)(), (A + 1) * 2)


# -- errors ----------------------------------------------------------------------------------------

def test_an_index_out_of_range_is_an_error_and_changes_nothing() -> None:
    i, weights = T.lvector("i"), st.shared(A.copy(), "weights")
    f = st.function([i], updates=[(weights, weights - weights[i].sum(axis=0))], device="cuda")
    with pytest.raises(IndexOutOfRange, match="index 40 is out of range for an axis of size 33"):
        f([0, 40])
    np.testing.assert_array_equal(weights.get_value(), A)
    f([0])
    np.testing.assert_allclose(weights.get_value(), A - A[0], rtol=1e-6)


def test_an_index_out_of_range_of_an_argument_on_the_device() -> None:
    i, scale = T.lvector("i"), T.fscalar("scale")
    f = st.function([X, i, scale], X[i] * scale, device="cuda")
    inside = st.cuda.array(A, "cuda0")
    with pytest.raises(IndexOutOfRange, match="index -34 is out of range for an axis of size 33: axis 0 of x"):
        f(inside, np.array([1, -34]), 2.0)
    np.testing.assert_array_equal(f(inside, np.array([1, -33]), 2.0), A[[1, 0]] * 2)


def test_out_of_memory_says_what_is_live_and_passes() -> None:
    device = open_device("cuda0").core
    gc.collect()
    weights = st.shared(np.ones((256, 1024), "float32"), "weights", target="cuda0")
    f = st.function([X], T.dot(weights, X.T).sum(), name="much", device="cuda")
    device.trim()
    device.limit = device.held_bytes + (4 << 20)
    try:
        assert f(np.ones((8, 1024), "float32")) == 256 * 8 * 1024
        with pytest.raises(OutOfMemory) as caught:
            f(np.ones((4096, 1024), "float32"))
        assert f(np.ones((8, 1024), "float32")) == 256 * 8 * 1024
        with pytest.raises(OutOfMemory, match="the shared variable large: 8.0 MB"):
            st.shared(np.ones((2048, 1024), "float32"), "large", target="cuda0")
    finally:
        device.limit = 0
    text = str(caught.value)
    assert "cuda0 has no memory left for a call of much:" in text
    assert "shared variables: " in text and "weights 1.0 MB" in text and "function.free()" in text
    assert f(np.ones((4096, 1024), "float32")) == 256 * 4096 * 1024


def test_threads_share_a_device() -> None:
    f = st.function([X], [T.exp(X).sum(axis=1), T.dot(X, X.T)], device="cuda")

    def work(number: int) -> None:
        for _ in range(5):
            x = np.random.default_rng(number).standard_normal((10 + number, 6)).astype("float32")
            sums, product = f(x)
            np.testing.assert_allclose(sums, np.exp(x).sum(axis=1), rtol=1e-4)
            np.testing.assert_allclose(product, x @ x.T, rtol=1e-4, atol=1e-4)

    in_threads(4, work)


def test_names_of_devices_that_are_not_there() -> None:
    with pytest.raises(DeviceError, match="there is no device or context 'gpu7'"):
        st.function([X], X * 2, device="gpu7")
    with pytest.raises(DeviceError, match="there is no device cuda9") as caught:
        st.function([X], X * 2, device="cuda9")
    assert caught.value.fix == "there are cuda0, cuda1"


def test_a_machine_without_a_driver_says_what_to_install() -> None:
    code = "\n".join([
        "import sys, symtensor as st, symtensor.tensor as T",
        "x = T.fvector('x')", "f = st.function([x], x * 2)", "f([1.0])",
        "assert not any('cuda' in name for name in sys.modules), [n for n in sys.modules if 'cuda' in n]",
        "try: st.function([x], x * 2, device='cuda')",
        "except st.base.errors.DeviceError as error: print(error)"])
    environment = {**os.environ, "SYMTENSOR_CUDA_DRIVER": "", "LD_LIBRARY_PATH": ""}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "there is no CUDA driver on this machine: libcuda.so.1 was not found" in found.stdout
    assert "pip install pycuda nvidia-cuda-nvrtc" in found.stdout and "cuda_driver=software" in found.stdout


def test_a_pickle_is_read_on_a_machine_without_the_device(tmp_path: Path) -> None:
    weights = st.shared(np.ones(3, "float32"), "weights")
    with config.change(device="cuda"):
        by_option = st.function([], weights * 2, updates=[(weights, weights + 1)])
    by_name = st.function([], weights * 2, device="cuda")
    assert by_option().tolist() == [2, 2, 2] and by_name().tolist() == [4, 4, 4]
    assert by_option.program.devices == by_name.program.devices == ["cuda0"]
    for name, function in (("option", by_option), ("name", by_name)):
        (tmp_path / name).write_bytes(pickle.dumps(function))
    code = "\n".join([
        "import pickle", "from symtensor.base.errors import DeviceError",
        "f = pickle.load(open('option', 'rb'))", "print(f(), f.program.devices)",
        "try: pickle.load(open('name', 'rb'))", "except DeviceError as error: print(error)"])
    environment = {**os.environ, "SYMTENSOR_CUDA_DRIVER": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert found.stdout.startswith("[4. 4. 4.] []\nthere is no CUDA driver on this machine"), found.stderr


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_a_device_that_is_not_there_is_an_error_on_any_backend(backend: str) -> None:
    with config.change(backend=backend):
        with pytest.raises(DeviceError, match="there is no device cuda7") as caught:
            st.function([X], X * 2, device="cuda7")
        assert caught.value.fix == "there are cuda0, cuda1"
        with pytest.raises(DeviceError, match="nowhere"):
            st.function([X], X.transfer("nowhere"))
        np.testing.assert_array_equal(st.function([X], X * 2, device="cuda1")(A), A * 2)
