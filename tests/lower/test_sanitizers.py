"""Generated code under address and undefined-behaviour sanitizers, in a process of its own."""

import os
import shutil
import subprocess
import sys

import pytest

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
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g"


def sanitizer_libraries() -> list[str]:
    """Where gcc keeps the sanitizers' runtimes; those it has."""
    if shutil.which("gcc") is None:
        return []
    found = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
             for name in ("libasan.so", "libubsan.so")]
    return [path for path in found if os.path.isabs(path)]


@pytest.mark.skipif(len(sanitizer_libraries()) < 2, reason="gcc's sanitizers are not installed")
def test_random_graphs_under_sanitizers(tmp_path):
    environment = dict(os.environ, SYMTENSOR_CFLAGS=FLAGS, SYMTENSOR_CXX="gcc", SYMTENSOR_CACHE_DIR=str(tmp_path),
                       LD_PRELOAD=":".join(sanitizer_libraries()), ASAN_OPTIONS="detect_leaks=0", PYTHONMALLOC="malloc",
                       PYTHONPATH=os.pathsep.join(sys.path))
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0 and run.stdout.endswith("done\n"), run.stderr[-4000:]
