"""Typed lists against Python's lists, and their derivatives against differences."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor import typed_list
from symtensor.base.errors import AssertionFailed, IndexOutOfRange, TypeMismatch
from symtensor.testing.verify_grad import verify_grad
from symtensor.typed_list import TypedListType, make_list


def lists(rank, seed, count=None):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 5)) if count is None else count
    return [rng.integers(0, 3, rng.integers(0, 3, rank)).astype("float64") for _ in range(count)]


def same(found, expected):
    assert isinstance(found, list) and len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


CHANGES = {
    "append": (lambda x, y, v: x.append(v), lambda a, b, w: [*a, w]),
    "extend": (lambda x, y, v: x.extend(y), lambda a, b, w: a + b),
    "reverse": (lambda x, y, v: x.reverse(), lambda a, b, w: a[::-1]),
    "insert": (lambda x, y, v: x.insert(1, v), lambda a, b, w: a[:1] + [w] + a[1:]),
    "insert from the end": (lambda x, y, v: x.insert(-1, v), lambda a, b, w: a[:-1] + [w] + a[-1:]),
    "insert far out": (lambda x, y, v: x.insert(99, v).insert(-99, v), lambda a, b, w: [w, *a, w]),
    "slice": (lambda x, y, v: x[1:], lambda a, b, w: a[1:]),
    "backwards": (lambda x, y, v: x[::-2], lambda a, b, w: a[::-2]),
    "remove": (lambda x, y, v: x.append(v).extend(y).remove(v), lambda a, b, w: removed([*a, w, *b], w)),
}


def is_same(a, b):
    return a.shape == b.shape and bool((a == b).all())


def removed(whole, value):
    place = next(i for i, one in enumerate(whole) if is_same(one, value))
    return whole[:place] + whole[place + 1:]


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("name", CHANGES)
def test_changes(name, rank):
    function, meaning = CHANGES[name]
    kind = TypedListType(T.TensorType("float64", (None,) * rank))
    x, y, v = kind("x"), kind("y"), kind.ttype("v")
    f = st.function([x, y, v], function(x, y, v), on_unused_input="ignore")
    for seed in range(8):
        a, b, w = lists(rank, seed), lists(rank, seed + 50), lists(rank, seed + 90, 1)[0]
        same(f(a, b, w), meaning(a, b, w))


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_questions(rank):
    kind = TypedListType(T.TensorType("float64", (None,) * rank))
    x, v = kind("x"), kind.ttype("v")
    f = st.function([x, v], [x.length(), x.count(v), x.append(v).ind(v), x.append(v)[-1]])
    for seed in range(12):
        a, w = lists(rank, seed), lists(rank, seed + 90, 1)[0]
        size, count, place, last = f(a, w)
        equal = [is_same(one, w) for one in a]
        assert (size, count, place) == (len(a), sum(equal), [*equal, True].index(True)) and is_same(last, w)


def test_derivatives():
    def of_list(a, b):
        x = make_list([a, b]).append(a * b[0]).reverse().insert(1, b)
        return x[0].sum() ** 2 + (x[1:].extend(x)[2] ** 3).sum() + x.remove(b)[1].sum()
    verify_grad(of_list, [np.arange(1.0, 4), np.arange(2.0, 4)])
    x = TypedListType(T.dvector)("x")
    slope = st.function([x], st.grad((x[0] ** 2).sum() + x[-1].sum(), x))
    same(slope([np.arange(2.0), np.ones(3), np.ones(1)]), [np.array([0.0, 2.0]), np.zeros(3), np.ones(1)])


def test_named_functions_and_fixed_sizes():
    x = TypedListType(T.TensorType("float32", (None, 2)))("x")
    value = [np.ones((1, 2), "float32"), np.zeros((0, 2), "float32")]
    assert x[0].type.static_shape == (None, 2)
    same(st.function([x], typed_list.append(x, typed_list.getitem(x, 0)))(value), [*value, value[0]])
    same(st.function([x], x)([]), [])
    with pytest.raises(TypeMismatch, match=r"'x' is a list of float32 \(.*, 2\), and number 1 is float32 \(1, 3\)"):
        st.function([x], x)([value[0], np.ones((1, 3), "float32")])


def test_what_cannot_be():
    x, y, z = TypedListType(T.dvector)("x"), TypedListType(T.dmatrix)("y"), TypedListType(T.dvector, 1)("z")
    wrong = [
        (lambda: TypedListType("float64"), "lists of 'float64' are none of tensors"),
        (lambda: z.append(x[0]), r"append: z is a list of lists of float64 \(.*, and .*x.data.* is none of these"),
        (lambda: z.append(TypedListType(T.dmatrix)("w")), "append: z is a list of lists of float64"),
        (lambda: z.extend(x), "extend: z is a list of lists of float64"),
        (lambda: make_list([x, z]), "append: <list of lists of float64"),
        (lambda: st.function([z], z)([np.ones(2)]), "'z' is a list of lists of float64 .*, and number 0 is ndarray"),
        (lambda: st.function([z], z)([[np.ones((2, 2))]]), r"'z' is a list of float64 \(.*, and number 0 is float64"),
        (lambda: st.function([z], z)(3), "'z' must be a list of lists, not int"),
        (lambda: x.append(T.dmatrix("m")), "append: x is a list of float64"), (lambda: make_list([]), "of no tensors"),
        (lambda: x.append(T.fvector("v")), r'append: x is a list(.*\n)*  fix      cast it: value.astype\("float64"\)'),
        (lambda: x.extend(y), "extend: x is a list of float64"), (lambda: len(x), "x has no length"),
        (lambda: list(x), "cannot be iterated over"), (lambda: x["a"], "'a' is not a tensor"),
        (lambda: x[0.5], "a position in a list is an integer scalar"),
        (lambda: typed_list.length([1]), "is no typed list"),
        (lambda: st.function([x], x)(np.ones(2)), "must be a list of arrays, not ndarray"),
    ]
    for attempt, message in wrong:
        with pytest.raises(TypeMismatch, match=message):
            attempt()
    with pytest.raises(IndexOutOfRange):
        st.function([x], x[2])([np.ones(1)])
    with pytest.raises(AssertionFailed, match="the list has no such element"):
        st.function([x], x.remove([7.0]))([np.ones(1)])


def nested(rank, depth, seed, count=None):
    """A list of lists, so deep, of which some are equal."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 4)) if count is None else count
    if not depth:
        return [rng.integers(0, 2, rng.integers(0, 3, rank)).astype("float64") for _ in range(count)]
    return [nested(rank, depth - 1, int(rng.integers(0, 6))) for _ in range(count)]


def alike(found, expected):
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(alike, found, expected))
    return found.shape == expected.shape and found.dtype == expected.dtype and bool((found == expected).all())


def first_out(whole, value):
    place = next(i for i, one in enumerate(whole) if alike(one, value))
    return whole[:place] + whole[place + 1:]


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2])
def test_lists_of_lists(rank, depth):
    kind = TypedListType(T.TensorType("float64", (None,) * rank), depth)
    x, y, v = kind("x"), kind("y"), kind.ttype("v")
    both = x.append(v).extend(y)
    f = st.function([x, y, v], [x, both, both.reverse(), x.insert(1, v), both[::2], both.remove(v), both[-1],
                                both.length(), both.count(v), both.ind(v), both[0].length()])
    for seed in range(10):
        a, b, w = nested(rank, depth, seed), nested(rank, depth, seed + 50), nested(rank, depth, seed + 7, 1)[0]
        whole = [*a, w, *b]
        lists = [a, whole, whole[::-1], a[:1] + [w] + a[1:], whole[::2], first_out(whole, w), whole[-1]]
        equal = [alike(one, w) for one in whole]
        *found, size, count, place, inside = f(a, b, w)
        for one, own in zip(found, lists, strict=True):
            assert alike(one, own)
        assert (size, count, place, inside) == (len(whole), sum(equal), equal.index(True), len(whole[0]))


def test_types_of_lists_of_lists():
    kind = TypedListType(T.dvector, 2)
    assert kind == TypedListType(TypedListType(TypedListType(T.dvector))) and kind.get_depth() == 2
    assert [name.name for name in kind("x").parts] == ["x.data", "x.shapes", "x.counts", "x.counts1"]
    x, a = TypedListType(T.dvector)("x"), T.dvector("a")
    assert make_list([x, x.append(a)]).type == TypedListType(x.type)
    made = st.function([x, a], make_list([x]).append([a, a]))([np.ones(2)], np.zeros(1))
    assert alike(made, [[np.ones(2)], [np.zeros(1), np.zeros(1)]])
    assert alike(st.function([x], make_list([x]))([]), [[]])


def test_derivatives_of_lists_of_lists():
    def of_list(a, b):
        x = make_list([make_list([a, b]), make_list([a * b[0]])]).append([b, b]).reverse()
        return x[0][1].sum() ** 2 + (x[1:].extend(x)[1][0] ** 3).sum() + x.remove([b, b])[0][0].sum()
    verify_grad(of_list, [np.arange(1.0, 4), np.arange(2.0, 4)])
    x = TypedListType(T.dvector, 1)("x")
    slope = st.function([x], st.grad((x[0][-1] ** 2).sum() + x[-1][0].sum(), x))
    found = slope([[np.ones(1), np.arange(2.0)], [np.ones(3)]])
    assert alike(found, [[np.zeros(1), np.array([0.0, 2.0])], [np.ones(3)]])
