"""Products of tensors, all on top of the one matrix product.

>>> from symtensor.tensor.inputs import tensor
>>> a, b = tensor("float64", shape=("n", 3), name="a"), tensor("float64", shape=(3, "m"), name="b")
>>> dot(a, b).type, tensordot(a, a, [[0], [0]]).type, outer([1, 2], [3, 4, 5]).type
(TensorType(float64, (n, m)), TensorType(float64, (3, 3)), TensorType(int64, (2, 3)))
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.contract import Kron, MatMul
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import sum_axes
from symtensor.ops.scalar import mul
from symtensor.ops.shape import broadcast_to, dimshuffle, drop_axes, expand_dims, pad_left, reshape
from symtensor.ops.size import dimension, shape_of
from symtensor.tensor.arguments import axis_of, broadcast_sizes, product
from symtensor.tensor.manipulation import addbroadcast, concatenate, flatten, squeeze, transpose
from symtensor.tensor.reduction import mean, sum
from symtensor.types.dtype import promote

__all__ = ["dot", "matmul", "outer", "batched_dot", "tensordot", "batched_tensordot", "matrix_dot", "kron", "cov"]


def _one_dtype(a: Any, b: Any) -> list[Variable]:
    """Two operands as variables of the dtype they promote to."""
    pair = together([a, b])
    dtype = promote(*(v.type.dtype for v in pair))
    return [cast(v, dtype) for v in pair]


def dot(a: Any, b: Any) -> Variable:
    """The product of matrices and vectors: the last axis of `a` with the last but one of `b` (or its only one).

    A scalar operand multiplies. The result has the other axes of `a`, then those of `b`, and the dtype the operands
    promote to. Raises ShapeError for sizes that differ.

    >>> dot([[1.0, 2.0]], [3, 4]).eval()
    array([11.])
    """
    a, b = _one_dtype(a, b)
    if not a.type.ndim or not b.type.ndim:
        return a * b
    try:
        return contract(a, b, [a.type.ndim - 1], [max(b.type.ndim - 2, 0)])
    except ShapeError as error:
        error.fix = _transposed_fit(a, b) or error.fix
        raise


def _transposed_fit(a: Variable, b: Variable) -> str | None:
    """The product of the two matrices that would fit, if transposing one of them does it."""
    if a.type.ndim == b.type.ndim == 2 and a.type.shape[1] == b.type.shape[1]:
        return f"dot({a!r}, {b!r}.T)"
    if a.type.ndim == 2 and a.type.shape[0] == b.type.shape[0]:
        return f"dot({a!r}.T, {b!r})"
    return None


def contract(a: Variable, b: Variable, axes_a: Sequence[int], axes_b: Sequence[int], batch: int = 0) -> Variable:
    """Products of elements summed over pairs of axes; the first `batch` axes of both go together.

    The operands have one dtype; the result has the batch axes, the rest of a's, the rest of b's. Raises ShapeError.

    >>> a = as_variable([[1, 2, 3]])
    >>> contract(a, a, [1], [1]).type, contract(a, a, [1], [1], batch=1).type
    (TensorType(int64, (1, 1)), TensorType(int64, (1,)))
    """
    free_a = [axis for axis in range(batch, a.type.ndim) if axis not in axes_a]
    free_b = [axis for axis in range(batch, b.type.ndim) if axis not in axes_b]
    shared = list(range(batch))
    left = dimshuffle(a, [*shared, *free_a, *axes_a])
    right = dimshuffle(b, [*shared, *axes_b, *free_b])
    matrices = (free_a and free_b) or ((free_a or free_b) and not batch)
    if not matrices or not axes_a:
        return _sum_of_products(left, right, batch, len(axes_a))
    result = MatMul()(_as_matrices(left, batch, len(free_a)), _as_matrices(right, batch, len(axes_b)))
    if len(free_a) > 1 or len(free_b) > 1:
        sizes = [dimension(a, axis) for axis in [*shared, *free_a]] + [dimension(b, axis) for axis in free_b]
        return reshape(result, sizes)
    return drop_axes(result, [batch + place for place, free in enumerate((free_a, free_b)) if not free])


def _sum_of_products(a: Variable, b: Variable, batch: int, summed: int) -> Variable:
    """A contraction that is no matrix product, for want of rows, columns or axes to sum over: one fused loop."""
    rows, columns = a.type.ndim - batch - summed, b.type.ndim - batch - summed
    pairs = [(axis, axis) for axis in range(batch)] + [(batch + rows + k, batch + k) for k in range(summed)]
    a, b = (addbroadcast(a, *(p for p, q in pairs if b.type.shape[q] == 1)),  # a pair of axes must not broadcast
            addbroadcast(b, *(q for p, q in pairs if a.type.shape[p] == 1)))
    products = (expand_dims(a, range(a.type.ndim, a.type.ndim + columns))
                * expand_dims(b, range(batch, batch + rows)))
    return sum_axes(products, range(batch + rows, batch + rows + summed))


def _as_matrices(x: Variable, batch: int, rows: int) -> Variable:
    """The axes after the batch as two: the first `rows` of them, and the rest; size 1 for none."""
    sizes = shape_of(x)
    parts = sizes[batch:batch + rows], sizes[batch + rows:]
    if len(parts[0]) == len(parts[1]) == 1:
        return x
    if len(parts[0]) <= 1 and len(parts[1]) <= 1:
        return expand_dims(x, [batch + place for place, part in enumerate(parts) if not part])
    return reshape(x, [*sizes[:batch], *map(product, parts)])


def matmul(a: Any, b: Any) -> Variable:
    """The matrix product of the last two axes, those before broadcast as in NumPy; `a @ b`.

    A vector stands for a row on the left, for a column on the right. Raises TypeMismatch for scalars, ShapeError.

    >>> from symtensor.tensor.inputs import tensor
    >>> matmul(tensor("float64", shape=("n", 5, 2, 3)), tensor("float64", shape=(5, 3, 4))).type
    TensorType(float64, (n, 5, 2, 4))
    """
    a, b = _one_dtype(a, b)
    if not a.type.ndim or not b.type.ndim:
        raise complaint(TypeMismatch, "matmul: a scalar is not a matrix", a, b, fix="use a * b")
    if b.type.ndim <= 2 or a.type.ndim == 1 == b.type.ndim:
        return dot(a, b)
    if a.type.ndim == 1:
        product_of_row = matmul(expand_dims(a, [0]), b)
        return drop_axes(product_of_row, [product_of_row.type.ndim - 2])
    rank = max(a.type.ndim, b.type.ndim)
    sizes = batch_sizes(a, b)
    left, right = (broadcast_to(pad_left(v, rank - v.type.ndim), [*sizes, *shape_of(v)[-2:]]) for v in (a, b))
    return MatMul()(left, right)


def batch_sizes(a: Variable, b: Variable) -> list[Variable]:
    """The sizes of the axes before the last two of matrices, broadcast. Raises ShapeError."""
    return broadcast_sizes([a, b], without=2)


def outer(x: Any, y: Any) -> Variable:
    """The matrix of all products of an element of `x` and one of `y`; both are flattened.

    >>> outer([1, 2], [1.5, 2.5, 3.5]).eval()
    array([[1.5, 2.5, 3.5],
           [3. , 5. , 7. ]])
    """
    return expand_dims(flatten(x), [1]) * expand_dims(flatten(y), [0])


def batched_dot(a: Any, b: Any) -> Variable:
    """`dot` of `a[i]` and `b[i]` for every position i of their first axes. Raises TypeMismatch, ShapeError.

    >>> batched_dot([[1.0, 2.0]], [[[1.0], [1.0]]]).eval()
    array([[3.]])
    """
    a, b = _one_dtype(a, b)
    if not a.type.ndim or not b.type.ndim:
        raise complaint(TypeMismatch, "batched_dot: a scalar has no first axis", a, b, fix="use a * b")
    if a.type.ndim == 1 or b.type.ndim == 1:  # each a[i] or b[i] is a scalar
        rank = max(a.type.ndim, b.type.ndim)
        left, right = (expand_dims(v, range(v.type.ndim, v.type.ndim + rank - v.type.ndim)) for v in (a, b))
        return left * right
    return contract(a, b, [a.type.ndim - 1], [max(b.type.ndim - 2, 1)], batch=1)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Variable:
    """Products of elements of `a` and `b` summed over pairs of axes.

    `axes` is a number n, for the last n axes of `a` with the first n of `b`, or a pair of axes or sequences of axes.
    The result has the other axes of `a`, then those of `b`. Raises ShapeError.

    >>> tensordot([[1, 2, 3]], [[1, 2], [3, 4], [5, 6]], axes=1).eval()
    array([[22, 28]])
    """
    a, b = _one_dtype(a, b)
    axes_a, axes_b = _paired_axes(a, b, axes, 0, "tensordot")
    return contract(a, b, axes_a, axes_b)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Variable:
    """`tensordot` of `x[i]` and `y[i]` for every position i of their first axes; axes count with the first.

    Raises ShapeError.

    >>> batched_tensordot([[[1, 2]]], [[[1], [2]]], axes=[2, 1]).eval()
    array([[[5]]])
    """
    x, y = _one_dtype(x, y)
    axes_x, axes_y = _paired_axes(x, y, axes, 1, "batched_tensordot")
    return contract(x, y, axes_x, axes_y, batch=1)


def _paired_axes(a: Variable, b: Variable, axes: Any, batch: int, function: str) -> tuple[list[int], list[int]]:
    """The axes of a and of b that are summed together. Raises ShapeError."""
    if isinstance(axes, (int, np.integer)):
        most = min(a.type.ndim, b.type.ndim) - batch
        if not 0 <= axes <= most:
            raise complaint(ShapeError, f"{function}: there are no {axes} axes to sum over", a, b,
                            fix=f"a number from 0 to {most}")
        return list(range(a.type.ndim - axes, a.type.ndim)), list(range(batch, batch + axes))
    both = [list(np.atleast_1d(side)) for side in axes]
    if len(both) != 2 or len(both[0]) != len(both[1]):
        raise complaint(ShapeError, f"{function}: {axes} does not pair axes one to one", a, b,
                        fix="axes=[[axes of a], [axes of b]]")
    found = [axis_of(a, axis, function) for axis in both[0]], [axis_of(b, axis, function) for axis in both[1]]
    if any(len(set(side)) != len(side) or min(side, default=batch) < batch for side in found):
        raise complaint(ShapeError, f"{function}: {axes} names an axis twice, or that of the batch", a, b,
                        fix="name each axis to sum over once")
    return found


def matrix_dot(*args: Any) -> Variable:
    """The product of several matrices, from the left. Raises ShapeError.

    >>> matrix_dot([[1, 2]], [[1], [2]], [[5]]).eval()
    array([[25]])
    """
    return reduce(dot, args)


def kron(a: Any, b: Any) -> Variable:
    """The Kronecker product: `b` times every element of `a`, in blocks; of vectors, matrices or tensors, as in NumPy.

    >>> kron([[1, 2]], [[1], [2]]).eval()
    array([[1, 2],
           [2, 4]])
    """
    a, b = _one_dtype(a, b)
    if a.type.ndim == b.type.ndim == 2:
        return Kron()(a, b)
    rank = max(a.type.ndim, b.type.ndim)
    a, b = (pad_left(v, rank - v.type.ndim) for v in (a, b))
    blocks = (dimshuffle(a, [e for axis in range(rank) for e in (axis, "x")])
              * dimshuffle(b, [e for axis in range(rank) for e in ("x", axis)]))
    return reshape(blocks, [product([dimension(a, axis), dimension(b, axis)]) for axis in range(rank)])


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
        aweights: Any = None) -> Variable:
    """The covariances of variables observed together: a square matrix, or a scalar for one variable.

    Each row of `m` (column, with `rowvar` false) holds the observations of one variable, a vector those of one; `y` has
    more variables. `fweights` says how often each observation counts, `aweights` how much. Sums are divided by the
    weight less `ddof`, which is 1 unless `bias` is true. Raises ShapeError, TypeMismatch for more than two axes.

    >>> cov([[1.0, 2.0, 4.0], [3.0, 1.0, 2.0]]).eval()
    array([[ 2.33333333, -0.5       ],
           [-0.5       ,  1.        ]])
    """
    rows = [_variables_in_rows(v, rowvar) for v in (m, y) if v is not None]
    x = concatenate(rows) if y is not None else rows[0]
    freedom = ddof if ddof is not None else 0 if bias else 1
    weights = [as_variable(w) for w in (fweights, aweights) if w is not None]
    if not weights:
        centered = x - mean(x, 1, keepdims=True)
        return squeeze(dot(centered, transpose(centered)) / (dimension(x, 1) - freedom))
    weight = reduce(mul, weights)
    total = sum(weight)
    centered = x - expand_dims(dot(x, weight) / total, [1])
    lost = freedom * (sum(weight * weights[-1]) / total if aweights is not None else 1)
    return squeeze(dot(centered, transpose(centered * weight)) / (total - lost))


def _variables_in_rows(m: Any, rowvar: bool) -> Variable:
    m = as_variable(m)
    if m.type.ndim not in (1, 2):
        raise complaint(TypeMismatch, f"cov takes a vector or a matrix, not {m.type.ndim} axes", m,
                        fix="use flatten(m, 2)")
    if m.type.ndim == 1:
        return expand_dims(m, [0])
    return m if rowvar or m.type.shape[0] == 1 else transpose(m)
