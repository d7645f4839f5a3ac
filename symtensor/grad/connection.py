"""Which variables depend on which by value.

Sizes, positions and what `stop_gradient` hides do not count: a change of them is not a small change of a value.

>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
>>> z = x + scalar.stop_gradient(y)
>>> y in connected([z]), z in dependents(applications([z]), [x])
(False, True)
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable

from symtensor.base.errors import DisconnectedInputError, GradientError
from symtensor.ir import provenance
from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Variable, describe
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.size import Dimension
from symtensor.types.dtype import CONTINUOUS

__all__ = ["connected", "dependents", "report_disconnected"]


def _connects(node: Apply, variable: Variable) -> bool:
    """Whether the outputs of a node depend on an input by value: not on sizes, positions, or what is cut off."""
    if isinstance(node.op, Elementwise):
        return node.op != scalar.stop_gradient
    if isinstance(node.op, Dimension):
        return False
    return variable.type.dtype in CONTINUOUS or all(v.type.dtype not in CONTINUOUS for v in node.outputs)


def connected(outputs: Iterable[Variable], stop: Container[Variable] = ()) -> set[Variable]:
    """The variables that `outputs` depend on by value, themselves included; the walk ends before `stop`.

    >>> from symtensor.types.tensor import TensorType
    >>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
    >>> y in connected([x + scalar.stop_gradient(y)])
    False
    """
    outputs = [v for v in outputs if v not in stop]
    reached = set(outputs)
    for node in reversed(applications(outputs, stop)):
        if any(v in reached for v in node.outputs):
            reached.update(v for v in node.inputs if v not in stop and _connects(node, v))
    return reached


def dependents(order: Iterable[Apply], wrt: Iterable[Variable]) -> set[Variable]:
    """The variables among the results of `order` that depend on one of `wrt` by value, and wrt themselves."""
    found = set(wrt)
    for node in order:
        if any(v in found and _connects(node, v) for v in node.inputs):
            found.update(node.outputs)
    return found


def report_disconnected(variable: Variable, policy: str, what: str) -> None:
    """Raise or warn that `variable` is what `what` says, or let it pass, as `policy` says."""
    if policy not in ("raise", "warn", "ignore"):
        raise GradientError(f"disconnected variables are not treated as {policy!r}",
                            fix='one of "raise", "warn", "ignore"')
    error = DisconnectedInputError(f"{variable!r} {what}", where=provenance.describe(variable.lines),
                                   operands=[describe(variable)],
                                   fix='leave it out, or pass "ignore" for a derivative of zero')
    if policy == "raise":
        raise error
    if policy == "warn":
        warnings.warn(str(error), stacklevel=4)
