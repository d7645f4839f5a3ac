"""Typical kernels as they are: a change of what is printed shows in the change of these files.

Each case has three files in `golden`: its graph after rewriting, and its kernels as C and as CUDA. After a change that
is meant, `pytest tests/codegen/test_golden.py --update-golden` writes them anew; then `test_nvrtc.py` has a table to be
written anew, too.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.ir.graph import Graph, leaves
from symtensor.ir.node import Constant, Variable
from symtensor.tools.stages import cuda_kernels, kernels, rewritten

GOLDEN = Path(__file__).parent / "golden"

CASES: dict[str, Callable[[], Variable | list[Variable]]] = {}


def case(build: Callable[[], Variable | list[Variable]]) -> None:
    """Decorator: the function's outputs are a golden case, named as the function."""
    CASES[build.__name__] = build


@case
def chain():
    x, y = T.fmatrices("x", "y")
    return T.tanh(x) * y + 0.5


@case
def chain_of_transposed():
    x, y = T.fmatrices("x", "y")
    return T.exp(x.T) - y


@case
def softmax():
    return T.nnet.softmax(T.fmatrix("x"))


@case
def layer_norm_gradient():
    x, gain = T.fmatrix("x"), T.fvector("gain")
    centred = x - x.mean(axis=1, keepdims=True)
    y = centred / T.sqrt(T.sqr(centred).mean(axis=1, keepdims=True) + 1e-5) * gain
    return T.grad(T.sqr(y).sum(), [x, gain])


@case
def cross_entropy():
    x, labels = T.fmatrix("x"), T.lvector("labels")
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(x), labels).mean()
    return [loss, T.grad(loss, x)]


@case
def column_sum():
    return T.sqr(T.fmatrix("x")).sum(axis=0)


@case
def middle_sum():
    return T.ftensor3("x").sum(axis=1)


@case
def full_sum():
    return T.fmatrix("x").sum()


@case
def row_maximum():
    return T.dmatrix("x").max(axis=1)


@case
def argmax():
    return T.argmax(T.fmatrix("x"), axis=1)


@case
def gather():
    return T.fmatrix("x")[T.lvector("i")] * 2


@case
def scatter_add():
    x, i = T.fmatrix("x"), T.lvector("i")
    return T.grad(T.sqr(x[i]).sum(), x)


@case
def concatenate():
    x, y = T.fmatrices("x", "y")
    return T.concatenate([x, y * 2], axis=1)


@case
def integers():
    i, j = T.ivectors("i", "j")
    return (i // j) % 7 + T.maximum(i, j)


@case
def recurrence():
    x, h = T.fmatrix("x"), T.fvector("h")
    hs, _ = st.scan(lambda row, h: T.tanh(row + 0.5 * h), x, h)
    return [hs, T.grad(T.sqr(hs).sum(), x)]


@case
def recurrence_of_numbers():
    first, n = dict(initial=T.ones(2), taps=[-2, -1]), T.lscalar("n")
    numbers, _ = st.scan(lambda a, b: a + b, outputs_info=first, n_steps=n)
    return numbers


@case
def joint():
    weights, (bias, slope, other, its_slope) = T.fmatrix("weights"), T.fvectors("bias", "slope", "other", "its_slope")
    return [bias - 0.1 * slope, T.sqr(weights), other - 0.1 * its_slope]


@case
def narrow_softmax():
    return T.nnet.softmax(T.matrix("x", dtype="float16"))


@case
def narrow_floats():
    x, i = T.matrix("x", dtype="float16"), T.lvector("i")
    y = T.exp(x) * x + 1
    return [y, T.grad(y[i].sum(), x), T.gt(y, x).sum(axis=0)]


def check(path: Path, text: str, update: bool) -> None:
    """Compare a golden file with the text it should hold, or write it."""
    if update:
        path.write_text(text, encoding="utf-8")
        return
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    change = difflib.unified_diff(before.splitlines(), text.splitlines(), str(path), "now", lineterm="")
    assert before == text, "\n".join([*change, "", f"if this is meant: pytest {__file__} --update-golden"])


@pytest.mark.parametrize("name", CASES)
def test_golden(name, request):
    update = request.config.getoption("--update-golden")
    outputs = CASES[name]()
    outputs = outputs if isinstance(outputs, list) else [outputs]
    graph = Graph([v for v in leaves(outputs) if not isinstance(v, Constant)], outputs)
    check(GOLDEN / f"{name}.graph", rewritten(graph) + "\n", update)
    check(GOLDEN / f"{name}.c", kernels(graph) + "\n", update)
    check(GOLDEN / f"{name}.cu", cuda_kernels(graph) + "\n", update)


def test_every_golden_file_has_its_case():
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
