"""Indexing against NumPy: every form, reading and writing, with fixed and with symbolic indices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symtensor.tensor as T
from symtensor.base.errors import GraphError, IndexOutOfRange, ShapeError, TypeMismatch
from symtensor.ir.node import Constant, Variable
from symtensor.testing.verify_grad import verify_grad
from symtensor.types.tensor import TensorType

from .agree import agree, value, variables_for

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def slices(size):
    bound = st.none() | st.integers(-size - 2, size + 2)
    return st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, 3, -1, -2]))


@st.composite
def masks(draw, shape):
    count = int(np.prod(shape))
    return np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool).reshape(shape)


@st.composite
def positions(draw, size, spread):
    """An integer array that broadcasts to `spread`."""
    shape = [n if draw(st.booleans()) else 1 for n in spread[draw(st.integers(0, len(spread))):]]
    count = int(np.prod(shape))
    drawn = draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
    return np.array(drawn, "int64").reshape(shape)


@st.composite
def indices(draw, shape, arrays):
    """An index into a tensor of `shape`; with `arrays` also integer arrays and at most one mask."""
    spread = draw(st.lists(st.integers(0, 3), max_size=2))
    kinds = {"slice", "none"} | ({"array", "mask", "flag"} if arrays else set())
    entries, axis = [], 0
    while axis < len(shape) and draw(st.integers(0, 5)):
        size = shape[axis]
        kind = draw(st.sampled_from(sorted(kinds - ({"array"} if not size else set()) | ({"int"} if size else set()))))
        if kind == "mask":
            kinds.discard("mask")
            rank = draw(st.integers(1, len(shape) - axis))
            entries.append(draw(masks(shape[axis:axis + rank])))
            axis += rank
            continue
        drawn_from = {"slice": slices(size), "none": st.none(), "int": st.integers(-size, max(size - 1, 0)),
                      "array": positions(size, spread), "flag": st.booleans()}
        entries.append(draw(drawn_from[kind]))
        axis += kind not in ("none", "flag")
    if draw(st.booleans()):
        entries.insert(draw(st.integers(0, len(entries))), Ellipsis)
    return tuple(entries)


@st.composite
def cases(draw, arrays):
    shape = draw(SHAPES)
    return shape, draw(indices(shape, arrays))


def as_numpy(array, index):
    """array[index]; None where NumPy refuses it, or broadcasts a size that only the data says is 1."""
    counted = [np.count_nonzero(e) for e in index if isinstance(e, np.ndarray) and e.dtype == bool]
    others = [e.shape[-1] for e in index if isinstance(e, np.ndarray) and e.dtype != bool and e.ndim]
    others += [int(e) for e in index if isinstance(e, bool)]
    if counted and any(n != counted[0] and n != 1 for n in others):
        return None
    try:
        return array[index]
    except IndexError:
        return None


def filled(shape):
    return np.arange(int(np.prod(shape)), dtype="float64").reshape(shape)


@settings(max_examples=120, deadline=None)
@given(cases(arrays=False))
def test_basic_indices(case):
    shape, index = case
    if as_numpy(filled(shape), index) is not None:
        agree(lambda x: x[index], lambda a: a[index], filled(shape))


@settings(max_examples=150, deadline=None)
@given(cases(arrays=True))
def test_indices_with_arrays_and_masks(case):
    shape, index = case
    if as_numpy(filled(shape), index) is not None:
        agree(lambda x: x[index], lambda a: a[index], filled(shape))


@settings(max_examples=120, deadline=None)
@given(cases(arrays=True), st.booleans(), st.data())
def test_writing_where_an_index_reads(case, add, data):
    shape, index = case
    array = filled(shape)
    part = as_numpy(array, index)
    if part is None:
        return
    own = part.shape[data.draw(st.integers(0, part.ndim)):]
    y = 100 + filled(tuple(n if data.draw(st.booleans()) else 1 for n in own))

    def written(a, values):
        result = a.copy()
        if add:
            np.add.at(result, index, values)
        else:
            result[index] = values
        return result

    if not add and any(isinstance(e, np.ndarray) for e in index):
        y = y.flat[0] if y.size else np.float64(7)  # which of two values for one place wins is not promised
    write = T.inc_subtensor if add else T.set_subtensor
    agree(lambda x, v: write(x[index], v), written, array, y)


@settings(max_examples=100, deadline=None)
@given(cases(arrays=True))
def test_symbolic_indices(case):
    shape, index = case
    array = filled(shape)
    expected = as_numpy(array, index)
    if expected is None:
        return
    given_values = {}

    def symbolic(entry):
        if isinstance(entry, (int, np.ndarray)) and not isinstance(entry, bool):
            data = np.asarray(entry)
            variable = TensorType(data.dtype, [1 if n == 1 else None for n in data.shape])()
            given_values[variable] = data
            return variable
        if isinstance(entry, slice):
            start, stop = (None if b is None else symbolic(b) for b in (entry.start, entry.stop))
            return slice(start, stop, entry.step)
        return entry

    (x,) = variables_for([array])
    result = x[tuple(symbolic(entry) for entry in index)]
    np.testing.assert_array_equal(value(result, {x: array, **given_values}), expected)


ALL = slice(None)
FORMS = [
    (ALL,), (Ellipsis,), (None,), (), (0,), (-1, slice(None, None, -1)), ([0, 2, 2],), ([[0], [1]], [1, 2]),
    (slice(1, None), [0, 1]), ([0, 1], ALL, [1, 0]), (0, ALL, [1, 0]), ([0, 1], None, [1, 0]),
    (ALL, [0, 1], None, [1, 0]), (None, [0, 1], [1, 0]), (Ellipsis, [0, 1]), (np.array([True, False, True]),),
    (ALL, np.array([True, False, False, True])), (np.int64(1), Ellipsis, np.uint8(2)), ([],),
    ([True, False, True], ALL, 1), (np.ones((3, 4), bool),), (ALL, 2, [1]), (np.array(1), [1, 2]),
    (ALL, 0, Ellipsis, [1, 2]), (0, Ellipsis, 1, [1, 2]),
]


@pytest.mark.parametrize("index", FORMS, ids=str)
def test_forms(index):
    array = filled((3, 4, 5))
    numpy_index = tuple(np.zeros(0, int) if isinstance(e, list) and not e else e for e in index)
    agree(lambda x: x[index], lambda a: a[numpy_index], array)


def test_one_index_without_a_tuple():
    agree(lambda x: x[[0, 2]], lambda a: a[[0, 2]], filled((3, 4)))
    agree(lambda x: x[1], lambda a: a[1], filled((3, 4)))
    agree(lambda x: x[...], lambda a: a[...], filled(()))


def test_truth_values_as_indices():
    x, flag = T.dmatrix("x"), TensorType("bool", ())("flag")
    array = filled((2, 3))
    for index in [True, False, (0, True), (True, False), (..., True), (False, [1]), (slice(None), np.True_, 1)]:
        agree(lambda x, index=index: x[index], lambda a, index=index: a[index], array)
    for bit in [False, True]:
        assert value(x[flag], {x: array, flag: bit}).shape == array[bit].shape
        changed = value(T.set_subtensor(x[flag, 1], 9), {x: array, flag: bit})
        assert changed.tolist() == [[0, 1, 2], [9, 9, 9] if bit else [3, 4, 5]]
        slope = value(T.grad((x[1, flag] ** 2).sum(), x), {x: array, flag: bit})
        assert slope.tolist() == [[0, 0, 0], [6 * bit, 8 * bit, 10 * bit]]


def test_a_fixed_mask_is_as_many_positions():
    x = T.dmatrix("x")
    mask = np.array([True, False, False])
    agree(lambda x: x[[[1, 0]], mask], lambda a: a[[[1, 0]], mask], filled((2, 3)))
    assert x[:, mask].type.static_shape == (None, 1)
    with pytest.raises(ShapeError, match="size of axis 1 as specified: x.1 is 4 and 3"):
        value(x[:, mask], {x: filled((2, 4))})


def test_variables_as_indices():
    i, places, mask = T.iscalar("i"), T.lvector("places"), TensorType("bool", (None,))("mask")
    x, array = T.dmatrix("x"), filled((3, 4))
    assert value(x[i, ::2], {x: array, i: np.int32(-1)}).tolist() == array[-1, ::2].tolist()
    assert value(x[places], {x: array, places: np.array([2, 0])}).tolist() == array[[2, 0]].tolist()
    assert value(x[mask], {x: array, mask: np.array([True, False, True])}).tolist() == array[::2].tolist()
    assert value(x[x > 5], {x: array}).tolist() == array[array > 5].tolist()
    assert value(x[[i, i]], {x: array, i: np.int32(1)}).tolist() == array[[1, 1]].tolist()


def test_writing_all_of_a_tensor():
    agree(lambda x: T.set_subtensor(x[:], 7), lambda a: np.full_like(a, 7), filled((2, 3)))
    agree(lambda x: T.inc_subtensor(x[...], 7), lambda a: a + 7, filled(()))
    agree(lambda x: T.set_subtensor(x[None], 7), lambda a: np.full_like(a, 7), filled((2, 3)))


def test_the_last_index_written_is_the_place():
    x = T.dmatrix("x")
    array = filled((3, 4))
    result = value(T.set_subtensor(x[1:][0], -1), {x: array})
    assert result.shape == (2, 4) and result[0].tolist() == [-1] * 4
    assert value(T.set_subtensor(x.T[0], -1), {x: array}).shape == (4, 3)
    whole = value(T.set_subtensor(x[1:, [0, 1]], -1), {x: array})
    assert whole.shape == (3, 4) and (whole == -1).sum() == 4


def test_a_repeated_position_is_increased_each_time():
    agree(lambda x: T.inc_subtensor(x[[1, 1, 1]], 10), lambda a: a + np.array([0, 30, 0]), filled((3,)))


def test_values_written_take_the_dtype_of_the_whole():
    agree(lambda x: T.set_subtensor(x[0], 1.5), lambda a: np.array([1.5, 1], "float32"), np.arange(2, dtype="float32"))
    agree(lambda x: T.set_subtensor(x[0], 255), lambda a: np.array([255, 1], "uint8"), np.arange(2, dtype="uint8"))
    assert T.set_subtensor(T.fvector()[0], T.dscalar()).type.dtype == "float32"
    with pytest.raises(TypeMismatch, match="a value of float64 would lose its kind in a tensor of int64"):
        T.set_subtensor(T.lvector()[0], 1.5)


def test_sizes_read_from_a_shape_are_sizes():
    x = T.tensor3("x", shape=("n", 2, "k"))
    assert repr(x.shape[0].owner.op) == "Dimension(axis=0)"
    assert isinstance(x.shape[1], Constant) and int(x.shape[1].data) == 2
    assert str(T.zeros(x.shape[1:]).type) == "TensorType(float64, (2, k))"
    assert str(T.zeros(x.shape[::-1]).type) == "TensorType(float64, (k, 2, n))"
    assert T.zeros(T.dmatrix("y").shape[2:]).type.ndim == 0
    rows, two, columns = x.shape
    assert str(T.zeros((columns, rows * two)).type) == "TensorType(float64, (k, 2*n))"


def test_a_size_read_from_a_shape_can_be_written_to():
    x = T.dmatrix("x")
    for shape, expected in [(x.shape, [9, 4]), (T.zeros((3, 4)).shape, [9, 4])]:
        assert value(T.set_subtensor(shape[0], 9), {x: filled((3, 4))}).tolist() == expected


def test_iteration():
    x = T.matrix("x", shape=(2, None))
    first, second = x
    assert value(second, {x: filled((2, 3))}).tolist() == [3, 4, 5]
    with pytest.raises(TypeMismatch, match="only a tensor whose first size is known can be iterated over"):
        list(T.dmatrix("x"))
    with pytest.raises(TypeMismatch, match="only a tensor whose first size"):
        iter(T.dscalar("x"))


def test_indices_that_cannot_be():
    x = T.dmatrix("x")
    with pytest.raises(IndexOutOfRange, match=r"3 indices for 2 axes\n  where .*\n(.*\n)*  operand  x: float64"):
        x[0, 0, 0]
    with pytest.raises(TypeMismatch, match="at most one ellipsis"):
        x[..., ...]
    with pytest.raises(TypeMismatch, match='x cannot be indexed by 1.5(.*\n)*  fix      cast it: index.astype'):
        x[1.5]
    with pytest.raises(TypeMismatch, match="'rows' is not a tensor: its dtype is"):
        x["rows"]
    with pytest.raises(TypeMismatch, match="the step of a slice must be a number other than 0"):
        x[::0]
    with pytest.raises(IndexOutOfRange, match="index 3 is out of range for axis 0 of size 3"):
        T.zeros((3, 2))[3]
    with pytest.raises(ShapeError, match="size of axis 0 as specified"):
        T.zeros((3, 2))[np.array([True, False])]
    with pytest.raises(IndexOutOfRange, match="index 3 is out of range for an axis of size 3"):
        value(x[[0, 3]], {x: filled((3, 4))})
    with pytest.raises(ShapeError, match="size of axis 0"):
        value(x[np.array([True, False])], {x: filled((3, 4))})


def test_writing_that_cannot_be():
    x = T.dmatrix("x")
    with pytest.raises(GraphError, match=r"set_subtensor: \(x \+ 1.0\) is not a part of a tensor\n(.*\n)*"
                                         r"  fix      write the index in the call: set_subtensor\(x\[2:5\], y\)"):
        T.set_subtensor(x + 1, 2)
    with pytest.raises(ShapeError, match="a value of 2 axes for a part of 1"):
        T.set_subtensor(x[0], T.dmatrix("y"))
    with pytest.raises(ShapeError, match="sizes of the region and of the value put there"):
        T.set_subtensor(T.zeros((3, 4))[0], [1, 2, 3])
    with pytest.raises(TypeMismatch, match=r"x cannot be changed(.*\n)*  fix      y = set_subtensor"):
        x[0] = 1


def test_an_index_does_not_keep_what_is_forgotten_alive():
    import gc
    import weakref

    from symtensor.tensor.indexing import _places

    x = T.dvector("x")
    part = x[1:]
    gone = weakref.ref(part)
    assert part in _places
    del part
    gc.collect()
    assert gone() is None


def test_all_parts_are_variables_of_their_own():
    x = T.dmatrix("x")
    for index in [slice(None), ..., (), (slice(None), slice(None))]:
        assert isinstance(x[index], Variable) and x[index] is not x


_MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, False]])
FORMS = {
    "two arrays apart": np.s_[[2, 0], :, [1, 1]], "two arrays side by side": np.s_[:, [3, 0], [[1], [0]]],
    "an array and a number": np.s_[1, :, [0, 1, 1]], "a new axis between": np.s_[[0, 2], None, :, [1, 0]],
    "a slice and a repeated position": np.s_[::-2, [1, 1, -1]], "a mask of two axes": np.s_[_MASK],
    "a mask of one axis and a slice": np.s_[:, _MASK[0], ::-1], "two masks": np.s_[_MASK[0][:3], _MASK[2]],
    "a mask and an array": np.s_[[2, 0], _MASK[2]], "a mask of all axes": np.s_[np.stack([_MASK, ~_MASK], 2)],
    "an ellipsis": np.s_[..., [1, 0, 0]],
}


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_of_parts_read_and_written(name):
    index = FORMS[name]
    x = filled((3, 4, 2)) / 7
    part = x[index]
    agree(lambda x: x[index], lambda a: a[index], x)
    verify_grad(lambda x: x[index] ** 2, [x], n_tests=1)
    verify_grad(lambda x, y: T.inc_subtensor(x[index], y ** 2) ** 2, [x, part + 1], n_tests=1)
    if len(np.unique(np.arange(x.size).reshape(x.shape)[index])) == part.size:  # else it is open which value stays
        verify_grad(lambda x, y: T.set_subtensor(x[index], y ** 2) ** 2, [x, part + 1], n_tests=1)
