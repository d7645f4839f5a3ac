"""From the user's lines to kernels: what became of each node of an expression, and by which rules.

>>> import symtensor.tensor as T
>>> x = T.dmatrix("x")
>>> print(explain(T.log(1 + x).sum(axis=1), lines=False))
kernel log1p_sum
  %0 = log1p(x)    log_one_plus
  %1 = sum[1](%0)
  returns %1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.ir.graph import Graph, leaves
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.lower.access import Accesses, puts_elements
from symtensor.lower.build import build
from symtensor.lower.fuse import in_running_order, merged
from symtensor.lower.group import Group, Groups, Refusal
from symtensor.lower.memory import SharedMemory
from symtensor.lower.scatter import scatter_kernel
from symtensor.ops.branch import lazily
from symtensor.ops.transfer import Transfer
from symtensor.rewrite.engine import History
from symtensor.rewrite.phases import optimize

__all__ = ["explain", "Part", "parts_of"]


@dataclass(frozen=True)
class Part:
    """Nodes that one kernel, library call, loop, branch or call of Python computes; cheap ones may be in several.

    `apart` says for each kernel that a kernel reads from why the two are not one.
    """

    title: str
    nodes: Sequence[Apply]
    apart: Sequence[str] = ()


def explain(obj: Any, lines: bool = True) -> str:
    """What computes an expression, a list of them, or a compiled function.

    One paragraph for each kernel, library call, loop, branch and call of Python, in an order in which they can run; in
    it each node with the rules that made it what it is, the first to fire first, and with `lines` the places in the
    user's program that it stands for. Below a loop is what computes its step, below a branch what computes each of its
    sides. Raises TypeMismatch for what is no expression.
    """
    return "\n\n".join(_paragraphs(*_optimized(obj), lines))


def _paragraphs(graph: Graph, history: History, lines: bool) -> Iterator[str]:
    """What computes a graph; what it returns, if nothing has to be computed."""
    labels, parts = _Labels(graph), parts_of(graph)
    for part in parts:
        inside = (text for node in part.nodes for text in _inside(node, history, lines))
        yield "\n".join([part.title, *_described(part, graph, history, labels, lines), *inside])
    if not parts:
        yield f"returns {labels.of(graph.outputs)}"


def _inside(node: Apply, history: History, lines: bool) -> Iterator[str]:
    """What computes the functions of an op, each under its name."""
    for name, function in node.op.functions().items():
        yield f"  {name}:"
        yield indent("\n\n".join(_paragraphs(function.graph, history, lines)), "    ")


def _optimized(obj: Any) -> tuple[Graph, History]:
    """The optimised graph of what was given, and the history of its optimisation."""
    source = getattr(obj, "source", None)
    if source is not None:  # a compiled function: its graph is rewritten when first asked for
        graph = source.optimized()
        return graph, source.history
    expressions = [obj] if isinstance(obj, Variable) else list(obj) if isinstance(obj, (list, tuple)) else []
    if not expressions or not all(isinstance(v, Variable) for v in expressions):
        raise TypeMismatch(f"{obj!r} is no expression to explain",
                           fix="give a variable, a list of them, or a compiled function")
    inputs = [v for v in leaves(expressions) if not isinstance(v, Constant)]
    graph = Graph(inputs, lazily(expressions))
    return graph, optimize(graph)


def parts_of(graph: Graph) -> list[Part]:
    """What a graph's nodes are grouped to, each part after those it reads from."""
    accesses = Accesses(graph)
    groups = merged(graph, accesses)
    units = in_running_order(groups)
    titles = {unit: _title(graph, unit, accesses) for unit in units}
    position = {node: number for number, node in enumerate(graph.nodes())}
    return [Part(titles[unit], sorted(_computed(unit, accesses), key=position.__getitem__),
                 [f"{titles[other]}: {reason}" for other, reason in _apart(groups, unit)]) for unit in units]


def _apart(groups: Groups, unit: Group) -> Iterator[tuple[Group, str]]:
    """The kernels that a kernel reads from, and why each is not one with it."""
    for other in dict.fromkeys(groups.before(unit)):
        if unit.fused and other.fused:
            small, large = sorted((unit, other), key=lambda group: len(group.loops))
            found = groups.legal(large, small)
            yield other, str(found) if isinstance(found, Refusal) else "it would be legal, but was not tried"


def _computed(unit: Group, accesses: Accesses) -> set[Apply]:
    """The nodes of a unit, and those computed on the way to their elements."""
    found: set[Apply] = set()
    pending = list(unit.nodes)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending += [v.owner for v in node.inputs if v.owner is not None and accesses.is_free(v)]
    return found


def _title(graph: Graph, unit: Group, accesses: Accesses) -> str:
    if unit.fused:
        everything = {v for node in unit.nodes for v in node.outputs}
        kernel, _ = build(graph, unit, accesses, SharedMemory(), everything)
        return "kernel " + ", ".join(printed.name for printed in print_kernel(kernel))
    (node,) = unit.nodes
    if puts_elements(node):
        return f"kernel {scatter_kernel(node)[0].name}"
    if node.op.functions() or isinstance(node.op, Transfer):
        return str(node.op)
    return f"{'Python' if node.op.library_call(node) is None else 'library'} {node.op}"


class _Labels:
    """Names of variables: the user's, else a number."""

    def __init__(self, graph: Graph) -> None:
        self._names = {v: f"%{number}" for number, v in enumerate(
            v for node in graph.nodes() for v in node.outputs)}

    def of(self, variables: Iterable[Variable]) -> str:
        """The labels of variables, with commas between them."""
        return ", ".join(self._names.get(v) or repr(v) for v in variables)


def _described(part: Part, graph: Graph, history: History, labels: _Labels, lines: bool) -> list[str]:
    text = []
    for node in part.nodes:
        rules = ", ".join(history.rules_of(node))
        statement = f"  {labels.of(node.outputs)} = {node.op}({labels.of(node.inputs)})"
        text.append(f"{statement}    {rules}" if rules else statement)
        if lines:
            text += [f"      {place[0]}" for place in graph.lines_of(node) if place]
    returned = [v for v in graph.outputs if v.owner in part.nodes]
    return [*text, f"  returns {labels.of(returned)}"] if returned else text
