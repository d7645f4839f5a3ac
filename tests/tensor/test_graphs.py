"""Expressions taken apart and put together: `symtensor.graph`, `map_variables`, `vectorize`, `hessian_vector`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import GraphError, TypeMismatch

x, y = T.dvectors("x", "y")
RNG = np.random.default_rng(0)


def test_parts_of_an_expression() -> None:
    """Inputs, ancestors, applications in order; walks end where they are told to."""
    z = T.exp(x)
    out = z * y + st.shared(1.0, "s")
    assert [v.name for v in st.graph.inputs([out])] == ["x", "y", "s"]
    assert [v.name for v in st.graph.inputs([out], [z])] == ["y", "s"]
    assert z in st.graph.ancestors([out]) and x not in st.graph.ancestors([out], [z])
    assert [str(node.op) for node in st.graph.io_toposort([x, y], [out])] == ["exp", "mul", "add"]
    assert st.graph.variables([x], [z]) == [x, z]
    with pytest.raises(GraphError, match="there is no mode 'deep'"):
        st.graph.stack_search([1], lambda n: None, "deep")


@pytest.mark.parametrize("one, other, givens, same", [
    (x + y, x + y, None, True), (x + y, y + x, None, False), (x - y, y - x, None, False),
    (x + 1, x + 1, None, True), (x + 1, x + 2, None, False), (x + 1, y + 1, {x: y}, True),
])
def test_same_graphs(one: Any, other: Any, givens: Any, same: bool) -> None:
    """The same ops of the same variables in the same order."""
    assert st.graph.is_same_graph(one, other, givens) is same


def test_expressions_of_other_numbers_are_not_compared() -> None:
    with pytest.raises(GraphError, match="1 expressions of 0 variables cannot be compared with 2 of 0"):
        st.graph.equal_computations([x], [x, y])
    with pytest.raises(GraphError, match="x cannot be replaced by 3"):
        st.graph.is_same_graph(x, x, {x: 3})


def test_mapped_variables() -> None:
    """Inputs and what is computed are put through the function, each with its inputs replaced before."""
    z = T.exp(x)
    seen: list[str] = []

    def replacer(v: Any) -> Any:
        seen.append(str(v))
        return v * 2 if v is x else v + 1 if str(v).startswith("exp") else v
    [mapped] = st.map_variables(replacer, [z * y])
    point = np.array([1.0, 2.0])
    np.testing.assert_allclose(st.function([x, y], mapped)(point, point), (np.exp(2 * point) + 1) * point)
    assert "exp((x * 2.0))" in seen
    with pytest.raises(TypeMismatch, match="cannot stand for x"):
        st.map_variables(lambda v: T.scalar() if v is x else v, [z])


def test_many_values_at_once() -> None:
    """Gradients for each example of a batch: no loop, and what a loop over the examples gives."""
    w = T.dmatrix("w")
    slope = st.grad((T.tanh(T.dot(x, w)) ** 2).sum(), w)
    many = T.dmatrix("many")
    f = st.function([many, w], st.vectorize(slope, {x: many}))
    batch, weights = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2))
    each = st.function([x, w], slope)
    np.testing.assert_allclose(f(batch, weights), [each(one, weights) for one in batch])
    assert "Loop" not in {type(i).__name__ for i in f.program.instructions}
    first, second = st.vectorize([x.sum(), x * 2], {x: many})
    assert (first.ndim, second.ndim) == (1, 2)
    with pytest.raises(TypeMismatch, match="many values of x have 2 axes, not 1"):
        st.vectorize(slope, {x: x})
    with pytest.raises(TypeMismatch, match="nothing is to be replaced"):
        st.vectorize(slope, {})


def test_hessian_times_a_vector() -> None:
    """It is the product with the matrix, also by several variables, and zero for a cost of first degree."""
    v, w = T.dvectors("v", "w")
    cost = (T.exp(x * 0.1) * T.sin(y)).sum()
    found = st.function([x, y, v, w], st.gradient.hessian_vector(cost, [x, y], [v, w]))
    point = [RNG.normal(size=3) for _ in range(4)]
    joined = T.dvector("joined")
    whole = st.clone(cost, {x: joined[:3], y: joined[3:]})
    matrix = st.function([joined], st.gradient.hessian(whole, joined))(np.concatenate(point[:2]))
    np.testing.assert_allclose(np.concatenate(found(*point)), matrix @ np.concatenate(point[2:]), atol=1e-12)
    flat = st.function([x, v], st.gradient.hessian_vector(x.sum(), x, v), on_unused_input="ignore")
    assert flat(point[0], point[2]).tolist() == [0.0] * 3
