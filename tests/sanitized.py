"""The runtime under gcc's address and undefined-behaviour sanitizers: a build of its own, and the tests of the machine.

    make sanitize                                            # in a folder that goes away again
    python tests/sanitized.py tests/control/test_scan.py     # other tests, or other arguments of pytest

Kernels that are generated meanwhile are compiled with the sanitizers too (`environment`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g"
SOURCES = ("symtensor", "csrc", "cuda_kernels", "tests", "conftest.py", "setup.py", "pyproject.toml", "README.md")
TESTS = ("tests/machine", "tests/control/test_random_loops.py",
         "-k", "not no_leaks and not test_derivatives")
"""(The sanitizers keep memory that was given back, and derivatives are computed by the interpreter there.)"""


def libraries() -> list[str]:
    """What must be loaded before Python: the sanitizers' runtimes, if gcc has them."""
    if shutil.which("gcc") is None:
        return []
    names = ("libasan.so", "libubsan.so", "libstdc++.so")
    found = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
             for name in names]
    return found if all(map(os.path.isabs, found)) else []


def environment(cache: Path, root: Path) -> dict[str, str]:
    """The variables under which Python runs with the sanitizers, and generated kernels are compiled with them."""
    return dict(os.environ, SYMTENSOR_CFLAGS=FLAGS, SYMTENSOR_CXX="gcc", SYMTENSOR_CACHE_DIR=str(cache),
                LD_PRELOAD=" ".join(libraries()), ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
                PYTHONMALLOC="malloc", PYTHONPATH=str(root))


def build(folder: Path) -> None:
    """A copy of the sources with the extension built with the sanitizers."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("_core*.so", "__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    flags = dict(os.environ, CFLAGS=f"{FLAGS} -O1", LDFLAGS=FLAGS)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count()}"], cwd=folder,
                   env=flags, check=True)
    assert list((folder / "symtensor").glob("_core*.so")), "the extension was not built"


def main(arguments: list[str]) -> int:
    if not libraries():
        print("gcc's sanitizers are not installed")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(arguments or TESTS)]
        return subprocess.run(command, cwd=folder, env=environment(folder / "cache", folder)).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
