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
from weakref import WeakSet

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable
from symtensor.lower.access import SUPPORTED
from symtensor.ops.transfer import PROCESSOR
from symtensor.runtime.core import core
from symtensor.types.dtype import ALL, FLOATS, fits, kind_of, numpy_dtype
from symtensor.types.tensor import TensorType

__all__ = ["Container", "SharedVariable", "is_foreign", "is_movable", "living", "shared",
           "sparse_for_dense"]


class _PlainStorage:
    """What `core.Storage` is where the C runtime was not built: a place for one array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def value(self) -> np.ndarray:
        """The array, which can be nowhere else."""
        return self.array

    @value.setter
    def value(self, array: np.ndarray) -> None:
        self.array = array


_living: WeakSet[SharedVariable] = WeakSet()


def living() -> list[SharedVariable]:
    """All shared variables there are."""
    return list(_living)


class SharedVariable(Variable):
    """An input whose value is kept in `storage` and that functions may update.

    `default_update`, if set, is the new value every function that uses the variable gives it. `target` is the device it
    was made for, by name; with None it is wherever functions use it.
    """

    default_update: Variable | None = None
    strict = False
    """Whether `set_value` refuses what is not an array of this dtype."""
    allow_downcast: bool | None = None
    """Whether `set_value` converts what may lose range or digits."""

    def __init__(self, value: Any, type: TensorType, name: str | None = None, target: str | None = None) -> None:
        super().__init__(type, name=name)
        self.storage = core.Storage(value) if core is not None else _PlainStorage(value)
        self.target = target
        _living.add(self)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The value; a copy unless `borrow`, when it may change with the next update.

        An array of NumPy; with `return_internal_type` a value on a device stays there, as a DeviceArray.
        """
        if borrow and not return_internal_type:
            return self.storage.array
        value = self.storage.value
        if isinstance(value, np.ndarray):
            return value if borrow else value.copy()
        if not return_internal_type:
            return value.get()
        return value if borrow else core.DeviceArray(value.device, value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give a new value of the same dtype and rank; sizes may change. Raises TypeMismatch, ShapeError.

        With `borrow` the array itself is kept where it can be, and must not be changed from outside.
        """
        if is_foreign(new_value):
            new_value = import_module("symtensor.runtime.cuda.border").over(new_value)
        if core is not None and isinstance(new_value, core.DeviceArray):
            self.storage.value = _admitted_there(new_value, self.type, repr(self), borrow)
        else:
            if self.strict or self.allow_downcast:
                new_value = self.type.filter(new_value, self.strict, self.allow_downcast)
            self.storage.value = self._placed(_admitted(new_value, self.type, repr(self), borrow))

    def _placed(self, array: np.ndarray) -> Any:
        """An array where the value is now, be that a device."""
        value = self.storage.value
        return array if isinstance(value, np.ndarray) else core.DeviceArray(value.device, array)

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to 0."""
        value = self.storage.value
        self.set_value(np.zeros(value.shape, value.dtype), borrow=True)

    @property
    def container(self) -> Container:
        """Its place, as Theano calls it: `container.value` is the value."""
        return Container(self)

    def clone(self) -> SharedVariable:
        """Another variable with the same storage."""
        copy = SharedVariable(self.storage.value, self.type, self.name, self.target)
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
    if hasattr(value, "tocsr"):
        raise sparse_for_dense(name)
    array = np.asarray(value)
    if array.ndim != type.ndim or not fits(array.dtype, type.dtype):
        weak = array.ndim == type.ndim and not isinstance(value, np.ndarray) and kind_of(array.dtype) in "bif" \
            and kind_of(type.dtype) in "fc"
        if not weak:
            raise TypeMismatch(f"{name} holds {type.dtype} with {type.ndim} axes and was given {array.dtype} with"
                               f" {array.ndim}", fix=f'value.astype("{type.dtype}")' if array.ndim == type.ndim else
                               f"reshape it to {type.ndim} axes, or make another shared variable")
    _check_sizes(array.shape, type, name)
    kept = np.require(array, numpy_dtype(type.dtype), ("C", "A", "W"))
    return kept if borrow or kept is not array and not np.shares_memory(kept, array) else kept.copy()


def sparse_for_dense(label: str) -> TypeMismatch:
    """The error for a scipy.sparse matrix that is given where a tensor is needed."""
    return TypeMismatch(f"{label!r} is dense, and was given a scipy.sparse matrix",
                        fix="value.toarray(); or declare it sparse, as symtensor.sparse.csr_matrix(name) does")


def is_foreign(value: Any) -> bool:
    """Whether a value is an array on a device that another library made."""
    return hasattr(value, "__cuda_array_interface__") and not (
        core is not None and isinstance(value, core.DeviceArray))


def _check_sizes(shape: tuple[int, ...], type: TensorType, name: str) -> None:
    for axis, (wanted, size) in enumerate(zip(type.static_shape, shape)):
        if wanted is not None and wanted != size:
            raise TypeMismatch(f"{name} has size {wanted} along axis {axis} and was given {size}",
                               fix="make the shared variable without a fixed size there")


def _admitted_there(value: Any, type: TensorType, name: str, borrow: bool) -> Any:
    """An array on a device that the storage may keep."""
    if value.dtype.name != type.dtype or value.ndim != type.ndim:
        raise TypeMismatch(f"{name} holds {type.dtype} with {type.ndim} axes and was given {value.dtype} with"
                           f" {value.ndim}", fix="give an array of the same dtype and rank")
    _check_sizes(value.shape, type, name)
    return value if borrow else core.DeviceArray(value.device, value)


def shared(value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
           borrow: bool = False, broadcastable: tuple[bool, ...] | None = None,
           shape: tuple[Any, ...] | None = None, target: str | None = None) -> SharedVariable:
    """A shared variable with the dtype and rank of `value`.

    A scipy.sparse matrix gives a variable of `symtensor.sparse`. No axis broadcasts unless `broadcastable` (Theano's
    pattern) or `shape` (sizes and names, None for any) says so. `target` is the device it is on, "cpu" or the name of a
    device or context; by default that of the option `device`. A `strict` one takes no later value of another dtype,
    one with `allow_downcast` any number. Raises TypeMismatch when the value is not an array of a tensor dtype,
    DeviceError for a device that is not there.

    >>> import symtensor as st
    >>> total = shared(0.0, name="total")
    >>> add = st.function([], updates=[(total, total + 2)])
    >>> add(), add(), total.get_value()
    (None, None, array(4.))
    """
    if isinstance(value, Variable):
        raise TypeMismatch(f"the value of a shared variable must be an array, not the expression {value!r}",
                           fix="give an array; variable.eval() computes one")
    if hasattr(value, "tocsr"):  # a scipy.sparse matrix
        return import_module("symtensor.sparse").sparse_shared(value, name)  # type: ignore[no-any-return]
    if is_foreign(value):
        value = import_module("symtensor.runtime.cuda.border").over(value)
    if core is not None and isinstance(value, core.DeviceArray):
        value = value.get()
    array = np.asarray(value)
    if array.dtype.name not in ALL:
        raise TypeMismatch(f"a shared variable cannot hold an array of {array.dtype}",
                           operands=[repr(value)[:80]], fix="give an array of numbers")
    pattern = shape if shape is not None else broadcastable if broadcastable is not None else (None,) * array.ndim
    type = TensorType(array.dtype, pattern)
    if type.ndim != array.ndim:
        raise TypeMismatch(f"{type.ndim} axes were declared for a value with {array.ndim}")
    kept = _admitted(array, type, name or "a shared variable", borrow)
    device = target if target is not None else config.device if is_movable(type) else PROCESSOR
    if device != PROCESSOR:
        from symtensor.runtime.cuda.devices import uploaded  # only who names a device needs what devices need
        kept = uploaded(device, kept, name)
    made = SharedVariable(kept, type, name, target)
    if strict or allow_downcast:
        made.strict, made.allow_downcast = strict, allow_downcast
    return made


def is_movable(type: TensorType) -> bool:
    """Whether a value of a type is on the device in use by default: a whole number alone may be a size."""
    return type.dtype in SUPPORTED and (type.ndim > 0 or type.dtype in FLOATS)
