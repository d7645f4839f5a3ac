"""Activations, softmax, losses and normalization against their definitions in NumPy."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest
import scipy.special

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import SymtensorError
from symtensor.testing.verify_grad import verify_grad

from .agree import agree, numbers, value

nnet = T.nnet
POINTS = np.array([-800.0, -30.0, -2.5, -0.5, -0.0, 0.0, 0.25, 1.0, 3.5, 40.0, 900.0])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

ACTIVATIONS = {
    "sigmoid": scipy.special.expit,
    "softplus": lambda a: np.logaddexp(0, a),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "relu": lambda a: np.maximum(a, 0),
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "selu": lambda a: 1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0))),
    "hard_sigmoid": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations(name, dtype):
    rtol = 1e-5 if dtype == "float32" else 1e-13
    agree(getattr(nnet, name), lambda a: ACTIVATIONS[name](a).astype(dtype), POINTS.astype(dtype), rtol=rtol)
    agree(getattr(nnet, name), lambda a: ACTIVATIONS[name](a), numbers(2, 0))


def test_activations_with_parameters():
    agree(lambda x: nnet.relu(x, 0.1), lambda a: np.where(a > 0, a, 0.1 * a), numbers(2, 3))
    agree(nnet.relu, lambda a, b: np.where(a > 0, a, b * a), numbers(2, 3), numbers(3, seed=1))
    agree(lambda x: nnet.elu(x, 2), lambda a: np.where(a > 0, a, 2 * np.expm1(a)), numbers(3))
    assert nnet.relu(T.ivector()).type.dtype == "int32" and nnet.elu(T.lvector()).type.dtype == "float64"


def test_the_fast_sigmoid_is_near_the_sigmoid():
    x = np.linspace(-10, 10, 2001)
    assert np.abs(value(nnet.ultra_fast_sigmoid(x)) - scipy.special.expit(x)).max() < 0.028


@pytest.mark.parametrize("axis", [-1, 0, None, (0, 1)])
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (4, 1), (2, 3, 4)])
def test_softmax(shape, axis):
    array = 10 * numbers(*shape)
    agree(lambda x: nnet.softmax(x, axis), lambda a: scipy.special.softmax(a, axis), array)
    agree(lambda x: nnet.logsoftmax(x, axis), lambda a: scipy.special.log_softmax(a, axis), array)
    agree(lambda x: nnet.log_softmax(x), lambda a: scipy.special.log_softmax(a, -1), array)
    for keepdims in (False, True):
        agree(lambda x: nnet.logsumexp(x, axis, keepdims),
              lambda a: scipy.special.logsumexp(a, axis, keepdims=keepdims), array)


def test_softmax_of_large_and_small_scores():
    agree(nnet.softmax, lambda a: scipy.special.softmax(a, -1), np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]]))
    agree(nnet.softmax, lambda a: scipy.special.softmax(a, -1), np.array([1e4, 0.0], "float32"), rtol=1e-6)
    assert value(nnet.logsumexp(np.array([-np.inf, -np.inf]))) == -np.inf
    assert value(nnet.logsumexp(np.array([np.inf, 1.0]))) == np.inf
    assert value(nnet.softmax(np.zeros((0, 3)))).shape == (0, 3)


def test_softmax_with_bias():
    agree(nnet.softmax_with_bias, lambda a, b: scipy.special.softmax(a + b, -1), numbers(2, 3), numbers(3))


def test_softmax_in_two_steps():
    x, w1, b1, w2, b2 = (numbers(*shape, seed=i) for i, shape in enumerate([(5, 4), (4, 3), (3,), (3, 4, 2), (3, 2)]))
    target = np.array([0, 5, 3, 2, 1])
    within = scipy.special.softmax(np.einsum("bf,cfo->bco", x, w2) + b2, -1)
    every = (scipy.special.softmax(x @ w1 + b1, -1)[:, :, None] * within).reshape(5, 6)
    agree(lambda *a: nnet.h_softmax(a[0], 5, 6, 3, 2, *a[1:]), lambda *a: every, x, w1, b1, w2, b2)
    agree(lambda *a: nnet.h_softmax(a[0], 5, 5, 3, 2, *a[1:]), lambda *a: every[:, :5], x, w1, b1, w2, b2)
    agree(lambda *a: nnet.h_softmax(a[0], 5, 6, 3, 2, *a[1:]), lambda *a: every[np.arange(5), target],
          x, w1, b1, w2, b2, target)


def distributions(*shape, seed=0):
    return scipy.special.softmax(numbers(*shape, seed=seed), -1)


def test_categorical_crossentropy():
    coding, true = distributions(4, 3), distributions(4, 3, seed=1)
    labels = np.array([0, 2, 1, 2])
    agree(nnet.categorical_crossentropy, lambda p, q: -(q * np.log(p)).sum(-1), coding, true)
    agree(nnet.categorical_crossentropy, lambda p, y: -np.log(p)[np.arange(4), y], coding, labels)
    agree(nnet.categorical_crossentropy, lambda p, y: -np.log(p)[0, np.arange(2), y], distributions(1, 2, 3),
          np.array([[2, 0]]))
    with pytest.raises(SymtensorError, match="sizes of axis 0"):
        p, y = T.dmatrix("p"), T.lvector("y")
        value(nnet.categorical_crossentropy(p, y), {p: coding, y: labels[:2]})
    with pytest.raises(SymtensorError, match="index 3 is out of range for an axis of size 3"):
        value(nnet.categorical_crossentropy(coding, [0, 1, 3, 0]))
    with pytest.raises(SymtensorError, match="labels must be integers, one for each row"):
        nnet.categorical_crossentropy(T.dmatrix("p"), T.dvector("y"))


def test_binary_crossentropy():
    output, target = scipy.special.expit(numbers(2, 3)), (numbers(2, 3, seed=1) > 0).astype("float64")
    agree(nnet.binary_crossentropy, lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)), output, target)
    agree(lambda x, t: nnet.sigmoid_binary_crossentropy(x, t), lambda a, t: np.logaddexp(0, a) - t * a,
          POINTS, (POINTS > 1).astype("float64"))


def test_losses_of_scores():
    scores, bias, labels = numbers(4, 3), numbers(3, seed=1), np.array([0, 2, 1, 2])

    def loss(a, y):
        return -scipy.special.log_softmax(a, -1)[np.arange(4), y]

    agree(lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0], loss, scores, labels)
    agree(lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[1], lambda a, y: scipy.special.softmax(a, -1), scores,
          labels)
    for place, meaning in enumerate([lambda a, b, y: loss(a + b, y), lambda a, b, y: scipy.special.softmax(a + b, -1),
                                     lambda a, b, y: (a + b).argmax(-1)]):
        agree(lambda x, b, y: nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)[place], meaning, scores, bias,
              labels)
    agree(lambda x, y: nnet.crossentropy_softmax_max_and_argmax_1hot(x, y)[2],
          lambda a, y: scipy.special.softmax(a, -1).max(-1), scores, labels)


def test_confusion_matrix():
    actual, predicted = np.array([0, 2, 2, 1, 2]), np.array([0, 2, 1, 1, 3])
    expected = np.zeros((4, 4), "int64")
    np.add.at(expected, (actual, predicted), 1)
    agree(lambda a, p: nnet.confusion_matrix(a, p)[0], lambda a, p: expected, actual, predicted)
    agree(lambda a, p: nnet.confusion_matrix(a, p)[1], lambda a, p: np.arange(4), actual, predicted)


NORMALIZED = {"per-activation": (0,), "spatial": (0, 2, 3), (1, 2): (1, 2)}


@pytest.mark.parametrize("axes", NORMALIZED, ids=str)
def test_batch_normalization(axes):
    over = NORMALIZED[axes]
    array = numbers(4, 3, 2, 5)
    shape = tuple(1 if axis in over else n for axis, n in enumerate(array.shape))
    gamma, beta, old_mean = (numbers(*shape, seed=i) for i in (1, 2, 3))
    old_var = np.abs(numbers(*shape, seed=4))
    count = array.size / gamma.size
    mean, var = array.mean(over, keepdims=True), array.var(over, keepdims=True)
    expected = [(array - mean) / np.sqrt(var + 1e-3) * gamma + beta, mean, 1 / np.sqrt(var + 1e-3),
                0.8 * old_mean + 0.2 * mean, 0.8 * old_var + 0.2 * var * count / (count - 1)]
    for place, wanted in enumerate(expected):
        agree(lambda x, g, b, m, v: nnet.batch_normalization_train(x, g, b, axes, 1e-3, 0.2, m, v)[place],
              lambda *a: wanted, array, gamma, beta, old_mean, old_var)
    agree(lambda x, g, b, m, v: nnet.batch_normalization_test(x, g, b, m, v, axes, 1e-3),
          lambda a, g, b, m, v: (a - m) / np.sqrt(v + 1e-3) * g + b, array, gamma, beta, old_mean, old_var)


def test_parameters_may_lack_the_normalized_axes():
    agree(lambda x, g, b: nnet.batch_normalization_train(x, g, b, "spatial")[0],
          lambda a, g, b: (a - a.mean((0, 2), keepdims=True)) / np.sqrt(a.var((0, 2), keepdims=True) + 1e-4)
          * g[:, None] + b[:, None], numbers(4, 3, 2), numbers(3), numbers(3, seed=1))


def test_statistics_are_as_the_parameters_are():
    x = T.tensor3("x")
    lacking, of_size_1 = T.vector("v"), T.tensor3("v", shape=(1, None, 1))
    for gamma, rank in ((lacking, 1), (of_size_1, 3)):
        results = nnet.batch_normalization_train(x, gamma, gamma, "spatial", 1e-3, 0.2, lacking, of_size_1)
        assert [v.type.ndim for v in results] == [3, rank, rank, 1, 3]
    mean, var = st.shared(np.zeros(3)), st.shared(np.ones(3))
    *_, new_mean, new_var = nnet.batch_normalization_train(x, mean + 1, mean, "spatial", 1e-3, 0.2, mean, var)
    array = numbers(4, 3, 2)
    st.function([x], updates=[(mean, new_mean), (var, new_var)])(array)
    np.testing.assert_allclose(mean.get_value(), 0.2 * array.mean((0, 2)))


def test_old_batch_normalization():
    agree(nnet.batch_normalization, lambda a, g, b, m, s: (a - m) * g / s + b, numbers(4, 3),
          *(numbers(3, seed=i) for i in range(4)))


def test_layer_normalization():
    agree(nnet.layer_normalization,
          lambda a, g, b: (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * g + b,
          numbers(2, 3, 4), numbers(4), numbers(4, seed=1))


def neighbours(a, n, axis):
    """The sum of squares of up to n // 2 channels on either side."""
    channels = np.arange(a.shape[axis])
    near = np.abs(channels[:, None] - channels) <= n // 2
    return np.moveaxis(np.tensordot(near, np.square(a), (1, axis)), 0, axis)


@pytest.mark.parametrize(("n", "axis"), [(1, 1), (5, 1), (3, 0), (9, -1), (21, 1)])
def test_local_response_normalization(n, axis):
    agree(lambda a: nnet.local_response_normalization(a, 0.3, 1.5, 0.75, n, axis),
          lambda a: a / (1.5 + 0.3 * neighbours(a, n, axis)) ** 0.75, numbers(4, 7, 3, 2))
    verify_grad(lambda a: nnet.local_response_normalization(a, 0.3, 1.5, 0.75, n, axis), [numbers(4, 7, 3, 2)])


def test_local_response_normalization_is_one_kernel():
    x = T.TensorType("float32", (None, 6, None, None))("x")
    assert st.function([x], nnet.local_response_normalization(x)).launches == 1


MISUSES = {
    "n must be an odd positive integer, not 4": lambda x: nnet.local_response_normalization(x, n=4),
    "local_response_normalization: 2 is not one of 2 axes": lambda x: nnet.local_response_normalization(x, axis=2),
    "softmax needs at least one axis": lambda x: nnet.softmax(x[0, 0]),
    "max: 2 is not one of 2 axes": lambda x: nnet.softmax(x, 2),
    "batch_normalization_train: there are no axes 'rows'": lambda x: nnet.batch_normalization_train(x, 1, 0, "rows"),
    "running_mean and running_var go together": lambda x: nnet.batch_normalization_train(x, x, x, running_mean=x),
    "confusion_matrix takes two vectors of integer labels": lambda x: nnet.confusion_matrix(x, x),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_is_wrong(message):
    with pytest.raises(SymtensorError) as caught:
        MISUSES[message](T.dmatrix("x"))
    assert message in str(caught.value)
