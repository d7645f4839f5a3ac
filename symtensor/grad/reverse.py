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

import warnings
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import DisconnectedInputError, GradientError, TypeMismatch
from symtensor.grad.masked import Algebra, Derivative, applied, full, is_spread
from symtensor.ir import provenance
from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Constant, Masked, Variable, describe
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable, together
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import broadcast_like, unbroadcast
from symtensor.ops.size import Dimension
from symtensor.types.dtype import COMPLEX, CONTINUOUS

__all__ = ["Lop", "connected", "grad", "pullback"]

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
    known = {variable: _of_type(value, variable) for variable, value in (known_grads or {}).items()}
    constants = set(consider_constant or ())
    targets = _as_list(wrt)
    outputs, seeds = list(known), list(known.values())  # type: list[Variable], list[Variable | None]
    if cost is not None:
        _check_cost(cost)
        if simplify is not None:
            (simple,) = simplify([cost], [*targets, *known, *constants])
        else:
            simple = cost
        outputs, seeds = [simple, *outputs], [_ones_like(simple), *seeds]
    elif not known:
        raise GradientError("grad of nothing: cost is None and there are no known_grads")
    found = _derivatives(outputs, seeds, targets, constants, set(known), disconnected_inputs, return_disconnected)
    for target, derivative in zip(targets, found):
        if derivative is not None and derivative.name is None and derivative not in seeds:
            derivative.name = f"d{'cost' if cost is None else cost.name or 'cost'}/d{target!r}"
    return _like(wrt, found)


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
    targets, outputs = _as_list(wrt), _as_list(f)
    points = [_of_type(value, output) for value, output in zip(_as_list(eval_points), outputs, strict=True)]
    if simplify is not None:
        outputs = list(simplify(outputs, [*targets, *(consider_constant or ())]))
    found = _derivatives(outputs, points, targets, set(consider_constant or ()), (), disconnected_inputs, "zero")
    return _like(wrt, found)


def _derivatives(outputs: Sequence[Variable], seeds: Sequence[Variable | None], targets: Sequence[Variable],
                 constants: Container[Variable], sealed: Container[Variable], disconnected_inputs: str,
                 return_disconnected: str) -> list[Any]:
    """Cotangents of targets, with zeros, None or an error for those without one."""
    reached = connected(outputs, constants)
    for target in targets:
        if target not in reached:
            _report_disconnected(target, disconnected_inputs)
    found = pullback(outputs, seeds, targets, constants, sealed)
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
    >>> pullback([scalar.exp(x)], [dy], [x, y])
    [mul, None]
    """
    order = applications(outputs, stop)
    active = _dependents(order, wrt)
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
            results = _results(node, [None if cotangent is None else applied(cotangent) for cotangent in arrived])
            pulled = [self.algebra.carried(result) for result in results]
        for variable, cotangent in zip(node.inputs, pulled):
            if cotangent is not None and variable in self.active and variable not in self.sealed:
                _check_result(node, variable, cotangent.value)
                self.parts.setdefault(variable, []).append(cotangent)

    def _elementwise(self, node: Apply, arrived: Derivative) -> list[Derivative | None]:
        output = node.outputs[0]
        if not _is_traced(node):
            pulled = [self.algebra.carried(result, arrived) for result in _results(node, [arrived.value])]
            return [None if cotangent is None else _narrowed(cotangent, variable, output)
                    for cotangent, variable in zip(pulled, node.inputs)]
        if any(is_spread(variable, output) for variable in node.inputs):
            arrived = Derivative(applied(arrived))
        return [self.algebra.carried(result, arrived) for result in _traced(node, arrived.value)]


def _narrowed(cotangent: Derivative, variable: Variable, output: Variable) -> Derivative:
    """The cotangent of an operand that may have broadcast to the shape of `output`."""
    if not is_spread(variable, output):
        return cotangent
    return Derivative(unbroadcast(full(applied(cotangent), output), variable))


def _results(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Any]:
    """What the op's pullback gives, one entry for each input."""
    try:
        results = node.op.pullback(*node.inputs, *node.outputs, *cotangents)  # type: ignore[arg-type]
    except NotImplementedError as error:
        raise GradientError(f"{node.op} has no derivative", where=provenance.describe(node.lines),
                            operands=map(describe, node.inputs),
                            fix="give its op a pullback, or wrap the operand in stop_gradient") from error
    if results is None:
        return [None] * len(node.inputs)
    return [results] if isinstance(results, (Variable, Masked)) else list(results)


def _is_traced(node: Apply) -> bool:
    op = node.op
    return isinstance(op, Elementwise) and op.definition.pullback is None and op.definition.body is not None


def _traced(node: Apply, cotangent: Variable) -> Sequence[Any]:
    """The cotangents of an elementwise op made from a body: of the expression that the body gives."""
    (result,) = together([node.op.definition.body(*node.inputs)])  # type: ignore[attr-defined]
    inputs = list(dict.fromkeys(node.inputs))
    found = dict(zip(inputs, pullback([result], [cotangent], inputs, set(inputs))))
    return [found.pop(variable, None) for variable in node.inputs]  # an operand given twice is answered once


def _check_result(node: Apply, variable: Variable, cotangent: Variable) -> None:
    if cotangent.type.dtype != variable.type.dtype or cotangent.type.ndim != variable.type.ndim:
        raise GradientError(f"the pullback of {node.op} gave {cotangent.type.describe()} for the operand"
                            f" {describe(variable)}", where=provenance.describe(node.lines),
                            operands=map(describe, node.inputs),
                            fix=f"correct the pullback of {type(node.op).__name__}")


# -- which variables matter -------------------------------------------------------------------------------

def _connects(node: Apply, variable: Variable) -> bool:
    """Whether the outputs of a node depend on an input by value: not on sizes, positions, or what is cut off."""
    if isinstance(node.op, Elementwise):
        return node.op != scalar.stop_gradient
    if isinstance(node.op, Dimension):
        return False
    return variable.type.dtype in CONTINUOUS or all(v.type.dtype not in CONTINUOUS for v in node.outputs)


def connected(outputs: Iterable[Variable], stop: Container[Variable] = ()) -> set[Variable]:
    """The variables that `outputs` depend on by value, themselves included; the walk ends before `stop`.

    >>> from symtensor.types.tensor import TensorType
    >>> x, y = (Variable(TensorType("float64", ()), name=name) for name in "xy")
    >>> y in connected([x + scalar.stop_gradient(y)])
    False
    """
    outputs = [v for v in outputs if v not in stop]
    reached = set(outputs)
    for node in reversed(applications(outputs, stop)):
        if any(v in reached for v in node.outputs):
            reached.update(v for v in node.inputs if v not in stop and _connects(node, v))
    return reached


def _dependents(order: Iterable[Apply], wrt: Iterable[Variable]) -> set[Variable]:
    """Continuous variables with a derivative by one of `wrt`."""
    active = {v for v in wrt if v.type.dtype in CONTINUOUS}
    for node in order:
        if any(v in active and _connects(node, v) for v in node.inputs):
            active.update(v for v in node.outputs if v.type.dtype in CONTINUOUS)
    return active


def _report_disconnected(target: Variable, disconnected_inputs: str) -> None:
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise GradientError(f"disconnected_inputs is {disconnected_inputs!r}", fix='one of "raise", "warn", "ignore"')
    error = DisconnectedInputError(
        f"the cost does not depend on {target!r}, which it should be differentiated by",
        where=provenance.describe(target.lines), operands=[describe(target)],
        fix='leave it out of wrt, or pass disconnected_inputs="ignore" for a derivative of zero')
    if disconnected_inputs == "raise":
        raise error
    if disconnected_inputs == "warn":
        warnings.warn(str(error), stacklevel=4)


# -- arguments and results --------------------------------------------------------------------------------

def zero_derivative(variable: Variable) -> Variable:
    """Zeros of the shape of a variable: of its dtype, or floatX for one that is not continuous."""
    dtype = variable.type.dtype if variable.type.dtype in CONTINUOUS else config.floatX
    return broadcast_like(Constant(np.zeros((), dtype)), variable)


def _ones_like(cost: Variable) -> Variable | None:
    return Constant(np.ones((), cost.type.dtype)) if cost.type.dtype in CONTINUOUS else None


def _check_cost(cost: Variable) -> None:
    if cost.type.ndim or cost.type.dtype in COMPLEX:
        kind = "complex" if cost.type.dtype in COMPLEX else f"of {cost.type.ndim} axes"
        raise TypeMismatch(f"grad: the cost must be a real scalar, and {cost!r} is {kind}",
                           where=provenance.describe(cost.lines), operands=[describe(cost)],
                           fix="take its sum or mean, or use jacobian or Lop")


def _of_type(value: Any, template: Variable) -> Variable:
    """A derivative given for `template`, as a variable of its shape."""
    variable = as_variable(value) if isinstance(value, Variable) else together([value, template])[0]
    if variable.type.dtype != template.type.dtype or variable.type.ndim > template.type.ndim:
        raise TypeMismatch(f"the derivative given for {template!r} is {variable.type.describe()}",
                           operands=[describe(template), describe(variable)],
                           fix=f"give one of type {template.type.describe()}")
    return full(variable, template)


def _as_list(variables: Any) -> list[Any]:
    return list(variables) if isinstance(variables, (list, tuple)) else [variables]


def _like(container: Any, values: Sequence[Any]) -> Any:
    """`values` in the kind of container that `container` is."""
    if isinstance(container, (list, tuple)):
        return type(container)(values)
    return values[0]

