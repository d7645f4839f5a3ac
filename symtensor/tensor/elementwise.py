"""Elementwise functions under Theano's names: the primitives of `ops.scalar`, and what is composed from them.

Arguments broadcast as in NumPy; integers become floats where the function needs them to.

>>> from symtensor.tensor.inputs import fvector
>>> x = fvector("x")
>>> exp(x).type, clip(x, 0, 1).type, (x > 0).type
(TensorType(float32, (x.0,)), TensorType(float32, (x.0,)), TensorType(bool, (x.0,)))
"""

from __future__ import annotations

import math
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.scalar import *  # noqa: F403  (every primitive is public under its own name)
from symtensor.tensor.reduction import all
from symtensor.types.dtype import DISCRETE, autocast_float_as, float_of

__all__ = [
    "sgn", "inv", "sqr", "pow", "int_div", "where", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "cast",
    "autocast_float_as",
    "clip", "round", "iround", "isclose", "allclose", "deg2rad", "rad2deg", "divmod", "ceil_intdiv", "xlogx", "xlogy0",
]
__all__ += scalar.__all__
__all__.remove("wrap_index")  # the check inside every gather; nobody writes it

# Theano's and NumPy's other names for the same ops.
sgn, inv, sqr = scalar.sign, scalar.reciprocal, scalar.square
pow, int_div, where = scalar.power, scalar.floor_div, scalar.switch
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = scalar.and_, scalar.or_, scalar.xor, scalar.invert


def clip(x: Any, min: Any, max: Any) -> Variable:
    """`x` brought into min..max, element by element; of the dtype the three promote to. `max` wins if they cross.

    Raises ShapeError for shapes that do not broadcast.

    >>> clip([0.5, 2.0], 0, 1).eval()
    array([0.5, 1. ])
    """
    return scalar.minimum(scalar.maximum(x, min), max)


_ROUNDINGS = {"half_to_even": scalar.round_half_to_even, "half_away_from_zero": scalar.round_half_away_from_zero}


def round(a: Any, mode: str | None = None) -> Variable:
    """`a` rounded to the nearest integer, of the same dtype.

    `mode` says where halves go: "half_to_even" (the default) or "half_away_from_zero". Raises TypeMismatch.

    >>> round([0.5, 1.5]).eval()
    array([0., 2.])
    """
    if mode is not None and mode not in _ROUNDINGS:
        raise complaint(TypeMismatch, f"round: there is no mode {mode!r}", as_variable(a),
                        fix="one of " + ", ".join(_ROUNDINGS))
    return _ROUNDINGS[mode or "half_to_even"](a)


def iround(a: Any, mode: str | None = None) -> Variable:
    """`a` rounded to the nearest integer, as int64. Raises TypeMismatch.

    >>> iround(2.7).eval()
    array(3)
    """
    return cast(round(a, mode), "int64")


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Whether |a - b| <= atol + rtol * |b|, element by element; bool. Infinities are close to themselves.

    With `equal_nan` two NaNs are close. Raises ShapeError for shapes that do not broadcast.

    >>> isclose([1.0, 2.0], 1.0).eval()
    array([ True, False])
    """
    a, b = as_variable(a), as_variable(b)
    near = scalar.le(scalar.abs_(a - b), atol + rtol * scalar.abs_(b)) & ~scalar.isinf(b)
    result = near | scalar.eq(a, b)
    return result | (scalar.isnan(a) & scalar.isnan(b)) if equal_nan else result


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Variable:
    """Whether all elements are close, see `isclose`; a bool scalar.

    >>> allclose([1.0, 2.0], 1.0).eval()
    array(False)
    """
    return all(isclose(a, b, rtol, atol, equal_nan))


def _as_float(x: Any) -> Variable:
    """`x` in the float dtype in which functions of it are computed."""
    x = as_variable(x)
    return cast(x, float_of(x.type.dtype))


def deg2rad(x: Any) -> Variable:
    """Degrees as radians.

    >>> deg2rad(90.0).eval()
    array(1.57079633)
    """
    return _as_float(x) * (math.pi / 180)


def rad2deg(x: Any) -> Variable:
    """Radians as degrees.

    >>> rad2deg(1.5).eval()
    array(85.94366927)
    """
    return _as_float(x) * (180 / math.pi)


def divmod(x: Any, y: Any) -> tuple[Variable, Variable]:
    """The quotient rounded down, and the remainder, which has the sign of `y`.

    >>> [v.type.dtype for v in divmod(7, 2)]
    ['int8', 'int8']
    """
    return scalar.floor_div(x, y), scalar.mod(x, y)


def ceil_intdiv(a: Any, b: Any) -> Variable:
    """The quotient of integers rounded up. Raises TypeMismatch for floats.

    >>> ceil_intdiv(7, 2).eval()
    array(4, dtype=int8)
    """
    a, b = as_variable(a), as_variable(b)
    if a.type.dtype not in DISCRETE or b.type.dtype not in DISCRETE:
        raise complaint(TypeMismatch, "ceil_intdiv divides integers", a, b, fix="use ceil(a / b)")
    return scalar.floor_div(a, b) + scalar.neq(scalar.mod(a, b), 0)  # -(-a // b) wraps for unsigned ones


def xlogy0(x: Any, y: Any) -> Variable:
    """x * log(y), and 0 where x is 0.

    >>> xlogy0([0.0, 1.0], [0.0, 2.0]).eval()
    array([0.        , 0.69314718])
    """
    x = as_variable(x)
    return scalar.switch(scalar.eq(x, 0), 0, x * scalar.log(y))


def xlogx(x: Any) -> Variable:
    """x * log(x), and 0 where x is 0.

    >>> xlogx([0.0, 1.0]).eval()
    array([0., 0.])
    """
    return xlogy0(x, x)
