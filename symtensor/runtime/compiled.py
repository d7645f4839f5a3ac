"""Compiled functions: a graph optimised, planned, its kernels loaded, and the callable that runs it.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", ())("x")
>>> f = compile_graph(Graph([x], [-x]), declared=[In(x)], shared=[], wrap="single", updates=[])
>>> f(3.0), [kernel.name for kernel in f.kernels]
(array(-3.), ['neg'])
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import BadThunkOutput, CompileError, NotSupported
from symtensor.codegen.cache import load_kernels
from symtensor.codegen.cpu.kernels import print_kernel
from symtensor.codegen.preamble import preamble
from symtensor.codegen.toolchain import Toolchain, toolchain
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph, watched
from symtensor.ir.node import Variable
from symtensor.lower.plan import plan
from symtensor.lower.program import Branch, Instruction, Launch, Loop, Program, Routine, SizeCode
from symtensor.ops.transfer import PROCESSOR, Transfer
from symtensor.rewrite.engine import History
from symtensor.rewrite.phases import optimize
from symtensor.runtime import memory, program_cache
from symtensor.runtime.arguments import In, Signature
from symtensor.runtime.containers import Containers, copies_of_state
from symtensor.runtime.core import core, load_routines
from symtensor.runtime.debug import Check
from symtensor.runtime.failures import Failures
from symtensor.runtime.modes import DebugMode, Mode, get_mode
from symtensor.runtime.placement import Report, report
from symtensor.runtime.profile import ProfileStats
from symtensor.runtime.shared import SharedVariable

__all__ = ["KernelText", "compile_graph"]

Written = tuple[Sequence[Variable], Sequence[Variable]]


@dataclass(frozen=True)
class KernelText:
    """A kernel of a function: its name, its C text, the shared object it lives in."""

    name: str
    text: str
    file: str

    def __repr__(self) -> str:
        return f"{self.name} ({self.file})"


@dataclass(frozen=True)
class Maker:
    """What `f.maker` tells: the optimised graph as `fgraph`, the mode, and the inputs as they were declared."""

    fgraph: Graph
    mode: Mode
    inputs: Sequence[In]


class _Facts:
    """What every compiled function tells of itself."""

    source: _Source
    program: Program | None = None
    kernels: list[KernelText]
    name: str | None
    signature: Signature
    compile_seconds: dict[str, float]
    shared: list[SharedVariable]
    devices: Sequence[Any] = ()

    trust_input = False
    """Theano's promise that arguments fit as they are; those that do are taken as they are in any case."""

    def __getitem__(self, key: Any) -> np.ndarray:
        """A copy of the value kept for an input or shared variable, given as a variable or by name."""
        return self.container[key].value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.container[key].value = value

    @property
    def value(self) -> Any:
        """The values kept: `f.value[x]` is `f[x]`, to be read and set."""
        return self

    @property
    def container(self) -> Containers:
        """Where the values of inputs with one, and of shared variables, are kept, by variable or name."""
        return Containers(self.signature.inputs, self.shared)

    @property
    def profile(self) -> ProfileStats | None:
        """What measures it: None, unless it was made with `profile`, or this was set to True or to a ProfileStats."""
        return None

    @profile.setter
    def profile(self, profile: Any) -> None:
        if profile:
            raise NotSupported("a function that runs op by op in NumPy is not measured",
                               fix="measure it in the mode FAST_RUN; MonitorMode sees each op")

    @property
    def maker(self) -> Maker:
        """Theano's way to the graph and the mode."""
        return Maker(self.graph, self.source.mode, self.signature.inputs)

    def free(self) -> None:
        """Give back the memory of intermediate results, which the next call takes anew."""

    def copy(self, share_memory: bool = False, swap: Mapping[Any, Any] | None = None, delete_updates: bool = False,
             name: str | None = None, profile: Any = None) -> Any:
        """Another function of the same program and kernels, with state of its own.

        `swap`: pairs (shared variable, another of its type) to use in its place. With `delete_updates` the copy updates
        nothing, and is compiled. Memory is shared in no case: calls of the two may run side by side. Raises
        TypeMismatch for a pair that does not fit.
        """
        own, shared = copies_of_state(self.signature.inputs, self.shared, swap or {})
        name = self.name if name is None else name
        if self.program is None or delete_updates:
            return self._compiled(own, shared, name, delete_updates)
        made = _linked(self.program, Signature(own, name), shared, self.source)
        return _described(made, self.source, Signature(own, name), shared, {}, self.program)

    def _compiled(self, declared: Sequence[In], shared: Sequence[SharedVariable], name: str | None,
                  without_updates: bool) -> Any:
        inputs, outputs = self.source.written
        updates = self.source.updates
        if without_updates:
            outputs, updates = outputs[:len(outputs) - len(updates)], []
        return compile_graph(Graph(inputs, outputs), declared=declared, shared=shared, wrap=self.source.wrap,
                             updates=updates, mode=self.source.mode, name=name, written=(inputs, outputs),
                             device=self.source.device)

    def __reduce__(self) -> tuple[Any, ...]:
        # The graph as it was before rewriting, whose program the cache of the process that reads it may hold.
        source = self.source
        return _unpickled, (Graph(*source.written), self.signature.inputs, self.shared, source.wrap, source.updates,
                            source.mode, self.name, source.device)

    def __repr__(self) -> str:
        inputs = ", ".join(i.name or "?" for i in self.signature.inputs)
        return f"<compiled function {self.name or ''}({inputs})>"

    @property
    def graph(self) -> Graph:
        """The optimised graph."""
        return self.source.optimized()

    @property
    def library_calls(self) -> int:
        """How many of the program's instructions call a routine of a library."""
        return sum(isinstance(i, Routine) for i in self._instructions())

    @property
    def launches(self) -> int:
        """How many of the program's instructions run a kernel."""
        return sum(isinstance(i, Launch) for i in self._instructions())

    @property
    def placement(self) -> Report | None:
        """What runs on which device, what a call moves between them, and what could not go where it was meant to."""
        return None if self.program is None else report(self.program)

    def _instructions(self) -> Sequence[Instruction]:
        return self.program.instructions if self.program is not None else ()


def compile_graph(graph: Graph, *, declared: Sequence[In], shared: Sequence[SharedVariable], wrap: Any,
                  updates: Sequence[int], mode: Any = None, name: str | None = None,
                  written: Written | None = None, device: str | None = None) -> Any:
    """The callable for a graph whose inputs are the declared arguments, then the shared variables.

    Its last `len(updates)` outputs are new values of the shared variables `updates` numbers. `written` are inputs and
    outputs of which the graph was made, if not its own. `device` is that of the option `device` unless one is given.
    """
    mode = get_mode(mode)
    signature = Signature(list(declared), name)
    watch = _Watch()
    source = _Source(graph, mode, wrap, list(updates), written or (graph.inputs[:], graph.outputs[:]), device)
    setting = _setting(source, shared)  # a device that is not there is an error on any backend
    if not mode.is_interpreted and _native():
        program = _program(source, len(signature.arguments), setting, watch)
        made = _linked(program, signature, shared, source)
        watch.lap("kernels")
        made.program = program
        if config.debug >= 3:
            print(describe_program(program), file=sys.stderr)
    else:
        made = _Interpreted(source.optimized(), signature, shared, wrap, updates, mode)
        watch.lap("rewrite")
    if isinstance(mode, DebugMode):
        made = _Debugged(_described(made, source, signature, shared, watch.seconds, made.program), mode)
    return _described(made, source, signature, shared, watch.seconds, made.program)


def _described(made: Any, source: _Source, signature: Signature, shared: Sequence[SharedVariable],
               seconds: dict[str, float], program: Program | None) -> Any:
    """A callable with what it tells of itself."""
    made.source, made.signature, made.name, made.shared = source, signature, signature.name, list(shared)
    made.compile_seconds, made.program = seconds, program
    return made


def _unpickled(graph: Graph, declared: Sequence[In], shared: Sequence[SharedVariable], wrap: Any,
               updates: Sequence[int], mode: Mode, name: str | None, device: str | None) -> Any:
    return compile_graph(graph, declared=declared, shared=shared, wrap=wrap, updates=updates, mode=mode, name=name,
                         device=device)


class _Watch:
    """Seconds spent in each step of a compilation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """The time since the last lap was spent in `step`."""
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


class _Source:
    """What a function is made of; the graph is optimised when somebody first needs that.

    A program found in the cache does not. `written` are the inputs and outputs that make the graph as it was before.
    """

    def __init__(self, graph: Graph, mode: Mode, wrap: Any, updates: list[int], written: Written,
                 device: str | None) -> None:
        self.graph = graph
        self.mode = mode
        self.wrap = wrap
        self.updates = updates
        self.written = written
        self.device = device
        self.history: History | None = None

    def optimized(self) -> Graph:
        """The graph after rewriting."""
        if self.history is None:
            self.history = optimize(self.graph, self.mode.choice())
        return self.graph


def _setting(source: _Source, shared: Sequence[SharedVariable]) -> Any:
    """The devices that a function uses; None where it names none, and then nothing of devices is loaded."""
    device = config.device if source.device is None else source.device
    named = any(isinstance(node.op, Transfer) for node in source.graph.nodes())
    if device == PROCESSOR and not named and all(v.target in (None, PROCESSOR) for v in shared):
        return None
    from symtensor.runtime.cuda.setting import setting_of
    return setting_of(source.graph, shared, device)


def _program(source: _Source, arguments: int, setting: Any, watch: _Watch) -> Program:
    """The program of a graph, from the cache if it is there."""
    updates = source.updates
    more = {} if setting is None else setting.fields()
    choice = source.mode.choice()
    entry = program_cache.entry(source.graph, choice, arguments, updates, more) if config.cache else None
    found = entry.load() if entry is not None else None
    watch.lap("lookup")
    if config.debug >= 1 and entry is not None:
        news = "from the cache: nothing to rewrite" if found is not None else f"is new: {program_cache.why(entry)}"
        print(f"program {entry.key} {news}", file=sys.stderr)
    if found is not None:
        return found
    source.optimized()
    watch.lap("rewrite")
    placement = None if setting is None else setting.place(source.graph, arguments, updates)
    program = plan(source.graph, arguments, updates, print_kernel, placement)
    watch.lap("plan")
    if entry is not None:
        entry.save(program)
    return program


_warned: set[str] = set()


def _native() -> bool:
    """Whether functions can be compiled; warns once when not."""
    if core is None:
        _warn_once("the C runtime of symtensor was not built; functions run by the NumPy meaning of each op, slowly."
                   " Install a C compiler and reinstall symtensor.")
        return False
    if toolchain() is None:
        _warn_once("no C compiler was found; functions run by the NumPy meaning of each op, slowly."
                   " Install gcc or clang, or: pip install ziglang")
        return False
    return True


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, stacklevel=5)


def _linked(program: Program, signature: Signature, shared: Sequence[SharedVariable], source: _Source) -> Any:
    """The native callable of a program."""
    tool = toolchain()
    assert tool is not None and core is not None
    load_routines(instruction.name for instruction in program.instructions if isinstance(instruction, Routine))
    devices = _devices(program)
    kernels = list(_loaded(program, devices, tool))
    machine = core.Machine(program, [address for address, _ in kernels], [v.storage for v in shared], program.callables,
                           [device.core for device in devices])
    cores = [device.core for device in devices]
    made = _Native(machine, signature.convert, Failures(program, source.written, signature.name, cores), source.wrap)
    made.devices = cores
    if cores:
        memory.functions.add(made)
    made.kernels = [KernelText(code.name, code.text, file) for code, (_, file) in zip(program.kernels, kernels)]
    return made


def _devices(program: Program) -> list[Any]:
    """The devices of a program, opened."""
    if not program.devices:
        return []
    from symtensor.runtime.cuda.devices import open_device
    return [open_device(name) for name in program.devices]


def _loaded(program: Program, devices: Sequence[Any], tool: Toolchain) -> Iterator[tuple[int, str]]:
    """For each kernel its address, or its handle, and the file it is in, or what device it is for."""
    own = [(code.name, code.text) for code in program.kernels if not code.device]
    found: list[Iterator[tuple[int, str]]] = [
        ((k.address, k.path) for k in load_kernels(own, preamble=preamble(tool.vector_math)))]
    for number, device in enumerate(devices, start=1):
        handles = device.load([code for code in program.kernels if code.device == number])
        found.append((handle, f"{device.name} {device.architecture}") for handle in handles)
    return (next(found[code.device]) for code in program.kernels)


if core is not None:
    class _Native(core.Function, _Facts):  # type: ignore[misc, name-defined]
        """A function run by the C virtual machine."""

        _profile: ProfileStats | None = None

        @property
        def profile(self) -> ProfileStats | None:
            return self._profile

        @profile.setter
        def profile(self, profile: Any) -> None:
            if self._profile is not None:
                self._profile.remove(self)
            self._profile = ProfileStats() if profile is True else profile or None
            if self._profile is not None:
                self._profile.add(self)

        def measure(self, wanted: bool) -> None:
            """Let the machine add up the time of each instruction, from zero, or no longer."""
            core.Function.profile.__set__(self, wanted)

        def free(self) -> None:
            """Give back the memory of intermediate results, which the next call takes anew."""
            self.release()

        def peak_bytes(self, sizes: Mapping[str, Any] | None = None, device: str = PROCESSOR) -> int:
            """Bytes a call needs besides its inputs and shared variables: results, intermediates, scratch.

            `sizes` gives for each input's name its shape (or the value of an integer scalar). Counted is what is on
            `device`, by default on the processor. Raises CompileError if shapes alone do not tell it.
            """
            assert self.program is not None
            places = [PROCESSOR, *self.program.devices]
            if device not in places:
                raise CompileError(f"the function uses no device {device!r}", fix="one of " + ", ".join(places))
            roots = tuple(self._root(entry, sizes or {}) for entry in self.machine.roots)
            return int(super().peak_bytes(roots, places.index(device)))

        def _root(self, entry: tuple[int, int, int], sizes: Mapping[str, Any]) -> int:
            code, a, b = entry
            if code == SizeCode.CONSTANT:
                return a
            if code == SizeCode.SHARED_DIM:
                return int(self.shared[a].storage.array.shape[b])
            if code == SizeCode.SHARED_VALUE:
                return int(self.shared[a].storage.array)
            if code in (SizeCode.DATA_VALUE, SizeCode.DATA_DIM):
                raise CompileError("the bytes of this function's calls depend on the data, not on shapes alone",
                                   fix="call it, then read f.workspace_bytes")
            declared = self.signature.arguments[a].name or ""
            if declared not in sizes:
                raise CompileError(f"peak_bytes needs the shape of the input {declared!r}",
                                   fix=f"f.peak_bytes({{{declared!r}: shape}})")
            given = np.atleast_1d(sizes[declared])
            if len(given) <= b:
                rank = self.signature.arguments[a].variable.type.ndim
                raise CompileError(f"peak_bytes needs {rank} sizes of the input"
                                   f" {declared!r}, not {len(given)}")
            return int(given[b if code == SizeCode.INPUT_DIM else 0])


class _Interpreted(_Facts):
    """A function run by the NumPy meaning of each op: where nothing can be compiled, or a mode looks on."""

    def __init__(self, graph: Graph, signature: Signature, shared: Sequence[SharedVariable], wrap: Any,
                 updates: Sequence[int], mode: Mode) -> None:
        self._graph = graph
        self.signature = signature
        self.shared = list(shared)
        self.kernels = []
        self._wrap = wrap
        self._updates = list(updates)
        self._mode = mode
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arrays = self.signature.convert(args, kwargs)
        with self._lock:
            values = list(arrays) + [v.storage.array for v in self.shared]
            with watched(self._mode.watch()):
                outputs = evaluate_graph(self._graph, values)
            returned = len(outputs) - len(self._updates)
            for storage, value in zip(self._updates, outputs[returned:]):
                self.shared[storage].storage.array = np.array(value, order="C")
        results = [np.array(value) for value in outputs[:returned]]
        if self._wrap is None:
            return None
        if self._wrap == "single":
            return results[0]
        return results if self._wrap == "list" else dict(zip(self._wrap, results))


class _Debugged(_Facts):
    """A function of which every call is checked; see `DebugMode`."""

    def __init__(self, made: Any, mode: DebugMode) -> None:
        self._made = made
        self._mode = mode
        self.kernels = made.kernels

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        state = [np.array(v.storage.array) for v in self.shared]
        check = Check(self.source.written, self._mode)
        check.optimized([*self.signature.convert(args, kwargs), *state])
        given = [np.array(v.storage.array) for v in self.shared]
        results = self._made(*args, **kwargs)
        found = {None: lambda: [], "single": lambda: [results], "list": lambda: results}
        wrap = self.source.wrap
        arrays = found[wrap]() if wrap in found else [results[key] for key in wrap]
        try:
            check.compare([*arrays, *(self.shared[number].storage.array for number in self.source.updates)])
        except BadThunkOutput:
            for variable, value in zip(self.shared, given):  # nothing is updated by a wrong value
                variable.storage.array = value
            raise
        return results


def describe_program(program: Program) -> str:
    """A program as text: sizes, buffers, instructions, each with what it computes, indented in loops and branches."""
    lines = [f"s{n} = {SizeCode(code).name} {a} {b}" for n, (code, a, b) in enumerate(program.sizes)]
    for number, buffer in enumerate(program.buffers):
        shape = ", ".join(f"s{size}" for size in buffer.shape)
        life = f" from {buffer.first} to {buffer.last}" if buffer.first >= 0 else ""
        place = f" on {program.devices[buffer.device - 1]}" if buffer.device else ""
        lines.append(f"b{number} = {buffer.kind.name} {buffer.source}: {buffer.dtype} ({shape}){place}{life}")
    ends: list[int] = []
    for number, (instruction, (names, _, _)) in enumerate(zip(program.instructions, program.origins)):
        name = program.kernels[instruction.kernel][0] if isinstance(instruction, Launch) else names
        ends = [end for end in ends if number < end]
        lines.append(f"{'  ' * len(ends)}{number}: {name}: {instruction}")
        if isinstance(instruction, (Branch, Loop)):
            ends.append(instruction.end)
    return "\n".join(lines)
