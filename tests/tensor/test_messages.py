"""Every error of the vocabulary says where the user is and names a fix."""

import ast
from pathlib import Path

import pytest

import symtensor.tensor as T
from symtensor.base.errors import SymtensorError

FILES = sorted(Path(T.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_complaint_names_a_fix(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text()))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "complaint"]
    assert not [call.lineno for call in calls if "fix" not in {keyword.arg for keyword in call.keywords}]


def test_errors_are_raised_by_complaint_alone():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                assert node.exc.func.id in ("complaint", "AttributeError"), f"{file.name}:{node.lineno}"


def test_a_message_letter_by_letter():
    x = T.matrix("x", dtype="float32", shape=("batch", 3))
    with pytest.raises(SymtensorError) as caught:
        T.sum(x, axis=2)
    line = caught.value.where[0]
    assert line.startswith(f"{__file__}:") and line.endswith("T.sum(x, axis=2)")
    what, *_, operand, fix = str(caught.value).splitlines()
    assert what == "sum: 2 is not one of 2 axes"
    assert (operand, fix) == ("  operand  x: float32 (batch, 3)", "  fix      an axis from -2 to 1")


def test_arguments_of_operators_are_explained():
    x = T.dvector("x")
    with pytest.raises(SymtensorError) as caught:
        x + "text"
    assert "'text' is not a tensor" in caught.value.what
    assert any("x + " in line for line in caught.value.where)
