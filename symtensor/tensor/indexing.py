"""Indexing in all of NumPy's forms, and tensors with a part replaced.

`x[...]` takes integers, slices with symbolic bounds, new axes, an ellipsis, integer arrays and boolean masks, mixed as
in NumPy. It becomes at most four steps: a basic index, a gather, and axes permuted or made. How a part was written
is remembered, so that `set_subtensor(x[...], y)` knows the place to write to.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("float64", shape=("n", 3, 4))
>>> getitem(x, (slice(1, None), [0, 2, 2], None)).type
TensorType(float64, (max(0, n - 1), 3, 1, 4))
>>> set_subtensor(getitem(x, 0), 1.5).type
TensorType(float64, (n, 3, 4))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from symtensor.base.errors import GraphError, IndexOutOfRange, ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Entry, SetSubtensor, Subtensor, gather, nonzero, parse_basic, scatter
from symtensor.ops.shape import Dimshuffle, SpecifyShape, dimshuffle, drop_axes, expand_dims, pad_left
from symtensor.ops.size import Dimension, integer, shape_of
from symtensor.tensor.arguments import elements_of, vector_of
from symtensor.types.dtype import INTEGERS, kind_of

__all__ = ["getitem", "set_subtensor", "inc_subtensor"]


@dataclass
class Place:
    """A part of `base` as the user wrote it.

    First the basic index (`entries` with their integer `bounds`) is taken, then the arrays are gathered (`arrays` by
    axis), then `order` permutes axes and makes new ones (-1). The user's tensor has not the axes `added` of the base.
    """

    base: Variable
    added: Sequence[int] = ()
    entries: tuple[Entry, ...] = ()
    bounds: list[Variable] = field(default_factory=list)
    arrays: dict[int, Variable] = field(default_factory=dict)
    order: tuple[int, ...] = ()

    def read(self) -> Variable:
        """The part, a variable of its own even where it is all of the base."""
        part = Subtensor(self.entries)(self.base, *self.bounds) if self._cuts() else self.base
        if self.arrays:
            part = gather(part, self.arrays)
        return part if self.order == tuple(range(part.type.ndim)) else Dimshuffle(self.order)(part)

    def _cuts(self) -> bool:
        """Whether the basic index does something, or nothing else would."""
        moves = self.arrays or self.order != tuple(range(self.base.type.ndim))
        return not moves or any(entry != Entry() for entry in self.entries)

    def write(self, part: Variable, y: Variable, add: bool) -> Variable:
        """The user's tensor with this part set to y, or increased by it."""
        return drop_axes(self._written(self._unordered(y, part), add), self.added)

    def _written(self, y: Variable, add: bool) -> Variable:
        if not self.arrays:
            return SetSubtensor(self.entries, add)(self.base, cast(y, self.base.type.dtype), *self.bounds)
        if not self._cuts():
            return scatter(self.base, self.arrays, y, add)
        region = Subtensor(self.entries)(self.base, *self.bounds)
        return SetSubtensor(self.entries, False)(self.base, scatter(region, self.arrays, y, add), *self.bounds)

    def _unordered(self, y: Variable, part: Variable) -> Variable:
        """`y` with its axes as they were before `order`."""
        if y.type.ndim > part.type.ndim:
            raise complaint(ShapeError, f"a value of {y.type.ndim} axes for a part of {part.type.ndim}", part, y,
                            fix="index or reshape the value")
        if self.order == tuple(range(len(self.order))):
            return y
        y = pad_left(y, part.type.ndim - y.type.ndim)
        return dimshuffle(y, [self.order.index(axis) for axis in range(max(self.order, default=-1) + 1)])


_places: WeakKeyDictionary[Variable, Place] = WeakKeyDictionary()
"""Where each part that a user read by `x[...]` lies."""


def getitem(x: Variable, index: Any) -> Variable:
    """`x[index]`, in NumPy's meaning. Raises TypeMismatch, ShapeError, and IndexOutOfRange when computed.

    >>> getitem(as_variable([[1, 2], [3, 4]]), (slice(None), 0)).eval()
    array([1, 3])
    """
    place = _located(x, index)
    sizes = _sizes_at(x, index)
    part = place.read() if sizes is None else sizes
    _places[part] = place
    return part


def _sizes_at(x: Variable, index: Any) -> Variable | None:
    """What `x.shape[i]` or `x.shape[i:j]` is without a subtensor, as a variable of its own; None for all else."""
    if x.type.ndim != 1 or x.type.dtype != "int64" or not isinstance(index, (int, slice)) or isinstance(index, bool):
        return None
    elements = elements_of(x)
    if elements is None or (isinstance(index, int) and not -len(elements) <= index < len(elements)):
        return None
    if isinstance(index, int):
        element = elements[index]
        if isinstance(element, Constant):
            return Constant(element.data)
        owner = element.owner
        return owner.op.make(*owner.inputs)[0] if owner is not None and isinstance(owner.op, Dimension) else None
    fixed = all(bound is None or isinstance(bound, int) for bound in (index.start, index.stop, index.step))
    return vector_of(elements[index]) if fixed else None


# -- reading an index -------------------------------------------------------------------------------------

def _located(x: Variable, index: Any) -> Place:
    base, items, added = _items(x, index if isinstance(index, tuple) else (index,))
    arrays_given = any(isinstance(item, Variable) and item.type.ndim for item in items)
    place = Place(base, added)
    basic: list[Any] = []
    layout: list[Any] = []  # of the result: axes after the basic index, None for a new one, "array"; and ellipses
    kept = 0
    for item in items:
        if item is None or item is Ellipsis:
            layout.append(item)
            continue
        if isinstance(item, slice) or not arrays_given:
            basic.append(item)
        else:  # beside arrays, an integer counts as one of them: this decides where the arrays' axes go
            basic.append(slice(None))
            place.arrays[kept] = item
        if isinstance(item, slice):
            layout.append(kept)
        elif arrays_given:
            layout.append("array")
        kept += isinstance(item, slice) or arrays_given
    place.entries, place.bounds = parse_basic(base, basic)
    layout += range(kept, kept + base.type.ndim - len(basic))
    place.order = _order(layout, place.arrays)
    return place


def _order(layout: list[Any], arrays: dict[int, Variable]) -> tuple[int, ...]:
    """The axes after a gather in the order NumPy has them.

    Axes of arrays stand where the arrays stood if those are neighbours, else in front. `ops.index.Gather` does the
    same, but knows nothing of new axes and ellipses between arrays, which part them too (an ellipsis even if empty).
    """
    if not arrays:
        return tuple(-1 if axis is None else axis for axis in layout if axis is not Ellipsis)
    rank = max(index.type.ndim for index in arrays.values())
    axes = sorted(arrays)
    front = axes[0] if axes[-1] - axes[0] + 1 == len(axes) else 0
    block = list(range(front, front + rank))
    kept = [axis for axis in layout if isinstance(axis, int)]
    where = {axis: place if place < front else place + rank for place, axis in enumerate(kept)}
    first = layout.index("array")
    neighbours = all(entry == "array" for entry in layout[first:first + layout.count("array")])
    order: list[int] = [] if neighbours else block
    for position, axis in enumerate(layout):
        if axis == "array":
            order = order + block if neighbours and position == first else order
        elif axis is not Ellipsis:
            order = [*order, -1 if axis is None else where[axis]]
    return tuple(order)


def _items(x: Variable, index: tuple[Any, ...]) -> tuple[Variable, list[Any], list[int]]:
    """What is indexed, the entries of its index, and the axes of it that `x` has not.

    Each entry is None, a slice, an integer variable, or an ellipsis, now followed by its slices. A mask without axes
    is an index into a new axis.
    """
    entries = [entry if _is_basic(entry) else _array(x, entry) for entry in index]
    taken = sum(_axes_taken(entry) for entry in entries)
    if taken > x.type.ndim:
        raise complaint(IndexOutOfRange, f"{taken} indices for {x.type.ndim} axes", x,
                        fix="write None for each new axis")
    if sum(entry is Ellipsis for entry in entries) > 1:
        raise complaint(TypeMismatch, "an index has at most one ellipsis", x, fix="write : for single axes")
    base, items, added, axis = x, list[Any](), list[int](), 0
    for entry in entries:
        if entry is Ellipsis:
            items += [Ellipsis] + [slice(None)] * (x.type.ndim - taken)
            axis += x.type.ndim - taken
        elif isinstance(entry, Variable) and entry.type.dtype == "bool":
            if not entry.type.ndim:
                base = expand_dims(base, [axis])
                entry = Constant(entry.data[None]) if isinstance(entry, Constant) else pad_left(entry, 1)
                added.append(axis)
            base, positions = _positions(base, entry, axis)
            items += positions
            axis += entry.type.ndim
        else:
            items.append(entry)
            axis += entry is not None
    return base, items, added


def _is_basic(entry: Any) -> bool:
    return entry is None or entry is Ellipsis or isinstance(entry, slice)


def _axes_taken(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return entry.type.ndim if isinstance(entry, Variable) and entry.type.dtype == "bool" else 1


def _array(x: Variable, entry: Any) -> Variable:
    """An entry that is no slice, as a variable of integers or a mask. Raises TypeMismatch."""
    if isinstance(entry, (list, tuple)) and not len(entry):
        entry = np.zeros(0, "int64")
    index = as_variable(entry)
    if index.type.dtype in INTEGERS or index.type.dtype == "bool":
        return index
    raise complaint(TypeMismatch, f"{x!r} cannot be indexed by {entry!r}", x, index,
                    fix='cast it: index.astype("int64")')


def _positions(x: Variable, mask: Variable, axis: int) -> tuple[Variable, Sequence[Variable]]:
    """Where a mask over the axes of x from `axis` on is true; and x, if it is x whose sizes are checked to be its."""
    sizes = list(shape_of(x))
    covered = slice(axis, axis + mask.type.ndim)
    if not isinstance(mask, Constant):
        return x, nonzero(SpecifyShape(mask.type.ndim)(mask, *sizes[covered]))
    if x.type.shape[covered] != mask.type.shape:
        sizes[covered] = [integer(size) for size in mask.data.shape]
        x = SpecifyShape(x.type.ndim)(x, *sizes)
    return x, [Constant(positions) for positions in np.nonzero(mask.data)]


# -- writing ----------------------------------------------------------------------------------------------

def set_subtensor(x: Variable, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Variable:
    """The whole tensor with the part `x`, written as `whole[...]`, set to `y`, which broadcasts to the part.

    The result has the type of the whole; `y` is cast to its dtype. The flags are accepted for Theano's sake: memory
    is reused where that is safe. Raises GraphError if `x` is not written as `whole[...]`, ShapeError.

    >>> whole = as_variable([1, 2, 3])
    >>> set_subtensor(getitem(whole, slice(1, None)), 0).type
    TensorType(int64, (3,))
    """
    return _written("set_subtensor", x, y, False)


def inc_subtensor(x: Variable, y: Any, inplace: bool = False, set_instead_of_inc: bool = False,
                  tolerate_inplace_aliasing: bool = False) -> Variable:
    """The whole tensor with the part `x`, written as `whole[...]`, increased by `y`, which broadcasts to the part.

    A position that an integer array names twice is increased twice. Raises as `set_subtensor` does.

    >>> whole = as_variable([1, 2, 3])
    >>> inc_subtensor(getitem(whole, [0, 0]), 10).type
    TensorType(int64, (3,))
    """
    return _written("inc_subtensor", x, y, not set_instead_of_inc)


def _written(function: str, part: Any, y: Any, add: bool) -> Variable:
    place = _places.get(part) if isinstance(part, Variable) else None
    if place is None:
        raise complaint(GraphError, f"{function}: {part!r} is not a part of a tensor",
                        fix=f"write the index in the call: {function}(x[2:5], y)")
    return place.write(part, _value(place.base, y), add)


_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def _value(base: Variable, y: Any) -> Variable:
    """What is written, of a kind of number that the base's dtype can hold. Raises TypeMismatch."""
    _, y = together([base, y])
    if _KINDS[kind_of(y.type.dtype)] <= _KINDS[kind_of(base.type.dtype)]:
        return y
    raise complaint(TypeMismatch, f"a value of {y.type.dtype} would lose its kind in a tensor of {base.type.dtype}",
                    base, y, fix=f'cast it: y.astype("{base.type.dtype}")')
