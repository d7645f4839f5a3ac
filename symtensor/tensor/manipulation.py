"""Shapes changed: axes permuted, added, dropped; tensors reshaped, spread, joined, split, repeated.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("float64", shape=("n", 3, 4))
>>> dimshuffle(x, 2, "x", 0, 1).type, flatten(x, 2).type
(TensorType(float64, (4, 1, n, 3)), TensorType(float64, (n, 12)))
>>> concatenate([x, x], axis=0).type
TensorType(float64, (2*n, 3, 4))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import index
from symtensor.ops import shape as shapes
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.ordering import Cumulate, Search
from symtensor.ops.reduce import reduce_axes
from symtensor.ops.size import dimension, shape_of
from symtensor.tensor.arguments import axes_of, axis_of, product, settled, sizes_of, vector_of
from symtensor.tensor.creation import arange
from symtensor.types.dtype import INTEGERS

__all__ = ["shape", "dimshuffle", "reshape", "flatten", "ravel", "transpose", "swapaxes", "moveaxis", "squeeze",
           "shape_padleft", "shape_padright", "shape_padaxis", "broadcast_to", "addbroadcast", "unbroadcast",
           "patternbroadcast", "specify_shape", "join", "concatenate", "stack", "stacklists", "split",
           "horizontal_stack", "vertical_stack", "tile", "repeat", "roll"]


def shape(x: Any) -> Variable:
    """The sizes of `x` as an int64 vector; `x.shape[0]` and `rows, columns = x.shape` read it.

    >>> shape([[1, 2, 3]])
    [1, 3]
    """
    return vector_of(shape_of(as_variable(x)))


# -- axes -------------------------------------------------------------------------------------------------

def dimshuffle(x: Any, *pattern: Any) -> Variable:
    """`x` with its axes in the order of `pattern`, where "x" makes an axis of size 1; axes of size 1 may be left out.

    Raises ShapeError for an axis that does not exist or is named twice.

    >>> dimshuffle([1.0, 2.0], 0, "x").eval()
    array([[1.],
           [2.]])
    """
    if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)):
        pattern = tuple(pattern[0])
    return shapes.dimshuffle(x, pattern)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Variable:
    """`x` with its axes permuted, by default reversed. Raises ShapeError.

    >>> transpose([[1, 2, 3]]).eval()
    array([[1],
           [2],
           [3]])
    """
    x = as_variable(x)
    if axes is None:
        return shapes.transpose(x)
    order = [axis_of(x, axis, "transpose") for axis in axes]
    if sorted(order) != list(range(x.type.ndim)):
        raise complaint(ShapeError, f"transpose: {tuple(axes)} is not a permutation of {x.type.ndim} axes", x,
                        fix="name every axis once")
    return shapes.transpose(x, order)


def swapaxes(y: Any, axis1: int, axis2: int) -> Variable:
    """`y` with two axes exchanged. Raises ShapeError.

    >>> swapaxes([[1, 2, 3]], 0, -1).eval()
    array([[1],
           [2],
           [3]])
    """
    y = as_variable(y)
    order = list(range(y.type.ndim))
    first, second = axis_of(y, axis1, "swapaxes"), axis_of(y, axis2, "swapaxes")
    order[first], order[second] = second, first
    return shapes.transpose(y, order)


def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Variable:
    """`a` with the source axes moved to the destinations; the others keep their order. Raises ShapeError.

    >>> moveaxis([[[1, 2, 3]]], 0, -1).eval()
    array([[[1],
            [2],
            [3]]])
    """
    a = as_variable(a)
    moved, places = ([axis_of(a, axis, "moveaxis") for axis in np.atleast_1d(axes)] for axes in (source, destination))
    if len(set(moved)) != len(set(places)) or len(moved) != len(set(moved)) or len(places) != len(moved):
        raise complaint(ShapeError, f"moveaxis: {source} and {destination} do not pair axes one to one", a,
                        fix="as many destinations as sources, each once")
    order = [axis for axis in range(a.type.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved)):
        order.insert(place, axis)
    return shapes.transpose(a, order)


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Variable:
    """`x` without the given axes, whose size must be 1; by default without all axes known to be of size 1.

    Raises ShapeError.

    >>> squeeze([[1, 2, 3]]).eval()
    array([1, 2, 3])
    """
    x = as_variable(x)
    ones = [a for a, size in enumerate(x.type.shape) if size == 1]
    return shapes.drop_axes(x, ones if axis is None else axes_of(x, axis, "squeeze"))


def shape_padleft(t: Any, n_ones: int = 1) -> Variable:
    """`t` with `n_ones` new axes of size 1 in front.

    >>> shape_padleft([1, 2], 2).eval()
    array([[[1, 2]]])
    """
    return shapes.pad_left(as_variable(t), n_ones)


def shape_padright(t: Any, n_ones: int = 1) -> Variable:
    """`t` with `n_ones` new axes of size 1 at the end.

    >>> shape_padright([1, 2]).eval()
    array([[1],
           [2]])
    """
    t = as_variable(t)
    return shapes.expand_dims(t, range(t.type.ndim, t.type.ndim + n_ones))


def shape_padaxis(t: Any, axis: int) -> Variable:
    """`t` with a new axis of size 1 at place `axis` of the result. Raises ShapeError.

    >>> shape_padaxis([1, 2], -1).eval()
    array([[1],
           [2]])
    """
    t = as_variable(t)
    return shapes.expand_dims(t, [axis_of(t, axis, "shape_padaxis", extra=1)])


# -- shapes -----------------------------------------------------------------------------------------------

def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Variable:
    """The elements of `x` in row-major order in another shape; one size may be -1, which is then found out.

    `ndim` is needed only when `newshape` is a vector variable of unknown length. Raises ShapeError, TypeMismatch.

    >>> reshape([1, 2, 3, 4], (2, -1)).eval()
    array([[1, 2],
           [3, 4]])
    """
    return shapes.reshape(x, sizes_of(newshape, "reshape", ndim))


def flatten(x: Any, ndim: int = 1) -> Variable:
    """`x` with `ndim` axes: the first ones kept, the rest made one. Raises ShapeError.

    >>> flatten([[[1, 2], [3, 4]]], 2).eval()
    array([[1, 2, 3, 4]])
    """
    x = as_variable(x)
    if not 1 <= ndim <= max(x.type.ndim, 1):
        raise complaint(ShapeError, f"flatten to {ndim} axes", x, fix=f"a number from 1 to {max(x.type.ndim, 1)}")
    sizes = shape_of(x)
    return shapes.reshape(x, [*sizes[:ndim - 1], product(sizes[ndim - 1:])])


def ravel(x: Any) -> Variable:
    """The elements of `x` in row-major order, as a vector.

    >>> ravel([[1, 2], [3, 4]]).eval()
    array([1, 2, 3, 4])
    """
    return flatten(x)


def along(x: Any, axis: int | None, function: str) -> tuple[Variable, int]:
    """A tensor and one of its axes; the tensor flattened where none is named."""
    x = as_variable(x)
    return (flatten(x), 0) if axis is None else (x, axis_of(x, axis, function))


def broadcast_to(x: Any, shape: Any) -> Variable:
    """`x` spread to a shape, by the rules of broadcasting. Raises ShapeError, TypeMismatch.

    >>> broadcast_to([1, 2], (3, 2)).eval()
    array([[1, 2],
           [1, 2],
           [1, 2]])
    """
    return shapes.broadcast_to(x, sizes_of(shape, "broadcast_to"))


def specify_shape(x: Any, shape: Any) -> Variable:
    """`x` with the promise, checked when it is computed, that it has this shape; None leaves a size open.

    Raises ShapeError when `x` cannot have it.

    >>> from symtensor.tensor.inputs import matrix
    >>> specify_shape(matrix("x"), (3, None)).type
    TensorType(float64, (3, x.1))
    """
    x = as_variable(x)
    given = list(shape) if isinstance(shape, (list, tuple)) else sizes_of(shape, "specify_shape", x.type.ndim)
    if len(given) != x.type.ndim:
        raise complaint(ShapeError, f"specify_shape: {len(given)} sizes for {x.type.ndim} axes", x,
                        fix="give None for a size that may be any")
    sizes = [dimension(x, axis) if size is None else size for axis, size in enumerate(given)]
    return shapes.SpecifyShape(x.type.ndim)(x, *map(shapes.as_size, sizes_of(sizes, "specify_shape")))


def addbroadcast(x: Any, *axes: int) -> Variable:
    """`x` with the promise, checked when it is computed, that these axes have size 1, so that they broadcast.

    Raises ShapeError.

    >>> from symtensor.tensor.inputs import matrix
    >>> addbroadcast(matrix("x"), 0).type.broadcastable
    (True, False)
    """
    x = as_variable(x)
    found = axes_of(x, axes, "addbroadcast")
    if all(x.type.shape[axis] == 1 for axis in found):
        return x
    return specify_shape(x, [1 if axis in found else None for axis in range(x.type.ndim)])


def unbroadcast(x: Any, *axes: int) -> Variable:
    """`x` itself. Theano forgets here that axes have size 1; a type that says so is never in the way of symtensor.

    Raises ShapeError for an axis that does not exist.

    >>> unbroadcast([[1, 2]], 0).eval()
    array([[1, 2]])
    """
    x = as_variable(x)
    axes_of(x, axes, "unbroadcast")
    return x


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Variable:
    """`x` with the promise that the axes marked True have size 1. Raises ShapeError.

    >>> from symtensor.tensor.inputs import matrix
    >>> patternbroadcast(matrix("x"), (False, True)).type
    TensorType(float64, (x.0, 1))
    """
    x = as_variable(x)
    if len(broadcastable) != x.type.ndim:
        raise complaint(ShapeError, f"patternbroadcast: a pattern of {len(broadcastable)} for {x.type.ndim} axes", x,
                        fix="give one flag for each axis")
    return addbroadcast(x, *(axis for axis, flag in enumerate(broadcastable) if flag))


# -- several tensors --------------------------------------------------------------------------------------

def join(axis: int, *tensors_list: Any) -> Variable:
    """Tensors one after the other along `axis`; their dtypes are promoted. Raises ShapeError, TypeMismatch.

    >>> join(0, [1, 2], [3.5]).eval()
    array([1. , 2. , 3.5])
    """
    return concatenate(tensors_list, axis)


def concatenate(tensor_list: Sequence[Any], axis: int = 0) -> Variable:
    """Tensors one after the other along `axis`; their dtypes are promoted. Raises ShapeError, TypeMismatch.

    >>> concatenate([[[1], [2]], [[3], [4]]], axis=1).eval()
    array([[1, 3],
           [2, 4]])
    """
    parts = _several(tensor_list, "concatenate")
    return index.join(axis_of(parts[0], axis, "concatenate"), parts)


def stack(tensors: Sequence[Any], axis: int = 0) -> Variable:
    """Tensors of one shape side by side along a new axis. Raises ShapeError, TypeMismatch.

    >>> stack([[1, 2], [3, 4]], axis=-1).eval()
    array([[1, 3],
           [2, 4]])
    """
    parts = _several(tensors, "stack")
    return index.stack(parts, axis_of(parts[0], axis, "stack", extra=1))


def _several(tensors: Any, function: str) -> list[Variable]:
    if isinstance(tensors, Variable) or not isinstance(tensors, (list, tuple, np.ndarray)) or not len(tensors):
        raise complaint(TypeMismatch, f"{function} takes a list of at least one tensor, not {tensors!r}",
                        fix=f"{function}([a, b], axis)")
    return together(list(tensors))


def stacklists(arg: Any) -> Variable:
    """Nested lists of scalars or tensors as one tensor, the nesting in front.

    >>> stacklists([[1, 2], [3, 4], [5, 6]]).eval()
    array([[1, 2],
           [3, 4],
           [5, 6]], dtype=int8)
    """
    if isinstance(arg, (list, tuple)):
        return stack([stacklists(part) for part in arg])  # as deep as the user's brackets
    return as_variable(arg)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Variable]:
    """`x` cut along `axis` into `n_splits` parts of the given sizes. Raises ShapeError, TypeMismatch.

    >>> [part.type for part in split([1, 2, 3], [1, 2], 2)]
    [TensorType(int64, (1,)), TensorType(int64, (2,))]
    """
    x = as_variable(x)
    axis = axis_of(x, axis, "split")
    sizes = [shapes.as_size(size) for size in sizes_of(splits_size, "split", n_splits)]
    total = settled(sum(sizes[1:], sizes[0]))
    x = specify_shape(x, [total if a == axis else None for a in range(x.type.ndim)])
    parts, start = [], as_variable(0)
    for size in sizes:
        stop = start + size
        parts.append(index.subtensor(x, (slice(None),) * axis + (slice(settled(start), settled(stop)),)))
        start = stop
    return parts


def _stacked(function: str, axis: int, matrices: Sequence[Any]) -> Variable:
    parts = _several(matrices, function)
    if any(part.type.ndim != 2 for part in parts):
        raise complaint(TypeMismatch, f"{function} takes matrices", *parts, fix=f"use concatenate(..., axis={axis})")
    return index.join(axis, parts)


def horizontal_stack(*args: Any) -> Variable:
    """Matrices side by side. Raises TypeMismatch for other ranks, ShapeError.

    >>> horizontal_stack([[1, 2]], [[3]]).eval()
    array([[1, 2, 3]])
    """
    return _stacked("horizontal_stack", 1, args)


def vertical_stack(*args: Any) -> Variable:
    """Matrices one below the other. Raises TypeMismatch for other ranks, ShapeError.

    >>> vertical_stack([[1, 2]], [[3, 4]]).eval()
    array([[1, 2],
           [3, 4]])
    """
    return _stacked("vertical_stack", 0, args)


# -- repetition -------------------------------------------------------------------------------------------

def tile(x: Any, reps: Any, ndim: int | None = None) -> Variable:
    """`x` repeated as a whole, `reps` times along each axis (an integer, or one for each of the last axes).

    `ndim` is the rank of the result, at least those of `x` and `reps`. Raises ShapeError, TypeMismatch.

    >>> tile([[1, 2]], (3, 2)).eval()
    array([[1, 2, 1, 2],
           [1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    x = as_variable(x)
    times = sizes_of(reps, "tile")
    rank = max(x.type.ndim, len(times))
    if ndim is not None and ndim < rank:
        raise complaint(ShapeError, f"tile: ndim {ndim} is less than {rank}", x, fix="leave ndim out")
    rank = rank if ndim is None else ndim
    times = [1] * (rank - len(times)) + times
    x = shapes.pad_left(x, rank - x.type.ndim)
    sizes = shape_of(x)
    pairs = [entry for pair in zip(times, sizes) for entry in pair]
    spread = shapes.broadcast_to(shapes.expand_dims(x, range(0, 2 * rank, 2)), pairs)
    return shapes.reshape(spread, [product(map(shapes.as_size, pair)) for pair in zip(times, sizes)])


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Variable:
    """Each element of `x` repeated along `axis`; without an axis, of the flattened `x`.

    `repeats` is an integer scalar, or a vector with a number for each position of the axis. Raises ShapeError,
    TypeMismatch.

    >>> repeat([[1, 2]], 3, axis=1).type, repeat([1, 2], 2).type
    (TensorType(int64, (1, 6)), TensorType(int64, (4,)))
    """
    x, axis = along(x, axis, "repeat")
    repeats = as_variable(repeats)
    if repeats.type.ndim > 1 or repeats.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, "repeat: the numbers of repeats must be an integer or a vector of integers",
                        repeats, fix='cast them: repeats.astype("int64")')
    if repeats.type.ndim:
        return _repeated_each(x, repeats, axis)
    count = shapes.as_size(sizes_of(repeats, "repeat")[0])
    sizes = shape_of(x)
    spread = shapes.broadcast_to(shapes.expand_dims(x, [axis + 1]), [*sizes[:axis + 1], count, *sizes[axis + 1:]])
    return shapes.reshape(spread, [*sizes[:axis], product([sizes[axis], count]), *sizes[axis + 1:]])


def _repeated_each(x: Variable, repeats: Variable, axis: int) -> Variable:
    """Position i of the axis `repeats[i]` times: each place of the result belongs where the running total passes it."""
    repeats = specify_shape(cast(repeats, "int64"), (dimension(x, axis),))
    places = arange(reduce_axes("sum", repeats, [0]))
    return index.gather(x, {axis: Search("right")(Cumulate("sum", 0)(repeats), places)})


def roll(x: Any, shift: Any, axis: int | None = None) -> Variable:
    """`x` moved along `axis` by `shift` places, what falls off one end put back at the other.

    Without an axis it is moved as if it were flat. `shift` may be an integer scalar variable. Raises ShapeError.

    >>> roll([1, 2, 3], 1).eval()
    array([3, 1, 2])
    """
    x = as_variable(x)
    if axis is None:
        return reshape(roll(flatten(x), shift, 0), shape(x))
    axis = axis_of(x, axis, "roll")
    size = dimension(x, axis)
    cut = settled(size - cast(as_variable(shift), "int64") % size)  # type: ignore[operator]
    before = (slice(None),) * axis
    return index.join(axis, [index.subtensor(x, (*before, slice(cut, None))),
                             index.subtensor(x, (*before, slice(None, cut)))])
