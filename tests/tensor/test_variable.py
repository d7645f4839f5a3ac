"""What every variable can do: its methods agree with the functions, and say no where a number is needed."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import symtensor
import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import MissingInputError, TypeMismatch
from symtensor.ir.node import Constant
from symtensor.printing import pp

from .agree import agree, numbers, value


def test_what_is_known_without_computing():
    x = T.tensor("int8", shape=("n", 1), name="x")
    assert (x.dtype, x.ndim, x.broadcastable, x.name, x.owner) == ("int8", 2, (False, True), "x", None)
    assert (x + 1).owner.op is T.add
    x.tag.test_value = 3
    assert x.tag.test_value == 3


METHODS = [
    "dimshuffle(1, 0)", "flatten()", "ravel()", "swapaxes(0, 1)", "squeeze()", "repeat(2, 0)", "reshape((-1,))",
    "transpose((1, 0))", "sum(axis=0)", "prod()", "mean(1)", "var()", "std()", "max(0)", "min()", "argmax(1)",
    "argmin()", "any()", "all()", "ptp()", "norm(2)", "clip(0, 1)", "round()", "zeros_like()", "ones_like()",
    "fill(2)", "take([0], 0)", "nonzero_values()", "diagonal()", "trace()", "dot(np.ones((3, 2)))",
]


@pytest.mark.parametrize("call", METHODS)
def test_methods_agree_with_functions(call):
    x, array = T.dmatrix("x"), numbers(2, 3)
    by_method = eval(f"x.{call}", {"x": x, "np": np})
    by_function = eval(f"T.{call}".replace("(", "(x, ", 1), {"x": x, "np": np, "T": T})
    np.testing.assert_array_equal(value(by_method, {x: array}), value(by_function, {x: array}))


def test_properties_and_operators():
    agree(lambda x: x.T + x.copy().T, lambda a: 2 * a.T, numbers(2, 3))
    agree(lambda x: x.astype("int32") * x.size, lambda a: a.astype("int32") * np.int64(6), numbers(2, 3))
    agree(lambda x: abs(x) - -x, lambda a: np.abs(a) + a, numbers(2, 3))
    agree(lambda x: +x // 2 % 3, lambda a: a // 2 % 3, numbers(2, 3))
    agree(lambda x: 2 ** x - 1 / x, lambda a: 2 ** a - 1 / a, numbers(2, 3))


def test_things_that_need_a_number():
    x = T.dvector("x")
    with pytest.raises(TypeMismatch, match="x has no length(.*\n)*  fix      use x.shape"):
        len(x)
    with pytest.raises(TypeMismatch, match=r"\(x > 0.0\) has no truth value"):
        bool(x > 0)
    with pytest.raises(TypeMismatch, match="x is not a number: it is a symbolic expression"):
        f"{x:.2f}"
    assert f"{x}" == "x" and f"{T.constant(0.125):.2f}" == "0.12"
    assert len(T.matrix(shape=(3, None))) == len(list(T.matrix(shape=(3, None)))) == 3


@pytest.mark.parametrize("given", [np.ones(3), {"x": 1.0}, 1.0])
def test_eval_takes_variables(given):
    """Not an array, which has no keys; and not names, of which there may be two."""
    with pytest.raises(TypeMismatch, match=r"eval takes a dict from variables to values, not (.*\n)*"
                                           r"  fix      x.eval\(\{a: 1.0, b: 2.0\}\), where a and b are the variables"):
        T.dvector("x").eval(given)


def test_a_name_is_a_text():
    with pytest.raises(TypeMismatch, match=r"name of a variable must be a str, not \(3, 4\)\n  fix      sizes are"
                                           r" given by shape: matrix\('x', shape=\(3, None\)\)"):
        T.matrix((3, 4))


def test_a_clone_stands_alone():
    x = T.dvector("x")
    x.tag.mark = 1
    y = (x + 1).clone()
    assert y.owner is None and y.type == x.type
    assert x.clone().name == "x" and x.clone().tag.mark == 1 and x.clone() is not x
    assert isinstance(T.constant(2).clone(), Constant)


def test_variables_compare_by_identity():
    x = T.dscalar("x")
    assert x == x and x != T.dscalar("x") and len({x, x + 0, x}) == 2
    assert x in [T.dscalar("y"), x]


def test_arrays_leave_operators_to_variables():
    array = np.ones(3)
    agree(lambda x: array + x, lambda a: array + a, numbers(3))
    agree(lambda x: array @ x, lambda a: array @ a, numbers(3))
    agree(lambda x: np.float32(2) * x, lambda a: np.float32(2) * a, numbers(3))


def test_eval():
    x, y = T.dscalars("x", "y")
    assert (x + y).eval({x: 1.0, y: 2.0}) == 3.0
    total = x * 2
    assert total.eval({x: 1.0}) == 2.0 and total.eval({x: 4.0}) == 8.0
    with pytest.raises(MissingInputError):
        (x + y).eval({x: 1.0})


def test_clone_with_replacements():
    x, y, z = T.dvector("x"), T.dvector("y"), T.dscalar("z")
    assert pp(st.clone(x + y, {x: y * 2, y: x})) == "((y * 2) + x)"
    both = st.clone([x + 1, x * 2], [(x, y)])
    assert [pp(v) for v in both] == ["(y + 1)", "(y * 2)"]
    assert st.clone(x + 1, {x: T.ivector("i")}, strict=False).type.dtype == "float64"
    fresh = st.clone(x + y, share_inputs=False)
    assert pp(fresh) == "(x + y)" and not {x, y} & set(fresh.owner.inputs)
    for bad, strict in [(z, False), (T.ivector("i"), True)]:
        with pytest.raises(TypeMismatch, match="cannot stand for x"):
            st.clone(x + 1, {x: bad}, strict=strict)


def test_public_names_exist():
    for name in st.__all__:
        assert getattr(st, name) is not None, name
    with pytest.raises(AttributeError, match="module 'symtensor' has no attribute 'functoin'"):
        st.functoin  # noqa: B018
    assert set(st.__all__) <= set(dir(st)) and symtensor.config.floatX == "float64"


def test_grad_is_the_function_whatever_is_imported_first():
    code = "import symtensor.grad.reverse, symtensor; print(symtensor.grad.__module__)"
    assert fresh_python(code) == ["symtensor.gradient"]


def test_copies_of_variables():
    x = T.dvector("x")
    assert pp(copy.copy(x) + 1) == "(x + 1)"


def fresh_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_importing_loads_neither_scipy_nor_the_vocabulary():
    loaded = fresh_python("import sys, symtensor; print(*(m for m in sys.modules if 'scipy' in m or '.tensor' in m))")
    assert loaded == []
    loaded = fresh_python("import sys, symtensor.tensor; print(*(m for m in sys.modules if 'scipy' in m))")
    assert loaded == []


def test_variables_have_their_methods_whatever_is_imported_first():
    assert fresh_python("from symtensor import shared; print(shared([1.0, 2.0]).sum().ndim)") == ["0"]


def test_a_deep_expression():
    x = y = T.dscalar("x")
    for _ in range(20_000):
        y = T.add.make(y, x)[0]
    assert pp(y).endswith("+ x) + x)") and st.clone(y, {x: T.dscalar("z")}).owner.op is T.add
    assert st.debugprint(y, depth=100, file="str").count("\n") == 199
