"""Derivatives of expressions: `grad`, `Rop`, `Lop`, and places where they stop.

The expressions are first put in a numerically stable form, so that the derivative of log(1 + exp(x)) is right for
large x.

>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> grad((x ** 2).sum(), x).type
TensorType(float64, (x.0,))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symtensor.base.errors import GradientError
from symtensor.grad import forward, reverse
from symtensor.grad import jacobian as jacobians
from symtensor.ir.node import Unknown, Variable
from symtensor.ops import scalar
from symtensor.ops.elementwise import elementwise
from symtensor.rewrite.phases import stabilized
from symtensor.runtime.structured import Structured

__all__ = ["grad", "Rop", "Lop", "jacobian", "hessian", "subgraph_grad", "disconnected_grad", "zero_grad",
           "consider_constant", "undefined_grad", "grad_clip", "grad_scale", "hessian_vector", "verify_grad",  # noqa: F822
           "GradientError"]


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
    whole = wrt if isinstance(wrt, (list, tuple)) else [wrt]
    if any(isinstance(value, Structured) for value in whole):
        parts = [value.continuous if isinstance(value, Structured) else value for value in whole]
        slopes = grad(cost, parts, consider_constant, disconnected_inputs, add_names, known_grads,
                      return_disconnected, null_gradients)
        found = [value.derivative(slope) if isinstance(value, Structured) and slope is not None else slope
                 for value, slope in zip(whole, slopes)]
        return type(wrt)(found) if isinstance(wrt, (list, tuple)) else found[0]
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


def jacobian(expression: Variable, wrt: Any, consider_constant: Iterable[Variable] | None = None,
             disconnected_inputs: str = "raise") -> Any:
    """The derivative of every element of `expression` by a variable, or by each of a list or tuple of variables.

    The shape of a result is that of the expression followed by that of the variable. Raises as `grad` does.

    >>> import symtensor.tensor as T
    >>> x = T.vector("x", shape=(3,))
    >>> jacobian(x ** 2, x).type
    TensorType(float64, (3, 3))
    """
    return jacobians.jacobian(expression, wrt, consider_constant, disconnected_inputs, simplify=stabilized)


def hessian(cost: Variable, wrt: Any, consider_constant: Iterable[Variable] | None = None,
            disconnected_inputs: str = "raise") -> Any:
    """The second derivatives of a scalar by a variable, or by each of several, each with itself.

    The shape of a result is twice that of the variable. Raises as `grad` does.

    >>> import symtensor.tensor as T
    >>> x = T.vector("x", shape=(3,))
    >>> hessian((x ** 3).sum(), x).type
    TensorType(float64, (3, 3))
    """
    return jacobians.hessian(cost, wrt, consider_constant, disconnected_inputs, simplify=stabilized)


def hessian_vector(cost: Variable, wrt: Any, vectors: Any, consider_constant: Iterable[Variable] | None = None,
                   disconnected_inputs: str = "raise") -> Any:
    """The second derivatives of a scalar, times a vector: how its gradient changes along a direction.

    `vectors` has one tensor of the shape of each variable in `wrt`; the results too. It takes about twice the time of
    the gradient, and no matrix is made. Raises as `grad` and `Rop` do.

    >>> import symtensor.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> hessian_vector((x ** 3).sum(), x, v).eval({x: [1.0, 2.0], v: [1.0, 10.0]})
    array([  6., 120.])
    """
    slopes = grad(cost, wrt, consider_constant, disconnected_inputs)
    return Rop(slopes, wrt, vectors, disconnected_outputs="ignore")


def subgraph_grad(wrt: Sequence[Variable], end: Sequence[Variable], start: Mapping[Variable, Any] | None = None,
                  cost: Variable | None = None) -> tuple[list[Variable], list[Variable]]:
    """Derivatives through a part of a graph: from `start`, from `cost` or from both, back to `end`.

    `start` maps variables to the derivatives that reach them, `end` are variables to stop at. The result has the
    derivatives by `wrt` and those by `end`, which can be the `start` of another part. Raises as `grad` does.

    >>> import symtensor.tensor as T
    >>> x, w = T.dscalars("x", "w")
    >>> h = x * w
    >>> by_w, by_h = subgraph_grad([], [h], cost=h ** 2)
    >>> subgraph_grad([w], [x], start={h: by_h[0]})[0][0].type
    TensorType(float64, ())
    """
    if start is None and cost is None:
        raise GradientError("subgraph_grad needs start or cost", fix="give one of them")
    targets = [*wrt, *end]
    found = grad(cost, targets, consider_constant=end, disconnected_inputs="ignore", known_grads=start)
    return found[:len(wrt)], found[len(wrt):]


def disconnected_grad(x: Any) -> Variable:
    """`x`, a constant to differentiation: what depends on it by this alone is not connected to it.

    >>> import symtensor.tensor as T
    >>> disconnected_grad(T.dscalar("x")).type
    TensorType(float64, ())
    """
    return scalar.stop_gradient(x)


@elementwise(kind="same", pullback=lambda x, y, dy: None)
def zero_grad(x):  # type: ignore[no-untyped-def]
    """`x`, by which, and through which, every derivative is zero: unlike `disconnected_grad`, to ask for one is right.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> grad(zero_grad(x) ** 2, x).eval({x: 3.0})
    array(0.)
    """
    return x


consider_constant = zero_grad


@elementwise(kind="same", pullback=lambda x, y, dy: Unknown("it was said to be undefined, by undefined_grad"))
def undefined_grad(x):  # type: ignore[no-untyped-def]
    """`x`, by which, and through which, there is no derivative: to ask for one is an error.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> grad(undefined_grad(x) * 2, x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    symtensor.base.errors.GradientError: undefined_grad has no derivative by x: ...
    """
    return x


@elementwise(kind="same", pullback=lambda x, lower_bound, upper_bound, y, dy: (
    scalar.minimum(scalar.maximum(dy, lower_bound), upper_bound), None, None))
def grad_clip(x, lower_bound, upper_bound):  # type: ignore[no-untyped-def]
    """`x`, whose derivative is brought into lower_bound..upper_bound on its way back, element by element.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> grad(grad_clip(x, -1, 1) ** 2, x).eval({x: 3.0})
    array(1.)
    """
    return x


@elementwise(kind="same", pullback=lambda x, multiplier, y, dy: (dy * multiplier, None))
def grad_scale(x, multiplier):  # type: ignore[no-untyped-def]
    """`x`, whose derivative is multiplied by `multiplier` on its way back.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> grad(grad_scale(x, 0.5) ** 2, x).eval({x: 3.0})
    array(3.)
    """
    return x


def __getattr__(name: str) -> Any:
    if name != "verify_grad":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from symtensor.testing.verify_grad import verify_grad  # the one tool for tests under Theano's address
    return verify_grad
