"""The tables of ops and rules: nothing left out, and the pages in docs/reference say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from symtensor.ir.node import Op
from symtensor.ops.elementwise import Elementwise, primitives
from symtensor.rewrite.phases import PIPELINE
from symtensor.tools import tables

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(page.stem for page in REFERENCE.glob("*.md")))
def test_the_page_says_what_the_registry_does(name):
    page = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")
    assert page == tables.written(name, markdown=True) + "\n", (
        f"write it anew: python -m symtensor.tools.command {name} --markdown > docs/reference/{name}.md")


def test_every_op_is_listed():
    listed = {row[0].partition("(")[0] for table in tables.ops() for row in table.rows}
    classes = {cls.__name__ for cls in Op.__subclasses__() + Elementwise.__subclasses__()
               if cls.__module__.startswith("symtensor.ops.")}
    assert classes - {"Elementwise"} <= listed
    assert {name for name, op in primitives.items() if op.definition.body is None} <= listed


def test_every_rule_is_listed_with_its_phases():
    listed = {row[0]: row[2] for table in tables.rules()[2:] for row in table.rows}
    for phase in PIPELINE["fast_run"]:
        for one in (*phase.rules, *phase.passes):
            assert phase.name in listed[one.name]


def test_every_file_is_listed_and_says_what_it_is_for():
    listed = {f"{table.title}/{name}": purpose for table in tables.files() for name, purpose in table.rows}
    root = REFERENCE.parents[1]
    for path in [*(root / "symtensor").rglob("*.py"), *(root / "csrc").glob("*.c")]:
        assert listed[str(path.relative_to(root))], f"{path} does not say what it is for"


def test_everything_listed_says_what_it_is_for():
    for table in (*tables.ops(), *tables.rules()):
        for row in table.rows:
            assert row[-1], f"{row[0]} has no docstring"


def test_a_bar_in_a_cell_does_not_end_it():
    table = tables.Table("T", "", ("a",), [("x | y",)])
    assert "| x \\| y |" in table.markdown()
