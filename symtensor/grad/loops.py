"""Derivatives of loops: the derivative of a loop is a loop over the derivative of its step.

Reverse mode goes through the steps in the other order. What a step back needs of its step forward comes from
stacks that a loop like the first one keeps besides: the carried values, and what would be dear to compute anew.

>>> from symtensor.grad.reverse import grad
>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.types.tensor import TensorType
>>> x, w, n = (Variable(TensorType(dtype, ())) for dtype in ("float64", "float64", "int64"))
>>> power, base = Variable(x.type), Variable(w.type)
>>> result, = Scan(Function.of([power, base], [power * base]), carries=1, sequences=0).make(x, w, n)
>>> evaluate(grad(result, [x, w]), {x: 5.0, w: 2.0, n: 3})
[array(8.), array(60.)]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from symtensor.grad.forward import pushforward
from symtensor.grad.local import Rule
from symtensor.grad.reverse import pullback
from symtensor.ir.function import Function
from symtensor.ir.graph import leaves
from symtensor.ir.node import Apply, Op, Variable
from symtensor.ops import scalar
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import Elementwise, zeros_like
from symtensor.ops.index import set_subtensor, subtensor
from symtensor.ops.shape import broadcast_like
from symtensor.types.dtype import CONTINUOUS

__all__ = ["RULES", "kept_values"]

DEAR = 8
"""The cost, in additions, from which an element computed in a step is kept for the step back."""


class _Loop:
    """A loop under construction: each variable its step takes, with what the loop is given for it."""

    def __init__(self) -> None:
        self.carries: dict[Variable, Variable] = {}
        self.rows: dict[Variable, Variable] = {}
        self.others: dict[Variable, Variable] = {}

    def parameters(self) -> list[Variable]:
        """What the step takes, in order."""
        return [*self.carries, *self.rows, *self.others]

    def forget_unused(self, results: Iterable[Variable]) -> None:
        """Leave out rows and others that `results` do not depend on."""
        used = set(leaves(results, set(self.parameters())))
        self.rows = {own: given for own, given in self.rows.items() if own in used}
        self.others = {own: given for own, given in self.others.items() if own in used}

    def run(self, results: Sequence[Variable], steps: Variable, **options: Any) -> list[Variable]:
        """The outputs of the loop whose step computes `results`."""
        op = Scan(Function.of(self.parameters(), results), len(self.carries), len(self.rows), **options)
        return list(op.make(*self.carries.values(), *self.rows.values(), *self.others.values(), steps))


def _is_continuous(variable: Variable) -> bool:
    return variable.type.dtype in CONTINUOUS


def _zeros(template: Variable) -> Variable:
    return broadcast_like(zeros_like(template), template)


def _given(node: Apply) -> tuple[dict[Variable, Variable], dict[Variable, Variable], dict[Variable, Variable]]:
    """What the step of a loop takes, with what the loop is given for it: carried values, rows, others."""
    op = node.op
    assert isinstance(op, Scan)
    pairs = list(zip(op.step.parameters, node.inputs))
    first, second = op.carries, op.carries + op.sequences
    return dict(pairs[:first]), dict(pairs[first:second]), dict(pairs[second:])


# -- reverse mode -----------------------------------------------------------------------------------------

def _pullback(node: Apply, cotangents: Sequence[Variable | None]) -> list[Variable | None]:
    return _Reverse(node, cotangents).run()


class _Reverse:
    """The loop back through the steps of a loop."""

    def __init__(self, node: Apply, cotangents: Sequence[Variable | None]) -> None:
        assert isinstance(node.op, Scan)
        self.node, self.op, self.step = node, node.op, node.op.step
        self.carries, self.rows, self.others = _given(node)
        self.finals = cotangents[:self.op.carries]
        self.stacked = cotangents[self.op.carries:self.op.carries + self.op.stacks]
        self.steps = node.outputs[-1] if self.op.until else node.inputs[-1]
        self.loop = _Loop()

    def run(self) -> list[Variable | None]:
        """The cotangents of the loop's inputs."""
        slopes = self._slopes()
        carried = [(own, v) for own, v in zip(self.slots, self.loop.carries)]
        results: list[Variable] = []
        for own, slot in carried:
            found = slopes.get(own)
            results.append(_zeros(slot) if found is None else found if own in self.carries else scalar.add(slot, found))
        by_row = [own for own in self.rows if slopes.get(own) is not None]
        results += [slopes[own] for own in by_row]  # type: ignore[misc]
        self._keep(results)
        outputs = self._outputs(results)
        found_carries = dict(zip(self.slots, outputs))
        found_rows = dict(zip(by_row, outputs[len(self.slots):]))
        return [*(self._first(found_carries.get(own)) for own in self.carries),
                *(self._row_cotangent(own, found_rows.get(own)) for own in self.rows),
                *(found_carries.get(own) for own in self.others), None]

    def _slopes(self) -> dict[Variable, Variable | None]:
        """The cotangents of what the step takes, in terms of those of what it gives; these are the loop's own."""
        self.slots: list[Variable] = []  # what of the step each carried value of the loop back is the cotangent of
        seeds: list[Variable | None] = []
        for own, given, final in zip(self.carries, self.carries.values(), self.finals):
            seed = Variable(own.type) if _is_continuous(own) else None
            seeds.append(seed)
            if seed is not None:
                self.slots.append(own)
                self.loop.carries[seed] = _zeros(given) if final is None else final
        for result, cotangent in zip(self.step.results[self.op.carries:], self.stacked):
            seed = None if cotangent is None else Variable(result.type)
            seeds.append(seed)
            if seed is not None and cotangent is not None:
                self.loop.rows[seed] = cotangent
        seeds += [None] * self.op.until
        wrt = [own for own in self.step.parameters if _is_continuous(own)]
        slopes = dict(zip(wrt, pullback(self.step.results, seeds, wrt)))
        for own, given in self.others.items():
            if slopes.get(own) is not None:
                self.slots.append(own)
                self.loop.carries[Variable(own.type)] = _zeros(given)
        return slopes

    def _keep(self, results: Sequence[Variable]) -> None:
        """Give the loop back what it needs of the steps forward."""
        self.loop.rows.update(self.rows)
        self.loop.others.update(self.others)
        kept = kept_values(self.step, results, set(self.loop.parameters()) | set(self.carries))
        if not kept:
            return
        again = _Loop()
        again.carries, again.rows, again.others = self.carries, self.rows, self.others
        until = self.step.results[-1:] if self.op.until else []
        step = [*self.step.results[:self.op.carries], *kept, *until]
        stacks = again.run(step, self.node.inputs[-1], until=self.op.until, backwards=self.op.backwards)
        self.loop.rows.update(zip(kept, stacks[self.op.carries:]))

    def _outputs(self, results: Sequence[Variable]) -> list[Variable]:
        self.loop.forget_unused(results)
        steps = self.steps
        if self.op.truncate >= 0:
            steps = scalar.minimum(self.steps, self.op.truncate)
            self.loop.rows = {own: self._reached(rows) for own, rows in self.loop.rows.items()}
        return self.loop.run(results, steps, backwards=not self.op.backwards)

    def _region(self) -> list[slice]:
        """The rows that the loop back goes through."""
        if self.op.truncate < 0:
            return [slice(None, self.steps)]
        if self.op.backwards:
            return [slice(None, scalar.minimum(self.steps, self.op.truncate))]
        return [slice(scalar.maximum(self.steps - self.op.truncate, 0), self.steps)]

    def _reached(self, rows: Variable) -> Variable:
        return subtensor(rows, self._region())

    def _first(self, cotangent: Variable | None) -> Variable | None:
        """The cotangent of a first carried value: zero if the loop back does not reach it."""
        if cotangent is None or self.op.truncate < 0:
            return cotangent
        return scalar.switch(scalar.le(self.steps, self.op.truncate), cotangent,  # type: ignore[no-any-return]
                             zeros_like(cotangent))

    def _row_cotangent(self, own: Variable, found: Variable | None) -> Variable | None:
        """The cotangent of a sequence, of whose rows some may not have been used."""
        if found is None:
            return None
        sequence = self.rows[own]
        if found.type.shape == sequence.type.shape:
            return found
        return set_subtensor(_zeros(sequence), self._region(), found)


def kept_values(step: Function, results: Sequence[Variable], given: set[Variable]) -> list[Variable]:
    """The values of a step to keep so that `results` can be computed from them and from `given`.

    Carried values are kept; what the step computes is if it is dear: cheap values are computed anew.
    """
    forward = {v for node in step.graph.nodes() for v in node.outputs}
    pending = [v for v in leaves(results, forward | given) if v in forward or v in given]
    carried = set(step.parameters)
    kept: dict[Variable, None] = {}
    seen: set[Variable] = set()
    while pending:
        variable = pending.pop()
        if variable in seen:
            continue
        seen.add(variable)
        node = variable.owner
        if node is None or variable in given:
            if variable in carried:
                kept[variable] = None
        elif not node.op.moves and (not isinstance(node.op, Elementwise) or node.op.definition.cost >= DEAR):
            kept[variable] = None
        else:
            pending += node.inputs
    return list(kept)


# -- forward mode -----------------------------------------------------------------------------------------

def _pushforward(node: Apply, tangents: Sequence[Variable | None]) -> list[Variable | None]:
    op = node.op
    assert isinstance(op, Scan)
    loop, moved = _Loop(), _Loop()
    loop.carries, loop.rows, loop.others = _given(node)
    known: dict[Variable, Variable] = {}
    for own, given, tangent in zip(op.step.parameters, node.inputs, tangents):
        is_carry = own in loop.carries
        if _is_continuous(own) and (tangent is not None or is_carry):
            known[own] = Variable(own.type)
            group = moved.carries if is_carry else moved.rows if own in loop.rows else moved.others
            group[known[own]] = _zeros(given) if tangent is None else tangent
    pushed = pushforward(op.step.results, list(known), list(known.values()))
    carried = [_zeros(result) if found is None else found
               for own, result, found in zip(loop.carries, op.step.results, pushed) if own in known]
    stacked = [found for found in pushed[op.carries:op.carries + op.stacks] if found is not None]
    until = op.step.results[-1:] if op.until else []
    results = [*op.step.results[:op.carries], *carried, *stacked, *until]
    loop.carries, loop.rows, loop.others = ({**old, **new} for old, new in (
        (loop.carries, moved.carries), (loop.rows, moved.rows), (loop.others, moved.others)))
    outputs = iter(loop.run(results, node.inputs[-1], until=op.until, backwards=op.backwards, truncate=op.truncate)
                   [op.carries:])
    finals = [next(outputs) if own in known else None for own in list(loop.carries)[:op.carries]]
    stacks = [None if found is None else next(outputs) for found in pushed[op.carries:op.carries + op.stacks]]
    return list(chain(finals, stacks, [None] * op.until))


RULES: dict[tuple[type[Op], str], Rule] = {(Scan, "pullback"): _pullback, (Scan, "pushforward"): _pushforward}
"""The derivatives of loops, by op and mode; see `grad.local`."""
