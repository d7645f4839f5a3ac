"""What users know of a matrix and no rule could find out.

>>> a = Variable(TensorType("float64", (3, 3)), name="a")
>>> Assume(("symmetric",))(a).type
TensorType(float64, (3, 3))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Op, Variable, equal_sizes
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["Assume", "FACTS"]

FACTS = {
    "symmetric": "equal to its transpose",
    "positive_definite": "symmetric, with positive eigenvalues",
    "lower_triangular": "zeros above the diagonal",
    "upper_triangular": "zeros below the diagonal",
    "diagonal": "zeros beside the diagonal",
    "orthogonal": "its transpose is its inverse",
}
"""What may be assumed of square matrices, and what it means."""


class Assume(Op):
    """`x` with the promise that its square matrices are what `facts` say, which nobody checks; rules rely on it."""

    facts: tuple[str, ...]
    moves = True

    def infer(self, x: Variable) -> TensorType:
        for fact in self.facts:
            if fact not in FACTS:
                raise TypeMismatch(f"nothing is known of matrices that are {fact!r}", fix="one of " + ", ".join(FACTS))
        if x.type.ndim < 2:
            raise ShapeError("square matrices are needed")
        equal_sizes(x.type.shape[-2], x.type.shape[-1], "rows and columns of a square matrix")
        return x.type

    def evaluate(self, x: np.ndarray) -> Any:
        return x

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        return dy

    def element(self, index: tuple[Size, ...], x: Any) -> Any:
        """The same element."""
        return x.at(index)

    def __repr__(self) -> str:
        return f"assume[{', '.join(self.facts)}]"
