"""How a library computes an application: what an op answers when asked for its `routine`.

A `RoutineCall` names a routine of the runtime (csrc/routines.c) and what it is given. The lowering knows nothing else
of the op: it gives the operands memory, makes the output begin as `starts_from`, and writes one instruction.

>>> from symtensor.types.tensor import TensorType
>>> a = TensorType("float64", (None, None))("a")
>>> RoutineCall("cholesky", (), sizes=(a.type.shape[0], 1), flags=(1, 0), starts_from=a).memory()
[a]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symtensor.types.dim import Size

if TYPE_CHECKING:
    from symtensor.ir.node import Variable

__all__ = ["RoutineCall"]


@dataclass(frozen=True)
class RoutineCall:
    """A call of the routine `name`.

    It reads `operands`, in this order, and writes the application's outputs. `sizes` and `flags` are what the routine
    says it takes. The first output begins as the value of `starts_from`, if there is one: it is computed in that
    variable's memory where nothing needs it afterwards, else in a copy. `work` is an estimate of the arithmetic
    operations, `scratch` the bytes that each thread needs. `failure` says what it means when the routine gives up,
    `fix` how to mend that. One that `may_refuse` has a last output more, a bool on the processor: whether it did it.
    """

    name: str
    operands: Sequence[Variable]
    sizes: Sequence[Size]
    flags: Sequence[int] = ()
    starts_from: Variable | None = None
    work: Size = 0
    scratch: Size = 0
    failure: str = ""
    fix: str | None = None
    may_refuse: bool = False

    def memory(self) -> list[Variable]:
        """The variables that must be in memory when the routine is called."""
        return [*(() if self.starts_from is None else (self.starts_from,)), *self.operands]
