"""How each framework is imported and set up, the same for every family.

>>> sorted(SETUP) == sorted(FRAMEWORKS)
True
"""

from __future__ import annotations

from typing import Any

from harness import FRAMEWORKS

__all__ = ["SETUP", "pytensor_function", "FRAMEWORKS"]

_TORCH = "import torch"
_PYTENSOR = "import pytensor, pytensor.tensor"

SETUP = {
    "symtensor": "import symtensor, symtensor.tensor; symtensor.function, symtensor.grad, symtensor.shared",
    "numpy": "import numpy",
    "torch": _TORCH,
    "torch.compile": _TORCH,
    "jax": "import jax, jax.numpy",
    "pytensor-c": _PYTENSOR,
    "pytensor-numba": _PYTENSOR,
}
"""What makes a framework ready for use; symtensor loads its parts when they are first named, so they are named."""


def pytensor_function(backend: str, *arguments: Any, **options: Any) -> Any:
    """A function compiled by one of PyTensor's backends, "c" or "numba", that trusts its arguments."""
    import pytensor
    from pytensor.compile.mode import Mode
    mode = Mode(linker="cvm", optimizer="fast_run") if backend == "c" else "NUMBA"
    made = pytensor.function(*arguments, mode=mode, **options)
    made.trust_input = True
    return made
