"""symtensor beside PyTorch, JAX and CuPy on a CUDA device.

    python bench/gpu.py              the table, on a machine with a GPU; without one, what is missing
    python bench/gpu.py --dry        the same on the software driver with small arrays, symtensor alone: no times

Calls queue work. What is timed is a stretch of them between two events on the framework's own stream, after
others have warmed it up; JAX does not tell its stream, so there it is the wall clock between two moments at which the
device has nothing to do. All arrays are on the device before and stay there, and results are checked against NumPy.
Below the table stands what computed each case in symtensor: its own kernels, or a library with its algorithm.

>>> [case.name for case in cases(dry=True)][:3]
['chain, n = 1000', 'softmax, 64x32', 'layer norm, 64x32']
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import chain
import mlp
import numpy as np
import rows
from harness import OURS, SAMPLE_SECONDS, SAMPLES, Case, Worker, environment
from report import Result, summary, text_table
from run import CACHE, collect

PEERS = ("torch", "torch.compile", "jax", "cupy")
FRAMEWORKS = (OURS, *PEERS)
DRY = "BENCH_DRY"
WARM_UP = 3
Arrays = Sequence[np.ndarray]


# -- what is measured ------------------------------------------------------------------------------

def cases(dry: bool) -> list[Case]:
    """The cases, or small ones of the same kinds."""
    tall, wide, side = (64, 32, 48) if dry else (4096, 1024, 4096)
    sides, batches = ((40,), (16,)) if dry else ((512, 1024, 4096), (128, 1024))
    sizes = (1000,) if dry else (100_000, 10_000_000)
    made = [Case(f"chain, n = {n}", ("chain", n)) for n in sizes]
    made += [Case(f"{name}, {tall}x{wide}", (name, tall, wide)) for name in ("softmax", "layer norm")]
    made += [Case(f"sum, {axes}, {side}x{side}", (f"sum {axes}", side, side)) for axes in ("axis 0", "axis 1", "all")]
    made += [Case(f"product, {n}x{n}", ("product", n, n)) for n in sides]
    made += [Case(f"MLP step, batch {size}", ("MLP", size)) for size in batches]
    made = [Case(case.name, case.arguments, bar=1.0, frameworks=FRAMEWORKS) for case in made]
    without_cupy = tuple(name for name in FRAMEWORKS if name != "cupy")  # it has no convolution
    sizes_of = {"convolution": "", "slopes of images": ", by images", "slopes of filters": ", by filters"}
    batch, channels, width, filters = (2, 3, 6, 4) if dry else (32, 64, 56, 128)
    made += [Case(f"convolution{words}, {batch}x{channels}x{width}x{width}, {filters} filters",
                  (name, batch, channels, width, filters), bar=1.0, frameworks=without_cupy)
             for name, words in sizes_of.items()]
    return made


CASES = cases(bool(os.environ.get(DRY)))
CONVOLUTIONS = {"convolution": ("images", "filters"), "slopes of images": ("filters", "slopes"),
                "slopes of filters": ("images", "slopes")}
"""What convolutions and their gradients are computed from."""


@cache
def inputs(name: str, *shape: int) -> Arrays:
    """The arrays that a case is computed from."""
    random = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [shape]
    if name in ("chain", "product"):
        shapes = [shape, shape]
    elif name == "layer norm":
        shapes = [shape, shape[1:], shape[1:]]
    elif name in CONVOLUTIONS:
        batch, channels, width, filters = shape
        images, slopes = (batch, channels, width, width), (batch, filters, width, width)
        factors = {"images": images, "filters": (filters, channels, 3, 3), "slopes": slopes}
        shapes = [factors[factor] for factor in CONVOLUTIONS[name]]
    draw = random.random if name.startswith("sum") else random.standard_normal
    return [draw(own, "float32") for own in shapes]


def by_hand(name: str, library: Any, x: Any, y: Any = None, z: Any = None) -> Any:
    """A case in a library of arrays."""
    if name == "chain":
        return chain.chain(x, y, library)
    if name == "product":
        return x @ y
    if name in CONVOLUTIONS:
        return convolved(name, x, y)
    if name.startswith("sum"):
        return x.sum(**{"sum axis 0": {"axis": 0}, "sum axis 1": {"axis": 1}, "sum all": {}}[name])
    return rows.by_hand(name, library, x, y, z)


def convolved(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A convolution with 3 x 3 filters on images with a border of zeros, or a gradient of one, in NumPy."""
    if name == "slopes of images":  # a convolution of the slopes with filters the other way round
        return convolved("convolution", y, x[:, :, ::-1, ::-1].swapaxes(0, 1))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    if name == "convolution":
        return np.tensordot(windows, y, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    return np.tensordot(y, windows, ((0, 2, 3), (0, 2, 3)))


def reference(name: str, *shape: int) -> list[Any]:
    """What calls must return."""
    if name == "MLP":
        return mlp.reference(*shape)
    return [by_hand(name, np, *(array.astype("float64") for array in inputs(name, *shape)))]


# -- frameworks ------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Queued:
    """A call that queues work: what reads its result, what waits, and the stream, if the framework tells it."""

    call: Callable[[], Any]
    fetch: Callable[[Any], np.ndarray]
    wait: Callable[[Any], None]
    stream: int | None = None


def in_symtensor(name: str, *shape: int) -> Queued:
    import symtensor as st
    import symtensor.tensor as T
    updates = []
    if name == "MLP":
        shared = [st.shared(p) for p in mlp.parameters()]
        given, arrays = [T.fmatrix("x"), T.ivector("y")], mlp.batch(*shape)
        value = T.nnet.crossentropy_softmax_1hot(mlp.scores(given[0], shared, T.nnet.relu, T.dot), given[1])[0].mean()
        updates = [(p, p - mlp.RATE * slope) for p, slope in zip(shared, st.grad(value, shared))]
    else:
        arrays = tuple(inputs(name, *shape))
        given = [T.TensorType("float32", (None,) * array.ndim)() for array in arrays]
        if name in CONVOLUTIONS:
            value = convolution_in_symtensor(name, *given, *shape)
        else:
            value = T.dot(*given) if name == "product" else by_hand(name, T, *given)
    f = st.function(given, value.transfer("cuda"), updates=updates, device="cuda")
    device = st.cuda.device("cuda")
    return Queued(partial(f, *map(st.cuda.array, arrays)), lambda value: value.get(),
                  lambda value: device.synchronize(), device.stream)


def convolution_in_symtensor(name: str, x: Any, y: Any, batch: int, channels: int, width: int, filters: int) -> Any:
    import symtensor.tensor as T
    nnet = T.nnet.abstract_conv
    images, weights = (batch, channels, width, width), (filters, channels, 3, 3)
    options = {"border_mode": "half", "filter_flip": False}
    if name == "convolution":
        return T.nnet.conv2d(x, y, **options)
    if name == "slopes of images":
        return nnet.conv2d_grad_wrt_inputs(y, x, images, weights, **options)
    return nnet.conv2d_grad_wrt_weights(x, y, weights, images, **options)


def in_torch(name: str, *shape: int, compiled: bool = False) -> Queued:
    import torch
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # full float32, as the others
    torch.set_grad_enabled(name == "MLP")
    if name == "MLP":
        call = mlp.in_torch(*shape, compiled=compiled, device="cuda")
    else:
        special = {"softmax": lambda x: torch.softmax(x, 1),
                   "layer norm": lambda x, *more: torch.nn.functional.layer_norm(x, x.shape[1:], *more, rows.EPSILON),
                   **{name: partial(convolution_in_torch, name) for name in CONVOLUTIONS}}
        function = special.get(name, partial(by_hand, name, torch))
        arrays = [torch.from_numpy(array).to("cuda") for array in inputs(name, *shape)]
        call = partial(torch.compile(function) if compiled else function, *arrays)
    return Queued(call, lambda value: value.cpu().numpy(), lambda value: torch.cuda.synchronize(),
                  torch.cuda.current_stream().cuda_stream)


def convolution_in_torch(name: str, x: Any, y: Any) -> Any:
    import torch
    if name == "convolution":
        return torch.nn.functional.conv2d(x, y, padding=1)
    if name == "slopes of images":
        return torch.nn.grad.conv2d_input((y.shape[0], x.shape[1], *y.shape[2:]), x, y, padding=1)
    return torch.nn.grad.conv2d_weight(x, (y.shape[1], x.shape[1], 3, 3), y, padding=1)


def in_jax(name: str, *shape: int) -> Queued:
    import jax
    jax.config.update("jax_default_matmul_precision", "highest")
    if name == "MLP":
        call = mlp.in_jax(*shape, waits=False)
    else:
        arrays = [jax.numpy.asarray(array) for array in inputs(name, *shape)]
        function = partial(convolution_in_jax, name) if name in CONVOLUTIONS else partial(by_hand, name, jax.numpy)
        call = partial(jax.jit(function), *arrays)
    return Queued(call, np.asarray, lambda value: value.block_until_ready())


def convolution_in_jax(name: str, x: Any, y: Any) -> Any:
    import jax

    def convolve(images: Any, filters: Any) -> Any:
        return jax.lax.conv_general_dilated(images, filters, (1, 1), "SAME")
    if name == "convolution":
        return convolve(x, y)
    if name == "slopes of images":
        images = jax.ShapeDtypeStruct((y.shape[0], x.shape[1], *y.shape[2:]), x.dtype)
        return jax.linear_transpose(lambda images: convolve(images, x), images)(y)[0]
    filters = jax.ShapeDtypeStruct((y.shape[1], x.shape[1], 3, 3), x.dtype)
    return jax.linear_transpose(lambda filters: convolve(x, filters), filters)(y)[0]


def in_cupy(name: str, *shape: int) -> Queued:
    import cupy
    if name == "MLP":
        call = mlp.in_numpy(*shape, library=cupy)
    else:
        call = partial(by_hand, name, cupy, *map(cupy.asarray, inputs(name, *shape)))
    stream = cupy.cuda.get_current_stream()
    return Queued(call, cupy.asnumpy, lambda value: stream.synchronize(), stream.ptr)


MAKERS = {OURS: in_symtensor, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True), "jax": in_jax,
          "cupy": in_cupy}


# -- time ------------------------------------------------------------------------------------------

class Events:
    """Two events on a stream of the primary context of the first device; `seconds` is the time between them."""

    def __init__(self, stream: int) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self._stream = ctypes.c_void_p(stream)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._do("cuDeviceGet", ctypes.byref(device), 0)
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._do("cuCtxSetCurrent", context)
        self._events = [ctypes.c_void_p(), ctypes.c_void_p()]
        for event in self._events:
            self._do("cuEventCreate", ctypes.byref(event), 0)

    def record(self, number: int) -> None:
        """Note the moment at which the stream gets here."""
        self._do("cuEventRecord", self._events[number], self._stream)

    def seconds(self) -> float:
        """The time between the two moments, when both have passed."""
        found = ctypes.c_float()
        self._do("cuEventSynchronize", self._events[1])
        self._do("cuEventElapsedTime", ctypes.byref(found), *self._events)
        return found.value / 1e3

    def _do(self, entry: str, *arguments: Any) -> None:
        status = getattr(self._library, entry)(*arguments)
        if status:
            raise RuntimeError(f"{entry} failed with {status}")


class Timer:
    """The calls of one case on a device, checked and warmed up."""

    def __init__(self, family: ModuleType, framework: str, case: Case) -> None:
        self._queued = queued = MAKERS[framework](*case.arguments)
        for number, value in enumerate(reference(*case.arguments)):
            np.testing.assert_allclose(queued.fetch(queued.call()), value, rtol=1e-3, atol=1e-3,
                                       err_msg=f"call {number}")
        self._events = None if queued.stream is None else Events(queued.stream)
        self._stretch(WARM_UP)
        self._repeats = 1
        while not os.environ.get(DRY) and self._stretch(self._repeats) < SAMPLE_SECONDS:
            self._repeats *= 2

    def _stretch(self, calls: int) -> float:
        """Seconds that so many calls take, from when the device has nothing to do."""
        value = self._queued.call()
        self._queued.wait(value)
        start = time.perf_counter()
        if self._events is not None:
            self._events.record(0)
        for _ in range(calls):
            value = self._queued.call()
        if self._events is not None:
            self._events.record(1)
            return self._events.seconds()
        self._queued.wait(value)
        return time.perf_counter() - start

    def seconds(self) -> float:
        """The least of a few samples, for one call."""
        return min(self._stretch(self._repeats) for _ in range(SAMPLES)) / self._repeats


# -- the table -------------------------------------------------------------------------------------

def missing() -> dict[str, str]:
    """What each framework lacks on this machine, in words; those that lack nothing are left out."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int()
        driver = "" if not library.cuInit(0) and not library.cuDeviceGetCount(ctypes.byref(count)) and count.value \
            else "NVIDIA's driver finds no device"
    except OSError:
        driver = "there is no libcuda.so.1: install NVIDIA's driver"
    packages = {OURS: ("pycuda", "nvidia"), "torch": ("torch",), "torch.compile": ("torch",), "jax": ("jax",),
                "cupy": ("cupy",)}
    fixes = {OURS: "pip install pycuda nvidia-cuda-nvrtc", "jax": 'pip install "jax[cuda12]"',
             "cupy": "pip install cupy-cuda12x"}
    found = {}
    for name, needed in packages.items():
        lacks = [package for package in needed if find_spec(package) is None]
        if driver or lacks:
            fix = fixes.get(name, "pip install torch")
            found[name] = driver or f"{' and '.join(lacks)} cannot be imported: {fix}"
    return found


def measured(frameworks: Sequence[str], rounds: int, only: str, dry: bool) -> list[Result]:
    """The results; every framework keeps one process."""
    variables = environment(len(os.sched_getaffinity(0)), "wall", CACHE) | {"JAX_PLATFORMS": "cuda"}
    if dry:
        variables |= {DRY: "1", "SYMTENSOR_CUDA_DRIVER": "software"}
    workers = {framework: Worker("gpu", framework, variables) for framework in frameworks}
    try:
        return [collect(case, [name for name in frameworks if name in case.frameworks], rounds,
                        lambda c, f: workers[f].measure(c.name)) for case in cases(dry) if only in case.name]
    finally:
        for worker in workers.values():
            with suppress(OSError):
                worker.close()


def implementation(case: Case) -> str:
    """What computes a case in symtensor: libraries, of cuDNN with its algorithms, or nothing but our own kernels."""
    import symtensor as st
    queued = in_symtensor(*case.arguments)
    asked = len(st.cuda.convolutions())
    queued.wait(queued.call())
    libraries = queued.call.func.placement.libraries  # type: ignore[attr-defined]
    algorithms = [one.algorithm for one in st.cuda.convolutions()[asked:] if one.algorithm]
    names = [name for name in libraries if name != "cuDNN"]
    names += [f"cuDNN ({', '.join(algorithms)})"] if algorithms else []
    if len(algorithms) < libraries.get("cuDNN", 0) or not names:
        refusal = st.cuda.device().dnn_refusal
        names.append(f"our own kernels{f', as cuDNN does not start: status {refusal}' if refusal else ''}")
    return " and ".join(names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="run all of it on the software driver, and show no times")
    parser.add_argument("--only", default="", help="the cases with this in their name")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    lacking = {} if options.dry else missing()
    for name, reason in lacking.items():
        print(f"{name}: {reason}")
    if OURS in lacking:
        print("nothing is measured; `--dry` runs it on the software driver")
        return 1
    taking_part = [OURS] if options.dry else [name for name in FRAMEWORKS if name not in lacking]
    results = measured(taking_part, 1 if options.dry else options.rounds, options.only, options.dry)
    failures = [line for line in summary(results) if line.startswith("failed")]
    if options.dry:
        import symtensor as st
        st.config.cuda_driver = "software"
    by = {result.case: implementation(result.case) for result in results if OURS not in result.failures}
    if options.dry:
        print("\n".join([*(f"{case.name}: ran and is right, by {names}" for case, names in by.items()),
                         *failures, "on the software driver: nothing here says how fast a GPU is"]))
    else:
        print("\n".join([text_table(results, taking_part), "", *summary(results), "",
                         *(f"{case.name}: {OURS} by {names}" for case, names in by.items())]))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
