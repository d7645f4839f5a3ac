"""Joint launches: kernels that depend on each other in nothing, whatever their sizes, become one.

Each new value of a parameter is computed by a small kernel of its own, and what such kernels cost is to launch them. A
launch that nothing after it has needed yet may wait for others; they then do their units one after the other, in one
launch. It waits no longer than its values are not needed, and only if that holds no more memory than what it writes.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.plan import plan
>>> from symtensor.lower.target import Body, PrintedKernel
>>> from symtensor.types.tensor import TensorType
>>> x, y = TensorType("float32", (None,))("x"), TensorType("float32", (3, None))("y")
>>> body = Body("...")
>>> print_kernel = lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1), written=(1,), body=body)]
>>> program = plan(Graph([x, y], [x * 2, y * 2]), 2, [], print_kernel, join=lambda bodies: f"{len(bodies)} kernels")
>>> program.kernels, [launch.buffers for launch in program.instructions]
([KernelCode(name='mul', text='2 kernels', device=0)], [(0, 2, 1, 3)])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from symtensor.lower.assembly import Assembly, Origin, used_buffers
from symtensor.lower.program import (
    Branch,
    BufferKind,
    Call,
    Copy,
    Instruction,
    Launch,
    Loop,
    Resize,
    Routine,
    SizeCode,
    Sizes,
)
from symtensor.lower.target import PrintedKernel

__all__ = ["join_launches"]

MOST_PARAMETERS = 480
"""Parameters of a joint kernel: a device takes 4096 bytes of them."""


@dataclass
class _Waiting:
    """Launches that will be one; what they read and write is memory of these buffers."""

    place: int
    key: object
    launches: list[int] = field(default_factory=list)
    reads: set[int] = field(default_factory=set)
    writes: set[int] = field(default_factory=set)
    parameters: int = 0

    def conflicts(self, reads: set[int], writes: set[int]) -> bool:
        """Whether what reads and writes other buffers must keep its order to these launches."""
        return not (self.writes.isdisjoint(reads) and self.writes.isdisjoint(writes) and self.reads.isdisjoint(writes))


def join_launches(assembly: Assembly, sizes: Sizes) -> None:
    """Make one launch of those that may be, in a program whose instructions and buffers are all there."""
    _Pass(assembly, sizes).run()


class _Pass:
    """`order` has the instructions as they will be, each a list of numbers: of one, of launches, or of none any more.

    `starts` says for the number of an old instruction how many entries of the order are before it.
    """

    def __init__(self, assembly: Assembly, sizes: Sizes) -> None:
        self.assembly = assembly
        self.sizes = sizes
        self.order: list[list[int]] = []
        self.starts: dict[int, int] = {}
        self.waiting: list[_Waiting] = []

    def run(self) -> None:
        instructions = self.assembly.instructions
        bounds = set(self._bounds())
        aside: list[_Waiting] = []
        end = -1  # of the branch past which those aside wait
        for number, instruction in enumerate([*instructions, None]):
            if number == end:
                self._launch(self.waiting)
                self.waiting, aside = aside, []
            alone = isinstance(instruction, (Loop, Branch, Resize))
            if isinstance(instruction, Branch) and self._is_passed(number, instruction):
                self._launch([one for one in self.waiting if self._conflicts(one, number, instruction.end)])
                self.waiting, aside, end = [], self.waiting, instruction.end
            elif number in bounds or alone or instruction is None:
                self._launch(self.waiting)
            self.starts[number] = len(self.order)
            if instruction is not None:
                self._next(number, alone)
        if any(len(numbers) > 1 for numbers in self.order):
            self._rebuild()

    def _bounds(self) -> Iterator[int]:
        """Where stretches of instructions begin that nothing is moved into or out of."""
        for number, one in enumerate(self.assembly.instructions):
            if isinstance(one, Loop):
                yield from (number + 1, one.end)
            elif isinstance(one, Branch):
                yield from (number + 1, one.then.end)
                if not self._is_passed(number, one):
                    yield one.otherwise.end

    def _is_passed(self, number: int, branch: Branch) -> bool:
        """Whether launches may wait past a branch: in its sides there are launches alone."""
        return all(isinstance(one, Launch) for one in self.assembly.instructions[number + 1:branch.end])

    def _conflicts(self, one: _Waiting, begin: int, end: int) -> bool:
        """Whether any of a stretch of instructions must keep its order to launches that wait."""
        return any(one.conflicts(*self._effects(number)) for number in range(begin, end))

    # -- what waits -------------------------------------------------------------------------------

    def _next(self, number: int, alone: bool) -> None:
        """Have an instruction wait, or put it where it is."""
        if not alone:
            reads, writes = self._effects(number)
            self._launch([one for one in self.waiting if one.conflicts(reads, writes)])
            if self._may_wait(number, reads, writes):
                return self._wait(number, reads, writes)
        self.order.append([number])

    def _wait(self, number: int, reads: set[int], writes: set[int]) -> None:
        launch = self.assembly.instructions[number]
        assert isinstance(launch, Launch)
        printed = self._printed(launch)
        assert printed.body is not None
        key = (printed.body.kind, launch.block, self._device(launch))
        parameters = len(launch.buffers) + len(launch.sizes) + 1
        found = next((one for one in self.waiting
                      if one.key == key and one.parameters + parameters <= MOST_PARAMETERS), None)
        if found is None:
            found = _Waiting(len(self.order), key)
            self.waiting.append(found)
        self.order.append([number] if not found.launches else [])
        found.launches.append(number)
        found.reads |= reads
        found.writes |= writes
        found.parameters += parameters

    def _launch(self, ready: Sequence[_Waiting]) -> None:
        """Launch those that cannot wait any longer; one that has waited for nothing, where it was."""
        for one in list(ready):
            self.waiting.remove(one)
            if len(one.launches) > 1:
                self.order[one.place] = []
                self.order.append(sorted(one.launches, key=self._kernel_of))

    def _may_wait(self, number: int, reads: set[int], writes: set[int]) -> bool:
        """Whether an instruction is a launch that holds no more memory, while it waits, than it writes."""
        launch = self.assembly.instructions[number]
        if not isinstance(launch, Launch) or self._printed(launch).body is None:
            return False
        if self.assembly.joiner(self._device(launch)) is None:
            return False
        held = Counter(self._extent(buffer) for buffer in reads - writes - self.assembly.partial
                       if self.assembly.buffers[buffer].kind is BufferKind.ARENA)
        return held <= Counter(map(self._extent, writes))

    def _extent(self, buffer: int) -> object:
        return self.assembly.buffers[buffer].dtype, self.assembly.buffers[buffer].shape

    def _kernel_of(self, number: int) -> int:
        launch = self.assembly.instructions[number]
        assert isinstance(launch, Launch)
        return launch.kernel

    def _printed(self, launch: Launch) -> PrintedKernel:
        return self.assembly.printed[launch.kernel]

    def _device(self, launch: Launch) -> int:
        return self.assembly.kernels[launch.kernel].device

    # -- what is read and written -----------------------------------------------------------------

    def _effects(self, number: int) -> tuple[set[int], set[int]]:
        """The buffers whose memory an instruction reads, and those whose memory it writes."""
        one = self.assembly.instructions[number]
        if isinstance(one, Launch):
            places = self._printed(one).written or range(len(one.buffers))
            return self._roots(one.buffers), self._roots(one.buffers[place] for place in places)
        if isinstance(one, Copy):
            return self._roots([one.source]), self._roots([one.target])
        if isinstance(one, (Routine, Call)):
            return self._roots(one.inputs), self._roots(one.outputs)
        used = self._roots(used_buffers(one, self.sizes.entries))
        return used, used

    def _roots(self, buffers: Iterable[int]) -> set[int]:
        """The buffers that have the memory of others, or are rows of them."""
        found = set()
        for number in buffers:
            while self.assembly.buffers[number].kind in (BufferKind.ALIAS, BufferKind.MOVING):
                source = self.assembly.buffers[number].source
                if source == number:
                    break
                number = source
            found.add(number)
        return found

    # -- the program as it is then ----------------------------------------------------------------

    def _rebuild(self) -> None:
        assembly = self.assembly
        instructions, origins = assembly.instructions, assembly.origins
        now = {old: len([entry for entry in self.order[:start] if entry]) for old, start in self.starts.items()}
        assembly.instructions, assembly.origins = [], []
        for numbers in filter(None, self.order):
            launches = [one for one in map(instructions.__getitem__, numbers) if isinstance(one, Launch)]
            one = self._joint(launches) if len(numbers) > 1 else _moved(instructions[numbers[0]], now)
            assembly.emit(one, _joint_origin([origins[number] for number in numbers]))
        assembly.home = {buffer: now[loop] for buffer, loop in assembly.home.items()}
        assembly.drop_unused_kernels()

    def _joint(self, launches: Sequence[Launch]) -> Launch:
        """One launch of several."""
        device = self._device(launches[0])
        join = self.assembly.joiner(device)
        printed = [self._printed(launch) for launch in launches]
        assert join is not None
        text = join([one.body for one in printed if one.body is not None])
        name = "_and_".join(dict.fromkeys(one.name for one in printed))[:60]
        kernel, = (number for number, _ in self.assembly.numbered(
            [replace(printed[0], name=name, text=text, body=None)], device))
        units = tuple(launch.units for launch in launches)

        def folded(code: SizeCode, numbers: Iterable[int]) -> int:
            return reduce(lambda a, b: self.sizes.add(code, a, b), numbers)
        return replace(
            launches[0], kernel=kernel, buffers=tuple(b for launch in launches for b in launch.buffers),
            sizes=(*(size for launch in launches for size in launch.sizes), *units), units=folded(SizeCode.ADD, units),
            work=folded(SizeCode.ADD, (launch.work for launch in launches)),
            scratch=folded(SizeCode.MAX, dict.fromkeys(launch.scratch for launch in launches)),
            commits=any(launch.commits for launch in launches))


def _moved(instruction: Instruction, now: dict[int, int]) -> Instruction:
    """An instruction with the ends of what stands in it where they are now."""
    if isinstance(instruction, Loop):
        return replace(instruction, end=now[instruction.end])
    if isinstance(instruction, Branch):
        then, otherwise = (replace(side, end=now[side.end]) for side in (instruction.then, instruction.otherwise))
        return replace(instruction, then=then, otherwise=otherwise)
    return instruction


def _joint_origin(origins: Sequence[Origin]) -> Origin:
    names, places, operands = zip(*origins)
    if len(origins) == 1:
        return origins[0]
    return (" ".join(dict.fromkeys(names)), tuple(dict.fromkeys(sum(places, ()))),
            tuple(dict.fromkeys(sum(operands, ()))))
