"""Hand-written kernels mean what the ops mean that they are for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from symtensor.ir.interpret import evaluate
from symtensor.ops.contract import Gemm, MatMul, swap_last
from symtensor.ops.convolution import Convolution
from symtensor.ops.elementwise import cast
from symtensor.ops.ordering import Argsort, Cumulate, Select, Sort
from symtensor.testing.examples import examples_of
from symtensor.testing.verify_grad import variables_for
from symtensor.types.dtype import NARROW, limits, widened
from tests.cuda.device import Device, OnDevice, device, software


@pytest.fixture(scope="module", params=["fast", "shuffled"])
def here(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A device in each mode."""
    with device(request.param) as made:
        yield made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrix_products_of_many_sizes(here, dtype):
    rng = np.random.default_rng(0)
    for a_transposed, b_transposed in itertools.product([False, True], repeat=2):
        a, b = variables_for([np.zeros((2, 2), dtype)] * 2)
        product = MatMul()(swap_last(a) if a_transposed else a, swap_last(b) if b_transposed else b)
        multiply = OnDevice(here, [a, b], [product])
        for m, n, k in [(1, 2, 2), (64, 64, 16), (70, 33, 19), (130, 200, 8), (3, 150, 40), (5, 3, 0), (1100, 1000, 9)]:
            arrays = [rng.normal(size=(k, m) if a_transposed else (m, k)).astype(dtype),
                      rng.normal(size=(n, k) if b_transposed else (k, n)).astype(dtype)]
            [wanted] = evaluate([product], dict(zip((a, b), arrays)))
            [found] = multiply(*arrays)
            np.testing.assert_allclose(found, wanted, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_long_sums_of_products_are_divided(here, dtype):
    """For each matrix of a batch, with scalars, and each time the same."""
    rng = np.random.default_rng(0)
    c, a, b = (rng.normal(size=shape).astype(dtype) for shape in ((7, 9), (7, 2100), (2100, 9)))
    scalars = np.array(1.5, dtype), np.array(-0.5, dtype)
    inputs = variables_for([c, a, b, *scalars])
    scaled = OnDevice(here, inputs, [Gemm()(*inputs)])
    tolerance = {"float16": 0.2, "float32": 1e-3, "float64": 1e-11}[dtype]
    wide = [array.astype("float64") for array in (a, b, c)]
    found = scaled(c, a, b, *scalars)[0]
    np.testing.assert_allclose(found, 1.5 * wide[0] @ wide[1] - 0.5 * wide[2], atol=tolerance)
    np.testing.assert_array_equal(found, scaled(c, a, b, *scalars)[0])
    for a_transposed, b_transposed in itertools.product([False, True], repeat=2):
        left, right = np.stack([a, a[::-1], 2 * a]), np.stack([b, -b, b])
        arrays = [swapped.swapaxes(1, 2) if is_transposed else swapped
                  for swapped, is_transposed in ((left, a_transposed), (right, b_transposed))]
        x, y = variables_for(arrays)
        product = MatMul()(swap_last(x) if a_transposed else x, swap_last(y) if b_transposed else y)
        [found] = OnDevice(here, [x, y], [product])(*arrays)
        np.testing.assert_allclose(found, left.astype("float64") @ right.astype("float64"), atol=2 * tolerance)


def bits_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Elements of any bits, many of them equal, and zeros of both signs."""
    rng = np.random.default_rng(1)
    value = np.frombuffer(rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape).copy()
    value[rng.random(shape) < 0.2], value[rng.random(shape) < 0.2] = 0.0, -0.0
    return value


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int64", "uint8"])
def test_order_of_long_and_of_short_rows(here, dtype):
    """In shared memory, and by digits; the last tile may have fewer elements than are wanted."""
    for axis, shapes in [(0, [(4500,), (2048,), (5,), (1,)]), (1, [(2, 2049, 2), (3, 700, 2)])]:
        [x] = variables_for([np.zeros(shapes[0], dtype)])
        sort = OnDevice(here, [x], [Sort(axis)(x), Argsort(axis)(x)])
        for shape in shapes:
            array = bits_of(dtype, shape)
            order = np.argsort(widened(array), axis, kind="stable")
            ordered, places = sort(array)
            np.testing.assert_array_equal(places, order)
            assert ordered.tobytes() == np.take_along_axis(array, order, axis).tobytes()
            for largest, count in [(True, 1), (False, 4), (True, 900), (True, 2049)]:
                if count <= shape[axis]:
                    op, wanted = Select(axis, largest), np.array(count)
                    inputs = variables_for([array, wanted])
                    [found] = OnDevice(here, inputs, [op.make(*inputs)[0]])(array, wanted)
                    np.testing.assert_array_equal(found, op.evaluate(array, wanted))


@pytest.mark.parametrize("kind", ["sum", "prod"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64", "int16"])
def test_running_totals_of_long_rows(here, dtype, kind):
    for shape, axis in [((3, 5000), 1), ((2, 2049), 1), ((300, 5), 0), ((2, 1, 3), 1), ((0, 3), 1), ((3, 0), 1)]:
        array = (np.random.default_rng(2).normal(1, 0.1, shape) * (3 if dtype == "int16" else 1)).astype(dtype)
        op, inputs = Cumulate(kind, axis), variables_for([array])
        [found] = OnDevice(here, inputs, [op(*inputs)])(array)
        tolerance = {"bfloat16": 2.0**-7, "float32": 1e-6}.get(dtype, 1e-12)
        np.testing.assert_allclose(widened(found), widened(op.evaluate(array)), tolerance)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32"])
def test_running_totals_of_integers_that_are_widened(here, dtype):
    for shape, axis in [((2500,), 0), ((100, 3), 0)]:
        array = np.random.default_rng(3).integers(-99, 99, shape).astype(dtype)
        [x] = variables_for([array])
        [found] = OnDevice(here, [x], [Cumulate("sum", axis)(cast(x, "int64"))])(array)
        np.testing.assert_array_equal(found, np.cumsum(array.astype("int64"), axis))


def test_no_races_in_order_and_totals():
    software.report()
    with device("check") as watched:
        x, count = variables_for([np.zeros(2, "float32"), np.array(3)])
        results = [Sort(0)(x), Select(0, True)(x, count), Cumulate("sum", 0)(x)]
        f = OnDevice(watched, [x, count], results)
        for n in (5000, 70):
            f(bits_of("float32", (n,)), np.array(60))
        y, = variables_for([np.zeros((2, 2), "float32")])
        OnDevice(watched, [y], [Cumulate("sum", 0)(y), Cumulate("prod", 0)(y)])(np.ones((200, 70), "float32"))
        findings, traffic = software.report()
    assert findings == []
    ran = {row.kernel.rpartition("_")[0] for row in traffic}
    assert ran >= {"move_keys", "sort_short_rows", "scan_tiles", "take_first", "scan_columns"}


@pytest.mark.parametrize("dtype", NARROW)
def test_tensor_cores(here, dtype):
    """Products of them are exact and added in float32: in any order within as many roundings as there are steps."""
    rng = np.random.default_rng(0)
    for a_transposed, b_transposed in itertools.product([False, True], repeat=2):
        a, b = variables_for([np.zeros((2, 2), dtype)] * 2)
        product = MatMul()(swap_last(a) if a_transposed else a, swap_last(b) if b_transposed else b)
        multiply = OnDevice(here, [a, b], [product])
        for m, n, k in [(1, 2, 2), (64, 64, 32), (70, 33, 19), (3, 150, 40), (5, 3, 0), (1030, 1030, 17),
                        (5, 70, 1601)]:
            left, right = (rng.normal(size=shape).astype(dtype) for shape in ((m, k), (k, n)))
            [found] = multiply(left.T if a_transposed else left, right.T if b_transposed else right)
            exact = left.astype("float64") @ right.astype("float64")
            reach = abs(left).astype("float64") @ abs(right).astype("float64")
            bound = float(limits(dtype).eps) / 2 * abs(exact) + k * 2.0**-23 * reach + 2.0**-25
            # Rounding the sum; adding; subnormals.
            assert found.dtype == dtype and (abs(found.astype("float64") - exact) <= bound).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_tensor_cores_scale_and_add(here, dtype):
    """alpha a b + beta c in float32, rounded once."""
    rng = np.random.default_rng(0)
    c, a, b = (rng.normal(size=shape).astype(dtype) for shape in ((70, 40), (70, 20), (20, 40)))
    scalars = np.array(1.5, dtype), np.array(-0.5, dtype)
    inputs = variables_for([c, a, b, *scalars])
    [found] = OnDevice(here, inputs, [Gemm()(*inputs)])(c, a, b, *scalars)
    wanted = 1.5 * (a.astype("float32") @ b.astype("float32")) - 0.5 * c.astype("float32")
    assert (abs(found.astype("float32") - wanted) <= float(limits(dtype).eps) * np.maximum(abs(wanted), 1)).all()


def test_no_races():
    """Panels are read when all of them is there, and written when all has been read: the driver watches each access."""
    software.report()
    with device("check") as watched:
        a, b = variables_for([np.zeros((2, 2), "float32")] * 2)
        OnDevice(watched, [a, b], [MatMul()(a, b)])(np.ones((70, 40), "float32"), np.ones((40, 65), "float32"))
        OnDevice(watched, [a, b], [MatMul()(a, b)])(np.ones((3, 1024), "float32"), np.ones((1024, 5), "float32"))
        for dtype in NARROW:
            a, b = variables_for([np.zeros((2, 2), dtype)] * 2)
            OnDevice(watched, [a, b], [MatMul()(a, b)])(np.ones((70, 40), dtype), np.ones((40, 65), dtype))
        for example in [e for e in examples_of(Convolution) if e.arrays[0].dtype == "float32"][:8]:
            inputs = variables_for(example.arrays)
            OnDevice(watched, inputs, example.op.make(*inputs))(*example.arrays)
        findings, traffic = software.report()
    assert findings == []
    assert {row.kernel.rpartition("_")[0] for row in traffic} >= {"gemm", "gemm_part", "gemm_total", "convolve",
                                                                 "convolve_images"}
