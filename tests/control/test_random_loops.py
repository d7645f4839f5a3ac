"""Random loops give the same compiled as by their meaning; reverse and forward mode agree; what was found so."""

import random

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError
from symtensor.grad.forward import Rop
from symtensor.grad.reverse import grad
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.ops import scalar
from symtensor.ops.elementwise import cast
from symtensor.ops.reduce import sum_axes
from symtensor.rewrite.phases import optimize
from symtensor.runtime.function import function
from symtensor.testing.random_loops import random_loops
from symtensor.types.dtype import FLOATS


def agree(got, want):
    """Whether arrays agree up to the rounding of float32."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=1) if want.dtype.kind == "f" else 1
    return np.allclose(got.astype(float), want.astype(float), rtol=1e-4, atol=1e-5 * scale, equal_nan=True)


def arguments(graph):
    return {**dict(zip(graph.inputs, graph.values)), **{s: s.get_value() for s in graph.updates}}


def meaning(outputs, values):
    """The outputs by the interpreter, or the error it raises."""
    try:
        return evaluate(outputs, values)
    except (ShapeError, IndexError) as error:
        return error


@pytest.mark.parametrize("level", ["fast_run", "fast_compile", "None"])
@pytest.mark.parametrize("seed", [*range(16), 5038, 50025])
def test_compiled_agrees_with_meaning(seed, level):
    graph = random_loops(random.Random(seed))
    expected = meaning(graph.outputs, arguments(graph))
    try:
        f = function(graph.inputs, graph.outputs, mode=level, on_unused_input="ignore",
                     updates=list(graph.updates.items()))
        found = f(*graph.values)
    except (ShapeError, IndexError):
        assert isinstance(expected, (ShapeError, IndexError))
        return
    if isinstance(expected, IndexError):
        return  # (an index of nothing need not be looked at)
    for got, want in zip(found, expected, strict=True):
        assert agree(got, want)
    for storage, new in graph.updates.items():
        assert agree(np.asarray(storage.get_value()), expected[graph.outputs.index(new)])


def derivatives(graph):
    """Slopes by the float inputs, directions, and the slope along these."""
    cost = sum(sum_axes(scalar.sin(cast(v, "float64")), range(v.type.ndim))
               for v in graph.outputs if v.type.dtype in FLOATS)
    noise = np.random.RandomState(0)
    wrt = {v: np.asarray(noise.randn(*value.shape)).astype(value.dtype)
           for v, value in zip(graph.inputs, graph.values) if v.type.dtype in FLOATS}
    slopes = grad(cost, list(wrt), disconnected_inputs="ignore")
    return slopes, list(wrt.values()), Rop(cost, list(wrt), list(wrt.values()), disconnected_outputs="ignore")


@pytest.mark.parametrize("seed", [*range(100, 140), 20156, 30489, 32303])
def test_derivatives(seed):
    graph = random_loops(random.Random(seed))
    if not any(v.type.dtype in FLOATS for v in graph.outputs):
        return
    values = arguments(graph)
    try:
        slopes, directions, along = derivatives(graph)
        outputs = [*slopes, along]
        expected = evaluate(outputs, values)
    except (ShapeError, IndexError):
        return  # sizes of this seed do not fit
    if not all(np.isfinite(value).all() for value in expected):
        return  # numbers of this seed overflow
    total = sum(np.abs(slope.astype(float) * d).sum() for slope, d in zip(expected, directions))
    back = sum(float((slope.astype(float) * d).sum()) for slope, d in zip(expected, directions))
    assert graph.truncated or abs(back - expected[-1]) <= 1e-4 * (1 + total)
    rewritten = Graph(list(values), outputs)
    optimize(rewritten)
    for got, want in zip(evaluate_graph(rewritten, list(values.values())), expected, strict=True):
        assert agree(got, want)


# -- found by them ----------------------------------------------------------------------------------------

def test_a_sequence_that_no_derivative_goes_through():
    x, n = T.dmatrix("x"), T.lscalar("n")
    (fixed, _), _ = st.scan(lambda row, whole: [whole, row], x, [None, None], x, n)
    values = np.arange(6.0).reshape(3, 2)
    slope = st.function([x, n], st.grad(fixed[1:].sum(), x))(values, 2)
    np.testing.assert_array_equal(slope, np.ones((3, 2)))


def test_forward_mode_through_conversions():
    x = T.fvector("x")
    y = T.cast(T.cast(x, "float64") * 2, "float32")
    tangent = st.Rop(y, x, T.constant(np.float32([1, 2])))
    assert tangent.type.dtype == "float32"
    out, _ = st.scan(lambda row, h: T.cast(T.cast(h, "float64") * row, "float32"), T.dvector("rows"), x)
    assert st.Rop(out, x, T.constant(np.float32([1, 2]))).type.dtype == "float32"


@pytest.mark.parametrize("steps", [2, 100])
def test_what_is_needed_for_its_size_only(steps):
    rows, h = T.dvector("rows"), T.dvector("h")
    (out, sizes), _ = st.scan(lambda row, h: (T.ones_like(h) * row, h.shape[0] * 2), rows, [h, None], n_steps=steps)
    shown = st.function([rows, h], [out[-1], sizes])
    last, doubled = shown(np.arange(100.0), np.zeros(3))
    np.testing.assert_array_equal(last, [steps - 1] * 3)
    np.testing.assert_array_equal(doubled, [6] * steps)


def test_sizes_given_to_the_step():
    rows, n = T.dvector("rows"), T.lscalar("n")
    planes, _ = st.scan(lambda row, n, m: row * T.ones((n, m)), rows, None, [n, n + 1])
    assert st.function([rows, n], planes)(np.ones(4), 2).shape == (4, 2, 3)


@pytest.mark.parametrize("steps", [1, 100])
def test_a_count_that_sizes_of_the_step_are_made_of(steps):
    x, w, limit = T.dvector("x"), T.dvector("w"), T.dscalar("limit")

    def step(value, w):
        doubled, _ = st.scan(lambda d: (d * 2, st.until(d.sum() > limit)), outputs_info=w, n_steps=9)
        return doubled[-1] + value  # its place is a size that only this step tells

    made, _ = st.scan(step, x, None, w, n_steps=steps)
    found, slope = st.function([x, w, limit], [made, st.grad(made.sum(), w)])(np.arange(100.0), [1.0, 2.0], 7.0)
    np.testing.assert_array_equal(found, np.arange(steps)[:, None] + [8.0, 16.0])
    np.testing.assert_array_equal(slope, [8.0 * steps] * 2)
