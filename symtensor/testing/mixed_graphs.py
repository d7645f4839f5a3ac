"""Random expressions of many dtypes: casts, comparisons, masks, labels, repeated positions, bounds known at run time.

>>> import random
>>> graph = mixed_graph(random.Random(0), steps=8)
>>> len({v.type.dtype for v in graph.inputs}) > 4, len(graph.outputs) >= 1
(True, True)
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from symtensor.base.errors import ShapeError
from symtensor.ir.node import Variable
from symtensor.ops import scalar
from symtensor.ops.convert import constant
from symtensor.ops.elementwise import cast, primitives
from symtensor.ops.index import Iota, gather, join, nonzero, scatter, set_subtensor, subtensor
from symtensor.ops.reduce import ArgReduce, reduce_axes
from symtensor.ops.shape import dimshuffle, expand_dims
from symtensor.ops.size import dimension
from symtensor.testing.random_graphs import RandomGraph, reshaped, spread
from symtensor.types.dtype import DISCRETE, FLOATS, INTEGERS, UNSIGNED, kind_of, limits
from symtensor.types.tensor import TensorType

__all__ = ["mixed_graph", "random_values"]

DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool")
SHAPES: tuple[tuple[object, ...], ...] = (
    (), ("n",), ("n", "m"), ("m", "n"), (1, "m"), ("n", 1), ("n", "m", "k"), (4, 6))
FLOAT_UNARY = ("exp", "tanh", "sigmoid", "sqrt", "log1p", "sin", "reciprocal", "floor", "round_half_to_even")
UNARY = ("neg", "abs", "sign", "square", "floor", "trunc", "identity", "stop_gradient")
BINARY = ("add", "sub", "mul", "maximum", "minimum", "floor_div", "mod", "true_div")
COMPARE = ("eq", "neq", "lt", "le", "gt", "ge")
BITS = ("and_", "or_", "xor")


def mixed_graph(rng: random.Random, steps: int = 12, special: bool = False) -> RandomGraph:
    """An expression of about `steps` operations on inputs of many dtypes, and values for its inputs.

    `special` puts NaN, infinities, signed zeros and the extremes of integers among the values.
    """
    inputs = [TensorType(rng.choice(DTYPES), shape)(f"x{number}")  # type: ignore[arg-type]
              for number, shape in enumerate((*SHAPES, *rng.sample(SHAPES, 4)))]
    pool = list(inputs)
    while len(pool) < len(inputs) + steps:
        step = rng.choice(_STEPS)
        try:
            value = step(rng, rng.choice(pool[-10:]), pool)
        except ShapeError:
            continue  # sizes that can never agree: another step is drawn
        if value is not None and value.type.ndim <= 3:
            pool.append(value)
    fresh = pool[len(inputs):]
    outputs = list(dict.fromkeys([fresh[-1], *rng.sample(fresh, min(3, len(fresh)))]))
    made = RandomGraph(inputs, outputs, [])
    made.values = random_values(rng, made, special=special)
    return made


def random_values(rng: random.Random, graph: RandomGraph, special: bool = False) -> list[np.ndarray]:
    """Arrays for the inputs of a graph that `mixed_graph` made, with sizes of their own."""
    sizes = {"n": rng.choice([5, 5, 7, 1, 2, 0, 33]), "m": rng.choice([3, 3, 4, 1, 0, 18]), "k": rng.choice([2, 4])}
    arrays = np.random.RandomState(rng.randrange(2**31))
    found = []
    for variable in graph.inputs:
        shape = [size if isinstance(size, int) else sizes[repr(size)] for size in variable.type.shape]
        array = _ordinary(arrays, variable.type.dtype, shape)
        if special and array.size:
            _spoil(arrays, array)
        found.append(array)
    return found


def _ordinary(arrays: np.random.RandomState, dtype: str, shape: list[int]) -> np.ndarray:
    if dtype in FLOATS:
        return np.asarray(arrays.randn(*shape) * 2).astype(dtype)
    low, high = (0, 2) if dtype == "bool" else (0, 9) if dtype in UNSIGNED else (-6, 7)
    return np.asarray(arrays.randint(low, high, size=shape)).astype(dtype)


def _spoil(arrays: np.random.RandomState, array: np.ndarray) -> None:
    """Put special values in some places."""
    if kind_of(array.dtype) == "f":
        info = limits(array.dtype)
        values = [np.nan, np.inf, -np.inf, -0.0, 0.0, info.smallest_subnormal, info.max]
    elif kind_of(array.dtype) == "b":
        return
    else:
        values = [np.iinfo(array.dtype).min, np.iinfo(array.dtype).max]
    for _ in range(max(1, array.size // 6)):
        array.flat[arrays.randint(array.size)] = values[arrays.randint(len(values))]


# -- steps: each makes a new value of `x` and of others in the pool, or None where it does not apply ----------

def _float(rng: random.Random, x: Variable) -> Variable:
    return x if x.type.dtype in FLOATS else cast(x, rng.choice(["float32", "float64"]))


def _bool(rng: random.Random, x: Variable) -> Variable:
    return x if x.type.dtype == "bool" else scalar.gt(x, rng.choice([0, 1, -1]))


def _integer(rng: random.Random, x: Variable, low: int, high: int, dtype: str = "int64") -> Variable:
    """`x` as integers from `low` to `high`, whatever it holds."""
    if x.type.dtype in FLOATS:
        x = scalar.switch(scalar.isnan(x), 0, x)
    x = x if x.type.dtype in FLOATS else cast(x, "int64")
    return cast(scalar.minimum(scalar.maximum(x, low), high), dtype)


def _unary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    if rng.random() < 0.4:
        return primitives[rng.choice(FLOAT_UNARY)](_float(rng, x))
    return primitives[rng.choice(UNARY)](x)


def _binary(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return primitives[rng.choice(BINARY)](x, rng.choice(pool))


def _with_number(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return primitives[rng.choice(BINARY)](x, rng.choice([0, 1, 2, 3, -1, 0.5]))


def _compare(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return primitives[rng.choice(COMPARE)](x, rng.choice(pool))


def _logic(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    others = [v for v in pool if v.type.dtype in DISCRETE]
    if x.type.dtype not in DISCRETE or not others:
        return None
    if rng.random() < 0.3:
        return scalar.invert(x)
    other = rng.choice(others)
    if "uint64" in (x.type.dtype, other.type.dtype) and x.type.dtype != other.type.dtype:
        return None  # with a signed dtype it would be a float
    return primitives[rng.choice(BITS)](x, other)


def _switch(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return scalar.switch(_bool(rng, rng.choice(pool)), x, rng.choice(pool))


def _cast(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    dtype = rng.choice(DTYPES)
    if x.type.dtype in FLOATS and dtype in INTEGERS:
        return _integer(rng, x, 0 if dtype in UNSIGNED else -100, 100, dtype)
    return cast(x, dtype)


def _reduce(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    axes = [axis for axis in range(x.type.ndim) if rng.random() < 0.6]
    kind = rng.choice(["sum", "sum", "prod", "any", "all"])
    y = reduce_axes(kind, _bool(rng, x) if kind in ("any", "all") else x, axes)
    return expand_dims(y, axes) if rng.random() < 0.6 else y


def _extremum(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    """The largest or smallest, or where it is, along an axis that is made longer so that it is never empty."""
    if not x.type.ndim:
        return None
    axis = rng.randrange(x.type.ndim)
    one = expand_dims(cast(reduce_axes("sum", x, [axis]), x.type.dtype), [axis])
    longer = join(axis, [x, one])
    kind = rng.choice(["max", "min", "argmax", "argmin"])
    y = ArgReduce(kind, axis)(longer) if kind.startswith("arg") else reduce_axes(kind, longer, [axis])
    return expand_dims(y, [axis]) if rng.random() < 0.5 else y


def _moments(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    """Centred, and perhaps divided by the deviation."""
    if not x.type.ndim:
        return None
    axis, x = rng.randrange(x.type.ndim), _float(rng, x)
    count = cast(dimension(x, axis), x.type.dtype)
    centred = x - expand_dims(reduce_axes("sum", x, [axis]), [axis]) / count
    variance = expand_dims(reduce_axes("sum", scalar.square(centred), [axis]), [axis]) / count
    return rng.choice([centred, variance, centred / scalar.sqrt(variance + 1)])


def _softmax(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim:
        return None
    axis, x = rng.randrange(x.type.ndim), scalar.tanh(_float(rng, x))
    e = scalar.exp(x)
    total = expand_dims(reduce_axes("sum", e, [axis]), [axis])
    return rng.choice([e / total, x - scalar.log(total)])


def _labels(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    """One element of each row, at a label; or that element set or increased."""
    if x.type.ndim != 2:
        return None
    rows, columns = dimension(x, 0), dimension(x, 1)
    labels = rng.choice([v for v in pool if v.type.ndim == 1])
    labels = scalar.mod(_integer(rng, labels, -50, 50), scalar.maximum(columns, 1))
    index = {0: Iota()(rows), 1: labels}
    kind = rng.choice(["read", "set", "add"])
    return gather(x, index) if kind == "read" else scatter(x, index, cast(rows, x.type.dtype), add=kind == "add")


def _repeated(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    """Rows at positions that repeat: read, set or added to."""
    if not x.type.ndim:
        return None
    axis = rng.randrange(x.type.ndim)
    places = rng.choice([v for v in pool if 1 <= v.type.ndim <= 2])
    size = dimension(x, axis)
    places = scalar.mod(_integer(rng, places, -50, 50), scalar.maximum(size, 1))
    read = gather(x, {axis: places})
    kind = rng.choice(["read", "set", "add"])
    if kind == "read":
        return read
    part = rng.choice([read, cast(constant(2), x.type.dtype)]) if kind == "set" else primitives["mul"](read, read)
    return scatter(x, {axis: places}, cast(part, x.type.dtype), add=kind == "add")


def _mask(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    """The rows, or elements, where a mask holds."""
    if not x.type.ndim:
        return None
    rank = rng.randint(1, x.type.ndim)
    mask = _bool(rng, x)
    while mask.type.ndim > rank:
        mask = reduce_axes(rng.choice(["any", "all"]), mask, [mask.type.ndim - 1])
    return gather(x, dict(enumerate(nonzero(mask))))


def _shuffle(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    order: list[object] = list(range(x.type.ndim))
    rng.shuffle(order)
    if rng.random() < 0.3:
        order.insert(rng.randrange(len(order) + 1), "x")
    return dimshuffle(x, order)


def _index(rng: random.Random, x: Variable, pool: list[Variable]) -> list[slice]:
    """A slice for each axis, with bounds that are numbers or scalars of the pool."""
    scalars = [v for v in pool if not v.type.ndim]
    def bound() -> object:
        if rng.random() < 0.35:
            return _integer(rng, rng.choice(scalars), -5, 5)
        return rng.choice([None, 0, 1, 2, 4, -1, -3])
    return [slice(bound(), bound(), rng.choice([None, None, 1, 2, -1, -2])) for _ in x.type.shape]


def _slice(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable:
    return subtensor(x, _index(rng, x, pool))


def _set(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim:
        return None
    index = _index(rng, x, pool)
    part = subtensor(x, index)
    value = rng.choice([cast(constant(3), x.type.dtype), cast(scalar.square(part), x.type.dtype)])
    return set_subtensor(x, index, value, add=rng.random() < 0.5)


def _join(rng: random.Random, x: Variable, pool: list[Variable]) -> Variable | None:
    if not x.type.ndim:
        return None
    return join(rng.randrange(x.type.ndim), [x, primitives[rng.choice(UNARY)](x), x])


_STEPS: list[Callable[[random.Random, Variable, list[Variable]], Variable | None]] = [
    _unary, _unary, _binary, _binary, _binary, _with_number, _compare, _logic, _switch, _cast, _reduce, _reduce,
    _extremum, _extremum, _moments, _softmax, _labels, _repeated, _repeated, _mask, _shuffle, _slice, _slice, _set,
    reshaped, _join, spread]
