"""Examples of ops that read and write parts of arrays, and of those that depend on the order of elements.

>>> from symtensor.testing.examples import examples_of
>>> next(iter(examples_of(Join)))
join[0](float64 (2, 3), float64 (0, 3), float64 (4, 3))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from symtensor.ops.index import Entry, Gather, Join, Nonzero, Scatter, SetSubtensor, Subtensor
from symtensor.ops.ordering import Argsort, Cumulate, Search, Select, Sort
from symtensor.testing.examples import Example, examples_for, integers, normal, of_each
from symtensor.types import dtype as dtypes

__all__: list[str] = []
Shape = tuple[int, ...]

_FULL, _PICK, _BOTH = Entry(), Entry(pick=True), Entry(start=True, stop=True)
_REGIONS: list[tuple[tuple[Entry, ...], Shape, Shape]] = [
    ((_PICK,), (4,), (2,)), ((_PICK,), (4,), (-1,)), ((_BOTH,), (5,), (1, 4)), ((_BOTH,), (5,), (-3, -1)),
    ((_BOTH,), (5,), (4, 1)), ((_BOTH,), (5,), (-9, 9)), ((Entry(step=-1),), (4,), ()), ((Entry(step=2),), (5,), ()),
    ((Entry(start=True, stop=True, step=-2),), (6,), (5, 0)), ((Entry(start=True, step=-1),), (5,), (-2,)),
    ((Entry(stop=True),), (5,), (-2,)), ((_FULL, _PICK), (3, 4), (1,)), ((_PICK, _BOTH), (3, 4), (-1, 1, 3)),
    ((Entry(step=-1), Entry(start=True, step=2)), (3, 5), (1,)), ((_FULL, _FULL), (2, 3), ()), ((_BOTH,), (0,), (0, 3)),
    ((_PICK, Entry(stop=True)), (2, 5), (0, 2)),
]


@examples_for(Subtensor, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for entries, shape, bounds in _REGIONS:
        yield Example(Subtensor(entries), (normal(rng, *shape), *integers(*bounds)))


@examples_for(SetSubtensor, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (entries, shape, bounds), add in itertools.product(_REGIONS, (False, True)):
        x = normal(rng, *shape)
        region = np.asarray(Subtensor(entries).evaluate(x, *bounds)).shape
        yield Example(SetSubtensor(entries, add), (x, normal(rng, *region), *integers(*bounds)))
        yield Example(SetSubtensor(entries, add), (x, normal(rng), *integers(*bounds)))


@examples_for(Join, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    yield Example(Join(0), (normal(rng, 2, 3), normal(rng, 0, 3), normal(rng, 4, 3)))
    yield Example(Join(1), (normal(rng, 2, 3), normal(rng, 2, 1)))
    yield Example(Join(0), (np.arange(3), np.arange(2)))


_READS: list[tuple[Shape, Shape, list[np.ndarray]]] = [
    ((0,), (4,), [np.array([0, 3, 3])]), ((0,), (4, 2), [np.array([[1, 0], [2, 2]])]), ((1,), (2, 3), [np.array(2)]),
    ((0, 1), (3, 4), [np.array([0, 2]), np.array([1, 1])]),
    ((0, 2), (2, 3, 4), [np.array([1, 0, 1]), np.array([[3], [0]])]),
    ((1, 2), (2, 3, 4), [np.array([1, 0]), np.array([3, 3])]), ((0,), (3,), [np.zeros(0, "int64")]),
]


@examples_for(Gather, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for axes, shape, indices in _READS:
        yield Example(Gather(axes), (normal(rng, *shape), *indices))


@examples_for(Scatter, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for (axes, shape, indices), add in itertools.product(_READS, (False, True)):
        region = Gather(axes).evaluate(np.zeros(shape), *indices).shape
        # Where a position repeats, which of the values set there stays is open.
        places = {tuple(int(i) for i in place) for place in np.broadcast(*indices)}
        if add or len(places) == np.broadcast(*indices).size:
            yield Example(Scatter(axes, add), (normal(rng, *shape), normal(rng, *region), *indices))
            yield Example(Scatter(axes, add), (normal(rng, *shape), normal(rng), *indices))


@examples_for(Nonzero)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for mask in (np.array([True, False, True]), rng.random((3, 4)) < 0.5, np.zeros(3, bool)):
        yield Example(Nonzero(), (mask, *integers(int(mask.sum()))))


@examples_for(Cumulate, complex_too=True)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for kind, axis in itertools.product(("sum", "prod"), (0, 1)):
        yield Example(Cumulate(kind, axis), (normal(rng, 3, 4),))
        yield Example(Cumulate(kind, axis), (normal(rng, 0, 1),))
        yield Example(Cumulate(kind, axis), (np.array([[1.5, 0.0, 2.0], [3.0, 0.5, 1.0], [0.0, 2.0, -1.0]]),))
        for array in of_each(dtypes.INTEGERS + dtypes.FLOATS, 3, 4, rng=rng):
            yield Example(Cumulate(kind, axis), (array,), False)


@examples_for(Argsort)
def _(rng: np.random.Generator) -> Iterator[Example]:
    yield from _sorted(Argsort, rng)


@examples_for(Sort)
def _(rng: np.random.Generator) -> Iterator[Example]:
    yield from _sorted(Sort, rng)


def _sorted(cls: type[Argsort] | type[Sort], rng: np.random.Generator) -> Iterator[Example]:
    for axis in (0, 1):
        yield Example(cls(axis), (normal(rng, 3, 4),))
        yield Example(cls(axis), (np.array([[1.0, np.nan, -0.0], [1.0, 0.0, -np.inf], [0.0, np.nan, 2.0]]),), False)
        for array in of_each(dtypes.DISCRETE + dtypes.FLOATS, 3, 5, rng=rng):
            yield Example(cls(axis), (array,), False)


@examples_for(Select)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for axis, largest in itertools.product((0, 1), (False, True)):
        yield Example(Select(axis, largest), (normal(rng, 3, 4), *integers(2)))
        special = np.array([[1.0, np.nan, -0.0], [1.0, 0.0, -np.inf], [0.0, np.nan, 2.0]])
        yield Example(Select(axis, largest), (special, *integers(3)), False)
        for array in of_each(dtypes.DISCRETE + dtypes.FLOATS, 3, 5, rng=rng):
            yield Example(Select(axis, largest), (array, *integers(0 if axis else 1)), False)


@examples_for(Search)
def _(rng: np.random.Generator) -> Iterator[Example]:
    for side in ("left", "right"):
        yield Example(Search(side), (np.array([0.0, 1.0, 1.0, np.nan]), np.array([[1.0, -1.0], [np.nan, np.inf]])))
        for array in of_each(dtypes.DISCRETE + dtypes.FLOATS, 5, rng=rng):
            yield Example(Search(side), (np.sort(array), array))
            yield Example(Search(side), (array[:0], array[0]))
