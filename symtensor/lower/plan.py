"""From a graph to a program: the instructions of its groups, in order.

>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> from symtensor.lower.target import PrintedKernel
>>> program = plan(Graph([x], [x * 2]), 1, [], lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1))])
>>> [type(i).__name__ for i in program.instructions], program.kernels[0][0]
(['Launch'], 'mul')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Op, Variable, describe
from symtensor.ir.routine import RoutineCall
from symtensor.lower.access import puts_elements, reshaped_base, starts_from
from symtensor.lower.buffers import Buffers
from symtensor.lower.build import build
from symtensor.lower.flow import Flow
from symtensor.lower.group import Group
from symtensor.lower.kernel import Kernel
from symtensor.lower.memory import reuse
from symtensor.lower.order import in_order
from symtensor.lower.program import Argument, Call, Copy, Instruction, Launch, Program, Resize, Routine, SizeCode
from symtensor.lower.scatter import scatter_kernel
from symtensor.lower.size_table import Root, SizeTable
from symtensor.lower.target import Printer
from symtensor.ops.elementwise import Elementwise
from symtensor.types.dim import Symbol

__all__ = ["Evaluate", "plan"]

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


def plan(graph: Graph, arguments: int, updates: Sequence[int], print_kernel: Printer) -> Program:
    """The program of a graph whose first `arguments` inputs are given at each call, the others by storages.

    The last `len(updates)` outputs become the values of the storages `updates` names. `print_kernel` gives
    kernels their text.
    """
    return _Planner(Flow(graph, arguments, updates), print_kernel).run()


class _Planner:
    def __init__(self, flow: Flow, print_kernel: Printer) -> None:
        self.flow = flow
        self.graph = flow.graph
        self.print_kernel = print_kernel
        self.units = in_order(flow)
        self.places = reuse(flow, self.units)
        self.sizes = SizeTable(flow.graph, len(flow.arguments))
        self.buffers = Buffers(flow, self.places, self.sizes)
        self.instructions: list[Instruction] = []
        self.origins: list[Any] = []
        self.kernels: list[tuple[str, str]] = []
        self.kernel_number: dict[str, int] = {}
        self.callables: list[Evaluate] = []

    def run(self) -> Program:
        given = [base for base in map(reshaped_base, self.graph.sources.values()) if base.owner is None]
        self._learn(given, None)
        for unit in self.units:
            self._unit(unit)
        for base, target in self.buffers.copied:
            self._emit(Copy(self.buffers.of(base), target), base)
        self._close_segment()
        return self._program()

    # -- instructions -----------------------------------------------------------------------------

    def _unit(self, unit: Group) -> None:
        if unit.fused:
            self._launch(*build(self.graph, unit, self.flow.accesses, self.places, self.flow.stored), unit)
        else:
            self._alone(unit.nodes[-1])
        for each in unit.nodes:
            self._learn(each.outputs, each)

    def _emit(self, instruction: Instruction, origin: Any) -> None:
        self.instructions.append(instruction)
        self.origins.append(origin)

    def _launch(self, kernel: Kernel, variables: Sequence[Variable], origin: Any) -> None:
        """Run a kernel on the buffers of variables."""
        for printed in self.print_kernel(kernel):
            number = self.kernel_number.setdefault(printed.text, len(self.kernels))
            if number == len(self.kernels):
                self.kernels.append((printed.name, printed.text))
            keys = [variables[buffer] if isinstance(buffer, int) else buffer for buffer in printed.buffers]
            self._emit(Launch(number, tuple(map(self.buffers.of, keys)), self.sizes.numbers(printed.parameters),
                              *self.sizes.numbers((printed.units, printed.work, printed.scratch))), origin)

    def _alone(self, node: Apply) -> None:
        """What computes a node without code."""
        start, call = starts_from(node), node.op.library_call(node)
        if start is not None:
            self._start(node, start)
        if puts_elements(node):
            self._launch(*scatter_kernel(node), node)
        elif call is not None:
            self._routine(node, call)
        else:
            self._call(node)

    def _start(self, node: Apply, start: Variable) -> None:
        """Have the node's output hold a value, if it does not take that value's place."""
        source, target = self.buffers.of(reshaped_base(start)), self.buffers.of(node.outputs[0])
        if source != target:
            self._emit(Copy(source, target), node)

    def _routine(self, node: Apply, call: RoutineCall) -> None:
        of, sizes = self.buffers.of, self.sizes
        self._emit(Routine(
            call.name, tuple(of(reshaped_base(v)) for v in call.operands), tuple(map(of, node.outputs)),
            sizes.numbers(call.sizes), tuple(map(int, call.flags)), work=sizes.number(call.work),
            scratch=sizes.number(call.scratch), failure=call.failure, fix=call.fix), node)

    def _call(self, node: Apply) -> None:
        """Call the NumPy meaning of an op."""
        self.callables.append(Evaluate(node.op, tuple(v.type.dtype for v in node.outputs)))
        self._emit(Call(len(self.callables) - 1, tuple(map(self.buffers.whole, node.inputs)),
                        tuple(map(self.buffers.of, node.outputs))), node)

    # -- sizes that data tells --------------------------------------------------------------------

    def _learn(self, made: Sequence[Variable], origin: Apply | None) -> None:
        """Symbols whose value or size can be read from what is made by now are known from here on."""
        fresh: dict[Symbol, Root] = {}
        for symbol, variable in self.graph.sources.items():
            base = reshaped_base(variable)
            if symbol in self.sizes.roots or base not in made:
                continue
            fresh[symbol] = (SizeCode.DATA_VALUE, self.buffers.whole(variable), 0) if symbol.axis is None else (
                SizeCode.DATA_DIM, self.buffers.of(base), symbol.axis)
        if fresh:
            self._close_segment()
            begin = len(self.sizes.sizes.entries)
            self._emit(Resize(begin, begin), origin)
            self.sizes.learn(fresh)
            self.buffers.known(made)

    def _close_segment(self) -> None:
        """The sizes numbered so far belong to the last Resize, if there is one."""
        self.buffers.shape_results()
        for number in range(len(self.instructions) - 1, -1, -1):
            instruction = self.instructions[number]
            if isinstance(instruction, Resize):
                self.instructions[number] = Resize(instruction.begin, len(self.sizes.sizes.entries))
                return

    # -- the whole --------------------------------------------------------------------------------

    def _program(self) -> Program:
        flow, buffers = self.flow, self.buffers
        swapped = {storage for _, storage in buffers.swapped}
        return Program(
            arguments=[Argument(v.name or f"argument {n}", v.type.dtype, v.type.ndim)
                       for n, v in enumerate(flow.arguments)],
            storages=[Argument(v.name or f"shared {n}", v.type.dtype, v.type.ndim) for n, v in enumerate(flow.shared)],
            constants=buffers.constants, sizes=self.sizes.sizes.entries, checks=self.sizes.checks,
            buffers=buffers.with_lifetimes(self.instructions), instructions=self.instructions,
            results=buffers.results, updates=buffers.swapped, returned=flow.returned, kernels=self.kernels,
            callables=list(self.callables), messages=self.sizes.messages,
            origins=[self._origin(origin) for origin in self.origins], places=self.sizes.places.all,
            written=[storage for storage in flow.updates if storage not in swapped])

    def _origin(self, origin: Any) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
        """What an instruction computes, for messages: the ops, the numbers of their places, the operands."""
        if origin is None:
            return ("sizes", (), ())
        if isinstance(origin, Variable):
            return ("copy", (), (describe(origin),))
        nodes = origin.nodes if isinstance(origin, Group) else [origin]
        places = dict.fromkeys(self.sizes.places.number(own) for node in nodes for own in self.graph.lines_of(node))
        names = " ".join(dict.fromkeys(str(node.op) for node in nodes))
        operands = self.flow.inputs_of(origin) if isinstance(origin, Group) else nodes[0].inputs
        checked = [node.inputs for node in nodes if isinstance(node.op, Elementwise) and node.op.definition.fails]
        return (names, tuple(places), (*map(describe, operands),
                                      *(f"{index!r} counts along an axis of size {size!r}" for index, size in checked)))
