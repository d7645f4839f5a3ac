"""Forms of elementwise expressions that keep their digits and do not overflow.

>>> one_minus_sigmoid
sub(1, sigmoid(x)) -> sigmoid(neg(x))
"""

from __future__ import annotations

import math

from symtensor.ir.node import Apply, Variable
from symtensor.ops.scalar import (
    abs_,
    cos,
    erf,
    erfc,
    exp,
    expm1,
    gt,
    log,
    log1p,
    minimum,
    power,
    reciprocal,
    sigmoid,
    sin,
    softplus,
    sqrt,
    square,
    switch,
    tanh,
)
from symtensor.rewrite.algebra import number
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import stabilize
from symtensor.types.dtype import FLOATS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


# -- log1p and expm1 --------------------------------------------------------------------------------------

@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_one_plus(x):
    """log(1 + x) loses x below 1e-16; log1p does not."""
    return log(1 + x), log1p(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_one_minus(x):
    """log(1 - x) loses x below 1e-16; log1p does not."""
    return log(1 - x), log1p(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def exp_minus_one(x):
    """exp(x) - 1 loses x below 1e-16; expm1 does not."""
    return exp(x) - 1, expm1(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_minus_exp(x):
    """1 - exp(x) loses x below 1e-16; expm1 does not."""
    return 1 - exp(x), -expm1(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_minus_cosine(x):
    """1 - cos(x) loses x below 1e-8."""
    return 1 - cos(x), 2 * square(sin(0.5 * x))


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def cosine_minus_one(x):
    """cos(x) - 1 loses x below 1e-8."""
    return cos(x) - 1, -2 * square(sin(0.5 * x))


# -- logarithms of powers ---------------------------------------------------------------------------------

@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_of_square(x):
    """The square may overflow or vanish."""
    return log(square(x)), 2 * log(abs_(x))


@rule(stabilize, keeps="real", dtypes=FLOATS)
def log_of_root(x):
    """One call instead of two."""
    return log(sqrt(x)), 0.5 * log(x)


@rule(stabilize, keeps="finite", dtypes=FLOATS)
def log_of_reciprocal(x):
    """The reciprocal may overflow or vanish; for -infinity the result becomes NaN."""
    return log(reciprocal(x)), -log(x)


@rewrite(stabilize, ops=[log], operands=[power], keeps="nearer", dtypes=FLOATS)
def log_of_power(node: Apply, context: Context) -> Variable | None:
    """The power may overflow or vanish."""
    base, exponent = node.inputs[0].owner.inputs  # type: ignore[union-attr]
    value = number(exponent)
    if value is None:
        return None
    return exponent * log(abs_(base) if value % 2 == 0 else base)


# -- tanh, before the more general rules for sigmoid -------------------------------------------------------

@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def tanh_from_exponentials(x):
    """exp(x) overflows from 710 on."""
    return (exp(x) - exp(-x)) / (exp(x) + exp(-x)), tanh(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def tanh_from_exponential(x):
    """exp(x) overflows from 710 on."""
    return expm1(x) / (1 + exp(x)), tanh(0.5 * x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def tanh_from_negated_exponential(x):
    """exp(x) overflows from 710 on."""
    return (-expm1(x)) / (1 + exp(x)), -tanh(0.5 * x)


# -- sigmoid and softplus ---------------------------------------------------------------------------------

@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def reciprocal_of_one_plus_exp(x):
    """exp(x) overflows from 710 on."""
    return reciprocal(1 + exp(x)), sigmoid(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def exp_over_one_plus_exp(x):
    """exp(x) overflows from 710 on."""
    return exp(x) / (1 + exp(x)), sigmoid(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def over_one_plus_exp(x, y):
    """exp(x) overflows from 710 on."""
    return y / (1 + exp(x)), y * sigmoid(-x)


def _only_use_of_sigmoid(x: Variable, context: Context) -> bool:
    """Whether sigmoid(x) itself is not needed: else the difference is cheaper."""
    whole = context.find(sigmoid, x)
    return whole is not None and context.uses(whole) == 1


@rule(stabilize, keeps="nearer", dtypes=FLOATS, when=_only_use_of_sigmoid)
def one_minus_sigmoid(x):
    """1 - sigmoid(x) loses all digits from x = 37 on."""
    return 1 - sigmoid(x), sigmoid(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS, when=_only_use_of_sigmoid)
def sigmoid_minus_one(x):
    """sigmoid(x) - 1 loses all digits from x = 37 on."""
    return sigmoid(x) - 1, -sigmoid(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log1p_of_exp(x):
    """exp(x) overflows from 710 on."""
    return log1p(exp(x)), softplus(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_of_sigmoid(x):
    """sigmoid(x) vanishes below -745."""
    return log(sigmoid(x)), -softplus(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log1p_of_minus_sigmoid(x):
    """sigmoid(x) is 1 from 37 on."""
    return log1p(-sigmoid(x)), -softplus(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def softplus_minus_itself(x):
    """softplus(x) - x loses all digits from 37 on."""
    return softplus(x) - x, softplus(-x)


# -- error function ---------------------------------------------------------------------------------------

@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_minus_erf(x):
    """1 - erf(x) loses all digits from 6 on."""
    return 1 - erf(x), erfc(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def erf_minus_one(x):
    """erf(x) - 1 loses all digits from 6 on."""
    return erf(x) - 1, -erfc(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_plus_erf(x):
    """1 + erf(x) loses all digits below -6."""
    return 1 + erf(x), erfc(-x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_minus_erfc(x):
    """1 - erfc(x) loses x below 1e-16."""
    return 1 - erfc(x), erf(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def erfc_minus_one(x):
    """erfc(x) - 1 loses x below 1e-16."""
    return erfc(x) - 1, -erf(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def two_minus_erfc(x):
    """2 - erfc(x) loses all digits below -6."""
    return 2 - erfc(x), erfc(-x)


def _log_erfc_from(x: Variable, start: float) -> Variable:
    """log(erfc(x)), from `start` on by the asymptotic series, whose terms there are below the rounding error."""
    u = reciprocal(2 * square(x))
    series = u * (u * (3 - u * (15 - 105 * u)) - 1)
    far = log1p(series) - square(x) - log(x) - 0.5 * math.log(math.pi)
    return switch(gt(x, start), far, log(erfc(minimum(x, start))))


def _is_not_cut(x: Variable) -> bool:
    return x.owner is None or x.owner.op is not minimum


@rule(stabilize, keeps="nearer", dtypes=["float64"], when=_is_not_cut)
def log_of_erfc(x):
    """erfc(x) vanishes from 26.6 on."""
    return log(erfc(x)), _log_erfc_from(x, 26.0)


@rule(stabilize, keeps="nearer", dtypes=["float32"], when=_is_not_cut)
def log_of_erfc_single(x):
    """erfc(x) vanishes from 9.2 on."""
    return log(erfc(x)), _log_erfc_from(x, 9.0)
