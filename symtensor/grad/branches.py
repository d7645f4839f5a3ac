"""Derivatives of branches: the derivative of a branch is a branch between the derivatives of its sides.

So what is needed for the derivative of a side is computed only if that side is taken.

>>> from symtensor.grad.reverse import grad
>>> from symtensor.ir.interpret import evaluate
>>> from symtensor.ops.branch import IfElse, lazily
>>> from symtensor.types.tensor import TensorType
>>> c, x = Variable(TensorType("bool", ()), name="c"), Variable(TensorType("float64", ()), name="x")
>>> chosen, = lazily(IfElse().make(c, x * x, x * 3))
>>> slope = grad(chosen, x)
>>> evaluate([slope], {x: 5.0, c: True}), evaluate([slope], {x: 5.0, c: False})
([array(10.)], [array(3.)])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symtensor.grad.forward import pushforward
from symtensor.grad.local import Rule
from symtensor.grad.reverse import pullback
from symtensor.ir.function import Function
from symtensor.ir.node import Apply, Op, Variable
from symtensor.ops.branch import Branch
from symtensor.ops.shape import zeros_as
from symtensor.types.dtype import CONTINUOUS

__all__ = ["RULES"]

Derivatives = Sequence[Variable | None]
Derive = Callable[[Function, Derivatives], Derivatives]


def _pullback(node: Apply, cotangents: Derivatives) -> Derivatives:
    def derive(function: Function, seeds: Derivatives) -> Derivatives:
        wrt = [v for v in function.parameters if v.type.dtype in CONTINUOUS]
        found = dict(zip(wrt, pullback(function.results, seeds, wrt)))
        return [found.get(v) for v in function.parameters]
    return [None, *_derived(node, cotangents, derive, "results", "parameters")]


def _pushforward(node: Apply, tangents: Derivatives) -> Derivatives:
    def derive(function: Function, seeds: Derivatives) -> Derivatives:
        return pushforward(function.results, function.parameters, seeds)
    return _derived(node, tangents[1:], derive, "parameters", "results")


def _derived(node: Apply, given: Derivatives, derive: Derive, of: str, into: str) -> Derivatives:
    """What `derive` makes, in each side, of the derivatives `given`.

    These are derivatives of, and become derivatives of, the functions' "parameters" or "results".
    """
    sides: list[tuple[Function, list[Variable], Derivatives]] = []
    for function in node.op.functions().values():
        seeds = [None if one is None else Variable(template.type, name=one.name)
                 for one, template in zip(given, getattr(function, of))]
        sides.append((function, [v for v in seeds if v is not None], derive(function, seeds)))
    wanted = [number for number, pair in enumerate(zip(*(found for _, _, found in sides))) if pair != (None, None)]
    if not wanted:
        return [None] * len(sides[0][2])
    functions = [Function.of([*function.parameters, *seeds],
                             [zeros_as(getattr(function, into)[number]) if (one := found[number]) is None else one
                              for number in wanted])
                 for function, seeds, found in sides]
    made = Branch(*functions).make(*node.inputs, *(one for one in given if one is not None))
    places = dict(zip(wanted, made))
    return [places.get(number) for number in range(len(sides[0][2]))]


RULES: dict[tuple[type[Op], str], Rule] = {(Branch, "pullback"): _pullback, (Branch, "pushforward"): _pushforward}
"""The derivatives of branches, by op and mode; see `grad.local`."""
