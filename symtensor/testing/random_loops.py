"""Random loops: of several dtypes, with taps, taken turns, updates, early ends, loops in loops and after loops.

>>> import random
>>> graph = random_loops(random.Random(3))
>>> len(graph.outputs) >= 1, len(graph.inputs) == len(graph.values)
(True, True)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symtensor.base.errors import ShapeError
from symtensor.control.scan import scan, until
from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.ops.contract import matmul, swap_last
from symtensor.ops.convert import constant
from symtensor.ops.elementwise import cast, primitives
from symtensor.ops.index import gather, scatter, set_subtensor, stack, subtensor
from symtensor.ops.reduce import reduce_axes, sum_axes
from symtensor.ops.shape import broadcast_like, dimshuffle
from symtensor.ops.size import dimension
from symtensor.runtime.shared import SharedVariable, shared
from symtensor.types.dtype import FLOATS, INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["Maker", "RandomLoops", "inputs_with_values", "random_loops"]

INPUTS: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("float64", ()), ("float64", ("n",)), ("float64", ("t",)), ("float64", ("t", "n")), ("float64", ("n", "n")),
    ("float64", ("t", "n", 2)), ("float64", ("t", 1)), ("float64", (0, 2)), ("float32", ("n",)),
    ("float32", ("t", "n")),
    ("int64", ("t",)), ("int64", ("n",)), ("bool", ("t",)), ("bool", ("n",)))
UNARY = ("neg", "abs", "tanh", "sin", "sigmoid", "square", "exp")
BINARY = ("add", "sub", "mul", "maximum", "minimum")


@dataclass
class RandomLoops:
    """Inputs, outputs, an array for each input, and what becomes of storages. Reverse mode may be `truncated`."""

    inputs: list[Variable]
    outputs: list[Variable] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    updates: dict[SharedVariable, Variable] = field(default_factory=dict)
    truncated: bool = False


def random_loops(rng: random.Random, loops: int = 3) -> RandomLoops:
    """An expression of up to `loops` loops, each over inputs and results of those before, and values for its inputs."""
    made = inputs_with_values(rng)
    pool, count = made.inputs[:-1], rng.randint(1, loops)
    while count:
        try:
            found = [v for result in Maker(rng, made, pool).loop() for v in _used_of(rng, result)]
        except ShapeError:
            continue  # sizes that can never agree: another loop is drawn
        made.outputs += [v for v in found if rng.random() < 0.8]
        pool += found
        count -= 1
    made.outputs = list(dict.fromkeys([*made.outputs, *made.updates.values()])) or [pool[-1]]
    return made


def inputs_with_values(rng: random.Random) -> RandomLoops:
    """Inputs of many types, the last one a number of steps, with values; nothing is made of them yet."""
    inputs = [TensorType(dtype, shape)(f"x{number}")  # type: ignore[arg-type]
              for number, (dtype, shape) in enumerate(INPUTS)]
    inputs.append(TensorType("int64", ())("steps"))
    return RandomLoops(inputs, values=_values(rng, inputs))


def _values(rng: random.Random, inputs: Sequence[Variable]) -> list[np.ndarray]:
    arrays = np.random.RandomState(rng.randrange(2**31))
    sizes = {"n": rng.choice([3, 3, 3, 4, 4, 2, 1, 0]), "t": rng.choice([9, 9, 9, 12, 3, 1, 0])}
    found = []
    for variable in inputs:
        shape = [size if isinstance(size, int) else sizes[repr(size)] for size in variable.type.shape]
        array = arrays.randn(*shape) if variable.type.dtype in FLOATS else arrays.randint(0, 5, shape)
        found.append(np.asarray(array % 2 if variable.type.dtype == "bool" else array).astype(variable.type.dtype))
    found[-1] = np.asarray(rng.choice([0, 1, 2, 5]))
    return found


def _used_of(rng: random.Random, result: Variable) -> list[Variable]:
    """What is used of a loop's result: all, the last row, one row, some rows, a sum, or nothing."""
    uses: list[Callable[[], Variable]] = [
        lambda: result, lambda: result, lambda: subtensor(result, [-1]), lambda: subtensor(result, [0]),
        lambda: subtensor(result, [slice(1, None)]), lambda: subtensor(result, [slice(None, None, -1)]),
        lambda: sum_axes(cast(result, "float64"), [0])]
    return [rng.choice(uses)() for _ in range(rng.choice([0, 1, 1, 1, 2]))]


class Maker:
    """One loop over values in a pool."""

    def __init__(self, rng: random.Random, made: RandomLoops, pool: Sequence[Variable], depth: int = 0) -> None:
        self.rng, self.made, self.pool, self.depth = rng, made, list(pool), depth

    def loop(self) -> list[Variable]:
        """The results of a random loop."""
        rng = self.rng
        sequences = [self._sequence() for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        n_steps: Any = rng.choice([None, None, None, 0, 1, 2, 7, self.made.inputs[-1]])
        if n_steps is None and not sequences:
            n_steps = rng.choice([1, 2, 7, self.made.inputs[-1]])
        infos = [self._info() for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        infos += [None] * rng.choice([0, 0, 1, 2] if infos else [1, 2])
        rng.shuffle(infos)
        others = rng.sample(self.pool, rng.choice([0, 0, 1, 2]))
        backwards = rng.random() < 0.25
        ends = rng.random() < 0.15
        truncate = rng.choice([1, 2, 20]) if rng.random() < 0.15 else -1
        self.made.truncated |= truncate >= 0
        storage = self._storage() if rng.random() < 0.15 and not self.depth else None
        results, updates = scan(
            lambda *given: self._step(list(given), infos, storage, ends), sequences, infos, others, n_steps, truncate,
            backwards, return_list=True)
        self.made.updates.update(updates)
        return list(results or [])

    def _sequence(self) -> Any:
        arrays = [v for v in self.pool if v.type.ndim]
        long = [v for v in arrays if str(v.type.shape[0]) not in ("n", "0", "1", "2")]
        x = self.rng.choice(long if long and self.rng.random() < 0.8 else arrays)
        taps = self.rng.choice([None, None, None, [0, 1], [-1, 0], [-2, 1], [1]])
        return x if taps is None else dict(input=x, taps=taps)

    def _info(self) -> Any:
        """What a carried value starts from: of the pool, constant, or with a row for each step before."""
        rng = self.rng
        first = rng.choice([v for v in self.pool if v.type.ndim <= 2])
        if rng.random() < 0.2:
            first = constant(rng.choice([np.float64(0.5), np.int64(1), np.zeros(2), np.bool_(True), np.ones((1, 3))]))
        if rng.random() < 0.1:
            first = broadcast_like(cast(constant(1), first.type.dtype), first)
        if rng.random() < 0.75 or first.type.ndim == 2:
            return first
        taps = rng.choice([[-2, -1], [-3, -1], [-2], [-3, -2, -1]])
        rows = [first if first.type.dtype == "bool" or back == 0 else first * (back + 1) for back in range(-min(taps))]
        return dict(initial=stack(rows), taps=taps)

    def _storage(self) -> SharedVariable:
        value = self.rng.choice([np.float64(0.5), np.array([0.5, 2.0]), np.int64(2)])
        return shared(value, name=f"storage{len(self.made.updates)}")

    def _step(self, given: list[Variable], infos: Sequence[Any], storage: SharedVariable | None, ends: bool) -> Any:
        rng = self.rng
        outside = rng.sample(self.pool, min(len(self.pool), 2))
        pool = [*given, *outside] + ([storage] if storage is not None else [])
        inner = type(self)(rng, self.made, pool, self.depth + 1)
        for _ in range(rng.randint(1, 6)):
            try:
                value = inner.operation()
            except ShapeError:
                continue
            if value is not None and value.type.ndim <= 3:
                inner.pool.append(value)
        results = [inner.result_like(_carried_type(info)) if info is not None else rng.choice(inner.pool[-6:])
                   for info in infos]
        after = [{storage: inner.result_like(storage.type)}] if storage is not None else []
        return [results, *after, until(inner.condition())] if ends else [results, *after]

    def result_like(self, type: TensorType) -> Variable:
        """A value of a type: one of the pool, or one made to fit."""
        exact = [v for v in self.pool if v.type == type]
        if exact and (self.rng.random() < 0.7 or type.ndim > 1):
            return self.rng.choice(exact[-3:])
        x = self.rng.choice(self.pool[-4:])
        number = sum_axes(_number(x), range(x.type.ndim))
        template = next(v for v in self.pool if v.type == type)
        return broadcast_like(_as_dtype(number, type.dtype), template)

    def condition(self) -> Variable:
        """Whether to end."""
        x = self.rng.choice(self.pool)
        return scalar.gt(sum_axes(_number(x), range(x.type.ndim)), self.rng.choice([0.3, 1.5, 4.0]))

    def operation(self) -> Variable | None:
        """A new value made of some in the pool; None where nothing was found to do."""
        if self.depth == 1 and self.rng.random() < 0.06:
            results = self.loop()
            return self.rng.choice([v for result in results for v in _used_of(self.rng, result)] or [None])
        x = self.rng.choice(self.pool[-7:])
        return self.rng.choice(_OPERATIONS)(self.rng, x, self.pool)


def _carried_type(info: Any) -> TensorType:
    if isinstance(info, dict):
        initial = info["initial"].type
        return TensorType.of(initial.dtype, initial.shape[1:])
    return info.type  # type: ignore[no-any-return]


def _number(x: Variable) -> Variable:
    """Bounded float64s, whatever `x` is."""
    return scalar.tanh(cast(x, "float64"))


def _as_dtype(x: Variable, dtype: str) -> Variable:
    """A float64 between -1 and 1 or so as another dtype."""
    if dtype == "bool":
        return scalar.gt(x, 0.1)
    return cast(scalar.floor(x * 2) if dtype in INTEGERS else x, dtype)


# -- operations: each makes a value of `x` and of others in the pool, or None where it does not apply ---------

def _unary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    if x.type.dtype == "bool":
        return scalar.invert(x)
    if x.type.dtype in INTEGERS:
        return scalar.mod(x * 3 + 1, 5)
    y = primitives[rng.choice(UNARY)](x)
    return scalar.tanh(y) if rng.random() < 0.5 else y


def _partner(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    """A value whose sizes are those of `x`, most often."""
    alike = [v for v in pool if not v.type.ndim or v.type.shape[::-1][:x.type.ndim] == x.type.shape[::-1][:v.type.ndim]]
    return rng.choice(alike if alike and rng.random() < 0.95 else pool)


def _binary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    other = _partner(rng, x, pool)
    if x.type.dtype == other.type.dtype == "bool":
        return primitives[rng.choice(["and_", "or_", "xor"])](x, other)
    y = primitives[rng.choice(BINARY)](x, other)
    return scalar.tanh(y) if y.type.dtype in FLOATS and rng.random() < 0.6 else y


def _number_with(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    return None if x.type.dtype == "bool" else primitives[rng.choice(BINARY)](x, rng.choice([0, 1, 2, -1]))


def _cast(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return _as_dtype(_number(x), rng.choice(["float64", "float32", "int64", "bool"]))


def _compare(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return primitives[rng.choice(["gt", "le", "eq"])](x, _partner(rng, x, pool))


def _switch(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return scalar.switch(scalar.gt(_partner(rng, x, pool), 0), x, _partner(rng, x, pool))


def _reduce(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if x.type.dtype == "bool" or not x.type.ndim:
        return None
    return reduce_axes("sum", x, [axis for axis in range(x.type.ndim) if rng.random() < 0.6])


def _matmul(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    square = [v for v in pool if v.type.ndim == 2 and v.type.dtype == x.type.dtype
              and v.type.shape == (*x.type.shape[-1:],) * 2]
    if x.type.dtype not in FLOATS or not square or x.type.ndim not in (1, 2):
        return None
    other = rng.choice(square)
    y = matmul(x, other if rng.random() < 0.6 else swap_last(other))
    return scalar.tanh(y)


def _softmax(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if x.type.dtype not in FLOATS or not x.type.ndim:
        return None
    e = scalar.exp(scalar.tanh(x))
    return e / (sum_axes(e, range(e.type.ndim)) + 1)


def _shuffle(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return dimshuffle(x, rng.choice([list(range(x.type.ndim))[::-1], ["x", *range(x.type.ndim)]]))


def _slice(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return subtensor(x, [slice(rng.choice([None, 1]), rng.choice([None, -1]), rng.choice([None, -1]))
                         for _ in x.type.shape])


def _position(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    """A place along the first axis of `x`: a number, or computed."""
    numbers = [v for v in pool if v.type.dtype == "int64" and not v.type.ndim]
    if not numbers or rng.random() < 0.3:
        return constant(rng.choice([0, -1]))
    return scalar.mod(rng.choice(numbers), scalar.maximum(dimension(x, 0), 1))


def _element(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    return subtensor(x, [_position(rng, x, pool)]) if x.type.ndim else None


def _set(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim or x.type.dtype == "bool":
        return None
    index: list[Any] = [rng.choice([_position(rng, x, pool), slice(1, None), slice(None, -1)])]
    part = subtensor(x, index)
    return set_subtensor(x, index, rng.choice([part * 2, cast(constant(1), x.type.dtype)]), add=rng.random() < 0.5)


def _gather(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    labels = [v for v in pool if v.type.dtype == "int64" and v.type.ndim == 1]
    if not labels or not x.type.ndim or x.type.dtype == "bool":
        return None
    places = scalar.mod(rng.choice(labels), scalar.maximum(dimension(x, 0), 1))
    read = gather(x, {0: places})
    return read if rng.random() < 0.5 else scatter(x, {0: places}, read, add=True)


def _broadcast(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return broadcast_like(x, rng.choice([v for v in pool if v.type.shape[v.type.ndim - x.type.ndim:] == x.type.shape]))


_OPERATIONS: list[Callable[[random.Random, Variable, list[Variable]], Variable | None]] = [
    _unary, _unary, _unary, _binary, _binary, _binary, _binary, _number_with, _cast, _compare, _switch, _reduce,
    _matmul, _matmul, _softmax, _shuffle, _slice, _element, _set, _set, _gather, _broadcast]
