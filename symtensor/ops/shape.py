"""Ops that move elements without changing them: axes permuted, shapes changed, values spread.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 4)), name="x")
>>> dimshuffle(x, (1, "x", 0)).type, reshape(x, (-1,)).type
(TensorType(float32, (4, 1, x.0)), TensorType(float32, (4*x.0,)))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.formula import Piece, separated
from symtensor.ir.node import Op, Variable, at_most, complaint, equal_sizes
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import broadcast_index, zeros_like
from symtensor.ops.reduce import sum_axes
from symtensor.ops.size import integer, shape_of, size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["Dimshuffle", "Reshape", "Broadcast", "SpecifyShape", "dimshuffle", "transpose", "expand_dims", "drop_axes",
           "pad_left", "reshape", "broadcast_to", "broadcast_like", "unbroadcast", "as_size"]

NEW = -1
"""Stands for a new axis of size 1 in the order of a Dimshuffle."""


class Dimshuffle(Op):
    """Axes permuted, axes of size 1 dropped or made: output axis i is input axis `order[i]`, or new if -1."""

    order: tuple[int, ...]
    moves = True

    def infer(self, x: Variable) -> TensorType:
        kept = [axis for axis in self.order if axis != NEW]
        if len(set(kept)) != len(kept) or any(not 0 <= axis < x.type.ndim for axis in kept):
            raise ShapeError(f"axes {self.order} do not fit {x.type.ndim} axes", fix="name each axis of it once")
        for axis in set(range(x.type.ndim)) - set(kept):
            equal_sizes(x.type.shape[axis], 1, f"size of dropped axis {axis}")
        return TensorType.of(x.type.dtype, tuple(1 if axis == NEW else x.type.shape[axis] for axis in self.order))

    def evaluate(self, x: np.ndarray) -> Any:
        kept = [axis for axis in self.order if axis != NEW]
        dropped = [axis for axis in range(x.ndim) if axis not in kept]
        moved = np.transpose(x, kept + dropped).reshape([x.shape[axis] for axis in kept])
        return np.array(np.expand_dims(moved, [i for i, a in enumerate(self.order) if a == NEW]), order="C")

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        order = [self.order.index(axis) if axis in self.order else NEW for axis in range(x.type.ndim)]
        return Dimshuffle(tuple(order))(dy)

    def element(self, index: tuple[Size, ...], x: Any) -> Any:
        """The input element that stands at `index`."""
        where: list[Size] = [0] * len(x.type.shape)
        for position, axis in zip(index, self.order):
            if axis != NEW:
                where[axis] = position
        return x.at(tuple(where))

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        """Axes reversed are `.T`; axes only made or dropped are not shown: they change nothing in a formula."""
        kept = [axis for axis in self.order if axis != NEW]
        if kept == sorted(kept):
            return [inputs[0]]
        if kept == list(range(inputs[0].type.ndim))[::-1] and len(kept) == len(self.order):
            return [inputs[0], ".T"]
        return [inputs[0], f".{self}"]

    def __repr__(self) -> str:
        return "dimshuffle[" + ",".join("x" if axis == NEW else str(axis) for axis in self.order) + "]"


def dimshuffle(x: Any, pattern: Sequence[Any]) -> Variable:
    """`x` with its axes in the order of `pattern`; "x" makes an axis of size 1. x itself if nothing changes."""
    x = as_variable(x)
    order = []
    for entry in pattern:
        if entry == "x":
            order.append(NEW)
        elif isinstance(entry, (int, np.integer)) and -x.type.ndim <= entry < x.type.ndim:
            order.append(int(entry) % x.type.ndim)
        else:
            raise complaint(ShapeError, f"dimshuffle: {entry!r} is not an axis of {x!r}", x,
                            fix=f'axes from 0 to {x.type.ndim - 1}, or "x"')
    return x if order == list(range(x.type.ndim)) else Dimshuffle(tuple(order))(x)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Variable:
    """Axes permuted; by default reversed."""
    x = as_variable(x)
    return dimshuffle(x, range(x.type.ndim)[::-1] if axes is None else axes)


def expand_dims(x: Variable, axes: Sequence[int]) -> Variable:
    """New axes of size 1 such that they stand at `axes` of the result."""
    ndim = x.type.ndim + len(axes)
    kept = iter(range(x.type.ndim))
    return dimshuffle(x, ["x" if axis in axes else next(kept) for axis in range(ndim)])


def drop_axes(x: Variable, axes: Sequence[int]) -> Variable:
    """`x` without axes of size 1."""
    return dimshuffle(x, [axis for axis in range(x.type.ndim) if axis not in axes])


def pad_left(x: Variable, count: int) -> Variable:
    """`count` new axes of size 1 in front."""
    return dimshuffle(x, ["x"] * count + list(range(x.type.ndim)))


def as_size(value: Any) -> Variable:
    """A size as users write it, as an integer scalar variable. Raises TypeMismatch."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return integer(int(value))
    variable = as_variable(value)
    size_of(variable)
    return variable


class Reshape(Op):
    """The same elements in row-major order in another shape; sizes are inputs after x."""

    ndim: int
    moves = True
    sizes_from = 1

    def infer(self, x: Variable, *sizes: Variable) -> TensorType:
        shape = tuple(map(size_of, sizes))
        if len(shape) != self.ndim:
            raise TypeMismatch(f"reshape to {self.ndim} axes needs as many sizes, not {len(shape)}")
        equal_sizes(math.prod(x.type.shape), math.prod(shape), "number of elements before and after")
        return TensorType.of(x.type.dtype, shape)

    def evaluate(self, x: np.ndarray, *sizes: Any) -> Any:
        return np.reshape(x, [int(size) for size in sizes])

    def pullback(self, *values: Variable) -> Any:
        x, dy = values[0], values[-1]
        return [reshape(dy, shape_of(x))] + [None] * self.ndim

    def element(self, index: tuple[Size, ...], x: Any, *sizes: Any) -> Any:
        """The input element at the same place in row-major order."""
        flat: Size = 0
        for position, size in zip(index, sizes):
            flat = dims.joined(flat, position, size.as_size())
        return x.at(unravel(flat, x.type.shape))

    def __repr__(self) -> str:
        return f"reshape[{self.ndim}]"


def unravel(flat: Size, shape: Sequence[Size]) -> tuple[Size, ...]:
    """The index of the element at place `flat` in row-major order."""
    index: list[Size] = []
    for position, size in reversed(list(enumerate(shape))):
        index.append(flat if position == 0 else dims.modulo(flat, size))
        flat = dims.floordiv(flat, size)
    return tuple(reversed(index))


def reshape(x: Any, shape: Sequence[Any]) -> Variable:
    """The elements of `x` in row-major order in another shape; one size may be -1."""
    x = as_variable(x)
    sizes: list[Any] = list(shape)
    unknown = [axis for axis, size in enumerate(sizes) if isinstance(size, (int, np.integer)) and size == -1]
    if len(unknown) > 1:
        raise complaint(ShapeError, f"reshape: only one size may be -1, not {len(unknown)}", x,
                        fix="give the other sizes")
    if unknown:
        known = math.prod([size_of(as_size(s)) for axis, s in enumerate(sizes) if axis != unknown[0]])
        total = math.prod(x.type.shape)
        if isinstance(total, int) and isinstance(known, int) and (not known or total % known):
            raise complaint(ShapeError, f"reshape: {total} elements do not fill rows of {known}", x,
                            fix="give sizes whose product is the number of elements")
        number: Variable = integer(1)
        for size in shape_of(x):
            number = number * size
        rest: Variable = integer(1)
        for axis, size in enumerate(sizes):
            if axis != unknown[0]:
                rest = rest * as_size(size)
        sizes[unknown[0]] = number // rest  # type: ignore[operator]
    variables = [as_size(size) for size in sizes]
    if tuple(map(size_of, variables)) == x.type.shape:
        return x
    return Reshape(len(variables))(x, *variables)


class Broadcast(Op):
    """`x` spread to a shape: sizes are inputs after x; axes of x align at the right and are 1 or equal."""

    ndim: int
    moves = True
    sizes_from = 1

    def infer(self, x: Variable, *sizes: Variable) -> TensorType:
        shape = tuple(map(size_of, sizes))
        if x.type.ndim > len(shape):
            raise ShapeError(f"{x.type.ndim} axes do not broadcast to {len(shape)}")
        for own, size in zip(x.type.shape[::-1], shape[::-1]):
            if own != 1:
                equal_sizes(size, own, "sizes before and after broadcasting")
        for size in shape:
            at_most(0, size, "a size may not be negative")
        return TensorType.of(x.type.dtype, shape)

    def evaluate(self, x: np.ndarray, *sizes: Any) -> Any:
        return np.broadcast_to(x, [int(size) for size in sizes]).copy()

    def pullback(self, *values: Variable) -> Any:
        return [unbroadcast(values[-1], values[0])] + [None] * self.ndim

    def element(self, index: tuple[Size, ...], x: Any, *sizes: Any) -> Any:
        """The element of x that is spread to `index`."""
        return x.at(broadcast_index(index, x.type.shape))

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        """A number spread to the shape of something is that number, as where it spreads by itself."""
        x, *sizes = inputs
        if all(x.type.broadcastable) and all(size.owner is not None for size in sizes):
            return [x]
        shape = separated([[size] for size in sizes])
        return ["broadcast(", x, ", (", *shape, ",))" if len(sizes) == 1 else "))"]

    def __repr__(self) -> str:
        return f"broadcast[{self.ndim}]"


def broadcast_to(x: Any, shape: Sequence[Any]) -> Variable:
    """`x` spread to `shape`; x itself if it has that shape."""
    x = as_variable(x)
    sizes = [as_size(size) for size in shape]
    if tuple(map(size_of, sizes)) == x.type.shape:
        return x
    return Broadcast(len(sizes))(x, *sizes)


def broadcast_like(x: Variable, template: Variable) -> Variable:
    """`x` spread to the shape of `template`."""
    if x.type.shape == template.type.shape:
        return x
    return Broadcast(template.type.ndim)(x, *shape_of(template))


def zeros_as(template: Variable) -> Variable:
    """Zeros of the dtype and shape of `template`."""
    return broadcast_like(zeros_like(template), template)


def unbroadcast(dy: Variable, x: Variable) -> Variable:
    """The cotangent of x where x was spread to the shape of dy: summed over the axes it was spread along."""
    extra = dy.type.ndim - x.type.ndim
    spread = [extra + axis for axis, size in enumerate(x.type.shape) if size == 1 and dy.type.shape[extra + axis] != 1]
    axes = list(range(extra)) + spread
    if not axes:
        return dy
    return expand_dims(sum_axes(dy, axes), [axis - extra for axis in spread])


class SpecifyShape(Op):
    """`x` with the promise, checked at run time, that its sizes are those of the inputs after it."""

    ndim: int
    moves = True
    sizes_from = 1

    def infer(self, x: Variable, *sizes: Variable) -> TensorType:
        shape = [equal_sizes(own, size_of(size), f"size of axis {axis} as specified")
                 for axis, (own, size) in enumerate(zip(x.type.shape, sizes))]
        return TensorType.of(x.type.dtype, tuple(shape))

    def evaluate(self, x: np.ndarray, *sizes: Any) -> Any:
        return x

    def pullback(self, *values: Variable) -> Any:
        return [values[-1]] + [None] * self.ndim

    def element(self, index: tuple[Size, ...], x: Any, *sizes: Any) -> Any:
        """The same element."""
        return x.at(index)

