"""Products of matrices.

>>> from symtensor.types.tensor import TensorType
>>> a = Variable(TensorType("float32", (None, 3)), name="a")
>>> b = Variable(TensorType("float32", (3, 5)), name="b")
>>> MatMul()(a, b).type
TensorType(float32, (a.0, 5))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Op, Variable, equal_sizes
from symtensor.ir.routine import RoutineCall
from symtensor.ops.reduce import sum_axes
from symtensor.ops.shape import NEW, Broadcast, Dimshuffle, dimshuffle, expand_dims, reshape
from symtensor.ops.size import shape_of
from symtensor.types.dim import Size
from symtensor.types.dtype import CONTINUOUS, widened
from symtensor.types.tensor import TensorType

__all__ = ["MatMul", "Gemm", "Kron", "Matrices", "batch_of", "blocks_of", "matmul", "matrices_behind", "is_swap",
           "swap_last"]


def swap_last(x: Variable) -> Variable:
    """`x` with its last two axes exchanged."""
    axes = list(range(x.type.ndim))
    return dimshuffle(x, axes[:-2] + [axes[-1], axes[-2]])


def is_swap(variable: Variable) -> bool:
    """Whether a variable is another with its last two axes exchanged."""
    node = variable.owner
    if node is None or not isinstance(node.op, Dimshuffle) or variable.type.ndim != node.inputs[0].type.ndim:
        return False
    order, last = node.op.order, variable.type.ndim - 1
    return last >= 1 and order == (*range(last - 1), last, last - 1)


def batch_of(x: Variable) -> Size:
    """How many matrices the axes before the last two count."""
    return math.prod(x.type.shape[:-2], start=1)


class Matrices(NamedTuple):
    """What an operand of a library is in memory: `transposed` where its last two axes are exchanged, `one` where one
    matrix is meant for the whole batch."""

    variable: Variable
    transposed: bool
    one: bool


def matrices_behind(operand: Variable) -> Matrices:
    """The matrices that an operand only shows: libraries exchange axes and repeat a matrix without a copy."""
    variable, transposed, one = operand, False, False
    while variable.owner is not None:
        if _exchanges_axes(variable):
            transposed = not transposed
        elif _repeats_one(variable):
            one = True
        else:
            break
        variable = variable.owner.inputs[0]
    return Matrices(variable, transposed, one)


def _exchanges_axes(variable: Variable) -> bool:
    """Whether matrices are others with their axes exchanged, but for new axes of size 1 in the batch."""
    node = variable.owner
    if node is None or not isinstance(node.op, Dimshuffle) or NEW in node.op.order[-2:]:
        return False
    rank = node.inputs[0].type.ndim
    return [axis for axis in node.op.order if axis != NEW] == [*range(rank - 2), rank - 1, rank - 2]


def _repeats_one(variable: Variable) -> bool:
    """Whether a batch is one matrix again and again."""
    node, shape = variable.owner, variable.type.shape
    if node is None or not isinstance(node.op, Broadcast):
        return False
    inner = node.inputs[0].type.shape
    return len(inner) >= 2 and inner[-2:] == shape[-2:] and all(size == 1 for size in inner[:-2])


def _common_batch(a: Variable, b: Variable) -> list[Size]:
    """The sizes of the axes before the matrices; raises and states what must be the same of both."""
    if a.type.ndim != b.type.ndim or a.type.ndim < 2:
        raise ShapeError("matrices of one rank, at least 2, are multiplied")
    if a.type.dtype != b.type.dtype:
        raise TypeMismatch("matrices of one dtype are multiplied", fix="cast one of them")
    return [equal_sizes(x, y, f"sizes of batch axis {axis}")
            for axis, (x, y) in enumerate(zip(a.type.shape[:-2], b.type.shape[:-2]))]


def _product_shape(a: Variable, b: Variable) -> tuple[Size, ...]:
    batch = _common_batch(a, b)
    equal_sizes(a.type.shape[-1], b.type.shape[-2], "columns of the left and rows of the right matrix")
    return (*batch, a.type.shape[-2], b.type.shape[-1])


def _gemm(a: Variable, b: Variable, c: Variable, scalars: Sequence[Variable] = (),
          starts_from: Variable | None = None) -> RoutineCall | None:
    """The call for alpha a @ b + beta c; without scalars, for a @ b."""
    if c.type.dtype not in CONTINUOUS:
        return None
    left, right = matrices_behind(a), matrices_behind(b)
    m, k, n, batch = *a.type.shape[-2:], c.type.shape[-1], batch_of(c)
    return RoutineCall("gemm", (left.variable, right.variable, *scalars), sizes=(m, n, k, batch),
                       flags=(left.transposed, right.transposed, left.one, right.one), starts_from=starts_from,
                       work=m * n * k * batch)


class MatMul(Op):
    """The matrix product of the last two axes; the axes before are a batch and must agree."""

    def infer(self, a: Variable, b: Variable) -> TensorType:
        return TensorType.of(a.type.dtype, _product_shape(a, b))

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(np.matmul(widened(a), widened(b)), a.dtype)

    def pullback(self, a: Variable, b: Variable, c: Variable, dc: Variable) -> Any:
        return MatMul()(dc, swap_last(b)), MatMul()(swap_last(a), dc)

    def routine(self, a: Variable, b: Variable, c: Variable) -> RoutineCall | None:
        """The matrix product of BLAS or oneDNN."""
        return _gemm(a, b, c)

    def __repr__(self) -> str:
        return "matmul"


class Gemm(Op):
    """alpha * a @ b + beta * c, with matrices and scalars of one dtype. c is not read where beta is 0."""

    def infer(self, c: Variable, a: Variable, b: Variable, alpha: Variable, beta: Variable) -> TensorType:
        shape = _product_shape(a, b)
        if c.type.ndim != len(shape):
            raise ShapeError("c must have the rank of the product")
        for axis, (own, size) in enumerate(zip(c.type.shape, shape)):
            equal_sizes(own, size, f"size of axis {axis} of c and of the product")
        return TensorType.of(a.type.dtype, shape)

    def evaluate(self, c: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: Any, beta: Any) -> Any:
        with np.errstate(all="ignore"):
            left, right, own, scale, keep = map(widened, (a, b, c, alpha, beta))
            product = scale * np.matmul(left, right)
            return np.asarray(product if beta == 0 else product + keep * own, c.dtype)

    def routine(self, c: Variable, a: Variable, b: Variable, alpha: Variable, beta: Variable,
                result: Variable) -> RoutineCall | None:
        """The matrix product of BLAS or oneDNN, added to c in its place."""
        unread = isinstance(beta, Constant) and not beta.data.any()
        return _gemm(a, b, result, (alpha, beta), None if unread else c)

    def __repr__(self) -> str:
        return "gemm"


class Kron(Op):
    """The Kronecker product of matrices: the right one times every element of the left, in blocks.

    The axes before the last two are a batch and must agree. Rules know it as what it is, and make of the rest of them
    products of elements.
    """

    def infer(self, a: Variable, b: Variable) -> TensorType:
        batch = _common_batch(a, b)
        return TensorType.of(a.type.dtype, (*batch, *(x * y for x, y in zip(a.type.shape[-2:], b.type.shape[-2:]))))

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> Any:
        blocks = a[..., :, None, :, None] * b[..., None, :, None, :]
        return blocks.reshape(*blocks.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])

    def pullback(self, a: Variable, b: Variable, y: Variable, dy: Variable) -> Any:
        (m, n), (p, q) = shape_of(a)[-2:], shape_of(b)[-2:]
        last = a.type.ndim - 2
        blocks = reshape(dy, [*shape_of(a)[:-2], m, p, n, q])
        da = sum_axes(blocks * expand_dims(b, [last, last + 2]), [last + 1, last + 3])
        return da, sum_axes(blocks * expand_dims(a, [last + 1, last + 3]), [last, last + 2])

    def __repr__(self) -> str:
        return "kron"


def blocks_of(a: Variable, b: Variable) -> Variable:
    """The Kronecker product as products of elements."""
    last, sizes = a.type.ndim - 2, zip(shape_of(a)[-2:], shape_of(b)[-2:])
    blocks = expand_dims(a, [last + 1, last + 3]) * expand_dims(b, [last, last + 2])
    return reshape(blocks, [*shape_of(blocks)[:-4], *(x * y for x, y in sizes)])


def matmul(a: Variable, b: Variable) -> Variable:
    """The matrix product; see MatMul."""
    return MatMul()(a, b)
