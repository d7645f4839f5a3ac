"""Reductions over axes.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 4)), name="x")
>>> sum_axes(x, [1]).type, ArgReduce("argmax", 0)(x).type
(TensorType(float32, (x.0,)), TensorType(int64, (4,)))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.formula import Piece
from symtensor.ir.node import Masked, Op, Variable, at_most, complaint
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise, cast
from symtensor.types.dtype import COMPLEX, kind_of, widened
from symtensor.types.tensor import TensorType

__all__ = ["Reduce", "ArgReduce", "REDUCTIONS", "least", "reduce_axes", "sum_axes"]

REDUCTIONS: dict[str, Elementwise] = {
    "sum": scalar.add, "prod": scalar.mul, "max": scalar.maximum, "min": scalar.minimum,
    "any": scalar.or_, "all": scalar.and_,
}
"""What combines two elements of each kind of reduction."""


class Reduce(Op):
    """Elements combined over `axes`, which disappear. Sums and products of nothing are 0 and 1."""

    kind: str
    axes: tuple[int, ...]

    @property
    def combine(self) -> Elementwise:
        """The op that combines two elements."""
        return REDUCTIONS[self.kind]

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        whole = len(self.axes) == inputs[0].type.ndim
        axes = self.axes[0] if len(self.axes) == 1 else self.axes
        return [f"{self.kind}(", inputs[0], ")" if whole else f", axis={axes})"]

    def infer(self, x: Variable) -> TensorType:
        if self.kind in ("any", "all") and x.type.dtype != "bool":
            raise TypeMismatch(f"{self.kind} reduces bool, not {x.type.dtype}", fix="compare with 0 first")
        if self.kind in ("max", "min"):
            if x.type.dtype in COMPLEX:
                raise TypeMismatch("complex numbers have no order", fix="use abs(x)")
            for axis in self.axes:
                at_most(1, x.type.shape[axis], f"{self.kind} of no elements: axis {axis} is empty")
        return TensorType.of(x.type.dtype, tuple(s for a, s in enumerate(x.type.shape) if a not in self.axes))

    def evaluate(self, x: np.ndarray) -> Any:
        function = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
                    "any": np.logical_or, "all": np.logical_and}[self.kind]
        # Users may not ask for the largest of nothing, but rules may: it is the least there is.
        nothing = {"initial": least(self.kind, x.dtype)} if self.kind in ("max", "min") and not x.size else {}
        with np.errstate(all="ignore"):
            wide = widened(x)
            result = function.reduce(wide, axis=self.axes, dtype=wide.dtype, **nothing)
            return np.asarray(result, x.dtype)

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        from symtensor.ops.shape import broadcast_like, expand_dims  # shape builds on sums
        if self.kind in ("any", "all"):
            return None
        spread = broadcast_like(expand_dims(dy, self.axes), x)
        if self.kind == "sum":
            return spread
        if self.kind == "prod":
            return spread * _product_of_others(x, self.axes)
        return Masked(spread, scalar.eq(x, expand_dims(y, self.axes)))

    def __repr__(self) -> str:
        return f"{self.kind}[{','.join(map(str, self.axes))}]"


def least(kind: str, dtype: np.dtype) -> Any:
    """What every value of a dtype is at least ("max") or at most ("min")."""
    if kind_of(dtype) == "b":
        return kind == "min"
    if kind_of(dtype) == "f":
        return -np.inf if kind == "max" else np.inf
    return np.iinfo(dtype).min if kind == "max" else np.iinfo(dtype).max


def _product_of_others(x: Variable, axes: tuple[int, ...]) -> Variable:
    """For each element the product of all others along axes, with zeros among them done right."""
    from symtensor.ops.shape import expand_dims
    is_zero = scalar.eq(x, 0)
    filled = scalar.switch(is_zero, 1, x)
    product = expand_dims(Reduce("prod", axes)(filled), axes)
    zeros = expand_dims(sum_axes(cast(is_zero, "int64"), axes), axes)
    return scalar.switch(scalar.le(zeros - cast(is_zero, "int64"), 0), product / filled, 0)


class ArgReduce(Op):
    """The index along `axis` of the first largest ("argmax") or smallest ("argmin") element; NaN counts as both."""

    kind: str
    axis: int

    def infer(self, x: Variable) -> TensorType:
        if x.type.dtype in COMPLEX:
            raise TypeMismatch("complex numbers have no order", fix="use abs(x)")
        at_most(1, x.type.shape[self.axis], f"{self.kind} of no elements: axis {self.axis} is empty")
        return TensorType.of("int64", tuple(s for a, s in enumerate(x.type.shape) if a != self.axis))

    def evaluate(self, x: np.ndarray) -> Any:
        return np.asarray(getattr(np, self.kind)(widened(x), axis=self.axis)).astype("int64")

    def pullback(self, *values: Variable) -> Any:
        return None

    def __repr__(self) -> str:
        return f"{self.kind}[{self.axis}]"


def reduce_axes(kind: str, x: Variable, axes: Sequence[int]) -> Variable:
    """`x` reduced over `axes` (not negative, in any order); x itself when there are none."""
    axes = tuple(sorted(axes))
    if len(set(axes)) != len(axes) or any(not 0 <= axis < x.type.ndim for axis in axes):
        raise complaint(ShapeError, f"{kind}: axes {axes} do not fit {x.type.ndim} axes", x,
                        fix="name axes that there are, each once")
    return Reduce(kind, axes)(x) if axes else x


def sum_axes(x: Variable, axes: Sequence[int]) -> Variable:
    """The sum over `axes`."""
    return reduce_axes("sum", x, axes)
