"""Softmax, its logarithm, and the logarithm of a sum of exponentials, without overflow.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.reduce import sum_axes
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [log(sum_axes(exp(x), [0]))])
>>> run_phase(graph, stabilize).fired
Counter({'log_sum_exp': 1})
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Variable
from symtensor.ops.reduce import Reduce, reduce_axes
from symtensor.ops.scalar import add, exp, isinf, log, maximum, mul, sigmoid, stop_gradient, sub, switch, true_div
from symtensor.ops.shape import Broadcast, Dimshuffle, expand_dims
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import stabilize
from symtensor.types import dim as dims
from symtensor.types.dtype import FLOATS

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


def _is_shifted(x: Variable) -> bool:
    """Whether a largest value has been taken away from x already."""
    node = x.owner
    if node is None or node.op is not sub:
        return False
    taken = node.inputs[1].owner
    while taken is not None:
        if taken.op is maximum or (isinstance(taken.op, Reduce) and taken.op.kind == "max"):
            return True
        passes = taken.op in (stop_gradient, switch) or isinstance(taken.op, (Dimshuffle, Broadcast))
        taken = taken.inputs[-1 if taken.op is switch else 0].owner if passes else None
    return False


def _shift(largest: Variable) -> Variable:
    """What to take away: the largest value, but nothing where it is infinite (infinity - infinity is NaN)."""
    return stop_gradient(switch(isinf(largest), 0, largest))


def _sum_of_exp(variable: Variable) -> tuple[Variable, Reduce, Dimshuffle | None] | None:
    """x, the sum, and how axes were permuted after it, if a variable is a sum of exp(x)."""
    node, axes = variable.owner, None
    if node is not None and isinstance(node.op, Dimshuffle):
        axes = node.op
        node = node.inputs[0].owner
    if node is None or not isinstance(node.op, Reduce) or node.op.kind != "sum":
        return None
    inner = node.inputs[0].owner
    if inner is None or inner.op is not exp:
        return None
    if any(dims.upper_bound(inner.inputs[0].type.shape[axis]) < 1 for axis in node.op.axes):
        return None  # the largest of no elements: there is none
    return inner.inputs[0], node.op, axes


@rewrite(stabilize, ops=[log], keeps="real", dtypes=FLOATS)
def log_sum_exp(node: Apply, context: Context) -> Variable | None:
    """exp(x) overflows from 710 on and vanishes below -745; the largest term is made 1."""
    found = _sum_of_exp(node.inputs[0])
    if found is None or _is_shifted(found[0]):
        return None
    x, total, axes = found
    shift = _shift(reduce_axes("max", x, total.axes))
    result = log(total(exp(x - expand_dims(shift, total.axes)))) + shift
    return result if axes is None else axes(result)


@rewrite(stabilize, ops=[log], operands=[add], keeps="real", dtypes=FLOATS)
def log_add_exp(node: Apply, context: Context) -> Variable | None:
    """log(exp(x) + exp(y)): as with the sum of many."""
    terms = [v.owner for v in node.inputs[0].owner.inputs]  # type: ignore[union-attr]
    if any(t is None or t.op is not exp for t in terms):
        return None
    x, y = (t.inputs[0] for t in terms if t is not None)
    if _is_shifted(x) and _is_shifted(y):
        return None
    shift = _shift(maximum(x, y))
    return log(exp(x - shift) + exp(y - shift)) + shift


@rewrite(stabilize, ops=[true_div], operands=[exp], keeps="real", dtypes=FLOATS)
def softmax(node: Apply, context: Context) -> Variable | None:
    """exp(x) / sum(exp(x)) overflows from 710 on; the largest term is made 1."""
    found = _sum_of_exp(node.inputs[1])
    exponent = node.inputs[0].owner.inputs[0]  # type: ignore[union-attr]
    if found is None or found[0] is not exponent or _is_shifted(exponent):
        return None
    x, total, axes = found
    shift = _shift(reduce_axes("max", x, total.axes))
    raised = exp(x - expand_dims(shift, total.axes))
    divisor = total(raised)
    return raised / (divisor if axes is None else axes(divisor))


def _has_simple_log(variable: Variable) -> bool:
    """Whether a variable is positive and its logarithm is simpler than it: exp(x), sigmoid(x), a sum of exp(x)."""
    node = variable.owner
    return node is not None and (node.op in (exp, sigmoid) or _sum_of_exp(variable) is not None)


@rewrite(stabilize, ops=[log], operands=[mul], keeps="real", dtypes=FLOATS)
def log_of_product(node: Apply, context: Context) -> Variable | None:
    """log(exp(x) y) is x + log(y), also where exp(x) vanishes or overflows."""
    x, y = node.inputs[0].owner.inputs  # type: ignore[union-attr]
    return log(x) + log(y) if _has_simple_log(x) or _has_simple_log(y) else None


@rewrite(stabilize, ops=[log], operands=[true_div], keeps="real", dtypes=FLOATS)
def log_of_quotient(node: Apply, context: Context) -> Variable | None:
    """log(exp(x) / y) is x - log(y), also where exp(x) vanishes or overflows: the logarithm of a softmax."""
    x, y = node.inputs[0].owner.inputs  # type: ignore[union-attr]
    return log(x) - log(y) if _has_simple_log(x) or _has_simple_log(y) else None
