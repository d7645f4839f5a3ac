"""Theano's name for what is in `linalg`.

>>> solve_lower_triangular([[2.0]], [4.0]).eval()
array([2.])
"""

from symtensor.tensor.linalg import *  # noqa: F403
from symtensor.tensor.linalg import __all__ as __all__
