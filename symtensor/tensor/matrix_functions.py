"""Functions of matrices: powers, the exponential, norms; and what users know of their matrices.

>>> matrix_power([[1.0, 1.0], [0.0, 1.0]], 5).eval()
array([[1., 5.],
       [0., 1.]])
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from symtensor.base.errors import ConfigError, ShapeError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.assume import Assume
from symtensor.ops.contract import matmul
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast, zeros_like
from symtensor.ops.index import Iota, join
from symtensor.ops.linalg import Solve, identity_like
from symtensor.ops.loop import Loop
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import shape_of
from symtensor.ops.spectra import Svd
from symtensor.tensor import reduction
from symtensor.tensor.arguments import axes_of
from symtensor.tensor.manipulation import flatten, moveaxis
from symtensor.tensor.systems import in_floats, inv
from symtensor.types.dtype import real_of
from symtensor.types.tensor import TensorType

__all__ = ["matrix_power", "expm", "norm", "assume"]


def matrix_power(M: Any, n: int) -> Variable:
    """The product of `n` times the square matrices `M`, of the inverses for a negative `n`. Raises TypeMismatch.

    >>> matrix_power([[2.0, 0.0], [0.0, 4.0]], -1).eval()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    M = as_variable(M)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise complaint(TypeMismatch, f"matrix_power: the exponent must be a fixed integer, not {n!r}", M,
                        fix="give a Python int")
    if M.type.ndim < 2:
        raise complaint(ShapeError, "matrix_power: square matrices are needed", M, fix="use x ** n for elements")
    base, power = (M, int(n)) if n >= 0 else (inv(M), -int(n))
    if not power:
        return broadcast_to(identity_like(M), shape_of(M))
    result = None
    while power:
        if power % 2:
            result = base if result is None else matmul(result, base)
        power //= 2
        base = matmul(base, base) if power else base
    assert result is not None
    return result


# Coefficients of the numerators of diagonal Pade approximants of exp, and the norms up to which they are exact to the
# dtype: Higham, The scaling and squaring method for the matrix exponential revisited (2005).
_PADE = {"float32": (7, 3.925724783138660), "float64": (13, 5.371920351148152)}


def expm(a: Any) -> Variable:
    """The matrix exponential of square matrices, by a Pade approximant with scaling and squaring (Higham, 2005).

    Raises ShapeError, TypeMismatch.

    >>> expm([[0.0, 1.0], [0.0, 0.0]]).eval()
    array([[1., 1.],
           [0., 1.]])
    """
    (a,) = in_floats(as_variable(a))
    if a.type.ndim < 2:
        raise complaint(ShapeError, "expm: square matrices are needed", a, fix="use exp for elements")
    real = real_of(a.type.dtype)
    degree, limit = _PADE[real]
    last = a.type.ndim - 2
    size = _largest_or_zero(sum_axes(scalar.abs_(a), [last]))
    ratio = scalar.ceil(scalar.log2(scalar.stop_gradient(size) / limit))
    within = scalar.and_(scalar.gt(ratio, 0), scalar.lt(ratio, 2000))  # not so for what is no number
    halvings = cast(scalar.switch(within, ratio, zeros_like(ratio)), "int64")
    scale = cast(scalar.exp2(-cast(halvings, "float64")), real)
    scaled = a * expand_dims(scale, [last, last + 1])
    return _squared(_approximant(scaled, degree), halvings)


def _largest_or_zero(x: Variable) -> Variable:
    """The largest along the last axis, of numbers that are not negative; 0 where there are none."""
    last = x.type.ndim - 1
    zero = broadcast_to(zeros_like(x), [*shape_of(x)[:-1], 1])
    return reduce_axes("max", join(last, [x, zero]), [last])


def _approximant(a: Variable, degree: int) -> Variable:
    """The Pade approximant of exp, of some odd degree: even powers and odd ones."""
    weights = [math.factorial(2 * degree - k) // math.factorial(degree - k) * math.factorial(degree)
               / math.factorial(k) / math.factorial(2 * degree) for k in range(degree + 1)]
    identity = broadcast_to(identity_like(a), shape_of(a))
    square = matmul(a, a)
    powers = [identity, square]
    while len(powers) <= degree // 2:
        powers.append(matmul(powers[-1], square))
    terms = [[power * np.asarray(weight, a.type.dtype) for weight, power in zip(weights[first::2], powers)]
             for first in (0, 1)]
    even, odd = reduce(scalar.add, terms[0]), matmul(a, reduce(scalar.add, terms[1]))
    return Solve()(even - odd, even + odd)  # type: ignore[no-any-return]


def _squared(x: Variable, times: Variable) -> Variable:
    """Each matrix multiplied by itself as often as is said for it."""
    steps = _largest_or_zero(flatten(times)) if times.type.ndim else times
    loop = Loop(steps)
    own = Variable(TensorType(x.type.dtype, x.type.static_shape), name="power")
    number, counts = Variable(TensorType("int64", ())), Variable(TensorType("int64", times.type.static_shape))
    carry = loop.carry(own, x)
    carry.new = scalar.switch(scalar.lt(number, expand_dims(counts, [times.type.ndim, times.type.ndim + 1])),
                              matmul(own, own), own)
    loop.rows[number], loop.others[counts] = Iota()(steps), times
    return loop.make()[carry]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Variable:
    """The norm of vectors or matrices, as in NumPy: of all of `x`, or along the one or two axes named.

    For vectors `ord` is a number, "inf" or "-inf", and 2 if not given: (sum of |x| ** ord) ** (1 / ord). For matrices
    it is "fro" if not given, "nuc", 1, -1, "inf", "-inf", 2 or -2. Raises ConfigError for another, ShapeError.

    >>> norm([[3.0, 0.0], [0.0, 4.0]]).eval(), norm([[3.0, 0.0], [0.0, 4.0]], 2).eval(), norm([3.0, 4.0], "inf").eval()
    (array(5.), array(4.), array(4.))
    """
    x = as_variable(x)
    axes = list(axes_of(x, axis, "norm"))
    if ord is None:
        return reduction.norm(x, 2, axes, keepdims)
    ord = {"inf": math.inf, "-inf": -math.inf}.get(ord, ord) if isinstance(ord, str) else ord
    if len(axes) == 1 and not isinstance(ord, str):
        return _of_vectors(x, ord, axes[0], keepdims)
    if len(axes) == 2 and ord in _OF_MATRICES:
        result = _OF_MATRICES[ord](moveaxis(x, axes, (-2, -1)))
        return expand_dims(result, axes) if keepdims else result
    what = {1: "vectors", 2: "matrices"}.get(len(axes), f"{len(axes)} axes")
    raise complaint(ConfigError, f"norm: there is no norm of {what} with ord={ord!r}", x,
                    fix="name one or two axes, and an ord that NumPy has for them")


def _of_vectors(x: Variable, order: Any, axis: int, keepdims: bool) -> Variable:
    if order == 0:
        return reduction.sum(cast(scalar.neq(x, 0), real_of(x.type.dtype)), axis, keepdims=keepdims)
    if order == -math.inf:
        return reduction.min(scalar.abs_(x), axis, keepdims)
    return reduction.norm(x, order, axis, keepdims)


def _singular(x: Variable) -> Variable:
    return Svd(False, False)(*in_floats(x))  # type: ignore[no-any-return]


_OF_MATRICES: dict[Any, Any] = {
    "fro": lambda x: reduction.norm(x, 2, [-2, -1]),
    "nuc": lambda x: reduction.sum(_singular(x), -1),
    1: lambda x: reduction.max(reduction.sum(scalar.abs_(x), -2), -1),
    -1: lambda x: reduction.min(reduction.sum(scalar.abs_(x), -2), -1),
    math.inf: lambda x: reduction.max(reduction.sum(scalar.abs_(x), -1), -1),
    -math.inf: lambda x: reduction.min(reduction.sum(scalar.abs_(x), -1), -1),
    2: lambda x: reduction.max(_singular(x), -1),
    -2: lambda x: reduction.min(_singular(x), -1),
}


def assume(x: Any, **facts: bool) -> Variable:
    """`x`, with what is known of its square matrices; the compiler relies on it, and nobody checks it.

    Facts are symmetric, positive_definite, lower_triangular, upper_triangular, diagonal and orthogonal. Systems of a
    matrix that is assumed positive definite are solved by its Cholesky factor, those of a triangle directly, and so on.
    Raises TypeMismatch for another fact, ShapeError.

    >>> from symtensor.tensor.inputs import matrix
    >>> assume(matrix("a"), symmetric=True)
    assume[symmetric](a)
    """
    x = as_variable(x)
    return Assume(tuple(sorted(fact for fact, holds in facts.items() if holds)))(x)
