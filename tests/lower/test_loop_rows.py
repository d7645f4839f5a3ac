"""Rows that a loop reads from the first one on are read where they lie, whatever follows them."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.lower.program import BufferKind, Loop

random = np.random.default_rng(0)
X, W, H = random.normal(size=(6, 3)), random.normal(size=(3, 3)) / 2, random.normal(size=3)

PARTS = {
    "first": (lambda x: x[:4], True), "but the last": (lambda x: x[:-1], True), "all": (lambda x: x[:9], True),
    "none": (lambda x: x[:0], True), "of a part": (lambda x: x[:5][:3], True),
    "later": (lambda x: x[2:], False), "every other": (lambda x: x[::2], False), "turned": (lambda x: x[::-1], False),
    "columns": (lambda x: x[:4, ::-1], False), "transposed": (lambda x: x[:3].T[:2], False),
}
"""Parts of the rows of x, and whether they begin where x does and lie together."""


def chain(rows, h, w, **options):
    """A loop with a product in each step, which is no kernel."""
    return st.scan(lambda row, h, w: T.tanh(T.dot(w, h) + row), rows, h, w, **options)[0]


def expected(rows, backwards=False):
    h, found = H, []
    for row in rows[::-1] if backwards else rows:
        h = np.tanh(W @ h + row)
        found.append(h)
    return np.reshape(found, (-1, 3))


def reads_its_input(f):
    (loop,) = [one for one in f.program.instructions if isinstance(one, Loop)]
    read = [row.source for row in loop.rows if not row.written]
    return [f.program.buffers[source].kind for source in read] == [BufferKind.INPUT]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_parts(name, backwards):
    part, in_place = PARTS[name]
    x, h, w = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w")
    f = st.function([x, h, w], chain(part(x), h, w, go_backwards=backwards))
    np.testing.assert_allclose(f(X, H, W), expected(part(X), backwards), rtol=1e-12)
    assert backwards or reads_its_input(f) == in_place


def test_how_many_is_told_by_the_call():
    x, h, w, n = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w"), T.lscalar("n")
    f = st.function([x, h, w, n], chain(x[:n], h, w)[-1])
    for count in (1, 3, 6, 100, -2):
        np.testing.assert_allclose(f(X, H, W, count), expected(X[:count])[-1], rtol=1e-12)
    assert reads_its_input(f)
    shapes = {"h": (3,), "w": (3, 3)}
    assert f.peak_bytes({"x": (1000, 3), "n": 999, **shapes}) == f.peak_bytes({"x": (10, 3), "n": 9, **shapes})


def test_rows_of_what_is_computed():
    x, h, w = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w")
    doubled = T.exp(T.dot(x, w))
    f = st.function([x, h, w], [chain(doubled[:4], h, w), doubled.sum(axis=0)])
    rows, sums = f(X, H, W)
    np.testing.assert_allclose(rows, expected(np.exp(X @ W)[:4]), rtol=1e-12)
    np.testing.assert_allclose(sums, np.exp(X @ W).sum(axis=0), rtol=1e-12)


def test_steps_by_their_meaning():
    """A step with sizes of its own data is called, with the rows alone."""
    x = T.dmatrix("x")
    sums, _ = st.scan(lambda row: row[row > 0].sum(), x[:4])
    f = st.function([x], [sums, x * 2], mode="None")
    assert "Call" in [type(one).__name__ for one in f.program.instructions]
    np.testing.assert_allclose(f(X)[0], np.maximum(X[:4], 0).sum(axis=1), rtol=1e-12)


def test_what_is_updated_is_read_before():
    x, h, w = st.shared(X.copy(), name="x"), T.dvector("h"), T.dmatrix("w")
    f = st.function([h, w], chain(x[:5], h, w), updates=[(x, x * 2 + 1)])
    np.testing.assert_allclose(f(H, W), expected(X[:5]), rtol=1e-12)
    np.testing.assert_allclose(f(H, W), expected(2 * X[:5] + 1), rtol=1e-12)


def test_derivatives_by_rows():
    x, h, w = T.dmatrix("x"), T.dvector("h"), T.dmatrix("w")
    slopes = st.grad((chain(x[:4], h, w) ** 2).sum(), [x, w])
    by_rows = st.function([x, h, w], slopes)(X, H, W)
    alone = st.function([x, h, w], st.grad((chain(x, h, w) ** 2).sum(), [x, w]))(X[:4], H, W)
    np.testing.assert_allclose(by_rows[0][:4], alone[0], rtol=1e-11)
    np.testing.assert_allclose(by_rows[1], alone[1], rtol=1e-11)
    assert not by_rows[0][4:].any()
