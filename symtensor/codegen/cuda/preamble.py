"""What stands before generated CUDA: inline functions, and what threads do together. No header of CUDA's is needed.

>>> "over_group" in preamble()
True
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from symtensor.codegen.preamble import helpers

__all__ = ["kernel_source", "preamble", "source_path"]

_FILES = ("functions.cuh", "narrow.cuh", "vectors.cuh", "groups.cuh")


def source_path(name: str) -> Path:
    """A file of `cuda_kernels`, a folder inside the package where it is installed, beside it in the repository."""
    package = Path(__file__).parents[2]
    folder = package / "cuda_kernels"
    return (folder if folder.is_dir() else package.parent / "cuda_kernels") / name


@cache
def kernel_source(name: str) -> str:
    """The text of a file of `cuda_kernels`."""
    return source_path(name).read_text(encoding="utf-8")


@cache
def preamble() -> str:
    """The text before generated kernels."""
    functions, *others = map(kernel_source, _FILES)
    return "\n".join([functions, helpers(), *others])
