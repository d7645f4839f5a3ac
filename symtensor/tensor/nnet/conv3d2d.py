"""Convolution over time and images, with Theano's old order of axes.

>>> import symtensor.tensor as T
>>> conv3d(T.ones((2, 7, 3, 9, 9)), T.ones((4, 3, 3, 5, 5))).type
TensorType(float64, (2, 5, 4, 5, 5))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.ir.node import Variable
from symtensor.ops.convert import as_variable
from symtensor.ops.shape import dimshuffle
from symtensor.tensor.manipulation import specify_shape
from symtensor.tensor.nnet import abstract_conv

__all__ = ["conv3d"]


def conv3d(signals: Any, filters: Any, signals_shape: Sequence[Any] | None = None,
           filters_shape: Sequence[Any] | None = None, border_mode: Any = "valid") -> Variable:
    """Signals (batch, time, channels, rows, columns) convolved with filters (filters, time, channels, rows, columns).

    Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> conv3d(T.ones((1, 2, 1, 3, 3)), T.ones((1, 2, 1, 3, 3)), border_mode="valid").eval()
    array([[[[[18.]]]]])
    """
    operands = []
    for value, shape in ((signals, signals_shape), (filters, filters_shape)):
        variable = as_variable(value) if shape is None else specify_shape(value, shape)
        operands.append(dimshuffle(variable, (0, 2, 1, 3, 4)) if variable.type.ndim == 5 else variable)
    images, weights = operands
    return dimshuffle(abstract_conv.conv3d(images, weights, border_mode=border_mode), (0, 2, 1, 3, 4))
