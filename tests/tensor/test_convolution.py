"""Convolutions and their gradients against a definition that is a sum over all indices."""

import itertools

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import numbers

nnet = T.nnet


def pairs(border, kernel, dilation):
    """How far filters reach beyond each end, by the words of the documentation."""
    found = []
    for mode, k, d in zip(border if isinstance(border, tuple) else (border,) * len(kernel), kernel, dilation):
        extent = (k - 1) * d + 1
        found.append({"valid": (0, 0), "full": (extent - 1,) * 2, "half": (extent // 2,) * 2}.get(mode) if isinstance(
            mode, str) else mode if isinstance(mode, tuple) else (mode, mode))
    return found


def meaning(x, w, border="valid", strides=None, flip=True, dilation=None, groups=1):
    """A convolution, one element at a time."""
    axes = x.ndim - 2
    strides, dilation = strides or (1,) * axes, dilation or (1,) * axes
    padded = np.pad(x, [(0, 0), (0, 0), *pairs(border, w.shape[2:], dilation)])
    w = np.flip(w, tuple(range(2, w.ndim))) if flip else w
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(padded.shape[2:], w.shape[2:], dilation, strides)]
    each, own = w.shape[0] // groups, w.shape[1]
    y = np.zeros((x.shape[0], w.shape[0], *counts), x.dtype)
    for f, place in itertools.product(range(w.shape[0]), np.ndindex(*counts)):
        window = tuple(slice(o * s, o * s + (k - 1) * d + 1, d)
                       for o, s, k, d in zip(place, strides, w.shape[2:], dilation))
        group = slice(f // each * own, (f // each + 1) * own)
        y[(slice(None), f, *place)] = (padded[(slice(None), group, *window)] * w[f]).sum(tuple(range(1, x.ndim)))
    return y


OPTIONS = [{}, {"border": "full"}, {"border": "half"}, {"border": 1}, {"border": (2, 1)}, {"border": ((1, 0), (0, 2))},
           {"strides": (2, 1)}, {"flip": False, "border": "half", "strides": (2, 2)}, {"dilation": (1, 2)},
           {"groups": 2, "border": "half"}, {"groups": 4, "strides": (1, 2), "flip": False, "dilation": (2, 1)}]


def keywords(options, axes=2):
    names = {"border": "border_mode", "strides": "subsample", "flip": "filter_flip", "dilation": "filter_dilation",
             "groups": "num_groups"}
    return {names[name]: value for name, value in options.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_conv2d_is_its_definition(options, dtype):
    x, w = numbers(2, 4, 7, 6, dtype=dtype), numbers(8, 4 // options.get("groups", 1), 3, 2, dtype=dtype, seed=1)
    images, filters = T.tensor4("x", dtype=dtype), T.tensor4("w", dtype=dtype)
    y = nnet.conv2d(images, filters, **keywords(options))
    found = st.function([images, filters], y)(x, w)
    np.testing.assert_allclose(found, meaning(x, w, **options), rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_of_conv2d_are_its_gradient_functions(options):
    x, w = numbers(2, 4, 7, 6), numbers(4, 4 // options.get("groups", 1), 3, 2, seed=1)
    dy = numbers(*meaning(x, w, **options).shape, seed=2)
    images, filters, slopes = T.tensor4("x"), T.tensor4("w"), T.tensor4("dy")
    y = nnet.conv2d(images, filters, **keywords(options))
    by_grad = st.grad(None, [images, filters], known_grads={y: slopes})
    by_function = [nnet.conv2d_grad_wrt_inputs(slopes, filters, images.shape, **keywords(options)),
                   nnet.conv2d_grad_wrt_weights(images, slopes, filters.shape, **keywords(options))]
    found = st.function([images, filters, slopes], [*by_grad, *by_function])(x, w, dy)
    for one, other in zip(found[:2], found[2:]):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    # The sum of dy * y is linear in x and in w.
    np.testing.assert_allclose((found[0] * x).sum(), (dy * meaning(x, w, **options)).sum(), rtol=1e-9)
    np.testing.assert_allclose((found[1] * w).sum(), (dy * meaning(x, w, **options)).sum(), rtol=1e-9)


def test_derivatives_of_first_and_second_order():
    def cost(x, w):
        y = nnet.conv2d(x, w, border_mode="half", subsample=(2, 1), filter_dilation=(1, 2))
        dx, dw = st.grad((y ** 3).sum(), [x, w])
        return (dx ** 2).sum() + (dw * w).sum()

    verify_grad(cost, [numbers(1, 2, 4, 5), numbers(2, 2, 2, 2, seed=1)])


@pytest.mark.parametrize("options", [{}, {"border": (1, 0, 2), "strides": (2, 1, 1)}, {"border": "full", "flip": False},
                                     {"groups": 2, "dilation": (1, 2, 1)}], ids=str)
def test_conv3d_is_its_definition(options):
    x, w = numbers(2, 2, 4, 5, 6), numbers(2, 2 // options.get("groups", 1), 2, 3, 2, seed=1)
    images, filters = T.tensor5("x"), T.tensor5("w")
    y = nnet.conv3d(images, filters, **keywords(options))
    slopes = st.grad((y ** 2).sum(), [images, filters])
    by_function = [nnet.conv3d_grad_wrt_inputs(2 * y, filters, images.shape, **keywords(options)),
                   nnet.conv3d_grad_wrt_weights(images, 2 * y, filters.shape, **keywords(options))]
    found = st.function([images, filters], [y, *slopes, *by_function])(x, w)
    np.testing.assert_allclose(found[0], meaning(x, w, **options), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], found[3], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[2], found[4], rtol=1e-9, atol=1e-12)


def test_the_transpose_undoes_the_step():
    x, w = T.tensor4("x"), T.tensor4("w")
    y = nnet.conv2d_transpose(x, w, (None, None, 7, 7), input_dilation=(2, 2))
    images, filters = numbers(1, 2, 3, 3), numbers(2, 3, 3, 3, seed=1)
    spread = np.zeros((1, 2, 5, 5))
    spread[:, :, ::2, ::2] = images
    wanted = meaning(spread, filters.swapaxes(0, 1), "full", flip=False)
    np.testing.assert_allclose(st.function([x, w], y)(images, filters), wanted, rtol=1e-9, atol=1e-12)


def test_separable_and_causal():
    x, deep, mix = numbers(1, 2, 5, 5), numbers(4, 1, 3, 3, seed=1), numbers(3, 4, 1, 1, seed=2)
    found = nnet.separable_conv2d(x, deep, mix, 2, border_mode="half").eval()
    np.testing.assert_allclose(found, meaning(meaning(x, deep, "half", groups=2), mix), rtol=1e-9, atol=1e-12)
    signal, filters = numbers(2, 3, 7), numbers(4, 3, 2, seed=1)
    found = nnet.causal_conv1d(signal, filters, filters.shape, filter_dilation=2).eval()
    np.testing.assert_allclose(found, meaning(signal, filters, ((2, 0),), dilation=(2,)), rtol=1e-9, atol=1e-12)
    places = np.broadcast_to(filters[:, None], (4, 7, 3, 2))
    own = nnet.causal_conv1d(signal, places, (None, None, None, 2), filter_dilation=2, unshared=True).eval()
    np.testing.assert_allclose(own, found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"border": (1, 0), "strides": (2, 1)}, {"groups": 2, "dilation": (1, 2)}],
                         ids=str)
def test_unshared_filters_that_are_the_same_are_a_convolution(options):
    x, w = numbers(2, 4, 5, 6), numbers(4, 4 // options.get("groups", 1), 2, 2, seed=1)
    wanted = meaning(x, w, **options)
    places = np.ascontiguousarray(np.broadcast_to(w[:, None, None], (4, *wanted.shape[2:], *w.shape[1:])))
    filters = T.TensorType("float64", places.shape)("w")
    images = T.tensor4("x")
    y = nnet.conv2d(images, filters, unshared=True, **keywords(options))
    slopes = st.grad((y ** 2).sum(), [images, filters])
    by_function = [nnet.conv2d_grad_wrt_inputs(2 * y, filters, images.shape, unshared=True, **keywords(options)),
                   nnet.conv2d_grad_wrt_weights(images, 2 * y, places.shape, unshared=True, **keywords(options))]
    found = st.function([images, filters], [y, *slopes, *by_function])(x, places)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], found[3], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[2], found[4], rtol=1e-9, atol=1e-12)


def test_old_addresses_and_shapes_that_are_promised():
    x, w = numbers(2, 1, 5, 6), numbers(3, 1, 2, 2, seed=1)
    wanted = meaning(x, w)
    y = nnet.conv2d(x, w, image_shape=(2, 1, None, 6), filter_shape=(3, None, 2, 2))
    assert y.type.static_shape == wanted.shape
    np.testing.assert_allclose(nnet.conv.conv2d(x, w).eval(), wanted, rtol=1e-9)
    np.testing.assert_allclose(T.signal.conv.conv2d(x[:, 0], w[:, 0]).eval(), wanted, rtol=1e-9)
    np.testing.assert_allclose(T.signal.conv.conv2d(x[0, 0], w[0, 0]).eval(), wanted[0, 0], rtol=1e-9)
    with pytest.warns(UserWarning, match="conv2d ignores 'version'"):
        nnet.conv2d(x, w, version=3)
    with pytest.raises(ValueError, match="two names of one argument"):
        nnet.conv2d(x, w, input_shape=x.shape, image_shape=x.shape)


def test_theanos_classes():
    x, w, dy = T.tensor4("x"), T.tensor4("w"), T.tensor4("dy")
    options = {"border_mode": (1, 1), "subsample": (2, 2), "filter_flip": False}
    of_images = nnet.abstract_conv.AbstractConv2d_gradInputs((None, None, 6, 6), (None, None, 3, 3), **options)
    of_filters = nnet.abstract_conv.AbstractConv2d_gradWeights(**options)
    forward = nnet.abstract_conv.AbstractConv2d(**options)
    arrays = numbers(2, 3, 6, 6), numbers(4, 3, 3, 3, seed=1), numbers(2, 4, 3, 3, seed=2)
    found = st.function([x, w, dy], [forward(x, w), of_images(w, dy, (6, 6)), of_filters(x, dy, w.shape[2:])])(*arrays)
    slopes = st.grad(None, [x, w], known_grads={forward(x, w): dy})
    wanted = st.function([x, w, dy], [forward(x, w), nnet.conv2d_grad_wrt_inputs(dy, w, x.shape, **options),
                                      nnet.conv2d_grad_wrt_weights(x, dy, w.shape, **options)])(*arrays)
    assert len(slopes) == 2
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_messages():
    x, w = T.tensor4("x", shape=(2, 3, 4, 4)), T.tensor4("w", shape=(8, 5, 3, 3))
    with pytest.raises(ShapeError, match="channels of the filters and of the images: 5 and 3 can never be equal"):
        nnet.conv2d(x, w)
    with pytest.raises(ShapeError, match="conv2d: invalid border_mode 'same'"):
        nnet.conv2d(x, w, border_mode="same")
    with pytest.raises(ShapeError, match="invalid border_mode -1"):
        nnet.conv2d(x, w, border_mode=-1)
    with pytest.raises(ShapeError, match="subsample must be 2 positive integers"):
        nnet.conv2d(x, w, subsample=(0, 1))
    with pytest.raises(TypeMismatch, match="conv2d takes tensors of 4 axes, not 2"):
        nnet.conv2d(T.matrix(), w)
    with pytest.raises(ShapeError, match="the filters are larger than the images"):
        nnet.conv2d(x, T.ones((1, 3, 6, 6)))
    with pytest.raises(ShapeError, match="the filters are larger than the images"):
        f = st.function([y := T.tensor4("y")], nnet.conv2d(y, T.ones((1, 3, 6, 6))))
        f(np.ones((2, 3, 4, 4)))
    with pytest.raises(ShapeError, match=r"filters in 3 groups"):
        nnet.conv2d(x, T.ones((8, 1, 3, 3)), num_groups=3)
    with pytest.raises(TypeMismatch, match="the last 2 sizes of input_shape must be known"):
        nnet.conv2d_grad_wrt_inputs(x, w, (2, 3, None, 4))


def test_shapes_by_arithmetic():
    shapes = nnet.abstract_conv
    assert shapes.get_conv_output_shape((4, 3, 12, 9), (5, 3, 3, 2), (1, (0, 2)), (2, 1), (2, 1)) == (4, 5, 5, 10)
    assert shapes.get_conv_gradinputs_shape((5, 3, 3, 2), (4, 5, 5, 10), "full", (1, 1)) == (4, 3, 3, 9)
    assert shapes.get_conv_gradweights_shape((4, 3, 12, 9), (4, 5, 10, 8), "valid", (1, 1)) == (5, 3, 3, 2)
    assert shapes.get_conv_gradweights_shape((4, 3, 12, 9), (4, 5, 5, 8), "valid", (2, 1)) == (5, 3, None, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    x, w = T.tensor4("x", dtype=dtype), T.tensor4("w", dtype=dtype)
    y = nnet.conv2d(x, w, border_mode="half", filter_flip=False)
    f = st.function([x, w], [y, *st.grad((y ** 2).sum(), [x, w])])
    arrays = numbers(8, 16, 20, 20, dtype=dtype), numbers(32, 16, 3, 3, dtype=dtype, seed=1)
    results = []
    for threads in (1, 2):
        with st.config.change(threads=threads):
            results.append(f(*arrays))
    for one, other in zip(*results):
        assert np.array_equal(one, other)
