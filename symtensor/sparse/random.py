"""Sparse matrices of random numbers.

Each call makes a stream: new numbers each time a function that uses it is called. Streams are made by `srng`, a
`RandomStreams`; those made without one begin differently in each process, as Theano's do.

>>> from symtensor.tensor.shared_randomstreams import RandomStreams
>>> means = csr_from_dense([[0.0, 50.0], [100.0, 0.0]])
>>> poisson(means, RandomStreams(1)).eval().nnz
2
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.sparse.arithmetic import elements_at
from symtensor.sparse.structure import as_format, check_sparse, coordinates, csr_from_dense, dense_from_sparse
from symtensor.sparse.variable import FORMATS, SparseVariable
from symtensor.tensor.shared_randomstreams import RandomStreams
from symtensor.types.dtype import check_dtype

__all__ = ["Binomial", "csc_dbinomial", "csc_fbinomial", "csr_dbinomial", "csr_fbinomial", "multinomial", "poisson"]


@cache
def _streams() -> RandomStreams:
    return RandomStreams()


def poisson(x: Any, srng: RandomStreams | None = None) -> SparseVariable:
    """Numbers of the Poisson distribution whose means are the elements of a sparse matrix; of its dtype.

    Raises TypeMismatch, and IndexOutOfRange, when drawn, for a mean below zero.

    >>> poisson(csr_from_dense([[0.0, 5.0]])).type
    SparseType(csr, float64)
    """
    x, = check_sparse("poisson", x)
    return x.with_data(cast((srng or _streams()).poisson(lam=x.data), x.dtype))


def Binomial(format: str, dtype: str) -> Callable[..., SparseVariable]:
    """What makes sparse matrices of how many of `n` trials succeed with probability `p`: `Binomial("csr", "float32")`.

    Called with `n`, `p`, the shape and, if wanted, the streams. Raises TypeMismatch.

    >>> csr_fbinomial(10, 0.0, (2, 3)).eval().nnz
    0
    """
    if format not in FORMATS:
        raise TypeMismatch(f"Binomial: there is no sparse format {format!r}", fix='"csr" or "csc"')
    dtype = check_dtype(dtype)

    def binomial(n: Any, p: Any, shape: Any, srng: RandomStreams | None = None) -> SparseVariable:
        """A sparse matrix of how many of `n` trials succeed with probability `p`, of a shape.

        >>> csr_fbinomial(10, 1.0, (2, 3)).eval().sum()
        np.float32(60.0)
        """
        drawn = (srng or _streams()).binomial(shape, n, p, ndim=2)
        return as_format(csr_from_dense(cast(drawn, dtype)), format)
    return binomial


csr_fbinomial, csr_dbinomial = Binomial("csr", "float32"), Binomial("csr", "float64")
csc_fbinomial, csc_dbinomial = Binomial("csc", "float32"), Binomial("csc", "float64")


def multinomial(n: Any, p: Any, srng: RandomStreams | None = None) -> SparseVariable:
    """How often each category is drawn in `n` draws, where the rows of the sparse matrix `p` are probabilities.

    The result has elements where `p` has, of its dtype. Raises TypeMismatch.

    >>> multinomial(10, csr_from_dense([[0.5, 0.5], [0.0, 1.0]])).sum(axis=1).eval()
    array([10., 10.])
    """
    p, = check_sparse("multinomial", p)
    if as_variable(n).type.ndim:
        raise TypeMismatch("multinomial: the number of draws is one for all rows", fix="give an integer")
    drawn = csr_from_dense((srng or _streams()).multinomial(n=n, pvals=dense_from_sparse(p)))
    return p.with_data(cast(elements_at(drawn, *coordinates(p)), p.dtype))
