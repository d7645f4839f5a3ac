"""Names that only Theano has, for programs written for it.

>>> upcast("int8", "float32"), dnn_available(), _asarray([1, 2], "float32")
('float32', False, array([1., 2.], dtype=float32))
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from symtensor.base.errors import DeviceError, GradientError, GraphError, MissingInputError, TypeMismatch
from symtensor.compat.scalars import Elemwise
from symtensor.compat.settings import Settings, change_flags
from symtensor.ir.graph import leaves
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ir.trial import trial_value
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.runtime.arguments import In
from symtensor.runtime.function import function
from symtensor.runtime.shared import SharedVariable
from symtensor.sparse.variable import is_sparse
from symtensor.tensor.indexing import getitem, inc_subtensor, set_subtensor
from symtensor.types.dtype import promote
from symtensor.types.tensor import TensorType

__all__ = ["Elemwise", "OrderedUpdates", "advanced_inc_subtensor1", "advanced_set_subtensor1", "advanced_subtensor1",
           "assert_allclose", "change_flags", "config", "dnn_available", "dnn_present", "fetch_seed",
           "get_scalar_constant_value", "get_test_value",
           "get_vector_length", "gpu_contiguous", "seed_rng", "upcast", "use"]

config = Settings()
Tensor, Param, upcast, view_op = TensorType, In, promote, scalar.identity
tensor_copy = deep_copy_op = view_op
pfunc = function
TensorSharedVariable = ScalarSharedVariable = RandomStateSharedVariable = SharedVariable
NullTypeGradError = GradientError
_is_sparse_variable = is_sparse
cuda_available = cuda_enabled = pygpu_activated = False
"""Theano's own libraries for devices are not here; `symtensor.config.device` places functions."""


class OrderedUpdates(OrderedDict[Any, Any]):
    """Pairs of shared variables and their new values, in order. Raises TypeMismatch for a key that is none.

    >>> from symtensor.runtime.shared import shared
    >>> a, b = shared(0.0, "a"), shared(0.0, "b")
    >>> list((OrderedUpdates([(a, a + 1)]) + OrderedUpdates({b: a})).items())
    [(a, (a + 1.0)), (b, a)]
    """

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeMismatch(f"only shared variables can be updated, not {key!r}", fix="make it with shared(value)")
        super().__setitem__(key, value)

    def __add__(self, other: Any) -> OrderedUpdates:
        return OrderedUpdates({**self, **other})


def get_test_value(x: Any) -> Any:
    """The value of an expression for the test values of its inputs. Raises AttributeError where one has none."""
    if not isinstance(x, Variable):
        return x
    try:
        return trial_value(x)
    except MissingInputError as error:
        raise AttributeError(str(error)) from error


def _asarray(a: Any, dtype: Any, order: Any = None) -> np.ndarray:
    """An array of a dtype, or of floatX."""
    return np.asarray(a, dtype=config.floatX if dtype == "floatX" else dtype, order=order)


def advanced_subtensor1(x: Any, places: Any) -> Variable:
    """`x[places]`."""
    return getitem(as_variable(x), places)


def advanced_set_subtensor1(x: Any, y: Any, places: Any) -> Variable:
    """`set_subtensor(x[places], y)`."""
    return set_subtensor(getitem(as_variable(x), places), y)


def advanced_inc_subtensor1(x: Any, y: Any, places: Any) -> Variable:
    """`inc_subtensor(x[places], y)`."""
    return inc_subtensor(getitem(as_variable(x), places), y)


class NotScalarConstantError(GraphError):
    """An expression that is not known to be one number."""


def get_scalar_constant_value(v: Any) -> np.ndarray:
    """The number that an expression is, where it is computed from constants alone. Raises NotScalarConstantError.

    >>> int(get_scalar_constant_value(as_variable([1, 2, 3])[1] * 2))
    4
    """
    variable = as_variable(v)
    if variable.type.ndim or any(not isinstance(leaf, Constant) for leaf in leaves([variable])):
        raise complaint(NotScalarConstantError, f"{variable!r} is not known to be one number", variable,
                        fix="give its inputs, and evaluate it: v.eval({x: 1.0})")
    return variable.eval()  # type: ignore[attr-defined,no-any-return]


def get_vector_length(v: Any) -> int:
    """The length of a vector, where that is known. Raises ValueError.

    >>> get_vector_length([1, 2, 3])
    3
    """
    size = as_variable(v).type.static_shape
    if len(size) != 1 or size[0] is None:
        raise complaint(GraphError, f"the length of {v!r} is not known", fix="fix it in the type: T.vector(shape=(3,))")
    return size[0]


# -- devices, and helps for tests -------------------------------------------------------------------------

def dnn_available(context: Any = None) -> bool:
    """False: no op here is cuDNN's alone. What `conv2d` and its gradients are computed by, `config.cuda_dnn` says."""
    return False


dnn_present = dnn_available


def gpu_contiguous(x: Any) -> Variable:
    """`x`: what kernels see is contiguous in any case."""
    return x  # type: ignore[no-any-return]


def use(device: str, *arguments: Any, **options: Any) -> None:
    """Let functions compiled from now on run on a device. Raises DeviceError if it is not there."""
    if device.startswith("opencl"):
        raise DeviceError(f"there is no device {device!r}", fix='"cpu", "cuda", "cuda1"')
    config.device = device


def fetch_seed(pseed: int | None = None) -> int:
    """The seed for tests: one given, or that of the configuration."""
    return int(config.unittests.rseed if pseed is None else pseed)


def seed_rng(pseed: int | None = None) -> int:
    """Seed NumPy's global generator for a test, and give the seed."""
    seed = fetch_seed(pseed)
    np.random.seed(seed)
    return seed


def assert_allclose(expected: Any, value: Any, rtol: float = 1e-5, atol: float = 1e-8) -> None:
    """Raise AssertionError unless two arrays are close."""
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=atol)
