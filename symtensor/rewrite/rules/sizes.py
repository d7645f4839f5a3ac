"""Shapes without values: a size becomes a value of the size algebra, which the call computes from its arguments.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ops.scalar import exp
>>> from symtensor.ops.size import dimension
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [dimension(exp(x), 0) * 2])
>>> run_phase(graph, resolve).fired
Counter({'size_of_axis': 1, 'size_arithmetic': 1})
>>> graph.outputs
[2*x.0]
"""

from __future__ import annotations

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.derivative import OwnDerivative
from symtensor.ops.elementwise import Cast
from symtensor.ops.scalar import add, floor_div, identity, maximum, minimum, mod, mul, neg, stop_gradient, sub
from symtensor.ops.size import Dimension, SizeValue, size_of, size_value
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite, rule
from symtensor.rewrite.rules import canonicalize, resolve, specialize

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []


@rewrite(resolve, canonicalize, specialize, ops=[Dimension])
def size_of_axis(node: Apply, context: Context) -> Variable | None:
    """The size of an axis, from the type: the tensor itself is not needed."""
    return size_value(context.graph.solution(node.inputs[0].type.shape[node.op.axis]))  # type: ignore[attr-defined]


@rewrite(resolve, canonicalize, specialize, ops=[add, sub, mul, neg, floor_div, mod, maximum, minimum, Cast])
def size_arithmetic(node: Apply, context: Context) -> Variable | None:
    """Arithmetic of sizes is arithmetic of the algebra."""
    output = node.outputs[0]
    if output.type.ndim or output.type.dtype != "int64" or not any(map(_is_size, node.inputs)):
        return None
    if not all(_is_size(v) or isinstance(v, Constant) for v in node.inputs):
        return None
    return size_value(context.graph.solution(size_of(output)))


def _is_size(variable: Variable) -> bool:
    return variable.owner is not None and isinstance(variable.owner.op, SizeValue)


@rule(resolve, specialize, keeps="exact")
def stop_gradient_is_identity(x):
    """Only differentiation reads the mark."""
    return stop_gradient(x), x


@rule(resolve, specialize, keeps="exact")
def useless_identity(x):
    """Only differentiation reads the mark."""
    return identity(x), x


@rewrite(resolve, specialize, ops=[OwnDerivative])
def own_derivative_is_its_value(node: Apply, context: Context) -> list[Variable]:
    """Only differentiation reads the mark."""
    return list(node.inputs[node.op.count:])  # type: ignore[attr-defined]
