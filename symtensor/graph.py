"""What an expression is made of, under the names of `theano.gof.graph`.

>>> import symtensor.tensor as T
>>> x, y = T.dscalars("x", "y")
>>> inputs([x * y + 1]), len(ops([x * y + 1]))
([x, y, 1.0], 2)
>>> is_same_graph(x * y, x * y), is_same_graph(x * y, y * x)
(True, False)
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from symtensor.base.errors import GraphError
from symtensor.ir.graph import Graph, applications, leaves, substitute
from symtensor.ir.graph import ancestors as every_ancestor
from symtensor.ir.node import Apply, Constant, Variable, describe

__all__ = ["ancestors", "equal_computations", "inputs", "io_toposort", "is_same_graph", "ops", "stack_search",
           "variables"]


def inputs(variable_list: Iterable[Variable], blockers: Container[Variable] | None = None) -> list[Variable]:
    """The variables without an owner that expressions are computed from, constants and shared ones among them.

    The walk ends at `blockers`.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> inputs([T.exp(x) + x])
    [x]
    """
    return [v for v in leaves(list(variable_list), blockers or ()) if v.owner is None]


def ancestors(variable_list: Iterable[Variable], blockers: Container[Variable] | None = None) -> list[Variable]:
    """All variables that expressions are computed from, themselves included. The walk ends at `blockers`.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> ancestors([T.exp(x)])
    [x, exp(x)]
    """
    return every_ancestor(list(variable_list), blockers or ())


def variables(i: Iterable[Variable], o: Iterable[Variable]) -> list[Variable]:
    """All variables on the way from the inputs `i` to the outputs `o`, both included; and what else that needs.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> variables([x], [T.exp(x)])
    [x, exp(x)]
    """
    return list(dict.fromkeys([*i, *every_ancestor(list(o), set(i))]))


def io_toposort(i: Iterable[Variable], o: Iterable[Variable]) -> list[Apply]:
    """The applications that compute the outputs `o` from the inputs `i`, each after those it needs.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> io_toposort([x], [T.exp(x)])
    [exp(x)]
    """
    return applications(list(o), set(i))


def ops(o: Iterable[Variable], blockers: Iterable[Variable] = ()) -> list[Apply]:
    """The applications that compute expressions, each after those it needs. The walk ends at `blockers`.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> ops([T.exp(x) + x])
    [exp(x), add(exp(x), x)]
    """
    return applications(list(o), set(blockers))


def stack_search(start: Sequence[Any], expand: Any, mode: str = "bfs") -> list[Any]:
    """All that is found from `start` by `expand(one)`, a list or None, in the order in which it is met.

    `mode` is "bfs" (level by level) or "dfs". Raises GraphError for another.

    >>> stack_search([1], lambda n: [n * 2, n * 2 + 1] if n < 3 else None)
    [1, 2, 3, 4, 5]
    """
    if mode not in ("bfs", "dfs"):
        raise GraphError(f"stack_search: there is no mode {mode!r}", fix='"bfs" or "dfs"')
    pending, found = list(start), dict[Any, None]()
    while pending:
        one = pending.pop(0 if mode == "bfs" else -1)
        if one not in found:
            found[one] = None
            pending += expand(one) or ()
    return list(found)


def equal_computations(xs: Sequence[Any], ys: Sequence[Any], in_xs: Sequence[Variable] = (),
                       in_ys: Sequence[Variable] = ()) -> bool:
    """Whether each of `xs` computes from `in_xs` what its fellow of `ys` computes from `in_ys`, by the same ops.

    >>> import symtensor.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> equal_computations([x + 1], [y + 1]), equal_computations([x + 1], [y + 1], [x], [y])
    (False, True)
    """
    if len(xs) != len(ys) or len(in_xs) != len(in_ys):
        raise GraphError(f"equal_computations: {len(xs)} expressions of {len(in_xs)} variables cannot be compared with"
                         f" {len(ys)} of {len(in_ys)}")
    if [v.type for v in in_xs] != [v.type for v in in_ys]:
        return False
    others = substitute(list(ys), dict(zip(in_ys, in_xs)))
    both = [*xs, *others]
    given = [v for v in leaves(both, set(in_xs)) if not isinstance(v, Constant)]
    found = Graph(given, both).outputs
    return all(one is other for one, other in zip(found[:len(xs)], found[len(xs):]))


def is_same_graph(var1: Variable, var2: Variable, givens: Mapping[Variable, Variable] | None = None) -> bool:
    """Whether two expressions are the same: the same ops of the same variables, `givens` replaced in both.

    Raises GraphError if a replacement is no variable.

    >>> import symtensor.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> is_same_graph(x + 1, y + 1), is_same_graph(x + 1, y + 1, {y: x})
    (False, True)
    """
    replaced = dict(givens or {})
    for old, new in replaced.items():
        if not isinstance(new, Variable):
            raise GraphError(f"is_same_graph: {old!r} cannot be replaced by {new!r}", operands=[describe(old)])
    one, other = substitute([var1, var2], replaced)
    return equal_computations([one], [other])
