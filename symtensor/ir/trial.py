"""What an expression is for trial values of its inputs: `x.tag.test_value`, as in Theano.

With the option `compute_test_value` on, `y.tag.test_value` is the value of y for those of what it is computed from;
with "warn" or "raise" it is computed as y is written, so that what cannot be computed is an error in that line.

>>> import numpy as np
>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", (None,)), name="x")
>>> x.tag.test_value = np.array([1.0, 2.0])
>>> trial_value(x * 2)
array([2., 4.])
>>> with config.change(compute_test_value="raise"):
...     (x + 1).tag.test_value
array([2., 3.])
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from symtensor.base.config import config
from symtensor.base.errors import MissingInputError
from symtensor.ir.graph import ancestors
from symtensor.ir.node import Constant, Variable, complaint

__all__ = ["hand_on", "note", "trial_value", "try_out"]

_MISSING = object()


def _given(variable: Variable) -> Any:
    """The value a variable has of its own: a constant's, a shared variable's, or that in its tag."""
    kept = vars(variable.known_tag).get("test_value", _MISSING)
    if kept is not _MISSING or variable.owner is not None:
        return kept
    if isinstance(variable, Constant):
        return variable.data
    get_value = getattr(variable, "get_value", None)
    return get_value(borrow=True) if get_value is not None else _MISSING


def trial_value(variable: Variable) -> Any:
    """The value of an expression for the trial values of its inputs.

    Raises MissingInputError where an input has none, and what the evaluation raises.
    """
    from symtensor.ir.interpret import evaluate  # which knows nodes, and they this

    own = _given(variable)
    if own is not _MISSING:
        return own
    given = {v: _given(v) for v in _frontier(variable)}
    for leaf, value in given.items():
        if value is _MISSING:
            raise complaint(MissingInputError, f"{leaf!r} has no test value", leaf,
                            fix=f"{leaf.name or 'x'}.tag.test_value = an array of {leaf.type.describe()}")
    return evaluate([variable], given)[0]


def _frontier(variable: Variable) -> list[Variable]:
    """The variables nearest to one that have a value of their own, and the inputs that have none."""
    valued = {v for v in ancestors([variable]) if v.owner is not None and "test_value" in vars(v.known_tag)}
    reached = ancestors([variable], valued)
    return [v for v in reached if v in valued or v.owner is None]


def note(variable: Variable) -> None:
    """Put the trial value of an expression in its tag, if it can be computed; that of a constant is its own."""
    computed = variable.owner is not None or isinstance(variable, Constant)  # a shape may be known, and is a constant
    if computed and "test_value" not in vars(variable.known_tag):
        try:
            vars(variable.known_tag)["test_value"] = trial_value(variable)
        except MissingInputError:
            return


def hand_on(variable: Variable, value: Callable[[], Variable]) -> None:
    """Give a variable that stands for others, as in the step of a loop, the trial value of one, if that is known."""
    if config.compute_test_value != "off":
        with suppress(MissingInputError), config.change(compute_test_value="ignore"):
            vars(variable.known_tag)["test_value"] = trial_value(value())


def try_out(outputs: Sequence[Variable]) -> None:
    """Compute the trial values of what an op was applied to give. Raises where that is not possible, or warns."""
    for variable in outputs:
        try:
            vars(variable.known_tag)["test_value"] = trial_value(variable)
        except MissingInputError as error:
            if config.compute_test_value == "raise":
                raise
            warnings.warn(str(error), stacklevel=4)
