"""Names of devices: "cpu", "cuda" (the first one), "cuda1", ... and the names of contexts that stand for them.

>>> reg_context("right", "cuda1")
>>> canonical("right"), canonical("cuda"), canonical("cpu")
('cuda1', 'cuda0', 'cpu')
"""

from __future__ import annotations

import re

from symtensor.base.config import config
from symtensor.base.errors import ConfigError, DeviceError
from symtensor.ops.transfer import PROCESSOR

__all__ = ["canonical", "contexts", "default", "ordinal", "reg_context"]

_registered: dict[str, str] = {}
_NUMBERED = re.compile(r"cuda(\d*)")


def contexts() -> dict[str, str]:
    """The device that each context stands for: those of the option `contexts`, and those registered."""
    found = {}
    for part in filter(None, (part.strip() for part in config.contexts.split(";"))):
        name, arrow, device = (piece.strip() for piece in part.partition("->"))
        if not arrow or not name or not _NUMBERED.fullmatch(device):
            raise ConfigError(f"option contexts does not take {part!r}", fix="contexts=dev0->cuda0;dev1->cuda1")
        found[name] = device
    return {**found, **_registered}


def reg_context(name: str, device: str) -> None:
    """Let a name stand for a device. Raises DeviceError for a name that stands for another one."""
    known = contexts().get(name)
    if known is not None and canonical(known) != canonical(device):
        raise DeviceError(f"the context {name!r} stands for {known} already, not for {device}")
    canonical(device)
    _registered[name] = device


def canonical(name: str) -> str:
    """The name of a device for that of a device or context, "" being the default's: "cpu", "cuda0", "cuda1", ...

    Raises DeviceError.
    """
    wanted = name or config.device
    wanted = contexts().get(wanted, wanted)
    match = _NUMBERED.fullmatch(wanted)
    if match:
        return f"cuda{int(match[1] or 0)}"
    if wanted == PROCESSOR:
        return PROCESSOR
    raise DeviceError(f"there is no device or context {name!r}",
                      fix="one of " + ", ".join([PROCESSOR, "cuda", "cuda0", "cuda1", "...", *contexts()]))


def default() -> str:
    """The device in use where nothing else is said."""
    return PROCESSOR if config.device == PROCESSOR else canonical(config.device)


def ordinal(name: str) -> int:
    """The driver's number of a device."""
    return int(name.removeprefix("cuda"))
