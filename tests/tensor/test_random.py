"""Random numbers: their distributions, reproducibility, streams as in Theano, dropout without a mask, loops."""

import numpy as np
import pytest
import scipy.stats

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GradientError, IndexOutOfRange, ShapeError, TypeMismatch
from symtensor.ir.interpret import evaluate
from symtensor.lower.program import BufferKind, Launch
from symtensor.sandbox.rng_mrg import MRG_RandomStreams
from symtensor.tensor import random
from symtensor.tensor.shared_randomstreams import RandomStreams

COUNT = 200_000
LEAST = 1e-3  # a p-value that one of a thousand seeds falls below


def drawn(name, *arguments, seed=1, **keywords):
    return st.function([], getattr(random, name)(random.state(seed), *arguments, **keywords)[1])()


# -- distributions ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype, spacing", [("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-53)])
def test_uniform(dtype, spacing):
    u = drawn("uniform", (COUNT,), dtype=dtype)
    assert u.dtype == dtype and u.min() >= 0 and u.max() < 1
    np.testing.assert_array_equal(np.mod(u.astype("float64"), spacing), 0)
    if dtype != "float16":
        assert scipy.stats.kstest(u.astype("float64"), "uniform").pvalue > LEAST


def test_uniform_is_never_one():
    """The largest bits give the largest number below 1."""
    x = T.vector("x", dtype="uint64")
    largest = np.full(3, 2**64 - 1, "uint64")
    for dtype in ("float32", "float64"):
        bits = x if dtype == "float64" else x & (2**32 - 1)
        u = st.function([x], random.unit_of_bits(bits, dtype))(largest)
        np.testing.assert_array_equal(u, np.nextafter(np.ones(3, dtype), np.zeros(3, dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    z = drawn("normal", (COUNT,), dtype=dtype, seed=2)
    assert z.dtype == dtype and np.isfinite(z).all()
    assert scipy.stats.kstest(z.astype("float64"), "norm").pvalue > LEAST
    moments = [(z.astype("float64") ** power).mean() for power in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)


def test_normal_of_the_smallest_and_largest_bits():
    x = T.vector("x", dtype="uint64")
    for dtype, bits, far in (("float32", 32, 6.3384), ("float64", 64, 9.0799)):
        ends = np.array([0, 2**(bits - 1) - 1, 2**(bits - 1), 2**bits - 1], "uint64")
        z = st.function([x], random.normal_of_bits(x, dtype))(ends)
        np.testing.assert_allclose(z[[0, 2]], [far, -far], rtol=1e-4)
        np.testing.assert_allclose(z[[1, 3]], 0, atol=1e-6)


def test_truncated_normal():
    z = drawn("truncated_normal", (COUNT,), avg=3.0, std=2.0, dtype="float64")
    assert z.min() >= -1 and z.max() <= 7
    assert scipy.stats.kstest((z - 3) / 2, scipy.stats.truncnorm(-2, 2).cdf).pvalue > LEAST


def chi_square(counts, probabilities):
    return scipy.stats.chisquare(counts, np.asarray(probabilities) * counts.sum()).pvalue


def test_binomial():
    one = drawn("binomial", (COUNT,), p=0.3)
    assert one.dtype == "int64" and set(one) == {0, 1}
    assert chi_square(np.bincount(one), [0.7, 0.3]) > LEAST
    five = drawn("binomial", (COUNT,), n=5, p=0.3)
    assert chi_square(np.bincount(five), scipy.stats.binom(5, 0.3).pmf(range(6))) > LEAST
    never, ever = (drawn("binomial", (1000,), p=p, dtype="float32") for p in (0.0, 1.0))
    assert never.dtype == "float32" and not never.any() and ever.all()


def test_random_integers():
    found = drawn("random_integers", (COUNT,), -3, 7)
    assert found.dtype == "int64"
    assert chi_square(np.bincount(found + 3), np.full(11, 1 / 11)) > LEAST
    wide = drawn("random_integers", (COUNT,), 0, 2**32 - 1)
    assert scipy.stats.kstest(wide / 2.0**32, "uniform").pvalue > LEAST


def test_choice():
    assert chi_square(np.bincount(drawn("choice", (COUNT,), 5)), np.full(5, 0.2)) > LEAST
    p = [0.1, 0.0, 0.6, 0.3]
    found = np.bincount(drawn("choice", (COUNT,), 4, p=p), minlength=4)
    assert found[1] == 0 and chi_square(found[[0, 2, 3]], [0.1, 0.6, 0.3]) > LEAST
    values = np.array([1.5, 2.5, 4.0], "float32")
    assert sorted(drawn("choice", (3,), values, replace=False)) == [1.5, 2.5, 4.0]
    assert set(drawn("choice", (100,), values)) == {1.5, 2.5, 4.0}


def test_multinomial():
    p = np.array([[0.2, 0.3, 0.5], [0.9, 0.1, 0.0]])
    one = drawn("multinomial", None, 1, np.repeat(p, COUNT // 2, axis=0))
    assert (one.sum(axis=1) == 1).all()
    assert chi_square(one[:COUNT // 2].sum(axis=0), p[0]) > LEAST
    assert not one[COUNT // 2:, 2].any() and chi_square(one[COUNT // 2:, :2].sum(axis=0), p[1, :2]) > LEAST
    assert (drawn("multinomial", (50,), 10, [0.2, 0.8]).sum(axis=1) == 10).all()


@pytest.mark.parametrize("rate", [0.5, 4.0, 100.0])
def test_poisson(rate):
    counts = drawn("poisson", (COUNT,), rate, seed=3)
    assert counts.dtype == "int64"
    most = int(scipy.stats.poisson.ppf(1 - 1e-4, rate))
    found = np.bincount(np.minimum(counts, most), minlength=most + 1)
    wanted = scipy.stats.poisson.pmf(np.arange(most + 1), rate)
    wanted[-1] += 1 - wanted.sum()
    many = wanted * COUNT > 5
    found, wanted = (np.append(v[many][:-1], v[many][-1] + v[~many].sum()) for v in (found, wanted * COUNT))
    assert scipy.stats.chisquare(found, wanted).pvalue > LEAST


@pytest.mark.parametrize("alpha", [0.3, 1.0, 7.5])
def test_gamma(alpha):
    numbers = drawn("gamma", (COUNT,), alpha, 2.0, seed=4)
    assert scipy.stats.kstest(numbers, scipy.stats.gamma(alpha, scale=0.5).cdf).pvalue > LEAST


def test_numbers_of_rejection_are_a_function_of_the_state():
    """New ones in each call, the same for a state, in streams and in loops; parameters give the shape."""
    srng = RandomStreams(seed=5)
    counts = srng.poisson(lam=[1.0, 100.0])
    f = st.function([], counts)
    first, second = f(), f()
    srng.seed(5)
    assert (f() == first).all() and first.shape == (2,) and (first != second).any()
    rows, updates = st.scan(lambda: srng.gamma((3,), 2.0), n_steps=4)
    numbers = st.function([], rows, updates=updates)()
    assert len(np.unique(numbers)) == 12
    rate = T.dvector("rate")
    with pytest.raises(IndexOutOfRange, match="poisson: lam < 0"):
        st.function([rate], srng.poisson(lam=rate))([-1.0])
    with pytest.raises(GradientError, match="a sample of it has none"):
        st.grad(T.cast(srng.poisson(lam=rate), "float64").sum() + srng.gamma(alpha=rate).sum(), rate)


@pytest.mark.parametrize("replace", [True, False])
def test_categories(replace):
    p = np.array([0.2, 0.3, 0.5])
    found = drawn("categories", 2, np.repeat(p[None], COUNT, axis=0), replace)
    pairs = np.bincount(found[:, 0] * 3 + found[:, 1], minlength=9).reshape(3, 3)
    wanted = p[:, None] * p if replace else p[:, None] * np.where(np.eye(3) == 1, 0, p) / (1 - p[:, None])
    assert chi_square(pairs[wanted > 0], wanted[wanted > 0]) > LEAST
    assert pairs[wanted == 0].sum() == 0


def test_permutation():
    found = drawn("permutation", (60_000,), 3)
    assert (np.sort(found, axis=1) == np.arange(3)).all()
    assert chi_square(np.unique(found, axis=0, return_counts=True)[1], np.full(6, 1 / 6)) > LEAST
    shuffled = drawn("shuffle_row_elements", np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), np.arange(12).reshape(3, 4))


def test_neighbours_are_independent():
    """Of one stream elements at small distances and calls one after the other, and streams side by side."""
    samples = [drawn("normal", (COUNT,), dtype="float32")]
    srng = RandomStreams(0)
    f = st.function([], [srng.normal((COUNT,), dtype="float32") for _ in range(3)])
    samples += f() + f()
    correlations = np.corrcoef(samples)[np.triu_indices(len(samples), 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(COUNT)
    for distance in (1, 15, 16, 17, 32, 48, 64):
        assert abs(np.corrcoef(samples[0][:-distance], samples[0][distance:])[0, 1]) < 4.5 / np.sqrt(COUNT)


# -- streams ----------------------------------------------------------------------------------------------

def test_new_numbers_in_each_call_unless_told_otherwise():
    srng = RandomStreams(seed=234)
    rv_u, rv_n = srng.uniform((2, 2)), srng.normal((2, 2))
    f = st.function([], rv_u)
    g = st.function([], rv_n, no_default_updates=True)
    nearly_zeros = st.function([], rv_u + rv_u - 2 * rv_u)
    assert (f() != f()).all() and (g() == g()).all()
    assert not nearly_zeros().any()


def test_states_can_be_kept_and_seeded():
    srng = RandomStreams(234)
    u = srng.uniform((3,))
    f = st.function([], u)
    kept = u.rng.get_value()
    first = f()
    assert (f() != first).all()
    u.rng.set_value(kept)
    np.testing.assert_array_equal(f(), first)
    srng.seed(5)
    other = f()
    srng.seed()
    np.testing.assert_array_equal(f(), first)
    again = RandomStreams(5)
    np.testing.assert_array_equal(st.function([], again.uniform((3,)))(), other)
    assert [old for old, _ in srng.updates()] == [u.rng] and u.update == srng.updates()[0]


def test_explicit_states():
    start = T.as_tensor_variable(random.state(3))
    middle, a = random.uniform(start, (4,))
    end, b = random.normal(middle, (4,))
    results = st.function([], [a, b, end])()
    assert results[2].tolist() == [random.state(3)[0], 2]
    for found, wanted in zip(results, evaluate([a, b, end], {})):
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_shapes_from_parameters_and_vectors():
    srng = RandomStreams(1)
    low, sizes, x = T.dvector("low"), T.lvector("sizes"), T.fmatrix("x")
    assert st.function([low], srng.uniform(low=low, high=1.0))([0.0, 0.5]).shape == (2,)
    assert st.function([sizes], srng.normal(sizes, ndim=2))([2, 3]).shape == (2, 3)
    assert st.function([x], srng.binomial(x.shape, p=0.5))(np.ones((2, 5), "f")).shape == (2, 5)
    assert srng.uniform().type.ndim == 0


def test_derivatives_by_the_parameters():
    avg, std, low, high = T.dscalars("avg", "std", "low", "high")
    srng = RandomStreams(1)
    z, u = srng.normal((5,), avg=avg, std=std), srng.uniform((5,), low=low, high=high)
    f = st.function([avg, std, low, high], [z, u, *st.grad((z + u).sum(), [avg, std, low, high])])
    z, u, by_avg, by_std, by_low, by_high = f(1.0, 2.0, -1.0, 3.0)
    np.testing.assert_allclose([by_avg, by_std], [5, (z - 1).sum() / 2])
    np.testing.assert_allclose([by_low, by_high], [5 - (u + 1).sum() / 4, (u + 1).sum() / 4])


def test_mrg_streams():
    srng = MRG_RandomStreams(seed=7)
    f = st.function([], [srng.uniform(size=(3, 2), low=-1, high=1, dtype="float32"), srng.normal((4,), truncate=True),
                         srng.truncated_normal((4,)), srng.binomial(size=(5,), n=1, p=0.5),
                         srng.multinomial(pvals=[[0.5, 0.5]]), srng.choice(size=2, p=[[0.2, 0.3, 0.5]], replace=False)])
    assert [result.shape for result in f()] == [(3, 2), (4,), (4,), (5,), (1, 2), (1, 2)]
    with pytest.raises(TypeMismatch, match="takes a matrix p of probabilities"):
        srng.choice(a=5)
    with pytest.raises(TypeMismatch, match="needs the probabilities"):
        srng.multinomial()


@pytest.mark.parametrize("call, kind, message", [
    (lambda: RandomStreams(-1), TypeMismatch, "a seed must be an integer from 0 to 2\\*\\*64 - 1, not -1"),
    (lambda: random.uniform(np.zeros(2), (3,)), TypeMismatch, "a random state is a vector of two uint64"),
    (lambda: RandomStreams(1).uniform((3,), dtype="int32"), TypeMismatch, "real numbers cannot be of int32"),
    (lambda: RandomStreams(1).binomial((3,), dtype="complex64"), TypeMismatch, "integers cannot be of complex64"),
    (lambda: RandomStreams(1).binomial((3,), p=1.5), TypeMismatch, "a probability lies between 0 and 1"),
    (lambda: RandomStreams(1).binomial((3,), n=[1, 2]), TypeMismatch, "n must be an integer scalar"),
    (lambda: RandomStreams(1).random_integers((3,), 0.5, 2), TypeMismatch, "the bounds must be integers"),
    (lambda: RandomStreams(1).random_integers((3,), 5, 4), TypeMismatch, "there must be 1 to 2\\*\\*32 integers"),
    (lambda: RandomStreams(1).choice((3,), a=[[1]]), TypeMismatch, "a must be an integer or a vector"),
    (lambda: RandomStreams(1).choice((1,), a=2, replace=False, p=[0.5, 0.5]), TypeMismatch, "without replacement"),
    (lambda: RandomStreams(1).multinomial(pvals=0.5), TypeMismatch, "an axis of categories"),
    (lambda: random.categories(random.state(1), 2, [0.5, 0.5]), TypeMismatch, "p must be a matrix"),
    (lambda: RandomStreams(1).normal((3,), avg=np.zeros((2, 3))), ShapeError, "a size of 1 axes for a sample that has"),
])
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# -- in programs ------------------------------------------------------------------------------------------

def kept(function):
    """The dtypes of the matrices that a function keeps in memory meanwhile."""
    return [buffer.dtype for buffer in function.program.buffers
            if buffer.kind is BufferKind.ARENA and len(buffer.shape) == 2]


def test_dropout_keeps_no_mask():
    x, w = T.fmatrix("x"), T.fmatrix("w")
    srng = RandomStreams(3)
    hidden = T.dot(x, w)
    dropped = hidden * srng.binomial(hidden.shape, p=0.5, dtype="float32") * 2
    cost = T.sqr(dropped).sum()
    forward = st.function([x, w], dropped)
    assert [k.name for k in forward.kernels][:1] == ["cast_random32_lt_mul"] and not kept(forward)
    both = st.function([x, w], [dropped, st.grad(cost, hidden), st.grad(cost, w)])
    assert kept(both) == []
    values = [np.random.default_rng(0).normal(size=size).astype("float32") for size in ((9, 20), (20, 130))]
    found, slope, _ = both(*values)
    product = values[0] @ values[1]
    mask = found != 0
    assert 0.4 < mask.mean() < 0.6
    np.testing.assert_allclose(found, np.where(mask, 2 * product, 0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(slope, np.where(mask, 8 * product, 0), rtol=1e-4, atol=1e-4)


def test_mask_is_computed_again_on_the_other_side_of_a_product():
    x, w, v = T.fmatrix("x"), T.fmatrix("w"), T.fmatrix("v")
    srng = RandomStreams(3)
    hidden = T.dot(x, w)
    dropped = hidden * srng.binomial(hidden.shape, p=0.5, dtype="float32")
    cost = T.sqr(T.dot(dropped, v)).sum()
    f = st.function([x, w, v], [cost, *st.grad(cost, [w, v])])
    random_kernels = [number for number, kernel in enumerate(f.kernels) if "2654435769" in kernel.text]
    launched = [i.kernel for i in f.program.instructions if isinstance(i, Launch)]
    assert sum(launched.count(kernel) for kernel in random_kernels) == 2
    assert kept(f) == ["float32"] * 3  # what is dropped out, the second product, and the slope of the first
    values = [np.random.default_rng(n).normal(size=size).astype("float32")
              for n, size in enumerate([(9, 20), (20, 130), (130, 4)])]
    state = dict(zip([x, w, v], values))
    stream = srng.updates()[0][0]
    state[stream] = stream.get_value()
    for found, wanted in zip(f(*values), evaluate([cost, *st.grad(cost, [w, v])], state)):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


def test_streams_in_loops():
    """New numbers in each step, and a state after the loop that goes on where the loop ended."""
    srng = RandomStreams(8)
    z = srng.normal((2,))
    one = st.function([], z)
    wanted = np.stack([one() for _ in range(8)])
    srng.seed(8)
    steps, updates = st.scan(lambda: srng.normal((2,)), n_steps=4)
    assert list(updates) == [srng.updates()[1][0]]
    srng.updates()[1][0].set_value(srng.updates()[0][0].get_value())
    f = st.function([], steps, updates=updates)
    np.testing.assert_allclose(np.concatenate([f(), f()]), wanted, rtol=1e-12)


def test_gibbs_sampling():
    """Two spins that like to agree, drawn in turn: they agree with probability 1 / (1 + exp(-2))."""
    srng = RandomStreams(5)

    def step(a, b):
        a = srng.binomial(a.shape, p=T.nnet.sigmoid(4 * b - 2), dtype="float64")
        return a, srng.binomial(b.shape, p=T.nnet.sigmoid(4 * a - 2), dtype="float64")

    (a, b), updates = st.scan(step, outputs_info=[T.zeros((2000,)), T.zeros((2000,))], n_steps=20)
    assert len(updates) == 2
    f = st.function([], T.eq(a[-1], b[-1]).mean(), updates=updates)
    agree = np.mean([f() for _ in range(3)])
    assert abs(agree - 1 / (1 + np.exp(-2))) < 0.02


def test_sizes_whose_product_is_no_small_integer():
    """Numbers that users write are of the smallest dtype that holds them; their product need not be."""
    stream = RandomStreams(0)
    numbers = st.function([], stream.uniform((64, 9), dtype="float64"))()
    assert numbers.shape == (64, 9) and len(np.unique(numbers)) == 64 * 9
