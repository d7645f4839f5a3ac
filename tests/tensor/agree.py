"""One check for all of the vocabulary: an expression means what NumPy means, whatever is known of its sizes."""

import numpy as np

from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate, evaluate_graph
from symtensor.lower.program import Call
from symtensor.ops.size import size_value
from symtensor.runtime.function import function
from symtensor.types.tensor import TensorType


def variables_for(arrays, fixed=False):
    """Input variables for arrays: with their sizes, or with open sizes where they do not broadcast."""
    return [TensorType(a.dtype, a.shape if fixed else [1 if n == 1 else None for n in a.shape])(f"x{i}")
            for i, a in enumerate(arrays)]


def value(variable, inputs=None):
    """The array a variable is, computed by the interpreter; its sizes are checked against its type."""
    inputs = inputs or {}
    sizes = [size_value(size) for size in variable.type.shape]
    array, *found = evaluate([variable, *sizes], inputs)
    assert array.shape == tuple(int(n) for n in found), f"{variable.type} announced {found}, is {array.shape}"
    return array


def agree(build, meaning, *arrays, rtol=1e-12):
    """Assert that `build` of variables computes what `meaning` gives for the arrays: dtype, shape and values."""
    arrays = [np.asarray(a) for a in arrays]
    expected = np.asarray(meaning(*arrays))
    for fixed in (False, True):
        variables = variables_for(arrays, fixed)
        result = build(*variables)
        array = value(result, dict(zip(variables, arrays, strict=True)))
        assert array.dtype == expected.dtype, f"dtype {array.dtype}, expected {expected.dtype}"
        np.testing.assert_allclose(array, expected, rtol=rtol, atol=0 if rtol == 0 else 1e-12)
        assert array.shape == expected.shape
        (compiled,) = evaluate_graph(Graph(variables, [result]), arrays)
        np.testing.assert_array_equal(compiled, array)


def numbers(*shape, dtype="float64", seed=0):
    """Random numbers of a shape and dtype, without zeros."""
    drawn = np.random.default_rng(seed).normal(size=shape)
    if np.dtype(dtype).kind in "iu":
        return (np.abs(drawn) * 10 + 1).astype(dtype)
    if np.dtype(dtype).kind == "b":
        return drawn > 0
    if np.dtype(dtype).kind == "c":
        return (drawn + 1j * np.random.default_rng(seed + 1).normal(size=shape)).astype(dtype)
    return drawn.astype(dtype)


def agree_compiled(build, meaning, cases, dtype, tolerance):
    """Assert that a compiled function of matrices gives what `meaning` does for each case, without calling Python."""
    real = np.empty(0, dtype).real.dtype.name
    for arrays in cases:
        arrays = [array.astype(dtype) for array in arrays]
        inputs = [TensorType(dtype, [None] * array.ndim)(f"x{i}") for i, array in enumerate(arrays)]
        f = function(inputs, build(*inputs))
        found, wanted = f(*arrays), meaning(*arrays)
        pairs = zip(found, wanted) if isinstance(found, list) else [(found, wanted)]
        for one, own in ((one, np.asarray(own)) for one, own in pairs):
            assert one.shape == own.shape and one.dtype == {"c": dtype, "f": real, "i": "int64"}[own.dtype.kind]
            np.testing.assert_allclose(one, own, tolerance, tolerance * max(1, abs(own).max(initial=0)))
        assert not [i for i in f.program.instructions if isinstance(i, Call)]
