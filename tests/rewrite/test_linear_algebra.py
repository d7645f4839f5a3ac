"""What becomes of inverses, systems and determinants, and what is known of matrices."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.ir.graph import Graph
from symtensor.ops.contract import swap_last
from symtensor.rewrite.facts import facts_of
from symtensor.rewrite.rules import canonicalize, resolve
from symtensor.tensor import linalg as la
from tests.rewrite.forms import rewritten

rng = np.random.default_rng(5)
ROOT = rng.normal(size=(4, 4))
A, B, V = ROOT @ ROOT.T + np.eye(4), rng.normal(size=(4, 4)), rng.normal(size=4)
a, b, v = T.dmatrix("a"), T.dmatrix("b"), T.dvector("v")
definite, symmetric = la.assume(a, positive_definite=True), la.assume(a, symmetric=True)
factor = la.cholesky(a)
square_a, square_b = T.specify_shape(a, (4, 4)), T.specify_shape(b, (4, 4))


def computed(expression, optimizer="fast_run"):
    """The value, and the routines that a compiled function calls."""
    with config.change(optimizer=optimizer):
        f = st.function([a, b, v], expression, on_unused_input="ignore")
    return f(A, B, V), sorted(i.name for i in f.program.instructions if hasattr(i, "name"))


@pytest.mark.parametrize("expression, routines", [
    (la.inv(a) @ b, ["solve"]), (b @ la.inv(a), ["solve"]), (v @ la.inv(a) @ v, ["solve"]),
    (la.inv(a).T @ b, ["solve"]),
    (la.inv(la.inv(a)) @ b, ["gemm"]), (la.solve(la.inv(a), b), ["gemm"]), (la.solve(a, a) + b, []),
    (la.inv(a).T + b, ["inverse"]), (la.solve(a, T.eye(4)), ["inverse"]),
    (la.inv(la.kron(square_a, square_b)), ["inverse", "inverse"]), (la.pinv(la.pinv(a)), []),
    (la.det(la.kron(square_a, square_b)), ["slogdet", "slogdet"]),
    (T.log(la.det(a)), ["slogdet"]), (T.log(abs(la.det(a))), ["slogdet"]), (la.slogdet(la.inv(a))[1], ["slogdet"]),
    (la.det(a.T), ["slogdet"]), (T.log(la.det(factor @ factor.T)), ["cholesky"]),
    (la.cholesky(factor @ factor.T), ["cholesky"]), (la.cholesky(factor @ factor.T, lower=False), ["cholesky"]),
    (T.nlinalg.trace(a @ b), []), (T.nlinalg.trace(la.inv(a) @ b), ["solve"]), (T.diagonal(a @ b), []),
    (la.solve(definite, b), ["cholesky", "solve_triangular", "solve_triangular"]),
    (la.slogdet(definite)[1] + la.solve(definite, v), ["cholesky", "solve_triangular", "solve_triangular"]),
    (la.solve(a @ a.T + 0.1 * T.eye(4), v), ["cholesky", "gemm", "solve_triangular", "solve_triangular"]),
    (la.inv(T.diag(v)), []), (la.solve(T.diag(v), b), []), (la.det(T.diag(v)), []), (la.det(T.eye(4) * v), []),
    (la.solve(T.tril(a), b), ["solve_triangular"]), (la.inv(T.triu(a)), ["solve_triangular"]),
    (la.solve(T.tril(a).T, b), ["solve_triangular"]), (la.slogdet(T.triu(a))[1], []),
    (la.inv(factor), ["cholesky", "solve_triangular"]),
    (la.inv(la.eigh(a)[1]), ["eigh"]), (la.solve(la.svd(a)[0], b), ["gemm", "svd"]), (la.svd(a)[1], ["svd"]),
    (la.qr(a, "complete")[0].T @ la.qr(a, "complete")[0] + b, []), (la.qr(a)[1], ["qr"]), (la.eigh(a)[0], ["eigh"]),
    (symmetric.T @ b, ["gemm"]), (a @ T.eye(4) + b, []), (T.eye(4) @ a + b, []),
])
def test_forms(expression, routines):
    found, names = computed(expression)
    plain, _ = computed(expression, "None")
    assert names == routines
    np.testing.assert_allclose(found, plain, rtol=1e-8, atol=1e-8)


def test_a_derivative_is_that_of_the_expression_as_it_is_written():
    for known, own in ((la.assume(a, positive_definite=True), a), (la.assume(a, lower_triangular=True), a)):
        slope, _ = computed(st.grad((la.solve(known, v) ** 2).sum(), a))
        wanted, _ = computed(st.grad((la.solve(own, v) ** 2).sum(), a), "None")
        if known.owner.op.facts == ("positive_definite",):
            np.testing.assert_allclose(slope, wanted, rtol=1e-9)
        assert slope.shape == (4, 4) and (np.triu(slope, 1) != 0).any()


def known(expression):
    """The facts about an expression that the rules see."""
    return facts_of(rewritten([expression], (resolve, canonicalize)).outputs[0])


@pytest.mark.parametrize("expression, fact", [
    (definite + symmetric, "symmetric"), (definite + a @ a.T, "positive_definite"),
    (2.5 * definite, "positive_definite"), (definite / 2.5, "positive_definite"),
    (definite * la.inv(definite), "positive_definite"), (-symmetric, "symmetric"),
    (T.exp(symmetric), "symmetric"), (b @ symmetric @ b.T, "symmetric"), (b.T @ (symmetric @ b), "symmetric"),
    (b.T @ b, "positive_semidefinite"), (factor @ factor.T, "positive_definite"),
    (la.inv(definite), "positive_definite"),
    (la.inv(T.tril(square_a)), "lower_triangular"), (T.tril(square_a) @ T.tril(square_b), "lower_triangular"),
    (T.tril(square_a) + T.tril(square_b), "lower_triangular"),
    (T.tril(square_a) - T.tril(square_b), "lower_triangular"),
    (T.tril(square_a, -1), "lower_triangular"), (T.triu(square_a, 1), "upper_triangular"),
    (T.tril(square_a) * square_b, "lower_triangular"), (T.tril(square_a).T, "upper_triangular"),
    (T.tril(T.triu(square_a)), "diagonal"), (T.diag(v) * a, "diagonal"), (T.eye(4) * v, "diagonal"),
    (T.eye(4), "identity"), (T.constant(np.eye(3)), "identity"), (T.constant(np.tril(B)), "lower_triangular"),
    (la.kron(definite, definite), "positive_definite"), (la.eigh(a)[1].T @ la.eigh(a)[1], "identity"),
    (la.svd(a)[2], "orthogonal"), (T.cast(la.assume(T.fmatrix("f"), symmetric=True), "float64"), "symmetric"),
    (T.broadcast_to(definite, (3, 4, 4)), "positive_definite"),
])
def test_facts_that_follow(expression, fact):
    assert fact in known(expression)


@pytest.mark.parametrize("expression, fact", [
    (definite - definite, "positive_definite"), (T.dscalar("s") * definite, "positive_definite"),
    (-2.0 * definite, "positive_semidefinite"), (T.exp(T.tril(square_a)), "lower_triangular"),
    (b @ symmetric @ b, "symmetric"),
    (T.tril(square_a, 1), "lower_triangular"), (T.triu(square_a, -1), "upper_triangular"), (T.eye(4, k=1), "identity"),
    (T.eye(4, k=1), "diagonal"), (symmetric @ symmetric, "symmetric"), (b.T @ b, "positive_definite"),
    (T.constant(B), "symmetric"), (la.qr(a)[1], "orthogonal"), (symmetric + v, "symmetric"),
    (T.tril(square_a) + 1.0, "lower_triangular"),
    (T.switch(T.eye(4, dtype="bool"), 0.0, square_a), "diagonal"), (la.svd(T.dmatrix("c"), False)[0], "orthogonal"),
])
def test_facts_that_do_not_follow(expression, fact):
    assert fact not in known(expression)


def test_facts_of_a_long_chain_are_found_without_recursion():
    x = symmetric
    for _ in range(5000):
        x = swap_last(x) * 1.5
    assert "symmetric" in facts_of(Graph([a], [x]).outputs[0])
