"""Hand-written kernels mean what the ops mean that they are for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from symtensor.ir.interpret import evaluate
from symtensor.ir.routine import RoutineCall
from symtensor.ops.contract import Gemm, MatMul, swap_last
from symtensor.testing.check_op import check_op
from symtensor.testing.verify_grad import variables_for
from tests.cuda.device import Device, OnDevice, cuda, device, run_routine, software


@pytest.fixture(scope="module", params=["fast", "shuffled"])
def here(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A device in each mode."""
    with device(request.param) as made:
        yield made


@pytest.mark.parametrize("op", [MatMul, Gemm], ids=lambda op: op.__name__)
def test_op(here, op):
    check_op(op, compile=lambda inputs, outputs: OnDevice(here, inputs, outputs), derivatives=False)


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


def trilinear(factors: list[np.ndarray], wanted: int, stride: int, dilation: int, low: int) -> np.ndarray:
    """The derivative by one factor of the sum that convolution is: images (n, i, c), filters
    (f, c, k), output (n, o, f)."""
    images, filters, output = factors
    result = np.zeros_like(factors[wanted])
    for n, o, f, c, k in np.ndindex(*output.shape, *filters.shape[1:]):
        i = o * stride + k * dilation - low
        if 0 <= i < images.shape[1]:
            places = [(n, i, c), (f, c, k), (n, o, f)]
            others = [factor[place] for number, (factor, place) in enumerate(zip(factors, places)) if number != wanted]
            result[places[wanted]] += np.prod(others)
    return result


@pytest.mark.parametrize("wanted", [0, 1, 2], ids=["images", "filters", "output"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stride, dilation, low", [(1, 1, 0), (2, 1, 1), (1, 2, 3), (3, 2, 0)])
def test_convolution(here, wanted, dtype, stride, dilation, low):
    """Whole numbers: their sums are exact in any order."""
    factors = convolved(here, wanted, dtype, stride, dilation, low)
    np.testing.assert_array_equal(factors[wanted], trilinear(factors, wanted, stride, dilation, low))


def convolved(here: Device, wanted: int, dtype: str, stride: int, dilation: int, low: int) -> list[np.ndarray]:
    """Three factors of a convolution, of which the device computed one from the others."""
    rng, (n, i, o, f, c, k) = np.random.default_rng(0), (2, 9, 6, 5, 3, 4)
    factors = [rng.integers(-4, 5, size=shape).astype(dtype) for shape in ((n, i, c), (f, c, k), (n, o, f))]
    memory = [cuda.mem_alloc(factor.nbytes) for factor in factors]
    for place, factor in zip(memory, factors):
        here.put(place, factor)
    axes = [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, i, k, o, stride, dilation, low]
    order = [number for number in range(3) if number != wanted] + [wanted]
    run_routine(here, RoutineCall("convolution", (), (n, 1, c, f, *axes), (wanted,)), [dtype] * 3,
                [int(memory[number]) for number in order])
    factors[wanted] = here.get(memory[wanted], factors[wanted].shape, dtype)
    return factors


def test_no_races():
    """Panels are read when all of them is there, and written when all has been read: the driver watches each access."""
    software.report()
    with device("check") as watched:
        a, b = variables_for([np.zeros((2, 2), "float32")] * 2)
        OnDevice(watched, [a, b], [MatMul()(a, b)])(np.ones((70, 40), "float32"), np.ones((40, 65), "float32"))
        for wanted in range(3):
            convolved(watched, wanted, "float32", 1, 1, 0)
        findings, traffic = software.report()
    assert findings == []
    assert {row.kernel.rpartition("_")[0] for row in traffic} >= {"gemm", "convolve", "convolve_images"}
