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
from symtensor.types.dtype import check_dtype, numpy_dtype

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
        """A new input variable of this type; `shape` names or fixes its sizes. Raises TypeMismatch."""
        from symtensor.ir.node import Variable  # the one upward call: Theano's types make variables
        if shape is not None and len(shape) != self.ndim:
            raise TypeMismatch(f"a shape of {len(shape)} sizes was given for {self.ndim} axes")
        return Variable(self if shape is None else self.clone(shape=shape), name=name)

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
