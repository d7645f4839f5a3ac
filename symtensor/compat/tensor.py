"""What names of `theano.tensor` mean that those of `symtensor.tensor` do not.

>>> isinstance(manipulation.as_variable(1.0) * 2, TensorVariable), isinstance(shared(1.0), TensorVariable)
(True, False)
>>> stack(1, 2).eval(), stack([1, 2], axis=0).eval()
(array([1, 2], dtype=int8), array([1, 2], dtype=int8))
"""

from __future__ import annotations

from typing import Any

from symtensor.ir.node import Constant, Variable
from symtensor.runtime.shared import SharedVariable, shared
from symtensor.tensor import manipulation
from symtensor.types import dtype as dtypes

__all__ = ["TensorVariable", "all_dtypes", "complex_dtypes", "continuous_dtypes", "discrete_dtypes", "float_dtypes",
           "int_dtypes", "integer_dtypes", "shared", "stack", "uint_dtypes"]

int_dtypes = [dtype for dtype in dtypes.INTEGERS if dtype not in dtypes.UNSIGNED]
uint_dtypes, float_dtypes, complex_dtypes = list(dtypes.UNSIGNED), list(dtypes.FLOATS), list(dtypes.COMPLEX)
integer_dtypes, discrete_dtypes = int_dtypes + uint_dtypes, ["bool", *int_dtypes, *uint_dtypes]
continuous_dtypes = float_dtypes + complex_dtypes
all_dtypes = discrete_dtypes + continuous_dtypes
"""Names of dtypes, as Theano lists them."""


class _NeitherSharedNorConstant(type):

    def __instancecheck__(cls, value: object) -> bool:
        if cls is not TensorVariable:  # a class of the user's, below it
            return type.__instancecheck__(cls, value)
        return isinstance(value, Variable) and not isinstance(value, (SharedVariable, Constant))


class TensorVariable(Variable, metaclass=_NeitherSharedNorConstant):
    """The class of variables that are neither shared nor constants: in Theano these are no subclasses of it."""


def stack(*tensors: Any, **options: Any) -> Variable:
    """Tensors side by side along a new axis: given as a list, or one after the other, as in Theano's first versions.

    Raises ShapeError, TypeMismatch.
    """
    together = isinstance(tensors[0], (list, tuple)) if tensors else True
    return manipulation.stack(*tensors, **options) if together else manipulation.stack(tensors, **options)
