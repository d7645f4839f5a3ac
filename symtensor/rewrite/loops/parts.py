"""Parts of loops that are not needed, are there twice, or are the same in all steps.

>>> from symtensor.types.tensor import TensorType
>>> x, n = TensorType("float64", ())("x"), TensorType("int64", ())("n")
>>> same = Variable(x.type)
>>> node = next(iter(Loop(n, [Carry(same, x, same)]).make().values())).owner
>>> view = View(node, {node.outputs[0]: [None]})
>>> carries_that_stay(view), view.loop.carries, view.replacement()
(True, [], [x])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from symtensor.ir.graph import Graph, applications
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.elementwise import zeros_like
from symtensor.ops.index import Entry, Subtensor
from symtensor.ops.loop import Carry, Loop, Stack
from symtensor.ops.shape import broadcast_to, expand_dims
from symtensor.ops.size import size_of, size_value
from symtensor.rewrite.loops.view import Expression, View

__all__ = ["carries_that_stay", "equal_carries", "equal_inputs", "equal_stacks", "invariants", "only_the_last",
           "without_dead_parts"]


# -- what is not needed -----------------------------------------------------------------------------------

def only_the_last(view: View) -> bool:
    """A stack of which only the last row is read is a carried value."""
    changed = False
    for position, (variable, output) in enumerate(zip(view.node.outputs, view.outputs)):
        readers = view.users.get(variable, ())
        if not isinstance(output, Stack) or not readers or not all(_reads_last(view, user) for user in readers):
            continue
        carry = next((c for c in view.loop.carries if c.new is output.value), None)
        if carry is None:
            row = output.value
            carry = view.loop.carry(Variable(row.type), _zeros_of_row(variable))
            carry.new = row
        view.outputs[position] = Expression([carry], partial(_as_rows, variable))
        changed = True
    return changed


def _zeros_of_row(array: Variable) -> Variable:
    return broadcast_to(zeros_like(array), list(map(size_value, array.type.shape[1:])))


def _as_rows(array: Variable, last: Variable) -> Variable:
    """An array with the last row of another one, the only one that is read: that row, spread."""
    return broadcast_to(expand_dims(last, [0]), list(map(size_value, array.type.shape)))


def _reads_last(view: View, user: Apply | None) -> bool:
    if user is None or not isinstance(user.op, Subtensor) or user.op.entries[0] != Entry(pick=True):
        return False
    place, done = size_of(user.inputs[1]), size_of(view.node.outputs[-1] if view.loop.stop is not None
                                                  else view.node.inputs[-1])
    return place == done - 1 or (view.loop.stop is None and place == -1)


def without_dead_parts(view: View) -> bool:
    """Stacks that nothing uses, and carried values that nothing used depends on, go."""
    loop, used = view.loop, view.used()
    stacks = [one for one in loop.stacks if one in used]
    needed = [one.value for one in stacks] + ([] if loop.stop is None else [loop.stop])
    alive = {carry for carry in loop.carries if carry in used}
    needed += [carry.new for carry in alive]
    while True:
        reached = loop.read(needed)
        fresh = [carry for carry in loop.carries if carry not in alive and carry.own in reached]
        if not fresh:
            break
        alive.update(fresh)
        needed += [carry.new for carry in fresh]
    changed = len(stacks) < len(loop.stacks) or len(alive) < len(loop.carries)
    measured = loop.measured(needed)
    loop.others.update((carry.own, carry.first) for carry in loop.carries
                       if carry not in alive and carry.own in measured)
    loop.stacks, loop.carries = stacks, [carry for carry in loop.carries if carry in alive]
    return loop.forget_unused() or changed


# -- what is computed twice -------------------------------------------------------------------------------

def equal_inputs(view: View) -> bool:
    """Rows of one array, and one value given twice, are one; numbers are known inside."""
    loop = view.loop
    mapping: dict[Variable, Variable] = {}
    for arrays in (loop.rows, loop.others):
        seen: dict[Variable, Variable] = {}
        for own, given in arrays.items():
            if arrays is loop.others and isinstance(given, Constant) and not given.type.ndim:
                mapping[own] = given
            elif seen.setdefault(given, own) is not own:
                mapping[own] = seen[given]
    if mapping:
        loop.replace(mapping)
        loop.forget_unused()
    return bool(mapping)


def equal_carries(view: View) -> bool:
    """Carried values that start as one value, and of which each step makes one value, are one.

    They are taken to be equal until that proves wrong; what remains is true by induction.
    """
    loop = view.loop
    classes = _classes(loop.carries, lambda carry: carry.first)
    while len(classes) < len(loop.carries):
        leader = {carry.own: members[0].own for members in classes for carry in members[1:]}
        new = dict(zip(loop.carries, _interned(loop, leader)))
        finer = [part for members in classes for part in _classes(members, new.__getitem__)]
        if len(finer) == len(classes):
            break
        classes = finer
    if len(classes) == len(loop.carries):
        return False
    double = [(carry, members[0]) for members in classes for carry in members[1:]]
    loop.replace({carry.own: first.own for carry, first in double})
    view.same.update(double)
    loop.carries = [members[0] for members in classes]
    return True


def _classes(carries: Iterable[Carry], key: Callable[[Carry], Variable]) -> list[list[Carry]]:
    found: dict[Variable, list[Carry]] = {}
    for carry in carries:
        found.setdefault(key(carry), []).append(carry)
    return list(found.values())


def _interned(loop: Loop, mapping: Mapping[Variable, Variable]) -> list[Variable]:
    """What the carried values become if variables are replaced: equal ones are one object."""
    copy = Loop(loop.steps, [Carry(c.own, c.first, c.new) for c in loop.carries])
    copy.replace(mapping)
    return Graph(loop.parameters, [carry.new for carry in copy.carries]).outputs


def equal_stacks(view: View) -> bool:
    """A value is stacked once."""
    first: dict[Variable, Stack] = {}
    for one in view.loop.stacks:
        if first.setdefault(one.value, one) is not one:
            view.same[one] = first[one.value]
    changed = len(first) < len(view.loop.stacks)
    view.loop.stacks = list(first.values())
    return changed


# -- what is the same in all steps ------------------------------------------------------------------------

def carries_that_stay(view: View) -> bool:
    """A carried value that no step changes is the same for all steps."""
    loop = view.loop
    fixed = [carry for carry in loop.carries if carry.new is carry.own]
    for carry in fixed:
        loop.carries.remove(carry)
        loop.others[carry.own] = view.fixed[carry] = carry.first
    return bool(fixed)


def invariants(view: View) -> bool:
    """What depends on nothing that changes from step to step is computed once, outside."""
    loop = view.loop
    varying = {carry.own for carry in loop.carries} | set(loop.rows)
    nodes = applications(loop.results, set(loop.parameters))
    heavy: set[Variable] = set()
    for node in nodes:
        if any(v in varying for v in node.inputs):
            varying.update(node.outputs)
        elif not node.op.moves and any(not isinstance(v, Constant) for v in node.inputs):
            heavy.update(node.outputs)
    uses = [v for node in nodes if node.outputs[0] not in heavy for v in node.inputs] + loop.results
    outside = list(dict.fromkeys(v for v in uses if v in heavy))
    if not outside:
        return False
    copies = {v: Variable(v.type, name=v.name or repr(v)) for v in outside}
    for variable, value in zip(outside, loop.outside(outside, loop.others)):
        loop.others[copies[variable]] = value
    loop.replace(copies)
    loop.forget_unused()
    return True
