"""Theano's address of activations, softmax and losses.

>>> softsign([1.0]).eval()
array([0.5])
"""

from symtensor.tensor.nnet.activation import *  # noqa: F403
from symtensor.tensor.nnet.activation import __all__ as _activations
from symtensor.tensor.nnet.loss import *  # noqa: F403
from symtensor.tensor.nnet.loss import __all__ as _losses

__all__ = [*_activations, *_losses]
