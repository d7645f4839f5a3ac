"""Reverse mode: `grad`, `Lop` and the engine under both, `pullback`.

Integer inputs have derivative zero; what ops select away contributes an exact zero (`grad.masked`).

>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", ()), name="x")
>>> slope = grad(x * x * x, x)
>>> evaluate([slope, grad(slope, x)], {x: 2.0})
[array(12.), array(12.)]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import GradientError, TypeMismatch
from symtensor.grad.arguments import contained_like, derivative_for, directions, variables_of, zero_derivative
from symtensor.grad.connection import connected, dependents, report_disconnected
from symtensor.grad.conventions import inside, outside
from symtensor.grad.local import check_derivative, expanded, pulled_back
from symtensor.grad.masked import Algebra, Derivative, applied, full, is_spread
from symtensor.grad.origins import remember
from symtensor.ir import provenance
from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Constant, Variable, describe
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import unbroadcast
from symtensor.types.dtype import COMPLEX, CONTINUOUS

__all__ = ["Lop", "grad", "pullback", "reachable"]

Simplify = Callable[[Sequence[Variable], Collection[Variable]], Sequence[Variable]]


def grad(cost: Variable | None, wrt: Any, consider_constant: Iterable[Variable] | None = None,
         disconnected_inputs: str = "raise", known_grads: Mapping[Variable, Any] | None = None,
         return_disconnected: str = "zero", simplify: Simplify | None = None) -> Any:
    """The derivative of a scalar `cost` by each variable of `wrt`, in the container (variable, list, tuple) of wrt.

    `wrt` may hold intermediate variables. `consider_constant` are expressions to treat as constants. `known_grads`
    maps variables to the derivatives they are known to have; with them cost may be None. A variable
    the cost does not depend on raises, warns or passes as `disconnected_inputs` says ("raise", "warn", "ignore"),
    and its derivative is then zero, or None if `return_disconnected` is "None". Integer variables have derivative
    zero in floatX. `simplify(outputs, keep)` may rewrite the cost first, leaving the variables `keep` in it.
    Raises TypeMismatch for a cost that is not a real scalar, DisconnectedInputError, GradientError.

    >>> from symtensor.types.tensor import TensorType
    >>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
    >>> grad(x * y, [x, y])
    [dcost/dx, dcost/dy]
    """
    known = {variable: derivative_for(value, variable) for variable, value in (known_grads or {}).items()}
    constants = set(consider_constant or ())
    targets = variables_of("grad", wrt, "wrt")
    outputs, seeds = list(known), list(known.values())  # type: list[Variable], list[Variable | None]
    if cost is not None:
        variables_of("grad", [cost], "the cost")
        _check_cost(cost)
        outputs, seeds = [cost, *outputs], [_ones_like(cost), *seeds]
    elif not known:
        raise GradientError("grad of nothing: cost is None and there are no known_grads",
                            fix="give a cost, or known_grads={variable: derivative}")
    reached = reachable(outputs, targets, constants, disconnected_inputs)
    if cost is not None and simplify is not None:
        outputs[:1] = simplify([cost], [*targets, *known, *constants])
    found = _derivatives(outputs, seeds, targets, constants, set(known), reached, return_disconnected)
    for target, derivative in zip(targets, found):
        if derivative is not None and derivative.name is None and derivative not in seeds:
            derivative.name = f"d{'cost' if cost is None else cost.name or 'cost'}/d{target!r}"
    remember(found, [*known] if cost is None else [cost, *known])
    return contained_like(wrt, found)


def Lop(f: Any, wrt: Any, eval_points: Any, consider_constant: Iterable[Variable] | None = None,
        disconnected_inputs: str = "raise", simplify: Simplify | None = None) -> Any:
    """The Jacobian of `f` by `wrt`, multiplied from the left by `eval_points`: v'J, in the container of wrt.

    `eval_points` has one value of the shape of f for each variable in `f`. Raises as `grad` does.

    >>> from symtensor.ir.interpret import evaluate
    >>> from symtensor.types.tensor import TensorType
    >>> x, v = (Variable(TensorType("float64", (None,)), name=name) for name in "xv")
    >>> evaluate([Lop(x * x, x, v)], {x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    [array([ 2., 40.])]
    """
    targets, outputs = variables_of("Lop", wrt, "wrt"), variables_of("Lop", f, "f")
    points = directions("Lop", eval_points, outputs)
    constants = set(consider_constant or ())
    reached = reachable(outputs, targets, constants, disconnected_inputs)
    simple = outputs if simplify is None else simplify(outputs, [*targets, *constants])
    found = _derivatives(simple, points, targets, constants, (), reached, "zero")
    remember(found, outputs)
    return contained_like(wrt, found)


def reachable(outputs: Sequence[Variable], targets: Sequence[Variable], constants: Container[Variable],
              policy: str) -> set[Variable]:
    """The variables that `outputs` depend on; targets that are not among them are reported as `policy` says.

    Asked of what the user wrote: x * 0 depends on x, though it is simplified before it is differentiated.
    """
    reached = connected(outputs, constants)
    for target in targets:
        if target not in reached:
            report_disconnected(target, policy, "is in wrt, but nothing differentiated depends on it")
    return reached


def _derivatives(outputs: Sequence[Variable], seeds: Sequence[Variable | None], targets: Sequence[Variable],
                 constants: Container[Variable], sealed: Container[Variable], reached: Container[Variable],
                 return_disconnected: str) -> list[Any]:
    """Derivatives by targets; for those without one zeros, or None where they are not reached and that is wanted."""
    found = map(outside, pullback(outputs, [*map(inside, seeds)], targets, constants, sealed))
    return [zero_derivative(target) if cotangent is None and (target in reached or return_disconnected == "zero")
            else cotangent for target, cotangent in zip(targets, found)]


# -- the engine -------------------------------------------------------------------------------------------

def pullback(outputs: Sequence[Variable], cotangents: Sequence[Variable | None], wrt: Sequence[Variable],
             stop: Container[Variable] = (), sealed: Container[Variable] = ()) -> list[Variable | None]:
    """The cotangents of `wrt` when those of `outputs` are given; None for an exact zero.

    The walk ends at `stop`. The cotangents of variables in `sealed` are the given ones, whatever else they
    are used for. Raises GradientError for an op without derivative.

    >>> from symtensor.types.tensor import TensorType
    >>> x, y, dy = (Variable(TensorType("float64", (None,)), name=name) for name in ("x", "y", "dy"))
    >>> pullback([x * 2], [dy], [x, y])
    [(dy * 2.0), None]
    """
    order = applications(outputs, stop)
    active = {v for v in dependents(order, wrt) if v.type.dtype in CONTINUOUS}
    walk = _Walk(active, stop, sealed)
    for output, cotangent in zip(outputs, cotangents):
        if cotangent is not None and output in active:
            walk.parts.setdefault(output, []).append(Derivative(cotangent))
    for node in reversed(order):
        if any(v in active for v in node.inputs):
            with provenance.attributed(node.lines):
                walk.through(node)
    return [None if (total := walk.total(v)) is None else applied(total) for v in wrt]


class _Walk:
    """The cotangents that have arrived at each variable so far."""

    def __init__(self, active: Container[Variable], stop: Container[Variable], sealed: Container[Variable]) -> None:
        self.active, self.stop, self.sealed = active, stop, sealed
        self.parts: dict[Variable, list[Derivative]] = {}
        self.algebra = Algebra()

    def total(self, variable: Variable) -> Derivative | None:
        """The sum of what has arrived."""
        parts = self.parts.get(variable)
        if not parts:
            return None
        if len(parts) > 1:
            parts[:] = [self.algebra.total(parts)]
        return parts[0]

    def through(self, node: Apply) -> None:
        """Send the cotangents of a node's outputs on to its inputs."""
        arrived = [None if v in self.stop else self.total(v) for v in node.outputs]
        if all(cotangent is None for cotangent in arrived):
            return
        if isinstance(node.op, Elementwise):
            assert arrived[0] is not None
            pulled = self._elementwise(node, arrived[0])
        else:
            results = pulled_back(node, [None if cotangent is None else applied(cotangent) for cotangent in arrived],
                                  self._wanted(node))
            pulled = [self.algebra.carried(result) for result in results]
        for variable, cotangent in zip(node.inputs, pulled):
            if cotangent is not None and variable in self.active and variable not in self.sealed:
                check_derivative(node, variable, cotangent.value)
                self.parts.setdefault(variable, []).append(cotangent)

    def _wanted(self, node: Apply) -> list[int]:
        """The positions of the operands whose cotangents are looked for."""
        return [position for position, v in enumerate(node.inputs) if v in self.active and v not in self.sealed]

    def _elementwise(self, node: Apply, arrived: Derivative) -> list[Derivative | None]:
        output = node.outputs[0]
        body = expanded(node)
        if body is None:
            results = pulled_back(node, [arrived.value], self._wanted(node))
            pulled = [self.algebra.carried(result, arrived) for result in results]
            return [None if cotangent is None else _narrowed(cotangent, variable, output)
                    for cotangent, variable in zip(pulled, node.inputs)]
        if any(is_spread(variable, output) for variable in node.inputs):
            arrived = Derivative(applied(arrived))  # operands that broadcast are summed within the body
        inputs = list(dict.fromkeys(node.inputs))
        found = dict(zip(inputs, pullback([body], [arrived.value], inputs, set(inputs))))
        # An operand given twice is answered once.
        return [self.algebra.carried(found.pop(variable, None), arrived) for variable in node.inputs]


def _narrowed(cotangent: Derivative, variable: Variable, output: Variable) -> Derivative:
    """The cotangent of an operand that may have broadcast to the shape of `output`."""
    if not is_spread(variable, output):
        return cotangent
    return Derivative(unbroadcast(full(applied(cotangent), output), variable))


def _ones_like(cost: Variable) -> Variable | None:
    return Constant(np.ones((), cost.type.dtype)) if cost.type.dtype in CONTINUOUS else None


def _check_cost(cost: Variable) -> None:
    if cost.type.ndim or cost.type.dtype in COMPLEX:
        kind = "complex" if cost.type.dtype in COMPLEX else f"of {cost.type.ndim} axes"
        raise TypeMismatch(f"grad: the cost must be a real scalar, and {cost!r} is {kind}",
                           where=provenance.describe(cost.lines), operands=[describe(cost)],
                           fix="take its sum or mean, or use jacobian or Lop")
