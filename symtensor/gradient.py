"""Derivatives of expressions: `grad`, `Rop`, `Lop`, and places where they stop.

The expressions are first put in a numerically stable form, so that the derivative of log(1 + exp(x)) is right for
large x.

>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> grad((x ** 2).sum(), x).type
TensorType(float64, (x.0,))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from symtensor.grad import forward, reverse
from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.rewrite.phases import stabilized

__all__ = ["grad", "Rop", "Lop", "disconnected_grad", "zero_grad", "consider_constant"]


def grad(cost: Variable | None, wrt: Any, consider_constant: Iterable[Variable] | None = None,
         disconnected_inputs: str = "raise", add_names: bool = True, known_grads: Mapping[Variable, Any] | None = None,
         return_disconnected: str = "zero", null_gradients: str = "raise") -> Any:
    """The derivative of a scalar `cost` by a variable, or by each of a list or tuple of variables.

    Each has the type of its variable; that of an integer variable is zero in floatX. `consider_constant` are
    expressions not to differentiate; `known_grads` maps variables to derivatives known already, and with them `cost`
    may be None. A variable that the cost does not depend on raises, warns or passes as `disconnected_inputs` says, and
    its derivative is zero, or None if `return_disconnected` is "None". `add_names` and `null_gradients` are accepted
    for Theano's sake. Raises TypeMismatch, DisconnectedInputError, GradientError.

    >>> import symtensor.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> [v.type for v in grad(x * y, [x, y])]
    [TensorType(float64, ()), TensorType(float64, ())]
    """
    return reverse.grad(cost, wrt, consider_constant, disconnected_inputs, known_grads, return_disconnected,
                        simplify=stabilized)


def Rop(f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise",
        return_disconnected: str = "zero") -> Any:
    """The Jacobian of `f` by `wrt` times `eval_points`, in forward mode: how f changes along a direction.

    `f` is a tensor or a list of them; `eval_points` has one tensor of the shape of each variable in `wrt`. Each result
    has the type of its f. Raises TypeMismatch, DisconnectedInputError, GradientError.

    >>> import symtensor.tensor as T
    >>> w, v, x = T.dmatrix("w"), T.dmatrix("v"), T.dvector("x")
    >>> Rop(T.dot(x, w), w, v).type.ndim
    1
    """
    return forward.Rop(f, wrt, eval_points, disconnected_outputs, return_disconnected, simplify=stabilized)


def Lop(f: Any, wrt: Any, eval_points: Any, consider_constant: Iterable[Variable] | None = None,
        disconnected_inputs: str = "raise") -> Any:
    """`eval_points` times the Jacobian of `f` by `wrt`, in reverse mode: the derivative of sum(f * eval_points).

    `eval_points` has one tensor of the shape of each `f`. Each result has the type of its variable in `wrt`. Raises
    TypeMismatch, DisconnectedInputError, GradientError.

    >>> import symtensor.tensor as T
    >>> w, v, x = T.dmatrix("w"), T.dvector("v"), T.dvector("x")
    >>> Lop(T.dot(x, w), w, v).type.ndim
    2
    """
    return reverse.Lop(f, wrt, eval_points, consider_constant, disconnected_inputs, simplify=stabilized)


def disconnected_grad(x: Any) -> Variable:
    """`x`, a constant to differentiation.

    >>> import symtensor.tensor as T
    >>> disconnected_grad(T.dscalar("x")).type
    TensorType(float64, ())
    """
    return scalar.stop_gradient(x)


zero_grad = consider_constant = disconnected_grad
