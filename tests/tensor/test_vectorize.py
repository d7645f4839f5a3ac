"""Expressions for many values at once against one value after the other: values and derivatives, compiled."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GradientError
from symtensor.tensor.shared_randomstreams import RandomStreams

CASES = {
    "dot": (lambda x, w: T.dot(x, w), [(3,), (3, 5)]), "matrices": (lambda x, w: T.dot(x, w), [(2, 3), (3, 5)]),
    "einsum": (lambda x, y: T.einsum("ij,jk->ik", x, y), [(2, 3), (3, 4)]),
    "convolution": (lambda x, w: T.nnet.conv2d(x, w), [(1, 2, 6, 6), (3, 2, 3, 3)]),
    "filters": (lambda w, x: T.nnet.conv2d(x, w, border_mode="half", subsample=(2, 1)), [(3, 2, 3, 3), (2, 2, 6, 5)]),
    "pool": (lambda x: T.signal.pool.pool_2d(x, (2, 2), ignore_border=True), [(1, 2, 6, 6)]),
    "mean pool": (lambda x: T.signal.pool.pool_2d(x, (3, 3), stride=(2, 2), mode="average_exc_pad",
                                                  ignore_border=True, pad=(1, 1)), [(1, 2, 6, 6)]),
    "softmax": (lambda x: T.nnet.softmax(x), [(2, 5)]),
    "loss": (lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), T.constant([1, 0])), [(2, 3)]),
    "normalized": (lambda x: T.nnet.layer_normalization(x), [(2, 3)]),
    "scan": (lambda x, h: st.scan(lambda a, b: T.tanh(a + b * 2), x, h)[0], [(4, 3), (3,)]),
    "recurrence": (lambda w, x: st.scan(lambda a, b, w: T.tanh(a + T.dot(b, w)), x, T.zeros(3), w)[0],
                   [(3, 3), (4, 3)]),
    "map": (lambda x: st.map(lambda a: a ** 2, x)[0], [(4,)]), "cumsum": (lambda x: T.cumsum(x, 0), [(4, 3)]),
    "slices": (lambda x: x[1:, ::-1], [(4, 3)]), "positions": (lambda x: x[[0, 2], [1, 1]], [(4, 3)]),
    "mixed": (lambda x: x[1:, [0, 2]], [(4, 3)]), "written": (lambda x, y: T.set_subtensor(y[1:3], x), [(2,), (5,)]),
    "increased": (lambda x, y: T.inc_subtensor(y[[0, 0]], x), [(2,), (5,)]),
    "cholesky": (lambda x: T.slinalg.cholesky(T.dot(x, x.T) + 3 * T.eye(3)), [(3, 4)]),
    "solve": (lambda x, b: T.slinalg.solve(x, b), [(3, 3), (3,)]),
    "right side": (lambda b, x: T.slinalg.solve(x, b), [(3,), (3, 3)]),
    "inverse": (lambda x: T.nlinalg.matrix_inverse(x), [(3, 3)]), "det": (lambda x: T.nlinalg.det(x), [(3, 3)]),
    "svd": (lambda x: T.nlinalg.svd(x, full_matrices=False)[1], [(3, 4)]),
    "tall lu": (lambda x: T.linalg.lu(x, permute_l=True)[0], [(4, 3)]),
    "wide lu": (lambda x: T.linalg.lu(x)[1] @ T.linalg.lu(x)[2] ** 2, [(3, 4)]),
    "wide qr": (lambda x: T.linalg.qr(x)[0] @ T.linalg.qr(x)[1] ** 2, [(3, 4)]),
    "eig": (lambda x: T.exp(T.linalg.eigvals(x)).sum().real, [(3, 3)]),
    "eigh": (lambda x: T.nlinalg.eigh(x + x.T)[0], [(3, 3)]),
    "sort": (lambda x: T.sort(x, -1), [(3, 4)]), "sort rows": (lambda x: T.sort(x, 0), [(3, 4)]),
    "by argsort": (lambda x: x[T.argsort(x)], [(4,)]), "topk": (lambda x: T.topk(x, 2), [(4,)]),
    "search": (lambda x, y: y[T.minimum(T.searchsorted(T.sort(y), x), 8)] * x, [(3,), (9,)]),
    "own search": (lambda y, x: y[T.minimum(T.searchsorted(T.sort(y), x), 8)] * x, [(9,), (3,)]),
    "branch": (lambda x: st.ifelse(T.gt(x.sum(), 0), x * 2, x * 3), [(4,)]),
    "number": (lambda x, y: y[T.argmax(x)] * x, [(4,), (4, 2)][:1] + [(4,)]),
    "part": (lambda x, y: T.exp(y)[T.cast(T.floor(T.abs_(x)), "int64") % 3] * x, [(), (3, 2)]),
    "fourier": (lambda x: T.fft.rfft(x), [(2, 8)]),
    "back": (lambda x: T.fft.irfft(T.fft.rfft(x) ** 2), [(2, 8)]),
    "kron": (lambda x, y: T.slinalg.kron(x, y), [(2, 3), (2, 2)]),
    "join": (lambda x, y: T.concatenate([x, y]), [(3,), (2,)]), "repeat": (lambda x: T.repeat(x, 2, 0), [(3, 4)]),
    "tile": (lambda x: T.tile(x, (2, 2)), [(2, 3)]), "reshape": (lambda x: x.reshape((-1, 2)), [(4, 3)]),
    "diag": (lambda x: T.diag(x), [(4,)]), "triangle": (lambda x: T.tril(x), [(4, 4)]),
    "norm": (lambda x: x.norm(2), [(4,)]), "max": (lambda x: T.max(x, 0), [(3, 4)]),
}


@pytest.mark.parametrize("name", CASES)
def test_many_values_at_once(name):
    build, shapes = CASES[name]
    rng = np.random.default_rng(1)
    inputs = [T.TensorType("float64", (None,) * len(shape))(f"x{i}") for i, shape in enumerate(shapes)]
    arrays = [rng.normal(size=(4, *shapes[0])), *(rng.normal(size=shape) for shape in shapes[1:])]
    many = T.TensorType("float64", (None,) * (len(shapes[0]) + 1))("many")
    y = build(*inputs)
    expressions = [y, *st.grad((y * y).sum(), inputs)]
    at_once = st.function([many, *inputs[1:]], st.vectorize(expressions, {inputs[0]: many}))(*arrays)
    single = st.function(inputs, expressions)
    one_by_one = [single(value, *arrays[1:]) for value in arrays[0]]
    for found, expected in zip(at_once, zip(*one_by_one)):
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-10, atol=1e-12)


def test_derivatives_for_each_example_are_one_jacobian():
    """Per-example gradients of a network: without a loop, and what a Jacobian of the losses gives."""
    rng = np.random.default_rng(0)
    x, y, u, v = T.dvector("x"), T.lscalar("y"), T.dmatrix("u"), T.dmatrix("v")
    loss = -T.log(T.nnet.softmax(T.dot(T.tanh(T.dot(x, u)), v).dimshuffle("x", 0))[0, y])
    xs, ys = T.dmatrix("xs"), T.lvector("ys")
    each = st.function([xs, ys, u, v], st.vectorize(st.grad(loss, [u, v]), {x: xs, y: ys}))
    losses = -T.log(T.nnet.softmax(T.dot(T.tanh(T.dot(xs, u)), v))[T.arange(xs.shape[0]), ys])
    whole = st.function([xs, ys, u, v], st.gradient.jacobian(losses, [u, v]))
    arrays = rng.normal(size=(5, 4)), rng.integers(0, 3, 5), rng.normal(size=(4, 6)), rng.normal(size=(6, 3))
    for found, expected in zip(each(*arrays), whole(*arrays)):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
    assert "scan" not in repr(each.graph.outputs)


def test_random_numbers_are_the_same_for_all_values():
    x, many = T.dvector("x"), T.dmatrix("many")
    noisy = st.vectorize(x + RandomStreams(1).normal((3,)), {x: many})
    found = st.function([many], noisy)(np.zeros((4, 3)))
    assert (found == found[0]).all() and np.ptp(found[0]) > 0


def test_sizes_that_would_differ():
    x, many = T.dvector("x"), T.dmatrix("many")
    for build in (lambda x: x[x > 0], lambda x: T.unique(x), lambda x: T.arange(x[0]), lambda x: x[:T.argmax(x)]):
        with pytest.raises(GradientError, match="would have different sizes along an axis of many values"):
            st.vectorize(build(x), {x: many})
