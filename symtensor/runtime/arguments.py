"""What a function takes: `In` and `Out`, and the conversion of what a caller gives.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> signature = Signature([In(x), In(TensorType("float64", ())("scale"), value=2.0)], None)
>>> [str(a.dtype) for a in signature.convert(([1, 2],), None)]
['float32', 'float64']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.disagreement import declaration_error
from symtensor.ir.node import Variable
from symtensor.types.dtype import numpy_dtype
from symtensor.types.tensor import TensorType

__all__ = ["In", "Out", "Signature", "MISSING"]


class _Missing:
    def __repr__(self) -> str:
        return "no value"


MISSING = _Missing()
"""Marks an input without a default value."""


class In:
    """An input of a function with its options.

    `value` is the default; `update` an expression that gives the default of the next call; `strict` refuses
    any conversion; `allow_downcast` permits those that lose range or digits.
    """

    def __init__(self, variable: Variable, name: str | None = None, value: Any = MISSING,
                 update: Variable | None = None, mutable: bool | None = None, strict: bool = False,
                 allow_downcast: bool | None = None, autoname: bool = True, implicit: bool | None = None,
                 borrow: bool | None = None) -> None:
        if not isinstance(variable, Variable):
            raise TypeMismatch(f"an input must be a variable, not {variable!r}",
                               fix="make one, for example with T.vector('x')")
        self.variable = variable
        self.name = name if name is not None else variable.name
        self.value = MISSING if value is None else value
        self.update = update
        self.strict = strict
        self.allow_downcast = allow_downcast


class Out:
    """An output; with `borrow` its array may be overwritten by the next call."""

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow


@dataclass
class Signature:
    """Turns the arguments of a call into arrays of the inputs' types."""

    inputs: Sequence[In]
    name: str | None

    def convert(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[np.ndarray, ...]:
        """One array for each input. Raises TypeMismatch for anything that does not fit."""
        given = self._assign(args, dict(kwargs or {}))
        return tuple(self._array(number, value) for number, value in enumerate(given))

    def _assign(self, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        own = self.name or "the function"
        if len(args) > len(self.inputs):
            raise TypeMismatch(f"{own} takes {len(self.inputs)} arguments, not {len(args)}", operands=self._described())
        given: list[Any] = list(args) + [MISSING] * (len(self.inputs) - len(args))
        for number, declared in enumerate(self.inputs):
            if declared.name in named:
                if given[number] is not MISSING:
                    raise TypeMismatch(f"{own} was given {declared.name!r} twice, by place and by name")
                given[number] = named.pop(declared.name)
            if given[number] is MISSING:
                given[number] = declared.value
            if given[number] is MISSING:
                label = declared.name or f"argument {number}"
                raise TypeMismatch(f"{own} was called without {label!r}", operands=self._described(),
                                   fix="give all inputs that have no default value")
        if named:
            raise TypeMismatch(f"{own} has no input named {next(iter(named))!r}", operands=self._described())
        return given

    def _described(self) -> list[str]:
        return [f"{i.name or f'argument {n}'}: {i.variable.type.describe()}" for n, i in enumerate(self.inputs)]

    def _array(self, number: int, value: Any) -> np.ndarray:
        declared = self.inputs[number]
        type = declared.variable.type
        label = declared.name or f"argument {number}"
        if isinstance(value, Variable):
            raise TypeMismatch(f"{label!r} was given the expression {value!r} where an array is needed",
                               fix="give an array; variable.eval() computes one")
        if declared.strict and not (isinstance(value, np.ndarray) and type.accepts(value)):
            raise TypeMismatch(f"{label!r} is strict: it takes arrays of {type.describe()} only")
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise TypeMismatch(f"{label!r} is not an array: {error}") from None
        if array.ndim != type.ndim:
            raise TypeMismatch(
                f"{label!r} must have {type.ndim} axes ({type.describe()}), not {array.ndim}",
                operands=[f"{label}: {array.dtype} {array.shape}"],
                fix=_rank_fix(array.ndim, type.ndim, _written(declared)))
        for axis, (wanted, size) in enumerate(zip(type.static_shape, array.shape)):
            if wanted is not None and wanted != size:
                raise declaration_error(label, axis, size, (str(wanted), wanted))
        return self._cast(array, value, declared, type, label)

    def _cast(self, array: np.ndarray, value: Any, declared: In, type: TensorType, label: str) -> np.ndarray:
        wanted = numpy_dtype(type.dtype)
        if array.dtype != wanted and not declared.allow_downcast and not _fits(array, value, wanted):
            raise TypeMismatch(
                f"{label!r} must be {type.dtype}, and {array.dtype} may not fit it",
                operands=[f"{label}: {array.dtype} {array.shape}"],
                fix=f'{_written(declared)}.astype("{type.dtype}"), or function(..., allow_input_downcast=True)')
        with np.errstate(all="ignore"):
            return np.require(array, wanted, ("C", "A"))


def _fits(array: np.ndarray, value: Any, wanted: np.dtype) -> bool:
    """Whether conversion loses nothing; Python numbers, alone or in lists, and NumPy's single floats are weak."""
    if np.can_cast(array.dtype, wanted, "safe"):
        return True
    if isinstance(value, np.floating):
        return wanted.kind in "fc"
    if isinstance(value, (np.ndarray, np.generic)):
        return False
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        return bool(np.all(array.astype(wanted) == array))
    return array.dtype.kind in "biuf" and wanted.kind in "fc"


def _written(declared: In) -> str:
    """What stands for an argument in Python: its name, if it has one that is a name there too."""
    return declared.name if declared.name and declared.name.isidentifier() else "value"


def _rank_fix(given: int, wanted: int, code: str) -> str:
    if given == wanted - 1:
        return f"{code}[None, ...] adds an axis"
    return f"reshape {code}, or declare the variable with {given} axes"
