"""Factors of complex matrices against NumPy and SciPy, and their derivatives of both orders against differences."""

import numpy as np
import pytest
import scipy.linalg

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import AssertionFailed, LinearAlgebraError
from symtensor.gradient import verify_grad

from .agree import agree_compiled

rng = np.random.default_rng(2)


def normal(*shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def adjoint(a):
    return np.swapaxes(a, -1, -2).conj()


SQUARE, TALL, WIDE, BATCH, WIDES = normal(4, 4), normal(5, 3), normal(3, 5), normal(2, 3, 3), normal(2, 3, 5)
DEFINITE, MANY = SQUARE @ adjoint(SQUARE) + np.eye(4), BATCH @ adjoint(BATCH) + np.eye(3)



FUNCTIONS = {
    "cholesky": (T.linalg.cholesky, np.linalg.cholesky, [[DEFINITE], [MANY]]),
    "upper cholesky": (lambda a: T.linalg.cholesky(a, lower=False), lambda a: scipy.linalg.cholesky(a), [[DEFINITE]]),
    "qr": (T.linalg.qr, np.linalg.qr, [[SQUARE], [TALL], [WIDE], [BATCH]]),
    "complete qr": (lambda a: T.linalg.qr(a, "complete"), lambda a: np.linalg.qr(a, "complete"), [[TALL], [WIDE]]),
    "r": (lambda a: T.linalg.qr(a, "r"), lambda a: np.linalg.qr(a, "r"), [[TALL], [WIDE]]),
    "svd": (T.linalg.svd, np.linalg.svd, [[TALL], [WIDE], [BATCH]]),
    "thin svd": (lambda a: T.linalg.svd(a, False), lambda a: np.linalg.svd(a, False), [[TALL], [WIDE], [WIDES]]),
    "svdvals": (T.linalg.svdvals, lambda a: np.linalg.svd(a, compute_uv=False), [[TALL], [BATCH]]),
    "eigh": (T.linalg.eigh, np.linalg.eigh, [[DEFINITE], [SQUARE], [BATCH]]),
    "upper eigh": (lambda a: T.linalg.eigh(a, "U"), lambda a: np.linalg.eigh(a, "U"), [[SQUARE]]),
    "eigvalsh": (T.linalg.eigvalsh, np.linalg.eigvalsh, [[DEFINITE], [BATCH]]),
    "eigvalsh of two": (T.linalg.eigvalsh, scipy.linalg.eigvalsh, [[SQUARE + adjoint(SQUARE), DEFINITE]]),
    "upper eigvalsh of two": (lambda a, b: T.linalg.eigvalsh(a, b, lower=False), scipy.linalg.eigvalsh,
                              [[SQUARE + adjoint(SQUARE), DEFINITE]]),
    "eig": (T.linalg.eig, scipy.linalg.eig, [[SQUARE]]),
    "eigvals": (T.linalg.eigvals, scipy.linalg.eigvals, [[SQUARE]]),
    "lu": (T.linalg.lu, scipy.linalg.lu, [[SQUARE], [TALL], [WIDES]]),
    "pinv": (T.linalg.pinv, np.linalg.pinv, [[TALL], [WIDE], [BATCH]]),
    "slogdet": (T.linalg.slogdet, np.linalg.slogdet, [[SQUARE], [BATCH], [np.zeros((2, 2), complex)]]),
    "lstsq": (T.linalg.lstsq, lambda a, b: np.linalg.lstsq(a, b, -1),
              [[TALL, TALL[:, :2] ** 2], [TALL, TALL[:, 0] ** 2], [WIDE, TALL[:3]]]),
    "matrix_power": (lambda a: T.linalg.matrix_power(a, 5), lambda a: np.linalg.matrix_power(a, 5),
                     [[SQUARE], [BATCH]]),
    "negative power": (lambda a: T.linalg.matrix_power(a, -2), lambda a: np.linalg.matrix_power(a, -2), [[SQUARE]]),
    "expm": (T.linalg.expm, scipy.linalg.expm, [[SQUARE], [BATCH], [SQUARE * 20], [SQUARE * 1e-9]]),
    "cho_solve": (lambda a, b: T.linalg.cho_solve((T.linalg.cholesky(a), True), b), np.linalg.solve,
                  [[DEFINITE, SQUARE]]),
    "upper cho_solve": (lambda a, b: T.linalg.cho_solve((T.linalg.cholesky(a, False), False), b), np.linalg.solve,
                        [[DEFINITE, SQUARE[0]]]),
    "positive solve": (lambda a, b: T.linalg.solve(a, b, assume_a="pos"), np.linalg.solve, [[DEFINITE, SQUARE]]),
    "conjugate triangle": (lambda a, b: T.linalg.solve_triangular(a, b, lower=True, trans="C"),
                           lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True, trans="C"), [[SQUARE, SQUARE]]),
    "kron": (T.linalg.kron, np.kron, [[TALL, WIDE]]),
    "tensorinv": (lambda a: T.linalg.tensorinv(a, 1), lambda a: np.linalg.tensorinv(a, 1), [[SQUARE.reshape(4, 2, 2)]]),
} | {
    f"norm {order}": (lambda a, order=order: T.linalg.norm(a, order), lambda a, order=order: np.linalg.norm(a, order),
                      [[TALL], [WIDE]]) for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
} | {
    f"norm {order} of vectors": (lambda a, order=order: T.linalg.norm(a, order),
                                 lambda a, order=order: np.linalg.norm(a, order), [[TALL[0]]])
    for order in (None, 0, 1, 3, -1, np.inf, -np.inf)
}


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name, dtype):
    agree_compiled(*FUNCTIONS[name], dtype, 1e-9 if dtype == "complex128" else 3e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_general_eigenvectors_solve_their_equation(dtype):
    a = (SQUARE.real if dtype.startswith("f") else SQUARE).astype(dtype)
    x = T.tensor(dtype, shape=(None, None), name="x")
    f = st.function([x], [*T.linalg.eig(x), T.linalg.eigvals(x)])
    w, v, alone = f(a)
    wide = "complex64" if dtype in ("float32", "complex64") else "complex128"
    assert w.dtype == v.dtype == wide
    tolerance = 1e-4 if wide == "complex64" else 1e-12
    np.testing.assert_allclose(a @ v, v * w, atol=tolerance)
    np.testing.assert_allclose(np.linalg.norm(v, axis=0), 1, atol=tolerance)
    np.testing.assert_allclose(np.sort_complex(alone), np.sort_complex(np.linalg.eigvals(a)), atol=tolerance)
    with pytest.raises(LinearAlgebraError, match="the iteration did not converge"):
        f(np.full((2, 2), np.nan, dtype))



def exponential_by_eigenvectors(a):
    w, v = T.linalg.eigh(a)
    return (v * T.exp(1j * w)) @ T.conj(v.T)


def rooted(a):
    u, s, v = T.linalg.svd(a, False)
    return (u * T.sqrt(s)) @ v


def square_by_eigenvectors(a):
    w, v = T.linalg.eig(a)
    return T.real((v * w ** 2) @ T.linalg.inv(v)) if a.dtype == "float64" else (v * w ** 2) @ T.linalg.inv(v)


SLOPES = {
    "cholesky": (T.linalg.cholesky, [DEFINITE]), "upper": (lambda a: T.linalg.cholesky(a, False), [MANY]),
    "cho_solve": (lambda a, b: T.linalg.solve(a, b, assume_a="pos"), [DEFINITE, SQUARE[:, :2]]),
    "q": (lambda a: T.linalg.qr(a)[0], [TALL]), "r": (lambda a: T.linalg.qr(a, "r"), [SQUARE]),
    "wide q and r": (lambda a: T.linalg.qr(a)[0] @ T.linalg.qr(a)[1] ** 2, [WIDE]),
    "eigvalsh": (T.linalg.eigvalsh, [SQUARE]), "sizes of eigh": (lambda a: abs(T.linalg.eigh(a)[1]) ** 3, [BATCH]),
    "eigh": (exponential_by_eigenvectors, [SQUARE]),
    "svdvals": (T.linalg.svdvals, [TALL]), "svd": (rooted, [SQUARE]), "tall svd": (rooted, [TALL]),
    "wide svd": (rooted, [WIDE]), "sizes of u": (lambda a: abs(T.linalg.svd(a, False)[0]), [TALL]),
    "sizes of v": (lambda a: abs(T.linalg.svd(a, False)[2]), [TALL]),
    "eigvals": (lambda a: T.exp(T.linalg.eigvals(a)).sum(), [SQUARE]),
    "real eigvals": (lambda a: T.exp(T.linalg.eigvals(a)), [SQUARE.real.copy()]),
    "sizes of eig": (lambda a: abs(T.linalg.eig(a)[1]), [SQUARE]), "eig": (square_by_eigenvectors, [SQUARE]),
    "eig of real ones": (square_by_eigenvectors, [SQUARE.real.copy()]),
    "slogdet": (lambda a: T.linalg.slogdet(a)[0] * T.linalg.slogdet(a)[1], [SQUARE]),
    "pinv": (T.linalg.pinv, [TALL]), "wide pinv": (T.linalg.pinv, [WIDE]),
    "lstsq": (lambda a, b: T.linalg.lstsq(a, b)[0], [TALL, TALL[:, :2] ** 2]),
    "l and u": (lambda a: T.linalg.lu(a)[1] @ T.linalg.lu(a)[2] ** 2, [WIDE]),
    "expm": (T.linalg.expm, [SQUARE]), "power": (lambda a: T.linalg.matrix_power(a, -3), [SQUARE]),
    "nuclear norm": (lambda a: T.linalg.norm(a, "nuc"), [TALL]), "largest": (lambda a: T.linalg.norm(a, 2), [TALL]),
    "triangle": (lambda a, b: T.linalg.solve_triangular(a, b, trans="C"), [SQUARE, SQUARE[:, :1]]),
}


def slope_of(build):
    """A derivative of what is built, as a real scalar."""
    def slope(*given):
        made = build(*given)
        cost = (T.real(made) ** 2).sum() + 2 * (T.imag(made) ** 2).sum()
        slopes = st.grad(cost, list(given))
        return sum((T.real(one) - 2 * T.imag(one)).sum() for one in slopes)
    return slope


@pytest.mark.parametrize("name", SLOPES)
def test_derivatives_of_both_orders(name):
    build, arrays = SLOPES[name]
    verify_grad(build, arrays)
    verify_grad(slope_of(build), arrays, n_tests=1, abs_tol=1e-5, rel_tol=1e-5)


@pytest.mark.parametrize("build", [
    lambda a: T.real(T.linalg.eigh(a)[1]), lambda a: T.real(T.linalg.eig(a)[1]),
    lambda a: T.real(T.linalg.svd(a, False)[0]),
    lambda a: T.real(T.linalg.svd(a, False)[0] @ T.linalg.svd(a, False)[2].T),
])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_cost_that_depends_on_the_angles_of_vectors_has_no_derivative(build, dtype):
    a = T.matrix("a", dtype)
    f = st.function([a], st.grad(build(a).sum(), a))
    with pytest.raises(AssertionFailed, match="the cost depends on the angles of complex vectors"):
        f(SQUARE.astype(dtype))


def test_angles_of_single_precision_do_not_count():
    a = T.cmatrix("a")
    w, v = T.linalg.eigh(a)
    f = st.function([a], st.grad((abs(v) ** 3).sum() + w.sum(), a))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        f((rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))).astype("complex64"))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 3), (0, 2, 2)])
def test_nothing_in_complex_matrices(shape):
    a = T.tensor("complex128", shape=[None] * len(shape), name="a")
    outputs = [*T.linalg.qr(a), *T.linalg.svd(a), T.linalg.pinv(a)]
    array = np.zeros(shape, complex)
    wanted = [*np.linalg.qr(array), *np.linalg.svd(array), np.linalg.pinv(array)]
    for one, own in zip(st.function([a], outputs)(array), wanted):
        np.testing.assert_array_equal(one, own)


def test_a_hermitian_matrix_is_read_by_one_triangle():
    for lower in (True, False):
        a = T.zmatrix("a")
        f = st.function([a], [T.linalg.cholesky(a, lower), T.linalg.eigvalsh(a, lower=lower)])
        unread = (np.triu if lower else np.tril)(np.ones((4, 4)), 1 if lower else -1) > 0
        for one, own in zip(f(np.where(unread, np.nan, DEFINITE)), f(DEFINITE)):
            np.testing.assert_array_equal(one, own)
