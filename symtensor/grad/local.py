"""The derivative of one application: what its op's pullback gives, and the bodies of ops made from one.

>>> from symtensor.types.tensor import TensorType
>>> x, dy = (Variable(TensorType("float64", (None,)), name=name) for name in ("x", "dy"))
>>> pulled_back((x * 2).owner, [dy], wanted=[0])
[(dy * 2.0), None]
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import cache
from typing import Any

from symtensor.base.errors import GradientError
from symtensor.ir import provenance
from symtensor.ir.node import Apply, Masked, Op, Unknown, Variable, describe
from symtensor.ops.convert import together
from symtensor.ops.elementwise import Elementwise

__all__ = ["check_derivative", "expanded", "has_pullback", "pulled_back",
           "pushed_forward"]

Rule = Callable[[Apply, Sequence[Variable | None]], Sequence[Any]]


@cache
def _made_with_the_engine() -> dict[tuple[type[Op], str], Rule]:
    """Derivatives of ops that hold functions: they need the engine, which is built on this module."""
    from symtensor.grad import branches, loops
    return {**branches.RULES, **loops.RULES}


def has_pullback(op: type[Op]) -> bool:
    """Whether ops of a class have a derivative."""
    return op.pullback is not Op.pullback or (op, "pullback") in _made_with_the_engine()


def pulled_back(node: Apply, cotangents: Sequence[Variable | None], wanted: Container[int]) -> Sequence[Any]:
    """What the op's pullback gives, one entry for each input: None for those whose positions are not `wanted`.

    Raises GradientError where there is no derivative.
    """
    rule = _made_with_the_engine().get((type(node.op), "pullback"))
    if rule is not None:
        return rule(node, cotangents)
    try:
        results = node.op.pullback(*node.inputs, *node.outputs, *cotangents)  # type: ignore[arg-type]
    except NotImplementedError as error:
        raise GradientError(f"{node.op} has no derivative", where=provenance.describe(node.lines),
                            operands=map(describe, node.inputs),
                            fix="give its op a pullback, or wrap the operand in stop_gradient") from error
    if results is None:
        return [None] * len(node.inputs)
    several = [results] if isinstance(results, (Variable, Masked, Unknown)) else list(results)
    found = [result if position in wanted else None for position, result in enumerate(several)]
    for position, result in enumerate(found):
        if isinstance(result, Unknown):
            raise GradientError(f"{node.op} has no derivative by {node.inputs[position]!r}: {result.reason}",
                                where=provenance.describe(node.lines), operands=map(describe, node.inputs),
                                fix="wrap this operand in stop_gradient if it is held fixed")
    return found


def pushed_forward(node: Apply, tangents: Sequence[Variable | None]) -> Sequence[Any] | None:
    """What the op's pushforward gives, one entry for each output; None if the op has none of its own."""
    rule = _made_with_the_engine().get((type(node.op), "pushforward"))
    if rule is not None:
        return rule(node, tangents)
    if node.op.pushforward is None:
        return None
    results = node.op.pushforward(*node.inputs, *node.outputs, *tangents)
    return [results] if isinstance(results, (Variable, Masked)) else list(results)


def expanded(node: Apply) -> Variable | None:
    """The expression of an elementwise op that was made from a body and has no derivative of its own, else None."""
    op = node.op
    if not isinstance(op, Elementwise) or op.definition.body is None or op.definition.pullback is not None:
        return None
    return together([op.definition.body(*node.inputs)])[0]


def check_derivative(node: Apply, variable: Variable, cotangent: Variable) -> None:
    """Raise GradientError if what a pullback gave for an operand is not of its dtype and rank."""
    if cotangent.type.dtype != variable.type.dtype or cotangent.type.ndim != variable.type.ndim:
        raise GradientError(f"the pullback of {node.op} gave {cotangent.type.describe()} for the operand"
                            f" {describe(variable)}", where=provenance.describe(node.lines),
                            operands=map(describe, node.inputs),
                            fix=f"correct the pullback of {type(node.op).__name__}")
