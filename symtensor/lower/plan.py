"""From a graph to a program: the instructions of its groups, in order.

>>> from symtensor.lower.target import PrintedKernel
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> program = plan(Graph([x], [x * 2]), 1, [], lambda kernel: [PrintedKernel(kernel.name, "", (), 1, 1, 0, (0, 1))])
>>> [type(i).__name__ for i in program.instructions], program.kernels[0][0]
(['Launch'], 'mul')
"""

from __future__ import annotations

from collections.abc import Sequence

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Variable
from symtensor.lower.access import reshaped_base
from symtensor.lower.assembly import Assembly
from symtensor.lower.buffers import Results
from symtensor.lower.flow import Flow
from symtensor.lower.part import Part
from symtensor.lower.placement import Placement
from symtensor.lower.program import Argument, Copy, Program, Resize, SizeCode
from symtensor.lower.size_table import Root, SizeTable
from symtensor.lower.target import Printer
from symtensor.types.dim import Symbol

__all__ = ["plan"]


def plan(graph: Graph, arguments: int, updates: Sequence[int], print_kernel: Printer,
         placement: Placement | None = None) -> Program:
    """The program of a graph whose first `arguments` inputs are given at each call, the others by storages.

    The last `len(updates)` outputs become the values of the storages `updates` names. `print_kernel` gives
    kernels of the processor their text; `placement` is what `place` made of the graph, if devices take part.
    """
    graph.settle_sizes()
    placement = placement or Placement()
    return _Planner(Flow(graph, arguments, updates, placement.device_of), print_kernel, placement).run()


class _Planner:
    """The program of a flow: one part, its sizes learned on the way."""

    def __init__(self, flow: Flow, print_kernel: Printer, placement: Placement) -> None:
        self.flow = flow
        self.graph = flow.graph
        self.placement = placement
        self.assembly = Assembly(print_kernel, placement.devices)
        self.sizes = SizeTable(flow.graph, len(flow.arguments))
        self.part = Part(flow, self.assembly, self.sizes,
                         lambda places: Results(flow, places, self.sizes, self.assembly))
        assert isinstance(self.part.buffers, Results)
        self.buffers: Results = self.part.buffers
        self._resize: int | None = None
        self._told: dict[Variable, list[tuple[Symbol, Variable]]] = {}
        for symbol, variable in flow.graph.sources.items():
            self._told.setdefault(reshaped_base(variable), []).append((symbol, variable))

    def run(self) -> Program:
        """The program."""
        self._learn([base for base in self._told if base.owner is None], None)
        for unit in self.part.units:
            self.part.unit(unit)
            for node in unit.nodes:
                self._learn(node.outputs, node)
        for base, target in self.buffers.copied:
            self.part.emit(Copy(self.buffers.of(base), target), base)
        self._close_segment()
        return self._program()

    # -- sizes that data tells --------------------------------------------------------------------

    def _learn(self, made: Sequence[Variable], origin: Apply | None) -> None:
        """Symbols whose value or size can be read from what is made by now are known from here on."""
        fresh: dict[Symbol, Root] = {}
        for base in made:
            for symbol, variable in self._told.get(base, ()):
                if symbol not in self.sizes.roots:
                    fresh[symbol] = (SizeCode.DATA_VALUE, self.buffers.whole(variable), 0) if symbol.axis is None else (
                        SizeCode.DATA_DIM, self.buffers.of(base), symbol.axis)
        if fresh:
            self._close_segment()
            begin = len(self.sizes.sizes.entries)
            self._resize = self.part.emit(Resize(begin, begin), origin)
            self.sizes.learn(fresh)
            self.buffers.known(made)

    def _close_segment(self) -> None:
        """The sizes numbered so far belong to the last Resize, if there is one."""
        self.buffers.shape_results()
        if self._resize is not None:
            resize = self.assembly.instructions[self._resize]
            assert isinstance(resize, Resize)
            self.assembly.instructions[self._resize] = Resize(resize.begin, len(self.sizes.sizes.entries))

    # -- the whole --------------------------------------------------------------------------------

    def _program(self) -> Program:
        flow, buffers, assembly = self.flow, self.buffers, self.assembly
        swapped = {storage for _, storage in buffers.swapped}
        return Program(
            arguments=[Argument(v.name or f"argument {n}", v.type.dtype, v.type.ndim)
                       for n, v in enumerate(flow.arguments)],
            storages=[Argument(v.name or f"shared {n}", v.type.dtype, v.type.ndim) for n, v in enumerate(flow.shared)],
            constants=assembly.constants, sizes=self.sizes.sizes.entries, checks=self.sizes.checks,
            buffers=assembly.with_lifetimes(self.sizes.sizes.entries), instructions=assembly.instructions,
            results=buffers.results, updates=buffers.swapped, returned=flow.returned, kernels=assembly.kernels,
            callables=assembly.callables, messages=self.sizes.messages,
            origins=assembly.origins, places=self.sizes.places.all,
            written=[storage for storage in flow.updates if storage not in swapped],
            devices=[device.name for device in self.placement.devices],
            unplaced=[(str(node.op), reason, tuple(map(self.sizes.places.number, self.graph.lines_of(node))))
                      for node, reason in self.placement.unplaced.items()])
