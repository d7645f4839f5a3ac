"""Random numbers as functions of a state: each returns the state for the next call, and a sample.

A state is a vector of two uint64, a key and how many calls were made with it. What is drawn in a call is a function of
these two and of the place in the sample (`ops.random`): the same state gives the same numbers, on any number of
threads. `shared_randomstreams` keeps states in shared variables.

>>> from symtensor.ops.convert import as_variable
>>> first = as_variable(state(234))
>>> second, sample = uniform(first, (2, 2))
>>> sample.eval()
array([[0.06014286, 0.94234389],
       [0.41137722, 0.65415199]])
>>> third, sample = normal(second, 3)
>>> int(third.eval()[1]), sample.type
(2, TensorType(float64, (3,)))

`size` is the shape of the sample: integers, integer scalars, or an integer vector; by default the shape in which the
parameters broadcast. `ndim` is its length where that cannot be seen.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, is_weak
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota, gather, join, subtensor
from symtensor.ops.ordering import Argsort, Search, Select
from symtensor.ops.random import normal_tail, random32, random64
from symtensor.ops.reduce import sum_axes
from symtensor.ops.rejection import Sample
from symtensor.ops.shape import as_size, broadcast_to, reshape
from symtensor.ops.size import dimension, shape_of
from symtensor.tensor.arguments import product, sizes_of
from symtensor.tensor.creation import zeros_like
from symtensor.tensor.selection import permute_row_elements
from symtensor.tensor.sequences import cumsum
from symtensor.types.dtype import DISCRETE, FLOATS, check_dtype, promote

__all__ = ["state", "uniform", "normal", "truncated_normal", "binomial", "random_integers", "choice", "categories",
           "permutation", "shuffle_row_elements", "multinomial", "poisson", "gamma"]

Drawn = tuple[Variable, Variable]
"""The next state, and the sample."""


# -- states -----------------------------------------------------------------------------------------------

def checked_seed(seed: int | None) -> int:
    """A seed as it is, one that nobody knows for None. Raises TypeMismatch for what is none."""
    if seed is None:
        return secrets.randbits(64)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise complaint(TypeMismatch, f"a seed must be an integer from 0 to 2**64 - 1, not {seed!r}",
                        fix="RandomStreams(seed=234)")
    return int(seed)


def streams(seed: int, first: int, count: int) -> np.ndarray:
    """The states of `count` streams from number `first` on, one a row, that a seed stands for.

    >>> streams(234, 0, 3).shape
    (3, 2)
    """
    numbers = np.arange(first, first + count, dtype="uint64")
    call = np.uint64(2**64 - 1)  # which no stream comes to
    keys = random64.evaluate(np.asarray(seed, "uint64"), np.asarray(call), numbers)
    return np.stack([np.asarray(keys), np.zeros_like(numbers)], 1)


def state(seed: int | None = None) -> np.ndarray:
    """The state to begin with for a seed, from 0 to 2**64 - 1; a different one each time for None.

    Raises TypeMismatch.

    >>> state(1).tolist() == state(1).tolist()
    True
    """
    return np.array(streams(checked_seed(seed), 0, 1)[0])


def _next(state: Variable) -> Variable:
    return state + np.array([0, 1], "uint64")


def _state(value: Any) -> Variable:
    variable = as_variable(value)
    if variable.type.dtype != "uint64" or variable.type.shape != (2,):
        raise complaint(TypeMismatch, "a random state is a vector of two uint64", variable,
                        fix="make it with symtensor.tensor.random.state(seed)")
    return variable


# -- bits and numbers of [0, 1) ---------------------------------------------------------------------------

def _bits(op: Any, state: Variable, sizes: Sequence[Any]) -> Any:
    """Random bits of a shape."""
    places = reshape(Iota()(product([as_size(size) for size in sizes])), sizes)
    return op(subtensor(state, (0,)), subtensor(state, (1,)), cast(places, "uint64"))


def _whole(bits: Any, dtype: str) -> Variable:
    """Fewer than 32 bits of a uint64 as a float: int32 is what processors convert fast."""
    return cast(cast(bits, "int32"), dtype)


def _halves(bits: Any) -> tuple[Any, Any]:
    return bits // 2**32, bits & (2**32 - 1)


def unit_of_bits(bits: Any, dtype: str) -> Variable:
    """Numbers of [0, 1), evenly spaced: of 64 bits 53 in float64, of 32 bits 24 in float32 and 11 in float16."""
    if dtype == "float64":
        high, low = _halves(bits)
        digits: Any = _whole(high // 2**5, dtype) * float(2**26) + _whole(low // 2**6, dtype)
        return digits * 2.0**-53
    kept = 24 if dtype == "float32" else 11
    return _whole(bits // 2**(32 - kept), dtype) * 2.0**-kept


def normal_of_bits(bits: Any, dtype: str) -> Variable:
    """Normal numbers: of 64 bits in float64, of 32 in float32.

    One bit is the sign, the others are the probability of what lies further out.
    """
    if dtype == "float64":
        high, low = _halves(bits)
        p = _whole(high & (2**31 - 1), dtype) * 2.0**-32 + (_whole(low // 2, dtype) * 2.0**-63 + 2.0**-64)
    else:
        high = bits
        p = _whole(high & (2**31 - 1), dtype) * 2.0**-32 + 2.0**-33
    z = normal_tail(p)
    return scalar.switch(scalar.lt(high, 2**31), z, -z)


def _unit(state: Variable, sizes: Sequence[Any], dtype: str) -> Variable:
    return unit_of_bits(_bits(random64 if dtype == "float64" else random32, state, sizes), dtype)


# -- arguments --------------------------------------------------------------------------------------------

def _float(dtype: Any, parameters: Sequence[Any]) -> str:
    """The dtype of a sample of floats: the one given, else what floatX and the parameters promote to."""
    if dtype is None:
        strong = [as_variable(v).type.dtype for v in parameters if not is_weak(v)]
        dtype = promote(str(config.floatX), *strong)
    if check_dtype(dtype) not in FLOATS:
        raise complaint(TypeMismatch, f"a sample of real numbers cannot be of {dtype}", fix='dtype="float32"')
    return check_dtype(dtype)


def _integer(dtype: Any) -> str:
    if check_dtype(dtype) not in DISCRETE + FLOATS:
        raise complaint(TypeMismatch, f"a sample of integers cannot be of {dtype}", fix='dtype="int64"')
    return check_dtype(dtype)


def _sizes(function: str, size: Any, ndim: int | None, *parameters: Any) -> list[Any]:
    """The sizes of a sample; without `size` those that the parameters broadcast to."""
    if size is not None:
        return sizes_of(size, function, ndim)
    total = as_variable(0)
    for parameter in parameters:
        total = scalar.add(total, parameter)
    return list(shape_of(total))


def _fitting(function: str, sample: Variable, sizes: Sequence[Any]) -> Variable:
    if sample.type.ndim != len(sizes):
        raise complaint(ShapeError, f"{function}: a size of {len(sizes)} axes for a sample that has {sample.type.ndim}"
                        " with the parameters", sample, fix="give the size of the sample, not that of one number")
    return sample


# -- samples ----------------------------------------------------------------------------------------------

def uniform(state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
            dtype: Any = None) -> Drawn:
    """Numbers evenly distributed from `low` up to `high`; of floatX, or what it and the parameters promote to.

    Numbers from 0 to 1 are never 1. With other bounds `high` itself may come of rounding. The sample has derivatives
    by `low` and `high`. Raises TypeMismatch, ShapeError.

    >>> uniform(state(1), (2, 3), dtype="float32")[1].type
    TensorType(float32, (2, 3))
    """
    state, dtype = _state(state), _float(dtype, [low, high])
    sizes = _sizes("uniform", size, ndim, low, high)
    u = _unit(state, sizes, dtype)
    if not (is_weak(low) and is_weak(high) and (low, high) == (0, 1)):
        low, high = cast(low, dtype), cast(high, dtype)
        u = low + u * (high - low)
    return _next(state), _fitting("uniform", u, sizes)


def normal(state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
           dtype: Any = None) -> Drawn:
    """Normal numbers of mean `avg` and standard deviation `std`; dtype as for `uniform`.

    The sample has derivatives by `avg` and `std`. Raises TypeMismatch, ShapeError.

    >>> normal(state(1), avg=[-10.0, 0.0, 10.0])[1].type
    TensorType(float64, (3,))
    """
    state, dtype = _state(state), _float(dtype, [avg, std])
    sizes = _sizes("normal", size, ndim, avg, std)
    wide = "float64" if dtype == "float64" else "float32"
    z = cast(normal_of_bits(_bits(random64 if wide == "float64" else random32, state, sizes), wide), dtype)
    return _next(state), _fitting("normal", _scaled(z, avg, std), sizes)


def _scaled(z: Variable, avg: Any, std: Any) -> Variable:
    dtype = z.type.dtype
    if not (is_weak(std) and std == 1):
        z = z * cast(std, dtype)
    return z if is_weak(avg) and avg == 0 else z + cast(avg, dtype)


def truncated_normal(state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
                     dtype: Any = None) -> Drawn:
    """Normal numbers no further than two standard deviations from the mean; otherwise as `normal`.

    >>> truncated_normal(state(1), (5,))[1].type
    TensorType(float64, (5,))
    """
    state, dtype = _state(state), _float(dtype, [avg, std])
    sizes = _sizes("truncated_normal", size, ndim, avg, std)
    wide = "float64" if dtype == "float64" else "float32"
    outside = math.erfc(math.sqrt(2)) / 2
    u = _unit(state, sizes, wide) - 0.5  # type: ignore[operator]
    z = normal_tail(0.5 - scalar.abs_(u) * (1 - 2 * outside))
    z = cast(scalar.minimum(scalar.switch(scalar.lt(u, 0), -z, z), 2), dtype)
    return _next(state), _fitting("truncated_normal", _scaled(z, avg, std), sizes)


def binomial(state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
             prob: Any = None) -> Drawn:
    """How many of `n` trials succeed, each with probability `p` (known to 32 bits); int64 unless `dtype` is given.

    `n` is an integer or an integer scalar; the work is in proportion to it. `prob` is Theano's other name of `p`.
    Raises TypeMismatch, ShapeError.

    >>> binomial(state(1), (8,), p=0.5)[1].eval()
    array([0, 0, 0, 0, 0, 1, 0, 0])
    """
    state, dtype, p = _state(state), _integer(dtype), as_variable(p if prob is None else prob)
    if isinstance(p, Constant) and not np.all((p.data >= 0) & (p.data <= 1)):
        raise complaint(TypeMismatch, "binomial: a probability lies between 0 and 1", p, fix="give p=0.5")
    trials, sizes = as_variable(n), _sizes("binomial", size, ndim, p)
    if trials.type.ndim or trials.type.dtype not in DISCRETE:
        raise complaint(TypeMismatch, "binomial: n must be an integer scalar", trials,
                        fix="draw for each n apart, or sum where(arange(n.max()) < n, ...)")
    limit = cast(scalar.round_half_to_even(cast(p, "float64") * 2.0**32), "int64")
    several = not (isinstance(trials, Constant) and trials.data == 1)
    shape = [cast(trials, "int64"), *sizes] if several else sizes
    success = scalar.lt(_bits(random32, state, shape), cast(limit, "uint64"))
    _fitting("binomial", success, shape)
    if several:
        success = sum_axes(cast(success, "int64"), [0])
    return _next(state), cast(success, dtype)


def _below(state: Variable, sizes: Sequence[Any], count: Any) -> Variable:
    """Integers of 0 to count - 1, for counts up to 2**32: a fraction of 64 bits, times the count."""
    high, low = _halves(_bits(random64, state, sizes))
    count = cast(count, "uint64")
    return cast((high * count + low * count // 2**32) // 2**32, "int64")


def random_integers(state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
                    dtype: Any = "int64") -> Drawn:
    """Integers from `low` to `high`, both included, at most 2**32 different ones. Raises TypeMismatch, ShapeError.

    No integer is more likely than another by more than 2**-32 of its probability.

    >>> random_integers(state(1), (8,), 1, 6)[1].eval()
    array([5, 4, 5, 4, 5, 1, 5, 4])
    """
    state, dtype = _state(state), _integer(dtype)
    sizes = _sizes("random_integers", size, ndim, low, high)
    low, high = as_variable(low), as_variable(high)
    if low.type.dtype not in DISCRETE or high.type.dtype not in DISCRETE:
        raise complaint(TypeMismatch, "random_integers: the bounds must be integers", low, high,
                        fix="use uniform for real numbers")
    low = cast(low, "int64")
    count = cast(high, "int64") - low + 1  # type: ignore[operator]
    if isinstance(low, Constant) and isinstance(high, Constant):
        different = high.data.astype("float64") - low.data + 1
        if np.any((different < 1) | (different > 2**32)):
            raise complaint(TypeMismatch, "random_integers: there must be 1 to 2**32 integers from low to high", low,
                            high, fix="put two draws together for more: high_part * 2**32 + low_part")
    sample = _below(state, sizes, count) + low
    return _next(state), cast(_fitting("random_integers", sample, sizes), dtype)


def choice(state: Any, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
           dtype: Any = "int64") -> Drawn:
    """Elements of the vector `a`, or of 0 to a - 1 for an integer, each as likely, or with probabilities `p`.

    Without `replace` no element is drawn twice; then `p` must be None. `dtype` is that of numbers; elements of a vector
    keep their own. Raises TypeMismatch, ShapeError.

    >>> choice(state(1), (4,), 10)[1].eval()
    array([7, 5, 7, 5])
    """
    state, a = _state(state), as_variable(a)
    sizes = sizes_of(() if size is None else size, "choice", ndim)
    if a.type.ndim > 1 or (not a.type.ndim and a.type.dtype not in DISCRETE):
        raise complaint(TypeMismatch, "choice: a must be an integer or a vector", a, fix="use flatten(a)")
    count = dimension(a, 0) if a.type.ndim else cast(a, "int64")
    if not replace:
        if p is not None:
            raise complaint(TypeMismatch, "choice: without replacement all elements are as likely", a, as_variable(p),
                            fix="leave p out, or draw with replacement")
        wanted = product(list(map(as_size, sizes)))
        chosen = reshape(Select(0, False)(_bits(random64, state, [count]), wanted), sizes)
    elif p is None:
        chosen = _below(state, sizes, count)
    else:
        chosen = _category(cast(p, "float64"), _unit(state, sizes, "float64"))
    return _next(state), gather(a, {0: chosen}) if a.type.ndim else cast(chosen, _integer(dtype))


def _category(p: Variable, u: Variable) -> Variable:
    """The places in a vector of probabilities that numbers of [0, 1) fall on."""
    totals = cumsum(p)
    last = dimension(p, 0) - 1  # type: ignore[operator]
    places = Search("right")(totals, u * subtensor(totals, (-1,)))
    return scalar.minimum(places, last)


def categories(state: Any, size: Any, p: Any, replace: bool = True, dtype: Any = "int64") -> Drawn:
    """For each row of the matrix `p` of probabilities `size` numbers of categories: a matrix.

    Without `replace` each is drawn from those that are left. Raises TypeMismatch, ShapeError.

    >>> categories(state(1), 2, [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])[1].eval()
    array([[1, 1],
           [2, 2]])
    """
    state, p, dtype = _state(state), cast(p, "float64"), _integer(dtype)
    if p.type.ndim != 2:
        raise complaint(TypeMismatch, "categories: p must be a matrix, a row for each case", p, fix="p[None, :]")
    rows, count = shape_of(p)
    (size,) = sizes_of(size, "categories", 1)
    if replace:
        totals = cumsum(p, axis=1)
        u = _unit(state, [rows, size], "float64") * totals[:, -1:]  # type: ignore[index]
        beyond = scalar.ge(u[:, :, None], totals[:, None, :])  # type: ignore[index]
        return _next(state), cast(sum_axes(cast(beyond, "int64"), [2]), dtype)
    # Of waiting times that are exponential, at rates p, the shortest come in the order of such draws.
    waiting = -scalar.log1p(-_unit(state, [rows, count], "float64")) / p
    return _next(state), cast(Select(1, False)(waiting, as_size(size)), dtype)


def permutation(state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """Permutations of 0 to n - 1 along a last axis: as many as `size` says, one by default. Raises TypeMismatch.

    >>> permutation(state(1), n=5)[1].eval()
    array([1, 3, 4, 0, 2])
    """
    state, dtype = _state(state), _integer(dtype)
    sizes = [*sizes_of(() if size is None else size, "permutation", ndim), *sizes_of([n], "permutation")]
    order = Argsort(len(sizes) - 1)(_bits(random64, state, sizes))
    return _next(state), cast(order, dtype)


def shuffle_row_elements(state: Any, input: Any) -> Drawn:
    """`input` with the elements of its last axis in another order for each row. Raises TypeMismatch.

    >>> shuffle_row_elements(state(1), [1.0, 2.0, 3.0])[1].type
    TensorType(float64, (3,))
    """
    input = as_variable(input)
    *rows, count = shape_of(input)
    following, order = permutation(state, rows, count)
    return following, permute_row_elements(input, order)


def multinomial(state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
                dtype: Any = "int64") -> Drawn:
    """How often each category is drawn in `n` draws, with probabilities along the last axis of `pvals`.

    `size` is that of the draws without the axis of the categories, by default what `pvals` has before it. The work is
    in proportion to `n`. Raises TypeMismatch, ShapeError.

    >>> multinomial(state(1), n=10, pvals=[[0.5, 0.5], [1.0, 0.0]])[1].eval().sum(axis=1)
    array([10, 10])
    """
    state, dtype = _state(state), _integer(dtype)
    pvals = cast(pvals, "float32" if as_variable(pvals).type.dtype == "float32" else "float64")
    if not pvals.type.ndim:
        raise complaint(TypeMismatch, "multinomial: pvals must have an axis of categories", pvals,
                        fix="pvals=[p, 1 - p]")
    sizes = list(shape_of(pvals)[:-1]) if size is None else sizes_of(size, "multinomial", ndim)
    totals = cumsum(pvals, axis=-1)
    draws = [cast(as_variable(n), "int64"), *sizes, 1]
    u = _unit(state, draws, pvals.type.dtype) * totals[..., -1:]  # type: ignore[index]
    before = join(-1, [zeros_like(totals[..., :1]), totals[..., :-1]])  # type: ignore[index]
    drawn = scalar.and_(scalar.ge(u, before), scalar.lt(u, totals))
    return _next(state), cast(sum_axes(cast(drawn, "int64"), [0]), dtype)


def _sampled(function: str, kind: str, state: Any, size: Any, ndim: int | None, parameter: Any) -> Variable:
    """A number of a distribution for each place of a sample."""
    parameter = cast(as_variable(parameter), "float64")
    sizes = _sizes(function, size, ndim, parameter)
    return Sample(kind)(_state(state), _fitting(function, broadcast_to(parameter, sizes), sizes))  # type: ignore[no-any-return]


def poisson(state: Any, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """How many of the events come that come `lam` times in the mean; int64 unless `dtype` is given.

    The numbers are NumPy's, whose stream may differ between versions of it. Raises TypeMismatch, ShapeError, and
    IndexOutOfRange, when drawn, for a `lam` below zero.

    >>> poisson(state(1), (8,), 2.5)[1].type
    TensorType(int64, (8,))
    """
    sample = _sampled("poisson", "poisson", state, size, ndim, lam)
    return _next(_state(state)), cast(sample, _integer(dtype))


def gamma(state: Any, size: Any = None, alpha: Any = 1.0, beta: Any = 1.0, ndim: int | None = None,
          dtype: Any = None) -> Drawn:
    """Numbers of the gamma distribution of shape `alpha` and rate `beta` (mean alpha / beta); dtype as for `uniform`.

    The numbers are NumPy's, whose stream may differ between versions of it; the sample has a derivative by `beta`.
    Raises TypeMismatch, ShapeError, and IndexOutOfRange, when drawn, for an `alpha` below zero.

    >>> gamma(state(1), (8,), 2.5)[1].type
    TensorType(float64, (8,))
    """
    dtype, sizes = _float(dtype, [alpha, beta]), _sizes("gamma", size, ndim, alpha, beta)
    sample = cast(_sampled("gamma", "standard_gamma", state, sizes, None, alpha), dtype)
    return _next(_state(state)), sample if is_weak(beta) and beta == 1 else sample / cast(as_variable(beta), dtype)
