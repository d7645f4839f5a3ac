"""Placement: on which device each node runs, and the transfers that this takes.

Where a program may use devices, each node runs on one: that of what it reads, of what reads it, or the one asked for.
What has no form there runs on the processor, and so does cheap work around it where that saves transfers: of all ways
to divide the graph, the one that costs least (`symtensor/lower/cut.py`). Then `Transfer` nodes are put between what is
on different devices, one for each value and device.

>>> from symtensor.ops.scalar import exp
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float32", (None,))("x")
>>> graph = Graph([x], [exp(x)])
>>> placement = place(graph, [Device("cuda0", lambda kernel: [])], {"cuda0": 1}.__getitem__, default=1)
>>> graph.outputs, [placement.device_of(v) for v in (x, graph.outputs[0].owner.inputs[0])]
([transfer[cpu](exp(...))], [0, 1])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ir.provenance import Lines
from symtensor.lower.access import Accesses, has_code, needed, puts_elements
from symtensor.lower.cut import Costs, least_cut
from symtensor.lower.target import Device
from symtensor.ops.branch import Branch
from symtensor.ops.control import Scan
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.reduce import Reduce
from symtensor.ops.transfer import PROCESSOR, Transfer
from symtensor.types import dim as dims

__all__ = ["Placement", "place"]

TRANSFER, ELEMENTWISE, REDUCTION = 8, 1, 2
"""What is weighed against each other: a transfer costs as much as so many nodes that the processor has to run."""


@dataclass
class Placement:
    """The devices of a program, which variable is on which (0 is the processor), and what has no form on its device."""

    devices: Sequence[Device] = ()
    on: dict[Variable, int] = field(default_factory=dict)
    unplaced: dict[Apply, str] = field(default_factory=dict)

    def device_of(self, variable: Variable) -> int:
        """The device a variable is on."""
        return self.on.get(variable, 0)


def place(graph: Graph, devices: Sequence[Device], number_of: Callable[[str], int], default: int = 0,
          homes: Mapping[Variable, int] | None = None, movable: Mapping[Variable, int] | None = None,
          kept: Sequence[Variable | None] = (), arguments: Sequence[Variable] = ()) -> Placement:
    """Place the nodes of a graph, and put transfers between them.

    `number_of` gives for a name that a `Transfer` has the number of the device, `default` is that of nodes about which
    nothing else says where they run. `homes` says which inputs are on devices, `movable` which are if something there
    reads them. `kept` gives for each output the input it is the new value of; an output that is none is wanted where a
    `Transfer` puts it, if one does, and else on the processor. Of `arguments` those that only one device reads are
    brought there before the call, where they may be already.
    """
    placement = Placement(devices, {**(homes or {}), **(movable or {})})
    graph.settle_sizes()
    labels = _labels(graph, placement, number_of, default)
    placement.unplaced.update({node: reason for node, device in labels.items()
                               if device and (reason := _lacks(graph, node, devices[device - 1])) is not None})
    _leave(graph, placement, labels, movable or (), kept)
    wanted = list(_wanted(graph, placement, labels, kept))
    state = {v for new, old in zip(graph.outputs, kept) if old is not None and not placement.device_of(old)
             for v in (new, old)}
    on_processor = _on_processor(graph, placement, labels, wanted, state)
    labels = {node: 0 if node in on_processor else device for node, device in labels.items()}
    _bring(graph, placement, labels, arguments)
    _Transfers(graph, placement, labels, number_of).run(wanted)
    return placement


# -- which device a node would run on, if it can ---------------------------------------------------

def _labels(graph: Graph, placement: Placement, number_of: Callable[[str], int], default: int) -> dict[Apply, int]:
    """For each node the device of the first input that is on one; else that of what reads it; else the default.

    Inputs of the graph come before what is computed: work is done where the weights are.
    """
    known = {v: device for v, device in placement.on.items() if device}
    given = set(known)
    nodes = graph.nodes()
    for node in nodes:
        if isinstance(node.op, Transfer):
            known[node.outputs[0]] = number_of(node.op.device)
            continue
        read = [v for v in node.op.reads(node.inputs) if known.get(v)]
        for v in sorted(read, key=lambda v: v not in given)[:1]:
            known.update(dict.fromkeys(node.outputs, known[v]))
            given.update(node.outputs if node.op.moves and v in given else ())
    for node in reversed(nodes):
        device = next((known[v] for v in node.outputs if v in known), None)
        if device is not None and not isinstance(node.op, Transfer):
            computed = [v for v in node.op.reads(node.inputs) if v.owner is not None]
            known.update({v: device for v in computed if v not in known})
    alive = set(needed(graph))  # the others only lend their sizes, which the processor knows
    labels = {node: known.get(node.outputs[0], default) if node in alive else 0 for node in nodes}
    return {**labels, **_labels_of_free(graph, labels)}


def _labels_of_free(graph: Graph, labels: Mapping[Apply, int]) -> dict[Apply, int]:
    """Values that follow from sizes are computed where they are used; in memory they are where that is needed."""
    accesses, readers = Accesses(graph), _readers(graph)
    return {node: next((labels[r] for r in readers.get(node.outputs[0], ()) if not has_code(r) and labels[r]), 0)
            for node in labels if has_code(node) and _is_anywhere(accesses, node.outputs[0])}


def _lacks(graph: Graph, node: Apply, device: Device) -> str | None:
    """Why a device cannot run a node of a graph; None if it can."""
    if isinstance(node.op, Transfer):
        return None
    call = node.op.library_call(node)
    if has_code(node) or puts_elements(node):
        return device.lacks(node)
    if call is not None:
        dtypes = [v.type.dtype for v in (*call.operands, *node.outputs)]
        return None if device.computes(call, dtypes) else f"there is no {call.name} of {dtypes[-1]} on {device.name}"
    if isinstance(node.op, (Branch, Scan)):
        return _lacks_inside(graph, node, device)
    return "its kernel is written in C" if node.op.kernel_text is not None else "it has no code: it runs in Python"


def _lacks_inside(graph: Graph, node: Apply, device: Device) -> str | None:
    """Why a device cannot run a loop or a branch: memory there is taken for sizes that the processor knows."""
    told = {graph.sources.get(symbol) for v in node.outputs for size in v.type.shape for symbol in dims.symbols_of(size)
            if symbol.axis is not None}
    if isinstance(node.op, Branch) and not told.isdisjoint(node.outputs):
        return "the size of its result is known only from its side"
    for function in node.op.functions().values():
        if isinstance(node.op, Branch) and any(v.owner is not None for v in function.graph.sources.values()):
            return "a size in its side is known only from what is computed there"
        for inner in function.graph.nodes():
            reason = _lacks(function.graph, inner, device)
            if reason is not None:
                return f"its {'step' if isinstance(node.op, Scan) else 'side'} has {inner.op}: {reason}"
    return None


# -- what is better on the processor ---------------------------------------------------------------

def _leave(graph: Graph, placement: Placement, labels: Mapping[Apply, int], movable: Iterable[Variable],
           kept: Sequence[Variable | None]) -> None:
    """Inputs that could be on a device stay on the processor if all that has to do with them must."""
    concerned = _readers(graph)
    for output, variable in zip(graph.outputs, kept):
        if variable is not None and output.owner is not None:
            concerned.setdefault(variable, []).append(output.owner)
    for variable in movable:
        if all(node in placement.unplaced or not labels[node] for node in concerned.get(variable, ())):
            placement.on[variable] = 0


def _wanted(graph: Graph, placement: Placement, labels: Mapping[Apply, int],
            kept: Sequence[Variable | None]) -> Iterator[tuple[Variable, int]]:
    """The outputs, and the device each is wanted on."""
    for number, variable in enumerate(graph.outputs):
        value_of = kept[number] if number < len(kept) else None
        if value_of is not None:
            yield variable, placement.device_of(value_of)
        else:
            is_put = variable.owner is not None and isinstance(variable.owner.op, Transfer)
            yield variable, labels[variable.owner] if is_put else 0  # type: ignore[index]


def _on_processor(graph: Graph, placement: Placement, labels: Mapping[Apply, int],
                  wanted: Sequence[tuple[Variable, int]], state: Set[Variable]) -> set[Apply]:
    """The nodes that run on the processor: what must, and what then costs less there.

    Transfers of `state`, what is kept on the processor from call to call, count; not those of arguments and results.
    """
    stuck = set(placement.unplaced) | {node for node, device in labels.items() if not device}
    if not stuck and not state and all(v.owner is None for v in _read_by_processor(graph)):
        return set()
    costs: Costs[Apply] = Costs()
    accesses = Accesses(graph)
    for node in labels:
        if node in stuck:
            costs.must_stay(node)
        elif isinstance(node.op, Transfer) or not _is_light(node):
            costs.must_go(node)
        else:
            costs.stays(node, _work(node, accesses))
    _add_transfers(costs, graph, placement, accesses, wanted, state)
    return least_cut(costs)


def _is_light(node: Apply) -> bool:
    return isinstance(node.op, (Elementwise, Reduce)) or node.op.moves


def _work(node: Apply, accesses: Accesses) -> int:
    if accesses.is_free(node.outputs[0]):
        return 0
    return REDUCTION if isinstance(node.op, Reduce) else ELEMENTWISE


def _add_transfers(costs: Costs[Apply], graph: Graph, placement: Placement, accesses: Accesses,
                   wanted: Sequence[tuple[Variable, int]], state: Set[Variable]) -> None:
    """What transfers cost. Those of arguments and results are the price of the device that was asked for."""
    for variable, readers in _readers(graph).items():
        if variable.owner is not None:
            if not _is_anywhere(accesses, variable):
                costs.crosses(variable.owner, readers, TRANSFER)
        elif placement.device_of(variable) or variable in state:
            costs.read(readers, variable in state, TRANSFER)
    for variable in _read_by_processor(graph):
        if variable.owner is not None and variable not in graph.inputs:
            costs.wanted(variable.owner, here=True, cost=TRANSFER)
    for variable, device in wanted:
        if variable.owner is not None and (device or variable in state):
            costs.wanted(variable.owner, here=not device, cost=TRANSFER)


def _is_anywhere(accesses: Accesses, variable: Variable) -> bool:
    """Whether a value follows from sizes and constants alone, and is computed wherever it is used."""
    pending = [variable]
    while pending:
        v = pending.pop()
        if isinstance(v, Constant):
            continue
        if v.owner is None or not accesses.is_free(v):
            return False
        pending += v.owner.op.reads(v.owner.inputs)
    return True


def _readers(graph: Graph) -> dict[Variable, list[Apply]]:
    """The nodes that read each variable where they run; the processor reads conditions."""
    readers: dict[Variable, list[Apply]] = {}
    for node in needed(graph):
        for v in dict.fromkeys(_read_in_place(node)):
            if not isinstance(v, Constant):
                readers.setdefault(v, []).append(node)
    return readers


def _read_by_processor(graph: Graph) -> list[Variable]:
    """What the virtual machine reads: values that sizes are made of, and conditions of branches."""
    return [*graph.sources.values(), *(node.inputs[0] for node in graph.nodes() if isinstance(node.op, Branch))]


def _read_in_place(node: Apply) -> Sequence[Variable]:
    """What a node reads where it runs."""
    if isinstance(node.op, Branch):
        return node.inputs[1:]
    return list(node.op.reads(node.inputs)) if has_code(node) else node.inputs


def _bring(graph: Graph, placement: Placement, labels: Mapping[Apply, int], arguments: Sequence[Variable]) -> None:
    """Arguments that only one device reads are there from the start; those that sizes are made of are not."""
    readers, needed_here = _readers(graph), {*graph.outputs, *_read_by_processor(graph)}
    for variable in arguments:
        devices = {labels[node] for node in readers.get(variable, ())}
        if len(devices) == 1 and variable not in needed_here:
            placement.on[variable] = devices.pop()


# -- transfers -------------------------------------------------------------------------------------

class _Transfers:
    """Makes a graph anew in which every node reads what is on its own device."""

    def __init__(self, graph: Graph, placement: Placement, labels: Mapping[Apply, int],
                 number_of: Callable[[str], int]) -> None:
        self.graph = graph
        self.placement = placement
        self.labels = labels
        self.number_of = number_of
        self.accesses = Accesses(graph)
        self.names = [PROCESSOR, *(device.name for device in placement.devices)]
        self.read = set(needed(graph))
        self.made: dict[Variable, Variable] = {}
        self.original: dict[Variable, Variable] = {}
        self.unplaced: dict[Apply, str] = {}

    def run(self, wanted: Sequence[tuple[Variable, int]]) -> None:
        """Change the graph: its nodes, outputs, and what tells sizes."""
        for node in self.graph.nodes():
            self._node(node)
        self.placement.unplaced = self.unplaced
        outputs = [self._at(self._now(variable), device, ()) for variable, device in wanted]
        sources = {v: self._at(self._now(v), 0, ()) for v in self.graph.sources.values()}
        self.graph.outputs = outputs
        for symbol, variable in list(self.graph.sources.items()):
            self.graph.sources[symbol] = sources[variable]

    def _now(self, variable: Variable) -> Variable:
        return self.made.get(variable, variable)

    def _node(self, node: Apply) -> None:
        device, lines = self.labels[node], self.graph.lines_of(node)
        first = lines[0] if lines else ()
        inputs = tuple(map(self._now, node.inputs))
        if isinstance(node.op, Transfer):
            self.made[node.outputs[0]] = self._at(inputs[0], self.number_of(node.op.device), first)
            return
        for_code = has_code(node)
        read = set() if node not in self.read else set(_read_in_place(node))
        inputs = tuple(self._reading(new, device, for_code, first) if old in read else new
                       for old, new in zip(node.inputs, inputs))
        if isinstance(node.op, Branch):
            inputs = self._at(self._now(node.inputs[0]), 0, first), *inputs[1:]
        outputs = self.graph.apply(node.op, inputs, first)
        made = outputs[0].owner
        assert made is not None
        self.graph.credit(made, lines)
        for old, new in zip(node.outputs, outputs):
            self.made[old] = new
            new.name = new.name or old.name
            self.placement.on[new] = device
            if old is not new:
                self.graph._note_source(old, new)
        if node in self.placement.unplaced:
            self.unplaced[made] = self.placement.unplaced[node]

    def _reading(self, variable: Variable, device: int, for_code: bool, lines: Lines) -> Variable:
        """What a node on a device reads for a variable; code computes anew what can be computed anywhere."""
        if isinstance(variable, Constant) or (for_code and _is_anywhere(self.accesses, variable)):
            return variable
        return self._at(variable, device, lines)

    def _at(self, variable: Variable, device: int, lines: Lines) -> Variable:
        """A variable's value on a device: itself if it is there."""
        origin = self.original.get(variable, variable)
        if self.placement.device_of(origin) == device:
            return origin
        if self.placement.device_of(variable) == device:
            return variable
        (moved,) = self.graph.apply(Transfer(self.names[device]), (origin,), lines)
        self.original[moved] = origin
        self.placement.on[moved] = device
        return moved
