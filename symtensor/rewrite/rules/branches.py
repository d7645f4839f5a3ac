"""Branches made fewer and smaller: one for each condition, in which is what follows from it alone.

>>> from symtensor import ops
>>> from symtensor.ops.branch import IfElse, lazily
>>> from symtensor.ops.scalar import exp, log
>>> from symtensor.rewrite.engine import run_phase
>>> from symtensor.types.tensor import TensorType
>>> c, x = Variable(TensorType("bool", ()), name="c"), Variable(TensorType("float64", (None,)), name="x")
>>> one, other = IfElse().make(c, log(x), x)[0], IfElse().make(c, x, exp(x))[0]
>>> graph = Graph([c, x], lazily([one * other]))
>>> history = run_phase(graph, canonicalize)
>>> graph.outputs[0].owner.op.then, graph.outputs[0].owner.op.otherwise
((x) -> ((log(x) * x)), (x) -> ((x * exp(x))))
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications, leaves, substitute
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops import scalar
from symtensor.ops.branch import Branch, branch, inlined
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.index import Subtensor
from symtensor.ops.reduce import Reduce
from symtensor.ops.shape import Dimshuffle
from symtensor.rewrite.engine import Context
from symtensor.rewrite.rule import Replacements, rewrite, rewrite_graph
from symtensor.rewrite.rules import canonicalize, specialize
from symtensor.types import dim as dims

__all__: list[str] = []

Users = Mapping[Variable, Sequence[Apply | None]]
Sides = tuple[Variable, Variable]
"""What a variable is if the condition holds, and if it does not."""


@rewrite(canonicalize, specialize, ops=[Branch], operands=[Constant])
def condition_known(node: Apply, context: Context) -> list[Variable]:
    """A branch whose condition is known is the side that is taken."""
    condition, *given = node.inputs
    assert isinstance(condition, Constant)
    return inlined(node.op.functions()["then" if condition.data else "otherwise"], given)


@rewrite(canonicalize, ops=[Branch], operands=[scalar.invert])
def condition_inverted(node: Apply, context: Context) -> Sequence[Variable]:
    """A branch whose condition is that another one does not hold is the branch on that, with its sides exchanged."""
    assert node.inputs[0].owner is not None
    return _exchanged(node, node.inputs[0].owner.inputs[0])


@rewrite(canonicalize, ops=[Branch], operands=[scalar.eq])
def condition_unequal(node: Apply, context: Context) -> Sequence[Variable]:
    """A branch on whether two numbers are equal is one on whether they differ, with its sides exchanged."""
    assert node.inputs[0].owner is not None
    return _exchanged(node, scalar.neq(*node.inputs[0].owner.inputs))


def _exchanged(node: Apply, condition: Variable) -> Sequence[Variable]:
    assert isinstance(node.op, Branch)
    return Branch(node.op.otherwise, node.op.then).make(condition, *node.inputs[1:])


@rewrite(specialize, ops=[Branch])
def choice_of_numbers(node: Apply, context: Context) -> list[Variable] | None:
    """A choice between numbers that are there already is a `switch`, which kernels do."""
    condition, *given = node.inputs
    sides = list(node.op.functions().values())
    if any(v.type.ndim for v in node.outputs) or any(v.owner is not None for side in sides for v in side.results):
        return None
    return [scalar.switch(condition, *pair) for pair in zip(*(inlined(side, given) for side in sides))]


@rewrite_graph(canonicalize)
def equal_branches(graph: Graph) -> Replacements:
    """What is the same in both branches, or used by nobody, is not in them."""
    nodes = graph.nodes()
    if not any(isinstance(node.op, Branch) for node in nodes):
        return {}
    users = graph.users()
    found: dict[Apply, Sequence[Variable | None]] = {}
    for node in nodes:
        if isinstance(node.op, Branch):
            replacement = _without_equal(node, users)
            if replacement is not None:
                found[node] = replacement
    return found


def _without_equal(node: Apply, users: Users) -> list[Variable | None] | None:
    """What to put for a branch's outputs if some are the same in both sides or unused, or some inputs are unused."""
    assert isinstance(node.op, Branch)
    condition, *given = node.inputs
    then = _knowing(node.op.then, condition, given, True)
    otherwise = _knowing(node.op.otherwise, condition, given, False)
    equal = _equal_results(then, otherwise)
    kept = [n for n, v in enumerate(node.outputs) if v in users and not equal[n]]
    read = sorted({number for side in (then, otherwise) for number, own in enumerate(side.parameters)
                   if own in _leaves(side, kept)})
    if len(kept) == len(node.outputs) and len(read) == len(given):
        return None
    sides = (side.part(read, kept) for side in (then, otherwise))
    made = iter(Branch(*sides).make(condition, *(given[n] for n in read)) if kept else ())
    outside = [n for n, v in enumerate(node.outputs) if v in users and equal[n]]
    same = dict(zip(outside, inlined(then.part(range(len(given)), outside), given)))
    return [next(made) if n in kept else same.get(n) for n in range(len(node.outputs))]


def _leaves(side: Function, wanted: Sequence[int] | None = None) -> set[Variable]:
    """What of the parameters some results of a side depend on, by default all; be it for their sizes only."""
    parameters, graph = set(side.parameters), side.graph
    results = side.results if wanted is None else [side.results[n] for n in wanted]
    results = [*results, *graph.telling(results).values()]
    needed = {symbol for node in applications(results, parameters) for size in node.op.sizes()
              for whole in (size, graph.solution(size)) for symbol in dims.symbols_of(whole)}
    sized = {v for v in parameters for size in (*v.type.shape, *graph.origin[v].type.shape)
             if not needed.isdisjoint(dims.symbols_of(size))}
    values = {v for v in parameters if v.known_size and not needed.isdisjoint(dims.symbols_of(v.known_size))}
    return set(leaves(results, parameters)) | sized | values


def _knowing(side: Function, condition: Variable, given: Sequence[Variable], truth: bool) -> Function:
    """A side in which it is known whether the condition holds."""
    if condition not in given:
        return side
    known = {own: Constant(truth) for own, v in zip(side.parameters, given) if v is condition}
    return side.replaced(known)


def _equal_results(then: Function, otherwise: Function) -> list[bool]:
    """Which results the two sides of a branch compute in one way from what they are given."""
    count = len(then.results)
    others = substitute(otherwise.results, dict(zip(otherwise.parameters, then.parameters)))
    found = Graph(then.parameters, [*then.results, *others]).outputs
    return [one is other for one, other in zip(found[:count], found[count:])]


@rewrite_graph(canonicalize)
def branches_of_one_condition(graph: Graph) -> Replacements:
    """Branches with one condition are one, and what follows from them alone, element by element, is computed in it.

    Elementwise ops, reductions, parts and transposes of nothing but what the branch gives, inputs and numbers go into
    it: no array is made of what only they need, and nothing of what they leave out. They stay outside where they would
    spread what is chosen, or may be fused with others.
    """
    nodes = graph.nodes()
    if not any(isinstance(node.op, Branch) for node in nodes):
        return {}
    users = graph.users()
    sources = set(graph.sources.values())
    for number, node in enumerate(nodes):
        if isinstance(node.op, Branch) and sources.isdisjoint(node.outputs):
            taken = _Absorbed(users, sources, node)
            taken.walk(nodes[number + 1:])
            if len(taken.nodes) > 1:
                return taken.replacements(graph)
    return {}


class _Absorbed:
    """A branch with the nodes that can be computed in it; sizes may hang on none of them, but for the results'."""

    def __init__(self, users: Users, sources: set[Variable], first: Apply) -> None:
        self.users, self.sources = users, sources
        self.condition = first.inputs[0]
        self.nodes = [first]
        self.inside = set(first.outputs)
        self.later: set[Variable] = set()  # what needs a result of the branch, outside

    def walk(self, nodes: Sequence[Apply]) -> None:
        """Take from the nodes that follow what can be taken."""
        for node in nodes:
            if not any(v in self.later for v in node.inputs) and self._fits(node):
                self.nodes.append(node)
                self.inside.update(node.outputs)
            elif any(v in self.later or v in self.inside for v in node.inputs):
                self.later.update(node.outputs)

    def _fits(self, node: Apply) -> bool:
        if not self.sources.isdisjoint(node.outputs):
            return False
        if isinstance(node.op, Branch):
            return node.inputs[0] is self.condition
        if not isinstance(node.op, (Elementwise, Reduce, Dimshuffle, Subtensor)):
            return False
        own = [v for v in node.inputs if v in self.inside]
        if not own or any(user is not node for v in own for user in self.users[v]):
            return False
        if isinstance(node.op, Elementwise) and all(v.type.shape != node.outputs[0].type.shape for v in own):
            return False  # what is chosen is spread: better the small one is stored
        # Others that are computed may be fused with this node outside.
        return all(v in self.inside or v.owner is None or not v.type.ndim for v in node.inputs)

    def replacements(self, graph: Graph) -> Replacements:
        """The one branch, and for each node what it gives of it."""
        sides: dict[Variable, Sides] = {}
        for node in self.nodes:
            sides.update(zip(node.outputs, zip(*(self._side(node, sides, number) for number in (0, 1)))))
        absorbed = set(self.nodes)
        wanted = [v for v in sides if any(user not in absorbed for user in self.users.get(v, ()))]
        inside = _Inside(graph)
        made = dict(zip(wanted, branch(self.condition, [sides[v][0] for v in wanted], [sides[v][1] for v in wanted],
                                       (inside, inside))))
        return {node: [made.get(v) for v in node.outputs] for node in self.nodes}

    @staticmethod
    def _side(node: Apply, sides: Mapping[Variable, Sides], number: int) -> Sequence[Variable]:
        """What a node computes in one of the sides."""
        inputs = [sides[v][number] if v in sides else v for v in node.inputs]
        if isinstance(node.op, Branch):
            return inlined(list(node.op.functions().values())[number], inputs[1:])
        return node.op.make(*inputs)


class _Inside:
    """What is computed in one side: all that the graph does not, and what moves there."""

    def __init__(self, graph: Graph, moved: Container[Variable] = ()) -> None:
        self.graph, self.moved = graph, moved

    def __contains__(self, variable: object) -> bool:
        return variable not in self.graph or variable in self.moved


@rewrite_graph(canonicalize)
def needed_by_one_branch(graph: Graph) -> Replacements:
    """What only one side of one branch needs is computed there."""
    nodes = graph.nodes()
    if not any(isinstance(node.op, Branch) for node in nodes):
        return {}
    users = graph.users()
    for node in nodes:
        if isinstance(node.op, Branch):
            found = _with_its_own(graph, nodes, users, node)
            if found is not None:
                return {node: found}
    return {}


def _with_its_own(graph: Graph, nodes: Sequence[Apply], users: Users, node: Apply) -> Sequence[Variable] | None:
    """A branch into whose sides what only they need has moved; None if there is nothing."""
    condition, *given = node.inputs
    sides = list(node.op.functions().values())
    read = [{v for own, v in zip(side.parameters, given) if own in _leaves(side)} for side in sides]
    moved = [_only_for(nodes, users, node, own - other - {condition}) for own, other in (read, read[::-1])]
    if not any(moved):
        return None
    then, otherwise = (inlined(side, given) for side in sides)
    return branch(condition, then, otherwise, [_Inside(graph, own) for own in moved])


def _only_for(nodes: Sequence[Apply], users: Users, node: Apply, needed: set[Variable]) -> set[Variable]:
    """The variables that nothing but a node needs, and this only for `needed` of its inputs."""
    found: set[Variable] = set()
    taken: set[Apply | None] = set()
    for other in reversed(nodes) if needed else ():
        used = [(v, user) for v in other.outputs for user in users.get(v, ())]
        if not other.op.sizes() and all(user in taken or (user is node and v in needed) for v, user in used):
            taken.add(other)
            found.update(other.outputs)
    return found
