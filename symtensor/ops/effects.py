"""Ops that let values pass and do something beside: check a condition, print, raise, stop in the debugger.

To differentiation they are not there.

>>> import numpy as np
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> y = Assert("x must not be empty")(x, x.type.shape[0] != 0)
>>> y
assert['x must not be empty'](x, True)
>>> Assert("too large").evaluate(np.array(3), np.array(False))
Traceback (most recent call last):
...
symtensor.base.errors.AssertionFailed: too large
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from symtensor.base.errors import AssertionFailed, TypeMismatch
from symtensor.ir.node import Op, Variable, describe
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import as_bool
from symtensor.types.dim import Size
from symtensor.types.tensor import TensorType

__all__ = ["Assert", "PdbBreakpoint", "Print", "Raise"]


class Assert(Op):
    """`Assert(message)(x, *conditions)` is x; an error with this message if one of the scalar conditions is false.

    Checked when x is computed, in the kernel that computes it. Raises TypeMismatch for a condition that is no scalar.

    >>> x = as_variable([1.0, 2.0])
    >>> Assert("must be positive")(x, x[0] > 0).eval()
    array([1., 2.])
    """

    message: str = "a condition does not hold"
    fails = True

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        x, *conditions = map(as_variable, arguments)
        return [x, *map(as_bool, conditions)]

    def infer(self, x: Variable, *conditions: Variable) -> TensorType:
        for condition in conditions:
            if condition.type.ndim or condition.type.dtype != "bool":
                raise TypeMismatch("conditions must be scalars", operands=[describe(condition)],
                                   fix="T.all(condition)")
        return x.type

    def evaluate(self, x: np.ndarray, *conditions: Any) -> Any:
        if not all(conditions):
            raise AssertionFailed(self.message)
        return x

    def element(self, index: tuple[Size, ...], x: Any, *conditions: Any) -> Any:
        """The element of x; a condition that does not hold is an index that is out of range."""
        element = x.at(index)
        for condition in conditions:
            holds = condition.at(())
            none, one = (x.scope.literal(number, "int64") for number in (0, 1))
            checked = x.scope.compute(scalar.wrap_index, x.scope.compute(scalar.switch, holds, none, one), one)
            element = x.scope.compute(scalar.switch, x.scope.compute(scalar.eq, checked, none), element, element)
        return element

    def pullback(self, *values: Any) -> Any:
        return (values[-1], *(None,) * (len(values) - 3))

    def __repr__(self) -> str:
        return f"assert[{self.message!r}]"


def _print(op: Print, value: np.ndarray) -> None:
    for name in op.attrs:
        attribute = getattr(value, name)
        print(op.message, name, "=", attribute() if callable(attribute) else attribute)


class Print(Op):
    """`Print(message)(x)` is x, and prints the message and x when it is computed.

    `attrs` are the attributes or methods of the array that are printed; `global_fn(op, array)`, if given, is called in
    place of printing. Raises TypeMismatch for an attribute that arrays do not have.

    >>> Print("x is")(as_variable(2.0)).owner.op.evaluate(np.array(2.0)) + 1
    x is __str__ = 2.0
    np.float64(3.0)
    """

    message: str = ""
    attrs: tuple[str, ...] = ("__str__",)
    global_fn: Callable[[Print, np.ndarray], Any] | None = None
    foldable = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", tuple(self.attrs))
        for name in self.attrs:
            if not hasattr(np.ndarray, name):
                near = difflib.get_close_matches(name, dir(np.ndarray), n=1)
                raise TypeMismatch(f"Print: an array has no attribute {name!r}",
                                   fix=f"did you mean {near[0]!r}?" if near else "an attribute of numpy.ndarray")

    def prepare(self, x: Any) -> Sequence[Variable]:  # type: ignore[override]
        return [as_variable(x)]

    def infer(self, x: Variable) -> TensorType:
        return x.type

    def evaluate(self, x: np.ndarray) -> Any:
        (self.global_fn or _print)(self, np.asarray(x))
        return x

    def pullback(self, x: Variable, y: Variable, dy: Variable) -> Any:
        return dy

    def __repr__(self) -> str:
        return f"print[{self.message!r}]"


class Raise(Op):
    """`Raise(message, exception)(x, ...)` has the type of x, and raises the exception when it is computed.

    >>> Raise("not yet")(as_variable(1.0)).type
    TensorType(float64, ())
    """

    msg: str = ""
    exc: type[BaseException] = NotImplementedError
    foldable = False

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        return list(map(as_variable, arguments))

    def infer(self, x: Variable, *more: Variable) -> TensorType:
        return x.type

    def evaluate(self, x: np.ndarray, *more: np.ndarray) -> Any:
        raise self.exc(self.msg)

    def __repr__(self) -> str:
        return f"raise[{self.msg!r}]"


class PdbBreakpoint(Op):
    """`PdbBreakpoint(name)(condition, *monitored)` are the monitored values; where the condition holds, pdb stops.

    There they are `monitored`, a list of arrays, which may be looked at.
    """

    name: str
    foldable = False

    def prepare(self, *arguments: Any) -> Sequence[Variable]:
        condition, *monitored = map(as_variable, arguments)
        return [as_bool(condition), *monitored]

    def infer(self, condition: Variable, *monitored: Variable) -> Any:
        if condition.type.ndim:
            raise TypeMismatch("the condition must be a scalar", operands=[describe(condition)])
        return [v.type for v in monitored]

    def evaluate(self, condition: Any, *monitored: np.ndarray) -> Any:
        if condition:
            print(f"\n{self.name}: the condition holds; the values are `monitored`")
            import_module("pdb").set_trace()  # loaded by those who stop only
        return tuple(monitored)

    def pullback(self, *values: Any) -> Any:
        count = (len(values) - 1) // 3
        return (None, *values[1 + 2 * count:])

    def __repr__(self) -> str:
        return f"breakpoint[{self.name!r}]"
