"""Discrete Fourier transforms over all axes but the first. A complex number is a pair along a last axis of size 2.

SciPy computes them. None of them scales. Each is the derivative of another, or of itself, up to weights:

* `RealFourier`: of real numbers (m, ..., n), half of the spectrum, (m, ..., n // 2 + 1, 2);
* `RealFourierBack`: of such a half the real numbers of n places, times their number;
* `Fourier`: of complex numbers (m, ..., n, 2), the spectrum, or back; or of a complex dtype (m, ..., n), given so.

>>> from symtensor.ir.interpret import evaluate
>>> x = Variable(TensorType("float64", (1, 4)), name="x")
>>> evaluate([RealFourier()(x)], {x: [[1.0, 0.0, -1.0, 0.0]]})
[array([[[0., 0.],
        [2., 0.],
        [0., 0.]]])]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Op, Variable, at_most, describe, equal_sizes
from symtensor.ops import scalar
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension, size_of
from symtensor.types import dim as dims
from symtensor.types.dtype import COMPLEX, complex_of, kind_of
from symtensor.types.tensor import TensorType

__all__ = ["Fourier", "RealFourier", "RealFourierBack"]


def _check(x: Variable, least: int, pairs: bool) -> None:
    if x.type.dtype not in ("float32", "float64"):
        raise TypeMismatch("a Fourier transform needs float32 or float64", operands=[describe(x)],
                           fix='cast it: x.astype("float64")')
    _check_rank(x, least)
    if pairs:
        equal_sizes(x.type.shape[-1], 2, "real and imaginary parts along the last axis")


def _check_rank(x: Variable, least: int) -> None:
    if x.type.ndim < least:
        raise TypeMismatch(f"a batch is needed: {least} axes at least", operands=[describe(x)], fix="x[None, ...]")


def _paired(spectrum: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs: the same memory."""
    return np.ascontiguousarray(spectrum).view(spectrum.real.dtype).reshape(*spectrum.shape, 2)


def _complex(pairs: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pairs).view(complex_of(pairs.dtype.name))[..., 0]


def _workers() -> int:
    """Threads that a transform may use."""
    return (config.threads or -1) if config.openmp else 1


def _weighted(half: Variable, length: Variable, inside: float) -> Variable:
    """Half of a spectrum, its inner numbers, which stand for two each, times a weight."""
    place = Iota()(dimension(half, half.type.ndim - 2))
    alone = scalar.eq(place, 0) | scalar.eq(place * 2, length)
    weight = cast(scalar.switch(alone, 1.0, inside), half.type.dtype)
    return half * expand_dims(weight, [1])  # type: ignore[no-any-return]


class RealFourier(Op):
    """Half of the spectrum of real numbers; the other half follows from it."""

    def infer(self, x: Variable) -> TensorType:
        _check(x, 2, pairs=False)
        *batch, length = x.type.shape
        return TensorType.of(x.type.dtype, (*batch, dims.floordiv(length, 2) + 1, 2))

    def evaluate(self, x: np.ndarray) -> Any:
        if not x.size:
            return np.zeros((*x.shape[:-1], x.shape[-1] // 2 + 1, 2), x.dtype)
        from scipy import fft
        return _paired(fft.rfftn(x, axes=range(1, x.ndim), workers=_workers()))

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        length = dimension(x, x.type.ndim - 1)
        return RealFourierBack().make(_weighted(dy, length, 0.5), length)[0]

    def __repr__(self) -> str:
        return "real_fourier"


class RealFourierBack(Op):
    """The real numbers of a given length whose spectrum begins with a half, times their number."""

    sizes_from = 1

    def infer(self, half: Variable, length: Variable) -> TensorType:
        _check(half, 3, pairs=True)
        *batch, kept, _ = half.type.shape
        at_most(1, kept, f"{self}: half of the spectrum has one place at least")
        equal_sizes(kept, dims.floordiv(size_of(length), 2) + 1, "half of the spectrum and the length")
        return TensorType.of(half.type.dtype, (*batch, size_of(length)))

    def evaluate(self, half: np.ndarray, length: Any) -> Any:
        shape = (*half.shape[:-2], int(length))
        if 0 in shape:
            return np.zeros(shape, half.dtype)
        from scipy import fft
        return fft.irfftn(_complex(half), s=shape[1:], axes=range(1, len(shape)), norm="forward", workers=_workers())

    def pullback(self, half: Variable, length: Variable, x: Variable, dx: Variable) -> Any:
        return _weighted(RealFourier()(dx), length, 2.0), None

    def __repr__(self) -> str:
        return "real_fourier_back"


class Fourier(Op):
    """The spectrum of complex numbers, or with `back` what has them as its spectrum, times the number of places."""

    back: bool

    def infer(self, x: Variable) -> TensorType:
        if x.type.dtype in COMPLEX:
            _check_rank(x, 2)
        else:
            _check(x, 3, pairs=True)
        return x.type

    def evaluate(self, x: np.ndarray) -> Any:
        if not x.size:
            return x.copy()
        from scipy import fft
        transform, norm = (fft.ifftn, "forward") if self.back else (fft.fftn, "backward")
        numbers = x if kind_of(x.dtype) == "c" else _complex(x)
        made = transform(numbers, axes=range(1, numbers.ndim), norm=norm, workers=_workers())
        return made if numbers is x else _paired(made)

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        """The transpose: of complex numbers the transform itself, of pairs the one of the conjugates."""
        return Fourier(self.back == (x.type.dtype in COMPLEX))(dy)

    def __repr__(self) -> str:
        return "fourier_back" if self.back else "fourier"
