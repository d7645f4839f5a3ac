"""Expressions as formulas in Python's notation: what `pp` prints and what messages call an expression.

How an application is written is said by its op: as an operator between or before its operands, as a call, or in the
way of its own that its method `formula` gives.

>>> operator("add", ["x", "1"]), operator("neg", ["x"]), operator("exp", ["x"])
(['(', 'x', ' + ', '1', ')'], ['(-', 'x', ')'], ['exp(', 'x', ')'])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from symtensor.ir.node import Variable

__all__ = ["Piece", "formula", "operator", "separated"]

_INFIX = {"add": "+", "sub": "-", "mul": "*", "true_div": "/", "floor_div": "//", "mod": "%", "power": "**", "eq": "==",
          "neq": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and_": "&", "or_": "|", "xor": "^", "matmul": "@"}
_PREFIX = {"neg": "-", "invert": "~"}
_LONGEST = 80

Piece = Union[str, "Variable"]
"""A part of a formula: text, or a variable where its own formula goes."""


def operator(name: str, operands: Sequence[Piece]) -> list[Piece]:
    """The pieces of an application of the op called `name`: with Python's operator of that meaning, or as a call."""
    if name in _INFIX and len(operands) == 2:
        return ["(", operands[0], f" {_INFIX[name]} ", operands[1], ")"]
    if name in _PREFIX and len(operands) == 1:
        return [f"({_PREFIX[name]}", operands[0], ")"]
    return [f"{name}(", *separated([[operand] for operand in operands]), ")"]


def separated(parts: Iterable[Sequence[Piece]]) -> list[Piece]:
    """Parts with commas between them."""
    result: list[Piece] = []
    for part in parts:
        result += [", ", *part] if result else part
    return result


def formula(variable: Variable, leaf: Callable[[Variable], str] = repr, depth: int | None = None) -> str:
    """The formula of a variable. With a `depth` it is brief: named expressions are their names, and deeper ones dots.

    `leaf` writes variables that nothing computes.
    """
    text: list[str] = []
    pending: list[tuple[Piece, int]] = [(variable, 0)]
    while pending:
        piece, level = pending.pop()
        if isinstance(piece, str):
            text.append(piece)
        elif piece.owner is None or (depth is not None and piece.name):
            text.append(leaf(piece))
        elif level == depth:
            text.append("...")
        else:
            pending += [(part, level + 1) for part in reversed(_pieces(piece))]
    return "".join(text) if depth is None else _cut("".join(text))


def _pieces(variable: Variable) -> list[Piece]:
    node = variable.owner
    assert node is not None
    pieces = node.op.formula(node.inputs)
    return [*pieces, f"[{variable.index}]"] if len(node.outputs) > 1 else pieces


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
