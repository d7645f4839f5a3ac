"""Identities of complex numbers: their parts, conjugates and sizes, and powers that products compute.

>>> real_of_parts
real(complex(x, y)) -> x
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.complex_parts import complex_, conj, imag, real
from symtensor.ops.index import join, subtensor
from symtensor.ops.ordering import Cumulate
from symtensor.ops.reduce import Reduce
from symtensor.ops.scalar import abs_, mul, neg, power, reciprocal, sqrt, square
from symtensor.ops.shape import broadcast_to, dimshuffle, reshape
from symtensor.ops.size import dimension
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import canonicalize, contract, specialize
from symtensor.types.dtype import COMPLEX, NARROW

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

_LARGEST_POWER = 16
"""Whole powers up to this are multiplied out."""


def _is_kept(x, y):
    """Whether a complex number has its parts as they are: there is none of narrow floats."""
    return x.type.dtype not in NARROW


@rule(canonicalize, keeps="exact", when=_is_kept)
def real_of_parts(x, y):
    """What was put together is taken apart."""
    return real(complex_(x, y)), x


@rule(canonicalize, keeps="exact", when=_is_kept)
def imag_of_parts(x, y):
    """What was put together is taken apart."""
    return imag(complex_(x, y)), y


@rule(canonicalize, keeps="exact", dtypes=COMPLEX)
def parts_together(z):
    """What was taken apart is put together."""
    return complex_(real(z), imag(z)), z


@rule(canonicalize, keeps="exact", dtypes=COMPLEX)
def conjugate_twice(z):
    """The sign changes twice."""
    return conj(conj(z)), z


@rule(canonicalize, keeps="exact", dtypes=COMPLEX)
def real_of_conjugate(z):
    """It has the same real part."""
    return real(conj(z)), real(z)


@rule(canonicalize, keeps="exact", dtypes=COMPLEX)
def imag_of_conjugate(z):
    """The sign changes."""
    return imag(conj(z)), neg(imag(z))


@rule(canonicalize, keeps="exact", dtypes=COMPLEX)
def size_of_conjugate(z):
    """It is as large."""
    return abs_(conj(z)), abs_(z)


@rewrite(specialize, ops=[power], keeps="real")
def complex_power(node: Apply, context: Context) -> Variable | None:
    """Small whole powers are products, and a half is a root."""
    base, exponent = node.inputs
    if base.type.dtype not in COMPLEX or not isinstance(exponent, Constant) or exponent.type.ndim:
        return None
    value = complex(exponent.data)
    if value == 0.5:
        return sqrt(base)
    if value.imag or not value.real.is_integer() or not 1 <= abs(value.real) <= _LARGEST_POWER:
        return None
    product = _multiplied_out(base, int(abs(value.real)))
    return product if value.real > 0 else reciprocal(product)


@rewrite(contract, ops=[Reduce], keeps="real", dtypes=COMPLEX)
def complex_product(node: Apply, context: Context) -> Variable | None:
    """A product is the last of the running products, which the runtime has; a one before them is that of nothing."""
    if node.op.kind != "prod":  # type: ignore[attr-defined]
        return None
    (x,), axes = node.inputs, node.op.axes  # type: ignore[attr-defined]
    kept = [axis for axis in range(x.type.ndim) if axis not in axes]
    sizes = [dimension(x, axis) for axis in kept]
    count = reduce(mul, [dimension(x, axis) for axis in axes])
    rows = reshape(dimshuffle(x, [*kept, *axes]), [*sizes, count])
    one = broadcast_to(Constant(np.ones((1,) * (len(kept) + 1), x.type.dtype)), [*sizes, 1])
    running = Cumulate("prod", len(kept))(join(len(kept), [one, rows]))
    return subtensor(running, [*[slice(None)] * len(kept), -1])


def _multiplied_out(base: Variable, exponent: int) -> Variable:
    """A power by repeated squares."""
    if exponent == 1:
        return base
    half = square(_multiplied_out(base, exponent // 2))
    return half * base if exponent % 2 else half
