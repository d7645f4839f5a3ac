"""A battery of tests of 32-bit random words: each takes a vector of them and gives a p-value.

They are the classical ones of Knuth (The Art of Computer Programming, volume 2, 3.3.2) and Marsaglia (Diehard, 1995).
What they count follows a known law if the words are independent and uniform; a p-value very near to 0 or 1 says that
they are not. They are meant for about 2**20 words, a power of two.

>>> words = np.random.default_rng(2).integers(0, 2**32, 2**18, dtype="uint32")
>>> all(0.001 < test(words) for test in (byte_pairs, orders, gaps, birthdays))
True
>>> byte_pairs(words & 0xfffffff0) < 1e-100
True
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial

import numpy as np
import scipy.stats


def chi_square(counts: np.ndarray, expected: np.ndarray | float) -> float:
    """The p-value of counts whose expectations are known and add up to as much."""
    expected = np.broadcast_to(expected, counts.shape)
    return float(scipy.stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), counts.size - 1))


def normal(z: np.ndarray) -> float:
    """The p-value of independent standard normal numbers, by the sum of their squares."""
    return float(scipy.stats.chi2.sf((np.asarray(z) ** 2).sum(), np.size(z)))


def bits_of(words: np.ndarray) -> np.ndarray:
    """One row of ones and minus ones for each of the 32 bits."""
    return np.unpackbits(words.astype(">u4").view("u1").reshape(-1, 4), axis=1).T.astype("float32") * 2 - 1


def frequency(words: np.ndarray) -> float:
    """Each bit is as often 0 as 1."""
    return normal(bits_of(words).sum(1, dtype="float64") / np.sqrt(words.size))


def bit_pairs(words: np.ndarray) -> float:
    """No two bits of a word go together, nor a bit and one of the word that follows."""
    bits = bits_of(words)
    within = np.triu(bits @ bits.T, 1)[np.triu_indices(32, 1)]
    between = (bits[:, :-1] @ bits[:, 1:].T).ravel()
    return normal(np.concatenate([within, between]) / np.sqrt(words.size))


def lags(words: np.ndarray) -> float:
    """Words at distances of 1 to 128 are not correlated."""
    u = (words.astype("float64") + 0.5) / 2.0**32 - 0.5
    return normal(np.array([12 * (u[lag:] * u[:-lag]).sum() / np.sqrt(u.size - lag) for lag in range(1, 129)]))


def byte_pairs(words: np.ndarray) -> float:
    """The lowest byte of a word and that of the next take all 65,536 pairs of values equally often."""
    low = words & 255
    return chi_square(np.bincount(low[::2] << 8 | low[1::2], minlength=65536), words.size / 2 / 65536)


def high_pairs(words: np.ndarray) -> float:
    """The same of the highest bytes."""
    return byte_pairs(words >> 24)


def weights(words: np.ndarray) -> float:
    """How many bits are set in a word, and in the next, in eleven classes each."""
    law = scipy.stats.binom.pmf(np.arange(33), 32, 0.5)
    classes = np.clip(np.arange(33) - 11, 0, 10)
    own = np.bincount(classes, law)
    found = classes[np.bitwise_count(words)]
    pairs = np.bincount(found[::2] * 11 + found[1::2], minlength=121)
    return chi_square(pairs, np.outer(own, own).ravel() * found.size / 2)


def orders(words: np.ndarray) -> float:
    """The order of four words, of 24."""
    four = words[:words.size // 4 * 4].reshape(-1, 4)
    ranks = np.argsort(four, 1) @ np.array([64, 16, 4, 1])
    known = sorted(np.dot(order, [64, 16, 4, 1]) for order in permutations(range(4)))
    return chi_square(np.bincount(np.searchsorted(known, ranks), minlength=24), four.shape[0] / factorial(4))


def gaps(words: np.ndarray) -> float:
    """How many words lie between those below a sixteenth."""
    lengths = np.diff(np.flatnonzero(words < 2**28)) - 1
    law = 15 / 16.0
    counts = np.bincount(np.minimum(lengths, 100), minlength=101)
    return chi_square(counts, np.append((1 - law) * law ** np.arange(100), law ** 100) * lengths.size)


def birthdays(words: np.ndarray) -> float:
    """Equal distances between 4096 birthdays in a year of 2**32 days: four are expected in each year."""
    days = np.sort(words.reshape(-1, 4096), 1)
    distances = np.sort(np.diff(days, axis=1), 1)
    equal = (np.diff(distances, axis=1) == 0).sum()
    mean = len(days) * 4096**3 / 4 / 2.0**32
    return float(2 * min(scipy.stats.poisson.cdf(equal, mean), scipy.stats.poisson.sf(equal - 1, mean), 0.5))


def ranks(words: np.ndarray) -> float:
    """The ranks of matrices of 32 x 32 bits: 32, 31, 30 or less."""
    rows = words.reshape(-1, 32).copy()
    found = np.zeros(rows.shape[0], "int64")
    for bit in range(32):
        has = (rows >> bit & 1).astype(bool)
        pivot, some = has.argmax(1), has.any(1)
        value = np.where(some, rows[np.arange(rows.shape[0]), pivot], 0).astype("uint32")
        rows ^= np.where(has, value[:, None], 0).astype("uint32")  # the pivot's row becomes zero and is never one again
        found += some
    law = np.array([0.28878809508660242, 0.57757619017320484, 0.12835026448293441])  # of rank 32, 31, 30
    counts = np.array([(found == rank).sum() for rank in (32, 31, 30)] + [(found < 30).sum()])
    return chi_square(counts, np.append(law, 1 - law.sum()) * found.size)


def collisions(words: np.ndarray) -> float:
    """How many urns stay empty, of which there are sixteen times as many as words, by the highest bits.

    The law is that of Kolchin, Sevastyanov and Chistyakov, Random Allocations (1978).
    """
    urns = 2 ** (int(np.log2(words.size)) + 4)
    taken = np.zeros(urns, bool)
    taken[words.astype("uint64") * urns >> 32] = True
    load = words.size / urns
    empty, spread = urns * np.exp(-load), np.sqrt(urns * np.exp(-load) * (1 - (1 + load) * np.exp(-load)))
    return normal(np.array([(urns - taken.sum() - empty) / spread]))


BATTERY: tuple[Callable[[np.ndarray], float], ...] = (
    frequency, bit_pairs, lags, byte_pairs, high_pairs, weights, orders, gaps, birthdays, ranks, collisions)
