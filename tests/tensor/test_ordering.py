"""Sorting and what rests on it, against NumPy."""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.testing.verify_grad import verify_grad

from .agree import agree, numbers, value

SHAPES = [(5,), (3, 4), (1, 4), (0, 3), (2, 3, 1)]
WITH_EQUALS = np.array([[2.0, -0.0, np.nan, 2.0], [0.0, 1.0, -np.inf, 1.0]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_sort_and_argsort(shape, axis):
    for dtype in ("float64", "float32", "int8", "uint16", "bool"):
        array = numbers(*shape, dtype=dtype)
        agree(lambda x: T.sort(x, axis), lambda a: np.sort(a, axis), array)
        agree(lambda x: x.argsort(axis), lambda a: np.argsort(a, axis, kind="stable"), array)


@pytest.mark.parametrize("axis", [0, 1])
def test_equal_elements_stay_in_order_and_nan_is_last(axis):
    agree(lambda x: x.sort(axis), lambda a: np.sort(a, axis, kind="stable"), WITH_EQUALS)
    agree(lambda x: x.argsort(axis), lambda a: np.argsort(a, axis, kind="stable"), WITH_EQUALS)


def test_sort_has_theanos_arguments():
    agree(lambda x: T.sort(x, -1, "mergesort", None), lambda a: np.sort(a), numbers(3, 4))
    with pytest.raises(TypeMismatch, match="sort: there is no kind 'bogosort'"):
        T.sort(T.dvector("x"), kind="bogosort")
    with pytest.raises(TypeMismatch, match="argsort: there are no fields to order by"):
        T.argsort(T.dvector("x"), order="name")
    with pytest.raises(TypeMismatch, match="complex numbers have no order"):
        T.sort(T.zvector("x"))
    with pytest.raises(ShapeError, match="sort: 1 is not one of 1 axes"):
        T.sort(T.dvector("x"), 1)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("k", [1, 2, 3, -1, -2, -3])
def test_topk(axis, k):
    def meaning(a):
        ordered = np.sort(a, axis)
        return np.take(ordered[::-1] if axis in (None, 0) else ordered[:, ::-1], range(k), axis) if k > 0 else \
            np.take(ordered, range(-k), axis)

    array = numbers(3, 4)
    agree(lambda x: T.topk(x, k, axis), meaning, array)
    agree(lambda x: T.topk_and_argtopk(x, k, axis)[0], meaning, array)
    agree(lambda x: T.take_along_axis(x, T.argtopk(x, k, axis), axis), meaning, array)
    agree(lambda x, n: T.topk(x, n, axis), lambda a, n: meaning(a), array, np.array(k))


def test_of_equal_elements_the_first_is_the_largest():
    agree(lambda x: T.argtopk(x, 3), lambda a: np.array([1, 3, 0]), np.array([1, 2, 1, 2]))
    agree(lambda x: T.argtopk(x, -3, idx_dtype="int32"), lambda a: np.array([0, 2, 1], "int32"), np.array([1, 2, 1, 2]))


def test_topk_of_too_few():
    x = T.dvector("x")
    with pytest.raises(ShapeError, match="4 elements are wanted of the x.0 along axis 0"):
        value(T.topk(x, 4), {x: numbers(3)})
    for wrong in (0, 1.5, [1, 2]):
        with pytest.raises(TypeMismatch, match="argtopk: kth must be an integer other than 0"):
            T.topk(x, wrong)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtypes", [("float64", "float64"), ("int8", "int32"), ("float32", "int64"), ("bool", "bool")])
def test_searchsorted(side, dtypes):
    ascending, values = np.sort(numbers(7, dtype=dtypes[0])), numbers(3, 2, dtype=dtypes[1], seed=1)
    agree(lambda x, v: T.searchsorted(x, v, side), lambda a, v: np.searchsorted(a, v, side), ascending, values)
    agree(lambda x, v: x.searchsorted(v, side=side), lambda a, v: np.searchsorted(a, v, side), ascending, ascending)
    agree(lambda x, v: T.searchsorted(x, v, side), lambda a, v: np.searchsorted(a, v, side), ascending[:0], values)


def test_searchsorted_in_an_order():
    array = numbers(6)
    agree(lambda x, o: T.searchsorted(x, 0.1, sorter=o), lambda a, o: np.searchsorted(a, 0.1, sorter=o), array,
          np.argsort(array))
    with pytest.raises(TypeMismatch, match="searchsorted: there is no side 'middle'"):
        T.searchsorted(array, 0.1, "middle")
    with pytest.raises(TypeMismatch, match="what is searched must be a vector"):
        T.searchsorted(numbers(2, 2), 0.1)


@pytest.mark.parametrize("array", [
    np.array([3, 1, 3, 2, 1]), np.array([[2.0, np.nan, 2.0], [np.nan, 0.0, -0.0]]), np.zeros(0), np.array(5, "int8"),
    np.array([True, False, True]), numbers(1, 1),
], ids=str)
def test_unique(array):
    agree(T.unique, np.unique, array)
    for number in range(1, 4):
        agree(lambda x: T.unique(x, True, True, True)[number],  # noqa: B023
              lambda a: np.unique(a, True, True, True)[number], array)  # noqa: B023
    assert len(T.unique(array, return_counts=True)) == 2


def test_derivatives():
    point = numbers(3, 4)
    for function in (T.sort, lambda x: T.sort(x, None), lambda x: T.topk(x, 2), lambda x: T.topk(x, -2, 0),
                     lambda x: T.unique(x), lambda x: T.take_along_axis(x, np.array([[0, 0], [1, 3], [2, 2]]), 1)):
        verify_grad(function, [point])


def test_a_compiled_median():
    x = T.dmatrix("x")
    f = st.function([x], T.sort(x, 1)[:, x.shape[1] // 2])
    array = numbers(5, 7)
    np.testing.assert_array_equal(f(array), np.median(array, 1))


def test_jacobians():
    x = T.dvector("x")
    point = {x: np.array([3.0, 1.0, 2.0])}
    assert value(T.jacobian(T.sort(x), x), point).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert value(T.jacobian(T.cumsum(x), x), point).tolist() == np.tri(3).tolist()


def test_an_axis_that_is_too_long():
    x = T.tensor("float32", shape=(2**32, 3), name="x")
    T.sort(x)
    for function in (T.sort, T.argsort, lambda x, axis: T.topk(x, 2, axis)):
        with pytest.raises(ShapeError, match="no more than 4294967295 elements of an axis can be sorted"):
            function(x, 0)
