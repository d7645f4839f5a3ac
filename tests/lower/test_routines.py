"""Ops that a library computes: how operands reach it, where results are put, and what is said when it gives up."""

import itertools

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import CompileError, LinearAlgebraError
from symtensor.ir.routine import RoutineCall
from symtensor.lower.program import Copy, Launch, Routine
from symtensor.runtime import core

a, b, m = T.dmatrix("a"), T.dmatrix("b"), T.dmatrix("m")
rng = np.random.default_rng(0)
ROOT = rng.normal(size=(4, 4))
DEFINITE = ROOT @ ROOT.T + np.eye(4)


def kinds(function):
    return [type(instruction) for instruction in function.program.instructions]


def test_exchanged_axes_are_flags():
    f = st.function([a, b], T.dot(a.T, b.T))
    (call,) = f.program.instructions
    assert isinstance(call, Routine) and call.flags == (True, True, False, False)
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(f(x, y), x.T @ y.T)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_for_a_whole_batch_is_not_copied(transposed):
    many = T.dtensor3("many")
    one = a.T if transposed else a
    f = st.function([a, many], [T.matmul(one, many), T.linalg.solve(one, many)])
    assert kinds(f).count(Launch) == 0
    assert [i.flags[-1] for i in f.program.instructions if isinstance(i, Routine) and i.name == "solve"] == [True]
    value, values = DEFINITE + np.triu(np.ones((4, 4))), rng.normal(size=(3, 4, 2))
    own = value.T if transposed else value
    product, solved = f(value, values)
    np.testing.assert_allclose(product, own @ values)
    np.testing.assert_allclose(own @ solved, values)


def test_a_result_begins_in_the_memory_of_an_operand_that_dies():
    f = st.function([a], T.linalg.cholesky(T.dot(a, a.T)))
    assert kinds(f) == [Routine, Routine]  # the product is made where its factor is wanted
    g = st.function([a], T.linalg.cholesky(a))
    assert kinds(g) == [Copy, Routine]  # an argument is not written to
    value = DEFINITE.copy()
    np.testing.assert_allclose(g(value), np.linalg.cholesky(DEFINITE))
    assert (value == DEFINITE).all()


def test_the_operand_that_a_result_begins_as_may_be_another_operand_too():
    f = st.function([m], T.linalg.solve_triangular(m * 2, m * 2, lower=True))
    np.testing.assert_allclose(f(np.tril(DEFINITE)), np.eye(4), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_systems_of_both_dtypes(dtype):
    x, y = T.tensor(dtype, shape=(None, None), name="x"), T.tensor(dtype, shape=(None,), name="y")
    f = st.function([x, y], [T.linalg.solve(x, y), T.slinalg.solve_triangular(x, y, trans="T", unit_diagonal=True)])
    matrix, vector = DEFINITE.astype(dtype), np.arange(4).astype(dtype)
    upper = np.triu(matrix, 1) + np.eye(4)
    for found, own in zip(f(matrix, vector), (matrix, upper.T)):
        assert found.dtype == dtype
        np.testing.assert_allclose(own @ found, vector, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-5)


def test_a_large_matrix_and_a_large_batch():
    f = st.function([a], T.linalg.cholesky(a))
    root = rng.normal(size=(600, 600))
    large = root @ root.T + 600 * np.eye(600)
    np.testing.assert_allclose(f(large), np.linalg.cholesky(large))
    many = T.dtensor3("many")
    batch = np.broadcast_to(DEFINITE, (5000, 4, 4))
    np.testing.assert_allclose(st.function([many], T.linalg.cholesky(many))(batch), np.linalg.cholesky(batch))


def test_a_failure_names_the_line_and_the_operands():
    f = st.function([a], T.linalg.cholesky(a))
    with pytest.raises(LinearAlgebraError) as caught:
        f(-np.eye(2))
    assert isinstance(caught.value, np.linalg.LinAlgError)
    assert caught.value.what == "cholesky[lower]: a matrix is not positive definite"
    assert caught.value.fix == "add a small number to the diagonal"
    assert "test_routines.py" in caught.value.where[0] and caught.value.operands == ("a: float64 (a.0, a.0)",)
    g = st.function([a, b], T.linalg.solve_triangular(a, b))
    with pytest.raises(LinearAlgebraError, match=r"solve_triangular\[upper\]: a matrix is singular"):
        g(np.zeros((2, 2)), np.eye(2))
    with pytest.raises(LinearAlgebraError, match="solve: a matrix is singular"):
        T.linalg.solve(np.zeros((2, 2)), [1.0, 2.0]).eval()


def test_a_failure_may_be_nan():
    f = st.function([a], T.linalg.cholesky(a, lower=False, on_error="nan"))
    assert np.isnan(f(-np.eye(3))).all()
    np.testing.assert_allclose(f(DEFINITE), np.linalg.cholesky(DEFINITE).T)


def test_dtypes_that_no_library_takes_run_by_their_meaning():
    x = T.lmatrix("x")
    assert st.function([x], T.dot(x, x)).library_calls == 0


def test_a_routine_without_its_library_is_refused(monkeypatch):
    monkeypatch.setattr(core, "load_library", lambda library: {})
    core.load_routines(["gemm"])  # a plain loop stands in
    with pytest.raises(CompileError, match="cholesky needs spotrf, which no library here has") as caught:
        core.load_routines(["cholesky"])
    assert caught.value.fix == "pip install scipy"


def test_a_users_op_can_call_a_routine():
    class Gram(st.Op):
        """x' x for a matrix x."""

        def infer(self, x):
            return st.TensorType(x.type.dtype, (x.type.shape[1], x.type.shape[1]))

        def evaluate(self, x):
            return x.T @ x

        def routine(self, x, y):
            rows, columns = x.type.shape
            return RoutineCall("gemm", (x, x), sizes=(columns, columns, rows, 1), flags=(True, False, False, False),
                               work=columns * columns * rows)

    f = st.function([a], Gram()(a))
    value = rng.normal(size=(3, 2))
    np.testing.assert_allclose(f(value), value.T @ value)
    assert f.library_calls == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 31, 32, 33])
def test_small_matrices_several_at_a_time(dtype, n):
    """In vectors up to 32 rows, by LAPACK above; and each as if it were alone."""
    x, y = (T.tensor(dtype, shape=(None, None, None), name=name) for name in "xy")
    triangles = [T.linalg.solve_triangular(x, y, lower, trans, unit)
                 for lower in (False, True) for trans in (0, 1) for unit in (False, True)]
    f = st.function([x, y], [T.linalg.solve(x, y), *T.linalg.slogdet(x * 1), T.linalg.inv(x + 0), *triangles])
    g = st.function([x], [T.linalg.cholesky(x), T.linalg.cholesky(x, lower=False)])
    draw = np.random.default_rng(n)
    matrices, right = draw.normal(size=(11, n, n)).astype(dtype), draw.normal(size=(11, n, 3)).astype(dtype)
    matrices = matrices / n + np.eye(n, dtype=dtype)[::-1] * 2 + np.eye(n, dtype=dtype)
    definite = matrices @ matrices.swapaxes(1, 2)
    tolerance = 1e-9 if dtype == "float64" else 1e-3
    solved, sign, value, inverse, *others = f(matrices, right)
    wanted = [np.linalg.solve(matrices, right), *np.linalg.slogdet(matrices), np.linalg.inv(matrices)]
    for lower, trans, unit in itertools.product((False, True), (0, 1), (False, True)):
        own = (np.tril if lower else np.triu)(matrices, (-1 if lower else 1) if unit else 0) + unit * np.eye(n)
        wanted.append(np.linalg.solve(own.swapaxes(1, 2) if trans else own, right))
    for one, other in zip([solved, sign, value, inverse, *others], wanted):
        np.testing.assert_allclose(one, other, tolerance, tolerance * abs(other).max())
    factor = np.linalg.cholesky(definite)
    for one, other in zip(g(definite), (factor, factor.swapaxes(1, 2))):
        np.testing.assert_allclose(one, other, tolerance, tolerance)
    alone = f(matrices[9:10], right[9:10])
    assert all((one[0] == whole[9]).all() for one, whole in zip(alone, [solved, sign, value, inverse, *others]))


def test_one_of_several_small_matrices_that_has_no_result():
    x, y = T.dtensor3("x"), T.dtensor3("y")
    factor = st.function([x], T.linalg.cholesky(x, on_error="nan"))
    strict = st.function([x], T.linalg.cholesky(x))
    others = [st.function([x, y], T.linalg.solve(x, y)), st.function([x, y], T.linalg.inv(x) + y * 0),
              st.function([x, y], T.linalg.solve_triangular(x, y, lower=True))]
    for size in (1, 2, 5, 9):
        matrices = np.stack([np.eye(3)] * size)
        matrices[-1, 2, 2] = 0
        found = factor(matrices)
        assert np.isnan(found[-1]).all() and (found[:-1] == np.eye(3)).all()
        with pytest.raises(LinearAlgebraError, match="not positive definite"):
            strict(matrices)
        for function in others:
            with pytest.raises(LinearAlgebraError, match="a matrix is singular"):
                function(matrices, matrices)
