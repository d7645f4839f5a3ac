"""What cuDNN did: the convolutions that a device was asked for, each with the algorithm that was used.

>>> numbers = (2, 1, 8, 1, 3, 16, *(1, 1, 1, 1, 1, 0), *(28, 5, 24, 1, 1, 0), *(28, 5, 24, 1, 1, 0))
>>> print(_told("float32", numbers, (1, 3, 1024)))
convolution[output] of images (8, 28, 28, 3) and filters (16, 3, 5, 5), float32: IMPLICIT_PRECOMP_GEMM, 1024 bytes
>>> print(_told("float32", numbers, None))
convolution[output] of images (8, 28, 28, 3) and filters (16, 3, 5, 5), float32: our own kernels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symtensor.ops.convolution import FACTORS
from symtensor.runtime.core import core
from symtensor.runtime.cuda.devices import open_device

__all__ = ["Convolved", "convolutions"]

_ALGORITHMS = {
    "output": ("IMPLICIT_GEMM", "IMPLICIT_PRECOMP_GEMM", "GEMM", "DIRECT", "FFT", "FFT_TILING", "WINOGRAD",
               "WINOGRAD_NONFUSED"),
    "images": ("ALGO_0", "ALGO_1", "FFT", "FFT_TILING", "WINOGRAD", "WINOGRAD_NONFUSED"),
    "filters": ("ALGO_0", "ALGO_1", "FFT", "ALGO_3", "WINOGRAD", "WINOGRAD_NONFUSED", "FFT_TILING")}
"""cuDNN's names of its algorithms, by their numbers."""
_MATH = ("DEFAULT_MATH", "TENSOR_OP_MATH", "TENSOR_OP_MATH_ALLOW_CONVERSION", "FMA_MATH")


@dataclass(frozen=True)
class Convolved:
    """A convolution, or gradient of one: the factor that was computed, shapes, and how.

    `algorithm` is None where cuDNN did not do it, and our own kernels did; `bytes` is the memory that it worked in.
    """

    of: str
    dtype: str
    images: tuple[int, ...]
    filters: tuple[int, ...]
    algorithm: str | None
    math: str | None
    bytes: int

    def __str__(self) -> str:
        how = "our own kernels" if self.algorithm is None else f"{self.algorithm}, {self.bytes} bytes"
        return f"convolution[{self.of}] of images {self.images} and filters {self.filters}, {self.dtype}: {how}"


def convolutions(device: str) -> list[Convolved]:
    """Those that a device was asked for so far. Raises DeviceError where the device is not there."""
    return [_told(*entry) for entry in core.device_convolutions(open_device(device).core)]


def _told(dtype: str, numbers: Sequence[int], choice: tuple[int, int, int] | None) -> Convolved:
    of, _, batch, groups, channels, filters, *rest = numbers
    axes = [rest[start:start + 6] for start in range(0, len(rest), 6)]
    while len(axes) > 1 and axes[0][:3] == [1, 1, 1] and not axes[0][5]:
        del axes[0]
    algorithm, math, scratch = choice or (None, None, 0)
    return Convolved(
        FACTORS[of], dtype, (batch, *(axis[0] for axis in axes), groups * channels),
        (groups * filters, channels, *(axis[1] for axis in axes)),
        None if algorithm is None else _ALGORITHMS[FACTORS[of]][algorithm], None if math is None else _MATH[math],
        scratch)
