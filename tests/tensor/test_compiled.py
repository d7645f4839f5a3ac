"""The vocabulary compiled means what the interpreter says it means, values and derivatives."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.interpret import evaluate

from .agree import numbers

x, y, v, i = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v"), T.lvector("i")
GIVEN = {x: numbers(4, 3), y: numbers(3, 4, seed=1), v: numbers(3, seed=2), i: np.array([0, 2, 1, 1])}
nnet = T.nnet

FAMILIES = {
    "reductions": {
        "sum": x.sum(0), "mean": x.mean(1, keepdims=True), "var": x.var(0), "std": x.std(), "max": x.max(1),
        "argmax": x.argmax(1), "argmax of all": x.argmax(), "any": (x > 0).any(1), "prod": x.prod(0),
        "norm": x.norm(2, 1), "ptp": x.ptp(0), "counts": (x > 0).sum(1)},
    "networks": {
        "softmax": nnet.softmax(x), "logsoftmax": nnet.logsoftmax(x), "logsumexp": nnet.logsumexp(x, 0),
        "crossentropy": nnet.categorical_crossentropy(nnet.softmax(x), i), "elu": nnet.elu(x),
        "relu": nnet.relu(x, 0.1), "binary": nnet.binary_crossentropy(nnet.sigmoid(x), nnet.sigmoid(2 * x)),
        "batch normalization": nnet.batch_normalization_train(x, 1.5 * T.ones((1, 3)), T.zeros((1, 3)))[0],
        "layer normalization": nnet.layer_normalization(x)},
    "products": {
        "dot": T.dot(x, y), "by a vector": T.dot(x, v), "of vectors": T.dot(v, v), "outer": T.outer(v, v),
        "transposed": T.dot(x.T, x), "tensordot": T.tensordot(x, x, [[0], [0]]), "kron": T.kron(x, y),
        "einsum": T.einsum("ij,jk,k->i", x, y, y[0]), "batched": T.batched_dot(x[:, None, :], x[:, :, None]),
        "covariances": T.cov(x)},
    "indices": {
        "slices": x[1:, ::-1], "rows": x[i], "elements": x[i, [0, 1, 2, 0]], "mixed": x[None, 1:, [0, 2]],
        "mask": x[x > 0], "set": T.set_subtensor(x[1:], 7), "increased": T.inc_subtensor(x[i], 1.0),
        "take": x.take(i, 1, mode="wrap"), "choose": T.choose(i, [x[:, 0], x[:, 1], x[:, 2]]),
        "compress": T.compress(i > 0, x, 0), "positions": T.nonzero(x > 0)[0], "repeat each": T.repeat(x, i, 0)},
    "shapes": {
        "tile": T.tile(x, (2, 3)), "repeat": T.repeat(x, 3, 1), "roll": T.roll(x, 1, 0),
        "joined": T.concatenate([x, 2 * x], 1), "stacked": T.stack([v, v], 1), "split": T.split(x, [1, 3], 2)[1],
        "reshaped": x.reshape((2, -1)), "flat": x.flatten(), "moved": T.moveaxis(x[None], 0, 2),
        "shape": x.shape, "size": x.size},
    "patterns": {
        "diag": T.diag(v, 1), "diagonal": T.diagonal(x), "trace": T.trace(x), "tril": T.tril(x),
        "eye": T.eye(x.shape[0], k=1), "range": T.arange(x.shape[0]), "steps": T.arange(0, v[0] ** 2, 0.05),
        "spaced": T.linspace(0.0, 1.0, 7), "one hot": T.to_one_hot(i, 4), "filled": T.fill_diagonal(x, 3),
        "grid": T.mgrid[:x.shape[0], :3][1], "differences": T.diff(x, 1, 0), "diagonals made": T.alloc_diag(x, -1)},
    "order": {
        "sort": T.sort(x, 0), "argsort": x.argsort(1), "flat": T.sort(x, None), "largest": T.topk(x, 2),
        "smallest": T.topk(x, -2, 0), "largest few of i": T.topk(v, i[3]), "places": T.argtopk(x, 1, 0),
        "cumsum": x.cumsum(1), "cumprod": x.cumprod(0), "of all": T.cumprod(x), "searched": T.searchsorted(v.sort(), x),
        "counts": T.bincount(i, x[:, 0], 6), "along": T.take_along_axis(x, x.argsort(0), 0),
        **{f"unique {n}": part for n, part in enumerate(T.unique(T.round(x), True, True, True))}},
    "functions": {
        "gammaln": T.gammaln(abs(x) + 2), "psi": T.psi(abs(x) + 2), "tri_gamma": T.tri_gamma(abs(x) + 1),
        "gamma": T.gamma(abs(x)), "erfcx": T.erfcx(x), "erfinv": T.erfinv(T.tanh(x)), "erfcinv": T.erfcinv(abs(x) / 3),
        "gammainc": T.gammainc(2.5, abs(x)), "gammau": T.gammau(1.5, abs(x)), "chi2sf": T.chi2sf(abs(x), 3),
        "j0": T.j0(x), "j1": T.j1(x), "jv": T.jv(0.5, abs(x)), "i0": T.i0(x), "i1": T.i1(x), "iv": T.iv(1.5, abs(x)),
        "a sum of them": (T.gammaln(abs(x) + 1) * T.erfcx(x)).sum(0)},
    "borders": {mode: T.pad(x, ((2, 1), (0, 3)), mode) for mode in (
        "constant", "edge", "wrap", "reflect", "symmetric", "maximum", "minimum", "mean")},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_values(family):
    expressions = FAMILIES[family]
    compiled = st.function(list(GIVEN), expressions, on_unused_input="ignore")(*GIVEN.values())
    for name, expected in zip(expressions, evaluate(list(expressions.values()), GIVEN), strict=True):
        np.testing.assert_allclose(compiled[name], expected, rtol=1e-10, atol=1e-12, err_msg=name)
        assert compiled[name].dtype == expected.dtype, name


@pytest.mark.parametrize("family", FAMILIES)
def test_derivatives(family):
    costs = {name: T.sqr(e).sum() for name, e in FAMILIES[family].items() if e.dtype == "float64"}
    slopes = {name: st.grad(cost, x, disconnected_inputs="ignore") for name, cost in costs.items()}
    compiled = st.function(list(GIVEN), slopes, on_unused_input="ignore")(*GIVEN.values())
    for name, expected in zip(slopes, evaluate(list(slopes.values()), GIVEN), strict=True):
        np.testing.assert_allclose(compiled[name], expected, rtol=1e-9, atol=1e-12, err_msg=name)
