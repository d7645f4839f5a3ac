"""Which device a value is on: an op that means identity.

Types know no device. `transfer(x, "cuda0")` is x, on that device; the compiler places everything else, and puts in the
transfers that this takes (`symtensor/lower/placement.py`).

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> y = transfer(x, "cuda0")
>>> y, y.type == x.type, y.owner.op.evaluate(3.0)
(transfer[cuda0](x), True, 3.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Op, Variable
from symtensor.ops.convert import as_variable
from symtensor.types.tensor import TensorType

__all__ = ["PROCESSOR", "Transfer", "transfer", "untransferred"]

PROCESSOR = "cpu"


class Transfer(Op):
    """The value of its input, on `device`: "cpu", or the name of a device or of a context."""

    device: str

    def infer(self, x: Variable) -> TensorType:
        return x.type

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        return x

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Variable:
        return dy

    def pushforward(self, x: Variable, y: Variable, dx: Variable) -> Variable:  # type: ignore[override]
        return dx

    def __repr__(self) -> str:
        return f"transfer[{self.device}]"


def transfer(x: Any, target: str | None) -> Variable:
    """`x` on another device: "cpu", "cuda", "cuda1", the name of a context, or None for the device in use by default.

    Raises TypeMismatch for what is no name.
    """
    if target is not None and not isinstance(target, str):
        raise TypeMismatch(f"a device is given by its name, not by {target!r}", fix='"cpu", "cuda" or "cuda1"')
    return Transfer(target or "")(as_variable(x))  # type: ignore[no-any-return]


def untransferred(variable: Variable) -> Variable:
    """The variable whose value this is, wherever it was brought."""
    while variable.owner is not None and isinstance(variable.owner.op, Transfer):
        (variable,) = variable.owner.inputs
    return variable
