"""An encoder and a decoder with attention, which learns to write sequences of symbols backwards.

The encoder is a loop over the symbols; the decoder is a loop over what is to be written, and in each step looks at all
states of the encoder, weighed by how well they answer what it asks for. In training the decoder is given the symbols it
should have written before; when it is tested, those that it wrote. Prints the share of symbols that are right, for
sequences of the lengths it has seen, and a picture of where it looked.

>>> reverse_of(np.array([[1, 2], [3, 4], [5, 6]]))
array([[5, 6],
       [3, 4],
       [1, 2]])
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from optimisers import adam

import symtensor.tensor as T
from symtensor import function, scan, shared

SYMBOLS, LENGTHS, MOST = 20, (5, 15), 32
HIDDEN, BATCH, UPDATES, RATE = 64, 32, 600, 5e-3
SEED = 1


def reverse_of(sequences: np.ndarray) -> np.ndarray:
    """The sequences, which stand in columns, backwards."""
    return sequences[::-1]


def draw(random: np.random.Generator, length: int, count: int) -> np.ndarray:
    """Random sequences: (length, count)."""
    return random.integers(0, SYMBOLS, (length, count)).astype("int32")


# -- the network ------------------------------------------------------------------------------------------

class Network:
    """The parameters, and what is written for what is read."""

    def __init__(self) -> None:
        random = np.random.default_rng(SEED)
        self.parameters: list[Any] = []

        def weights(rows: int, columns: int, name: str) -> Any:
            value = (random.standard_normal((rows, columns)) / np.sqrt(HIDDEN)).astype("float32")
            self.parameters.append(shared(value, name=name))
            return self.parameters[-1]

        self.symbols = weights(SYMBOLS, HIDDEN, "symbols")
        self.places = weights(MOST, HIDDEN, "places")
        self.read, self.remember = weights(HIDDEN, HIDDEN, "read"), weights(HIDDEN, HIDDEN, "remember")
        self.keys, self.asked = weights(HIDDEN, HIDDEN, "keys"), weights(HIDDEN, HIDDEN, "asked")
        self.before, self.found = weights(SYMBOLS, HIDDEN, "before"), weights(HIDDEN, HIDDEN, "found")
        self.carried, self.out = weights(HIDDEN, HIDDEN, "carried"), weights(2 * HIDDEN, SYMBOLS, "out")

    def encoded(self, given: Any) -> Any:
        """The encoder's state at each symbol: (steps, batch, hidden). It knows how far the end is."""
        from_end = self.places[:given.shape[0]][::-1]
        inputs = T.dot(self.symbols[given] + from_end[:, None, :], self.read)
        none = T.zeros((given.shape[1], HIDDEN), dtype="float32")
        states, _ = scan(lambda row, state: T.tanh(row + T.dot(state, self.remember)), inputs, none)
        return states

    def step(self, place: Any, before: Any, state: Any, states: Any, keys: Any) -> tuple[Any, Any, Any]:
        """One step of the decoder: its state, where it looks, and the scores of symbols."""
        question = T.dot(state, self.asked) + place
        looks = T.nnet.softmax((keys * question).sum(axis=2).T)
        found = (states * looks.T[:, :, None]).sum(axis=0)
        state = T.tanh(self.before[before] + T.dot(found, self.found) + T.dot(state, self.carried))
        return state, looks, T.dot(T.concatenate([state, found], axis=1), self.out)

    def taught(self, given: Any, wanted: Any) -> Any:
        """Nats per symbol, when the decoder is given what it should have written before."""
        states = self.encoded(given)
        before = T.concatenate([T.zeros_like(wanted[:1]), wanted[:-1]])
        (_, _, scores), _ = scan(self.step, [self.places[:wanted.shape[0]], before], [states[-1], None, None],
                                 [states, T.dot(states, self.keys)])
        return T.nnet.crossentropy_softmax_1hot(scores.reshape((-1, SYMBOLS)), wanted.flatten())[0].mean()

    def written(self, given: Any) -> tuple[Any, Any]:
        """What the decoder writes on its own, (steps, batch), and where it looked, (steps, batch, steps)."""
        states = self.encoded(given)

        def step(place: Any, before: Any, state: Any, states: Any, keys: Any) -> tuple[Any, Any, Any]:
            state, looks, scores = self.step(place, before, state, states, keys)
            return T.cast(T.argmax(scores, axis=1), "int32"), state, looks

        (symbols, _, looks), _ = scan(step, self.places[:given.shape[0]], [T.zeros_like(given[0]), states[-1], None],
                                      [states, T.dot(states, self.keys)])
        return symbols, looks


class Trainer:
    """The compiled functions: to train, and to write."""

    def __init__(self) -> None:
        given, wanted, rate = T.imatrix("given"), T.imatrix("wanted"), T.fscalar("rate")
        network = Network()
        loss = network.taught(given, wanted)
        self.step = function([given, wanted, rate], loss, updates=adam(loss, network.parameters, rate))
        self.write = function([given], list(network.written(given)))

    def accuracy(self, random: np.random.Generator, count: int = 200) -> float:
        """The share of symbols that are right, over sequences of all lengths."""
        right = []
        for length in range(LENGTHS[0], LENGTHS[1] + 1):
            given = draw(random, length, count)
            right.append(np.mean(self.write(given)[0] == reverse_of(given)))
        return float(np.mean(right))


def train(trainer: Trainer, updates: int) -> None:
    """Train on sequences of random lengths, and say now and then how well it does."""
    random, started = np.random.default_rng(SEED), time.perf_counter()
    for update in range(updates):
        given = draw(random, int(random.integers(LENGTHS[0], LENGTHS[1] + 1)), BATCH)
        loss = trainer.step(given, reverse_of(given), np.float32(RATE * (1 - update / updates)))
        if (update + 1) % max(1, updates // 6) == 0:
            print(f"update {update + 1:4}  loss {float(loss):.3f}  right {trainer.accuracy(random, 20):.1%}"
                  f"  {time.perf_counter() - started:.1f} s", flush=True)


def picture(looks: np.ndarray) -> str:
    """Where the decoder looked in each of its steps, a row each."""
    return "\n".join("".join(" .:+#"[min(4, int(share * 5))] for share in row) for row in looks)


def main(arguments: Sequence[str] | None = None) -> float:
    """The program; the share of symbols that are right in the end."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--updates", type=int, default=UPDATES)
    options = parser.parse_args(arguments)
    trainer = Trainer()
    train(trainer, options.updates)
    random = np.random.default_rng(SEED + 1)
    accuracy = trainer.accuracy(random)
    given = draw(random, LENGTHS[1], 1)
    symbols, looks = trainer.write(given)
    print(f"\nright: {accuracy:.1%} of symbols\nread    {given[:, 0]}\nwritten {symbols[:, 0]}")
    print(picture(looks[:, 0]))
    return accuracy


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
