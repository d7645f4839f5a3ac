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
from symtensor.lower.assembly import Assembly
from symtensor.lower.buffers import Results
from symtensor.lower.flow import Flow
from symtensor.lower.joint import join_launches
from symtensor.lower.part import Part
from symtensor.lower.placement import Placement
from symtensor.lower.program import Argument, Copy, Program
from symtensor.lower.size_table import SizeTable
from symtensor.lower.target import Joiner, Printer
from symtensor.lower.written import write

__all__ = ["plan"]


def plan(graph: Graph, arguments: int, updates: Sequence[int], print_kernel: Printer,
         placement: Placement | None = None, join: Joiner | None = None) -> Program:
    """The program of a graph whose first `arguments` inputs are given at each call, the others by storages.

    The last `len(updates)` outputs become the values of the storages `updates` names. `print_kernel` gives
    kernels of the processor their text, and `join` makes one text of several; `placement` is what `place` made of the
    graph, if devices take part.
    """
    placement = placement or Placement()
    placement.on.update(write(graph, placement.device_of, placement.devices))
    graph.settle_sizes()
    flow, sizes = Flow(graph, arguments, updates, placement.device_of), SizeTable(graph, arguments)
    assembly = Assembly(print_kernel, placement.devices, join)
    part = Part(flow, assembly, sizes, lambda places: Results(flow, places, sizes, assembly))
    part.run()
    buffers = part.buffers
    assert isinstance(buffers, Results)
    for base, target in buffers.copied:
        part.emit(Copy(buffers.of(base), target), base)
    buffers.shape_results()
    join_launches(assembly, sizes.tables.sizes)
    return _program(flow, assembly, sizes, buffers, placement)


def _program(flow: Flow, assembly: Assembly, sizes: SizeTable, buffers: Results,
             placement: Placement) -> Program:
    """The program of which all parts are there."""
    swapped = {storage for _, storage in buffers.swapped}
    tables = sizes.tables
    return Program(
        arguments=[Argument(v.name or f"argument {n}", v.type.dtype, v.type.ndim)
                   for n, v in enumerate(flow.arguments)],
        storages=[Argument(v.name or f"shared {n}", v.type.dtype, v.type.ndim) for n, v in enumerate(flow.shared)],
        constants=assembly.constants, sizes=tables.sizes.entries, checks=tables.checks,
        buffers=assembly.with_lifetimes(tables.sizes.entries), instructions=assembly.instructions,
        results=buffers.results, updates=buffers.swapped, returned=flow.returned, kernels=assembly.kernels,
        callables=assembly.callables, messages=tables.messages, origins=assembly.origins, places=tables.places.all,
        written=[storage for storage in flow.updates if storage not in swapped],
        devices=[device.name for device in placement.devices],
        unplaced=[(str(node.op), reason, tuple(map(tables.places.number, flow.graph.lines_of(node))))
                  for node, reason in placement.unplaced.items()])
