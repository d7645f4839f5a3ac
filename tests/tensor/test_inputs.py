"""Types and input variables under Theano's names."""

import pytest

import symtensor.tensor as T
from symtensor.base.config import config
from symtensor.base.errors import ShapeError, TypeMismatch
from symtensor.tensor.inputs import LETTERS, PATTERNS
from symtensor.types.tensor import TensorType


@pytest.mark.parametrize("kind", PATTERNS)
def test_every_letter_has_every_rank(kind):
    for letter, dtype in LETTERS.items():
        type = getattr(T, letter + kind)
        assert type == TensorType(dtype, PATTERNS[kind])
        assert type("x").name == "x" and type().name is None
    made = getattr(T, kind)("x", dtype="int8")
    assert made.dtype == "int8" and made.ndim == len(PATTERNS[kind])


def test_floatX_is_the_default_dtype():
    with config.change(floatX="float32"):
        assert T.matrix().dtype == "float32" and T.scalar("s").name == "s"
    assert T.matrix().dtype == "float64"


def test_plurals():
    assert [v.name for v in T.matrices("a", "b")] == ["a", "b"]
    assert [v.name for v in T.dmatrices("xy")] == ["x", "y"]
    assert [v.type.dtype for v in T.ivectors(3)] == ["int32"] * 3
    assert [v.ndim for v in T.tensor4s("a", "b")] == [4, 4]


def test_rows_and_columns_broadcast():
    assert T.row().broadcastable == (True, False) and T.dcol().broadcastable == (False, True)


def test_shapes_may_be_named_or_fixed():
    x, w = T.matrix("x", shape=("batch", 784)), T.matrix("w", shape=(784, 10))
    assert str(T.dot(x, w).type) == "TensorType(float64, (batch, 10))"
    with pytest.raises(ShapeError, match=r"\(3,\) is not the shape of a matrix"):
        T.matrix("x", shape=(3,))
    with pytest.raises(ShapeError, match=r"\(2, 3\) is not the shape of a row"):
        T.row("x", shape=(2, 3))


def test_types_by_pattern():
    assert T.tensor("float32", (False, True), "x").broadcastable == (False, True)
    assert T.tensor(dtype="int8", shape=(None, 3)).type.static_shape == (None, 3)
    assert T.TensorType("float64", (False, True))("x").name == "x"
    assert T.TensorType(dtype="int8", broadcastable=(False, True)) == T.TensorType("int8", (None, 1))
    with pytest.raises(TypeMismatch, match="tensor needs either broadcastable or shape"):
        T.tensor("float32")
    with pytest.raises(TypeMismatch, match="'flaot32' is not a tensor dtype"):
        T.matrix("x", dtype="flaot32")
