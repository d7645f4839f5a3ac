"""Shape manipulation against NumPy."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.errors import ShapeError, SymtensorError, TypeMismatch

from .agree import agree, numbers, value

SHAPES = [(3,), (2, 3), (1, 3), (0, 3), (2, 3, 4), (2, 1, 0)]


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_axes_permuted(shape):
    array = numbers(*shape)
    agree(lambda x: x.T, lambda a: a.T, array)
    agree(T.transpose, np.transpose, array)
    for first in range(-len(shape), len(shape)):
        for second in range(len(shape)):
            agree(lambda x: x.swapaxes(first, second), lambda a: a.swapaxes(first, second), array)
            agree(lambda x: T.moveaxis(x, first, second), lambda a: np.moveaxis(a, first, second), array)


def test_transpose_takes_axes_in_three_ways():
    array = numbers(2, 3, 4)
    for build in (lambda x: x.transpose(2, 0, 1), lambda x: x.transpose((2, 0, 1)),
                  lambda x: T.transpose(x, (2, 0, -2))):
        agree(build, lambda a: a.transpose(2, 0, 1), array)
    agree(lambda x: T.moveaxis(x, (0, 1), (-1, 0)), lambda a: np.moveaxis(a, (0, 1), (-1, 0)), array)


def test_dimshuffle():
    agree(lambda x: x.dimshuffle("x", 1, 0, "x"), lambda a: a.T[None, :, :, None], numbers(2, 3))
    agree(lambda x: x.dimshuffle((1, 0)), lambda a: a.T, numbers(2, 3))
    agree(lambda x: x.dimshuffle(1), lambda a: a[0], numbers(1, 3))
    agree(lambda x: x.dimshuffle(), lambda a: a[0, 0], numbers(1, 1))


@pytest.mark.parametrize("shape", [(), *SHAPES])
def test_axes_of_size_one(shape):
    array = numbers(*shape)
    agree(lambda x: T.shape_padleft(x, 2), lambda a: a[None, None], array)
    agree(lambda x: T.shape_padright(x, 2), lambda a: a[..., None, None], array)
    for axis in range(-len(shape) - 1, len(shape) + 1):
        agree(lambda x: T.shape_padaxis(x, axis), lambda a: np.expand_dims(a, axis), array)
    agree(lambda x: T.squeeze(x), lambda a: a.squeeze(tuple(i for i, n in enumerate(shape) if n == 1)), array)


def test_squeeze_of_an_axis_whose_size_is_not_known():
    x = T.dmatrix("x")
    assert value(x.squeeze(0), {x: numbers(1, 3)}).shape == (3,)
    with pytest.raises(ShapeError, match="size of dropped axis 0"):
        value(x.squeeze(0), {x: numbers(2, 3)})


@pytest.mark.parametrize("shape", SHAPES)
def test_flatten(shape):
    array = numbers(*shape)
    agree(lambda x: x.flatten(), np.ravel, array)
    agree(lambda x: x.ravel(), np.ravel, array)
    for ndim in range(1, len(shape) + 1):
        agree(lambda x: x.flatten(ndim), lambda a: a.reshape(*shape[:ndim - 1], int(np.prod(shape[ndim - 1:]))), array)
    agree(lambda x: x.flatten(), np.ravel, numbers())


def test_reshape_takes_shapes_in_all_forms():
    array = numbers(4, 6)
    forms = [lambda x: x.reshape((3, 8)), lambda x: x.reshape([3, 8]), lambda x: x.reshape(3, 8),
             lambda x: x.reshape((3, -1)), lambda x: x.reshape(np.array([3, 8])),
             lambda x: x.reshape(T.constant([3, -1])),
             lambda x: x.reshape((x.shape[0] - 1, 8)), lambda x: x.reshape((T.constant(3), x.shape[1] + 2)),
             lambda x: x.reshape(T.stack([x.shape[0] - 1, -1])),
             lambda x: x.reshape(T.concatenate([[3], x.shape[1:] + 2]), ndim=2),
             lambda x: T.reshape(x, (3, 8), ndim=2)]
    for build in forms:
        agree(build, lambda a: a.reshape(3, 8), array)
    agree(lambda x: x.reshape(-1), lambda a: a.reshape(-1), array)
    agree(lambda x: x.reshape(()), lambda a: a.reshape(()), numbers(1, 1))


def test_reshape_to_a_vector_variable_needs_the_rank():
    x, sizes = T.dmatrix("x"), T.lvector("sizes")
    result = x.reshape(sizes, ndim=3)
    assert value(result, {x: numbers(4, 6), sizes: np.array([2, 2, 6])}).shape == (2, 2, 6)
    with pytest.raises(TypeMismatch, match="the length of the shape is not known, so neither is the rank"):
        x.reshape(sizes)


def test_broadcasting():
    agree(lambda x: T.broadcast_to(x, (2, 3)), lambda a: np.broadcast_to(a, (2, 3)), numbers(3))
    agree(lambda x: T.broadcast_to(x, (4, 2, 3)), lambda a: np.broadcast_to(a, (4, 2, 3)), numbers(2, 1))
    x, y = T.dmatrix("x"), T.dmatrix("y")
    row = T.addbroadcast(x, 0)
    assert row.broadcastable == (True, False)
    assert value(row + y, {x: numbers(1, 3), y: numbers(2, 3)}).shape == (2, 3)
    with pytest.raises(ShapeError, match="size of axis 0 as specified"):
        value(row, {x: numbers(2, 3)})
    assert T.patternbroadcast(x, (False, True)).broadcastable == (False, True)
    assert T.unbroadcast(row, 0) is row and T.addbroadcast(row, 0) is row


def test_specified_shapes_are_checked():
    x = T.dmatrix("x")
    promised = T.specify_shape(x, (2, None))
    assert promised.type.static_shape == (2, None)
    assert value(T.specify_shape(x, (x.shape[0], 3)), {x: numbers(2, 3)}).shape == (2, 3)
    with pytest.raises(ShapeError, match="size of axis 0 as specified: x.0 is 3 and 2"):
        value(promised, {x: numbers(3, 3)})


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining(axis):
    arrays = numbers(2, 3), numbers(2, 3, dtype="float32"), numbers(2, 3, dtype="int8")
    agree(lambda *x: T.concatenate(x, axis), lambda *a: np.concatenate(a, axis), *arrays)
    agree(lambda *x: T.join(axis, *x), lambda *a: np.concatenate(a, axis), *arrays)
    agree(lambda *x: T.stack(x, axis), lambda *a: np.stack(a, axis), *arrays)
    agree(lambda x, y: T.concatenate([x, y], axis), lambda *a: np.concatenate(a, axis), numbers(2, 2), numbers(2, 2))


def test_stacks():
    agree(T.horizontal_stack, lambda *a: np.hstack(a), numbers(2, 3), numbers(2, 1))
    agree(T.vertical_stack, lambda *a: np.vstack(a), numbers(2, 3), numbers(1, 3))
    agree(lambda a, b, c, d: T.stacklists([[a, b], [c, d]]), lambda *a: np.array(a).reshape(2, 2), *numbers(4))
    agree(lambda a, b: T.as_tensor_variable([a, b, 1.0]), lambda *a: np.array([*a, 1]), *numbers(2))


@pytest.mark.parametrize("axis", [0, 1])
def test_split(axis):
    for part in range(3):
        agree(lambda x: T.split(x, [1, 0, 3], 3, axis)[part],
              lambda a: np.split(a, [1, 1], axis)[part], numbers(4, 4))
    x, sizes = T.dvector("x"), T.lvector("sizes")
    first, second = T.split(x, sizes, 2)
    assert value(second, {x: np.arange(5.0), sizes: np.array([2, 3])}).tolist() == [2, 3, 4]
    with pytest.raises(ShapeError):
        value(second, {x: np.arange(5.0), sizes: np.array([2, 4])})


@pytest.mark.parametrize("reps", [2, (2,), (2, 3), (2, 1, 3), (0, 2), (1, 2, 1, 1)])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 0)])
def test_tile(shape, reps):
    agree(lambda x: T.tile(x, reps), lambda a: np.tile(a, reps), numbers(*shape))


def test_tile_to_a_rank():
    agree(lambda x: T.tile(x, (2,), ndim=3), lambda a: np.tile(a, (1, 1, 2)), numbers(2, 3))
    with pytest.raises(ShapeError, match="tile: ndim 1 is less than 2"):
        T.tile(T.dmatrix(), (2,), ndim=1)


@pytest.mark.parametrize("shape, axes", [((), [None]), ((3,), [None, 0, -1]), ((2, 3), [None, 0, 1]),
                                         ((1, 0, 2), [0, 1, 2])])
def test_repeat(shape, axes):
    array = numbers(*shape)
    for axis in axes:
        for count in (0, 1, 3):
            agree(lambda x: T.repeat(x, count, axis), lambda a: np.repeat(a, count, axis), array)
        length = array.size if axis is None else shape[axis]
        each = np.arange(length) % 3
        agree(lambda x, r: x.repeat(r, axis), lambda a, r: np.repeat(a, r, axis), array, each)


@pytest.mark.parametrize("shift", [0, 1, -1, 2, 7, -8])
def test_roll(shift):
    for shape, axes in [((3,), [None, 0]), ((2, 3), [None, 0, -1]), ((0, 3), [0, 1]), ((1,), [0])]:
        for axis in axes:
            agree(lambda x: T.roll(x, shift, axis), lambda a: np.roll(a, shift, axis), numbers(*shape))
    x, s = T.dvector("x"), T.lscalar("s")
    assert value(T.roll(x, s), {x: np.arange(3.0), s: shift}).tolist() == np.roll(np.arange(3.0), shift).tolist()


def test_shapes_and_sizes():
    agree(lambda x: x.shape, np.shape, numbers(2, 3))
    agree(lambda x: x.shape, lambda a: np.zeros(0, "int64"), numbers())
    agree(lambda x: x.size, np.size, numbers(2, 3))
    agree(lambda x: T.shape(x)[-1], lambda a: np.int64(3), numbers(2, 3))


MISUSES = {
    "transpose: (0, 0) is not a permutation of 2 axes": lambda x: x.transpose(0, 0),
    "swapaxes: 2 is not one of 2 axes": lambda x: x.swapaxes(0, 2),
    "moveaxis: (0, 1) and (0,) do not pair axes one to one": lambda x: T.moveaxis(x, (0, 1), (0,)),
    "dimshuffle: 2 is not an axis of x": lambda x: x.dimshuffle(2, 0),
    "flatten to 3 axes": lambda x: x.flatten(3),
    "shape_padaxis: 4 is not one of 3 axes": lambda x: T.shape_padaxis(x, 4),
    "reshape: a size must be an integer": lambda x: x.reshape((T.dscalar("s"), 2)),
    "reshape: a shape must be a vector of integers": lambda x: x.reshape(T.lmatrix("m")),
    "reshape: the shape has 2 sizes, not 3": lambda x: x.reshape((2, 3), ndim=3),
    "only one size may be -1, not 2": lambda x: x.reshape((-1, -1)),
    "number of elements before and after: 6 and 8 can never be equal": lambda x: T.zeros((2, 3)).reshape((2, 4)),
    "concatenate takes a list of at least one tensor, not x": lambda x: T.concatenate(x),
    "stack takes a list of at least one tensor, not []": lambda x: T.stack([]),
    "concatenate: 2 is not one of 2 axes": lambda x: T.concatenate([x, x], axis=2),
    "parts joined must have one rank and one dtype": lambda x: T.concatenate([x, T.dvector("v")]),
    "sizes of axis 1 of the parts joined": lambda x: T.concatenate([T.zeros((2, 3)), T.zeros((2, 4))]),
    "horizontal_stack takes matrices": lambda x: T.horizontal_stack(x, T.dvector("v")),
    "patternbroadcast: a pattern of 1 for 2 axes": lambda x: T.patternbroadcast(x, (True,)),
    "specify_shape: 3 sizes for 2 axes": lambda x: T.specify_shape(x, (1, 2, 3)),
    "repeat: the numbers of repeats must be": lambda x: x.repeat(1.5),
    "split: the shape has 3 sizes, not 2": lambda x: T.split(x, [1, 2, 3], 2),
    "2 axes do not broadcast to 1": lambda x: T.broadcast_to(x, (3,)),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_says_what_is_wrong(message):
    with pytest.raises(SymtensorError) as caught:
        MISUSES[message](T.dmatrix("x"))
    assert message in str(caught.value)
