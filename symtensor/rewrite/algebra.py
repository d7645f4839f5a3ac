"""What the canonical forms of sums and products share: constants as exact numbers, costs, flattening.

New axes are made as late as can be, so that they stand between the parts of a sum or product: these are `Placed`.

>>> from symtensor.ir.node import Constant
>>> number(Constant([0.5, 0.5])), rounded(Fraction(1, 3), "float32"), is_exact(Fraction(1, 3), "float32")
(Fraction(1, 2), 0.3333333432674408, False)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import NEW, Dimshuffle
from symtensor.rewrite.engine import Context
from symtensor.rewrite.pattern import uniform
from symtensor.types.dim import Size
from symtensor.types.dtype import FLOATS, limits, numpy_dtype

__all__ = ["ONE", "Placed", "number", "rounded", "is_exact", "literal", "flows_into", "opens", "user_of", "by_shape",
           "cost"]


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
    lost = not math.isfinite(near) or (value != 0 and abs(near) < float(limits(dtype).tiny))
    return None if lost else near


def is_exact(value: Fraction, dtype: str) -> bool:
    """Whether `value` is an element of `dtype`."""
    near = rounded(value, dtype)
    return near is not None and (dtype not in FLOATS or Fraction(near) == value)


def literal(value: Fraction, dtype: str) -> Constant:
    """A scalar constant; the value must have a rounding."""
    return Constant(np.asarray(rounded(value, dtype), dtype=numpy_dtype(dtype)))


def only_makes_axes(op: Op) -> bool:
    """Whether an op makes axes of size 1 and does nothing else."""
    if not isinstance(op, Dimshuffle):
        return False
    kept = [axis for axis in op.order if axis != NEW]
    return len(kept) < len(op.order) and kept == list(range(len(kept)))


@dataclass(frozen=True)
class Placed:
    """A part of a sum or product: a variable, with the order of a Dimshuffle that makes new axes if it has some."""

    variable: Variable
    order: tuple[int, ...] | None = None

    @property
    def value(self) -> Variable:
        """The variable with its new axes."""
        return self.variable if self.order is None else Dimshuffle(self.order)(self.variable)

    def part(self, operand: Variable) -> Placed:
        """An operand of what computes the variable, elementwise or by making axes: a part in its turn."""
        node = self.variable.owner
        assert node is not None
        order: tuple[int, ...] | None = self.order
        if only_makes_axes(node.op):
            made = node.op.order  # type: ignore[attr-defined]
            return Placed(operand, made if order is None else tuple(NEW if a == NEW else made[a] for a in order))
        missing = self.variable.type.ndim - operand.type.ndim
        if order is None or not operand.type.ndim:
            return Placed(operand)
        return Placed(operand, tuple(axis - missing if axis >= missing else NEW for axis in order))

    def bare(self, context: Context) -> Placed:
        """The same without new axes made for this part alone."""
        node = self.variable.owner
        if node is None or not only_makes_axes(node.op) or context.uses(self.variable) > 1:
            return self
        return self.part(node.inputs[0])


def flows_into(variable: Variable, root: Variable, context: Context) -> bool:
    """Whether `variable` exists only to compute `root`: it may be taken apart."""
    return variable is root or context.uses(variable) == 1


def opens(variable: Variable, ops: frozenset[str], context: Context) -> bool:
    """Whether a variable exists only for its one user, and one of the elementwise `ops` computes it."""
    variable = Placed(variable).bare(context).variable
    node = variable.owner
    return node is not None and getattr(node.op, "name", None) in ops and context.uses(variable) == 1


def user_of(variable: Variable, context: Context) -> Apply | None:
    """The node that uses a variable, perhaps with new axes, if there is only one."""
    user = context.sole_user(variable)
    return context.sole_user(user.outputs[0]) if user is not None and only_makes_axes(user.op) else user


def extent(variable: Variable) -> tuple[int, int]:
    """An order in which what has fewer elements comes first, as far as that is known."""
    return sum(size != 1 for size in variable.type.shape), variable.type.ndim


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
    return op.definition.cost if isinstance(op, Elementwise) else 0 if only_makes_axes(op) else 1
