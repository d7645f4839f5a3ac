"""Each case that arrays are special in, by name, for the functions of the vocabulary: compiled, and against NumPy.

The cases: zero sizes, sizes of 1 that stretch, no axes, NaN and infinities, integers that overflow, negative strides,
Fortran's order, eight axes, arguments that are one array, arrays that may not be written.
"""

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T

UNARY = {
    "exp": (T.exp, np.exp), "abs": (T.abs_, np.abs), "neg": (T.neg, np.negative), "sign": (T.sgn, np.sign),
    "square": (T.sqr, np.square), "floor": (T.floor, np.floor), "isnan": (T.isnan, np.isnan), "tanh": (T.tanh, np.tanh),
    "sum": (T.sum, np.sum), "prod": (T.prod, np.prod), "last sum": (lambda x: x.sum(-1), lambda a: a.sum(-1)),
    "any": (T.any, np.any), "all": (T.all, np.all), "first sum": (lambda x: x.sum(0), lambda a: a.sum(0)),
    "mean": (T.mean, np.mean), "var": (T.var, np.var), "max": (T.max, np.max), "min": (T.min, np.min),
    "argmax": (lambda x: T.argmax(x, axis=-1), lambda a: np.argmax(a, axis=-1)),
    "sort": (lambda x: T.sort(x, -1), lambda a: np.sort(a, -1)),
    "argsort": (lambda x: T.argsort(x, -1), lambda a: np.argsort(a, -1, kind="stable")),
    "cumsum": (lambda x: T.cumsum(x, -1), lambda a: np.cumsum(a, -1)),
    "transpose": (T.transpose, np.transpose), "flatten": (T.flatten, np.ravel), "copy": (lambda x: x.copy(), np.copy),
    "reverse": (lambda x: x[::-1], lambda a: a[::-1]), "double": (lambda x: T.tile(x, (2,) + (1,) * (x.ndim - 1)),
                                                                  lambda a: np.tile(a, (2,) + (1,) * (a.ndim - 1))),
    "roll": (lambda x: T.roll(x, 1, -1), lambda a: np.roll(a, 1, -1)),
    "repeat": (lambda x: T.repeat(x, 2, -1), lambda a: np.repeat(a, 2, -1)),
    "unique": (lambda x: T.unique(x.flatten()), lambda a: np.unique(a)),
    "nonzero": (lambda x: x.nonzero()[0], lambda a: a.nonzero()[0]),
    "clip": (lambda x: T.clip(x, -1, 1), lambda a: np.clip(a, -1, 1)),
    "diff": (lambda x: T.diff(x, axis=-1), lambda a: np.diff(a, axis=-1)),
    "join": (lambda x: T.concatenate([x, x], -1), lambda a: np.concatenate([a, a], -1)),
    "gram": (lambda x: T.tensordot(x, x, x.ndim), lambda a: np.tensordot(a, a, a.ndim)),
    "pad": (lambda x: T.pad(x, 1), lambda a: np.pad(a, 1)),
}
BINARY = {
    "add": (T.add, np.add), "sub": (T.sub, np.subtract), "mul": (T.mul, np.multiply), "max": (T.maximum, np.maximum),
    "div": (T.true_div, np.true_divide), "lt": (T.lt, np.less), "eq": (T.eq, np.equal),
    "switch": (lambda x, y: T.switch(T.gt(x, y), x, y), lambda a, b: np.where(a > b, a, b)),
    "power": (lambda x, y: T.pow(T.abs_(x), y), lambda a, b: np.power(np.abs(a), b)),
}
INTEGER = {
    "add": (T.add, np.add), "sub": (T.sub, np.subtract), "mul": (T.mul, np.multiply),
    "neg": (lambda x, y: -x, lambda a, b: -a),
    "abs": (lambda x, y: abs(x), lambda a, b: np.abs(a)), "square": (lambda x, y: x ** 2, lambda a, b: a * a),
    "cumsum": (lambda x, y: T.cumsum(x), lambda a, b: np.cumsum(a)),
    "sum": (lambda x, y: x.sum(), lambda a, b: a.sum()),
    "bits": (lambda x, y: x ^ y, lambda a, b: a ^ b), "invert": (lambda x, y: ~x, lambda a, b: ~a),
}
NEEDS_ELEMENTS = {"max", "min", "argmax"}
NEEDS_AXES = {"last sum", "first sum", "argmax", "sort", "argsort", "cumsum", "reverse", "double", "roll", "repeat",
              "nonzero", "diff", "join"}


def drawn(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def check(function, meaning, *arrays):
    """Compile, with open sizes but for those that stretch, and compare dtype, shape and values with NumPy's."""
    variables = [T.TensorType(a.dtype, [1 if n == 1 else None for n in a.shape])(f"x{i}") for i, a in enumerate(arrays)]
    kept = [a.copy() for a in arrays]
    found = np.asarray(st.function(variables, function(*variables), on_unused_input="ignore")(*arrays))
    with np.errstate(all="ignore"):
        expected = np.asarray(meaning(*arrays))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    for array, before in zip(arrays, kept):
        np.testing.assert_array_equal(array, before)  # what a caller gave stays as it is
        assert not np.shares_memory(found, array) or not found.flags.writeable


def unary(*without):
    return pytest.mark.parametrize("name", sorted(UNARY.keys() - set().union(*without)))


@unary(NEEDS_ELEMENTS, {"mean", "var", "gram"})
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
def test_zero_sizes(name, shape):
    check(*UNARY[name], np.zeros(shape))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_means_of_nothing_are_nan_and_products_of_nothing_zero(shape):
    x = T.TensorType("float64", (None,) * len(shape))("x")
    mean, spread, gram = st.function([x], [x.mean(), x.var(), T.tensordot(x, x, x.ndim)])(np.zeros(shape))
    assert np.isnan(mean) and np.isnan(spread) and gram == 0


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", [((1,), (3,)), ((1, 3), (2, 1)), ((1, 1), (2, 3)), ((3,), (2, 1)), ((), (2, 3)),
                                    ((2, 1, 3), (1, 4, 1)), ((1, 0), (3, 1)), ((1, 1), (0, 2))])
def test_sizes_of_1_stretch(name, shapes):
    check(*BINARY[name], drawn(*shapes[0]), drawn(*shapes[1], seed=1))


@unary(NEEDS_AXES, {"pad"})
def test_no_axes(name):
    check(*UNARY[name], np.array(-1.5))


@unary({"sort", "argsort", "unique", "argmax", "gram"})
def test_nan_and_infinities(name):
    check(*UNARY[name], np.array([[np.nan, 1.0, -np.inf], [np.inf, -0.0, 2.0]]))


def test_order_of_nan_and_infinities():
    value = np.array([[2.0, np.nan, -np.inf, 1.0, np.inf, np.nan], [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf]])
    for name in ("sort", "argsort", "argmax"):
        check(*UNARY[name], value)
    check(lambda x: T.unique(x.flatten()), lambda a: np.unique(a), value)


@pytest.mark.parametrize("name", BINARY)
def test_nan_and_infinities_of_two(name):
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.5])
    check(*BINARY[name], special[:, None].repeat(7, 1), special[None].repeat(7, 0))


@pytest.mark.parametrize("name", INTEGER)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_that_overflow(name, dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = np.array([low, high, high, low, high - 1, 0], dtype)
    check(*INTEGER[name], x, np.array([high, high, 1, low, 2, low], dtype))


@unary(())
@pytest.mark.parametrize("cut", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2, ::-2], np.s_[::-3, 1::2]])
def test_negative_strides(name, cut):
    check(*UNARY[name], drawn(6, 5)[cut])


@unary(())
def test_fortrans_order(name):
    check(*UNARY[name], np.asfortranarray(drawn(4, 3, 2)))
    check(*UNARY[name], np.moveaxis(drawn(2, 3, 4), 0, -1))


@unary(())
def test_eight_axes(name):
    check(*UNARY[name], drawn(1, 2, 1, 3, 2, 1, 2, 2))


@pytest.mark.parametrize("name", BINARY)
def test_eight_axes_of_two(name):
    check(*BINARY[name], drawn(1, 2, 1, 3, 2, 1, 2, 2), drawn(2, 1, 2, 1, 2, 2, 1, 2, seed=1))


@pytest.mark.parametrize("name", BINARY)
def test_arguments_that_are_one_array(name):
    x = drawn(3, 4)
    check(*BINARY[name], x, x)
    check(*BINARY[name], x[:2], x[1:])
    check(*BINARY[name], x[::-1], x)


@unary(())
def test_arrays_that_may_not_be_written(name):
    value = drawn(3, 4)
    value.setflags(write=False)
    check(*UNARY[name], value)
    check(*UNARY[name], np.broadcast_to(np.arange(4.0), (3, 4)))


def test_a_shared_value_that_may_not_be_written():
    value = np.arange(3.0)
    value.setflags(write=False)
    kept = st.shared(value, borrow=True)
    st.function([], updates=[(kept, kept + 1)])()
    assert kept.get_value().tolist() == [1, 2, 3] and value.tolist() == [0, 1, 2]


def test_an_argument_that_is_the_value_of_a_shared_variable():
    x, kept = T.dvector("x"), st.shared(np.arange(4.0), borrow=True)
    f = st.function([x], x[::-1] + kept, updates=[(kept, kept[::-1] * 2)])
    own = kept.get_value(borrow=True)
    assert f(own).tolist() == [3, 3, 3, 3] and kept.get_value().tolist() == [6, 4, 2, 0]
