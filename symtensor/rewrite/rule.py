"""Rules and phases: what a rewrite is, what it preserves, and how the ones that may apply are found.

A rule is an equation between two expressions of the language; its parameters are holes. Rules that
no equation can express are functions of a node (`rewrite`) or of the whole graph (`rewrite_graph`).

>>> from symtensor import ops
>>> from symtensor.ops.scalar import log, log1p
>>> example = Phase("example", "A phase for this page.")
>>> @rule(example, keeps="nearer")
... def log_one_plus(x):
...     '''log(1 + x) loses x below 1e-16; log1p does not.'''
...     return log(1 + x), log1p(x)
>>> log_one_plus
log(add(1, x)) -> log1p(x)
>>> example.rules
[log(add(1, x)) -> log1p(x)]
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from symtensor.base.errors import RewriteError
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Op, Variable
from symtensor.rewrite.facts import holds
from symtensor.rewrite.pattern import Applied, Bindings, Hole, Pattern, build, head, match, orders
from symtensor.types.dtype import ALL

if TYPE_CHECKING:
    from symtensor.rewrite.engine import Context

__all__ = ["ANY", "KEEPS", "Phase", "Rule", "Equation", "GraphPass", "Index", "Match", "rule", "rewrite",
           "rewrite_graph"]

ANY: Any = object
"""In `operands`: whatever computes the operand, if anything does."""
KEEPS = {
    "exact": "The same bits for all inputs.",
    "value": "Equal values for all inputs: only the sign of a zero may differ.",
    "nearer": "As near to the value over the reals as before, or nearer, within some units in the last place; the same"
              " infinities and NaN, except that those an overflow made may become the number meant; what is too small"
              " to be a normal number may become zero.",
    "finite": "As `nearer` where the inputs are finite and the result was a number.",
    "real": "Equal over the reals where both sides are defined and nothing overflows; rounding may differ"
            " by some units in the last place of the largest value on the way.",
}
"""What a rule preserves, from the strictest class to the loosest. A phase applies rules of all classes unless told."""

Result = Variable | Sequence[Variable] | int | float | complex | None
Match = Callable[[Apply, "Context"], Result]
Replacements = Mapping[Apply, Sequence[Variable | None]]


class Phase:
    """A step of the pipeline: local rules, applied together until none applies, then passes over the whole graph."""

    def __init__(self, name: str, doc: str) -> None:
        self.name = name
        self.__doc__ = doc
        self.rules: list[Rule] = []
        self.passes: list[GraphPass] = []
        self._indexed: tuple[list[Rule], Index] = [], Index(())

    def index(self, excluding: Container[str] = ()) -> Index:
        """The phase's rules, without those named in `excluding`, by what they may apply to."""
        rules = [one for one in self.rules if one.name not in excluding]
        known, index = self._indexed
        if rules != known:  # kept from one graph to the next, while the rules are the same
            index = Index(rules)
            self._indexed = rules, index
        return index

    def members(self) -> list[Rule | GraphPass]:
        """Its rules and passes."""
        return [*self.rules, *self.passes]

    def names(self) -> frozenset[str]:
        """Their names."""
        return frozenset(one.name for one in self.members())

    def __repr__(self) -> str:
        return self.name


class _Named:
    """What a rule or pass has of the function it is made of: its name, its doc, and the file and line."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.function = function
        self.__doc__ = function.__doc__
        self.place = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"

    def __repr__(self) -> str:
        return self.name


class Rule(_Named):
    """A local rewrite: it may replace a node whose op is, or is an instance of, one of `roots`."""

    def __init__(self, function: Callable[..., Any], roots: Collection[Any], keeps: str,
                 operands: Sequence[Any] = (), early: bool = False, dtypes: Collection[str] = ALL) -> None:
        if keeps not in KEEPS:
            raise RewriteError(f"rule {function.__name__} cannot keep {keeps!r}", fix="one of " + ", ".join(KEEPS))
        super().__init__(function)
        self.roots = roots
        self.operands = operands
        self.keeps = keeps
        self.early = early
        self.dtypes = dtypes

    def matchers(self) -> Iterator[tuple[tuple[Any, ...], Match]]:
        """Functions that try the rule at a node, each with the heads its root and first operands must have."""
        for heads in itertools.product(self.roots, *([operand] for operand in self.operands)):
            yield tuple(one if isinstance(one, type) else head(one) for one in heads), self._match

    def _match(self, node: Apply, context: Context) -> Result:
        return self.function(node, context) if node.outputs[0].type.dtype in self.dtypes else None


class Equation(Rule):
    """A rule whose two sides are expressions with holes."""

    def __init__(self, function: Callable[..., Any], keeps: str, when: Callable[..., bool] | None,
                 dtypes: Collection[str], facts: Mapping[str, str], examples: dict[str, Sequence[Any]]) -> None:
        self.holes = [Hole(name) for name in inspect.signature(function).parameters]
        self.left, self.right = function(*self.holes)
        if not isinstance(self.left, Applied):
            raise RewriteError(f"the left side of rule {function.__name__} must apply an op")
        super().__init__(function, (), keeps, dtypes=dtypes)
        self.when = when
        self.facts = facts
        self.examples = examples
        self._asked = list(inspect.signature(when).parameters) if when else []

    def matchers(self) -> Iterator[tuple[tuple[Any, ...], Match]]:
        for left in orders(self.left):
            assert isinstance(left, Applied)
            yield (head(left.op), *map(_wanted_head, left.inputs[:2])), self._matcher(left)

    def _matcher(self, left: Pattern) -> Match:
        def apply(node: Apply, context: Context) -> Result:
            bindings = match(left, node.outputs[0])
            if bindings is None or not self.admits(bindings, context):
                return None
            result: Result = build(self.right, bindings)
            return result
        return apply

    def admits(self, bindings: Bindings, context: Context | None = None) -> bool:
        """Whether the rule's conditions on dtype and its `when` hold; what is asked of no context is taken to hold."""
        if len(self.dtypes) < len(ALL):
            first = next(bindings[hole] for hole in self.holes if isinstance(bindings[hole], Variable))
            if first.type.dtype not in self.dtypes:
                return False
        if not all(holds(self.facts[str(hole.name)], bound) for hole, bound in bindings.items()
                   if str(hole.name) in self.facts):
            return False
        if self.when is None or (context is None and "context" in self._asked):
            return True
        named: dict[str, Any] = {str(hole.name): bound for hole, bound in bindings.items()}
        named["context"] = context
        return self.when(*(named[name] for name in self._asked))

    def __repr__(self) -> str:
        return f"{self.left!r} -> {self.right!r}"


class GraphPass(_Named):
    """A rewrite that looks at the whole graph: it says what to put for nodes, and the engine does it."""


def rule(*phases: Phase, keeps: str, when: Callable[..., bool] | None = None, dtypes: Collection[str] = ALL,
         facts: Mapping[str, str] = MappingProxyType({}),
         **examples: Sequence[Any]) -> Callable[[Callable[..., Any]], Equation]:
    """Decorator: an equation `left, right` between expressions of the holes the function is given.

    `keeps` is one of `KEEPS`. `when` is asked with what the holes of its parameters' names stand for, and
    with the `Context` if a parameter has that name. `dtypes` are those of the first hole the rule is for. `facts` say
    what must be known of the matrices that holes stand for (`rewrite.facts`).
    `examples` give, for holes that are parameters of an op, values to check the rule with. Raises
    RewriteError for a rule that makes no sense.
    """
    def register(function: Callable[..., Any]) -> Equation:
        made = Equation(function, keeps, when, dtypes, facts, examples)
        for phase in phases:
            phase.rules.append(made)
        return made
    return register


def rewrite(*phases: Phase, ops: Collection[Any], operands: Sequence[Any] = (), keeps: str = "exact",
            early: bool = False, dtypes: Collection[str] = ALL) -> Callable[[Callable[..., Any]], Rule]:
    """Decorator: `f(node, context)` gives what to put for a node, or None.

    `ops` are the ops, or classes of ops, at which the function is tried; `operands` are, for the first one or two
    operands, the op or class of op that computes them, `Constant`, or ANY. What the function gives is a variable, a
    number, or for a node of several outputs a list of variables; the engine checks its type. With `dtypes` it is tried
    at nodes whose (first) output is of one of them.

    An `early` rule is tried before the operands are in normal form too. What moves towards the inputs is to be early:
    of many such above each other the uppermost then moves first and takes the others along, one step at each node.
    """
    def register(function: Match) -> Rule:
        made = Rule(function, ops, keeps, operands, early, dtypes)
        for phase in phases:
            phase.rules.append(made)
        return made
    return register


def rewrite_graph(phase: Phase) -> Callable[[Callable[[Graph], Replacements]], GraphPass]:
    """Decorator: `f(graph)` gives what to put for nodes of a graph, None for an output that nothing uses.

    It runs when the phase's local rules are done; if it gives something they run again, and then it does.
    """
    def register(function: Callable[[Graph], Replacements]) -> GraphPass:
        made = GraphPass(function)
        phase.passes.append(made)
        return made
    return register


# -- finding the rules that may apply ---------------------------------------------------------------------

def _wanted_head(pattern: Pattern) -> Any:
    if isinstance(pattern, Hole):
        return ANY
    return head(pattern.op) if isinstance(pattern, Applied) else Constant


def _found_head(variable: Variable) -> Any:
    if variable.owner is not None:
        return head(variable.owner.op)
    return Constant if isinstance(variable, Constant) else None


class Index:
    """The rules that may apply to a node, found by the heads of its op and of its first two operands."""

    def __init__(self, rules: Collection[Rule]) -> None:
        self._by_root: dict[Any, list[tuple[int, tuple[Any, ...], Rule, Match]]] = {}
        for position, one in enumerate(rules):
            for heads, apply in one.matchers():
                self._by_root.setdefault(heads[0], []).append((position, heads[1:], one, apply))
        self._found: dict[Any, list[tuple[Rule, Match]]] = {}
        self.has_early = any(one.early for one in rules)

    def candidates(self, node: Apply, early: bool = False) -> list[tuple[Rule, Match]]:
        """Rules in the order they were registered, with the functions that try them; all, or the `early` ones."""
        operands = tuple(map(_found_head, node.inputs[:2]))
        key = (head(node.op), type(node.op), operands, early)
        found = self._found.get(key)
        if found is None:
            found = self._look_up(node.op, operands)
            found = self._found[key] = [entry for entry in found if entry[0].early or not early]
        return found

    def _look_up(self, op: Op, operands: tuple[Any, ...]) -> list[tuple[Rule, Match]]:
        entries = list(self._by_root.get(head(op), ()))
        for kind in type(op).__mro__:
            if kind is not head(op):
                entries += self._by_root.get(kind, ())
        entries.sort(key=lambda entry: entry[0])
        return [(one, apply) for _, wanted, one, apply in entries
                if all(w in (ANY, f) for w, f in zip(wanted, operands))]
