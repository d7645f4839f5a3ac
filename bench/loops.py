"""Loops: one training step of LSTM language models (embedding, LSTM, projection to the vocabulary, cross entropy,
gradient descent; float32, batches of 20), and a recurrence of scalars.

Sizes are those of the benchmark in section IV of the Theano paper (2016): hidden units, steps, layers.

>>> [case.name for case in CASES]
['LSTM step, 200 x 20', 'LSTM step, 650 x 40', 'LSTM step, 2 x 650 x 50', 'recurrence, 1e6 steps']
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from harness import Case
from peers import pytensor_function

VOCABULARY, WORD, BATCH, RATE = 10_000, 200, 20, 0.1
Call = Callable[[], Any]


def flops(hidden: int, steps: int, layers: int) -> float:
    """Arithmetic of the products: forward, and twice that back, but for the derivative by the embedding's input."""
    widths = [WORD] + [hidden] * (layers - 1)
    weights = sum((width + hidden) * 4 * hidden for width in widths) + hidden * VOCABULARY
    return 3 * 2.0 * weights * BATCH * steps


CASES = [*(Case(name, ("lstm", *sizes), bar=bar, flops=flops(*sizes), frameworks=("symtensor", "numpy", "torch", "jax"))
           for name, sizes, bar in (("LSTM step, 200 x 20", (200, 20, 1), 1.7),
                                    ("LSTM step, 650 x 40", (650, 40, 1), 1.5),
                                    ("LSTM step, 2 x 650 x 50", (650, 50, 2), 1.4))),
         Case("recurrence, 1e6 steps", ("recurrence", 1_000_000), bar=5.0,
              frameworks=("symtensor", "jax", "pytensor-c"))]


@cache
def parameters(hidden: int, layers: int) -> list[np.ndarray]:
    """Embedding; weights of input and state and a bias for each layer; projection and its bias."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.05).astype("float32")

    own = [normal(VOCABULARY, WORD)]
    for width in [WORD] + [hidden] * (layers - 1):
        own += [normal(width, 4 * hidden), normal(hidden, 4 * hidden), np.zeros(4 * hidden, "float32")]
    return [*own, normal(hidden, VOCABULARY), np.zeros(VOCABULARY, "float32")]


@cache
def words(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The words of each step and those that follow them: (steps, batch), common words more often."""
    random = np.random.default_rng(1)
    ids = np.minimum(random.zipf(1.3, (steps + 1, BATCH)) - 1, VOCABULARY - 1).astype("int32")
    return ids[:-1].copy(), ids[1:].copy()


# -- NumPy ------------------------------------------------------------------------------------------------

def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def layer_forward(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    steps, size = x.shape[0], u.shape[0]
    h, c = np.zeros((BATCH, size), "float32"), np.zeros((BATCH, size), "float32")
    outputs, kept = [], []
    pre = x @ w + b
    for t in range(steps):
        z = pre[t] + h @ u
        i, f, o, g = sigmoid(z[:, :size]), sigmoid(z[:, size:2 * size]), sigmoid(z[:, 2 * size:3 * size]), np.tanh(
            z[:, 3 * size:])
        before, c = (h, c), f * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
        kept.append((i, f, o, g, c, *before))
    return np.stack(outputs), kept


def layer_backward(dh_all: np.ndarray, kept: list[Any], x: np.ndarray, w: np.ndarray, u: np.ndarray) -> list[Any]:
    dz_all = np.zeros((x.shape[0], BATCH, u.shape[1]), "float32")
    dh, dc, du = np.zeros_like(kept[0][5]), np.zeros_like(kept[0][6]), np.zeros_like(u)
    for t in reversed(range(x.shape[0])):
        i, f, o, g, c, h_before, c_before = kept[t]
        dh = dh + dh_all[t]
        s = np.tanh(c)
        dc = dc + dh * o * (1 - s * s)
        dz = np.concatenate([dc * g * i * (1 - i), dc * c_before * f * (1 - f), dh * s * o * (1 - o),
                             dc * i * (1 - g * g)], 1)
        dz_all[t] = dz
        du += h_before.T @ dz
        dh, dc = dz @ u.T, dc * f
    flat = dz_all.reshape(-1, u.shape[1])
    return [dz_all @ w.T, x.reshape(-1, x.shape[2]).T @ flat, du, flat.sum(0)]


def lstm_in_numpy(hidden: int, steps: int, layers: int) -> Call:
    ids, targets = words(steps)
    own = [p.copy() for p in parameters(hidden, layers)]

    def step() -> Any:
        inputs, kept = [own[0][ids]], []
        for n in range(layers):
            output, states = layer_forward(inputs[-1], *own[1 + 3 * n:4 + 3 * n])
            inputs.append(output)
            kept.append(states)
        flat = inputs[-1].reshape(-1, hidden)
        scores = flat @ own[-2] + own[-1]
        powers = np.exp(scores - scores.max(1, keepdims=True))
        slope = powers / powers.sum(1, keepdims=True)
        rows = np.arange(len(flat))
        loss = -np.log(slope[rows, targets.ravel()]).mean()
        slope[rows, targets.ravel()] -= 1
        slope /= len(flat)
        slopes = [flat.T @ slope, slope.sum(0)]
        dh = (slope @ own[-2].T).reshape(inputs[-1].shape)
        for n in reversed(range(layers)):
            dh, *more = layer_backward(dh, kept[n], inputs[n], *own[1 + 3 * n:3 + 3 * n])
            slopes = more + slopes
        for p, d in zip(own[1:], slopes):
            p -= RATE * d
        np.subtract.at(own[0], ids, RATE * dh)
        return loss

    return step


def recurrence_in_numpy(steps: int) -> Call:
    def run() -> Any:
        h = np.float32(0.5)
        for _ in range(steps):
            h = h * (np.float32(1.5) - np.float32(0.5) * h)
        return h
    return run


def reference(kind: str, *sizes: int) -> Any:
    call = lstm_in_numpy(*sizes) if kind == "lstm" else recurrence_in_numpy(*sizes)
    return [call() for _ in range(3)] if kind == "lstm" else [call()]


# -- ours -------------------------------------------------------------------------------------------------

def lstm_in_symtensor(hidden: int, steps: int, layers: int) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    own = [st.shared(p) for p in parameters(hidden, layers)]
    ids, targets = T.imatrix("ids"), T.imatrix("targets")
    output = own[0][ids]
    for n in range(layers):
        output = _layer(output, *own[1 + 3 * n:4 + 3 * n], hidden=hidden)
    scores = T.dot(output.reshape((-1, hidden)), own[-2]) + own[-1]
    loss = T.nnet.crossentropy_softmax_1hot(scores, targets.flatten())[0].mean()
    updates = [(p, p - np.float32(RATE) * d) for p, d in zip(own, st.grad(loss, own))]
    return partial(st.function([ids, targets], loss, updates=updates), *words(steps))


def _layer(x: Any, w: Any, u: Any, b: Any, hidden: int) -> Any:
    import symtensor as st
    import symtensor.tensor as T

    def step(row: Any, h: Any, c: Any) -> Any:
        z = T.dot(row, w) + T.dot(h, u) + b
        i, f, o = (T.nnet.sigmoid(z[:, n * hidden:(n + 1) * hidden]) for n in range(3))
        c = f * c + i * T.tanh(z[:, 3 * hidden:])
        return o * T.tanh(c), c

    zeros = T.zeros((x.shape[1], hidden), dtype="float32")
    return st.scan(step, x, [zeros, zeros])[0][0]


def recurrence_in_symtensor(steps: int) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    x, n = T.fscalar("x"), T.lscalar("n")
    values, _ = st.scan(lambda h: h * (np.float32(1.5) - np.float32(0.5) * h), outputs_info=x, n_steps=n)
    return partial(st.function([x, n], values[-1]), np.float32(0.5), steps)


# -- peers ------------------------------------------------------------------------------------------------

def lstm_in_torch(hidden: int, steps: int, layers: int) -> Call:
    """nn.LSTM, whose gates are in the order i, f, g, o."""
    import torch
    embedding, *middle, projection, bias = parameters(hidden, layers)
    ids, targets = (torch.from_numpy(v).long() for v in words(steps))
    lstm = torch.nn.LSTM(WORD, hidden, layers)
    order = np.concatenate([np.arange(hidden) + n * hidden for n in (0, 1, 3, 2)])
    with torch.no_grad():
        for n in range(layers):
            w, u, b = (torch.from_numpy(p[..., order].T.copy()) for p in middle[3 * n:3 * n + 3])
            for name, value in (("weight_ih", w), ("weight_hh", u), ("bias_ih", b), ("bias_hh", torch.zeros_like(b))):
                getattr(lstm, f"{name}_l{n}").copy_(value)
        for n in range(layers):  # one bias is trained, as elsewhere
            getattr(lstm, f"bias_hh_l{n}").requires_grad_(False)
    table, out, shift = (torch.tensor(p, requires_grad=True) for p in (embedding, projection, bias))
    own = [table, out, shift, *(p for p in lstm.parameters() if p.requires_grad)]
    optimizer = torch.optim.SGD(own, lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        output, _ = lstm(torch.nn.functional.embedding(ids, table))
        loss = torch.nn.functional.cross_entropy(output.reshape(-1, hidden) @ out + shift, targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def lstm_in_jax(hidden: int, steps: int, layers: int) -> Call:
    import jax
    import jax.numpy as jnp

    def layer(x: Any, w: Any, u: Any, b: Any) -> Any:
        def step(state: Any, row: Any) -> Any:
            h, c = state
            z = row + h @ u
            i, f, o = (jax.nn.sigmoid(z[:, n * hidden:(n + 1) * hidden]) for n in range(3))
            c = f * c + i * jnp.tanh(z[:, 3 * hidden:])
            h = o * jnp.tanh(c)
            return (h, c), h
        zeros = jnp.zeros((BATCH, hidden), "float32")
        return jax.lax.scan(step, (zeros, zeros), x @ w + b)[1]

    def loss_of(own: Any, ids: Any, targets: Any) -> Any:
        output = own[0][ids]
        for n in range(layers):
            output = layer(output, *own[1 + 3 * n:4 + 3 * n])
        logarithms = jax.nn.log_softmax(output.reshape(-1, hidden) @ own[-2] + own[-1])
        return -jnp.take_along_axis(logarithms, targets.reshape(-1, 1), 1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(own: Any, ids: Any, targets: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(own, ids, targets)
        return [p - RATE * d for p, d in zip(own, slopes)], loss

    ids, targets = map(jnp.asarray, words(steps))
    state = [jnp.array(p) for p in parameters(hidden, layers)]

    def step() -> Any:
        nonlocal state
        state, loss = jax.block_until_ready(update(state, ids, targets))
        return loss

    return step


def recurrence_in_jax(steps: int) -> Call:
    import jax
    import jax.numpy as jnp

    def step(h: Any, _: Any) -> Any:
        return h * (jnp.float32(1.5) - jnp.float32(0.5) * h), None

    run = jax.jit(lambda x: jax.lax.scan(step, x, length=steps)[0])
    x = jnp.float32(0.5)
    return lambda: run(x).block_until_ready()


def recurrence_in_pytensor(backend: str, steps: int) -> Call:
    import pytensor
    import pytensor.tensor as pt
    x, n = pt.fscalar("x"), pt.lscalar("n")
    values, _ = pytensor.scan(lambda h: h * (np.float32(1.5) - np.float32(0.5) * h), outputs_info=x, n_steps=n)
    return partial(pytensor_function(backend, [x, n], values[-1]), np.asarray(0.5, "float32"), np.asarray(steps))


MAKERS: dict[str, Callable[..., Call]] = {name: lambda kind, *sizes, own=own: own[kind](*sizes) for name, own in {
    "symtensor": {"lstm": lstm_in_symtensor, "recurrence": recurrence_in_symtensor},
    "numpy": {"lstm": lstm_in_numpy},
    "torch": {"lstm": lstm_in_torch},
    "jax": {"lstm": lstm_in_jax, "recurrence": recurrence_in_jax},
    "pytensor-c": {"recurrence": partial(recurrence_in_pytensor, "c")},
}.items()}
