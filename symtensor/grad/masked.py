"""The algebra of derivatives with exact zeros.

Where an op selects (switch, maximum, max over an axis), what was not selected has derivative zero, even where
its own slope is infinite: the derivative of `switch(x > 0, log(x), 0)` at 0 is 0, not 0 * inf. So a derivative is
a value and a mask; the mask rides along through elementwise ops and is applied where derivatives
meet or leave them. A derivative that is zero everywhere is None.

>>> from symtensor.ir.node import Variable
>>> from symtensor.types.tensor import TensorType
>>> value, where = Variable(TensorType("float64", (3,)), name="d"), Variable(TensorType("bool", (3,)), name="m")
>>> applied(Derivative(value, where)).owner
switch(m, d, 0.0)
>>> algebra = Algebra()
>>> algebra.total([Derivative(value, where), Derivative(value, scalar.invert(where))]).value.owner
switch(m, d, d)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symtensor.ir.node import Masked, Op, Variable
from symtensor.ops import scalar
from symtensor.ops.elementwise import zeros_like
from symtensor.ops.shape import broadcast_like

__all__ = ["Algebra", "Derivative", "applied", "full", "is_spread"]


@dataclass(frozen=True)
class Derivative:
    """`value` where `where` holds (everywhere if None), exactly zero elsewhere.

    `exact` says that value itself is zero there already, so that the mask need not be applied again.
    """

    value: Variable
    where: Variable | None = None
    exact: bool = False


def applied(derivative: Derivative) -> Variable:
    """The derivative as a plain variable: its mask applied."""
    if derivative.where is None or derivative.exact:
        return derivative.value
    value: Variable = scalar.switch(derivative.where, derivative.value, zeros_like(derivative.value))
    return value


def is_spread(x: Variable, y: Variable) -> bool:
    """Whether x broadcasts to the shape of y, rather than having it already."""
    return x.type.ndim != y.type.ndim or any(
        own == 1 and size != 1 for own, size in zip(x.type.shape, y.type.shape))


def full(x: Variable, template: Variable) -> Variable:
    """x, spread to the shape of `template` if it is not of that shape."""
    return broadcast_like(x, template) if is_spread(x, template) else x


class Algebra:
    """Sums and restrictions of derivatives; equal masks are made one, so that they are known to be equal."""

    def __init__(self) -> None:
        self._masks: dict[tuple[Op, tuple[Variable, ...]], Variable] = {}

    def _one(self, mask: Variable) -> Variable:
        owner = mask.owner
        return mask if owner is None else self._masks.setdefault((owner.op, owner.inputs), mask)

    def carried(self, result: Any, source: Derivative | None = None) -> Derivative | None:
        """What an op gave, under its own mask; if it made that elementwise from the value of `source`, under both."""
        if result is None:
            return None
        if source is None:
            source = Derivative(result.value if isinstance(result, Masked) else result)
        if not isinstance(result, Masked):
            return Derivative(result, source.where, source.exact and result is source.value)
        own = self._one(result.where)
        if source.where is None:
            return Derivative(result.value, own)
        return Derivative(result.value, self._one(scalar.and_(source.where, own)))

    def total(self, parts: Sequence[Derivative]) -> Derivative:
        """The sum. Lanes where every part is an exact zero stay exact zeros."""
        by_mask: dict[Variable | None, Derivative] = {}
        for part in parts:
            found = by_mask.get(part.where)
            by_mask[part.where] = part if found is None else Derivative(
                scalar.add.make(found.value, part.value)[0], part.where, found.exact and part.exact)
        sums = list(by_mask.values())
        result = sums[0]
        for other in sums[1:]:
            result = self._sum(result, other)
        return result

    def _sum(self, left: Derivative, right: Derivative) -> Derivative:
        if left.where is None or right.where is None:
            return Derivative(applied(left) + applied(right))
        if _is_inverse(right.where, left.where):
            return Derivative(scalar.switch(left.where, left.value, right.value))
        if _is_inverse(left.where, right.where):
            return Derivative(scalar.switch(right.where, right.value, left.value))
        either = self._one(scalar.or_(left.where, right.where))
        return Derivative(applied(left) + applied(right), either, exact=True)


def _is_inverse(mask: Variable, other: Variable) -> bool:
    return mask.owner is not None and mask.owner.op == scalar.invert and mask.owner.inputs[0] is other
