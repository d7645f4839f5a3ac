"""What users write, as variables: numbers, arrays, lists and variables.

Python numbers are weak: among other arguments they take the others' dtype (`types.dtype`).

>>> as_variable(3), as_variable(2.5).type, as_variable([1, 2]).type
(3, TensorType(float64, ()), TensorType(int64, (2,)))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.types import dtype as dtypes

__all__ = ["constant", "as_variable", "together", "is_weak"]


def constant(value: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Constant:
    """A constant tensor from a number, a nested list or an array (which is copied).

    An int becomes the smallest of int8...int64 that holds it; a float becomes `config.floatX`; arrays keep
    their dtype. `ndim` pads the shape with leading ones. Raises TypeMismatch.

    >>> constant(300).type, constant([[1.0]]).type
    (TensorType(int16, ()), TensorType(float64, (1, 1)))
    """
    if isinstance(value, Variable):
        raise complaint(TypeMismatch, f"{value!r} is already a variable", value, fix="use as_tensor_variable")
    if dtype is None and isinstance(value, int) and not isinstance(value, bool):
        dtype = dtypes.weak_dtype(value, "int8")
    elif dtype is None and isinstance(value, float):
        dtype = (is_weak(value) and dtypes.autocast_of(value)) or config.floatX
    array = _array(value, None if dtype is None else dtypes.check_dtype(dtype))
    if ndim is not None:
        array = array.reshape((1,) * (ndim - array.ndim) + array.shape)
    return Constant(array, name=name)


def _array(value: Any, dtype: str | None) -> np.ndarray:
    if hasattr(value, "toarray"):
        raise complaint(TypeMismatch, f"{_short(value)} is sparse, and a tensor is needed",
                        fix="a function of symtensor.sparse, or x.toarray()")
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(value, dtype=None if dtype is None else dtypes.numpy_dtype(dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise complaint(TypeMismatch, f"{_short(value)} is not a tensor: {error}",
                        fix="give a number, an array or a nested list of numbers") from None
    if array.dtype.name not in dtypes.ALL:
        is_number = dtypes.kind_of(array.dtype) not in "OUSV"
        raise complaint(TypeMismatch, f"{_short(value)} is not a tensor: its dtype is {array.dtype}",
                        fix="one of " + ", ".join(dtypes.ALL) if is_number else
                        "give a number, an array or a nested list of numbers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _short(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def is_weak(value: Any) -> bool:
    """Whether a value is a Python number, which takes the dtype of what it meets."""
    return isinstance(value, (bool, int, float, complex)) and not isinstance(value, np.generic)


def as_variable(value: Any, name: str | None = None, ndim: int | None = None) -> Variable:
    """A variable from what a user wrote; variables pass through. Lists of variables are stacked."""
    if isinstance(value, Variable):
        return value if ndim is None or value.type.ndim == ndim else _padded(value, ndim)
    if hasattr(value, "__symtensor__"):
        return as_variable(value.__symtensor__(), name, ndim)
    if isinstance(value, (list, tuple)) and any(isinstance(v, Variable) for v in value):
        from symtensor.ops.index import stack  # lists of variables are the one conversion that needs an op
        return stack(value)
    return constant(value, name, ndim)


def _padded(value: Variable, ndim: int) -> Variable:
    from symtensor.ops.shape import pad_left
    if value.type.ndim > ndim:
        raise complaint(TypeMismatch, f"{value!r} has {value.type.ndim} axes, more than {ndim}", value,
                        fix="use flatten, or leave ndim out")
    return pad_left(value, ndim - value.type.ndim)


def together(values: Sequence[Any]) -> list[Variable]:
    """Variables of arguments that meet in one operation: Python numbers take the others' dtype."""
    strong = [as_variable(v) for v in values if not is_weak(v)]
    if not strong:
        return [as_variable(v) for v in values]
    joined = dtypes.promote(*(v.type.dtype for v in strong))
    found = iter(strong)
    return [Constant(_array(v, dtypes.weak_dtype(v, joined))) if is_weak(v) else next(found) for v in values]
