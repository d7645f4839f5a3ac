"""Python's operators on variables.

>>> from symtensor.ops.convert import as_variable
>>> x = as_variable([1.0, 2.0])
>>> (2 * x + 1).owner.op, (x > 1).type.dtype
(add, 'bool')
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint, extend_variables
from symtensor.ops import scalar
from symtensor.types.dtype import INTEGERS

__all__ = ["deferring"]


def deferring(operator: Callable[[Any, Any], Variable]) -> Callable[[Any, Any], Any]:
    """An operator that leaves it to the other operand, if that is no variable and takes no functions of arrays.

    Saying so with `__array_ufunc__ = None` is NumPy's convention. Sparse matrices do.
    """
    @wraps(operator)
    def applied(self: Any, other: Any) -> Any:
        if getattr(type(other), "__array_ufunc__", applied) is None and not isinstance(other, Variable):
            return NotImplemented
        return operator(self, other)
    return applied


@extend_variables
class _Operators:
    """Arithmetic, comparison and logic; `==` of two variables stays identity (Theano's rule), use `eq`."""

    @deferring
    def __add__(self, other: Any) -> Variable:
        return scalar.add(self, other)

    def __radd__(self, other: Any) -> Variable:
        return scalar.add(other, self)

    @deferring
    def __sub__(self, other: Any) -> Variable:
        return scalar.sub(self, other)

    def __rsub__(self, other: Any) -> Variable:
        return scalar.sub(other, self)

    @deferring
    def __mul__(self, other: Any) -> Variable:
        return scalar.mul(self, other)

    def __rmul__(self, other: Any) -> Variable:
        return scalar.mul(other, self)

    def __truediv__(self, other: Any) -> Variable:
        return scalar.true_div(self, other)

    def __rtruediv__(self, other: Any) -> Variable:
        return scalar.true_div(other, self)

    def __floordiv__(self, other: Any) -> Variable:
        return scalar.floor_div(self, other)

    def __rfloordiv__(self, other: Any) -> Variable:
        return scalar.floor_div(other, self)

    def __mod__(self, other: Any) -> Variable:
        return scalar.mod(self, other)

    def __rmod__(self, other: Any) -> Variable:
        return scalar.mod(other, self)

    def __divmod__(self, other: Any) -> tuple[Variable, Variable]:
        return scalar.floor_div(self, other), scalar.mod(self, other)

    def __pow__(self, other: Any) -> Variable:
        return scalar.power(self, other)

    def __rpow__(self, other: Any) -> Variable:
        return scalar.power(other, self)

    def __neg__(self) -> Variable:
        return scalar.neg(self)

    def __pos__(self) -> Variable:
        return self  # type: ignore[return-value]

    def __abs__(self) -> Variable:
        return scalar.abs_(self)

    @deferring
    def __lt__(self, other: Any) -> Variable:
        return scalar.lt(self, other)

    @deferring
    def __le__(self, other: Any) -> Variable:
        return scalar.le(self, other)

    @deferring
    def __gt__(self, other: Any) -> Variable:
        return scalar.gt(self, other)

    @deferring
    def __ge__(self, other: Any) -> Variable:
        return scalar.ge(self, other)

    def __and__(self, other: Any) -> Variable:
        return scalar.and_(self, other)

    def __rand__(self, other: Any) -> Variable:
        return scalar.and_(other, self)

    def __or__(self, other: Any) -> Variable:
        return scalar.or_(self, other)

    def __ror__(self, other: Any) -> Variable:
        return scalar.or_(other, self)

    def __xor__(self, other: Any) -> Variable:
        return scalar.xor(self, other)

    def __rxor__(self, other: Any) -> Variable:
        return scalar.xor(other, self)

    def __invert__(self) -> Variable:
        return scalar.invert(self)

    def __format__(self: Any, specification: str) -> str:
        return format(_number(self) if specification else str(self), specification)

    def __float__(self: Any) -> float:
        return float(_number(self))

    def __int__(self: Any) -> int:
        return int(_number(self))

    def __index__(self: Any) -> int:
        if self.type.dtype not in INTEGERS:
            raise complaint(TypeMismatch, f"{self!r} is no integer", self, fix='cast it: x.astype("int64")')
        return int(_number(self))

    def __bool__(self: Any) -> bool:
        if config.truth_of_variables == "true" and self.type.dtype != "bool":
            return True
        raise complaint(TypeMismatch, f"{self!r} has no truth value: it is a symbolic expression", self,
                        fix="use switch(condition, a, b); x.eval() for a number")


def _number(x: Any) -> Any:
    """The number a scalar constant is. Raises TypeMismatch for what has no value yet."""
    if isinstance(x, Constant) and not x.type.ndim:
        return x.data
    raise complaint(TypeMismatch, f"{x!r} is not a number: it is a symbolic expression", x,
                    fix="x.eval(), or compute with it as it is: T.arange(n), T.sqrt(x)")
