"""From a Python function of variables to a function of the IR.

What an expression takes from outside is captured where it enters: whatever does not depend on the parameters is
computed once, outside.

>>> import symtensor.tensor as T
>>> x, w = T.dvector("x"), T.dmatrix("w")
>>> step, captured = closed([x], [x + T.exp(w).sum(axis=0)])
>>> step.parameters, captured
([x, sum(exp(w), axis=0)], [sum(exp(w), axis=0)])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symtensor.ir.function import Function, captured, enclosed
from symtensor.ir.graph import applications
from symtensor.ir.node import Variable
from symtensor.ops.branch import lazily

__all__ = ["closed", "dependent"]


def dependent(parameters: Iterable[Variable], results: Sequence[Variable]) -> set[Variable]:
    """The variables that `results` are computed from and that depend on `parameters`, these included."""
    inside = set(parameters)
    for node in applications(results, set(inside)):
        if any(v in inside for v in node.inputs):
            inside.update(node.outputs)
    return inside


def closed(parameters: Sequence[Variable], results: Sequence[Variable]) -> tuple[Function, list[Variable]]:
    """The function from `parameters`, and then from what it captures, to `results`; and what it captures."""
    others = captured(results, dependent(parameters, results))
    return enclosed([*parameters, *others], lazily(results, {*parameters, *others})), others
