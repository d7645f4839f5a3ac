"""The type of a dense array: dtype, rank and sizes.

A size is an int, or a symbol (`types.dim`). Types made by users may leave sizes open (None) or name
them; a variable made of such a type gets symbols of its own. Two types are equal when what is
known of them statically is equal: dtype and fixed sizes, not the symbols.

>>> TensorType("float32", (None, 3))
TensorType(float32, (?, 3))
>>> TensorType("float32", (None, 1)).broadcastable
(False, True)
>>> TensorType("float32", (False, True)) == TensorType("float32", (None, 1))
True
"""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Size, Symbol
from symtensor.types.dtype import check_dtype, fits, kind_of, numpy_dtype

__all__ = ["TensorType", "named_size"]

_named: dict[str, Dim] = {}


def named_size(name: str) -> Dim:
    """The symbol of a dimension name: one name is one size wherever it stands."""
    if name not in _named:
        _named[name] = dims.symbol(name)
    return _named[name]


def _pickled(symbol: Symbol) -> Any:
    """A symbol that is a dimension's name is the one of that name in every process."""
    if _named.get(symbol.name) is dims.of_atom(symbol):
        return _named_symbol, (symbol.name,)
    return symbol.__reduce__()


def _named_symbol(name: str) -> Symbol:
    return named_size(name).symbols[0]


copyreg.pickle(Symbol, _pickled)


def _own(size: Any) -> Any:
    """A size, if it is one for all variables: a number, or made of names."""
    return size if all(_named.get(s.name) is dims.of_atom(s) for s in dims.symbols_of(size or 0)) else None


def _size(entry: Any) -> Size | None:
    if entry is None:
        return None
    if isinstance(entry, (bool, np.bool_)):
        return 1 if entry else None
    if isinstance(entry, Dim):
        return entry
    if isinstance(entry, str):
        return named_size(entry)
    if isinstance(entry, (int, np.integer)) and entry >= 0:
        return int(entry)
    raise TypeMismatch(f"{entry!r} is not a size", fix="an int >= 0, a name, or None for any size")


class TensorType:
    """dtype and sizes of an array.

    `shape` has one entry for each axis: an int, a name, None for any size; or Theano's
    broadcast pattern, where True is size 1 and False any size.

    >>> TensorType("float32", ("n", 3)), TensorType("int64")("i").type.ndim
    (TensorType(float32, (n, 3)), 0)
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: Any, shape: Sequence[Any] = (), name: str | None = None,
                 broadcastable: Sequence[bool] | None = None) -> None:
        self.dtype = check_dtype(dtype)
        self.shape: tuple[Any, ...] = tuple(map(_size, shape if broadcastable is None else broadcastable))

    @classmethod
    def of(cls, dtype: str, shape: tuple[Size, ...]) -> TensorType:
        """A type from parts known to be right."""
        made = cls.__new__(cls)
        made.dtype = dtype
        made.shape = shape
        return made

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each axis, whether its size is known to be 1, so that it broadcasts."""
        return tuple(size == 1 for size in self.shape)

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The sizes that are fixed numbers, None elsewhere."""
        return tuple(size if isinstance(size, int) else None for size in self.shape)

    def complete(self, name: str) -> TensorType:
        """This type with a fresh symbol for each open size, named after `name` and the axis."""
        if None not in self.shape:
            return self
        return TensorType.of(self.dtype, tuple(dims.symbol(f"{name}.{axis}") if size is None else size
                                               for axis, size in enumerate(self.shape)))

    def with_dtype(self, dtype: str) -> TensorType:
        """This type with another dtype."""
        return TensorType.of(dtype, self.shape)

    def clone(self, dtype: Any = None, shape: Sequence[Any] | None = None,
              broadcastable: Sequence[bool] | None = None) -> TensorType:
        """A copy with some parts replaced."""
        new_shape = shape if shape is not None else broadcastable
        return TensorType(self.dtype if dtype is None else dtype, self.shape if new_shape is None else new_shape)

    def accepts(self, value: np.ndarray) -> bool:
        """Whether an array is a value of this type, as far as dtype, rank and fixed sizes go."""
        return (value.dtype == numpy_dtype(self.dtype) and value.ndim == self.ndim
                and all(want is None or want == got for want, got in zip(self.static_shape, value.shape)))

    def __call__(self, name: str | None = None, shape: Sequence[Any] | None = None) -> Any:
        """A new input variable of this type; `shape` names or fixes its sizes. Raises TypeMismatch.

        Sizes that are fixed or have a name are the same; those that only follow from another variable's are not.
        """
        from symtensor.ir.node import Variable  # the one upward call: Theano's types make variables
        if name is not None and not isinstance(name, str):
            raise TypeMismatch(f"the name of a variable must be a str, not {name!r}",
                               fix="sizes are given by shape: matrix('x', shape=(3, None))")
        if shape is not None and len(shape) != self.ndim:
            raise TypeMismatch(f"a shape of {len(shape)} sizes was given for {self.ndim} axes")
        return Variable(self.clone(shape=tuple(map(_own, self.shape)) if shape is None else shape), name=name)

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> np.ndarray:
        """An array of this type from a value. Raises TypeMismatch for one that does not fit.

        Conversions that may lose range or digits are made where `allow_downcast` says so, and of Python's floats to
        float32; `strict` refuses all.

        >>> TensorType("float32", (None,)).filter([1, 2])
        array([1., 2.], dtype=float32)
        """
        array, wanted = np.asarray(data), numpy_dtype(self.dtype)
        weak = type(data) is float and kind_of(self.dtype) == "f" and allow_downcast is None
        if strict:
            is_fit = isinstance(data, (np.ndarray, np.generic)) and array.dtype == wanted
        else:
            is_fit = allow_downcast or weak or fits(array.dtype, wanted) or not isinstance(
                data, (np.ndarray, np.generic)) and np.array_equal(array.astype(wanted), array)
        if not is_fit or array.ndim != self.ndim or not self.accepts(array.astype(wanted)):
            fix = "give one of these axes and sizes" if is_fit else f'value.astype("{self.dtype}")'
            raise TypeMismatch(f"a value of {self.describe()} is wanted, not {array.dtype} {array.shape}", fix=fix)
        return np.require(array, wanted, "C")

    def is_valid_value(self, data: Any) -> bool:
        """Whether a value is an array of this type as it is."""
        return isinstance(data, np.ndarray) and self.accepts(data)

    @staticmethod
    def values_eq(a: Any, b: Any) -> bool:
        """Whether two arrays are of one shape and dtype and have equal elements; NaN is equal to NaN."""
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=kind_of(a.dtype) in "fc")

    @staticmethod
    def values_eq_approx(a: Any, b: Any, allow_remove_inf: bool = False, allow_remove_nan: bool = False,
                         rtol: float | None = None, atol: float | None = None) -> bool:
        """Whether two arrays of one shape and dtype are about equal; within 1e-5, or 5e-3 for float32, or as said."""
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        loose = a.dtype.name in ("float16", "float32", "complex64")
        close = np.isclose(a, b, 5e-3 if rtol is None and loose else rtol or 1e-5,
                           5e-5 if atol is None and loose else atol or 1e-8, equal_nan=True)
        return bool(np.all(close | (allow_remove_inf & np.isinf(a)) | (allow_remove_nan & np.isnan(a))))

    def make_variable(self, name: str | None = None) -> Any:
        """A new variable of this type."""
        return self(name)

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, TensorType) and self.dtype == other.dtype
                and self.static_shape == other.static_shape)

    def __hash__(self) -> int:
        return hash((self.dtype, self.static_shape))

    def __reduce__(self) -> tuple[Any, ...]:
        return _of, (self.dtype, self.shape)

    def __repr__(self) -> str:
        return f"TensorType({self.dtype}, {self.describe_shape()})"

    def describe_shape(self) -> str:
        """The shape as text: `?` for an open size."""
        entries = ["?" if size is None else str(size) for size in self.shape]
        return "(" + ", ".join(entries) + ("," if len(entries) == 1 else "") + ")"

    def describe(self) -> str:
        """dtype and shape as text, for messages."""
        return f"{self.dtype} {self.describe_shape()}"


def _of(dtype: str, shape: tuple[Size, ...]) -> TensorType:
    """A pickled type: pickles name functions of a module without `getattr`, which a file could use for anything."""
    return TensorType.of(dtype, shape)
