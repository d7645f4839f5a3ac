"""Derivatives by complex numbers: both modes, first and second order, against differences of both parts."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GradientError, TypeMismatch
from symtensor.ops.elementwise import Elementwise, primitives
from symtensor.testing.verify_grad import verify_grad

RNG = np.random.default_rng(5)
COUNT = 6


def points(count=COUNT):
    """Numbers away from zeros, branch cuts and ties."""
    sizes, angles = RNG.uniform(0.4, 0.9, count), RNG.uniform(0.2, 1.3, count) * RNG.choice([-1, 1], count)
    return sizes * np.exp(1j * angles)


def slopes(function):
    """What a function is to change by: a function of its derivatives, so that these are differentiated."""
    def changed(*given):
        cost = T.real(function(*given)).sum() + 2 * T.imag(function(*given)).sum()
        found = st.grad(cost, list(given), disconnected_inputs="ignore")
        return sum((number + 1.0) * (T.real(d) * 2 - T.imag(d)).sum() for number, d in enumerate(found))
    return changed


ELEMENTWISE = [op for op in primitives.values() if isinstance(op, Elementwise) and op.definition.parts is not None
               and op.definition.kind not in ("compare", "predicate", "switch") and op.name != "stop_gradient"]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_elementwise(op):
    given = [points() for _ in range(op.definition.arity)]
    if op.definition.kind == "complex":
        given = [array.real for array in given]
    verify_grad(op, given)
    verify_grad(slopes(op), given, abs_tol=1e-5, rel_tol=1e-5)


COMPOSED = {
    "casts": lambda z, x: T.exp(1j * x) * z + T.conj(z) * x,
    "broadcast": lambda z, x: z[:, None] * x * T.abs_(z) + T.real(z)[None, :],
    "sizes": lambda z, x: abs(z * x) ** 2 + T.angle(z),
    "switch": lambda z, x: T.switch(x > 0.5, z * z, T.conj(z)),
    "sums": lambda z, x: (z * x).sum() * T.conj(z).mean() + T.prod(z),
    "moves": lambda z, x: T.set_subtensor(z[1:3], z[2:4] * 1j)[::-1] + T.concatenate([z[:2], T.tanh(z[2:])]),
    "gather": lambda z, x: T.inc_subtensor(z[[0, 2, 2]], z[[1, 1, 3]] * x[0]) * z[[0, 0, 1, 2, 3, 4]],
    "products": lambda z, x: T.dot(T.outer(z, T.conj(z)), z) + T.dot(T.outer(z, x).T, T.conj(z)),
    "einsum": lambda z, x: T.einsum("i,j,j->ij", z, T.conj(z), x),
    "polar": lambda z, x: T.complex_from_polar(x, T.abs_(z)) * T.complex(x, T.imag(z)),
    "powers": lambda z, x: z ** 3 + z ** (1 + 0.5j) + (2 + z) ** x,
}


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions(name):
    given = [points(), RNG.uniform(0.2, 0.9, COUNT)]
    verify_grad(COMPOSED[name], given)
    verify_grad(slopes(COMPOSED[name]), given, abs_tol=1e-5, rel_tol=1e-5)
    compiled = lambda inputs, outputs: st.function(list(inputs), list(outputs), on_unused_input="ignore")  # noqa: E731
    verify_grad(COMPOSED[name], given, n_tests=1, compile=compiled)


def test_through_a_loop():
    def last(z, c):
        return st.scan(lambda z, c: z * z * 0.5 + c, sequences=None, outputs_info=z, non_sequences=c, n_steps=4)[0][-1]
    verify_grad(last, [points(3), points(3)])


def test_the_derivative_is_the_step_uphill():
    z = T.zscalar("z")
    slope = st.function([z], st.grad(abs(z - (1 + 2j)) ** 2, z))
    assert slope(0j) == pytest.approx(-2 - 4j)
    assert slope(3 - 1j) == pytest.approx(2 * (2 - 3j))
    by_real = st.function([z], st.grad(T.real(z * (2 + 3j)), z))
    assert by_real(1j) == 2 - 3j  # d/dx is 2, d/dy is -3


def test_descent_finds_a_root():
    z = st.shared(np.complex128(2 + 1j))
    cost = abs(z ** 2 + 1) ** 2
    step = st.function([], cost, updates=[(z, z - 0.02 * st.grad(cost, z))])
    for _ in range(300):
        final = step()
    assert final < 1e-12 and abs(z.get_value() - 1j) < 1e-6


def test_derivatives_given_and_taken_have_one_convention():
    z, w = T.zvector("z"), T.zvector("w")
    f = T.exp(z) * 1j
    whole = st.grad(abs(f).sum(), z)
    part = st.grad(None, z, known_grads={f: st.grad(abs(f).sum(), f)})
    a = points(3)
    np.testing.assert_allclose(whole.eval({z: a}), part.eval({z: a}))
    left = st.Lop(f, z, w).eval({z: a, w: a[::-1]})
    along = st.Rop(f, z, w).eval({z: a, w: a})
    assert np.vdot(a[::-1], along).real == pytest.approx(np.vdot(left, a).real)


def test_jacobian_of_real_values():
    z = T.zvector("z")
    a = points(3)
    found = st.function([z], st.gradient.jacobian(T.real(z * z), z))(a)
    np.testing.assert_allclose(found, np.diag(2 * np.conj(a)), atol=1e-12)


def test_a_complex_cost_is_refused():
    z = T.zscalar("z")
    with pytest.raises(TypeMismatch, match="the cost must be a real scalar, and .* is complex"):
        st.grad(z * z, z)


def test_at_zero_the_size_has_derivative_zero():
    z = T.zvector("z")
    assert st.function([z], st.grad(abs(z).sum(), z))([0, 2j]).tolist() == [0, 1j]


def test_what_has_none_says_so():
    a = T.zmatrix("a")
    with pytest.raises(GradientError, match="vectors beyond the singular values are any"):
        st.grad(abs(T.linalg.svd(a)[0]).sum(), a)
