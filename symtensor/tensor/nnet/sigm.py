"""Theano's address of the sigmoid and its approximations.

>>> hard_sigmoid([0.5]).eval()
array([0.6])
"""

from symtensor.tensor.nnet.activation import hard_sigmoid as hard_sigmoid
from symtensor.tensor.nnet.activation import sigmoid as sigmoid
from symtensor.tensor.nnet.activation import softplus as softplus
from symtensor.tensor.nnet.activation import ultra_fast_sigmoid as ultra_fast_sigmoid

__all__ = ["hard_sigmoid", "sigmoid", "softplus", "ultra_fast_sigmoid"]
