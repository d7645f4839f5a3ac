"""Reading and writing parts of tensors: slices, integer arrays, concatenation, counting.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 4)), name="x")
>>> subtensor(x, (slice(1, None), -1)).type
TensorType(float32, (max(0, x.0 - 1),))
>>> gather(x, {0: as_variable([0, 2, 2])}).type
TensorType(float32, (3, 4))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir import text
from symtensor.ir.formula import Piece, separated
from symtensor.ir.node import Op, Variable, at_most, complaint, equal_sizes
from symtensor.ir.puts import Puts
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import broadcast_index, broadcast_shapes, cast, zeros_like
from symtensor.ops.reduce import sum_axes
from symtensor.ops.shape import as_size, expand_dims, unbroadcast, zeros_as
from symtensor.ops.size import dimension, size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import INTEGERS, promote
from symtensor.types.tensor import TensorType

__all__ = ["Entry", "Subtensor", "SetSubtensor", "Join", "Iota", "Gather", "Scatter", "Nonzero", "subtensor",
           "set_subtensor", "join", "stack", "gather", "scatter", "nonzero"]


@dataclass(frozen=True)
class Entry:
    """What a basic index does to one axis: pick one position (`pick`), or a slice with a fixed step.

    The position, or the slice's start and stop where `start` and `stop` say they are given, are inputs.
    """

    pick: bool = False
    start: bool = False
    stop: bool = False
    step: int = 1

    @property
    def inputs(self) -> int:
        """How many integer inputs this entry takes."""
        return 1 if self.pick else self.start + self.stop

    def index(self, bounds: Iterator[Any]) -> Any:
        """A position or a slice, as Python has it; it takes its inputs from `bounds`."""
        if self.pick:
            return next(bounds)
        start = next(bounds) if self.start else None
        return slice(start, next(bounds) if self.stop else None, self.step)

    def formula(self, bounds: Iterator[Variable]) -> list[Piece]:
        """How this entry is written between brackets; it takes its inputs from `bounds`."""
        if self.pick:
            return [next(bounds)]
        start: list[Piece] = [next(bounds)] if self.start else []
        stop: list[Piece] = [next(bounds)] if self.stop else []
        return [*start, ":", *stop, *([f":{self.step}"] if self.step != 1 else [])]

    def __repr__(self) -> str:
        if self.pick:
            return "i"
        step = f":{self.step}" if self.step != 1 else ""
        return f"{'i' if self.start else ''}:{'i' if self.stop else ''}{step}"


text.register("Entry", Entry)
FULL = Entry()


@dataclass(frozen=True)
class Region:
    """An entry resolved against an axis: positions start, start + step, ... (`length` of them)."""

    start: Size
    length: Size
    step: int
    pick: bool


def _clamped(bound: Size, size: Size, low: int, high: Size) -> Size:
    """A slice bound as Python counts it: negative from the end, then cut to low..high."""
    counted = bound + size * dims.indicator_negative(bound)
    return dims.minimum(dims.maximum(counted, low), high)


def resolve(entry: Entry, bounds: Sequence[Size], size: Size, axis: int) -> Region:
    """The region an entry with the given bounds selects of an axis; states that a pick is in range."""
    if entry.pick:
        (position,) = bounds
        meaning = f"index {position} is out of range for axis {axis} of size {size}"
        at_most(0 - size, position, meaning)
        at_most(position + 1, size, meaning)
        return Region(position + size * dims.indicator_negative(position), 1, 1, True)
    given = list(bounds)
    down = entry.step < 0
    low, high = (-1, size - 1) if down else (0, size)
    start = _clamped(given.pop(0), size, low, high) if entry.start else (high if down else low)
    stop = _clamped(given.pop(0), size, low, high) if entry.stop else (low if down else high)
    span = start - stop if down else stop - start
    stride = abs(entry.step)
    return Region(start, dims.maximum(dims.ceildiv(span, stride), 0), entry.step, False)


def _regions(entries: Sequence[Entry], bounds: Sequence[Size], shape: Sequence[Size]) -> list[Region]:
    remaining = list(bounds)
    found = []
    for axis, (entry, size) in enumerate(zip(entries, shape)):
        own, remaining = remaining[:entry.inputs], remaining[entry.inputs:]
        found.append(resolve(entry, own, size, axis))
    return found


def _numpy_index(entries: Sequence[Entry], bounds: Sequence[Any]) -> tuple[Any, ...]:
    remaining = map(int, bounds)
    return tuple(entry.index(remaining) for entry in entries)


def _check_put(x: Variable, y: Variable, region: tuple[Size, ...]) -> TensorType:
    """The type of x with y put into a region, which it must fit."""
    if x.type.dtype != y.type.dtype:
        raise TypeMismatch("x and y must have one dtype", fix="cast y")
    if y.type.ndim > len(region):
        raise ShapeError(f"{y.type.ndim} axes do not broadcast to a region of {len(region)}")
    for own, size in zip(y.type.shape[::-1], region[::-1]):
        if own != 1:
            equal_sizes(size, own, "sizes of the region and of the value put there")
    return x.type


class Subtensor(Op):
    """A basic index: one entry for each axis; picks and slice bounds are integer inputs after x."""

    entries: tuple[Entry, ...]
    moves = True
    sizes_from = 1

    def infer(self, x: Variable, *bounds: Variable) -> TensorType:
        regions = _regions(self.entries, list(map(size_of, bounds)), x.type.shape)
        return TensorType.of(x.type.dtype, tuple(r.length for r in regions if not r.pick))

    def evaluate(self, x: np.ndarray, *bounds: Any) -> Any:
        return np.array(x[_numpy_index(self.entries, bounds)])

    def pullback(self, *values: Variable) -> Any:
        x, bounds, dy = values[0], values[1:-2], values[-1]
        return [SetSubtensor(self.entries, True)(zeros_as(x), dy, *bounds)] + [None] * len(bounds)

    def element(self, index: tuple[Size, ...], x: Any, *bounds: Any) -> Any:
        """The element at the place of the region that `index` names."""
        positions = iter(index)
        return x.at(tuple(r.start if r.pick else r.start + next(positions) * r.step
                          for r in _regions(self.entries, [b.as_size() for b in bounds], x.type.shape)))

    def offset(self, x: Variable, *bounds: Variable) -> Size | None:
        """How many elements of x lie before those of the region, if these lie together and in order; else None."""
        regions = _regions(self.entries, list(map(size_of, bounds)), x.type.shape)
        offset: Size = 0
        stride: Size = 1
        together, whole = True, True
        for region, size in reversed(list(zip(regions, x.type.shape))):
            full = not region.pick and region.step == 1 and region.start == 0 and region.length == size
            together = together and (whole or region.pick) and region.step == 1
            whole = whole and full
            offset = offset + region.start * stride
            stride = stride * size
        return offset if together else None

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        remaining = iter(inputs[1:])
        written = [entry.formula(remaining) for entry in self.entries]
        while len(written) > 1 and written[-1] == [":"]:
            written.pop()
        return [inputs[0], "[", *separated(written), "]"]

    def __repr__(self) -> str:
        return f"subtensor[{', '.join(map(repr, self.entries))}]"


class SetSubtensor(Op):
    """`x` with the region of a basic index set to `y` (`add`: increased by it), which broadcasts to the region."""

    entries: tuple[Entry, ...]
    add: bool
    sizes_from = 2

    def infer(self, x: Variable, y: Variable, *bounds: Variable) -> TensorType:
        regions = _regions(self.entries, list(map(size_of, bounds)), x.type.shape)
        return _check_put(x, y, tuple(r.length for r in regions if not r.pick))

    def evaluate(self, x: np.ndarray, y: np.ndarray, *bounds: Any) -> Any:
        result = np.array(x)
        index = _numpy_index(self.entries, bounds)
        if self.add:
            result[index] += y
        else:
            result[index] = y
        return result

    def pullback(self, *values: Variable) -> Any:
        y, bounds, dz = values[1], values[2:-2], values[-1]
        part = Subtensor(self.entries)(dz, *bounds)
        dx = dz if self.add else SetSubtensor(self.entries, False)(dz, zeros_like(dz), *bounds)
        return [dx, unbroadcast(part, y)] + [None] * len(bounds)

    def element(self, index: tuple[Size, ...], x: Any, y: Any, *bounds: Any) -> Any:
        """y's element inside the region, x's outside."""
        regions = _regions(self.entries, [b.as_size() for b in bounds], x.type.shape)
        place: list[Size] = []
        inside = x.scope.true()
        for position, region, size in zip(index, regions, x.type.shape):
            offset = (position - region.start) if region.step > 0 else (region.start - position)
            stride = abs(region.step)
            if not region.pick:
                place.append(dims.floordiv(offset, stride))
            if region.pick or region.start != 0 or region.step != 1 or region.length != size:
                inside = inside & x.scope.in_region(offset, region.length, stride)
        old = x.at(index)
        new = y.at(broadcast_index(tuple(place), y.type.shape), inside)
        return scalar.switch.combine(inside, scalar.add.combine(old, new) if self.add else new, old)

    def __repr__(self) -> str:
        return f"{'inc' if self.add else 'set'}_subtensor[{', '.join(map(repr, self.entries))}]"


class Join(Op):
    """Tensors one after the other along an axis."""

    axis: int

    def infer(self, *parts: Variable) -> TensorType:
        first = parts[0]
        total: Size = 0
        shape = list(first.type.shape)
        for part in parts:
            if part.type.ndim != first.type.ndim or part.type.dtype != first.type.dtype:
                raise TypeMismatch("parts joined must have one rank and one dtype", fix="add axes with dimshuffle")
            for axis, size in enumerate(part.type.shape):
                if axis != self.axis:
                    shape[axis] = equal_sizes(shape[axis], size, f"sizes of axis {axis} of the parts joined")
            total = total + part.type.shape[self.axis]
        shape[self.axis] = total
        return TensorType.of(first.type.dtype, tuple(shape))

    def evaluate(self, *parts: np.ndarray) -> Any:
        return np.concatenate(parts, axis=self.axis)

    def pullback(self, *values: Variable) -> Any:
        parts, dy = values[:(len(values) - 2)], values[-1]
        cotangents = []
        start: Any = 0
        for part in parts:
            stop = start + dimension(part, self.axis)
            index = [slice(None)] * self.axis + [slice(start, stop)]
            cotangents.append(subtensor(dy, tuple(index)))
            start = stop
        return cotangents

    def element(self, index: tuple[Size, ...], *parts: Any) -> Any:
        """The element of the part that `index` falls into."""
        position = index[self.axis]
        result, start = None, 0  # type: Any, Size
        for part in parts:
            own = (*index[:self.axis], position - start, *index[self.axis + 1:])
            inside = part.scope.in_region(position - start, part.type.shape[self.axis], 1)
            value = part.at(own, inside)
            result = value if result is None else scalar.switch.combine(inside, value, result)
            start = start + part.type.shape[self.axis]
        return result

    def __repr__(self) -> str:
        return f"join[{self.axis}]"


class Iota(Op):
    """0, 1, ..., n - 1 as int64."""

    moves = True
    sizes_from = 0

    def infer(self, n: Variable) -> TensorType:
        size = size_of(n)
        at_most(0, size, "a size may not be negative")
        return TensorType.of("int64", (size,))

    def evaluate(self, n: Any) -> Any:
        return np.arange(int(n), dtype="int64")

    def pullback(self, *values: Variable) -> Any:
        return None

    def element(self, index: tuple[Size, ...], n: Any, *, scope: Any) -> Any:
        """The index itself."""
        return scope.size(index[0])

    def __repr__(self) -> str:
        return "iota"


class Gather(Op):
    """`x` read at integer arrays along `axes` (one array each, broadcast together, all positions in range).

    As in NumPy the arrays' axes stand where the indexed axes stood if those are neighbours, else in front.
    """

    axes: tuple[int, ...]

    @property
    def front(self) -> int:
        """How many axes of x come before the arrays' axes in the result."""
        first, last = self.axes[0], self.axes[-1]
        return first if last - first + 1 == len(self.axes) else 0

    def infer(self, x: Variable, *indices: Variable) -> TensorType:
        if len(indices) != len(self.axes) or any(i.type.dtype not in INTEGERS for i in indices):
            raise TypeMismatch("one integer array is needed for each indexed axis")
        kept = [size for axis, size in enumerate(x.type.shape) if axis not in self.axes]
        spread = broadcast_shapes([i.type.shape for i in indices])
        front = self.front
        return TensorType.of(x.type.dtype, (*kept[:front], *spread, *kept[front:]))

    def evaluate(self, x: np.ndarray, *indices: np.ndarray) -> Any:
        return np.array(x[self.numpy_index(x.ndim, indices)])

    def numpy_index(self, rank: int, indices: Sequence[np.ndarray]) -> tuple[Any, ...]:
        """The same as an index of NumPy."""
        index: list[Any] = [slice(None)] * rank
        for axis, own in zip(self.axes, indices):
            index[axis] = own
        return tuple(index)

    def pullback(self, *values: Variable) -> Any:
        x, indices, dy = values[0], values[1:-2], values[-1]
        return [Scatter(self.axes, True)(zeros_as(x), dy, *indices)] + [None] * len(indices)

    def place(self, index: tuple[Size, ...], rank: int, *indices: Any) -> tuple[Size, ...]:
        """Where in x the element for result index `index` lies."""
        spread = max(len(i.type.shape) for i in indices)
        front = self.front
        middle = index[front:front + spread]
        kept = iter((*index[:front], *index[front + spread:]))
        read = {axis: i.at(broadcast_index(middle, i.type.shape)).as_index() for axis, i in zip(self.axes, indices)}
        return tuple(read[axis] if axis in read else next(kept) for axis in range(rank))

    def element(self, index: tuple[Size, ...], x: Any, *indices: Any) -> Any:
        """The element of x at the positions read from the arrays."""
        return x.at(self.place(index, len(x.type.shape), *indices))

    def __repr__(self) -> str:
        return f"gather[{','.join(map(str, self.axes))}]"


class Scatter(Op):
    """`x` with the elements `Gather` would read set to `y` (`add`: increased, repeated positions each time)."""

    axes: tuple[int, ...]
    add: bool

    def infer(self, x: Variable, y: Variable, *indices: Variable) -> TensorType:
        return _check_put(x, y, Gather(self.axes).infer(x, *indices).shape)

    def evaluate(self, x: np.ndarray, y: np.ndarray, *indices: np.ndarray) -> Any:
        result, index = np.array(x), Gather(self.axes).numpy_index(x.ndim, indices)
        if self.add:
            np.add.at(result, index, y)
        else:
            result[index] = y
        return result

    def pullback(self, *values: Variable) -> Any:
        y, indices, dz = values[1], values[2:-2], values[-1]
        part = Gather(self.axes)(dz, *indices)
        dx = dz if self.add else Scatter(self.axes, False)(dz, zeros_like(dz), *indices)
        return [dx, unbroadcast(part, y)] + [None] * len(indices)

    def puts(self, x: Variable, y: Variable, *indices: Variable) -> Puts:
        """All that is read by `Gather`; positions may repeat along the arrays' axes."""
        read = Gather(self.axes)
        arrays = broadcast_shapes([i.type.shape for i in indices])
        return Puts(read.infer(x, *indices).shape, range(read.front, read.front + len(arrays)), self.add)

    def put(self, index: tuple[Size, ...], x: Any, y: Any, *indices: Any) -> Any:
        """The place read from the arrays, and the element of y."""
        place = Gather(self.axes).place(index, len(x.type.shape), *indices)
        return place, y.at(broadcast_index(index, y.type.shape))

    def __repr__(self) -> str:
        return f"scatter[{','.join(map(str, self.axes))}{', add' if self.add else ''}]"


class Nonzero(Op):
    """The positions of true elements, one int64 vector for each axis; `count` is how many there are."""

    def infer(self, mask: Variable, count: Variable) -> list[TensorType]:
        if mask.type.dtype != "bool" or not mask.type.ndim:
            raise TypeMismatch("nonzero needs a bool array of at least one axis")
        return [TensorType.of("int64", (size_of(count),))] * mask.type.ndim

    def evaluate(self, mask: np.ndarray, count: Any) -> Any:
        return tuple(np.nonzero(mask))

    def pullback(self, *values: Variable) -> Any:
        return None, None

    def __repr__(self) -> str:
        return "nonzero"


# -- what users and other ops write -----------------------------------------------------------------------

def subtensor(x: Variable, index: Sequence[Any]) -> Variable:
    """`x[index]` for a basic index: ints, integer scalars and slices, one for each leading axis."""
    entries, bounds = parse_basic(x, index)
    if all(entry == FULL for entry in entries):
        return x
    return Subtensor(entries)(x, *bounds)


def set_subtensor(x: Variable, index: Sequence[Any], y: Variable, add: bool = False) -> Variable:
    """`x` with `x[index]` set to `y`, or increased by it."""
    entries, bounds = parse_basic(x, index)
    return SetSubtensor(entries, add)(x, cast(y, x.type.dtype), *bounds)


def parse_basic(x: Variable, index: Sequence[Any]) -> tuple[tuple[Entry, ...], list[Variable]]:
    """Entries and integer inputs of a basic index, filled up with full slices. Raises ShapeError, TypeMismatch."""
    if len(index) > x.type.ndim:
        raise complaint(ShapeError, f"{len(index)} indices for {x!r}, which has {x.type.ndim} axes", x,
                        fix="write None for each new axis")
    entries: list[Entry] = []
    bounds: list[Variable] = []
    for entry in index:
        if isinstance(entry, slice):
            step = 1 if entry.step is None else _fixed_step(entry.step)
            given = [bound for bound in (entry.start, entry.stop) if bound is not None]
            entries.append(Entry(False, entry.start is not None, entry.stop is not None, step))
            bounds += map(as_size, given)
        else:
            entries.append(Entry(pick=True))
            bounds.append(as_size(entry))
    return tuple(entries) + (FULL,) * (x.type.ndim - len(entries)), bounds


def _fixed_step(step: Any) -> int:
    size = size_of(as_size(step))
    if not isinstance(size, int) or size == 0:
        raise complaint(TypeMismatch, f"the step of a slice must be a number other than 0, not {step!r}",
                        fix="index with arange(start, stop, step)")
    return size


def join(axis: int, parts: Sequence[Any]) -> Variable:
    """Tensors one after the other along `axis`; dtypes are promoted. Raises ShapeError, TypeMismatch."""
    variables = together(parts)
    if not variables:
        raise complaint(TypeMismatch, "join needs at least one tensor", fix="give it a list that is not empty")
    dtype = promote(*(v.type.dtype for v in variables))
    ndim = variables[0].type.ndim
    if not -ndim <= axis < ndim:
        raise complaint(ShapeError, f"join: axis {axis} is not one of {ndim} axes", *variables,
                        fix=f"an axis from {-ndim} to {ndim - 1}")
    if len(variables) == 1:
        return variables[0]
    return Join(axis % ndim)(*(cast(v, dtype) for v in variables))


def stack(parts: Sequence[Any], axis: int = 0) -> Variable:
    """Tensors of one shape side by side along a new axis."""
    variables = together(parts)
    ndim = variables[0].type.ndim + 1
    return join(axis % ndim, [expand_dims(v, [axis % ndim]) for v in variables])


def _checked(x: Variable, indices: Mapping[int, Any]) -> tuple[tuple[int, ...], list[Variable]]:
    axes = tuple(sorted(indices))
    found = []
    for axis in axes:
        index = as_variable(indices[axis])
        if index.type.dtype not in INTEGERS:
            raise complaint(TypeMismatch, f"an index must be of integers, not {index.type.dtype}", index,
                            fix='cast it: index.astype("int64")')
        found.append(scalar.wrap_index(cast(index, "int64"), dimension(x, axis)))
    return axes, found


def gather(x: Variable, indices: Mapping[int, Any]) -> Variable:
    """`x` read at integer arrays, given by axis; negative positions count from the end."""
    axes, checked = _checked(x, indices)
    return Gather(axes)(x, *checked)


def scatter(x: Variable, indices: Mapping[int, Any], y: Variable, add: bool = False) -> Variable:
    """`x` with the positions `gather` reads set to `y`, or increased by it."""
    axes, checked = _checked(x, indices)
    return Scatter(axes, add)(x, cast(y, x.type.dtype), *checked)


def nonzero(mask: Variable) -> list[Variable]:
    """Positions of true elements, one int64 vector for each axis."""
    count = sum_axes(cast(mask, "int64"), range(mask.type.ndim))
    return list(Nonzero().make(mask, count))
