"""What functions of `theano.tensor.nnet` do that those of `symtensor.tensor.nnet` do not.

>>> softmax([0.0, 0.0]).eval()
array([[0.5, 0.5]])
"""

from __future__ import annotations

from typing import Any

from symtensor.ir.node import Variable
from symtensor.ops.convert import as_variable
from symtensor.tensor import nnet

__all__ = ["softmax"]


def softmax(c: Any) -> Variable:
    """The softmax of each row of a matrix; a vector is a matrix of one row, and so is the result. Raises ShapeError.

    Theano announced that it would give a vector one day: programs written for it take row 0 of the matrix.
    """
    scores = as_variable(c)
    return nnet.softmax(scores if scores.type.ndim != 1 else scores[None])  # type: ignore[index]
