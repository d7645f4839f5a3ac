"""Python functions as ops.

>>> from symtensor.types.tensor import TensorType
>>> vector = TensorType("float64", (None,))
>>> @as_op(itypes=[vector], otypes=[vector], infer_shape=lambda shapes: shapes)
... def reverse(x):
...     return x[::-1]
>>> x = vector("x")
>>> reverse(x).type
TensorType(float64, (x.0,))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Op, Variable
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.types.tensor import TensorType

__all__ = ["PythonFunction", "as_op"]


class PythonFunction(Op):
    """A Python function of arrays. It is called with arrays and must not change them."""

    function: Callable[..., Any]
    itypes: tuple[TensorType, ...]
    otypes: tuple[TensorType, ...]
    infer_shape: Callable[..., Any] | None = None

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        if len(arguments) != len(self.itypes):
            raise TypeMismatch(f"{self} takes {len(self.itypes)} arguments, not {len(arguments)}")
        return [cast(as_variable(a), t.dtype) for a, t in zip(arguments, self.itypes)]

    def infer(self, *inputs: Variable) -> Any:
        for position, (given, wanted) in enumerate(zip(inputs, self.itypes)):
            if given.type.ndim != wanted.ndim:
                raise TypeMismatch(f"argument {position} must have {wanted.ndim} axes, not {given.type.ndim}")
        if self.infer_shape is None:
            return self.otypes
        shapes = self.infer_shape([v.type.shape for v in inputs])
        return [TensorType.of(t.dtype, tuple(shape)) for t, shape in zip(self.otypes, shapes)]

    def evaluate(self, *values: np.ndarray) -> Any:
        results = self.function(*values)
        results = results if isinstance(results, tuple) else (results,)
        if len(results) != len(self.otypes):
            raise TypeMismatch(f"{self} must return {len(self.otypes)} arrays, not {len(results)}")
        for result, wanted in zip(results, self.otypes):
            array = np.asarray(result)
            if array.dtype.name != wanted.dtype or array.ndim != wanted.ndim:
                raise TypeMismatch(f"{self} promised {wanted.describe()} and returned {array.dtype} {array.shape}",
                                   fix="correct otypes, or convert the result")
        return results if len(results) > 1 else results[0]

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", "python_function")


def as_op(itypes: Sequence[TensorType] | TensorType, otypes: Sequence[TensorType] | TensorType,
          infer_shape: Callable[..., Any] | None = None) -> Callable[[Callable[..., Any]], PythonFunction]:
    """Decorator: a function of NumPy arrays as an op with no derivative.

    `infer_shape(shapes)` gives the output shapes from the input shapes; without it they are known only
    once the function has run.

    >>> @as_op(TensorType("float64", ()), TensorType("float64", ()))
    ... def doubled(x):
    ...     return np.asarray(2 * x)
    >>> doubled(3.0).eval()
    array(6.)
    """
    def wrap(function: Callable[..., Any]) -> PythonFunction:
        inputs = (itypes,) if isinstance(itypes, TensorType) else tuple(itypes)
        outputs = (otypes,) if isinstance(otypes, TensorType) else tuple(otypes)
        return PythonFunction(function, inputs, outputs, infer_shape)
    return wrap
