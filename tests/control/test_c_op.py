"""Ops written in C: values, shapes, derivatives that were said, several in one function, what goes wrong."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import CompileError, GradientError, OpFailed, TypeMismatch

ROWS = """
#include <math.h>
static double APPLY_SPECIFIC(norm)(const DTYPE_INPUT_0 *row, long columns) {
  double total = 0;
  for (long j = 0; j < columns; ++j) total += row[j] * row[j];
  return sqrt(total);
}
int row_norms(const st_tensor *x, const st_tensor *scale, st_tensor *norms, st_tensor *count) {
  const DTYPE_INPUT_0 *from = x->data;
  const DTYPE_INPUT_1 *factor = scale->data;
  DTYPE_OUTPUT_0 *to = norms->data;
  if (x->ndim != 2) return 1;
  for (long i = 0; i < x->shape[0]; ++i)
    to[i] = *factor * APPLY_SPECIFIC(norm)(from + i * x->shape[1], x->shape[1]);
  *(long *)count->data = SIZE(x);
  return 0;
}
"""


def row_norms(dtype: str = "float64", **options: Any) -> st.COp:
    return st.COp(ROWS, "row_norms", [T.TensorType(dtype, (None, None)), T.dscalar],
                  [T.TensorType(dtype, (None,)), T.lscalar], lambda shapes: [(shapes[0][0],), ()], **options)


def test_values_and_shapes() -> None:
    """Two outputs, two dtypes of one text in one function; no Python runs."""
    x, y = T.dmatrix("x"), T.fmatrix("y")
    (norms, count), (single, _) = row_norms()(x * 2, 10), row_norms("float32")(y, 1.0)
    f = st.function([x, y], [norms + 1, count, single])
    assert {type(i).__name__ for i in f.program.instructions} == {"Launch"}
    a, b = np.random.default_rng(0).normal(size=(3, 4)), np.arange(6, dtype="float32").reshape(2, 3)
    for own, wanted in zip(f(a, b), (20 * np.linalg.norm(a, axis=1) + 1, 12, np.linalg.norm(b, axis=1))):
        np.testing.assert_allclose(own, wanted, rtol=1e-6)
    assert f(a[:, ::-1], b[:0])[2].shape == (0,)
    assert norms.type.shape == (x.type.shape[0],)


def test_it_is_called_in_loops_and_its_value_is_known_to_numpy() -> None:
    """Inside a scan, and where ops run by their meaning."""
    x = T.dtensor3("x")
    rows, _ = st.scan(lambda m: row_norms()(m, 1.0)[0], sequences=x)
    value = np.random.default_rng(1).normal(size=(4, 2, 3))
    np.testing.assert_allclose(st.function([x], rows)(value), np.linalg.norm(value, axis=2))
    np.testing.assert_allclose(row_norms().evaluate(value[0], np.array(2.0))[0], 2 * np.linalg.norm(value[0], axis=1))


def test_derivatives() -> None:
    """As was said; an error for those who ask where nobody did."""
    x = T.dmatrix("x")

    def pull(inputs: list[Any], outputs: list[Any], gradients: list[Any]) -> list[Any]:
        return [inputs[0] / outputs[0].dimshuffle(0, "x") * gradients[0].dimshuffle(0, "x"), None]
    slope = st.grad(row_norms(pull=pull)(x, 1.0)[0].sum(), x)
    value = np.random.default_rng(2).normal(size=(3, 2))
    np.testing.assert_allclose(slope.eval({x: value}), value / np.linalg.norm(value, axis=1)[:, None])
    with pytest.raises(GradientError, match="row_norms is C, and nobody said what its derivative is"):
        st.grad(row_norms()(x, 1.0)[0].sum(), x)


def test_failures() -> None:
    """A function that returns nonzero, and text that is not C."""
    x = T.dvector("x")
    fails = st.COp("int refuse(const st_tensor *x, st_tensor *y) { return SIZE(x) > 2; }", "refuse",
                   [T.dvector], [T.TensorType("float64", (1,))])
    f = st.function([x], fails(x))
    assert f([1.0]).shape == (1,)
    with pytest.raises(OpFailed, match="the C function refuse says that it failed\n.*test_c_op.py"):
        f(np.ones(3))
    wrong = st.COp("int wrong(const st_tensor *x, st_tensor *y) { return z; }", "wrong",
                   [T.dvector], [T.TensorType("float64", (1,))])
    with pytest.raises(CompileError, match="<wrong>:1:54: error: .z. undeclared"):
        st.function([x], wrong(x))


def test_from_files(tmp_path: Path) -> None:
    """The text may be in a file; such a function can be pickled if what says its shapes can."""
    file = tmp_path / "first.c"
    file.write_text("int first(const st_tensor *x, st_tensor *y)"
                    " { *(double *)y->data = *(double *)x->data; return 0; }")
    x = T.dvector("x")
    op = st.ExternalCOp(file, "first", itypes=[T.dvector], otypes=[T.dscalar])
    f = pickle.loads(pickle.dumps(st.function([x], op(x) * 2)))
    assert f([3.0, 4.0]) == 6.0


@pytest.mark.parametrize("make, message", [
    (lambda: st.COp("", "f", [T.dvector], [T.dvector]), "the sizes of the outputs are not known"),
    (lambda: st.COp("", "f", [T.zvector], [T.dscalar]), "there is no C for complex128"),
    (lambda: row_norms()(T.dmatrix()), "row_norms takes 2 arguments, not 1"),
    (lambda: row_norms()(T.dvector(), 1.0), "argument 0 must have 2 axes, not 1"),
    (lambda: st.COp("", "f", [T.dvector], [T.dvector], lambda shapes: [()])(T.dvector()),
     r"infer_shape gave shapes of \[0\] axes, and the outputs have \[1\]"),
])
def test_what_does_not_fit(make: Any, message: str) -> None:
    with pytest.raises(TypeMismatch, match=message):
        make()
