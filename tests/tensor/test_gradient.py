"""The public derivatives: arguments, stable forms, and compositions of the vocabulary differentiated numerically."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import DisconnectedInputError, UnusedInputError

from .agree import numbers, value


def test_grad_rop_and_lop():
    x, v = T.dvector("x"), T.dvector("v")
    given = {x: np.array([1.0, 2.0]), v: np.array([3.0, 5.0])}
    assert value(st.grad((x ** 3).sum(), x), given).tolist() == [3, 12]
    assert value(st.Rop(x ** 2, x, v), given).tolist() == [6, 20]
    assert value(st.Lop(x ** 2, x, v), given).tolist() == [6, 20]
    assert T.grad is st.grad and T.Rop is st.Rop and T.Lop is st.Lop
    assert T.jacobian is st.gradient.jacobian and T.hessian is st.gradient.hessian


def test_the_derivative_is_of_the_stable_form():
    x = T.dscalar("x")
    assert value(st.grad(T.log(1 + T.exp(x)), x), {x: 800.0}) == 1.0


def test_places_where_derivatives_stop():
    x = T.dscalar("x")
    for stop in (st.gradient.disconnected_grad, st.gradient.zero_grad, st.gradient.consider_constant):
        assert value(st.grad(x * stop(x), x), {x: 3.0}) == 3.0
    assert value(st.grad(st.gradient.zero_grad(x ** 2), x), {x: 3.0}) == 0  # which depends on x
    y = x * 2
    assert value(st.grad(x * y, x, consider_constant=[y]), {x: 3.0}) == 6.0


VANISHING = {"x ** 0": lambda x: x ** 0, "x * 0": lambda x: x * 0, "x - x": lambda x: x - x, "x / x": lambda x: x / x}


@pytest.mark.parametrize("name", VANISHING)
def test_what_simplification_removes_is_still_what_was_written(name):
    x, v = T.dvector("x"), T.dvector("v")
    y = VANISHING[name](x)
    given = {x: np.array([1.0, 2.0]), v: np.array([3.0, 5.0])}
    for derivative in (st.grad(y.sum(), x), st.Lop(y, x, v), st.Rop(y, x, v)):
        assert value(derivative, given).tolist() == [0, 0]
    for square in (T.jacobian(y, x), T.hessian(y.sum(), x)):
        assert value(square, given).tolist() == [[0, 0], [0, 0]]


def test_derivatives_use_the_inputs_of_what_they_are_derivatives_of():
    w, v, x, y = T.dmatrix("w"), T.dmatrix("v"), T.dvector("x"), T.dvector("y")
    along = st.Rop(T.dot(x, w), w, v)
    point = [[1.0, 1.0], [1.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]], [0.0, 1.0]
    assert st.function([w, v, x], along)(*point).tolist() == [2, 2]
    assert st.function([w, v, y], along * 2, givens=[(x, y)])(*point).tolist() == [4, 4]
    assert st.function([v, x], along)(*point[1:]).tolist() == [2, 2]
    slope = st.grad((x ** 2).sum() + y.sum(), x)
    assert st.function([x, y], slope)([1.0], [5.0]).tolist() == [2]
    with pytest.raises(UnusedInputError, match="the input y is used by no output"):
        st.function([w, v, x, y], along)


@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_norms_have_derivative_zero_at_zero(order):
    x = T.dmatrix("x")
    slope = st.grad(x.norm(order, axis=1).sum(), x)
    found = value(slope, {x: np.array([[0.0, 0.0], [0.0, 1.0]])})
    assert found.tolist() == [[0, 0], [0, 1]]
    assert np.isnan(value(x.norm(order), {x: np.array([[np.nan, 1.0]])}))
    assert np.isnan(value(st.grad(T.sqrt((x ** 2).sum()), x), {x: np.zeros((1, 1))}))


def test_inputs_that_do_not_matter():
    x, y = T.dscalars("x", "y")
    with pytest.raises(DisconnectedInputError):
        st.grad(x * 2, y)
    assert value(st.grad(x * 2, y, disconnected_inputs="ignore"), {y: 1.0}) == 0.0


def test_derivatives_changed_on_their_way():
    x = T.dvector("x")
    point = {x: np.array([1.0, -0.1, 5.0])}
    clipped = st.grad((st.gradient.grad_clip(3 * x, -1, 1) ** 2).sum(), x)
    np.testing.assert_allclose(value(clipped, point), [3.0, -1.8, 3.0])
    assert value(st.gradient.grad_clip(x, -1, 1), point).tolist() == [1.0, -0.1, 5.0]
    scaled = st.grad((st.gradient.grad_scale(x, -0.5) ** 2).sum(), x)
    assert value(scaled, point).tolist() == [-1.0, 0.1, -5.0]
    np.testing.assert_allclose(clipped.eval(point), [3.0, -1.8, 3.0])


def test_jacobian_and_hessian():
    x = T.dvector("x")
    point = {x: np.array([1.0, 2.0])}
    assert value(st.gradient.jacobian(x ** 2, x), point).tolist() == [[2, 0], [0, 4]]
    assert value(st.gradient.hessian((x ** 3).sum(), x), point).tolist() == [[6, 0], [0, 12]]


def test_derivatives_of_parts_of_a_graph():
    x, w, b = T.dscalars("x", "w", "b")
    h = x * w
    cost = (h + b) ** 2
    (by_b,), (by_h,) = st.gradient.subgraph_grad([b], [h], cost=cost)
    (by_w,), (by_x,) = st.gradient.subgraph_grad([w], [x], start={h: by_h})
    point = {x: 2.0, w: 3.0, b: 1.0}
    found = [float(value(v, point)) for v in (by_b, by_h, by_w, by_x)]
    assert found == [14.0, 14.0, 28.0, 42.0]
    with pytest.raises(st.gradient.GradientError, match="subgraph_grad needs start or cost"):
        st.gradient.subgraph_grad([w], [x])


def test_verify_grad_has_theanos_address():
    st.gradient.verify_grad(lambda x: T.tanh(x).sum(), [numbers(3)], rng=np.random.default_rng(0))
    with pytest.raises(st.gradient.GradientError):
        st.gradient.verify_grad(lambda x: st.gradient.grad_scale(x, 2).sum(), [numbers(3)],
                                rng=np.random.default_rng(0))


COMPOSITIONS = {
    "softmax": lambda x: T.nnet.softmax(x), "logsoftmax": lambda x: T.nnet.logsoftmax(x),
    "logsumexp": lambda x: T.nnet.logsumexp(x, 0), "var": lambda x: T.var(x, 1), "std": lambda x: T.std(x),
    "norm": lambda x: x.norm(3), "tile": lambda x: T.tile(x, (2, 2)), "repeat": lambda x: x.repeat(2, 1),
    "roll": lambda x: T.roll(x, 1, 1), "diagonal": lambda x: x.diagonal(1), "diag": lambda x: T.diag(x[0], 1),
    "tril": lambda x: T.tril(x), "kron": lambda x: T.kron(x, x), "einsum": lambda x: T.einsum("ij,kj->ik", x, x),
    "batched_dot": lambda x: T.batched_dot(x, x), "split": lambda x: T.split(x, [1, 2], 2, 1)[1],
    "index": lambda x: x[::-1, [0, 2, 2]], "mask": lambda x: x[x > 0], "set": lambda x: T.set_subtensor(x[1:],
                                                                                                        x[:1] * 2),
    "increased": lambda x: T.inc_subtensor(x[:, [0, 0]], x[:, :2]), "prod": lambda x: T.prod(x, 0),
    "crossentropy": lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), np.array([0, 2])),
    "binary": lambda x: T.nnet.sigmoid_binary_crossentropy(x, 0.25), "elu": lambda x: T.nnet.elu(x),
    "normalized": lambda x: T.nnet.layer_normalization(x),
    "choose": lambda x: T.choose(np.array([[0], [1]]), [x, x * 2]), "clip": lambda x: x.clip(-0.5, 0.5),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions_have_right_derivatives(name):
    x, point = T.dmatrix("x"), numbers(2, 3)
    y = COMPOSITIONS[name](x)
    weights = numbers(*value(y, {x: point}).shape, seed=1)
    cost = (y * weights).sum()
    slope = value(st.grad(cost, x), {x: point})
    step = 1e-6
    for place in np.ndindex(*point.shape):
        up, down = point.copy(), point.copy()
        up[place] += step
        down[place] -= step
        numeric = (value(cost, {x: up}) - value(cost, {x: down})) / (2 * step)
        np.testing.assert_allclose(slope[place], numeric, rtol=1e-5, atol=1e-7)
