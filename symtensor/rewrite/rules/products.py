"""The canonical form of products: each factor once, with its exponent; one constant; what is small first.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
>>> graph = Graph([x, y], [2.0 * x * y / (x * x) * 3.0])
>>> history = run_phase(graph, canonicalize)
>>> node = graph.outputs[0].owner
>>> node, node.inputs[1].owner
(mul(6.0, (y / x)), true_div(y, x))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.scalar import mul, neg, power, reciprocal, sqrt, square, true_div
from symtensor.rewrite.algebra import (
    ONE,
    Placed,
    by_shape,
    cost,
    flows_into,
    is_exact,
    literal,
    number,
    opens,
    rounded,
    user_of,
)
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types.dtype import FLOATS, INTEGERS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

_LARGEST_CHAIN = 64
"""Integer powers up to this are multiplied out."""
_LARGEST_BITS = 8192
"""Where exact constants grow beyond this, products stay as they are."""


_PRODUCTS = frozenset({"mul", "true_div", "neg", "square", "reciprocal", "power", "sqrt"})


@dataclass
class _Product:
    """A constant times factors with exponents."""

    root: Variable
    constant: Fraction = Fraction(1)
    factors: dict[Placed, Fraction] = field(default_factory=dict)
    leaves: list[Variable] = field(default_factory=list)
    constants: int = 0
    taken: int = 0
    signs: int = 0
    powers: int = 0
    divisions: int = 0
    has_power: bool = False

    @classmethod
    def of(cls, root: Variable, context: Context) -> _Product | None:
        """The product that `root` is, down to what others use too; None if it is zero."""
        total = cls(root)
        pending = [(Placed(root), ONE)]
        while pending:
            place, exponent = pending.pop()
            place = place.bare(context)
            parts = total._parts(place.variable, exponent) if flows_into(place.variable, root, context) else None
            if parts is None:
                total._leaf(place, exponent)
                if total.constant == 0 or total.constant.numerator.bit_length() > _LARGEST_BITS:
                    return None
            else:
                total.taken += 1
                pending += [(place.part(part), exponent * inner) for part, inner in reversed(parts)]
        return total

    @property
    def dtype(self) -> str:
        """The dtype of all factors."""
        return self.root.type.dtype

    def _parts(self, variable: Variable, exponent: Fraction) -> list[tuple[Variable, Fraction]] | None:
        node = variable.owner
        if node is None or exponent.denominator != 1:
            return None
        self.divisions += node.op in (true_div, reciprocal)
        if node.op is mul or node.op is true_div:
            return [(node.inputs[0], ONE), (node.inputs[1], ONE if node.op is mul else -ONE)]
        if node.op is neg:
            self.signs += 1
            self.constant *= (-1) ** int(exponent)
            return [(node.inputs[0], ONE)]
        degree = _degree(node)
        if degree is None or abs(degree * exponent) > _LARGEST_CHAIN:
            return None
        if self.dtype in INTEGERS and (degree.denominator != 1 or degree < 0):
            return None
        self.powers += 1
        self.has_power |= node.op is power
        return [(node.inputs[0], degree)]

    def _leaf(self, place: Placed, exponent: Fraction) -> None:
        self.leaves.append(place.variable)
        value = number(place.variable)
        if value == 0:
            self.constant = value
        elif value is not None and exponent.denominator == 1:
            self.constant *= value ** int(exponent)
            self.constants += 1
        else:
            self.constants += isinstance(place.variable, Constant)
            self.factors[place] = self.factors.get(place, Fraction(0)) + exponent

    @property
    def may_shrink(self) -> bool:
        """Whether another form might be cheaper than the one found."""
        regroups = len(self.factors) + (self.constants > 0) > 2 and len({v.value.type.shape for v in self.factors}) > 1
        repeated = len(self.leaves) > len(self.factors) + self.constants
        mixed = self.taken > 1 and self.signs + self.powers > 0
        return repeated or mixed or self.has_power or self.constants > 1 or regroups or self.divisions > 1

    def expression(self, multiplied_out: bool) -> Variable | None:
        """The product as an expression, with powers or without; None if the constant fits no number of the dtype."""
        constant = abs(self.constant) if abs(self.constant) == 1 else self.constant
        is_divisor = self.dtype in FLOATS and not is_exact(constant, self.dtype) and is_exact(1 / constant, self.dtype)
        factor = 1 / constant if is_divisor else constant
        if rounded(factor, self.dtype) is None:
            return None
        raise_to = _multiplied_out if multiplied_out else _raised
        raised = {raise_to(v.value, abs(e)): e < 0 for v, e in self.factors.items() if e}
        if factor != 1 or not raised:
            raised[literal(factor, self.dtype)] = is_divisor
        ordered = sorted(raised, key=lambda v: not isinstance(v, Constant))  # constants first, so that they fold
        groups = [[_Factor(v, raised[v]) for v in group] for group in by_shape(ordered)]
        joined = [reduce(_joined, _divisors_together(group)) for group in groups]
        total = reduce(_joined, joined)
        result = reciprocal(total.value) if total.is_divisor else total.value
        return neg(result) if self.constant == -1 else result


class _Factor(NamedTuple):
    """A factor and whether it divides."""

    value: Variable
    is_divisor: bool


def _joined(left: _Factor, right: _Factor) -> _Factor:
    """Both together: one division if they differ, which goes outwards if both divide."""
    if left.is_divisor == right.is_divisor:
        return _Factor(left.value * right.value, left.is_divisor)
    if left.is_divisor:
        left, right = right, left
    return _Factor(left.value / right.value, False)


def _divisors_together(group: list[_Factor]) -> list[_Factor]:
    """Factors of one shape with those that divide made one."""
    divisors = [factor for factor in group if factor.is_divisor]
    others = [factor for factor in group if not factor.is_divisor]
    return [*others, reduce(_joined, divisors)] if divisors else others


def _degree(node: Apply) -> Fraction | None:
    """The exponent of a node that is a power of its first input."""
    fixed = {square: Fraction(2), reciprocal: Fraction(-1), sqrt: Fraction(1, 2)}.get(node.op)  # type: ignore[call-overload]
    return number(node.inputs[1]) if node.op is power else fixed


def _raised(base: Variable, exponent: Fraction) -> Variable:
    """A positive power."""
    if exponent == 1:
        return base
    if exponent in (2, Fraction(1, 2)):
        return (square if exponent == 2 else sqrt)(base)
    return power(base, int(exponent) if exponent.denominator == 1 else float(exponent))


def _multiplied_out(base: Variable, exponent: Fraction) -> Variable:
    """A positive power as products and square roots, where it is a small number of halves."""
    whole, rest = divmod(exponent, 1)
    if rest not in (0, Fraction(1, 2)) or whole > _LARGEST_CHAIN:
        return _raised(base, exponent)
    result = sqrt(base) if rest else None
    factor, remaining = base, int(whole)
    while remaining:
        if remaining % 2:
            result = factor if result is None else factor * result
        remaining //= 2
        if remaining:
            factor = square(factor)
    return result  # type: ignore[return-value]


_ROOTS = [mul, true_div, neg, square, reciprocal, power]


@rewrite(canonicalize, ops=_ROOTS, keeps="real")
def collect_factors(node: Apply, context: Context) -> Variable | None:
    """A product with each factor once, if that is cheaper; only at the root of a product: the work is linear."""
    return _collected(node, context, multiplied_out=False)


@rewrite(specialize, ops=_ROOTS, keeps="real")
def multiply_out(node: Apply, context: Context) -> Variable | None:
    """A product with each factor once and small powers as products, if that is cheaper."""
    return _collected(node, context, multiplied_out=True)


def _collected(node: Apply, context: Context, multiplied_out: bool) -> Variable | None:
    (root,) = node.outputs
    if node.op is not power and node.inputs[0] is not node.inputs[-1] \
            and not any(opens(v, _PRODUCTS, context) for v in node.inputs):
        return None  # nothing to take apart
    if root.type.dtype not in FLOATS + INTEGERS or _is_inside(root, context):
        return None
    total = _Product.of(root, context)
    if total is None or not total.may_shrink:
        return None
    better = total.expression(multiplied_out)
    if better is None:
        return None
    return better if cost(better, total.leaves) < cost(root, total.leaves) else None


def _is_inside(root: Variable, context: Context) -> bool:
    user = user_of(root, context)
    if user is not None and user.op is power:
        exponent = number(user.inputs[1])
        return exponent is not None and exponent.denominator == 1
    return user is not None and user.op in (mul, true_div, neg, square, reciprocal)
