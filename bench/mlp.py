"""One training step of a 784-500-500-10 network: relu, softmax cross-entropy, gradient descent, float32.

>>> [case.name for case in CASES]
['MLP step, batch 16', 'MLP step, batch 128', 'MLP step, batch 1024']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

SIZES = (784, 500, 500, 10)
RATE = 0.1
WEIGHTS = sum(ins * outs for ins, outs in zip(SIZES, SIZES[1:]))
# Each weight takes part in three products (two in the first layer, whose input needs no derivative) of two operations.
FLOPS = 2 * (3 * WEIGHTS - SIZES[0] * SIZES[1])
CASES = [Case(f"MLP step, batch {size}", (size,), bar=bar, flops=FLOPS * size)
         for size, bar in ((16, 1.8), (128, 1.25), (1024, 1.2))]
Call = Callable[[], Any]


@cache
def parameters() -> list[np.ndarray]:
    """Weights and bias of each layer, in turn."""
    random = np.random.default_rng(0)
    return [array for ins, outs in zip(SIZES, SIZES[1:]) for array in (
        (random.standard_normal((ins, outs)) * np.sqrt(2 / ins)).astype("float32"), np.zeros(outs, "float32"))]


@cache
def batch(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels."""
    random = np.random.default_rng(1)
    return random.random((size, SIZES[0]), "float32"), random.integers(0, SIZES[-1], size).astype("int32")


def scores(x: Any, parameters: Sequence[Any], relu: Callable[[Any], Any], dot: Callable[[Any, Any], Any]) -> Any:
    """The last layer's sums."""
    hidden = x
    for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
        hidden = relu(dot(hidden, weights) + bias)
    return dot(hidden, parameters[-2]) + parameters[-1]


def in_numpy(size: int, library: Any = np) -> Call:
    x, y = map(library.asarray, batch(size))
    values = [library.array(p) for p in parameters()]

    def step() -> Any:
        activations = [x]
        for weights, bias in zip(values[:-2:2], values[1:-2:2]):
            activations.append(library.maximum(activations[-1] @ weights + bias, 0))
        sums = activations[-1] @ values[-2] + values[-1]
        powers = library.exp(sums - sums.max(1, keepdims=True))
        slope = powers / powers.sum(1, keepdims=True)
        loss = -library.log(slope[library.arange(size), y]).mean()
        slope[library.arange(size), y] -= 1
        slope /= size
        for layer in reversed(range(len(activations))):
            weights, bias = values[2 * layer:2 * layer + 2]
            below = (slope @ weights.T) * (activations[layer] > 0) if layer else None
            weights -= RATE * (activations[layer].T @ slope)
            bias -= RATE * slope.sum(0)
            slope = below
        return loss

    return step


def reference(size: int) -> list[float]:
    step = in_numpy(size)
    return [step() for _ in range(3)]


def in_symtensor(size: int) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    shared = [st.shared(p) for p in parameters()]
    x, y = T.fmatrix("x"), T.ivector("y")
    loss = T.nnet.crossentropy_softmax_1hot(scores(x, shared, T.nnet.relu, T.dot), y)[0].mean()
    updates = [(p, p - RATE * slope) for p, slope in zip(shared, st.grad(loss, shared))]
    return partial(st.function([x, y], loss, updates=updates), *batch(size))


def in_torch(size: int, compiled: bool = False, device: str = "cpu") -> Call:
    import torch
    own = [torch.tensor(p, requires_grad=True, device=device) for p in parameters()]
    optimizer = torch.optim.SGD(own, lr=RATE, fused=True)
    x, y = (torch.from_numpy(array).to(device) for array in batch(size))
    y = y.long()

    def loss_of(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(scores(x, own, torch.relu, torch.matmul), y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def in_jax(size: int, waits: bool = True) -> Call:
    import jax
    import jax.numpy as jnp

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        logarithms = jax.nn.log_softmax(scores(x, parameters, jax.nn.relu, jnp.dot))
        return -jnp.take_along_axis(logarithms, y[:, None], 1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(parameters: Any, x: Any, y: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parameters, x, y)
        return [p - RATE * slope for p, slope in zip(parameters, slopes)], loss

    x, y = map(jnp.asarray, batch(size))
    state = [jnp.array(p) for p in parameters()]

    def step() -> Any:
        nonlocal state
        state, loss = update(state, x, y)
        return jax.block_until_ready(loss) if waits else loss

    return step


def in_pytensor(backend: str, size: int) -> Call:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.tensor.special import log_softmax
    shared = [pytensor.shared(p) for p in parameters()]
    x, y = pt.fmatrix("x"), pt.ivector("y")
    logarithms = log_softmax(scores(x, shared, lambda v: pt.maximum(v, 0), pt.dot), axis=1)
    loss = -logarithms[pt.arange(y.shape[0]), y].mean()
    updates = [(p, p - np.float32(RATE) * slope) for p, slope in zip(shared, pytensor.grad(loss, shared))]
    return partial(pytensor_function(backend, [x, y], loss, updates=updates), *batch(size))


MAKERS = {
    "symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "torch.compile": partial(in_torch, compiled=True),
    "jax": in_jax, "pytensor-c": partial(in_pytensor, "c"), "pytensor-numba": partial(in_pytensor, "numba"),
}
