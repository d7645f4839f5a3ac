"""Where filters lie on images: what the options of convolutions mean, in any number of dimensions.

>>> import symtensor.tensor as T
>>> own = geometry("conv", 2, ("half", (1, 2)), (1, 2), True, (1, 1), 1)
>>> images, filters = images_of(own, T.ones((1, 3, 7, 7)), T.ones((2, 3, 3, 4)))
>>> own.output(images, filters).type
TensorType(float64, (1, 2, 7, 4))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import together
from symtensor.ops.convolution import Convolution
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.ops.shape import as_size, dimshuffle
from symtensor.ops.size import dimension, integer
from symtensor.tensor.arguments import settled, sizes_of
from symtensor.tensor.manipulation import specify_shape
from symtensor.types.dtype import float_of, promote

__all__ = ["Geometry", "geometry", "images_of", "specified"]

MODES = ("valid", "full", "half")


@dataclass(frozen=True)
class Geometry:
    """Where filters lie. `border` has for each spatial axis a mode, or how far they reach in front and behind."""

    function: str
    border: tuple[Any, ...]
    strides: tuple[int, ...]
    flip: bool
    dilation: tuple[int, ...]
    groups: int

    @property
    def axes(self) -> int:
        """The number of spatial axes."""
        return len(self.strides)

    def extent(self, axis: int, kernel: Variable) -> Variable:
        """How many elements of an image a filter lies over along an axis."""
        return settled((kernel - 1) * self.dilation[axis] + 1)

    def padding(self, axis: int, kernel: Variable) -> tuple[Variable, Variable]:
        """How far filters reach beyond an image, in front and behind."""
        border = self.border[axis]
        if border == "valid":
            return integer(0), integer(0)
        if border == "full":
            whole = settled(self.extent(axis, kernel) - 1)
            return whole, whole
        if border == "half":
            half = settled(scalar.floor_div(self.extent(axis, kernel), 2))
            return half, half
        return as_size(border[0]), as_size(border[1])

    def count(self, axis: int, image: Variable, kernel: Variable) -> Variable:
        """In how many places filters lie along an axis."""
        low, high = self.padding(axis, kernel)
        span = settled(image + low + high - self.extent(axis, kernel))
        return settled(scalar.floor_div(span, self.strides[axis]) + 1)

    def spatial(self, shape: Sequence[Any], name: str) -> list[Variable]:
        """The spatial sizes at the end of a shape. Raises TypeMismatch where one is left open."""
        given = list(shape) if isinstance(shape, (list, tuple)) else sizes_of(shape, self.function)
        last = given[-self.axes:]
        if len(last) < self.axes or any(size is None for size in last):
            raise complaint(TypeMismatch, f"{self.function}: the last {self.axes} sizes of {name} must be known, not"
                            f" {tuple(last)}", fix="give them as integers or integer scalars")
        return [settled(as_size(size)) for size in last]

    def _sizes(self, of: str, images: Sequence[Variable], kernel: Sequence[Variable], other: Sequence[Variable]
               ) -> list[Variable]:
        low = [self.padding(axis, size)[0] for axis, size in enumerate(kernel)]
        return [*low, *{"images": images, "filters": kernel, "output": other}[of]]

    def output(self, images: Variable, filters: Variable) -> Variable:
        """Images convolved with filters."""
        kernel, own = self._spatial_of(filters), self._spatial_of(images)
        counts = [self.count(axis, *sizes) for axis, sizes in enumerate(zip(own, kernel))]
        op = self._op("output")
        return _to_front(op(_to_end(images), self.flipped(filters), *self._sizes("output", own, kernel, counts)))

    def images(self, slopes: Variable, filters: Variable, spatial: Sequence[Variable]) -> Variable:
        """The gradient by images of the given spatial sizes."""
        kernel = self._spatial_of(filters)
        slopes = self.placed(slopes, spatial, kernel)
        op = self._op("images")
        return _to_front(op(self.flipped(filters), _to_end(slopes), *self._sizes("images", spatial, kernel, ())))

    def filters(self, images: Variable, slopes: Variable, spatial: Sequence[Variable]) -> Variable:
        """The gradient by filters of the given spatial sizes."""
        slopes = self.placed(slopes, self._spatial_of(images), spatial)
        op = self._op("filters")
        return self.flipped(op(_to_end(images), _to_end(slopes), *self._sizes("filters", (), spatial, ())))

    def placed(self, slopes: Variable, images: Sequence[Variable], kernel: Sequence[Variable]) -> Variable:
        """The gradient by a result, with the promise that it has the sizes of one."""
        counts = [self.count(axis, *sizes) for axis, sizes in enumerate(zip(images, kernel))]
        return specify_shape(slopes, (None, None, *counts))

    def flipped(self, filters: Variable) -> Variable:
        """Filters in the other direction, if they are to be."""
        ahead = filters.type.ndim - self.axes
        turned = (slice(None),) * ahead + (slice(None, None, -1),) * self.axes
        return subtensor(filters, turned) if self.flip else filters

    def _op(self, of: str) -> Convolution:
        return Convolution(of, self.strides, self.dilation, self.groups)

    def _spatial_of(self, variable: Variable) -> list[Variable]:
        return [dimension(variable, axis) for axis in range(variable.type.ndim - self.axes, variable.type.ndim)]


def _to_end(images: Variable) -> Variable:
    """Images with their channels last."""
    return dimshuffle(images, (0, *range(2, images.type.ndim), 1))


def _to_front(images: Variable) -> Variable:
    """Images with their channels behind the batch."""
    last = images.type.ndim - 1
    return dimshuffle(images, (0, last, *range(1, last)))


def geometry(function: str, axes: int, border_mode: Any, subsample: Sequence[int], filter_flip: bool,
             filter_dilation: Sequence[int], num_groups: int) -> Geometry:
    """The options of a convolution as users give them. Raises TypeMismatch, ShapeError.

    >>> geometry("conv", 2, (1, (0, 2)), (1, 1), True, (1, 1), 1).border
    ((1, 1), (0, 2))
    """
    strides = _numbers(function, "subsample", subsample, axes)
    dilation = _numbers(function, "filter_dilation", filter_dilation, axes)
    groups = _numbers(function, "num_groups", (num_groups,), 1)[0]
    return Geometry(function, _border(function, border_mode, axes), strides, bool(filter_flip), dilation, groups)


def _numbers(function: str, name: str, given: Any, count: int) -> tuple[int, ...]:
    """So many positive integers."""
    values = tuple(given) if isinstance(given, (list, tuple, np.ndarray)) else (given,)
    values = tuple(int(v.data) if isinstance(v, Constant) and not v.type.ndim else v for v in values)
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values)
    if len(values) != count or not whole or any(v < 1 for v in values):
        wanted = "a positive integer" if count == 1 else f"{count} positive integers"
        raise complaint(ShapeError if whole else TypeMismatch, f"{function}: {name} must be {wanted}, not {given!r}",
                        fix="give numbers that are known when the function is made")
    return tuple(map(int, values))


def _border(function: str, border_mode: Any, axes: int) -> tuple[Any, ...]:
    """The border of each axis."""
    each = border_mode if isinstance(border_mode, (list, tuple)) else (border_mode,) * axes
    found = tuple(map(_border_of_axis, each))
    if len(found) != axes or None in found:
        raise complaint(ShapeError, f"{function}: invalid border_mode {border_mode!r}",
                        fix=f'"valid", "full", "half", an integer, or a tuple of {axes} integers or pairs, none of them'
                        " negative")
    return found


def _border_of_axis(border: Any) -> Any:
    """A mode, or how far in front and behind; None for what is neither."""
    if isinstance(border, str):
        return border if border in MODES else None
    pair = tuple(border) if isinstance(border, (list, tuple)) else (border, border)
    if len(pair) != 2 or any(isinstance(v, bool) or not isinstance(v, (int, np.integer, Variable)) for v in pair):
        return None
    return None if any(isinstance(v, (int, np.integer)) and v < 0 for v in pair) else pair


def images_of(own: Geometry, *given: Any) -> list[Variable]:
    """Operands of one dtype of floats, with two axes and the spatial ones. Raises TypeMismatch."""
    variables = together(given)
    dtype = float_of(promote(*(v.type.dtype for v in variables)))
    for variable in variables:
        if variable.type.ndim != own.axes + 2:
            raise complaint(TypeMismatch, f"{own.function} takes tensors of {own.axes + 2} axes, not"
                            f" {variable.type.ndim}", variable, fix="add axes with dimshuffle")
    return [cast(v, dtype) for v in variables]


def specified(variable: Variable, shape: Any, own: Geometry, name: str) -> Variable:
    """A variable with the promise that it has a shape, if there is one; None leaves a size open."""
    if shape is None:
        return variable
    if isinstance(shape, (list, tuple)) and len(shape) != variable.type.ndim:
        raise complaint(ShapeError, f"{own.function}: {name} has {len(shape)} sizes for {variable.type.ndim} axes",
                        variable, fix="give None for a size that may be any")
    return specify_shape(variable, shape)
