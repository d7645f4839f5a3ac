"""When two functions are one."""

import numpy as np

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.function import Function
from symtensor.ir.text import to_text
from symtensor.ops.python import as_op


def nested(depth, last=1.0):
    """A function whose result is in so many branches, one inside the other."""
    x, k = T.dvector("x"), T.iscalar("k")
    y = x * last
    for level in range(depth):
        y = st.ifelse(T.eq(k, level), T.exp(x), y)
    return Function.of([x, k], [y])


def test_functions_of_equal_branches_are_equal():
    assert nested(3) == nested(3) and hash(nested(3)) == hash(nested(3))
    assert nested(3) != nested(3, last=2.0) and nested(3) != nested(4)


def test_an_identity_is_as_short_for_a_deep_nest():
    shallow, deep = (to_text(nested(depth).graph, names=False) for depth in (4, 12))
    assert len(deep) < 3.5 * len(shallow)  # as the number of branches, not that of branches times levels
    assert len(nested(12).identity) == len(nested(1).identity)


def test_functions_with_ops_that_have_no_text_are_equal_to_themselves_only():
    @as_op(itypes=[T.dvector], otypes=[T.dvector])
    def twice(x):
        return 2 * x

    x = T.dvector("x")
    one, other = (Function.of([x], [twice(x)]) for _ in range(2))
    assert one.identity is None and one == one and one != other
    f = st.function([x], st.ifelse(x.sum() > 0, twice(x), x))
    np.testing.assert_array_equal(f([1.0, 2]), [2, 4])
