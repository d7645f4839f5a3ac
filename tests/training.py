"""A small classifier and the methods that train it, for tests that look at a whole training step."""

from __future__ import annotations

from typing import Any

import numpy as np

import symtensor as st
import symtensor.tensor as T

METHODS = ("sgd", "momentum", "adam")


class Perceptron:
    """A perceptron of three layers; `state` are its parameters and what the method keeps beside them."""

    def __init__(self, method: str, sizes: tuple[int, ...] = (30, 20, 15, 10)) -> None:
        rng = np.random.default_rng(0)
        self.images, self.labels = T.fmatrix("images"), T.ivector("labels")
        self.parameters: list[Any] = []
        hidden: Any = self.images
        for number, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
            weights = st.shared((rng.standard_normal((rows, columns)) / np.sqrt(rows)).astype("float32"), f"w{number}")
            bias = st.shared(np.zeros(columns, "float32"), f"b{number}")
            self.parameters += [weights, bias]
            hidden = T.dot(hidden, weights) + bias
            if number < len(sizes) - 2:
                hidden = T.nnet.relu(hidden)
        self.loss = T.nnet.categorical_crossentropy(T.nnet.softmax(hidden), self.labels).mean()
        self.updates = getattr(self, f"_{method}")()
        self.state = [variable for variable, _ in self.updates]

    def step(self, **more: Any) -> Any:
        """The function that does a step of training."""
        return st.function([self.images, self.labels], self.loss, updates=self.updates, **more)

    @classmethod
    def trained_alike(cls, method: str) -> Any:
        """The step on a device, after three that gave what those of the processor gave, and the same state."""
        rng = np.random.default_rng(1)
        images, labels = rng.random((16, 30), dtype="float32"), rng.integers(0, 10, 16).astype("int32")
        own, other = cls(method), cls(method)
        step, reference = own.step(device="cuda"), other.step(device="cpu")
        for _ in range(3):
            np.testing.assert_allclose(step(images, labels), reference(images, labels), rtol=1e-5)
        for variable, wanted in zip(own.state, other.state, strict=True):
            np.testing.assert_allclose(variable.get_value(), wanted.get_value(), rtol=1e-4, atol=1e-5)
        return step

    def _slopes(self) -> Any:
        return zip(self.parameters, st.grad(self.loss, self.parameters))

    def _zeros(self, parameter: Any) -> Any:
        return st.shared(np.zeros_like(parameter.get_value()))

    def _sgd(self) -> list[Any]:
        return [(p, p - np.float32(0.1) * slope) for p, slope in self._slopes()]

    def _momentum(self) -> list[Any]:
        updates = []
        for p, slope in self._slopes():
            velocity = self._zeros(p)
            new = np.float32(0.9) * velocity - np.float32(0.1) * slope
            updates += [(velocity, new), (p, p + new)]
        return updates

    def _adam(self) -> list[Any]:
        a, b, rate, small = map(np.float32, (0.9, 0.999, 0.001, 1e-8))
        steps = st.shared(np.float32(0), "steps")
        now = steps + 1
        rate = rate * T.sqrt(1 - b ** now) / (1 - a ** now)
        updates = [(steps, now)]
        for p, slope in self._slopes():
            mean, square = self._zeros(p), self._zeros(p)
            new, new_square = a * mean + (1 - a) * slope, b * square + (1 - b) * slope ** 2
            updates += [(mean, new), (square, new_square), (p, p - rate * new / (T.sqrt(new_square) + small))]
        return updates
