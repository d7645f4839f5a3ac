"""The canonical form of products: each factor once, with its exponent; one constant; what is small first.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
>>> graph = Graph([x, y], [2.0 * x * y / (x * x) * 3.0])
>>> history = run_phase(graph, canonicalize)
>>> node = graph.outputs[0].owner
>>> node, node.inputs[0].owner
(true_div(mul, x), mul(6.0, y))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.scalar import mul, neg, power, reciprocal, sqrt, square, true_div
from symtensor.rewrite.algebra import cost, flows_into, is_exact, literal, number, rounded
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types.dtype import FLOATS, INTEGERS

__all__: list[str] = []

_LARGEST_CHAIN = 64
"""Integer powers up to this are multiplied out."""


@dataclass
class _Product:
    """A constant times factors with exponents."""

    root: Variable
    constant: Fraction = Fraction(1)
    factors: dict[Variable, Fraction] = field(default_factory=dict)
    leaves: list[Variable] = field(default_factory=list)
    constants: int = 0
    taken: int = 0
    signs: int = 0
    powers: int = 0
    has_power: bool = False

    @classmethod
    def of(cls, root: Variable, context: Context) -> _Product | None:
        """The product that `root` is, down to what others use too or has another shape; None if it is zero."""
        total = cls(root)
        pending = [(root, Fraction(1))]
        while pending:
            variable, exponent = pending.pop()
            parts = total._parts(variable, exponent) if flows_into(variable, root, context) else None
            if parts is None:
                if number(variable) == 0:
                    return None
                total._leaf(variable, exponent)
            else:
                total.taken += 1
                pending += [(part, exponent * inner) for part, inner in reversed(parts)]
        return total

    @property
    def dtype(self) -> str:
        """The dtype of all factors."""
        return self.root.type.dtype

    def _parts(self, variable: Variable, exponent: Fraction) -> list[tuple[Variable, Fraction]] | None:
        node = variable.owner
        if node is None or exponent.denominator != 1:
            return None
        if node.op is mul or node.op is true_div:
            return [(node.inputs[0], Fraction(1)), (node.inputs[1], Fraction(1 if node.op is mul else -1))]
        if node.op is neg:
            self.signs += 1
            self.constant *= (-1) ** int(exponent)
            return [(node.inputs[0], Fraction(1))]
        degree = _degree(node)
        if degree is None or (self.dtype in INTEGERS and (degree.denominator != 1 or degree < 0)):
            return None
        self.powers += 1
        self.has_power |= node.op is power
        return [(node.inputs[0], degree)]

    def _leaf(self, variable: Variable, exponent: Fraction) -> None:
        self.leaves.append(variable)
        value = number(variable)
        if value is not None and exponent.denominator == 1:
            self.constant *= value ** int(exponent)
            self.constants += 1
        else:
            self.constants += isinstance(variable, Constant)
            self.factors[variable] = self.factors.get(variable, Fraction(0)) + exponent

    @property
    def may_shrink(self) -> bool:
        """Whether another form might be cheaper than the one found."""
        small = sum(v.type.ndim == 0 for v in self.factors) if self.root.type.ndim else 0
        divisors = sum(e < 0 for e in self.factors.values())
        repeated = len(self.leaves) > len(self.factors) + self.constants
        mixed = self.taken > 1 and self.signs + self.powers > 0
        return repeated or mixed or self.has_power or self.constants > 1 or small > 1 or divisors > 1

    def expression(self) -> Variable | None:
        """The product as an expression; None if the constant fits no number of the dtype."""
        above = self._powers(1)
        below = self._powers(-1)
        constant = abs(self.constant) if abs(self.constant) == 1 else self.constant
        is_divisor = self.dtype in FLOATS and not is_exact(constant, self.dtype) and is_exact(1 / constant, self.dtype)
        if rounded(1 / constant if is_divisor else constant, self.dtype) is None:
            return None
        if is_divisor:
            below.insert(0, literal(1 / constant, self.dtype))
        elif constant != 1 or not (above or below):
            above.insert(0, literal(constant, self.dtype))
        result = self._quotient(above, below)
        return neg(result) if self.constant == -1 and constant == 1 else result

    def _powers(self, sign: int) -> list[Variable]:
        """The factors whose exponents have a sign, raised to them; constants first, so that they fold."""
        ordered = sorted(self.factors, key=lambda v: not isinstance(v, Constant))
        return [_raised(v, abs(self.factors[v])) for v in ordered if self.factors[v] * sign > 0]

    def _quotient(self, above: list[Variable], below: list[Variable]) -> Variable:
        if not below:
            return self._multiplied(above)
        if not above:
            return reciprocal(self._multiplied(below))  # type: ignore[no-any-return]
        return self._multiplied(above) / self._multiplied(below)

    def _multiplied(self, factors: list[Variable]) -> Variable:
        """Scalars are multiplied with each other first: that is done once, not for each element."""
        result: Variable | None = None
        for factor in sorted(factors, key=lambda v: v.type.ndim > 0):
            result = factor if result is None else result * factor
        assert result is not None
        return result


def _degree(node: Apply) -> Fraction | None:
    """The exponent of a node that is a power of its first input."""
    fixed = {square: Fraction(2), reciprocal: Fraction(-1), sqrt: Fraction(1, 2)}.get(node.op)  # type: ignore[call-overload]
    return number(node.inputs[1]) if node.op is power else fixed


def _raised(base: Variable, exponent: Fraction) -> Variable:
    """A positive power: multiplied out for small integers and halves."""
    whole, rest = divmod(exponent, 1)
    if rest not in (0, Fraction(1, 2)) or whole > _LARGEST_CHAIN:
        return power(base, float(exponent) if exponent.denominator > 1 else int(exponent))  # type: ignore[no-any-return]
    result = sqrt(base) if rest else None
    factor, remaining = base, int(whole)
    while remaining:
        if remaining % 2:
            result = factor if result is None else factor * result
        remaining //= 2
        if remaining:
            factor = square(factor)
    return result  # type: ignore[return-value]


@rewrite(canonicalize, specialize, ops=[mul, true_div, neg, square, reciprocal, power], keeps="real")
def collect_factors(node: Apply, context: Context) -> Variable | None:
    """A product with each factor once, if that is cheaper; only at the root of a product: the work is linear."""
    (root,) = node.outputs
    if root.type.dtype not in FLOATS + INTEGERS or _is_inside(root, context):
        return None
    total = _Product.of(root, context)
    if total is None or not total.may_shrink:
        return None
    better = total.expression()
    if better is None:
        return None
    return better if cost(better, total.leaves) < cost(root, total.leaves) else None


def _is_inside(root: Variable, context: Context) -> bool:
    user = context.sole_user(root)
    if user is None or user.outputs[0].type.shape != root.type.shape:
        return False
    if user.op is power:
        exponent = number(user.inputs[1])
        return exponent is not None and exponent.denominator == 1
    return user.op in (mul, true_div, neg, square, reciprocal)
