"""The buffers of a program: where each value in memory lives.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.lower.memory import reuse
>>> from symtensor.lower.size_table import SizeTable
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> flow = Flow(Graph([x], [x * 2]), 1, [])
>>> assembly = Assembly(lambda kernel: [])
>>> buffers = Results(flow, reuse(flow, flow.units), SizeTable(flow.graph, 1), assembly)
>>> [buffer.kind.name for buffer in assembly.buffers], buffers.results
(['INPUT', 'OUTPUT'], [1])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from symtensor.ir.node import Constant, Variable
from symtensor.lower.access import has_code, reshaped_base
from symtensor.lower.assembly import Assembly
from symtensor.lower.flow import Flow
from symtensor.lower.graph_sizes import GraphSizes
from symtensor.lower.memory import SharedMemory
from symtensor.lower.program import Buffer, BufferKind
from symtensor.lower.target import Partial
from symtensor.ops.transfer import Transfer
from symtensor.types import dim as dims

__all__ = ["Memory", "Results"]


class Memory:
    """Which buffer each value of a flow is in; they are anew in each step of `loop`, the number of a Loop."""

    def __init__(self, flow: Flow, places: SharedMemory, sizes: GraphSizes, assembly: Assembly,
                 loop: int | None = None) -> None:
        self.flow = flow
        self.places = places
        self.sizes = sizes
        self.assembly = assembly
        self.loop = loop
        self._number: dict[Variable | Partial, int] = {}
        self._constants: dict[tuple[Constant, int], int] = {}

    def __contains__(self, key: Variable | Partial) -> bool:
        return key in self._number

    def put(self, key: Variable | Partial, number: int) -> int:
        """Let a value be in a buffer that is there."""
        self._number[key] = number
        return number

    def new(self, key: Variable | Partial, buffer: Buffer) -> int:
        """Let a value be in a new buffer."""
        return self.put(key, self.add(buffer))

    def add(self, buffer: Buffer) -> int:
        """The number of a new buffer."""
        return self.assembly.add(buffer, self.loop)

    def of(self, key: Variable | Partial, device: int = 0) -> int:
        """The number of the buffer that holds a value, made at its first use; a constant is on any device."""
        if isinstance(key, Variable):
            key = self.places.of(key)
        if isinstance(key, Constant):
            return self._constant(key, device)
        if key in self._number:
            return self._number[key]
        if isinstance(key, Partial):
            shape = (self.sizes.number(key.length),)
            self.assembly.partial.add(self.new(key, Buffer(BufferKind.ARENA, 0, key.dtype, shape, device=device)))
            return self._number[key]
        if self.is_dynamic(key):  # its shape is filled in once it is known, see `known`
            return self.new(key, Buffer(BufferKind.DYNAMIC, 0, key.type.dtype, ()))
        return self.new(key, Buffer(BufferKind.ARENA, 0, key.type.dtype, self.sizes.numbers(key.type.shape),
                                    device=self.flow.device_of(key)))

    def _constant(self, constant: Constant, device: int) -> int:
        if constant in self._number:
            return self._number[constant]
        if (constant, device) not in self._constants:
            source = len(self.assembly.constants)
            self.assembly.constants.append(np.ascontiguousarray(constant.data).reshape(constant.data.shape))
            shape = self.sizes.numbers(constant.type.shape)
            self._constants[constant, device] = self.add(
                Buffer(BufferKind.CONSTANT, source, constant.type.dtype, shape, device=device))
        return self._constants[constant, device]

    def whole(self, variable: Variable, base: Variable | None = None) -> int:
        """The buffer of a value in the variable's own shape, which is in memory as the first bytes of `base`."""
        base = reshaped_base(variable) if base is None else base
        number = self.of(base)
        own = base.type.shape == variable.type.shape
        buffer = self.assembly.buffers[number]
        if own and buffer.kind is BufferKind.DYNAMIC:
            return number
        shape = self.sizes.numbers(variable.type.shape)
        if own and buffer.kind is not BufferKind.OUTPUT and buffer.shape == shape:
            return number  # (a result's buffer may have the shape of another variable that shows it)
        return self.add(Buffer(BufferKind.ALIAS, number, variable.type.dtype, shape, device=buffer.device))

    def is_dynamic(self, variable: Variable) -> bool:
        """Whether a computed variable's sizes are known only from its value."""
        sizes = [self.flow.graph.solution(size) for size in variable.type.shape]
        return any(symbol.axis is not None and self.flow.graph.sources.get(symbol) is variable
                   for size in sizes for symbol in dims.symbols_of(size))

    def may_hold(self, base: Variable, variable: Variable) -> bool:
        """Whether the value that `variable` shows may be computed in a buffer made for `variable`."""
        if base.owner is None or base in self or base in self.flow.accesses.inputs or self.is_dynamic(base):
            return False
        own_shape = base.type.shape == variable.type.shape
        is_called = not isinstance(base.owner.op, Transfer) and base.owner.op.library_call(base.owner) is None
        return own_shape or has_code(base.owner) or not is_called

    # -- what is known late -----------------------------------------------------------------------

    def known(self, made: Sequence[Variable]) -> None:
        """The sizes of these variables are known from here on."""
        for variable in made:
            if variable in self and self.is_dynamic(variable):
                self.shape(self._number[variable], variable)

    def shape(self, number: int, variable: Variable) -> None:
        """Give a buffer the shape of a variable."""
        shape = self.sizes.numbers(variable.type.shape)
        self.assembly.buffers[number] = replace(self.assembly.buffers[number], shape=shape)


class Results(Memory):
    """The memory of a whole program: its arguments and results are there from the start.

    `results` are the buffers of the call's results, then of new values of storages that are not computed in place
    (`swapped` pairs those with their storages). `copied` pairs variables with results they must be copied to,
    because another result, an input or a constant has the value's own buffer.
    """

    def __init__(self, flow: Flow, places: SharedMemory, sizes: GraphSizes, assembly: Assembly) -> None:
        super().__init__(flow, places, sizes, assembly)
        self.results: list[int] = []
        self.swapped: list[tuple[int, int]] = []
        self.copied: list[tuple[Variable, int]] = []
        self._unshaped: list[tuple[int, Variable]] = []
        for kind, inputs in ((BufferKind.INPUT, flow.arguments), (BufferKind.SHARED, flow.shared)):
            for number, variable in enumerate(inputs):
                self.new(variable, Buffer(kind, number, variable.type.dtype, sizes.numbers(variable.type.shape),
                                          device=flow.device_of(variable)))
        for number, variable in enumerate(flow.graph.outputs):
            self._result(variable, flow.updates[number - flow.returned] if number >= flow.returned else None)

    # -- results ----------------------------------------------------------------------------------

    def _result(self, variable: Variable, storage: int | None) -> None:
        """A result gets the buffer its value is computed in, if no other result has it already."""
        base = self.places.of(reshaped_base(variable))
        if storage is not None and base is self.flow.shared[storage]:
            return  # computed in place
        device = 0 if isinstance(base, Constant) else self.flow.device_of(base)
        buffer = Buffer(BufferKind.OUTPUT, len(self.results), variable.type.dtype, (), device=device)
        if storage is not None:
            self.swapped.append((len(self.results), storage))
        if base not in self and self.is_dynamic(base) and base.type.shape == variable.type.shape:
            self.results.append(self.of(base))
        elif self.may_hold(base, variable):
            self.results.append(self.new(base, buffer))
        else:
            self.results.append(self.add(buffer))
            self.copied.append((reshaped_base(variable), self.results[-1]))
        self._unshaped.append((self.results[-1], variable))

    def shape_results(self) -> None:
        """Give results the shapes of the variables they show, when all those are known."""
        for number, variable in self._unshaped:
            self.shape(number, variable)
