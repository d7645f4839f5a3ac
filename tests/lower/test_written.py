"""Products of narrow floats on the processor: in float32, rounded once (docs/decisions/060)."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.codegen.toolchain import toolchain
from symtensor.types.dtype import NARROW, limits

pytestmark = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")


@pytest.fixture(params=NARROW)
def narrow(request):
    """The name of a narrow dtype."""
    return request.param


def half(narrow, *shape):
    return T.tensor(narrow, shape=shape)


def rounding(narrow):
    """Half of what neighbours differ by, relative to the number."""
    return float(limits(narrow).eps) / 2


def test_a_product_is_computed_in_float32(narrow):
    a, b = half(narrow, None, None), half(narrow, None, None)
    f = st.function([a, b], T.dot(a, b.T))
    x, y = np.random.default_rng(0).normal(size=(2, 40, 300)).astype(narrow)
    found = f(x, y)
    assert found.dtype == narrow and f.library_calls == 1
    wanted = x.astype("float64") @ y.T.astype("float64")
    reach = abs(x).astype("float64") @ abs(y).T.astype("float64")  # of the sum of products, added in float32
    assert (abs(found.astype("float64") - wanted) <= rounding(narrow) * abs(wanted) + 300 * 2.0**-24 * reach).all()


def test_conversions_share_kernels_with_what_is_around(narrow):
    a, b, c = half(narrow, None, None), half(narrow, None, None), half(narrow, None)
    f = st.function([a, b, c], T.nnet.relu(T.dot(T.tanh(a), b) + c))
    assert (f.library_calls, f.launches) == (1, 3)  # tanh(a); b; all that follows the product
    x, y, z = (np.random.default_rng(0).normal(size=shape).astype(narrow) for shape in ((5, 6), (6, 7), (7,)))
    product = np.tanh(x.astype("float32")).astype(narrow).astype("float32") @ y.astype("float32")
    wanted = np.maximum(product + z.astype("float32"), 0)
    bound = 2 * rounding(narrow)
    np.testing.assert_allclose(f(x, y, z).astype("float32"), wanted, rtol=bound, atol=bound)


def test_products_in_loops_and_branches(narrow):
    w, h, flag = half(narrow, 3, 3), half(narrow, 3), T.bscalar("flag").astype("bool")
    hs, _ = st.scan(lambda h, w: T.dot(h, w), outputs_info=h, non_sequences=w, n_steps=4)
    z = st.ifelse(flag, T.dot(hs[-1], w), h)
    f = st.function([w, h, flag.owner.inputs[0]], [hs, z])
    x, y = np.random.default_rng(0).normal(size=(3, 3)).astype(narrow), np.ones(3, narrow)
    rows = [y]
    for _ in range(5):
        rows.append((rows[-1].astype("float32") @ x.astype("float32")).astype(narrow))
    found, last = f(x, y, 1)
    np.testing.assert_allclose(found.astype("float32"), np.array(rows[1:5], "float32"), rtol=4 * rounding(narrow))
    np.testing.assert_allclose(last.astype("float32"), rows[5].astype("float32"), rtol=4 * rounding(narrow))
    np.testing.assert_array_equal(f(x, y, 0)[1], y)


def test_what_a_product_tells_sizes(narrow):
    """Nodes after a product are made anew; the sizes that only their data tells are known as before."""
    a = half(narrow, None, None)
    product = T.dot(a, a.T)
    where = T.nonzero(product > 1)[0]
    f = st.function([a], [product[where].sum(), where.shape[0]])
    x = np.array([[1, 0.5], [0, 0.25]], narrow)
    total, count = f(x)
    assert count == 1
    np.testing.assert_array_equal(total, (x @ x.T)[[0]].sum().astype(narrow))
