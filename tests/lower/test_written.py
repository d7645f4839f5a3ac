"""Products of narrow floats on the processor: in float32, rounded once (docs/decisions/060)."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain

pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")


def half(*shape):
    return T.tensor("float16", shape=shape)


def test_a_product_is_computed_in_float32():
    a, b = half(None, None), half(None, None)
    f = st.function([a, b], T.dot(a, b.T))
    x, y = np.random.default_rng(0).normal(size=(2, 40, 300)).astype("float16")
    found = f(x, y)
    assert found.dtype == "float16" and f.library_calls == 1
    wanted = x.astype("float64") @ y.T.astype("float64")
    reach = abs(x).astype("float64") @ abs(y).T.astype("float64")  # of the sum of products, added in float32
    assert (abs(found - wanted) <= 2.0**-11 * abs(wanted) + 300 * 2.0**-24 * reach).all()


def test_conversions_share_kernels_with_what_is_around():
    a, b, c = half(None, None), half(None, None), half(None)
    f = st.function([a, b, c], T.nnet.relu(T.dot(T.tanh(a), b) + c))
    assert (f.library_calls, f.launches) == (1, 3)  # tanh(a); b; all that follows the product
    x, y, z = (np.random.default_rng(0).normal(size=shape).astype("float16") for shape in ((5, 6), (6, 7), (7,)))
    product = np.tanh(x.astype("float32")).astype("float16").astype("float32") @ y.astype("float32")
    wanted = np.maximum(product + z.astype("float32"), 0)
    np.testing.assert_allclose(f(x, y, z), wanted, rtol=2.0**-10, atol=1e-3)


def test_products_in_loops_and_branches():
    w, h, flag = half(3, 3), half(3), T.bscalar("flag").astype("bool")
    hs, _ = st.scan(lambda h, w: T.dot(h, w), outputs_info=h, non_sequences=w, n_steps=4)
    z = st.ifelse(flag, T.dot(hs[-1], w), h)
    f = st.function([w, h, flag.owner.inputs[0]], [hs, z])
    x, y = np.random.default_rng(0).normal(size=(3, 3)).astype("float16"), np.ones(3, "float16")
    rows = [y]
    for _ in range(5):
        rows.append((rows[-1].astype("float32") @ x.astype("float32")).astype("float16"))
    found, last = f(x, y, 1)
    np.testing.assert_allclose(found.astype("float32"), np.array(rows[1:5], "float32"), rtol=2e-3)
    np.testing.assert_allclose(last.astype("float32"), rows[5].astype("float32"), rtol=2e-3)
    np.testing.assert_array_equal(f(x, y, 0)[1], y)


def test_what_a_product_tells_sizes():
    """Nodes after a product are made anew; the sizes that only their data tells are known as before."""
    a = half(None, None)
    product = T.dot(a, a.T)
    where = T.nonzero(product > 1)[0]
    f = st.function([a], [product[where].sum(), where.shape[0]])
    x = np.array([[1, 0.5], [0, 0.25]], "float16")
    total, count = f(x)
    assert count == 1
    np.testing.assert_array_equal(total, (x @ x.T)[[0]].sum())
