"""A loop taken apart, to be changed and put together again.

>>> from symtensor.types.tensor import TensorType
>>> total, x = (Variable(TensorType("float64", ()), name=name) for name in ("total", "x"))
>>> start, xs, n = (Variable(t) for t in (total.type, TensorType("float64", (None,)), TensorType("int64", ())))
>>> loop = Loop(n)
>>> carry = loop.carry(total, start)
>>> loop.rows[x] = xs
>>> carry.new = total + x
>>> made = loop.make()
>>> made[carry].type.ndim, Loop.of(made[carry].owner).steps is n
(0, True)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symtensor.ir.function import Function
from symtensor.ir.graph import Graph, applications, leaves, remake, substitute
from symtensor.ir.node import Apply, Variable
from symtensor.ops import scalar
from symtensor.ops.control import Scan
from symtensor.ops.size import computed_size, size_value
from symtensor.types import dim as dims
from symtensor.types.dim import Size

__all__ = ["Carry", "Loop", "Stack"]


@dataclass(eq=False)
class Carry:
    """A value handed from step to step: what a step is given, what the first one is given, what a step makes of it."""

    own: Variable
    first: Variable
    new: Variable

    @property
    def added(self) -> Variable | None:
        """What a step adds to the value, if it makes a sum with it."""
        node = self.new.owner
        if node is None or node.op != scalar.add or self.own not in node.inputs:
            return None
        return node.inputs[1] if node.inputs[0] is self.own else node.inputs[0]


@dataclass(eq=False)
class Stack:
    """A value of each step that is stacked."""

    value: Variable


@dataclass(eq=False)
class Loop:
    """The parts of a `Scan`.

    `rows` and `others` lead from what a step is given to the array whose row it is, and to the value that is the same
    for all steps. `stop` is the condition to end, if there is one. `told` are sizes that values of a step tell.
    """

    steps: Variable
    carries: list[Carry] = field(default_factory=list)
    rows: dict[Variable, Variable] = field(default_factory=dict)
    others: dict[Variable, Variable] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)
    stop: Variable | None = None
    backwards: bool = False
    truncate: int = -1
    recompute: bool = False
    told: Mapping[dims.Symbol, Variable] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Apply) -> Loop:
        """The parts of a node of a graph; its outputs are the last values of `carries`, `stacks`, and the count."""
        assert isinstance(node.op, Scan)
        return cls.over(node.op, node.inputs)

    @classmethod
    def over(cls, op: Scan, inputs: Sequence[Variable]) -> Loop:
        """The parts of a loop over some inputs."""
        pairs = list(zip(op.step.parameters, inputs))
        first, second = op.carries, op.carries + op.sequences
        results, told = _with_known_sizes(op.step.graph, op.carries + op.sequences)
        carries = [Carry(own, given, new) for (own, given), new in zip(pairs[:first], results)]
        return cls(inputs[-1], carries, dict(pairs[first:second]), dict(pairs[second:]),
                   [Stack(value) for value in results[first:first + op.stacks]],
                   results[-1] if op.until else None, op.backwards, op.truncate, op.recompute, told)

    def carry(self, own: Variable, first: Variable) -> Carry:
        """One more carried value, not changed by a step until it is said how."""
        self.carries.append(Carry(own, first, own))
        return self.carries[-1]

    def stack(self, value: Variable) -> Stack:
        """The stack of a step's value, one there is already if it is the same."""
        for one in self.stacks:
            if one.value is value:
                return one
        self.stacks.append(Stack(value))
        return self.stacks[-1]

    @property
    def parameters(self) -> list[Variable]:
        """What a step is given, in order."""
        return [*(carry.own for carry in self.carries), *self.rows, *self.others]

    @property
    def results(self) -> list[Variable]:
        """What a step gives, in order."""
        stop = [] if self.stop is None else [self.stop]
        return [*(carry.new for carry in self.carries), *(stack.value for stack in self.stacks), *stop]

    def used(self, results: Iterable[Variable] | None = None) -> set[Variable]:
        """What of the parameters some results (by default all) depend on, if only for a size that they name."""
        results = self.results if results is None else list(results)
        return self.read(results) | self.measured(results)

    def read(self, results: Sequence[Variable]) -> set[Variable]:
        """What of the parameters some results are computed from."""
        return set(leaves(results, set(self.parameters)))

    def measured(self, results: Sequence[Variable]) -> set[Variable]:
        """Parameters that tell what sizes are: those that nodes of some results name, those of what they are given."""
        read = self.read(results)
        named = [size for node in applications(results, set(self.parameters)) for size in node.op.sizes()]
        named += [size for own in read for size in own.type.shape]
        told: dict[dims.Symbol, Variable] = {}
        for own in sorted(self.parameters, key=read.__contains__, reverse=True):
            told_by_own = own.type.shape if own.known_size is None else (*own.type.shape, own.known_size)
            for symbol in map(dims.lone_symbol, told_by_own):
                if symbol is not None:
                    told.setdefault(symbol, own)
        symbols = {symbol for size in named for symbol in dims.symbols_of(size)}
        return {told.get(symbol, symbol.source) for symbol in symbols} & set(self.parameters)

    def forget_unused(self) -> bool:
        """Leave out rows and others that no result depends on; whether there were any."""
        used, before = self.used(), len(self.parameters)
        self.rows = {own: given for own, given in self.rows.items() if own in used}
        self.others = {own: given for own, given in self.others.items() if own in used}
        return len(self.parameters) < before

    def replace(self, mapping: Mapping[Variable, Variable]) -> None:
        """Put others for variables in all results."""
        self._take(substitute(self.results, mapping))

    def outside(self, values: Sequence[Variable], known: Mapping[Variable, Variable]) -> list[Variable]:
        """Values of a step as they are around the loop, where what a step is given is `known`, and sizes are."""
        sizes = Scan(Function.of(self.parameters, []), len(self.carries), len(self.rows)).sizes_of(self._inputs())
        made = dict(known)

        def outer(symbol: dims.Symbol) -> Size | None:
            return sizes(dims.of_atom(symbol))

        for node in applications(values, {*self.parameters, *known}):
            for size in node.op.sizes():
                whole = sizes(size)
                made[node.outputs[0]] = size_value(dims.substitute(size, outer) if whole is None else whole)
            remake(node, made)
        return [made.get(v, v) for v in values]

    def intern(self) -> None:
        """Make equal values of a step one variable."""
        parameters = self.parameters
        graph = Graph(parameters, self.results)
        copies = dict(zip(parameters, graph.inputs))
        for carry in self.carries:
            carry.own = copies[carry.own]
        self.rows = {copies[own]: given for own, given in self.rows.items()}
        self.others = {copies[own]: given for own, given in self.others.items()}
        results, self.told = _with_known_sizes(graph, len(self.carries) + len(self.rows))
        self._take(results)

    def _take(self, results: Iterable[Variable]) -> None:
        new = iter(results)
        for carry in self.carries:
            carry.new = next(new)
        for stack in self.stacks:
            stack.value = next(new)
        if self.stop is not None:
            self.stop = next(new)

    def make(self) -> dict[Carry | Stack | None, Variable]:
        """The loop's outputs: of each carry its last value, of each stack the array; of None the number of steps."""
        op = Scan(Function.of(self.parameters, self.results), len(self.carries), len(self.rows),
                  self.stop is not None, self.backwards, self.truncate, self.recompute)
        outputs = op.make(*self._inputs())
        count = outputs[-1] if self.stop is not None else self.steps
        return {**dict(zip([*self.carries, *self.stacks], outputs)), None: count}

    def _inputs(self) -> list[Variable]:
        return [*(carry.first for carry in self.carries), *self.rows.values(), *self.others.values(), self.steps]


def _with_known_sizes(graph: Graph, varying: int) -> tuple[list[Variable], dict[dims.Symbol, Variable]]:
    """The results of a step, in which nodes name no sizes but those known when the loop begins; and what tells others.

    Equal sizes are named as in the types of parameters. What only values of a step tell is computed from these: so
    nodes show what a step depends on. The first `varying` parameters change from step to step.
    """
    fixed = set(graph.inputs[varying:])
    told = {symbol: v for symbol, v in graph.sources.items()
            if v.owner is not None or (symbol.axis is None and v not in fixed)}
    named = {node: graph.solution(size) for node in graph.nodes() for size in node.op.sizes()}
    telling = {node: [told[symbol] for symbol in dims.symbols_of(size) if symbol in told]
               for node, size in named.items()}
    made: dict[Variable, Variable] = {}
    for node in applications(graph.roots(), set(graph.inputs), lambda node: (*node.inputs, *telling.get(node, ()))):
        if node not in named:
            remake(node, made)
        elif telling[node]:
            made[node.outputs[0]] = computed_size(named[node], {s: made.get(v, v) for s, v in told.items()})
        elif (named[node],) != tuple(node.op.sizes()):
            made[node.outputs[0]] = size_value(named[node])
    return [made.get(v, v) for v in graph.outputs], {symbol: made.get(v, v) for symbol, v in told.items()}
