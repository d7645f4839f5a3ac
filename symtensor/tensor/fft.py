"""Fourier transforms under Theano's names: of a batch, over all axes but the first.

Complex numbers are pairs of real ones along a last axis of size 2, as in Theano, or of a complex dtype.

>>> x = [[1.0, 0.0, -1.0, 0.0]]
>>> rfft(x).eval()[0].tolist()
[[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]
>>> irfft(rfft(x)).eval().tolist() == x
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.fourier import Fourier, RealFourier, RealFourierBack
from symtensor.ops.scalar import sqrt
from symtensor.ops.size import dimension
from symtensor.tensor.arguments import product
from symtensor.types.dtype import COMPLEX, DISCRETE, real_of

__all__ = ["fft", "ifft", "irfft", "rfft"]


def _prepared(function: str, inp: Any, norm: str | None) -> Variable:
    inp = as_variable(inp)
    if norm not in (None, "ortho", "no_norm"):
        raise complaint(TypeMismatch, f"{function}: there is no norm {norm!r}", inp, fix='None, "ortho" or "no_norm"')
    return cast(inp, "float64") if inp.type.dtype in DISCRETE else inp


def _scaled(result: Variable, places: Sequence[Variable], norm: str | None, back: bool) -> Variable:
    """A transform that does not scale, as the norm wants it: by default the way back is divided by the places."""
    if norm == "no_norm" or (norm is None and not back):
        return result
    count = cast(product(places), real_of(result.type.dtype))
    return result / (sqrt(count) if norm == "ortho" else count)  # type: ignore[no-any-return]


def rfft(inp: Any, norm: str | None = None) -> Variable:
    """Half of the spectrum of real numbers: (m, ..., n) becomes (m, ..., n // 2 + 1, 2), of m batches.

    `norm`: None leaves it as it is, "ortho" divides by the root of the number of places, "no_norm" leaves it too.
    Raises TypeMismatch, ShapeError.

    >>> rfft([[1.0, 1.0]], "ortho").eval().round(3).tolist()
    [[[1.414, 0.0], [0.0, 0.0]]]
    """
    inp = _prepared("rfft", inp, norm)
    return _scaled(RealFourier()(inp), [dimension(inp, axis) for axis in range(1, inp.type.ndim)], norm, back=False)


def irfft(inp: Any, norm: str | None = None, is_odd: bool = False) -> Variable:
    """Real numbers from half of their spectrum: (m, ..., n // 2 + 1, 2) becomes (m, ..., n).

    n is even, or with `is_odd` odd. `norm`: None divides by the number of places, "ortho" by its root, "no_norm" by
    nothing. Raises TypeMismatch, ShapeError.

    >>> irfft([[[3.0, 0.0], [0.0, 1.0]]], is_odd=True).eval().round(3).tolist()
    [[1.0, 0.423, 1.577]]
    """
    inp = _prepared("irfft", inp, norm)
    if inp.type.ndim < 3:
        raise complaint(TypeMismatch, "irfft: a batch of pairs is needed, three axes at least", inp,
                        fix="inp[None, ...] for a single spectrum")
    length = (dimension(inp, inp.type.ndim - 2) - 1) * 2 + int(is_odd)
    places = [*(dimension(inp, axis) for axis in range(1, inp.type.ndim - 2)), length]
    return _scaled(RealFourierBack().make(inp, length)[0], places, norm, back=True)


def fft(inp: Any, norm: str | None = None) -> Variable:
    """The spectrum of complex numbers: (m, ..., n) of a complex dtype, or as pairs (m, ..., n, 2).

    It is given as the numbers are; `norm` as for `rfft`. Raises TypeMismatch, ShapeError.

    >>> fft([[1.0, 1j]]).eval()
    array([[1.+1.j, 1.-1.j]])
    >>> fft([[[1.0, 0.0], [0.0, 1.0]]]).eval().tolist()
    [[[1.0, 1.0], [1.0, -1.0]]]
    """
    return _of_numbers("fft", inp, norm, back=False)


def ifft(inp: Any, norm: str | None = None) -> Variable:
    """Complex numbers from their spectrum, of a complex dtype or as pairs; `norm` as for `irfft`, the rest as `fft`.

    >>> ifft([[[3.0, 0.0], [1.0, 0.0]]]).eval()[..., 0]
    array([[2., 1.]])
    """
    return _of_numbers("ifft", inp, norm, back=True)


def _of_numbers(function: str, inp: Any, norm: str | None, back: bool) -> Variable:
    inp = _prepared(function, inp, norm)
    last = inp.type.ndim - (0 if inp.type.dtype in COMPLEX else 1)
    return _scaled(Fourier(back)(inp), [dimension(inp, axis) for axis in range(1, last)], norm, back)
