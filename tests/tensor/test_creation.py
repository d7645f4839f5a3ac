"""Creation from sizes and numbers, against NumPy."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.ir.node import Constant

from .agree import agree, numbers, value


@pytest.mark.parametrize("shape", [(), 3, (3,), [2, 3], (0, 2), np.array([2, 3])])
def test_filled_tensors(shape):
    sizes = shape if isinstance(shape, int) else tuple(shape)
    agree(lambda: T.zeros(shape), lambda: np.zeros(sizes))
    agree(lambda: T.ones(shape, "int8"), lambda: np.ones(sizes, "int8"))
    agree(lambda: T.full(shape, 2.5, "float32"), lambda: np.full(sizes, 2.5, "float32"))


def test_shapes_from_other_tensors():
    agree(lambda x: T.zeros(x.shape), np.zeros_like, numbers(2, 3))
    agree(lambda x: T.ones((x.shape[1], 2)), lambda a: np.ones((3, 2)), numbers(2, 3))
    agree(lambda x: T.alloc(x, 4, *[x.shape[0], 3]), lambda a: np.broadcast_to(a, (4, 2, 3)).copy(), numbers(2, 3))
    n = T.iscalar("n")
    assert value(T.zeros((n, n + 1)), {n: 2}).shape == (2, 3)
    with pytest.raises(ShapeError, match="a size may not be negative"):
        value(T.zeros(n), {n: -1})


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex64"])
def test_likes(dtype):
    array = numbers(2, 3, dtype=dtype)
    agree(lambda x: x.zeros_like(), np.zeros_like, array)
    agree(lambda x: T.ones_like(x), np.ones_like, array)
    agree(lambda x: T.zeros_like(x, "int16"), lambda a: np.zeros_like(a, "int16"), array)
    agree(lambda x: T.full_like(x, 1), lambda a: np.full_like(a, 1), array)
    agree(lambda x: T.fill(x, 2.5), lambda a: np.full(a.shape, 2.5), array)


@pytest.mark.parametrize("arguments", [
    (5,), (0,), (-2,), (2, 7), (7, 2), (2, 10, 3), (2, 11, 3), (10, 2, -3), (10, 1, -3), (0, 5, -1), (3, 3),
    (2.5,), (0, 1, 0.3), (1, 0, -0.25), (0.0, 1.0, 0.5)])
def test_arange(arguments):
    whole = all(isinstance(a, int) for a in arguments)
    agree(lambda: T.arange(*arguments), lambda: np.arange(*arguments))
    types = [T.lscalar if whole else T.dscalar for _ in arguments]
    scalars = [make(f"a{i}") for i, make in enumerate(types)]
    result = value(T.arange(*scalars), dict(zip(scalars, map(np.array, arguments), strict=True)) if whole else
                   {s: np.float64(a) for s, a in zip(scalars, arguments, strict=True)})
    np.testing.assert_allclose(result, np.arange(*arguments), rtol=1e-15)


def test_arange_knows_its_length():
    x = T.matrix("x", shape=("n", 3))
    assert str(T.arange(x.shape[0]).type) == "TensorType(int64, (n,))"
    assert str(T.arange(1, x.shape[0] + 1).type) == "TensorType(int64, (n,))"
    assert T.arange(0, 1, 0.25).type.static_shape == (4,)


def test_dtypes_of_ranges():
    assert T.arange(T.bscalar()).type.dtype == "int64"
    assert T.arange(np.uint8(3)).type.dtype == "uint64"
    assert T.arange(T.fscalar()).type.dtype == "float32"
    assert T.arange(3, dtype="float32").type.dtype == "float32"
    with pytest.raises(ShapeError, match="arange takes scalars"):
        T.arange(T.lvector())


def test_linspace():
    agree(lambda: T.linspace(0.0, 1.0, 5), lambda: np.linspace(0, 1, 5))
    agree(lambda: T.linspace(2.0, -1.0, 1), lambda: np.linspace(2, -1, 1))
    agree(lambda a, b: T.linspace(a, b), lambda a, b: np.linspace(a, b), np.float64(-3), np.float64(4))


@pytest.mark.parametrize("k", [-4, -1, 0, 1, 5])
@pytest.mark.parametrize("n, m", [(3, None), (3, 5), (5, 3), (0, 2)])
def test_diagonal_patterns(n, m, k):
    agree(lambda: T.eye(n, m, k), lambda: np.eye(n, m, k))
    agree(lambda: T.tri(n, m, k, "int8"), lambda: np.tri(n, m, k, "int8"))


def test_identity_like():
    agree(T.identity_like, lambda a: np.eye(2, 3, dtype="float32"), numbers(2, 3, dtype="float32"))
    with pytest.raises(TypeMismatch, match="identity_like needs a matrix, not 1 axes"):
        T.identity_like(T.dvector())


def test_floatX_is_the_default():
    with config.change(floatX="float32"):
        made = [T.zeros(2), T.ones(2), T.full(2, 1), T.eye(2), T.tri(2), T.constant(1.5), T.matrix()]
        assert {v.type.dtype for v in made} == {"float32"}


def test_constants():
    assert isinstance(T.constant([1, 2]), Constant) and T.constant(2).type.dtype == "int8"
    assert T.constant(2, name="two").name == "two"
    assert T.constant(np.float32(2)).type.dtype == "float32"
    assert T.constant(2, dtype="float32", ndim=2).type.static_shape == (1, 1)
    x = T.dvector("x")
    assert T.as_tensor_variable(x) is x and T.as_tensor_variable(x, ndim=2).broadcastable == (True, False)
    with pytest.raises(TypeMismatch, match="'text' is not a tensor: its dtype is"):
        T.as_tensor_variable("text")
    with pytest.raises(TypeMismatch, match="has 1 axes, more than 0"):
        T.as_tensor_variable(x, ndim=0)


def test_grids():
    for place in range(2):
        agree(lambda: T.mgrid[0:2, 1:7:2][place], lambda: np.mgrid[0:2, 1:7:2][place])
        agree(lambda: T.ogrid[0:2, :3][place], lambda: np.ogrid[0:2, :3][place])
    agree(lambda: T.mgrid[0:1:0.25][0], lambda: np.mgrid[0:1:0.25])
    n = T.lscalar("n")
    assert value(T.mgrid[:n, :2][0], {n: 3}).tolist() == [[0, 0], [1, 1], [2, 2]]
    with pytest.raises(TypeMismatch, match="a grid is made of slices, not 3"):
        T.mgrid[3]


@pytest.mark.parametrize("points", [0, 1, 2, 5, 8])
def test_bartlett(points):
    agree(lambda: T.bartlett(points), lambda: np.bartlett(points))
    n = T.iscalar("n")
    np.testing.assert_allclose(value(T.bartlett(n), {n: points}), np.bartlett(points))
