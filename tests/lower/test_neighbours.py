"""Points that share a block of random bits: the same bits as one by one, and a block computed once."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.interpret import evaluate
from symtensor.lower.neighbours import TILE
from symtensor.ops.random import random32, random64
from symtensor.runtime.core import core

KEY, CALL = (T.constant(np.uint64(value)) for value in (2**63 + 11, 7))
MULTIPLIER = "* 3528531795L"


def bits(op, shape):
    count = shape[0] if len(shape) == 1 else shape[0] * shape[1]
    numbers = T.arange(count).reshape(shape, ndim=len(shape))
    return op(KEY, CALL, T.cast(numbers, "uint64"))


def tiles_of(function):
    """The part of a kernel's text that does whole tiles."""
    (kernel,) = function.kernels
    return kernel.text.partition("< tiles;")[2]


@pytest.mark.parametrize("op", [random32, random64], ids=str)
@pytest.mark.parametrize("size", [0, 1, TILE - 1, TILE, TILE + 1, 5 * TILE, 1000])
def test_a_vector(op, size):
    n = T.lscalar("n")
    f = st.function([n], bits(op, (n,)))
    assert tiles_of(f)
    np.testing.assert_array_equal(f(size), evaluate([bits(op, (n,))], {n: size})[0])


@pytest.mark.parametrize("op", [random32, random64], ids=str)
@pytest.mark.parametrize("rows, columns", [(1, 1), (3, 200), (7, 13), (2, TILE), (4, TILE + 1), (5, 3 * TILE - 1)])
def test_rows_that_begin_within_a_tile(op, rows, columns):
    x, v = T.matrix("x", dtype="uint64"), T.vector("v", dtype="uint64")
    z = bits(op, (x.shape[0], x.shape[1])) ^ x ^ v  # v is read along rows: the two loops cannot be one
    values = {x: np.arange(rows * columns, dtype="uint64").reshape(rows, columns),
              v: np.arange(columns, dtype="uint64")}
    f = st.function([x, v], z)
    assert tiles_of(f)
    np.testing.assert_array_equal(f(*values.values()), evaluate([z], values)[0])


@pytest.mark.parametrize("op, blocks", [(random32, 1), (random64, 2)], ids=str)
def test_a_block_is_computed_once(op, blocks):
    n = T.lscalar("n")
    once, four = (tiles_of(st.function([n], z)).count(MULTIPLIER) for z in (bits(op, (n,)), bits(op, (n,)) + 1))
    assert once == four == 10 * blocks


def test_two_streams_of_one_kernel():
    n = T.lscalar("n")
    z = bits(random32, (n,)) ^ bits(random64, (n,))
    f = st.function([n], z)
    assert tiles_of(f).count(MULTIPLIER) == 30  # one block for the words, two for the pairs of words
    np.testing.assert_array_equal(f(500), evaluate([z], {n: 500})[0])


def test_ordinary_kernels_are_not_taken_apart():
    x = T.lvector("x")
    f = st.function([x], x + T.arange(x.shape[0]) // 64)
    assert not tiles_of(f)
    np.testing.assert_array_equal(f(np.arange(200)), np.arange(200) + np.arange(200) // 64)


def test_bits_do_not_depend_on_threads():
    if core is None:
        pytest.skip("the C runtime was not built")
    n = T.lscalar("n")
    z = [bits(random32, (n,)), bits(random64, (n, 3)), T.sum(bits(random32, (n,)))]
    f = st.function([n], z)
    wanted = evaluate(z, {n: 100_001})
    before = core.get_threads()
    try:
        for threads in (1, 2, 3, 4):
            core.set_threads(threads)
            for got, want in zip(f(100_001), wanted):
                np.testing.assert_array_equal(got, want)
    finally:
        core.set_threads(before)
