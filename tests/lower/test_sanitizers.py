"""Generated code with address and undefined-behaviour sanitizers, in a process of its own; see `tests/sanitized.py`."""

import subprocess
import sys
from pathlib import Path

import pytest
from sanitized import environment as environment_of
from sanitized import libraries

PROGRAM = """
import random
import numpy as np
from symtensor.ir.interpret import evaluate
from symtensor.base.errors import ShapeError
from symtensor.runtime.function import function
from symtensor.testing.random_graphs import random_graph
from symtensor.testing.random_loops import random_loops
graphs = [random_graph(random.Random(seed), steps=16) for seed in range(2000, 2025)]
graphs += [graph for graph in (random_loops(random.Random(seed)) for seed in range(2000, 2030)) if not graph.updates]
for graph in graphs:
    try:
        expected = evaluate(graph.outputs, dict(zip(graph.inputs, graph.values)))
    except (ShapeError, IndexError):
        continue
    f = function(graph.inputs, graph.outputs, on_unused_input="ignore")
    for got, want in zip(f(*graph.values), expected):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
print("done")
"""


@pytest.mark.skipif(not libraries(), reason="gcc's sanitizers are not installed")
def test_random_graphs_under_sanitizers(tmp_path):
    environment = environment_of(tmp_path, Path(__file__).parents[2])
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0 and run.stdout.endswith("done\n"), run.stderr[-4000:]
