"""Branches in compiled functions: both sides are kernels, one runs, and what the other needs is nobody's concern."""

import pickle

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import IndexOutOfRange, LinearAlgebraError, ShapeError
from symtensor.lower.program import Branch, Call, Copy, Launch, Loop, Routine
from symtensor.tools.explain import explain

c, d = T.bscalar("c"), T.bscalar("d")
x, y, m = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
n = T.lscalar("n")
XS, YS, MS = np.array([0.5, -1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3)
VALUES = {c: 1, d: 0, x: XS, y: YS, m: MS, n: 2}


def kinds(f):
    return [type(instruction) for instruction in f.program.instructions]


def scanned(step):
    return st.scan(step, x, np.float64(1.0))[0]


CASES = {
    "elementwise": (lambda: st.ifelse(c, T.exp(x), x * 3), lambda: np.exp(XS), lambda: XS * 3),
    "reductions": (lambda: st.ifelse(c, (x * y).sum(), m.max()), lambda: (XS * YS).sum(), lambda: 8.0),
    "products": (lambda: st.ifelse(c, T.dot(m, m), m), lambda: MS @ MS, lambda: MS),
    "an input as it is": (lambda: st.ifelse(c, x, y + x), lambda: XS, lambda: XS + YS),
    "constants": (lambda: st.ifelse(c, T.constant(np.ones(3)), x), lambda: np.ones(3), lambda: XS),
    "views": (lambda: st.ifelse(c, m.T, m.reshape((3, 3))), lambda: MS.T, lambda: MS),
    "sizes that differ": (lambda: st.ifelse(c, x[1:], T.zeros(n)), lambda: XS[1:], lambda: np.zeros(2)),
    "sorted": (lambda: st.ifelse(c, m[:n, 1], x), lambda: MS[:2, 1], lambda: XS),
    "branches in branches": (lambda: st.ifelse(c, st.ifelse(d, x, x * y) + 1, T.sin(y)), lambda: XS * YS + 1,
                             lambda: np.sin(YS)),
    "loops": (lambda: st.ifelse(c, scanned(lambda v, t: t * v), x), lambda: np.cumprod(XS), lambda: XS),
    "in steps": (lambda: scanned(lambda v, t: st.ifelse(v > 0, t * T.exp(v), t - v)) * c, None, None),
}


@pytest.mark.parametrize("level", ["fast_run", "fast_compile", "None"])
@pytest.mark.parametrize("name", list(CASES))
def test_no_python(name, level):
    make, then, otherwise = CASES[name]
    value = make()
    f = st.function(list(VALUES), value, mode=level, on_unused_input="ignore")
    assert Branch in kinds(f) and Call not in kinds(f)
    if then is not None:
        np.testing.assert_allclose(f(1, *list(VALUES.values())[1:]), then(), rtol=1e-12)
        np.testing.assert_allclose(f(0, *list(VALUES.values())[1:]), otherwise(), rtol=1e-12)


def test_in_steps():
    f = st.function([x], scanned(lambda v, t: st.ifelse(v > 0, t * T.exp(v), t - v)))
    expected, t = [], 1.0
    for v in XS:
        t = t * np.exp(v) if v > 0 else t - v
        expected.append(t)
    np.testing.assert_allclose(f(XS), expected)
    assert kinds(f).count(Loop) == kinds(f).count(Branch) == 1 and Call not in kinds(f)


def test_several_outputs_are_written_where_they_are_returned():
    f = st.function([c, x, y], st.ifelse(c, [x * y, T.constant(2.0), y], [y, x.sum(), x + y]))
    assert Call not in kinds(f) and kinds(f).count(Copy) == 3
    for truth, expected in ((1, (XS * YS, 2.0, YS)), (0, (YS, XS.sum(), XS + YS))):
        for got, want in zip(f(truth, XS, YS), expected):
            np.testing.assert_allclose(got, want)


def test_one_value_as_two_outputs():
    f = st.function([c, x], st.ifelse(c, [T.exp(x), T.exp(x)], [x, x * 2]))
    first, second = f(1, XS)
    np.testing.assert_array_equal(first, second)
    assert not np.shares_memory(first, second)


def test_shared_variables_and_updates():
    w, step = st.shared(np.ones(3), name="w"), st.shared(0, name="step")
    f = st.function([c, x], w.sum(), updates=[(w, st.ifelse(c, w - x, w)), (step, st.ifelse(c, step + 1, step))])
    assert Call not in kinds(f)
    for truth, expected in ((0, [1.0, 1.0, 1.0]), (1, 1 - XS), (1, 1 - 2 * XS), (0, 1 - 2 * XS)):
        f(truth, XS)
        np.testing.assert_allclose(w.get_value(), expected)
    assert step.get_value() == 2


def test_routines():
    f = st.function([c, m], st.ifelse(c, T.slinalg.solve(m, m + 1), T.dot(m, m)))
    assert Routine in kinds(f) and Call not in kinds(f)
    np.testing.assert_allclose(f(1, np.eye(2)), np.eye(2) + 1)
    np.testing.assert_allclose(f(0, np.zeros((2, 2))), np.zeros((2, 2)))
    with pytest.raises(LinearAlgebraError, match="singular") as caught:
        f(1, np.zeros((2, 2)))
    assert "test_compiled_branches.py" in str(caught.value)


def test_python_in_a_side_only():
    f = st.function([c, x], st.ifelse(c, x[x > 0] * 2, x))
    assert kinds(f).count(Call) == 1 and Branch in kinds(f)
    for _ in range(2):
        np.testing.assert_array_equal(f(1, XS), [1.0, 4.0])
        np.testing.assert_array_equal(f(0, XS), XS)
        np.testing.assert_array_equal(f(1, XS[:1]), [1.0])


def test_matrices_of_sizes_that_a_side_tells():
    f = st.function([c, m], st.ifelse(c, m[m[:, 0] > 0], m))
    np.testing.assert_array_equal(f(1, MS), MS[1:])
    np.testing.assert_array_equal(f(0, MS), MS)


def test_python_in_a_step_is_given_matrices_in_order():
    transposed = st.as_op([T.dmatrix], [T.dmatrix], infer_shape=lambda shapes: [shapes[0][::-1]])(lambda v: v.T.copy())
    rows = T.dtensor3("rows")
    f = st.function([rows], st.scan(lambda v: st.ifelse(v[0, 0] > 0, transposed(v), v.T), rows)[0])
    values = np.arange(-6.0, 12.0).reshape(3, 2, 3)
    np.testing.assert_array_equal(f(values), values.transpose(0, 2, 1))


# -- what the side not taken costs ------------------------------------------------------------------------

def test_of_the_side_not_taken_nothing_runs():
    f = st.function([c, x, m], st.ifelse(c, T.exp(T.dot(m, x)).sum(), T.sin(x).max()))
    (place,) = (number for number, kind in enumerate(kinds(f)) if kind is Branch)
    branch = f.program.instructions[place]
    sides = range(place + 1, branch.then.end), range(branch.then.end, branch.otherwise.end)
    assert all(any(kinds(f)[number] in (Launch, Routine) for number in side) for side in sides)
    for truth in (1, 0):
        f.profile = True
        f(truth, XS, MS)
        taken, other = sides if truth else sides[::-1]
        assert all(f.timings[number] > 0 for number in taken) and not any(f.timings[number] for number in other)


@pytest.mark.parametrize("bad", [10 ** 9, -3])
def test_sizes_that_the_side_not_taken_could_not_have(bad):
    f = st.function([c, n, x], st.ifelse(c, T.dot(T.exp(T.zeros((n, n)) + x[0]), T.ones(n)).sum(), 1.0))
    for _ in range(2):
        assert f(0, bad, XS) == 1.0
        np.testing.assert_allclose(f(1, 2, XS), 4 * np.exp(0.5))
        with pytest.raises((MemoryError, ShapeError)):
            f(1, bad, XS)


def test_memory_is_that_of_the_larger_side():
    def chain(v, count):
        for _ in range(count):
            v = T.sort(v) * 2 if count % 2 else T.cumsum(v)
        return v
    sides = chain(x, 4), chain(x, 6)
    alone = [st.function([x], side).peak_bytes({"x": (1000,)}) for side in sides]
    both = st.function([c, x], st.ifelse(c, *sides)).peak_bytes({"x": (1000,)})
    assert both <= max(alone) + 64


# -- errors -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("level", ["fast_run", "None"])
def test_sizes_are_checked_in_the_side_that_is_taken(level):
    f = st.function([c, x, y], st.ifelse(c, x * y, x), mode=level)
    np.testing.assert_array_equal(f(0, XS, YS[:2]), XS)
    for _ in range(2):
        with pytest.raises(ShapeError) as caught:
            f(1, XS, YS[:2])
        assert caught.value.what == "sizes of axis 0: x.0 is 3 and y.0 is 2"
        assert "test_compiled_branches.py" in str(caught.value)
        np.testing.assert_array_equal(f(1, XS, YS), XS * YS)


def test_the_index_that_is_wrong_is_found_in_the_side():
    v = T.lvector("v")
    f = st.function([c, x, v], st.ifelse(c, T.exp(x[v]), x))
    np.testing.assert_array_equal(f(0, XS, [7]), XS)
    with pytest.raises(IndexOutOfRange) as caught:
        f(1, XS, [7])
    assert caught.value.what == "index 7 is out of range for an axis of size 3: axis 0 of x"
    assert "test_compiled_branches.py" in str(caught.value)


def test_positions_in_steps_are_gathered_in_the_side():
    v = T.lvector("v")
    rows, _ = st.scan(lambda a, k: st.ifelse(a > 0, y[k] * 2, a), [x, v])
    f = st.function([x, v, y], rows)
    assert Call not in kinds(f)
    np.testing.assert_array_equal(f(XS, [0, 99, -1], YS), [2, -1, 6])
    with pytest.raises(IndexOutOfRange, match="in step 2") as caught:
        f(XS, [0, 99, 99], YS)
    assert "test_compiled_branches.py" in str(caught.value)


# -- where there is no code -------------------------------------------------------------------------------

def test_sizes_that_only_a_step_tells_are_left_to_python():
    v = T.lvector("v")
    rows, _ = st.scan(lambda a, k: st.ifelse(a > 0, y[:k].sum(), a), [x, v])
    f = st.function([x, v, y], rows)
    np.testing.assert_array_equal(f(XS, [2, 99, 1], YS), [3, -1, 1])
    (call,) = (i for i in f.program.instructions if isinstance(i, Call))
    assert call.why.startswith("the size ") and call.why.endswith(" is known in each step only")


# -- what programs tell of themselves ---------------------------------------------------------------------

def test_explain():
    assert explain(st.ifelse(c, T.exp(x) * 2, x), lines=False).split("\n\n")[-1] == """\
branch
  %1 = branch(%0, x)
  returns %1
  then:
    kernel exp_mul
      %0 = exp(x)
      %1 = mul(%0, 2.0)
      returns %1
  otherwise:
    returns x"""


def test_a_program_can_be_stored():
    f = st.function([c, x], st.ifelse(c, T.exp(x), st.ifelse(c, x, x[::-1])))
    stored = pickle.loads(pickle.dumps(f.program))
    assert stored.instructions == f.program.instructions and stored.buffers == f.program.buffers
    np.testing.assert_allclose(pickle.loads(pickle.dumps(f))(1, XS), np.exp(XS))
