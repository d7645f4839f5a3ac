"""Sparse matrices, under the names of `theano.sparse`.

>>> import symtensor as st
>>> from symtensor import sparse
>>> import scipy.sparse
>>> x, w = sparse.csr_matrix("x"), st.tensor.dmatrix("w")
>>> f = st.function([x, w], sparse.dot(x, w).sum(axis=0))
>>> f(scipy.sparse.eye(2, format="csr"), [[1.0, 2.0], [3.0, 4.0]])
array([4., 6.])

A sparse matrix is four tensors (`variable`), and all that is done with it is composed from operations on them
(`structure`, `arithmetic`, `products`, `selection`, `random`): it is rewritten, differentiated and compiled like
everything else. Derivatives by a sparse matrix are those by the elements it stores.
"""

from symtensor.sparse import arithmetic, products, random, selection, structure, variable
from symtensor.sparse.arithmetic import *  # noqa: F403
from symtensor.sparse.products import *  # noqa: F403
from symtensor.sparse.random import *  # noqa: F403
from symtensor.sparse.selection import *  # noqa: F403
from symtensor.sparse.structure import *  # noqa: F403
from symtensor.sparse.variable import *  # noqa: F403
from symtensor.sparse.variable import SparseType as SparseTensorType

__all__ = ["SparseTensorType", *arithmetic.__all__, *products.__all__, *random.__all__, *selection.__all__,
           *structure.__all__, *variable.__all__]
shared = sparse_shared  # noqa: F405
