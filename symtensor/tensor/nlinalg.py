"""Theano's `theano.tensor.nlinalg`: what of linear algebra is found there.

>>> trace([[1, 2], [3, 4]]).eval()
array(5)
"""

from symtensor.tensor.linear import matrix_dot, tensordot
from symtensor.tensor.padding import alloc_diag
from symtensor.tensor.selection import diag, extract_diag, trace

__all__ = ["alloc_diag", "diag", "extract_diag", "matrix_dot", "tensordot", "trace"]
