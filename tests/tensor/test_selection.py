"""Elements picked by position or condition, diagonals and triangles, against NumPy."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import AssertionFailed, IndexOutOfRange, ShapeError, SymtensorError, TypeMismatch

from .agree import agree, numbers, value


@pytest.mark.parametrize("indices", [0, -1, [0, 1, 1], [[0], [-1]], []])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(indices, axis):
    where = np.array(indices, "int64")
    agree(lambda x, i: x.take(i, axis), lambda a, i: np.take(a, i, axis), numbers(2, 3), where)


@pytest.mark.parametrize("mode", ["wrap", "clip"])
def test_take_outside(mode):
    agree(lambda x, i: T.take(x, i, 1, mode), lambda a, i: np.take(a, i, 1, mode=mode), numbers(2, 3),
          np.array([-5, -1, 0, 2, 3, 7]))
    with pytest.raises(IndexOutOfRange, match="index 7 is out of range for an axis of size 3"):
        value(T.take(T.constant(numbers(3)), [7]))


def test_compress():
    condition = np.array([0.0, 2.0, 1.0])
    agree(lambda c, x: T.compress(c, x, 0), lambda c, a: np.compress(c, a, 0), condition, numbers(3, 2))
    agree(lambda c, x: T.compress(c, x), lambda c, a: np.compress(c, a), condition, numbers(3, 2))


@pytest.mark.parametrize("mode, where", [("raise", [[0, 1, 0]]), ("wrap", [[0, 3, -1]]), ("clip", [[0, 3, -1]])])
def test_choose(mode, where):
    choices = numbers(2, 3), numbers(2, 3, seed=1)
    agree(lambda i, a, b: i.choose([a, b], mode=mode), lambda i, a, b: np.choose(i, [a, b], mode=mode),
          np.array(where), *choices)
    table = T.tensor3("table", shape=(2, None, None))
    result = value(T.choose(np.array(where), table, mode=mode), {table: np.stack(choices)})
    np.testing.assert_array_equal(result, np.choose(np.array(where), choices, mode=mode))


def test_choose_broadcasts():
    agree(lambda i, a: T.choose(i, [a, 5.0]), lambda i, a: np.choose(i, [a, 5.0]), np.array([[0], [1]]), numbers(3))


@pytest.mark.parametrize("shape", [(5,), (3, 4), (0, 2), (2, 2, 2)])
def test_nonzero(shape):
    array = (numbers(*shape) > 0).astype("float64")
    for axis in range(len(shape)):
        agree(lambda x: x.nonzero()[axis], lambda a: np.nonzero(a)[axis], array)
    agree(lambda x: T.nonzero(x, return_matrix=True), lambda a: np.array(np.nonzero(a)), array)
    agree(T.flatnonzero, np.flatnonzero, array)
    agree(lambda x: (x * 3).nonzero_values(), lambda a: 3 * a[np.nonzero(a)], array)


@pytest.mark.filterwarnings("error")
def test_positions_in_a_constant():
    x = T.dvector("x")
    for array in (np.array([True, False, True]), np.array([[0, 1], [2, 0]])):
        f = st.function([x], [x.sum(), *T.nonzero(array), T.flatnonzero(array)])
        for found, wanted in zip(f([1.0])[1:], [*np.nonzero(array), np.flatnonzero(array)]):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("offset", [-4, -1, 0, 1, 4])
@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 3, 4), (0, 3)])
def test_diagonals(shape, offset):
    array = numbers(*shape)
    agree(lambda x: x.diagonal(offset), lambda a: np.diagonal(a, offset), array)
    agree(lambda x: T.diagonal(x, offset, -1, 0), lambda a: np.diagonal(a, offset, -1, 0), array)
    agree(lambda x: x.trace(offset), lambda a: np.trace(a, offset), array)


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_diag_and_triangles(k):
    agree(lambda x: T.diag(x, k), lambda a: np.diag(a, k), numbers(3))
    agree(lambda x: T.diag(x, k), lambda a: np.diag(a, k), numbers(3, 4))
    agree(lambda x: T.tril(x, k), lambda a: np.tril(a, k), numbers(2, 3, 4))
    agree(lambda x: T.triu(x, k), lambda a: np.triu(a, k), numbers(4, 3))
    for function in ("diag", "tril", "triu"):  # of bool, bool
        agree(lambda x: getattr(T, function)(x, k), lambda a: getattr(np, function)(a, k), numbers(3, 3, dtype="bool"))


def test_triangles_hold_no_nan_of_what_they_cut():
    assert value(T.tril(np.array([[1.0, np.nan], [2.0, 3.0]]))).tolist() == [[1, 0], [2, 3]]


def test_filled_diagonals():
    def filled(a, offset=0):
        result = a.copy()
        rows = np.arange(max(min(a.shape[0] + min(offset, 0), a.shape[1] - max(offset, 0)), 0))
        result[rows - min(offset, 0), rows + max(offset, 0)] = 9
        return result

    for shape in [(3, 3), (2, 4), (4, 2)]:
        agree(lambda x: T.fill_diagonal(x, 9), filled, numbers(*shape))
        for offset in (-1, 1, 5):
            agree(lambda x: T.fill_diagonal_offset(x, 9, offset), lambda a: filled(a, offset), numbers(*shape))
    cube = value(T.fill_diagonal(T.zeros((2, 2, 2)), 1))
    assert [cube[i, i, i] for i in range(2)] == [1, 1] and cube.sum() == 2


def test_one_hot():
    agree(lambda y: T.to_one_hot(y, 4), lambda a: np.eye(4)[a], np.array([0, 3, 1]))
    assert value(T.to_one_hot(np.array([5]), 4, "int8")).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("order", ["C", "F"])
def test_places_and_positions(order):
    shape = (2, 3, 4)
    places = np.array([[0, 7], [23, 13]])
    positions = np.unravel_index(places, shape, order)
    for axis in range(3):
        agree(lambda p: T.unravel_index(p, shape, order)[axis], lambda p: positions[axis], places)
    agree(lambda *p: T.ravel_multi_index(p, shape, order=order), lambda *p: places, *positions)
    far = [p + 5 for p in positions]
    for mode in ("wrap", "clip"):
        agree(lambda *p: T.ravel_multi_index(p, shape, mode, order),
              lambda *p: np.ravel_multi_index(p, shape, mode=mode, order=order), *far)


def test_permutations():
    rows = np.array([[2, 0, 1], [1, 0, 2]])
    agree(T.inverse_permutation, lambda p: np.argsort(p), rows[0])
    agree(T.inverse_permutation, lambda p: np.argsort(p, axis=1), rows)
    array = numbers(2, 3)
    agree(T.permute_row_elements, lambda a, p: np.take_along_axis(a, p, 1), array, rows)
    agree(T.permute_row_elements, lambda a, p: a[:, p], array, rows[0])
    agree(lambda x, p: T.permute_row_elements(T.permute_row_elements(x, p), p, inverse=True), lambda a, p: a, array,
          rows)


MISUSES = {
    "take: 2 is not one of 2 axes": lambda x: x.take([0], 2),
    "take: positions must be integers": lambda x: x.take([0.5], 0),
    "take: there is no mode 'bounce'": lambda x: x.take([0], 0, "bounce"),
    "compress: the condition must be a vector": lambda x: T.compress(x, x),
    "choose: the number of choices must be known": lambda x: T.choose([0], x),
    "nonzero needs at least one axis": lambda x: T.nonzero(x[0, 0]),
    "diagonal: axis 0 is named twice": lambda x: T.diagonal(x, 0, 0, -2),
    "diag takes a vector or a matrix, not 3 axes": lambda x: T.diag(T.tensor3()),
    "tril needs at least two axes": lambda x: T.tril(x[0]),
    "to_one_hot: classes must be integers": lambda x: T.to_one_hot(x[0], 3),
    "fill_diagonal_offset needs a matrix": lambda x: T.fill_diagonal_offset(x[0], 1, 0),
    "a permutation is a vector or the rows of a matrix": lambda x: T.inverse_permutation(T.ltensor3()),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_is_wrong(message):
    with pytest.raises(SymtensorError) as caught:
        MISUSES[message](T.dmatrix("x"))
    assert message in str(caught.value) and isinstance(caught.value, (ShapeError, TypeMismatch))


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_take_along_axis(axis):
    array = numbers(3, 4)
    where = np.argsort(array, axis)
    agree(lambda x, i: T.take_along_axis(x, i, axis), lambda a, i: np.take_along_axis(a, i, axis), array, where)
    if axis is not None:
        where = np.take(where, [0], axis)
        agree(lambda x, i: T.take_along_axis(x, i, axis), lambda a, i: np.take_along_axis(a, i, axis), array, where)
    with pytest.raises(ShapeError, match="take_along_axis: positions of 1 axes for 2"):
        T.take_along_axis(array, [0], 0)


@pytest.mark.parametrize("x", [[0, 2, 2, 5], [], [3]], ids=str)
@pytest.mark.parametrize("length", [None, 0, 4, 9])
def test_bincount(x, length):
    least = length or 0
    counted = np.array(x, "uint8")
    agree(lambda x: T.bincount(x, minlength=length), lambda a: np.bincount(a, minlength=least), counted)
    agree(lambda x, w: T.bincount(x, w, length), lambda a, w: np.bincount(a, w, least).astype("float64"), counted,
          numbers(len(x)))


def test_bincount_of_what_cannot_be_counted():
    with pytest.raises(IndexOutOfRange):
        value(T.bincount(T.constant(np.array([1, -1]))))
    with pytest.raises(TypeMismatch, match="bincount: x must be a vector of integers"):
        T.bincount([0.5])


def test_shapes_that_are_vectors():
    shape, places = T.lvector("shape"), T.lvector("places")
    f = st.function([places, shape], T.unravel_index(places, shape, ndim=3))
    for found, wanted in zip(f([0, 5, 23], [2, 3, 4]), np.unravel_index([0, 5, 23], (2, 3, 4)), strict=True):
        np.testing.assert_array_equal(found, wanted)
    x, y = T.lvectors("xy")
    assert st.function([x, y, shape], T.ravel_multi_index((x, y), shape))([0, 1], [2, 0], [2, 3]).tolist() == [2, 3]
    with pytest.raises(TypeMismatch, match="unravel_index: the length of the shape is not known"):
        T.unravel_index(places, shape)
    with pytest.raises(ShapeError, match="ravel_multi_index: the shape has 3 sizes, not 2"):
        T.ravel_multi_index((x, y), (2, 3, 4))


def test_numbers_that_must_not_be_negative():
    x = T.lvector("x")
    f = st.function([x], T.bincount(x, assert_nonneg=True))
    assert f([1, 1]).tolist() == [0, 2]
    with pytest.raises(AssertionFailed, match="bincount: there are negative numbers"):
        f([1, -1])
