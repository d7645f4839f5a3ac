"""Forms that keep their digits and do not overflow.

>>> one_minus_sigmoid
sub(1, sigmoid(x)) -> sigmoid(neg(x))
"""

from __future__ import annotations

from symtensor.ops.scalar import exp, expm1, log, log1p, sigmoid, softplus
from symtensor.rewrite.rule import rule
from symtensor.rewrite.rules import stabilize
from symtensor.types.dtype import FLOATS

# mypy: disable-error-code="no-untyped-def"

__all__: list[str] = []


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_one_plus_exp(x):
    """log(1 + exp(x)) overflows from 710 on."""
    return log(1 + exp(x)), softplus(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log1p_exp(x):
    """log1p(exp(x)) overflows from 710 on."""
    return log1p(exp(x)), softplus(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def log_one_plus(x):
    """log(1 + x) loses x below 1e-16; log1p does not."""
    return log(1 + x), log1p(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def exp_minus_one(x):
    """exp(x) - 1 loses x below 1e-16; expm1 does not."""
    return exp(x) - 1, expm1(x)


@rule(stabilize, keeps="nearer", dtypes=FLOATS)
def one_minus_sigmoid(x):
    """1 - sigmoid(x) loses all digits from x = 37 on."""
    return 1 - sigmoid(x), sigmoid(-x)
