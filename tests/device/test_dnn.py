"""Convolutions by a library of the device: a stand-in for cuDNN checks what it is given, and computes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import signal

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.lower.program import Routine
from symtensor.runtime.cuda import libraries
from symtensor.tools import doctor
from symtensor.types.dtype import NARROW, limits
from tests.threads import in_threads

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import mnist_cnn  # noqa: E402
import mnist_mlp  # noqa: E402

RNG = np.random.default_rng(4)
KEPT = 128
OUTPUT, IMAGES, FILTERS = "output", "images", "filters"


class StandIn:
    """The stand-in's variables, for tests to read and set."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.library = ctypes.CDLL(self.path)

    def number(self, name: str, kind: Any = ctypes.c_int) -> Any:
        return kind.in_dll(self.library, f"standin_{name}")

    def text(self, name: str, room: int) -> str:
        """A text, which is empty from then on."""
        held = (ctypes.c_char * room).in_dll(self.library, f"standin_{name}")
        found = held.value.decode()
        held.value = b""
        return found

    def calls(self) -> list[str]:
        """What was computed since this was asked last: factor, number of the algorithm, and of the arithmetic."""
        return [call for call in self.text("calls", 1 << 16).split() if call != "propose"]


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    made = tmp_path_factory.mktemp("cudnn") / "libcudnn.so"
    subprocess.run(["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    str(Path(__file__).parent / "cudnn.cpp"), "-o", str(made)], check=True)
    with config.change(cuda_dnn_path=str(made)):
        yield StandIn(made)


@pytest.fixture(autouse=True)
def _all_is_well(standin: StandIn) -> Iterator[None]:
    """Each test begins with no calls, and ends without one that was wrong."""
    standin.calls()
    yield
    assert standin.text("wrong", 4096) == ""


def variables(dtype: str, axes: int = 2) -> tuple[Any, Any]:
    return tuple(T.TensorType(dtype, (None,) * (axes + 2))(name) for name in "xw")  # type: ignore[return-value]


def with_slopes(x: Any, w: Any, y: Any) -> list[Any]:
    return [y, *st.grad((y * y).sum(), [x, w])]


def whole(dtype: str, *shape: int) -> np.ndarray:
    """Small whole numbers, whose sums are exact."""
    return RNG.integers(-2, 3, shape).astype(dtype)


def by_scipy(x: np.ndarray, w: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Convolution by SciPy's, of one image with one filter."""
    pads, strides, dilation, groups, flip = options.values()
    x = np.pad(x.astype("float64"), [(0, 0), (0, 0), *((p, p) for p in pads)])
    spread = np.zeros((*w.shape[:2], *((k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation))))
    spread[(..., *(slice(None, None, d) for d in dilation))] = w
    each, channels = len(w) // groups, w.shape[1]
    one = signal.convolve if flip else signal.correlate
    rows = [[sum(one(image[f // each * channels + c], spread[f, c], "valid", "direct") for c in range(channels))
             for f in range(len(w))] for image in x]
    return np.array(rows)[(..., *(slice(None, None, s) for s in strides))]


def random_options(axes: int) -> dict[str, Any]:
    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(n) for n in RNG.integers(low, high + 1, axes))
    return {"border_mode": each(0, 2), "subsample": each(1, 3), "filter_dilation": each(1, 2),
            "num_groups": int(RNG.integers(1, 3)), "filter_flip": bool(RNG.integers(0, 2))}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("axes", [2, 3])
def test_all_options(standin: StandIn, dtype: str, axes: int) -> None:
    """As SciPy, as the processor, and as our own kernels of the device, whose bits are the same: sums are exact."""
    convolve = {2: T.nnet.conv2d, 3: T.nnet.conv3d}[axes]
    for _ in range(4 if axes == 2 else 2):
        options = random_options(axes)
        groups = options["num_groups"]
        x, w = variables(dtype, axes)
        outputs = with_slopes(x, w, convolve(x, w, **options))
        arrays = (whole(dtype, 2, 2 * groups, *RNG.integers(6, 9, axes)),
                  whole(dtype, 2 * groups, 2, *RNG.integers(1, 4, axes)))
        by_library = st.function([x, w], outputs, device="cuda")
        with config.change(cuda_dnn=False):
            by_kernels = st.function([x, w], outputs, device="cuda")
        on_processor = st.function([x, w], outputs, device="cpu")
        found, own, wanted = (f(*arrays) for f in (by_library, by_kernels, on_processor))
        assert by_library.placement.libraries == {"cuDNN": 3} and by_kernels.library_calls == 0
        for one, two, three in zip(found, own, wanted):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_array_equal(one, three)
        np.testing.assert_array_equal(found[0], by_scipy(*arrays, options))
    # In float64 the stand-in has no gradients: cuDNN knows no filters with channels last there.
    used = {OUTPUT} if dtype == "float64" else {OUTPUT, IMAGES, FILTERS}
    assert {call.split(":")[0] for call in standin.calls()} == used


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_numbers_that_are_rounded(standin: StandIn, dtype: str) -> None:
    x, w = variables(dtype)
    outputs = with_slopes(x, w, T.nnet.conv2d(x, w, border_mode="half"))
    arrays = [RNG.standard_normal(shape).astype(dtype) for shape in ((3, 5, 8, 8), (6, 5, 3, 3))]
    rounding = float(limits(dtype).eps)
    for one, other in zip(*(st.function([x, w], outputs, device=device)(*arrays) for device in ("cuda", "cpu"))):
        one, other = one.astype("float64"), other.astype("float64")
        assert np.linalg.norm(one - other) <= 4 * rounding * np.linalg.norm(other)
    assert len(standin.calls()) == 3


def test_one_axis(standin: StandIn) -> None:
    x, w = variables("float32", 1)
    y = T.nnet.conv2d(x.dimshuffle(0, 1, "x", 2), w.dimshuffle(0, 1, "x", 2), border_mode=(0, 1), filter_flip=False)
    f, g = (st.function([x, w], with_slopes(x, w, y), device=device) for device in ("cuda", "cpu"))
    arrays = whole("float32", 2, 3, 9), whole("float32", 4, 3, 3)
    for one, other in zip(f(*arrays), g(*arrays)):
        np.testing.assert_array_equal(one, other)
    assert len(standin.calls()) == 3


def test_filters_are_turned_once(standin: StandIn) -> None:
    """One kernel flips filters and puts their channels last, for output and for the gradient by images."""
    x, w = variables("float32")
    y = T.nnet.conv2d(x, w)
    f = st.function([x, w], st.grad(y.sum(), [x, w], known_grads=None) + [y.sum()], device="cuda")
    turned = [one for one in f.program.instructions if isinstance(one, Routine)]
    of_filters = {one.inputs[1 if one.flags[0] == 2 else 0] for one in turned if one.flags[0] != 1}
    assert len(of_filters) == 1 and all(one.flags[1] for one in turned)
    with config.change(cuda_dnn=False):
        own = st.function([x, w], st.grad(y.sum(), [x, w]) + [y.sum()], device="cuda")
    assert f.placement.launches["cuda0"] == own.placement.launches["cuda0"] - 4  # three convolutions and a sum of parts


@pytest.mark.parametrize("shape", [(4, 3, 1, 1), (4, 1, 3, 3)])
def test_filters_of_one_place_or_channel_are_not_turned(standin: StandIn, shape: tuple[int, ...]) -> None:
    x, w = T.TensorType("float32", (None, shape[1], None, None))("x"), T.TensorType("float32", shape)("w")
    f, g = (st.function([x, w], with_slopes(x, w, T.nnet.conv2d(x, w, filter_flip=False)), device=device)
            for device in ("cuda", "cpu"))
    arrays = whole("float32", 2, shape[1], 5, 6), whole("float32", *shape)
    for one, other in zip(f(*arrays), g(*arrays)):
        np.testing.assert_array_equal(one, other)
    assert not any(one.flags[1] for one in f.program.instructions if isinstance(one, Routine))
    assert len(standin.calls()) == 3


def test_it_is_found_in_a_wheel(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    shutil.copy(standin.path, folder / "libcudnn.so.9")
    (folder / "libcudnn.so.8").write_bytes(b"")  # an older one, that does not load either
    monkeypatch.syspath_prepend(tmp_path)
    assert libraries._found.__wrapped__("cudnn") == str(folder / "libcudnn.so.9")
    (folder / "libcudnn.so.9").unlink()
    assert libraries._found.__wrapped__("cudnn") is None


def test_the_doctor_says_which_libraries_devices_use() -> None:
    with config.change(cuda_blas="own"):
        blas, dnn = doctor.device_probes()
    assert (blas.found, blas.result) == (False, "not used: our own kernels multiply matrices on devices")
    assert (dnn.found, dnn.result) == (True, config.cuda_dnn_path)
    with config.change(cuda_dnn_path="/nowhere/libcudnn.so"):
        dnn = list(doctor.device_probes())[-1]
    assert str(dnn).startswith("slower   cuDNN        the option cuda_dnn_path names")
    assert dnn.command == "pip install nvidia-cudnn-cu12"


# -- what cuDNN does not do ------------------------------------------------------------------------

def refused(x: Any, w: Any, y: Any, *arrays: np.ndarray) -> Any:
    """The function, whose results are right, by our own kernels."""
    f, g = (st.function([x, w], with_slopes(x, w, y), device=device) for device in ("cuda", "cpu"))
    for one, other in zip(f(*arrays), g(*arrays)):
        np.testing.assert_array_equal(one, other)
    return f


def test_borders_that_differ_are_ours(standin: StandIn) -> None:
    x, w = variables("float32")
    arrays = whole("float32", 2, 3, 6, 7), whole("float32", 4, 3, 3, 2)
    refused(x, w, T.nnet.conv2d(x, w, border_mode=((1, 0), (0, 2))), *arrays)
    assert standin.calls() == []
    with config.change(cuda_dnn=True), pytest.raises(DeviceError) as caught:
        st.function([x, w], T.nnet.conv2d(x, w, border_mode=((1, 0), (0, 2))), device="cuda")(*arrays)
    assert "cuDNN gives up (CUDNN_STATUS_NOT_SUPPORTED)" in caught.value.what
    assert caught.value.what.startswith("convolution[output")
    assert "test_dnn.py" in caught.value.where[0] and caught.value.fix == "cuda_dnn=False for our own kernels"


@pytest.mark.parametrize("shapes", [((0, 2, 5, 5), (3, 2, 2, 2)), ((2, 0, 5, 5), (3, 0, 2, 2)),
                                    ((2, 2, 5, 5), (0, 2, 2, 2)), ((2, 2, 4, 5), (3, 2, 5, 2))])
def test_nothing_to_convolve(standin: StandIn, shapes: Any) -> None:
    x, w = variables("float32")
    refused(x, w, T.nnet.conv2d(x, w), *(whole("float32", *shape) for shape in shapes))
    assert standin.calls() == []


def test_no_algorithm(standin: StandIn) -> None:
    standin.number("proposes").value = 0
    try:
        x, w = variables("float32")
        refused(x, w, T.nnet.conv2d(x, w), whole("float32", 2, 3, 5, 11), whole("float32", 4, 3, 3, 3))
        assert standin.calls() == []
        (entry,) = [one for one in st.cuda.convolutions() if one.images == (2, 5, 11, 3) and one.of == "output"]
        assert entry.algorithm is None and str(entry).endswith("float32: our own kernels")
    finally:
        standin.number("proposes").value = 1


def test_a_failure_is_an_error(standin: StandIn) -> None:
    x, w = variables("float32")
    f = st.function([x, w], T.nnet.conv2d(x, w), device="cuda")
    arrays = whole("float32", 2, 3, 5, 5), whole("float32", 4, 3, 3, 3)
    standin.number("fails").value = 5000
    with pytest.raises(DeviceError, match=r"convolution\[output.*gives up \(CUDNN_STATUS_EXECUTION_FAILED") as caught:
        f(*arrays)
    assert "test_dnn.py" in caught.value.where[0]
    standin.number("fails").value = 3000  # that is none: it does not do it after all
    wanted = f(*arrays)
    standin.number("fails").value = 0
    np.testing.assert_array_equal(f(*arrays), wanted)
    assert len(standin.calls()) == 1


def test_a_library_that_does_not_start() -> None:
    """In a process of its own: a device is asked once."""
    program = """
import sys
import numpy as np
import symtensor as st, symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import DeviceError
config.cuda_driver, config.cuda_dnn_path = "software", sys.argv[1]
st.cuda.device()
import ctypes
ctypes.c_int.in_dll(ctypes.CDLL(sys.argv[1]), "standin_create_fails").value = 1001
x, w = T.ftensor4("x"), T.ftensor4("w")
arrays = np.ones((1, 1, 3, 3), "float32"), np.ones((1, 1, 2, 2), "float32")
print(st.function([x, w], T.nnet.conv2d(x, w), device="cuda")(*arrays).sum(), st.cuda.convolutions(),
      st.cuda.device().dnn_refusal)
config.cuda_dnn = True
try:
    st.function([x, w], T.nnet.conv2d(x, w), device="cuda")(*arrays)
except DeviceError as error:
    print(error.what)
"""
    command = [sys.executable, "-c", program, str(config.cuda_dnn_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "16.0 [] 1001", "convolution[output, filters_last=True]: cuDNN gives up (CUDNN_STATUS_NOT_INITIALIZED)"]


def test_a_library_that_must_be_there() -> None:
    x, w = variables("float32")
    with config.change(cuda_dnn_path="", cuda_dnn=True), pytest.raises(DeviceError, match="asks for cuDNN") as caught:
        st.function([x, w], T.nnet.conv2d(x, w), device="cuda")
    assert "pip install nvidia-cudnn-cu12" in str(caught.value.fix)
    with config.change(cuda_dnn_path="/nowhere/libcudnn.so"), pytest.raises(DeviceError, match="is not there"):
        st.function([x, w], T.nnet.conv2d(x, w), device="cuda")
    with config.change(cuda_dnn_path=str(Path(__file__).parent / "cudnn.cpp")):
        with pytest.raises(DeviceError, match="cannot be loaded") as caught:
            libraries.library_addresses("cudnn", ["cudnnCreate"])
        assert caught.value.fix == "cuda_dnn=False"
    with config.change(cuda_dnn_path=str(Path(config.cuda_dnn_path).parent)):
        assert st.function([x, w], T.nnet.conv2d(x, w), device="cuda").library_calls == 1
    with config.change(cuda_dnn_path="", cuda_dnn="auto"):
        assert st.function([x, w], T.nnet.conv2d(x, w), device="cuda").library_calls == 0
    with config.change(cuda_dnn_path="", cuda_dnn=True):
        assert st.function([x], x * 2, device="cuda").library_calls == 0  # it is asked for by convolutions alone


# -- algorithms, memory, descriptors ---------------------------------------------------------------

def algorithms(standin: StandIn, dtype: str = "float32", **options: Any) -> dict[str, tuple[int, int]]:
    """For each factor the numbers of the algorithm, and kind of arithmetic, that was used."""
    with config.change(**options):
        x, w = variables(dtype)
        f = st.function([x, w], with_slopes(x, w, T.nnet.conv2d(x, w)), device="cuda")
        f(whole(dtype, 2, 3, 6, 5), whole(dtype, 4, 3, 2, 3))
    used = (call.split(":") for call in standin.calls())
    return {factor: (int(algorithm), int(math)) for factor, algorithm, math in used}


def test_algorithms_are_deterministic(standin: StandIn) -> None:
    """Those that add by atomic operations are faster and come first; float32 is not rounded."""
    assert algorithms(standin) == {OUTPUT: (1, 3), IMAGES: (1, 3), FILTERS: (1, 3)}
    assert algorithms(standin, cuda_atomics=True) == {OUTPUT: (1, 3), IMAGES: (0, 3), FILTERS: (0, 3)}


def test_rounding_is_asked_for(standin: StandIn) -> None:
    assert algorithms(standin, cuda_tf32=True) == {OUTPUT: (6, 1), IMAGES: (5, 1), FILTERS: (5, 1)}
    for dtype in NARROW:
        assert algorithms(standin, dtype) == {OUTPUT: (6, 1), IMAGES: (5, 1), FILTERS: (5, 1)}
    assert algorithms(standin, "float64", cuda_tf32=True) == {OUTPUT: (1, 0)}


def test_memory_for_the_work_is_limited(standin: StandIn) -> None:
    """There are slower algorithms that need none, but for filters: these are ours then."""
    scratch = standin.number("scratch", ctypes.c_long)
    scratch.value = 3 << 20
    try:
        assert algorithms(standin, cuda_dnn_megabytes=2) == {OUTPUT: (0, 3), IMAGES: (4, 3)}
        assert algorithms(standin, cuda_dnn_megabytes=3) == {OUTPUT: (1, 3), IMAGES: (1, 3), FILTERS: (1, 3)}
        device = st.cuda.device("cuda")
        device.trim()  # the memory for the work is kept, and given back
        held, device.limit = device.held_bytes, device.held_bytes + (2 << 20)
        assert algorithms(standin, cuda_dnn_megabytes=3) == {OUTPUT: (0, 3), IMAGES: (4, 3)}
        device.limit = 0
        assert algorithms(standin, cuda_dnn_megabytes=3) == {OUTPUT: (1, 3), IMAGES: (1, 3), FILTERS: (1, 3)}
        assert device.held_bytes >= held + scratch.value
        device.trim()
        assert device.held_bytes == held
    finally:
        scratch.value = 1000
        st.cuda.device("cuda").limit = 0


def test_cudnn_is_asked_once_for_each_shape(standin: StandIn) -> None:
    x, w = variables("float32")
    f = st.function([x, w], T.nnet.conv2d(x, w), device="cuda")
    arrays = whole("float32", 1, 2, 13, 4), whole("float32", 3, 2, 2, 2)
    f(*arrays)
    assert standin.text("calls", 1 << 16).split() == ["propose", "output:1:3"]
    f(*arrays)
    assert standin.text("calls", 1 << 16).split() == ["output:1:3"]
    (entry,) = [one for one in st.cuda.convolutions() if one.images == (1, 13, 4, 2)]
    assert str(entry) == ("convolution[output] of images (1, 13, 4, 2) and filters (3, 2, 2, 2), float32:"
                          " IMPLICIT_PRECOMP_GEMM, 1000 bytes")


def test_descriptors_are_given_back(standin: StandIn) -> None:
    x, w = variables("float32")
    f = st.function([x, w], T.nnet.conv2d(x, w, filter_flip=False), device="cuda")
    made, filters = standin.number("descriptors").value, np.ones((1, 1, 1, 2), "float32")
    for width in range(2, KEPT + 10):
        image = whole("float32", 1, 1, 1, width)
        np.testing.assert_array_equal(f(image, filters), image[..., 1:] + image[..., :-1])
    assert standin.number("descriptors").value >= made + 4 * KEPT
    assert standin.number("live").value <= 4 * KEPT


# -- programs --------------------------------------------------------------------------------------

def test_in_loops_and_branches(standin: StandIn) -> None:
    x, w = variables("float32")
    def step(image: Any, filters: Any) -> Any:
        return T.tanh(T.nnet.conv2d(image, filters, border_mode="half"))
    steps, _ = st.scan(step, outputs_info=x, non_sequences=w, n_steps=3)
    c = T.bscalar("c")
    chosen = st.ifelse(T.eq(c, 1), T.nnet.conv2d(x, w), T.nnet.conv2d(x * 2, w))
    outputs = [steps[-1], chosen, *st.grad(steps[-1].sum() + chosen.sum(), [x, w])]
    f, g = (st.function([x, w, c], outputs, device=device) for device in ("cuda", "cpu"))
    arrays = whole("float32", 1, 2, 4, 5), whole("float32", 2, 2, 3, 3)
    for choice in (0, 1):
        for one, other in zip(f(*arrays, choice), g(*arrays, choice)):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    calls = [call.split(":")[0] for call in standin.calls()]
    assert calls.count(OUTPUT) >= 8 and calls.count(IMAGES) >= 8 and calls.count(FILTERS) >= 2


def test_from_several_threads(standin: StandIn) -> None:
    """On two devices, with shapes that come in another order in each thread."""
    x, w = variables("float32")
    functions = [st.function([x, w], with_slopes(x, w, T.nnet.conv2d(x, w)), device=f"cuda{n % 2}") for n in range(4)]
    reference = st.function([x, w], with_slopes(x, w, T.nnet.conv2d(x, w)), device="cpu")
    arrays = [(whole("float32", 2, 3, 5, width), whole("float32", 4, 3, 2, 2)) for width in (3, 4, 5, 6)]
    wanted = [[value.copy() for value in reference(*pair)] for pair in arrays]

    def work(number: int) -> None:
        for turn in range(6):
            place = (turn + number) % 4
            for one, other in zip(functions[number](*arrays[place]), wanted[place]):
                np.testing.assert_array_equal(one, other)

    in_threads(4, work)


@pytest.mark.parametrize("mode", ["auto", True])
def test_the_network_of_the_examples(standin: StandIn, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_mlp, "BATCH", 4)
    monkeypatch.setattr(mnist_cnn, "FILTERS", (3, 4))
    digits = mnist_mlp.Digits(RNG.random((12, 784), dtype="float32"), RNG.integers(0, 10, 12).astype("int32"))
    trainers = []
    for device in ("cuda", "cpu"):
        with config.change(device=device, cuda_dnn=mode):
            trainers.append(mnist_mlp.build(digits, mnist_cnn.CNN))
    on_device, reference = trainers
    for number in range(3):
        np.testing.assert_allclose(on_device.step(number), reference.step(number), rtol=1e-5)
    for own, other in zip(on_device.step.shared, reference.step.shared, strict=True):
        np.testing.assert_allclose(own.get_value(), other.get_value(), rtol=1e-4, atol=1e-6)
    placement = on_device.step.placement
    assert placement.libraries == {"cuDNN": 5} and not placement.on_processor  # images need no gradient
    assert "cuDNN: 5 of the library calls" in str(placement)
    assert placement.launches["cuda0"] == 18  # also where kernels for what cuDNN refuses stand between them
    assert len(standin.calls()) == 15
