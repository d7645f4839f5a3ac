"""Shapes of convolutions by arithmetic, and Theano's classes whose instances convolve.

>>> get_conv_output_shape((16, 3, 32, 32), (8, 3, 5, 5), "valid", (1, 1))
(16, 8, 28, 28)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symtensor.base.errors import ShapeError
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.shape import as_size
from symtensor.ops.size import size_of
from symtensor.tensor.nnet.convolution import geometry

__all__ = ["get_conv_gradinputs_shape", "get_conv_gradweights_shape", "get_conv_output_shape", "get_conv_shape_1axis",
           "Options"]


def get_conv_output_shape(image_shape: Sequence[Any], kernel_shape: Sequence[Any], border_mode: Any,
                          subsample: Sequence[int], filter_dilation: Sequence[int] | None = None) -> tuple[Any, ...]:
    """The shape of images convolved with filters: integers where those given are, None where one is None.

    Raises ShapeError, TypeMismatch.

    >>> get_conv_output_shape((None, 3, 9, 9), (8, 3, 3, 3), "half", (2, 2), (2, 2))
    (None, 8, 5, 5)
    """
    axes = len(image_shape) - 2
    dilation = (1,) * axes if filter_dilation is None else tuple(filter_dilation)
    modes = border_mode if isinstance(border_mode, (list, tuple)) else (border_mode,) * axes
    sizes = [get_conv_shape_1axis(image, kernel, mode, step, own) for image, kernel, mode, step, own
             in zip(image_shape[2:], kernel_shape[-axes:], modes, subsample, dilation)]
    return (image_shape[0], kernel_shape[0], *sizes)


def get_conv_shape_1axis(image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: int,
                         dilation: int = 1) -> Any:
    """The size of one axis of a convolution; None if a size is None. Raises ShapeError, TypeMismatch.

    >>> get_conv_shape_1axis(10, 3, "full", 1), get_conv_shape_1axis(None, 3, "full", 1)
    (12, None)
    """
    if image_shape is None or kernel_shape is None:
        return None
    own = geometry("get_conv_shape_1axis", 1, (border_mode,), (subsample,), True, (dilation,), 1)
    count = own.count(0, as_size(image_shape), as_size(kernel_shape))
    size = size_of(count)
    if isinstance(size, int) and size < 0:
        raise complaint(ShapeError, f"get_conv_shape_1axis: filters of {kernel_shape} are larger than images of"
                        f" {image_shape}", fix="use a larger border, or smaller filters")
    return int(count.data) if isinstance(count, Constant) else count


def get_conv_gradinputs_shape(kernel_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any,
                              subsample: Sequence[int], filter_dilation: Sequence[int] | None = None,
                              num_groups: int = 1) -> tuple[Any, ...]:
    """The shape of the images of which a convolution has a shape. None where several sizes would have it.

    >>> get_conv_gradinputs_shape((8, 3, 5, 5), (16, 8, 28, 28), "valid", (1, 1))
    (16, 3, 32, 32)
    """
    axes = len(top_shape) - 2
    dilation = (1,) * axes if filter_dilation is None else tuple(filter_dilation)
    own = geometry("get_conv_gradinputs_shape", axes, border_mode, subsample, True, dilation, num_groups)
    sizes: list[Any] = []
    for axis, (kernel, top) in enumerate(zip(kernel_shape[-axes:], top_shape[2:])):
        if kernel is None or top is None or own.strides[axis] != 1:
            sizes.append(None)
            continue
        low, high = own.padding(axis, as_size(kernel))
        sizes.append(_plain(as_size(top) - 1 + own.extent(axis, as_size(kernel)) - low - high))
    channels = None if kernel_shape[1] is None else kernel_shape[1] * num_groups
    return (top_shape[0], channels, *sizes)


def get_conv_gradweights_shape(image_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any,
                               subsample: Sequence[int], filter_dilation: Sequence[int] | None = None,
                               num_groups: int = 1, unshared: bool = False) -> tuple[Any, ...]:
    """The shape of the filters with which a convolution has a shape. None where several sizes would have it.

    >>> get_conv_gradweights_shape((16, 3, 32, 32), (16, 8, 28, 28), "valid", (1, 1))
    (8, 3, 5, 5)
    """
    axes = len(top_shape) - 2
    dilation = (1,) * axes if filter_dilation is None else tuple(filter_dilation)
    modes = border_mode if isinstance(border_mode, (list, tuple)) else (border_mode,) * axes
    sizes = [_kernel(*given) for given in zip(image_shape[2:], top_shape[2:], modes, subsample, dilation)]
    channels = None if image_shape[1] is None else image_shape[1] // num_groups
    places = tuple(top_shape[2:]) if unshared else ()
    return (top_shape[1], *places, channels, *sizes)


def _kernel(image: Any, top: Any, mode: Any, stride: int, dilation: int) -> Any:
    """The size of filters along an axis; None if it does not follow."""
    if image is None or top is None or stride != 1 or dilation != 1 or mode == "half":
        return None
    if mode == "full":
        return _plain(as_size(top) - image + 1)
    low, high = (0, 0) if mode == "valid" else mode if isinstance(mode, (list, tuple)) else (mode, mode)
    return _plain(as_size(image) + low + high - top + 1)


def _plain(size: Variable) -> Any:
    """An integer if it is known."""
    known = size_of(size)
    return known if isinstance(known, int) else size


@dataclass(frozen=True)
class Options:
    """What Theano's classes of convolutions are made with. `imshp` and `kshp` are promised shapes."""

    imshp: Any = None
    kshp: Any = None
    border_mode: Any = "valid"
    subsample: Any = None
    filter_flip: bool = True
    filter_dilation: Any = None
    num_groups: int = 1
    unshared: bool = False

    def options(self, axes: int) -> dict[str, Any]:
        """The keywords of the function that does it."""
        found = {"border_mode": self.border_mode, "subsample": self.subsample or (1,) * axes,
                 "filter_flip": self.filter_flip, "filter_dilation": self.filter_dilation or (1,) * axes,
                 "num_groups": self.num_groups}
        return found | ({"unshared": self.unshared} if axes == 2 else {})
