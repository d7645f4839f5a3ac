"""A loop of a graph while it is changed: which outputs are used, and what they have become.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.types.tensor import TensorType
>>> x, n = TensorType("float64", ())("x"), TensorType("int64", ())("n")
>>> loop = Loop(n, [Carry(x, x, x + 1)])
>>> graph = Graph([x, n], list(loop.make().values())[:1])
>>> view = View(graph.outputs[0].owner, {graph.outputs[0]: [None]})
>>> view.used() == set(view.loop.carries)
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.loop import Carry, Loop, Stack

__all__ = ["Expression", "Part", "View"]

Part = Carry | Stack | None
"""What a loop has an output for; None is the number of steps."""


@dataclass(frozen=True)
class Expression:
    """An output of the loop as it was, as an expression of outputs of the loop as it is now."""

    parts: Sequence[Part]
    build: Callable[..., Variable]


NOTHING = Expression((), lambda: Constant(0))


class View:
    """A loop of a graph with what is known of the uses of its outputs."""

    def __init__(self, node: Apply, users: Mapping[Variable, Sequence[Apply | None]]) -> None:
        self.node = node
        self.users = users
        self.loop = Loop.of(node)
        count: list[Part] = [] if self.loop.stop is None else [None]
        self.outputs: list[Part | Expression] = [*self.loop.carries, *self.loop.stacks, *count]
        self.same: dict[Part, Part] = {}
        self.fixed: dict[Part, Variable] = {}
        self.replaced: dict[Part, Expression] = {}

    def changed_by(self, step: Callable[[View], bool]) -> bool:
        """Whether a simplification changes the loop, and do it."""
        changed = step(self)
        if changed:
            self.loop.intern()
        return changed

    def find(self, part: Part) -> Part:
        """The part of the loop as it is now that a part stands for."""
        while part in self.same:
            part = self.same[part]
        return part

    def used(self) -> set[Part]:
        """The parts whose outputs something uses."""
        pending = [output for variable, output in zip(self.node.outputs, self.outputs) if variable in self.users]
        found: set[Part] = set()
        while pending:
            output = pending.pop()
            if not isinstance(output, Expression):
                output = self.find(output)
                found.add(output)
                output = self.replaced.get(output, NOTHING)
            pending += output.parts
        return found

    def replacement(self) -> list[Variable | None]:
        """What to put for the outputs."""
        made: dict[Part, Variable] = {**self.loop.make(), **self.fixed}

        def value(output: Part | Expression) -> Variable:
            if not isinstance(output, Expression):
                output = self.find(output)
                if output not in self.replaced:
                    return made[output]
                output = self.replaced[output]
            return output.build(*map(value, output.parts))

        return [value(output) if variable in self.users else None
                for variable, output in zip(self.node.outputs, self.outputs)]
