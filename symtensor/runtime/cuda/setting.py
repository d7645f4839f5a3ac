"""Which devices a function may use, found before it is compiled; none where nothing names one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symtensor.base.config import config
from symtensor.ir.graph import Graph
from symtensor.ir.node import Variable
from symtensor.lower.placement import Placement, place
from symtensor.ops.transfer import PROCESSOR, Transfer
from symtensor.runtime.cuda.devices import OpenDevice, open_device
from symtensor.runtime.cuda.libraries import library_key
from symtensor.runtime.cuda.names import canonical
from symtensor.runtime.shared import SharedVariable, is_movable

__all__ = ["Setting", "setting_of"]


@dataclass(frozen=True)
class Setting:
    """The devices of a function: which number each name has, which is the default, and where shared variables are.

    `pinned` numbers shared variables that were made for a device, `movable` those that may be on any.
    """

    devices: Sequence[OpenDevice]
    numbers: Mapping[str, int]
    default: int
    pinned: Mapping[int, int] = field(default_factory=dict)
    movable: Sequence[int] = ()

    def place(self, graph: Graph, arguments: int, updates: Sequence[int]) -> Placement:
        """Place a graph whose inputs after the first `arguments` are the shared variables."""
        shared = graph.inputs[arguments:]
        homes = {shared[number]: device for number, device in self.pinned.items()}
        movable = {shared[number]: self.default for number in self.movable} if self.default else {}
        returned = len(graph.outputs) - len(updates)
        kept: list[Variable | None] = [*(None,) * returned, *(shared[storage] for storage in updates)]
        return place(graph, [device.target for device in self.devices], self.numbers.__getitem__, self.default, homes,
                     movable, kept, graph.inputs[:arguments])

    def fields(self) -> dict[str, str]:
        """What of this a program depends on."""
        return {"devices": " ".join(f"{device.name}:{device.architecture}" for device in self.devices),
                "device names": repr(sorted(self.numbers.items())), "default device": str(self.default),
                "atomics": str(config.cuda_atomics), "device libraries": library_key(),
                "shared on devices": f"{dict(self.pinned)!r} {list(self.movable)!r}"}


def setting_of(graph: Graph, shared: Sequence[SharedVariable], device: str) -> Setting | None:
    """The setting of a graph that reads shared variables; None where it names no device. Raises DeviceError."""
    written = dict.fromkeys(node.op.device for node in graph.nodes() if isinstance(node.op, Transfer))
    targets = {number: variable.target for number, variable in enumerate(shared) if variable.target is not None}
    if device == PROCESSOR and not targets and all(name == PROCESSOR for name in written):
        return None
    meant = {name: canonical(name or device) for name in [*written, *targets.values(), device]}
    names = [name for name in dict.fromkeys(meant.values()) if name != PROCESSOR]
    if not names:
        return None
    number = {PROCESSOR: 0, **{name: n for n, name in enumerate(names, start=1)}}
    pinned = {position: number[meant[name]] for position, name in targets.items()}
    movable = [n for n, variable in enumerate(shared) if n not in pinned and is_movable(variable.type)]
    return Setting([open_device(name) for name in names], {name: number[own] for name, own in meant.items()},
                   number[meant[device]], pinned, movable)
