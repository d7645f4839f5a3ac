"""Products with a few blocks of a matrix of blocks.

>>> import symtensor.tensor as T
>>> sparse_block_dot(T.ones((3, 4, 2, 5)), T.ones((1, 2, 2)), [[0, 2]], T.zeros((4, 5)), [[1, 3, 0]]).type
TensorType(float64, (1, 3, 5))
"""

from __future__ import annotations

from typing import Any

from symtensor.ir.node import Variable
from symtensor.ops.convert import as_variable
from symtensor.ops.index import gather
from symtensor.ops.shape import expand_dims
from symtensor.tensor.reduction import sum

__all__ = ["sparse_block_dot"]


def sparse_block_dot(W: Any, h: Any, inputIdx: Any, b: Any, outputIdx: Any) -> Variable:
    """For each row of a batch, the products of chosen blocks of inputs with those of the matrix that lead to chosen
    blocks of outputs, added up, and a bias.

    `W` is (input blocks, output blocks, size of an input block, of an output block), `h` (batch, chosen inputs, size),
    `b` (output blocks, size); `inputIdx` and `outputIdx` say for each row which blocks are chosen. Raises ShapeError,
    TypeMismatch.

    >>> sparse_block_dot([[[[2.0]], [[3.0]]]], [[[10.0]]], [[0]], [[1.0], [2.0]], [[1]]).eval()
    array([[[32.]]])
    """
    inputs, outputs = as_variable(inputIdx), as_variable(outputIdx)
    blocks = gather(as_variable(W), {0: expand_dims(inputs, [2]), 1: expand_dims(outputs, [1])})
    products = expand_dims(as_variable(h), [2, 4]) * blocks
    return sum(products, (1, 3)) + gather(as_variable(b), {0: outputs})
