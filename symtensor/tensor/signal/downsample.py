"""Theano's old address of `pool_2d`.

>>> max_pool_2d([[[[1.0, 3.0], [2.0, 0.0]]]], (2, 2), ignore_border=True).eval()
array([[[[3.]]]])
"""

from symtensor.tensor.signal.pool import max_pool_2d as max_pool_2d
from symtensor.tensor.signal.pool import max_pool_2d_same_size as max_pool_2d_same_size
from symtensor.tensor.signal.pool import pool_2d as pool_2d
from symtensor.tensor.signal.pool import pool_3d as pool_3d

__all__ = ["max_pool_2d", "max_pool_2d_same_size", "pool_2d", "pool_3d"]
