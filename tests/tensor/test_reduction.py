"""Reductions against NumPy, over axes, dtypes and shapes with zeros and ones in them."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError, TypeMismatch

from .agree import agree, numbers, value

SHAPES = [(), (3,), (2, 3), (1, 3), (0, 3), (2, 3, 4), (2, 0, 1)]
DTYPES = ["bool", "int8", "uint16", "int64", "float32", "float64", "complex128"]


def axes_for(shape):
    ndim = len(shape)
    return [None, *range(-ndim, ndim)] + ([(0, -1)] if ndim > 1 else []) + ([()] if ndim else [])


CASES = [(shape, axis) for shape in SHAPES for axis in axes_for(shape)]


def wide(dtype):
    return {"b": "int64", "i": "int64", "u": "uint64"}.get(np.dtype(dtype).kind, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, axis", CASES)
@pytest.mark.parametrize("name", ["sum", "prod"])
def test_sums_and_products(name, shape, axis, dtype):
    array = numbers(*shape, dtype=dtype)
    for keepdims in (False, True):
        agree(lambda x: getattr(T, name)(x, axis, keepdims=keepdims),
              lambda a: getattr(np, name)(a, axis=axis, keepdims=keepdims, dtype=wide(dtype)), array,
              rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape, axis", CASES)
def test_means_and_variances(shape, axis, dtype):
    array = numbers(*shape, dtype=dtype)
    result = dtype if dtype.startswith("float") else "float64"
    for name, options in [("mean", {}), ("var", {}), ("var", {"ddof": 1}), ("std", {})]:
        agree(lambda x: getattr(T, name)(x, axis, keepdims=True, **options),
              lambda a: getattr(np, name)(a.astype(result), axis=axis, keepdims=True, **options).astype(result),
              array, rtol=1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape, axis", [case for case in CASES if 0 not in case[0]])
def test_extremes(shape, axis, dtype):
    array = numbers(*shape, dtype=dtype)
    for name in ("max", "min"):
        for keepdims in (False, True):
            agree(lambda x: getattr(T, name)(x, axis, keepdims),
                  lambda a: getattr(np, name)(a, axis=axis, keepdims=keepdims), array)
    if dtype != "bool" and axis != ():
        agree(lambda x: T.ptp(x, axis), lambda a: np.ptp(a, axis=axis), array)


@pytest.mark.parametrize("dtype", ["int8", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 3), (2, 3, 4)])
def test_positions_of_extremes(shape, dtype):
    array = numbers(*shape, dtype=dtype)
    for name in ("argmax", "argmin"):
        for axis in (None, *range(-len(shape), len(shape))):
            agree(lambda x: getattr(T, name)(x, axis), lambda a: getattr(np, name)(a, axis=axis), array)
            if shape:
                agree(lambda x: getattr(T, name)(x, axis, keepdims=True),
                      lambda a: getattr(np, name)(a, axis=axis, keepdims=True), array)


def test_argmax_over_several_axes_counts_them_as_one():
    array = numbers(2, 3, 4)
    agree(lambda x: T.argmax(x, (0, 2)), lambda a: np.argmax(a.transpose(1, 0, 2).reshape(3, 8), axis=1), array)
    agree(lambda x: T.argmax(x, (2, 0), keepdims=True),
          lambda a: np.argmax(a.transpose(1, 0, 2).reshape(3, 8), axis=1).reshape(1, 3, 1), array)


def test_max_and_argmax():
    agree(lambda x: T.max_and_argmax(x, 1)[0], lambda a: a.max(1), numbers(2, 3))
    agree(lambda x: T.max_and_argmax(x, 1)[1], lambda a: a.argmax(1), numbers(2, 3))


@pytest.mark.parametrize("shape, axis", CASES)
@pytest.mark.parametrize("dtype", ["bool", "int8", "float64"])
def test_any_and_all(shape, axis, dtype):
    array = (numbers(*shape) > 0.3).astype(dtype)
    for name in ("any", "all"):
        agree(lambda x: getattr(T, name)(x, axis, True), lambda a: getattr(np, name)(a, axis=axis, keepdims=True),
              array)


def test_nan_wins():
    array = np.array([[1.0, np.nan], [3.0, 2.0]])
    agree(lambda x: T.max(x, 1), lambda a: a.max(1), array)
    agree(lambda x: T.argmax(x, 1), lambda a: a.argmax(1), array)


@pytest.mark.parametrize("order", [1, 2, 3, 0.5, float("inf")])
def test_norms(order):
    for axis in (None, 0, -1, (0, 1)):
        agree(lambda x: x.norm(order, axis),
              lambda a: np.abs(a).max(axis) if order == float("inf") else (np.abs(a) ** order).sum(axis) ** (1 / order),
              numbers(2, 3))


def test_dtypes_asked_for():
    agree(lambda x: T.sum(x, dtype="float32"), lambda a: a.sum(dtype="float32"), numbers(4, dtype="int8"))
    agree(lambda x: T.mean(x, dtype="float32"), lambda a: a.mean(dtype="float32"), numbers(4, dtype="int8"), rtol=1e-6)
    assert T.sum(T.fvector(), acc_dtype="float64").owner.inputs[0].type.dtype == "float64"


def test_half_precision_is_added_in_single():
    ones = np.ones(4096, "float16")
    assert value(T.sum(T.constant(ones))) == 4096
    assert value(T.mean(T.constant(np.full(70000, 2, "float16")))) == 2
    assert T.var(T.constant(ones)).type.dtype == "float16"


def test_means_of_integers_are_floatX():
    with config.change(floatX="float32"):
        assert T.mean(T.ivector()).type.dtype == "float32"


def test_the_corrected_variance_takes_out_the_error_of_the_mean():
    array = 1e4 + numbers(1000, dtype="float32")
    exact = array.astype("float64").var()
    assert abs(float(value(T.var(T.constant(array), corrected=True))) - exact) < 1e-4 * exact


def test_largest_and_smallest():
    arrays = [numbers(2, 3, seed=seed) for seed in range(3)]
    agree(T.largest, lambda *a: np.max(a, axis=0), *arrays)
    agree(T.smallest, lambda *a: np.min(a, axis=0), *arrays)
    agree(T.largest, np.maximum, *arrays[:2])


def test_a_product_of_sizes_is_a_size():
    x = T.tensor4("x", shape=("n", 2, 3, "k"))
    flat = x.reshape((x.shape[0], T.prod(x.shape[1:])))
    assert str(flat.type) == "TensorType(float64, (n, 6*k))"


def test_an_axis_that_does_not_exist():
    x = T.dmatrix("x")
    with pytest.raises(ShapeError, match=r"^sum: 2 is not one of 2 axes\n  where .*\n(.*\n)*"
                                         r"  operand  x: float64 \(x.0, x.1\)\n  fix      an axis from -2 to 1$"):
        T.sum(x, axis=2)
    with pytest.raises(ShapeError, match="max: an axis is named twice in \\(0, -2\\)"):
        T.max(x, axis=(0, -2))
    with pytest.raises(TypeMismatch, match="mean: an axis must be a fixed integer, not 'rows'"):
        T.mean(x, axis="rows")
    with pytest.raises(TypeMismatch, match="an axis must be a fixed integer"):
        T.argmax(x, axis=T.iscalar("i"))
    with pytest.raises(ShapeError, match="leave the axis out"):
        T.sum(T.dscalar("s"), axis=0)


def test_reductions_that_have_no_value():
    with pytest.raises(ShapeError, match="max of no elements: axis 0 is empty"):
        T.max(T.zeros((0, 3)), axis=0)
    with pytest.raises(TypeMismatch, match="complex numbers have no order"):
        T.max(T.zvector("z"))
    with pytest.raises(TypeMismatch, match="the 0-norm is not a norm"):
        T.dvector("x").norm(0)
