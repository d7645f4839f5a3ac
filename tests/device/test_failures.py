"""Errors of a device that end its work for the process; so each is in a process of its own."""

from __future__ import annotations

import subprocess
import sys

SETTING = """
from dataclasses import replace
import numpy as np, symtensor as st, symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import DeviceError
from symtensor.runtime.cuda import devices, software
config.cuda_driver, config.cache = "software", False
software.load("guard")
real = devices.print_kernel

def beyond(kernel):
    \"\"\"Kernels that write outside of their arrays if they have a tanh.\"\"\"
    for one in real(kernel):
        bad = one.text.replace(") {\\n", ") {\\n  ((float *)b0)[1L << 32] = 0;\\n", 1)
        yield replace(one, text=bad) if "tanh" in one.name else one

devices.print_kernel = beyond
x, y = T.fvector("x"), T.fmatrix("y")
"""


def run(code: str, *flags: str) -> str:
    """What a process prints."""
    found = subprocess.run([sys.executable, "-c", SETTING + code], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_an_error_of_the_driver_names_the_kernels_and_the_users_line() -> None:
    text = run("""
f = st.function([x, y], [T.exp(x).sum(axis=0), T.tanh(y)], device="cuda")
try:
    f(np.ones(5, "float32"), np.ones((2, 3), "float32"))
except DeviceError as error:
    print(error)
try:
    f(np.ones(5, "float32"), np.ones((2, 3), "float32"))
except Exception as error:
    print(type(error).__name__)
print(st.function([x], x + 1)(np.ones(2, "float32")))
""")
    assert "cuda0: CUDA_ERROR_ILLEGAL_ADDRESS in a kernel, one of exp_sum, exp_sum_total, tanh\n" in text
    assert "cuda_synchronous=True tells which kernel it is" in text and "<string>" in text
    assert "[2. 2.]" in text


def test_a_synchronous_device_names_the_kernel() -> None:
    text = run("""
config.cuda_synchronous = True
f = st.function([x, y], [T.exp(x).sum(axis=0), T.tanh(y)], device="cuda")
try:
    f(np.ones(5, "float32"), np.ones((2, 3), "float32"))
except DeviceError as error:
    print(error)
""")
    assert "cuda0: CUDA_ERROR_ILLEGAL_ADDRESS in the kernel tanh\n" in text
    assert "started anew" in text
