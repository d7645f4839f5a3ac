"""Patches of images as rows of a matrix, and back.

>>> images2neibs([[[[1.0, 2.0], [3.0, 4.0]]]], (1, 2)).eval()
array([[1., 2.],
       [3., 4.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.index import gather
from symtensor.ops.shape import as_size, dimshuffle
from symtensor.ops.size import dimension
from symtensor.ops.window import Window, Windows
from symtensor.tensor.arguments import settled, sizes_of
from symtensor.tensor.creation import arange
from symtensor.tensor.manipulation import reshape, specify_shape
from symtensor.tensor.padding import pad

__all__ = ["images2neibs", "neibs2images"]

MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Variable:
    """The patches of size `neib_shape` of images (batch, channels, rows, columns), each flattened to a row.

    Patches begin `neib_step` apart, by default side by side. They come image by image and channel by channel, in order
    of rows and columns. With `mode` "valid" they must fill the images; "ignore_borders" leaves out a rest; in
    "wrap_centered" there is one for each `neib_step`, centered there, and what is beyond an end is taken from the
    other; "half" and "full" put zeros around the images, half a patch or a patch less one. Sizes are fixed integers.
    Raises ShapeError, TypeMismatch.

    >>> images2neibs([[[[1.0, 2.0, 3.0]]]], (1, 3), (1, 1), mode="wrap_centered").eval()
    array([[3., 1., 2.],
           [1., 2., 3.],
           [2., 3., 1.]])
    """
    images = as_variable(ten4)
    if images.type.ndim != 4:
        raise complaint(TypeMismatch, f"images2neibs takes tensors of 4 axes, not {images.type.ndim}", images,
                        fix="add axes with dimshuffle")
    if mode not in MODES:
        raise complaint(ShapeError, f"images2neibs: there is no mode {mode!r}", images,
                        fix="one of " + ", ".join(MODES))
    sizes = _two(images, neib_shape, "neib_shape")
    steps = sizes if neib_step is None else _two(images, neib_step, "neib_step")
    counts = []
    for axis, size, step in zip((2, 3), sizes, steps):
        images, count = _placed(images, axis, size, step, mode)
        counts.append(count)
    seen = Windows(Window((2, 3), sizes, steps))(images, *counts)
    return reshape(seen, (-1, prod(sizes)))


def _placed(images: Variable, axis: int, size: int, step: int, mode: str) -> tuple[Variable, Variable]:
    """Images with what is around them along an axis, and the number of patches along it."""
    own = dimension(images, axis)
    if mode == "valid":
        count = settled(scalar.floor_div(own - size, step) + 1)
        exact = settled((count - 1) * step + size)
        return specify_shape(images, [exact if a == axis else None for a in range(4)]), count
    if mode == "wrap_centered":
        if size % 2 == 0:
            raise complaint(ShapeError, f"images2neibs: patches have odd sizes in mode 'wrap_centered', not {size}",
                            images, fix="use an odd neib_shape")
        count = settled(scalar.floor_div(own + step - 1, step))
        places = arange((count - 1) * step + size) - size // 2
        return gather(images, {axis: scalar.mod(places, own)}), count
    margin = 0 if mode == "ignore_borders" else size // 2 if mode == "half" else size - 1
    widths = [(margin, margin) if a == axis else (0, 0) for a in range(4)]
    count = settled(scalar.floor_div(own + 2 * margin - size, step) + 1)
    return pad(images, widths) if margin else images, count


def _two(images: Variable, given: Any, name: str) -> tuple[int, ...]:
    """Two positive integers that are known now."""
    values = given.data.tolist() if isinstance(given, Constant) else given
    known = isinstance(values, (list, tuple, np.ndarray)) and len(values) == 2 and all(
        isinstance(v, (int, np.integer)) and v >= 1 for v in values)
    if not known:
        raise complaint(TypeMismatch, f"images2neibs: {name} must be two positive integers, not {given!r}", images,
                        fix="give numbers that are known when the function is made")
    return tuple(map(int, values))


def neibs2images(neibs: Any, neib_shape: Sequence[int], original_shape: Any, mode: str = "valid") -> Variable:
    """The images of `original_shape` from patches side by side: what `images2neibs` made rows of.

    With `mode` "ignore_borders" there are zeros where no patch was. Raises ShapeError, TypeMismatch.

    >>> neibs2images([[1.0, 2.0], [3.0, 4.0]], (1, 2), (1, 1, 2, 2)).eval()
    array([[[[1., 2.],
             [3., 4.]]]])
    """
    patches = as_variable(neibs)
    if mode not in ("valid", "ignore_borders"):
        raise complaint(ShapeError, f"neibs2images: there is no mode {mode!r}", patches, fix="valid or ignore_borders")
    sizes, shape = _two(patches, neib_shape, "neib_shape"), sizes_of(original_shape, "neibs2images", 4)
    counts = [scalar.floor_div(as_size(own), size) for own, size in zip(shape[2:], sizes)]
    grid = reshape(patches, (*shape[:2], *counts, *sizes))
    whole = [settled(count * size) for count, size in zip(counts, sizes)]
    images = reshape(dimshuffle(grid, (0, 1, 2, 4, 3, 5)), (*shape[:2], *whole))
    if mode == "valid":
        return specify_shape(images, (None, None, *shape[2:]))
    rest = [(0, own - size) for own, size in zip(map(as_size, shape[2:]), whole)]
    return pad(images, [(0, 0), (0, 0), *rest])
