"""What the pipeline makes of an expression, as text; and that it has the same value."""

import numpy as np

from symtensor import ops  # noqa: F401  (operators on variables)
from symtensor.base.config import config
from symtensor.ir.graph import Graph, leaves
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.ir.node import Constant
from symtensor.rewrite.engine import run_phase
from symtensor.rewrite.phases import PIPELINE
from symtensor.types.tensor import TensorType

scalar = TensorType("float64", ())
vector = TensorType("float64", (None,))
matrix = TensorType("float64", (None, None))
tensor3 = TensorType("float64", (None, None, None))
integers = TensorType("int64", (None,))
integer = TensorType("int64", ())
truths = TensorType("bool", (None,))


def text(variable):
    """An expression as nested calls."""
    if variable.owner is None:
        return repr(variable)
    return f"{variable.owner.op}({', '.join(map(text, variable.owner.inputs))})"


def rewritten(outputs, phases=PIPELINE["fast_run"]):
    """The graph of `outputs` after some phases, by default all."""
    inputs = [v for v in leaves(outputs) if not isinstance(v, Constant)]
    graph = Graph(inputs, outputs)
    with config.change(on_rewrite_error="raise", verify=True):
        for phase in phases:
            run_phase(graph, phase)
    return graph


def sample(inputs, rng):
    """Arrays for inputs: open sizes are 4, and one name is one size."""
    arrays = []
    for variable in inputs:
        shape = [size if isinstance(size, int) else 4 for size in variable.type.shape]
        if variable.type.dtype == "int64":
            arrays.append(rng.integers(0, 3, shape))
        elif variable.type.dtype == "bool":
            arrays.append(rng.integers(0, 2, shape).astype(bool))
        else:
            arrays.append(rng.uniform(0.2, 0.9, shape).astype(variable.type.dtype))
    return [np.asarray(a) for a in arrays]


def form(expression, phases=PIPELINE["fast_run"]):
    """The expression after the phases as text, having checked that its value is the same."""
    graph = rewritten([expression], phases)
    users = [graph.origin[v] for v in graph.inputs]
    arrays = sample(users, np.random.default_rng(0))
    (before,) = evaluate([expression], dict(zip(users, arrays)))
    (after,) = evaluate_graph(graph, arrays)
    assert after.dtype == before.dtype and after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=1e-12 if before.dtype == "float64" else 1e-6, atol=1e-12)
    return text(graph.outputs[0])
