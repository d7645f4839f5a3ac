"""Sparse matrices against SciPy, in both formats; derivatives against differences; what a caller may give."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import symtensor as st
import symtensor.tensor as T
from symtensor import sparse
from symtensor.base.errors import AssertionFailed, IndexOutOfRange, LinearAlgebraError, ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

FORMATS = ("csr", "csc")


def made(rows: int, columns: int, format: str = "csr", seed: int = 0, dtype: str = "float64",
         density: float = 0.4) -> Any:
    """A random matrix; some rows of it are empty."""
    matrix = scipy.sparse.random(rows, columns, density=density, format=format, dtype=dtype,
                                 random_state=np.random.default_rng(seed))
    return matrix


def dense(value: Any) -> np.ndarray:
    return value.toarray() if scipy.sparse.issparse(value) else np.asarray(value)


@pytest.fixture(params=FORMATS)
def x(request: pytest.FixtureRequest) -> Any:
    return made(5, 4, request.param)


Case = tuple[Callable[..., Any], Callable[..., Any]]

UNARY: dict[str, Case] = {
    "dense_from_sparse": (sparse.dense_from_sparse, lambda x: x.toarray()),
    "transpose": (sparse.transpose, lambda x: x.T),
    "neg": (sparse.neg, lambda x: -x),
    "quotient": (lambda x: x / 4.0, lambda x: x / 4),
    "modulus": (abs, abs),
    "sum": (sparse.sp_sum, lambda x: x.sum()),
    "sum0": (lambda x: sparse.sp_sum(x, axis=0), lambda x: np.asarray(x.sum(axis=0))[0]),
    "sum1": (lambda x: x.sum(axis=1), lambda x: np.asarray(x.sum(axis=1))[:, 0]),
    "tocsr": (lambda x: x.tocsr(), lambda x: x.tocsr()),
    "tocsc": (lambda x: x.tocsc(), lambda x: x.tocsc()),
    "ones": (sparse.sp_ones_like, lambda x: x.astype(bool).astype(float)),
    "zeros": (sparse.sp_zeros_like, lambda x: x * 0),
    "scaled rows": (lambda x: sparse.row_scale(x, np.arange(5.0)), lambda x: x.toarray() * np.arange(5.0)[:, None]),
    "scaled columns": (lambda x: sparse.col_scale(x, np.arange(4.0)), lambda x: x.toarray() * np.arange(4.0)),
    "sin": (sparse.sin, lambda x: x.sin()),
    "sqrt": (sparse.sqrt, lambda x: x.sqrt()),
    "structured_pow": (lambda x: sparse.structured_pow(x, 2.0), lambda x: x.power(2)),
    "structured_exp": (sparse.structured_exp, lambda x: np.where(x.toarray() != 0, np.exp(x.toarray()), 0)),
    "structured_sigmoid": (sparse.structured_sigmoid,
                           lambda x: np.where(x.toarray() != 0, 1 / (1 + np.exp(-x.toarray())), 0)),
    "twice": (lambda x: x * 2.0, lambda x: x * 2),
    "rows": (lambda x: x[1:3], lambda x: x[1:3]),
    "columns": (lambda x: x[:, ::2], lambda x: x[:, ::2]),
    "backwards": (lambda x: x[::-1, -2:], lambda x: x[::-1, -2:]),
    "one row": (lambda x: x[-1], lambda x: x[-1]),
    "empty": (lambda x: x[3:3], lambda x: x[3:3]),
    "element": (lambda x: x[2, -1], lambda x: x[2, -1]),
    "list": (lambda x: x[[4, 0, 0, -1]], lambda x: x[[4, 0, 0, -1]]),
    "two lists": (lambda x: sparse.get_item_2lists(x, [0, 1, -1], [3, 1, 0]),
                  lambda x: np.asarray(x[[0, 1, -1], [3, 1, 0]]).ravel()),
    "hstack": (lambda x: sparse.hstack([x, x * 2, x]), lambda x: scipy.sparse.hstack([x, x * 2, x])),
    "vstack": (lambda x: sparse.vstack([x, -x], format="csr"), lambda x: scipy.sparse.vstack([x, -x])),
    "clean": (lambda x: sparse.clean(x * [0.0, 1.0, 0.0, 2.0]), lambda x: x.toarray() * [0.0, 1.0, 0.0, 2.0]),
    "gram": (lambda x: sparse.dot(x, x.T), lambda x: x @ x.T),
    "diag": (lambda x: sparse.diag(x[:4]), lambda x: x[:4].diagonal()),
    "sum with itself": (lambda x: x + x.tocsc(), lambda x: x + x),
    "product with itself": (lambda x: x * x.tocsr(), lambda x: x.multiply(x)),
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_matrix(name: str, x: Any) -> None:
    """Values are SciPy's, and stored in order; derivatives by what is stored are those of differences."""
    function, reference = UNARY[name]
    variable = sparse.matrix(x.format, "x")
    compiled = st.function([variable], function(variable))
    for value in (x, made(5, 4, x.format, seed=1, density=0.0)):
        found = compiled(value)
        np.testing.assert_allclose(dense(found), dense(reference(value)), atol=1e-14)
        if scipy.sparse.issparse(found):
            found.check_format(full_check=True)


@pytest.mark.parametrize("name", sorted(set(UNARY) - {"ones", "zeros", "clean"}))
def test_derivatives(name: str, x: Any) -> None:
    """By the elements of a matrix, through each function."""
    function = UNARY[name][0]

    def of_data(data: Any) -> Any:
        whole = sparse.CSM(data, x.indices, x.indptr, x.shape, x.format)
        result = function(whole)
        return sparse.dense_from_sparse(result) if sparse.is_sparse(result) else result
    verify_grad(of_data, [x.data + 0.5], rng=np.random.RandomState(0))


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("kinds", ["csr csr", "csr csc", "csc dense", "csr dense"])
def test_two_matrices(name: str, kinds: str) -> None:
    """Sparse with sparse, of either format, and with dense."""
    first, second = kinds.split()
    a, b = made(5, 4, first), made(5, 4, "csr" if second == "dense" else second, seed=3)
    b = b.toarray() if second == "dense" else b
    x = sparse.matrix(first, "x")
    y = T.dmatrix("y") if second == "dense" else sparse.matrix(second, "y")
    found = st.function([x, y], getattr(sparse, name)(x, y))(a, b)
    wanted = BINARY[name](a.toarray(), dense(b))
    np.testing.assert_array_equal(dense(found), wanted)
    assert scipy.sparse.issparse(found) == (second != "dense" or name not in ("add", "sub"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_products(format: str, dtype: str) -> None:
    """A sparse matrix times matrices and vectors from both sides, in the dtype of both."""
    a = (made(5, 4, format) * 8).astype(dtype)
    right, left = np.arange(12).reshape(4, 3).astype(dtype), np.arange(10).reshape(2, 5).astype(dtype)
    x, m, n = sparse.matrix(format, "x", dtype), T.matrix("m", dtype=dtype), T.matrix("n", dtype=dtype)
    outputs = [sparse.dot(x, m), sparse.dot(n, x), sparse.dot(x, m[:, 0]), sparse.dot(n[0], x)]
    found = st.function([x, m, n], outputs)(a, right, left)
    for own, wanted in zip(found, (a @ right, left @ a, a @ right[:, 0], left[0] @ a)):
        assert own.dtype == dtype
        np.testing.assert_allclose(own, wanted, rtol=1e-6)


@pytest.mark.parametrize("format", FORMATS)
def test_products_of_integers_are_exact(format: str) -> None:
    """Also beyond what floats hold; sizes that do not fit are an error."""
    a = scipy.sparse.csr_matrix([[0, 2, 0], [1, 0, 3]], dtype="int64").asformat(format)
    v = np.array([2**60 + 1, 2**53 + 1, 1])
    x, y = sparse.matrix(format, "x", "int64"), T.lvector("y")
    f = st.function([x, y], sparse.dot(x, y))
    assert f(a, v).tolist() == [2 * (2**53 + 1), 2**60 + 4]
    with pytest.raises(ShapeError):
        f(a, v[:2])


@pytest.mark.parametrize("format", FORMATS)
def test_gradients_of_products(format: str) -> None:
    """By the dense matrix, and by the sparse one: what it stores."""
    a, w = made(5, 4, format), np.random.default_rng(2).normal(size=(4, 3))
    x, v = sparse.matrix(format, "x"), T.dmatrix("v")
    cost = (sparse.structured_dot(x, v) ** 2).sum()
    by_x, by_v = st.function([x, v], st.grad(cost, [x, v]))(a, w)
    slope = 2 * (a @ w)
    np.testing.assert_allclose(by_v, a.T @ slope)
    np.testing.assert_allclose(by_x.toarray(), np.where(a.toarray() != 0, slope @ w.T, 0))
    assert by_x.format == format


def test_products_of_dense_matrices_where_a_sparse_one_has_elements() -> None:
    """`sampling_dot`, and `usmm`."""
    p, a, b = made(5, 4), np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=(4, 3))
    for format in FORMATS:
        found = sparse.sampling_dot(a, b, p.asformat(format)).eval()
        np.testing.assert_allclose(found.toarray(), p.toarray() * (a @ b.T))
    np.testing.assert_allclose(sparse.usmm(2.0, p, b, a).eval(), a + 2 * (p @ b))


def test_a_product_is_one_instruction_of_the_runtime() -> None:
    """No Python runs in a step with a sparse matrix."""
    x, w = sparse.csr_matrix("x"), T.dmatrix("w")
    f = st.function([x, w], st.grad((sparse.dot(x, w) ** 2).sum(), w))
    assert f.library_calls == 2
    assert {type(i).__name__ for i in f.program.instructions} == {"Routine", "Launch"}


def test_shared_matrices_and_updates() -> None:
    """A shared matrix is updated whole, also where the number of its elements changes."""
    weights = st.shared(made(3, 3).tocsr(), name="weights")
    before = weights.get_value()
    x = sparse.csr_matrix("x")
    f = st.function([x], weights.sum(), updates=[(weights, weights + x)])
    other = made(3, 3, seed=5)
    assert f(other) == pytest.approx(before.sum())
    np.testing.assert_allclose(weights.get_value().toarray(), (before + other).toarray())
    weights.set_value(other)
    assert (weights.get_value() != other).nnz == 0


def test_outputs_by_place_name_and_key() -> None:
    """Lists, dicts and keyword arguments work as for tensors; so does a function that was pickled."""
    x, s = sparse.csr_matrix("x"), T.dscalar("s")
    a = made(3, 3)
    f = st.function([x, s], {"scaled": x * s, "sum": x.sum()})
    found = pickle.loads(pickle.dumps(f))(s=2.0, x=a)
    np.testing.assert_allclose(found["scaled"].toarray(), 2 * a.toarray())
    assert found["sum"] == pytest.approx(a.sum())
    first, second = st.function([x], [x.T, x.shape])(a)
    assert first.format == "csc" and second.tolist() == [3, 3]


@pytest.mark.parametrize("value, message", [
    (np.eye(3), "'x' must be a scipy.sparse matrix, not ndarray"),
    (made(3, 3, "csc"), "'x' must be of the format csr, not csc"),
    (made(3, 3).astype(complex), "'x' must be float64, and complex128 may not fit it"),
])
def test_what_does_not_fit(value: Any, message: str) -> None:
    """Each message says what is wanted and how to get there."""
    x = sparse.csr_matrix("x")
    f = st.function([x], x.sum())
    with pytest.raises(TypeMismatch, match=message):
        f(value)


def test_calls_that_do_not_fit() -> None:
    """Too few arguments, an unknown name."""
    x = sparse.csr_matrix("x")
    f = st.function([x], x.sum())
    with pytest.raises(TypeMismatch, match="the function takes 1 arguments, not 0"):
        f()
    with pytest.raises(TypeMismatch, match="the function has no input named 'y'"):
        f(y=made(2, 2))


def test_errors_of_expressions() -> None:
    """What makes no sense is told where it is written."""
    x, d = sparse.csr_matrix("x"), T.dmatrix("d")
    with pytest.raises(TypeMismatch, match="a number added to a sparse matrix would make it dense"):
        x + 1.0
    with pytest.raises(TypeMismatch, match="dot: neither operand is sparse"):
        sparse.dot(d, d)
    with pytest.raises(TypeMismatch, match="d is dense, and a sparse matrix is needed"):
        sparse.as_sparse_variable(d)
    with pytest.raises(ShapeError, match="a sparse matrix has 2 axes, and 3 are indexed"):
        x[1, 2, 3]
    with pytest.raises(TypeMismatch, match="there is no sparse format 'coo'"):
        sparse.matrix("coo")


def test_damaged_positions_are_refused() -> None:
    """Positions outside of the matrix are an error, not memory read at random."""
    x, w = sparse.csr_matrix("x"), T.dmatrix("w")
    of_parts = st.function([*x.parts, w], sparse.dot(x, w))
    for indices, starts in [([2, 3, 4], [0, 1, 2, 3]), ([0, 1, 2], [0, 3, 1, 3])]:
        with pytest.raises(LinearAlgebraError, match="positions of a sparse matrix are not in order, or lie outside"):
            of_parts(np.ones(3), np.array(indices, "int32"), np.array(starts, "int32"), 3, np.ones((3, 2)))
    with pytest.raises(IndexOutOfRange):
        x[5, 0].eval({x: made(3, 3)})
    with pytest.raises(ShapeError, match="columns of the sparse matrix and rows of the dense one: .* is 3 and .* is 4"):
        st.function([x, w], sparse.dot(x, w))(made(3, 3), np.ones((4, 2)))


SHAPES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "lt": lambda x, y: x < y,
    "dot": lambda x, y: sparse.dot(x, y.T), "hstack": lambda x, y: sparse.hstack([x, y]),
    "vstack": lambda x, y: sparse.vstack([x, y]),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("shape", [(2, 4), (1, 3), (3, 5)])
def test_shapes_that_do_not_fit(name: str, shape: tuple[int, int]) -> None:
    """Sparse matrices are not broadcast: an error, also for one without elements."""
    x, y = sparse.csr_matrix("x"), sparse.csr_matrix("y")
    f = st.function([x, y], SHAPES[name](x, y))
    fits = {"hstack": shape[0] == 2, "vstack": shape[1] == 3, "dot": shape[1] == 3}.get(name, False)
    for other in (scipy.sparse.csr_matrix(shape), scipy.sparse.csr_matrix(np.ones(shape))):
        if fits:
            assert f(made(2, 3), other).shape[0] > 0
            continue
        with pytest.raises(AssertionFailed, match="the sizes of the matrices differ|rows of the right matrix differ"):
            f(made(2, 3), other)


@pytest.mark.parametrize("function", [sparse.add, sparse.mul, sparse.row_scale, sparse.col_scale])
def test_dense_operands_that_do_not_fit(function: Callable[..., Any]) -> None:
    """A dense operand that is too large is as wrong as one that is too small."""
    x = sparse.csr_matrix("x")
    scale = function in (sparse.row_scale, sparse.col_scale)
    y = T.dvector("y") if scale else T.dmatrix("y")
    f = st.function([x, y], function(x, y))
    with pytest.raises(ShapeError, match="as specified"):
        f(made(2, 3), np.ones((9,) if scale else (9, 9)))


def test_a_dense_operand_on_the_left(x: Any) -> None:
    """Operators leave it to the sparse operand."""
    matrix, d = sparse.matrix(x.format, "matrix"), T.dmatrix("d")
    value = np.arange(20.0).reshape(5, 4)
    f = st.function([matrix, d], [d + matrix, d - matrix, d * matrix, d.T @ matrix, d < matrix])
    for found, wanted in zip(f(x, value), [value + x, value - x, x.multiply(value), value.T @ x, value < x.toarray()]):
        np.testing.assert_allclose(dense(found), dense(wanted), rtol=1e-14)


def test_a_sparse_matrix_is_no_tensor_and_no_list() -> None:
    """Functions of tensors say what they were given; a matrix is not iterated over without an end."""
    x, d = sparse.csr_matrix("x"), T.dmatrix("d")
    for wrong in (lambda: T.exp(x), lambda: T.dot(d, x), lambda: d / x, lambda: T.constant(made(2, 2))):
        with pytest.raises(TypeMismatch, match="is sparse, and a tensor is needed") as raised:
            wrong()
        assert "x.toarray()" in str(raised.value)
    with pytest.raises(TypeMismatch, match="x cannot be iterated over"):
        sparse.vstack(x)


def test_damaged_positions_are_refused_at_the_border() -> None:
    """Whatever is computed, and from whichever end they lie outside."""
    x = sparse.csr_matrix("x")
    total = st.function([x], x.sum())
    for indices, starts in [([0, 3], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, 2, 1]), ([0, 1], [1, 1, 2]),
                            ([0, 1], [0, 1, 3])]:
        wrong = made(2, 3, density=0.0)
        wrong.data, wrong.indices, wrong.indptr = np.ones(2), np.array(indices, "int32"), np.array(starts, "int32")
        with pytest.raises(TypeMismatch, match="'x': the positions of a sparse matrix are not in order, or lie outside"
                                               r" of it\n  operand .*\n  fix .*check_format\(full_check=True\)"):
            total(wrong)


def test_quotients_and_what_has_no_meaning() -> None:
    x, value = sparse.csr_matrix("x"), made(3, 4)
    f = st.function([x], [x / 3, x / [1.0, 2.0, 3.0, 4.0], abs(-x)])
    for found, expected in zip(f(value), [value / 3, value.toarray() / [1, 2, 3, 4], abs(value)]):
        np.testing.assert_array_equal(dense(found), dense(expected))
    for wrong, message in [(lambda: 1 / x, "true_div: to divide by the sparse matrix x"), (lambda: x ** 2, r"no \*\*"),
                           (lambda: x // 2, "no //"), (lambda: x % 2, "no %"), (lambda: x / x, "true_div")]:
        with pytest.raises(TypeMismatch, match=message + r".*\n(.*\n)*  fix "):
            wrong()
