"""Tensors made larger: borders around them, vectors on diagonals.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("float64", shape=("n", 3))
>>> pad(x, ((1, 2), (0, 1))).type, alloc_diag(x).type
(TensorType(float64, (n + 3, 4)), TensorType(float64, (3, 3, n)))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import index, scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.shape import as_size, broadcast_to, expand_dims
from symtensor.ops.size import dimension, shape_of
from symtensor.tensor.arguments import axis_of
from symtensor.tensor.creation import arange, eye
from symtensor.tensor.manipulation import moveaxis
from symtensor.tensor.reduction import max, mean, min
from symtensor.types.dtype import INTEGERS

__all__ = ["pad", "alloc_diag"]


def _mirrored(place: Variable, size: Variable, gap: int) -> Variable:
    """Places walked to and fro in 0..size; `gap` is 1 if the ends are not repeated."""
    period = 2 * size - 2 * gap  # type: ignore[operator]
    turned = place % scalar.maximum(period, 1)
    return scalar.minimum(turned, period + gap - 1 - turned)


_PLACES: dict[str, Callable[[Variable, Variable], Variable]] = {
    "edge": lambda place, size: scalar.minimum(scalar.maximum(place, 0), size - 1),  # type: ignore[operator]
    "wrap": lambda place, size: place % size,  # type: ignore[operator]
    "symmetric": lambda place, size: _mirrored(place, size, 0),
    "reflect": lambda place, size: _mirrored(place, size, 1),
}
"""Modes that repeat elements: which one stands at a place, counted from the first element of the tensor."""
_STATISTICS: dict[str, Callable[..., Variable]] = {"maximum": max, "minimum": min, "mean": mean}
"""Modes that fill with what an axis is reduced to."""


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Variable:
    """`x` with a border of `pad_width` elements: one number, a pair (before, after), or a pair for each axis.

    `mode` is "constant" (`constant_values`, given as the widths are), "edge" (the nearest element), "wrap", "reflect"
    (mirrored, the edge once) or "symmetric" (mirrored, the edge twice), "maximum", "minimum" or "mean" (of each axis).
    Widths may be integer scalar variables. Raises TypeMismatch, ShapeError.

    >>> pad([1, 2, 3], (1, 2)).eval(), pad([1, 2, 3], 2, "reflect").eval()
    (array([0, 1, 2, 3, 0, 0]), array([3, 2, 1, 2, 3, 2, 1]))
    """
    x = as_variable(x)
    if mode not in ("constant", *_PLACES, *_STATISTICS):
        raise complaint(TypeMismatch, f"pad: there is no mode {mode!r}", x,
                        fix="one of " + ", ".join(("constant", *_PLACES, *_STATISTICS)))
    widths = _pairs(x, pad_width, "pad_width")
    if mode == "constant":
        return _padded_with(x, widths, _pairs(x, constant_values, "constant_values"))
    for axis, (before, after) in enumerate(widths):
        if mode in _PLACES:
            size = dimension(x, axis)
            places = arange(_width(x, before) + size + _width(x, after)) - _width(x, before)  # type: ignore[operator]
            x = index.gather(x, {axis: _PLACES[mode](places, size)})
        else:
            fill = _STATISTICS[mode](x, axis, keepdims=True)
            fill = scalar.round_half_to_even(fill) if x.type.dtype in INTEGERS else fill
            x = _joined(x, axis, [_spread(x, axis, cast(fill, x.type.dtype), n) for n in (before, after)])
    return x


def _padded_with(x: Variable, widths: list[Any], values: list[Any]) -> Variable:
    for axis, (own, fill) in enumerate(zip(widths, values)):
        x = _joined(x, axis, [_spread(x, axis, cast(v, x.type.dtype), n) for n, v in zip(own, fill)])
    return x


def _joined(x: Variable, axis: int, borders: list[Variable]) -> Variable:
    before, after = borders
    return index.join(axis, [part for part in (before, x, after) if part is x or part.type.shape[axis] != 0])


def _spread(x: Variable, axis: int, fill: Variable, width: Any) -> Variable:
    sizes = shape_of(x)
    return broadcast_to(fill, [*sizes[:axis], _width(x, width), *sizes[axis + 1:]])


def _width(x: Variable, width: Any) -> Variable:
    if isinstance(width, (int, np.integer)) and width < 0:
        raise complaint(ShapeError, f"pad: a width of {width} is negative", x, fix="cut with a slice")
    return as_size(width)


def _pairs(x: Variable, given: Any, what: str) -> list[Any]:
    """A pair for each axis of `x`, from a number, a pair, or pairs. Raises ShapeError."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, (list, tuple)):
        return [(given, given)] * x.type.ndim
    pairs = [_pair(entry) for entry in given] if any(isinstance(e, (list, tuple)) for e in given) else [_pair(given)]
    pairs = pairs * x.type.ndim if len(pairs) == 1 else pairs
    if len(pairs) != x.type.ndim or any(len(pair) != 2 for pair in pairs):
        raise complaint(ShapeError, f"pad: {what} must be a number, a pair, or a pair for each of {x.type.ndim} axes",
                        x, fix=f"{what}=((before, after), ...)")
    return pairs


def _pair(given: Any) -> tuple[Any, ...]:
    """One number twice, two as they are; anything else is found out later."""
    several = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    return several * 2 if len(several) == 1 else several


def alloc_diag(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """Square matrices with the vectors along the last axis of `x` on diagonal `offset`, zeros elsewhere.

    The matrices span the axes `axis1` and `axis2` of the result: `diagonal` with these arguments gives `x` back.
    Raises TypeMismatch for a scalar, ShapeError.

    >>> alloc_diag([1, 2], 1).eval()
    array([[0, 1, 0],
           [0, 0, 2],
           [0, 0, 0]])
    """
    x = as_variable(x)
    if not x.type.ndim:
        raise complaint(TypeMismatch, "alloc_diag takes vectors, not a scalar", x, fix="use shape_padleft(x)")
    first, second = (axis_of(x, axis, "alloc_diag", extra=1) for axis in (axis1, axis2))
    if first == second:
        raise complaint(ShapeError, f"alloc_diag: axis {first} is named twice", x, fix="name two axes")
    last = x.type.ndim - 1
    nothing = _spread(x, last, zeros_like(x), abs(offset))
    row = x if not offset else index.join(last, [nothing, x] if offset > 0 else [x, nothing])
    square = scalar.switch(eye(dimension(row, last), k=offset, dtype="bool"), expand_dims(row, [last]), zeros_like(row))
    return moveaxis(square, (last, last + 1), (first, second))
