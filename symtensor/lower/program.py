"""The Program: what a compiled function is, as plain data for the virtual machine in csrc.

A program is a flat list of instructions over numbered buffers. Sizes are numbered too: a table
says how each is found from the arguments' shapes (or the values of integer scalars), and
everything else (buffer shapes, kernel parameters, trip counts) refers to sizes by number. The
virtual machine evaluates the table once for each tuple of root sizes (bind) and then only runs.

>>> sizes = Sizes()
>>> rows = sizes.add(SizeCode.INPUT_DIM, 0, 0)
>>> sizes.add(SizeCode.MUL, rows, sizes.constant(2))
2
>>> sizes.add(SizeCode.MUL, rows, sizes.constant(2))   # equal sizes share a number
2
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, NamedTuple

__all__ = ["SizeCode", "Sizes", "BufferKind", "Buffer", "KernelCode", "Launch", "Routine", "Copy", "Call",
           "Resize", "Loop", "LoopCarry", "LoopRow", "Branch", "Side", "Check", "Argument", "Program", "Instruction"]


class SizeCode(IntEnum):
    """How a size is found. The first six are roots: bind reads them; the others are computed."""

    CONSTANT = 0       # a: the value
    INPUT_DIM = 1      # a: argument, b: axis
    SHARED_DIM = 2     # a: storage, b: axis
    INPUT_VALUE = 3    # a: argument, a 0-d integer
    SHARED_VALUE = 4   # a: storage, a 0-d integer
    DATA_VALUE = 5     # a: buffer holding a 0-d integer; known from the Resize that reads it
    DATA_DIM = 6       # a: DYNAMIC buffer, b: axis; known from the Resize that reads it
    ADD = 7            # a, b: sizes, here and below
    MUL = 8
    FLOORDIV = 9       # rounds down, as Python's //; a zero divisor gives 0
    MOD = 10           # the sign of the divisor, as Python's %; a zero divisor gives 0
    MIN = 11
    MAX = 12


@dataclass
class Sizes:
    """The size table under construction; equal entries share a number."""

    entries: list[tuple[int, int, int]] = field(default_factory=list)
    numbers: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def add(self, code: SizeCode, a: int, b: int = 0) -> int:
        """The number of the size found by `code` from `a` and `b`."""
        entry = (int(code), a, b)
        if entry not in self.numbers:
            self.numbers[entry] = len(self.entries)
            self.entries.append(entry)
        return self.numbers[entry]

    def read(self, code: SizeCode, a: int, b: int = 0) -> int:
        """The number of a size that is read from data at one Resize: a new one each time."""
        self.entries.append((int(code), a, b))
        return len(self.entries) - 1

    def constant(self, value: int) -> int:
        """The number of a constant size."""
        return self.add(SizeCode.CONSTANT, value)


class BufferKind(IntEnum):
    """Where a buffer's bytes live."""

    INPUT = 0      # source: argument number
    SHARED = 1     # source: storage number; may be written (an in-place update)
    CONSTANT = 2   # source: number in Program.constants
    ARENA = 3      # in the workspace, alive from instruction `first` to `last`, both included
    OUTPUT = 4     # source: result number; an array made for the call
    DYNAMIC = 5    # made by a Call or a Copy, its shape known only then
    ALIAS = 6      # source: the buffer whose bytes (from its start) these are
    MOVING = 7     # moves with the steps of a loop; source: the buffer whose rows are written here, else itself


@dataclass(frozen=True)
class Buffer:
    """A C-contiguous block: dtype name, shape as size numbers, where it lives and when.

    `device` is 0 for the processor, n for the device `Program.devices[n - 1]`. What lives in one side of a branch only
    is there, and needs its sizes to be right, only if that side is taken.
    """

    kind: BufferKind
    source: int
    dtype: str
    shape: tuple[int, ...]
    first: int = -1
    last: int = -1
    device: int = 0


class KernelCode(NamedTuple):
    """A kernel's name and text, in the language of the device it is for."""

    name: str
    text: str
    device: int = 0


@dataclass(frozen=True, repr=False)
class Launch:
    """Run kernel `kernel` over units 0..sizes[units), split between threads.

    The kernel is `int kernel(void *const *buffers, const int64_t *sizes, int64_t begin,
    int64_t end, void *scratch)`; nonzero is an error status. `work` is the size number of an estimate of
    the launch's total cost in elements; `scratch` that of the bytes of scratch a thread needs.

    With `in_order` the last two sizes are 0 and the number of rounds that the kernel goes through in order. It may then
    be run for stretches of rounds, one after the other, given their bounds as those sizes; the first has 64 at least,
    or all. The status -1 says that no more rounds are to be run.
    On a device, where its buffers are, there are `units` blocks of `block` threads; the kernel's parameters are the
    buffers, then the sizes, and if it `fails` a pointer to its status; `scratch` is the shared memory of a block. One
    that `commits` writes a storage in place: those before it must not have failed. One with something to do `sometimes`
    has no units for most sizes, and is then left out.
    """

    kernel: int
    buffers: tuple[int, ...]
    sizes: tuple[int, ...]
    units: int
    work: int
    scratch: int
    in_order: bool = False
    block: int = 0
    fails: bool = False
    commits: bool = False
    sometimes: bool = False

    def __repr__(self) -> str:
        shown = [f for f in fields(self) if self.block or f.name not in ("block", "fails", "commits", "sometimes")]
        return f"Launch({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in shown)})"


@dataclass(frozen=True)
class Routine:
    """Run the library routine `name` of the table in csrc/routines.c.

    It reads the buffers `inputs` and writes `outputs`; what `sizes` and `flags` are, the table says. `work` is the size
    number of an estimate of its arithmetic operations, `scratch` that of the bytes of scratch each thread needs.
    `failure` and `fix` are for the error when it gives up.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    sizes: tuple[int, ...]
    flags: tuple[int, ...]
    work: int
    scratch: int
    failure: str = field(default="", repr=False)
    fix: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Copy:
    """Copy all bytes of one buffer to another of the same shape and dtype, which may be on another device.

    A DYNAMIC target gets the shape of the source.
    """

    source: int
    target: int


@dataclass(frozen=True)
class Call:
    """Call Python function `callable` with arrays of `inputs`; its results (a tuple) become `outputs`.

    A result for an ARENA or OUTPUT buffer must have its dtype and shape and is copied in; a result for
    a DYNAMIC buffer is kept as it is, made C-contiguous and of the buffer's dtype. `why` says why what could have
    code has none here.
    """

    callable: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    why: str = ""


@dataclass(frozen=True)
class Resize:
    """Read `sizes` from here on: data computed before tells them. Others that are computed from them are known, too.

    They are known to the end of the program, or of the side of a branch in which this stands. The buffers that a
    DATA_VALUE among them reads must be alive here.
    """

    sizes: tuple[int, ...]


@dataclass(frozen=True)
class LoopRow:
    """In step t of a loop, buffer `own` is row t of buffer `source`; `written` if the step makes it."""

    own: int
    source: int
    written: bool = False


@dataclass(frozen=True)
class LoopCarry:
    """Buffer `own` is `first` in the first step of a loop, and then what the step before left in `new`.

    The memory of `new` takes turns with that of `spares`, so that what is carried is not overwritten. After the last
    step the value is copied to `final`, unless that is `own` itself.
    """

    own: int
    first: int
    new: int
    final: int
    spares: tuple[int, ...] = ()


@dataclass(frozen=True)
class Loop:
    """Run the instructions after this one, up to `end`, exclusive, sizes[steps] times.

    `stop` may have a buffer with a bool, true after the last step; `count` one for the number of steps done, an int64.
    Rows that no step has made are set to zero. The instructions of a step do not include a Resize.
    """

    end: int
    steps: int
    backwards: bool
    rows: tuple[LoopRow, ...]
    carries: tuple[LoopCarry, ...]
    stop: tuple[int, ...] = ()
    count: tuple[int, ...] = ()


@dataclass(frozen=True)
class Side:
    """One of the two stretches of instructions of a branch, up to `end`, exclusive.

    `checks` are the numbers of those that concern it alone: they are done when it is first taken with some sizes, like
    all that follows from sizes in it.
    """

    end: int
    checks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Branch:
    """Run the instructions of `then`, which follow, if buffer `condition` holds true; else those of `otherwise`, next.

    Both sides make the `outputs`. A Resize in one of them does not concern what follows the branch.
    """

    condition: int
    then: Side
    otherwise: Side
    outputs: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Where the instructions after the branch begin."""
        return self.otherwise.end


Instruction = Launch | Routine | Copy | Call | Resize | Loop | Branch


@dataclass(frozen=True)
class Check:
    """Two sizes that must be equal before anything runs, at the Resize that makes both known, or in a Side.

    `compare` is "eq" (left == right) or "le" (left <= right).
    """

    left: int
    right: int
    message: int
    compare: str = "eq"


@dataclass(frozen=True)
class Argument:
    """What an argument must be: its name for messages, dtype and rank."""

    name: str
    dtype: str
    ndim: int


@dataclass
class Program:
    """A compiled function as data.

    `results` gives for each result the buffer that holds it; a buffer that is not OUTPUT or DYNAMIC is
    copied out. `updates` are pairs (result number, storage number): the result's array becomes the
    storage's. Updates done in place are not listed; `written` has the storages that some instruction
    writes in place. Only the first `returned` results go to the caller. An ARENA buffer that holds a
    result lives to the last instruction.
    """

    arguments: list[Argument]
    storages: list[Argument]
    constants: list[Any]
    sizes: list[tuple[int, int, int]]
    checks: list[Check]
    buffers: list[Buffer]
    instructions: list[Instruction]
    results: list[int]
    updates: list[tuple[int, int]]
    returned: int
    kernels: list[KernelCode]
    callables: list[Any]
    messages: list[Any] = field(default_factory=list)   # for each Check.message, what to say
    origins: list[Any] = field(default_factory=list)    # for each instruction: ops, numbers of places, operands
    places: list[Any] = field(default_factory=list)     # the user's lines that messages and origins number
    written: list[int] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    unplaced: list[Any] = field(default_factory=list)   # what has no form on the device meant for it: op, reason, place
