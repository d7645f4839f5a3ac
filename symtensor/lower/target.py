"""What a target makes of a kernel: the kernels that are launched, and what a launch needs.

The processor is a target, and each kind of device is one.

>>> once = PrintedKernel("double", "...", (), 10, 10, 0, (0, Partial("float32", 10)))
>>> targets: list[Printer] = [lambda kernel: [once]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symtensor.ir.node import Apply, Op, Variable
from symtensor.ir.routine import RoutineCall
from symtensor.lower.kernel import Kernel
from symtensor.types.dim import Size

__all__ = ["Applier", "Body", "Device", "DeviceLibrary", "Joiner", "NodeWriter", "Partial", "PrintedKernel", "Printer",
           "RoutinePrinter"]


@dataclass(frozen=True, eq=False)
class Partial:
    """A buffer between two of the kernels that a target makes of one: dtype and number of elements."""

    dtype: str
    length: Size


@dataclass(frozen=True)
class Body:
    """A kernel as a part of a joint one (see `lower.joint`): its text, as its target's `Joiner` takes it, and the
    declarations of its parameters where the text needs them. Parts of one launch are all of one `kind`.
    """

    text: str
    parameters: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class PrintedKernel:
    """A kernel's text, and what a launch needs: parameters, units, work, bytes of scratch, buffers.

    A buffer is that of a slot of the kernel printed, or a partial result. On a device the units are blocks of `block`
    threads, and scratch is the dynamic shared memory of a block; `fails` says that the kernel takes a place, behind its
    parameters, where it puts a number other than 0 if it fails.

    `in_order` says of a recurrence that its last two parameters are the rounds from and up to which it goes, and may be
    changed (see `program.Launch`). `written` are the places in `buffers` of those it writes; all, if none are named.
    Without a `body` it is always launched alone. `sometimes` says that for most sizes there are no units.
    """

    name: str
    text: str
    parameters: tuple[Size, ...]
    units: Size
    work: Size
    scratch: Size
    buffers: tuple[int | Partial, ...]
    block: int = 0
    fails: bool = False
    in_order: bool = False
    written: tuple[int, ...] = ()
    body: Body | None = None
    sometimes: bool = False


Printer = Callable[[Kernel], Sequence[PrintedKernel]]
"""A target: of each kernel those to be launched, in order."""
Joiner = Callable[[Sequence[Body]], str]
"""The text of one kernel that does the work of several: units of the first, then of the next, and so on. Its buffers
are those of all parts, its parameters theirs and behind these the units of each part."""
RoutinePrinter = Callable[[RoutineCall, Sequence[str]], Sequence[PrintedKernel] | None]
"""What a device runs in the place of a routine of a library, for the dtypes of its operands and then of its outputs,
which are the slots; None where it has nothing."""
DeviceLibrary = Callable[[RoutineCall, Sequence[str]], RoutineCall | None]
"""The same for what a library of the device computes: the call of a routine that queues work there. Where that may
refuse, the device's own kernels do it then."""
Applier = Callable[[Op, tuple[Variable, ...]], tuple[Variable, ...]]
NodeWriter = Callable[[Apply, tuple[Variable, ...], Applier], "tuple[Variable, ...] | None"]
"""How libraries want an application of these inputs written: the outputs of others, made by an `Applier`; None where
it is well as it is."""


@dataclass(frozen=True)
class Device:
    """A device of a program: its name, how kernels are printed for it, and why it cannot run an application, if so.

    `lacks` is asked about applications that there is code for; `architecture` says what else kernels depend on; without
    `join` each kernel is launched alone. Each node that runs there is `written` so as its libraries want it.
    """

    name: str
    print_kernel: Printer
    print_routine: RoutinePrinter = lambda call, dtypes: None
    lacks: Callable[[Apply], str | None] = lambda node: None
    architecture: str = ""
    join: Joiner | None = None
    library: DeviceLibrary = lambda call, dtypes: None
    written: NodeWriter = lambda node, inputs, applied: None

    def computes(self, call: RoutineCall, dtypes: Sequence[str]) -> bool:
        """Whether it has anything for a routine."""
        return self.library(call, dtypes) is not None or self.print_routine(call, dtypes) is not None
