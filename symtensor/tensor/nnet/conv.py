"""Theano's old address of `conv2d`.

>>> conv2d([[[[1.0, 2.0, 4.0]]]], [[[[1.0, -1.0]]]]).eval()
array([[[[1., 2.]]]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.ir.node import Variable
from symtensor.tensor.nnet import abstract_conv

__all__ = ["conv2d"]


def conv2d(input: Any, filters: Any, image_shape: Sequence[Any] | None = None,
           filter_shape: Sequence[Any] | None = None, border_mode: Any = "valid", subsample: Sequence[int] = (1, 1),
           **kargs: Any) -> Variable:
    """`nnet.conv2d`, with the arguments in their old order. Raises TypeMismatch, ShapeError.

    >>> conv2d([[[[1.0, 2.0, 4.0]]]], [[[[1.0, -1.0]]]], (1, 1, 1, 3)).type
    TensorType(float64, (1, 1, 1, 2))
    """
    return abstract_conv.conv2d(input, filters, image_shape, filter_shape, border_mode, subsample, **kargs)
