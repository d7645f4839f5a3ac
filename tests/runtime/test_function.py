"""`function`: what goes in, what comes out, what is updated, and what each mistake says."""


import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import (
    CompileError,
    GraphError,
    IndexOutOfRange,
    MissingInputError,
    ShapeError,
    TypeMismatch,
    UnusedInputError,
)
from symtensor.codegen.toolchain import toolchain
from tests.threads import in_threads

BACKENDS = ["c", "numpy"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with st.config.change(backend=request.param):
        yield request.param


def message(error) -> str:
    """The message of an error without the lines of this file."""
    return "\n".join(line for line in str(error.value).splitlines() if not line.startswith("  where"))


# -- what comes out -----------------------------------------------------------------------------------------

def test_forms_of_outputs(backend):
    x = T.dvector("x")
    value = np.array([1.0, 2.0])
    assert st.function([x], x * 2)(value).tolist() == [2.0, 4.0]
    assert [r.tolist() for r in st.function([x], [x + 1, x.sum()])(value)] == [[2.0, 3.0], 3.0]
    named = st.function([x], {"b": x, "a": x[0]})(value)
    assert {key: result.tolist() for key, result in named.items()} == {"a": 1.0, "b": [1.0, 2.0]}
    assert st.function([], [])() == []
    assert st.function([x], None, on_unused_input="ignore")(value) is None
    assert st.function([x], st.Out(x - 1, borrow=True))(value).tolist() == [0.0, 1.0]


def test_a_scalar_result_is_a_0d_array(backend):
    x = T.dscalar("x")
    result = st.function([x], x * x)(3)
    assert isinstance(result, np.ndarray) and result.shape == () and result == 9.0


def test_results_belong_to_the_caller(backend):
    x = T.dvector("x")
    f = st.function([x], [x * 2, x])
    first, same = f(np.ones(3))
    kept = first.copy()
    f(np.full(3, 5.0))
    assert (first == kept).all() and (same == 1).all()
    given = np.ones(3)
    assert not np.shares_memory(f(given)[1], given)


def test_outputs_repeated_reshaped_and_constant(backend):
    x = T.dmatrix("x")
    y = x * 2
    a, b, c, d = st.function([x], [y, y, y.flatten(), T.constant([1.0, 2.0])])(np.ones((2, 3)))
    assert a.shape == b.shape == (2, 3) and c.shape == (6,) and d.tolist() == [1.0, 2.0]
    assert not np.shares_memory(a, b) and not np.shares_memory(a, c)


# -- what goes in -------------------------------------------------------------------------------------------

def test_defaults_and_names(backend):
    x, y = T.dscalars("x", "y")
    f = st.function([x, st.In(y, value=10.0)], x - y)
    assert f(3.0) == -7.0 and f(3.0, 1.0) == 2.0 and f(y=1, x=2) == 1.0
    g = st.function([st.In(x, name="first"), y], x / y)
    assert g(first=1.0, y=4.0) == 0.25


def test_conversions(backend):
    x = T.fvector("x")
    f = st.function([x], x * 2)
    assert f([1, 2.5]).dtype == np.float32
    assert f(np.array([1, 2], "int16")).tolist() == [2.0, 4.0]
    with pytest.raises(TypeMismatch) as error:
        f(np.array([1.0, 2.0]))
    assert message(error) == (
        "'x' must be float32, and float64 may not fit it\n  operand  x: float64 (2,)\n"
        '  fix      x.astype("float32"), or function(..., allow_input_downcast=True)')
    assert st.function([x], x * 2, allow_input_downcast=True)(np.array([1.0])).tolist() == [2.0]
    strict = st.function([st.In(x, strict=True)], x)
    with pytest.raises(TypeMismatch, match="strict"):
        strict([1.0])


@pytest.mark.parametrize("make", [lambda a: a[::-1], lambda a: a.T, lambda a: a[:, ::2], np.asfortranarray,
                                  lambda a: np.broadcast_to(a[:1], a.shape), lambda a: a.astype(">f8")])
def test_any_memory_layout(backend, make):
    x = T.dmatrix("x")
    given = make(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(st.function([x], x * 2)(given), given * 2)


def test_unaligned_and_read_only_arrays(backend):
    x = T.dvector("x")
    raw = np.zeros(17, "uint8")[1:]
    unaligned = raw.view("float64")
    fixed = np.ones(2)
    fixed.setflags(write=False)
    f = st.function([x], x + 1)
    assert f(unaligned).tolist() == [1.0, 1.0] and f(fixed).tolist() == [2.0, 2.0]


def test_wrong_rank(backend):
    x = T.dmatrix("x")
    with pytest.raises(TypeMismatch) as error:
        st.function([x], x * 2)(np.ones(3))
    assert message(error) == ("'x' must have 2 axes (float64 (x.0, x.1)), not 1\n  operand  x: float64 (3,)\n"
                              "  fix      x[None, ...] adds an axis")


def test_what_fixes_of_unnamed_arguments_say(backend):
    f = st.function([T.fmatrix()], T.constant(1.0), on_unused_input="ignore")
    with pytest.raises(TypeMismatch, match=r"fix      value\[None, ...\] adds an axis"):
        f(np.ones(3, "float32"))
    with pytest.raises(TypeMismatch, match=r'fix      value.astype\("float32"\)'):
        f(np.ones((3, 3)))


def test_single_floats_of_numpy_fit_float_inputs(backend):
    x = T.fscalar("x")
    f = st.function([x], x * 2)
    assert f(np.float64(0.1)) == f(0.1) and f(np.float64(0.1)).dtype == "float32"
    with pytest.raises(TypeMismatch, match="must be int64"):
        st.function([T.lscalar()], T.constant(1), on_unused_input="ignore")(np.float64(1.5))


def test_a_list_of_nothing_fits_all_inputs(backend):
    x = T.ivector("x")
    f = st.function([x], x + 1)
    assert f([]).dtype == "int32" and f([]).shape == (0,) and f(()).shape == (0,)
    with pytest.raises(TypeMismatch, match="'x' must be int32, and float64 may not fit it"):
        f(np.empty(0))


def test_number_and_names_of_arguments(backend):
    x = T.dvector("x")
    f = st.function([x], x)
    for call, text in (((), "without 'x'"), (([1.0], [2.0]), "takes 1 arguments, not 2")):
        with pytest.raises(TypeMismatch, match=text):
            f(*call)
    with pytest.raises(TypeMismatch, match="no input named 'y'"):
        f([1.0], y=2)
    with pytest.raises(TypeMismatch, match="twice"):
        f([1.0], x=[1.0])
    with pytest.raises(TypeMismatch, match="the expression x where an array is needed"):
        f(x)


def test_sizes_that_disagree(backend):
    x, y = T.dvectors("x", "y")
    f = st.function([x, y], x + y)
    with pytest.raises(ShapeError) as error:
        f(np.ones(3), np.ones(4))
    assert message(error).splitlines()[0] == "sizes of axis 0: x.0 is 3 and y.0 is 4"
    assert "test_function.py" in str(error.value) and "x + y" in str(error.value)
    assert error.value.operands == ("x: float64 (x.0,)", "y: float64 (y.0,)")
    assert error.value.fix == "give arrays of one size, or cut the longer one: x[:y.shape[0]]"
    assert f(np.ones(3), np.ones(3)).tolist() == [2.0] * 3


def test_unknown_sizes_do_not_broadcast_at_run_time(backend):
    x, y = T.dvectors("x", "y")
    with pytest.raises(ShapeError, match="x.0 is 1 and y.0 is 4") as error:
        st.function([x, y], (x * 2) + y)(np.ones(1), np.ones(4))
    assert error.value.operands == ("(x * 2.0): float64 (x.0,)", "y: float64 (y.0,)")
    assert "T.addbroadcast(x, axis)" in error.value.fix


def test_named_and_fixed_sizes(backend):
    x, y = T.dmatrix("x", shape=("batch", 3)), T.dvector("y", shape=("batch",))
    f = st.function([x, y], x.sum(axis=1) + y)
    assert f(np.ones((2, 3)), np.ones(2)).tolist() == [4.0, 4.0]
    with pytest.raises(ShapeError, match="'x' must have size 3 along axis 1, not 4"):
        f(np.ones((2, 4)), np.ones(2))
    with pytest.raises(ShapeError, match=r"'y' must have size 2 \(batch\) along axis 0, not 5"):
        f(np.ones((2, 3)), np.ones(5))


def test_contradiction_is_found_when_written():
    x, w = T.dmatrix("x", shape=(None, 784)), T.dmatrix("w", shape=(500, 10))
    with pytest.raises(ShapeError) as error:
        T.dot(x, w)
    assert "784 and 500 can never be equal" in str(error.value) and "T.dot(x, w)" in str(error.value)


@pytest.mark.skipif(toolchain() is None, reason="NumPy says it in other words")
def test_which_index_leaves_which_axis():
    table, rows = st.shared(np.zeros((3, 2)), name="table"), T.lvector("rows")
    with pytest.raises(IndexOutOfRange) as error:
        st.function([rows], updates=[(table, T.inc_subtensor(table[rows], 1))])([5])
    assert message(error).splitlines()[0] == "index 5 is out of range for an axis of size 3: axis 0 of table"
    assert error.value.operands == ("rows: int64 (rows.0,)", "rows counts along an axis of size table.0")
    x, n = T.dmatrix("x"), T.lscalar("n")
    with pytest.raises(IndexOutOfRange) as error:
        st.function([x, rows, n], T.exp(x)[rows - 1, n])(np.ones((2, 3)), [0, 1, 2], -4)
    assert error.value.what == "index -4 is out of range for an axis of size 3: axis 1 of exp(x)"
    assert error.value.where[0].startswith(f"{__file__}:") and "T.exp(x)[rows - 1, n]" in error.value.where[0]
    with pytest.raises(IndexOutOfRange, match="index -9 is out of range for an axis of size 2: axis 0 of exp"):
        st.function([x, rows, n], T.exp(x)[rows - 1, n])(np.ones((2, 3)), [0, 1, -8], 1)
    assert error.value.fix == "positions run from -size to size - 1"


def test_index_out_of_range(backend):
    x, i = T.dvector("x"), T.lvector("i")
    f = st.function([x, i], x[i] * 2)
    assert f([1.0, 2.0], [1, -2]).tolist() == [4.0, 2.0]
    with pytest.raises(IndexOutOfRange, match="out of range"):
        f([1.0, 2.0], [0, 2])
    assert f([1.0, 2.0], [0]).tolist() == [2.0]
    n = T.lscalar("n")
    g = st.function([x, n], x[n])
    with pytest.raises(IndexOutOfRange, match="index .* is out of range for axis 0"):
        g([1.0, 2.0], 2)
    assert g([1.0, 2.0], -1) == 2.0


# -- graphs that cannot be compiled -------------------------------------------------------------------------

def test_missing_and_unused_inputs():
    x, y = T.dvectors("x", "y")
    with pytest.raises(MissingInputError) as error:
        st.function([x], x + y)
    assert message(error) == ("an output depends on y, which is not an input and has no value\n"
                              "  operand  y: float64 (y.0,)\n"
                              "  fix      add it to the inputs, or replace it by givens")
    with pytest.raises(UnusedInputError, match="the input y is used by no output"):
        st.function([x, y], x)
    with pytest.warns(UserWarning, match="used by no output"):
        st.function([x, y], x, on_unused_input="warn")


def test_inputs_that_cannot_be_inputs():
    x, s = T.dvector("x"), st.shared(1.0, name="s")
    with pytest.raises(GraphError, match="an input twice"):
        st.function([x, x], x)
    with pytest.raises(GraphError, match="constant"):
        st.function([T.constant(1.0)], x)
    with pytest.raises(TypeMismatch, match="shared variable s cannot be an input"):
        st.function([s], s * 2)
    with pytest.raises(TypeMismatch, match="must be a list"):
        st.function(x, x)
    with pytest.raises(TypeMismatch, match="must be a variable"):
        st.function([3], x)


def test_an_input_may_be_computed():
    x = T.dvector("x")
    y = x * 2
    assert st.function([y], y + 1)([1.0]).tolist() == [2.0]


# -- shared variables ---------------------------------------------------------------------------------------

def test_updates(backend):
    counter = st.shared(0, name="counter")
    step = T.lscalar("step")
    f = st.function([step], counter, updates=[(counter, counter + step)])
    assert f(2) == 0 and f(5) == 2 and counter.get_value() == 7


def test_updates_are_simultaneous(backend):
    a, b = st.shared(np.array([1.0, 2.0]), name="a"), st.shared(np.array([3.0, 4.0]), name="b")
    f = st.function([], [], updates=[(a, b), (b, a)])
    f()
    assert a.get_value().tolist() == [3.0, 4.0] and b.get_value().tolist() == [1.0, 2.0]
    f()
    assert a.get_value().tolist() == [1.0, 2.0]


def test_updates_may_change_sizes(backend):
    a = st.shared(np.ones(2), name="a")
    f = st.function([], a.sum(), updates={a: T.concatenate([a, a])})
    assert [float(f()) for _ in range(3)] == [2.0, 4.0, 8.0] and a.get_value().shape == (16,)


def test_in_place_updates_read_old_values_first(backend):
    w = st.shared(np.arange(6.0).reshape(2, 3), name="w")
    x = T.dmatrix("x")
    f = st.function([x], [w.sum(), T.dot(x, w)], updates=[(w, w - 0.5 * T.dot(x.T, T.dot(x, w)))])
    given, old = np.ones((4, 2)), w.get_value()
    total, product = f(given)
    assert total == old.sum()
    np.testing.assert_allclose(product, given @ old)
    np.testing.assert_allclose(w.get_value(), old - 0.5 * given.T @ (given @ old))


def test_default_updates(backend):
    a = st.shared(1.0, name="a")
    a.default_update = a * 2
    f = st.function([], a + 0)
    assert f() == 1.0 and f() == 2.0
    assert st.function([], a + 0, no_default_updates=True)() == 4.0 and a.get_value() == 4.0


def test_givens(backend):
    x, y = T.dvector("x"), T.dvector("y")
    data = st.shared(np.arange(10.0), name="data")
    i = T.lscalar("i")
    f = st.function([i], (x * 2).sum(), givens={x: data[i * 2:(i + 1) * 2]})
    assert [float(f(k)) for k in range(5)] == [2.0 * (4 * k + 1) for k in range(5)]
    assert st.function([x], y, givens=[(y, x + 1)])([1.0]).tolist() == [2.0]
    with pytest.raises(TypeMismatch, match="of another type"):
        st.function([x], y, givens=[(y, T.imatrix())])


def test_wrong_updates():
    a, x = st.shared(np.zeros(3, "float32"), name="a"), T.dvector("x")
    with pytest.raises(TypeMismatch) as error:
        st.function([x], [], updates=[(a, x)])
    assert message(error).splitlines()[0] == (
        "the update of a is float64 (x.0,), and the variable holds float32 (a.0,)")
    assert 'value.astype("float32")' in str(error.value)
    with pytest.raises(GraphError, match="updated twice"):
        st.function([], [], updates=[(a, a), (a, a)])
    with pytest.raises(TypeMismatch, match="only shared variables"):
        st.function([x], [], updates=[(x, x)])
    with pytest.raises(TypeMismatch, match="pairs"):
        st.function([x], x, updates=[a])


def test_a_failing_call_updates_nothing(backend):
    a, i = st.shared(np.zeros(2), name="a"), T.lvector("i")
    f = st.function([i], a[i], updates=[(a, T.concatenate([a, a]))])
    with pytest.raises(IndexOutOfRange):
        f([7])
    assert a.get_value().shape == (2,)
    assert f([0]).tolist() == [0.0] and a.get_value().shape == (4,)


def test_shared_values():
    a = st.shared(np.zeros(3, "float32"), name="a")
    borrowed = a.get_value(borrow=True)
    assert a.get_value() is not borrowed
    with pytest.raises(TypeMismatch) as error:
        a.set_value(np.zeros((3, 3), "float32"))
    assert message(error) == ("a holds float32 with 1 axes and was given float32 with 2\n"
                              '  fix      reshape it to 1 axes, or make another shared variable')
    with pytest.raises(TypeMismatch):
        a.set_value(np.zeros(3))
    source = np.ones(4, "float32")
    a.set_value(source)
    source[:] = 7
    assert a.get_value().tolist() == [1.0] * 4
    with pytest.raises(TypeMismatch, match="cannot hold"):
        st.shared("text")
    fixed = st.shared(np.zeros((1, 3)), broadcastable=(True, False))
    with pytest.raises(TypeMismatch, match="size 1 along axis 0"):
        fixed.set_value(np.zeros((2, 3)))


# -- ops that misbehave -------------------------------------------------------------------------------------

def test_a_broken_op_is_named(backend):
    @st.as_op(itypes=[T.dvector], otypes=[T.dvector], infer_shape=lambda shapes: shapes)
    def broken(x):
        return x[:-1]

    @st.as_op(itypes=[T.dvector], otypes=[T.dvector])
    def raises(x):
        raise RuntimeError("no value today")

    x = T.dvector("x")
    with pytest.raises(AssertionError, match="broken"):
        st.function([x], broken(x) + 1)(np.ones(3))
    f = st.function([x], raises(x) + 1)
    with pytest.raises(RuntimeError, match="no value today"):
        f(np.ones(3))


def test_interrupt_in_a_call(backend):
    armed = [True]

    @st.as_op(itypes=[T.dvector], otypes=[T.dvector], infer_shape=lambda shapes: shapes)
    def interrupted(x):
        if armed[0]:
            raise KeyboardInterrupt
        return x * 2

    x, a = T.dvector("x"), st.shared(np.zeros(2), name="a")
    f = st.function([x], interrupted(x), updates=[(a, a + 1)])
    with pytest.raises(KeyboardInterrupt):
        f(np.ones(2))
    armed[0] = False
    assert f(np.ones(2)).tolist() == [2.0, 2.0]


def test_shapes_known_only_from_data(backend):
    @st.as_op(itypes=[T.dvector], otypes=[T.dvector])
    def positive(x):
        return x[x > 0]

    x = T.dvector("x")
    f = st.function([x], [positive(x) * 2, x[x > 0].sum(), (x > 0).nonzero()[0]])
    for value in ([1.0, -1.0, 3.0], [-1.0], [1.0, 2.0]):
        given = np.array(value)
        doubled, total, places = f(given)
        assert doubled.tolist() == (given[given > 0] * 2).tolist() and total == given[given > 0].sum()
        assert places.tolist() == np.nonzero(given > 0)[0].tolist()


# -- many callers, many sizes -------------------------------------------------------------------------------

def test_threads_share_a_function():
    x = T.dmatrix("x")
    f = st.function([x], T.nnet.softmax(x).sum(axis=0))

    def work(number):
        size = (3, 40, 500, 1000)[number]
        given = np.random.RandomState(size).randn(size, 50)
        expected = np.exp(given) / np.exp(given).sum(axis=1, keepdims=True)
        for _ in range(50):
            np.testing.assert_allclose(f(given), expected.sum(axis=0))

    in_threads(4, work)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1), (257, 3), (3, 1030)])
def test_one_compile_serves_all_sizes(shape, backend):
    x = T.dmatrix("x")
    f = st.function([x], [x.sum(axis=0), x.sum(axis=1), x.sum(), x.mean(axis=1), (x - x.mean(axis=0)) * 2])
    given = np.random.RandomState(0).randn(*shape)
    expected = [given.sum(axis=0), given.sum(axis=1), given.sum()]
    for got, want in zip(f(given), expected):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_what_a_function_tells_of_itself():
    x = T.dmatrix("x")
    f = st.function([x], T.nnet.softmax(x), name="normalise")
    assert repr(f) == "<compiled function normalise(x)>"
    (kernel,) = f.kernels
    assert "int KERNEL(" in kernel.text and kernel.file.endswith(".so")
    assert f.peak_bytes({"x": (10, 20)}) >= 10 * 20 * 8
    assert f.launches == 1 and f.library_calls == 0


def test_bytes_that_shapes_do_not_tell():
    x = T.dvector("x")
    positive = st.function([x], x[x > 0])
    with pytest.raises(CompileError, match="depend on the data, not on shapes alone.*\n.*f.workspace_bytes"):
        positive.peak_bytes({"x": (5,)})
    positive(np.arange(5.0))
    assert positive.workspace_bytes > 0
    doubled = st.function([x], x * 2)
    with pytest.raises(CompileError, match="needs 1 sizes of the input 'x', not 0"):
        doubled.peak_bytes({"x": ()})


def test_without_compiler_everything_still_runs(monkeypatch):
    from symtensor.runtime import compiled
    monkeypatch.setattr(compiled, "toolchain", lambda: None)
    monkeypatch.setattr(compiled, "_warned", set())
    x = T.dvector("x")
    with pytest.warns(UserWarning, match="no C compiler was found"):
        f = st.function([x], T.exp(x).sum())
    assert f([0.0, 0.0]) == 2.0
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        st.function([x], x + 1)
