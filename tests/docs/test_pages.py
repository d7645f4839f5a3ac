"""Every page of documentation does what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.codegen.toolchain import toolchain
from symtensor.ops.elementwise import primitives
from symtensor.rewrite.phases import PIPELINE
from tests.docs.pages import blocks_of, run_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if blocks_of(path.read_text(encoding="utf-8")))
_LINK = re.compile(r"\]\(([\w./-]+\.(?:md|py|png))\)")
_FILE = re.compile(r"`((?:symtensor|csrc|tests|docs|examples|bench)/[\w./]+)`")


@pytest.fixture(autouse=True)
def registries():
    """Rules and ops that a page defines do not outlive it."""
    phases = {phase: list(phase.rules) for level in PIPELINE.values() for phase in level}
    known = dict(primitives)
    yield
    for phase, rules in phases.items():
        phase.rules[:] = rules
    for name in primitives.keys() - known.keys():
        del primitives[name]


@pytest.mark.skipif(toolchain() is None, reason="pages show C kernels")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_runs(page, tmp_path, monkeypatch):
    if page.stem == "devices":
        pytest.importorskip("pycuda", reason="pycuda is not installed: `make test` builds it")
    monkeypatch.chdir(tmp_path)
    with config.change(cuda_driver=config.cuda_driver):
        assert run_page(page)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS)))
def test_what_a_page_points_to_is_there(page):
    text = page.read_text(encoding="utf-8")
    missing = [target for target in _LINK.findall(text) if not (page.parent / target).exists()]
    missing += [name for name in _FILE.findall(text) if not (DOCS.parent / name).exists()]
    assert not missing


@pytest.mark.parametrize("folder", [DOCS, DOCS / "decisions"], ids=lambda folder: folder.name)
def test_every_page_can_be_found(folder):
    """The index of a folder links to each page in it."""
    linked = set(_LINK.findall((folder / "README.md").read_text(encoding="utf-8")))
    assert {path.name for path in folder.glob("*.md")} - {"README.md"} <= linked
