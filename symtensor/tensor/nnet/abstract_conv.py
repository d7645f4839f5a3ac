"""Convolutions of images with filters, and their gradients as functions of their own.

Images are (batch, channels, rows, columns), or with a depth in front of the rows in three dimensions; filters are
(filters, channels / num_groups, rows, columns). `border_mode` says how far the filters reach beyond the images, where
there are zeros: "valid" not at all, "full" as far as they can, "half" by half their size, an integer or one for each
axis by so much, a pair for an axis by so much in front and behind. `subsample` is the step from one place to the next,
`filter_dilation` that within the filters. `filter_flip` turns the filters around, as a convolution does in mathematics.
`input_shape` and `filter_shape` are promises; None leaves a size open.

>>> import symtensor.tensor as T
>>> images, filters = T.tensor4("images", shape=("batch", 3, 32, 32)), T.tensor4("filters", shape=(8, 3, 5, 5))
>>> conv2d(images, filters).type, conv2d(images, filters, border_mode="half", subsample=(2, 2)).type
(TensorType(float64, (batch, 8, 28, 28)), TensorType(float64, (batch, 8, 16, 16)))
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.index import subtensor
from symtensor.ops.shape import dimshuffle
from symtensor.tensor.arguments import sizes_of
from symtensor.tensor.manipulation import specify_shape
from symtensor.tensor.nnet.conv_shapes import (
    Options,
    get_conv_gradinputs_shape,
    get_conv_gradweights_shape,
    get_conv_output_shape,
    get_conv_shape_1axis,
)
from symtensor.tensor.nnet.convolution import Geometry, geometry, images_of, specified
from symtensor.tensor.nnet.unshared import unshared_convolution, unshared_grad_wrt_inputs, unshared_grad_wrt_weights
from symtensor.tensor.nnet.upsampling import (
    bilinear_kernel_1D,
    bilinear_kernel_2D,
    bilinear_upsampling,
    frac_bilinear_upsampling,
)

__all__ = ["AbstractConv2d", "AbstractConv2d_gradInputs", "AbstractConv2d_gradWeights", "AbstractConv3d",
           "AbstractConv3d_gradInputs", "AbstractConv3d_gradWeights", "bilinear_kernel_1D", "bilinear_kernel_2D",
           "bilinear_upsampling", "frac_bilinear_upsampling", "get_conv_gradinputs_shape", "get_conv_gradweights_shape",
           "get_conv_output_shape", "get_conv_shape_1axis", "conv2d", "conv3d", "conv2d_transpose",
           "conv2d_grad_wrt_inputs", "conv3d_grad_wrt_inputs",
           "conv2d_grad_wrt_weights", "conv3d_grad_wrt_weights", "causal_conv1d", "separable_conv2d",
           "separable_conv3d"]

Shape = Sequence[Any] | None


def conv2d(input: Any, filters: Any, input_shape: Shape = None, filter_shape: Shape = None, border_mode: Any = "valid",
           subsample: Sequence[int] = (1, 1), filter_flip: bool = True, image_shape: Shape = None,
           filter_dilation: Sequence[int] = (1, 1), num_groups: int = 1, unshared: bool = False,
           **kwargs: Any) -> Variable:
    """Images convolved with filters in two dimensions: (batch, filters, rows, columns).

    `image_shape` is an old name of `input_shape`. With `unshared`, each place of the result has filters of its own, and
    `filters` is (filters, result rows, result columns, channels / num_groups, rows, columns). Other keywords are
    ignored, with a warning. Raises TypeMismatch, ShapeError.

    >>> conv2d([[[[1.0, 2.0, 4.0]]]], [[[[1.0, -1.0]]]]).eval()
    array([[[[1., 2.]]]])
    """
    if image_shape is not None and input_shape is not None:
        raise complaint(ShapeError, "conv2d: input_shape and image_shape are two names of one argument",
                        fix="give one of them")
    if kwargs:
        warnings.warn(f"conv2d ignores {', '.join(map(repr, kwargs))}", stacklevel=2)
    own = geometry("conv2d", 2, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    input_shape = image_shape if input_shape is None else input_shape
    if unshared:
        return unshared_convolution(own, input, filters, input_shape, filter_shape)
    return _convolved(own, input, filters, input_shape, filter_shape)


def conv3d(input: Any, filters: Any, input_shape: Shape = None, filter_shape: Shape = None, border_mode: Any = "valid",
           subsample: Sequence[int] = (1, 1, 1), filter_flip: bool = True,
           filter_dilation: Sequence[int] = (1, 1, 1), num_groups: int = 1) -> Variable:
    """Images convolved with filters in three dimensions: (batch, filters, depth, rows, columns).

    Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> conv3d(T.tensor5("x"), T.tensor5("w", shape=(2, 3, 4, 4, 4)), border_mode=2).type.ndim
    5
    """
    own = geometry("conv3d", 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _convolved(own, input, filters, input_shape, filter_shape)


def _convolved(own: Geometry, input: Any, filters: Any, input_shape: Shape, filter_shape: Shape) -> Variable:
    images, weights = images_of(own, input, filters)
    return own.output(specified(images, input_shape, own, "input_shape"),
                      specified(weights, filter_shape, own, "filter_shape"))


def conv2d_transpose(input: Any, filters: Any, output_shape: Sequence[Any], filter_shape: Shape = None,
                     border_mode: Any = "valid", input_dilation: Sequence[int] = (1, 1), filter_flip: bool = True,
                     filter_dilation: Sequence[int] = (1, 1), num_groups: int = 1, unshared: bool = False) -> Variable:
    """The transpose of a convolution: images of `output_shape` from what such a convolution would give of them.

    `filters` is (channels of `input`, channels of the result / num_groups, rows, columns), and `input_dilation` what
    `subsample` was. Raises TypeMismatch, ShapeError.

    >>> conv2d_transpose([[[[1.0, 2.0]]]], [[[[1.0, -1.0]]]], (None, None, 1, 3), filter_flip=False).eval()
    array([[[[ 1.,  1., -2.]]]])
    """
    return conv2d_grad_wrt_inputs(input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
                                  filter_dilation, num_groups, unshared)


def conv2d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Sequence[Any], filter_shape: Shape = None,
                           border_mode: Any = "valid", subsample: Sequence[int] = (1, 1), filter_flip: bool = True,
                           filter_dilation: Sequence[int] = (1, 1), num_groups: int = 1,
                           unshared: bool = False) -> Variable:
    """The gradient of `conv2d` by its images, of `input_shape`, given that by its result.

    The last two sizes of `input_shape` are needed. Raises TypeMismatch, ShapeError.

    >>> conv2d_grad_wrt_inputs([[[[1.0, 2.0]]]], [[[[1.0, -1.0]]]], (1, 1, 1, 3)).eval()
    array([[[[-1., -1.,  2.]]]])
    """
    own = geometry("conv2d_grad_wrt_inputs", 2, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    if unshared:
        return unshared_grad_wrt_inputs(own, output_grad, filters, input_shape, filter_shape)
    return _grad_wrt_inputs(own, output_grad, filters, input_shape, filter_shape)


def conv3d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Sequence[Any], filter_shape: Shape = None,
                           border_mode: Any = "valid", subsample: Sequence[int] = (1, 1, 1), filter_flip: bool = True,
                           filter_dilation: Sequence[int] = (1, 1, 1), num_groups: int = 1) -> Variable:
    """The gradient of `conv3d` by its images, of `input_shape`, given that by its result.

    The last three sizes of `input_shape` are needed. Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> conv3d_grad_wrt_inputs(T.ones((1, 1, 1, 1, 2)), T.ones((1, 1, 1, 1, 2)), (1, 1, 1, 1, 3)).eval()
    array([[[[[1., 2., 1.]]]]])
    """
    own = geometry("conv3d_grad_wrt_inputs", 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _grad_wrt_inputs(own, output_grad, filters, input_shape, filter_shape)


def _grad_wrt_inputs(own: Geometry, output_grad: Any, filters: Any, input_shape: Sequence[Any],
                     filter_shape: Shape) -> Variable:
    slopes, weights = images_of(own, output_grad, filters)
    weights = specified(weights, filter_shape, own, "filter_shape")
    images = own.images(slopes, weights, own.spatial(input_shape, "input_shape"))
    return specified(images, input_shape, own, "input_shape")


def conv2d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Sequence[Any], input_shape: Shape = None,
                            border_mode: Any = "valid", subsample: Sequence[int] = (1, 1), filter_flip: bool = True,
                            filter_dilation: Sequence[int] = (1, 1), num_groups: int = 1,
                            unshared: bool = False) -> Variable:
    """The gradient of `conv2d` by its filters, of `filter_shape`, given that by its result.

    The last two sizes of `filter_shape` are needed. Raises TypeMismatch, ShapeError.

    >>> conv2d_grad_wrt_weights([[[[1.0, 2.0, 4.0]]]], [[[[1.0, 10.0]]]], (1, 1, 1, 2)).eval()
    array([[[[42., 21.]]]])
    """
    own = geometry("conv2d_grad_wrt_weights", 2, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    if unshared:
        return unshared_grad_wrt_weights(own, input, output_grad, filter_shape, input_shape)
    return _grad_wrt_weights(own, input, output_grad, filter_shape, input_shape)


def conv3d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Sequence[Any], input_shape: Shape = None,
                            border_mode: Any = "valid", subsample: Sequence[int] = (1, 1, 1), filter_flip: bool = True,
                            filter_dilation: Sequence[int] = (1, 1, 1), num_groups: int = 1) -> Variable:
    """The gradient of `conv3d` by its filters, of `filter_shape`, given that by its result.

    The last three sizes of `filter_shape` are needed. Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> conv3d_grad_wrt_weights(T.ones((1, 1, 1, 1, 3)), T.ones((1, 1, 1, 1, 2)), (1, 1, 1, 1, 2)).eval()
    array([[[[[2., 2.]]]]])
    """
    own = geometry("conv3d_grad_wrt_weights", 3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _grad_wrt_weights(own, input, output_grad, filter_shape, input_shape)


def _grad_wrt_weights(own: Geometry, input: Any, output_grad: Any, filter_shape: Sequence[Any],
                      input_shape: Shape) -> Variable:
    images, slopes = images_of(own, input, output_grad)
    images = specified(images, input_shape, own, "input_shape")
    weights = own.filters(images, slopes, own.spatial(filter_shape, "filter_shape"))
    return specified(weights, filter_shape, own, "filter_shape")


def causal_conv1d(input: Any, filters: Any, filter_shape: Sequence[Any], input_shape: Shape = None, subsample: int = 1,
                  filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1,
                  unshared: bool = False) -> Variable:
    """A convolution in one dimension in which no place sees what comes after it.

    `input` is (batch, channels, length), `filters` (filters, channels / num_groups, length); both lengths stay first to
    last. Raises TypeMismatch, ShapeError.

    >>> causal_conv1d([[[1.0, 2.0, 4.0]]], [[[1.0, -1.0]]], (1, 1, 2)).eval()
    array([[[1., 1., 2.]]])
    """
    own = geometry("causal_conv1d", 1, "valid", (subsample,), filter_flip, (filter_dilation,), num_groups)
    (length,) = own.spatial(filter_shape, "filter_shape")
    border = ((length - 1) * own.dilation[0], 0)
    if unshared:
        return _unshared_row(border, own, input, filters, input_shape, filter_shape)
    padded = geometry("causal_conv1d", 1, (border,), (subsample,), filter_flip, (filter_dilation,), num_groups)
    return _convolved(padded, input, filters, input_shape, filter_shape)


def _unshared_row(border: tuple[Any, Any], own: Geometry, input: Any, filters: Any, input_shape: Shape,
                  filter_shape: Shape) -> Variable:
    """One dimension as a row of two."""
    images = as_variable(input) if input_shape is None else specify_shape(input, input_shape)
    weights = as_variable(filters) if filter_shape is None else specify_shape(filters, filter_shape)
    if (images.type.ndim, weights.type.ndim) != (3, 4):
        raise complaint(TypeMismatch, f"{own.function}: unshared filters have 4 axes, and what they are for has 3",
                        images, weights, fix="make filters of (filters, length of the result, channels, length)")
    flat = geometry(own.function, 2, ((0, 0), border), (1, *own.strides), own.flip, (1, *own.dilation), own.groups)
    rows = unshared_convolution(flat, dimshuffle(images, (0, 1, "x", 2)), dimshuffle(weights, (0, "x", 1, 2, "x", 3)),
                                None, None)
    return subtensor(rows, (slice(None), slice(None), 0))


def separable_conv2d(input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
                     input_shape: Shape = None, depthwise_filter_shape: Shape = None,
                     pointwise_filter_shape: Shape = None, border_mode: Any = "valid",
                     subsample: Sequence[int] = (1, 1), filter_flip: bool = True,
                     filter_dilation: Sequence[int] = (1, 1)) -> Variable:
    """Each of `num_channels` channels convolved with filters of its own, then mixed at each place.

    `depthwise_filters` is (channels times how many for each, 1, rows, columns), `pointwise_filters` (filters, the
    former number, 1, 1). Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> separable_conv2d(T.ones((1, 2, 3, 3)), T.ones((4, 1, 2, 2)), T.ones((5, 4, 1, 1)), 2).type
    TensorType(float64, (1, 5, 2, 2))
    """
    each = conv2d(input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
                  filter_dilation=filter_dilation, num_groups=num_channels)
    return conv2d(each, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def separable_conv3d(input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
                     input_shape: Shape = None, depthwise_filter_shape: Shape = None,
                     pointwise_filter_shape: Shape = None, border_mode: Any = "valid",
                     subsample: Sequence[int] = (1, 1, 1), filter_flip: bool = True,
                     filter_dilation: Sequence[int] = (1, 1, 1)) -> Variable:
    """`separable_conv2d` in three dimensions. Raises TypeMismatch, ShapeError.

    >>> import symtensor.tensor as T
    >>> separable_conv3d(T.ones((1, 2, 3, 3, 3)), T.ones((4, 1, 2, 2, 2)), T.ones((5, 4, 1, 1, 1)), 2).type
    TensorType(float64, (1, 5, 2, 2, 2))
    """
    each = conv3d(input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
                  filter_dilation, num_channels)
    return conv3d(each, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


class AbstractConv2d(Options):
    """`conv2d` with all but the operands fixed: an instance is called with images and filters."""

    def __call__(self, img: Any, kern: Any) -> Variable:
        """Images convolved with filters."""
        return conv2d(img, kern, self.imshp, self.kshp, **self.options(2))


class AbstractConv3d(Options):
    """`conv3d` with all but the operands fixed: an instance is called with images and filters."""

    def __call__(self, img: Any, kern: Any) -> Variable:
        """Images convolved with filters."""
        return conv3d(img, kern, self.imshp, self.kshp, **self.options(3))


class AbstractConv2d_gradInputs(Options):
    """`conv2d_grad_wrt_inputs`: an instance is called with filters, the gradient, and the images' rows and columns."""

    def __call__(self, kern: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by images."""
        sizes = sizes_of(shape, "AbstractConv2d_gradInputs", 2)
        return conv2d_grad_wrt_inputs(topgrad, kern, _whole(self.imshp, sizes), self.kshp, **self.options(2))


class AbstractConv3d_gradInputs(Options):
    """`conv3d_grad_wrt_inputs`: an instance is called with filters, the gradient, and the images' spatial sizes."""

    def __call__(self, kern: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by images."""
        sizes = sizes_of(shape, "AbstractConv3d_gradInputs", 3)
        return conv3d_grad_wrt_inputs(topgrad, kern, _whole(self.imshp, sizes), self.kshp, **self.options(3))


class AbstractConv2d_gradWeights(Options):
    """`conv2d_grad_wrt_weights`: an instance is called with images, the gradient, and the filters' rows and columns."""

    def __call__(self, img: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by filters."""
        sizes = sizes_of(shape, "AbstractConv2d_gradWeights", 2)
        return conv2d_grad_wrt_weights(img, topgrad, _whole(self.kshp, sizes), self.imshp, **self.options(2))


class AbstractConv3d_gradWeights(Options):
    """`conv3d_grad_wrt_weights`: an instance is called with images, the gradient, and the filters' spatial sizes."""

    def __call__(self, img: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by filters."""
        sizes = sizes_of(shape, "AbstractConv3d_gradWeights", 3)
        return conv3d_grad_wrt_weights(img, topgrad, _whole(self.kshp, sizes), self.imshp, **self.options(3))


def _whole(promised: Any, sizes: Sequence[Any]) -> tuple[Any, ...]:
    """A shape that ends in these sizes."""
    return (*((None, None) if promised is None else promised[:-len(sizes)]), *sizes)
