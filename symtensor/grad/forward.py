"""Forward mode: `Rop` and the engine under it, `pushforward`.

The derivative of an elementwise op of real numbers is a factor for each element, so its pullback serves for tangents as
for cotangents. The pullback of any other op is linear in the cotangent: pulling back through it once
more gives the tangent. An op may give a `pushforward` of its own where that would be wasteful.

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.types.tensor import TensorType
>>> x, v = (Variable(TensorType("float64", (None,)), name=name) for name in "xv")
>>> evaluate([Rop(x * x, x, v)], {x: [1.0, 2.0], v: [1.0, 10.0]})
[array([ 2., 40.])]
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from symtensor.grad.arguments import contained_like, directions, variables_of, zero_derivative
from symtensor.grad.connection import dependents, report_disconnected
from symtensor.grad.local import expanded, pulled_back, pushed_forward
from symtensor.grad.masked import Algebra, Derivative, applied, full, is_spread
from symtensor.grad.origins import remember
from symtensor.grad.reverse import Simplify, pullback
from symtensor.ir import provenance
from symtensor.ir.graph import applications, substitute
from symtensor.ir.node import Apply, Masked, Variable
from symtensor.ops.elementwise import Elementwise, cast, zeros_like
from symtensor.ops.shape import unbroadcast
from symtensor.types.dtype import COMPLEX, CONTINUOUS

__all__ = ["Rop", "pushforward"]


def Rop(f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise", return_disconnected: str = "zero",
        simplify: Simplify | None = None) -> Any:
    """The Jacobian of `f` by `wrt`, multiplied from the right by `eval_points`: Jv, in the container of f.

    `eval_points` has one value of the shape of each variable in `wrt`, or None for zero. An output that depends on
    none of wrt raises, warns or passes as `disconnected_outputs` says; its derivative is then zero, or None if
    `return_disconnected` is "None". Raises DisconnectedInputError, GradientError, TypeMismatch.

    >>> from symtensor.ir.interpret import evaluate
    >>> from symtensor.types.tensor import TensorType
    >>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
    >>> evaluate([Rop(x * y, [x, y], [1.0, 0.0])], {x: 2.0, y: 3.0})
    [array(3.)]
    """
    targets, outputs = variables_of("Rop", wrt, "wrt"), variables_of("Rop", f, "f")
    points = directions("Rop", eval_points, targets)
    reached = dependents(applications(outputs), targets)
    for output in outputs:
        if output not in reached:
            report_disconnected(output, disconnected_outputs, "does not depend on any variable of wrt")
    simple = outputs if simplify is None else simplify(outputs, targets)
    found = [zero_derivative(output) if tangent is None and (output in reached or return_disconnected == "zero")
             else tangent for output, tangent in zip(outputs, pushforward(simple, targets, points))]
    remember(found, outputs)
    return contained_like(f, found)


def pushforward(outputs: Sequence[Variable], wrt: Sequence[Variable], tangents: Sequence[Variable | None],
                stop: Container[Variable] = ()) -> list[Variable | None]:
    """The tangents of `outputs` when those of `wrt` are given; None for an exact zero.

    The walk ends at `stop`. Raises GradientError for an op without derivative.

    >>> from symtensor.types.tensor import TensorType
    >>> x, y, t = (Variable(TensorType("float64", (None,)), name=name) for name in ("x", "y", "t"))
    >>> pushforward([x * 2, y], [x], [t])
    [(t * 2.0), None]
    """
    known = {variable: Derivative(tangent) for variable, tangent in zip(wrt, tangents) if tangent is not None}
    algebra = Algebra()
    for node in applications(outputs, stop):
        if not any(v in known for v in node.inputs) or all(v.type.dtype not in CONTINUOUS for v in node.outputs):
            continue
        given = [known.get(v) for v in node.inputs]
        with provenance.attributed(node.lines):
            pushed = [_elementwise(node, given, algebra)] if _has_factors(node) else _general(node, given)
        for variable, tangent in zip(node.outputs, pushed):
            if tangent is not None and variable not in known and variable.type.dtype in CONTINUOUS:
                known[variable] = tangent
    return [applied(known[v]) if v in known else None for v in outputs]


def _has_factors(node: Apply) -> bool:
    """Whether the derivative of a node is a factor for each element: not of real parts, sizes or conjugates."""
    if not isinstance(node.op, Elementwise):
        return False
    return expanded(node) is not None or all(v.type.dtype not in COMPLEX for v in (*node.inputs, *node.outputs))


def _elementwise(node: Apply, tangents: Sequence[Derivative | None], algebra: Algebra) -> Derivative | None:
    """The sum over the operands of what the op's derivative makes of their tangents."""
    body = expanded(node)
    parts = []
    for position, tangent in enumerate(tangents):
        if tangent is None or (body is not None and node.inputs[position] in node.inputs[:position]):
            continue
        if body is None:
            result = pulled_back(node, [tangent.value], [position])[position]
        else:
            operand = node.inputs[position]
            (result,) = pushforward([body], [operand], [tangent.value], set(node.inputs))
        result = _with_dtype(result, node.outputs[0].type.dtype)
        part = algebra.carried(result, tangent)
        if part is not None:
            parts.append(part)
    if not parts:
        return None
    total = algebra.total(parts)
    return Derivative(full(total.value, node.outputs[0]), total.where, total.exact)


def _with_dtype(result: Variable | Masked | None, dtype: str) -> Variable | Masked | None:
    """What a pullback gave for a tangent, in the dtype of the output: a conversion gives its operand's."""
    if isinstance(result, Masked):
        return Masked(cast(result.value, dtype), result.where)
    return None if result is None else cast(result, dtype)


def _general(node: Apply, given: Sequence[Derivative | None]) -> Sequence[Derivative | None]:
    tangents = [None if tangent is None else applied(tangent) for tangent in given]
    results = pushed_forward(node, tangents)
    if results is None:
        return [None if tangent is None else Derivative(tangent) for tangent in _transposed(node, tangents)]
    algebra = Algebra()
    return [algebra.carried(result) for result in results]


def _transposed(node: Apply, tangents: Sequence[Variable | None]) -> list[Variable | None]:
    """The tangents of the outputs from the op's pullback, a linear map, transposed."""
    cotangents = [Variable(v.type) if v.type.dtype in CONTINUOUS else None for v in node.outputs]
    images, seeds = [], []
    wanted = [position for position, tangent in enumerate(tangents) if tangent is not None]
    for operand, image, tangent in zip(node.inputs, pulled_back(node, cotangents, wanted), tangents):
        if image is not None and tangent is not None:
            image = applied(Derivative(image.value, image.where)) if isinstance(image, Masked) else image
            if isinstance(node.op, Elementwise) and is_spread(operand, node.outputs[0]):
                image = unbroadcast(full(image, node.outputs[0]), operand)
            images.append(image)
            seeds.append(tangent)
    unknown = [v for v in cotangents if v is not None]
    found = dict(zip(unknown, pullback(images, seeds, unknown, {*node.inputs, *node.outputs})))
    # Only the shape of a cotangent can still be in the result, beside checks of it, which zeros pass.
    stand_in = {v: full(zeros_like(output), output) for v, output in zip(cotangents, node.outputs) if v is not None}
    return [_replaced(found.get(v), stand_in) if v is not None else None for v in cotangents]


def _replaced(variable: Variable | None, replacements: Mapping[Variable, Variable]) -> Variable | None:
    return None if variable is None else substitute([variable], replacements)[0]
