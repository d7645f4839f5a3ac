"""Random expressions give the same on the software device as by their meaning; their kernels are compiled together."""

from __future__ import annotations

import random

import numpy as np
import pytest

from symtensor.base.errors import ShapeError
from symtensor.codegen.cuda.modules import compile_kernels
from symtensor.ir.interpret import evaluate
from symtensor.testing.random_graphs import RandomGraph, random_graph
from symtensor.types.dtype import widened
from tests.cuda.device import Array, OnDevice, device


def graphs(seeds: range, dtype: str) -> list[tuple[RandomGraph, list[Array]]]:
    """Random graphs whose sizes agree, and what they mean."""
    found = []
    for seed in seeds:
        graph = random_graph(random.Random(seed), dtype=dtype)
        try:
            found.append((graph, evaluate(graph.outputs, dict(zip(graph.inputs, graph.values)))))
        except ShapeError:
            continue
    return found


@pytest.mark.parametrize("mode, dtype, seeds, tolerance", [("fast", "float64", range(40), 1e-8),
                                                           ("shuffled", "float32", range(40, 80), 2e-4),
                                                           ("fast", "float16", range(80, 100), 12 * 2.0**-11),
                                                           ("fast", "bfloat16", range(80, 100), 12 * 2.0**-8)])
def test_kernels_agree_with_meaning(mode, dtype, seeds, tolerance):
    with device(mode) as here:
        made = [(OnDevice(here, graph.inputs, graph.outputs, rewrite=bool(number % 3)), graph, wanted)
                for number, (graph, wanted) in enumerate(graphs(seeds, dtype))]
        assert len(made) > 10
        compile_kernels([(kernel.name, kernel.text) for function, _, _ in made for kernel in function.program.kernels],
                        here.compiler)
        for function, graph, wanted in made:
            for found, expected in zip(function(*graph.values), wanted):
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(widened(found), widened(expected), rtol=tolerance, atol=tolerance)
