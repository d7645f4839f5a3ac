"""Branches against Python's own; what the branch not taken needs is not computed, nor for derivatives."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import IndexOutOfRange, ShapeError, TypeMismatch
from symtensor.ops.branch import lazily
from symtensor.ops.vectorize import vectorize
from symtensor.testing.verify_grad import verify_grad

random = np.random.default_rng(11)
MODES = ("fast_run", "fast_compile", "None")


def counting():
    """An op of a vector, twice its operand, and the list that grows with each time it is computed."""
    calls = []

    @st.as_op([T.dvector], [T.dvector], infer_shape=lambda shapes: shapes)
    def counted(x):
        calls.append(x)
        return 2 * x

    return counted, calls


# -- values -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", MODES)
def test_one_value_of_two(mode):
    c, x = T.bscalar("c"), T.dvector("x")
    f = st.function([c, x], st.ifelse(c, T.exp(x), x * 3), mode=mode)
    xs = random.standard_normal(4)
    np.testing.assert_allclose(f(1, xs), np.exp(xs))
    np.testing.assert_array_equal(f(-1, xs), f(1, xs))
    np.testing.assert_array_equal(f(0, xs), xs * 3)


@pytest.mark.parametrize("kind, condition, yes, no", [
    (T.dscalar, lambda a: a > 1, 2.0, 0.5), (T.dscalar, lambda a: a, -0.5, 0.0), (T.lscalar, lambda a: a, -3, 0),
    (T.lscalar, lambda a: T.eq(a, 2) | T.eq(a, 3), 3, 4)])
def test_conditions(kind, condition, yes, no):
    a, x = kind("a"), T.dscalar("x")
    f = st.function([a, x], st.ifelse(condition(a), x + 1, x - 1))
    assert (f(yes, 1.0), f(no, 1.0)) == (2.0, 0.0)


def test_a_condition_that_is_a_number():
    x = T.dscalar("x")
    f = st.function([x], [st.ifelse(1, x + 1, x - 1), st.ifelse(False, x + 1, x - 1)])
    assert f(1.0) == [2.0, 0.0]


def test_lists():
    c, x, y = T.bscalar("c"), T.dvector("x"), T.lscalar("y")
    chosen = st.ifelse(c, [x * 2, y], (x, y + 1), name="chosen")
    assert [v.name for v in chosen] == ["chosen0", "chosen1"]
    f = st.function([c, x, y], chosen)
    for condition, expected in ((1, ([2, 4], 5)), (0, ([1, 2], 6))):
        got = f(condition, [1, 2], 5)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1] == expected[1]
    assert isinstance(st.ifelse(c, [x], [x]), list)
    assert st.ifelse(c, x, x + 1, name="one").name == "one"


def test_numbers_take_the_dtype_of_the_other_branch():
    c, x, n = T.bscalar("c"), T.fscalar("x"), T.lscalar("n")
    assert st.ifelse(c, x, 1.5).type.dtype == "float32"
    assert st.ifelse(c, 0, x).type.dtype == "float32"
    assert st.ifelse(c, 0, n).type.dtype == "int64"
    assert st.function([c], st.ifelse(c, 1, 2.5))(0) == 2.5


@pytest.mark.parametrize("mode", MODES)
def test_sizes_that_differ(mode):
    c, x, n = T.bscalar("c"), T.dvector("x"), T.lscalar("n")
    chosen = st.ifelse(c, x[1:], T.zeros(n))
    f = st.function([c, x, n], [chosen, chosen.shape[0], (chosen + 1).sum()], mode=mode)
    for condition, expected in ((1, [2.0, 3.0]), (0, [0.0] * 4)):
        value, size, total = f(condition, [1, 2, 3], 4)
        np.testing.assert_array_equal(value, expected)
        assert (size, total) == (len(expected), sum(expected) + len(expected))


def test_sizes_that_only_data_tells():
    c, x = T.bscalar("c"), T.dvector("x")
    chosen = st.ifelse(c, x[x > 0], x)
    f = st.function([c, x], [chosen, chosen * 2, chosen.shape[0]])
    for condition, expected in ((1, [1.0, 3.0]), (0, [1.0, -2.0, 3.0])):
        value, double, size = f(condition, [1, -2, 3])
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(double, 2 * value)
        assert size == len(expected)


def test_as_a_size():
    c, n = T.bscalar("c"), T.lscalar("n")
    f = st.function([c, n], T.zeros((st.ifelse(c, n, n * 2), 2)))
    assert f(1, 3).shape == (3, 2) and f(0, 3).shape == (6, 2)


def test_updates():
    counter, c = st.shared(0, name="counter"), T.bscalar("c")
    f = st.function([c], counter, updates=[(counter, st.ifelse(c, counter + 1, counter))])
    assert [int(f(condition)) for condition in (1, 0, 1, 1)] == [0, 1, 1, 2]
    assert counter.get_value() == 3


def test_shared_variables_with_updates_of_their_own():
    counter, c = st.shared(0.0, name="counter"), T.bscalar("c")
    counter.default_update = counter + 1
    f = st.function([c], st.ifelse(c, counter * 10, -counter))
    assert [float(f(condition)) for condition in (1, 0, 1)] == [0.0, -1.0, 20.0]


def test_givens():
    c, x, y = T.bscalar("c"), T.dvector("x"), T.dvector("y")
    f = st.function([c, y], st.ifelse(c, T.exp(x), x), givens={x: y * 2})
    np.testing.assert_allclose(f(1, [1.0]), np.exp([2.0]))


# -- what is not computed ---------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", MODES)
def test_only_the_branch_taken_is_computed(mode):
    c, x = T.bscalar("c"), T.dvector("x")
    (first, firsts), (second, seconds), (both, boths) = counting(), counting(), counting()
    shared = both(x)
    f = st.function([c, x], st.ifelse(c, first(shared).sum(), second(shared).sum() + 1), mode=mode)
    assert (f(1, [1.0, 2.0]), len(firsts), len(seconds), len(boths)) == (12.0, 1, 0, 1)
    assert (f(0, [1.0, 2.0]), len(firsts), len(seconds), len(boths)) == (13.0, 1, 1, 2)


def test_what_others_need_is_computed_always():
    c, x = T.bscalar("c"), T.dvector("x")
    counted, calls = counting()
    y = counted(x)
    f = st.function([c, x], [st.ifelse(c, y.sum(), 0.0), y])
    f(0, [1.0])
    assert len(calls) == 1


def test_branches_in_branches():
    c, d, x = T.bscalar("c"), T.bscalar("d"), T.dvector("x")
    (one, ones), (two, twos), (three, threes) = counting(), counting(), counting()
    condition = T.gt(three(x).sum(), 0) & d
    f = st.function([c, d, x], st.ifelse(c, st.ifelse(condition, one(x), two(x)), x))
    counts = [tuple(map(len, (ones, twos, threes))) for c, d in ((0, 1), (1, 1), (1, 0)) if f(c, d, [1.0]) is not None]
    assert counts == [(0, 0, 0), (1, 0, 1), (1, 1, 2)]


def test_many_branches_in_branches():
    n, x = T.lscalar("n"), T.dvector("x")
    value = x
    for number in range(30):
        value = st.ifelse(T.eq(n, number), x * number, value)
    f = st.function([n, x], value)
    for number, expected in ((0, 0.0), (17, 17.0), (29, 29.0), (99, 1.0)):
        assert f(number, [1.0]) == [expected]


@pytest.mark.parametrize("mode", MODES)
def test_positions_out_of_range(mode):
    x, i, v = T.dvector("x"), T.lscalar("i"), T.lvector("v")
    inside = T.lt(i, x.shape[0])
    f = st.function([x, i, v], [st.ifelse(inside, x[i], -1.0), st.ifelse(inside, x[v], x)], mode=mode)
    assert f([1, 2, 3], 3, [7, 8])[0] == -1
    np.testing.assert_array_equal(f([1, 2, 3], 3, [7, 8])[1], [1, 2, 3])
    assert f([1, 2, 3], 2, [0, 1])[0] == 3
    with pytest.raises((IndexOutOfRange, IndexError)):
        f([1, 2, 3], -9, [0, 1])
    with pytest.raises((IndexOutOfRange, IndexError)):
        f([1, 2, 3], 0, [0, 3])


@pytest.mark.parametrize("mode", MODES)
def test_sizes_that_do_not_agree(mode):
    x, y = T.dvector("x"), T.dvector("y")
    f = st.function([x, y], st.ifelse(T.eq(x.shape[0], y.shape[0]), x + y, x), mode=mode)
    np.testing.assert_array_equal(f([1, 2], [3, 4]), [4, 6])
    np.testing.assert_array_equal(f([1, 2], [3, 4, 5]), [1, 2])
    g = st.function([x, y], st.ifelse(x[0] > 0, x + y, x), mode=mode)
    np.testing.assert_array_equal(g([-1, 2], [3, 4, 5]), [-1, 2])
    with pytest.raises(ShapeError, match="sizes of axis 0"):
        g([1, 2], [3, 4, 5])


def test_derivatives_of_the_branch_not_taken():
    x, i, v = T.dvector("x"), T.lscalar("i"), T.lvector("v")
    inside = T.lt(i, x.shape[0])
    cost = st.ifelse(inside, x[i] ** 2, x.sum()) + st.ifelse(inside, (x[v] ** 2).sum(), x[0])
    f = st.function([x, i, v], st.grad(cost, x))
    np.testing.assert_array_equal(f([1, 2, 3], 3, [7, 8]), [2, 1, 1])
    np.testing.assert_array_equal(f([1, 2, 3], 1, [0, 0]), [4, 4, 0])


def test_derivatives_compute_the_branch_taken_only():
    c, x = T.bscalar("c"), T.dvector("x")
    counted, calls = counting()
    cost = (st.ifelse(c, T.exp(x) * st.gradient.disconnected_grad(counted(x)), x * 3) ** 2).sum()
    f = st.function([c, x], st.grad(cost, x))
    np.testing.assert_allclose(f(0, [1.0, 2.0]), [18.0, 36.0])
    assert not calls
    np.testing.assert_allclose(f(1, [1.0]), [2 * (np.exp(1) * 2) ** 2])
    assert calls


# -- derivatives ------------------------------------------------------------------------------------------

def of_each_branch(x, y):
    """Sums of what one branch, and the other, of a choice gives."""
    return [st.ifelse(condition, T.exp(x) * y, T.sin(y) + x) for condition in (x.sum() > 1e9, x.sum() < 1e9)]


VALUES = [random.standard_normal(3), random.standard_normal(3)]


def test_gradient():
    verify_grad(lambda x, y: sum((v ** 2).sum() for v in of_each_branch(x, y)), VALUES)
    verify_grad(lambda x: st.ifelse(x.sum() > 1e9, (x ** 2).sum(), (x ** 3).sum()), VALUES[:1])


def test_second_derivative():
    verify_grad(lambda x, y: sum((g ** 2).sum() for v in of_each_branch(x, y) for g in st.grad((v ** 2).sum(), [x, y])),
                VALUES)


def test_gradient_by_values_in_a_branch_and_beside_it():
    c, x = T.bscalar("c"), T.dscalar("x")
    y = T.exp(x)
    cost = st.ifelse(c, y * y, x) + y
    f = st.function([c, x], st.grad(cost, [x, y]))
    np.testing.assert_allclose(f(1, 0.5), [2 * np.exp(1.0) + np.exp(0.5), 2 * np.exp(0.5) + 1])
    np.testing.assert_allclose(f(0, 0.5), [1 + np.exp(0.5), 1.0])


def test_gradient_where_sizes_differ():
    c, x = T.bscalar("c"), T.dvector("x")
    f = st.function([c, x], st.grad((st.ifelse(c, x[1:], x * x) ** 2).sum(), x))
    np.testing.assert_allclose(f(1, [1, 2, 3]), [0, 4, 6])
    np.testing.assert_allclose(f(0, [1, 2, 3]), [4, 32, 108])


def test_forward_mode():
    c, x, t = T.bscalar("c"), T.dvector("x"), T.dvector("t")
    y = st.ifelse(c, [T.exp(x), x.sum()], [x[::-1] * x, T.constant(1.0)])
    f = st.function([c, x, t], st.Rop(y, x, t))
    xs, ts = random.standard_normal(3), random.standard_normal(3)
    np.testing.assert_allclose(f(1, xs, ts)[0], np.exp(xs) * ts)
    np.testing.assert_allclose(f(1, xs, ts)[1], ts.sum())
    np.testing.assert_allclose(f(0, xs, ts)[0], xs[::-1] * ts + xs * ts[::-1])
    assert f(0, xs, ts)[1] == 0


def test_jacobian_and_hessian():
    c, x = T.bscalar("c"), T.dvector("x")
    chosen = st.ifelse(c, x ** 2, 3 * x)
    f = st.function([c, x], [st.gradient.jacobian(chosen, x), st.gradient.hessian((chosen ** 2).sum(), x)])
    for condition, slopes, curves in ((1, [2, 4], [12, 48]), (0, [3, 3], [18, 18])):
        jacobian, hessian = f(condition, [1, 2])
        np.testing.assert_allclose(jacobian, np.diag(slopes))
        np.testing.assert_allclose(hessian, np.diag(curves))


def test_a_condition_for_each_of_many_values():
    x, many = T.dvector("x"), T.dmatrix("many")
    for choice in (st.ifelse(x[0] > 0, x, -x), *lazily([st.ifelse(x[0] > 0, x, -x)])):
        taken, = vectorize([choice], {x: many})
        value = np.array([[1.0, 2.0], [-3.0, 4.0], [5.0, -6.0]])
        assert st.function([many], taken)(value).tolist() == [[1, 2], [3, -4], [5, -6]]


# -- with loops -------------------------------------------------------------------------------------------

def test_in_the_steps_of_a_loop():
    x = T.dvector("x")
    counted, calls = counting()
    sums, _ = st.scan(lambda v, total: st.ifelse(v > 0, total + counted(T.stack([v, total])).sum(), total - v), x,
                      np.float64(0))
    values = [1.0, -2.0, 3.0, -4.0]
    expected, total = [], 0.0
    for v in values:
        total = total + 2 * (v + total) if v > 0 else total - v
        expected.append(total)
    np.testing.assert_allclose(st.function([x], sums)(values), expected)
    assert len(calls) == 2


def test_gradient_in_the_steps_of_a_loop():
    def total(x):
        sums, _ = st.scan(lambda v, total: st.ifelse(v > 0, total * T.exp(v), total + T.sin(v)), x, np.float64(1))
        return sums[-1]
    verify_grad(total, [np.array([0.5, -0.7, 0.2, -0.1])])


def test_what_steps_share_is_computed_before_the_loop():
    x, w = T.dvector("x"), T.dvector("w")
    counted, calls = counting()
    rows, _ = st.scan(lambda v: st.ifelse(v > 0, v * counted(w).sum(), v), x)
    np.testing.assert_allclose(st.function([x, w], rows)([1.0, -1.0, 2.0], [1.0, 2.0]), [6, -1, 12])
    assert len(calls) == 1


def test_loops_in_branches():
    c, x = T.bscalar("c"), T.dvector("x")
    counted, calls = counting()
    rows, _ = st.scan(lambda v: counted(T.stack([v])).sum(), x)
    sums, _ = st.scan(lambda v, total: total + v, x, np.float64(0))
    f = st.function([c, x], st.ifelse(c, rows, sums))
    np.testing.assert_array_equal(f(0, [1, 2, 3]), [1, 3, 6])
    assert not calls
    np.testing.assert_array_equal(f(1, [1, 2, 3]), [2, 4, 6])
    assert len(calls) == 3


def test_gradient_of_loops_in_branches():
    def total(x):
        products, _ = st.scan(lambda v, product: product * v, x, np.float64(1))
        return st.ifelse(x[0] > 0, products[-1], (x ** 2).sum())
    verify_grad(total, [np.array([0.5, -0.7, 0.2])])
    verify_grad(total, [np.array([-0.5, -0.7, 0.2])])


# -- messages ---------------------------------------------------------------------------------------------

def test_messages():
    c, x, n, m = T.bscalar("c"), T.dvector("x"), T.lvector("n"), T.dmatrix("m")
    for arguments, message, fix in [
            ((c, x, n), "ifelse: the branches have dtypes float64 and int64", "cast one: T.cast(value, 'float64')"),
            ((c, x, m), "ifelse: the branches have 1 and 2 axes", "reshape one, or give it axes with dimshuffle"),
            ((x, x, x), "ifelse: the condition must be a scalar",
             "use any() or all(); for a choice for each element, switch"),
            ((c, [x, x], [x]), "ifelse: one branch has 2 values, the other 1",
             "give each branch the same number of values")]:
        with pytest.raises(TypeMismatch) as caught:
            st.ifelse(*arguments)
        assert (caught.value.what, caught.value.fix) == (message, fix)
        assert "test_branches.py" in str(caught.value)
