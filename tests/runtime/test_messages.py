"""What is said of calls that cannot be: which line of the user, which operands, and what to try; on both backends."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import IndexOutOfRange, LinearAlgebraError, ShapeError, TypeMismatch
from symtensor.tensor.shared_randomstreams import RandomStreams

x, y, v, w = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v"), T.dvector("w")
n = T.lscalar("n")
ONES = np.ones

CALLS = {
    "elementwise": (v + w, (ONES(2), ONES(3)), ShapeError, "sizes of axis 0: v.0 is 2 and w.0 is 3",
                    "give arrays of one size, or cut the longer one: x[:y.shape[0]]"),
    "a size of 1": (v + w, (ONES(1), ONES(3)), ShapeError, "sizes of axis 0: v.0 is 1 and w.0 is 3",
                    "only a size known to be 1 stretches: T.addbroadcast(x, axis), or declare it:"
                    " T.matrix(shape=(1, None))"),
    "product": (T.dot(x, v), (ONES((2, 2)), ONES(3)), ShapeError,
                "columns of the left and rows of the right matrix: x.1 is 2 and v.0 is 3",
                "transpose one of them, x.T, or give arrays whose inner sizes agree"),
    "reshape": (v.reshape((n, 2)), (ONES(6), 4), ShapeError,
                "number of elements before and after: v.0 is 6 and 2*n is 8",
                "let one size be found: x.reshape((n, -1))"),
    "join": (T.stack([v, w]), (ONES(2), ONES(3)), ShapeError,
             "sizes of axis 1 of the parts joined: v.0 is 2 and w.0 is 3", "cut or pad the parts to one size"),
    "write": (T.set_subtensor(v[:3], w), (ONES(4), ONES(2)), ShapeError,
              "sizes of the region and of the value put there: min(3, v.0) is 3 and w.0 is 2",
              "give a value of the part's shape, or a number for all of it"),
    "square": (T.nlinalg.det(x), (ONES((2, 3)),), ShapeError,
               "rows and columns of a square matrix: x.0 is 2 and x.1 is 3",
               "give a square matrix; pinv and lstsq take others too"),
    "right side": (T.slinalg.solve(x, v), (np.eye(2), ONES(3)), ShapeError,
                   "rows of the matrix and of the right side: x.0 is 2 and v.0 is 3",
                   "give a right side with as many rows as the matrix has"),
    "largest of none": (T.max(v), (ONES(0),), ShapeError, "max of no elements: axis 0 is empty",
                        "give at least one element, or join one: concatenate([x, [0]])"),
    "index": (v[n], (ONES(3), 3), IndexOutOfRange, "index n is out of range for axis 0 of size v.0",
              "positions run from -size to size - 1"),
    "negative size": (T.zeros((n,)), (-1,), ShapeError, "a size may not be negative", "give a number of 0 and above"),
    "inverse": (T.nlinalg.matrix_inverse(x), (np.zeros((2, 2)),), LinearAlgebraError, "inverse: a matrix is singular",
                "pinv and lstsq take singular matrices too; or add a small number to the diagonal"),
    "solve": (T.slinalg.solve(x, v), (np.zeros((2, 2)), ONES(2)), LinearAlgebraError, "solve: a matrix is singular",
              "pinv and lstsq take singular matrices too; or add a small number to the diagonal"),
    "cholesky": (T.slinalg.cholesky(x), (-np.eye(2),), LinearAlgebraError,
                 "cholesky[lower]: a matrix is not positive definite", "add a small number to the diagonal"),
    "infinite": (T.slinalg.cholesky(x * np.inf), (np.eye(2) + 1,), LinearAlgebraError,
                 "cholesky[lower]: a matrix is not positive definite", "add a small number to the diagonal"),
    "infinite and large": (T.slinalg.cholesky(x * np.inf), (np.eye(40) + 1,), LinearAlgebraError,
                           "cholesky[lower]: a matrix is not positive definite", "add a small number to the diagonal"),
    "spectrum": (T.nlinalg.svd(x)[1], (np.full((2, 2), np.nan),), LinearAlgebraError,
                 "svd[values]: the iteration did not converge", "look for NaN or infinities in the matrix"),
    "poisson": (RandomStreams(1).poisson(lam=v), ([-1.0],), IndexOutOfRange, "poisson: lam < 0 or lam contains NaNs",
                "give parameters of 0 and above"),
}


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_says(name, backend):
    expression, values, kind, what, fix = CALLS[name]
    inputs = [variable for variable in (x, v, w, n) if variable in st.graph.inputs([expression])]
    with st.config.change(backend=backend), pytest.raises(kind) as caught:
        st.function(inputs, expression)(*values)
    error = caught.value
    assert (error.what, error.fix) == (what, fix)
    assert error.where[0].endswith(" in <module>: " + _line(error.where[0]))
    assert error.operands


def _line(where):
    """The text of a line of this file, which an error names."""
    file, number = where.split(" in ")[0].rsplit(":", 1)
    assert file == __file__
    return Path(__file__).read_text().splitlines()[int(number) - 1].strip()


def test_what_is_never_equal_says_the_same():
    with pytest.raises(ShapeError, match="784 and 500 can never be equal(.*\n)*  fix      transpose one of them"):
        T.dot(T.matrix("a", shape=(None, 784)), T.matrix("b", shape=(500, 10)))


def test_what_a_users_function_raises_says_where_it_is_used():
    @st.as_op(itypes=[T.dvector], otypes=[T.dvector])
    def picky(values):
        raise KeyError("no such thing")

    for backend in ("c", "numpy"):
        with st.config.change(backend=backend), pytest.raises(KeyError, match="no such thing") as caught:
            st.function([v], picky(v))([1.0])
        assert any("raised by picky" in note and __file__ in note for note in caught.value.__notes__)


def test_sparse_values_for_dense_variables():
    matrix = scipy.sparse.eye(2, format="csr")
    message = r"is dense, and was given a scipy.sparse matrix\n  fix      value.toarray\(\); or declare it sparse"
    with pytest.raises(TypeMismatch, match="'x' " + message):
        st.function([x], x * 2)(matrix)
    with pytest.raises(TypeMismatch, match="'kept' " + message):
        st.shared(np.eye(2), "kept").set_value(matrix)


def test_an_attribute_that_arrays_do_not_have():
    with pytest.raises(TypeMismatch, match=r"an array has no attribute 'shap'\n  fix      did you mean 'shape'"):
        st.printing.Print("x", attrs=["shap"])


ATTEMPTS = {
    "None": (lambda: st.function([x], x)(None), "'x' must be float64 .*, and None is no number",
             "give a number, an array or a nested list of numbers"),
    "a text": (lambda: st.function([x], x)("abc"), "'x' must be float64 .*, and 'abc' is no number",
               "give a number, an array or a nested list of numbers"),
    "rows of two lengths": (lambda: st.function([x], x)([[1, 2], [3]]), "'x' is not an array",
                            "give rows of one length"),
    "float": (lambda: float(v.sum()), r"sum\(v\) is not a number: it is a symbolic expression",
              r"x.eval\(\), or compute"),
    "int": (lambda: int(n), "n is not a number", "x.eval"), "range": (lambda: range(n), "n is not a number", "x.eval"),
    "position": (lambda: [1, 2][v], "v is no integer", r'cast it: x.astype\("int64"\)'),
    "text in a sum": (lambda: x + "a", "'a' is not a tensor", "give a number, an array or a nested list of numbers"),
    "by a number": (lambda: st.grad(v.sum(), 2), "grad: wrt must be variables, and 2 is none", "give what T.matrix"),
    "of a number": (lambda: st.grad(2.0, v), "grad: the cost must be variables, and 2.0 is none", "give what T.matrix"),
    "jacobian": (lambda: st.gradient.jacobian([v], v), r"jacobian: the expression must be variables", "give what"),
    "few directions": (lambda: st.Rop(v * w, [v, w], [v]), "Rop: 1 eval_points are given for 2 variables",
                       "give one of"),
    "many directions": (lambda: st.Lop(v * w, v, [v, w]), "Lop: 2 eval_points are given for 1 variables",
                        "give one of"),
    "another rank": (lambda: st.shared(np.ones(2), "s").set_value(np.ones((2, 2))), "s holds float64 with 1 axes",
                     "reshape it to 1 axes"),
    "norm": (lambda: x.norm("fro"), "norm: the order must be a number, and 'fro' is none", "nlinalg.norm"),
    "twice": (lambda: st.function([x, x], x), "x is an input twice", "name it once"),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_a_new_user_tries(name):
    attempt, message, fix = ATTEMPTS[name]
    with pytest.raises((TypeMismatch, st.graph.GraphError), match=rf"{message}(.*\n)+  fix      {fix}"):
        attempt()


def test_constants_are_numbers():
    assert int(T.constant(3)) == 3 and float(T.constant(2.5)) == 2.5 and list(range(T.constant(2))) == [0, 1]


def test_names_that_are_nearly_right():
    import traceback
    for module, wrong in [(T, "softma"), (st, "functon")]:
        try:
            getattr(module, wrong)
        except AttributeError as error:
            assert (error.name, error.obj) == (wrong, module)
            assert wrong in "".join(traceback.format_exception(error))


def test_a_name_that_no_input_has():
    """What was written is named, not what is missing for it."""
    f = st.function([x, st.In(v, name="weights")], T.dot(x, v))
    with pytest.raises(TypeMismatch, match=r"no input named 'wieghts'(.*\n)*  fix      did you mean 'weights'\?"):
        f(ONES((2, 2)), wieghts=ONES(2))
    with pytest.raises(TypeMismatch, match=r"no input named 'z'(.*\n)*  fix      give it by one of these names"):
        f(ONES((2, 2)), ONES(2), z=1)


@pytest.mark.parametrize("dtype, value, said", [
    ("int64", 2**63, r"must be int64, -9223372036854775808 to 9223372036854775807, and 9223372036854775808 is beyond"),
    ("int64", -2**70, r"must be int64, -9223372036854775808 to 9223372036854775807, and -1180591620717411303424 is"),
    ("int8", 300, r"must be int8, -128 to 127, and 300 is beyond"),
    ("uint8", -1, r"must be uint8, 0 to 255, and -1 is beyond"),
    ("bool", 2**70, r"must be bool, 0 and 1, and 1180591620717411303424 is beyond"),
])
def test_whole_numbers_beyond(dtype, value, said):
    """A Python integer that the dtype does not hold: the reach is said, and the number."""
    a = T.scalar("a", dtype=dtype)
    with pytest.raises(TypeMismatch, match=f"'a' {said}(.*\\n)*  fix      declare the variable with a larger dtype"):
        st.function([a], a)(value)


def test_whole_numbers_for_floats():
    """Where floats are wanted they are floats, whatever their size."""
    f = st.function([v], v)
    np.testing.assert_array_equal(f([10**30, -10**400, 1]), [1e30, -np.inf, 1.0])
