"""Which rows are divided among blocks of a device, which sizes say so at launch."""

from __future__ import annotations

import pytest

import symtensor.tensor as T
from symtensor.codegen.cuda.kernels import print_kernel
from symtensor.codegen.cuda.rows import shares_of
from symtensor.ir.graph import Graph
from symtensor.lower.kernel import Kernel, Loop, Reduction, Scope, Store
from symtensor.lower.plan import plan
from symtensor.lower.target import PrintedKernel
from symtensor.rewrite.phases import optimize
from symtensor.types import dim as dims
from symtensor.types.dim import Size, symbol


def printed(make, *shape: int | None) -> list[PrintedKernel]:
    """The launches for a function of a matrix."""
    x = T.fmatrix("x") if shape == () else T.fmatrix("x", shape=shape)
    graph, found = Graph([x], [make(x)]), []
    optimize(graph)

    def note(kernel: Kernel) -> list[PrintedKernel]:
        found.extend(print_kernel(kernel))
        return list(print_kernel(kernel))

    plan(graph, 1, [], note)
    return found


def value(size: Size, rows: int, columns: int) -> Size:
    """A size for a matrix of so many rows and columns."""
    return dims.substitute(size, lambda symbol: {"x.0": rows, "x.1": columns}[str(symbol)])


@pytest.mark.parametrize("rows, columns, shares", [
    (4, 10**7, 256), (1, 10**7, 256), (2, 40_000, 4), (100, 10**6, 10), (127, 20_000, 2), (4, 16_384, 2),
    (4, 16_383, 1), (128, 10**7, 1), (5000, 10**4, 1), (1, 1, 1), (0, 10**7, 256), (4, 0, 1)])
def test_sizes_say_at_launch_how_rows_are_divided(rows, columns, shares):
    first, *others = printed(T.nnet.softmax)
    assert len(others) == 2 and {one.text for one in others} == {first.text}
    group = 1 if columns <= 8 else 32 if columns <= 2048 else 256
    assert value(first.units, rows, columns) == -(-rows * shares // (256 // group))
    assert [value(one.units, rows, columns) for one in others] == [rows * shares if shares > 1 else 0] * 2
    assert [[value(size, rows, columns) for size in one.parameters[-2:]] for one in (first, *others)] == [
        [shares, stage] for stage in range(3)]


@pytest.mark.parametrize("make, launches", [(lambda x: x.sum(axis=1), 2), (lambda x: T.argmax(x, axis=1), 2),
                                            (lambda x: T.var(x, axis=1), 3), (lambda x: T.argmax(x), 2),
                                            (lambda x: x.sum(axis=0), 2), (lambda x: x + 1, 1)])
def test_launches_of_unknown_sizes(make, launches):
    assert len(printed(make)) == launches


@pytest.mark.parametrize("shape, launches", [((4, 10**6), 3), ((4, 1000), 1), ((1000, 10**6), 1), ((None, 1000), 1),
                                             ((1000, None), 1), ((3, None), 3)])
def test_rows_known_to_be_short_or_many_are_one_launch(shape, launches):
    assert len(printed(T.nnet.softmax, *shape)) == launches


@pytest.mark.parametrize("place, is_divisible", [("point", True), ("next point", False), ("row", False)])
def test_what_is_written_elsewhere_than_it_is_read_is_not_divided(place, is_divisible):
    scope, i, j = Scope(), Loop.make("i", 3), Loop.make("j", symbol("n"))
    point = i.counter * j.extent + j.counter
    x = scope.load(0, {"point": point, "next point": point + 1, "row": i.counter}[place], "float32")
    kernel = Kernel("sum", [i, j], [j], [Reduction("sum", x)], [Store(0, point, scope.compute(
        T.add, x, scope.result(0, "float32")))], ["float32"])
    assert (shares_of(kernel) is not None) == is_divisible
