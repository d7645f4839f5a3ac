"""Functions along an axis in which the order of the elements matters.

>>> from symtensor.tensor.inputs import tensor
>>> diff(tensor("float64", shape=("n", 4))).type
TensorType(float64, (n, 3))
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.ops.ordering import Cumulate
from symtensor.tensor.arguments import axis_of
from symtensor.tensor.manipulation import along
from symtensor.types.dtype import accumulator

__all__ = ["cumsum", "cumprod", "diff"]


def _cumulated(kind: str, x: Any, axis: int | None) -> Variable:
    x, axis = along(x, axis, f"cum{kind}")
    return Cumulate(kind, axis)(cast(x, accumulator(x.type.dtype)))


def cumsum(x: Any, axis: int | None = None) -> Variable:
    """For each place along `axis` the sum of the elements up to it; of the flattened `x` without an axis.

    The dtype is that of `sum`: bool and integers are widened to 64 bits. Raises ShapeError.

    >>> cumsum([1, 2, 4]).eval()
    array([1, 3, 7])
    """
    return _cumulated("sum", x, axis)


def cumprod(x: Any, axis: int | None = None) -> Variable:
    """For each place along `axis` the product of the elements up to it; as `cumsum` does.

    >>> cumprod([[1, 2], [3, 4]], axis=0).eval()
    array([[1, 2],
           [3, 8]])
    """
    return _cumulated("prod", x, axis)


def diff(x: Any, n: int = 1, axis: int = -1) -> Variable:
    """Differences of neighbours along `axis`, taken `n` times; of bools, whether they differ.

    The result is n shorter along the axis. Raises ShapeError, TypeMismatch for a negative n.

    >>> diff([1, 4, 9]).eval()
    array([3, 5])
    """
    x = as_variable(x)
    if n < 0:
        raise complaint(TypeMismatch, f"diff cannot be taken {n} times", x, fix="give n >= 0")
    before = (slice(None),) * axis_of(x, axis, "diff")
    for _ in range(n):
        later, earlier = subtensor(x, (*before, slice(1, None))), subtensor(x, (*before, slice(None, -1)))
        x = scalar.neq(later, earlier) if x.type.dtype == "bool" else later - earlier
    return x
