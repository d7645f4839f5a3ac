"""Part of a program: the instructions for a graph's groups, or for those of a loop's step or a side of a branch.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.buffers import Results
>>> from symtensor.lower.size_table import SizeTable
>>> from symtensor.lower.target import PrintedKernel
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> flow = Flow(Graph([x], [x * 2]), 1, [])
>>> sizes = SizeTable(flow.graph, 1)
>>> assembly = Assembly(lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1))])
>>> part = Part(flow, assembly, sizes, lambda places: Results(flow, places, sizes, assembly))
>>> part.run()
>>> [type(instruction).__name__ for instruction in assembly.instructions]
['Launch']
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Op, Variable, describe
from symtensor.ir.routine import RoutineCall
from symtensor.lower.access import puts_elements, reshaped_base, starts_from
from symtensor.lower.assembly import Assembly, Origin
from symtensor.lower.branches import plan_branch
from symtensor.lower.buffers import Memory, Results
from symtensor.lower.build import build
from symtensor.lower.flow import Flow
from symtensor.lower.graph_sizes import GraphSizes
from symtensor.lower.group import Group
from symtensor.lower.kernel import Kernel
from symtensor.lower.loops import plan_loop
from symtensor.lower.memory import SharedMemory, reuse
from symtensor.lower.order import in_order
from symtensor.lower.program import Branch as BranchInstruction
from symtensor.lower.program import Buffer, BufferKind, Call, Copy, Instruction, Launch, Resize, Routine, Side, SizeCode
from symtensor.lower.scatter import scatter_kernel
from symtensor.lower.target import Partial, PrintedKernel
from symtensor.ops.branch import Branch
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.transfer import Transfer, untransferred
from symtensor.types.dim import Size, Symbol

__all__ = ["Evaluate", "Part"]


@dataclass(frozen=True)
class Evaluate:
    """An op without code, as the function the virtual machine calls: its NumPy meaning."""

    op: Op
    dtypes: tuple[str, ...]

    def __call__(self, *values: np.ndarray) -> tuple[np.ndarray, ...]:
        results = self.op.evaluate(*values)
        if not isinstance(results, (tuple, list)):
            results = (results,)
        return tuple(np.ascontiguousarray(r, dtype=d).reshape(np.shape(r)) for r, d in zip(results, self.dtypes))


class Part:
    """Instructions for a flow: of the whole program, of the steps of a loop, or of a side of a branch.

    `make_memory` gives the buffers, once it is known which variables share memory.
    """

    def __init__(self, flow: Flow, assembly: Assembly, sizes: GraphSizes,
                 make_memory: Callable[[SharedMemory], Memory]) -> None:
        self.flow = flow
        self.graph: Graph = flow.graph
        self.assembly = assembly
        self.sizes = sizes
        self.units = in_order(flow)
        self.places = reuse(flow, self.units)
        self.buffers = make_memory(self.places)

    def inner(self, flow: Flow, sizes: GraphSizes) -> Part:
        """A part for the step of a loop, or a side of a branch, in this one."""
        return Part(flow, self.assembly, sizes,
                    lambda places: Memory(flow, places, sizes, self.assembly, self.buffers.loop))

    def needs(self, variable: Variable) -> bool:
        """Whether anything but its own unit uses a variable that a unit computes."""
        return variable in self._needed

    @cached_property
    def _needed(self) -> set[Variable]:
        needed = {reshaped_base(v) for v in self.graph.roots()}
        return needed.union(*(self.flow.inputs_of(unit) for unit in self.units))

    def run(self, learns: bool = True) -> None:
        """The instructions for all groups, with a Resize where data tells sizes if it `learns` any."""
        told: dict[Variable, list[tuple[Symbol, Variable]]] = {}
        for symbol, variable in self.graph.sources.items():
            if learns and not self.sizes.knows(symbol):
                told.setdefault(reshaped_base(variable), []).append((symbol, variable))
        self._learn([base for base in told if base.owner is None], None, told)
        for unit in self.units:
            self._unit(unit)
            for node in unit.nodes:
                self._learn(node.outputs, node, told)

    def _learn(self, made: Sequence[Variable], origin: Apply | None,
               told: Mapping[Variable, Sequence[tuple[Symbol, Variable]]]) -> None:
        """Symbols whose value or size can be read from what is made by now are known from here on."""
        fresh: dict[Symbol, int] = {}
        for base in made:
            for symbol, variable in told.get(base, ()):
                if symbol.axis is None:
                    fresh[symbol] = self.sizes.tables.sizes.read(SizeCode.DATA_VALUE, self.buffers.whole(variable))
                else:
                    fresh[symbol] = self.sizes.tables.sizes.read(
                        SizeCode.DATA_DIM, self.buffers.of(base), symbol.axis)
        if fresh:
            self.emit(Resize(tuple(fresh.values())), origin)
            self.sizes.learn(fresh)
            self.buffers.known(made)

    def _unit(self, unit: Group) -> None:
        """The instructions for one group."""
        if unit.fused:
            self.launch(*build(self.graph, unit, self.flow.accesses, self.places, self.flow.stored), unit, unit.device)
        else:
            self._alone(unit.nodes[-1], unit.device)

    def _alone(self, node: Apply, device: int) -> None:
        """What computes a node without code."""
        start, call = starts_from(node), node.op.library_call(node)
        if start is not None:
            self._start(node, start, device)
        if puts_elements(node):
            self.launch(*scatter_kernel(node), node, device)
        elif call is not None:
            self._routine(node, call, device)
        elif node.op.kernel_text is not None:
            self._own_kernel(node, node.op.kernel_text())
        elif isinstance(node.op, Transfer):
            self._start(node, node.inputs[0], self.flow.device_of(node.inputs[0]))
        else:
            obstacle = (plan_loop(self, node, device) if isinstance(node.op, Scan) else
                        plan_branch(self, node, device) if isinstance(node.op, Branch) else "")
            if obstacle is not None:
                self._call(node, obstacle)

    def emit(self, instruction: Instruction, origin: Any) -> int:
        """Add an instruction for a unit, a node or a variable; its number."""
        return self.assembly.emit(instruction, self._origin(origin))

    def launch(self, kernel: Kernel, variables: Sequence[Variable | Partial], origin: Any, device: int) -> None:
        """Run a kernel on the buffers of variables, unless it is known to have no points."""
        if any(loop.extent == 0 for loop in kernel.parallel):
            return
        self._launch(self.assembly.kernels_of(kernel, device), variables, origin, device)

    def _launch(self, kernels: Iterable[tuple[int, PrintedKernel]], variables: Sequence[Variable | Partial],
                origin: Any, device: int) -> None:
        """Launch kernels, whose slots are variables, one after the other."""
        for number, printed in kernels:
            keys = [variables[buffer] if isinstance(buffer, int) else buffer for buffer in printed.buffers]
            units, work, scratch = self.sizes.numbers((printed.units, printed.work, printed.scratch))
            self.emit(Launch(number, tuple(self.buffers.of(key, device) for key in keys),
                             self.sizes.numbers(printed.parameters), units, work, scratch, printed.in_order,
                             printed.block, printed.fails, bool(device) and self._commits(origin), printed.sometimes),
                      origin)

    def _commits(self, origin: Any) -> bool:
        """Whether a unit or node writes a storage in place."""
        made = [v for node in (origin.nodes if isinstance(origin, Group) else [origin]) for v in node.outputs]
        return isinstance(self.buffers, Results) and any(self.places.of(v) in self.flow.shared for v in made)

    def _own_kernel(self, node: Apply, text: str) -> None:
        """Launch a kernel that the op wrote itself: one unit, given its inputs, its outputs and all their sizes."""
        variables = [*map(reshaped_base, node.inputs), *node.outputs]
        sizes = tuple(size for v in (*node.inputs, *node.outputs) for size in v.type.shape)
        work: Size = sum((math.prod(v.type.shape, start=1) for v in node.outputs), 0)
        printed = PrintedKernel(str(node.op), text, sizes, 1, work, 0, tuple(range(len(variables))))
        self._launch(self.assembly.numbered([printed], 0), variables, node, 0)

    def _call(self, node: Apply, why: str) -> None:
        """Call the NumPy meaning of an op."""
        self.assembly.callables.append(Evaluate(node.op, tuple(v.type.dtype for v in node.outputs)))
        inputs = map(self.buffers.whole, node.inputs, self.flow.accesses.memory(node))
        self.emit(Call(len(self.assembly.callables) - 1, tuple(inputs),
                       tuple(map(self.buffers.of, node.outputs)), why), node)

    def _start(self, node: Apply, start: Variable, device: int) -> None:
        """Have the node's output hold a value that is on a device, if it does not take that value's place."""
        source, target = self.buffers.of(reshaped_base(start), device), self.buffers.of(node.outputs[0])
        if source != target:
            self.emit(Copy(source, target), node)

    def _routine(self, node: Apply, call: RoutineCall, device: int) -> None:
        if device:
            slots = [*map(reshaped_base, call.operands), *node.outputs]
            target, dtypes = self.assembly.devices[device - 1], [v.type.dtype for v in slots]
            queued = target.library(call, dtypes)
            if queued is None or queued.may_refuse:
                printed = target.print_routine(call, dtypes)
                assert printed is not None, f"{node} was placed on a device that has nothing for it"
                kernels = self.assembly.numbered(printed, device)
            if queued is None:
                return self._launch(kernels, slots, node, device)
            if queued.may_refuse:
                return self._tried(node, queued, kernels, slots, device)
            call = queued
        self._queue(node, call, device)

    def _queue(self, node: Apply, call: RoutineCall, device: int, told: tuple[int, ...] = ()) -> None:
        """Call a routine of a library; `told` is the buffer for whether it did it, where it may refuse."""
        of, sizes = self.buffers.of, self.sizes
        self.emit(Routine(
            call.name, tuple(of(reshaped_base(v), device) for v in call.operands), (*map(of, node.outputs), *told),
            sizes.numbers(call.sizes), tuple(map(int, call.flags)), work=sizes.number(call.work),
            scratch=sizes.number(call.scratch), failure=call.failure, fix=call.fix), node)

    def _tried(self, node: Apply, call: RoutineCall, kernels: Iterable[tuple[int, PrintedKernel]],
               slots: Sequence[Variable], device: int) -> None:
        """Call a routine of a library, and where it refuses launch kernels that do the same."""
        told = self.buffers.add(Buffer(BufferKind.ARENA, 0, "bool", ()))
        self._queue(node, call, device, (told,))
        place = self.emit(Copy(told, told), node)  # stands for the Branch
        self._launch(kernels, slots, node, device)
        sides = Side(place + 1), Side(len(self.assembly.instructions))
        self.assembly.instructions[place] = BranchInstruction(told, *sides, tuple(map(self.buffers.of, node.outputs)))

    def _origin(self, origin: Any) -> Origin:
        """What an instruction computes, for messages: the ops, the numbers of their places, the operands."""
        if origin is None:
            return ("sizes", (), ())
        if isinstance(origin, Variable):
            return ("copy", (), (describe(untransferred(origin)),))
        nodes = origin.nodes if isinstance(origin, Group) else [origin]
        number = self.sizes.tables.places.number
        places = dict.fromkeys(number(own) for node in nodes for own in self.graph.lines_of(node))
        names = " ".join(dict.fromkeys(str(node.op) for node in nodes))
        operands = self.flow.inputs_of(origin) if isinstance(origin, Group) else nodes[0].inputs
        checked = [node.inputs for node in nodes if isinstance(node.op, Elementwise) and node.op.definition.fails]
        counted = (f"{untransferred(index)!r} counts along an axis of size {size!r}" for index, size in checked)
        return (names, tuple(places), (*(describe(untransferred(v)) for v in operands), *counted))
