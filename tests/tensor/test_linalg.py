"""Factors and solutions, against NumPy and SciPy; derivatives of both orders are checked in tests/ops."""

import numpy as np
import pytest
import scipy.linalg

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch

rng = np.random.default_rng(1)
ROOT = rng.normal(size=(2, 3, 3))
DEFINITE = ROOT @ ROOT.swapaxes(1, 2) + np.eye(3)
MATRIX, RIGHT = rng.normal(size=(3, 3)) + 3 * np.eye(3), rng.normal(size=(3, 2))


@pytest.mark.parametrize("lower", [False, True])
def test_cholesky(lower):
    x = T.dmatrix("x")
    f = st.function([x], T.linalg.cholesky(x, lower=lower))
    np.testing.assert_allclose(f(DEFINITE[0]), scipy.linalg.cholesky(DEFINITE[0], lower=lower))
    unread = (np.triu if lower else np.tril)(np.ones((3, 3)), 1 if lower else -1) > 0
    np.testing.assert_allclose(f(np.where(unread, np.nan, DEFINITE[0])), f(DEFINITE[0]))


def test_cholesky_of_a_batch():
    np.testing.assert_allclose(T.linalg.cholesky(DEFINITE).eval(), np.linalg.cholesky(DEFINITE))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
@pytest.mark.parametrize("unit", [False, True])
def test_solve_triangular(lower, trans, unit):
    for right in (RIGHT, RIGHT[:, 0]):
        found = T.slinalg.solve_triangular(MATRIX, right, lower=lower, trans=trans, unit_diagonal=unit).eval()
        wanted = scipy.linalg.solve_triangular(MATRIX, right, lower=lower, trans=trans, unit_diagonal=unit)
        np.testing.assert_allclose(found, wanted)


def test_solve_and_batches():
    np.testing.assert_allclose(T.linalg.solve(MATRIX, RIGHT).eval(), np.linalg.solve(MATRIX, RIGHT))
    np.testing.assert_allclose(T.linalg.solve(DEFINITE, RIGHT).eval(), np.linalg.solve(DEFINITE, RIGHT))
    many = rng.normal(size=(4, 1, 3, 2))
    np.testing.assert_allclose(T.linalg.solve_lower_triangular(DEFINITE, many).eval(),
                               np.linalg.solve(np.tril(DEFINITE), many))


def test_whole_numbers_become_floats():
    assert T.linalg.solve([[2, 0], [0, 4]], [2, 4]).eval().tolist() == [1.0, 1.0]
    assert T.linalg.cholesky(T.imatrix("i")).type.dtype == "float64"


def test_gaussian_density_and_its_gradient():
    """The log density of a normal distribution, as it is written with a factor, and its gradient by the covariance."""
    x, covariance = T.dvector("x"), T.dmatrix("covariance")
    factor = T.linalg.cholesky(covariance)
    scaled = T.linalg.solve_lower_triangular(factor, x)
    density = -0.5 * (scaled ** 2).sum() - T.log(T.diagonal(factor)).sum()
    f = st.function([x, covariance], [density, st.grad(density, covariance)])
    point, inverse = RIGHT[:, 0], np.linalg.inv(DEFINITE[0])
    value, slope = f(point, DEFINITE[0])
    np.testing.assert_allclose(value, -0.5 * point @ inverse @ point - 0.5 * np.linalg.slogdet(DEFINITE[0])[1])
    full = 0.5 * (np.outer(inverse @ point, inverse @ point) - inverse)
    np.testing.assert_allclose(slope, np.tril(full) + np.tril(full, -1))  # the triangle below stands for both


@pytest.mark.parametrize("make, kind, message", [
    (lambda: T.linalg.cholesky(T.dvector("v")), ShapeError, "square matrices are needed"),
    (lambda: T.linalg.cholesky(T.dmatrix(shape=(2, 3))), ShapeError, "rows and columns of a square matrix: 2 and 3"),
    (lambda: T.linalg.cholesky(T.dmatrix("x"), on_error="warn"), TypeMismatch, "on_error is 'raise' or 'nan'"),
    (lambda: T.linalg.solve(T.dvector("v"), T.dvector("w")), TypeMismatch, "vectors or matrices as right sides"),
    (lambda: T.linalg.solve(MATRIX, np.ones(4)), ShapeError, "rows of the matrix and of the right side"),
    (lambda: T.linalg.solve_triangular(MATRIX, RIGHT, trans="H"), TypeMismatch, "trans is 0, 1, 2, 'N', 'T' or 'C'"),
])
def test_what_does_not_fit(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
