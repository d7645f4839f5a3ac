"""Sorting, and what rests on it: the largest few, the different values, where a value belongs.

Order is ascending and stable: equal elements stay in order. NaN counts as larger than all numbers.

>>> from symtensor.tensor.inputs import tensor
>>> x = tensor("float64", shape=("n", 4))
>>> sort(x).type, topk(x, 2).type
(TensorType(float64, (n, 4)), TensorType(float64, (n, 2)))
"""

from __future__ import annotations

from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import index, scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import cast
from symtensor.ops.ordering import Argsort, Search, Select, Sort, gather_along
from symtensor.tensor.creation import ones_like
from symtensor.tensor.manipulation import along, concatenate, flatten, reshape, shape
from symtensor.tensor.selection import inverse_permutation
from symtensor.tensor.sequences import cumsum
from symtensor.types.dtype import FLOATS, INTEGERS, promote

__all__ = ["sort", "argsort", "topk", "argtopk", "topk_and_argtopk", "searchsorted", "unique"]

_KINDS = ("quicksort", "mergesort", "heapsort", "stable", None)


def argsort(a: Any, axis: int | None = -1, kind: str | None = "quicksort", order: None = None) -> Variable:
    """The positions along `axis` that put the elements in ascending order; int64. Of the flattened `a` if it is None.

    Equal elements stay in order, whatever `kind` is asked for; `order` is for records, which are no tensors.
    Raises ShapeError, TypeMismatch.

    >>> argsort([[3, 1, 2]]).eval()
    array([[1, 2, 0]])
    """
    a, axis = along(a, axis, "argsort")
    _check_arguments("argsort", a, kind, order)
    return Argsort(axis)(a)


def _check_arguments(function: str, a: Variable, kind: str | None, order: None) -> None:
    if kind not in _KINDS or order is not None:
        what = f"there is no kind {kind!r}" if kind not in _KINDS else "there are no fields to order by"
        raise complaint(TypeMismatch, f"{function}: {what}", a, fix="leave kind and order away")


def sort(a: Any, axis: int | None = -1, kind: str | None = "quicksort", order: None = None) -> Variable:
    """`a` with the elements along `axis` in ascending order; the flattened `a` sorted if it is None.

    Arguments as for `argsort`. Raises ShapeError, TypeMismatch.

    >>> sort([[3, 1, 2]]).eval()
    array([[1, 2, 3]])
    """
    a, axis = along(a, axis, "sort")
    _check_arguments("sort", a, kind, order)
    return Sort(axis)(a)


def argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: Any = "int64") -> Variable:
    """The positions along `axis` of the `kth` largest elements, the largest first; of the -kth smallest if negative.

    Of equal elements the first comes first; they are in order even with `sorted` false. `kth` may be an integer scalar
    variable. The axis must have as many elements. Raises ShapeError, TypeMismatch.

    >>> argtopk([3, 1, 2, 5], 2).eval(), argtopk([3, 1, 2, 5], -2).eval()
    (array([3, 0]), array([1, 2]))
    """
    x, axis = along(x, axis, "argtopk")
    count = as_variable(kth)
    if count.type.ndim or count.type.dtype not in INTEGERS or (isinstance(count, Constant) and not count.data):
        raise complaint(TypeMismatch, "argtopk: kth must be an integer other than 0", x, count, fix="give kth=1")
    if isinstance(count, Constant):
        found = Select(axis, bool(count.data > 0))(x, as_variable(abs(int(count.data))))
    else:
        wanted = scalar.abs_(cast(count, "int64"))
        largest, smallest = (Select(axis, largest)(x, wanted) for largest in (True, False))
        found = scalar.switch(scalar.gt(count, 0), largest, smallest)
    return cast(found, idx_dtype)


def topk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: Any = "int64") -> Variable:
    """The `kth` largest elements along `axis`, the largest first; the -kth smallest if negative. See `argtopk`.

    >>> topk([3, 1, 2, 5], 2).eval(), topk([3, 1, 2, 5], -2).eval()
    (array([5, 3]), array([1, 2]))
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def topk_and_argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True,
                     idx_dtype: Any = "int64") -> list[Variable]:
    """The results of `topk` and `argtopk` together.

    >>> [v.eval() for v in topk_and_argtopk([3, 1, 2, 5], 1)]
    [array([5]), array([3])]
    """
    x, axis = along(x, axis, "topk")
    positions = argtopk(x, kth, axis, sorted, idx_dtype)
    return [gather_along(x, positions, axis), positions]


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Variable:
    """Where in the ascending vector `x` each element of `v` belongs: before its equals, or behind ("right"); int64.

    `sorter` are positions that put `x` in ascending order, if it is not. Raises TypeMismatch.

    >>> searchsorted([1, 2, 2, 5], [2, 3]).eval(), searchsorted([1, 2, 2, 5], 2, "right").eval()
    (array([1, 3]), array(3))
    """
    x, v = together([x, v])
    if side not in ("left", "right"):
        raise complaint(TypeMismatch, f"searchsorted: there is no side {side!r}", x, fix='"left" or "right"')
    if x.type.ndim != 1:
        raise complaint(TypeMismatch, "searchsorted: what is searched must be a vector", x, fix="use flatten(x)")
    if sorter is not None:
        x = index.gather(x, {0: sorter})
    dtype = promote(x.type.dtype, v.type.dtype)
    return Search(side)(cast(x, dtype), cast(v, dtype))


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The different elements of `ar`, flattened, in ascending order; NaNs count as one.

    With flags a list: also the position in the flattened `ar` where each comes first, the position among the different
    ones of each element of `ar`, how often each comes; all int64.

    >>> unique([3, 1, 3]).eval()
    array([1, 3])
    >>> [v.eval() for v in unique([3, 1, 3], True, True, True)[1:]]
    [array([1, 0]), array([1, 0, 1]), array([1, 2])]
    """
    ar = as_variable(ar)
    flat = flatten(ar)
    order = Argsort(0)(flat)
    ascending = Sort(0)(flat)
    later, earlier = ascending[1:], ascending[:-1]  # type: ignore[index]
    differ = scalar.neq(later, earlier)
    if ar.type.dtype in FLOATS:
        differ = differ & ~(scalar.isnan(later) & scalar.isnan(earlier))  # type: ignore[operator]
    is_new = concatenate([ones_like(order[:1], "bool"), differ])  # type: ignore[index]
    starts = index.nonzero(is_new)[0]
    found = [index.gather(ascending, {0: starts})]
    if return_index:
        found.append(index.gather(order, {0: starts}))
    if return_inverse:
        numbers = cumsum(is_new) - 1  # type: ignore[operator]
        found.append(reshape(index.gather(numbers, {0: inverse_permutation(order)}), shape(ar)))
    if return_counts:
        ends = concatenate([starts, shape(flat)])
        found.append(ends[1:] - ends[:-1])  # type: ignore[index]
    return found if len(found) > 1 else found[0]
