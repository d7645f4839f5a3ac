"""Signal processing: convolution of single images, and pooling, at Theano's addresses.

>>> import symtensor.tensor as T
>>> T.signal.pool.pool_2d(T.tensor4("x", shape=(1, 3, 4, 6)), (2, 2), ignore_border=True).type
TensorType(float64, (1, 3, 2, 3))
"""

from symtensor.tensor.signal import conv as conv
from symtensor.tensor.signal import downsample as downsample
from symtensor.tensor.signal import pool as pool
