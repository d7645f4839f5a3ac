"""Random expressions, to compare what two ways of running them give.

>>> import random
>>> graph = random_graph(random.Random(0), steps=5)
>>> len(graph.outputs) >= 1, all(v.type.ndim <= 3 for v in graph.outputs)
(True, True)
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symtensor.base.errors import ShapeError
from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.ops.complex_parts import real_part
from symtensor.ops.contract import matmul, swap_last
from symtensor.ops.convert import constant
from symtensor.ops.elementwise import cast, primitives
from symtensor.ops.index import gather, join, scatter, set_subtensor, subtensor
from symtensor.ops.reduce import ArgReduce, reduce_axes
from symtensor.ops.shape import broadcast_like, dimshuffle, expand_dims, reshape
from symtensor.ops.size import dimension
from symtensor.types.dtype import COMPLEX
from symtensor.types.tensor import TensorType

__all__ = ["RandomGraph", "random_graph", "reshaped", "spread"]

UNARY = ("neg", "abs", "sign", "square", "exp", "tanh", "sigmoid", "softplus", "sin", "floor", "stop_gradient")
BINARY = ("add", "sub", "mul", "maximum", "minimum")
UNARY_OF_COMPLEX = ("neg", "abs", "sign", "square", "exp", "cosh", "sin", "real", "imag", "conj", "stop_gradient")
BINARY_OF_COMPLEX = ("add", "sub", "mul")
SIZES = (("n", 5), ("m", 3), (None, 4))


@dataclass
class RandomGraph:
    """Inputs, outputs, and one array for each input."""

    inputs: list[Variable]
    outputs: list[Variable]
    values: list[np.ndarray]


def random_graph(rng: random.Random, steps: int = 12, dtype: str = "float64") -> RandomGraph:
    """An expression of about `steps` operations on inputs of ranks 0 to 3, and values for its inputs."""
    made = _inputs(rng, dtype)
    pool = list(made.inputs)
    while len(pool) < len(made.inputs) + steps:
        step = rng.choice(_STEPS)
        try:
            value = step(rng, rng.choice(pool[-8:]), pool)
        except ShapeError:
            continue  # sizes that can never agree: another step is drawn
        if value is not None and value.type.ndim <= 3:
            pool.append(value)
    fresh = pool[len(made.inputs):]
    made.outputs = list(dict.fromkeys([fresh[-1], *rng.sample(fresh, min(3, len(fresh)))]))
    return made


def _inputs(rng: random.Random, dtype: str) -> RandomGraph:
    arrays = np.random.RandomState(rng.randrange(2**31))
    sizes = {name: size for name, size in SIZES}
    shapes: list[tuple[int | str, ...]] = [(), ("n",), ("n", "m"), ("m", "n"), (1, "m"), ("n", 1), ("n", "m", "n")]
    if rng.random() < 0.1:
        sizes[rng.choice(["n", "m"])] = rng.choice([0, 1])
    inputs = [TensorType(dtype, shape)(f"x{number}") for number, shape in enumerate(shapes)]
    def drawn(shape: tuple[int | str, ...]) -> np.ndarray:
        numbers = [sizes[s] if isinstance(s, str) else s for s in shape]
        draw = arrays.randn(*numbers)
        return np.asarray(draw + 1j * arrays.randn(*numbers) if dtype in COMPLEX else draw, dtype)

    values = [drawn(shape) for shape in shapes]
    return RandomGraph(inputs, [], values)


def _unary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    if x.type.dtype in COMPLEX:
        return _op(rng.choice(UNARY_OF_COMPLEX))(x)
    return _op(rng.choice(UNARY))(x)


def _binary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return _combined(rng, x, rng.choice(pool))


def _constant(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return _combined(rng, x, rng.choice([0, 1, 2, -1, 0.5]))


def _combined(rng: random.Random, x: Variable, y: Variable | float) -> Variable:
    """Two operands of one op; complex numbers are not compared by size, since rounding would tell them apart."""
    ordered = x.type.dtype not in COMPLEX and not (isinstance(y, Variable) and y.type.dtype in COMPLEX)
    return _op(rng.choice(BINARY if ordered else BINARY_OF_COMPLEX))(x, y)


def _switch(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return scalar.switch(scalar.gt(real_part(x), real_part(rng.choice(pool))), x, rng.choice(pool))


def _reduce(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    axes = [axis for axis in range(x.type.ndim) if rng.random() < 0.6]
    kind = rng.choice(["sum", "sum", "prod"])
    y = reduce_axes(kind, x, axes)
    return expand_dims(y, axes) if rng.random() < 0.6 else y


def _extremum(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim or x.type.dtype in COMPLEX:
        return None
    axis = rng.randrange(x.type.ndim)
    padded = join(axis, [x, x])  # of two parts, and a guard against reductions of nothing below
    if any(size == 0 for size in padded.type.shape):
        return None
    guarded = join(axis, [padded, _one_row(padded, axis)])
    if rng.random() < 0.3:
        return cast(ArgReduce(rng.choice(["argmax", "argmin"]), axis)(guarded), x.type.dtype)
    return reduce_axes(rng.choice(["max", "min"]), guarded, [axis])


def _one_row(x: Variable, axis: int) -> Variable:
    zeros = constant(np.zeros((1,) * x.type.ndim, x.type.dtype))
    template = reduce_axes("sum", x, [axis])
    return scalar.add(zeros, expand_dims(template, [axis]))


def _normalized(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim:
        return None
    axis = rng.randrange(x.type.ndim)
    e = scalar.exp(-scalar.abs_(x))
    return e / (expand_dims(reduce_axes("sum", e, [axis]), [axis]) + 1)


def _shuffle(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    order: list[object] = list(range(x.type.ndim))
    rng.shuffle(order)
    if rng.random() < 0.3:
        order.insert(rng.randrange(len(order) + 1), "x")
    return dimshuffle(x, order)


def _slice(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    bounds = [None, 0, 1, 2, -1]
    index = [slice(rng.choice(bounds), rng.choice(bounds), rng.choice([None, 1, 2, -1])) for _ in x.type.shape]
    return subtensor(x, index)


def _set(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim:
        return None
    index = [slice(rng.choice([None, 1]), rng.choice([None, -1])) for _ in x.type.shape]
    part = subtensor(x, index)
    return set_subtensor(x, index, scalar.cos(part), add=rng.random() < 0.5)


def reshaped(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    """x as a vector, or with its first axes joined."""
    if rng.random() < 0.5 or x.type.ndim < 2:
        return reshape(x, (-1,))
    sizes = [dimension(x, axis) for axis in range(x.type.ndim)]
    return reshape(x, (sizes[0] * sizes[1], *sizes[2:]))


def _join(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    return join(rng.randrange(x.type.ndim), [x, scalar.tanh(x)]) if x.type.ndim else None


def _gather(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    wide = [axis for axis, size in enumerate(x.type.shape) if isinstance(size, int) and size > 0]
    if not wide:
        return None
    axis = rng.choice(wide)
    index = [rng.randrange(-x.type.shape[axis], x.type.shape[axis]) for _ in range(3)]
    picked = gather(x, {axis: index})
    return scatter(x, {axis: index}, scalar.sin(picked), add=True) if rng.random() < 0.5 else picked


def _matmul(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if x.type.ndim < 2:
        return None
    return matmul(x, swap_last(x)) * 0.01


def spread(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    """x spread to the shape of another value, as far as it has as many axes."""
    return broadcast_like(x, rng.choice([v for v in pool if v.type.ndim >= x.type.ndim] or [x]))


def _op(name: str) -> Callable[..., Variable]:
    return primitives[name]


_STEPS: list[Callable[[random.Random, Variable, list[Variable]], Variable | None]] = [
    _unary, _unary, _binary, _binary, _binary, _constant, _switch, _reduce, _reduce, _extremum, _normalized,
    _normalized, _shuffle, _slice, _set, reshaped, _join, _gather, _matmul, spread]
