"""Sizes as values, and integer scalars as sizes.

`dimension(x, 0)` is a scalar variable; `size_of` reads a scalar variable back as a size of the algebra, so
that `zeros((x.shape[0] // 2, n + 1))` has a shape the compiler can reason about.

>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float32", (None, 4)), name="x")
>>> size_of(dimension(x, 0) * 2 + dimension(x, 1))
2*x.0 + 4
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.formula import Piece
from symtensor.ir.node import Constant, Op, Variable, complaint
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise, cast
from symtensor.ops.transfer import Transfer
from symtensor.types import dim as dims
from symtensor.types.dim import Dim, Size, Symbol
from symtensor.types.dtype import INTEGERS
from symtensor.types.polynomial import Compound, Fold
from symtensor.types.tensor import TensorType

__all__ = ["Dimension", "SizeValue", "computed_size", "dimension", "integer", "shape_of", "size_of", "size_value",
           "truth_of"]

_SCALAR = TensorType("int64", ())


class Dimension(Op):
    """The size of one axis of a tensor, an int64 scalar."""

    axis: int
    moves = True
    sizes_from = 0

    def infer(self, x: Variable) -> TensorType:
        return _SCALAR

    def evaluate(self, x: np.ndarray) -> Any:
        return np.int64(x.shape[self.axis])

    def pullback(self, *values: Variable) -> Any:
        return None

    def element(self, index: tuple[Size, ...], x: Any, *, scope: Any) -> Any:
        """The size as a scalar of a kernel."""
        return scope.size(x.type.shape[self.axis])

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        return [inputs[0], f".shape[{self.axis}]"]


class SizeValue(Op):
    """A size of the algebra as an int64 scalar: what `Dimension` becomes in a compiled graph.

    It has no inputs: its value comes from the sizes of the call.
    """

    size: Dim
    foldable = False
    moves = True

    def infer(self) -> TensorType:
        return _SCALAR

    def evaluate(self, value: Any) -> Any:
        return np.int64(value)

    def pullback(self, *values: Variable) -> Any:
        return ()

    def sizes(self) -> Sequence[Size]:
        return (self.size,)

    def with_sizes(self, sizes: Sequence[Size]) -> Op:
        (size,) = sizes
        return SizeValue(size)  # type: ignore[arg-type]

    def element(self, index: tuple[Size, ...], *, scope: Any) -> Any:
        """The size as a scalar of a kernel."""
        return scope.size(self.size)

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        return [f"({self.size})" if " " in str(self.size) else str(self.size)]


def integer(value: int) -> Constant:
    """An int64 scalar constant."""
    return Constant(np.int64(value))


def dimension(x: Variable, axis: int) -> Variable:
    """The size of an axis as a scalar variable, a constant where it is known."""
    size = x.type.shape[axis]
    if isinstance(size, int):
        return integer(size)
    return Dimension(axis % x.type.ndim)(x)


def shape_of(x: Variable) -> list[Variable]:
    """All sizes of x as scalar variables."""
    return [dimension(x, axis) for axis in range(x.type.ndim)]


def size_value(size: Size) -> Variable:
    """A size of the algebra as a scalar variable."""
    return integer(size) if isinstance(size, int) else SizeValue(size)()


def computed_size(size: Size, told: Mapping[Symbol, Variable]) -> Variable:
    """A size as arithmetic of the variables that tell what some of its symbols are.

    >>> n = Variable(_SCALAR, name="n")
    >>> computed_size(size_of(n) * 2 + 1, {dims.lone_symbol(size_of(n)): n})
    ((n * 2) + 1)
    """
    return _Arithmetic(told)(size)


class _Arithmetic(Fold[Variable]):
    """Sizes as integer scalars."""

    def __init__(self, told: Mapping[Symbol, Variable]) -> None:
        super().__init__()
        self.told = told

    def symbol(self, symbol: Symbol) -> Variable:
        source = self.told.get(symbol)
        if source is None:
            return size_value(dims.of_atom(symbol))
        return cast(source, "int64") if symbol.axis is None else Dimension(symbol.axis)(source)

    def compound(self, compound: Compound, left: Variable, right: Variable) -> Variable:
        return _OPERATIONS[compound.kind](left, right)  # type: ignore[no-any-return]

    def sum(self, terms: list[tuple[list[Variable], int]], constant: int) -> Variable:
        parts = [self._product(factors, coefficient) for factors, coefficient in terms]
        return reduce(scalar.add, parts + [integer(constant)] if constant or not parts else parts)

    def _product(self, factors: list[Variable], coefficient: int) -> Variable:
        return reduce(scalar.mul, factors if coefficient == 1 else [*factors, integer(coefficient)])

    def whole(self, size: Dim) -> Variable | None:
        return None if any(symbol in self.told for symbol in size.symbols) else size_value(size)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "floordiv": scalar.floor_div, "modulo": scalar.mod, "max": scalar.maximum, "min": scalar.minimum}

_ARITHMETIC: dict[str, Callable[..., Size]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "neg": lambda a: 0 - a,
    "floor_div": dims.floordiv, "mod": dims.modulo, "maximum": dims.maximum, "minimum": dims.minimum,
    "identity": lambda a: a, "stop_gradient": lambda a: a, "cast": lambda a: a,
}


def size_of(variable: Variable) -> Size:
    """The value of an integer scalar as a size: arithmetic is seen through, the rest is a symbol.

    Raises TypeMismatch when the variable is not an integer scalar.
    """
    if variable.type.ndim or variable.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, f"a size must be an integer scalar, not {variable.type.describe()}", variable,
                        fix="cast it to int64")
    pending = [variable]
    while pending:
        current = pending[-1]
        if current.known_size is None:
            missing = [v for v in _size_inputs(current) if v.known_size is None]
            if missing:
                pending += missing
                continue
            current.known_size = _size_from_inputs(current)
        pending.pop()
    assert variable.known_size is not None
    return variable.known_size


def truth_of(condition: Variable) -> Size:
    """A bool scalar as a size: 1 if it holds, else 0."""
    while condition.owner is not None and isinstance(condition.owner.op, Transfer):
        (condition,) = condition.owner.inputs
    if isinstance(condition, Constant):
        return int(condition.data)
    if condition.known_size is None:
        condition.known_size = dims.symbol(condition.name or f"truth{condition.serial}", condition)
    return condition.known_size


def _size_inputs(variable: Variable) -> Sequence[Variable]:
    node = variable.owner
    if node is not None and isinstance(node.op, Transfer):
        return node.inputs
    if node is None or not isinstance(node.op, Elementwise) or node.op.name not in _ARITHMETIC:
        return ()
    if any(v.type.dtype not in INTEGERS or v.type.ndim for v in node.inputs):
        return ()
    if variable.type.dtype not in ("int32", "int64") or any(v.type.dtype == "uint64" for v in node.inputs):
        return ()  # narrow and unsigned integers wrap around, sizes do not
    return node.inputs


def _size_from_inputs(variable: Variable) -> Size:
    if isinstance(variable, Constant):
        return int(variable.data)
    node = variable.owner
    if node is not None and isinstance(node.op, SizeValue):
        return node.op.size
    if node is not None and isinstance(node.op, Dimension):
        return node.inputs[0].type.shape[node.op.axis]
    inputs = _size_inputs(variable)
    if node is not None and isinstance(node.op, Transfer):
        return inputs[0].known_size  # type: ignore[return-value]
    if inputs:
        return _ARITHMETIC[node.op.name](*(v.known_size for v in inputs))  # type: ignore[union-attr]
    return dims.symbol(variable.name or f"value{variable.serial}", variable)
