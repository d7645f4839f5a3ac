"""The loops of Theano's tutorial, against NumPy."""

import numpy as np

import symtensor as st
import symtensor.tensor as T
from symtensor.tensor.nnet import sigmoid
from symtensor.tensor.shared_randomstreams import RandomStreams

random = np.random.default_rng(8)


def test_norms_of_rows_and_a_trace():
    x = T.dmatrix("x")
    values = random.standard_normal((5, 4))
    norms, _ = st.scan(lambda row: T.sqrt((row ** 2).sum()), x)
    np.testing.assert_allclose(st.function([x], norms)(values), np.linalg.norm(values, axis=1))
    traces, _ = st.scan(lambda i, j, total, x: total + x[i, j], [T.arange(4), T.arange(4)], np.float64(0), x)
    np.testing.assert_allclose(st.function([x], traces[-1])(values), np.trace(values[:4]))


def test_a_power_of_a_vector():
    """A ** k, element by element, k told by the call."""
    a, k = T.dvector("a"), T.iscalar("k")
    powers, updates = st.scan(lambda power, a: power * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
    f = st.function([a, k], powers[-1], updates=updates)
    for exponent in (1, 2, 5):
        np.testing.assert_allclose(f(np.arange(10.0), exponent), np.arange(10.0) ** exponent)


def test_gibbs_sampling():
    """Ten steps between visible and hidden units; each call goes on drawing, and the frequencies are the model's."""
    w = st.shared(random.standard_normal((3, 2)), name="w")
    of_visible, of_hidden = st.shared(np.array([0.5, -0.5, 0.0]), name="v"), st.shared(np.zeros(2), name="h")
    stream = RandomStreams(1234)

    def step(sample):
        hidden = stream.binomial(size=(sample.shape[0], 2), n=1, p=sigmoid(T.dot(sample, w) + of_hidden))
        visible = sigmoid(T.dot(T.cast(hidden, "float64"), w.T) + of_visible)
        return stream.binomial(size=sample.shape, n=1, p=visible, dtype="float64")

    sample = T.dmatrix("sample")
    values, updates = st.scan(step, outputs_info=sample, n_steps=10)
    f = st.function([sample], values[-1], updates=updates)
    first, second = f(np.zeros((20_000, 3))), f(np.zeros((20_000, 3)))
    assert not np.array_equal(first, second) and set(np.unique(first)) == {0.0, 1.0}
    states = np.array(list(np.ndindex(2, 2, 2)), float)
    weights = np.exp(states @ of_visible.get_value()) * np.prod(1 + np.exp(states @ w.get_value()), axis=1)
    expected = weights @ states / weights.sum()
    np.testing.assert_allclose(np.concatenate([first, second]).mean(axis=0), expected, atol=0.015)


def test_a_polynomial():
    coefficients, x = T.dvector("coefficients"), T.dscalar("x")
    terms, _ = st.scan(lambda c, power, x: c * x ** power, [coefficients, T.arange(1000)], None, x)
    np.testing.assert_allclose(st.function([coefficients, x], terms.sum())([1.0, 0.0, 2.0], 3.0), 19)


def test_tanh_of_each_row():
    x, w, b = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b")
    rows, _ = st.scan(lambda v: T.tanh(T.dot(v, w) + b), x)
    values = [random.standard_normal(shape) for shape in ((5, 3), (3, 2), (2,))]
    np.testing.assert_allclose(st.function([x, w, b], rows)(*values), np.tanh(values[0] @ values[1] + values[2]))


def test_a_jacobian_and_a_hessian():
    x = T.dvector("x")
    y = x ** 2
    rows, _ = st.scan(lambda i, y, x: st.grad(y[i], x), T.arange(y.shape[0]), None, [y, x])
    np.testing.assert_allclose(st.function([x], rows)([4.0, 5.0]), [[8, 0], [0, 10]])
    slope = st.grad((x ** 3).sum(), x)
    rows, _ = st.scan(lambda i, slope, x: st.grad(slope[i], x), T.arange(slope.shape[0]), None, [slope, x])
    np.testing.assert_allclose(st.function([x], rows)([4.0, 5.0]), [[24, 0], [0, 30]])


def test_powers_of_two_until_a_limit():
    limit = T.lscalar("limit")
    powers, _ = st.scan(lambda p, limit: (p * 2, st.until(p * 2 > limit)), None, T.constant(1), limit, 1024)
    np.testing.assert_array_equal(st.function([limit], powers)(45), [2, 4, 8, 16, 32, 64])
