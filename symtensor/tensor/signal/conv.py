"""Convolution of images without channels.

>>> conv2d([[1.0, 2.0, 4.0]], [[1.0, -1.0]]).eval()
array([[1., 2.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.index import subtensor
from symtensor.ops.shape import dimshuffle
from symtensor.tensor.nnet import abstract_conv

__all__ = ["conv2d"]


def conv2d(input: Any, filters: Any, image_shape: Sequence[Any] | None = None,
           filter_shape: Sequence[Any] | None = None, border_mode: Any = "valid", subsample: Sequence[int] = (1, 1),
           **kargs: Any) -> Variable:
    """Images (rows, columns), or a batch of them in front, convolved with filters, of which there may be several too.

    The result has an axis for the batch and one for the filters where there are several. Other keywords are ignored,
    with a warning. Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> conv2d(T.ones((7, 5, 5)), T.ones((4, 2, 2))).type, conv2d(T.ones((5, 5)), T.ones((4, 2, 2))).type
    (TensorType(float64, (7, 4, 4, 4)), TensorType(float64, (4, 4, 4)))
    """
    images, weights = as_variable(input), as_variable(filters)
    for variable in (images, weights):
        if variable.type.ndim not in (2, 3):
            raise complaint(TypeMismatch, "signal.conv2d takes matrices, or tensors of three axes, not"
                            f" {variable.type.ndim}", variable, fix="use nnet.conv2d for images with channels")
    sizes = [None if shape is None else (*batch, *front, *shape[-2:]) for shape, batch, front in (
        (image_shape, _batch(image_shape), (1,)), (filter_shape, _batch(filter_shape), (1,)))]
    result = abstract_conv.conv2d(_with_channel(images), _with_channel(weights), sizes[0], sizes[1], border_mode,
                                  subsample, **kargs)
    index = (0 if images.type.ndim == 2 else slice(None), 0 if weights.type.ndim == 2 else slice(None))
    return subtensor(result, index)


def _batch(shape: Sequence[Any] | None) -> tuple[Any, ...]:
    """How many images or filters a shape has: 1 if it does not say."""
    return (1,) if shape is None or len(shape) == 2 else (shape[0],)


def _with_channel(x: Variable) -> Variable:
    """Images as a batch with one channel."""
    return dimshuffle(x, ("x", "x", 0, 1) if x.type.ndim == 2 else (0, "x", 1, 2))
