"""How expressions are pickled: node by node, so that a deep one needs no deep recursion.

>>> import pickle
>>> from symtensor import ops
>>> from symtensor.ir.node import Variable
>>> from symtensor.types.tensor import TensorType
>>> y = x = Variable(TensorType("float64", ()), name="x")
>>> for _ in range(10_000):
...     y = y + 1
>>> len(applications([pickle.loads(pickle.dumps(y))]))
10000
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from symtensor.ir.graph import applications
from symtensor.ir.node import Apply

__all__ = ["Before"]


class Before:
    """The applications before one, handed to pickle one by one, so that it need not follow their inputs inwards."""

    _running = threading.local()

    def __init__(self, last: Apply) -> None:
        self.last = last

    @classmethod
    def of(cls, node: Apply) -> Before | None:
        """What is to be pickled before a node; None while that is being done for a later one."""
        return None if getattr(cls._running, "now", False) else cls(node)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, self._applications()

    def _applications(self) -> Iterator[Apply]:
        self._running.now = True
        try:
            yield from applications(self.last.inputs)
        finally:
            self._running.now = False
