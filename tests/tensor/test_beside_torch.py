"""Convolution, pooling, batch normalization and complex matrices, and their gradients, beside PyTorch's."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

from .agree import numbers

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only compared with")
functional = torch.nn.functional


def compare(ours, theirs, *arrays):
    """One scalar function written twice: its value and its gradients agree."""
    variables = [T.TensorType(a.dtype, (None,) * a.ndim)(f"x{n}") for n, a in enumerate(arrays)]
    cost = ours(*variables)
    found = st.function(variables, [cost, *st.grad(cost, variables)])(*arrays)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    wanted = theirs(*tensors)
    wanted.backward()
    for one, other in zip(found, [wanted.detach(), *(t.grad for t in tensors)]):
        other = other.numpy()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [
    (1, 0, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), ((2, 1), (0, 3), (1, 2), 2), (3, 1, 1, 4)])
def test_conv2d(stride, padding, dilation, groups, dtype):
    def pair(v):
        return v if isinstance(v, tuple) else (v, v)

    def ours(x, w):
        y = T.nnet.conv2d(x, w, border_mode=pair(padding), subsample=pair(stride), filter_flip=False,
                          filter_dilation=pair(dilation), num_groups=groups)
        return (y ** 2).sum()

    compare(ours, lambda x, w: (functional.conv2d(x, w, None, stride, padding, dilation, groups) ** 2).sum(),
            numbers(3, 4, 11, 12, dtype=dtype), numbers(8, 4 // groups, 3, 2, dtype=dtype, seed=1))


def drawn(seed, axes):
    """A convolution with options drawn at random: those of both, the shapes of images and filters."""
    rng = np.random.default_rng(seed)
    strides, dilation, padding, kernel = (tuple(map(int, rng.integers(low, high, axes)))
                                          for low, high in ((1, 4), (1, 3), (0, 4), (1, 4)))
    groups, each, own = (int(n) for n in rng.integers(1, 4, 3))
    sizes = tuple((k - 1) * d + 1 + int(rng.integers(0, 6)) for k, d in zip(kernel, dilation))
    return strides, dilation, padding, groups, (2, groups * own, *sizes), (groups * each, own, *kernel)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_convolutions_with_options_drawn_at_random(seed, axes):
    strides, dilation, padding, groups, images, filters = drawn(seed, axes)
    ours, theirs = (T.nnet.conv2d, functional.conv2d) if axes == 2 else (T.nnet.conv3d, functional.conv3d)
    dtype = ("float32", "float64")[seed % 2]
    compare(lambda x, w: (ours(x, w, border_mode=padding, subsample=strides, filter_flip=False,
                               filter_dilation=dilation, num_groups=groups) ** 2).sum(),
            lambda x, w: (theirs(x, w, None, strides, padding, dilation, groups) ** 2).sum(),
            numbers(*images, dtype=dtype), numbers(*filters, dtype=dtype, seed=1))


@pytest.mark.parametrize("seed", range(4))
def test_separable_convolutions(seed):
    """Each channel with filters of its own, then all channels of each place."""
    rng = np.random.default_rng(seed)
    channels, each, filters = (int(n) for n in rng.integers(1, 4, 3))
    padding, strides = (tuple(map(int, rng.integers(low, 3, 2))) for low in (0, 1))

    def theirs(x, depthwise, pointwise):
        inner = functional.conv2d(x, depthwise, None, strides, padding, groups=channels)
        return (functional.conv2d(inner, pointwise) ** 2).sum()

    compare(lambda x, depthwise, pointwise: (T.nnet.separable_conv2d(
        x, depthwise, pointwise, channels, border_mode=padding, subsample=strides, filter_flip=False) ** 2).sum(),
            theirs, numbers(2, channels, 7, 6), numbers(channels * each, 1, 3, 2, seed=1),
            numbers(filters, channels * each, 1, 1, seed=2))


@pytest.mark.parametrize("n", [1, 5, 9])
def test_local_response_normalization(n):
    compare(lambda x: (T.nnet.local_response_normalization(x, 0.2, 1.5, 0.75, n) ** 2).sum(),
            lambda x: (functional.local_response_norm(x, n, n * 0.2, 0.75, 1.5) ** 2).sum(), numbers(3, 7, 4, 2))


def test_conv3d():
    compare(lambda x, w: (T.nnet.conv3d(x, w, None, None, (1, 0, 1), (2, 1, 1), False) ** 2).sum(),
            lambda x, w: (functional.conv3d(x, w, None, (2, 1, 1), (1, 0, 1)) ** 2).sum(),
            numbers(2, 3, 5, 6, 7, dtype="float32"), numbers(4, 3, 2, 3, 3, dtype="float32", seed=1))


def test_a_network():
    def ours(x, v, w, gamma, beta):
        hidden = T.nnet.conv2d(x, v, border_mode="half", filter_flip=False)
        hidden = T.nnet.relu(T.nnet.batch_normalization_train(hidden, gamma, beta, "spatial", 1e-3)[0])
        hidden = T.signal.pool.pool_2d(hidden, (3, 3), True, (2, 2), (1, 1))
        hidden = T.nnet.conv2d(hidden, w, filter_flip=False)
        return (T.signal.pool.pool_2d(hidden, (2, 2), True, mode="average_inc_pad") ** 2).sum()

    def theirs(x, v, w, gamma, beta):
        hidden = functional.conv2d(x, v, padding=1)
        hidden = functional.relu(functional.batch_norm(hidden, None, None, gamma, beta, True, eps=1e-3))
        hidden = functional.conv2d(functional.max_pool2d(hidden, 3, 2, 1), w)
        return (functional.avg_pool2d(hidden, 2) ** 2).sum()

    for dtype in ("float32", "float64"):
        compare(ours, theirs, *(numbers(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(
            ((4, 3, 10, 10), (6, 3, 3, 3), (5, 6, 2, 2), (6,), (6,)))))


def test_ctc():
    labels = np.array([[1, 2, 2], [3, 1, 2]])
    compare(lambda x: T.nnet.ctc(x, labels, np.array([7, 6])).sum(),
            lambda x: functional.ctc_loss(torch.log_softmax(x, 2), torch.from_numpy(labels), torch.tensor([7, 6]),
                                          torch.tensor([3, 3]), reduction="sum"), numbers(7, 2, 4))


def adjoint(a):
    return a.swapaxes(-1, -2).conj()


def hermitian(a):
    """By both triangles, of which we read one and PyTorch means both."""
    return a + (a.mH if isinstance(a, torch.Tensor) else T.conj(a.T))


SQUARE, TALL = (numbers(*shape, dtype="float64") + 1j * numbers(*shape, dtype="float64", seed=1)
                for shape in ((3, 3), (4, 3)))
def turned(u, s, v):
    return (u * s ** 0.5) @ v


COMPLEX = {
    "cholesky": (lambda a: T.linalg.cholesky(hermitian(a)), lambda a: torch.linalg.cholesky(hermitian(a)),
                 SQUARE @ adjoint(SQUARE) + np.eye(3)),
    "qr": (lambda a: T.linalg.qr(a)[0], lambda a: torch.linalg.qr(a)[0], TALL),
    "r of wide ones": (lambda a: T.linalg.qr(a)[1], lambda a: torch.linalg.qr(a)[1], TALL.T),
    "eigh": (lambda a: abs(T.linalg.eigh(hermitian(a))[1]), lambda a: abs(torch.linalg.eigh(hermitian(a))[1]), SQUARE),
    "eigvalsh": (lambda a: T.linalg.eigvalsh(hermitian(a)), lambda a: torch.linalg.eigvalsh(hermitian(a)), SQUARE),
    "svd": (lambda a: turned(*T.linalg.svd(a, False)), lambda a: turned(*torch.linalg.svd(a, False)), TALL),
    "svdvals": (T.linalg.svdvals, torch.linalg.svdvals, TALL.T),
    "sizes of eig": (lambda a: abs(T.linalg.eig(a)[1]).sum(0), lambda a: abs(torch.linalg.eig(a)[1]).sum(0), SQUARE),
    "exponentials": (lambda a: T.exp(T.linalg.eigvals(a)).sum(), lambda a: torch.linalg.eigvals(a).exp().sum(), SQUARE),
    "pinv": (T.linalg.pinv, torch.linalg.pinv, TALL),
    "signs of determinants": (lambda a: T.linalg.slogdet(a)[0], lambda a: torch.linalg.slogdet(a)[0], SQUARE),
    "expm": (T.linalg.expm, torch.linalg.matrix_exp, SQUARE),
    "u of wide ones": (lambda a: T.linalg.lu(a)[2], lambda a: torch.linalg.lu(a)[2], TALL.T),
    "l of tall ones": (lambda a: T.linalg.lu(a)[1], lambda a: torch.linalg.lu(a)[1], TALL),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_matrices(name):
    ours, theirs, a = COMPLEX[name]
    made = theirs(torch.tensor(a))
    weights = np.cos(np.arange(made.numel()) + 1.0).reshape(tuple(made.shape))

    def real_cost(y):
        return (torch.real(y) * torch.tensor(weights)).sum() + (y.imag.sum() if y.is_complex() else 0)

    compare(lambda x: (T.real(ours(x)) * weights).sum() + T.imag(ours(x)).sum(), lambda x: real_cost(theirs(x)),
            np.ascontiguousarray(a))
