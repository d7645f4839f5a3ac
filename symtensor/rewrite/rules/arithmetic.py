"""Identities of arithmetic: zeros, ones, signs, powers, and functions that undo each other.

>>> times_one
mul(x, 1) -> x
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Variable
from symtensor.ops.elementwise import Cast, cast
from symtensor.ops.scalar import (
    abs_,
    add,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    ceil,
    cos,
    cosh,
    erf,
    exp,
    exp2,
    expm1,
    floor,
    log,
    log1p,
    log2,
    maximum,
    minimum,
    neg,
    power,
    reciprocal,
    round_half_away_from_zero,
    round_half_to_even,
    sin,
    sinh,
    sqrt,
    square,
    sub,
    tan,
    tanh,
    trunc,
)
from symtensor.rewrite.algebra import literal, number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import ANY, rewrite, rule
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types.dtype import BOOL, CONTINUOUS, DISCRETE, FLOATS, INTEGERS, SIGNED, fits

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

NUMBERS = INTEGERS + FLOATS


# -- zeros, ones ------------------------------------------------------------------------------------------

@rule(canonicalize, specialize, keeps="value")
def plus_zero(x):
    """-0.0 + 0.0 is 0.0: the sign of a zero may differ."""
    return x + 0, x


@rule(canonicalize, specialize, keeps="value")
def minus_zero(x):
    """Nothing is taken away."""
    return x - 0, x


@rule(canonicalize, specialize, keeps="value")
def zero_minus(x):
    """The sign of a zero may differ."""
    return 0 - x, -x


@rule(canonicalize, specialize, keeps="exact")
def times_one(x):
    """Nothing changes."""
    return x * 1, x


@rule(canonicalize, specialize, keeps="exact", dtypes=NUMBERS)
def times_minus_one(x):
    """The sign changes."""
    return x * -1, -x


@rule(canonicalize, specialize, keeps="exact")
def over_one(x):
    """Nothing changes."""
    return x / 1, x


@rule(canonicalize, specialize, keeps="exact")
def over_minus_one(x):
    """The sign changes."""
    return x / -1, -x


@rule(canonicalize, specialize, keeps="finite")
def times_zero(x):
    """infinity * 0 and NaN * 0 are NaN and become 0."""
    return x * 0, 0


@rule(canonicalize, specialize, keeps="finite")
def zero_over(x):
    """0 / 0 is NaN and becomes 0."""
    return 0 / x, 0


@rule(canonicalize, specialize, keeps="finite")
def difference_with_itself(x):
    """infinity - infinity and NaN - NaN are NaN and become 0."""
    return x - x, 0


@rule(canonicalize, specialize, keeps="finite")
def quotient_with_itself(x):
    """0 / 0 is NaN and becomes 1."""
    return x / x, 1


@rule(canonicalize, specialize, keeps="exact", dtypes=FLOATS)
def one_over(x):
    """One form for the reciprocal."""
    return 1 / x, reciprocal(x)


@rule(canonicalize, specialize, keeps="nearer")
def times_reciprocal(x, y):
    """One rounding instead of two."""
    return x * reciprocal(y), x / y


# -- signs ------------------------------------------------------------------------------------------------

@rule(canonicalize, specialize, keeps="exact")
def double_negation(x):
    """Negation undoes itself."""
    return neg(neg(x)), x


@rule(canonicalize, specialize, keeps="exact")
def minus_negation(x, y):
    """Taking away a negative adds."""
    return x - (-y), x + y


@rule(canonicalize, specialize, keeps="exact")
def plus_negation(x, y):
    """Adding a negative takes away."""
    return x + (-y), x - y


@rule(canonicalize, specialize, keeps="value")
def negated_difference(x, y):
    """The sign of a zero may differ."""
    return -(x - y), y - x


@rule(canonicalize, specialize, keeps="exact")
def product_of_negations(x, y):
    """Two signs cancel."""
    return (-x) * (-y), x * y


@rule(canonicalize, specialize, keeps="exact", dtypes=FLOATS)
def quotient_of_negations(x, y):
    """Two signs cancel."""
    return (-x) / (-y), x / y


def _as_wide(x: Variable, y: Variable) -> bool:
    """Whether negating x later is no more work."""
    return x.type.ndim >= y.type.ndim


@rule(canonicalize, keeps="exact", when=_as_wide)
def negation_in_product(x, y):
    """Signs go outwards, where they meet others."""
    return (-x) * y, -(x * y)


@rule(canonicalize, keeps="exact", when=_as_wide)
def negation_above(x, y):
    """Signs go outwards, where they meet others."""
    return (-x) / y, -(x / y)


@rule(canonicalize, keeps="exact", when=lambda x, y: _as_wide(y, x), dtypes=FLOATS)
def negation_below(x, y):
    """Signs go outwards, where they meet others."""
    return x / (-y), -(x / y)


@rule(canonicalize, specialize, keeps="exact", dtypes=SIGNED + CONTINUOUS)
def absolute_of_negation(x):
    """The sign does not count."""
    return abs_(-x), abs_(x)


@rule(canonicalize, specialize, keeps="exact", dtypes=NUMBERS)
def absolute_twice(x):
    """It has no sign to lose."""
    return abs_(abs_(x)), abs_(x)


@rule(canonicalize, specialize, keeps="exact", dtypes=FLOATS)
def absolute_of_square(x):
    """A square has no sign."""
    return abs_(square(x)), square(x)


@rule(canonicalize, specialize, keeps="exact")
def square_of_negation(x):
    """The sign does not count."""
    return square(-x), square(x)


@rule(canonicalize, specialize, keeps="exact", dtypes=NUMBERS)
def square_of_absolute(x):
    """The sign does not count."""
    return square(abs_(x)), square(x)


_ODD = [arcsin, arcsinh, arctan, arctanh, erf, sin, sinh, tan, tanh]


@rewrite(canonicalize, ops=_ODD, operands=[neg])
def odd_function_of_negation(node: Apply, context: Context) -> Variable | None:
    """Signs go outwards, where they meet others."""
    inner = node.inputs[0].owner
    return -node.op(inner.inputs[0])  # type: ignore[union-attr]


@rewrite(canonicalize, ops=[cos, cosh], operands=[neg])
def even_function_of_negation(node: Apply, context: Context) -> Variable | None:
    """The sign does not count."""
    inner = node.inputs[0].owner
    return node.op(inner.inputs[0])  # type: ignore[union-attr]


@rewrite(canonicalize, specialize, ops=[add, sub])
def negative_constant(node: Apply, context: Context) -> Variable | None:
    """x + (-3) is written x - 3, and x - (-3) is written x + 3."""
    x, y = node.inputs
    for left, right in ((x, y), (y, x)) if node.op is add else ((x, y),):
        value = number(right)
        if value is not None and value < 0 and right.type.dtype in NUMBERS and number(left) is None:
            opposite = literal(-value, right.type.dtype)
            return left - opposite if node.op is add else left + opposite
    return None


# -- powers -----------------------------------------------------------------------------------------------

@rule(canonicalize, specialize, keeps="exact")
def product_with_itself(x):
    """One operand less."""
    return x * x, square(x)


@rule(canonicalize, specialize, keeps="exact")
def first_power(x):
    """Nothing changes."""
    return power(x, 1), x


@rule(canonicalize, specialize, keeps="exact")
def zeroth_power(x):
    """1 even for NaN, as C and NumPy have it."""
    return power(x, 0), 1


@rule(canonicalize, specialize, keeps="exact")
def power_of_one(x):
    """1 even for NaN, as C and NumPy have it."""
    return power(1, x), 1


@rule(canonicalize, specialize, keeps="nearer")
def second_power(x):
    """A multiplication instead of a call."""
    return power(x, 2), square(x)


@rule(canonicalize, specialize, keeps="nearer", dtypes=FLOATS)
def minus_first_power(x):
    """A division instead of a call."""
    return power(x, -1), reciprocal(x)


@rule(canonicalize, specialize, keeps="finite", dtypes=FLOATS)
def half_power(x):
    """power(-infinity, 0.5) is infinity and becomes NaN."""
    return power(x, 0.5), sqrt(x)


@rule(canonicalize, specialize, keeps="finite", dtypes=FLOATS)
def minus_half_power(x):
    """power(-infinity, -0.5) is 0 and becomes NaN."""
    return power(x, -0.5), reciprocal(sqrt(x))


# -- functions that undo each other -----------------------------------------------------------------------

@rule(canonicalize, keeps="nearer", dtypes=FLOATS)
def root_of_square(x):
    """The square may overflow."""
    return sqrt(square(x)), abs_(x)


@rule(canonicalize, keeps="real")
def square_of_root(x):
    """NaN for x < 0 becomes x."""
    return square(sqrt(x)), x


@rule(canonicalize, keeps="real")
def reciprocal_twice(x):
    """Two roundings less."""
    return reciprocal(reciprocal(x)), x


@rule(canonicalize, keeps="real", dtypes=FLOATS)
def exp_of_log(x):
    """NaN for x < 0 becomes x."""
    return exp(log(x)), x


@rule(canonicalize, keeps="nearer", dtypes=FLOATS)
def log_of_exp(x):
    """exp(x) overflows from 710 on."""
    return log(exp(x)), x


@rule(canonicalize, keeps="real", dtypes=FLOATS)
def expm1_of_log1p(x):
    """NaN for x < -1 becomes x."""
    return expm1(log1p(x)), x


@rule(canonicalize, keeps="nearer", dtypes=FLOATS)
def log1p_of_expm1(x):
    """expm1(x) overflows from 710 on."""
    return log1p(expm1(x)), x


@rule(canonicalize, keeps="real", dtypes=FLOATS)
def exp2_of_log2(x):
    """NaN for x < 0 becomes x."""
    return exp2(log2(x)), x


@rule(canonicalize, keeps="nearer", dtypes=FLOATS)
def log2_of_exp2(x):
    """exp2(x) overflows from 1024 on."""
    return log2(exp2(x)), x


@rule(canonicalize, keeps="real", dtypes=FLOATS)
def sine_over_cosine(x):
    """One call instead of two and a division."""
    return sin(x) / cos(x), tan(x)


@rule(canonicalize, keeps="nearer", dtypes=FLOATS)
def hyperbolic_sine_over_cosine(x):
    """Both overflow from 710 on."""
    return sinh(x) / cosh(x), tanh(x)


@rule(canonicalize, keeps="finite", dtypes=FLOATS)
def circle(x):
    """The point (cos, sin) lies on the unit circle."""
    return square(sin(x)) + square(cos(x)), 1


# -- maximum, minimum, rounding ---------------------------------------------------------------------------

@rule(canonicalize, keeps="exact")
def maximum_with_itself(x):
    """Nothing to choose."""
    return maximum(x, x), x


@rule(canonicalize, keeps="exact")
def minimum_with_itself(x):
    """Nothing to choose."""
    return minimum(x, x), x


@rule(canonicalize, keeps="value")
def maximum_twice(x, y):
    """The second time changes nothing."""
    return maximum(maximum(x, y), y), maximum(x, y)


@rule(canonicalize, keeps="value")
def minimum_twice(x, y):
    """The second time changes nothing."""
    return minimum(minimum(x, y), y), minimum(x, y)


_ROUNDINGS = [floor, ceil, trunc, round_half_to_even, round_half_away_from_zero]


@rewrite(canonicalize, ops=_ROUNDINGS)
def rounding_of_whole_number(node: Apply, context: Context) -> Variable | None:
    """Integers, and what is rounded already, are whole."""
    (x,) = node.inputs
    is_whole = x.type.dtype in DISCRETE or (x.owner is not None and x.owner.op in _ROUNDINGS)
    return x if is_whole else None


# -- conversions ------------------------------------------------------------------------------------------

@rewrite(canonicalize, specialize, ops=[Cast], operands=[ANY])
def useless_cast(node: Apply, context: Context) -> Variable | None:
    """A value has its dtype already, or the dtype in between held every value."""
    (x,), wanted = node.inputs, node.outputs[0].type.dtype
    if x.type.dtype == wanted:
        return x
    inner = x.owner
    if inner is None or not isinstance(inner.op, Cast):
        return None
    source = inner.inputs[0]
    if source.type.dtype in BOOL or fits(source.type.dtype, x.type.dtype):
        return cast(source, wanted)
    return None
