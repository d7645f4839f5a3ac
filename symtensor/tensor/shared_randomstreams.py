"""Streams of random numbers whose states are shared variables, as in Theano.

Each call of a method makes a stream: a variable that has new numbers each time a function that uses it is called, since
such functions update the stream's state by default.

>>> from symtensor.runtime.function import function
>>> srng = RandomStreams(seed=234)
>>> u = srng.uniform((2, 2))
>>> f = function([], u)
>>> f()
array([[0.06014286, 0.94234389],
       [0.41137722, 0.65415199]])
>>> bool((f() == f()).any())
False
>>> always = function([], u, no_default_updates=True)
>>> bool((always() == always()).all())
True
>>> srng.seed(234)
>>> bool((f() == always()).any())
False
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symtensor.ir.node import Variable
from symtensor.runtime.shared import SharedVariable, shared
from symtensor.tensor import random

__all__ = ["RandomStreams", "Streams"]


class Streams:
    """Streams that differ from each other, and are the same for the same seed, from 0 to 2**64 - 1.

    Without a seed they are different ones each time. Raises TypeMismatch for what is no seed.

    >>> len(Streams(seed=1).updates())
    0
    """

    def __init__(self, seed: int | None = None) -> None:
        self.default_instance_seed = seed
        self.state_updates: list[tuple[SharedVariable, Variable]] = []
        self._seed = random.checked_seed(seed)

    def updates(self) -> list[tuple[SharedVariable, Variable]]:
        """The states of all streams, and what follows each."""
        return list(self.state_updates)

    def seed(self, seed: int | None = None) -> None:
        """Begin all streams anew, as those of another seed; of the one given first if there is none now."""
        self._seed = random.checked_seed(self.default_instance_seed if seed is None else seed)
        states = random.streams(self._seed, 0, len(self.state_updates))
        for (variable, _), value in zip(self.state_updates, states):
            variable.set_value(value)

    def gen(self, op: Callable[..., random.Drawn], *arguments: Any, **keywords: Any) -> Variable:
        """A stream of what a function of a state draws: `op(state, ...)` gives the next state and a sample.

        The sample has its state as `rng`, and as `update` the pair of the state and what follows it.
        """
        number = len(self.state_updates)
        value = random.streams(self._seed, number, 1)[0]
        state = shared(value, shape=(2,), name=f"stream{number}")
        following, sample = op(state, *arguments, **keywords)
        state.default_update = following
        self.state_updates.append((state, following))
        sample.rng, sample.update = state, (state, following)  # type: ignore[attr-defined]
        return sample


class RandomStreams(Streams):
    """Makes streams by what is drawn; the methods take what the functions of `random` take after the state.

    >>> RandomStreams(seed=1).normal((2, 3), avg=5.0).type
    TensorType(float64, (2, 3))
    """

    def uniform(self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
                dtype: Any = None) -> Variable:
        """Numbers evenly distributed from `low` up to `high`. See `random.uniform`."""
        return self.gen(random.uniform, size, low, high, ndim, dtype)

    def normal(self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
               dtype: Any = None) -> Variable:
        """Normal numbers. See `random.normal`."""
        return self.gen(random.normal, size, avg, std, ndim, dtype)

    def binomial(self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
                 prob: Any = None) -> Variable:
        """How many of `n` trials succeed. See `random.binomial`."""
        return self.gen(random.binomial, size, n, p, ndim, dtype, prob)

    def multinomial(self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
                    dtype: Any = "int64") -> Variable:
        """How often each category is drawn in `n` draws. See `random.multinomial`."""
        return self.gen(random.multinomial, size, n, pvals, ndim, dtype)

    def random_integers(self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
                        dtype: Any = "int64") -> Variable:
        """Integers from `low` to `high`, both included. See `random.random_integers`."""
        return self.gen(random.random_integers, size, low, high, ndim, dtype)

    def choice(self, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
               dtype: Any = "int64") -> Variable:
        """Elements of a vector, or of 0 to a - 1. See `random.choice`."""
        return self.gen(random.choice, size, a, replace, p, ndim, dtype)

    def permutation(self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64") -> Variable:
        """Permutations of 0 to n - 1 along a last axis. See `random.permutation`."""
        return self.gen(random.permutation, size, n, ndim, dtype)

    def shuffle_row_elements(self, input: Any) -> Variable:
        """`input` with the elements of its last axis in another order for each row."""
        return self.gen(random.shuffle_row_elements, input)

    def poisson(self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64") -> Variable:
        """Numbers of events that come `lam` times in the mean. See `random.poisson`."""
        return self.gen(random.poisson, size, lam, ndim, dtype)

    def gamma(self, size: Any = None, alpha: Any = 1.0, beta: Any = 1.0, ndim: int | None = None,
              dtype: Any = None) -> Variable:
        """Numbers of the gamma distribution. See `random.gamma`."""
        return self.gen(random.gamma, size, alpha, beta, ndim, dtype)
