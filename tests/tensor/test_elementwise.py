"""Elementwise functions against NumPy and SciPy: values, dtypes, special values."""
# ruff: noqa: B023  (the functions made in loops are called in the same turn)

import numpy as np
import pytest
import scipy.special

import symtensor.tensor as T
from symtensor.base.errors import ShapeError, TypeMismatch

from .agree import agree, numbers, value

SPECIAL = np.array([-np.inf, -2.5, -1.0, -0.5, -0.0, 0.0, 1e-300, 0.5, 1.0, 1.5, 2.5, 700.0, np.inf, np.nan])
UNARY = {
    "abs_": np.abs, "neg": np.negative, "sgn": np.sign, "inv": np.reciprocal, "sqr": np.square, "sqrt": np.sqrt,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "arcsinh": np.arcsinh, "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint, "erf": scipy.special.erf,
    "erfc": scipy.special.erfc, "isnan": np.isnan, "isinf": np.isinf, "deg2rad": np.deg2rad, "rad2deg": np.rad2deg,
    "sigmoid": scipy.special.expit, "square": np.square, "reciprocal": np.reciprocal,
}
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "true_div": np.true_divide, "int_div": np.floor_divide,
    "mod": np.mod, "pow": np.power, "power": np.power, "maximum": np.maximum, "minimum": np.minimum, "eq": np.equal,
    "neq": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "arctan2": np.arctan2, "xlogy0": lambda x, y: np.where(x == 0, 0, x * np.log(y)),
}
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_one_argument(name, dtype):
    rtol = 1e-5 if dtype == "float32" else 1e-13
    agree(getattr(T, name), UNARY[name], SPECIAL.astype(dtype), rtol=rtol)
    agree(getattr(T, name), UNARY[name], numbers(2, 0, 3, dtype=dtype))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arguments(name):
    agree(getattr(T, name), BINARY[name], SPECIAL[:, None], SPECIAL[None, :], rtol=1e-13)
    agree(getattr(T, name), BINARY[name], numbers(2, 1), numbers(3, seed=1), rtol=1e-13)
    agree(getattr(T, name), BINARY[name], numbers(), numbers(1, 3, seed=1), rtol=1e-13)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "int_div", "mod", "maximum", "eq", "lt"])
def test_integers(name):
    left, right = np.array([-7, -1, 0, 1, 7], "int32"), np.array([3, -3, 2, 5, -2], "int16")
    agree(getattr(T, name), BINARY[name], left, right)


def test_division_of_integers_gives_floats():
    agree(T.true_div, np.true_divide, numbers(3, dtype="int64"), numbers(3, dtype="int64", seed=1))
    assert (T.ivector() / T.ivector()).type.dtype == "float64"


def test_python_numbers_take_the_dtype_they_meet():
    x = T.fvector("x")
    assert {v.type.dtype for v in (x + 1, 1.5 * x, x / 2, x ** 2, T.maximum(x, 0), T.clip(x, -1, 1.5),
                                   T.switch(x > 0, x, 0))
            } == {"float32"}


def test_sums_of_several():
    agree(lambda *x: T.add(*x), lambda *a: sum(a[1:], a[0]), *(numbers(2, 3, seed=i) for i in range(4)))
    agree(lambda *x: T.mul(*x), lambda a, b, c: a * b * c, *(numbers(3, seed=i) for i in range(3)))
    with pytest.raises(TypeMismatch, match="sub takes 2 arguments, not 3"):
        T.sub(1, 2, 3)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16"])
def test_bits(dtype):
    left, right = numbers(6, dtype=dtype), numbers(6, dtype=dtype, seed=1)
    for name, meaning in [("and_", np.bitwise_and), ("or_", np.bitwise_or), ("xor", np.bitwise_xor)]:
        agree(getattr(T, name), meaning, left, right)
    agree(lambda x: ~x, np.invert, left)
    agree(lambda x, y: (x & y) | (x ^ y), lambda a, b: (a & b) | (a ^ b), left, right)


def test_bits_of_floats_are_refused():
    with pytest.raises(TypeMismatch, match=r"and_ needs integers or bool, not float64(.*\n)*  fix      compare first"):
        T.dvector("x") & T.dvector("y")


@pytest.mark.parametrize("low, high", [(-1, 1), (0.5, 0.25), (0, np.array([0.1, 0.2, 0.3]))])
def test_clip(low, high):
    agree(lambda x: x.clip(low, high), lambda a: np.clip(a, low, high), numbers(2, 3))


def test_switch():
    agree(T.switch, np.where, numbers(2, 3, dtype="bool"), numbers(3), numbers(2, 1, seed=1))
    agree(lambda c, x: T.where(c, x, 0), lambda c, a: np.where(c, a, 0), numbers(3), numbers(3))


def test_rounding():
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994])
    agree(lambda x: x.round(), np.rint, halves)
    agree(lambda x: T.round(x, "half_away_from_zero"), lambda a: np.array([-3.0, -2, -1, 1, 2, 3, 0]), halves)
    agree(T.iround, lambda a: np.rint(a).astype("int64"), halves)
    with pytest.raises(TypeMismatch, match="round: there is no mode 'up'"):
        T.round(1.5, "up")


def test_cast():
    agree(lambda x: x.astype("int16"), lambda a: a.astype("int16"), numbers(3))
    agree(lambda x: T.cast(x, "floatX"), lambda a: a.astype("float64"), numbers(3, dtype="int8"))
    x = T.fvector("x")
    assert x.astype("float32") is x
    with pytest.raises(TypeMismatch, match="casting complex128 to float64 would lose the imaginary part"):
        T.zvector("z").astype("float64")


def test_angles_of_narrow_integers_are_narrow_floats():
    for convert in (T.deg2rad, T.rad2deg):
        assert [convert(T.vector(dtype=d)).type.dtype for d in ("int8", "int32", "float32")] == [
            "float32", "float64", "float32"]


def test_closeness():
    pairs = SPECIAL[:, None], np.append(SPECIAL, 1.000001)[None, :]
    for equal_nan in (False, True):
        agree(lambda x, y: T.isclose(x, y, equal_nan=equal_nan), lambda a, b: np.isclose(a, b, equal_nan=equal_nan),
              *pairs)
    agree(T.allclose, lambda a, b: np.allclose(a, b), numbers(3), numbers(3) + 1e-9)
    agree(lambda x: T.allclose(x, x + 1), lambda a: np.bool_(False), numbers(3))


def test_quotients():
    left, right = np.array([7, -7, 6, -6]), np.array([2, 2, 3, -3])
    agree(lambda x, y: T.divmod(x, y)[0], np.floor_divide, left, right)
    agree(lambda x, y: divmod(x, y)[1], np.mod, left, right)
    agree(T.ceil_intdiv, lambda a, b: -(-a // b), left, right)
    agree(T.ceil_intdiv, lambda a, b: np.array([4, 2], "uint8"), np.array([7, 6], "uint8"), np.array([2, 3], "uint8"))
    with pytest.raises(TypeMismatch, match="ceil_intdiv divides integers"):
        T.ceil_intdiv(1.5, 2)


def test_xlogx_is_zero_at_zero():
    assert value(T.xlogx(np.array([0.0, 1.0, np.e]))).tolist() == [0.0, 0.0, np.e]


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError, match=r"add: sizes of axis 0: 2 and 3 can never be equal\n  where(.*\n)*  operand"):
        T.zeros(2) + T.zeros(3)
    x, y = T.dvector("x"), T.dvector("y")
    with pytest.raises(ShapeError, match="sizes of axis 0: x.0 is 2 and y.0 is 3"):
        value(x + y, {x: numbers(2), y: numbers(3)})
    with pytest.raises(ShapeError):  # a size that is 1 only at run time does not broadcast
        value(x + y, {x: numbers(1), y: numbers(3)})
