"""The public vocabulary: Theano's `theano.tensor`, composed from the primitives of `symtensor.ops`.

>>> import symtensor.tensor as T
>>> x, w = T.matrix("x", shape=("batch", 784)), T.matrix("w", shape=(784, 10))
>>> T.nnet.softmax(T.dot(x, w)).type
TensorType(float64, (batch, 10))

One family a file: `inputs` (types and input variables), `creation`, `elementwise`, `special` (functions),
`complex_parts`, `reduction`, `manipulation` (shapes), `indexing`, `selection`, `sequences`, `ordering`, `padding`,
`linear` (products), `systems`, `decompositions` and `matrix_functions` (linear algebra, all of it in `linalg`),
`einsum`, `random`, `shared_randomstreams`, `nnet` (neural networks), `signal` (pooling), `io` (files); `variable` has
the methods, `numpy_functions` what NumPy's functions are of variables; `extra_ops`, `nlinalg`, `slinalg` and `inplace`
are addresses of Theano's.
"""

import sys
from importlib import import_module
from typing import Any

from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.ops.effects import Assert as Assert
from symtensor.ops.effects import Print as Print
from symtensor.ops.effects import Raise as Raise
from symtensor.tensor import extra_ops as extra_ops
from symtensor.tensor import fft as fft
from symtensor.tensor import inplace as inplace
from symtensor.tensor import io as io
from symtensor.tensor import linalg as linalg
from symtensor.tensor import nlinalg as nlinalg
from symtensor.tensor import nnet as nnet
from symtensor.tensor import numpy_functions as numpy_functions
from symtensor.tensor import random as random
from symtensor.tensor import signal as signal
from symtensor.tensor import slinalg as slinalg
from symtensor.tensor import variable as variable
from symtensor.tensor.complex_parts import *  # noqa: F403
from symtensor.tensor.creation import *  # noqa: F403
from symtensor.tensor.einsum import *  # noqa: F403
from symtensor.tensor.elementwise import *  # noqa: F403
from symtensor.tensor.extra_ops import *  # noqa: F403
from symtensor.tensor.indexing import *  # noqa: F403
from symtensor.tensor.inputs import *  # noqa: F403
from symtensor.tensor.linear import *  # noqa: F403
from symtensor.tensor.manipulation import *  # noqa: F403
from symtensor.tensor.ordering import *  # noqa: F403
from symtensor.tensor.padding import *  # noqa: F403
from symtensor.tensor.reduction import *  # noqa: F403
from symtensor.tensor.selection import *  # noqa: F403
from symtensor.tensor.sequences import *  # noqa: F403
from symtensor.tensor.special import *  # noqa: F403

# Theano's names for what is one class here.
TensorVariable, TensorConstant = Variable, Constant
__all__ = ["Apply", "Constant", "Op", "Variable", "TensorVariable", "TensorConstant", "linalg", "nnet", "random",
           "signal", "slinalg"]


def __getattr__(name: str) -> Any:
    """What is loaded when first wanted: Theano's `T.grad` and its like, `T.jacobian`, `T.hessian`, and streams."""
    if name == "shared_randomstreams":
        return import_module("symtensor.tensor.shared_randomstreams")
    if name not in ("grad", "Rop", "Lop", "jacobian", "hessian"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    from symtensor import gradient
    return getattr(gradient, name)
