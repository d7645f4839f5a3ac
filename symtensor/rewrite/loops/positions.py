"""Positions that change from step to step of a loop: elements are gathered and scattered there, not sliced.

The place of a slice is a size, which a program knows before it runs; what a step computes is none.

>>> from symtensor.types.tensor import TensorType
>>> x, i = TensorType("float64", (None, None))("x"), TensorType("int64", ())("i")
>>> elements_at([subtensor(x, [i, slice(1, None)])], {i})
{x[i, 1:]: gather[0](x[:, 1:], wrap_index(i, ...))}
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from symtensor.ir import provenance
from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Variable
from symtensor.ops.branch import Branch
from symtensor.ops.index import SetSubtensor, Subtensor, gather, scatter, set_subtensor, subtensor
from symtensor.rewrite.loops.view import View

__all__ = ["elements_at", "positions_in_steps"]


def positions_in_steps(view: View) -> bool:
    """What is read or written at a place that only a step knows is gathered or scattered."""
    loop = view.loop
    found = elements_at(loop.results, {carry.own for carry in loop.carries} | set(loop.rows))
    if found:
        loop.replace(found)
    return bool(found)


def elements_at(results: Sequence[Variable], varying: Collection[Variable]) -> dict[Variable, Variable]:
    """For each part read or written at positions among `varying`, or computed from them, the same by gathering."""
    changing = set(varying)
    found: dict[Variable, Variable] = {}
    for node in applications(results, set(varying)):
        if not any(v in changing for v in node.inputs):
            continue
        changing.update(node.outputs)
        with provenance.attributed(node.lines):
            found.update(_elements(node, changing))
    return found


def _elements(node: Apply, changing: Collection[Variable]) -> dict[Variable, Variable]:
    """What to put for a node's outputs, if it reads or writes at positions that change."""
    if isinstance(node.op, Branch):
        return _in_sides(node, changing)
    if not isinstance(node.op, (Subtensor, SetSubtensor)):
        return {}
    fixed, moving = _index(node, changing)
    made = _read if isinstance(node.op, Subtensor) else _written
    return {node.outputs[0]: made(node, fixed, moving)} if moving else {}


def _in_sides(node: Apply, changing: Collection[Variable]) -> dict[Variable, Variable]:
    """A branch's outputs, if in its sides elements are gathered at positions that change."""
    sides = []
    for side in node.op.functions().values():
        varying = {own for own, given in zip(side.parameters, node.inputs[1:]) if given in changing}
        found = elements_at(side.results, varying)
        sides.append(side.replaced(found) if found else side)
    made = Branch(*sides)
    return {} if made == node.op else dict(zip(node.outputs, made.make(*node.inputs)))


def _index(node: Apply, changing: Collection[Variable]) -> tuple[list[Any], dict[int, Variable]]:
    """A node's index with what changes left out, and that, by its axis in what the index gives."""
    op = node.op
    assert isinstance(op, (Subtensor, SetSubtensor))
    bounds = iter(node.inputs[1 if isinstance(op, Subtensor) else 2:])
    fixed: list[Any] = []
    moving: dict[int, Variable] = {}
    for entry in op.entries:
        index = entry.index(bounds)
        if entry.pick and index in changing:
            moving[sum(isinstance(one, slice) for one in fixed)] = index
            index = slice(None)
        fixed.append(index)
    return fixed, moving


def _read(node: Apply, fixed: Sequence[Any], moving: dict[int, Variable]) -> Variable:
    return gather(subtensor(node.inputs[0], fixed), moving)


def _written(node: Apply, fixed: Sequence[Any], moving: dict[int, Variable]) -> Variable:
    x, y = node.inputs[:2]
    assert isinstance(node.op, SetSubtensor)
    part = subtensor(x, fixed)
    new = scatter(part, moving, y, node.op.add)
    return new if part is x else set_subtensor(x, fixed, new)
