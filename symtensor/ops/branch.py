"""Conditions that choose what is computed: `IfElse`, as users write it, and `Branch`, of which one side is computed.

`IfElse` chooses between values. `lazily` makes it a `Branch`, an op of two functions of the IR, and moves into each
all that only this side needs, before a graph is made of the expression: so what a side says of sizes and positions
has to hold only if this side is taken, and its derivatives are computed only then.

>>> from symtensor.ops.scalar import exp, gt, log
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> c = Variable(TensorType("bool", ()), name="c")
>>> chosen, = IfElse().make(c, log(x), exp(x) + 1.0)
>>> lazy, = lazily([chosen])
>>> lazy.owner.op.then, lazy.owner.op.otherwise, lazy.owner.inputs
((x) -> (log(x)), (x) -> ((exp(x) + 1.0)), (c, x))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir import provenance
from symtensor.ir.formula import Piece, operator
from symtensor.ir.function import Function, Sizes, captured, enclosed
from symtensor.ir.graph import applications
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.node import Apply, Constant, Op, Variable, describe
from symtensor.ops.shape import zeros_as
from symtensor.ops.size import SizeValue, computed_size, size_of, truth_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.dtype import INTEGERS
from symtensor.types.tensor import TensorType

__all__ = ["Branch", "IfElse", "branch", "inlined", "lazily"]


def _check_condition(condition: Variable) -> None:
    if condition.type.dtype != "bool" or condition.type.ndim:
        raise TypeMismatch(f"the condition must be a bool scalar, not {condition.type.describe()}",
                           operands=[describe(condition)])


def _either(condition: Variable, then: TensorType, otherwise: TensorType,
            is_known: Callable[[Size], bool] = lambda size: True) -> TensorType:
    """The type of what is of one type if a condition holds, else of another; sizes that are not known are open."""
    if then.dtype != otherwise.dtype or then.ndim != otherwise.ndim:
        raise TypeMismatch(f"the branches differ: {then.describe()} and {otherwise.describe()}",
                           fix="cast or reshape one of them")
    shape: list[Size | None] = []
    for first, second in zip(then.shape, otherwise.shape):
        if first is not None and first == second:
            shape.append(first)
        elif first is None or second is None or not (is_known(first) and is_known(second)):
            shape.append(None)
        else:
            truth = truth_of(condition)
            shape.append(truth * first + (1 - truth) * second)
    return TensorType.of(then.dtype, tuple(shape))  # type: ignore[arg-type]


def _is_early(size: Size) -> bool:
    """Whether a size is known before anything is computed."""
    return all(symbol.source is None or symbol.source.owner is None for symbol in dims.symbols_of(size))


class IfElse(Op):
    """Of n pairs of values the first ones if a condition holds, else the second ones.

    Its inputs are the condition, the n values if it holds, and the n others. Where it stands in a graph both sides
    have been computed.
    """

    def infer(self, *inputs: Variable) -> list[TensorType]:
        condition, *values = inputs
        _check_condition(condition)
        if len(values) % 2 or not values:
            raise TypeMismatch(f"takes a condition and pairs of values, not {len(values)} values")
        count = len(values) // 2
        return [_either(condition, a.type, b.type, _is_early) for a, b in zip(values[:count], values[count:])]

    def evaluate(self, *values: np.ndarray) -> Any:
        condition, *sides = values
        count = len(sides) // 2
        return tuple(sides[:count] if condition else sides[count:])

    def pullback(self, *values: Variable | None) -> Any:
        (condition, *sides), cotangents = _thirds(values)
        count = len(cotangents)
        found: list[Variable | None] = [None] * (1 + 2 * count)
        for number, cotangent in enumerate(cotangents):
            if cotangent is not None:
                then, otherwise = sides[number], sides[count + number]
                found[1 + number], = IfElse().make(condition, cotangent, zeros_as(then))
                found[1 + count + number], = IfElse().make(condition, zeros_as(otherwise), cotangent)
        return found

    def pushforward(self, *values: Variable | None) -> Any:  # type: ignore[override]
        count = (len(values) - 2) // 5
        (condition, *sides), tangents = values[:1 + 2 * count], values[2 + 3 * count:]
        found: list[Variable | None] = []
        assert condition is not None
        for number in range(count):
            pair = [(tangents[n], sides[n]) for n in (number, count + number)]
            if all(tangent is None for tangent, _ in pair):
                found.append(None)
                continue
            filled = [zeros_as(side) if tangent is None else tangent for tangent, side in pair if side is not None]
            found += IfElse().make(condition, *filled)
        return found

    def formula(self, inputs: Sequence[Variable]) -> list[Piece]:
        return operator("ifelse", inputs)

    def __repr__(self) -> str:
        return "ifelse"


def _thirds(values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """What a pullback of `IfElse` is given: the inputs, and the cotangents of the outputs."""
    count = (len(values) - 1) // 4
    return values[:1 + 2 * count], values[1 + 3 * count:]


class Branch(Op):
    """What `then` computes if a condition holds, else what `otherwise` does; the other one is not computed.

    Its inputs are the condition and what both functions are given. What they say of sizes is checked for the one
    that is taken, when it is.
    """

    then: Function
    otherwise: Function

    def functions(self) -> Mapping[str, Function]:
        return {"then": self.then, "otherwise": self.otherwise}

    def infer(self, *inputs: Variable) -> list[TensorType]:
        condition, *given = inputs
        _check_condition(condition)
        sides = [self._types(function, given) for function in self.functions().values()]
        if len(sides[0]) != len(sides[1]):
            raise TypeMismatch(f"the branches give {len(sides[0])} and {len(sides[1])} values")
        return [_either(condition, then, otherwise) for then, otherwise in zip(*sides)]

    @staticmethod
    def _types(function: Function, given: Sequence[Variable]) -> list[TensorType]:
        """The types of a function's results for some arguments."""
        if len(given) != len(function.parameters):
            raise TypeMismatch(f"a branch takes {len(function.parameters)} arguments, not {len(given)}")
        for wanted, v in zip(function.parameters, given):
            if wanted.type.dtype != v.type.dtype or wanted.type.ndim != v.type.ndim:
                raise TypeMismatch(f"a branch takes {describe(wanted)}, and is given {describe(v)}")
        sizes = sizes_of(function, given)
        return [sizes.type(v.type) for v in function.results]

    def evaluate(self, *values: np.ndarray) -> Any:
        condition, *given = values
        return tuple(evaluate_graph((self.then if condition else self.otherwise).graph, given))

    def __repr__(self) -> str:
        return "branch"


def sizes_of(function: Function, given: Sequence[Variable]) -> Sizes:
    """What a function's sizes are for some arguments, if it is applied."""
    values = {number: size_of(v) for number, v in enumerate(given)
              if not v.type.ndim and v.type.dtype in INTEGERS}
    return Sizes(function, [v.type for v in given], values, applied=False)


def inlined(function: Function, given: Sequence[Variable]) -> list[Variable]:
    """The results of a function as expressions of some arguments."""
    made = dict(zip(function.parameters, given))
    sizes, sources = sizes_of(function, given), function.graph.sources

    def here(symbol: Symbol) -> Size | None:
        return sizes(dims.of_atom(symbol))

    for node in function.graph.nodes():
        with provenance.attributed(node.lines):
            if isinstance(node.op, SizeValue):  # what the function computes must lead from what tells it to its users
                told = {symbol: made.get(source, source) for symbol, source in sources.items() if here(symbol) is None}
                made[node.outputs[0]] = computed_size(dims.substitute(node.op.size, here), told)
            else:
                made.update(zip(node.outputs, node.op.make(*(made.get(v, v) for v in node.inputs))))
    return [made.get(v, v) for v in function.results]


def branch(condition: Variable, then: Sequence[Variable], otherwise: Sequence[Variable],
           inside: Sequence[Container[Variable]] = ((), ())) -> tuple[Variable, ...]:
    """The values `then` if a condition holds, else `otherwise`.

    Those in `inside`, one collection for each side, are computed only if this side is taken. There the condition
    is known.
    """
    given = [v for v in dict.fromkeys(captured(then, inside[0]) + captured(otherwise, inside[1])) if v is not condition]
    return Branch(enclosed(given, then, {condition: Constant(True)}),
                  enclosed(given, otherwise, {condition: Constant(False)})).make(condition, *given)


# -- from values to what computes them ---------------------------------------------------------------------

class _Place:
    """Where something is computed: in the whole expression, or in one side of a condition that is computed somewhere.

    `inside` are the variables computed just there.
    """

    def __init__(self, parent: _Place | None = None) -> None:
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.inside: set[Variable] = set()


def _common(one: _Place, other: _Place) -> _Place:
    """The innermost place that both are in."""
    while one is not other:
        if one.depth < other.depth:
            one, other = other, one
        assert one.parent is not None
        one = one.parent
    return one


def lazily(outputs: Sequence[Variable], given: Collection[Variable] = ()) -> list[Variable]:
    """`outputs` with a `Branch` for each `IfElse`, in which is computed what only this side needs.

    Expressions end at the variables in `given`.
    """
    stop = set(given)
    nodes = applications(outputs, stop)
    if not any(isinstance(node.op, IfElse) for node in nodes):
        return list(outputs)
    places = _Places(nodes, outputs)
    made: dict[Variable, Variable] = {}
    for node in nodes:
        with provenance.attributed(node.lines):
            new = places.computed(node, [made.get(v, v) for v in node.inputs])
        for old, variable in zip(node.outputs, new):
            variable.name = variable.name or old.name
            if old not in stop:
                made[old] = variable
    return [made.get(v, v) for v in outputs]


class _Places:
    """Where each node of an expression is computed: in the innermost place that all its users are in."""

    def __init__(self, nodes: Sequence[Apply], outputs: Sequence[Variable]) -> None:
        self.whole = _Place()
        self.sides: dict[Apply, tuple[_Place, _Place]] = {}
        self.of: dict[Apply, _Place] = {}
        self._used: dict[Variable, _Place] = dict.fromkeys(outputs, self.whole)
        for node in nodes:
            for size in node.op.sizes():  # which are known everywhere
                self._used.update((s.source, self.whole) for s in dims.symbols_of(size))
        for node in reversed(nodes):
            self._place(node)

    def _place(self, node: Apply) -> None:
        place = self.whole
        if not node.op.sizes():
            used = [self._used[v] for v in node.outputs if v in self._used]
            place = used[0]
            for other in used[1:]:
                place = _common(place, other)
        self.of[node] = place
        if not isinstance(node.op, IfElse):
            self._use(node.inputs, place)
            return
        condition, *values = node.inputs
        count = len(values) // 2
        self.sides[node] = then, otherwise = _Place(place), _Place(place)
        self._use([condition], place)
        self._use(values[:count], then)
        self._use(values[count:], otherwise)

    def _use(self, variables: Sequence[Variable], place: _Place) -> None:
        for variable in variables:
            known = self._used.get(variable)
            self._used[variable] = place if known is None else _common(known, place)

    def computed(self, node: Apply, inputs: Sequence[Variable]) -> Sequence[Variable]:
        """What a node computes when its inputs have become others."""
        if node in self.sides:
            condition, *values = inputs
            count = len(values) // 2
            made = branch(condition, values[:count], values[count:], [side.inside for side in self.sides[node]])
        else:
            same = all(new is old for new, old in zip(inputs, node.inputs))
            made = node.outputs if same else node.op.make(*inputs)
        self.of[node].inside.update(made)
        return made
