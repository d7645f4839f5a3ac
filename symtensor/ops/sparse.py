"""Products with sparse matrices in compressed form.

A compressed matrix of m rows is three vectors: `data`, the elements that are stored; `indices`, the column of each; and
`starts`, of m + 1 numbers: those of row i are at starts[i]...starts[i + 1] of the two others. Compressed by columns,
the same three are the transpose. The three products here are derivatives of each other, so more are not needed.

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.ir.node import Constant
>>> data, x = Variable(TensorType("float64", (None,))), Variable(TensorType("float64", (2, 1)))
>>> indices, starts = (Variable(TensorType("int32", (None,))) for _ in range(2))
>>> y = SparseDot()(data, indices, starts, x, Constant(2))
>>> evaluate([y], {data: [5.0, 2.0, 3.0], indices: [1, 0, 1], starts: [0, 1, 1, 3], x: [[1.0], [10.0]]})
[array([[50.],
       [ 0.],
       [32.]])]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import LinearAlgebraError, TypeMismatch
from symtensor.ir.node import Op, Variable, describe, equal_sizes
from symtensor.ir.routine import RoutineCall
from symtensor.ops.size import dimension, size_of
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS, NARROW
from symtensor.types.tensor import TensorType

__all__ = ["DAMAGED", "MEND", "SampledDot", "SparseDot", "SparseDotTransposed"]

DAMAGED = "the positions of a sparse matrix are not in order, or lie outside of it"
MEND = "give a matrix that passes scipy's check_format(full_check=True)"


class SparseDot(Op):
    """A x for a compressed matrix A of shape (m, n) and a matrix x of shape (n, k): data, indices, starts, x, n."""

    sizes_from = 4

    def infer(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable) -> TensorType:
        _check_compressed(indices, starts, data)
        _check_dense(x, data.type.dtype)
        equal_sizes(size_of(n), x.type.shape[0], "columns of the sparse matrix and rows of the dense one")
        return TensorType.of(data.type.dtype, (starts.type.shape[0] - 1, x.type.shape[1]))

    def evaluate(self, data: np.ndarray, indices: np.ndarray, starts: np.ndarray, x: np.ndarray, n: Any) -> Any:
        rows = _rows(self, indices, starts, len(x))
        result = np.zeros((len(starts) - 1, x.shape[1]), x.dtype)
        np.add.at(result, rows, data[:, None] * x[indices])
        return result

    def pullback(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable, y: Variable,
                 dy: Variable) -> Any:
        return (SampledDot()(indices, starts, dy, x), None, None,
                SparseDotTransposed()(data, indices, starts, dy, n), None)

    def routine(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable,
                y: Variable) -> RoutineCall:
        """Of the runtime."""
        inner, columns = x.type.shape
        return _call("sparse_dot", (indices, starts, data, x), y.type.shape[0], inner, columns, indices.type.shape[0])

    def __repr__(self) -> str:
        return "sparse_dot"


class SparseDotTransposed(Op):
    """A' x for a compressed matrix A of shape (m, n) and a matrix x of shape (m, k): data, indices, starts, x, n."""

    sizes_from = 4

    def infer(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable) -> TensorType:
        _check_compressed(indices, starts, data)
        _check_dense(x, data.type.dtype)
        equal_sizes(starts.type.shape[0] - 1, x.type.shape[0], "rows of the sparse matrix and of the dense one")
        return TensorType.of(data.type.dtype, (size_of(n), x.type.shape[1]))

    def evaluate(self, data: np.ndarray, indices: np.ndarray, starts: np.ndarray, x: np.ndarray, n: Any) -> Any:
        rows = _rows(self, indices, starts, int(n))
        result = np.zeros((int(n), x.shape[1]), x.dtype)
        np.add.at(result, indices, data[:, None] * x[rows])
        return result

    def pullback(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable, y: Variable,
                 dy: Variable) -> Any:
        return (SampledDot()(indices, starts, x, dy), None, None, SparseDot()(data, indices, starts, dy, n), None)

    def routine(self, data: Variable, indices: Variable, starts: Variable, x: Variable, n: Variable,
                y: Variable) -> RoutineCall:
        """Of the runtime."""
        rows, columns = x.type.shape
        return _call("sparse_dot_transposed", (indices, starts, data, x), rows, y.type.shape[0], columns,
                     indices.type.shape[0])

    def __repr__(self) -> str:
        return "sparse_dot_transposed"


class SampledDot(Op):
    """The elements of x y' that a compressed matrix of shape (m, n) has: indices, starts, x of (m, k), y of (n, k)."""

    def infer(self, indices: Variable, starts: Variable, x: Variable, y: Variable) -> TensorType:
        _check_compressed(indices, starts)
        _check_dense(x, y.type.dtype)
        _check_dense(y, x.type.dtype)
        equal_sizes(starts.type.shape[0] - 1, x.type.shape[0], "rows of the sparse matrix and of the dense one")
        equal_sizes(x.type.shape[1], y.type.shape[1], "columns of the dense matrices")
        return TensorType.of(x.type.dtype, (indices.type.shape[0],))

    def evaluate(self, indices: np.ndarray, starts: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
        rows = _rows(self, indices, starts, len(y))
        return np.einsum("ij,ij->i", x[rows], y[indices])

    def pullback(self, indices: Variable, starts: Variable, x: Variable, y: Variable, z: Variable,
                 dz: Variable) -> Any:
        n = dimension(y, 0)
        return (None, None, SparseDot()(dz, indices, starts, y, n), SparseDotTransposed()(dz, indices, starts, x, n))

    def routine(self, indices: Variable, starts: Variable, x: Variable, y: Variable, z: Variable) -> RoutineCall:
        """Of the runtime."""
        return _call("sampled_dot", (indices, starts, x, y), x.type.shape[0], y.type.shape[0], x.type.shape[1],
                     indices.type.shape[0])

    def __repr__(self) -> str:
        return "sampled_dot"


def _check_compressed(indices: Variable, starts: Variable, data: Variable | None = None) -> None:
    for v in (indices, starts):
        if v.type.ndim != 1 or v.type.dtype != "int32":
            raise TypeMismatch("indices and starts of a sparse matrix are vectors of int32", operands=[describe(v)])
    if data is not None:
        if data.type.ndim != 1:
            raise TypeMismatch("the elements of a sparse matrix are a vector", operands=[describe(data)])
        equal_sizes(data.type.shape[0], indices.type.shape[0], "elements and indices of the sparse matrix")


def _check_dense(x: Variable, dtype: str) -> None:
    if x.type.ndim != 2 or x.type.dtype != dtype or dtype not in FLOATS or dtype in NARROW:
        raise TypeMismatch(f"a dense matrix of {dtype} is needed, of float32 or float64", operands=[describe(x)],
                           fix="cast both to one dtype; give a vector a second axis")


def _rows(op: Op, indices: np.ndarray, starts: np.ndarray, columns: int) -> np.ndarray:
    """The row of each element. Raises LinearAlgebraError for positions that are none."""
    lengths = np.diff(starts)
    ordered = starts.size and starts[0] == 0 and starts[-1] == indices.size and (lengths >= 0).all()
    if not ordered or (indices.size and not 0 <= indices.min() <= indices.max() < columns):
        raise LinearAlgebraError(f"{op}: {DAMAGED}", fix=MEND)
    return np.repeat(np.arange(lengths.size), lengths)


def _call(name: str, operands: tuple[Variable, ...], m: Size, n: Size, k: Size, stored: Size) -> RoutineCall:
    return RoutineCall(name, operands, sizes=(m, n, k, stored), work=stored * (k + 1) + m * k, failure=DAMAGED,
                       fix=MEND)
