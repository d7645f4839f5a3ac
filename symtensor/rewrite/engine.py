"""The engine: brings every node of a graph to its normal form under the rules of a phase.

One traversal goes from inputs to outputs and remembers for each variable what it has become. A node whose
operands are in normal form is tried against the rules its ops may match; what a rule gives is
brought to normal form in turn, so when the traversal ends no rule applies anywhere. The engine, never a
rule, carries names and the user's lines, compares types, and stops rules that go on for ever.

>>> from symtensor import ops
>>> from symtensor.ops.scalar import log, log1p
>>> from symtensor.rewrite.rule import Phase, rule
>>> from symtensor.types.tensor import TensorType
>>> example = Phase("example", "A phase for this page.")
>>> @rule(example, keeps="nearer")
... def log_one_plus(x): return log(1 + x), log1p(x)
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> graph = Graph([x], [log(x + 1)])
>>> history = run_phase(graph, example)
>>> graph.outputs, history.fired
([log1p(x)], Counter({'log_one_plus': 1}))
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import RewriteError
from symtensor.ir import provenance
from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications
from symtensor.ir.node import Apply, Constant, Op, Variable, describe
from symtensor.ir.verify import verify
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import Broadcast
from symtensor.ops.size import size_value
from symtensor.rewrite.rule import Index, Match, Phase, Replacements, Rule
from symtensor.types import dim as dims
from symtensor.types.dtype import numpy_dtype

__all__ = ["Context", "History", "Step", "run_phase"]

_PATIENCE = 1000
_ROUNDS = 100
"""How often a pass may give something anew, each time after what it gave before was done."""


@dataclass(frozen=True)
class Step:
    """What a rule or pass did in `graph`: `new` stands where `old` did, which are outputs of a node, or of the graph.

    Where the functions in a node were rewritten there is no name: steps in graphs of theirs stand before it.
    """

    name: str
    graph: Graph
    old: Sequence[Variable]
    new: Sequence[Variable]
    keeps: str = "real"
    place: str = ""


@dataclass
class History:
    """What was done to a graph: how often each rule fired, how long phases took, what made a node as it is.

    With `record` it keeps each step, and with it all that was in the graph.
    """

    record: bool = False
    steps: list[Step] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    phases: list[tuple[str, float, int, int]] = field(default_factory=list)
    """Name, seconds, nodes before and after."""
    reasons: dict[Apply, tuple[Any, ...]] = field(default_factory=dict)

    def forget_all_but(self, nodes: Sequence[Apply]) -> None:
        """Keep the reasons of these nodes only."""
        self.reasons = {node: self.reasons[node] for node in nodes if node in self.reasons}

    def note(self, step: Step) -> None:
        """Keep a step, if steps are kept."""
        if self.record:
            self.steps.append(step)

    def rules_of(self, node: Apply) -> list[str]:
        """The rules that led to a node, the first to fire first."""
        names: list[str] = []
        link = self.reasons.get(node, ())
        while link:
            link, name = link
            names.append(name)
        return names[::-1]


class Context:
    """What a rule may ask about the graph: who uses a variable, and whether a node exists already."""

    def __init__(self, graph: Graph, nodes: Sequence[Apply], normal: Mapping[Variable, Variable]) -> None:
        self.graph = graph
        self._normal = normal
        self._user = {v: node for node in nodes for v in node.inputs}
        self._uses: dict[Variable, int] = {}
        for variable in itertools.chain(graph.roots(), *(node.inputs for node in nodes)):
            self._uses[variable] = self._uses.get(variable, 0) + 1

    def uses(self, variable: Variable) -> int:
        """How many times nodes use a variable or the graph returns it; 0 for one the rule has made itself."""
        return self._uses.get(variable, 0)

    def sole_user(self, variable: Variable) -> Apply | None:
        """The node that uses a variable if there is only one."""
        return self._user.get(variable) if self._uses.get(variable) == 1 else None

    def find(self, op: Op, *inputs: Variable) -> Variable | None:
        """The (first) output of the node that applies `op`, if the graph has one."""
        found = self.graph.find(op, inputs)
        return found[0] if found is not None else None

    def is_normal(self, variable: Variable) -> bool:
        """Whether a computed variable is known to be in normal form, so that it will not be replaced any more."""
        return self._normal.get(variable) is variable

    # -- what the engine tells it -------------------------------------------------------------------------

    def stands_for(self, new: Variable, old: Variable) -> None:
        """All users of `old` use `new` from now on."""
        if new is old:
            return
        self._uses[new] = self._uses.get(new, 0) + self._uses.get(old, 0)
        if old in self._user:
            self._user[new] = self._user[old]

    def added(self, variables: Sequence[Variable]) -> list[Apply]:
        """`variables` are computed in the graph; the nodes that are new for it."""
        nodes = applications(variables, self._uses)
        for node in nodes:
            for variable in node.inputs:
                self._uses[variable] = self._uses.get(variable, 0) + 1
                self._user[variable] = node
        return nodes

    def merged(self, inputs: Sequence[Variable]) -> None:
        """Two nodes with these inputs have become one."""
        for variable in inputs:
            self._uses[variable] -= 1

    def removed(self, node: Apply) -> None:
        """Nothing uses a node any more, nor what only it used."""
        dead = [node]
        while dead:
            for variable in dead.pop().inputs:
                self._uses[variable] = self._uses.get(variable, 0) - 1
                owner = variable.owner
                if owner is None or self._uses[variable] != 0:
                    continue
                if not any(self._uses.get(v, 0) > 0 for v in owner.outputs):
                    dead.append(owner)


def run_phase(graph: Graph, phase: Phase, history: History | None = None,
              excluding: Container[str] = ()) -> History:
    """Bring `graph` to normal form under a phase's rules, then run its passes, and its rules again if one changed it.

    Rules and passes named in `excluding` are left out. Raises RewriteError if a rule fails or goes on for ever and
    `config.on_rewrite_error` is "raise"; otherwise such a rule is reported and skipped.
    """
    history = History() if history is None else history
    if config.compute_test_value != "off":  # trial values are of what users write
        with config.change(compute_test_value="off"):
            return run_phase(graph, phase, history, excluding)
    started = time.perf_counter()
    nodes: Sequence[Apply] = graph.nodes()
    before = len(nodes)
    index = phase.index(excluding)
    functions = _Functions(phase, history, excluding)
    nodes = _Normalisation(graph, nodes, index, history, functions).run()
    for one in phase.passes:
        given = {} if one.name in excluding else one.function(graph)
        for _ in range(_ROUNDS):
            if not given:
                break
            history.fired[one.name] += len(given)
            outputs = graph.outputs
            nodes = _Normalisation(graph, graph.nodes(), index, history, functions, given).run()
            history.note(Step(one.name, graph, outputs, graph.outputs, place=one.place))
            given = one.function(graph)
    if config.verify:
        verify(graph)
    seconds = time.perf_counter() - started
    history.phases.append((phase.name, seconds, before, len(nodes)))
    if config.debug >= 1:
        print(f"rewrite {phase.name}: {before} -> {len(nodes)} nodes in {seconds * 1e3:.1f} ms", file=sys.stderr)
    return history


class _Functions:
    """The normal forms of functions under a phase: a function in a graph is rewritten as the graph is."""

    def __init__(self, phase: Phase, history: History, excluding: Container[str]) -> None:
        self._rewrite: Callable[[Graph], Any] = lambda graph: run_phase(graph, phase, history, excluding)
        self._normal: dict[Function, Function] = {}

    def normal(self, op: Op) -> Op:
        """The op with its functions in normal form."""
        functions = op.functions()
        changed = {name: new for name, old in functions.items() if (new := self._of(old)) is not old}
        return replace(op, **changed) if changed else op  # type: ignore[type-var]

    def _of(self, function: Function) -> Function:
        if function not in self._normal:
            found = function.rewritten(self._rewrite)
            self._normal[found] = self._normal[function] = found
        return self._normal[function]


class _Normalisation:
    """One traversal of a graph.

    `normal` holds for each variable whose node is done what it has become; `successor` what a node not done
    yet will be taken from. `given` says what to put for some nodes, whatever rules say.
    """

    def __init__(self, graph: Graph, nodes: Sequence[Apply], index: Index, history: History, functions: _Functions,
                 given: Replacements | None = None) -> None:
        self.functions = functions
        self.given = dict(given or {})
        self.graph = graph
        self.nodes = nodes
        self.index = index
        self.history = history
        self.normal: dict[Variable, Variable] = {}
        self.context = Context(graph, nodes, self.normal)
        self.successor: dict[Apply, Sequence[Variable]] = {}
        self.fired: dict[Apply, str] = {}
        self.entered: set[Apply] = set()
        self.patience = _PATIENCE + 4 * len(nodes)

    def run(self) -> Sequence[Apply]:
        """Normalise every live node, send outputs and sources to what they have become; the nodes then alive."""
        starts = self.nodes
        if self.index.has_early:  # what moves down is to start before what it moves past is done
            starts = [v.owner for v in self.graph.roots() if v.owner is not None]
        for node in starts:
            if node.outputs[0] not in self.normal and self._advance(node):
                self._settle(node)
        if not self.successor:
            return self.nodes
        self.graph.replace(lambda v: self.normal.get(v, v))
        return self.graph.nodes()

    def _settle(self, root: Apply) -> None:
        """Bring a node to normal form, and before it whatever it is computed from and its rewriting makes.

        Those `waiting` lead from the root to the node at hand, each to one it is computed from or one that a rule put
        in its place; the latter have `fired`.
        """
        pending: list[Apply] = [root]
        waiting: set[Apply] = set()
        fired: dict[Apply, str] = {}
        while pending:
            node = pending[-1]
            needed = [] if node.outputs[0] in self.normal else self._advance(node)
            if node in self.fired:
                fired[node] = self.fired[node]
            if needed and (len(fired) > self.patience or any(other in waiting for other in needed)):
                self._stop_cycle(node, list(fired.values()))
            elif needed:
                waiting.add(node)
                pending += reversed(needed)
            else:
                waiting.discard(pending.pop())
                fired.pop(node, None)

    def _advance(self, node: Apply) -> list[Apply]:
        """Do what can be done for a node: the nodes that must be done first, or none and it is done."""
        target = self.successor.get(node) or self._early(node)
        if target is None:
            needed = self._unsettled(node.inputs)
            if needed:
                return needed
            target = self._replaced(node) or self._rebuilt(node) or self._rewritten(node)
            if target is None:
                self.normal.update(zip(node.outputs, node.outputs))
                return []
            self.successor[node] = target
        needed = self._unsettled([v for v in target if v.owner is not node])
        if not needed:
            for old, new in zip(node.outputs, target):
                self._become(old, self.normal.get(new, new))
        return needed

    def _unsettled(self, variables: Sequence[Variable]) -> list[Apply]:
        return [v.owner for v in variables if v.owner is not None and v not in self.normal]

    def _become(self, old: Variable, new: Variable) -> None:
        self.normal[old] = new
        if old is new:
            return
        if old.name and not new.name and new.owner is not None:
            new.name = old.name
        self._hand_on_sizes(old, new)

    def _hand_on_sizes(self, old: Variable, new: Variable) -> None:
        """`new` is from now on what the symbols that `old` was the source of are known from."""
        if old.known_size is not None:
            if new.known_size is None and not isinstance(new, Constant):
                new.known_size = old.known_size
            elif new.known_size is not None:
                self.graph.solution.assume(old.known_size, new.known_size)
        sources = self.graph.sources
        for size, own in zip(old.type.shape, new.type.shape):
            for symbol in dims.symbols_of(own):
                if symbol.source is not None and symbol.source in self.graph:
                    sources.setdefault(symbol, symbol.source)
            lone = dims.lone_symbol(own)
            if lone is not None and lone.source is new:
                self.graph.solution.assume(size, own)

    # -- steps ------------------------------------------------------------------------------------

    def _replaced(self, node: Apply) -> Sequence[Variable] | None:
        """What is given to be put for a node; its outputs that nothing uses stand for themselves."""
        results = self.given.pop(node, None)
        if results is None:
            return None
        with provenance.attributed(self.graph.place_of(node)):
            made = [old if new is None else self._member(old, new, False) for old, new in zip(node.outputs, results)]
            self.context.added([v for v in made if v.owner is not node])
        for old, new in zip(node.outputs, made):
            self.context.stands_for(new, old)
        self.context.removed(node)
        self._credit(made, node)
        return made

    def _rebuilt(self, node: Apply) -> Sequence[Variable] | None:
        """The node over the normal forms of its inputs and functions; None if they are what it has."""
        inputs = tuple([self.normal.get(v, v) for v in node.inputs])
        op = self.functions.normal(node.op)
        if inputs == node.inputs and op is node.op:  # variables are equal if they are the same
            return None
        places = self.graph.lines_of(node)
        existed = self.graph.find(op, inputs)
        outputs = self.graph.apply(op, inputs, self.graph.place_of(node))
        if op is not node.op and self.history.record:
            self.history.note(Step("", self.graph, node.op.make(*inputs), outputs))
        owner = outputs[0].owner
        assert owner is not None
        for old, new in zip(node.outputs, outputs):
            self.context.stands_for(new, old)
        if existed is not None:
            self.context.merged(inputs)
        self.graph.credit(owner, places[1:])
        if node in self.history.reasons:
            self.history.reasons.setdefault(owner, self.history.reasons[node])
        return outputs

    def _early(self, node: Apply) -> Sequence[Variable] | None:
        """What a rule gives for a node when it is met, its operands as they are."""
        if not self.index.has_early or node in self.entered:
            return None
        self.entered.add(node)
        target = self._rewritten(node, early=True)
        if target is not None:
            self.successor[node] = target
        return target

    def _rewritten(self, node: Apply, early: bool = False) -> Sequence[Variable] | None:
        """What the first rule that applies gives for a node; None if none does."""
        candidates = self.index.candidates(node, early)
        if not candidates:
            return None
        with provenance.attributed(self.graph.place_of(node)):
            for one, apply in candidates:
                results = self._applied(one, apply, node)
                if results is not None:
                    return self._accept(one, node, results)
        return None

    def _applied(self, one: Rule, apply: Match, node: Apply) -> list[Variable] | None:
        """What a rule gives for a node as members of the graph; None if nothing else than the node."""
        try:
            result = apply(node, self.context)
            results = node.outputs if result is None else self._conform(node, result)
        except Exception as error:
            self._report(one, node, error)
            return None
        return None if all(new is old for new, old in zip(results, node.outputs)) else list(results)

    def _conform(self, node: Apply, result: Any) -> list[Variable]:
        """A rule's result as members of the graph, of the types of what they replace."""
        results = result if isinstance(result, (list, tuple)) else [result]
        if len(results) != len(node.outputs):
            raise RewriteError(f"gave {len(results)} results for {len(node.outputs)} outputs")
        return [self._member(old, new, isinstance(node.op, Elementwise))
                for old, new in zip(node.outputs, results)]

    def _member(self, old: Variable, new: Any, may_spread: bool) -> Variable:
        if not isinstance(new, Variable):
            new = Constant(np.asarray(new).astype(numpy_dtype(old.type.dtype)))
        if new.type.dtype != old.type.dtype:
            raise RewriteError(f"gave {new.type.describe()} for {old.type.describe()}",
                               fix="cast the right side, or say in `dtypes` what the rule is for")
        new = self._spread(old, new) if may_spread else new
        self._equate_sizes(old, new)
        return self.graph.intern(new, provenance.here())

    def _spread(self, old: Variable, new: Variable) -> Variable:
        """A result with fewer or stretched axes, spread to the shape of what it replaces."""
        shape = new.type.shape
        stretched = any(own == 1 and size != 1 for own, size in zip(shape[::-1], old.type.shape[::-1]))
        if len(shape) < old.type.ndim or stretched:
            return Broadcast(old.type.ndim)(new, *map(size_value, old.type.shape))  # type: ignore[no-any-return]
        return new

    def _equate_sizes(self, old: Variable, new: Variable) -> None:
        """What a rule gives has the sizes of what it replaces: true by the rule, even where it cannot be proved."""
        solution = self.graph.solution
        if new.type.ndim != old.type.ndim:
            raise RewriteError(f"gave {new.type.describe()} for {old.type.describe()}")
        for own, size in zip(new.type.shape, old.type.shape):
            if own == size:
                continue
            own, size = solution(own), solution(size)
            if dims.known_different(own, size) or (size == 1 and own != 1):
                raise RewriteError(f"gave {new.type.describe()} for {old.type.describe()}")
            solution.assume(size, own)

    def _accept(self, one: Rule, node: Apply, results: list[Variable]) -> list[Variable]:
        made = self.context.added(results)
        for old, new in zip(node.outputs, results):
            self.context.stands_for(new, old)
        self.context.removed(node)
        self.fired[node] = one.name
        self.history.fired[one.name] += 1
        self.history.note(Step(one.name, self.graph, node.outputs, results, one.keeps, one.place))
        self.history.reasons.update(dict.fromkeys(made, (self.history.reasons.get(node, ()), one.name)))
        self._credit(results, node)
        if config.debug >= 2:
            where = next(iter(self.graph.place_of(node)), "no line known")
            print(f"  {one.name} at {where}: {node!r} -> {results}", file=sys.stderr)
        return results

    def _credit(self, results: Sequence[Variable], node: Apply) -> None:
        """What is put for a node stands for the places that it stood for."""
        places = self.graph.lines_of(node)
        for variable in results:
            if variable.owner is not None:
                self.graph.credit(variable.owner, places)

    # -- trouble ----------------------------------------------------------------------------------

    def _stop_cycle(self, node: Apply, fired: Sequence[str]) -> None:
        """Leave a node as it is, since rewriting it does not end."""
        names = ", ".join(sorted(set(fired[-20:])))
        self._complain(RewriteError(f"these rules undo each other or never end: {names}", where=self._where(node),
                                    operands=[describe(v) for v in node.inputs],
                                    fix="give one of them a condition that fails on what the others make"))
        self.successor.pop(node, None)
        self.fired.pop(node, None)
        self.normal.update(zip(node.outputs, node.outputs))

    def _report(self, one: Rule, node: Apply, error: Exception) -> None:
        reason = error.what if isinstance(error, RewriteError) else f"raised {type(error).__name__}: {error}"
        failure = RewriteError(f"rule {one.name} {reason}", where=[*self._where(node), f"the rule: {one.place}"],
                               operands=[describe(v) for v in node.inputs], fix=getattr(error, "fix", None))
        failure.__cause__ = error
        self._complain(failure)

    def _where(self, node: Apply) -> list[str]:
        return provenance.describe(self.graph.place_of(node))

    @staticmethod
    def _complain(error: RewriteError) -> None:
        if config.on_rewrite_error == "raise":
            raise error
        warnings.warn(str(error), RuntimeWarning, stacklevel=2)
