"""What a function takes: `In` and `Out`, and the conversion of what a caller gives.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> scale = In(TensorType("float64", ())("scale"), value=2.0)
>>> signature = Signature([In(x), scale.for_function(None)], None)
>>> [str(a.dtype) for a in signature.convert(([1, 2],), None)]
['float32', 'float64']
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from symtensor.base.errors import GraphError, TypeMismatch
from symtensor.ir.disagreement import declaration_error
from symtensor.ir.node import Variable, describe
from symtensor.runtime.shared import Container, SharedVariable, is_foreign, sparse_for_dense
from symtensor.types.dtype import DISCRETE, INTEGERS, fits, kind_of, numpy_dtype
from symtensor.types.tensor import TensorType

__all__ = ["In", "Out", "Signature", "MISSING"]


class _Missing:
    def __repr__(self) -> str:
        return "no value"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING = _Missing()
"""Marks an input without a default value."""


class In:
    """An input of a function with its options.

    `value` is the default: what a call takes that does not give the input, kept at `f[variable]`, where it can be
    changed. Two functions keep one value if the second is given the container of the first, `f.container[variable]`.
    With `update`, an expression, each call gives the kept value anew: the input is state of the function. `implicit`
    inputs cannot be given in a call. `strict` refuses any conversion; `allow_downcast` permits those that lose range
    or digits. `mutable` and `borrow` permit what is never done: arrays of callers are not written to.

    >>> from symtensor.runtime.function import function
    >>> x, y = TensorType("float64", ())("x"), TensorType("float64", ())("y")
    >>> f = function([x, In(y, value=10.0)], x * y)
    >>> f(2.0), f(2.0, y=3.0)
    (array(20.), array(6.))
    """

    def __init__(self, variable: Variable, name: str | None = None, value: Any = MISSING,
                 update: Variable | None = None, mutable: bool | None = None, strict: bool = False,
                 allow_downcast: bool | None = None, autoname: bool = True, implicit: bool | None = None,
                 borrow: bool | None = None) -> None:
        if not isinstance(variable, Variable):
            raise TypeMismatch(f"an input must be a variable, not {variable!r}",
                               fix="make one, for example with T.vector('x')")
        self.variable = variable
        self.name = name if name is not None else variable.name if autoname else None
        self.value = MISSING if value is None else value
        self.update = update
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.implicit = bool(implicit)
        # State is a shared variable of the program, not an argument.
        self.is_state = update is not None or self.implicit
        self.kept: SharedVariable | None = None
        if self.value is MISSING and (update is not None or implicit):
            option = "update" if update is not None else "implicit"
            raise GraphError(f"the input {variable!r} has the option {option} and no value to begin with",
                             fix=f"In({self.name or 'variable'}, value=..., {option}=...)")

    def for_function(self, allow_downcast: bool | None) -> In:
        """This input in one function: with a place for its value. Raises TypeMismatch where the value does not fit."""
        own = copy(self)
        if own.allow_downcast is None:
            own.allow_downcast = allow_downcast
        if isinstance(self.value, (Container, SharedVariable)):
            own.kept = self.value.variable if isinstance(self.value, Container) else self.value
            if own.kept.type.dtype != self.variable.type.dtype or own.kept.type.ndim != self.variable.type.ndim:
                raise TypeMismatch(f"the input {self.variable!r} cannot keep its value at {own.kept!r}",
                                   operands=[describe(self.variable), describe(own.kept)])
        elif self.value is not MISSING:
            type = TensorType(self.variable.type.dtype, self.variable.type.static_shape)
            array = converted(own, self.value, own.name or repr(self.variable))
            own.kept = SharedVariable(array.copy(), type, own.name)
        return own


class Out:
    """An output; with `borrow` its array may be overwritten by the next call.

    >>> from symtensor.runtime.function import function
    >>> x = TensorType("float64", ())("x")
    >>> function([x], Out(x * 2, borrow=True))(4.0)
    array(8.)
    """

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow


@dataclass
class Signature:
    """Turns the arguments of a call into arrays of the inputs' types."""

    inputs: Sequence[In]
    name: str | None

    @property
    def arguments(self) -> list[In]:
        """The inputs that the program takes; it finds the others, the function's state, where they are kept."""
        return [declared for declared in self.inputs if not declared.is_state]

    def convert(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[np.ndarray, ...]:
        """One array for each argument; state that was given is kept. Raises TypeMismatch for what does not fit."""
        given = self._assign(args, dict(kwargs or {}))
        arrays = {declared: converted(declared, value, declared.name or f"argument {number}")
                  for number, (declared, value) in enumerate(zip(self.inputs, given)) if value is not MISSING}
        for declared, array in arrays.items():
            if declared.is_state and declared.kept is not None:  # now that all that was given is known to fit
                declared.kept.storage.array = array.copy()
        return tuple(array for declared, array in arrays.items() if not declared.is_state)

    def _assign(self, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        own = self.name or "the function"
        open_inputs = [number for number, declared in enumerate(self.inputs) if not declared.implicit]
        if len(args) > len(open_inputs):
            raise TypeMismatch(f"{own} takes {len(open_inputs)} arguments, not {len(args)}", operands=self._described())
        known = [declared.name for declared in self.inputs if declared.name and not declared.implicit]
        for name in named:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise TypeMismatch(f"{own} has no input named {name!r}", operands=self._described(),
                                   fix=f"did you mean {near[0]!r}?" if near else "give it by one of these names")
        given: list[Any] = [MISSING] * len(self.inputs)
        for number, value in zip(open_inputs, args):
            given[number] = value
        for number, declared in enumerate(self.inputs):
            if declared.name in named and not declared.implicit:
                if given[number] is not MISSING:
                    raise TypeMismatch(f"{own} was given {declared.name!r} twice, by place and by name")
                given[number] = named.pop(declared.name)
            if given[number] is MISSING and not declared.is_state and declared.kept is not None:
                given[number] = declared.kept.storage.array
            if given[number] is MISSING and declared.kept is None:
                label = declared.name or f"argument {number}"
                raise TypeMismatch(f"{own} was called without {label!r}", operands=self._described(),
                                   fix="give all inputs that have no default value")
        return given

    def _described(self) -> list[str]:
        return [f"{i.name or f'argument {n}'}: {i.variable.type.describe()}" for n, i in enumerate(self.inputs)]


def converted(declared: In, value: Any, label: str) -> np.ndarray:
    """An array of an input's type from what a caller gave; `label` is what messages call it. Raises TypeMismatch."""
    type = declared.variable.type
    if isinstance(value, Variable):
        raise TypeMismatch(f"{label!r} was given the expression {value!r} where an array is needed",
                           fix="give an array; variable.eval() computes one")
    if declared.strict and not (isinstance(value, np.ndarray) and type.accepts(value)):
        raise TypeMismatch(f"{label!r} is strict: it takes arrays of {type.describe()} only")
    if hasattr(value, "tocsr"):
        raise sparse_for_dense(label)
    if is_foreign(value):
        value = import_module("symtensor.runtime.cuda.border").over(value)
    array = _array(value, type, label)
    if array.ndim != type.ndim:
        raise TypeMismatch(
            f"{label!r} must have {type.ndim} axes ({type.describe()}), not {array.ndim}",
            operands=[f"{label}: {array.dtype} {array.shape}"],
            fix=_rank_fix(array.ndim, type.ndim, _written(declared)))
    for axis, (wanted, size) in enumerate(zip(type.static_shape, array.shape)):
        if wanted is not None and wanted != size:
            raise declaration_error(label, axis, size, (str(wanted), wanted))
    return _cast(array, value, declared, type, label)


def _array(value: Any, type: TensorType, label: str) -> np.ndarray:
    """What was given as an array of numbers, of whatever dtype and shape."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeMismatch(f"{label!r} is not an array: {error}", fix="give rows of one length") from None
    if array.dtype == object and array.size and not isinstance(value, np.ndarray):
        array = _long(array, value, type, label)
    if kind_of(array.dtype) not in "biufcV":
        raise TypeMismatch(f"{label!r} must be {type.describe()}, and {_short(value)} is no number",
                           fix="give a number, an array or a nested list of numbers")
    return array


def _cast(array: np.ndarray, value: Any, declared: In, type: TensorType, label: str) -> np.ndarray:
    wanted = numpy_dtype(type.dtype)
    if array.dtype != wanted and not declared.allow_downcast and not _fits(array, value, wanted):
        whole = kind_of(array.dtype) in "iu" and kind_of(wanted) in "iu"
        if whole and not isinstance(value, (np.ndarray, np.generic)):
            raise _beyond(label, value, type)
        raise TypeMismatch(
            f"{label!r} must be {type.dtype}, and {array.dtype} may not fit it",
            operands=[f"{label}: {array.dtype} {array.shape}"],
            fix=f'{_written(declared)}.astype("{type.dtype}"), or function(..., allow_input_downcast=True)')
    with np.errstate(all="ignore"):
        return np.require(array, wanted, ("C", "A"))


def _long(array: np.ndarray, value: Any, type: TensorType, label: str) -> np.ndarray:
    """Whole numbers of Python's that NumPy has no dtype for, as floats if those are wanted; other objects as given."""
    if not all(isinstance(number, int) for number in array.flat):
        return array
    if type.dtype in DISCRETE:
        raise _beyond(label, value, type)
    return np.array([_float(number) for number in array.flat]).reshape(array.shape)


def _float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _beyond(label: str, value: Any, type: TensorType) -> TypeMismatch:
    """The error for whole numbers of Python's that are too large, or too far below zero."""
    limits = np.iinfo(numpy_dtype(type.dtype)) if type.dtype in INTEGERS else None
    reach = "0 and 1" if limits is None else f"{limits.min} to {limits.max}"
    return TypeMismatch(f"{label!r} must be {type.dtype}, {reach}, and {_short(value)} is beyond",
                        fix="declare the variable with a larger dtype, or one of floats")


def _fits(array: np.ndarray, value: Any, wanted: np.dtype) -> bool:
    """Whether conversion loses nothing; Python numbers, alone or in lists, and NumPy's single floats are weak."""
    kind, other = kind_of(array.dtype), kind_of(wanted)
    if fits(array.dtype, wanted) or (isinstance(value, (list, tuple)) and not array.size):
        return True
    if isinstance(value, np.generic) and kind == "f":
        return other in "fc"
    if isinstance(value, (np.ndarray, np.generic)):
        return False
    if kind in "iu" and other in "iu":
        return bool(np.all(array.astype(wanted) == array))
    return kind in "biuf" and other in "fc"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _written(declared: In) -> str:
    """What stands for an argument in Python: its name, if it has one that is a name there too."""
    return declared.name if declared.name and declared.name.isidentifier() else "value"


def _rank_fix(given: int, wanted: int, code: str) -> str:
    if given == wanted - 1:
        return f"{code}[None, ...] adds an axis"
    return f"reshape {code}, or declare the variable with {given} axes"
