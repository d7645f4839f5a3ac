"""Random bits: known answers, the same bits everywhere, and how they become normal numbers."""

import numpy as np
import pytest
import scipy.special

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain
from symtensor.ops.random import NEIGHBOURS, normal_tail, philox, random32, random64
from symtensor.testing.check_op import check_op
from symtensor.testing.examples import Example

ALL = 2**32 - 1
# The answers that are distributed with the authors' library Random123: counter, key, result.
KNOWN = {
    "zeros": ([0] * 4, [0] * 2, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
    "ones": ([ALL] * 4, [ALL] * 2, [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
    "digits of pi": ([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0],
                     [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name):
    counter, key, wanted = (np.array(words, "uint64") for words in KNOWN[name])
    found = philox(list(counter[:, None]), list(key[:, None]))
    np.testing.assert_array_equal(np.concatenate(found) & np.uint64(ALL), wanted)
    c, k = T.vector("c", dtype="uint64"), T.vector("k", dtype="uint64")
    f = st.function([c, k], T.stack(philox([c[i] for i in range(4)], [k[i] for i in range(2)])) & ALL)
    np.testing.assert_array_equal(f(counter, key), wanted)


def test_where_the_words_of_a_block_are():
    counter, key, words = KNOWN["digits of pi"]
    call, keys = np.uint64(counter[2] | counter[3] << 32), np.uint64(key[0] | key[1] << 32)
    block = (counter[0] | counter[1] << 32) % 2**60  # whose numbers 64 bits can count
    tile, lane = divmod(block, NEIGHBOURS)
    known = philox([np.array([v], "uint64") for v in (block % 2**32, block >> 32, *counter[2:])],
                   [np.array([v], "uint64") for v in key])
    wanted = [int(word[0]) & ALL for word in known]
    numbers = np.array([(tile * 4 + word) * NEIGHBOURS + lane for word in range(4)], "uint64")
    assert random32.evaluate(keys, call, numbers).tolist() == wanted
    numbers = np.array([(tile * 2 + pair) * NEIGHBOURS + lane for pair in range(2)], "uint64")
    assert random64.evaluate(keys, call, numbers).tolist() == [wanted[0] << 32 | wanted[1], wanted[2] << 32 | wanted[3]]


@pytest.mark.parametrize("op", [random32, random64], ids=str)
def test_code(op):
    rng = np.random.default_rng(0)
    shapes = [((), (), (200,)), ((3, 1), (1, 2), (3, 2)), ((), (), ()), ((), (), (0,))]
    examples = [Example(op, tuple(rng.integers(0, 2**64, shape, dtype="uint64") for shape in own), differentiable=False)
                for own in shapes]
    report = check_op(op, examples, ulps=0, derivatives=False)
    assert not report.skipped or toolchain() is None


def test_bits_have_no_derivative():
    x = T.dscalar("x")
    bits = random32(T.cast(x, "uint64"), T.constant(np.uint64(0)), T.constant(np.uint64(1)))
    assert st.grad(T.cast(bits, "float64") * x, x).eval({x: 2.0}) == bits.eval({x: 2.0})


@pytest.mark.parametrize("dtype, smallest, ulps", [("float32", -33, 6), ("float64", -64, 10)])
def test_normal_tail(dtype, smallest, ulps):
    p = np.concatenate([np.geomspace(2.0**smallest, 0.4999, 10001), np.linspace(0.001, 0.4999, 10001)]).astype(dtype)
    x = T.vector("x", dtype=dtype)
    found = st.function([x], normal_tail(x))(p)
    wanted = -scipy.special.ndtri(p.astype("float64"))
    assert np.max(np.abs(found / wanted - 1)) < ulps * np.finfo(dtype).eps
    assert (np.diff(found[:10001]) < 0).all()
    assert normal_tail.evaluate(np.asarray(0.5, dtype)) == 0
    np.testing.assert_allclose(normal_tail.evaluate(p), found, rtol=ulps * np.finfo(dtype).eps)


def test_derivative_of_normal_tail():
    st.gradient.verify_grad(normal_tail, [np.array([0.05, 0.3, 0.45])])
