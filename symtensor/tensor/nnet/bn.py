"""Theano's address of batch normalization.

>>> batch_normalization([[1.0, 2.0]], 1.0, 0.0, [0.5, 0.5], [1.0, 1.0]).eval()
array([[0.5, 1.5]])
"""

from symtensor.tensor.nnet.normalization import batch_normalization as batch_normalization
from symtensor.tensor.nnet.normalization import batch_normalization_test as batch_normalization_test
from symtensor.tensor.nnet.normalization import batch_normalization_train as batch_normalization_train

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
