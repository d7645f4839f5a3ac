"""Hand-written kernels mean what the ops mean that they are for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from symtensor.ir.interpret import evaluate
from symtensor.ops.contract import MatMul, swap_last
from symtensor.ops.convolution import Convolution
from symtensor.testing.examples import examples_of
from symtensor.testing.verify_grad import variables_for
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


def test_no_races():
    """Panels are read when all of them is there, and written when all has been read: the driver watches each access."""
    software.report()
    with device("check") as watched:
        a, b = variables_for([np.zeros((2, 2), "float32")] * 2)
        OnDevice(watched, [a, b], [MatMul()(a, b)])(np.ones((70, 40), "float32"), np.ones((40, 65), "float32"))
        for example in [e for e in examples_of(Convolution) if e.arrays[0].dtype == "float32"][:6]:
            inputs = variables_for(example.arrays)
            OnDevice(watched, inputs, example.op.make(*inputs))(*example.arrays)
        findings, traffic = software.report()
    assert findings == []
    assert {row.kernel.rpartition("_")[0] for row in traffic} >= {"gemm", "convolve", "convolve_images"}
