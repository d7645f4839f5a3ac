"""Windows that slide along axes: seen, laid back over each other, reduced.

`Windows` shows what is in each window, along new axes at the end, and zeros where a window reaches beyond an end.
`Overlap` is its transpose: it adds up what stands for each element in all windows. `WindowReduce` combines the elements
of each window, and leaves out what is beyond the ends: it is a reduction of `Windows` in one pass.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", ("n", 9)), name="x")
>>> halves = Window((1,), (3,), (2,))
>>> Windows(halves)(x, integer(4)).type, WindowReduce("max", halves)(x, integer(4)).type
(TensorType(float32, (n, 4, 3)), TensorType(float32, (n, 4)))
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, at_most, equal_sizes
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise, zeros_like
from symtensor.ops.reduce import REDUCTIONS, least
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import dimension, integer, shape_of, size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import COMPLEX, FLOATS, numpy_dtype, widened
from symtensor.types.tensor import TensorType

__all__ = ["Overlap", "Window", "WindowReduce", "Windows", "reduce_windows"]

MOST_UNROLLED = 16
"""Elements of a window up to which code combines them one by one."""


@dataclass(frozen=True)
class Window:
    """How windows lie along `axes`: their sizes, how far apart they begin, how far before the first element (`low`)."""

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    low: tuple[int, ...] = ()

    @property
    def fronts(self) -> tuple[int, ...]:
        """`low`, of which none is given for zeros."""
        return self.low or (0,) * len(self.axes)

    def moved(self, order: Sequence[int]) -> Window:
        """The same windows where axis a of the operand has become axis `order[a]`."""
        return Window(tuple(order[axis] for axis in self.axes), self.sizes, self.strides, self.low)

    def split(self) -> list[Window]:
        """Windows along one axis after the other."""
        return [Window((a,), (k,), (s,), (p,)) for a, k, s, p in zip(self.axes, self.sizes, self.strides, self.fronts)]

    def place(self, index: Sequence[Size], within: Sequence[Size]) -> tuple[Size, ...]:
        """Where in the operand the element at `within` in the window at `index` is."""
        place = list(index)
        for axis, stride, front, offset in zip(self.axes, self.strides, self.fronts, within):
            place[axis] = index[axis] * stride + offset - front
        return tuple(place)

    def inside(self, place: Sequence[Size], within: Sequence[Any], shape: Sequence[Size], counts: Sequence[Size],
               scope: Any) -> Any:
        """Whether a place is in the operand; within the bounds that are not known to hold."""
        inside = scope.true()
        for axis, size, stride, front, offset, count in zip(self.axes, self.sizes, self.strides, self.fronts, within,
                                                            counts):
            first, last = (offset, offset) if isinstance(offset, int) else (0, size - 1)
            end = (count - 1) * stride + last - front - shape[axis]
            if first < front or dims.upper_bound(end) >= 0:
                inside = inside & scope.in_region(place[axis], shape[axis], 1)
        return inside

    def seen(self, x: np.ndarray, counts: Sequence[int], fill: Any) -> np.ndarray:
        """What is in all windows of an array, along new axes at the end."""
        widths, cut = [(0, 0)] * x.ndim, [slice(None)] * x.ndim
        for axis, size, stride, front, count in zip(self.axes, self.sizes, self.strides, self.fronts, counts):
            end = (count - 1) * stride + size - front
            widths[axis] = (front, max(0, end - x.shape[axis]))
            cut[axis] = slice(0, count * stride, stride)
        padded = np.pad(x, widths, constant_values=fill)
        for axis, size in zip(self.axes, self.sizes):
            missing = size - padded.shape[axis]
            if missing > 0:  # no window at all
                widths = [(0, missing if own == axis else 0) for own in range(x.ndim)]
                padded = np.pad(padded, widths, constant_values=fill)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.sizes, self.axes)
        return windows[tuple(cut)]


def _counted(x: Variable, window: Window, counts: Sequence[Variable]) -> tuple[Size, ...]:
    """The shape of `x` with the numbers of windows in the place of sizes."""
    if any(not 0 <= axis < x.type.ndim for axis in window.axes):
        raise ShapeError(f"windows along axes {window.axes} of {x.type.ndim} axes")
    shape = list(x.type.shape)
    for axis, count in zip(window.axes, map(size_of, counts)):
        at_most(0, count, "the windows are larger than what they slide over")
        shape[axis] = count
    return tuple(shape)


class Windows(Op):
    """What is in each window: the windowed axes count windows, and new axes at the end go through each.

    The numbers of windows are inputs after x. Beyond the ends there are zeros.
    """

    window: Window
    moves = True
    sizes_from = 1

    def infer(self, x: Variable, *counts: Variable) -> TensorType:
        return TensorType.of(x.type.dtype, (*_counted(x, self.window, counts), *self.window.sizes))

    def evaluate(self, x: np.ndarray, *counts: Any) -> Any:
        return np.array(self.window.seen(x, [int(count) for count in counts], 0))

    def pullback(self, *values: Variable) -> Any:
        x, dy = values[0], values[-1]
        sizes = [dimension(x, axis) for axis in self.window.axes]
        return [Overlap(self.window)(dy, *sizes), *[None] * len(sizes)]

    def element(self, index: tuple[Size, ...], x: Any, *counts: Any) -> Any:
        """The element of x in the window, or 0."""
        shape = x.type.shape
        within = index[len(shape):]
        place = self.window.place(index[:len(shape)], within)
        inside = self.window.inside(place, within, shape, [c.as_size() for c in counts], x.scope)
        return _or_else(inside, x.at(place, inside), 0)

    def __repr__(self) -> str:
        return f"windows{_shown(self.window)}"


class Overlap(Op):
    """What stands for each element in all windows, added up: the transpose of `Windows`.

    The sizes of the windowed axes are inputs after y, which has the axes that `Windows` gives.
    """

    window: Window
    sizes_from = 1

    def infer(self, y: Variable, *sizes: Variable) -> TensorType:
        window, ndim = self.window, y.type.ndim - len(self.window.axes)
        for axis, size in zip(range(ndim, y.type.ndim), window.sizes):
            equal_sizes(y.type.shape[axis], size, "elements in a window")
        shape = list(y.type.shape[:ndim])
        for axis, own in zip(window.axes, map(size_of, sizes)):
            shape[axis] = own
        return TensorType.of(y.type.dtype, tuple(shape))

    def evaluate(self, y: np.ndarray, *sizes: Any) -> Any:
        window, ndim = self.window, y.ndim - len(self.window.axes)
        shape, cut = list(y.shape[:ndim]), [slice(None)] * ndim
        for axis, size, stride, front, own in zip(window.axes, window.sizes, window.strides, window.fronts, sizes):
            shape[axis] = max(front + int(own), (y.shape[axis] - 1) * stride + size)
            cut[axis] = slice(front, front + int(own))
        result = np.zeros(shape, y.dtype)
        for within in np.ndindex(*window.sizes):
            here = [slice(None)] * ndim
            for axis, stride, offset in zip(window.axes, window.strides, within):
                here[axis] = slice(offset, offset + y.shape[axis] * stride, stride)
            result[tuple(here)] += y[(..., *within)]
        return np.array(result[tuple(cut)])

    def pullback(self, *values: Variable) -> Any:
        y, dx = values[0], values[-1]
        counts = [dimension(y, axis) for axis in self.window.axes]
        return [Windows(self.window)(dx, *counts), *[None] * len(counts)]

    def element(self, index: tuple[Size, ...], y: Any, *sizes: Any) -> Any:
        """The sum over the windows that an element is in: along each axis the last that begins before it, and some
        before."""
        window, scope = self.window, y.scope
        steps = [range(-(-size // stride)) for size, stride in zip(window.sizes, window.strides)]
        total = None
        for back in itertools.product(*steps):
            place, within, inside = list(index), [], scope.true()
            for axis, size, stride, front, step in zip(window.axes, window.sizes, window.strides, window.fronts, back):
                number = dims.floordiv(index[axis] + front, stride) - step
                offset = index[axis] + front - number * stride
                place[axis] = number
                within.append(offset)
                inside = inside & scope.in_region(number, y.type.shape[axis], 1)
                if step * stride + stride > size:
                    inside = inside & scope.in_region(offset, size, 1)
            value = _or_else(inside, y.at((*place, *within), inside), 0)
            total = value if total is None else scalar.add.combine(total, value)
        return total

    def __repr__(self) -> str:
        return f"overlap{_shown(self.window)}"


class WindowReduce(Op):
    """The elements of each window combined: their "sum", or the largest ("max").

    The numbers of windows are inputs after x. What is beyond the ends is left out.
    """

    kind: str
    window: Window
    sizes_from = 1

    @property
    def combine(self) -> Elementwise:
        """The op that combines two elements."""
        return REDUCTIONS[self.kind]

    def infer(self, x: Variable, *counts: Variable) -> TensorType:
        if self.kind not in ("sum", "max") or x.type.dtype == "bool" or x.type.dtype in COMPLEX:
            raise TypeMismatch(f"windows of {x.type.dtype} have no {self.kind}", fix="cast the operand")
        return TensorType.of(x.type.dtype, _counted(x, self.window, counts))

    def evaluate(self, x: np.ndarray, *counts: Any) -> Any:
        fill = 0 if self.kind == "sum" else least("max", x.dtype)
        seen = self.window.seen(x, [int(count) for count in counts], fill)
        axes = tuple(range(x.ndim, seen.ndim))
        with np.errstate(all="ignore"):
            seen = widened(seen)
            result = seen.sum(axes, dtype=seen.dtype) if self.kind == "sum" else seen.max(axes, initial=fill)
            return np.asarray(result, x.dtype)

    def pullback(self, *values: Variable) -> Any:
        """That of a reduction of `Windows`; all elements that are the largest get the cotangent of the largest."""
        x, counts, y, dy = values[0], values[1:-2], values[-2], values[-1]
        axes = range(x.type.ndim, x.type.ndim + len(self.window.axes))
        spread = broadcast_to(expand_dims(dy, axes), [*shape_of(y), *map(integer, self.window.sizes)])
        if self.kind == "max":
            chosen = scalar.eq(Windows(self.window)(x, *counts), expand_dims(y, axes))
            spread = scalar.switch(chosen, spread, zeros_like(spread))
        return [Overlap(self.window)(spread, *(dimension(x, a) for a in self.window.axes)), *[None] * len(counts)]

    def element(self, index: tuple[Size, ...], x: Any, *counts: Any) -> Any:
        """The elements of the window, one by one."""
        window, scope, shape = self.window, x.scope, x.type.shape
        numbers = [count.as_size() for count in counts]
        nothing = 0 if self.kind == "sum" else least("max", numpy_dtype(x.type.dtype))
        values = []
        for within in itertools.product(*map(range, window.sizes)):
            place = window.place(index, within)
            inside = window.inside(place, within, shape, numbers, scope)
            values.append(_or_else(inside, x.at(place, inside), nothing))
        is_float = self.kind == "max" and x.type.dtype in FLOATS
        return reduce(_larger if is_float else self.combine.combine, values)

    def __repr__(self) -> str:
        return f"window_{self.kind}{_shown(self.window)}"


def _or_else(inside: Any, value: Any, number: Any) -> Any:
    """A value where a condition holds, else a number."""
    return scalar.switch.combine(inside, value, value.scope.literal(number, value.dtype))


def _larger(x: Any, y: Any) -> Any:
    """The larger of two elements, NaN if one is: `maximum` in a form of which compilers make vector instructions even
    where it is applied again and again. What is added is no number, or a zero that changes nothing."""
    larger = scalar.switch.combine(scalar.gt.combine(x, y), x, y)
    nothing = x.scope.literal(-0.0, x.dtype)
    return scalar.add.combine(larger, scalar.switch.combine(scalar.isnan.combine(x), x, nothing))


def _shown(window: Window) -> str:
    """Windows as "[axis: size / stride - low, ...]"."""
    return "[" + ", ".join(f"{axis}: {size}" + (f"/{stride}" if stride != 1 else "") + (f"-{front}" if front else "")
                           for axis, size, stride, front in zip(window.axes, window.sizes, window.strides,
                                                                window.fronts)) + "]"


def reduce_windows(kind: str, x: Variable, window: Window, counts: Sequence[Variable]) -> Variable:
    """The elements of each window combined, along one axis after the other where windows are large."""
    if math.prod(window.sizes) <= MOST_UNROLLED or len(window.axes) == 1:
        return WindowReduce(kind, window)(x, *counts)  # type: ignore[no-any-return]
    for part, count in zip(window.split(), counts):
        x = WindowReduce(kind, part)(x, count)
    return x
