"""The pipeline: which phases run, in which order.

>>> from symtensor import ops
>>> from symtensor.ops.scalar import exp, log
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [log(1 + exp(x)) * 1])
>>> history = optimize(graph)
>>> graph.outputs
[softplus(x)]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from symtensor.base.config import config
from symtensor.base.errors import ConfigError
from symtensor.ir import provenance
from symtensor.ir.graph import Graph
from symtensor.ir.node import Constant, Equation, Variable
from symtensor.ops.branch import lazily
from symtensor.ops.scalar import add, floor_div, maximum, minimum, mod, mul
from symtensor.ops.shape import SpecifyShape
from symtensor.ops.size import Dimension, SizeValue, dimension, integer
from symtensor.rewrite.engine import History, run_phase
from symtensor.rewrite.rule import Phase
from symtensor.rewrite.rules import canonicalize, contract, resolve, specialize, stabilize
from symtensor.types import dim as dims
from symtensor.types.dim import Compound, Dim, Fold, Size, Symbol

__all__ = ["PIPELINE", "Choice", "optimize", "stabilized"]

PIPELINE: dict[str, Sequence[Phase]] = {
    "fast_run": (resolve, canonicalize, resolve, stabilize, canonicalize, specialize, contract),
    "fast_compile": (resolve, canonicalize, contract),
    "None": (),
}


@dataclass(frozen=True)
class Choice:
    """Which rules rewrite a graph: those of a level, and `included` ones, without those `excluded`.

    Both are names of rules, of passes, or of whole phases. Raises ConfigError for an unknown level.

    >>> [phase for phase, _ in Choice("fast_compile", included=frozenset(["stabilize"])).phases()]
    [resolve, canonicalize, resolve, stabilize, canonicalize, contract]
    """

    level: str
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.level not in PIPELINE:
            raise ConfigError(f"there is no optimizer {self.level!r}", fix="one of " + ", ".join(PIPELINE))

    def phases(self) -> list[tuple[Phase, frozenset[str]]]:
        """The phases to run, each with the names of what is left out of it."""
        if not self.included:
            return [(phase, self.excluded) for phase in PIPELINE[self.level] if phase.name not in self.excluded]
        found = []
        for phase in PIPELINE["fast_run"]:
            whole = phase in PIPELINE[self.level] or phase.name in self.included
            left_out = self.excluded if whole else self.excluded | (phase.names() - self.included)
            if phase.name not in self.excluded and not left_out >= phase.names():
                found.append((phase, left_out))
        return found


@dims.remembering()
def optimize(graph: Graph, choice: Choice | str | None = None, excluding: Iterable[str] = (),
             record: bool = False) -> History:
    """Rewrite `graph` by the phases of a level (by default `config.optimizer`), without the rules in `excluding`.

    The history says which rules fired where; with `record` it has all that they put in the place of what. Raises
    ConfigError for an unknown level, RewriteError for a rule that fails when `config.on_rewrite_error` is "raise".
    """
    if not isinstance(choice, Choice):
        choice = Choice(str(config.optimizer) if choice is None else choice, excluded=frozenset(excluding))
    history = History(record=record)
    settled: set[tuple[Phase, frozenset[str]]] = set()  # phases whose normal form the graph is in
    for one in choice.phases():
        if one not in settled:
            before = graph.roots()
            run_phase(graph, one[0], history, one[1])
            changed = any(new is not old for new, old in zip(graph.roots(), before))
            settled = {one} if changed else settled | {one}
    history.forget_all_but(graph.nodes())
    return history


@dims.remembering()
def stabilized(outputs: Iterable[Variable], keep: Iterable[Variable] = ()) -> list[Variable]:
    """`outputs` in numerically stable form, as expressions over users' variables: what is differentiated.

    The variables in `keep` are taken as inputs, so that they occur in the result as they are.

    >>> from symtensor import ops
    >>> from symtensor.ops.scalar import log
    >>> from symtensor.types.tensor import TensorType
    >>> x = Variable(TensorType("float64", (None,)), name="x")
    >>> (y,) = stabilized([log(1 + x)])
    >>> y.owner.op, y.owner.inputs == (x,)
    (log1p, True)
    """
    outputs = list(outputs)
    kept = [v for v in dict.fromkeys(keep) if not isinstance(v, Constant)]
    # Inputs stay as they are in any case: the form of a cost is found once, though slopes are asked for one by one.
    rules = tuple(len(phase.rules) for phase in (canonicalize, stabilize))
    key = rules, frozenset(v for v in kept if v.owner is not None)
    known = (outputs[0].stable or {}).get(key) if len(outputs) == 1 else None
    if known is not None:
        return [known]
    graph = Graph(kept, lazily(outputs, kept))
    history = History()
    for phase in (canonicalize, stabilize, canonicalize):
        run_phase(graph, phase, history)
    results = _users_expressions(graph)
    if len(outputs) == 1:
        outputs[0].stable = {**(outputs[0].stable or {}), key: results[0]}
    return results


def _users_expressions(graph: Graph) -> list[Variable]:
    """The outputs of a graph over the variables its inputs were copied from.

    Bounds on sizes that only nodes made by rules state are no concern of users.
    """
    def bound(equation: Equation) -> tuple[Size, Size]:
        return graph.solution(equation.left), graph.solution(equation.right)

    stated = {bound(equation) for equation, _ in graph.equations if equation.compare == "le"}
    users = {variable: _as_known(variable, user) for variable, user in graph.origin.items()}
    sizes = _Sizes(graph, users)
    for node in graph.nodes():
        with provenance.attributed(graph.place_of(node)):
            if isinstance(node.op, SizeValue):
                made: Sequence[Variable] = [sizes(node.op.size)]
            else:
                made = node.op.make(*(users.get(v, v) for v in node.inputs))
                equations = made[0].owner.equations  # type: ignore[union-attr]
                equations[:] = [e for e in equations if e.compare == "eq" or bound(e) in stated]
        for old, new in zip(node.outputs, made):
            new.name = new.name or old.name
            users[old] = new
    return [graph.origin.get(v, users.get(v, v)) for v in graph.outputs]


def _as_known(variable: Variable, user: Variable) -> Variable:
    """A user's variable with the sizes that the graph's equations fix: rules may have relied on them."""
    if variable.type.static_shape == user.type.static_shape:
        return user
    sizes = [integer(size) if isinstance(size, int) else dimension(user, axis)
             for axis, size in enumerate(variable.type.shape)]
    return SpecifyShape(user.type.ndim)(user, *sizes)  # type: ignore[no-any-return]


class _Sizes(Fold[Variable]):
    """Sizes of a graph as users would write them: from shapes of variables and values of scalars."""

    def __init__(self, graph: Graph, users: dict[Variable, Variable]) -> None:
        super().__init__()
        self.users = users
        self.sources: dict[Symbol, tuple[Variable, int | None]] = {
            symbol: (variable, symbol.axis) for symbol, variable in graph.sources.items()}
        for variable in graph.inputs:
            for axis, size in enumerate(graph.origin[variable].type.shape):
                lone = dims.lone_symbol(size)
                if lone is not None:
                    self.sources.setdefault(lone, (variable, axis))

    def whole(self, size: Dim) -> Variable | None:
        known = all(symbol in self.sources for symbol in size.symbols)
        return None if known else SizeValue(size)()

    def symbol(self, symbol: Symbol) -> Variable:
        variable, axis = self.sources[symbol]
        user = self.users.get(variable, variable)
        return user if axis is None else Dimension(axis)(user)

    def compound(self, compound: Compound, left: Variable, right: Variable) -> Variable:
        op = {"floordiv": floor_div, "modulo": mod, "min": minimum, "max": maximum}
        return op[compound.kind](left, right)  # type: ignore[no-any-return]

    def sum(self, terms: list[tuple[list[Variable], int]], constant: int) -> Variable:
        summands = [reduce(mul, factors if c == 1 else [integer(c), *factors]) for factors, c in terms]
        if constant or not summands:
            summands.append(integer(constant))
        return reduce(add, summands)
