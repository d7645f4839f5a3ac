"""Functions of neural networks: activations, softmax, losses, normalization; compositions of primitives.

>>> import symtensor.tensor as T
>>> scores, labels = T.matrix("scores"), T.lvector("labels")
>>> T.nnet.categorical_crossentropy(T.nnet.softmax(scores), labels).type
TensorType(float64, (scores.0,))
"""

from symtensor.tensor.nnet import blocksparse as blocksparse
from symtensor.tensor.nnet import bn as bn
from symtensor.tensor.nnet import conv as conv
from symtensor.tensor.nnet import conv3d2d as conv3d2d
from symtensor.tensor.nnet import neighbours as neighbours
from symtensor.tensor.nnet import nnet as nnet
from symtensor.tensor.nnet import sigm as sigm
from symtensor.tensor.nnet.abstract_conv import *  # noqa: F403
from symtensor.tensor.nnet.activation import *  # noqa: F403
from symtensor.tensor.nnet.ctc import ctc as ctc
from symtensor.tensor.nnet.loss import *  # noqa: F403
from symtensor.tensor.nnet.normalization import *  # noqa: F403
