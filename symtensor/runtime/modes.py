"""Modes: by which rules a function is rewritten, and what looks on while it runs.

A `Mode` compiles. The others run a function op by op, by NumPy's meaning of each, and tell of it: MonitorMode calls
functions of the user's, NanGuardMode stops where a number is not finite, and DebugMode checks the compiler itself.

>>> from symtensor.runtime.function import function
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None,))("x")
>>> def tell(i, node, fn): print(i, node.op, fn.outputs[0][0])
>>> f = function([x], x * 2 + 1, mode=MonitorMode(post_func=tell))
>>> f([1.0, 2.0])
0 mul [2. 4.]
1 add [3. 5.]
array([3., 5.])
>>> get_mode("FAST_RUN").excluding("stabilize").choice().excluded
frozenset({'stabilize'})
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import ConfigError, InvalidValueError
from symtensor.ir import provenance
from symtensor.ir.interpret import Step, Watch
from symtensor.ir.node import Constant
from symtensor.rewrite.phases import PIPELINE, Choice
from symtensor.rewrite.tags import named
from symtensor.types.dtype import kind_of

__all__ = ["DebugMode", "Mode", "MonitorMode", "NanGuardMode", "detect_nan", "get_default_mode", "get_mode",
           "register_mode"]

OneMode = TypeVar("OneMode", bound="Mode")
_LEVELS = {"merge": "None", "o1": "fast_compile", "o2": "fast_run", "o3": "fast_run", "o4": "fast_run"}
"""Theano's further names of levels. What o2 to o4 differ in there, memory used again, is planned here always."""
_INTERPRETED = ("py", "numpy")
_BIG = 1e10


@dataclass
class Mode:
    """How a function is made and run.

    `linker`: "py" or "numpy" runs it op by op in NumPy; any other of Theano's names compiles, by default what the
    option `backend` says. `optimizer`: the level of rewriting, by default that of the option; None for none. Raises
    ConfigError for a level that is not there.

    >>> Mode(optimizer="fast_compile").including("stabilize").choice().phases()[3][0]
    stabilize
    """

    linker: Any = None
    optimizer: str | None = "default"
    included: frozenset[str] = field(default=frozenset(), repr=False)
    excluded: frozenset[str] = field(default=frozenset(), repr=False)

    def __post_init__(self) -> None:
        self.choice()

    def including(self: OneMode, *tags: str) -> OneMode:
        """The mode with rules, passes or phases more, by their names (`docs/reference/rules.md`), or Theano's.

        Warns, once, of a name that nothing has here.
        """
        names = _known(tags)
        return self._changed(self.included | names, self.excluded - names)

    def excluding(self: OneMode, *tags: str) -> OneMode:
        """The mode without rules, passes or phases. Warns, once, of a name that nothing has here."""
        return self._changed(self.included, self.excluded | _known(tags))

    def requiring(self: OneMode, *tags: str) -> OneMode:
        """The mode with these rules, passes or phases alone. Warns, once, of a name that nothing has here."""
        names = _known(tags)
        others = frozenset(name for phase in PIPELINE["fast_run"] if phase.name not in names
                           for name in phase.names() - names)
        kept = frozenset(name for phase in PIPELINE["fast_run"] if phase.name in names for name in phase.names())
        return self._changed(self.included, self.excluded | (others - kept))

    def _changed(self: OneMode, included: frozenset[str], excluded: frozenset[str]) -> OneMode:
        made = copy(self)
        made.included, made.excluded = included, excluded
        return made

    def choice(self) -> Choice:
        """The rules a function of this mode is rewritten by."""
        level = "None" if self.optimizer is None else self.optimizer
        level = str(config.optimizer) if level == "default" else _LEVELS.get(level, level)
        return Choice(level.lower() if level.isupper() else level, self.included, self.excluded)

    @property
    def is_interpreted(self) -> bool:
        """Whether functions run op by op."""
        return self.linker in _INTERPRETED or (self.linker is None and config.backend == "numpy")

    def watch(self) -> Watch | None:
        """What is told of each op of one call of a function that runs op by op."""
        return None


@dataclass
class MonitorMode(Mode):
    """Calls `pre_func(i, node, fn)` before each op and `post_func` after it.

    `i` counts the ops of the call, `node` is the application, and `fn.inputs` and `fn.outputs` hold for each input and
    output a list with its array.

    >>> MonitorMode(post_func=detect_nan).is_interpreted
    True
    """

    pre_func: Callable[[int, Any, Any], Any] | None = None
    post_func: Callable[[int, Any, Any], Any] | None = None

    def __init__(self, pre_func: Any = None, post_func: Any = None, linker: Any = None,
                 optimizer: str | None = "default") -> None:
        self.pre_func, self.post_func = pre_func, post_func
        super().__init__(linker, optimizer)

    @property
    def is_interpreted(self) -> bool:
        return True

    def watch(self) -> Watch:
        return _Monitor(self)


class _Monitor(Watch):

    def __init__(self, mode: MonitorMode) -> None:
        self.mode = mode
        self.count = 0

    def before(self, step: Step) -> None:
        if self.mode.pre_func is not None:
            self.mode.pre_func(self.count, step.node, self._cells(step))

    def after(self, step: Step) -> None:
        if self.mode.post_func is not None:
            self.mode.post_func(self.count, step.node, self._cells(step))
        self.count += 1

    @staticmethod
    def _cells(step: Step) -> Any:
        return SimpleNamespace(inputs=[[array] for array in step.inputs], outputs=[[array] for array in step.outputs],
                               node=step.node, lines=step.lines)


def detect_nan(i: int, node: Any, fn: Any) -> None:
    """A `post_func` for MonitorMode: prints the first op of a call that makes a NaN, and of what.

    >>> from symtensor.runtime.function import function
    >>> from symtensor.types.tensor import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> f = function([x], x - abs(x), mode=MonitorMode(post_func=detect_nan))
    >>> f(float("inf"))  # doctest: +ELLIPSIS
    *** NaN detected *** sub(x, abs(x)) at ...
    Inputs : [array(inf), array(inf)]
    Outputs: [array(nan)]
    array(nan)
    """
    made = [cell[0] for cell in fn.outputs]
    given = [cell[0] for cell in fn.inputs]
    if any(_counts(array)["nan"] for array in made) and not any(_counts(array)["nan"] for array in given):
        where = provenance.describe(fn.lines)
        print(f"*** NaN detected *** {node}" + (f" at {where[0]}" if where else ""))
        print(f"Inputs : {given}")
        print(f"Outputs: {made}")


@dataclass
class NanGuardMode(Mode):
    """An error where an op, or an argument, has a NaN, an infinity, or a number above 1e10.

    The options `nan_is_error`, `inf_is_error` and `big_is_error` say what is one unless arguments do, and
    `nan_guard_action` what is done: "raise" InvalidValueError, "warn" with its text, or "pdb".

    >>> from symtensor.runtime.function import function
    >>> from symtensor.types.tensor import TensorType
    >>> x = TensorType("float64", (None,))("x")
    >>> function([x], 1 / x, mode=NanGuardMode(big_is_error=False))([2.0, 0.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    symtensor.base.errors.InvalidValueError: reciprocal gives inf: 1 of 2 elements, the first at (1,)
      where    ...
      operand  x: float64 (x.0,), here of shape (2,) = [2. 0.]
      operand  the result = [0.5 inf]
      fix      ...
    """

    nan_is_error: bool = True
    inf_is_error: bool = True
    big_is_error: bool = True

    def __init__(self, nan_is_error: bool | None = None, inf_is_error: bool | None = None,
                 big_is_error: bool | None = None, optimizer: str | None = "default", linker: Any = None) -> None:
        self.nan_is_error = config.nan_is_error if nan_is_error is None else nan_is_error
        self.inf_is_error = config.inf_is_error if inf_is_error is None else inf_is_error
        self.big_is_error = config.big_is_error if big_is_error is None else big_is_error
        super().__init__(linker, optimizer)

    @property
    def is_interpreted(self) -> bool:
        return True

    def watch(self) -> Watch:
        wrong = [kind for kind, chosen in zip(("nan", "inf", "big"), (
            self.nan_is_error, self.inf_is_error, self.big_is_error)) if chosen]
        return Guard(wrong, config.nan_guard_action)


class Guard(Watch):
    """Complains of the first array with a number of the `wrong` kinds, of "nan", "inf" and "big"."""

    def __init__(self, wrong: list[str], action: str = "raise") -> None:
        self.wrong = wrong
        self.action = action

    def before(self, step: Step) -> None:
        for variable, array in zip(step.node.inputs, step.inputs):
            if variable.owner is None and not isinstance(variable, Constant):
                self._check(array, f"{step.node.op} is given", step, [])

    def after(self, step: Step) -> None:
        for array in step.outputs:
            self._check(array, f"{step.node.op} gives", step, [f"the result = {_short(array)}"])

    def _check(self, array: np.ndarray, what: str, step: Step, more: list[str]) -> None:
        counts = _counts(array)
        for kind in self.wrong:
            if counts[kind]:
                place = tuple(int(i) for i in np.argwhere(_WRONG[kind](array))[0])
                text = {"big": "a number above 1e10"}.get(kind, kind)
                self._complain(InvalidValueError(
                    f"{what} {text}: {counts[kind]} of {array.size} elements, the first at {place}",
                    where=provenance.describe(step.lines),
                    operands=[*(f"{text} = {_short(value)}" for text, value in zip(step.operands(), step.inputs)),
                              *more],
                    fix="look at what is given, or allow it: NanGuardMode(nan_is_error=False), and inf_, big_is_error"))

    def _complain(self, error: InvalidValueError) -> None:
        if self.action == "raise":
            raise error
        warnings.warn(str(error), stacklevel=2)
        if self.action == "pdb":
            import pdb
            pdb.set_trace()


_WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nan": np.isnan, "inf": np.isinf, "big": lambda array: np.isfinite(array) & (np.abs(array) > _BIG)}


def _counts(array: np.ndarray) -> dict[str, int]:
    """How many elements of an array of floats are wrong, by kind; integers never are."""
    if kind_of(array.dtype) not in "fc":
        return dict.fromkeys(_WRONG, 0)
    return {kind: int(np.count_nonzero(is_wrong(array))) for kind, is_wrong in _WRONG.items()}


def _short(array: np.ndarray) -> str:
    return np.array2string(np.asarray(array), threshold=6, edgeitems=2, precision=6).replace("\n", "")


@dataclass
class DebugMode(Mode):
    """Checks the compiler in every call, slowly: each rewriting of the graph, then the compiled program, against NumPy.

    A rule that changes a value raises BadOptimization, which names it; a compiled result that is not that of NumPy
    BadThunkOutput; an op that writes to its arguments BadDestroyMap; with `check_isfinite` a number that is not finite
    InvalidValueError. Ops run several times in a call. The further arguments are Theano's, and concern what cannot go
    wrong here: the order of rewriting is always the same, and no op is asked to write into memory it is given.

    >>> from symtensor.runtime.function import function
    >>> from symtensor.types.tensor import TensorType
    >>> x = TensorType("float64", ())("x")
    >>> function([x], x * 2 + 1, mode="DebugMode")(3.0)
    array(7.)
    """

    check_isfinite: bool = True

    def __init__(self, optimizer: str | None = "default", stability_patience: int | None = None,
                 check_c_code: bool | None = None, check_py_code: bool | None = None,
                 check_isfinite: bool | None = None, check_preallocated_output: Any = None,
                 require_matching_strides: Any = None, linker: Any = None) -> None:
        self.check_isfinite = config.check_finite if check_isfinite is None else check_isfinite
        super().__init__(linker, optimizer)


_registered: dict[str, Callable[[], Mode]] = {
    "Mode": lambda: Mode(), "FAST_RUN": lambda: Mode(optimizer="fast_run"),
    "FAST_COMPILE": lambda: Mode(optimizer="fast_compile"), "DebugMode": DebugMode, "DEBUG_MODE": DebugMode,
    "NanGuardMode": NanGuardMode,
}


def get_mode(mode: Any = None) -> Mode:
    """The mode of a name; a mode as it is; without one, that of the option `mode`. Raises ConfigError.

    A level of rewriting is the name of a mode, too: "fast_run", "fast_compile", "None".

    >>> get_mode("FAST_COMPILE")
    Mode(linker=None, optimizer='fast_compile')
    """
    if isinstance(mode, Mode):
        return mode
    name = config.mode if mode is None else mode
    if name not in _registered and name not in PIPELINE:
        raise ConfigError(f"there is no mode {name!r}", fix="one of " + ", ".join([*_registered, *PIPELINE]))
    made = _registered[name]() if name in _registered else Mode(optimizer=name)
    for change in ("including", "excluding", "requiring"):
        tags = getattr(config, f"optimizer_{change}")
        made = getattr(made, change)(*tags.split(":")) if tags else made
    return made


def get_default_mode() -> Mode:
    """The mode of functions that are given none."""
    return get_mode()


def register_mode(name: str, mode: Mode) -> None:
    """Let a mode be known by a name. Raises ConfigError for a name that is taken."""
    if name in _registered:
        raise ConfigError(f"there is a mode {name!r} already", fix="choose another name")
    _registered[name] = lambda: copy(mode)


_warned: set[str] = set()


def _known(tags: tuple[str, ...]) -> frozenset[str]:
    """What tags name; each that names nothing is said once."""
    for tag in tags:
        if not named(tag) and tag not in _warned:
            _warned.add(tag)
            warnings.warn(f"no rewriting of symtensor is called {tag!r}: to include or exclude it changes nothing"
                          " (docs/reference/rules.md lists what there is)", stacklevel=3)
    return frozenset().union(*map(named, tags))
