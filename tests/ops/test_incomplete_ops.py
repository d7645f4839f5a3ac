"""What the author of an op is told when something is missing."""

import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import MissingMethodError, TypeMismatch


class Nothing(st.Op):
    """Says nothing of itself."""


class TypeOnly(st.Op):
    """Says its type and no value."""

    def infer(self, x):
        return x.type


class FromTheano(st.Op):
    """Written for Theano."""

    def make_node(self, x):
        raise AssertionError("this is never called")


def test_an_op_without_a_type():
    x = T.dvector("x")
    with pytest.raises(MissingMethodError, match="does not say the type") as error:
        Nothing()(x)
    assert error.value.fix == "define infer(self, *inputs) in class Nothing; docs/ops.md shows how"
    assert any("Nothing()(x)" in line for line in error.value.where)
    assert isinstance(error.value, NotImplementedError)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_an_op_without_a_value(backend):
    x = T.dvector("x")
    with st.config.change(backend=backend), pytest.raises(MissingMethodError, match="does not say the value") as error:
        st.function([x], TypeOnly()(x))([1.0])
    assert "define evaluate(self, *arrays) in class TypeOnly" in error.value.fix


def test_an_op_written_for_theano():
    with pytest.raises(MissingMethodError, match="make_node and perform are Theano's"):
        FromTheano()(T.dvector("x"))


def test_an_op_given_numbers():
    with pytest.raises(TypeMismatch, match="needs variables, not list") as error:
        TypeOnly()([1.0, 2.0])
    assert "T.as_tensor_variable(value)" in error.value.fix
