"""Convolutions whose filters differ from place to place: products of what is in each window with filters of its own.

>>> import symtensor.tensor as T
>>> from symtensor.tensor.nnet.convolution import geometry
>>> own = geometry("conv2d", 2, "valid", (1, 1), True, (1, 1), 1)
>>> unshared_convolution(own, T.ones((2, 3, 5, 5)), T.ones((4, 3, 3, 3, 3, 3)), None, None).type
TensorType(float64, (2, 4, 3, 3))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.grad.reverse import grad
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import together
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.ops.size import dimension
from symtensor.ops.window import Window, Windows
from symtensor.tensor.creation import zeros
from symtensor.tensor.einsum import einsum
from symtensor.tensor.manipulation import reshape, specify_shape
from symtensor.tensor.nnet.convolution import Geometry
from symtensor.tensor.padding import pad
from symtensor.types.dtype import float_of, promote

__all__ = ["unshared_convolution", "unshared_grad_wrt_inputs", "unshared_grad_wrt_weights"]


def _operands(own: Geometry, ranks: Sequence[int], *given: Any) -> list[Variable]:
    """Operands of these ranks and one dtype of floats."""
    variables = together(given)
    dtype = float_of(promote(*(v.type.dtype for v in variables)))
    for variable, rank in zip(variables, ranks):
        if variable.type.ndim != rank:
            raise complaint(TypeMismatch, f"{own.function}: a tensor of {rank} axes is needed, not"
                            f" {variable.type.ndim}", variable,
                            fix="unshared filters are (filters, result rows, result columns, channels, rows, columns)")
    return [cast(v, dtype) for v in variables]


def unshared_convolution(own: Geometry, input: Any, filters: Any, input_shape: Any, filter_shape: Any) -> Variable:
    """Images convolved in two dimensions with filters for each place. Raises TypeMismatch, ShapeError.

    The sizes of the filters must be known: from their type, or from `filter_shape`.
    """
    images, weights = _operands(own, (4, 6), input, filters)
    images = images if input_shape is None else specify_shape(images, input_shape)
    weights = weights if filter_shape is None else specify_shape(weights, filter_shape)
    kernel = weights.type.shape[-2:]
    if not all(isinstance(size, int) for size in kernel):
        raise complaint(TypeMismatch, f"{own.function}: the sizes of unshared filters must be known", weights,
                        fix="give filter_shape")
    windows = _windows(own, images, [dimension(weights, axis) for axis in (4, 5)], kernel)
    batch, channels, rows, columns, *_ = (dimension(windows, axis) for axis in range(6))
    grouped = reshape(windows, (batch, own.groups, channels // own.groups, rows, columns, *kernel))  # type: ignore
    each = dimension(weights, 0) // own.groups  # type: ignore[operator]
    turned = reshape(own.flipped(weights), (own.groups, each, *(dimension(weights, axis) for axis in range(1, 6))))
    return reshape(einsum("ngcyxkl,gfyxckl->ngfyx", grouped, turned), (batch, dimension(weights, 0), rows, columns))


def _windows(own: Geometry, images: Variable, sizes: Sequence[Variable], kernel: Sequence[Any]) -> Variable:
    """What the filters lie over in each place."""
    padding = [own.padding(axis, size) for axis, size in enumerate(sizes)]
    counts = [own.count(axis, dimension(images, 2 + axis), size) for axis, size in enumerate(sizes)]
    padded = pad(images, [(0, 0), (0, 0), *padding])
    extents = tuple((size - 1) * step + 1 for size, step in zip(kernel, own.dilation))
    seen = Windows(Window((2, 3), extents, own.strides))(padded, *counts)
    return subtensor(seen, (slice(None),) * 4 + tuple(slice(None, None, step) for step in own.dilation))


def unshared_grad_wrt_inputs(own: Geometry, output_grad: Any, filters: Any, input_shape: Any,
                             filter_shape: Any) -> Variable:
    """The gradient of `unshared_convolution` by images of `input_shape`. Raises TypeMismatch, ShapeError."""
    slopes, weights = _operands(own, (4, 6), output_grad, filters)
    weights = weights if filter_shape is None else specify_shape(weights, filter_shape)
    channels = dimension(weights, 3) * own.groups
    images = zeros((dimension(slopes, 0), channels, *own.spatial(input_shape, "input_shape")), slopes.type.dtype)
    result = unshared_convolution(own, images, weights, None, None)
    return grad(None, images, known_grads={result: slopes})  # type: ignore[no-any-return]


def unshared_grad_wrt_weights(own: Geometry, input: Any, output_grad: Any, filter_shape: Any,
                              input_shape: Any) -> Variable:
    """The gradient of `unshared_convolution` by filters of `filter_shape`. Raises TypeMismatch, ShapeError."""
    images, slopes = _operands(own, (4, 4), input, output_grad)
    images = images if input_shape is None else specify_shape(images, input_shape)
    channels = dimension(images, 1) // own.groups  # type: ignore[operator]
    rows = [dimension(slopes, axis) for axis in (1, 2, 3)]
    weights = zeros((*rows, channels, *own.spatial(filter_shape, "filter_shape")), slopes.type.dtype)
    result = unshared_convolution(own, images, weights, None, None)
    return grad(None, weights, known_grads={result: slopes})  # type: ignore[no-any-return]
