"""Applications of the ops of linear algebra to try.

>>> from symtensor.testing.examples import examples_of
>>> next(examples_of(Inverse))
inverse(float64 (1, 1))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from symtensor.ops.assume import FACTS, Assume
from symtensor.ops.contract import Kron
from symtensor.ops.inverses import Exchange, Inverse, Lu, LuInverse, LuSolve, Pinv, SlogDet
from symtensor.ops.linalg import Cholesky, Solve, SolveTriangular
from symtensor.ops.spectra import Eig, Eigh, Qr, Svd
from symtensor.testing.examples import Example, examples_for

__all__: list[str] = []


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.asarray(rng.normal(size=shape))


def _regular(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Matrices that are far from singular, and whose rows must be exchanged."""
    return _normal(rng, *shape) + 3 * np.eye(shape[-1])[::-1]


def _skewed(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Complex matrices whose parts have nothing to do with each other."""
    return _normal(rng, *shape) + 1j * _normal(rng, *shape)


_KINDS = (_normal, _skewed)


@examples_for(Cholesky)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape, lower in itertools.product(((1, 1), (3, 3), (2, 3, 3), (0, 0), (0, 2, 2)), (False, True)):
        root = _normal(rng, *shape)
        own = root @ np.swapaxes(root, -1, -2) + 2 * np.eye(shape[-1])
        yield Example(Cholesky(lower, False), ((np.tril if lower else np.triu)(own),))
        root = _skewed(rng, *shape)
        own = root @ np.swapaxes(root, -1, -2).conj() + 2 * np.eye(shape[-1])
        yield Example(Cholesky(lower, False), ((np.tril if lower else np.triu)(own),))
    bad = np.stack([np.eye(2), -np.eye(2)])
    yield Example(Cholesky(True, True), (bad,), False)
    yield Example(Cholesky(False, True), (bad.astype("float32"),), False)
    yield Example(Cholesky(False, True), (bad.astype("complex64"),), False)


_SYSTEMS = [((1, 1), (1, 1)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((0, 0), (0, 2)), ((2, 2), (2, 0))]


@examples_for(SolveTriangular, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (matrix, right), flags in itertools.product(_SYSTEMS, itertools.product((False, True), repeat=3)):
        yield Example(SolveTriangular(*flags), (_normal(rng, *matrix) + 3 * np.eye(matrix[-1]), _normal(rng, *right)))


@examples_for(Solve, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for matrix, right in _SYSTEMS:
        yield Example(Solve(), (_normal(rng, *matrix) + 3 * np.eye(matrix[-1]), _normal(rng, *right)))


_SQUARES = ((1, 1), (4, 4), (2, 3, 3), (0, 0), (0, 2, 2))


@examples_for(Inverse, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in _SQUARES:
        yield Example(Inverse(), (_regular(rng, *shape),))
    yield Example(Inverse(), (_regular(rng, 3, 3).astype("float32"),))


@examples_for(SlogDet, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in _SQUARES:
        yield Example(SlogDet(), (_regular(rng, *shape),))
    yield Example(SlogDet(), (_regular(rng, 5, 3, 3).astype("float32"),))
    yield Example(SlogDet(), (np.stack([np.zeros((2, 2)), np.ones((2, 2)), np.full((2, 2), np.nan)]),), False)


@examples_for(Lu, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in _SQUARES:
        yield Example(Lu(), (_regular(rng, *shape),))
    for shape in ((2, 4), (4, 2), (1, 3), (2, 3, 2), (2, 2, 4), (0, 3), (3, 0), (0, 2, 3)):
        yield Example(Lu(), (_normal(rng, *shape) + 3 * np.eye(*shape[-2:])[::-1],))
    yield Example(Lu(), (_regular(rng, 3, 3).astype("float32"),))
    yield Example(Lu(), (np.zeros((2, 3, 3)),), False)


@examples_for(Exchange, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (count, *right), forward in itertools.product(((3, 3, 2), (2, 4, 1), (0, 2, 2), (1, 1, 0)), (False, True)):
        exchanges = np.array([rng.integers(i, right[0]) for i in range(count)], "int32")
        yield Example(Exchange(forward), (exchanges, _normal(rng, *right)))
        both = np.stack([exchanges, np.arange(count, dtype="int32")])
        yield Example(Exchange(forward), (both, _normal(rng, 2, *right)))
    yield Example(Exchange(False), (np.array([2, 1], "int32"), np.arange(3)[:, None]))


@examples_for(LuSolve, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (matrix, right), transposed in itertools.product(_SYSTEMS, (False, True)):
        yield Example(LuSolve(transposed), (*Lu().evaluate(_regular(rng, *matrix)), _normal(rng, *right)))


@examples_for(LuInverse, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in _SQUARES:
        yield Example(LuInverse(), Lu().evaluate(_regular(rng, *shape)))


_MATRICES = ((1, 1), (3, 3), (4, 2), (2, 4), (2, 4, 3), (0, 2), (2, 0), (0, 0), (0, 2, 2))


@examples_for(Pinv)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for make, dtype in zip(_KINDS, ("float32", "complex64")):
        for shape in _MATRICES:
            yield Example(Pinv(1e-15), (make(rng, *shape),))
        yield Example(Pinv(1e-6), (make(rng, 2, 3).astype(dtype),))
    yield Example(Pinv(1e-6), (np.diag([2.0, 2.0, 0.0]),), False)


@examples_for(Kron)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for left, right in (((2, 3), (1, 2)), ((2, 1, 2), (2, 3, 1)), ((0, 2), (2, 2))):
        yield Example(Kron(), (_normal(rng, *left), _normal(rng, *right)))
    yield Example(Kron(), (np.arange(4).reshape(2, 2), np.ones((2, 2), "int64")), False)


@examples_for(Assume)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for fact in FACTS:
        yield Example(Assume((fact,)), (np.diag(rng.choice([-1.0, 1.0], 3) ** 2),))
    yield Example(Assume(("symmetric", "diagonal")), (np.eye(2, dtype="int64"),), False)


@examples_for(Qr)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for make, shape, complete, vectors in itertools.product(_KINDS, _MATRICES, (False, True), (False, True)):
        yield Example(Qr(complete, vectors), (make(rng, *shape),), not (complete and vectors))
    yield Example(Qr(False, True), (_normal(rng, 3, 2).astype("float32"),))
    yield Example(Qr(False, True), (_skewed(rng, 3, 2).astype("complex64"),))


@examples_for(Eigh)
def _(rng: np.random.Generator) -> Iterator[Example]:
    """Vectors of complex matrices differ by factors, and so do differences of them: `tests/ops` has what does not."""
    for make, shape, lower, vectors in itertools.product(_KINDS, _SQUARES, (False, True), (False, True)):
        own = make(rng, *shape) + np.diag(np.arange(shape[-1]) * 4.0)
        yield Example(Eigh(lower, vectors), (own,), make is _normal or not vectors)
    yield Example(Eigh(True, True), (_normal(rng, 3, 3).astype("float32"),))
    yield Example(Eigh(True, True), (_skewed(rng, 3, 3).astype("complex64"),))


@examples_for(Svd)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for make, shape, full, vectors in itertools.product(_KINDS, _MATRICES, (False, True), (False, True)):
        own = make(rng, *shape)
        np.einsum("...ii->...i", own[..., :min(shape[-2:]), :min(shape[-2:])])[...] += np.arange(min(shape[-2:])) * 4
        yield Example(Svd(full, vectors), (own,), not vectors or (make is _normal and not full))
    yield Example(Svd(False, True), (_normal(rng, 3, 2).astype("float32"),))
    yield Example(Svd(False, True), (_skewed(rng, 3, 2).astype("complex64"),))


@examples_for(Eig)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for make, shape, vectors in itertools.product(_KINDS, _SQUARES, (False, True)):
        yield Example(Eig(vectors), (make(rng, *shape),), not vectors)
    for make, dtype in ((_normal, "float32"), (_skewed, "complex64")):
        yield Example(Eig(True), (make(rng, 3, 3).astype(dtype),), False)
