"""Elements picked out by position or condition, diagonals and triangles.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("float64", shape=("n", 4))
>>> take(x, [0, 2], axis=1).type, diagonal(x).type, nonzero(x)[0].type.ndim
(TensorType(float64, (n, 2)), TensorType(float64, (min(4, n),)), 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import index, scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.effects import Assert
from symtensor.ops.elementwise import as_bool, cast, zeros_like
from symtensor.ops.ordering import gather_along
from symtensor.ops.reduce import reduce_axes
from symtensor.ops.shape import as_size, broadcast_to, expand_dims
from symtensor.ops.size import dimension, integer, shape_of
from symtensor.tensor.arguments import axis_of, broadcast_sizes, settled, sizes_of
from symtensor.tensor.creation import arange, eye, tri
from symtensor.tensor.manipulation import along, flatten, moveaxis, stack
from symtensor.tensor.reduction import sum
from symtensor.types.dtype import INTEGERS

__all__ = ["take", "take_along_axis", "compress", "choose", "nonzero", "flatnonzero", "nonzero_values", "diagonal",
           "diag", "extract_diag", "trace", "tril", "triu", "fill_diagonal", "fill_diagonal_offset", "to_one_hot",
           "bincount", "ravel_multi_index", "unravel_index", "inverse_permutation", "permute_row_elements"]


def _in_range(positions: Variable, size: Variable, mode: str, function: str) -> Variable:
    """Positions brought into 0..size as `mode` says; "raise" leaves that to the gather."""
    if positions.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, f"{function}: positions must be integers", positions,
                        fix='cast them: positions.astype("int64")')
    if mode == "wrap":
        return positions % size  # type: ignore[operator]
    if mode == "clip":
        return scalar.minimum(scalar.maximum(positions, 0), size - 1)
    if mode != "raise":
        raise complaint(TypeMismatch, f"{function}: there is no mode {mode!r}", positions,
                        fix='"raise", "wrap" or "clip"')
    return positions


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Variable:
    """The elements of `a` at `indices` along `axis`; of the flattened `a` without an axis.

    `mode` says what an index out of range does: "raise" (negative ones count from the end), "wrap" round, or "clip" to
    the nearest end. Raises ShapeError, TypeMismatch, and IndexOutOfRange when computed.

    >>> take([[1, 2], [3, 4]], [1, 1, 0], axis=0).eval()
    array([[3, 4],
           [3, 4],
           [1, 2]])
    """
    a, axis = along(a, axis, "take")
    indices = as_variable(indices)
    return index.gather(a, {axis: _in_range(indices, dimension(a, axis), mode, "take")})


def take_along_axis(arr: Any, indices: Any, axis: int | None) -> Variable:
    """The elements of `arr` at positions along `axis` that differ from place to place; of the flattened `arr` for None.

    `indices` has as many axes as `arr`; the other axes broadcast. Raises ShapeError, TypeMismatch, and IndexOutOfRange
    when computed.

    >>> take_along_axis([[1, 2], [3, 4]], [[1], [0]], axis=1).eval()
    array([[2],
           [3]])
    """
    arr, indices = as_variable(arr), as_variable(indices)
    if axis is None:
        arr, axis = flatten(arr), 0
    if indices.type.ndim != arr.type.ndim:
        raise complaint(ShapeError, f"take_along_axis: positions of {indices.type.ndim} axes for {arr.type.ndim}", arr,
                        indices, fix="use take for the same positions at every place")
    return gather_along(arr, indices, axis_of(arr, axis, "take_along_axis"))


def compress(condition: Any, x: Any, axis: int | None = None) -> Variable:
    """The slices of `x` along `axis` where the vector `condition` holds; of the flattened `x` without an axis.

    Raises ShapeError, TypeMismatch.

    >>> compress([0, 1, 1], [[1, 2], [3, 4], [5, 6]], axis=0).type.static_shape
    (None, 2)
    """
    mask = as_bool(as_variable(condition))
    if mask.type.ndim != 1:
        raise complaint(TypeMismatch, "compress: the condition must be a vector", mask, fix="use x[condition]")
    return take(x, index.nonzero(mask)[0], axis)


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Variable:
    """At each place the element of the tensor `choices[a]` there; `a` and the choices broadcast.

    `choices` is a sequence of tensors, or a tensor whose first axis numbers them. `mode` is as in `take`; `out` is not
    supported. Raises TypeMismatch, ShapeError.

    >>> choose([0, 1, 0], [[1, 2, 3], [10, 20, 30]]).eval()
    array([ 1, 20,  3])
    """
    a = as_variable(a)
    if out is not None:
        raise complaint(TypeMismatch, "choose: there is no place to write out to", a, fix="leave out away")
    many = together(choices) if isinstance(choices, (list, tuple)) else list(_rows(as_variable(choices)))
    sizes = broadcast_sizes([a, *many])
    table = stack([broadcast_to(choice, sizes) for choice in many])
    picked = _in_range(broadcast_to(a, sizes), integer(len(many)), mode, "choose")
    return index.gather(table, {0: picked, **_own_positions(picked, 1)})


def _rows(x: Variable) -> Sequence[Variable]:
    count = x.type.shape[0] if x.type.ndim else None
    if not isinstance(count, int):
        raise complaint(TypeMismatch, "choose: the number of choices must be known", x, fix="give a list of tensors")
    return [index.subtensor(x, (row,)) for row in range(count)]


def _own_positions(x: Variable, first: int) -> dict[int, Variable]:
    """For each axis of x, numbered from `first`, the position along it of every element, ready to broadcast."""
    ndim = x.type.ndim
    return {first + axis: expand_dims(arange(size), [a for a in range(ndim) if a != axis])
            for axis, size in enumerate(shape_of(x))}


# -- conditions -------------------------------------------------------------------------------------------

def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """The positions of the elements that are not zero: an int64 vector for each axis, or the rows of one matrix.

    Raises TypeMismatch for a scalar.

    >>> len(nonzero([[1, 0], [0, 1]])), nonzero([1, 0], return_matrix=True).type.ndim
    (2, 2)
    """
    a = as_variable(a)
    if not a.type.ndim:
        raise complaint(TypeMismatch, "nonzero needs at least one axis", a, fix="use shape_padleft(a)")
    positions = index.nonzero(as_bool(a))
    return stack(positions) if return_matrix else tuple(positions)


def flatnonzero(a: Any) -> Variable:
    """The positions in row-major order of the elements that are not zero; an int64 vector.

    >>> flatnonzero([[1, 0], [0, 1]]).type.ndim
    1
    """
    return nonzero(flatten(as_variable(a)))[0]


def nonzero_values(a: Any) -> Variable:
    """The elements that are not zero, in row-major order; a vector.

    >>> nonzero_values([[1, 0], [0, 1]]).type.dtype
    'int64'
    """
    flat = flatten(as_variable(a))
    return index.gather(flat, {0: flatnonzero(flat)})


# -- diagonals and triangles ------------------------------------------------------------------------------

def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The diagonals of the matrices that two axes of `a` span, as the last axis; `offset` counts to the right.

    Raises ShapeError.

    >>> diagonal([[1, 2, 3], [4, 5, 6]], 1).eval()
    array([2, 6])
    """
    a = as_variable(a)
    first, second = axis_of(a, axis1, "diagonal"), axis_of(a, axis2, "diagonal")
    if first == second:
        raise complaint(ShapeError, f"diagonal: axis {first} is named twice", a, fix="name two axes")
    a = moveaxis(a, (first, second), (-2, -1))
    rows, columns = dimension(a, -2 % a.type.ndim), dimension(a, -1 % a.type.ndim)
    down, right = max(-offset, 0), max(offset, 0)
    steps = arange(settled(scalar.maximum(scalar.minimum(rows - down, columns - right), 0)))
    return index.gather(a, {a.type.ndim - 2: steps + down, a.type.ndim - 1: steps + right})


def diag(v: Any, k: int = 0) -> Variable:
    """A square matrix with the vector `v` on diagonal `k`; of a matrix, its diagonal `k`. Raises TypeMismatch.

    >>> diag([1, 2], 1).type, diag([[1, 2], [3, 4]]).type
    (TensorType(int64, (3, 3)), TensorType(int64, (2,)))
    """
    v = as_variable(v)
    if v.type.ndim == 2:
        return diagonal(v, k)
    if v.type.ndim != 1:
        raise complaint(TypeMismatch, f"diag takes a vector or a matrix, not {v.type.ndim} axes", v,
                        fix="use diagonal(x, axis1=, axis2=)")
    padding = broadcast_to(zeros_like(v), [abs(k)])
    row = v if k == 0 else index.join(0, [padding, v] if k > 0 else [v, padding])
    return scalar.switch(eye(dimension(row, 0), k=k, dtype="bool"), row, zeros_like(row))


def extract_diag(x: Any) -> Variable:
    """The diagonal of a matrix. Raises ShapeError.

    >>> extract_diag([[1, 2], [3, 4]]).eval()
    array([1, 4])
    """
    return diagonal(x)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """The sum of a diagonal. Raises ShapeError.

    >>> trace([[1, 2], [3, 4]]).eval()
    array(5)
    """
    return sum(diagonal(a, offset, axis1, axis2), axis=-1)


def tril(m: Any, k: int = 0) -> Variable:
    """The matrices in the last two axes with zeros above diagonal `k`. Raises TypeMismatch for fewer than two axes.

    >>> tril([[1, 2], [3, 4]]).eval()
    array([[1, 0],
           [3, 4]])
    """
    m = as_variable(m)
    return scalar.switch(_lower(m, k, "tril"), m, zeros_like(m))


def triu(m: Any, k: int = 0) -> Variable:
    """The matrices in the last two axes with zeros below diagonal `k`. Raises TypeMismatch for fewer than two axes.

    >>> triu([[1, 2], [3, 4]]).eval()
    array([[1, 2],
           [0, 4]])
    """
    m = as_variable(m)
    return scalar.switch(_lower(m, k - 1, "triu"), zeros_like(m), m)


def _lower(m: Variable, k: int, function: str) -> Variable:
    if m.type.ndim < 2:
        raise complaint(TypeMismatch, f"{function} needs at least two axes", m, fix="use tri for a mask of any shape")
    return tri(dimension(m, m.type.ndim - 2), dimension(m, m.type.ndim - 1), k, "bool")


def fill_diagonal(a: Any, val: Any) -> Variable:
    """`a` with its main diagonal, all positions equal, set to the scalar `val`. Raises TypeMismatch.

    >>> fill_diagonal([[1, 2], [3, 4]], 0).eval()
    array([[0, 2],
           [3, 0]])
    """
    a = as_variable(a)
    if a.type.ndim < 2:
        raise complaint(TypeMismatch, "fill_diagonal needs at least two axes", a, fix="use set_subtensor")
    positions = list(_own_positions(a, 0).values())
    on_diagonal = reduce(scalar.and_, (scalar.eq(positions[0], other) for other in positions[1:]))
    return scalar.switch(on_diagonal, cast(val, a.type.dtype), a)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Variable:
    """The matrix `a` with the diagonal `offset` places to the right set to the scalar `val`. Raises TypeMismatch.

    >>> fill_diagonal_offset([[1, 2], [3, 4]], 0, 1).eval()
    array([[1, 0],
           [3, 4]])
    """
    a = as_variable(a)
    if a.type.ndim != 2:
        raise complaint(TypeMismatch, "fill_diagonal_offset needs a matrix", a, fix="use set_subtensor")
    on_diagonal = eye(dimension(a, 0), dimension(a, 1), offset, "bool")
    return scalar.switch(on_diagonal, cast(val, a.type.dtype), a)


# -- positions --------------------------------------------------------------------------------------------

def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Variable:
    """For each integer of a vector a row of `nb_class` zeros with a one at its place; dtype floatX unless given.

    An integer out of range gives a row of zeros. Raises TypeMismatch.

    >>> to_one_hot([0, 2], 3).eval()
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    y = as_variable(y)
    if y.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, "to_one_hot: classes must be integers", y, fix='cast them: y.astype("int64")')
    marks = scalar.eq(expand_dims(y, [y.type.ndim]), arange(nb_class))
    return cast(marks, "floatX" if dtype is None else dtype)


def bincount(x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False) -> Variable:
    """How often each of 0, 1, ... up to the largest comes in a vector of integers, none of them negative; int64.

    With `weights`, one for each element, their sums, of their dtype; `minlength` is the least length of the result.
    A negative number raises IndexOutOfRange when computed, and AssertionFailed with `assert_nonneg`, before anything is
    counted. Raises TypeMismatch, ShapeError.

    >>> bincount([0, 2, 2], minlength=4).eval()
    array([1, 0, 2, 0])
    """
    x = as_variable(x)
    if x.type.dtype not in INTEGERS or x.type.ndim != 1:
        raise complaint(TypeMismatch, "bincount: x must be a vector of integers", x, fix="flatten it, cast it")
    amounts = as_variable(np.int64(1) if weights is None else weights)
    x = cast(x, "int64")
    if assert_nonneg:
        x = Assert("bincount: there are negative numbers")(x, reduce_axes("all", scalar.ge(x, 0), [0]))
    lengths = index.join(0, [x + 1, [0 if minlength is None else minlength]])  # type: ignore[operator]
    zeros = broadcast_to(zeros_like(amounts), [reduce_axes("max", lengths, [0])])
    outside = scalar.switch(scalar.lt(x, 0), dimension(zeros, 0), x)  # a negative position would count from the end
    return index.scatter(zeros, {0: outside}, amounts, add=True)


def ravel_multi_index(multi_index: Sequence[Any], dims: Any, mode: str = "raise", order: str = "C") -> Variable:
    """Places in a flattened tensor of shape `dims` from positions, one integer tensor for each axis; int64.

    `mode` says what is done about positions out of range: "wrap" or "clip", or nothing for "raise". `order` is "C"
    (row-major) or "F". Raises TypeMismatch, and ShapeError where `dims` has another number of sizes.

    >>> ravel_multi_index(([0, 1], [2, 0]), (2, 3)).eval()
    array([2, 3])
    """
    sizes = [as_size(size) for size in sizes_of(dims, "ravel_multi_index", len(multi_index))]
    pairs = list(zip(map(as_variable, multi_index), sizes))
    place: Any = 0
    for position, size in pairs if order == "C" else pairs[::-1]:
        place = place * size + cast(_in_range(position, size, mode, "ravel_multi_index"), "int64")
    return as_variable(place)


def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: int | None = None) -> tuple[Variable, ...]:
    """Positions along each axis of a tensor of shape `dims` from places in it flattened; a tuple of int64 tensors.

    `ndim` is the length of `dims`, where that is a vector of which it is not known. Raises TypeMismatch, ShapeError.

    >>> [v.type for v in unravel_index([4, 1], (2, 3))]
    [TensorType(int64, (2,)), TensorType(int64, (2,))]
    """
    sizes = [as_size(size) for size in sizes_of(dims, "unravel_index", ndim)]
    rest = cast(as_variable(indices), "int64")
    found = []
    for size in reversed(sizes) if order == "C" else sizes:
        found.append(rest % size)  # type: ignore[operator]
        rest = rest // size  # type: ignore[operator]
    return tuple(reversed(found) if order == "C" else found)


def inverse_permutation(perm: Any) -> Variable:
    """The permutation that undoes `perm`, an integer vector or the rows of a matrix; int64. Raises TypeMismatch.

    >>> inverse_permutation([2, 0, 1]).eval()
    array([1, 2, 0])
    """
    perm = as_variable(perm)
    if perm.type.ndim not in (1, 2):
        raise complaint(TypeMismatch, "a permutation is a vector or the rows of a matrix", perm,
                        fix="use flatten(perm, 2)")
    where = _own_positions(perm, 0)
    last = perm.type.ndim - 1
    order = broadcast_to(where[last], shape_of(perm))
    return index.scatter(cast(perm, "int64"), {**where, last: perm}, order)


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Variable:
    """`x` with the elements of its last axis in the order `y`: a permutation, or one for each row. Raises TypeMismatch.

    >>> permute_row_elements([[1, 2], [3, 4]], [1, 0]).eval()
    array([[2, 1],
           [4, 3]])
    """
    x, y = as_variable(x), as_variable(y)
    order = inverse_permutation(y) if inverse else y
    last = x.type.ndim - 1
    return index.gather(x, {**_own_positions(x, 0), last: order})
