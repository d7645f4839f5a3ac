"""What a call costs when there is nothing to compute: x + 1 of a float64 scalar, given as the framework likes it best.

>>> CASES[0].name
'call of a scalar function'
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

CASES = [Case("call of a scalar function", bar=2, absolute=300e-9, rival="pytensor-c")]
Call = Callable[[], Any]


def reference() -> list[float]:
    return [3.0]


def in_symtensor() -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x = T.dscalar("x")
    return partial(st.function([x], x + 1), np.array(2.0))


def in_numpy() -> Call:
    return partial(lambda x: x + 1, np.array(2.0))


def in_torch(compiled: bool = False) -> Call:
    import torch
    torch.set_grad_enabled(False)
    function = torch.compile(lambda x: x + 1) if compiled else lambda x: x + 1
    return partial(function, torch.tensor(2.0, dtype=torch.float64))


def in_jax() -> Call:
    import jax
    compiled = jax.jit(lambda x: x + 1)
    argument = jax.numpy.asarray(2.0)
    return lambda: compiled(argument).block_until_ready()


def in_pytensor(backend: str) -> Call:
    import pytensor.tensor as pt
    x = pt.dscalar("x")
    return partial(pytensor_function(backend, [x], x + 1), np.array(2.0))


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
