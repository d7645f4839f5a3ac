"""Theano's linear algebra against NumPy and SciPy: values of both dtypes, batches, derivatives, what goes wrong."""

import numpy as np
import pytest
import scipy.linalg

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ConfigError, GradientError, LinearAlgebraError, ShapeError, TypeMismatch
from symtensor.gradient import jacobian
from symtensor.testing.verify_grad import verify_grad

from .agree import agree_compiled

rng = np.random.default_rng(3)
SQUARE = rng.normal(size=(4, 4)) + 2 * np.eye(4)
BATCH = rng.normal(size=(3, 4, 4)) + 2 * np.eye(4)
TALL, WIDE = rng.normal(size=(5, 3)), rng.normal(size=(3, 5))
DEFINITE = SQUARE @ SQUARE.T + np.eye(4)
SYMMETRIC = BATCH + BATCH.swapaxes(1, 2)
WIDES = rng.normal(size=(2, 3, 5))
FOUR = rng.normal(size=(4, 6, 8, 3))


def both(a):
    return np.tril(a) + np.tril(a, -1).T


FUNCTIONS = {
    "matrix_inverse": (T.nlinalg.matrix_inverse, np.linalg.inv, [[SQUARE], [BATCH]]),
    "pinv": (T.nlinalg.pinv, np.linalg.pinv, [[TALL], [WIDE], [BATCH]]),
    "det": (T.nlinalg.det, np.linalg.det, [[SQUARE], [BATCH], [np.array([[1.0, 2.0], [2.0, 4.0]])]]),
    "slogdet": (T.linalg.slogdet, np.linalg.slogdet, [[SQUARE], [BATCH], [np.zeros((2, 2))]]),
    "qr": (T.nlinalg.qr, np.linalg.qr, [[TALL], [WIDE], [BATCH]]),
    "complete qr": (lambda a: T.nlinalg.QRFull("complete")(a), lambda a: np.linalg.qr(a, "complete"), [[TALL], [WIDE]]),
    "r": (lambda a: T.nlinalg.QRIncomplete("r")(a), lambda a: np.linalg.qr(a, "r"), [[TALL], [WIDE]]),
    "svd": (T.nlinalg.svd, np.linalg.svd, [[TALL], [WIDE], [BATCH]]),
    "thin svd": (T.nlinalg.SVD(full_matrices=False), lambda a: np.linalg.svd(a, False), [[TALL], [WIDE]]),
    "svdvals": (T.nlinalg.SVD(compute_uv=False), lambda a: np.linalg.svd(a, compute_uv=False), [[TALL], [BATCH]]),
    "eigh": (T.nlinalg.eigh, np.linalg.eigh, [[DEFINITE], [SYMMETRIC]]),
    "upper eigh": (T.nlinalg.Eigh("U"), lambda a: np.linalg.eigh(a, "U"), [[SQUARE]]),
    "eigvalsh": (lambda a: T.slinalg.eigvalsh(a), np.linalg.eigvalsh, [[DEFINITE], [SQUARE], [SYMMETRIC]]),
    "eigvalsh of two": (T.slinalg.Eigvalsh(), lambda a, b: scipy.linalg.eigvalsh(both(a), both(b)),
                        [[SQUARE, DEFINITE]]),
    "upper eigvalsh of two": (T.slinalg.Eigvalsh(lower=False), lambda a, b: scipy.linalg.eigvalsh(both(a.T), b),
                              [[SQUARE, DEFINITE]]),
    "lu": (T.linalg.lu, scipy.linalg.lu, [[SQUARE], [np.eye(3)[[2, 0, 1]]], [TALL], [WIDE], [BATCH], [WIDES]]),
    "permuted lu": (lambda a: T.linalg.lu(a, permute_l=True), lambda a: scipy.linalg.lu(a, permute_l=True),
                    [[SQUARE], [TALL], [WIDES]]),
    "places of lu": (lambda a: T.linalg.lu(a, p_indices=True), lambda a: scipy.linalg.lu(a, p_indices=True),
                     [[SQUARE], [TALL], [WIDES]]),
    "lstsq": (lambda a, b: T.nlinalg.lstsq()(a, b, -1), lambda a, b: np.linalg.lstsq(a, b, -1),
              [[TALL, TALL[:, :2]], [TALL, TALL[:, 0] ** 2], [WIDE, TALL[:3]]]),
    "lstsq of low rank": (lambda a, b: T.nlinalg.lstsq(a, b, 1e-6), lambda a, b: np.linalg.lstsq(a, b, 1e-6),
                          [[TALL @ np.diag([1.0, 1.0, 0.0]), TALL]]),
    "matrix_power": (lambda a: T.nlinalg.matrix_power(a, 5), lambda a: np.linalg.matrix_power(a, 5),
                     [[SQUARE], [BATCH]]),
    "negative power": (lambda a: T.nlinalg.matrix_power(a, -2), lambda a: np.linalg.matrix_power(a, -2), [[SQUARE]]),
    "no power": (lambda a: T.nlinalg.matrix_power(a, 0), lambda a: np.linalg.matrix_power(a, 0), [[SQUARE], [BATCH]]),
    "kron": (T.slinalg.kron, np.kron, [[TALL, WIDE], [TALL[0], WIDE], [BATCH[:, :2], TALL], [TALL[0], TALL[1]]]),
    "expm": (T.slinalg.expm, scipy.linalg.expm, [[SQUARE], [BATCH], [SQUARE * 20], [SQUARE * 1e-9]]),
    "tensorinv": (T.nlinalg.tensorinv, np.linalg.tensorinv, [[FOUR]]),
    "tensorinv of three": (T.nlinalg.TensorInv(1), lambda a: np.linalg.tensorinv(a, 1), [[FOUR.reshape(24, 8, 3)]]),
    "tensorsolve": (T.nlinalg.tensorsolve, np.linalg.tensorsolve, [[FOUR, rng.normal(size=(4, 6))]]),
    "tensorsolve along": (T.nlinalg.TensorSolve((0, 2)), lambda a, b: np.linalg.tensorsolve(a, b, (0, 2)),
                          [[FOUR.transpose(2, 0, 3, 1), rng.normal(size=(4, 6))]]),
    "cho_solve": (lambda a, b: T.slinalg.cho_solve((T.slinalg.Cholesky()(a), True), b), np.linalg.solve,
                  [[DEFINITE, SQUARE]]),
    "upper cho_solve": (lambda a, b: T.slinalg.cho_solve((T.slinalg.Cholesky(False)(a), False), b), np.linalg.solve,
                        [[DEFINITE, SQUARE[0]]]),
    "positive solve": (T.slinalg.Solve("positive_definite"), np.linalg.solve, [[DEFINITE, SQUARE]]),
    "symmetric solve": (T.slinalg.Solve("symmetric"), np.linalg.solve, [[DEFINITE, SQUARE[1]]]),
    "trace": (T.nlinalg.trace, np.trace, [[SQUARE]]),
    "extract_diag": (T.nlinalg.ExtractDiag(), np.diag, [[SQUARE]]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name, dtype):
    agree_compiled(*FUNCTIONS[name], dtype, 1e-9 if dtype == "float64" else 3e-3)


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (0, 0), (0, 2, 3), (2, 0, 3)])
def test_factors_of_nothing(shape):
    *batch, m, n = shape
    p, lower, upper = st.function([], T.linalg.lu(np.zeros(shape)))()
    assert (lower.shape, upper.shape) == ((*batch, m, min(m, n)), (*batch, min(m, n), n))
    np.testing.assert_array_equal(p, np.broadcast_to(np.eye(m), (*batch, m, m)))


SLOPES = {
    "inverse": (T.linalg.inv, [BATCH]), "pinv": (T.linalg.pinv, [TALL]),
    "pinv of equal values": (T.linalg.pinv, [np.eye(3)]),
    "det": (T.linalg.det, [BATCH]), "slogdet": (lambda a: T.linalg.slogdet(a)[1], [SQUARE]),
    "log of det": (lambda a: T.log(T.linalg.det(a) ** 2), [SQUARE]), "qr": (lambda a: T.linalg.qr(a)[0], [TALL]),
    "wide qr": (lambda a: T.linalg.qr(a)[1], [WIDE]), "svd": (lambda a: T.linalg.svd(a, False)[2], [TALL]),
    "eigh": (lambda a: T.linalg.eigh(a)[1] ** 2, [DEFINITE]), "eigvalsh": (T.linalg.eigvalsh, [SQUARE, DEFINITE]),
    "l": (lambda a: T.linalg.lu(a)[1], [SQUARE]), "u": (lambda a: T.linalg.lu(a)[2], [SQUARE]),
    "tall l and u": (lambda a: T.linalg.lu(a)[1] @ T.linalg.lu(a)[2] ** 2, [TALL]),
    "wide l and u": (lambda a: T.linalg.lu(a)[1] ** 2 @ T.linalg.lu(a)[2], [WIDES]),
    "permuted l": (lambda a: T.linalg.lu(a, permute_l=True)[0], [TALL]),
    "lstsq": (lambda a, b: T.linalg.lstsq(a, b)[0], [TALL, TALL[:, :2] ** 2]), "expm": (T.linalg.expm, [SQUARE]),
    "expm of a batch": (T.linalg.expm, [BATCH]), "power": (lambda a: T.linalg.matrix_power(a, -3), [SQUARE]),
    "kron": (T.linalg.kron, [TALL, WIDE]), "nuclear norm": (lambda a: T.linalg.norm(a, "nuc"), [TALL]),
    "spectral norm": (lambda a: T.linalg.norm(a, 2), [TALL]),
    "tensorsolve": (T.linalg.tensorsolve, [FOUR, np.ones((4, 6))]),
    "positive solve": (lambda a, b: T.linalg.solve(a, b, assume_a="pos"), [DEFINITE, SQUARE]),
}


@pytest.mark.parametrize("name", SLOPES)
def test_derivatives(name):
    verify_grad(*SLOPES[name])


def test_all_derivatives_at_once():
    a, b = T.dmatrix("a"), T.dvector("b")
    by_a, by_b = jacobian(T.linalg.solve(a, b), [a, b])
    inverse, x = np.linalg.inv(SQUARE), np.linalg.solve(SQUARE, TALL[:4, 0])
    found = st.function([a, b], [by_a, by_b])(SQUARE, TALL[:4, 0])
    np.testing.assert_allclose(found[1], inverse, rtol=1e-9)
    np.testing.assert_allclose(found[0], -inverse[:, :, None] * x, rtol=1e-9)
    slopes = jacobian(T.linalg.cholesky(a), a)
    assert st.function([a], slopes)(DEFINITE).shape == (4,) * 4


def test_gradient_of_a_cholesky_factor_under_theanos_name():
    x, dl = T.dmatrix("x"), T.dmatrix("dl")
    factor = T.slinalg.Cholesky()(x)
    ours = st.function([x, dl], T.slinalg.CholeskyGrad()(x, factor, dl))
    slope = st.function([x, dl], st.grad((factor * dl).sum(), x))
    np.testing.assert_allclose(ours(DEFINITE, np.tril(SQUARE)), slope(DEFINITE, np.tril(SQUARE)), rtol=1e-12)


@pytest.mark.parametrize("order", [None, 1, 2, 3, 0, -1, np.inf, -np.inf, "inf", "-inf"])
def test_norms_of_vectors(order):
    own = {"inf": np.inf, "-inf": -np.inf}.get(order, order)
    np.testing.assert_allclose(T.nlinalg.norm(TALL[0], order).eval(), np.linalg.norm(TALL[0], own))
    np.testing.assert_allclose(T.nlinalg.norm(TALL, order, axis=1, keepdims=True).eval(),
                               np.linalg.norm(TALL, own, axis=1, keepdims=True))


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf, "inf", "-inf"])
def test_norms_of_matrices(order):
    own = {"inf": np.inf, "-inf": -np.inf}.get(order, order)
    np.testing.assert_allclose(T.nlinalg.norm(TALL, order).eval(), np.linalg.norm(TALL, own))
    np.testing.assert_allclose(T.nlinalg.norm(BATCH, order, axis=(0, 2), keepdims=True).eval(),
                               np.linalg.norm(BATCH, own, axis=(0, 2), keepdims=True))


def test_eigenvalues_may_be_complex():
    a = T.dmatrix("a")
    f = st.function([a], T.nlinalg.eig(a))
    with pytest.raises(LinearAlgebraError, match="eig: the iteration did not converge"):
        f(np.full((2, 2), np.nan))
    w, v = f(BATCH[0])
    assert w.dtype == v.dtype == "complex128"
    np.testing.assert_allclose(BATCH[0] @ v, v * w, atol=1e-12)


def test_least_squares_without_full_rank_has_no_residuals():
    a, b = T.dmatrix("a"), T.dmatrix("b")
    f = st.function([a, b], T.nlinalg.lstsq(a, b))
    for own, residuals, rank in ((TALL, 1, 3), (TALL[:, [0, 0, 1]], 0, 2), (WIDE, 0, 3)):
        _, found, number, _ = f(own, np.ones((len(own), 1)))
        assert found.shape == (residuals,) and number == rank


SINGULAR, NAN = np.array([[1.0, 2.0], [2.0, 4.0]]), np.full((2, 2), np.nan)
FAILURES = {
    "inverse: a matrix is singular": (T.linalg.inv, np.zeros((2, 2))),
    "lu_inverse: a matrix is singular": (lambda a: T.linalg.inv(a) + T.linalg.slogdet(a)[1], SINGULAR),
    "lu_solve: a matrix is singular": (lambda a: T.linalg.solve(a, T.exp(a)) + T.linalg.slogdet(a)[1],
                                       np.zeros((2, 2))),
    "svd: the iteration did not converge": (lambda a: T.linalg.svd(a, False)[0] + a, NAN),
    "svd[values]: the iteration did not converge": (T.linalg.svdvals, NAN),
}


@pytest.mark.parametrize("message", FAILURES)
def test_what_has_no_result_names_the_line_and_the_operands(message):
    build, array = FAILURES[message]
    a = T.dmatrix("a")
    with pytest.raises(LinearAlgebraError) as caught:
        st.function([a], build(a))(array)
    assert caught.value.what == message and isinstance(caught.value, np.linalg.LinAlgError)
    assert "test_matrices.py" in caught.value.where[0] and "float64 (a.0, a." in caught.value.operands[0]


def test_a_zero_on_a_diagonal_matrix_gives_infinity():
    v, b = T.dvector("v"), T.dvector("b")
    f = st.function([v, b], [T.linalg.solve(T.diag(v), b), T.linalg.det(T.diag(v))])
    x, value = f([2.0, 0.0], [1.0, -1.0])
    assert x.tolist() == [0.5, -np.inf] and value == 0
    with pytest.raises(LinearAlgebraError, match="solve: a matrix is singular"):
        T.linalg.solve(np.diag([2.0, 0.0]), [1.0, 2.0]).eval()


def test_determinants_of_singular_matrices():
    a = T.dmatrix("a")
    sign, value = T.linalg.slogdet(a)
    f = st.function([a], [sign, value, T.linalg.det(a)])
    assert f(SINGULAR) == [0, -np.inf, 0] and f(np.zeros((0, 0))) == [1, 0, 1]
    assert np.isnan(f(NAN)[1])


MISUSES = [
    (lambda: T.linalg.inv(T.dmatrix(shape=(2, 3))), ShapeError, "rows and columns of a square matrix: 2 and 3"),
    (lambda: T.linalg.det(T.dvector("v")), ShapeError, "square matrices are needed"),
    (lambda: T.linalg.svd(T.dvector("v")), ShapeError, "matrices are needed"),
    (lambda: T.linalg.expm(T.dvector("v")), ShapeError, "expm: square matrices are needed"),
    (lambda: T.linalg.lu(T.dvector("v")), ShapeError, "matrices are needed"),
    (lambda: T.linalg.qr(SQUARE, "raw"), ConfigError, "qr: there is no mode 'raw'"),
    (lambda: T.linalg.eigh(SQUARE, "X"), ConfigError, "eigh: UPLO is 'L' or 'U', not 'X'"),
    (lambda: T.linalg.norm(SQUARE, 3), ConfigError, "norm: there is no norm of matrices with ord=3"),
    (lambda: T.linalg.norm(BATCH, 1), ConfigError, "norm: there is no norm of 3 axes with ord=1"),
    (lambda: T.linalg.norm(SQUARE[0], "fro"), ConfigError, "norm: there is no norm of vectors with ord='fro'"),
    (lambda: T.linalg.matrix_power(SQUARE, 0.5), TypeMismatch, "the exponent must be a fixed integer, not 0.5"),
    (lambda: T.linalg.matrix_power(SQUARE[0], 2), ShapeError, "matrix_power: square matrices are needed"),
    (lambda: T.linalg.solve(SQUARE, SQUARE, assume_a="her"), ConfigError, "assume_a is 'gen', 'sym' or 'pos'"),
    (lambda: T.slinalg.Solve("banded"), ConfigError, "Solve: there is no matrix structure 'banded'"),
    (lambda: T.linalg.lstsq(BATCH, SQUARE), TypeMismatch, "lstsq: a matrix, and a vector or matrix to come near"),
    (lambda: T.linalg.tensorinv(FOUR, 5), ShapeError, "tensorinv: ind is 1 to 4, not 5"),
    (lambda: T.linalg.tensorsolve(SQUARE, BATCH), ShapeError, "tensorsolve: a has the axes of b"),
    (lambda: T.linalg.assume(SQUARE, pretty=True), TypeMismatch, "nothing is known of matrices that are 'pretty'"),
]


@pytest.mark.parametrize("make, kind, message", MISUSES)
def test_misuse_says_what_is_wrong(make, kind, message):
    with pytest.raises(kind, match=message.replace("(", r"\(")):
        make()


@pytest.mark.parametrize("build, message", [
    (lambda a: T.linalg.svd(a)[0], "those of the others are svd(a, full_matrices=False)"),
    (lambda a: T.linalg.qr(a, "complete")[0], "qr(a) has the rest")])
def test_what_has_no_derivative(build, message):
    a = T.dmatrix("a")
    with pytest.raises(GradientError) as caught:
        st.grad(build(a).sum(), a)
    assert message in caught.value.what


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_matrix_is_factored_once(dtype):
    a, b = T.tensor(dtype, shape=(None, None), name="a"), T.tensor(dtype, shape=(None,), name="b")
    x = T.linalg.solve(a, b)
    f = st.function([a, b], [x.sum() + T.linalg.slogdet(a)[1], st.grad(x.sum() + T.linalg.slogdet(a)[1], a)])
    names = [i.name for i in f.program.instructions if hasattr(i, "name")]
    assert sorted(names) == ["lu", "lu_inverse", "lu_solve", "lu_solve"]
    inverse = np.linalg.inv(SQUARE)
    x = inverse @ SQUARE[0]
    value, slope = f(SQUARE.astype(dtype), SQUARE[0].astype(dtype))
    tolerance = 1e-9 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(value, x.sum() + np.linalg.slogdet(SQUARE)[1], tolerance)
    np.testing.assert_allclose(slope, inverse.T - np.outer(inverse.sum(0), x), tolerance, tolerance)


THEANOS = {
    "nlinalg": """MatrixPinv pinv MatrixInverse matrix_inverse matrix_dot AllocDiag alloc_diag ExtractDiag extract_diag
        diag trace Det det Eig eig Eigh eigh QRFull QRIncomplete qr SVD svd lstsq matrix_power norm TensorInv tensorinv
        TensorSolve tensorsolve""",
    "slinalg": """Cholesky cholesky CholeskyGrad Solve solve solve_lower_triangular solve_upper_triangular
        solve_symmetric Eigvalsh eigvalsh kron Expm expm""",
}


@pytest.mark.parametrize("module", THEANOS)
def test_theanos_names(module):
    home = getattr(T, module)
    assert not [name for name in THEANOS[module].split() if not hasattr(home, name)]
    for name in home.__all__:
        assert ">>> " in getattr(home, name).__doc__, name
    assert set(T.linalg.__all__) >= {"inv", "det", "eigh", "solve", "expm", "norm", "trace"}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_matrices(dtype):
    rng = np.random.default_rng(4)
    a, b = (np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape), dtype) for shape in ((3, 5, 5), (3, 5, 2)))
    x, y = T.tensor3("x", dtype), T.tensor3("y", dtype)
    sign, size = T.linalg.slogdet(x)
    f = st.function([x, y], [T.linalg.solve(x, y), T.linalg.inv(x), T.linalg.det(x), sign, size,
                             T.linalg.solve_triangular(x, y), T.linalg.solve_triangular(x, y, lower=True, trans="T"),
                             T.prod(x, axis=(0, 2))])
    assert {type(one).__name__ for one in f.program.instructions} <= {"Launch", "Routine", "Copy"}
    wanted = [np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.det(a), *np.linalg.slogdet(a),
              np.linalg.solve(np.triu(a), b), np.linalg.solve(np.swapaxes(np.tril(a), 1, 2), b), a.prod((0, 2))]
    for own, other in zip(f(a, b), wanted, strict=True):
        assert own.dtype == other.dtype
        np.testing.assert_allclose(own, other, rtol=1e-3 if dtype == "complex64" else 1e-11)
    with pytest.raises(LinearAlgebraError, match="singular"):
        f(np.zeros_like(a), b)


def test_derivatives_of_complex_matrices():
    rng = np.random.default_rng(5)
    a, b = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in ((3, 3), (3, 2)))
    verify_grad(lambda x, y: T.linalg.solve(x, y) * T.linalg.det(x), [a, b])
    verify_grad(lambda x: T.linalg.inv(x) @ T.conj(x), [a])
    verify_grad(lambda x: T.linalg.slogdet(x)[1], [a])
