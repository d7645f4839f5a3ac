"""Applications of ops to try: for elementwise ops from their definition, for others given with their class.

>>> from symtensor.ops.scalar import exp
>>> examples = list(examples_of(exp))
>>> examples[0].op, examples[0].arrays[0].dtype
(exp, dtype(bfloat16))
>>> list(examples_of(Iota))
[iota(int64 ()), iota(int64 ()), iota(int64 ())]
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from symtensor.base.errors import CheckFailed
from symtensor.ir.function import Function
from symtensor.ir.node import Constant, Op, Variable
from symtensor.ops import scalar
from symtensor.ops.branch import Branch, IfElse
from symtensor.ops.contract import Gemm, MatMul
from symtensor.ops.control import Scan
from symtensor.ops.derivative import OwnDerivative
from symtensor.ops.effects import Assert, PdbBreakpoint, Print
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.ops.fourier import Fourier, RealFourier, RealFourierBack
from symtensor.ops.index import Iota
from symtensor.ops.reduce import REDUCTIONS, ArgReduce, Reduce, sum_axes
from symtensor.ops.rejection import Sample
from symtensor.ops.shape import Broadcast, Dimshuffle, Reshape, SpecifyShape
from symtensor.ops.size import Dimension
from symtensor.ops.sparse import SampledDot, SparseDot, SparseDotTransposed
from symtensor.ops.transfer import PROCESSOR, Transfer
from symtensor.types import dtype as dtypes
from symtensor.types.tensor import TensorType

__all__ = ["Example", "counted", "examples_for", "examples_of", "integers", "normal", "of_each", "special_values"]


@dataclass(frozen=True)
class Example:
    """An op and arrays to apply it to; `differentiable` where the function is smooth at them."""

    op: Op
    arrays: tuple[np.ndarray, ...]
    differentiable: bool = True

    def __repr__(self) -> str:
        shapes = ", ".join(f"{array.dtype} {array.shape}" for array in self.arrays)
        return f"{self.op}({shapes})"


Generator = Callable[[np.random.Generator], Iterable[Example]]
_generators: dict[type[Op], Generator] = {}


def examples_for(cls: type[Op], complex_too: bool = False) -> Callable[[Generator], Generator]:
    """Decorator: `f(rng)` gives examples of ops of the class; `complex_too` repeats them with complex numbers."""
    def register(generator: Generator) -> Generator:
        _generators[cls] = _repeated(generator) if complex_too else generator
        return generator
    return register


def _repeated(generator: Generator) -> Generator:
    def generate(rng: np.random.Generator) -> Iterator[Example]:
        for example in generator(rng):
            yield example
            if any(array.dtype == "float64" for array in example.arrays):
                arrays = [array * (1 + 0.5j) if array.dtype == "float64" else array for array in example.arrays]
                yield replace(example, arrays=tuple(map(np.asarray, arrays)))
    return generate


def examples_of(op: Op | type[Op], seed: int = 0) -> Iterator[Example]:
    """Examples of an op, or of all ops of a class. Raises CheckFailed when none are known."""
    from symtensor.testing import index_examples as index_examples  # which use what is here
    from symtensor.testing import matrix_examples as matrix_examples
    from symtensor.testing import window_examples as window_examples
    rng = np.random.default_rng(seed)
    cls = op if isinstance(op, type) else type(op)
    if isinstance(op, Elementwise) and not isinstance(op, Cast):
        yield from _elementwise(op, rng)
    elif cls in _generators:
        found = [e for e in _generators[cls](rng) if isinstance(op, type) or e.op == op]
        if not found:
            raise CheckFailed(f"no example of {cls.__name__} is one of {op}", fix="give examples=[Example(op, arrays)]")
        yield from found
    else:
        raise CheckFailed(f"no examples of {cls.__name__} are known",
                          fix="give examples=[Example(op, arrays)], or register a generator with @examples_for")


# -- elementwise ------------------------------------------------------------------------------------------

def special_values(dtype: str) -> np.ndarray:
    """The values of a dtype at which functions go wrong.

    >>> special_values("int8")
    array([   0,    1,   -1,    2,   -2,    3,    7,  127, -128,  126], dtype=int8)
    """
    if dtype == "bool":
        return np.array([False, True])
    if dtype in dtypes.INTEGERS:
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        return np.array([v for v in (0, 1, -1, 2, -2, 3, 7, high, low, high - 1) if low <= v <= high], dtype)
    if dtype in dtypes.COMPLEX:
        parts = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-3, np.inf, -np.inf, np.nan])
        pairs = np.empty((len(parts), len(parts)), dtype)
        pairs.real, pairs.imag = np.meshgrid(parts, parts)
        return pairs.ravel()
    info = dtypes.limits(dtype)
    values = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -2.5, 3.0, 20.0, -20.0, 1e-3, np.nan, np.inf, -np.inf,
              float(info.max), float(info.min), float(info.tiny), float(info.eps), float(info.max) ** 0.5 / 4]
    return np.array(values, dtype)


def _elementwise(op: Elementwise, rng: np.random.Generator) -> Iterator[Example]:
    # An op that can fail is given what it accepts: a position and a larger size.
    for dtype in ["int64"] if op.definition.fails else filter(partial(_admits, op), dtypes.ALL):
        if not op.definition.fails:
            yield Example(op, _grid(op, dtype), differentiable=False)
        for shapes in _arrangements(op.definition.arity):
            yield Example(op, tuple(_random(op, position, dtype, shape, rng) for position, shape in enumerate(shapes)),
                          differentiable=False)


def _admits(op: Elementwise, dtype: str) -> bool:
    """Whether the op takes operands of `dtype` as they are, and NumPy can compute it."""
    operands = [Constant(np.zeros((), _operand_dtype(op, p, dtype))) for p in range(op.definition.arity)]
    try:
        prepared = op.prepare(*operands)
        op.evaluate(*(v.data for v in prepared))  # type: ignore[attr-defined]
    except TypeError:  # TypeMismatch is one
        return False
    return all(given.type.dtype == taken.type.dtype for given, taken in zip(operands, prepared))


def counted(op: Elementwise) -> tuple[int, ...]:
    """The operands of an op that are to be whole numbers: those of other kinds have no meaning."""
    return {"polygamma": (0,)}.get(op.name, ())


_REACH = {"jv": 100, "iv": 100, "gammainc": 1e5, "gammaincc": 1e5, "polygamma": 10}
"""Sizes of operands up to which, and from whose inverse on, SciPy is to be trusted: beyond, it says NaN or 0."""


def _operand_dtype(op: Elementwise, position: int, dtype: str) -> str:
    return "bool" if op.definition.kind == "switch" and position == 0 else dtype


def _is_within(values: np.ndarray, reach: float) -> np.ndarray:
    sizes = np.abs(values.astype("float64"))
    return np.asarray(~(sizes > reach) & ~((sizes < 1 / reach) & (sizes > 0)))


def _grid(op: Elementwise, dtype: str) -> tuple[np.ndarray, ...]:
    """All combinations of special values, one vector for each operand."""
    axes = [special_values(_operand_dtype(op, p, dtype)) for p in range(op.definition.arity)]
    if op.name in _REACH:
        axes = [values[_is_within(values, _REACH[op.name])] for values in axes]
    rows = list(itertools.product(*axes))
    return tuple(np.array([row[p] for row in rows], axes[p].dtype) for p in range(op.definition.arity))


_SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    1: [((),), ((3,),), ((2, 5),), ((2, 1, 3),), ((0, 3),)],
    2: [((), (3,)), ((1,), (4,)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((0, 3), (1, 3)), ((2, 3), ())],
    3: [((), (3,), ()), ((2, 3), (3,), (2, 1)), ((0,), (1,), (0,)), ((2, 1, 4), (3, 1), (4,))],
}


def _arrangements(arity: int) -> list[tuple[tuple[int, ...], ...]]:
    return _SHAPES.get(arity) or [((2, 3),) * arity, ((),) * arity]


def _random(op: Elementwise, position: int, dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Values between -4 and 4; ones that cannot fail for an op that may."""
    dtype = _operand_dtype(op, position, dtype)
    if op.definition.fails:
        return np.full(shape, 2 if position else 1, dtype)
    values = rng.uniform(-4, 4, size=shape)
    if dtype in dtypes.COMPLEX:
        return np.asarray(values + 1j * rng.uniform(-4, 4, size=shape)).astype(dtype)
    if position in counted(op):
        values = np.floor(np.abs(values))
    if dtype in dtypes.UNSIGNED:
        values = np.abs(values)
    return np.asarray(values).astype(dtype)


# -- the other ops ----------------------------------------------------------------------------------------

def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal numbers in an array of a shape."""
    return rng.normal(size=shape)


def of_each(dtypes_: Iterable[str], *shape: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Small whole numbers in an array of each dtype."""
    for dtype in dtypes_:
        yield np.asarray(rng.integers(0, 5, size=shape)).astype(dtype)


def integers(*values: int) -> tuple[np.ndarray, ...]:
    """Scalars: sizes and bounds."""
    return tuple(np.array(value, "int64") for value in values)


@examples_for(Cast)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for source, target in itertools.product(dtypes.ALL, dtypes.ALL):
        if source in dtypes.COMPLEX and target not in dtypes.COMPLEX:
            continue
        values = np.array([0, 1, 3, 100]) if target in dtypes.INTEGERS else special_values(source)
        yield Example(Cast("cast", target), (values.astype(source),), False)
    yield Example(Cast("cast", "float64"), (normal(rng, 3),))


@examples_for(Reduce)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for kind in ("sum", "prod", "max", "min"):
        for axes in [(0,), (1,), (0, 1), (2,), (0, 2), (0, 1, 2)]:
            yield Example(Reduce(kind, axes), (normal(rng, 3, 4, 2),))
        complex_too = dtypes.COMPLEX if kind in ("sum", "prod") else ()
        for array in of_each(dtypes.INTEGERS + dtypes.FLOATS + complex_too, 3, 4, rng=rng):
            yield Example(Reduce(kind, (1,)), (array,), False)
        yield Example(Reduce(kind, (0,)), (normal(rng, 300),))
    for kind in ("sum", "prod"):
        yield Example(Reduce(kind, (0,)), (normal(rng, 0, 3),))
        yield Example(Reduce(kind, (0,)), (np.array([[0.0, 1.0], [2.0, 0.0]]),))
    for kind in REDUCTIONS:
        for axes in [(0,), (1,), (0, 1)]:
            yield Example(Reduce(kind, axes), (rng.random((3, 4)) < 0.5,), False)
    yield Example(Reduce("max", (1,)), (np.array([[1.0, np.nan], [np.inf, 0.0]]),), False)


@examples_for(ArgReduce)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for kind, axis in itertools.product(("argmax", "argmin"), (0, 1)):
        yield Example(ArgReduce(kind, axis), (normal(rng, 3, 4),))
        yield Example(ArgReduce(kind, axis), (np.array([[1.0, np.nan, 2.0], [3.0, 3.0, np.nan]]),))
        for array in of_each(dtypes.INTEGERS + dtypes.FLOATS, 4, 3, rng=rng):
            yield Example(ArgReduce(kind, axis), (array,))


@examples_for(Dimshuffle, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for order, shape in [((1, 0), (2, 3)), ((-1, 0), (3,)), ((2, -1, 0), (2, 1, 3)), ((), (1, 1)), ((0,), (0,)),
                         ((-1, -1), ()), ((1, 2, 0), (2, 3, 4))]:
        yield Example(Dimshuffle(order), (normal(rng, *shape),))


@examples_for(Reshape, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for old, new in [((2, 6), (3, 4)), ((6,), (2, 3)), ((2, 3), (6,)), ((1,), ()), ((), (1, 1)), ((0, 3), (0,)),
                     ((2, 3, 4), (4, 6))]:
        yield Example(Reshape(len(new)), (normal(rng, *old), *integers(*new)))


@examples_for(Broadcast, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for old, new in [((), (3,)), ((1, 3), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 4)), ((1,), (0,)), ((), ())]:
        yield Example(Broadcast(len(new)), (normal(rng, *old), *integers(*new)))


@examples_for(SpecifyShape)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in [(), (3,), (2, 1, 0)]:
        yield Example(SpecifyShape(len(shape)), (normal(rng, *shape), *integers(*shape)))


@examples_for(Transfer)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in [(), (3,), (2, 0)]:
        yield Example(Transfer(PROCESSOR), (normal(rng, *shape),))


@examples_for(Dimension)
def _(rng: np.random.Generator) -> Iterator[Example]:
    yield Example(Dimension(0), (normal(rng, 3, 2),))
    yield Example(Dimension(1), (normal(rng, 3, 0),))


@examples_for(Iota)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for length in (0, 1, 7):
        yield Example(Iota(), integers(length))


@examples_for(MatMul, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for left, right in [((2, 3), (3, 4)), ((5, 2, 3), (5, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2)), ((1, 1), (1, 1))]:
        yield Example(MatMul(), (normal(rng, *left), normal(rng, *right)))
    yield Example(MatMul(), (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)))
    for dtype in dtypes.FLOATS:
        yield Example(MatMul(), (normal(rng, 5, 70).astype(dtype), normal(rng, 70, 6).astype(dtype)), False)


@examples_for(Gemm, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for scalars in ((2.0, -0.5), (1.0, 1.0)):
        arrays = normal(rng, 2, 4), normal(rng, 2, 3), normal(rng, 3, 4), *map(np.asarray, scalars)
        yield Example(Gemm(), arrays, False)
        for dtype in dtypes.NARROW:
            yield Example(Gemm(), tuple(array.astype(dtype) for array in arrays), False)
    unread = np.full((2, 2), np.nan)
    yield Example(Gemm(), (unread, np.eye(2), np.eye(2), np.array(1.0), np.array(0.0)), False)


_COMPRESSED = [([0, 2, 2, 5], [1, 3, 0, 3, 2]), ([0, 0], []), ([0], []), ([0, 1, 2], [2, 2])]


def _eighths(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers whose products add up without rounding, in whatever order."""
    return np.round(8 * normal(rng, *shape)) / 8


@examples_for(SparseDot)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (starts, indices), width in itertools.product(_COMPRESSED, (1, 3, 70)):
        positions = np.array(indices, "int32"), np.array(starts, "int32")
        yield Example(SparseDot(), (_eighths(rng, len(indices)), *positions, _eighths(rng, 4, width), np.array(4)))
        single = _eighths(rng, len(indices)).astype("float32"), _eighths(rng, 4, width).astype("float32")
        yield Example(SparseDot(), (single[0], *positions, single[1], np.array(4)), False)


@examples_for(SparseDotTransposed)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (starts, indices), width in itertools.product(_COMPRESSED, (1, 3)):
        positions = np.array(indices, "int32"), np.array(starts, "int32")
        x = _eighths(rng, len(starts) - 1, width)
        yield Example(SparseDotTransposed(), (_eighths(rng, len(indices)), *positions, x, np.array(4)))


@examples_for(SampledDot)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (starts, indices), width in itertools.product(_COMPRESSED, (0, 1, 3, 17)):
        positions = np.array(indices, "int32"), np.array(starts, "int32")
        yield Example(SampledDot(), (*positions, _eighths(rng, len(starts) - 1, width), _eighths(rng, 4, width)))


@examples_for(RealFourier)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in ((2, 6), (1, 5), (2, 3, 4), (0, 4), (2, 1)):
        yield Example(RealFourier(), (normal(rng, *shape),))


@examples_for(RealFourierBack)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape, length in (((2, 4, 2), 6), ((1, 3, 2), 5), ((2, 3, 3, 2), 4), ((0, 3, 2), 4)):
        yield Example(RealFourierBack(), (normal(rng, *shape), np.array(length)))


@examples_for(Fourier)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape, back in itertools.product(((2, 6, 2), (2, 3, 5, 2), (0, 4, 2)), (False, True)):
        yield Example(Fourier(back), (normal(rng, *shape),))
    for shape, back in itertools.product(((2, 6), (2, 3, 5), (0, 4)), (False, True)):
        yield Example(Fourier(back), (normal(rng, *shape) + 1j * normal(rng, *shape),))


@examples_for(Sample)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for kind, shape in itertools.product(("poisson", "standard_gamma"), ((3,), (), (2, 0))):
        yield Example(Sample(kind), (np.array([3, 4], "uint64"), np.abs(normal(rng, *shape))), False)


@examples_for(OwnDerivative)
def _(rng: np.random.Generator) -> Iterator[Example]:
    # Neither value hangs on the input here, so the derivative by it is zero.
    for shape in ((3,), ()):
        op = OwnDerivative(1, lambda inputs, values, cotangents: [None])
        yield Example(op, (normal(rng, *shape), normal(rng, *shape), normal(rng, 2)), False)


@examples_for(Assert)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in ((3,), (), (2, 0)):
        yield Example(Assert("never"), (normal(rng, *shape), np.array(True), np.array(True)))
    yield Example(Assert(), (np.arange(3),), False)


@examples_for(Print)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in ((3,), ()):
        yield Example(Print("quietly", global_fn=lambda op, value: None), (normal(rng, *shape),))


@examples_for(PdbBreakpoint)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for shape in ((3,), ()):
        yield Example(PdbBreakpoint("never"), (np.array(False), normal(rng, *shape), normal(rng, 2)))


@examples_for(Scan)
def _(rng: np.random.Generator) -> Iterator[Example]:
    h, row, w = (Variable(TensorType("float64", (None,)), name=name) for name in ("h", "row", "w"))
    new = scalar.tanh(h * w + row)
    step = Function.of([h, row, w], [new, h, new * row])
    for steps, backwards in ((4, False), (3, True), (1, False), (0, False)):
        arrays = normal(rng, 2), normal(rng, 4, 2), normal(rng, 2), np.array(steps)
        yield Example(Scan(step, 1, 1, backwards=backwards), arrays)
    ends = Function.of([h, row, w], [new, h, scalar.gt(sum_axes(row + h, [0]), 1.5)])
    for steps in (4, 2):
        yield Example(Scan(ends, 1, 1, until=True), (normal(rng, 2), np.full((4, 2), 0.9), normal(rng, 2),
                                                     np.array(steps)))


@examples_for(IfElse)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for condition in (np.array(True), np.array(False)):
        yield Example(IfElse(), (condition, normal(rng, 3), normal(rng, 3)))
        yield Example(IfElse(), (condition, normal(rng, 2, 3), normal(rng), normal(rng, 4, 1), normal(rng)))
        yield Example(IfElse(), (condition, np.arange(3), np.arange(2)), False)


@examples_for(Branch)
def _(rng: np.random.Generator) -> Iterator[Example]:
    x, y, w = (Variable(TensorType("float64", (None,)), name=name) for name in ("x", "y", "w"))
    one, other = Function.of([x, w], [x * scalar.tanh(w), x]), Function.of([y, w], [y, scalar.exp(w)])
    for condition in (np.array(True), np.array(False)):
        yield Example(Branch(one, other), (condition, normal(rng, 3), normal(rng, 3)))
        yield Example(Branch(other, one), (condition, normal(rng, 2), normal(rng, 2)))
