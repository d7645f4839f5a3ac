"""Lists of tensors of one type, under the names of `theano.typed_list`.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> rows, x = TypedListType(T.dvector)("rows"), T.dvector("x")
>>> f = st.function([rows, x], [rows.append(x).reverse(), rows.length(), rows[0] * 2])
>>> f([[1.0, 2.0], [3.0]], [4.0, 5.0, 6.0])
[[array([4., 5., 6.]), array([3.]), array([1., 2.])], array(2), array([2., 4.])]

A list is two tensors: `data`, the elements of all its tensors one after the other, and `shapes`, with a row of sizes
for each of them. All that is done with lists is composed from operations on these two, so that it has derivatives, by
the elements, and is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.effects import Assert
from symtensor.ops.size import dimension
from symtensor.runtime.structured import Structured
from symtensor.tensor.creation import arange, zeros
from symtensor.tensor.elementwise import clip, eq, lt, minimum, switch
from symtensor.tensor.indexing import getitem as part
from symtensor.tensor.manipulation import concatenate, repeat, stack
from symtensor.tensor.reduction import argmax, prod
from symtensor.tensor.selection import bincount
from symtensor.tensor.sequences import cumsum
from symtensor.types.dtype import INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["TypedListType", "TypedListVariable", "append", "count", "extend", "getitem", "index_", "insert", "length",
           "make_list", "remove", "reverse"]


@dataclass(frozen=True)
class TypedListType:
    """The type of lists of tensors of a type; called with a name it makes a variable.

    >>> TypedListType(TensorType("float32", (None, 3)))("images").shapes.type
    TensorType(int64, (images.shapes.0, 2))
    """

    ttype: TensorType

    def __post_init__(self) -> None:
        if not isinstance(self.ttype, TensorType):
            raise TypeMismatch(f"lists of {self.ttype!r} are none of tensors", fix="TypedListType(T.dvector)")

    def __call__(self, name: str | None = None) -> TypedListVariable:
        own = f"{name}." if name else "list."
        data = TensorType(self.ttype.dtype, (None,))(own + "data")
        shapes = TensorType("int64", (None, self.ttype.ndim))(own + "shapes")
        return TypedListVariable(self.ttype, data, shapes, name)


class TypedListVariable(Structured):
    """A list of tensors of the type `ttype`: its elements and the shapes of its tensors.

    >>> x = make_list([as_variable([1.0, 2.0])])
    >>> x.append([3.0]).data.eval()
    array([1., 2., 3.])
    """

    def __init__(self, ttype: TensorType, data: Variable, shapes: Variable, name: str | None = None) -> None:
        self.ttype, self.data, self.shapes, self.name = ttype, data, shapes, name
        self.type = TypedListType(ttype)

    @property
    def parts(self) -> Sequence[Variable]:  # type: ignore[override]
        """The elements and the shapes."""
        return self.data, self.shapes

    def split(self, value: Any) -> Sequence[Any]:
        """The parts of a list of arrays. Raises TypeMismatch for what is none, or has one of another type."""
        label = self.name or "a list"
        if not isinstance(value, (list, tuple)):
            raise TypeMismatch(f"{label!r} must be a list of arrays, not {type(value).__name__}", fix="list(value)")
        arrays = [np.asarray(one) for one in value]
        for number, array in enumerate(arrays):
            fits = np.can_cast(array.dtype, self.ttype.dtype, "safe") or not isinstance(value[number], np.ndarray)
            if not fits or not self.ttype.accepts(array.astype(self.ttype.dtype)):
                raise TypeMismatch(f"{label!r} is a list of {self.ttype.describe()}, and number {number} is"
                                   f" {array.dtype} {array.shape}", fix="convert or reshape it")
        flat = [array.ravel().astype(self.ttype.dtype, copy=False) for array in arrays]
        shapes = np.array([array.shape for array in arrays], "int64").reshape(len(arrays), self.ttype.ndim)
        return np.concatenate([np.zeros(0, self.ttype.dtype), *flat]), shapes

    def joined(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The list of arrays of the parts."""
        data, shapes = arrays
        ends = np.cumsum(shapes.prod(axis=1)).astype("int64")
        return [piece.reshape(shape) for piece, shape in zip(np.split(data, ends), shapes)]

    @property
    def continuous(self) -> Variable:
        """The elements."""
        return self.data

    def derivative(self, values: Variable) -> TypedListVariable:
        """A derivative: a list of tensors of the same shapes."""
        return TypedListVariable(self.ttype, values, self.shapes)

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index)

    def __len__(self) -> int:
        raise complaint(TypeMismatch, f"{self!r} has no length: it is a symbolic expression", fix="use x.length()")

    def __iter__(self) -> Any:
        raise complaint(TypeMismatch, f"{self!r} cannot be iterated over: its length is not known", fix="use x[number]")

    def __repr__(self) -> str:
        return self.name or f"<list of {self.ttype.dtype} tensors with {self.ttype.ndim} axes>"


def _list(function: str, x: Any) -> TypedListVariable:
    if not isinstance(x, TypedListVariable):
        raise complaint(TypeMismatch, f"{function}: {x!r} is no typed list", fix="TypedListType(T.dvector)(name)")
    return x


def _element(function: str, x: TypedListVariable, value: Any) -> Variable:
    """What is to be in a list, or is looked for there, as a tensor of its type. Raises TypeMismatch."""
    value = as_variable(value)
    if value.type.dtype != x.ttype.dtype or value.type.ndim != x.ttype.ndim:
        raise complaint(TypeMismatch, f"{function}: {x!r} is a list of {x.ttype.describe()}", value,
                        fix=f'cast it: value.astype("{x.ttype.dtype}")' if value.type.ndim == x.ttype.ndim else
                        f"give a tensor of {x.ttype.ndim} axes")
    return value


def _shape_row(value: Variable) -> Variable:
    """The sizes of a tensor as one row of a matrix."""
    sizes = [dimension(value, axis) for axis in range(value.type.ndim)]
    return part(stack(sizes), None) if sizes else zeros([1, 0], "int64")


def _bounds(x: TypedListVariable) -> tuple[Variable, Variable]:
    """Where in the data each tensor begins, and of how many elements it is."""
    sizes = prod(x.shapes, axis=1)
    return cumsum(sizes) - sizes, sizes


def _at(x: TypedListVariable, positions: Variable) -> TypedListVariable:
    """The list of the tensors at some positions."""
    starts, sizes = _bounds(x)
    own = part(sizes, positions)
    moved = repeat(part(starts, positions) - cumsum(own) + own, own)
    return TypedListVariable(x.ttype, part(x.data, moved + arange(own.sum())),  # type: ignore[attr-defined]
                             part(x.shapes, positions))


def make_list(tensors: Sequence[Any]) -> TypedListVariable:
    """A list of some tensors of one type. Raises TypeMismatch.

    >>> make_list([as_variable([1.0]), as_variable([2.0, 3.0])])[1].eval()
    array([2., 3.])
    """
    made = [as_variable(one) for one in tensors]
    if not made:
        raise complaint(TypeMismatch, "make_list: of no tensors, the type is not known",
                        fix="TypedListType(T.dvector)(name), called with []")
    ttype = TensorType(made[0].type.dtype, (None,) * made[0].type.ndim)
    empty = TypedListVariable(ttype, zeros([0], ttype.dtype), zeros([0, ttype.ndim], "int64"))
    for one in made:
        empty = append(empty, one)
    return empty


def append(x: Any, toAppend: Any) -> TypedListVariable:
    """A list with a tensor more at its end. Raises TypeMismatch.

    >>> append(make_list([as_variable(1.0)]), 5.0)[-1].eval()
    array(5.)
    """
    x = _list("append", x)
    value = _element("append", x, toAppend)
    return TypedListVariable(x.ttype, concatenate([x.data, value.flatten()]),  # type: ignore[attr-defined]
                             concatenate([x.shapes, _shape_row(value)]))


def extend(x: Any, toAppend: Any) -> TypedListVariable:
    """A list, and behind it another of the same type. Raises TypeMismatch.

    >>> x = make_list([as_variable(1.0)])
    >>> length(extend(x, x)).eval()
    array(2)
    """
    x, other = _list("extend", x), _list("extend", toAppend)
    if (x.ttype.dtype, x.ttype.ndim) != (other.ttype.dtype, other.ttype.ndim):
        raise complaint(TypeMismatch, f"extend: {x!r} is a list of {x.ttype.describe()}, and {other!r} one of"
                        f" {other.ttype.describe()}", fix="make both of one type")
    return TypedListVariable(x.ttype, concatenate([x.data, other.data]), concatenate([x.shapes, other.shapes]))


def insert(x: Any, index: Any, toInsert: Any) -> TypedListVariable:
    """A list with a tensor more before the one at `index`, counted as Python does. Raises TypeMismatch.

    >>> insert(make_list([as_variable(1.0), as_variable(2.0)]), 0, 5.0)[0].eval()
    array(5.)
    """
    x, index = _list("insert", x), _position("insert", index)
    size = length(x)
    place = clip(switch(lt(index, 0), index + size, index), 0, size)
    order = concatenate([arange(place), part(stack([size]), slice(None)), arange(place, size)])
    return _at(append(x, toInsert), order)


def remove(x: Any, toRemove: Any) -> TypedListVariable:
    """A list without the first tensor that is equal to one. Raises TypeMismatch, and AssertionFailed if there is none.

    >>> remove(make_list([as_variable(1.0), as_variable(2.0)]), 1.0)[0].eval()
    array(2.)
    """
    x = _list("remove", x)
    place = index_(x, toRemove)
    return _at(x, concatenate([arange(place), arange(place + 1, length(x))]))


def reverse(x: Any) -> TypedListVariable:
    """A list from its last tensor to its first.

    >>> reverse(make_list([as_variable(1.0), as_variable(2.0)]))[0].eval()
    array(2.)
    """
    x = _list("reverse", x)
    return _at(x, part(arange(length(x)), slice(None, None, -1)))


def getitem(x: Any, index: Any) -> Any:
    """The tensor at a position, or the list of those in a slice. Raises TypeMismatch, IndexOutOfRange when computed.

    >>> x = make_list([as_variable([1.0]), as_variable([2.0, 3.0])])
    >>> getitem(x, 1).eval(), getitem(x, slice(1, None)).length().eval()
    (array([2., 3.]), array(1))
    """
    x = _list("getitem", x)
    if isinstance(index, slice):
        return _at(x, part(arange(length(x)), index))
    index = _position("getitem", index)
    starts, sizes = _bounds(x)
    start, shape = part(starts, index), part(x.shapes, index)
    data = part(x.data, slice(start, start + part(sizes, index)))
    fixed = x.ttype.static_shape
    sizes_of_it = [part(shape, axis) if size is None else size for axis, size in enumerate(fixed)]
    return data.reshape(sizes_of_it, ndim=x.ttype.ndim)  # type: ignore[attr-defined]


def _position(function: str, index: Any) -> Variable:
    index = as_variable(index)
    if index.type.ndim or index.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, f"{function}: a position in a list is an integer scalar", index,
                        fix='cast it: index.astype("int64")')
    return index


def length(x: Any) -> Variable:
    """How many tensors a list has, int64.

    >>> length(make_list([as_variable(1.0)])).eval()
    array(1)
    """
    return dimension(_list("length", x).shapes, 0)


def _equal(function: str, x: Any, value: Any) -> Variable:
    """For each tensor of a list, whether it is equal to another, shape and all."""
    x = _list(function, x)
    value = _element(function, x, value)
    starts, sizes = _bounds(x)
    flat, size = value.flatten(), value.size  # type: ignore[attr-defined]
    owners = repeat(arange(length(x)), sizes)
    within = arange(dimension(x.data, 0)) - part(starts, owners)
    beside = concatenate([flat, zeros([1], x.ttype.dtype)])  # so that there is one to look at in any case
    same = eq(x.data, part(beside, minimum(within, size)))
    found = bincount(owners, same.astype("int64"), minlength=length(x))  # type: ignore[attr-defined]
    shaped = eq(x.shapes, _shape_row(value)).all(axis=1)  # type: ignore[attr-defined]
    return shaped & eq(part(found, slice(length(x))), size)  # type: ignore[operator,no-any-return]


def count(x: Any, elem: Any) -> Variable:
    """How many tensors of a list are equal to one, int64. Raises TypeMismatch.

    >>> count(make_list([as_variable(1.0), as_variable(2.0), as_variable(1.0)]), 1.0).eval()
    array(2)
    """
    return _equal("count", x, elem).astype("int64").sum()  # type: ignore[attr-defined,no-any-return]


def index_(x: Any, elem: Any) -> Variable:
    """The position of the first tensor of a list that is equal to one. Raises TypeMismatch, AssertionFailed.

    >>> index_(make_list([as_variable(1.0), as_variable(2.0)]), 2.0).eval()
    array(1)
    """
    equal = _equal("index_", x, elem)
    marked = concatenate([equal, [True]])
    return Assert("the list has no such element")(argmax(marked), equal.any())  # type: ignore[attr-defined,no-any-return]


for _name, _function in {"append": append, "extend": extend, "insert": insert, "remove": remove, "reverse": reverse,
                         "count": count, "ind": index_, "length": length}.items():
    setattr(TypedListVariable, _name, _function)
