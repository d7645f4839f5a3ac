"""The elements of its first input that an op changes, the others staying as they are.

>>> Puts((5, 3), ordered=range(0, 1), add=True).shape
(5, 3)
"""

from __future__ import annotations

from dataclasses import dataclass

from symtensor.types.dim import Size

__all__ = ["Puts"]


@dataclass(frozen=True)
class Puts:
    """What an op with a method `put` goes through: an index space, and what is done for each index of it.

    Along the axes `ordered`, one place may be met again; they are gone through in order. With `add`, what is put
    somewhere is added to what is there.
    """

    shape: tuple[Size, ...]
    ordered: range
    add: bool
