"""What users write as arguments: axes and sizes.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None, 3))("x")
>>> axes_of(x, -1, "sum"), axes_of(x, None, "sum")
((1,), (0, 1))
>>> sizes_of((2, -1), "reshape")
[2, -1]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import broadcast_shapes
from symtensor.ops.index import Join, stack, subtensor
from symtensor.ops.shape import NEW, Dimshuffle
from symtensor.ops.size import dimension, integer, size_of
from symtensor.types.dtype import INTEGERS

__all__ = ["axis_of", "axes_of", "sizes_of", "elements_of", "vector_of", "broadcast_sizes", "product",
           "settled"]

_MOST_AXES = 64
"""Vectors longer than NumPy's largest rank are no shapes: nobody looks into them."""


def axis_of(x: Variable, axis: Any, function: str, extra: int = 0) -> int:
    """An axis of `x` counted from the front; `extra` new axes may be named too.

    Raises TypeMismatch for what is no integer, ShapeError for an axis that `x` does not have.
    """
    if isinstance(axis, Constant) and not axis.type.ndim and axis.type.dtype in INTEGERS:
        axis = int(axis.data)
    if isinstance(axis, np.ndarray) and not axis.ndim and axis.dtype.name in INTEGERS:
        axis = int(axis)
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise complaint(TypeMismatch, f"{function}: an axis must be a fixed integer, not {axis!r}", x,
                        fix="give a Python int")
    ndim = x.type.ndim + extra
    if not -ndim <= axis < ndim:
        fix = f"an axis from {-ndim} to {ndim - 1}" if ndim else "leave the axis out"
        raise complaint(ShapeError, f"{function}: {axis} is not one of {ndim} axes", x, fix=fix)
    return int(axis) % ndim


def axes_of(x: Variable, axis: Any, function: str) -> tuple[int, ...]:
    """The axes named by `axis`: None for all, an integer, or a sequence of integers; sorted.

    Raises TypeMismatch, and ShapeError for an axis that `x` does not have or that is named twice.
    """
    if axis is None:
        return tuple(range(x.type.ndim))
    several = axis if isinstance(axis, (list, tuple, range)) or np.ndim(axis) == 1 else [axis]
    axes = sorted(axis_of(x, one, function) for one in several)
    if len(set(axes)) != len(axes):
        raise complaint(ShapeError, f"{function}: an axis is named twice in {tuple(several)}", x,
                        fix="name each axis once")
    return tuple(axes)


def elements_of(vector: Variable) -> list[Variable] | None:
    """The scalars a vector was put together from, when that can be seen; else None.

    `x.shape` is such a vector, and so is what `stack` and `concatenate` make of it.
    """
    found: list[Variable] = []
    pending = [vector]
    while pending and len(found) <= _MOST_AXES:
        part = pending.pop()
        op = part.owner.op if part.owner is not None else None
        inputs = part.owner.inputs if part.owner is not None else ()
        if isinstance(part, Constant) and part.type.ndim == 1 and len(part.data) <= _MOST_AXES:
            found += [Constant(entry) for entry in part.data]
        elif isinstance(op, Join):
            pending += reversed(inputs)
        elif isinstance(op, Dimshuffle) and op.order == (NEW,) and not inputs[0].type.ndim:
            found.append(inputs[0])
        else:
            return None
    return found if len(found) <= _MOST_AXES else None


def vector_of(sizes: Sequence[Variable]) -> Variable:
    """Integer scalars as one int64 vector, a constant if they all are.

    >>> vector_of([integer(3), integer(4)])
    [3, 4]
    """
    if all(isinstance(size, Constant) for size in sizes):
        return Constant(np.array([size.data for size in sizes], dtype="int64"))  # type: ignore[attr-defined]
    return stack(sizes)


def sizes_of(shape: Any, function: str, ndim: int | None = None) -> list[Any]:
    """The sizes of a shape as users write it: ints where known, else integer scalars.

    `shape` is an integer, an integer scalar, a sequence of these, or an integer vector such as `x.shape`, whose length
    must be known or given as `ndim`. Raises TypeMismatch, and ShapeError for a length other than `ndim`.
    """
    if isinstance(shape, (list, tuple)):
        sizes = list(shape)
    elif isinstance(shape, (Variable, np.ndarray)):
        sizes = list(_entries(as_variable(shape), function, ndim))
    else:
        sizes = [shape]
    if ndim is not None and len(sizes) != ndim:
        raise complaint(ShapeError, f"{function}: the shape has {len(sizes)} sizes, not {ndim}",
                        fix=f"give {ndim} sizes")
    return [_size(size, function) for size in sizes]


def _size(size: Any, function: str) -> Any:
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        return int(size)
    variable = as_variable(size)
    if variable.type.ndim or variable.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, f"{function}: a size must be an integer", variable,
                        fix='cast it: size.astype("int64")')
    return int(variable.data) if isinstance(variable, Constant) else variable


def _entries(shape: Variable, function: str, ndim: int | None) -> Sequence[Any]:
    """The sizes of a shape given as one variable."""
    if shape.type.ndim == 0:
        return [shape]
    if shape.type.ndim != 1:
        raise complaint(TypeMismatch, f"{function}: a shape must be a vector of integers", shape,
                        fix="give a tuple of sizes, or x.shape")
    elements = elements_of(shape)
    if elements is not None:
        return elements
    length = shape.type.shape[0] if isinstance(shape.type.shape[0], int) else ndim
    if length is None:
        raise complaint(TypeMismatch, f"{function}: the length of the shape is not known, so neither is the rank of"
                        " the result", shape, fix="give the shape as a tuple of sizes")
    return [subtensor(shape, (axis,)) for axis in range(length)]


def broadcast_sizes(tensors: Sequence[Variable], without: int = 0) -> list[Variable]:
    """The shape in which tensors combine, `without` so many last axes, as scalars. Raises ShapeError."""
    shapes = [t.type.shape[:t.type.ndim - without] for t in tensors]
    sizes = []
    for axis in range(-len(broadcast_shapes(shapes)), 0):
        owner = next((t for t, shape in zip(tensors, shapes) if len(shape) >= -axis and shape[axis] != 1), None)
        sizes.append(integer(1) if owner is None else dimension(owner, owner.type.ndim - without + axis))
    return sizes


def product(sizes: Iterable[Variable]) -> Variable:
    """The product of integer scalars; 1 of none.

    >>> product([integer(3), integer(4)])
    12
    """
    total: Variable | None = None
    for size in sizes:
        total = size if total is None else total * size
    return integer(1) if total is None else settled(total)


def settled(size: Variable) -> Variable:
    """An integer scalar, as a constant if the algebra of sizes knows its value."""
    known = size_of(size)
    return integer(known) if isinstance(known, int) else size
