"""What `scan` iterates over and what it hands from step to step, from Theano's forms of saying so.

>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> [one] = sequenced({"input": x, "taps": [-1, 0]}, backwards=False)
>>> one.elements, one.rows
([x[t-1], x[t]], [x[:-1], x[1:]])
>>> [info] = recurrences([{"initial": x, "taps": [-2, -1]}])
>>> info.taps_given()
[x[t-2], x[t-1]]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from symtensor.base.errors import GraphError, TypeMismatch
from symtensor.ir.node import Variable, complaint
from symtensor.ir.trial import hand_on
from symtensor.ops.convert import as_variable, is_weak
from symtensor.ops.elementwise import cast
from symtensor.ops.index import subtensor
from symtensor.types.tensor import TensorType

__all__ = ["Recurrence", "Sequenced", "entries", "recurrences", "sequenced"]


def entries(value: Any) -> list[Any]:
    """The entries of a list or tuple, or the one value; none for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _named(variable: Variable, tap: int) -> str:
    return f"{variable!r}[t{tap:+d}]" if tap else f"{variable!r}[t]"


def _row_type(variable: Variable) -> TensorType:
    return TensorType.of(variable.type.dtype, variable.type.shape[1:])


def _taps(value: Any, what: str) -> tuple[int, ...]:
    taps = tuple(value) if isinstance(value, (list, tuple, range)) else (value,)
    if not taps or not all(isinstance(tap, int) for tap in taps) or len(set(taps)) < len(taps):
        raise GraphError(f"taps of {what} are different integers, not {value!r}", fix="taps=[-1, 0]")
    return taps


def _options(entry: Any, own: str, known: Sequence[str], what: str) -> dict[str, Any]:
    """What an entry says, as a dict; one that is no dict says its `own`. Raises GraphError for an unknown key."""
    options = dict(entry) if isinstance(entry, Mapping) else {own: entry}
    if "return_steps" in options:
        raise GraphError(f"{what} does not say how many results are returned", fix="take them: outputs[-n:]")
    for key in options:
        if key not in known:
            raise GraphError(f"{what} given as a dict has no {key!r}", fix="its keys are " + ", ".join(known))
    return options


# -- sequences --------------------------------------------------------------------------------------------

@dataclass
class Sequenced:
    """A sequence: for each tap the variable that a step is given, and the array whose row t it is in step t."""

    elements: list[Variable]
    rows: list[Variable]


def sequenced(sequences: Any, backwards: bool) -> list[Sequenced]:
    """What a loop iterates over. Raises TypeMismatch for what has no first axis, GraphError for wrong taps."""
    return [_sequence(entry, backwards) for entry in entries(sequences)]


def _sequence(entry: Any, backwards: bool) -> Sequenced:
    options = _options(entry, "input", ("input", "taps"), "a sequence")
    if "input" not in options:
        raise GraphError(f"a sequence given as a dict has an input, and {entry!r} has none",
                         fix="dict(input=x, taps=[0])")
    x = as_variable(options["input"])
    if not x.type.ndim:
        raise complaint(TypeMismatch, f"scan iterates over the first axis of a sequence, and {x!r} has none", x,
                        fix="put it into non_sequences")
    taps = _taps(options.get("taps", 0), repr(x))
    before, after = min(*taps, 0), max(*taps, 0)
    elements = [Variable(_row_type(x), name=_named(x, tap)) for tap in taps]
    for element, tap in zip(elements, taps):
        hand_on(element, partial(subtensor, x, [tap - before]))
    rows = [subtensor(x, [slice(tap - before or None, tap - after or None)]) for tap in taps]
    return Sequenced(elements, [subtensor(r, [slice(None, None, -1)]) for r in rows] if backwards else rows)


# -- results that later steps are given -------------------------------------------------------------------

@dataclass
class Recurrence:
    """A result of the step: what it starts from (None if no step is given it), and which steps before are given.

    `given` has the variable for the result of each step before, the last one first.
    """

    initial: Variable | None
    taps: tuple[int, ...]
    stacked: bool = False
    weak: bool = False
    given: list[Variable] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.initial is None:
            return
        type = _row_type(self.initial) if self.stacked else self.initial.type
        self.given = [Variable(type, name=_named(self.initial, -back)) for back in range(1, -min(self.taps) + 1)]
        for back, own in enumerate(self.given):
            hand_on(own, partial(self._first, self.initial, back))

    def taps_given(self) -> list[Variable]:
        """The variables a step function is called with, in the order of the taps."""
        return [self.given[-tap - 1] for tap in self.taps]

    def adapt(self, result: Variable) -> bool:
        """Let a number that the loop starts from take the dtype of the result; whether that changed anything."""
        if not self.weak or self.initial is None or self.initial.type.dtype == result.type.dtype:
            return False
        self.initial = cast(self.initial, result.type.dtype)
        self.weak = False
        self.__post_init__()
        return True

    def carried(self) -> list[tuple[Variable, Variable]]:
        """What is handed from step to step, and the first value of each."""
        initial = self.initial
        return [] if initial is None else [(own, self._first(initial, back)) for back, own in enumerate(self.given)]

    def _first(self, initial: Variable, back: int) -> Variable:
        """What the first step is given for the result of so many more steps before the last."""
        return subtensor(initial, [len(self.given) - 1 - back]) if self.stacked else initial  # type: ignore[no-any-return]

    def advanced(self, result: Variable) -> list[Variable]:
        """What the next step is handed, when this one gave `result`."""
        return [result, *self.given[:-1]] if self.given else []


def recurrences(outputs_info: Any) -> list[Recurrence] | None:
    """What outputs_info says of each result; None if it says nothing. Raises GraphError for wrong taps."""
    if outputs_info is None:
        return None
    return [_recurrence(entry) for entry in entries(outputs_info)] or None


def _recurrence(entry: Any) -> Recurrence:
    options = _options(entry, "initial", ("initial", "taps", "inplace"), "outputs_info")  # (inplace: for Theano's sake)
    initial = options.get("initial")
    if initial is None:
        if options.get("taps"):
            raise GraphError("outputs_info gives taps without an initial value",
                             fix="dict(initial=x, taps=[-1]) with a row for each step before the first")
        return Recurrence(None, ())
    taps = _taps(options["taps"], "outputs_info") if options.get("taps") is not None else (-1,)
    if max(taps) >= 0:
        raise GraphError(f"outputs_info may look back only, not at taps {list(taps)}", fix="taps=[-1]")
    variable = as_variable(initial)
    stacked = taps != (-1,)
    if stacked and not variable.type.ndim:
        raise complaint(TypeMismatch, f"for taps {list(taps)} the initial value has a row for each step before the"
                        " first", variable, fix="stack them: T.stack([...])")
    return Recurrence(variable, taps, stacked, is_weak(initial))
