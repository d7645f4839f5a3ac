"""Functions as values: a closed graph from parameters to results, of which ops are made (a loop's step, a branch).

A `Function` never changes, and two are equal when they compute the same by the same nodes; so an op that has one as
its parameter is interned like any other. Its parameters have sizes of their own: where it is applied, `Sizes`
finds what they are there.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
>>> one, other = Function.of([x], [x * 2]), Function.of([y], [y * 2])
>>> one == other, one == Function.of([x], [x * 3])
(True, False)
>>> n = Variable(TensorType("float64", (7,)))
>>> Sizes(one, [n.type]).type(one.results[0].type)
TensorType(float64, (7,))
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pickle import PicklingError
from typing import Any

from symtensor.base.errors import GraphError, TextError
from symtensor.ir import text
from symtensor.ir.graph import Graph, applications, leaves, substitute
from symtensor.ir.node import Constant, Variable, describe, equal_sizes, restate
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.tensor import TensorType

__all__ = ["Function", "Sizes", "captured", "enclosed"]


class Function:
    """A closed graph as a value. Nobody changes its `graph`; `rewritten` makes another function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @classmethod
    def of(cls, parameters: Sequence[Variable], results: Sequence[Variable]) -> Function:
        """The function from `parameters` to `results`. Raises GraphError if these depend on anything else."""
        return cls._closed(Graph(parameters, results), len(parameters))

    @classmethod
    def _closed(cls, graph: Graph, count: int) -> Function:
        free = graph.inputs[count:]
        if free:
            raise GraphError("a function may depend on its parameters only", operands=map(describe, free))
        return cls(graph)

    def part(self, parameters: Sequence[int], results: Sequence[int]) -> Function:
        """The function from some parameters to some results, by their numbers; what tells their sizes stays in it.

        Raises GraphError if they depend on other parameters.

        >>> from symtensor.types.tensor import TensorType
        >>> x, y = (Variable(TensorType("float64", (None,)), name=name) for name in "xy")
        >>> Function.of([x, y], [x * 2, x + y]).part([0], [0])
        (x) -> ((x * 2.0))
        """
        graph = self.graph.part([self.parameters[n] for n in parameters], [self.results[n] for n in results])
        return self._closed(graph, len(parameters))

    def replaced(self, known: Mapping[Variable, Variable]) -> Function:
        """The function in which some variables are others, also where they tell sizes."""
        return self._closed(self.graph.part(self.parameters, self.results, known), len(self.parameters))

    @property
    def parameters(self) -> list[Variable]:
        """The variables that stand for the arguments."""
        return self.graph.inputs

    @property
    def results(self) -> list[Variable]:
        """The variables computed."""
        return self.graph.outputs

    def called(self, number: int) -> str:
        """What to call a parameter in a message."""
        return self.parameters[number].name or f"argument {number} of a step"

    def rewritten(self, change: Callable[[Graph], Any]) -> Function:
        """The function whose graph is a changed copy of this one's; itself if nothing was changed."""
        graph = self.graph.copy()
        change(graph)
        made = Function(graph)
        return self if made == self else made

    @cached_property
    def identity(self) -> str | None:
        """What makes two functions one: a digest of the graph's text without names; None if an op has no text.

        Functions in it are in that text by their identity, so that a nest of them is read once, not once a level.
        """
        try:
            return sha256(text.to_text(self.graph, names=False).encode()).hexdigest()
        except TextError:
            return None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Function) and self.identity is not None and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity) if self.identity is not None else id(self)

    def __reduce__(self) -> Any:
        graph = self.graph.copy()
        for variable in graph.inputs:  # with sizes not yet found equal: it is told where they differ
            variable.type = graph.origin[variable].type
        try:
            return _read, (text.to_text(graph, lines=True),)
        except TextError as error:
            raise PicklingError(f"a function has no text: {error.what}") from error

    def __repr__(self) -> str:
        parameters = ", ".join(map(repr, self.parameters))
        return f"({parameters}) -> ({', '.join(map(repr, self.results))})"


def _read(written: str) -> Function:
    return Function(text.from_text(written))


class Sizes:
    """What a function's own sizes are where it is applied to arguments of some types.

    `values` gives, by the number of a parameter, the value of an integer scalar that is the same in every
    application. Made inside `Op.infer` it states what must be equal: the sizes that the parameters' types repeat, and
    the equations of the function's nodes, as far as they can be told from the arguments; not if it may be that the
    function is not `applied`.
    """

    def __init__(self, function: Function, types: Sequence[TensorType],
                 values: Mapping[int, Size] | None = None, applied: bool = True) -> None:
        self.function = function
        self._bound: dict[Symbol, Size] = {}
        self._whole: dict[Size, Size] = {}  # sizes of parameters, made of several symbols
        self._bind_values(values or {})
        self._bind_types(types)
        if applied:
            self._state(types)

    def _state(self, types: Sequence[TensorType]) -> None:
        for number, (variable, given) in enumerate(zip(self.function.parameters, types)):
            for axis, (size, actual) in enumerate(zip(self.function.graph.origin[variable].type.shape, given.shape)):
                expected = self(size)
                if expected is not None:
                    equal_sizes(expected, actual, f"size of axis {axis} of {self.function.called(number)}")
        for equation, lines in self.function.graph.equations:
            left, right = self(equation.left), self(equation.right)
            if left is not None and right is not None:
                restate(equation, left, right, lines)

    def _bind_values(self, values: Mapping[int, Size]) -> None:
        graph = self.function.graph
        for symbol, variable in graph.sources.items():
            if symbol.axis is not None:
                continue
            if isinstance(variable, Constant):
                self._bound[symbol] = int(variable.data)
            elif variable in graph.inputs and graph.inputs.index(variable) in values:
                self._bound[symbol] = values[graph.inputs.index(variable)]

    def _bind_types(self, types: Sequence[TensorType]) -> None:
        for variable, given in zip(self.function.parameters, types):
            for size, actual in zip(self.function.graph.origin[variable].type.shape, given.shape):
                lone = dims.lone_symbol(size)
                if lone is not None:
                    self._bound.setdefault(lone, actual)
                else:
                    self._whole.setdefault(size, actual)

    def __call__(self, size: Size) -> Size | None:
        """A size of the function as one of where it is applied; None if only the function's own data tells."""
        found = self.as_written(size)
        return self.as_written(self.function.graph.solution(size)) if found is None else found

    def as_written(self, size: Size) -> Size | None:
        """The same of a size as it is written, whatever the function's equations say of it."""
        if all(symbol in self._bound for symbol in dims.symbols_of(size)):
            return dims.substitute(size, self._bound.get)
        return self._whole.get(size)

    def type(self, type: TensorType) -> TensorType:
        """A type inside the function as one of where it is applied; sizes that are not known there are open."""
        return TensorType.of(type.dtype, tuple(map(self, type.shape)))  # type: ignore[arg-type]


# -- from an expression to a function ---------------------------------------------------------------------

class _Outside:
    """The variables that are not among some."""

    def __init__(self, inside: Container[Variable]) -> None:
        self.inside = inside

    def __contains__(self, variable: object) -> bool:
        return variable not in self.inside


def captured(results: Sequence[Variable], inside: Container[Variable]) -> list[Variable]:
    """What `results` take from outside, when the variables in `inside` are computed, or given, inside."""
    found = [v for v in leaves(results, _Outside(inside)) if v not in inside and not isinstance(v, Constant)]
    known = {dims.lone_symbol(size) for v in found for size in v.type.shape}
    sized = [node for node in applications(results, _Outside(inside)) if node.op.sizes()]
    return found + [v for node in sized for v in node.outputs
                    if not all(known.issuperset(dims.symbols_of(size)) for size in node.op.sizes())]


def enclosed(given: Sequence[Variable], results: Sequence[Variable],
             known: Mapping[Variable, Variable] | None = None) -> Function:
    """The function from the variables `given` to `results`: its parameters are copies with sizes of their own.

    What variables are inside can be said by `known`.
    """
    rename = _Renaming(v.type for v in given)
    copies = [Variable(rename(v.type), name=v.name or repr(v)) for v in given]
    inside = {**dict(zip(given, copies)), **(known or {})}
    for node in applications(results, inside):
        if node.op.sizes():
            inside.update(zip(node.outputs, node.op.with_sizes([rename.size(s) for s in node.op.sizes()]).make()))
    return Function.of(copies, substitute(results, inside))


class _Renaming:
    """Types with sizes of their own, in which equal sizes stay equal, and sizes made of others as far as possible."""

    def __init__(self, types: Iterable[TensorType]) -> None:
        self._new: dict[Size, Size] = {}
        for size in (size for type in types for size in type.shape):
            lone = dims.lone_symbol(size)
            if lone is not None and size not in self._new:
                self._new[size] = dims.symbol(lone.name)

    def __call__(self, type: TensorType) -> TensorType:
        return TensorType.of(type.dtype, tuple(map(self.size, type.shape)))

    def size(self, size: Size) -> Size:
        """A size as one of the copies."""
        if isinstance(size, int):
            return size
        if size not in self._new:
            known = all(dims.of_atom(symbol) in self._new for symbol in dims.symbols_of(size))
            self._new[size] = dims.substitute(size, self._of_symbol) if known else dims.symbol("size")
        return self._new[size]

    def _of_symbol(self, symbol: Symbol) -> Size | None:
        return self._new.get(dims.of_atom(symbol))


text.register_parameter("function", Function, lambda function: function.graph, Function,
                        lambda function: function.identity)
