"""Rules that are true of real numbers only leave complex ones alone: both sides of branch cuts, and random graphs."""

import random

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.rewrite.phases import optimize, stabilized
from symtensor.testing.random_graphs import random_graph
from symtensor.types.dtype import NARROW

RNG = np.random.default_rng(3)
SPREAD = RNG.normal(size=(2, 8, 5)) * 3 + 1j * RNG.normal(size=(2, 8, 5)) * 3

EXPRESSIONS = {
    "log of exp": lambda z, w: T.log(T.exp(z)),
    "exp of log": lambda z, w: T.exp(T.log(z)),
    "log of a product": lambda z, w: T.log(T.exp(z) * w),
    "log of a quotient": lambda z, w: T.log(T.exp(z) / w),
    "log of a reciprocal": lambda z, w: T.log(1 / z),
    "log of a power": lambda z, w: T.log(z ** 2) + T.log(z ** 3) + T.log(T.sqrt(z)),
    "log of a root": lambda z, w: T.log(T.sqrt(z * w)),
    "log of a sum of exponentials": lambda z, w: T.log(T.exp(z).sum(axis=1)) + T.log(T.exp(z) + T.exp(w)).sum(axis=1),
    "log of one and exp": lambda z, w: T.log(1 + T.exp(z)) + T.log1p(T.exp(z)) + T.log(1 - T.exp(z)),
    "log of one more": lambda z, w: T.log(1 + z) + T.log(z + 1.0),
    "exp less one": lambda z, w: T.exp(z) - 1,
    "softmax": lambda z, w: T.exp(z) / T.exp(z).sum(axis=1, keepdims=True),
    "sigmoid": lambda z, w: 1 / (1 + T.exp(-z)) + T.exp(z) / (1 + T.exp(z)),
    "tanh": lambda z, w: (T.exp(z) - T.exp(-z)) / (T.exp(z) + T.exp(-z)),
    "root of a square": lambda z, w: T.sqrt(z * z) + T.sqrt(z ** 2) + (z ** 2) ** 0.5,
    "square of a root": lambda z, w: T.sqrt(z) ** 2 + T.sqrt(z) * T.sqrt(z),
    "roots of products": lambda z, w: T.sqrt(z) * T.sqrt(w) + T.sqrt(z) / T.sqrt(w) + T.sqrt(1 / z),
    "powers of products": lambda z, w: (z * w) ** 0.5 + (z ** 0.3) ** 2 + (z ** 3) ** (1 / 3) + z ** 0.5 * z ** 0.25,
    "powers of powers": lambda z, w: (z ** w) ** 2 + T.exp(w) ** 0.5 + T.exp(z * 2) + T.sqrt(T.exp(z)),
    "powers": lambda z, w: z ** 2 + z ** 3 + z ** -1 + z ** -2 + z ** 0 + z ** 1 + z ** 0.5 + 2 ** z + z ** 1.5,
    "square of a size": lambda z, w: abs(z) ** 2 + abs(z * w) * abs(w) + abs(z ** 2) + abs(T.sqrt(z)),
    "sizes": lambda z, w: abs(abs(z)) + abs(-z) + abs(T.conj(z)) + abs(T.exp(z)) + abs(T.square(z)),
    "signs": lambda z, w: T.sgn(z) * abs(z) + T.sgn(z * w) + T.sgn(-z) + T.sgn(T.sgn(z)) + T.sgn(z * 2),
    "circles": lambda z, w: T.sin(z) ** 2 + T.cos(z) ** 2 + T.sin(-z) + T.cos(-z) + T.sin(z) / T.cos(z),
    "hyperbolas": lambda z, w: T.sinh(z) / T.cosh(z) + T.cosh(z) ** 2 - T.sinh(z) ** 2,
    "inverses": lambda z, w: T.arcsin(T.sin(z)) + T.arctan(T.tan(z)) + T.arcsinh(T.sinh(z)) + T.arccosh(T.cosh(z)),
    "inverses of inverses": lambda z, w: T.sin(T.arcsin(z)) + T.cos(T.arccos(z)) + T.sinh(T.arcsinh(z)),
    "order": lambda z, w: T.maximum(z, w) + T.minimum(z, w) + T.maximum(z, z) + T.switch(z > w, z, w),
    "comparisons": lambda z, w: T.eq(z, w) | T.neq(z, z) | (z < w) | (z * 2 < w * 2) | (z - w > 0) | ~(z <= w),
    "conjugates": lambda z, w: T.conj(T.conj(z) * w) + T.real(T.conj(z)) + T.imag(T.conj(z)) * 1j + z * T.conj(z),
    "parts": lambda z, w: T.complex(T.real(z), T.imag(z)) + T.real(T.complex(T.real(w), T.imag(z))),
    "sums": lambda z, w: (z + w - z) * 2 + z + z + 3 * z - (z - w) + 0 * z,
    "products": lambda z, w: z * w / z + z / w / z + (-z) * (-w) + z * 2 * 1j * w * 3,
    "reductions": lambda z, w: (z * 2).sum(axis=1) + T.prod(z * w, axis=1) + (-z).sum(axis=1) + T.exp(z).prod(axis=1),
    "matrices": lambda z, w: T.dot(z, z.T) + T.dot(T.conj(z), z.T) + T.dot(w, z.T).T,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_rules_know_complex_numbers(name):
    z, w = T.zmatrix("z"), T.zmatrix("w")
    outputs = [EXPRESSIONS[name](z, w)]
    expected = evaluate(outputs, {z: SPREAD[0], w: SPREAD[1]})
    graph = Graph([z, w], outputs)
    with config.change(on_rewrite_error="raise", verify=True):
        found = evaluate(stabilized(outputs, [z, w]), {z: SPREAD[0], w: SPREAD[1]})
        optimize(graph)
    for values in (found, evaluate_graph(graph, list(SPREAD))):
        assert values[0].dtype == expected[0].dtype
        np.testing.assert_allclose(values[0], expected[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_mean_the_same(seed):
    made = random_graph(random.Random(seed), steps=14, dtype="complex128")
    given = dict(zip(made.inputs, made.values))
    try:
        expected = evaluate(made.outputs, given)
    except ShapeError:
        pytest.skip("the sizes drawn do not fit")
    graph = Graph(made.inputs, made.outputs)
    with config.change(on_rewrite_error="raise", verify=True):
        optimize(graph)
        found = evaluate(stabilized(made.outputs, made.inputs), given)
    if all(np.all(np.abs(v) < 1e12) for v in expected if v.dtype.kind in "fc"):
        for values in (found, evaluate_graph(graph, made.values)):
            for want, got in zip(expected, values, strict=True):
                assert got.dtype == want.dtype
                np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9 * np.max(np.abs(want), initial=1.0))


@pytest.mark.parametrize("dtype", NARROW)
def test_parts_of_a_number_made_of_narrow_floats_are_wider(dtype):
    x = T.vector("x", dtype=dtype)
    z = T.complex(x, x + 1)
    values = np.array([0.5, -2.0], dtype)
    for found, wanted in zip(st.function([x], [z.real, z.imag])(values), ([0.5, -2.0], [1.5, -1.0])):
        assert found.dtype == "float32" and found.tolist() == wanted
