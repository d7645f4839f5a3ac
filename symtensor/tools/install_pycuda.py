"""`symtensor install-pycuda`: pycuda built from its source release, with no CUDA toolkit, driver or GPU at hand.

There is no wheel of pycuda. Its build wants cuda.h, which wheels of NVIDIA's carry, and a libcuda.so to link with, for
which the software driver stands in; at run time it takes whichever driver there is. The wheel that is built is kept in
symtensor's cache, not in pip's: it is without CURAND, and another project may want that.

>>> print(settings_text(["/usr/include/cuda"], "/cache/driver"))
CUDA_INC_DIR = ['/usr/include/cuda']
CUDADRV_LIB_DIR = ['/cache/driver']
CUDA_ENABLE_CURAND = False
CXXFLAGS = ['-O1', '-g0']
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from glob import glob

from symtensor.base.config import config
from symtensor.base.errors import CompileError
from symtensor.codegen import store
from symtensor.codegen.process import run
from symtensor.codegen.seal import digest
from symtensor.runtime.cuda import software

__all__ = ["install", "include_directories", "settings_text"]

_REQUIREMENT = "pycuda==2026.1"
_HEADERS = ("cuda.h", "cudaProfiler.h")
_FIX = "pip install nvidia-cuda-runtime nvidia-cuda-profiler-api"


def install() -> tuple[str, int]:
    """Build pycuda where the cache has no wheel of it, and install it where it is missing.

    Raises CompileError where headers are missing or the build fails.
    """
    if importlib.util.find_spec("pycuda") is not None:
        return "pycuda is installed", 0
    wheel = _kept_wheel()
    _pip(["install", wheel])
    return f"installed {wheel}", 0


def include_directories() -> list[str]:
    """The folders of CUDA's headers: in the wheels of this environment, else of the toolkit. Raises CompileError."""
    places = dict.fromkeys([*site.getsitepackages(), *sys.path])
    roots = [root for place in places for root in sorted(glob(f"{place}/nvidia/*/include"))]
    roots += [f"{os.environ.get(name)}/include" for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda/include"]
    found = []
    for header in _HEADERS:
        place = next((root for root in roots if os.path.exists(f"{root}/{header}")), None)
        if place is None:
            raise CompileError(f"CUDA's header {header} was not found, which building pycuda needs", fix=_FIX)
        found.append(place)
    return list(dict.fromkeys(found))


def settings_text(includes: Sequence[str], driver: str) -> str:
    """The settings of pycuda's build, as in its .aksetup-defaults.py."""
    return "\n".join([f"CUDA_INC_DIR = {list(includes)!r}", f"CUDADRV_LIB_DIR = {[driver]!r}",
                      "CUDA_ENABLE_CURAND = False", "CXXFLAGS = ['-O1', '-g0']"])


def _kept_wheel() -> str:
    includes = include_directories()
    with open(f"{includes[0]}/cuda.h", encoding="utf-8", errors="replace") as file:
        key = digest("pycuda", _REQUIREMENT, str(sysconfig.get_config_var("SOABI")), file.read())
    for root in (config.cache_path, store.private_directory()):
        place = f"{root}/pycuda-{key}"
        for wheel in glob(f"{place}/pycuda-*.whl"):
            return wheel
        try:
            os.makedirs(place, exist_ok=True)
        except OSError:
            continue
        with store.scratch_directory() as scratch:
            made = _built(scratch, includes)
            _publish(made, f"{place}/{os.path.basename(made)}")
        return f"{place}/{os.path.basename(made)}"
    raise CompileError("a wheel of pycuda cannot be written anywhere", fix="set SYMTENSOR_CACHE_DIR")


def _built(scratch: str, includes: Sequence[str]) -> str:
    """A wheel made in a folder. The build reads its settings from the home directory, so it is given one."""
    home = f"{scratch}/home"
    os.mkdir(home)
    with open(f"{home}/.aksetup-defaults.py", "w", encoding="utf-8") as file:
        file.write(settings_text(includes, software.driver_directory()))
    _pip(["wheel", "--no-cache-dir", "--no-deps", "--no-binary", "pycuda", "--wheel-dir", scratch, _REQUIREMENT],
         f"HOME={home}")
    return glob(f"{scratch}/pycuda-*.whl")[0]


def _publish(made: str, place: str) -> None:
    private = f"{place}.{os.getpid()}"
    with open(made, "rb") as source, open(private, "wb") as target:
        target.write(source.read())
    os.replace(private, place)


def _pip(words: Sequence[str], *environment: str) -> None:
    status, output = run(["env", "-u", "PYTHONPATH", *environment, sys.executable, "-m", "pip", "--quiet", *words])
    if status:
        last = "\n".join(output.splitlines()[-30:])
        raise CompileError(f"pip cannot build pycuda:\n{last}", fix=_FIX)
