"""Random expressions of many dtypes, and of sizes that only data tells, give the same compiled as by their meaning."""

import random

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError
from symtensor.ir.graph import applications
from symtensor.ir.interpret import evaluate
from symtensor.runtime.function import function
from symtensor.testing.mixed_graphs import mixed_graph, random_values
from symtensor.types.dtype import FLOATS
from symtensor.types.tensor import TensorType


def agree(got, want):
    """Whether arrays agree up to the rounding of float32."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=1) if want.dtype.kind == "f" else 1
    with np.errstate(all="ignore"):
        return np.allclose(got.astype(float), want.astype(float), rtol=1e-4, atol=1e-5 * scale, equal_nan=True)


def is_stable(graph, values, number):
    """Whether an output stays as it is when float inputs change a little: no comparison hangs on their last bits."""
    noise = np.random.RandomState(0)
    known = evaluate(graph.outputs, dict(zip(graph.inputs, values)))[number]
    for _ in range(4):
        moved = [np.asarray(v * (1 + 1e-6 * noise.randn(*v.shape)), v.dtype) if v.dtype.kind == "f" else v
                 for v in values]
        try:
            if not agree(evaluate(graph.outputs, dict(zip(graph.inputs, moved)))[number], known):
                return False
        except (ShapeError, IndexError):
            return False
    return True


def is_finite(graph, values):
    """Whether nothing on the way is NaN or infinite: rules may take x / x as 1."""
    steps = [v for node in applications(graph.outputs) for v in node.outputs if v.type.dtype in FLOATS]
    return all(np.isfinite(a).all() for a in evaluate(steps, dict(zip(graph.inputs, values))))


def meaning(graph, values):
    """The outputs by the interpreter, or the error it raises."""
    try:
        return evaluate(graph.outputs, dict(zip(graph.inputs, values)))
    except (ShapeError, IndexError) as error:
        return error


@pytest.mark.parametrize("level", ["fast_run", "None"])
@pytest.mark.parametrize("seed", range(40))
def test_compiled_agrees_with_meaning(seed, level):
    rng = random.Random(seed)
    graph = mixed_graph(rng)
    try:
        f = function(graph.inputs, graph.outputs, mode=level, on_unused_input="ignore")
    except ShapeError:
        assert isinstance(meaning(graph, graph.values), ShapeError)
        return
    for values in (graph.values, random_values(rng, graph)):
        expected = meaning(graph, values)
        if isinstance(expected, ShapeError):
            with pytest.raises(ShapeError):
                f(*values)
        elif not isinstance(expected, IndexError):  # (an index of nothing need not be looked at)
            for number, (got, want) in enumerate(zip(f(*values), expected, strict=True)):
                strange = level == "fast_run" and not is_finite(graph, values)
                assert strange or agree(got, want) or not is_stable(graph, values, number)


def test_results_after_which_sizes_are_learned_have_shapes():
    x, mask = T.dmatrix("x"), T.vector("mask", dtype="bool")
    f = st.function([x, mask], [T.concatenate([x, x + 1]), x[mask.nonzero()]])
    doubled, chosen = f(np.ones((2, 3)), np.array([True, False]))
    assert doubled.shape == (4, 3) and chosen.shape == (1, 3)


@pytest.mark.parametrize("level", ["fast_run", "None"])
def test_a_size_that_data_tells_meets_one_of_an_input(level):
    x, y, mask = T.dvector("x"), T.dvector("y"), T.vector("mask", dtype="bool")
    f = st.function([x, y, mask], y + x[mask.nonzero()], mode=level)
    np.testing.assert_array_equal(f([1, 2, 3], [10, 20], [True, False, True]), [11, 23])
    with pytest.raises(ShapeError):
        f([1, 2, 3], [10, 20], [True, True, True])


@pytest.mark.parametrize("level", ["fast_run", "None"])
def test_two_sizes_that_data_tells_meet(level):
    x, one, other = T.dvector("x"), T.vector("one", dtype="bool"), T.vector("other", dtype="bool")
    f = st.function([x, one, other], [x[other.nonzero()] - x[one.nonzero()], x[one.nonzero()].shape[0]], mode=level)
    difference, count = f([1, 2, 3], [True, True, False], [True, False, True])
    np.testing.assert_array_equal(difference, [0, 1])
    assert count == 2
    with pytest.raises(ShapeError):
        f([1, 2, 3], [True, True, False], [True, True, True])


@pytest.mark.parametrize("dtype, value", [("int8", 100), ("uint8", 200), ("int32", 70)])
def test_bounds_wrap_around_as_their_dtype_does(dtype, value):
    x, n = T.lvector("x"), TensorType(dtype, ())("n")
    array, number = np.arange(300), np.array(value, dtype)
    np.testing.assert_array_equal(st.function([x, n], x[:n + n])(array, number), array[:int(number + number)])


@pytest.mark.parametrize("level", ["fast_run", "None"])
def test_a_bound_is_read_from_an_array_of_one_element(level):
    x, counts, one = T.dvector("x"), TensorType("int64", (1,))("counts"), T.constant(np.array([1]))
    outputs = [x[:counts.sum()], x[one.sum():], x[:(counts * 2).sum()]]
    f = st.function([x, counts], outputs, mode=level)
    for got, want in zip(f([1, 2, 3, 4], [2]), ([1, 2], [2, 3, 4], [1, 2, 3, 4]), strict=True):
        np.testing.assert_array_equal(got, want)
