"""What targets have in common that make one kernel of several: which may be a part, and functions that parts share.

>>> functions, own = shared_functions([Body("int KERNEL() {}"), Body("void KERNEL() {}"), Body("int KERNEL() {}")])
>>> functions, own
(['int KERNEL_0() {}', 'void KERNEL_1() {}'], [0, 1, 0])
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.codegen.named import with_name
from symtensor.codegen.scalar_printer import ScalarPrinter
from symtensor.lower.form import Map, form_of
from symtensor.lower.target import Body

__all__ = ["may_join", "shared_functions"]


def may_join(printer: ScalarPrinter) -> bool:
    """Whether a kernel may be part of a joint one: it reduces nothing, and so one unit is much as any other's."""
    return not printer.fails and isinstance(form_of(printer.kernel), Map)


def shared_functions(bodies: Sequence[Body]) -> tuple[list[str], list[int]]:
    """The texts of the functions KERNEL_0, KERNEL_1, ... that parts need, and which is each part's."""
    numbers: dict[str, int] = {}
    own = [numbers.setdefault(body.text, len(numbers)) for body in bodies]
    return [with_name(text, f"KERNEL_{number}") for text, number in numbers.items()], own
