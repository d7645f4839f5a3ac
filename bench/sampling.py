"""Random numbers: ten million normal ones, and dropout of a float32 matrix of 4096 x 1024 with its gradient.

>>> [case.name for case in CASES]
['normal, n = 1e7', 'dropout with its gradient, 4096x1024']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

COUNT, ROWS, COLUMNS = 10_000_000, 4096, 1024
CASES = [Case("normal, n = 1e7", ("normal",), bar=3, rival="numpy", moved=2 * 4 * COUNT),
         Case(f"dropout with its gradient, {ROWS}x{COLUMNS}", ("dropout",), bar=1.5, rival="torch",
              moved=4 * 4 * ROWS * COLUMNS)]
Call = Callable[[], Any]


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """What dropout is applied to, and the derivative by its result."""
    random = np.random.default_rng(0)
    x, slope = (random.standard_normal((ROWS, COLUMNS), "float32") + 3 for _ in range(2))
    return x, slope


def reference(name: str) -> list[np.ndarray]:
    return [np.ones(4 if name == "normal" else 3, bool)] * 2


def observed(sample: Any) -> np.ndarray:
    """Whether a sample is what it should be, as far as six standard deviations tell."""
    if isinstance(sample, (tuple, list)):
        return _dropped(*map(np.asarray, sample))
    x = np.asarray(sample, "float64")
    spread = np.array([1, np.sqrt(2), np.sqrt(15), np.sqrt(96)]) / np.sqrt(COUNT)
    moments = np.array([(x ** power).mean() for power in (1, 2, 3, 4)])
    return np.abs(moments - [0, 1, 0, 3]) < 6 * spread


def _dropped(kept: np.ndarray, derivative: np.ndarray) -> np.ndarray:
    x, slope = inputs()
    mask = kept != 0
    return np.array([abs(mask.mean() - 0.5) < 3 / np.sqrt(x.size), np.array_equal(kept, 2 * x * mask),
                     np.array_equal(derivative, 2 * slope * mask)])


def in_symtensor(name: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    stream = T.shared_randomstreams.RandomStreams(1)
    if name == "normal":
        return st.function([], stream.normal((COUNT,), dtype="float32"))
    x, slope = T.fmatrix("x"), T.fmatrix("slope")
    kept = x * stream.binomial(x.shape, p=0.5, dtype="float32") * 2
    derivative = T.Lop(kept, x, slope)
    return partial(st.function([x, slope], [kept, derivative]), *inputs())


def in_numpy(name: str) -> Call:
    generator = np.random.default_rng(1)
    if name == "normal":
        return partial(generator.standard_normal, COUNT, "float32")
    x, slope = inputs()

    def step() -> tuple[np.ndarray, np.ndarray]:
        scale = (generator.random(x.shape, "float32") < 0.5) * np.float32(2)
        return x * scale, slope * scale
    return step


def in_torch(name: str, compiled: bool = False) -> Call:
    import torch
    wrap: Any = torch.compile if compiled else lambda function: function
    if name == "normal":
        return wrap(partial(torch.randn, COUNT))
    x, slope = map(torch.from_numpy, inputs())
    x.requires_grad_()
    dropout = wrap(torch.nn.functional.dropout)

    def step() -> tuple[Any, Any]:
        kept = dropout(x, 0.5)
        return kept.detach(), torch.autograd.grad(kept, x, slope)[0]
    return step


def in_jax(name: str) -> Call:
    import jax
    state = [jax.random.key(1)]
    x, slope = map(jax.numpy.asarray, inputs())

    @jax.jit
    def step(key: Any, x: Any, slope: Any) -> tuple[Any, Any]:
        key, own = jax.random.split(key)
        if name == "normal":
            return key, jax.random.normal(own, COUNT)
        kept, back = jax.vjp(lambda x: jax.numpy.where(jax.random.bernoulli(own, 0.5, x.shape), 2 * x, 0), x)
        return key, (kept, back(slope)[0])

    def call() -> Any:
        state[0], sample = step(state[0], x, slope)
        return jax.block_until_ready(sample)
    return call


def in_pytensor(backend: str, name: str) -> Call:
    import pytensor
    import pytensor.tensor as pt
    state = pytensor.shared(np.random.default_rng(1))
    if name == "normal":
        following, sample = pt.random.normal(size=(COUNT,), rng=state, dtype="float32").owner.outputs
        return pytensor_function(backend, [], sample, updates={state: following})
    x, slope = pt.fmatrix("x"), pt.fmatrix("slope")
    following, mask = pt.random.bernoulli(0.5, size=x.shape, rng=state).owner.outputs
    kept = x * mask.astype("float32") * np.float32(2)
    derivative = pytensor.gradient.Lop(kept, x, slope)
    return partial(pytensor_function(backend, [x, slope], [kept, derivative], updates={state: following}), *inputs())


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
