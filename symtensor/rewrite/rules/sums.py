"""The canonical form of sums: each term once, with its coefficient; one constant.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
>>> graph = Graph([x, y], [x + y - (x - 2 * y) + 1.0])
>>> history = run_phase(graph, canonicalize)
>>> node = graph.outputs[0].owner
>>> node, node.inputs[1].owner
(add(1.0, (3.0 * y)), mul(3.0, y))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.scalar import add, mul, neg, sub
from symtensor.rewrite.algebra import ONE, Placed, by_shape, cost, flows_into, literal, number, opens, rounded, user_of
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types.dtype import FLOATS, INTEGERS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


_SUMS = frozenset({"add", "sub", "neg", "mul"})


@dataclass
class _Sum:
    """A constant plus terms with coefficients."""

    dtype: str
    constant: Fraction = Fraction(0)
    terms: dict[Placed, Fraction] = field(default_factory=dict)
    leaves: list[Variable] = field(default_factory=list)
    constants: int = 0
    negations: int = 0

    @classmethod
    def of(cls, root: Variable, context: Context) -> _Sum:
        """The sum that `root` is, down to what others use too."""
        total = cls(root.type.dtype)
        pending = [(Placed(root), ONE)]
        while pending:
            place, coefficient = pending.pop()
            place = place.bare(context)
            parts = total._parts(place.variable) if flows_into(place.variable, root, context) else None
            if parts is None:
                total._leaf(place, coefficient)
            else:
                pending += [(place.part(part), coefficient * factor) for part, factor in reversed(parts)]
        return total

    def _parts(self, variable: Variable) -> list[tuple[Variable, Fraction]] | None:
        node = variable.owner
        if node is None:
            return None
        if node.op is add or node.op is sub:
            return [(node.inputs[0], ONE), (node.inputs[1], ONE if node.op is add else -ONE)]
        if node.op is neg:
            self.negations += 1
            return [(node.inputs[0], -ONE)]
        if node.op is mul:
            for factor, rest in (node.inputs, node.inputs[::-1]):
                value = number(factor)
                if value is not None:
                    return [(rest, value)]
        return None

    def _leaf(self, place: Placed, coefficient: Fraction) -> None:
        self.leaves.append(place.variable)
        value = number(place.variable)
        if value is not None:
            self.constant += coefficient * value
            self.constants += 1
        else:
            self.constants += isinstance(place.variable, Constant)
            self.terms[place] = self.terms.get(place, Fraction(0)) + coefficient

    @property
    def may_shrink(self) -> bool:
        """Whether another form might be cheaper than the one found."""
        repeated = len(self.leaves) > len(self.terms) + self.constants
        shapes = [place.value.type.shape for place in self.terms]
        regroups = len(set(shapes)) > 1 and len(shapes) > 2
        return repeated or regroups or self.constants > 1 or self.negations > 0 or 0 in self.terms.values()

    def expression(self) -> Variable | None:
        """The sum as an expression; None if a coefficient fits no number of the dtype."""
        terms = {place.value: c for place, c in self.terms.items() if c}
        if any(rounded(c, self.dtype) is None for c in (self.constant, *terms.values())):
            return None
        scaled = {self._scaled(v, abs(c)): c < 0 for v, c in terms.items()}
        if self.constant or not scaled:
            scaled[literal(abs(self.constant), self.dtype)] = self.constant < 0
        ordered = sorted(scaled, key=lambda v: not isinstance(v, Constant))  # constants first, so that they fold
        joined = [reduce(_joined, [_Signed(v, scaled[v]) for v in group]) for group in by_shape(ordered)]
        total = reduce(_joined, joined)
        return neg(total.value) if total.is_negative else total.value

    def _scaled(self, variable: Variable, coefficient: Fraction) -> Variable:
        return variable if coefficient == 1 else literal(coefficient, self.dtype) * variable


class _Signed(NamedTuple):
    """A summand and whether it is taken away."""

    value: Variable
    is_negative: bool


def _joined(left: _Signed, right: _Signed) -> _Signed:
    """Both together: the sign of either is used, and what is left of it goes outwards."""
    if left.is_negative == right.is_negative:
        return _Signed(left.value + right.value, left.is_negative)
    if left.is_negative:
        left, right = right, left
    return _Signed(left.value - right.value, False)


@rewrite(canonicalize, specialize, ops=[add, sub], keeps="real")
def collect_terms(node: Apply, context: Context) -> Variable | None:
    """A sum with each term once, if that is cheaper; only at the root of a sum, so that the work is linear."""
    (root,) = node.outputs
    left, right = node.inputs
    if left is not right and not _is_sum(left, context) and not _is_sum(right, context):
        return None  # nothing to take apart
    if root.type.dtype not in FLOATS + INTEGERS or _is_inside(root, context):
        return None
    total = _Sum.of(root, context)
    if not total.may_shrink:
        return None
    better = total.expression()
    if better is None:
        return None
    return better if cost(better, total.leaves) < cost(root, total.leaves) else None


def _is_sum(variable: Variable, context: Context) -> bool:
    """Whether an operand can be taken apart, or is a multiple by a number."""
    if not opens(variable, _SUMS, context):
        return False
    node = Placed(variable).bare(context).variable.owner
    return node.op is not mul or any(isinstance(v, Constant) for v in node.inputs)  # type: ignore[union-attr]


def _is_inside(root: Variable, context: Context) -> bool:
    """Whether a larger sum takes `root` apart, perhaps through a sign and a coefficient."""
    for _ in range(3):
        user = user_of(root, context)
        if user is None or user.op in (add, sub):
            return user is not None
        if user.op is not neg and not (user.op is mul and any(number(v) is not None for v in user.inputs)):
            return False
        root = user.outputs[0]
    return False
