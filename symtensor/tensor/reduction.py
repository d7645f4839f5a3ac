"""Reductions over axes, with Theano's arguments and dtypes.

`axis` is None for all axes, an integer or a tuple of integers, negative ones counted from the end; `keepdims` keeps the
reduced axes with size 1. Sums and products of integers are 64 bits wide, means of integers are floatX.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("int8", shape=("rows", 3))
>>> sum(x, axis=0).type, mean(x, axis=-1, keepdims=True).type
(TensorType(int64, (3,)), TensorType(float64, (rows, 1)))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import as_bool, cast
from symtensor.ops.index import stack
from symtensor.ops.reduce import ArgReduce, reduce_axes
from symtensor.ops.shape import dimshuffle, expand_dims, reshape
from symtensor.ops.size import dimension
from symtensor.tensor.arguments import axes_of, elements_of, product
from symtensor.types.dtype import COMPLEX, CONTINUOUS, INTEGERS, NARROW, accumulator, check_dtype, computed_in

__all__ = ["sum", "prod", "mean", "var", "std", "max", "min", "argmax", "argmin", "max_and_argmax", "any", "all", "ptp",
           "norm", "largest", "smallest"]

Axis = int | Sequence[int] | None


def _reduced(kind: str, x: Variable, axes: tuple[int, ...], keepdims: bool) -> Variable:
    result = reduce_axes(kind, x, axes)
    return expand_dims(result, axes) if keepdims else result


def _inner(dtype: str, acc_dtype: Any) -> str:
    """The dtype in which a mean is computed: its sum may be beyond the range of a narrow float."""
    return computed_in(dtype) if acc_dtype is None else check_dtype(acc_dtype)


def _accumulated(kind: str, input: Any, axis: Axis, dtype: Any, keepdims: bool, acc_dtype: Any) -> Variable:
    x = as_variable(input)
    outer = accumulator(x.type.dtype) if dtype is None else check_dtype(dtype)
    inner = outer if acc_dtype is None else check_dtype(acc_dtype)
    return cast(_reduced(kind, cast(x, inner), axes_of(x, axis, kind), keepdims), outer)


def sum(input: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Variable:
    """The sum over axes, 0 of nothing.

    The result's dtype is `dtype`, by default the input's, with bool and integers widened to 64 bits; `acc_dtype` is the
    one to add in. Raises ShapeError for an axis that does not exist.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=1).eval()
    array([3., 7.])
    """
    return _accumulated("sum", input, axis, dtype, keepdims, acc_dtype)


def prod(input: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
         no_zeros_in_input: bool = False) -> Variable:
    """The product over axes, 1 of nothing; dtypes as in `sum`.

    `no_zeros_in_input` is accepted for Theano's sake: the derivative is right either way. Raises ShapeError.

    >>> prod([2, 3]).eval()
    array(6)
    """
    x = as_variable(input)
    if x.type.ndim == 1 and x.type.dtype in INTEGERS and not keepdims and dtype is None:
        elements = elements_of(x)
        if elements is not None:  # a product of sizes, as of x.shape[1:], stays a size the compiler can reason about
            axes_of(x, axis, "prod")
            return product(cast(e, accumulator(x.type.dtype)) for e in elements)
    return _accumulated("prod", x, axis, dtype, keepdims, acc_dtype)


def _float_dtype(x: Variable, dtype: Any) -> str:
    if dtype is not None:
        return check_dtype(dtype)
    return x.type.dtype if x.type.dtype in CONTINUOUS else str(config.floatX)


def mean(input: Any, axis: Axis = None, dtype: Any = None, op: bool = False, keepdims: bool = False,
         acc_dtype: Any = None) -> Variable:
    """The mean over axes: NaN of nothing; floatX for integers unless `dtype` says otherwise.

    `op` is accepted for Theano's sake. Raises ShapeError for an axis that does not exist.

    >>> mean([1, 2]).eval()
    array(1.5)
    """
    x = as_variable(input)
    axes = axes_of(x, axis, "mean")
    outer = _float_dtype(x, dtype)
    inner = _inner(outer, acc_dtype)
    total = _reduced("sum", cast(x, inner), axes, keepdims)
    return cast(total / cast(_count(x, axes), inner), outer)


def _count(x: Variable, axes: Sequence[int]) -> Variable:
    """How many elements are reduced into one."""
    return product(dimension(x, axis) for axis in axes)


def var(input: Any, axis: Axis = None, ddof: Any = 0, keepdims: bool = False, corrected: bool = False) -> Variable:
    """The variance over axes: the sum of squared distances from the mean, divided by the count less `ddof`.

    `corrected` takes out the rounding error of the mean. Raises ShapeError for an axis that does not exist.

    >>> var([[1.0, 2.0]], axis=1).eval()
    array([0.25])
    """
    x = as_variable(input)
    axes = axes_of(x, axis, "var")
    dtype = _float_dtype(x, None)
    inner = _inner(dtype, None)
    centered = cast(x, inner) - mean(x, axes, dtype=inner, keepdims=True)
    squares = scalar.square(scalar.abs_(centered) if dtype in COMPLEX else centered)
    count = cast(scalar.maximum(_count(x, axes) - ddof, 0), squares.type.dtype)
    result = sum(squares, axes, keepdims=keepdims) / count
    if corrected:
        result = result - scalar.square(mean(centered, axes, keepdims=keepdims))
    return cast(result, dtype) if dtype in NARROW else result


def std(input: Any, axis: Axis = None, ddof: Any = 0, keepdims: bool = False, corrected: bool = False) -> Variable:
    """The standard deviation over axes: the square root of `var`. Raises ShapeError.

    >>> std([1.0, 2.0]).eval()
    array(0.5)
    """
    return scalar.sqrt(var(input, axis, ddof, keepdims, corrected))


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest element over axes; NaN where there is one.

    Raises ShapeError for an axis that is empty or does not exist, TypeMismatch for complex numbers.

    >>> max([[1, 2], [3, 4]], axis=0).eval()
    array([3, 4])
    """
    x = as_variable(x)
    return _reduced("max", x, axes_of(x, axis, "max"), keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The smallest element over axes; NaN where there is one. Raises as `max` does.

    >>> min([[1, 2], [3, 4]]).eval()
    array(1)
    """
    x = as_variable(x)
    return _reduced("min", x, axes_of(x, axis, "min"), keepdims)


def _arg_reduced(kind: str, x: Any, axis: Axis, keepdims: bool) -> Variable:
    x = as_variable(x)
    axes = axes_of(x, axis, kind)
    if len(axes) == 1:
        result = ArgReduce(kind, axes[0])(x)
    else:  # several axes count as one, in row-major order
        kept = [a for a in range(x.type.ndim) if a not in axes]
        flat = reshape(dimshuffle(x, [*kept, *axes]), [*(dimension(x, a) for a in kept), _count(x, axes)])
        result = ArgReduce(kind, len(kept))(flat)
    return expand_dims(result, axes) if keepdims else result


def argmax(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The position of the first largest element, in the row-major order of the axes named; int64.

    Raises as `max` does.

    >>> argmax([[1, 2], [3, 4]], axis=1).eval()
    array([1, 1])
    """
    return _arg_reduced("argmax", x, axis, keepdims)


def argmin(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The position of the first smallest element; int64. Raises as `max` does.

    >>> argmin([3.0, 1.0]).eval()
    array(1)
    """
    return _arg_reduced("argmin", x, axis, keepdims)


def max_and_argmax(a: Any, axis: Axis = None, keepdims: bool = False) -> list[Variable]:
    """The largest element over axes and its position: `[max, argmax]`. Raises as `max` does.

    >>> [v.type.dtype for v in max_and_argmax([1.5, 2.5])]
    ['float64', 'int64']
    """
    return [max(a, axis, keepdims), argmax(a, axis, keepdims)]


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Whether some element over axes is not zero; bool. Raises ShapeError.

    >>> any([0, 1]).eval()
    array(True)
    """
    x = as_variable(x)
    return _reduced("any", as_bool(x), axes_of(x, axis, "any"), keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Whether no element over axes is zero; bool. Raises ShapeError.

    >>> all([0, 1]).eval()
    array(False)
    """
    x = as_variable(x)
    return _reduced("all", as_bool(x), axes_of(x, axis, "all"), keepdims)


def ptp(a: Any, axis: Axis = None) -> Variable:
    """The largest element less the smallest, over axes ("peak to peak"). Raises as `max` does.

    >>> ptp([1.0, 5.0]).eval()
    array(4.)
    """
    return max(a, axis) - min(a, axis)


def norm(x: Any, L: float, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The L-norm over axes: (sum of |x| ** L) ** (1 / L); the largest |x| for infinity.

    The derivative at zero, where a norm has none, is 0, the subgradient of least norm. sqrt((x ** 2).sum()) written out
    keeps the slope of the root there, which is infinite. Raises TypeMismatch for L = 0, ShapeError for an axis that
    does not exist.

    >>> norm([3.0, 4.0], 2).eval()
    array(5.)
    """
    if not isinstance(L, (int, float)):
        raise complaint(TypeMismatch, f"norm: the order must be a number, and {L!r} is none", as_variable(x),
                        fix="nlinalg.norm(x, ord) has the norms of matrices")
    if L == 0:
        raise complaint(TypeMismatch, "norm: the 0-norm is not a norm", as_variable(x), fix="use neq(x, 0).sum()")
    size = scalar.abs_(as_variable(x))
    if math.isinf(L):
        return max(size, axis, keepdims)
    if L == 1:
        return sum(size, axis, keepdims=keepdims)
    if L == 2:
        total = sum(scalar.square(size), axis, keepdims=keepdims)
        return scalar.switch(scalar.gt(total, 0), scalar.sqrt(total), total)
    total = sum(size ** L, axis, keepdims=keepdims)
    return scalar.switch(scalar.gt(total, 0), total ** (1.0 / L), total)


def _extreme(combine: Any, args: Sequence[Any]) -> Variable:
    if len(args) == 2:
        return combine(*args)
    return (max if combine is scalar.maximum else min)(stack(together(args)), axis=0)


def largest(*args: Any) -> Variable:
    """The largest of several tensors, element by element. Raises TypeMismatch, ShapeError.

    >>> largest([1, 5], [2, 3], [0, 9]).eval()
    array([2, 9])
    """
    return _extreme(scalar.maximum, args)


def smallest(*args: Any) -> Variable:
    """The smallest of several tensors, element by element. Raises TypeMismatch, ShapeError.

    >>> smallest([1, 5], [2, 3]).eval()
    array([1, 3])
    """
    return _extreme(scalar.minimum, args)
