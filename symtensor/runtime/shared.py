"""Shared variables: values that live between calls and that functions update.

>>> weights = shared(np.zeros((2, 3)), name="weights")
>>> weights.type, weights.get_value().shape
(TensorType(float64, (weights.0, weights.1)), (2, 3))
>>> weights.set_value(np.ones((4, 3)))
>>> float(weights.get_value().sum())
12.0
"""

from __future__ import annotations

import copyreg
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable
from symtensor.runtime.core import core
from symtensor.types.dtype import ALL, numpy_dtype
from symtensor.types.tensor import TensorType

__all__ = ["Container", "SharedVariable", "shared"]


class _PlainStorage:
    """What `core.Storage` is where the C runtime was not built: a place for one array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class SharedVariable(Variable):
    """An input whose value is kept in `storage` and that functions may update.

    `default_update`, if set, is the new value every function that uses the variable gives it.
    """

    default_update: Variable | None

    def __init__(self, value: np.ndarray, type: TensorType, name: str | None = None) -> None:
        super().__init__(type, name=name)
        self.storage = core.Storage(value) if core is not None else _PlainStorage(value)
        self.default_update = None

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> np.ndarray:
        """The value; a copy unless `borrow`, when it may change with the next update."""
        array = self.storage.array
        return array if borrow else array.copy()

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give a new value of the same dtype and rank; sizes may change. Raises TypeMismatch, ShapeError.

        With `borrow` the array itself is kept where it can be, and must not be changed from outside.
        """
        self.storage.array = _admitted(new_value, self.type, repr(self), borrow)

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to 0."""
        self.set_value(np.zeros_like(self.storage.array), borrow=True)

    @property
    def container(self) -> Container:
        """Its place, as Theano calls it: `container.value` is the value."""
        return Container(self)

    def clone(self) -> SharedVariable:
        """Another variable with the same storage."""
        copy = SharedVariable(self.storage.array, self.type, self.name)
        copy.storage = self.storage
        return copy


@dataclass
class Container:
    """A place for a value that a function keeps: that of a shared variable, or of an input with a value.

    >>> container = shared(np.ones(2)).container
    >>> container.value = [3, 4]
    >>> container.value
    array([3., 4.])
    """

    variable: SharedVariable

    @property
    def value(self) -> np.ndarray:
        """A copy of the value."""
        return self.variable.get_value()

    @value.setter
    def value(self, value: Any) -> None:
        self.variable.set_value(value)

    data = value
    """The same, as Theano also calls it."""


if core is not None:
    copyreg.pickle(core.Storage, lambda storage: (core.Storage, (storage.array,)))


def _admitted(value: Any, type: TensorType, name: str, borrow: bool) -> np.ndarray:
    """An array the storage may keep."""
    array = np.asarray(value)
    if array.ndim != type.ndim or not np.can_cast(array.dtype, numpy_dtype(type.dtype), "safe"):
        weak = array.ndim == type.ndim and not isinstance(value, np.ndarray) and array.dtype.kind in "bif" \
            and numpy_dtype(type.dtype).kind in "fc"
        if not weak:
            raise TypeMismatch(f"{name} holds {type.dtype} with {type.ndim} axes and was given {array.dtype} with"
                               f" {array.ndim}", fix=f'value.astype("{type.dtype}"), with {type.ndim} axes')
    for axis, (wanted, size) in enumerate(zip(type.static_shape, array.shape)):
        if wanted is not None and wanted != size:
            raise TypeMismatch(f"{name} has size {wanted} along axis {axis} and was given {size}",
                               fix="make the shared variable without a fixed size there")
    kept = np.require(array, numpy_dtype(type.dtype), ("C", "A", "W"))
    return kept if borrow or kept is not array and not np.shares_memory(kept, array) else kept.copy()


def shared(value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
           borrow: bool = False, broadcastable: tuple[bool, ...] | None = None,
           shape: tuple[Any, ...] | None = None) -> SharedVariable:
    """A shared variable with the dtype and rank of `value`.

    A scipy.sparse matrix gives a variable of `symtensor.sparse`. No axis broadcasts unless `broadcastable` (Theano's
    pattern) or `shape` (sizes and names, None for any) says so. Raises TypeMismatch when the value is not an array of
    a tensor dtype.
    """
    if isinstance(value, Variable):
        raise TypeMismatch(f"the value of a shared variable must be an array, not the expression {value!r}",
                           fix="give an array; variable.eval() computes one")
    if hasattr(value, "tocsr"):  # a scipy.sparse matrix
        return import_module("symtensor.sparse").sparse_shared(value, name)  # type: ignore[no-any-return]
    array = np.asarray(value)
    if array.dtype.name not in ALL:
        raise TypeMismatch(f"a shared variable cannot hold an array of {array.dtype}",
                           operands=[repr(value)[:80]], fix="give an array of numbers")
    pattern = shape if shape is not None else broadcastable if broadcastable is not None else (None,) * array.ndim
    type = TensorType(array.dtype, pattern)
    if type.ndim != array.ndim:
        raise TypeMismatch(f"{type.ndim} axes were declared for a value with {array.ndim}")
    return SharedVariable(_admitted(array, type, name or "a shared variable", borrow), type, name)
