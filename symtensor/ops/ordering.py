"""Ops along an axis in which the order of the elements matters: running totals, sorting, searching.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 4)), name="x")
>>> Cumulate("sum", 1)(x).type, Argsort(0)(x).type
(TensorType(float32, (x.0, 4)), TensorType(int64, (x.0, 4)))
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Op, Variable, at_most
from symtensor.ir.routine import RoutineCall
from symtensor.ops import scalar
from symtensor.ops.elementwise import Cast, cast
from symtensor.ops.index import Iota, gather, subtensor
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension, size_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import COMPLEX, DISCRETE, NARROW, itemsize, widened
from symtensor.types.tensor import TensorType

__all__ = ["Argsort", "Cumulate", "Search", "Select", "Sort", "gather_along", "reversed_along"]

_WIDE = {**dict.fromkeys(NARROW, "float32"), "float32": "float64", "complex64": "complex128"}
"""In which dtype running totals are kept, so that those of many elements are as accurate as those of few."""


_COUNTS, _LANES, _VECTOR, _SHORT, _ROOM = 1024, 16, 64, 8192, 1024
"""Bytes of the counts that sorting needs; rows that are read at once; bytes of as many elements as are sorted side by
side, and how long their rows are at most; elements for which there is room at least where some are selected."""
_MOST = 2**32 - 1
"""Elements of an axis that is sorted: positions have 32 bits."""


def _rows(x: Variable, axis: int) -> tuple[Size, Size, Size]:
    """How many rows along an axis there are before it, their length, and how many lie side by side."""
    shape = x.type.shape
    return math.prod(shape[:axis], start=1), shape[axis], math.prod(shape[axis + 1:], start=1)


def _sort_call(name: str, x: Variable, axis: int, spare: int) -> RoutineCall:
    """With memory for keys of rows that are read at once, and so many bytes more for each element of a row."""
    outer, n, inner = _rows(x, axis)
    keys = _key_bytes(x)
    one = (keys * dims.minimum(inner, _LANES) + spare) * n
    return RoutineCall(name, [x], (outer, n, inner), work=16 * outer * n * inner,
                       scratch=one + 2 * _VECTOR * (2 * dims.minimum(n, _SHORT) + 16) + _COUNTS)


def _key_bytes(x: Variable) -> int:
    return max(itemsize(x.type.dtype), 4)


def _not_widened(x: Variable) -> Variable:
    """Integers, or bools, that have become integers of 64 bits; else `x`."""
    node = x.owner
    if node is None or not isinstance(node.op, Cast) or x.type.dtype not in ("int64", "uint64"):
        return x
    return node.inputs[0] if node.inputs[0].type.dtype in DISCRETE else x


def reversed_along(x: Variable, axis: int) -> Variable:
    """`x` with its elements along an axis in the opposite order."""
    return subtensor(x, (*[slice(None)] * axis, slice(None, None, -1)))


def gather_along(x: Variable, positions: Variable, axis: int) -> Variable:
    """The elements of `x` at positions along an axis that differ from place to place; the other axes broadcast."""
    others = [a for a in range(x.type.ndim) if a != axis]
    own = {a: expand_dims(Iota()(dimension(x, a)), [b for b in range(x.type.ndim) if b != a]) for a in others}
    return gather(x, {**own, axis: positions})


class Cumulate(Op):
    """For each place along an axis the sum, or product ("prod"), of the elements up to it."""

    kind: str
    axis: int

    def infer(self, x: Variable) -> TensorType:
        if x.type.dtype == "bool":
            raise TypeMismatch("running totals are of numbers, not bool", fix='cast it: x.astype("int64")')
        return x.type

    def evaluate(self, x: np.ndarray) -> Any:
        function = np.cumsum if self.kind == "sum" else np.cumprod
        with np.errstate(all="ignore"):
            return function(x, axis=self.axis, dtype=_WIDE.get(x.dtype.name, x.dtype)).astype(x.dtype)

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        if self.kind == "sum":
            return self._from_the_end(dy)
        # Up to the first zero the derivative is a quotient; at it the product is that of all others; beyond it is 0.
        is_zero = scalar.eq(x, 0)
        first = is_zero & scalar.eq(Cumulate("sum", self.axis)(cast(is_zero, "int64")), 1)  # type: ignore[operator]
        others = Cumulate("prod", self.axis)(scalar.switch(first, 1, x))
        quotients = self._from_the_end(dy * y) / scalar.switch(is_zero, 1, x)
        return scalar.switch(first, self._from_the_end(dy * others), quotients)

    def routine(self, x: Variable, y: Variable) -> RoutineCall:
        """Of the runtime, which makes 64 bits of shorter integers itself."""
        return RoutineCall("cumulate", [_not_widened(x)], _rows(x, self.axis), [self.kind == "prod"],
                           work=math.prod(x.type.shape, start=1))

    def _from_the_end(self, x: Variable) -> Variable:
        """For each place the sum of the elements from it on."""
        return reversed_along(Cumulate("sum", self.axis)(reversed_along(x, self.axis)), self.axis)

    def __repr__(self) -> str:
        return f"cum{self.kind}[{self.axis}]"


class Argsort(Op):
    """The positions along an axis that put its elements in ascending order; NaN is last, equal ones stay in order."""

    axis: int

    def infer(self, x: Variable) -> TensorType:
        if x.type.dtype in COMPLEX:
            raise TypeMismatch("complex numbers have no order", fix="sort abs(x) or real(x)")
        at_most(x.type.shape[self.axis], _MOST, f"no more than {_MOST} elements of an axis can be sorted")
        return x.type.with_dtype("int64")

    def evaluate(self, x: np.ndarray) -> Any:
        return np.argsort(widened(x), axis=self.axis, kind="stable").astype("int64")

    def pullback(self, *values: Variable) -> Any:
        return None

    def routine(self, x: Variable, positions: Variable) -> RoutineCall:
        """Of the runtime."""
        return _sort_call("argsort", x, self.axis, 16)

    def __repr__(self) -> str:
        return f"argsort[{self.axis}]"


class Sort(Op):
    """The elements along an axis in ascending order; NaN is last, equal ones stay in order."""

    axis: int

    def infer(self, x: Variable) -> TensorType:
        Argsort(self.axis).infer(x)
        return x.type

    def evaluate(self, x: np.ndarray) -> Any:
        return np.take_along_axis(x, np.argsort(widened(x), axis=self.axis, kind="stable"), self.axis)

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        argsort = Argsort(self.axis)
        return gather_along(dy, argsort(argsort(x)), self.axis)  # a permutation sorted is what undoes it

    def routine(self, x: Variable, y: Variable) -> RoutineCall:
        """Of the runtime."""
        return _sort_call("sort", x, self.axis, _key_bytes(x))

    def __repr__(self) -> str:
        return f"sort[{self.axis}]"


class Select(Op):
    """The positions along an axis of the first `count` elements in ascending order, or, if `largest`, of the last.

    Of the largest the largest comes first, NaN before all numbers; of equal ones that which is first along the axis.
    """

    axis: int
    largest: bool
    sizes_from = 1

    def infer(self, x: Variable, count: Variable) -> TensorType:
        wanted, length = size_of(count), x.type.shape[self.axis]
        at_most(wanted, length, f"{wanted} elements are wanted of the {length} along axis {self.axis}")
        shape = (*x.type.shape[:self.axis], wanted, *x.type.shape[self.axis + 1:])
        return TensorType.of(Argsort(self.axis).infer(x).dtype, shape)

    def evaluate(self, x: np.ndarray, count: Any) -> Any:
        x, last = widened(x), x.shape[self.axis] - 1
        if self.largest:  # reversed twice, equal ones stay in order
            order = last - np.flip(np.argsort(np.flip(x, self.axis), axis=self.axis, kind="stable"), self.axis)
        else:
            order = np.argsort(x, axis=self.axis, kind="stable")
        return np.take(order, np.arange(int(count)), axis=self.axis).astype("int64")

    def pullback(self, *values: Variable) -> Any:
        return None, None

    def routine(self, x: Variable, count: Variable, positions: Variable) -> RoutineCall:
        """Of the runtime, with room for more elements than are wanted, so that few are looked at often."""
        outer, n, inner = _rows(x, self.axis)
        wanted = size_of(count)
        room = dims.minimum(4 * wanted, n) + _ROOM
        return RoutineCall("select", [x], (outer, n, inner, wanted), [self.largest], work=outer * n * inner,
                           scratch=(2 * _key_bytes(x) + 24) * room + _COUNTS)

    def __repr__(self) -> str:
        return f"{'largest' if self.largest else 'smallest'}[{self.axis}]"


class Search(Op):
    """Where each value would be put into an ascending vector: before its equals ("left") or behind them ("right")."""

    side: str

    def infer(self, ascending: Variable, values: Variable) -> TensorType:
        if ascending.type.ndim != 1 or ascending.type.dtype != values.type.dtype:
            raise TypeMismatch("what is searched must be a vector, of the dtype of the values",
                               fix="flatten it, cast it")
        if values.type.dtype in COMPLEX:
            raise TypeMismatch("complex numbers have no order", fix="search abs(x) or real(x)")
        return values.type.with_dtype("int64")

    def evaluate(self, ascending: np.ndarray, values: np.ndarray) -> Any:
        places = np.searchsorted(widened(ascending), widened(values), side=self.side)  # type: ignore[call-overload]
        return np.asarray(places).astype("int64")

    def pullback(self, *values: Variable) -> Any:
        return None, None

    def routine(self, ascending: Variable, values: Variable, places: Variable) -> RoutineCall:
        """Of the runtime."""
        count = math.prod(values.type.shape, start=1)
        return RoutineCall("search", [ascending, values], (ascending.type.shape[0], count), [self.side == "right"],
                           work=16 * count)

    def __repr__(self) -> str:
        return f"search[{self.side}]"
