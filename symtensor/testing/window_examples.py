"""Examples of convolutions and of windows.

>>> from symtensor.testing.examples import examples_of
>>> len(list(examples_of(Windows)))
8
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from symtensor.ops.convolution import FACTORS, Convolution
from symtensor.ops.window import Overlap, Window, WindowReduce, Windows
from symtensor.testing.examples import Example, examples_for, integers, normal
from symtensor.types import dtype as dtypes

__all__: list[str] = []
_SIZE = tuple[int, ...]


_CONVOLUTIONS: list[tuple[tuple[_SIZE, _SIZE, _SIZE], tuple[_SIZE, _SIZE, int, _SIZE]]] = [
    # images, filters with their channels in front, output; strides, dilation, groups, low
    (((2, 5, 4, 3), (2, 3, 3, 2), (2, 3, 3, 2)), ((1, 1), (1, 1), 1, (0, 0))),
    (((1, 5, 6, 4), (6, 2, 2, 2), (1, 3, 6, 6)), ((2, 1), (1, 2), 2, (1, 1))),
    (((2, 4, 5, 2), (2, 1, 3, 3), (2, 2, 3, 2)), ((2, 2), (1, 1), 2, (1, 1))),
    (((2, 7, 1), (2, 1, 3), (2, 3, 2)), ((2,), (1,), 1, (0,))),
    (((1, 3, 4, 3, 2), (2, 2, 2, 2, 2), (1, 4, 3, 2, 2)), ((1, 1, 1), (1, 1, 1), 1, (1, 0, 0))),
    (((0, 3, 3, 1), (1, 1, 2, 2), (0, 2, 2, 1)), ((1, 1), (1, 1), 1, (0, 0))),
    (((1, 4, 4, 2), (0, 2, 2, 2), (1, 3, 3, 0)), ((1, 1), (1, 1), 1, (0, 0))),
]


@examples_for(Convolution)
def _(rng: np.random.Generator) -> Iterator[Example]:
    cases = itertools.product(_CONVOLUTIONS, range(3), (False, True))
    for (shapes, (strides, dilation, groups, low)), of, last in cases:
        # Whole numbers: their sums are exact in any order.
        given = [rng.integers(-4, 5, shape) * 1.0 for shape in shapes]
        given[1] = np.moveaxis(given[1], 1, -1).copy() if last else given[1]
        del given[of]
        spatial = shapes[of][2:] if FACTORS[of] == "filters" else shapes[of][1:-1]
        op = Convolution(FACTORS[of], strides, dilation, groups, last)
        yield Example(op, (*given, *integers(*low, *spatial)))
        for dtype in ("bfloat16", "float16", "float32"):
            yield Example(op, (*(array.astype(dtype) for array in given), *integers(*low, *spatial)), False)


_WINDOWS: list[tuple[Window, _SIZE, _SIZE]] = [
    (Window((0,), (2,), (2,)), (4,), (2,)), (Window((0,), (3,), (2,)), (6, 2), (2,)),
    (Window((1, 2), (2, 2), (2, 2)), (2, 4, 5), (2, 2)), (Window((0, 1), (3, 2), (2, 3), (1, 1)), (5, 4), (3, 2)),
    (Window((1,), (3,), (1,), (1,)), (2, 3), (3,)), (Window((0,), (2,), (3,)), (4,), (2,)),
    (Window((0,), (4,), (1,)), (3,), (0,)), (Window((1,), (3,), (2,), (1,)), (1, 4, 2), (3,)),
]


@examples_for(Windows)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for window, shape, counts in _WINDOWS:
        yield Example(Windows(window), (normal(rng, *shape), *integers(*counts)))


@examples_for(Overlap)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for window, shape, counts in _WINDOWS:
        seen = window.seen(np.zeros(shape), counts, 0)
        sizes = [shape[axis] for axis in window.axes]
        yield Example(Overlap(window), (normal(rng, *seen.shape), *integers(*sizes)))


@examples_for(WindowReduce)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (window, shape, counts), kind in itertools.product(_WINDOWS, ("sum", "max")):
        yield Example(WindowReduce(kind, window), (normal(rng, *shape), *integers(*counts)))
        for dtype in dtypes.INTEGERS + dtypes.FLOATS:
            array = rng.integers(0, 5, shape).astype(dtype)
            yield Example(WindowReduce(kind, window), (array, *integers(*counts)), False)
    special = np.array([np.nan, 1.0, -np.inf, -np.inf])
    yield Example(WindowReduce("max", _WINDOWS[0][0]), (special, *integers(2)), False)
