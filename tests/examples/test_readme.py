"""README: its examples run, its numbers are those of docs/performance.md, its links lead somewhere."""

from __future__ import annotations

import doctest
import re
import sys
from pathlib import Path

import pytest

from symtensor.codegen.toolchain import toolchain

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
sys.path.insert(0, str(ROOT / "bench"))
from report import excerpt  # noqa: E402


@pytest.mark.skipif(toolchain() is None, reason="shows C kernels")
def test_examples() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried > 20 and not failed


def test_numbers_are_measured() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert excerpt(page) in README.read_text(encoding="utf-8")


def test_links() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert targets and not [target for target in targets if not (ROOT / target).exists()]


def test_commands_exist() -> None:
    """Every `make` target that README names is one of the Makefile's."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make (\w+)", README.read_text(encoding="utf-8")))
    assert {"demo", "test", "bench"} <= named and all(f"\n{name}:" in makefile for name in named)
