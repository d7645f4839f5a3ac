"""Convolution: one sum over images, filters and results, of which each application computes one factor's share.

The sum is that of `output[n, o, f] * filters[f, c, k] * images[n, o * stride + k * dilation - low, c]` over all
indices, without flipping, zeros where an image ends. It is linear in each of its three factors. Convolution is its
derivative by `output`; its derivatives by `images` and by `filters` are the gradients of convolution. So there is one
op, and its derivatives are others of its kind.

Images have their channels last, as libraries like them best. Filters have theirs in front of the spatial axes, as
users give them, or last too, as some libraries want them.

>>> from symtensor.types.tensor import TensorType
>>> images = Variable(TensorType("float32", ("n", 28, 28, 3)), name="images")
>>> filters = Variable(TensorType("float32", (8, 3, 5, 5)), name="filters")
>>> from symtensor.ops.size import integer
>>> Convolution("output", (1, 1), (1, 1))(images, filters, *map(integer, (0, 0, 24, 24))).type
TensorType(float32, (n, 24, 24, 8))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, at_most, equal_sizes
from symtensor.ir.routine import RoutineCall
from symtensor.ops.size import dimension, size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS, widened
from symtensor.types.tensor import TensorType

__all__ = ["Convolution", "FACTORS"]

FACTORS = ("images", "filters", "output")
"""The factors of the sum, in the order in which two of them are given."""

MOST_AXES = 3
"""As many spatial axes as there is a routine for."""


class Convolution(Op):
    """The derivative of the sum by the factor `of`; the inputs are the other two.

    After these come sizes: for each spatial axis how many zeros are in front of the image (`low`, not negative where a
    library is to do it), then the spatial sizes of the result. The shapes are images (batch, *sizes, channels), filters
    (filters, channels / groups, *sizes), or with `filters_last` (filters, *sizes, channels / groups), output (batch,
    *sizes, filters). Each of the `groups` of channels has filters of its own.
    """

    of: str
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    filters_last: bool = False
    sizes_from = 2

    @property
    def axes(self) -> int:
        """The number of spatial axes."""
        return len(self.strides)

    @property
    def filter_order(self) -> tuple[int, ...]:
        """Which axes of filters as they are given are those of filters with their channels in front."""
        return (0, self.axes + 1, *range(1, self.axes + 1)) if self.filters_last else tuple(range(self.axes + 2))

    def infer(self, a: Variable, b: Variable, *sizes: Variable) -> TensorType:
        if any(v.type.ndim != self.axes + 2 for v in (a, b)):
            raise ShapeError(f"operands of {self.axes + 2} axes are needed")
        if a.type.dtype != b.type.dtype or a.type.dtype not in FLOATS:
            raise TypeMismatch("operands of one dtype of floats are needed", fix="cast one of them")
        spatial = tuple(map(size_of, sizes))[self.axes:]
        for size in spatial:
            at_most(0, size, "the filters are larger than the images")
        return TensorType.of(a.type.dtype, self._shape(a.type.shape, b.type.shape, spatial))

    def _shape(self, a: tuple[Size, ...], b: tuple[Size, ...], spatial: tuple[Size, ...]) -> tuple[Size, ...]:
        """The shape of the result; states what must agree."""
        if self.of == "filters":
            equal_sizes(a[0], b[0], "sizes of the batch")
            each = dims.floordiv(a[-1], self.groups)
            equal_sizes(self.groups * each, a[-1], f"channels of the images in {self.groups} groups")
            return (b[-1], *spatial, each) if self.filters_last else (b[-1], each, *spatial)
        filters = self._in_front(a if self.of == "images" else b)
        each = dims.floordiv(filters[0], self.groups)
        equal_sizes(self.groups * each, filters[0], f"filters in {self.groups} groups")
        if self.of == "images":
            equal_sizes(filters[0], b[-1], "filters and channels of the output")
            return (b[0], *spatial, self.groups * filters[1])
        equal_sizes(self.groups * filters[1], a[-1], "channels of the filters and of the images")
        return (a[0], *spatial, filters[0])

    def _in_front(self, filters: Sequence[Any]) -> tuple[Any, ...]:
        """The sizes of filters, in the order in which their channels are in front."""
        return tuple(filters[axis] for axis in self.filter_order)

    def evaluate(self, a: np.ndarray, b: np.ndarray, *sizes: Any) -> Any:
        given = [widened(array).transpose(self.filter_order if name == "filters" else range(array.ndim))
                 for name, array in zip(self._given, (a, b))]
        with np.errstate(all="ignore"):
            result = np.asarray(self._by_products(*given, *sizes), a.dtype)
        return np.moveaxis(result, 1, -1) if self.of == "filters" and self.filters_last else result

    @property
    def _given(self) -> list[str]:
        """The two factors that are inputs."""
        return [name for name in FACTORS if name != self.of]

    def _by_products(self, a: np.ndarray, b: np.ndarray, *sizes: Any) -> Any:
        """One product of matrices for each place in the filters."""
        low, spatial = [int(s) for s in sizes[:self.axes]], [int(s) for s in sizes[self.axes:]]
        images, filters, output = self._factors(a, b, spatial)
        kernel, counts, letters = filters.shape[3:], output.shape[1:-2], "xyzuvw"[:self.axes]
        front = [max(0, zeros) for zeros in low]
        back = [max(0, (o - 1) * s + (k - 1) * d + 1 - zeros - n) for o, s, k, d, zeros, n
                in zip(counts, self.strides, kernel, self.dilation, low, images.shape[1:-2])]
        padded = np.pad(images, [(0, 0), *zip(front, back), (0, 0), (0, 0)])
        for place in itertools.product(*map(range, kernel)):
            begins = [k * d - zeros + own for k, d, zeros, own in zip(place, self.dilation, low, front)]
            window: Any = (slice(None), *(slice(first, first + o * s, s) for first, o, s
                                          in zip(begins, counts, self.strides)))
            here: Any = (..., *place)
            if self.of == "output":
                output += np.einsum("n...gc,gfc->n...gf", padded[window], filters[here])
            elif self.of == "images":
                padded[window] += np.einsum("n...gf,gfc->n...gc", output, filters[here])
            else:
                filters[here] = np.einsum(f"n{letters}gf,n{letters}gc->gfc", output, padded[window])
        if self.of == "filters":
            return filters.reshape(filters.shape[0] * filters.shape[1], *filters.shape[2:])
        found = output if self.of == "output" else padded[
            (slice(None), *(slice(own, own + n) for own, n in zip(front, spatial)))]
        return found.reshape(*found.shape[:-2], found.shape[-2] * found.shape[-1])

    def _factors(self, a: np.ndarray, b: np.ndarray, spatial: Sequence[int]) -> list[Any]:
        """All three factors with an axis for groups, zeros in the place of the one wanted."""
        groups, given = self.groups, dict(zip(self._given, (a, b)))
        split = {name: array.reshape(groups, array.shape[0] // groups, *array.shape[1:]) if name == "filters"
                 else array.reshape(*array.shape[:-1], groups, array.shape[-1] // groups)
                 for name, array in given.items()}
        if self.of == "filters":
            shape = (groups, split["output"].shape[-1], split["images"].shape[-1], *spatial)
        elif self.of == "images":
            shape = (b.shape[0], *spatial, groups, a.shape[1])
        else:
            shape = (a.shape[0], *spatial, groups, b.shape[0] // groups)
        split[self.of] = np.zeros(shape, a.dtype)
        return [split[name] for name in FACTORS]

    def pullback(self, *values: Variable) -> Any:
        """Each cotangent is the derivative of the sum by that factor."""
        a, b, low, cotangent = *values[:2], values[2:2 + self.axes], values[-1]
        names = self._given
        cotangents = []
        for wanted, other, given in ((names[0], names[1], b), (names[1], names[0], a)):
            factors = sorted([(other, given), (self.of, cotangent)], key=lambda pair: FACTORS.index(pair[0]))
            own = a if wanted == names[0] else b
            places = self.filter_order[2:] if wanted == "filters" else range(1, self.axes + 1)
            spatial = [dimension(own, axis) for axis in places]
            op = replace(self, of=wanted)
            cotangents.append(op(*(v for _, v in factors), *low, *spatial))
        return [*cotangents, *[None] * (2 * self.axes)]

    def routine(self, *values: Variable) -> RoutineCall | None:
        """oneDNN's, or products of matrices; see csrc/convolution.c."""
        a, b, low, result = *values[:2], values[2:2 + self.axes], values[-1]
        if a.type.dtype not in FLOATS or self.axes > MOST_AXES:
            return None
        shapes = {**dict(zip(self._given, (a.type.shape, b.type.shape))), self.of: result.type.shape}
        images, filters, output = (shapes[name] for name in FACTORS)
        filters = self._in_front(filters)
        each = dims.floordiv(filters[0], self.groups)
        axes: list[Size] = [1, 1, 1, 1, 1, 0] * (MOST_AXES - self.axes)
        work = images[0] * filters[0] * filters[1]
        for axis in range(self.axes):
            kernel, out = filters[2 + axis], output[1 + axis]
            axes += [images[1 + axis], kernel, out, self.strides[axis], self.dilation[axis], size_of(low[axis])]
            work = work * kernel * out
        flags = FACTORS.index(self.of), int(self.filters_last)
        return RoutineCall("convolution", (a, b), sizes=(images[0], self.groups, filters[1], each, *axes), flags=flags,
                           work=work, failure="there is no memory for the work", fix="use smaller batches")

    def __repr__(self) -> str:
        numbers: list[tuple[str, Sequence[int] | int, bool]] = [
            ("strides", self.strides, any(s != 1 for s in self.strides)),
            ("dilation", self.dilation, any(d != 1 for d in self.dilation)), ("groups", self.groups, self.groups != 1),
            ("filters_last", True, self.filters_last)]
        shown = "".join(f", {name}={value}" for name, value, is_shown in numbers if is_shown)
        return f"convolution[{self.of}{shown}]"
