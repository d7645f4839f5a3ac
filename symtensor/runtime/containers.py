"""What a function keeps between calls, found by variable or name; and copies of it for another function.

>>> from symtensor.runtime.shared import shared
>>> weights = shared([1.0, 2.0], name="weights")
>>> containers = Containers([], [weights])
>>> containers["weights"].value, weights in containers, "bias" in containers
(array([1., 2.]), True, False)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Variable, describe
from symtensor.runtime.arguments import In
from symtensor.runtime.shared import Container, SharedVariable

__all__ = ["Containers", "copies_of_state"]


class Containers(Mapping[Any, Container]):
    """The containers of inputs with a value and of shared variables. Looking for another raises KeyError."""

    def __init__(self, declared: Sequence[In], shared: Sequence[SharedVariable]) -> None:
        self._found: dict[Any, Container] = {}
        for variable in shared:
            self._note(variable, variable.name, variable)
        for entry in declared:
            if entry.kept is not None:
                self._note(entry.variable, entry.name, entry.kept)

    def _note(self, variable: Variable, name: str | None, kept: SharedVariable) -> None:
        self._found[variable] = Container(kept)
        if name is not None:
            self._found[name] = Container(kept)

    def __getitem__(self, key: Any) -> Container:
        if key not in self._found:
            kept = ", ".join(repr(known) for known in self._found if isinstance(known, str)) or "nothing with a name"
            raise KeyError(f"the function keeps no value of {key!r}; it keeps {kept}")
        return self._found[key]

    def __iter__(self) -> Iterator[Any]:
        return (key for key in self._found if isinstance(key, Variable))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def copies_of_state(declared: Sequence[In], shared: Sequence[SharedVariable],
                    swap: Mapping[Any, Any]) -> tuple[list[In], list[SharedVariable]]:
    """Inputs and shared variables for a copy of a function: state of inputs is copied, variables are swapped.

    Raises TypeMismatch for a swap of what is not there, or of another type.
    """
    replaced: dict[SharedVariable, SharedVariable] = {}
    for old, new in swap.items():
        own = next((v for v in shared if v is old or v.name == old), None)
        if own is None:
            raise TypeMismatch(f"{old!r} cannot be swapped: it is no shared variable of this function",
                               operands=[describe(v) for v in shared])
        if not isinstance(new, SharedVariable) or new.type != own.type:
            raise TypeMismatch(f"{own!r} cannot be swapped for {new!r}",
                               operands=[describe(v) for v in (own, new) if isinstance(v, Variable)],
                               fix="give a shared variable of the same dtype and fixed sizes")
        replaced[own] = new
    inputs = []
    for entry in declared:
        entry = copy(entry)
        if entry.kept is not None:
            if entry.kept not in replaced:
                replaced[entry.kept] = SharedVariable(entry.kept.get_value(), entry.kept.type, entry.kept.name)
            entry.kept = replaced[entry.kept]
        inputs.append(entry)
    return inputs, [replaced.get(v, v) for v in shared]
