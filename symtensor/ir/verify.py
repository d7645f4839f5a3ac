"""What a well-formed graph is.

Between any two passes a graph has no cycle, every variable in it is a member, every application is the one in its
table, its types are what its ops infer, constants are what their types say, and every symbol
can be found from an input or from the variable that is its source.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [x * x])
>>> verify(graph)
>>> graph.outputs = [x]
>>> verify(graph)
Traceback (most recent call last):
...
symtensor.base.errors.VerifyError: x is in the graph, but is neither an input of it nor computed
  operand  x: float64 (x.0,)
"""

from __future__ import annotations

from collections.abc import Iterable

from symtensor.base.errors import SymtensorError, VerifyError
from symtensor.ir import provenance
from symtensor.ir.graph import Graph, sizes_in
from symtensor.ir.node import Apply, Constant, Variable, describe
from symtensor.types import dim as dims
from symtensor.types.dim import Symbol
from symtensor.types.tensor import TensorType

__all__ = ["verify"]


def verify(graph: Graph) -> None:
    """Raise VerifyError, naming the node and the user's lines, if the graph is not well-formed."""
    _verify_acyclic(graph)
    nodes = graph.nodes()
    inputs = set(graph.inputs)
    for variable in graph.inputs:
        if variable.owner is not None:
            _fail(graph, f"the input {variable!r} is computed by {variable.owner.op}", variable)
    for variable in _variables(graph, nodes):
        if isinstance(variable, Constant):
            _verify_constant(graph, variable)
        elif variable.owner is None and variable not in inputs:
            _fail(graph, f"{variable!r} is in the graph, but is neither an input of it nor computed", variable)
    for node in nodes:
        _verify_node(graph, node)
    _verify_sources(graph)
    _verify_symbols(graph, nodes)


def _fail(graph: Graph, what: str, variable: Variable) -> None:
    node = variable.owner
    lines = [line for lines in graph.lines_of(node) for line in provenance.describe(lines)] if node else []
    operands = node.inputs if node else (variable,)
    raise VerifyError(what, where=lines, operands=map(describe, operands))


def _variables(graph: Graph, nodes: Iterable[Apply]) -> Iterable[Variable]:
    """Every live variable, some of them more than once."""
    yield from graph.inputs
    yield from graph.roots()
    for node in nodes:
        yield from node.inputs


def _verify_acyclic(graph: Graph) -> None:
    """A depth-first walk that meets no application while it is still computing its inputs."""
    entered: set[Apply] = set()
    left: set[Apply] = set()
    pending = [v.owner for v in graph.roots() if v.owner is not None]
    while pending:
        node = pending[-1]
        if node in entered:
            pending.pop()
            left.add(node)
            continue
        entered.add(node)
        needed = [v.owner for v in node.inputs if v.owner is not None and v.owner not in left]
        if any(inner in entered for inner in needed):
            _fail(graph, f"{node.op} needs its own result", node.outputs[0])
        pending += needed


def _verify_constant(graph: Graph, variable: Constant) -> None:
    data = variable.data
    if data.dtype.name != variable.type.dtype or data.shape != variable.type.shape:
        _fail(graph, f"the constant {variable!r} is {data.dtype} {data.shape}", variable)
    if data.flags.writeable:
        _fail(graph, f"the constant {variable!r} can be written to", variable)


def _verify_node(graph: Graph, node: Apply) -> None:
    for index, output in enumerate(node.outputs):
        if output.owner is not node or output.index != index:
            _fail(graph, f"output {index} of {node.op} does not say so", node.outputs[0])
    if graph.find(node.op, node.inputs) != node.outputs:
        _fail(graph, f"{node.op} is applied twice to the same operands, or not through the graph", node.outputs[0])
    try:
        inferred = node.op.infer(*node.inputs)
    except (SymtensorError, TypeError) as error:
        _fail(graph, f"{node.op} no longer accepts its operands: {getattr(error, 'what', error)}", node.outputs[0])
    types = inferred if isinstance(inferred, (list, tuple)) else (inferred,)
    for output, wanted in zip(node.outputs, types, strict=True):
        if not _agree(graph, output.type, wanted):
            _fail(graph, f"{node.op} is {output.type.describe()} in the graph and infers {wanted.describe()}", output)


def _agree(graph: Graph, type: TensorType, inferred: TensorType) -> bool:
    if type.dtype != inferred.dtype or type.ndim != inferred.ndim:
        return False
    return not any(size is not None and dims.known_different(graph.solution(own), graph.solution(size))
                   for own, size in zip(type.shape, inferred.shape))


def _verify_sources(graph: Graph) -> None:
    for symbol, variable in graph.sources.items():
        of_integer = variable.type.ndim == 0 and variable.type.dtype.lstrip("u").startswith("int")
        if not (of_integer if symbol.axis is None else symbol.axis < variable.type.ndim):
            _fail(graph, f"the size {symbol} cannot be found from {variable!r}", variable)


def _verify_symbols(graph: Graph, nodes: Iterable[Apply]) -> None:
    """Every symbol in a type or an op is that of an input's axis, or has a source."""
    known: set[Symbol] = set(graph.sources)
    for variable in graph.inputs:
        for size in (*variable.type.shape, *graph.origin.get(variable, variable).type.shape):
            known.update(dims.symbols_of(graph.solution(size)))
    for node in nodes:
        sizes = [size for variable in (*node.inputs, *node.outputs) for size in sizes_in(variable)]
        for symbol in (s for size in sizes for s in dims.symbols_of(graph.solution(size))):
            if symbol not in known:
                _fail(graph, f"the size {symbol} of {node.op} is not the size of an input, and has no source",
                      node.outputs[0])
