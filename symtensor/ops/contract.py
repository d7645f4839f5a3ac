"""Products of matrices.

>>> from symtensor.types.tensor import TensorType
>>> a = Variable(TensorType("float32", (None, 3)), name="a")
>>> b = Variable(TensorType("float32", (3, 5)), name="b")
>>> MatMul()(a, b).type
TensorType(float32, (a.0, 5))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, equal_sizes
from symtensor.ops.shape import dimshuffle
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["MatMul", "Gemm", "matmul", "swap_last"]


def swap_last(x: Variable) -> Variable:
    """`x` with its last two axes exchanged."""
    axes = list(range(x.type.ndim))
    return dimshuffle(x, axes[:-2] + [axes[-1], axes[-2]])


def _product_shape(a: Variable, b: Variable, transpose_a: bool, transpose_b: bool) -> tuple[Size, ...]:
    if a.type.ndim != b.type.ndim or a.type.ndim < 2:
        raise ShapeError("matrices of one rank, at least 2, are multiplied")
    if a.type.dtype != b.type.dtype:
        raise TypeMismatch("matrices of one dtype are multiplied", fix="cast one of them")
    batch = [equal_sizes(x, y, f"sizes of batch axis {axis}")
             for axis, (x, y) in enumerate(zip(a.type.shape[:-2], b.type.shape[:-2]))]
    m, inner_a = a.type.shape[-2:][::-1] if transpose_a else a.type.shape[-2:]
    inner_b, n = b.type.shape[-2:][::-1] if transpose_b else b.type.shape[-2:]
    equal_sizes(inner_a, inner_b, "columns of the left and rows of the right matrix")
    return (*batch, m, n)


class MatMul(Op):
    """The matrix product of the last two axes; the axes before are a batch and must agree."""

    def infer(self, a: Variable, b: Variable) -> TensorType:
        return TensorType.of(a.type.dtype, _product_shape(a, b, False, False))

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return np.matmul(a, b)

    def pullback(self, a: Variable, b: Variable, c: Variable, dc: Variable) -> Any:
        return MatMul()(dc, swap_last(b)), MatMul()(swap_last(a), dc)

    def __repr__(self) -> str:
        return "matmul"


class Gemm(Op):
    """alpha * op(a) @ op(b) + beta * c, where op exchanges the last two axes if its flag is set.

    alpha and beta are scalars of the matrices' dtype. c is not read where beta is 0.
    """

    transpose_a: bool
    transpose_b: bool

    def infer(self, c: Variable, a: Variable, b: Variable, alpha: Variable, beta: Variable) -> TensorType:
        shape = _product_shape(a, b, self.transpose_a, self.transpose_b)
        if c.type.ndim != len(shape):
            raise ShapeError("c must have the rank of the product")
        for axis, (own, size) in enumerate(zip(c.type.shape, shape)):
            equal_sizes(own, size, f"size of axis {axis} of c and of the product")
        return TensorType.of(a.type.dtype, shape)

    def evaluate(self, c: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: Any, beta: Any) -> Any:
        a = np.swapaxes(a, -1, -2) if self.transpose_a else a
        b = np.swapaxes(b, -1, -2) if self.transpose_b else b
        with np.errstate(all="ignore"):
            product = alpha * np.matmul(a, b)
            return product if beta == 0 else product + beta * c

    def __repr__(self) -> str:
        return "gemm" + ("_ta" if self.transpose_a else "") + ("_tb" if self.transpose_b else "")


def matmul(a: Variable, b: Variable) -> Variable:
    """The matrix product; see MatMul."""
    return MatMul()(a, b)
