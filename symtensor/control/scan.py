"""`scan`: a Python function as the step of a loop, with Theano's interface.

>>> import numpy as np
>>> import symtensor as st
>>> import symtensor.tensor as T
>>> a, k = T.dvector("a"), T.iscalar("k")
>>> powers, updates = scan(lambda power, a: power * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
>>> st.function([a, k], powers[-1])([1.0, 2.0, 3.0], 4)
array([ 1., 16., 81.])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from symtensor.base.errors import GraphError, MissingInputError, TypeMismatch
from symtensor.control.arguments import Recurrence, Sequenced, entries, recurrences, sequenced
from symtensor.control.blocks import Blocks, as_blocks
from symtensor.control.tracing import closed
from symtensor.ir.graph import leaves
from symtensor.ir.node import Constant, Variable, complaint, describe
from symtensor.ops.control import Scan
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.ops.scalar import minimum
from symtensor.ops.size import dimension
from symtensor.runtime.shared import SharedVariable
from symtensor.types.dtype import INTEGERS

__all__ = ["scan", "until"]

Updates = dict[SharedVariable, Variable]


class until:
    """What a step returns after its results to say when the loop ends: after the first step where it holds.

    >>> powers, _ = scan(lambda p: (p * 2, until(p > 4)), outputs_info=as_variable(1.0), n_steps=100)
    >>> powers.eval()
    array([ 2.,  4.,  8., 16.])
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_variable(condition)
        if self.condition.type.ndim:
            raise complaint(TypeMismatch, "the condition to end a loop must be a scalar", self.condition,
                            fix="use any() or all()")


def scan(fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
         n_steps: Any = None, truncate_gradient: int = -1, go_backwards: bool = False, mode: Any = None,
         name: str | None = None, profile: Any = False, allow_gc: Any = None, strict: bool = False,
         return_list: bool = False, save_every: Any = None, save_bytes: Any = None) -> tuple[Any, Updates]:
    """Call `fn` for each step of a loop: the stacked results, and the updates of shared variables.

    `sequences` are iterated over along their first axis: variables, or dicts of `input` and `taps`, the places read
    relative to the step. `outputs_info` says of each result what it starts from: None for one that no later step
    needs, a variable for one that the next step is given, a dict of `initial` and `taps` for one that later
    steps are given; with other taps than [-1] the initial value has a row for each step before the first.
    `fn` is given rows of the sequences, then results of steps before, then `non_sequences`. It returns its results;
    after them a dict of updates of shared variables, or `until(condition)`, or both.

    Without `n_steps` the loop goes through the shortest sequence. A negative number goes backwards, if it is
    known now: a variable may not be negative.
    `truncate_gradient` is how many steps derivatives go back. With `save_every` they keep what is handed on every so
    many steps only, and compute the steps between anew; with `save_bytes`, in blocks that keep no more bytes than that,
    or as few as they can. With `strict`, fn may use only what it is given.
    `mode`, `name`, `profile` and `allow_gc` are accepted for Theano's sake. One result is returned alone unless
    `return_list`. Raises TypeMismatch, ShapeError, GraphError, MissingInputError.

    >>> sums, _ = scan(lambda v, total: total + v, as_variable([1.0, 2.0, 3.0]), as_variable(0.0))
    >>> sums.eval()
    array([1., 3., 6.])
    """
    n_steps = None if n_steps is None else _number(n_steps)
    if isinstance(n_steps, Constant) and n_steps.data < 0:
        n_steps, go_backwards = as_variable(-int(n_steps.data)), not go_backwards
    over = sequenced(sequences, go_backwards)
    steps = cast(_shortest(over) if n_steps is None else n_steps, "int64")
    infos = recurrences(outputs_info)
    others = [as_variable(v) for v in entries(non_sequences)]
    traced = _Traced(fn, over, infos, others)
    if strict:
        _check_strict(traced, others)
    outputs, updates = _loop(traced, steps, truncate_gradient, as_blocks(save_every, save_bytes))
    if len(outputs) == 1 and not return_list:
        return outputs[0], updates
    return (outputs or None), updates


def _number(n_steps: Any) -> Variable:
    """The number of steps that is given."""
    steps = as_variable(n_steps)
    if steps.type.ndim or steps.type.dtype not in INTEGERS:
        raise complaint(TypeMismatch, "n_steps must be an integer scalar", steps, fix="cast it to int64")
    return steps


def _shortest(over: Sequence[Sequenced]) -> Variable:
    """The length of the shortest sequence."""
    lengths = [dimension(rows, 0) for one in over for rows in one.rows]
    if not lengths:
        raise GraphError("scan does not know how many steps to take", fix="give n_steps, or sequences to iterate over")
    return reduce(minimum, lengths)


class _Traced:
    """What one call of a step function returned: the results, the updates, and when to stop."""

    def __init__(self, fn: Callable[..., Any], over: Sequence[Sequenced], infos: list[Recurrence] | None,
                 others: Sequence[Variable]) -> None:
        self.over = over
        arguments: list[Variable] = [v for one in over for v in one.elements]
        while True:
            taps = [v for info in infos or () for v in info.taps_given()]
            results, updates, condition = _parsed(_called(fn, [*arguments, *taps, *others]))
            self.results = [as_variable(result) for result in results]
            self.infos = _fitting(infos, len(self.results))
            if not any([info.adapt(result) for info, result in zip(self.infos, self.results)]):
                break  # numbers that the loop starts from have the dtype of the results by now
        self.condition = condition
        self.updates = _with_defaults(updates, [*self.results, *([condition] if condition is not None else [])])


def _called(fn: Callable[..., Any], given: Sequence[Variable]) -> Any:
    """What a step function returns. Raises GraphError if it does not take what it is given."""
    try:
        signature = inspect.signature(fn)
    except ValueError:  # what has no signature is called as it is
        return fn(*given)
    try:
        signature.bind(*given)
    except TypeError as error:
        raise GraphError(f"the step function takes {signature}, and is called with {len(given)} values: rows of"
                         " sequences, results of steps before, non_sequences", operands=map(describe, given),
                         fix="give it a parameter for each of them") from error
    return fn(*given)


def _fitting(infos: list[Recurrence] | None, count: int) -> list[Recurrence]:
    if infos is None:
        return [Recurrence(None, ()) for _ in range(count)]
    if len(infos) != count:
        raise GraphError(f"the step function returns {count} results, and outputs_info describes {len(infos)}",
                         fix="give one entry for each result, None for one that no later step needs")
    return infos


def _parsed(returned: Any) -> tuple[list[Any], dict[Any, Any], Variable | None]:
    """Results, updates and condition of what a step function returned, in Theano's forms."""
    condition: Variable | None = None
    updates: dict[Any, Any] = {}
    entries = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    if entries and isinstance(entries[-1], until):
        condition = entries.pop().condition
    if entries and _are_updates(entries[-1]):
        updates = dict(entries.pop())
    elif len(entries) == 2 and _are_updates(entries[0]):
        updates, entries = dict(entries[0]), entries[1:]
    elif entries and all(isinstance(e, tuple) and len(e) == 2 and isinstance(e[0], SharedVariable) for e in entries):
        updates, entries = dict(entries), []
    if len(entries) == 1 and isinstance(entries[0], (list, tuple)):
        entries = list(entries[0])
    return [entry for entry in entries if entry is not None], updates, condition


def _are_updates(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list) and bool(value) and all(
        isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], SharedVariable) for entry in value)


def _with_defaults(updates: Mapping[Any, Any], results: Iterable[Variable]) -> Updates:
    """The updates a step makes, default updates of the shared variables it uses among them."""
    found: Updates = {}
    for shared, value in updates.items():
        if not isinstance(shared, SharedVariable):
            raise TypeMismatch(f"a step can update shared variables only, not {shared!r}",
                               fix="make it with shared(value)")
        found[shared] = as_variable(value)
    while True:
        used = leaves([*results, *found.values()])
        fresh = [v for v in used if isinstance(v, SharedVariable) and v.default_update is not None and v not in found]
        if not fresh:
            return found
        found.update((v, as_variable(v.default_update)) for v in fresh)


def _check_strict(traced: _Traced, others: Sequence[Variable]) -> None:
    """Raise unless the step uses only what it is given."""
    given = {*others, *traced.updates, *(v for one in traced.over for v in one.elements),
             *(v for info in traced.infos for v in info.given)}
    for variable in leaves([*traced.results, *traced.updates.values()], given):
        if variable not in given and not isinstance(variable, Constant):
            raise MissingInputError(f"the step uses {variable!r}, which strict=True does not allow",
                                    operands=[describe(variable)], fix="add it to non_sequences")


def _loop(traced: _Traced, steps: Variable, truncate: int, blocks: Blocks | None) -> tuple[list[Variable], Updates]:
    """The loop itself: outputs stacked, and the updates it makes."""
    carried = [pair for info in traced.infos for pair in info.carried()]
    carried += [(shared, shared) for shared in traced.updates]
    rows = [pair for one in traced.over for pair in zip(one.elements, one.rows)]
    new_values = [v for info, result in zip(traced.infos, traced.results) for v in info.advanced(result)]
    condition = [] if traced.condition is None else [cast(traced.condition, "bool")]
    step, captured = closed([own for own, _ in carried + rows],
                            [*new_values, *traced.updates.values(), *traced.results, *condition])
    op = Scan(step, len(carried), len(rows), until=bool(condition), truncate=truncate)
    inputs = [*(first for _, first in carried), *(array for _, array in rows), *captured, steps]
    made = op.make(*inputs) if blocks is None else blocks.make(op, inputs)
    finals = made[len(new_values):len(carried)]
    outputs = list(made[len(carried):len(carried) + len(traced.results)])
    if condition:
        outputs = [subtensor(output, [slice(None, made[-1])]) for output in outputs]
    return outputs, dict(zip(traced.updates, finals))
