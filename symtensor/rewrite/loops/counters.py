"""Whole numbers to which each step adds the same: they follow from the number of the step, and need not be carried.

>>> from symtensor.types.tensor import TensorType
>>> i, x, n = (Variable(TensorType(dtype, ()), name=name) for dtype, name in (
...     ("int64", "i"), ("float64", "x"), ("int64", "n")))
>>> loop = Loop(n, [Carry(i, Constant(3), i + 2), Carry(x, x, x * i)])
>>> node = next(iter(loop.make().values())).owner
>>> view = View(node, {output: [None] for output in node.outputs})
>>> counters(view), [carry.own for carry in view.loop.carries], view.loop.carries[0].new
(True, [x], (x * float64(...)))
"""

from __future__ import annotations

from functools import partial

from symtensor.ir.graph import applications
from symtensor.ir.node import Constant, Variable
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise, cast
from symtensor.ops.index import Iota
from symtensor.ops.loop import Carry, Loop
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.loops.view import Expression, View
from symtensor.types import dim as dims
from symtensor.types.dtype import INTEGERS

__all__ = ["counters"]


def counters(view: View) -> bool:
    """A whole number to which each step adds the same is no longer carried, where steps go element by element.

    Integers wrap around, so products give what sums do. In other loops a carried value is changed in place, and a
    sequence of the steps' numbers would take memory.
    """
    loop = view.loop
    nodes = applications(loop.results, set(loop.parameters))
    if not all(node.op.moves or isinstance(node.op, Elementwise) for node in nodes):
        return False
    found = [(carry, added) for carry in loop.carries if (added := _added(loop, carry)) is not None]
    for carry, added in found:
        first = Variable(carry.own.type, name=carry.own.name)
        loop.others[first] = carry.first
        (outside,) = loop.outside([added], loop.others)
        view.replaced[carry] = Expression((None,), partial(_after, carry.first, outside))
        loop.carries.remove(carry)
        loop.replace({carry.own: _after(first, added, _steps_before(loop))})
    if found:
        loop.forget_unused()
    return bool(found)


def _added(loop: Loop, carry: Carry) -> Variable | None:
    """What each step adds to a whole number, if it is always the same."""
    added = carry.added
    if added is None or carry.own.type.dtype not in INTEGERS:
        return None
    fixed = all(isinstance(v, Constant) or v in loop.others for v in loop.read([added]))
    return added if fixed else None


def _after(first: Variable, added: Variable, steps: Variable) -> Variable:
    """A counter after some steps."""
    counted = scalar.mul(cast(steps, first.type.dtype), added)
    return scalar.add(first, counted)  # type: ignore[no-any-return]


def _steps_before(loop: Loop) -> Variable:
    """How many steps were before this one, inside a step."""
    number = next((own for own, given in loop.rows.items() if given.owner is not None
                   and isinstance(given.owner.op, Iota)), None)
    if number is None:
        array = Iota()(size_value(dims.maximum(size_of(loop.steps), 0)))
        number = Variable(loop.steps.type, name="t")
        loop.rows[number] = array
    if not loop.backwards:
        return number
    steps = Variable(loop.steps.type, name="steps")
    loop.others[steps] = loop.steps
    return scalar.sub(scalar.sub(steps, Constant(1)), number)  # type: ignore[no-any-return]
