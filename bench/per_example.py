"""Gradients by the first layer for each example of a batch, and the norms of all: a 256-256-10 network, float32.

>>> [case.name for case in CASES]
['gradients of each of 128 examples', 'norms of the gradients of each of 128 examples']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from harness import Case

SIZES, COUNT = (256, 256, 10), 128
Call = Callable[[], Any]
CASES = [Case(f"gradients of each of {COUNT} examples", ("gradients",), bar=1.0, moved=4 * COUNT * SIZES[0] * SIZES[1],
              frameworks=("symtensor", "numpy", "torch", "jax")),
         Case(f"norms of the gradients of each of {COUNT} examples", ("norms",), bar=1.0,
              frameworks=("symtensor", "numpy", "torch", "jax"))]


@cache
def arrays() -> tuple[np.ndarray, ...]:
    """Images, labels, and the weights of both layers."""
    random = np.random.default_rng(0)
    weights = (random.standard_normal((ins, outs), "float32") / np.float32(np.sqrt(ins))
               for ins, outs in zip(SIZES, SIZES[1:]))
    return random.random((COUNT, SIZES[0]), "float32"), random.integers(0, SIZES[-1], COUNT), *weights


def reference(what: str) -> list[np.ndarray]:
    return [in_numpy(what)()]


def in_numpy(what: str) -> Call:
    x, y, u, v = arrays()

    def step() -> Any:
        hidden = np.tanh(x @ u)
        sums = hidden @ v
        powers = np.exp(sums - sums.max(1, keepdims=True))
        slope = powers / powers.sum(1, keepdims=True)
        slope[np.arange(COUNT), y] -= 1
        below = (slope @ v.T) * (1 - hidden * hidden)
        first, second = x[:, :, None] * below[:, None, :], hidden[:, :, None] * slope[:, None, :]
        return first if what == "gradients" else (first * first).sum((1, 2)) + (second * second).sum((1, 2))

    return step


def in_symtensor(what: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x, y, u, v = T.fvector("x"), T.lscalar("y"), T.fmatrix("u"), T.fmatrix("v")
    sums = T.dot(T.tanh(T.dot(x, u)), v)
    slopes = st.grad(-T.nnet.logsoftmax(sums.dimshuffle("x", 0))[0, y], [u, v])
    wanted = slopes[0] if what == "gradients" else sum((g * g).sum() for g in slopes)
    xs, ys = T.fmatrix("xs"), T.lvector("ys")
    return partial(st.function([xs, ys, u, v], st.vectorize(wanted, {x: xs, y: ys})), *arrays())


def in_torch(what: str) -> Call:
    import torch
    x, y, u, v = map(torch.from_numpy, arrays())

    def loss_of(u: Any, v: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy((torch.tanh(x @ u) @ v)[None], y[None])

    def one(x: Any, y: Any) -> Any:
        slopes = torch.func.grad(loss_of, argnums=(0, 1))(u, v, x, y)
        return slopes[0] if what == "gradients" else sum((g * g).sum() for g in slopes)

    return partial(torch.func.vmap(one), x, y)


def in_jax(what: str) -> Call:
    import jax
    import jax.numpy as jnp
    x, y, u, v = map(jnp.asarray, arrays())

    def loss_of(u: Any, v: Any, x: Any, y: Any) -> Any:
        return -jax.nn.log_softmax(jnp.tanh(x @ u) @ v)[y]

    def one(u: Any, v: Any, x: Any, y: Any) -> Any:
        slopes = jax.grad(loss_of, argnums=(0, 1))(u, v, x, y)
        return slopes[0] if what == "gradients" else sum((g * g).sum() for g in slopes)

    each = jax.jit(jax.vmap(one, in_axes=(None, None, 0, 0)))
    return lambda: jax.block_until_ready(each(u, v, x, y))


MAKERS = {"symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "jax": in_jax}
