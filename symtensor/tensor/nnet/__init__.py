"""Functions of neural networks: activations, softmax, losses, normalization; compositions of primitives.

>>> import symtensor.tensor as T
>>> scores, labels = T.matrix("scores"), T.lvector("labels")
>>> T.nnet.categorical_crossentropy(T.nnet.softmax(scores), labels).type
TensorType(float64, (scores.0,))
"""

from symtensor.tensor.nnet.activation import *  # noqa: F403
from symtensor.tensor.nnet.loss import *  # noqa: F403
from symtensor.tensor.nnet.normalization import *  # noqa: F403
