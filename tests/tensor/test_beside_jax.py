"""Derivatives of linear algebra beside JAX's, where that is installed: first ones, and Hessians times a direction."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

jax = pytest.importorskip("jax", reason="JAX is not installed: it is no dependency")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy
rng = np.random.default_rng(11)
SQUARE = rng.normal(size=(4, 4)) + 3 * np.eye(4)
DEFINITE = SQUARE @ SQUARE.T + np.eye(4)
MANY, TALL, RIGHT = rng.normal(size=(3, 4, 4)) + 3 * np.eye(4), rng.normal(size=(5, 3)), rng.normal(size=(4, 2))


def both(linalg, a):
    """The symmetric matrix of a lower triangle: JAX differentiates by both triangles, we by the one that is read."""
    lower = a * np.tril(np.ones((4, 4)))
    return lower + linalg.swapaxes(lower, -1, -2) - lower * np.eye(4)


FUNCTIONS = {
    "inv": (lambda a: T.linalg.inv(a), lambda a: jnp.linalg.inv(a), [MANY]),
    "det": (lambda a: T.linalg.det(a), lambda a: jnp.linalg.det(a), [MANY]),
    "slogdet": (lambda a: T.linalg.slogdet(a)[1], lambda a: jnp.linalg.slogdet(a)[1], [MANY]),
    "pinv": (lambda a: T.linalg.pinv(a), lambda a: jnp.linalg.pinv(a), [TALL]),
    "solve": (lambda a, b: T.linalg.solve(a, b), lambda a, b: jnp.linalg.solve(a, b), [SQUARE, RIGHT]),
    "triangle": (lambda a, b: T.linalg.solve_triangular(a, b, lower=True),
                 lambda a, b: jax.scipy.linalg.solve_triangular(a, b, lower=True), [SQUARE, RIGHT]),
    "cholesky": (lambda a: T.linalg.cholesky(both(T, a)), lambda a: jnp.linalg.cholesky(both(jnp, a)), [DEFINITE]),
    "positive solve": (lambda a, b: T.linalg.solve(both(T, a), b, assume_a="pos"),
                       lambda a, b: jnp.linalg.solve(both(jnp, a), b), [DEFINITE, RIGHT]),
    "qr": (lambda a: T.linalg.qr(a)[0], lambda a: jnp.linalg.qr(a)[0], [TALL]),
    "r": (lambda a: T.linalg.qr(a, "r"), lambda a: jnp.linalg.qr(a)[1], [TALL]),
    "svd": (lambda a: T.linalg.svd(a, False)[0] ** 2, lambda a: jnp.linalg.svd(a, False)[0] ** 2, [TALL]),
    "svdvals": (lambda a: T.linalg.svdvals(a), lambda a: jnp.linalg.svd(a, compute_uv=False), [TALL]),
    "eigh": (lambda a: T.linalg.eigh(both(T, a))[1] ** 2, lambda a: jnp.linalg.eigh(both(jnp, a))[1] ** 2, [DEFINITE]),
    "eigvalsh": (lambda a: T.linalg.eigvalsh(both(T, a)), lambda a: jnp.linalg.eigvalsh(both(jnp, a)), [DEFINITE]),
    "expm": (lambda a: T.linalg.expm(a), lambda a: jax.scipy.linalg.expm(a), [SQUARE / 2]),
    "power": (lambda a: T.linalg.matrix_power(a, -3), lambda a: jnp.linalg.matrix_power(a, -3), [SQUARE]),
    "kron": (lambda a, b: T.linalg.kron(a, b), lambda a, b: jnp.kron(a, b), [TALL, RIGHT]),
    "nuclear norm": (lambda a: T.linalg.norm(a, "nuc"), lambda a: jnp.linalg.norm(a, "nuc"), [TALL]),
    "lstsq": (lambda a, b: T.linalg.lstsq(a, b)[0], lambda a, b: jnp.linalg.lstsq(a, b)[0], [TALL, TALL[:, :2] ** 2]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_both_orders(name):
    ours, theirs, arrays = FUNCTIONS[name]
    variables = [T.tensor("float64", shape=[None] * array.ndim, name=f"x{i}") for i, array in enumerate(arrays)]
    weights = np.cos(np.arange(np.prod(np.shape(theirs(*arrays))))).reshape(np.shape(theirs(*arrays)))
    slopes = st.grad((ours(*variables) * weights).sum(), variables)
    seconds = st.grad((slopes[0] * np.sin(arrays[0])).sum(), variables, disconnected_inputs="ignore")

    def cost(*given):
        return (theirs(*given) * weights).sum()

    def along(*given):
        return (jax.grad(cost)(*given) * np.sin(arrays[0])).sum()

    places = tuple(range(len(arrays)))
    found = st.function(variables, [*slopes, *seconds])(*arrays)
    wanted = [*jax.grad(cost, places)(*arrays), *jax.grad(along, places)(*arrays)]
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7 * abs(other).max())
