"""The driver's interface: memory and its limit, devices, streams that are late, names of all of cuda.h."""

from __future__ import annotations

import ctypes
import gc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symtensor.base.errors import CompileError, ConfigError
from symtensor.runtime.cuda import software
from symtensor.tools.install_pycuda import include_directories
from tests.cuda.test_driver import ADD, context, cuda, kernel

ROOT = Path(__file__).parents[2]

SLOW = """
extern "C" __global__ void counted(int *values) { values[threadIdx.x] += 1; }
SYMTENSOR_KERNEL(counted, 0)
"""


def in_a_process(program: str) -> subprocess.CompletedProcess[str]:
    """A Python program run by itself: the number of devices is a process's, and so is its end."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)


# -- memory -----------------------------------------------------------------------------------------------------------

def test_limit_of_memory() -> None:
    """What is beyond the memory of the device is refused; what was freed may be used again."""
    gc.collect()
    with context():
        free, all_of_it = cuda.mem_get_info()
    used = all_of_it - free  # other contexts of this process may hold memory of the device
    half, total = 1 << 19, used + (1 << 20)
    with context(memory=total):
        held = cuda.mem_alloc(half)
        with pytest.raises(cuda.MemoryError, match=f"{half + 1} bytes are asked for, {used + half} of {total} of dev"):
            cuda.mem_alloc(half + 1)
        held.free()
        assert cuda.mem_get_info() == (1 << 20, total)
        cuda.mem_alloc(1 << 20)


def test_copies_stay_in_their_allocation() -> None:
    """A copy that leaves its allocation is refused, in every mode."""
    with context():
        held = cuda.mem_alloc(100)
        with pytest.raises(cuda.LogicError, match="101 bytes at byte 0 of an allocation of 100"):
            cuda.memcpy_htod(held, np.zeros(101, np.uint8))
        held.free()
        with pytest.raises(cuda.LogicError, match="is no address of a device's memory"):
            cuda.memset_d8(int(held), 0, 1)


def test_fresh_memory_is_no_zeros() -> None:
    """In all modes but fast what an allocation holds at first is not what one hopes."""
    with context("shuffled"):
        assert np.isnan(cuda.from_device(cuda.mem_alloc(40), 10, np.float32)).all()


def test_the_host_may_not_touch_device_memory() -> None:
    """In guard a program that uses a device's pointer as its own is ended by the machine, as with a GPU."""
    program = """
import ctypes
from symtensor.runtime.cuda import software
software.load("guard")
import pycuda.autoinit, pycuda.driver as cuda
held = cuda.mem_alloc(8)
print(cuda.from_device(held, 8, "u1"), flush=True)
ctypes.c_char.from_address(int(held)).value
"""
    done = in_a_process(program)
    assert done.stdout.startswith("[255 255") and done.returncode == -11


# -- streams ----------------------------------------------------------------------------------------------------------

def test_a_missing_synchronisation_shows() -> None:
    """What was copied to pinned memory is there when the stream was waited for, and not before."""
    with context("shuffled"):
        stream, host = cuda.Stream(), cuda.pagelocked_zeros(32, np.int32)
        held = cuda.to_device(np.zeros(32, np.int32))
        kernel(SLOW, "counted")(held, block=(32, 1, 1), stream=stream)
        cuda.memcpy_dtoh_async(host, held, stream)
        assert not host.any()
        assert not stream.is_done()
        stream.synchronize()
        assert (host == 1).all()
        assert stream.is_done()


def test_polling_ends() -> None:
    """A loop until a stream or an event is done ends."""
    with context("shuffled"):
        stream, event = cuda.Stream(), cuda.Event()
        for _ in range(3):
            cuda.memset_d32_async(cuda.mem_alloc(4), 1, 1, stream)
        event.record(stream)
        while not event.query():
            pass
        assert stream.is_done()


def test_an_event_orders_streams() -> None:
    """One stream waits for another's event, in whatever order they run."""
    for seed in range(4):
        with context("shuffled", seed=seed):
            first, second, event = cuda.Stream(), cuda.Stream(), cuda.Event()
            held, host = cuda.to_device(np.zeros(32, np.int32)), cuda.pagelocked_zeros(32, np.int32)
            kernel(SLOW, "counted")(held, block=(32, 1, 1), stream=first)
            event.record(first)
            second.wait_for_event(event)
            cuda.memcpy_dtoh_async(host, held, second)
            second.synchronize()
            assert (host == 1).all()


def test_the_null_stream_orders_all() -> None:
    """Work in the null stream comes after what other streams were given before."""
    with context("shuffled"):
        held = cuda.to_device(np.zeros(32, np.int32))
        kernel(SLOW, "counted")(held, block=(32, 1, 1), stream=cuda.Stream())
        assert (cuda.from_device(held, 32, np.int32) == 1).all()


# -- modules and errors -----------------------------------------------------------------------------------------------

def test_foreign_modules() -> None:
    """Each thing that is no module of this driver is told what it is."""
    cubin = bytearray(64)
    cubin[:4], cubin[16:20] = b"\x7fELF", bytes([2, 0, 190, 0])
    with context():
        for image, error in ((b".version 8.0\n", "runs no PTX"), (bytes(cubin), "it is code for a GPU"),
                             (b"nothing at all", "it is no shared object")):
            with pytest.raises((cuda.LogicError, cuda.RuntimeError), match=error):
                cuda.module_from_buffer(image)
        with pytest.raises(cuda.LogicError, match="the module has no kernel subtract"):
            kernel(ADD, "subtract")


def test_many_modules() -> None:
    """A loaded module holds no file open, of which a process may have a thousand."""
    image = software.module(ADD)
    with context():
        before = len(list(Path("/proc/self/fd").iterdir()))
        held = [cuda.module_from_buffer(image) for _ in range(50)]
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        assert len({int(each.get_function("add").num_regs) for each in held}) == 1


def test_a_defect_in_a_kernel_is_a_compile_error() -> None:
    """With g++'s words."""
    with pytest.raises(CompileError, match=r"g\+\+ refuses a CUDA kernel:\n(.*\n)?.*kernel.cu:1:40: error: .y. was"):
        software.module("__global__ void wrong(float *x) { *x = y; }")


def test_missing_arguments() -> None:
    """Too few arguments are seen, as a GPU would not."""
    with context(), pytest.raises(cuda.LogicError, match="add takes 4 arguments of 28 bytes in all; 8 bytes were"):
        kernel(ADD, "add")(np.int64(0), block=(1, 1, 1))


def test_settings() -> None:
    """Settings that the driver does not take."""
    with pytest.raises(ConfigError, match="mode does not take 'quick'\n  fix      one of fast, shuffled, guard, check"):
        software.load("quick")
    with pytest.raises(ConfigError, match="devices does not take -1\n  fix      a number that is not negative"):
        software.load(devices=-1)


def test_devices() -> None:
    """Several devices, each with memory and contexts of its own; copies between them."""
    program = """
from symtensor.runtime.cuda import software
software.load(devices=3, memory=1000)
import numpy, pycuda.driver as cuda
cuda.init()
contexts = [cuda.Device(number).make_context() for number in range(cuda.Device.count())]
held = []
for number, context in enumerate(contexts):
    context.push()
    held.append(cuda.to_device(numpy.full(100 * (number + 1), number, "u1")))
    print(context.get_device().name(), cuda.mem_get_info())
    context.pop()
contexts[2].push()
cuda.memcpy_peer(held[2], held[1], 100, contexts[2], contexts[1])
print(cuda.from_device(held[2], 2, "u1"))
"""
    done = in_a_process(program)
    assert done.stdout.splitlines() == ["software CUDA device 0 (900, 1000)", "software CUDA device 1 (800, 1000)",
                                        "software CUDA device 2 (700, 1000)", "[1 1]"], done.stderr


def test_memory_of_another_device() -> None:
    """A kernel may touch it only where access was enabled, which the mode check holds it to."""
    program = f"""
from symtensor.runtime.cuda import software
software.load("check", devices=2)
import numpy, pycuda.driver as cuda
cuda.init()
there, here = cuda.Device(1).make_context(), None
held = cuda.to_device(numpy.zeros(32, "i4"))
there.pop()
here = cuda.Device(0).make_context()
counted = cuda.module_from_buffer(software.module({SLOW!r})).get_function("counted")
here.enable_peer_access(there)
counted(held, block=(32, 1, 1))
here.synchronize()
here.disable_peer_access(there)
counted(held, block=(32, 1, 1))
try:
    here.synchronize()
except cuda.LogicError as error:
    print(error)
"""
    done = in_a_process(program)
    assert "it touches memory of device 1, to which no access was enabled, at kernel.cu:2" in done.stdout, done.stderr


# -- the whole of cuda.h ----------------------------------------------------------------------------------------------

def header() -> str:
    """The text of cuda.h."""
    return "".join(Path(place, "cuda.h").read_text(encoding="utf-8") for place in include_directories()[:1])


def test_every_entry_exists() -> None:
    """All functions that cuda.h declares are there; those that are not implemented say so, by their name."""
    text = header()
    names = set(re.findall(r"\bCUDAAPI\s+(cu[A-Z]\w+)\s*\(", text))
    names |= set(re.findall(r"^\s*#\s*define\s+cu[A-Z]\w+\s+(cu[A-Z]\w+)\s*$", text, re.MULTILINE))
    library = ctypes.CDLL(f"{software.driver_directory()}/libcuda.so.1")
    missing = [name for name in sorted(names) if not hasattr(library, name)]
    assert len(names) > 400 and not missing
    found, status = ctypes.c_void_p(), ctypes.c_int()
    assert library.cuGetProcAddress_v2(b"cuMemAlloc", ctypes.byref(found), 13000, ctypes.c_uint64(0),
                                       ctypes.byref(status)) == 0
    assert found.value == ctypes.cast(library.cuMemAlloc_v2, ctypes.c_void_p).value and status.value == 0
    assert library.cuGraphCreate(None, 0) == 801
    assert software.message() == "operation not supported: cuGraphCreate is not in the software driver"


def test_constants_and_structures_are_those_of_cuda_h(tmp_path: Path) -> None:
    """The driver's own declarations agree with NVIDIA's, member for member."""
    declarations = (ROOT / "cuda_kernels/software_driver/driver/abi.h").read_text(encoding="utf-8")
    checks = [f"static_assert(int(::{name}) == int(own::{name}));"
              for name in re.findall(r"X\((CUDA_\w+),", declarations) + re.findall(r"(CU_FUNC_\w+) =", declarations)]
    for struct, members in re.findall(r"^struct (CUDA_\w+) \{(.*?)^\};", declarations, re.MULTILINE | re.DOTALL):
        checks.append(f"static_assert(sizeof(::{struct}) == sizeof(own::{struct}));")
        for member in re.findall(r"(\w+)(?=[,;])", members):
            if not member.endswith("Context"):  # reserved in cuda.h
                checks.append(f"static_assert(offsetof(::{struct}, {member}) == offsetof(own::{struct}, {member}));")
    own = declarations.replace("#pragma once", "").replace("#include", "// #include")
    macros = [f"#undef {name}" for name in re.findall(r"\b(CU_[A-Z_]+) = ", own)]  # some are enumerators in cuda.h
    includes = ["#include <cstddef>", "#include <cstdint>", "#include <cuda.h>"]
    program = "\n".join([*includes, *macros, "namespace own {", own, "}", *checks])
    source = tmp_path / "agree.cpp"
    source.write_text(program, encoding="utf-8")
    line = ["g++", "-std=c++17", "-fsyntax-only", *(f"-I{place}" for place in include_directories()), str(source)]
    made = subprocess.run(line, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert len(checks) > 90
