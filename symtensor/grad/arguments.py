"""What the public derivatives take and give: containers, values for derivatives, zeros.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("int64", (3,)), name="x")
>>> zero_derivative(x).type, contained_like((x,), [1])
(TensorType(float64, (3,)), (1,))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TypeMismatch
from symtensor.grad.masked import full
from symtensor.ir.node import Constant, Variable, complaint, describe
from symtensor.ops.convert import together
from symtensor.ops.shape import broadcast_like
from symtensor.types.dtype import CONTINUOUS

__all__ = ["contained_like", "derivative_for", "directions", "variables_of", "zero_derivative"]


def derivative_for(value: Any, template: Variable) -> Variable:
    """A derivative given for `template`, as a variable of its shape."""
    variable = together([value, template])[0]
    if variable.type.dtype != template.type.dtype or variable.type.ndim > template.type.ndim:
        raise TypeMismatch(f"the derivative given for {template!r} is {variable.type.describe()}",
                           operands=[describe(template), describe(variable)],
                           fix=f"give one of type {template.type.describe()}")
    return full(variable, template)


def _as_list(variables: Any) -> list[Any]:
    """The entries of a list or tuple, or the one variable."""
    return list(variables) if isinstance(variables, (list, tuple)) else [variables]


def variables_of(function: str, variables: Any, what: str) -> list[Variable]:
    """The entries of a list or tuple, or the one variable. Raises TypeMismatch for what is no variable."""
    found = _as_list(variables)
    for one in found:
        if not isinstance(one, Variable):
            raise complaint(TypeMismatch, f"{function}: {what} must be variables, and {one!r} is none",
                            fix="give what T.matrix and its like made, or expressions of it")
    return found


def directions(function: str, values: Any, variables: Sequence[Variable]) -> list[Any]:
    """A derivative given for each of some variables, None for zeros. Raises TypeMismatch for another number of them."""
    given = _as_list(values)
    if len(given) != len(variables):
        raise complaint(TypeMismatch, f"{function}: {len(given)} eval_points are given for {len(variables)} variables",
                        *variables, fix="give one of the shape of each")
    return [None if value is None else derivative_for(value, variable) for value, variable in zip(given, variables)]


def contained_like(container: Any, values: Sequence[Any]) -> Any:
    """`values` in the kind of container that `container` is."""
    if isinstance(container, (list, tuple)):
        return type(container)(values)
    return values[0]


def zero_derivative(variable: Variable) -> Variable:
    """Zeros of the shape of a variable: of its dtype, or floatX for one that is not continuous."""
    dtype = variable.type.dtype if variable.type.dtype in CONTINUOUS else config.floatX
    return broadcast_like(Constant(np.zeros((), dtype)), variable)
