"""Lists of tensors of one type, under the names of `theano.typed_list`.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> rows, x = TypedListType(T.dvector)("rows"), T.dvector("x")
>>> f = st.function([rows, x], [rows.append(x).reverse(), rows.length(), rows[0] * 2])
>>> f([[1.0, 2.0], [3.0]], [4.0, 5.0, 6.0])
[[array([4., 5., 6.]), array([3.]), array([1., 2.])], array(2), array([2., 4.])]

A list is two tensors: `data`, the elements of all its tensors one after the other, and `shapes`, with a row of sizes
for each of them. A list of lists is one list of what is in them, and a vector of their lengths; and so on. All that is
done with lists is composed from operations on these, so that it has derivatives, by the elements, and is compiled.

>>> books = TypedListType(TypedListType(T.dvector))("books")
>>> g = st.function([books], [books[1], books.reverse()[0].length()])
>>> g([[[1.0], [2.0, 3.0]], [[4.0]]])
[[array([4.])], array(1)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
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
from symtensor.types.dtype import INTEGERS, fits
from symtensor.types.tensor import TensorType

__all__ = ["TypedListType", "TypedListVariable", "append", "count", "extend", "getitem", "index_", "insert", "length",
           "make_list", "remove", "reverse"]


@dataclass(frozen=True)
class TypedListType:
    """The type of lists of what has a type: of tensors, or of lists. Called with a name it makes a variable.

    With a `depth` it is that of lists in lists, so many times, of what has the type. Raises TypeMismatch.

    >>> TypedListType(TensorType("float32", (None, 3)))("images").shapes.type
    TensorType(int64, (images.shapes.0, 2))
    >>> TypedListType(TensorType("float32", ()), 1) == TypedListType(TypedListType(TensorType("float32", ())))
    True
    """

    ttype: TensorType | TypedListType
    depth: InitVar[int] = 0

    def __post_init__(self, depth: int) -> None:
        if not isinstance(self.ttype, (TensorType, TypedListType)):
            raise TypeMismatch(f"lists of {self.ttype!r} are none of tensors", fix="TypedListType(T.dvector)")
        if depth:
            object.__setattr__(self, "ttype", TypedListType(self.ttype, depth - 1))

    @property
    def tensor(self) -> TensorType:
        """The type of the tensors in it, or in the lists in it."""
        return self.ttype if isinstance(self.ttype, TensorType) else self.ttype.tensor

    def get_depth(self) -> int:
        """How many lists are around the list of tensors."""
        return 0 if isinstance(self.ttype, TensorType) else self.ttype.get_depth() + 1

    def fits(self, other: Any) -> bool:
        """Whether values of another type may be in one list with those of this: sizes may differ."""
        return (isinstance(other, TypedListType) and self.get_depth() == other.get_depth()
                and (self.tensor.dtype, self.tensor.ndim) == (other.tensor.dtype, other.tensor.ndim))

    def describe(self) -> str:
        """What it is, for messages."""
        return f"lists of {self.ttype.describe()}"

    def __call__(self, name: str | None = None) -> TypedListVariable:
        own = f"{name}." if name else "list."
        data = TensorType(self.tensor.dtype, (None,))(own + "data")
        shapes = TensorType("int64", (None, self.tensor.ndim))(own + "shapes")
        counts = [TensorType("int64", (None,))(f"{own}counts{number or ''}") for number in range(self.get_depth())]
        return TypedListVariable(self, [data, shapes, *counts], name)


class TypedListVariable(Structured):
    """A list of what has the type `ttype`: elements, shapes of tensors, and for lists of lists how much is in each.

    >>> x = make_list([as_variable([1.0, 2.0])])
    >>> x.append([3.0]).data.eval()
    array([1., 2., 3.])
    """

    def __init__(self, type: TypedListType, parts: Sequence[Variable], name: str | None = None) -> None:
        self.type, self.ttype, self.parts, self.name = type, type.ttype, tuple(parts), name
        self.data, self.shapes, *_ = parts

    @property
    def inner(self) -> TypedListVariable:
        """Of a list of lists, the list of all that is in these."""
        assert isinstance(self.ttype, TypedListType)
        return TypedListVariable(self.ttype, self.parts[:-1])

    def split(self, value: Any) -> Sequence[Any]:
        """The parts of a list of arrays. Raises TypeMismatch for what is none, or has one of another type."""
        return _split(self.name or "a list", self.type, value)

    def joined(self, arrays: Sequence[Any]) -> list[Any]:
        """The list of arrays of the parts."""
        if isinstance(self.ttype, TypedListType):
            items, ends = self.inner.joined(arrays[:-1]), np.cumsum(arrays[-1])
            return [items[end - count:end] for end, count in zip(ends, arrays[-1])]
        data, shapes = arrays
        ends = np.cumsum(shapes.prod(axis=1)).astype("int64")
        return [piece.reshape(shape) for piece, shape in zip(np.split(data, ends), shapes)]

    @property
    def continuous(self) -> Variable:
        """The elements."""
        return self.data

    def derivative(self, values: Variable) -> TypedListVariable:
        """A derivative: a list of tensors of the same shapes."""
        return TypedListVariable(self.type, [values, *self.parts[1:]])

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index)

    def __len__(self) -> int:
        raise complaint(TypeMismatch, f"{self!r} has no length: it is a symbolic expression", fix="use x.length()")

    def __iter__(self) -> Any:
        raise complaint(TypeMismatch, f"{self!r} cannot be iterated over: its length is not known", fix="use x[number]")

    def __repr__(self) -> str:
        return self.name or f"<list of {self.ttype.describe()}>"


def _split(label: str, kind: TypedListType, value: Any) -> list[np.ndarray]:
    """The parts of a list of a type."""
    if not isinstance(value, (list, tuple)):
        raise TypeMismatch(f"{label!r} must be a list of {'lists' if kind.get_depth() else 'arrays'}, not"
                           f" {type(value).__name__}", fix="list(value)")
    if isinstance(kind.ttype, TypedListType):
        for number, one in enumerate(value):
            if not isinstance(one, (list, tuple)):
                raise TypeMismatch(f"{label!r} is a list of {kind.ttype.describe()}, and number {number} is"
                                   f" {type(one).__name__}", fix="a list of lists")
        counts = np.array([len(one) for one in value], "int64")
        return [*_split(label, kind.ttype, [item for one in value for item in one]), counts]
    tensor = kind.tensor
    arrays = [np.asarray(one) for one in value]
    for number, array in enumerate(arrays):
        is_fit = fits(array.dtype, tensor.dtype) or not isinstance(value[number], np.ndarray)
        if not is_fit or not tensor.accepts(array.astype(tensor.dtype)):
            raise TypeMismatch(f"{label!r} is a list of {tensor.describe()}, and number {number} is"
                               f" {array.dtype} {array.shape}", fix="convert or reshape it")
    flat = [array.ravel().astype(tensor.dtype, copy=False) for array in arrays]
    shapes = np.array([array.shape for array in arrays], "int64").reshape(len(arrays), tensor.ndim)
    return [np.concatenate([np.zeros(0, tensor.dtype), *flat]), shapes]


def _list(function: str, x: Any) -> TypedListVariable:
    if not isinstance(x, TypedListVariable):
        raise complaint(TypeMismatch, f"{function}: {x!r} is no typed list", fix="TypedListType(T.dvector)(name)")
    return x


def _alone(function: str, x: TypedListVariable, value: Any) -> TypedListVariable:
    """The list of one value, which is to be in a list or is looked for there. Raises TypeMismatch."""
    if isinstance(x.ttype, TypedListType):
        own = make_list(value) if isinstance(value, (list, tuple)) else value
        if not isinstance(own, TypedListVariable) or not x.ttype.fits(own.type):
            raise complaint(TypeMismatch, f"{function}: {x!r} is a list of {x.ttype.describe()}, and {value!r} is none"
                            " of these", fix="make_list([...]) of tensors of that type")
        return TypedListVariable(x.type, [*own.parts, stack([length(own)])])
    value = as_variable(value)
    if value.type.dtype != x.ttype.dtype or value.type.ndim != x.ttype.ndim:
        raise complaint(TypeMismatch, f"{function}: {x!r} is a list of {x.ttype.describe()}", value,
                        fix=f'cast it: value.astype("{x.ttype.dtype}")' if value.type.ndim == x.ttype.ndim else
                        f"give a tensor of {x.ttype.ndim} axes")
    return TypedListVariable(x.type, [value.flatten(), _shape_row(value)])  # type: ignore[attr-defined]


def _shape_row(value: Variable) -> Variable:
    """The sizes of a tensor as one row of a matrix."""
    sizes = [dimension(value, axis) for axis in range(value.type.ndim)]
    return part(stack(sizes), None) if sizes else zeros([1, 0], "int64")


def _bounds(x: TypedListVariable) -> tuple[Variable, Variable]:
    """Where in the data, or in the inner list, each of a list begins, and how much of it there is."""
    sizes = x.parts[-1] if isinstance(x.ttype, TypedListType) else prod(x.shapes, axis=1)
    return cumsum(sizes) - sizes, sizes


def _at(x: TypedListVariable, positions: Variable) -> TypedListVariable:
    """The list of what is at some positions."""
    starts, sizes = _bounds(x)
    own = part(sizes, positions)
    moved = repeat(part(starts, positions) - cumsum(own) + own, own)
    places = moved + arange(own.sum())  # type: ignore[attr-defined]
    within = _at(x.inner, places).parts if isinstance(x.ttype, TypedListType) else [part(x.data, places)]
    return TypedListVariable(x.type, [*within, part(x.parts[-1], positions)])


def make_list(tensors: Sequence[Any]) -> TypedListVariable:
    """A list of some tensors, or lists, of one type. Raises TypeMismatch.

    >>> make_list([as_variable([1.0]), as_variable([2.0, 3.0])])[1].eval()
    array([2., 3.])
    """
    made = [one if isinstance(one, TypedListVariable) else as_variable(one) for one in tensors]
    if not made:
        raise complaint(TypeMismatch, "make_list: of no tensors, the type is not known",
                        fix="TypedListType(T.dvector)(name), called with []")
    own = made[0].type
    kind = TypedListType(TensorType(own.dtype, (None,) * own.ndim) if isinstance(own, TensorType) else own)
    counts = [zeros([0], "int64")] * kind.get_depth()
    empty = TypedListVariable(kind, [zeros([0], kind.tensor.dtype), zeros([0, kind.tensor.ndim], "int64"), *counts])
    for one in made:
        empty = append(empty, one)
    return empty


def append(x: Any, toAppend: Any) -> TypedListVariable:
    """A list with one more at its end. Raises TypeMismatch.

    >>> append(make_list([as_variable(1.0)]), 5.0)[-1].eval()
    array(5.)
    """
    x = _list("append", x)
    return extend(x, _alone("append", x, toAppend))


def extend(x: Any, toAppend: Any) -> TypedListVariable:
    """A list, and behind it another of the same type. Raises TypeMismatch.

    >>> x = make_list([as_variable(1.0)])
    >>> length(extend(x, x)).eval()
    array(2)
    """
    x, other = _list("extend", x), _list("extend", toAppend)
    if not x.type.fits(other.type):
        raise complaint(TypeMismatch, f"extend: {x!r} is a list of {x.ttype.describe()}, and {other!r} one of"
                        f" {other.ttype.describe()}", fix="make both of one type")
    return TypedListVariable(x.type, [concatenate([one, more]) for one, more in zip(x.parts, other.parts)])


def insert(x: Any, index: Any, toInsert: Any) -> TypedListVariable:
    """A list with one more before the one at `index`, counted as Python does. Raises TypeMismatch.

    >>> insert(make_list([as_variable(1.0), as_variable(2.0)]), 0, 5.0)[0].eval()
    array(5.)
    """
    x, index = _list("insert", x), _position("insert", index)
    size = length(x)
    place = clip(switch(lt(index, 0), index + size, index), 0, size)
    order = concatenate([arange(place), part(stack([size]), slice(None)), arange(place, size)])
    return _at(append(x, toInsert), order)


def remove(x: Any, toRemove: Any) -> TypedListVariable:
    """A list without the first that is equal to a value. Raises TypeMismatch, and AssertionFailed if there is none.

    >>> remove(make_list([as_variable(1.0), as_variable(2.0)]), 1.0)[0].eval()
    array(2.)
    """
    x = _list("remove", x)
    place = index_(x, toRemove)
    return _at(x, concatenate([arange(place), arange(place + 1, length(x))]))


def reverse(x: Any) -> TypedListVariable:
    """A list from its last to its first.

    >>> reverse(make_list([as_variable(1.0), as_variable(2.0)]))[0].eval()
    array(2.)
    """
    x = _list("reverse", x)
    return _at(x, part(arange(length(x)), slice(None, None, -1)))


def getitem(x: Any, index: Any) -> Any:
    """What is at a position, or the list of what is in a slice. Raises TypeMismatch, IndexOutOfRange when computed.

    >>> x = make_list([as_variable([1.0]), as_variable([2.0, 3.0])])
    >>> getitem(x, 1).eval(), getitem(x, slice(1, None)).length().eval()
    (array([2., 3.]), array(1))
    """
    x = _list("getitem", x)
    if isinstance(index, slice):
        return _at(x, part(arange(length(x)), index))
    index = _position("getitem", index)
    starts, sizes = _bounds(x)
    start = part(starts, index)
    if isinstance(x.ttype, TypedListType):
        return _at(x.inner, arange(start, start + part(sizes, index)))
    shape = part(x.shapes, index)
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
    """How many a list has, int64.

    >>> length(make_list([as_variable(1.0)])).eval()
    array(1)
    """
    return dimension(_list("length", x).parts[-1], 0)


def _equal(function: str, x: Any, value: Any) -> Variable:
    """For each of a list, whether it is equal to a value, shape and all."""
    x = _list(function, x)
    wanted = _with_one_more(_alone(function, x, value))
    return _equal_at(x, wanted, zeros([length(x)], "int64"))


def _with_one_more(x: TypedListVariable) -> TypedListVariable:
    """A list with something behind it, so that there is something to look at in any case."""
    end = zeros([1, x.type.tensor.ndim], "int64")
    counts = [zeros([1], "int64")] * x.type.get_depth()
    rests = [zeros([1], x.type.tensor.dtype), end, *counts]
    return TypedListVariable(x.type, [concatenate([one, rest]) for one, rest in zip(x.parts, rests)])


def _equal_at(x: TypedListVariable, y: TypedListVariable, positions: Variable) -> Variable:
    """For each of a list, whether it is equal to that of another at a position."""
    (starts, sizes), (begins, _) = _bounds(x), _bounds(y)
    owners = repeat(arange(length(x)), sizes)
    within = arange(owners.size) - part(starts, owners)  # type: ignore[attr-defined]
    places = part(part(begins, positions), owners) + within
    if isinstance(x.ttype, TypedListType):
        same = _equal_at(x.inner, y.inner, minimum(places, length(y.inner) - 1))
        alike = eq(sizes, part(y.parts[-1], positions))
    else:
        same = eq(x.data, part(y.data, minimum(places, dimension(y.data, 0) - 1)))
        alike = eq(x.shapes, part(y.shapes, positions)).all(axis=1)  # type: ignore[attr-defined]
    found = bincount(owners, same.astype("int64"), minlength=length(x))  # type: ignore[attr-defined]
    return alike & eq(part(found, slice(length(x))), sizes)  # type: ignore[operator,no-any-return]


def count(x: Any, elem: Any) -> Variable:
    """How many of a list are equal to a value, int64. Raises TypeMismatch.

    >>> count(make_list([as_variable(1.0), as_variable(2.0), as_variable(1.0)]), 1.0).eval()
    array(2)
    """
    return _equal("count", x, elem).astype("int64").sum()  # type: ignore[attr-defined,no-any-return]


def index_(x: Any, elem: Any) -> Variable:
    """The position of the first of a list that is equal to a value. Raises TypeMismatch, AssertionFailed.

    >>> index_(make_list([as_variable(1.0), as_variable(2.0)]), 2.0).eval()
    array(1)
    """
    equal = _equal("index_", x, elem)
    marked = concatenate([equal, [True]])
    return Assert("the list has no such element")(argmax(marked), equal.any())  # type: ignore[attr-defined,no-any-return]


for _name, _function in {"append": append, "extend": extend, "insert": insert, "remove": remove, "reverse": reverse,
                         "count": count, "ind": index_, "length": length}.items():
    setattr(TypedListVariable, _name, _function)
