"""All derivatives of an expression at once: jacobian and hessian.

The derivative of each element is a pullback of one row of the identity; the rows go through the graph
together, along an axis of their own (`ops.vectorize`), so there is no loop.

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> evaluate([jacobian(x * x, x)], {x: [1.0, 2.0]})
[array([[2., 0.],
       [0., 4.]])]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.grad.arguments import contained_like, variables_of, zero_derivative
from symtensor.grad.conventions import outside
from symtensor.grad.origins import remember
from symtensor.grad.reverse import Simplify, grad, pullback, reachable
from symtensor.ir import provenance
from symtensor.ir.node import Variable, describe
from symtensor.ops import scalar
from symtensor.ops.elementwise import cast
from symtensor.ops.index import Iota
from symtensor.ops.shape import broadcast_to, expand_dims, reshape
from symtensor.ops.size import dimension, shape_of
from symtensor.ops.vectorize import vectorize
from symtensor.types.dtype import FLOATS

__all__ = ["hessian", "jacobian"]


def jacobian(expression: Variable, wrt: Any, consider_constant: Iterable[Variable] | None = None,
             disconnected_inputs: str = "raise", simplify: Simplify | None = None) -> Any:
    """The derivatives of every element of `expression` by each variable of `wrt`, in the container of wrt.

    The shape of a result is that of the expression followed by that of the variable. Raises as `grad` does.

    >>> from symtensor.types.tensor import TensorType
    >>> x = Variable(TensorType("float64", (2, 3)), name="x")
    >>> jacobian(scalar.exp(x), x).type
    TensorType(float64, (2, 3, 2, 3))
    """
    variables_of("jacobian", [expression], "the expression")
    if expression.type.dtype not in FLOATS:
        raise TypeMismatch(f"jacobian: the expression must be of floats, and {expression!r} is"
                           f" {expression.type.dtype}", where=provenance.describe(expression.lines),
                           operands=[describe(expression)], fix="cast it")
    targets, constants = variables_of("jacobian", wrt, "wrt"), set(consider_constant or ())
    reachable([expression], targets, constants, disconnected_inputs)
    (simple,) = [expression] if simplify is None else simplify([expression], [*targets, *constants])
    flat = reshape(simple, (-1,))
    row = Variable(flat.type)
    found = [*map(outside, pullback([flat], [row], targets, constants))]
    rows = iter(vectorize([v for v in found if v is not None], {row: _identity(flat)}))
    shape = shape_of(expression)
    results = []
    for target, cotangent in zip(targets, found):
        own = _zeros(shape, target) if cotangent is None else reshape(next(rows), [*shape, *shape_of(target)])
        results.append(own)
    remember(results, [expression])
    return contained_like(wrt, results)


def hessian(cost: Variable, wrt: Any, consider_constant: Iterable[Variable] | None = None,
            disconnected_inputs: str = "raise", simplify: Simplify | None = None) -> Any:
    """The second derivatives of a scalar by each variable of `wrt`, each with itself, in the container of wrt.

    The shape of a result is twice that of the variable. Raises as `grad` does.

    >>> from symtensor.ir.interpret import evaluate
    >>> from symtensor.types.tensor import TensorType
    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> evaluate([hessian(x * x * x, x)], {x: 2.0})
    [array(12.)]
    """
    targets = variables_of("hessian", wrt, "wrt")
    slopes = grad(cost, targets, consider_constant, disconnected_inputs, simplify=simplify)
    # A cost of first degree has a gradient that depends on nothing: its second derivatives are zero.
    return contained_like(wrt, [jacobian(slope, target, consider_constant, "ignore")
                                for slope, target in zip(slopes, targets)])


def _identity(flat: Variable) -> Variable:
    """The identity matrix of the size of a vector."""
    places = Iota()(dimension(flat, 0))
    identity: Variable = cast(scalar.eq(expand_dims(places, [1]), expand_dims(places, [0])), flat.type.dtype)
    return identity


def _zeros(shape: list[Variable], target: Variable) -> Variable:
    return broadcast_to(zero_derivative(target), [*shape, *shape_of(target)])
