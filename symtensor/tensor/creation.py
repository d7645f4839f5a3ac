"""Tensors from nothing but sizes and numbers.

>>> from symtensor.tensor.inputs import matrix
>>> x = matrix("x")
>>> zeros((x.shape[0], 3)).type, arange(10).type, eye(3).type
(TensorType(float64, (x.0, 3)), TensorType(int64, (10,)), TensorType(float64, (3, 3)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, constant, together
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota
from symtensor.ops.shape import broadcast_like, broadcast_to, expand_dims
from symtensor.ops.size import dimension, integer
from symtensor.tensor.arguments import settled, sizes_of
from symtensor.types.dtype import CONTINUOUS, DISCRETE, UNSIGNED, promote

__all__ = ["constant", "as_tensor_variable", "as_tensor", "alloc", "full", "zeros", "ones", "full_like", "zeros_like",
           "ones_like", "fill", "second", "arange", "linspace", "eye", "identity_like", "tri", "mgrid", "ogrid",
           "bartlett"]


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Variable:
    """`x` as a variable: numbers and arrays become constants, lists of variables are stacked, variables stay.

    `ndim` adds axes of size 1 in front. Raises TypeMismatch.

    >>> as_tensor_variable([1.5, 2.5]).type, as_tensor_variable(2, ndim=1).type
    (TensorType(float64, (2,)), TensorType(int8, (1,)))
    """
    return as_variable(x, name, ndim)


as_tensor = as_tensor_variable


def alloc(value: Any, *shape: Any) -> Variable:
    """`value` spread to a shape, by the rules of broadcasting; of the value's dtype.

    Raises TypeMismatch, ShapeError.

    >>> alloc(1.5, 2, 3).eval()
    array([[1.5, 1.5, 1.5],
           [1.5, 1.5, 1.5]])
    """
    return broadcast_to(value, sizes_of(shape[0] if len(shape) == 1 else shape, "alloc"))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Variable:
    """A tensor of the given shape with every element `fill_value`; dtype floatX unless given.

    Raises TypeMismatch, ShapeError.

    >>> full((2, 3), 7, "int32").eval()
    array([[7, 7, 7],
           [7, 7, 7]], dtype=int32)
    """
    return broadcast_to(cast(fill_value, "floatX" if dtype is None else dtype), sizes_of(shape, "full"))


def zeros(shape: Any, dtype: Any = None) -> Variable:
    """A tensor of zeros; dtype floatX unless given. Raises TypeMismatch, ShapeError.

    >>> zeros(3).eval()
    array([0., 0., 0.])
    """
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = None) -> Variable:
    """A tensor of ones; dtype floatX unless given. Raises TypeMismatch, ShapeError.

    >>> ones((), "int8").eval()
    array(1, dtype=int8)
    """
    return full(shape, 1, dtype)


def full_like(model: Any, fill_value: Any, dtype: Any = None) -> Variable:
    """A tensor of the model's shape, and dtype unless another is given, with every element `fill_value`.

    >>> full_like([[1, 2]], 5).eval()
    array([[5, 5]])
    """
    model = as_variable(model)
    return broadcast_like(cast(fill_value, model.type.dtype if dtype is None else dtype), model)


def zeros_like(model: Any, dtype: Any = None) -> Variable:
    """Zeros of the model's shape, and dtype unless another is given.

    >>> zeros_like([[1, 2]], "float32").eval()
    array([[0., 0.]], dtype=float32)
    """
    return full_like(model, 0, dtype)


def ones_like(model: Any, dtype: Any = None) -> Variable:
    """Ones of the model's shape, and dtype unless another is given.

    >>> ones_like([[1, 2]]).eval()
    array([[1, 1]])
    """
    return full_like(model, 1, dtype)


def fill(a: Any, b: Any) -> Variable:
    """`b`, of its own dtype, spread to the shape of `a`. Raises ShapeError.

    >>> fill([[1, 2]], 0.5).eval()
    array([[0.5, 0.5]])
    """
    return broadcast_like(as_variable(b), as_variable(a))


second = fill


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Variable:
    """start, start + step, ... up to but not including stop; with one argument, 0 up to it.

    A vector: int64 for integers (uint64 for unsigned ones), else the dtype the arguments promote to. The arguments
    may be scalar variables. Raises ShapeError for arguments that are not scalars.

    >>> arange(2, 10, 3).type, arange(0, 1, 0.25).type
    (TensorType(int64, (3,)), TensorType(float64, (4,)))
    """
    if stop is None:
        start, stop = 0, start
    found = together([start, stop, step])
    if any(v.type.ndim for v in found):
        raise complaint(ShapeError, "arange takes scalars", *found, fix="index the vector: v[0]")
    joined = promote(*(v.type.dtype for v in found))
    inner = "int64" if joined in DISCRETE else joined
    start, stop, step = (cast(v, inner) for v in found)
    steps = cast(Iota()(_steps_between(start, stop, step)), inner)
    default = joined if joined not in DISCRETE else "uint64" if joined in UNSIGNED else "int64"
    return cast(steps * step + start, default if dtype is None else dtype)


def _steps_between(start: Variable, stop: Variable, step: Variable) -> Variable:
    """How many values arange has: the distance in steps, rounded up."""
    if start.type.dtype == "int64":
        return settled(scalar.maximum(-((start - stop) // step), 0))  # type: ignore[operator]
    if isinstance(start, Constant) and isinstance(stop, Constant) and isinstance(step, Constant):
        return integer(max(math.ceil((float(stop.data) - float(start.data)) / float(step.data)), 0))
    return scalar.maximum(cast(scalar.ceil((stop - start) / step), "int64"), 0)


def linspace(start: Any, stop: Any, num: Any = 50) -> Variable:
    """`num` evenly spaced floats from `start` to `stop`, both included; a vector, of floatX for integers.

    >>> linspace(0, 1, 5).eval()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    first, last = together([start, stop])
    dtype = promote(first.type.dtype, last.type.dtype)
    dtype = dtype if dtype in CONTINUOUS else "floatX"
    first, last = cast(first, dtype), cast(last, dtype)
    places = cast(arange(num), dtype)
    gaps = cast(scalar.maximum(as_variable(num) - 1, 1), dtype)
    return first + places * ((last - first) / gaps)


def _rows_and_columns(function: str, n: Any, m: Any, k: Any) -> tuple[Variable, Variable]:
    """Row numbers plus k as a column, and column numbers as a row."""
    rows, columns = sizes_of((n, n if m is None else m), function)
    return expand_dims(arange(rows), [1]) + k, arange(columns)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
    """A matrix of n rows and m columns (n by default) with ones on diagonal k and zeros elsewhere.

    dtype floatX unless given. Raises TypeMismatch for sizes that are not integers.

    >>> eye(2, 3, k=1, dtype="int8").eval()
    array([[0, 1, 0],
           [0, 0, 1]], dtype=int8)
    """
    return cast(scalar.eq(*_rows_and_columns("eye", n, m, k)), "floatX" if dtype is None else dtype)


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Variable:
    """A matrix of N rows and M columns (N by default) with ones on and below diagonal k, zeros above.

    >>> tri(3, dtype="int8").eval()
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]], dtype=int8)
    """
    return cast(scalar.ge(*_rows_and_columns("tri", N, M, k)), "floatX" if dtype is None else dtype)


def identity_like(x: Any) -> Variable:
    """The identity matrix of the shape and dtype of a matrix. Raises TypeMismatch for another rank.

    >>> identity_like([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [0, 1]])
    """
    x = as_variable(x)
    if x.type.ndim != 2:
        raise complaint(TypeMismatch, f"identity_like needs a matrix, not {x.type.ndim} axes", x,
                        fix="use eye(n)")
    return eye(dimension(x, 0), dimension(x, 1), dtype=x.type.dtype)


@dataclass(frozen=True)
class Grid:
    """Coordinates of a grid of points, written as an index: `mgrid[0:2, 0:3]` or `ogrid[0:2, 0:3]`.

    For each slice start:stop:step, whose parts may be scalar variables, the result has a tensor of the values along
    that axis: of the shape of the grid (`mgrid`), or of size 1 along the other axes (`ogrid`).

    >>> [v.type for v in ogrid[0:2, 0:3]]
    [TensorType(int64, (2, 1)), TensorType(int64, (1, 3))]
    """

    dense: bool

    def __getitem__(self, index: slice | tuple[slice, ...]) -> list[Variable]:
        parts = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(part, slice) and part.stop is not None for part in parts):
            raise complaint(TypeMismatch, f"a grid is made of slices, not {index!r}", fix="mgrid[0:2, 0:3]")
        values = [arange(part.start or 0, part.stop, 1 if part.step is None else part.step) for part in parts]
        axes = range(len(parts))
        open_grid = [expand_dims(v, [axis for axis in axes if axis != own]) for own, v in enumerate(values)]
        return [broadcast_to(v, [dimension(v, 0) for v in values]) for v in open_grid] if self.dense else open_grid


mgrid, ogrid = Grid(dense=True), Grid(dense=False)


def bartlett(M: Any) -> Variable:
    """The triangular window of M points, zero at both ends; a vector of floatX.

    >>> bartlett(5).eval()
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    gaps = cast(as_variable(M), "int64") - 1
    return 1 - cast(scalar.abs_(2 * arange(M) - gaps), "floatX") / cast(scalar.maximum(gaps, 1), "floatX")
