"""Random branches: in each other, in steps of loops, with loops in them, of sizes that differ or that data tells.

>>> import random
>>> graph = random_branches(random.Random(1))
>>> len(graph.outputs) >= 1, len(graph.inputs) == len(graph.values)
(True, True)
"""

from __future__ import annotations

import random

import numpy as np

from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.control.branches import ifelse
from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.ops.convert import constant
from symtensor.ops.elementwise import cast
from symtensor.ops.index import gather, nonzero, subtensor
from symtensor.ops.shape import broadcast_like
from symtensor.ops.size import dimension
from symtensor.testing.random_loops import Maker, RandomLoops, inputs_with_values
from symtensor.types.dtype import FLOATS

__all__ = ["random_branches"]


def random_branches(rng: random.Random, operations: int = 8) -> RandomLoops:
    """An expression of some operations, many of them branches, and values for its inputs; shared variables too."""
    made = inputs_with_values(rng)
    maker = _Maker(rng, made, made.inputs)
    found = maker.operations(operations)
    if rng.random() < 0.3:
        storage = maker._storage()
        maker.pool.append(storage)
        value = maker.alike(storage)
        made.updates[storage] = ifelse(maker.choice(), value, storage) if rng.random() < 0.7 else value
    made.outputs = list(dict.fromkeys([*(v for v in found if rng.random() < 0.5), *made.updates.values()]))
    made.outputs = made.outputs or [maker.pool[-1]]
    return made


class _Maker(Maker):
    """Operations on values in a pool, among them branches."""

    def operations(self, count: int) -> list[Variable]:
        """New values."""
        found: list[Variable] = []
        for _ in range(count):
            try:
                value = self.operation()
            except (ShapeError, TypeMismatch):
                continue
            for one in value if isinstance(value, list) else [value]:
                if one is not None and one.type.ndim <= 3:
                    found.append(one)
                    self.pool.append(one)
        return found

    def operation(self):  # type: ignore[no-untyped-def]
        draw = self.rng.random()
        if draw < 0.3 and self.depth < 3:
            return self.rng.choice(self.branches()) if self.depth else self.branches()
        if draw < 0.36 and self.depth == 0:
            return self.loop()
        if draw < 0.46 and self.depth == 0:
            return self.told_by_data()
        return super().operation()

    def choice(self) -> Variable:
        """A condition: of data, of sizes, or of an input."""
        sized = self.rng.choice([v for v in self.made.inputs if v.type.ndim])
        return self.rng.choice([
            self.condition, self.condition, lambda: scalar.gt(self.made.inputs[-1], 1),
            lambda: scalar.gt(dimension(sized, 0), 3)])()

    def branches(self) -> list[Variable]:
        """The results of a branch."""
        sides = [self._side(), self._side()]
        then, otherwise = ([], [])  # type: ignore[var-annotated]
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            value = self.rng.choice(sides[0].pool[-5:])
            then.append(value)
            otherwise.append(sides[1].alike(value))
        if self.rng.random() < 0.5:
            then, otherwise = otherwise, then
        return list(ifelse(self.choice(), then, otherwise))

    def _side(self) -> _Maker:
        side = _Maker(self.rng, self.made, self.pool, self.depth + 1)
        side.operations(self.rng.randint(0, 4))
        return side

    def alike(self, value: Variable) -> Variable:
        """A value of the same dtype and rank, maybe of other sizes."""
        fitting = [v for v in self.pool if v.type.dtype == value.type.dtype and v.type.ndim == value.type.ndim]
        same = [v for v in fitting if v.type == value.type]
        chosen = same if same and self.rng.random() < 0.8 else fitting
        if chosen and self.rng.random() < 0.9:
            return self.rng.choice(chosen[-4:])
        return broadcast_like(constant(np.ones((), value.type.dtype)), value)

    def told_by_data(self) -> Variable | None:
        """A value of sizes that only data tells."""
        vectors = [v for v in self.pool if v.type.ndim == 1 and v.type.dtype in FLOATS]
        x = self.rng.choice(vectors)
        if self.rng.random() < 0.6:
            return gather(x, {0: nonzero(scalar.gt(x, 0))[0]})
        count = scalar.mod(cast(self.condition(), "int64") + self.rng.randint(0, 3), 5)
        return subtensor(x, [slice(None, count)])

