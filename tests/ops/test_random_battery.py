"""The raw words, in every order in which programs draw them, pass a battery of tests; poor generators do not.

Keys, calls and numbers are counters, which differ in few bits: what is next to each other in any of them must look as
independent as what is next to each other in a stream. PASS is so small that a sound generator misses it in one of
five thousand batteries; the seeds are fixed, so a test that passes, passes always.
"""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ops.random import random32, random64
from symtensor.testing.random_battery import BATTERY

COUNT, PASS = 2**20, 1e-5


def drawn(op, key, call, number):
    """The words of an op, as uint32, in the order of the broadcast arguments; made by a compiled function."""
    values = [np.atleast_2d(np.asarray(value, "uint64")) for value in (key, call, number)]
    names = [T.TensorType("uint64", tuple(1 if size == 1 else None for size in value.shape))() for value in values]
    return st.function(names, op(*names))(*values)


def counting(size):
    return np.arange(size, dtype="uint64")


STREAMS = {
    "numbers": lambda: drawn(random32, 234, 0, counting(COUNT)),
    "numbers from far on": lambda: drawn(random32, 234, 7, counting(COUNT) + 2**40),
    "calls": lambda: drawn(random32, 234, counting(COUNT // 4)[:, None], counting(4)),
    "keys": lambda: drawn(random32, counting(COUNT // 4)[:, None], 0, counting(4)),
    "high halves of keys": lambda: drawn(random32, (counting(COUNT // 4) << 32)[:, None], 0, counting(4)),
    "numbers a power of two apart": lambda: drawn(random32, 1, 1, counting(COUNT) << 12),
    "words of 64 bits": lambda: drawn(random64, 1, 0, counting(COUNT // 2)).view("uint32"),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_words_pass(stream):
    words = np.ascontiguousarray(STREAMS[stream]()).ravel().astype("uint32")
    assert words.size == COUNT
    failed = {test.__name__: p for test in BATTERY if not (p := test(words)) > PASS or p > 1 - PASS}
    assert not failed


def congruential():
    """x -> a x + c modulo 2**32: the lowest bits have short periods."""
    x, words = 1, np.empty(COUNT, "uint32")
    block = 2**11
    for place in range(block):
        words[place] = x = (1664525 * x + 1013904223) % 2**32
    a, c = pow(1664525, block, 2**32), 0
    for _ in range(block):
        c = (1664525 * c + 1013904223) % 2**32
    for start in range(block, COUNT, block):
        words[start:start + block] = (words[start - block:start].astype("uint64") * a + c).astype("uint32")
    return words


def parity_last():
    """Words whose lowest bit is the parity of the others: no pair of bits tells."""
    words = np.random.default_rng(0).integers(0, 2**32, COUNT, "uint32") & ~np.uint32(1)
    return words | (np.bitwise_count(words) & 1)


POOR = {
    "parity": (parity_last, {"ranks", "weights"}),
    "congruential": (congruential, {"byte_pairs", "bit_pairs"}),
    "one bit too often": (lambda: np.random.default_rng(0).integers(0, 2**32, COUNT, "uint32")
                          | np.uint32(256) * (np.arange(COUNT) % 64 == 0).astype("uint32"), {"frequency"}),
    "multiples": (lambda: (counting(COUNT) * 2654435769).astype("uint32"), {"lags", "birthdays", "orders", "gaps"}),
    "each word again": (lambda: np.repeat(np.random.default_rng(0).integers(0, 2**32, COUNT // 2, "uint32"), 2),
                        {"high_pairs", "bit_pairs", "collisions"}),
}


@pytest.mark.parametrize("generator", POOR)
def test_poor_generators_fail(generator):
    make, found_by = POOR[generator]
    words = make()
    assert found_by <= {test.__name__ for test in BATTERY if test(words) < PASS}


def test_each_test_of_the_battery_rejects_something():
    assert {test.__name__ for test in BATTERY} == set().union(*(found_by for _, found_by in POOR.values()))
