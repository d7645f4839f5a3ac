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

__all__ = ["TensorVariable", "shared", "stack"]


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
