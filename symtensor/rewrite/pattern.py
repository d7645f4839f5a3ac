"""Patterns: expressions with holes, made by writing expressions of the language on holes.

A hole stands for any variable, or for a parameter of an op; the same hole twice stands for the same
thing twice. Numbers stand for constants all of whose elements have that value. Patterns of
commutative ops match with their operands in either order.

>>> from symtensor import ops
>>> from symtensor.ops.scalar import log, log1p
>>> from symtensor.types.tensor import TensorType
>>> x = Hole("x")
>>> pattern = log(1 + x)
>>> y = Variable(TensorType("float64", (None,)), name="y")
>>> [match(p, log(y + 1.0)) for p in orders(pattern)]
[None, {x: y}]
>>> build(log1p(x), {x: y})
log1p(y)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from symtensor.base.errors import RewriteError
from symtensor.ir.node import Constant, Op, Placeholder, Variable
from symtensor.ops.elementwise import Elementwise

__all__ = ["Hole", "Applied", "Pattern", "Bindings", "later", "orders", "match", "build", "head", "uniform"]


class _Untyped(Placeholder):
    """What holes and applications to them share: ops make larger patterns of them."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def type(self) -> Any:  # type: ignore[override]
        raise RewriteError(f"{self!r} stands for a variable and has no type until a rule is applied",
                           fix="wrap the function that needs its type: later(function)(...)")

    def receive(self, op: Op, arguments: tuple[Any, ...]) -> Any:
        return Applied(op, arguments)


class Hole(_Untyped):
    """Stands for any one variable, or for one parameter of an op."""

    def __repr__(self) -> str:
        return str(self.name)


class Applied(_Untyped):
    """An op applied to patterns and numbers."""

    def __init__(self, op: Op | _Later, inputs: tuple[Any, ...]) -> None:
        super().__init__("")
        self.op = op
        self.inputs = inputs
        self.parameters = () if isinstance(op, _Later) else tuple(getattr(op, f.name) for f in fields(op))  # type: ignore[arg-type]
        self.is_fixed = not any(isinstance(p, Hole) for p in self.parameters)

    def __repr__(self) -> str:
        parameters = ", ".join(map(str, self.parameters))
        written = repr(self.op) if self.is_fixed else f"{type(self.op).__name__}[{parameters}]"
        return f"{written}({', '.join(map(repr, self.inputs))})"


Pattern = Hole | Applied | int | float | complex
Bindings = dict[Hole, Any]


class _Later:
    """A function called with what the holes stand for, on the right side of a rule."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        if any(isinstance(a, Placeholder) for a in arguments):
            return Applied(self, arguments)
        return self.function(*arguments)

    def __repr__(self) -> str:
        return self.function.__name__


def later(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for use on the right side of a rule although it looks at types: it is called when the rule fires.

    >>> from symtensor.ops.shape import expand_dims
    >>> later(expand_dims)(Hole("x"), Hole("axes"))
    expand_dims(x, axes)
    """
    return _Later(function)


# -- matching ---------------------------------------------------------------------------------------------

_uniform: WeakKeyDictionary[Constant, Any] = WeakKeyDictionary()


def uniform(variable: Variable) -> Any:
    """The Python number that every element of a constant is; None if it is no constant or they differ.

    >>> uniform(Constant(np.ones((2, 2)))), uniform(Constant([1, 2]))
    (1.0, None)
    """
    if not isinstance(variable, Constant):
        return None
    if not variable.type.shape:
        return variable.data.item()
    if variable not in _uniform:
        _uniform[variable] = _all_elements(variable.data)
    return _uniform[variable]


def _all_elements(data: np.ndarray) -> Any:
    if not data.size or data.flat[0].tobytes() != data.flat[-1].tobytes():
        return None
    elements = data.reshape(-1, 1).view(np.uint8)
    return data.flat[0].item() if (elements == elements[0]).all() else None


def orders(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern with the operands of its commutative ops in every order that makes a difference."""
    if not isinstance(pattern, Applied):
        yield pattern
        return
    for inputs in itertools.product(*(list(orders(p)) for p in pattern.inputs)):
        yield Applied(pattern.op, inputs)
        if isinstance(pattern.op, Op) and pattern.op.commutative and pattern.inputs[0] is not pattern.inputs[1]:
            yield Applied(pattern.op, inputs[::-1])


def match(pattern: Pattern, variable: Variable) -> Bindings | None:
    """What the holes stand for if `variable` is an instance of `pattern` as it is written; else None."""
    bindings: Bindings = {}
    pending: list[tuple[Any, Variable]] = [(pattern, variable)]
    while pending:
        wanted, found = pending.pop()
        if isinstance(wanted, Hole):
            if bindings.setdefault(wanted, found) is not found:
                return None
        elif isinstance(wanted, Applied):
            node = found.owner
            if node is None or len(node.inputs) != len(wanted.inputs) or not _same_op(wanted, node.op, bindings):
                return None
            pending += zip(wanted.inputs, node.inputs)
        elif not _has_value(found, wanted):
            return None
    return bindings


def _has_value(variable: Variable, wanted: Any) -> bool:
    value = uniform(variable)
    if value is None or (isinstance(wanted, bool) and not isinstance(value, bool)):
        return False
    return bool(value == wanted)


def _same_op(wanted: Applied, op: Op, bindings: Bindings) -> bool:
    if wanted.is_fixed:
        return wanted.op is op or wanted.op == op
    if type(wanted.op) is not type(op):
        return False
    for parameter, field in zip(wanted.parameters, fields(op)):  # type: ignore[arg-type]
        found = getattr(op, field.name)
        expected = bindings.setdefault(parameter, found) if isinstance(parameter, Hole) else parameter
        if expected != found:
            return False
    return True


def head(op: Any) -> Any:
    """What ops are indexed by: the name of an elementwise op, the class of another."""
    return op.name if isinstance(op, Elementwise) else type(op)


# -- building ---------------------------------------------------------------------------------------------

def build(pattern: Any, bindings: Mapping[Hole, Any]) -> Any:
    """The expression `pattern` is for what its holes stand for; numbers stay numbers."""
    if isinstance(pattern, Hole):
        return bindings[pattern]
    if isinstance(pattern, list):  # the outputs of an op of several
        return [build(p, bindings) for p in pattern]
    if not isinstance(pattern, Applied):
        return pattern
    arguments = [build(p, bindings) for p in pattern.inputs]
    if isinstance(pattern.op, _Later):
        return pattern.op.function(*arguments)
    if pattern.is_fixed:
        return pattern.op(*arguments)
    return type(pattern.op)(*(build(p, bindings) for p in pattern.parameters))(*arguments)
