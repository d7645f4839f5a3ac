"""From a graph to a program: groups put in order, memory assigned, instructions written.

>>> from symtensor.ir.graph import Graph
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None, 3))("x")
>>> program = plan(Graph([x], [x * 2]), 1, [], lambda kernel: PrintedKernel(kernel.name, "", (), 1, 1, 0))
>>> [type(i).__name__ for i in program.instructions], program.kernels[0][0]
(['Launch'], 'mul')
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symtensor.ir import provenance
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Op, Variable, describe
from symtensor.lower.access import SUPPORTED, Accesses, has_code, reshaped_base
from symtensor.lower.build import Built, Partial, Places, build
from symtensor.lower.group import Group, group, matrix_operand, whole_inputs
from symtensor.lower.kernel import Kernel, PrintedKernel
from symtensor.lower.memory import reuse
from symtensor.lower.order import in_order
from symtensor.lower.program import (
    Argument,
    Buffer,
    BufferKind,
    Call,
    Check,
    Copy,
    Instruction,
    Launch,
    Program,
    Resize,
    SizeCode,
)
from symtensor.lower.program import Gemm as GemmInstruction
from symtensor.lower.scatter import scatter_kernel
from symtensor.lower.size_table import SizeTable
from symtensor.ops.contract import Gemm, MatMul
from symtensor.ops.index import Scatter
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol

__all__ = ["Evaluate", "plan"]

Printer = Callable[[Kernel], PrintedKernel]


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
    return _Planner(graph, arguments, list(updates), print_kernel).run()


class _Planner:
    def __init__(self, graph: Graph, arguments: int, updates: list[int], print_kernel: Printer) -> None:
        self.graph = graph
        self.print_kernel = print_kernel
        self.arguments = graph.inputs[:arguments]
        self.shared = graph.inputs[arguments:]
        self.returned = len(graph.outputs) - len(updates)
        self.updates = updates
        self.accesses = Accesses(graph)
        self.places = Places()
        self.buffers: list[Buffer] = []
        self.buffer_of: dict[Variable | Partial, int] = {}
        self.constants: list[Any] = []
        self.instructions: list[Instruction] = []
        self.kernels: list[tuple[str, str]] = []
        self.kernel_number: dict[str, int] = {}
        self.callables: list[Evaluate] = []
        self.origins: list[Any] = []
        self.checks: list[Check] = []
        self.messages: list[Any] = []
        self.sizes = SizeTable({})
        self.swapped: list[tuple[int, int]] = []
        self.numbers: dict[tuple[int, str], Constant] = {}

    def run(self) -> Program:
        self._roots()
        units = in_order(group(self.graph, self.accesses), self)
        self.stored = self._stored(units)
        reuse(self, units)
        self._input_buffers()
        self._output_buffers()
        for unit in units:
            self._unit(unit)
        self._copies()
        return self._program()

    # -- sizes ------------------------------------------------------------------------------------

    def _roots(self) -> None:
        """Where the value of each symbol comes from; sizes that the declared types repeat become checks."""
        roots: dict[Symbol, tuple[SizeCode, int, int]] = {}
        repeated: list[tuple[tuple[SizeCode, int, int], Size, Variable, int]] = []
        for group_of_inputs, code in ((self.arguments, SizeCode.INPUT_DIM), (self.shared, SizeCode.SHARED_DIM)):
            for number, variable in enumerate(group_of_inputs):
                for axis, size in enumerate(self.graph.origin[variable].type.shape):
                    lone = dims.lone_symbol(size)
                    if lone is not None and lone not in roots and lone.source is None:
                        roots[lone] = (code, number, axis)
                    else:
                        repeated.append(((code, number, axis), size, variable, axis))
        for symbol, variable in self.graph.sources.items():
            root = self._value_root(variable)
            if root is not None:
                roots[symbol] = root
        self.sizes = SizeTable(roots)
        for entry, size, variable, axis in repeated:
            message = ("declared", variable.name or repr(variable), axis, str(size))
            self._check(self.sizes.sizes.add(*entry), self.sizes.number(size), message)
        for equation, lines in self.graph.equations:
            if self._known(equation.left) and self._known(equation.right):
                self._check_equation(equation, lines)

    def _value_root(self, variable: Variable) -> tuple[SizeCode, int, int] | None:
        if isinstance(variable, Constant):
            return (SizeCode.CONSTANT, int(variable.data), 0)
        if variable in self.arguments:
            return (SizeCode.INPUT_VALUE, self.arguments.index(variable), 0)
        if variable in self.shared:
            return (SizeCode.SHARED_VALUE, self.shared.index(variable), 0)
        return None

    def _known(self, size: Size) -> bool:
        return all(symbol in self.sizes.roots for symbol in dims.symbols_of(size))

    def _check_equation(self, equation: Any, lines: provenance.Lines) -> None:
        message = ("equation", equation.meaning, equation.compare, str(equation.left), str(equation.right),
                   tuple(provenance.describe(lines)))
        self._check(self.sizes.number(equation.left), self.sizes.number(equation.right), message, equation.compare)

    def _check(self, left: int, right: int, message: Any, compare: str = "eq") -> None:
        if left != right:
            self.checks.append(Check(left, right, len(self.messages), compare))
            self.messages.append(message)

    def size(self, size: Size) -> int:
        """The number of a size."""
        return self.sizes.number(self.graph.solution(size))

    def _shape(self, shape: Sequence[Size]) -> tuple[int, ...]:
        return tuple(self.size(size) for size in shape)

    def _learn(self, node: Apply) -> None:
        """After a node has run: symbols whose value or size it computed are known from here on."""
        fresh: dict[Symbol, tuple[SizeCode, int, int]] = {}
        for symbol, variable in self.graph.sources.items():
            if symbol in self.sizes.roots or reshaped_base(variable) not in node.outputs:
                continue
            number = self.buffer(reshaped_base(variable))
            axis = symbol.axis
            fresh[symbol] = (SizeCode.DATA_VALUE, number, 0) if axis is None else (SizeCode.DATA_DIM, number, axis)
        if not fresh:
            return
        begin = len(self.sizes.sizes.entries)
        self._close_segment(begin)
        self.instructions.append(Resize(begin, begin))
        self.origins.append(node)
        undecided = [(e, lines) for e, lines in self.graph.equations
                     if not (self._known(e.left) and self._known(e.right))]
        for symbol, root in fresh.items():
            self.sizes.roots[symbol] = root
            self.sizes.sizes.add(*root)
        for variable in node.outputs:
            if variable in self.buffer_of and self._is_dynamic(variable):
                number = self.buffer_of[variable]
                self.buffers[number] = replace(self.buffers[number], shape=self._shape(variable.type.shape))
        for equation, lines in undecided:
            if self._known(equation.left) and self._known(equation.right):
                self._check_equation(equation, lines)

    def _close_segment(self, end: int) -> None:
        for number in range(len(self.instructions) - 1, -1, -1):
            instruction = self.instructions[number]
            if isinstance(instruction, Resize):
                self.instructions[number] = Resize(instruction.begin, end)
                return

    # -- memory -----------------------------------------------------------------------------------

    def _stored(self, units: Sequence[Group]) -> set[Variable]:
        """Computed variables that are kept in memory."""
        stored = {reshaped_base(v) for v in self.graph.roots()}
        for unit in units:
            for variable in self.inputs_of(unit):
                stored.add(variable)
            if not unit.fused:
                stored.update(unit.nodes[0].outputs)
        return stored

    def inputs_of(self, unit: Group) -> list[Variable]:
        """The variables in memory that a unit reads."""
        found: dict[Variable, None] = {}
        for node in unit.nodes:
            inputs = [r.variable for r in self.accesses.of(node)] if unit.fused else whole_inputs(node)
            for variable in inputs:
                found.setdefault(reshaped_base(variable))
        return [v for v in found if v not in unit.places]

    def outputs_of(self, unit: Group) -> list[Variable]:
        """The variables in memory that a unit computes."""
        return [v for node in unit.nodes for v in node.outputs if v in self.stored]

    def _input_buffers(self) -> None:
        for kind, inputs in ((BufferKind.INPUT, self.arguments), (BufferKind.SHARED, self.shared)):
            for number, variable in enumerate(inputs):
                self._new(variable, Buffer(kind, number, variable.type.dtype, self._shape(variable.type.shape)))

    def _output_buffers(self) -> None:
        """Each result gets the buffer its value is computed in, where no other result has it already."""
        self.results: list[int] = []
        self.copied: list[tuple[Variable, int]] = []
        for number, variable in enumerate(self.graph.outputs):
            base = self.places.of(reshaped_base(variable))
            storage = self.updates[number - self.returned] if number >= self.returned else None
            if storage is not None and base is self.shared[storage]:
                continue  # computed in place
            result = len(self.results)
            buffer = Buffer(BufferKind.OUTPUT, result, variable.type.dtype, ())
            if base not in self.buffer_of and self._is_dynamic(base) and base.type.shape == variable.type.shape:
                self.results.append(self.buffer(base))
            elif self._may_hold(base, variable):
                self.results.append(self._new(base, buffer))
            else:
                self.results.append(self._add(buffer))
                self.copied.append((reshaped_base(variable), self.results[-1]))
            if storage is not None:
                self.swapped.append((result, storage))

    def _may_hold(self, base: Variable, variable: Variable) -> bool:
        """Whether the value that `variable` shows may be computed in the result's own buffer."""
        if base.owner is None or base in self.buffer_of or base in self.accesses.inputs:
            return False
        if self._is_dynamic(base):
            return False
        own_shape = base.type.shape == variable.type.shape
        return own_shape or has_code(base.owner) or isinstance(base.owner.op, (MatMul, Gemm))

    def _new(self, key: Variable | Partial, buffer: Buffer) -> int:
        self.buffer_of[key] = self._add(buffer)
        return self.buffer_of[key]

    def _add(self, buffer: Buffer) -> int:
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def buffer(self, key: Variable | Partial) -> int:
        """The number of the buffer that holds a value, made at its first use."""
        if isinstance(key, Variable):
            key = self.places.of(key)
        if key in self.buffer_of:
            return self.buffer_of[key]
        if isinstance(key, Partial):
            return self._new(key, Buffer(BufferKind.ARENA, 0, key.dtype, (self.size(key.length),)))
        if isinstance(key, Constant):
            self.constants.append(np.ascontiguousarray(key.data).reshape(key.data.shape))
            return self._new(key, Buffer(BufferKind.CONSTANT, len(self.constants) - 1, key.type.dtype,
                                         self._shape(key.type.shape)))
        if self._is_dynamic(key):
            return self._new(key, Buffer(BufferKind.DYNAMIC, 0, key.type.dtype, ()))  # `_learn` gives it its shape
        return self._new(key, Buffer(BufferKind.ARENA, 0, key.type.dtype, self._shape(key.type.shape)))

    def _is_dynamic(self, variable: Variable) -> bool:
        """Whether a computed variable's sizes are known only from its value."""
        sizes = [self.graph.solution(size) for size in variable.type.shape]
        return any(symbol.axis is not None and self.graph.sources.get(symbol) is variable
                   for size in sizes for symbol in dims.symbols_of(size))

    # -- instructions -----------------------------------------------------------------------------

    def _unit(self, unit: Group) -> None:
        node = unit.nodes[-1]
        if unit.fused:
            self._launch(unit, build(self.graph, unit, self.accesses, self.places, self.stored))
        elif isinstance(node.op, (MatMul, Gemm)) and node.outputs[0].type.dtype in ("float32", "float64"):
            self._gemm(node)
        elif isinstance(node.op, Scatter) and all(v.type.dtype in SUPPORTED for v in node.inputs):
            self._scatter(node)
        else:
            callable_number = len(self.callables)
            self.callables.append(Evaluate(node.op, tuple(v.type.dtype for v in node.outputs)))
            inputs = tuple(self._whole(v) for v in node.inputs)
            self._emit(Call(callable_number, inputs, tuple(map(self.buffer, node.outputs))), node)
        for each in unit.nodes:
            self._learn(each)

    def _emit(self, instruction: Instruction, origin: Any) -> None:
        self.instructions.append(instruction)
        self.origins.append(origin)

    def _whole(self, variable: Variable) -> int:
        """The buffer of an input in its own shape."""
        base = reshaped_base(variable)
        number = self.buffer(base)
        if base.type.shape == variable.type.shape and self.buffers[number].kind is not BufferKind.OUTPUT:
            return number  # (a result's buffer may have the shape of another variable that shows it)
        return self._add(Buffer(BufferKind.ALIAS, number, variable.type.dtype, self._shape(variable.type.shape)))

    def _launch(self, unit: Group, built: Built) -> None:
        for kernel, keys in zip(built.kernels, built.buffers):
            self._print(kernel, keys, unit)

    def _print(self, kernel: Kernel, keys: Sequence[Variable | Partial], origin: Any) -> None:
        """Emit the launch of a kernel on buffers."""
        printed = self.print_kernel(kernel)
        number = self.kernel_number.setdefault(printed.text, len(self.kernels))
        if number == len(self.kernels):
            self.kernels.append((printed.name, printed.text))
        self._emit(Launch(number, tuple(map(self.buffer, keys)), self._shape(printed.parameters),
                          self.size(printed.units), self.size(printed.work), self.size(printed.scratch)), origin)

    def _start_from(self, x: Variable, node: Apply) -> None:
        """Have the node's output hold the value of x, if it does not take x's place."""
        source, target = self.buffer(reshaped_base(x)), self.buffer(node.outputs[0])
        if source != target:
            self._emit(Copy(source, target), node)

    def _scatter(self, node: Apply) -> None:
        self._start_from(node.inputs[0], node)
        kernel, keys = scatter_kernel(node)
        self._print(kernel, keys, node)

    def _gemm(self, node: Apply) -> None:
        dtype = node.outputs[0].type.dtype
        if isinstance(node.op, Gemm):
            c, a, b, alpha, beta = node.inputs
            flags = node.op.transpose_a, node.op.transpose_b
        else:
            a, b = node.inputs
            flags = False, False
            alpha, beta = self._number(1, dtype), self._number(0, dtype)
            c = None
        output = self.buffer(node.outputs[0])
        if c is not None and not _is_zero(beta):
            self._start_from(c, node)
        (a_base, a_swapped), (b_base, b_swapped) = matrix_operand(a), matrix_operand(b)
        *batch, m, n = node.outputs[0].type.shape
        k = a.type.shape[-2] if flags[0] else a.type.shape[-1]
        count: Size = 1
        for size in batch:
            count = count * size
        numbers = self._shape((m, n, k, count, m * k, k * n, m * n))
        self._emit(GemmInstruction(
            self.buffer(a_base), self.buffer(b_base), output, self.buffer(reshaped_base(alpha)),
            self.buffer(reshaped_base(beta)), flags[0] != a_swapped, flags[1] != b_swapped, *numbers), node)

    def _number(self, value: int, dtype: str) -> Constant:
        """The constant factor of a matrix product."""
        return self.numbers.setdefault((value, dtype), Constant(np.asarray(value, dtype)))

    def _copies(self) -> None:
        for base, target in self.copied:
            self._emit(Copy(self.buffer(base), target), base)

    # -- the whole --------------------------------------------------------------------------------

    def _program(self) -> Program:
        self._close_segment(len(self.sizes.sizes.entries))
        shown = dict(enumerate(self.graph.outputs[:self.returned]))
        shown.update((result, self.graph.outputs[self.returned + self.updates.index(storage)])
                     for result, storage in self.swapped)
        for result, variable in shown.items():
            number = self.results[result]
            self.buffers[number] = replace(self.buffers[number], shape=self._shape(variable.type.shape))
        self._close_segment(len(self.sizes.sizes.entries))
        return Program(
            [Argument(v.name or f"argument {n}", v.type.dtype, v.type.ndim) for n, v in enumerate(self.arguments)],
            [Argument(v.name or f"shared {n}", v.type.dtype, v.type.ndim) for n, v in enumerate(self.shared)],
            self.constants, self.sizes.sizes.entries, self.checks, self._lifetimes(),
            self.instructions, self.results, self.swapped, self.returned, self.kernels, list(self.callables),
            self.messages, [self._origin(o) for o in self.origins], self._written())

    def _lifetimes(self) -> list[Buffer]:
        """The buffers with the first and last instruction that needs each in the arena."""
        spans: dict[int, list[int]] = {}
        for number, instruction in enumerate(self.instructions):
            for buffer in _buffers_of(instruction, self.sizes.sizes.entries):
                while self.buffers[buffer].kind is BufferKind.ALIAS:
                    buffer = self.buffers[buffer].source
                spans.setdefault(buffer, []).append(number)
        return [replace(b, first=spans[n][0], last=spans[n][-1]) if b.kind is BufferKind.ARENA and n in spans else b
                for n, b in enumerate(self.buffers)]

    def _written(self) -> list[int]:
        """The storages that are updated in place."""
        swapped = {storage for _, storage in self.swapped}
        return [storage for storage in self.updates if storage not in swapped]

    def _origin(self, origin: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """What an instruction computes, for messages: the ops, the user's lines, the operands."""
        if isinstance(origin, Group):
            nodes = origin.nodes
        elif isinstance(origin, Apply):
            nodes = [origin]
        else:
            return ("copy", (), (describe(origin),))
        lines: dict[str, None] = {}
        for node in nodes:
            for own in self.graph.lines_of(node):
                lines.update(dict.fromkeys(provenance.describe(own[:1])))
        names = " ".join(dict.fromkeys(str(node.op) for node in nodes))
        operands = self.inputs_of(origin) if isinstance(origin, Group) else nodes[0].inputs
        return (names, tuple(lines), tuple(describe(v) for v in operands))


def _is_zero(variable: Variable) -> bool:
    return isinstance(variable, Constant) and not variable.data.any()


def _buffers_of(instruction: Instruction, sizes: Sequence[tuple[int, int, int]]) -> tuple[int, ...]:
    """The buffers an instruction reads or writes."""
    if isinstance(instruction, Launch):
        return instruction.buffers
    if isinstance(instruction, GemmInstruction):
        return (instruction.a, instruction.b, instruction.c, instruction.alpha, instruction.beta)
    if isinstance(instruction, Copy):
        return (instruction.source, instruction.target)
    if isinstance(instruction, Resize):
        return tuple(a for code, a, _ in sizes[instruction.begin:instruction.end]
                     if code in (SizeCode.DATA_VALUE, SizeCode.DATA_DIM))
    return instruction.inputs + instruction.outputs
