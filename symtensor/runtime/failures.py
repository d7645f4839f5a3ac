"""Errors of a running function: from the numbers the virtual machine gives to words.

>>> from symtensor.ir.provenance import Line
>>> error = size_error(("equation", "sizes of axis 0", "eq", "x.0", "y.0", 0, ()), [(Line("a.py", 1, "f"),)], 3, 4)
>>> print(error)
sizes of axis 0: x.0 is 3 and y.0 is 4
  where    a.py:1 in f
  fix      give arrays of one size, or cut the longer one: x[:y.shape[0]]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from symtensor.base.errors import (
    AssertionFailed,
    CheckFailed,
    DeviceError,
    IndexOutOfRange,
    LinearAlgebraError,
    OpFailed,
    OutOfMemory,
    ShapeError,
    SymtensorError,
)
from symtensor.ir import provenance
from symtensor.ir.disagreement import declaration_error, equation_error, explained
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.node import Apply, Variable
from symtensor.ir.provenance import Lines
from symtensor.lower.program import Launch, Program, Routine
from symtensor.ops.branch import Branch
from symtensor.ops.size import Dimension

__all__ = ["Failures", "size_error"]


def size_error(message: Any, places: Sequence[Lines], left: int, right: int) -> SymtensorError:
    """The error for two sizes that do not agree; `message` is what the planner noted, with the number of a place."""
    if message[0] == "declared":
        _, name, axis, size = message
        return declaration_error(name, axis, left, (size, right))
    _, meaning, compare, left_text, right_text, place, operands = message
    return equation_error(meaning, compare, (left_text, left), (right_text, right),
                          provenance.describe(places[place]), operands)


class Failures:
    """The callback of the virtual machine: raises the error for what went wrong.

    `written` are the inputs and outputs the program was made of: a kernel tells only that an index is out of range,
    and which one it is, is found by NumPy in the arrays that the call was given.
    """

    def __init__(self, program: Program, written: tuple[Sequence[Variable], Sequence[Variable]],
                 name: str | None = None, devices: Sequence[Any] = ()) -> None:
        self.program = program
        self.written = written
        self.name = name or "a function"
        self.devices = devices

    def __call__(self, kind: str, number: int, data: Any) -> None:
        """Raise. `kind` is one of the virtual machine's, `number` a check, instruction or buffer."""
        program = self.program
        if kind == "size":
            raise size_error(program.messages[program.checks[number].message], program.places, *data)
        if kind == "memory":
            raise self._out_of_memory(number, data)
        if kind == "device":
            raise self._device_error(number, *data)
        if kind in ("negative", "overflow"):
            raise ShapeError("a size is negative" if kind == "negative" else "an array has too many bytes",
                             operands=[f"buffer {number}: {data}"])
        if kind == "kernel":
            raise self._kernel_error(number, *data)
        names, places, operands = program.origins[number]
        where = self._where(places)
        if kind == "exception":
            raise explained(data, names, where, operands)
        raise CheckFailed(f"{names} returned something else than it promised: {data}", where=where, operands=operands)

    def _where(self, places: Iterable[int]) -> list[str]:
        """Each place by its innermost line: several nodes have a part in an instruction."""
        lines = (self.program.places[place][:1] for place in places)
        return list(dict.fromkeys(text for line in lines for text in provenance.describe(line)))

    def _kernel_error(self, number: int, status: int, step: int | None, arrays: Sequence[np.ndarray]) -> SymtensorError:
        """The error where a kernel, or a routine of a library, says that it failed, perhaps in a step of a loop."""
        instruction, (names, places, operands) = self.program.instructions[number], self.program.origins[number]
        where, during = self._where(places), "" if step is None else f"in step {step}: "
        if isinstance(instruction, Routine):
            text = instruction.failure + _status_text(instruction.name, status)
            error = DeviceError if instruction.name.startswith("device_") else LinearAlgebraError
            return error(f"{during}{names}: {text}", where=where, operands=operands, fix=instruction.fix)
        found = self._offence([self.program.places[place] for place in places], arrays) if step is None else None
        if isinstance(found, AssertionFailed) or (found is None and "assert[" in names):
            return AssertionFailed(during + (names if found is None else found.what), where=where, operands=operands)
        if found is None and "wrap_index" not in names:
            return OpFailed(f"{during}the C function {names} says that it failed", where=where, operands=operands)
        return IndexOutOfRange(during + ("an index is out of range" if found is None else found.what), where=where,
                               operands=operands, fix="positions run from -size to size - 1")

    def _out_of_memory(self, device: int, data: Any) -> Exception:
        """The error where memory is wanted on the processor, or on a device."""
        if device:
            from symtensor.runtime.memory import out_of_memory  # which knows all functions and shared variables
            return out_of_memory(self.devices[device - 1], data, f"a call of {self.name}")
        return OutOfMemory(f"{data} bytes could not be allocated" if data else "out of memory")

    def _device_error(self, number: int, status: int, error: str) -> DeviceError:
        """The error where the driver refused an instruction; -1 where it was waited for, at the end.

        What went wrong may have been any kernel before, unless each was waited for.
        """
        program = self.program
        launches = {n: one for n, one in enumerate(program.instructions) if isinstance(one, Launch) and one.block}
        if number in launches and all(device.synchronous for device in self.devices):
            launches = {number: launches[number]}
        concerned = [n for n in launches if number < 0 or n <= number]
        names = dict.fromkeys(program.kernels[launches[n].kernel].name for n in concerned)
        where = self._where(place for n in concerned for place in program.origins[n][1])
        what = "a kernel, one of" if len(names) > 1 else "the kernel" if concerned else "a call"
        devices = ", ".join(device.name for device in self.devices)
        return DeviceError(f"{devices}: {error} in {what} {', '.join(names)}".rstrip(), where=where[:8],
                           fix="cuda_synchronous=True tells which kernel it is" if len(names) > 1 else
                           "the process must be started anew: the device does nothing more for it")

    def _offence(self, places: Sequence[Lines], arrays: Sequence[np.ndarray]) -> SymtensorError | None:
        """What NumPy says of what is computed at these places; None if it finds nothing wrong with it."""
        return _found_wrong(Graph(*self.written), set(places), arrays)


def _status_text(routine: str, status: int) -> str:
    """What a library of devices says of a status."""
    if not routine.startswith("device_"):
        return ""
    from symtensor.runtime.cuda.libraries import status_text  # which only programs for devices load
    return status_text(routine, status)


def _found_wrong(graph: Graph, places: set[Lines], arrays: Sequence[np.ndarray]) -> SymtensorError | None:
    """What NumPy says of what a graph, or a side of a branch in it, computes at these places."""
    for node in graph.nodes():
        checked = node.op.fails and not places.isdisjoint(graph.lines_of(node))
        if not checked and not isinstance(node.op, Branch):
            continue
        graph.outputs = list(node.outputs if checked else node.inputs)
        try:
            values = evaluate_graph(graph, arrays)
        except (AssertionFailed, IndexOutOfRange) as error:
            if not checked:
                continue
            error.what = error.what.removeprefix(f"{node.op}: ")
            if isinstance(error, IndexOutOfRange):
                error.what += _axis_text(node.inputs[1].owner)
            return error
        except (SymtensorError, MemoryError):
            continue  # a storage may have been written in place by now; then the error that was found has to do
        if isinstance(node.op, Branch):
            side = node.op.then if values[0] else node.op.otherwise
            found = _found_wrong(side.graph.copy(), places, values[1:])
            if found is not None:
                return found
    return None


def _axis_text(size: Apply | None) -> str:
    """Whose size the index had to keep to, if it is that of an axis."""
    return f": axis {size.op.axis} of {size.inputs[0]!r}" if size is not None and isinstance(size.op, Dimension) else ""
