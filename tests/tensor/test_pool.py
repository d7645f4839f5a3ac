"""Pooling against a definition, its derivatives, and what it becomes."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import numbers

pool = T.signal.pool


def meaning(x, ws, ignore_border, stride=None, pad=None, mode="max"):
    """One window at a time, by the words of the documentation."""
    axes = len(ws)
    stride, pad = stride or ws, pad or (0,) * axes
    sizes = x.shape[-axes:]
    counts = []
    for n, k, s, p in zip(sizes, ws, stride, pad):
        starts = range(0, n + 2 * p, s)
        whole = [b for b in starts if b + k <= n + 2 * p]
        # A window that reaches beyond the end begins behind the last that does not.
        counts.append(len(whole) if ignore_border else next(i for i, b in enumerate(starts) if b + k >= n
                                                           or i + 1 == len(starts)) + 1)
    y = np.zeros((*x.shape[:-axes], *counts))
    for place in np.ndindex(*counts):
        begin = [o * s - p for o, s, p in zip(place, stride, pad)]
        padded = np.prod([min(b + k, n + p) - b for b, k, n, p in zip(begin, ws, sizes, pad)])
        window = x[(..., *(slice(max(b, 0), b + k) for b, k in zip(begin, ws)))]
        last = tuple(range(-axes, 0))
        y[(..., *place)] = {"max": window.max, "sum": window.sum, "average_exc_pad": window.mean,
                            "average_inc_pad": lambda axis: window.sum(axis) / padded}[mode](axis=last)  # noqa: B023
    return y


PLACES = [((2, 2), True, None, None), ((2, 2), False, None, None), ((3, 2), True, (2, 1), None),
          ((3, 2), True, (2, 2), (1, 1)), ((3, 3), False, (2, 1), None), ((2, 2), False, (3, 3), None),
          ((5, 4), True, (1, 2), (2, 1))]


@pytest.mark.parametrize("mode", pool.MODES)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_pool_2d_is_its_definition(place, mode):
    ws, ignore, stride, pad = place
    for dtype, fixed in (("float64", False), ("float32", True)):
        x = numbers(2, 3, 7, 8, dtype=dtype)
        images = T.TensorType(dtype, x.shape if fixed else (None,) * 4)("x")
        y = pool.pool_2d(images, ws, ignore, stride, pad or (0, 0), mode)
        found = st.function([images], y)(x)
        np.testing.assert_allclose(found, meaning(x, ws, ignore, stride, pad, mode), rtol=1e-5, atol=1e-6)
        assert tuple(pool.Pool.out_shape(x.shape, ws, ignore, stride, pad)) == found.shape


@pytest.mark.parametrize("mode", pool.MODES)
def test_pool_3d_is_its_definition(mode):
    x = numbers(2, 4, 5, 6)
    found = pool.pool_3d(x, (2, 2, 3), True, (1, 2, 2), (1, 0, 1), mode).eval()
    np.testing.assert_allclose(found, meaning(x, (2, 2, 3), True, (1, 2, 2), (1, 0, 1), mode), rtol=1e-12)


@pytest.mark.parametrize("mode", pool.MODES)
@pytest.mark.parametrize("place", PLACES[2:5], ids=str)
def test_derivatives_of_first_and_second_order(place, mode):
    ws, ignore, stride, pad = place

    def pooled(x):
        return pool.pool_2d(x, ws, ignore, stride, pad or (0, 0), mode)

    x = np.random.default_rng(0).permutation(30).reshape(1, 5, 6) / 10.0
    verify_grad(pooled, [x])
    verify_grad(lambda x: st.grad((pooled(x) ** 3).sum(), x), [x])


def test_all_that_is_largest_gets_the_gradient():
    x = T.dmatrix("x")
    slope = st.function([x], st.grad((pool.pool_2d(x, (1, 2), True) * [[1.0, 10.0]]).sum(), x))
    assert slope([[3.0, 3.0, 0.0, 1.0]]).tolist() == [[1.0, 1.0, 0.0, 10.0]]


def test_the_largest_of_each_patch_alone():
    x = numbers(2, 5, 4)
    found = pool.max_pool_2d_same_size(x, (2, 2)).eval()
    largest = np.zeros((2, 5, 4), bool)
    largest[:, :4] = meaning(x, (2, 2), True).repeat(2, 1).repeat(2, 2) == x[:, :4]
    np.testing.assert_array_equal(found, np.where(largest, x, 0))


def test_sizes_that_are_known_may_be_variables():
    x = T.TensorType("float64", (2, 3, 4, 6))("x")
    value = numbers(2, 3, 4, 6)
    whole = pool.pool_2d(x, x.shape[2:], True, mode="average_inc_pad")
    np.testing.assert_allclose(st.function([x], whole)(value), value.mean((2, 3), keepdims=True))
    parts = pool.pool_2d(x, (x.shape[2] // 2, T.constant(3)), True, (x.shape[0], T.constant(3)))
    np.testing.assert_array_equal(st.function([x], parts)(value), meaning(value, (2, 3), True, (2, 3)))
    strided = pool.pool_2d(x, T.constant([2, 2]), True, stride=T.constant([1, 2]), pad=T.constant([1, 0]))
    np.testing.assert_array_equal(st.function([x], strided)(value), meaning(value, (2, 2), True, (1, 2), (1, 0)))


def test_old_names_and_messages():
    x = numbers(1, 1, 4, 4)
    wanted = pool.pool_2d(x, (2, 2), True).eval()
    with pytest.warns(DeprecationWarning, match="ds is an old name of ws"):
        np.testing.assert_array_equal(pool.pool_2d(x, ds=(2, 2), ignore_border=True).eval(), wanted)
    np.testing.assert_array_equal(T.signal.downsample.max_pool_2d(x, (2, 2), True).eval(), wanted)
    with pytest.warns(UserWarning, match="borders are not ignored unless"):
        pool.pool_2d(x, (2, 2))
    with pytest.raises(NotImplementedError, match="padding needs ignore_border=True"):
        pool.pool_2d(x, (2, 2), False, pad=(1, 1))
    with pytest.raises(ShapeError, match=r"pad \(2, 0\) must be smaller than ws \(2, 2\)"):
        pool.pool_2d(x, (2, 2), True, pad=(2, 0))
    with pytest.raises(ShapeError, match="there is no mode 'mean'"):
        pool.pool_2d(x, (2, 2), True, mode="mean")
    for ws in (T.lvector("ws"), (2, T.lscalar("k")), T.tensor4("y").shape[2:], (2.0, 2)):
        with pytest.raises(TypeMismatch, match="ws must be 2 integers, at least 1, not") as caught:
            pool.pool_2d(x, ws, True)
        assert "give numbers that are known when the function is made" in str(caught.value)
    with pytest.raises(TypeMismatch, match="ws and ds are two names"):
        pool.pool_2d(x, (2, 2), True, ds=(2, 2))
    with pytest.raises(TypeMismatch, match="takes tensors of at least 2 axes"):
        pool.pool_2d(numbers(3), (2, 2), True)


def network(x, weights, bias):
    """Two layers of convolution, bias, relu and pooling."""
    for w, b in zip(weights, bias):
        x = T.nnet.relu(T.nnet.conv2d(x, w, border_mode="half", filter_flip=False) + b.dimshuffle("x", 0, "x", "x"))
        x = pool.pool_2d(x, (2, 2), True)
    return x


def test_channels_stay_last_between_layers():
    x = T.tensor4("x", dtype="float32", shape=(2, 3, 8, 8))
    weights = [T.TensorType("float32", shape)("w") for shape in ((4, 3, 3, 3), (5, 4, 3, 3))]
    bias = [T.fvector("b", shape=(n,)) for n in (4, 5)]
    y = network(x, weights, bias)
    f = st.function([x, *weights, *bias], y)
    kinds = [str(origin[0]) for origin in f.program.origins]
    # Images go to the end and back once; bias, relu and the largest of a window are one kernel.
    assert [kind.split("[")[0] for kind in kinds] == [
        "dimshuffle", "convolution", "window_max", "convolution", "window_max", "dimshuffle"]
    slopes = st.function([x, *weights, *bias], st.grad((y ** 2).sum(), [*weights, *bias]))
    assert slopes.library_calls == 5 and slopes.launches <= 10
    assert not any("windows" in kernel.text.split("(")[0] for kernel in slopes.kernels)


def test_a_step_with_batch_normalization_runs_each_convolution_once():
    """The mean and the variance of a batch are used by the loss, its gradient and the running values alike."""
    from symtensor.tensor.shared_randomstreams import RandomStreams
    x, y = T.tensor4("x", dtype="float32", shape=(4, 1, 8, 8)), T.ivector("y")
    hidden, updates, trained = x, [], []
    for count, channels in ((2, 1), (3, 2), (4, 3)):
        weights = st.shared(numbers(count, channels, 3, 3, dtype="float32"))
        gamma, beta, mean, variance = (st.shared(np.full(count, v, "float32")) for v in (1, 0, 0, 1))
        hidden = T.nnet.conv2d(hidden, weights, border_mode="half", filter_shape=(count, channels, 3, 3))
        hidden, _, _, new_mean, new_variance = T.nnet.batch_normalization_train(
            hidden, gamma, beta, "spatial", 1e-4, 0.1, mean, variance)
        hidden = pool.pool_2d(T.nnet.relu(hidden), (2, 2), True)
        updates += [(mean, new_mean), (variance, new_variance)]
        trained += [weights, gamma, beta]
    hidden = hidden.flatten(2)
    hidden = hidden * RandomStreams(1).binomial(hidden.shape, p=0.5, dtype="float32")
    loss = T.nnet.crossentropy_softmax_1hot(hidden, y)[0].mean()
    updates += [(p, p - 0.1 * slope) for p, slope in zip(trained, st.grad(loss, trained))]
    step = st.function([x, y], loss, updates=updates)
    kinds = [origin[0] for origin in step.program.origins]
    assert [kinds.count(f"convolution[{of}]") for of in ("output", "images", "filters")] == [3, 2, 3]


def test_dropout_writes_no_mask():
    from symtensor.tensor.shared_randomstreams import RandomStreams
    x = T.fmatrix("x")
    mask = RandomStreams(0).binomial(x.shape, p=0.5, dtype="float32")
    y = T.tanh(x) * mask / np.float32(0.5)
    f = st.function([x], [y, st.grad((y ** 2).sum(), x)])
    point = numbers(8, 1000, dtype="float32")
    result, slope = f(point)
    kept = result != 0
    wanted = np.where(kept, 2 * result * 2 * (1 - np.tanh(point) ** 2), 0)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-6)
    # One kernel draws, uses and differentiates; the other is the next state. No buffer holds the mask.
    assert f.launches == 2 and "random32" in f.program.origins[0][0] and "random32" not in f.program.origins[1][0]
    assert not [b for b in f.program.buffers if b.kind.name == "ARENA"]
