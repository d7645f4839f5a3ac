"""Pooling: what is largest, the sum or the mean in windows that slide over the last axes.

Windows of size `ws` begin `stride` apart (by default `ws`). With `ignore_border` a window that reaches beyond the end
is left out; else it is cut off there. `pad` zeros lie around the images, which a maximum does not see; without
`ignore_border` there may be none. `mode` is "max", "sum", "average_inc_pad" or "average_exc_pad": a mean that counts
the padding, or does not.

The gradient of a maximum goes to all elements that are the largest of their window, as Theano's does.

>>> pool_2d([[1.0, 3.0, 5.0], [2.0, 0.0, 6.0]], (2, 2), ignore_border=True).eval()
array([[3.]])
>>> pool_2d([[1.0, 3.0, 5.0], [2.0, 0.0, 6.0]], (2, 2), ignore_border=False).eval()
array([[3., 6.]])
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from symtensor.base.errors import NotSupported, ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.index import Iota
from symtensor.ops.shape import as_size, broadcast_to, expand_dims
from symtensor.ops.size import dimension, integer, shape_of
from symtensor.ops.window import Overlap, Window, reduce_windows
from symtensor.tensor.arguments import elements_of, settled
from symtensor.types.dtype import INTEGERS, float_of

__all__ = ["pool_2d", "pool_3d", "max_pool_2d", "max_pool_2d_same_size", "Pool"]

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def pool_2d(input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = (0, 0),
            mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None) -> Variable:
    """Windows over the last two axes. `ds`, `st` and `padding` are old names of `ws`, `stride` and `pad`.

    Without `ignore_border`, borders are not ignored, and there is a warning. Sizes, strides and padding are integers,
    or variables known when the function is made, as parts of a fixed shape are. Raises TypeMismatch for others,
    ShapeError, and NotImplementedError for padding of borders that are not ignored.

    >>> pool_2d([[1.0, 3.0], [2.0, 0.0]], (2, 2), ignore_border=True, mode="sum").eval()
    array([[6.]])
    """
    ws, stride, pad = _renamed("pool_2d", ("ws", ws, "ds", ds), ("stride", stride, "st", st),
                               ("pad", None if padding is not None and _is_zero(pad) else pad, "padding", padding))
    return _pooled("pool_2d", 2, input, ws, ignore_border, stride, pad, mode)


def pool_3d(input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = (0, 0, 0),
            mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None) -> Variable:
    """Windows over the last three axes; the rest is as in `pool_2d`.

    >>> import symtensor.tensor as T
    >>> pool_3d(T.ones((2, 4, 4, 4)), (2, 2, 2), ignore_border=True, mode="average_inc_pad").type
    TensorType(float64, (2, 2, 2, 2))
    """
    ws, stride, pad = _renamed("pool_3d", ("ws", ws, "ds", ds), ("stride", stride, "st", st),
                               ("pad", None if padding is not None and _is_zero(pad) else pad, "padding", padding))
    return _pooled("pool_3d", 3, input, ws, ignore_border, stride, pad, mode)


def _is_zero(pad: Any) -> bool:
    return not np.any(np.asarray(pad, dtype=object))


def _renamed(function: str, *pairs: tuple[str, Any, str, Any]) -> list[Any]:
    """The values of arguments that have two names. Raises TypeMismatch where both are given."""
    found = []
    for name, value, old, by_old in pairs:
        if value is not None and by_old is not None:
            raise complaint(TypeMismatch, f"{function}: {name} and {old} are two names of one argument",
                            fix=f"give {name} only")
        if by_old is not None:
            warnings.warn(f"{function}: {old} is an old name of {name}", DeprecationWarning, stacklevel=4)
        found.append(by_old if value is None else value)
    return found


def _pooled(function: str, axes: int, input: Any, ws: Any, ignore_border: bool | None, stride: Any, pad: Any,
            mode: str) -> Variable:
    if ignore_border is None:
        warnings.warn(f"{function}: borders are not ignored unless ignore_border=True is given", stacklevel=3)
    stride = None if stride is None else stride if isinstance(stride, Variable) else tuple(stride)
    pool = Pool(bool(ignore_border), mode, axes, function)
    return pool(input, ws, stride, (0,) * axes if pad is None else pad)


def max_pool_2d(input: Any, ds: Any, ignore_border: bool | None = None, st: Any = None, padding: Any = (0, 0),
                mode: str = "max") -> Variable:
    """Theano's old name of `pool_2d`.

    >>> max_pool_2d([[1.0, 3.0], [2.0, 0.0]], (2, 2), True).eval()
    array([[3.]])
    """
    return _pooled("max_pool_2d", 2, input, ds, ignore_border, st, padding, mode)


def max_pool_2d_same_size(input: Any, patch_size: Sequence[int]) -> Variable:
    """`input`, with zeros in the place of what is not the largest of its patch. Raises TypeMismatch, ShapeError.

    >>> max_pool_2d_same_size([[1.0, 3.0], [2.0, 0.0]], (2, 2)).eval()
    array([[0., 3.],
           [0., 0.]])
    """
    x = as_variable(input)
    ws = _integers("max_pool_2d_same_size", "patch_size", patch_size, 2, 1)
    largest = Pool(True, function="max_pool_2d_same_size")(x, ws)
    window = Window((x.type.ndim - 2, x.type.ndim - 1), ws, ws)
    spread = _spread(largest, window, x)
    covered = _spread(scalar.eq(largest, largest), window, x)  # a rest at the end is in no patch
    return scalar.switch(scalar.and_(scalar.eq(x, spread), covered), x, zeros_like(x))


def _spread(values: Variable, window: Window, x: Variable) -> Variable:
    """A value of each window, in all its places; windows do not overlap."""
    within = range(values.type.ndim, values.type.ndim + 2)
    every = broadcast_to(expand_dims(values, within), [*shape_of(values), *map(integer, window.sizes)])
    is_bool = every.type.dtype == "bool"
    back: Variable = Overlap(window)(cast(every, "int8") if is_bool else every,
                                     *(dimension(x, axis) for axis in window.axes))
    return cast(back, "bool") if is_bool else back


def _integers(function: str, name: str, given: Any, count: int, least: int) -> tuple[int, ...]:
    """So many integers not below `least`; variables whose values the sizes of arrays tell now, as constants do."""
    if isinstance(given, Variable) and given.type.ndim == 1:
        given = elements_of(given) or given
    values = tuple(given) if isinstance(given, (list, tuple, np.ndarray)) else (given,) * count
    values = tuple(_known(v) if isinstance(v, Variable) else v for v in values)
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values)
    if not whole or len(values) != count or any(v < least for v in values):
        raise complaint(ShapeError if whole else TypeMismatch,
                        f"{function}: {name} must be {count} integers, at least {least}, not {given!r}",
                        fix="give numbers that are known when the function is made; the mean of a whole image is"
                            " x.mean(axis=(-2, -1))")
    return tuple(map(int, values))


def _known(value: Variable) -> Any:
    """An integer scalar as the number that is known for it; itself if none is."""
    if value.type.ndim or value.type.dtype not in INTEGERS:
        return value
    value = settled(value)
    return int(value.data) if isinstance(value, Constant) else value


@dataclass(frozen=True)
class Pool:
    """Pooling over the last `ndim` axes, with what does not depend on the images fixed; see `pool_2d`.

    >>> Pool(ignore_border=True, mode="sum")([[1.0, 3.0], [2.0, 0.0]], (2, 2)).eval()
    array([[6.]])
    """

    ignore_border: bool = False
    mode: str = "max"
    ndim: int = 2
    function: str = "Pool"

    def __call__(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Variable:
        """The pooled images. Raises TypeMismatch, ShapeError, NotImplementedError."""
        x = as_variable(x)
        if self.mode not in MODES:
            raise complaint(ShapeError, f"{self.function}: there is no mode {self.mode!r}", x,
                            fix="one of " + ", ".join(MODES))
        if x.type.ndim < self.ndim:
            raise complaint(TypeMismatch, f"{self.function} takes tensors of at least {self.ndim} axes", x,
                            fix="add axes with dimshuffle")
        window, counts = self._placed(x, ws, stride, pad)
        if self.mode == "max":
            return reduce_windows("max", x, window, counts)
        if self.mode == "sum":
            return reduce_windows("sum", x, window, counts)
        x = cast(x, float_of(x.type.dtype))
        return reduce_windows("sum", x, window, counts) / self._elements(x, window, counts)

    def _placed(self, x: Variable, ws: Any, stride: Any, pad: Any) -> tuple[Window, list[Variable]]:
        """Where windows lie, and how many they are along each axis."""
        ws = _integers(self.function, "ws", ws, self.ndim, 1)
        strides = ws if stride is None else _integers(self.function, "stride", stride, self.ndim, 1)
        pads = (0,) * self.ndim if pad is None else _integers(self.function, "pad", pad, self.ndim, 0)
        if any(pads) and not self.ignore_border:
            raise complaint(NotSupported, f"{self.function}: padding needs ignore_border=True",
                            fix="give ignore_border=True, or pad=0")
        if any(own >= size for own, size in zip(pads, ws)):
            raise complaint(ShapeError, f"{self.function}: pad {pads} must be smaller than ws {ws}", x,
                            fix="use less padding")
        axes = tuple(range(x.type.ndim - self.ndim, x.type.ndim))
        counts = [_count(dimension(x, axis) + 2 * own, size, step, self.ignore_border)
                  for axis, size, step, own in zip(axes, ws, strides, pads)]
        return Window(axes, ws, strides, pads if any(pads) else ()), counts

    def _elements(self, x: Variable, window: Window, counts: Sequence[Variable]) -> Variable:
        """How many elements the mean of each window is of; all the same, or different along the axes."""
        padded, whole = self.mode == "average_inc_pad", prod(window.sizes)
        if self.ignore_border and (padded or not window.low):
            return cast(integer(whole), x.type.dtype)
        total: Any = None
        for axis, size, stride, front, count in zip(window.axes, window.sizes, window.strides, window.fronts, counts):
            margin = front if padded else 0
            begin = Iota()(count) * stride - front
            end = scalar.minimum(begin + size, dimension(x, axis) + margin)
            own = cast(end - scalar.maximum(begin, -margin), x.type.dtype)
            own = expand_dims(own, range(1, x.type.ndim - axis))
            total = own if total is None else total * own
        return total  # type: ignore[no-any-return]

    @staticmethod
    def out_shape(imgshape: Sequence[Any], ws: Any = None, ignore_border: bool = False, stride: Any = None,
                  pad: Any = None, ndim: int = 2, ds: Any = None, st: Any = None, padding: Any = None) -> list[Any]:
        """The shape of pooled images, as integers where that of the images is known.

        >>> Pool.out_shape((3, 10, 11), (2, 2), ignore_border=True), Pool.out_shape((10, 11), (2, 2))
        ([3, 5, 5], [5, 6])
        """
        ws, stride, pad = _renamed("Pool.out_shape", ("ws", ws, "ds", ds), ("stride", stride, "st", st),
                                   ("pad", pad, "padding", padding))
        if len(imgshape) < ndim:
            raise complaint(ShapeError, f"Pool.out_shape: {len(imgshape)} sizes for {ndim} axes", fix="give all sizes")
        ws = _integers("Pool.out_shape", "ws", ws, ndim, 1)
        strides = ws if stride is None else _integers("Pool.out_shape", "stride", stride, ndim, 1)
        pads = (0,) * ndim if pad is None else _integers("Pool.out_shape", "pad", pad, ndim, 0)
        counts = [_count(as_size(size) + 2 * own, k, step, ignore_border)
                  for size, own, k, step in zip(imgshape[-ndim:], pads, ws, strides)]
        return [*imgshape[:-ndim], *(int(c.data) if isinstance(c, Constant) else c for c in counts)]


def _count(size: Any, window: int, stride: int, ignore_border: bool) -> Variable:
    """How many windows there are along an axis of a size; those that begin in it, if borders are not ignored."""
    if ignore_border:
        return settled(scalar.maximum((size - window) // stride + 1, 0))
    if stride >= window:
        return settled((size - 1) // stride + 1)
    return settled(scalar.maximum((size - 1 - window + stride) // stride, 0) + 1)
