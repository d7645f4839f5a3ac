"""`ifelse`: of two values the one that a condition chooses; only this one is computed.

>>> import symtensor as st
>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> f = st.function([x], ifelse(x.shape[0] > 2, x[2], 0.0))
>>> f([1.0, 2.0, 3.0]), f([1.0])
(array(3.), array(0.))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ops.branch import IfElse
from symtensor.ops.convert import as_variable, is_weak, together
from symtensor.ops.elementwise import as_bool, cast
from symtensor.types.dtype import promote

__all__ = ["ifelse"]


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """`then_branch` if the scalar `condition` is true (not zero), else `else_branch`; the other is not computed.

    The branches are values, or two lists of as many values; a list gives a list. Two values have one dtype and one
    rank, that of the result; numbers take the dtype of the other branch; sizes may differ. What only one branch needs
    is computed only if it is taken; so nothing of the other can fail, nor of its derivatives. For a choice for each
    element there is `switch`. Raises TypeMismatch.

    >>> import symtensor.tensor as T
    >>> c, x = T.bscalar("c"), T.dmatrix("x")
    >>> inverse, count = ifelse(c, [1 / x, x.shape[0]], [x, x.shape[1]])
    >>> inverse.type.ndim, count.type.dtype
    (2, 'int64')
    """
    truth = _condition(condition)
    many = isinstance(then_branch, (list, tuple)), isinstance(else_branch, (list, tuple))
    thens, elses = _as_list(then_branch), _as_list(else_branch)
    if len(thens) != len(elses) or not thens:
        raise complaint(TypeMismatch, f"ifelse: one branch has {len(thens)} values, the other {len(elses)}",
                        fix="give each branch the same number of values")
    pairs = [_pair(then, otherwise) for then, otherwise in zip(thens, elses)]
    made = IfElse().make(truth, *(then for then, _ in pairs), *(otherwise for _, otherwise in pairs))
    for number, variable in enumerate(made):
        variable.name = f"{name}{number}" if name and any(many) else name
    return list(made) if any(many) else made[0]


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _condition(value: Any) -> Variable:
    condition = as_variable(value)
    if condition.type.ndim:
        raise complaint(TypeMismatch, "ifelse: the condition must be a scalar", condition,
                        fix="use any() or all(); for a choice for each element, switch")
    return as_bool(condition)


def _pair(then: Any, otherwise: Any) -> tuple[Variable, Variable]:
    """The two values that one result may have, as variables of one dtype and rank."""
    first, second = together([then, otherwise])
    if is_weak(then) and is_weak(otherwise):
        first, second = (cast(v, promote(first.type.dtype, second.type.dtype)) for v in (first, second))
    if first.type.dtype != second.type.dtype:
        raise complaint(TypeMismatch, f"ifelse: the branches have dtypes {first.type.dtype} and {second.type.dtype}",
                        first, second, fix=f"cast one: T.cast(value, {first.type.dtype!r})")
    if first.type.ndim != second.type.ndim:
        raise complaint(TypeMismatch, f"ifelse: the branches have {first.type.ndim} and {second.type.ndim} axes",
                        first, second, fix="reshape one, or give it axes with dimshuffle")
    return first, second
