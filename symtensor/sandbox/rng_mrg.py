"""Theano's `MRG_RandomStreams`: the streams of `shared_randomstreams`, with the signatures of that class.

The numbers are not those of the generator MRG31k3p, which the class is named for in Theano.

>>> srng = MRG_RandomStreams(seed=234)
>>> srng.normal((2, 3), avg=1.0, dtype="float32").type
TensorType(float32, (2, 3))
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.tensor import random
from symtensor.tensor.shared_randomstreams import Streams

__all__ = ["MRG_RandomStreams"]


class MRG_RandomStreams(Streams):
    """Makes streams by what is drawn; `nstreams` and further keywords are accepted for Theano's sake.

    >>> MRG_RandomStreams(1).uniform((3,), dtype="float32").type
    TensorType(float32, (3,))
    """

    def __init__(self, seed: int = 12345) -> None:
        super().__init__(seed)

    def uniform(self, size: Any, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None,
                nstreams: Any = None, **kwargs: Any) -> Variable:
        """Numbers evenly distributed from `low` up to `high`. See `random.uniform`."""
        return self.gen(random.uniform, size, low, high, ndim, dtype)

    def normal(self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
               nstreams: Any = None, truncate: bool = False, **kwargs: Any) -> Variable:
        """Normal numbers, no further than two `std` from `avg` with `truncate`. See `random.normal`."""
        return self.gen(random.truncated_normal if truncate else random.normal, size, avg, std, ndim, dtype)

    def truncated_normal(self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
                         nstreams: Any = None, **kwargs: Any) -> Variable:
        """Normal numbers no further than two `std` from `avg`. See `random.truncated_normal`."""
        return self.gen(random.truncated_normal, size, avg, std, ndim, dtype)

    def binomial(self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
                 nstreams: Any = None, **kwargs: Any) -> Variable:
        """How many of `n` trials succeed. See `random.binomial`."""
        return self.gen(random.binomial, size, n, p, ndim, dtype)

    def multinomial(self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None,
                    dtype: Any = "int64", nstreams: Any = None, **kwargs: Any) -> Variable:
        """How often each category is drawn for each row of `pvals`. See `random.multinomial`."""
        if pvals is None:
            raise complaint(TypeMismatch, "multinomial needs the probabilities of the categories",
                            fix="pvals=[[0.2, 0.8]]")
        return self.gen(random.multinomial, size, n, pvals, ndim, dtype)

    def choice(self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None, ndim: int | None = None,
               dtype: Any = "int64", nstreams: Any = None, **kwargs: Any) -> Variable:
        """`size` numbers of categories for each row of the matrix `p` of probabilities.

        As in Theano `a` is None; with `replace` false no category is drawn twice for a row. Raises TypeMismatch.
        """
        if a is not None or p is None or as_variable(p).type.ndim != 2:
            raise complaint(TypeMismatch, "choice of MRG_RandomStreams takes a matrix p of probabilities and no a",
                            fix="use RandomStreams.choice for elements of a vector")
        return self.gen(random.categories, size, p, replace, dtype)
