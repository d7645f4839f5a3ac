"""pycuda's own tests, from its source release, on the software driver: `make pycuda-suite`, or

    python -m tests.cuda.pycuda_suite -n 2

Arguments are pytest's. The status is 0 where every test passes but those left out, and they are many enough. Others
skip themselves: of texture references, which CUDA 12 no longer has, of arrays larger than a device's memory, and of
CURAND, without which pycuda is built.
"""

from __future__ import annotations

import importlib.metadata
import sys

from tests.outside import Suite

LEFT_OUT = {
    "test_driver.py::TestDriver::test_recursive_launch": "cuLink*, and kernels that launch kernels",
    "test_driver.py::TestDriver::test_jit_link_module": "cuLink*: there is no device linker",
}
CONFTEST = """\
from symtensor.runtime.cuda import software
software.load("fast")
import pycuda._driver
if not hasattr(pycuda._driver, "get_curand_version"):  # pycuda.curandom asks a build without CURAND for it
    pycuda._driver.get_curand_version = lambda: (0, 0, 0)
"""

if __name__ == "__main__":
    tests = [f"test_{name}.py" for name in ("driver", "gpuarray", "cumath")]
    version = importlib.metadata.version("pycuda")
    suite = Suite("pycuda", version, tests, CONFTEST, LEFT_OUT, least_passed=285, within="test")
    sys.exit(suite.run(sys.argv[1:]))
