"""Cheaper forms, once nothing more is to be recognised.

>>> power_of_two
power(2, x) -> exp2(x)
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Variable
from symtensor.ops.scalar import exp, exp2, log, mul, power, true_div
from symtensor.rewrite.algebra import is_exact, literal, number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import specialize
from symtensor.types.dtype import FLOATS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


@rule(specialize, keeps="nearer", dtypes=FLOATS)
def power_of_two(x):
    """exp2 is the cheaper call."""
    return power(2, x), exp2(x)


@rewrite(specialize, ops=[exp], operands=[mul], keeps="real")
def exp_of_multiple_of_log(node: Apply, context: Context) -> Variable | None:
    """exp(c log(x)) is one call instead of two; small powers become products."""
    factors = node.inputs[0].owner.inputs  # type: ignore[union-attr]
    for factor, other in (factors, factors[::-1]):
        inner = other.owner
        if number(factor) is not None and inner is not None and inner.op is log:
            return power(inner.inputs[0], factor)
    return None


@rewrite(specialize, ops=[true_div])
def division_by_power_of_two(node: Apply, context: Context) -> Variable | None:
    """Multiplication by the reciprocal, where that is exact."""
    x, y = node.inputs
    value = number(y)
    if value is None or value == 0 or y.type.dtype not in FLOATS or not is_exact(1 / value, y.type.dtype):
        return None
    return x * literal(1 / value, y.type.dtype)
