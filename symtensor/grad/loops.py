"""Derivatives of loops: the derivative of a loop is a loop over the derivative of its step.

Reverse mode goes through the steps in the other order. What a step back needs of its step forward comes from
stacks that a loop like the first one keeps besides: the carried values, and what would be dear to compute anew.

>>> from symtensor.grad.reverse import grad
>>> from symtensor.ir.function import Function
>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.types.tensor import TensorType
>>> x, w, n = (Variable(TensorType(dtype, ())) for dtype in ("float64", "float64", "int64"))
>>> power, base = Variable(x.type), Variable(w.type)
>>> result, = Scan(Function.of([power, base], [power * base]), carries=1, sequences=0).make(x, w, n)
>>> evaluate(grad(result, [x, w]), {x: 5.0, w: 2.0, n: 3})
[array(8.), array(60.)]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symtensor.grad.forward import pushforward
from symtensor.grad.local import Rule
from symtensor.grad.reverse import pullback
from symtensor.ir.graph import applications, leaves
from symtensor.ir.node import Apply, Op, Variable
from symtensor.ops import scalar
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import Elementwise, zeros_like
from symtensor.ops.index import Join, SetSubtensor, set_subtensor, subtensor
from symtensor.ops.loop import Carry, Loop, Stack
from symtensor.ops.shape import zeros_as
from symtensor.ops.size import Dimension, computed_size
from symtensor.types import dim as dims
from symtensor.types.dtype import CONTINUOUS

__all__ = ["RULES", "kept_values"]

DEAR = 8
"""The cost, in additions, from which an element computed in a step is kept for the step back."""


def _is_continuous(variable: Variable) -> bool:
    return variable.type.dtype in CONTINUOUS


# -- reverse mode -----------------------------------------------------------------------------------------

def _pullback(node: Apply, cotangents: Sequence[Variable | None]) -> list[Variable | None]:
    return _Reverse(node, cotangents).run()


class _Reverse:
    """The loop back through the steps of a loop."""

    def __init__(self, node: Apply, cotangents: Sequence[Variable | None]) -> None:
        self.node, self.forward = node, Loop.of(node)
        carries, stacks = len(self.forward.carries), len(self.forward.stacks)
        self.finals = cotangents[:carries]
        self.stacked = cotangents[carries:carries + stacks]
        self.steps = node.inputs[-1] if self.forward.stop is None else node.outputs[-1]
        self.loop = Loop(self.steps, backwards=not self.forward.backwards, recompute=self.forward.recompute)
        self.slots: dict[Variable, Carry] = {}  # for what the step forward is given: what holds its cotangent

    def run(self) -> list[Variable | None]:
        """The cotangents of the loop's inputs."""
        slopes = self._slopes()
        for own, slot in self.slots.items():
            found = slopes.get(own)
            if own in self.forward.others:
                slot.new = scalar.add(slot.own, found)
            else:
                slot.new = zeros_as(own) if found is None else found
        by_row = {own: self.loop.stack(slope) for own in self.forward.rows if (slope := slopes.get(own)) is not None}
        self.loop.replace(self._sizes(self.loop.results))
        self._keep()
        self.loop.forget_unused()
        if self.forward.truncate >= 0:
            self.loop.steps = scalar.minimum(self.steps, self.forward.truncate)
            self.loop.rows = {own: subtensor(rows, self._region()) for own, rows in self.loop.rows.items()}
        made = self.loop.make()
        return [*(self._first(made, carry.own) for carry in self.forward.carries),
                *(self._row_cotangent(own, made[by_row[own]] if own in by_row else None) for own in self.forward.rows),
                *(made[self.slots[own]] if own in self.slots else None for own in self.forward.others), None]

    def _slopes(self) -> dict[Variable, Variable | None]:
        """The cotangents of what the step takes, in terms of those of what it gives; these are the loop's own."""
        seeds: list[Variable | None] = []
        for carry, final in zip(self.forward.carries, self.finals):
            seed = Variable(carry.own.type) if _is_continuous(carry.own) else None
            seeds.append(seed)
            if seed is not None:
                self.slots[carry.own] = self.loop.carry(seed, zeros_as(carry.first) if final is None else final)
        for stack, cotangent in zip(self.forward.stacks, self.stacked):
            seed = None if cotangent is None else Variable(stack.value.type)
            seeds.append(seed)
            if seed is not None and cotangent is not None:
                self.loop.rows[seed] = cotangent
        results = self.forward.results
        wrt = [own for own in self.forward.parameters if _is_continuous(own)]
        slopes = dict(zip(wrt, pullback(results, [*seeds, None][:len(results)], wrt)))
        for own, given in self.forward.others.items():
            if slopes.get(own) is not None:
                self.slots[own] = self.loop.carry(Variable(own.type), zeros_as(given))
        return slopes

    def _sizes(self, results: Sequence[Variable]) -> dict[Variable, Variable]:
        """For sizes of variables what they are, so that nothing is kept or computed anew for its shape only."""
        found = {}
        for node in applications(results):
            if isinstance(node.op, Dimension):
                size = node.inputs[0].type.shape[node.op.axis]
                computed = {symbol: symbol.source for symbol in dims.symbols_of(size)
                            if symbol.source is not None and symbol.source.owner is not None}
                found[node.outputs[0]] = computed_size(size, {**computed, **self.forward.told})
        return found

    def _keep(self) -> None:
        """Give the loop back what it needs of the steps forward, from a loop forward that keeps it."""
        self.loop.rows.update(self.forward.rows)
        self.loop.others.update(self.forward.others)
        is_dear = (lambda node: False) if self.forward.recompute else _is_dear
        kept = kept_values(self.forward, self.loop.results, set(self.loop.parameters), is_dear)
        if kept:
            again = replace(self.forward, stacks=[Stack(value) for value in kept], truncate=-1)
            made = again.make()
            self.loop.rows.update((stack.value, made[stack]) for stack in again.stacks)
        self.loop.others.update((carry.own, carry.first) for carry in self.forward.carries
                                if carry.own not in kept)  # for their sizes

    def _region(self) -> list[slice]:
        """The rows that the loop back goes through."""
        truncate = self.forward.truncate
        if truncate < 0:
            return [slice(None, self.steps)]
        if self.forward.backwards:
            return [slice(None, scalar.minimum(self.steps, truncate))]
        return [slice(scalar.maximum(self.steps - truncate, 0), self.steps)]

    def _first(self, made: Mapping[Any, Variable], own: Variable) -> Variable | None:
        """The cotangent of a first carried value: zero if the loop back does not reach it."""
        if own not in self.slots:
            return None
        cotangent = made[self.slots[own]]
        if self.forward.truncate < 0:
            return cotangent
        reached = scalar.le(self.steps, self.forward.truncate)
        return scalar.switch(reached, cotangent, zeros_like(cotangent))  # type: ignore[no-any-return]

    def _row_cotangent(self, own: Variable, found: Variable | None) -> Variable | None:
        """The cotangent of a sequence, of whose rows some may not have been used."""
        if found is None:
            return None
        sequence = self.forward.rows[own]
        if found.type.shape == sequence.type.shape:
            return found
        return set_subtensor(zeros_as(sequence), self._region(), found)


def kept_values(loop: Loop, results: Sequence[Variable], given: set[Variable],
                is_dear: Callable[[Apply | None], bool]) -> list[Variable]:
    """The values of a loop's step to keep so that `results` can be computed from them and from `given`.

    Carried values are kept; what the step computes is if it is dear: cheap values are computed anew.
    """
    carried = {carry.own for carry in loop.carries}
    forward = {v for node in applications([*loop.results, *loop.told.values()]) for v in node.outputs} | carried
    pending = [v for v in leaves(results, forward | given) if v in forward]
    kept: dict[Variable, None] = {}
    seen: set[Variable] = set()
    while pending:
        variable = pending.pop()
        if variable in seen or variable in given:
            continue
        seen.add(variable)
        if variable in carried or is_dear(variable.owner):
            kept[variable] = None
        elif variable.owner is not None:
            pending += variable.owner.inputs
    return list(kept)


def _is_dear(node: Apply | None) -> bool:
    if node is None or node.op.moves or isinstance(node.op, (Join, SetSubtensor)):  # elements as they are, elsewhere
        return False
    return not isinstance(node.op, Elementwise) or node.op.definition.cost >= DEAR


# -- forward mode -----------------------------------------------------------------------------------------

def _pushforward(node: Apply, tangents: Sequence[Variable | None]) -> list[Variable | None]:
    loop = Loop.of(node)
    carries, stacks = list(loop.carries), list(loop.stacks)
    given = dict(zip(loop.parameters, tangents))
    moved = {carry.own: loop.carry(Variable(carry.own.type), zeros_as(carry.first) if tangent is None else tangent)
             for carry in carries if _is_continuous(carry.own) for tangent in [given[carry.own]]}
    known = {own: carry.own for own, carry in moved.items()}
    for arrays in (loop.rows, loop.others):
        for own in list(arrays):
            tangent = given[own]
            if tangent is not None:
                known[own] = Variable(own.type)
                arrays[known[own]] = tangent
    values = [carry.new for carry in carries] + [stack.value for stack in stacks]
    pushed = pushforward(values, list(known), list(known.values()))
    for carry, found in zip(carries, pushed):
        if carry.own in moved:
            moved[carry.own].new = zeros_as(carry.own) if found is None else found
    pushed_stacks = [None if found is None else loop.stack(found) for found in pushed[len(carries):]]
    made = loop.make()
    return [*(made[moved[carry.own]] if carry.own in moved else None for carry in carries),
            *(None if stack is None else made[stack] for stack in pushed_stacks), *[None] * (loop.stop is not None)]


RULES: dict[tuple[type[Op], str], Rule] = {(Scan, "pullback"): _pullback, (Scan, "pushforward"): _pushforward}
"""The derivatives of loops, by op and mode; see `grad.local`."""
