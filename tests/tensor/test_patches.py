"""Patches, upsampling, blocks, sequences without times: each against a definition."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import numbers

neighbours = T.nnet.neighbours


def patches(x, size, step, mode):
    """One patch at a time."""
    found = []
    rows, columns = ([*range(0, n - (k - 1 if mode != "wrap_centered" else 0), s)]
                     for n, k, s in zip(x.shape[2:], size, step))
    for image, channel in itertools.product(range(x.shape[0]), range(x.shape[1])):
        for i, j in itertools.product(rows, columns):
            back = [k // 2 if mode == "wrap_centered" else 0 for k in size]
            own = x[image, channel].take(range(i - back[0], i - back[0] + size[0]), 0, mode="wrap")
            found.append(own.take(range(j - back[1], j - back[1] + size[1]), 1, mode="wrap").ravel())
    return np.array(found)


@pytest.mark.parametrize(("size", "step", "mode"), [
    ((2, 3), (2, 3), "valid"), ((2, 2), (2, 1), "valid"), ((3, 2), (2, 2), "ignore_borders"),
    ((3, 3), (1, 1), "wrap_centered"), ((1, 3), (2, 2), "wrap_centered")])
def test_patches_are_their_definition(size, step, mode):
    x = numbers(2, 3, 4, 6)
    found = neighbours.images2neibs(x, size, step, mode).eval()
    np.testing.assert_array_equal(found, patches(x, size, step, mode))
    verify_grad(lambda x: neighbours.images2neibs(x, size, step, mode) ** 2, [x])


def test_patches_with_zeros_around():
    x = numbers(1, 2, 4, 5)
    for mode, margin in (("half", (1, 1)), ("full", (2, 1))):
        padded = np.pad(x, [(0, 0), (0, 0), *((m, m) for m in margin)])
        found = neighbours.images2neibs(x, (3, 2), (1, 1), mode).eval()
        np.testing.assert_array_equal(found, patches(padded, (3, 2), (1, 1), "ignore_borders"))


def test_patches_become_images_again():
    x = numbers(2, 3, 4, 6)
    back = neighbours.neibs2images(neighbours.images2neibs(x, (2, 3)), (2, 3), x.shape)
    np.testing.assert_array_equal(back.eval(), x)
    cut = neighbours.images2neibs(x, (3, 4), mode="ignore_borders")
    back = neighbours.neibs2images(cut, (3, 4), x.shape, "ignore_borders").eval()
    np.testing.assert_array_equal(back[:, :, :3, :4], x[:, :, :3, :4])
    assert not back[:, :, 3:].any() and not back[..., 4:].any()


def test_messages_about_patches():
    x = T.tensor4("x", shape=(1, 1, 4, 5))
    with pytest.raises(ShapeError, match="size of axis 3 as specified: 5 and 4 can never be equal"):
        neighbours.images2neibs(x, (2, 2))
    with pytest.raises(ShapeError, match="patches have odd sizes in mode 'wrap_centered', not 2"):
        neighbours.images2neibs(x, (2, 1), mode="wrap_centered")
    with pytest.raises(ShapeError, match="there is no mode 'same'"):
        neighbours.images2neibs(x, (2, 1), mode="same")
    with pytest.raises(TypeMismatch, match="neib_shape must be two positive integers"):
        neighbours.images2neibs(x, (0, 2))
    with pytest.raises(TypeMismatch, match="takes tensors of 4 axes, not 2"):
        neighbours.images2neibs(T.matrix(), (2, 2))


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 5])
def test_upsampling_is_the_transpose_of_a_convolution_with_the_kernel(ratio):
    x = numbers(2, 3, 4, 3)
    edges = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], "edge").reshape(6, 1, 6, 5)
    kernel = T.nnet.abstract_conv.bilinear_kernel_2D(ratio).dimshuffle("x", "x", 0, 1)
    margin = 2 * ratio - (ratio - 1) // 2 - 1
    wanted = T.nnet.conv2d_grad_wrt_inputs(edges, kernel, (None, 1, 4 * ratio, 3 * ratio), border_mode=(margin, margin),
                                           subsample=(ratio, ratio)).eval()
    found = T.nnet.bilinear_upsampling(x, ratio).eval()
    np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-6, atol=1e-7)
    verify_grad(lambda x: T.nnet.bilinear_upsampling(x, ratio) ** 2, [x])


def test_upsampling_by_fractions():
    x = numbers(1, 2, 4, 6)
    twice = T.nnet.frac_bilinear_upsampling(x, (2, 1)).eval()
    np.testing.assert_array_equal(twice, T.nnet.bilinear_upsampling(x, 2).eval())
    found = T.nnet.bilinear_upsampling(x, frac_ratio=((1, 1), (6, 4))).eval()
    np.testing.assert_array_equal(found, T.nnet.frac_bilinear_upsampling(x, ((1, 1), (3, 2))).eval())
    assert found.shape == (1, 2, 4, 9)
    with pytest.raises(ShapeError, match="one of ratio and frac_ratio is needed"):
        T.nnet.bilinear_upsampling(x)
    with pytest.raises(ShapeError, match="frac_ratio is no fraction: 3"):
        T.nnet.frac_bilinear_upsampling(x, 3)


@pytest.mark.parametrize("ratio", [((3, 1), (2, 1)), ((7, 4), (5, 3)), ((2, 3), (1, 1)), ((4, 2), (9, 6))])
def test_upsampling_is_interpolation(ratio):
    """Between elements that lie as far apart as the numerator says, at steps of the denominator."""
    x = numbers(2, 3, 5, 4)
    found = T.nnet.frac_bilinear_upsampling(x, ratio).eval()
    places = [(np.arange(count) * step - (times - 1) // 2) / times for count, (times, step) in zip(
        found.shape[2:], [(n // np.gcd(n, d), d // np.gcd(n, d)) for n, d in ratio])]
    assert found.shape[2:] == tuple(-(-size * n // d) for size, (n, d) in zip(x.shape[2:], ratio))
    for image, channel in np.ndindex(2, 3):
        at = np.meshgrid(*places, indexing="ij")
        wanted = ndimage.map_coordinates(x[image, channel], at, order=1, mode="nearest")
        np.testing.assert_allclose(found[image, channel], wanted, rtol=1e-12, atol=1e-15)
    verify_grad(lambda x: T.nnet.frac_bilinear_upsampling(x, ratio) ** 2, [x])


def test_blocks():
    w, h, b = numbers(3, 4, 2, 5), numbers(2, 2, 2, seed=1), numbers(4, 5, seed=2)
    inputs, outputs = np.array([[0, 2], [1, 1]]), np.array([[3, 0, 1], [2, 2, 0]])
    found = T.nnet.blocksparse.sparse_block_dot(w, h, inputs, b, outputs).eval()
    for n, o in itertools.product(range(2), range(3)):
        wanted = b[outputs[n, o]] + sum(h[n, i] @ w[inputs[n, i], outputs[n, o]] for i in range(2))
        np.testing.assert_allclose(found[n, o], wanted, rtol=1e-12)


def cost_of_all_paths(scores, labels):
    """-log of the probability of all ways to read the labels, path by path."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    chances = powers / powers.sum(1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        merged = [c for c, _ in itertools.groupby(path)]
        if [c for c in merged if c] == list(labels):
            total += np.prod(chances[range(len(path)), path])
    return -np.log(total)


def test_ctc_is_a_sum_over_paths():
    scores, lengths = numbers(5, 4, 3), np.array([5, 4, 3, 5], "int32")
    labels = np.array([[1, 2], [1, 1], [2, -1], [-1, -1]], "int32")
    x = T.dtensor3("x")
    cost = T.nnet.ctc(x, labels, lengths)
    wanted = [cost_of_all_paths(scores[:n, i], [c for c in row if c > 0])
              for i, (row, n) in enumerate(zip(labels, lengths))]
    np.testing.assert_allclose(st.function([x], cost)(scores), wanted, rtol=1e-10)
    verify_grad(lambda x: T.nnet.ctc(x, labels, lengths), [scores])
    assert T.nnet.ctc(np.zeros((1, 1, 3)), [[1, 2]], [1]).eval() > 1e29
    with pytest.raises(TypeMismatch, match="ctc takes floats"):
        T.nnet.ctc(x, T.dmatrix(), lengths)


def test_conv3d2d():
    x, w = numbers(2, 4, 3, 5, 5), numbers(4, 2, 3, 3, 3, seed=1)
    found = T.nnet.conv3d2d.conv3d(x, w, x.shape, w.shape).eval()
    wanted = T.nnet.conv3d(x.swapaxes(1, 2), w.swapaxes(1, 2)).eval().swapaxes(1, 2)
    np.testing.assert_array_equal(found, wanted)


def test_gradient_of_softmax_as_a_function():
    x, dy = T.dmatrix("x"), T.dmatrix("dy")
    y = T.nnet.softmax(x)
    f = st.function([x, dy], [T.nnet.softmax_grad(dy, y), st.grad(None, x, known_grads={y: dy})])
    one, other = f(numbers(3, 4), numbers(3, 4, seed=1))
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)
