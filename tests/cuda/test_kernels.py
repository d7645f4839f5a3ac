"""The golden kernels at sizes that take each of their ways, against NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.ir.graph import leaves
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Constant, Variable
from tests.codegen.test_golden import CASES
from tests.cuda.device import OnDevice, device, software

SIZES = [(3, 5), (300, 40), (5, 2500), (2, 20001)]
"""Rows and columns: short rows, which one thread does; those of a warp; those of a block; those of several blocks. Some
are divided by four."""


@cache
def case(name: str) -> tuple[list[Variable], list[Variable]]:
    """The inputs and outputs of a golden case."""
    outputs = CASES[name]()
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [v for v in leaves(outputs) if not isinstance(v, Constant)], outputs


def arrays_for(name: str, rows: int, columns: int) -> list[np.ndarray]:
    """Values for a case's inputs; integers are positions in an axis."""
    rng = np.random.default_rng(0)
    arrays = []
    for v in case(name)[0]:
        shape = {"gain": (columns,), "h": (columns,)}.get(v.name, (rows, columns, 6)[:v.type.ndim])
        if name == "chain_of_transposed" and v.name == "y":
            shape = (columns, rows)
        whole = v.type.dtype.startswith("int")
        values = rng.integers(1, min(rows, columns), size=shape) if whole else rng.normal(size=shape)
        arrays.append(np.asarray(values).astype(v.type.dtype))
    return arrays


@pytest.mark.parametrize("name", CASES)
def test_values_and_bits(name):
    """One text serves all sizes and grids; nothing depends on the order of threads, or on how memory is aligned."""
    inputs, outputs = case(name)
    results = []
    for mode, offset, most_blocks in (("fast", 0, 65536), ("shuffled", 8, 3)):
        with device(mode) as here:
            function = OnDevice(here, inputs, outputs, rewrite=True, offset=offset, most_blocks=most_blocks)
            results.append([function(*arrays_for(name, *size)) for size in SIZES])
    for size, first, second in zip(SIZES, *results):
        wanted = evaluate(outputs, dict(zip(inputs, arrays_for(name, *size))))
        for found, other, expected in zip(first, second, wanted):
            np.testing.assert_array_equal(found, other, err_msg=f"{size}")
            # NumPy rounds float16 after each of some four ops, of which the terms, up to 4 here, may cancel.
            rounded = 4 * 2.0**-11 if found.dtype == "float16" else 0
            np.testing.assert_allclose(found, expected, rtol=1e-4 + rounded, atol=1e-5 + 4 * rounded, err_msg=f"{size}")


def test_a_failing_kernel_says_so():
    x, i = T.fmatrix("x"), T.lvector("i")
    with device() as here:
        function = OnDevice(here, [x, i], [x[i]])
        np.testing.assert_array_equal(function(np.eye(3), [-1])[0], [[0, 0, 1]])
        with pytest.raises(IndexError, match="a kernel failed"):
            function(np.eye(3), [3])


@pytest.mark.parametrize("dtype, atomics, is_atomic", [("float32", False, False), ("float32", True, True),
                                                       ("float64", True, True), ("int64", False, True),
                                                       ("uint32", False, True), ("int16", True, False)])
def test_elements_put_into_one_place(dtype, atomics, is_atomic):
    """Where the order does not matter, or is said not to, a thread puts each element; whole numbers' sums are exact."""
    x, y, i = T.matrix("x", dtype=dtype), T.matrix("y", dtype=dtype), T.lvector("i")
    added = T.inc_subtensor(x[i], y)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 9, size=size).astype(dtype) for size in ((5, 7), (300, 7))]
    with config.change(cuda_atomics=atomics), device("shuffled") as here:
        function = OnDevice(here, [x, y, i], [added])
        assert ("atomicAdd" in "".join(one.text for one in function.program.kernels)) == is_atomic
        index = rng.integers(-5, 5, size=300)
        [found] = function(*arrays, index)
    np.add.at(arrays[0], index, arrays[1])
    np.testing.assert_array_equal(found, arrays[0])


@pytest.mark.parametrize("name", ["softmax", "layer_norm_gradient", "full_sum", "argmax", "cross_entropy"])
def test_no_races(name):
    """The driver watches each access: no thread reads what another may still write, or what nobody has written."""
    inputs, outputs = case(name)
    software.report()
    with device("check") as here:
        function = OnDevice(here, inputs, outputs, rewrite=True, most_blocks=2)
        for size in ((5, 2500), (40, 40), (2, 17000)):
            function(*arrays_for(name, *size))
        findings, traffic = software.report()
    assert findings == []
    assert traffic
