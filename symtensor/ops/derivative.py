"""A mark on values that are differentiated in their own way, not by what computes them.

>>> x = Variable(TensorType("float64", ()), name="x")
>>> marked, = OwnDerivative(1, lambda inputs, outputs, cotangents: [cotangents[0] * 10]).make(x, x * x)
>>> from symtensor.grad.reverse import grad
>>> from symtensor.ir.interpret import evaluate
>>> evaluate([marked, grad(marked, x)], {x: 3.0})
[array(9.), array(10.)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symtensor.ir.graph import applications, substitute
from symtensor.ir.node import Op, Variable
from symtensor.types.tensor import TensorType

__all__ = ["OwnDerivative", "without_marks"]


class OwnDerivative(Op):
    """Of `count` inputs and the values computed from them, the values.

    `pull(inputs, values, cotangents)` gives the cotangents of the inputs, `push(inputs, values, tangents)` the tangents
    of the values; without it they come from `pull`. None is an exact zero.
    """

    count: int
    pull: Callable[..., Sequence[Variable | None]]
    push: Callable[..., Sequence[Variable | None]] | None = None

    def infer(self, *inputs: Variable) -> list[TensorType]:
        return [v.type for v in inputs[self.count:]]

    def evaluate(self, *values: np.ndarray) -> Any:
        return values[self.count:]

    def pullback(self, *values: Any) -> Any:
        made = (len(values) - self.count) // 3
        found = self.pull(values[:self.count], values[self.count:self.count + made], values[self.count + 2 * made:])
        return (*found, *(None,) * made)

    @property
    def pushforward(self) -> Any:  # type: ignore[override]
        """How tangents go, if that was said."""
        return None if self.push is None else self._pushed

    def _pushed(self, *values: Any) -> Any:
        # The inputs and values, the results, then the tangents of the inputs and values.
        made = (len(values) - 2 * self.count) // 3
        assert self.push is not None
        given, own = values[:self.count], values[self.count:self.count + made]
        return self.push(given, own, values[self.count + 2 * made:2 * (self.count + made)])

    def __repr__(self) -> str:
        return "own_derivative"


def without_marks(outputs: Sequence[Variable]) -> list[Variable]:
    """Expressions that are only to be computed: the values themselves.

    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> without_marks(OwnDerivative(1, lambda *values: [None]).make(x, -x))
    [(-x)]
    """
    while True:
        values = {v: value for node in applications(outputs) if isinstance(node.op, OwnDerivative)
                  for v, value in zip(node.outputs, node.inputs[node.op.count:])}
        if not values:
            return list(outputs)
        outputs = substitute(outputs, values)  # a value may be computed from others that have a mark
