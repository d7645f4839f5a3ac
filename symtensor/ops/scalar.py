"""The table of primitive scalar functions: value, C text and derivative of each, side by side.

>>> from symtensor.ops.convert import as_variable
>>> exp(as_variable(0)).type.dtype, add.commutative
('float32', True)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symtensor.ir.node import Masked, Variable
from symtensor.ops.complex_parts import conjugate, real_part
from symtensor.ops.elementwise import primitive
from symtensor.types.dtype import COMPLEX, kind_of

__all__ = [
    "add", "sub", "mul", "true_div", "floor_div", "mod", "power", "neg", "abs_", "sign", "reciprocal", "square", "sqrt",
    "floor", "ceil", "trunc", "round_half_to_even", "round_half_away_from_zero", "exp", "exp2", "expm1", "log", "log2",
    "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "copysign", "sinh", "cosh",
    "tanh", "arcsinh", "arccosh", "arctanh", "erf", "erfc", "sigmoid", "softplus", "eq", "neq", "lt", "le", "gt", "ge",
    "isnan", "isinf", "and_", "or_", "xor", "invert", "switch", "maximum", "minimum", "identity", "stop_gradient",
    "wrap_index",
]


def _special(name: str) -> Callable[..., Any]:
    """A function of scipy.special whose result is brought back to the dtype of its first argument."""
    def call(*values: Any) -> Any:
        import scipy.special  # heavy to import and seldom needed
        return np.asarray(getattr(scipy.special, name)(*values)).astype(np.asarray(values[0]).dtype)
    return call


def _rounding(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A NumPy function that rounds floats, as one that leaves integers and bools as they are."""
    def call(x: Any) -> Any:
        return function(x) if kind_of(np.asarray(x).dtype) in "fc" else np.array(x)
    return call


# -- arithmetic -------------------------------------------------------------------------------------------

add = primitive("add", 2, "same", np.add, "({0} + {1})", "Sum; of bools, or.", c_bool="({0} | {1})",
                commutative=True, associative=True, identity=0)
sub = primitive("sub", 2, "arithmetic", np.subtract, "({0} - {1})", "Difference.")
mul = primitive("mul", 2, "same", np.multiply, "({0} * {1})", "Product; of bools, and.", c_bool="({0} & {1})",
                commutative=True, associative=True, identity=1)
true_div = primitive("true_div", 2, "division", np.true_divide, "({0} / {1})", "Quotient as a float.", cost=4)
neg = primitive("neg", 1, "arithmetic", np.negative, "(-{0})", "Negation.")
reciprocal = primitive("reciprocal", 1, "float", np.reciprocal, "(1 / {0})", "1 / x.", cost=4)
square = primitive("square", 1, "same", lambda x: np.multiply(x, x), "({0} * {0})", "x * x.")
sqrt = primitive("sqrt", 1, "float", np.sqrt, "sqrt{f}({0})", "Square root; NaN below zero.", cost=5)


def _floor_div(x: Any, y: Any) -> Any:
    return np.where(y == 0, 0, np.floor_divide(x, np.where(y == 0, 1, y))).astype(np.asarray(x).dtype) \
        if kind_of(np.asarray(x).dtype) in "iu" else np.floor_divide(x, y)


def _mod(x: Any, y: Any) -> Any:
    return np.where(y == 0, 0, np.mod(x, np.where(y == 0, 1, y))).astype(np.asarray(x).dtype) \
        if kind_of(np.asarray(x).dtype) in "iu" else np.mod(x, y)


floor_div = primitive("floor_div", 2, "arithmetic", _floor_div, "floor_div{s}({0}, {1})",
                      "Quotient rounded down; for integers, 0 where the divisor is 0.", cost=8, jumps=True)
mod = primitive("mod", 2, "arithmetic", _mod, "modulo{s}({0}, {1})",
                "Remainder with the sign of the divisor; for integers, 0 where the divisor is 0.", cost=8, jumps=True)


def _power(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    if kind_of(y.dtype) == "i":
        whole = np.power(x, np.maximum(y, 0))
        unit = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y % 2), 0))
        return np.where(y < 0, unit, whole).astype(x.dtype)
    return np.power(x, y)


power = primitive("power", 2, "arithmetic", _power, "pow{f}({0}, {1})",
                  "x to the power y; for integers, 0 where y < 0 unless x is 1 or -1.",
                  c_integer="integer_power{s}({0}, {1})", cost=25)
abs_ = primitive("abs", 1, "real", np.abs, "fabs{f}({0})", "Absolute value; the modulus of complex.",
                 c_integer="({0} < 0 ? -{0} : {0})")
sign = primitive("sign", 1, "arithmetic", np.sign, "(({0} > 0) - ({0} < 0) + ({0} != {0} ? {0} : 0))",
                 "-1, 0 or 1; NaN of NaN.", c_integer="(({0} > 0) - ({0} < 0))", jumps=True)
maximum = primitive("maximum", 2, "same", np.maximum, "(({0} > {1}) | ({0} != {0}) ? {0} : {1})",
                    "The larger; NaN if either is.", c_integer="({0} > {1} ? {0} : {1})",
                    commutative=True, associative=True)
minimum = primitive("minimum", 2, "same", np.minimum, "(({0} < {1}) | ({0} != {0}) ? {0} : {1})",
                    "The smaller; NaN if either is.", c_integer="({0} < {1} ? {0} : {1})",
                    commutative=True, associative=True)

# -- rounding ---------------------------------------------------------------------------------------------

floor = primitive("floor", 1, "same", _rounding(np.floor), "floor{f}({0})", "Rounded down.", c_integer="{0}",
                  jumps=True)
ceil = primitive("ceil", 1, "same", _rounding(np.ceil), "ceil{f}({0})", "Rounded up.", c_integer="{0}", jumps=True)
trunc = primitive("trunc", 1, "same", _rounding(np.trunc), "trunc{f}({0})", "Rounded to zero.", c_integer="{0}",
                  jumps=True)
round_half_to_even = primitive("round_half_to_even", 1, "same", _rounding(np.rint), "rint{f}({0})",
                               "Rounded to the nearest, halves to even.", c_integer="{0}", jumps=True)
round_half_away_from_zero = primitive(
    "round_half_away_from_zero", 1, "same",
    _rounding(lambda x: np.trunc(x) + np.sign(x) * (np.abs(x - np.trunc(x)) >= 0.5)),
    "round{f}({0})", "Rounded to the nearest, halves away from zero.", c_integer="{0}", jumps=True)

# -- exponentials and logarithms --------------------------------------------------------------------------

exp = primitive("exp", 1, "float", np.exp, "exp{s}({0})", "e to the x.", cost=15)
exp2 = primitive("exp2", 1, "float", np.exp2, "exp2{f}({0})", "2 to the x.", cost=15)
expm1 = primitive("expm1", 1, "float", np.expm1, "expm1{f}({0})", "exp(x) - 1, near 0 too.", cost=20)
log = primitive("log", 1, "float", np.log, "log{f}({0})", "Natural logarithm; NaN below zero.", cost=15)
log2 = primitive("log2", 1, "float", np.log2, "log2{f}({0})", "Logarithm to base 2.", cost=15)
log10 = primitive("log10", 1, "float", np.log10, "log10{f}({0})", "Logarithm to base 10.", cost=15)


def _log1p(x: Any) -> Any:
    if kind_of(np.asarray(x).dtype) != "c":
        return np.log1p(x)
    near = (abs(x.real) < 0.5) & (abs(x.imag) < 1)  # where NumPy has no more digits of log(1 + x) than of 1 + x
    size = np.log1p(np.where(near, x.real * (x.real + 2) + x.imag * x.imag, 0)) / 2
    result = np.array(np.log1p(x))
    result.real = np.where(near, size, result.real)
    return result


log1p = primitive("log1p", 1, "float", _log1p, "log1p{f}({0})", "log(1 + x), near 0 too.", cost=20)


def _vanishing(x: Any) -> tuple[Any, np.ndarray]:
    """Where the real part of complex numbers is not negative, and exp of them or of their negatives, 1 at most."""
    right = x.real >= 0
    return right, np.exp(np.where(right, -x, x))


def _beside_one(power: np.ndarray) -> np.ndarray:
    """1 + x, with the imaginary part of x as it is."""
    result = np.array(power)
    result.real = 1 + power.real
    return result


def _sigmoid(x: Any) -> Any:
    if kind_of(np.asarray(x).dtype) != "c":
        return _special("expit")(x)
    right, power = _vanishing(x)
    return np.where(right, np.ones((), power.dtype), power) / _beside_one(power)


def _softplus(x: Any) -> Any:
    if kind_of(np.asarray(x).dtype) != "c":
        return np.logaddexp(np.zeros((), np.asarray(x).dtype), x)
    right, power = _vanishing(x)
    size = np.exp(-abs(x.real))
    far = np.arctan2(np.sin(x.imag), size + np.cos(x.imag))
    result = np.array(_log1p(power))
    result.real, result.imag = np.where(right, x.real, 0) + result.real, np.where(right, far, result.imag)
    return result


sigmoid = primitive("sigmoid", 1, "float", _sigmoid, "(1 / (1 + exp{s}(-{0})))", "1 / (1 + exp(-x)).", cost=20)
softplus = primitive("softplus", 1, "float", _softplus,
                     "(({0} > 0 ? {0} : 0) + log1p{f}(exp{f}(-fabs{f}({0}))))",
                     "log(1 + exp(x)) without overflow.", cost=35)

# -- trigonometry -----------------------------------------------------------------------------------------

sin = primitive("sin", 1, "float", np.sin, "sin{f}({0})", "Sine.", cost=20)
cos = primitive("cos", 1, "float", np.cos, "cos{f}({0})", "Cosine.", cost=20)
tan = primitive("tan", 1, "float", np.tan, "tan{f}({0})", "Tangent.", cost=25)
arcsin = primitive("arcsin", 1, "float", np.arcsin, "asin{f}({0})", "Inverse sine.", cost=25)
arccos = primitive("arccos", 1, "float", np.arccos, "acos{f}({0})", "Inverse cosine.", cost=25)
arctan = primitive("arctan", 1, "float", np.arctan, "atan{f}({0})", "Inverse tangent.", cost=25)
arctan2 = primitive("arctan2", 2, "float", np.arctan2, "atan2{f}({0}, {1})", "Angle of the point (y, x).", cost=30)
hypot = primitive("hypot", 2, "float", np.hypot, "hypot{f}({0}, {1})",
                  "sqrt(x * x + y * y), which does not overflow on the way.", cost=20, commutative=True)
copysign = primitive("copysign", 2, "float", np.copysign, "__builtin_copysign{f}({0}, {1})",
                     "The size of x with the sign of y, be it that of a zero.", cost=2)
sinh = primitive("sinh", 1, "float", np.sinh, "sinh{f}({0})", "Hyperbolic sine.", cost=25)
cosh = primitive("cosh", 1, "float", np.cosh, "cosh{f}({0})", "Hyperbolic cosine.", cost=25)
tanh = primitive("tanh", 1, "float", np.tanh, "tanh{f}({0})", "Hyperbolic tangent.", cost=20)
arcsinh = primitive("arcsinh", 1, "float", np.arcsinh, "asinh{f}({0})", "Inverse hyperbolic sine.", cost=30)
arccosh = primitive("arccosh", 1, "float", np.arccosh, "acosh{f}({0})", "Inverse hyperbolic cosine.", cost=30)
arctanh = primitive("arctanh", 1, "float", np.arctanh, "atanh{f}({0})", "Inverse hyperbolic tangent.", cost=30)
erf = primitive("erf", 1, "float", _special("erf"), "erf{f}({0})", "Error function.", cost=25)
erfc = primitive("erfc", 1, "float", _special("erfc"), "erfc{f}({0})", "1 - erf(x), far out too.", cost=30)

# -- comparison, logic, choice ----------------------------------------------------------------------------

eq = primitive("eq", 2, "compare", np.equal, "({0} == {1})", "Whether equal.", commutative=True)
neq = primitive("neq", 2, "compare", np.not_equal, "({0} != {1})", "Whether different.", commutative=True)
lt = primitive("lt", 2, "compare", np.less, "({0} < {1})", "Whether x < y.")
le = primitive("le", 2, "compare", np.less_equal, "({0} <= {1})", "Whether x <= y.")
gt = primitive("gt", 2, "compare", np.greater, "({0} > {1})", "Whether x > y.")
ge = primitive("ge", 2, "compare", np.greater_equal, "({0} >= {1})", "Whether x >= y.")
isnan = primitive("isnan", 1, "predicate", np.isnan, "({0} != {0})", "Whether NaN.", c_integer="0")
isinf = primitive("isinf", 1, "predicate", np.isinf, "(fabs{f}({0}) == __builtin_inf{f}())", "Whether infinite.",
                  c_integer="0")
and_ = primitive("and_", 2, "bits", np.bitwise_and, "({0} & {1})", "And, bit by bit.",
                 commutative=True, associative=True)
or_ = primitive("or_", 2, "bits", np.bitwise_or, "({0} | {1})", "Or, bit by bit.", commutative=True, associative=True)
xor = primitive("xor", 2, "bits", np.bitwise_xor, "({0} ^ {1})", "Exclusive or, bit by bit.",
                commutative=True, associative=True)
invert = primitive("invert", 1, "bits", np.invert, "(~{0})", "Not, bit by bit.", c_bool="(!{0})")
switch = primitive("switch", 3, "switch", np.where, "({0} ? {1} : {2})", "x where the condition holds, else y.")
identity = primitive("identity", 1, "same", np.positive, "{0}", "x itself: a place for a derivative to change.",
                     c_integer="{0}")
identity.definition.numpy = np.array
stop_gradient = primitive("stop_gradient", 1, "same", np.array, "{0}", "x, a constant to differentiation.")


def _wrap_index(index: Any, size: Any) -> Any:
    index, size = np.asarray(index), np.asarray(size)
    if np.any((index < -size) | (index >= size)):
        bad = np.broadcast_to(index, np.broadcast(index, size).shape)[(index < -size) | (index >= size)].flat[0]
        raise IndexError(f"index {bad} is out of range for an axis of size {size.max()}")
    return np.where(index < 0, index + size, index).astype(index.dtype)


wrap_index = primitive("wrap_index", 2, "same", _wrap_index, "wrap_index({0}, {1}, &status)",
                       "An index counted from the start: negative ones count from the end of an axis of the given"
                       " size; raises IndexOutOfRange.", fails="index out of range")


# -- derivatives ------------------------------------------------------------------------------------------
# Each is `f(*inputs, output, cotangent)`; None is an exact zero.

@add.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz, dz


@sub.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz, -dz


@mul.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz * y, dz * x


@true_div.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz / y, -(dz * z) / y


@mod.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz, -dz * floor_div(x, y)


@power.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return (dz * switch(eq(y, 0), 0, y * x ** (y - 1)),
            dz * switch(eq(x, 0), 0, z * log(x)))


@maximum.define_pullback
@minimum.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    chosen = eq(z, x)
    return Masked(dz, chosen), Masked(dz, invert(chosen))


@switch.define_pullback
def _(c: Variable, x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return None, Masked(dz, c), Masked(dz, invert(c))


@hypot.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return Masked(dz * (x / z), neq(z, 0)), Masked(dz * (y / z), neq(z, 0))


@copysign.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return dz * sign(x) * copysign(1.0, y), None


@arctan2.define_pullback
def _(y: Variable, x: Variable, z: Variable, dz: Variable) -> Any:
    norm = square(x) + square(y)
    return dz * x / norm, -dz * y / norm


def _unary(op: Any, derivative: Callable[[Variable, Variable, Variable], Any]) -> None:
    """A derivative `f(x, y, dy)` whose value is the one cotangent."""
    op.define_pullback(derivative)


_unary(neg, lambda x, y, dy: -dy)
_unary(identity, lambda x, y, dy: dy)
_unary(stop_gradient, lambda x, y, dy: None)
_unary(reciprocal, lambda x, y, dy: -dy * square(y))
_unary(square, lambda x, y, dy: dy * x * 2)
_unary(sqrt, lambda x, y, dy: dy / (y * 2))
_unary(abs_, lambda x, y, dy: dy * conjugate(sign(x)))
_unary(exp, lambda x, y, dy: dy * y)
_unary(exp2, lambda x, y, dy: dy * y * float(np.log(2)))
_unary(expm1, lambda x, y, dy: dy * exp(x))
_unary(log, lambda x, y, dy: dy / x)
_unary(log2, lambda x, y, dy: dy / (x * float(np.log(2))))
_unary(log10, lambda x, y, dy: dy / (x * float(np.log(10))))
_unary(log1p, lambda x, y, dy: dy / (x + 1))
_unary(sigmoid, lambda x, y, dy: dy * y * (1 - y))
_unary(softplus, lambda x, y, dy: dy * sigmoid(x))
_unary(sin, lambda x, y, dy: dy * cos(x))
_unary(cos, lambda x, y, dy: -dy * sin(x))
_unary(tan, lambda x, y, dy: dy * (1 + square(y)))
_unary(arcsin, lambda x, y, dy: dy / sqrt(1 - square(x)))
_unary(arccos, lambda x, y, dy: -dy / sqrt(1 - square(x)))
_unary(arctan, lambda x, y, dy: dy / (1 + square(x)))
_unary(sinh, lambda x, y, dy: dy * cosh(x))
_unary(cosh, lambda x, y, dy: dy * sinh(x))
_unary(tanh, lambda x, y, dy: dy * (1 - square(y)))
_unary(arcsinh, lambda x, y, dy: dy / sqrt(square(x) + 1))
_unary(arccosh, lambda x, y, dy: dy / (sqrt(x - 1) * sqrt(x + 1)))
_unary(arctanh, lambda x, y, dy: dy / (1 - square(x)))
_unary(erf, lambda x, y, dy: dy * exp(-square(x)) * float(2 / np.sqrt(np.pi)))
_unary(erfc, lambda x, y, dy: -dy * exp(-square(x)) * float(2 / np.sqrt(np.pi)))
for _flat in (floor, ceil, trunc, round_half_to_even, round_half_away_from_zero):
    _unary(_flat, lambda x, y, dy: None)


@sign.define_pullback
def _(x: Variable, y: Variable, dy: Variable) -> Any:
    """Of a complex number what turns it; its size counts for nothing."""
    if x.type.dtype not in COMPLEX:
        return None
    return (dy - real_part(dy * y) * conjugate(y)) / abs_(x)


@floor_div.define_pullback
def _(x: Variable, y: Variable, z: Variable, dz: Variable) -> Any:
    return None, None
