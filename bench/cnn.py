"""Convolutional networks: AlexNet and VGG-A, forward and backward; a training step of a small one.

The gradient of the softmax cross-entropy by all weights is computed, without an update, on images of 224 x 224. The
small network has three layers of convolution, batch normalization, relu and pooling, then dropout, on images of
28 x 28; its step is gradient descent. torch is measured with its channels in front and last; the faster is taken.

>>> [case.name for case in CASES]
['AlexNet, batch 16', 'VGG-A, batch 8', 'small CNN step, batch 64']
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from harness import Case, clock

Call = Callable[[], Any]


@dataclass(frozen=True)
class Layer:
    """A convolution of so many filters, what follows it, and the window and stride of a maximum, if there is one."""

    filters: int
    size: int = 3
    stride: int = 1
    padding: int = 1
    pool: tuple[int, int] | None = None


@dataclass(frozen=True)
class Network:
    """The layers, the sizes of the dense ones behind them, the images: channels and width."""

    layers: tuple[Layer, ...]
    dense: tuple[int, ...]
    channels: int = 3
    width: int = 224

    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of weights and biases, in turn."""
        found: list[tuple[int, ...]] = []
        channels, width = self.channels, self.width
        for layer in self.layers:
            found += [(layer.filters, channels, layer.size, layer.size), (layer.filters,)]
            channels, width = layer.filters, (width + 2 * layer.padding - layer.size) // layer.stride + 1
            width = width if layer.pool is None else (width - layer.pool[0]) // layer.pool[1] + 1
        inputs = channels * width * width
        for outputs in self.dense:
            found += [(inputs, outputs), (outputs,)]
            inputs = outputs
        return found

    def flops(self) -> int:
        """Arithmetic operations for one image, forward and backward."""
        total, width = 0, self.width
        for number, (layer, shape) in enumerate(zip(self.layers, self.shapes()[::2])):
            width = (width + 2 * layer.padding - layer.size) // layer.stride + 1
            total += 2 * (3 if number else 2) * int(np.prod(shape)) * width * width
            width = width if layer.pool is None else (width - layer.pool[0]) // layer.pool[1] + 1
        return total + 6 * sum(int(np.prod(s)) for s in self.shapes()[2 * len(self.layers)::2])


HALF, OVERLAPPING = (2, 2), (3, 2)
ALEXNET = Network((Layer(64, 11, 4, 2, OVERLAPPING), Layer(192, 5, 1, 2, OVERLAPPING), Layer(384), Layer(256),
                   Layer(256, pool=OVERLAPPING)), (4096, 4096, 1000))
VGG_A = Network((Layer(64, pool=HALF), Layer(128, pool=HALF), Layer(256), Layer(256, pool=HALF), Layer(512),
                 Layer(512, pool=HALF), Layer(512), Layer(512, pool=HALF)), (4096, 4096, 1000))
SMALL = Network((Layer(32, pool=HALF), Layer(64, pool=HALF), Layer(128, pool=HALF)), (10,), 1, 28)
NETWORKS = {"alexnet": ALEXNET, "vgg_a": VGG_A, "small": SMALL}
KEPT, RATE, EPSILON, MOMENTUM = 0.5, 0.05, 1e-4, 0.1
CASES = [Case(name, (network, batch), bar=bar, flops=batch * NETWORKS[network].flops(), frameworks=frameworks)
         for name, network, batch, bar, frameworks in (
             ("AlexNet, batch 16", "alexnet", 16, 1.15, ("symtensor", "torch")),
             ("VGG-A, batch 8", "vgg_a", 8, 1.15, ("symtensor", "torch")),
             ("small CNN step, batch 64", "small", 64, 1.3, ("symtensor", "torch", "jax")))]


@cache
def parameters(network: str) -> list[np.ndarray]:
    """Weights and biases of each layer, in turn."""
    random = np.random.default_rng(0)
    found = []
    for shape in NETWORKS[network].shapes():
        inputs = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        found.append(random.standard_normal(shape, "float32") * np.float32(np.sqrt(2 / inputs))
                     if len(shape) > 1 else np.zeros(shape, "float32"))
    return found


@cache
def batch_of(network: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels."""
    random, own = np.random.default_rng(1), NETWORKS[network]
    return (random.random((size, own.channels, own.width, own.width), "float32"),
            random.integers(0, own.dense[-1], size).astype("int32"))


@cache
def reference(network: str, size: int) -> list[float]:
    """The first loss; of the small network, which drops other values in each framework, the first running mean."""
    if network == "small":
        images, weights = batch_of(network, size)[0][:, 0], parameters(network)[0][0, 0]
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        return [MOMENTUM * float(np.einsum("nyxkl,kl->nyx", windows, weights).mean())]
    import torch
    with torch.no_grad():
        return [float(_torch_loss(network, [torch.from_numpy(p) for p in parameters(network)],
                                  *_torch_batch(network, size)))]


# -- symtensor --------------------------------------------------------------------------------------------

def in_symtensor(network: str, size: int) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    own, (images, labels) = NETWORKS[network], batch_of(network, size)
    shared = [st.shared(p) for p in parameters(network)]
    x, y = T.tensor4("x", dtype="float32", shape=images.shape), T.ivector("y")
    if network == "small":
        loss, updates = _small_in_symtensor(own, x, y, shared)
        step = st.function([x, y], loss, updates=updates)
        step(images, labels)
        mean = updates[0][0]
        first = [float(mean.get_value()[0])]
        return lambda: (step(images, labels), first.pop() if first else 0.0)[1]
    loss = loss_in_symtensor(network, x, y, shared)
    gradients = st.function([x, y], [loss, *st.grad(loss, shared)])
    return lambda: gradients(images, labels)[0]


def loss_in_symtensor(network: str, x: Any, y: Any, shared: list[Any]) -> Any:
    """The loss for images and labels, with the parameters in `shared`."""
    import symtensor.tensor as T
    own, hidden = NETWORKS[network], x
    for layer, weights, bias in zip(own.layers, shared[::2], shared[1::2]):
        hidden = T.nnet.conv2d(hidden, weights, None, weights.get_value(borrow=True).shape, layer.padding,
                               (layer.stride,) * 2, filter_flip=False)
        hidden = T.nnet.relu(hidden + bias.dimshuffle("x", 0, "x", "x"))
        if layer.pool:
            hidden = T.signal.pool.pool_2d(hidden, (layer.pool[0],) * 2, True, (layer.pool[1],) * 2)
    hidden = hidden.flatten(2)
    rest = shared[2 * len(own.layers):]
    for weights, bias in zip(rest[:-2:2], rest[1:-2:2]):
        hidden = T.nnet.relu(T.dot(hidden, weights) + bias)
    return T.nnet.crossentropy_softmax_1hot(T.dot(hidden, rest[-2]) + rest[-1], y)[0].mean()


def _small_in_symtensor(own: Network, x: Any, y: Any, shared: list[Any]) -> tuple[Any, list[Any]]:
    import symtensor as st
    import symtensor.tensor as T
    from symtensor.tensor.shared_randomstreams import RandomStreams
    hidden, averages, trained = x, [], []
    for layer, weights, bias in zip(own.layers, shared[::2], shared[1::2]):
        mean, variance = st.shared(np.zeros(layer.filters, "float32")), st.shared(np.ones(layer.filters, "float32"))
        gamma = st.shared(np.ones(layer.filters, "float32"))
        hidden = T.nnet.conv2d(hidden, weights, None, weights.get_value(borrow=True).shape, layer.padding,
                               filter_flip=False)
        hidden, _, _, new_mean, new_variance = T.nnet.batch_normalization_train(
            hidden, gamma, bias, "spatial", EPSILON, MOMENTUM, mean, variance)
        averages += [(mean, new_mean), (variance, new_variance)]
        trained += [weights, gamma, bias]
        assert layer.pool
        hidden = T.signal.pool.pool_2d(T.nnet.relu(hidden), (layer.pool[0],) * 2, True)
    hidden = hidden.flatten(2)
    mask = RandomStreams(1).binomial(hidden.shape, p=KEPT, dtype="float32")
    hidden = hidden * mask / np.float32(KEPT)
    loss = T.nnet.crossentropy_softmax_1hot(T.dot(hidden, shared[-2]) + shared[-1], y)[0].mean()
    trained += shared[-2:]
    return loss, averages + [(p, p - np.float32(RATE) * slope) for p, slope in zip(trained, st.grad(loss, trained))]


# -- torch ------------------------------------------------------------------------------------------------

def _torch_batch(network: str, size: int) -> tuple[Any, Any]:
    import torch
    images, labels = batch_of(network, size)
    return torch.from_numpy(images), torch.from_numpy(labels).long()


def _torch_loss(network: str, values: list[Any], x: Any, y: Any, state: Any = None) -> Any:
    """The loss; `state` has gamma, running mean and variance of each layer where there is batch normalization."""
    import torch.nn.functional as functional
    own, hidden = NETWORKS[network], x
    for number, layer in enumerate(own.layers):
        weights, bias = values[2 * number:2 * number + 2]
        hidden = functional.conv2d(hidden, weights, None if state else bias, layer.stride, layer.padding)
        if state:
            gamma, mean, variance = state[number]
            hidden = functional.batch_norm(hidden, mean, variance, gamma, bias, True, MOMENTUM, EPSILON)
        hidden = functional.relu(hidden)
        hidden = functional.max_pool2d(hidden, *layer.pool) if layer.pool else hidden
    hidden = hidden.flatten(1)
    if state:
        hidden = functional.dropout(hidden, 1 - KEPT)
    rest = values[2 * len(own.layers):]
    for weights, bias in zip(rest[:-2:2], rest[1:-2:2]):
        hidden = functional.relu(hidden @ weights + bias)
    return functional.cross_entropy(hidden @ rest[-2] + rest[-1], y)


def _in_torch(network: str, size: int, channels_last: bool) -> Call:
    import torch
    layout = torch.channels_last if channels_last else torch.contiguous_format
    values = [torch.tensor(p).contiguous(memory_format=layout if p.ndim == 4 else torch.contiguous_format)
              .requires_grad_() for p in parameters(network)]
    x, y = _torch_batch(network, size)
    x = x.contiguous(memory_format=layout)
    state = [(torch.ones(layer.filters, requires_grad=True), torch.zeros(layer.filters), torch.ones(layer.filters))
             for layer in NETWORKS[network].layers] if network == "small" else None
    trained = values + [own[0] for own in state or ()]
    optimizer = torch.optim.SGD(trained, lr=RATE, fused=True)

    def step() -> Any:
        optimizer.zero_grad()
        loss = _torch_loss(network, values, x, y, state)
        loss.backward()
        if state:
            optimizer.step()
            return state[0][1][0].item()
        return loss.detach()

    return step


def in_torch(network: str, size: int) -> Call:
    """The faster of two layouts."""
    seconds = {}
    for channels_last in (False, True):
        step = _in_torch(network, size, channels_last)
        step()
        begin = clock()
        for _ in range(2):
            step()
        seconds[channels_last] = clock() - begin
    return _in_torch(network, size, min(seconds, key=seconds.__getitem__))


# -- jax --------------------------------------------------------------------------------------------------

def in_jax(network: str, size: int) -> Call:
    import jax
    import jax.numpy as jnp
    own = NETWORKS[network]

    def loss_of(values: Any, averages: Any, key: Any, x: Any, y: Any) -> Any:
        hidden, new = x, []
        for (weights, gamma, bias), (mean, variance) in zip(values[:-1], averages):
            hidden = jax.lax.conv_general_dilated(hidden, weights, (1, 1), [(1, 1)] * 2,
                                                  dimension_numbers=("NHWC", "HWIO", "NHWC"))
            center, spread = hidden.mean((0, 1, 2)), hidden.var((0, 1, 2))
            new.append((mean + MOMENTUM * (center - mean), variance + MOMENTUM * (spread - variance)))
            hidden = jax.nn.relu((hidden - center) * (gamma / jnp.sqrt(spread + EPSILON)) + bias)
            hidden = jax.lax.reduce_window(hidden, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        hidden = hidden.reshape(hidden.shape[0], -1)
        hidden = jnp.where(jax.random.bernoulli(key, KEPT, hidden.shape), hidden / KEPT, 0)
        logarithms = jax.nn.log_softmax(hidden @ values[-1][0] + values[-1][1])
        return -jnp.take_along_axis(logarithms, y[:, None], 1).mean(), new

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(values: Any, averages: Any, key: Any, x: Any, y: Any) -> Any:
        key, own_key = jax.random.split(key)
        (_, new), slopes = jax.value_and_grad(loss_of, has_aux=True)(values, averages, own_key, x, y)
        return jax.tree.map(lambda p, slope: p - RATE * slope, values, slopes), new, key

    given = [jnp.array(p) for p in parameters(network)]
    layers = [(w.transpose(2, 3, 1, 0), jnp.ones(b.shape), b) for w, b in zip(given[:-2:2], given[1:-2:2])]
    averages = [(jnp.zeros(layer.filters), jnp.ones(layer.filters)) for layer in own.layers]
    state = ([*layers, (given[-2], given[-1])], averages, jax.random.key(0))
    images, labels = batch_of(network, size)
    x, y = jnp.asarray(images.transpose(0, 2, 3, 1)), jnp.asarray(labels)

    def step() -> Any:
        nonlocal state
        state = jax.block_until_ready(update(*state, x, y))
        return state[1][0][0][0]

    return step


MAKERS = {"symtensor": in_symtensor, "torch": in_torch, "jax": in_jax}
