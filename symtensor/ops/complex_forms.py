"""What the scalar functions are of complex numbers: each as real ops on real and imaginary parts.

Generated code has no complex numbers, so these are what kernels compute. Values at zeros of either sign, infinities and
NaN, and the sides of branch cuts, are those of NumPy and of annex G of the C standard. Nothing here overflows or
cancels where the result does not, except in sums and products.

>>> inputs, outputs = scalar.mul.traced_parts("complex64")
>>> len(inputs), [v.type.dtype for v in outputs]
(4, ['float32', 'float32'])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.ops.complex_parts import complex_, conj, imag, real
from symtensor.ops.scalar import (
    abs_,
    arctan2,
    copysign,
    cos,
    eq,
    exp,
    expm1,
    ge,
    gt,
    hypot,
    isinf,
    isnan,
    le,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    neq,
    sin,
    sqrt,
    square,
    switch,
    tan,
)

__all__: list[str] = []

Parts = tuple[Any, Any]
LOG_2, HALF_PI = float(np.log(2)), float(np.pi / 2)
FAR = 2.0 ** 54
"""From here on 1 is nothing beside a number."""

complex_.define_parts(lambda x, y: (x, y))
real.define_parts(lambda x, y: x)
imag.define_parts(lambda x, y: y)
conj.define_parts(lambda x, y: (x, -y))
scalar.identity.define_parts(lambda x, y: (x, y))
scalar.stop_gradient.define_parts(lambda x, y: (x, y))
scalar.neg.define_parts(lambda x, y: (-x, -y))
scalar.add.define_parts(lambda a, b, c, d: (a + c, b + d))
scalar.sub.define_parts(lambda a, b, c, d: (a - c, b - d))
abs_.define_parts(lambda x, y: hypot(x, y))
switch.define_parts(lambda where, a, b, c, d: (switch(where, a, c), switch(where, b, d)))


# -- arithmetic -------------------------------------------------------------------------------------------

@scalar.mul.define_parts
def _times(a: Any, b: Any, c: Any, d: Any) -> Parts:
    return a * c - b * d, a * d + b * c


@scalar.square.define_parts
def _squared(x: Any, y: Any) -> Parts:
    return _times(x, y, x, y)


@scalar.true_div.define_parts
def _over(a: Any, b: Any, c: Any, d: Any) -> Parts:
    """Smith's algorithm, as NumPy has it: with the quotient of the divisor's parts, which is at most 1."""
    first = ge(abs_(c), abs_(d))
    zero = first & eq(c, 0)
    large, small = switch(first, c, d), switch(first, d, c)
    ratio = small / switch(zero, 1.0, large)
    scale = 1.0 / (switch(zero, 0.0, large) + small * ratio)
    p, q = switch(first, a, b), switch(first, b, a)
    x, y = switch(zero, a, p + q * ratio) * scale, switch(zero, b, q - p * ratio) * scale
    return x, switch(first, y, -y)


@scalar.reciprocal.define_parts
def _inverted(x: Any, y: Any) -> Parts:
    first = le(abs_(y), abs_(x))
    large, small = switch(first, x, y), switch(first, y, x)
    ratio = small / large
    scale = large + small * ratio
    return switch(first, 1.0, ratio) / scale, -switch(first, ratio, 1.0) / scale


@scalar.sign.define_parts
def _unit(x: Any, y: Any) -> Parts:
    size = hypot(x, y)
    zero, endless = eq(size, 0), isinf(size)
    return tuple(switch(endless, _endless_unit(own, other), switch(zero, 0.0, own / size))
                 for own, other in ((x, y), (y, x)))  # type: ignore[return-value]


def _endless_unit(own: Any, other: Any) -> Any:
    """A part of z / abs(z), where a part of z is infinite: NaN if both are."""
    return switch(isinf(own), switch(isinf(other), np.nan, copysign(1.0, own)), 0.0)


# -- comparison: NumPy's order is by the real parts, then by the imaginary ones -----------------------------

eq.define_parts(lambda a, b, c, d: eq(a, c) & eq(b, d))
neq.define_parts(lambda a, b, c, d: neq(a, c) | neq(b, d))
isnan.define_parts(lambda x, y: isnan(x) | isnan(y))
isinf.define_parts(lambda x, y: isinf(x) | isinf(y))


def _ordered(before: Callable[..., Any], last: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b, c, d: (before(a, c) & eq(b, b) & eq(d, d)) | (eq(a, c) & last(b, d))


for _op, _before in ((lt, lt), (le, lt), (gt, gt), (ge, gt)):
    _op.define_parts(_ordered(_before, _op))


def _chosen(order: Any) -> Callable[..., Parts]:
    def choose(a: Any, b: Any, c: Any, d: Any) -> Parts:
        left = _ordered(gt if order is ge else lt, order)(a, b, c, d) | isnan(a) | isnan(b)
        return switch(left, a, c), switch(left, b, d)
    return choose


maximum.define_parts(_chosen(ge))
minimum.define_parts(_chosen(le))


# -- exponentials -----------------------------------------------------------------------------------------

def _limit(x: Variable) -> float:
    """A number whose exponential is finite, and beyond which sinh and cosh are half of it."""
    return 88.0 if x.type.dtype == "float32" else 709.0


def _in_two(x: Any) -> Parts:
    """What to take from a number so that its exponential does not overflow, and the factor that makes up for it."""
    limit = _limit(x)
    far = gt(x, limit)
    return switch(far, limit, 0.0), switch(far, float(np.exp(limit)), 1.0)


@exp.define_parts
def _exp(x: Any, y: Any) -> Parts:
    less, factor = _in_two(x)
    size, c, s = exp(x - less), cos(y), sin(y)
    no_angle = isnan(c)
    c = switch(no_angle & isinf(x), 1.0, c)
    s = switch(no_angle & eq(x, -np.inf), 0.0, s)
    return size * c * factor, switch(eq(y, 0), y, size * s * factor)


@scalar.exp2.define_parts
def _exp2(x: Any, y: Any) -> Parts:
    return _exp(x * LOG_2, y * LOG_2)


@expm1.define_parts
def _expm1(x: Any, y: Any) -> Parts:
    half = sin(y * 0.5)
    return expm1(x) * cos(y) - half * half * 2, exp(x) * sin(y)


def _vanishing(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Whether x is not negative, and the exponential of a number or of its negative, which is at most 1."""
    right = ge(x, 0)
    return right, *_exp(switch(right, -x, x), switch(right, -y, y))


@scalar.sigmoid.define_parts
def _sigmoid(x: Any, y: Any) -> Parts:
    right, p, q = _vanishing(x, y)
    return _over(switch(right, 1.0, p), switch(right, 0.0, q), 1 + p, q)


# -- logarithms -------------------------------------------------------------------------------------------

def _log_of_size(x: Any, y: Any) -> Any:
    """log(abs(z)), near 1 too."""
    large, small = maximum(abs_(x), abs_(y)), minimum(abs_(x), abs_(y))
    near = gt(large, 0.5) & lt(large, 2.0)
    return switch(near, log1p((large - 1) * (large + 1) + square(small)) * 0.5, log(hypot(x, y)))


@log.define_parts
def _log(x: Any, y: Any) -> Parts:
    return _log_of_size(x, y), arctan2(y, x)


@log1p.define_parts
def _log1p(x: Any, y: Any) -> Parts:
    near = lt(abs_(x), 0.5) & lt(abs_(y), 1.0)
    size = switch(near, log1p(x * (x + 2) + square(y)) * 0.5, log(hypot(x + 1, y)))
    return size, arctan2(y, x + 1)


@scalar.softplus.define_parts
def _softplus(x: Any, y: Any) -> Parts:
    """log(1 + exp(z)), on the side of the cut where that is."""
    right, p, q = _vanishing(x, y)
    u, v = _log1p(p, q)
    return switch(right, x, 0.0) + u, switch(right, arctan2(sin(y), exp(-abs_(x)) + cos(y)), v)


def _to_base(base: float) -> Callable[..., Parts]:
    def log_to_base(x: Any, y: Any) -> Parts:
        u, v = _log(x, y)
        return u * float(1 / np.log(base)), v * float(1 / np.log(base))
    return log_to_base


scalar.log2.define_parts(_to_base(2))
scalar.log10.define_parts(_to_base(10))


# -- roots and powers -------------------------------------------------------------------------------------

@sqrt.define_parts
def _sqrt(x: Any, y: Any) -> Parts:
    """The root with a real part of at least 0, on the side of the cut where y is."""
    small = lt(maximum(abs_(x), abs_(y)), 1.0)
    down, up = switch(small, 2.0 ** 40, 2.0 ** -4), switch(small, 2.0 ** -20, 4.0)
    large = sqrt((abs_(x) * down + hypot(x * down, y * down)) * 0.5) * up
    large = switch(isinf(y), np.inf, large)
    other = switch(eq(large, 0) | isinf(y), abs_(y), abs_(y) * 0.5 / large)
    right = ge(x, 0) | isinf(y) | isnan(x)
    return switch(right, large, other), copysign(switch(right, other, large), y)


@scalar.power.define_parts
def _power(a: Any, b: Any, c: Any, d: Any) -> Parts:
    """Exact where the exponent is a small whole number: by repeated squares; else exp(w * log(z))."""
    whole = eq(d, 0) & lt(abs_(c), 100) & eq(scalar.floor(c), c)
    x, y = _exp(*_times_infinite(c, d, *_log(a, b)))
    p, q = _whole_power(a, b, switch(whole, abs_(c), 0.0))
    r, s = _over(1.0 + 0 * p, 0 * q, p, q)
    below, nothing = whole & lt(c, 0), eq(a, 0) & eq(b, 0)
    of_zero = switch(gt(c, 0), 0.0, np.nan)
    none = eq(c, 0) & eq(d, 0)
    x, y = (switch(below, inverse, switch(whole, power, general))
            for inverse, power, general in ((r, p, x), (s, q, y)))
    return (switch(none, 1.0, switch(nothing, of_zero, x)), switch(none, 0.0, switch(nothing, of_zero, y)))


def _times_infinite(a: Any, b: Any, c: Any, d: Any) -> Parts:
    """A product as annex G has it: infinite if a factor is, whatever its other part."""
    x, y = _times(a, b, c, d)
    products_overflow = isinf(a * c) | isinf(b * d) | isinf(a * d) | isinf(b * c)
    left, right = isinf(a) | isinf(b), isinf(c) | isinf(d)
    lost = isnan(x) & isnan(y) & (left | right | products_overflow)
    a, b = (_direction(part, left) for part in (a, b))
    c, d = (_direction(part, right) for part in (c, d))
    u, v = _times(a, b, c, d)
    return switch(lost, u * np.inf, x), switch(lost, v * np.inf, y)


def _direction(part: Any, infinite: Any) -> Any:
    """A part of a number, or if that is infinite of its direction; 0 for NaN."""
    part = switch(infinite, switch(isinf(part), 1.0, 0.0) * copysign(1.0, part), part)
    return switch(isnan(part), 0.0, part)


def _whole_power(a: Any, b: Any, n: Any) -> Parts:
    """z to the power n, a whole number of up to seven bits."""
    p, q = 1.0, 0.0  # type: Any, Any
    for bit in range(7):
        half = scalar.floor(n * 0.5)
        odd = neq(half * 2, n)
        r, s = _times(p, q, a, b) if bit else (a, b)
        p, q = switch(odd, r, p), switch(odd, s, q)
        a, b = _squared(a, b)
        n = half
    return p, q


# -- hyperbolic functions ---------------------------------------------------------------------------------
# A circular function is a hyperbolic one of i*z: with odd ones both are read with the parts exchanged.

def _exchanged(function: Callable[[Any, Any], Parts]) -> Callable[[Any, Any], Parts]:
    def exchanged(x: Any, y: Any) -> Parts:
        v, u = function(y, x)
        return u, v
    return exchanged


def _sinh_cosh(x: Any) -> tuple[Any, Any, Any]:
    """sinh and cosh of a real number, and a factor that both are to be multiplied by, with which they may overflow."""
    size = abs_(x)
    less, factor = _in_two(size)
    u = expm1(size - less)
    far = gt(less, 0)
    half = (u + 1) * 0.5
    s = switch(far, half, (u + u / (u + 1)) * 0.5)
    c = switch(far, half, 1 + u * u * 0.5 / (u + 1))
    return copysign(s, x), c, factor


def _turned(x: Any, size: Any, turn: Any) -> Any:
    """sinh(x) or cosh(x) times a sine or cosine. Where there is no angle, what is 0 or infinite stays so."""
    known = switch(isinf(x), np.inf, size)
    return switch(isnan(turn) & (isinf(x) | eq(size, 0)), known, size * turn)


@scalar.sinh.define_parts
def _sinh(x: Any, y: Any) -> Parts:
    s, c, factor = _sinh_cosh(x)
    return _turned(x, s, cos(y)) * factor, switch(eq(y, 0), y, c * sin(y) * factor)


@scalar.cosh.define_parts
def _cosh(x: Any, y: Any) -> Parts:
    s, c, factor = _sinh_cosh(x)
    across = switch(isnan(sin(y)) & eq(x, 0), x, s * sin(y))
    return _turned(x, c, cos(y)) * factor, switch(eq(y, 0), copysign(1.0, x) * y, across * factor)


@scalar.tanh.define_parts
def _tanh(x: Any, y: Any) -> Parts:
    """Kahan's formula: by tan(y) and sinh(x), which does not overflow where it counts."""
    far = gt(abs_(x), 22.0)
    near = switch(far, 0.0, x)
    s, c, _ = _sinh_cosh(near)
    t = tan(y)
    spread = 1 + square(t)
    below = 1 + spread * square(s)
    u, v = spread * c * s / below, t / below
    tail = sin(y) * cos(y) * 4 * exp(abs_(x) * -2)
    tail = switch(isinf(x), copysign(0.0, switch(isinf(y) | isnan(y), 1.0, t)), tail)
    u = switch(eq(x, 0), x, u)
    one = copysign(switch(isnan(t) & ~isinf(x), np.nan, 1.0), x)
    return switch(far, one, u), switch(eq(y, 0), y, switch(far, tail, v))


scalar.sin.define_parts(_exchanged(_sinh))
scalar.cos.define_parts(lambda x, y: _cosh(-y, x))
tan.define_parts(_exchanged(_tanh))


# -- inverse functions: Kahan's formulas, "Branch cuts for complex elementary functions", 1987 ---------------

def _log_of_twice(x: Any, y: Any) -> Any:
    """log(2 * abs(z)) of large numbers."""
    return log(hypot(x * 0.25, y * 0.25)) + 3 * LOG_2


def _is_far(x: Any, y: Any) -> Any:
    return ge(abs_(x), FAR) | ge(abs_(y), FAR)


def _beside_one(x: Any, y: Any) -> tuple[Parts, Parts]:
    """The roots of 1 - z and 1 + z."""
    return _sqrt(1 - x, -y), _sqrt(1 + x, y)


def _arcsin(x: Any, y: Any) -> Parts:
    (a, b), (c, d) = _beside_one(x, y)
    u, v = arctan2(x, a * c - b * d), scalar.arcsinh(a * d - b * c)
    far = _is_far(x, y)
    u, v = switch(far, arctan2(x, abs_(y)), u), switch(far, _log_of_twice(x, y), abs_(v))
    return switch(eq(x, 0), x, u), copysign(v, y)


scalar.arcsin.define_parts(_arcsin)
scalar.arcsinh.define_parts(_exchanged(_arcsin))


def _arccos(x: Any, y: Any) -> Parts:
    (a, b), (c, d) = _beside_one(x, y)
    far = _is_far(x, y)
    u, v = arctan2(a, c) * 2, abs_(scalar.arcsinh(b * c - a * d))
    u = switch(far, arctan2(abs_(y), x), u)
    return switch(eq(x, 0), HALF_PI, u), copysign(switch(far, _log_of_twice(x, y), v), -y)


@scalar.arccosh.define_parts
def _arccosh(x: Any, y: Any) -> Parts:
    """An arccos turned by a right angle, so that the real part is at least 0."""
    u, v = _arccos(x, y)
    return abs_(v), copysign(u, y)


scalar.arccos.define_parts(_arccos)


@scalar.arctanh.define_parts
def _arctanh(x: Any, y: Any) -> Parts:
    size = abs_(x)
    apart = hypot(1 - size, y)
    close = lt(apart, 1e-3)
    u = switch(close, log(sqrt(size) * 2 / apart) * 0.5, log1p(size * 4 / apart / apart) * 0.25)
    v = arctan2(y * 2, (1 - x) * (1 + x) - square(y)) * 0.5
    far = _is_far(x, y)
    length = hypot(x, y)
    u = switch(far, switch(isinf(length), 0.0, size / length / length), u)
    v = switch(far & ~isnan(y) & (isinf(y) | ~isnan(x)), copysign(HALF_PI, y), v)
    return switch(eq(x, 0), x, copysign(u, x)), switch(eq(y, 0) & lt(size, 1), y, v)


scalar.arctan.define_parts(_exchanged(_arctanh))
