"""Errors as part of the interface: what was wrong, where, the operands, one way to mend it.

Every error the package raises on purpose is a `SymtensorError` and also the built-in
exception its reader would expect (`ShapeError` is a `ValueError`, and so on), so that
programs written for NumPy or Theano catch it.

>>> print(ShapeError("sizes differ", operands=["x: float64 (3,)"], fix="reshape x"))
sizes differ
  operand  x: float64 (3,)
  fix      reshape x
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = [
    "SymtensorError", "TypeMismatch", "ShapeError", "GraphError", "IndexOutOfRange", "UnusedInputError",
    "MissingInputError", "MissingMethodError", "DisconnectedInputError", "GradientError", "VerifyError", "RewriteError",
    "CompileError", "ConfigError", "LinearAlgebraError", "TextError", "CheckFailed", "DeviceError", "LoadError",
    "OutOfMemory", "InvalidValueError", "DebugModeError", "BadOptimization", "BadThunkOutput", "BadDestroyMap",
]


class SymtensorError(Exception):
    """Base of the package's errors.

    `what` is the message's first line, `where` the user's lines (innermost first),
    `operands` one description for each operand, `fix` one thing to try.
    """

    def __init__(self, what: str, *, where: Iterable[str] = (), operands: Iterable[str] = (),
                 fix: str | None = None) -> None:
        self.what = what
        self.where = tuple(where)
        self.operands = tuple(operands)
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  where    {line}" for line in self.where]
        lines += [f"  operand  {operand}" for operand in self.operands]
        if self.fix:
            lines.append(f"  fix      {self.fix}")
        return "\n".join(lines)


class TypeMismatch(SymtensorError, TypeError):
    """A value or variable of the wrong dtype, rank or kind."""


class ShapeError(SymtensorError, ValueError):
    """Sizes that contradict each other."""


class IndexOutOfRange(ShapeError, IndexError):
    """An index outside the dimension it points into, or more indices than dimensions."""


class AssertionFailed(SymtensorError, AssertionError):
    """A condition that the user asserted does not hold."""


class OpFailed(SymtensorError, RuntimeError):
    """A function that the user wrote in C returned that it failed."""


class LinearAlgebraError(SymtensorError, np.linalg.LinAlgError):
    """A matrix that has no such factors, or a system without one solution."""


class DeviceError(SymtensorError, RuntimeError):
    """A device that is not there, or that failed."""


class OutOfMemory(SymtensorError, MemoryError):
    """Memory that the processor or a device does not have."""


class GraphError(SymtensorError, ValueError):
    """A graph that cannot mean what was asked of it."""


class UnusedInputError(GraphError):
    """`function` was given an input that no output depends on."""


class MissingInputError(GraphError):
    """An output depends on a variable that is neither an input, a constant nor shared."""


class MissingMethodError(SymtensorError, NotImplementedError):
    """An op without the method that says what was asked of it."""


class NotSupported(SymtensorError, NotImplementedError):
    """What Theano does not do either."""


class GradientError(GraphError):
    """A derivative that does not exist or was not asked for properly.

    >>> issubclass(GradientError, ValueError)
    True
    """


class DisconnectedInputError(GradientError):
    """The cost does not depend on a variable it should be differentiated by."""


class VerifyError(SymtensorError, AssertionError):
    """A graph broke an invariant of the IR: a defect in an op, a rule or the compiler."""


class RewriteError(SymtensorError, RuntimeError):
    """A rewrite rule raised or produced something of another type."""


class CompileError(SymtensorError, RuntimeError):
    """The C compiler or the loader refused generated code."""


class ConfigError(SymtensorError, ValueError):
    """An unknown option or a value it does not take."""


class TextError(SymtensorError, ValueError):
    """Text that is not a graph."""


class LoadError(SymtensorError, ValueError):
    """A file that cannot be read, or that may not be."""


class CheckFailed(SymtensorError, AssertionError):
    """A testing check found a difference between two meanings of one thing."""


class InvalidValueError(CheckFailed):
    """A number that is not finite, or too large, where a mode was told to look for it."""


class DebugModeError(CheckFailed):
    """DebugMode found that two meanings of one thing differ."""


class BadOptimization(DebugModeError):
    """A rewriting rule changed a value."""


class BadThunkOutput(DebugModeError):
    """What a compiled function gave is not what NumPy gives."""


class BadDestroyMap(DebugModeError):
    """An op wrote to an array that it was given."""
