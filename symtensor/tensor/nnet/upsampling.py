"""Images made larger by linear interpolation.

>>> bilinear_upsampling([[[[0.0, 3.0]]]], ratio=3).eval()[0, 0, 0]
array([0., 0., 1., 2., 3., 3.])
"""

from __future__ import annotations

from math import gcd
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import gather
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension
from symtensor.tensor.arguments import settled
from symtensor.tensor.creation import arange
from symtensor.tensor.manipulation import specify_shape
from symtensor.types.dtype import float_of

__all__ = ["bilinear_kernel_1D", "bilinear_kernel_2D", "bilinear_upsampling", "frac_bilinear_upsampling"]


def bilinear_kernel_1D(ratio: int, normalize: bool = True) -> Variable:
    """The weights of linear interpolation between elements `ratio` apart: 1, 2, ..., ratio, ..., 1, over `ratio`.

    >>> bilinear_kernel_1D(2).eval()
    array([0.5, 1. , 0.5])
    """
    weights = cast(ratio - scalar.abs_(arange(2 * ratio - 1) - (ratio - 1)), config.floatX)
    return weights / ratio if normalize else weights


def bilinear_kernel_2D(ratio: int, normalize: bool = True) -> Variable:
    """The products of two kernels in one dimension, one along each axis.

    >>> bilinear_kernel_2D(1).eval()
    array([[1.]])
    """
    row = bilinear_kernel_1D(ratio, normalize)
    return expand_dims(row, [1]) * row


def bilinear_upsampling(input: Any, ratio: int | None = None, frac_ratio: Any = None, batch_size: int | None = None,
                        num_input_channels: int | None = None, use_1D_kernel: bool = True) -> Variable:
    """Images (batch, channels, rows, columns) with rows and columns `ratio` times as many.

    Between elements there is linear interpolation, at the ends the last element. `frac_ratio` is for ratios that are no
    integers, see `frac_bilinear_upsampling`. `use_1D_kernel` is accepted for Theano's sake. Raises TypeMismatch,
    ShapeError.

    >>> bilinear_upsampling([[[[1.0, 2.0]]]], ratio=2).eval()
    array([[[[1. , 1.5, 2. , 2. ],
             [1. , 1.5, 2. , 2. ]]]])
    """
    if (ratio is None) == (frac_ratio is None):
        raise complaint(ShapeError, "bilinear_upsampling: one of ratio and frac_ratio is needed",
                        fix="give one of them")
    images = _images("bilinear_upsampling", input)
    if batch_size is not None or num_input_channels is not None:
        images = specify_shape(images, (batch_size, num_input_channels, None, None))
    if ratio is None:
        return frac_bilinear_upsampling(images, frac_ratio)
    return _enlarged(_enlarged(images, 2, int(ratio), 1), 3, int(ratio), 1)


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Variable:
    """`bilinear_upsampling` by a fraction (numerator, denominator), or one for rows and one for columns.

    Of the images made larger by the numerator, every element that the denominator counts is kept. Raises TypeMismatch,
    ShapeError.

    >>> frac_bilinear_upsampling([[[[0.0, 2.0, 4.0, 6.0]]]], ((1, 1), (3, 2))).eval()[0, 0, 0]
    array([0.        , 0.66666667, 2.        , 3.33333333, 4.66666667,
           6.        ])
    """
    pairs = frac_ratio if isinstance(frac_ratio, tuple) and len(frac_ratio) == 2 else ()
    pairs = pairs if all(isinstance(pair, tuple) for pair in pairs) else (pairs, pairs)
    if not pairs or any(len(pair) != 2 or any(not isinstance(n, int) or n < 1 for n in pair) for pair in pairs):
        raise complaint(ShapeError, f"frac_bilinear_upsampling: frac_ratio is no fraction: {frac_ratio!r}",
                        fix="give a tuple of two positive integers, or two of these")
    images = _images("frac_bilinear_upsampling", input)
    for axis, (numerator, denominator) in zip((2, 3), pairs):
        common = gcd(numerator, denominator)
        images = _enlarged(images, axis, numerator // common, denominator // common)
    return images


def _images(function: str, input: Any) -> Variable:
    images = as_variable(input)
    if images.type.ndim != 4:
        raise complaint(TypeMismatch, f"{function} takes tensors of 4 axes, not {images.type.ndim}", images,
                        fix="add axes with dimshuffle")
    return cast(images, float_of(images.type.dtype))


def _enlarged(images: Variable, axis: int, times: int, step: int) -> Variable:
    """An axis with `times` places for each element, of which every `step`-th is kept."""
    own, dtype = dimension(images, axis), images.type.dtype
    count = settled(scalar.floor_div(own * times + step - 1, step))
    place = arange(count) * step - (times - 1) // 2
    before, share = scalar.floor_div(place, times), cast(scalar.mod(place, times), dtype) / times
    share = expand_dims(share, range(1, images.type.ndim - axis))
    ends = [scalar.maximum(scalar.minimum(index, own - 1), 0) for index in (before, before + 1)]
    first, second = (gather(images, {axis: index}) for index in ends)
    return first * (1 - share) + second * share
