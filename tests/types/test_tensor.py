"""Types of tensors: the variables they make, and the values they take."""

import numpy as np
import pytest

import symtensor.tensor  # noqa: F401 (types make variables)
from symtensor.base.errors import TypeMismatch
from symtensor.types.tensor import TensorType


def test_a_variable_made_of_a_type_has_sizes_of_its_own_but_those_that_are_fixed_or_named():
    x = TensorType("float64", (None, 3, "rows"))("x")
    y = x.type("y")
    assert y.type == x.type and str(y.type.shape) == "(y.0, 3, rows)" and y.type.shape[2] == x.type.shape[2]


def test_values_are_filtered():
    row = TensorType("float32", (1, None))
    assert row.filter([[1, 2]]).dtype == "float32" and row.filter([[300.5]], allow_downcast=True).shape == (1, 1)
    scalar = TensorType("float32")
    assert scalar.filter(0.1) == np.float32(0.1) and scalar.is_valid_value(scalar.filter(1))
    for type, value, options in ((row, [1.0], {}), (row, [[1.0], [2.0]], {}), (scalar, np.float64(0.1), {}),
                                 (scalar, 0.1, {"strict": True}), (TensorType("int8"), 300, {})):
        with pytest.raises(TypeMismatch, match="is wanted, not"):
            type.filter(value, **options)
    assert not row.is_valid_value(1.0) and row.make_variable("r").name == "r"


def test_values_are_compared():
    a = np.array([1.0, np.nan])
    same, close = TensorType.values_eq, TensorType.values_eq_approx
    assert same(a, a) and not same(a, a.astype("float32")) and not same(a, a + 1e-9) and close(a, a + 1e-9)
    assert not close(a, a + 1e-3) and close(a.astype("float32"), a.astype("float32") + np.float32(1e-3))
    assert not close(a, a[:1]) and not close(a, [1.0, 2.0]) and close(a, np.array([1.0, 2.0]), allow_remove_nan=True)
