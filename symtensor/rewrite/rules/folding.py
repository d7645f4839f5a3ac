"""What need not be computed when the function runs, or not twice: constants, and operands in another order.

>>> from symtensor import ops
>>> from symtensor.ir.graph import Graph
>>> from symtensor.ir.node import Constant
>>> from symtensor.rewrite.engine import run_phase
>>> graph = Graph([], [Constant(2.0) * 3.0 + 1.0])
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs
[7.0]
"""

from __future__ import annotations

import math

import numpy as np

from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.ops.elementwise import primitives
from symtensor.ops.index import Iota
from symtensor.ops.shape import Broadcast
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import rewrite
from symtensor.rewrite.rules import canonicalize, contract, specialize

# mypy: disable-error-code="no-untyped-def, no-any-return"

__all__: list[str] = []

_LARGEST = 1 << 16
"""Elements a folded result may have unless its operands have as many."""


@rewrite(canonicalize, specialize, contract, ops=[Op], operands=[Constant])
def constant_folding(node: Apply, context: Context) -> list[Variable] | None:
    """An application to constants is a constant.

    What raises is left to raise at run time; counting and spreading are left to kernels, which do them for free.
    """
    values = [v.data for v in node.inputs if isinstance(v, Constant)]
    if not node.inputs or len(values) < len(node.inputs) or not node.op.foldable:
        return None
    if isinstance(node.op, (Broadcast, Iota)) or not _is_small(node, sum(value.size for value in values)):
        return None
    try:
        results = node.op.evaluate(*values)
    except Exception:
        return None
    results = results if isinstance(results, (tuple, list)) else [results]
    return [Constant(np.asarray(result)) for result in results]


def _is_small(node: Apply, operands: int) -> bool:
    counts = [math.prod(output.type.shape) for output in node.outputs]
    return all(isinstance(count, int) and count <= max(_LARGEST, operands) for count in counts)


_COMMUTATIVE = [op for op in primitives.values() if op.commutative]


@rewrite(canonicalize, specialize, ops=_COMMUTATIVE)
def operands_exchanged(node: Apply, context: Context) -> Variable | None:
    """x op y, where y op x is computed already."""
    other = context.find(node.op, *node.inputs[::-1])
    return other if other is not None and context.is_normal(other) and context.uses(other) else None
