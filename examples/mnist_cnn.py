"""Train a small convolutional network on handwritten digits: `make demo MODEL=cnn`.

Two layers of 5 x 5 filters, each with a relu and the largest of every 2 x 2 places, and a dense layer. Data, training
step, table and figure are those of `mnist_mlp.py`.

>>> layers = initial_layers()
>>> scores(T.ones((5, 784)), layers).type.ndim
2
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from mnist_mlp import SEED, Layer, Network, main

import symtensor.tensor as T
from symtensor import shared

WIDTH, FILTERS, SIZE, CLASSES = 28, (16, 32), 5, 10
EPOCHS = 8


def initial_layers() -> list[Layer]:
    """Filters and weights whose layers keep the scale of what passes through them, and biases of zero."""
    random = np.random.default_rng(SEED)
    shapes: list[tuple[int, ...]] = [(outs, ins, SIZE, SIZE) for ins, outs in zip((1, *FILTERS), FILTERS)]
    places = (WIDTH // 2 ** len(FILTERS)) ** 2
    shapes.append((FILTERS[-1] * places, CLASSES))
    layers = []
    for number, shape in enumerate(shapes, 1):
        inputs, outputs = (shape[0], shape[1]) if len(shape) == 2 else (np.prod(shape[1:]), shape[0])
        weights = random.normal(0, np.sqrt(2 / inputs), shape).astype("float32")
        layers.append(Layer(shared(weights, name=f"weights{number}"),
                            shared(np.zeros(outputs, "float32"), name=f"bias{number}")))
    return layers


def scores(images: Any, layers: Sequence[Layer]) -> Any:
    """The last layer's sums, one for each class of digit."""
    hidden = images.reshape((-1, 1, WIDTH, WIDTH))
    for layer in layers[:-1]:
        hidden = T.nnet.conv2d(hidden, layer.weights, border_mode="half", filter_flip=False)
        hidden = T.nnet.relu(hidden + layer.bias.dimshuffle("x", 0, "x", "x"))
        hidden = T.signal.pool.pool_2d(hidden, (2, 2), ignore_border=True)
    return T.dot(hidden.flatten(2), layers[-1].weights) + layers[-1].bias


CNN = Network(f"{len(FILTERS)} layers of {' and '.join(map(str, FILTERS))} filters, and a dense one", __file__,
              initial_layers, scores)

if __name__ == "__main__":
    try:
        main(network=CNN, epochs=EPOCHS)
    except KeyboardInterrupt:
        sys.exit("stopped before there was anything to show")
