"""What the canonical forms of sums and products share: constants as exact numbers, costs, flattening.

>>> from symtensor.ir.node import Constant
>>> number(Constant([0.5, 0.5])), rounded(Fraction(1, 3), "float32"), is_exact(Fraction(1, 3), "float32")
(Fraction(1, 2), 0.3333333432674408, False)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from symtensor.ir.graph import applications
from symtensor.ir.node import Constant, Op, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.rewrite.engine import Context
from symtensor.rewrite.pattern import uniform
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS, numpy_dtype

__all__ = ["ONE", "number", "rounded", "is_exact", "literal", "flows_into", "opens", "by_shape", "cost"]


ONE = Fraction(1)


def number(variable: Variable) -> Fraction | None:
    """The exact value of every element of a constant; None for variables, infinities, NaN, bools and complex."""
    value = uniform(variable)
    if value is None or isinstance(value, (bool, complex)) or not math.isfinite(value):
        return None
    return Fraction(value)


def rounded(value: Fraction, dtype: str) -> float | int | None:
    """The element of `dtype` nearest to `value`; None if there is none of its size, or only zero."""
    if dtype not in FLOATS:
        info = np.iinfo(dtype)
        span = int(info.max) - int(info.min) + 1
        return (int(value) - int(info.min)) % span + int(info.min) if value.denominator == 1 else None
    try:
        with np.errstate(over="ignore"):
            near = float(numpy_dtype(dtype).type(float(value)))
    except OverflowError:
        return None
    lost = not math.isfinite(near) or (value != 0 and abs(near) < np.finfo(dtype).tiny)
    return None if lost else near


def is_exact(value: Fraction, dtype: str) -> bool:
    """Whether `value` is an element of `dtype`."""
    near = rounded(value, dtype)
    return near is not None and (dtype not in FLOATS or Fraction(near) == value)


def literal(value: Fraction, dtype: str) -> Constant:
    """A scalar constant; the value must have a rounding."""
    return Constant(np.asarray(rounded(value, dtype), dtype=numpy_dtype(dtype)))


def flows_into(variable: Variable, root: Variable, context: Context) -> bool:
    """Whether `variable` exists only to compute `root`: it may be taken apart."""
    return variable is root or context.uses(variable) == 1


def extent(variable: Variable) -> tuple[int, int]:
    """An order in which what has fewer elements comes first, as far as that is known."""
    return sum(size != 1 for size in variable.type.shape), variable.type.ndim


def opens(variable: Variable, ops: frozenset[str], context: Context) -> bool:
    """Whether a variable exists only for its one user, and one of the elementwise `ops` computes it."""
    node = variable.owner
    return node is not None and getattr(node.op, "name", None) in ops and context.uses(variable) == 1


def by_shape(operands: Iterable[Variable]) -> list[list[Variable]]:
    """Operands in groups of one shape, small ones first: each group is combined before it meets larger ones."""
    groups: dict[tuple[Size, ...], list[Variable]] = {}
    for operand in operands:
        groups.setdefault(operand.type.shape, []).append(operand)
    return sorted(groups.values(), key=lambda group: extent(group[0]))


def cost(expression: Variable, leaves: Iterable[Variable]) -> tuple[int, int, int]:
    """What an expression takes: in its own shape, altogether, and how often leaves other than constants are read."""
    stop = set(leaves)
    whole, total, reads = 0, 0, 0
    for node in applications([expression], stop):
        price = price_of(node.op)
        total += price
        whole += price if node.outputs[0].type.shape == expression.type.shape else 0
        reads += sum(v in stop and not isinstance(v, Constant) for v in node.inputs)
    return whole, total, reads


def price_of(op: Op) -> int:
    """About how many additions an op costs for each element."""
    return op.definition.cost if isinstance(op, Elementwise) else 1
