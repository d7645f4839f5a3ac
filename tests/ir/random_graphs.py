"""Random graphs over two matrices of one size, for tests that must hold for any graph."""

import numpy as np

from symtensor.ir.graph import Graph
from symtensor.ops import scalar
from symtensor.ops.contract import matmul
from symtensor.ops.elementwise import cast
from symtensor.ops.index import gather, join, set_subtensor, subtensor
from symtensor.ops.reduce import ArgReduce, reduce_axes
from symtensor.ops.shape import dimshuffle, reshape
from symtensor.ops.size import dimension
from symtensor.types.tensor import TensorType

UNARY = [scalar.exp, scalar.tanh, scalar.neg, lambda v: v * 2.5, lambda v: v + np.float64("nan"), lambda v: 1 - v,
         lambda v: cast(cast(v, "float32"), "float64"), lambda v: scalar.switch(scalar.gt(v, 0), v, -0.0),
         lambda v: dimshuffle(reduce_axes("sum", v, [1]), (0, "x")) * v,
         lambda v: reshape(reshape(v, (-1,)), (dimension(v, 0), dimension(v, 1))),
         lambda v: subtensor(v, (slice(None, None, -1),)), lambda v: set_subtensor(v, (0,), subtensor(v, (-1,))),
         lambda v: v + cast(dimshuffle(ArgReduce("argmax", 1)(v), (0, "x")), "float64"),
         lambda v: v + dimension(v, 0), lambda v: matmul(v, matmul(dimshuffle(v, (1, 0)), v)),
         lambda v: gather(v, {0: np.array([0, -1])}).owner.inputs[0] * 1.0]
BINARY = [scalar.add, scalar.mul, scalar.maximum, lambda a, b: subtensor(join(0, [a, b]), (slice(0, dimension(a, 0)),))]


def random_graph(seed: int, steps: int = 12) -> Graph:
    """A graph of some `steps` ops with inputs x and y of one shape."""
    rng = np.random.default_rng(seed)
    x = TensorType("float64", (None, None))("x")
    y = TensorType("float64", x.type.shape)("y")
    values = [x, y]
    for _ in range(steps):
        if rng.random() < 0.5:
            values.append(UNARY[rng.integers(len(UNARY))](values[rng.integers(len(values))]))
        else:
            first, second = rng.integers(len(values), size=2)
            values.append(BINARY[rng.integers(len(BINARY))](values[first], values[second]))
    values[-1].name = "result"
    return Graph([x, y], [values[-1], reduce_axes("sum", values[-2], [0, 1])])
