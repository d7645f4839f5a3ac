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
from symtensor.ir.graph import Graph, leaves, substitute
from symtensor.ir.node import Apply, Variable
from symtensor.ops.control import Scan

__all__ = ["Carry", "Loop", "Stack"]


@dataclass(eq=False)
class Carry:
    """A value handed from step to step: what a step is given, what the first one is given, what a step makes of it."""

    own: Variable
    first: Variable
    new: Variable


@dataclass(eq=False)
class Stack:
    """A value of each step that is stacked."""

    value: Variable


@dataclass(eq=False)
class Loop:
    """The parts of a `Scan`.

    `rows` and `others` lead from what a step is given to the array whose row it is, and to the value that is the same
    for all steps. `stop` is the condition to end, if there is one.
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
        results = op.step.results
        carries = [Carry(own, given, new) for (own, given), new in zip(pairs[:first], results)]
        return cls(inputs[-1], carries, dict(pairs[first:second]), dict(pairs[second:]),
                   [Stack(value) for value in results[first:first + op.stacks]],
                   results[-1] if op.until else None, op.backwards, op.truncate, op.recompute)

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
        """What of the parameters some results (by default all) depend on."""
        results = self.results if results is None else results
        return set(leaves(results, set(self.parameters)))

    def forget_unused(self) -> bool:
        """Leave out rows and others that no result depends on; whether there were any."""
        used, before = self.used(), len(self.parameters)
        self.rows = {own: given for own, given in self.rows.items() if own in used}
        self.others = {own: given for own, given in self.others.items() if own in used}
        return len(self.parameters) < before

    def replace(self, mapping: Mapping[Variable, Variable]) -> None:
        """Put others for variables in all results."""
        self._take(substitute(self.results, mapping))

    def intern(self) -> None:
        """Make equal values of a step one variable."""
        parameters = self.parameters
        graph = Graph(parameters, self.results)
        copies = dict(zip(parameters, graph.inputs))
        for carry in self.carries:
            carry.own = copies[carry.own]
        self.rows = {copies[own]: given for own, given in self.rows.items()}
        self.others = {copies[own]: given for own, given in self.others.items()}
        self._take(graph.outputs)

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
        outputs = op.make(*(carry.first for carry in self.carries), *self.rows.values(), *self.others.values(),
                          self.steps)
        count = outputs[-1] if self.stop is not None else self.steps
        return {**dict(zip([*self.carries, *self.stacks], outputs)), None: count}
