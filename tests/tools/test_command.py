"""The `symtensor` command: each subcommand on what it is for, and what it says when that goes wrong."""

from __future__ import annotations

import ctypes
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symtensor.tensor as T
from symtensor.base.config import OPTIONS, config
from symtensor.codegen.store import current, fetch, store
from symtensor.codegen.toolchain import toolchain
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.text import from_text, to_text
from symtensor.tools.command import main

needs_compiler = pytest.mark.skipif(toolchain() is None, reason="there is no C compiler")


@pytest.fixture
def graph() -> Graph:
    x = T.dmatrix("x")
    return Graph([x], [T.log(1 + T.exp(x)).sum(axis=1) * 1])


@pytest.fixture
def file(graph: Graph, tmp_path: Path) -> str:
    path = tmp_path / "graph.txt"
    path.write_text(to_text(graph))
    return str(path)


@pytest.fixture
def own_cache(tmp_path: Path):
    with config.change(cache_dir=str(tmp_path / "cache"), cache=True):
        yield tmp_path / "cache"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_config_shows_every_option(capsys):
    text = run(capsys, "config")
    for name, option in OPTIONS.items():
        assert f"{name} = " in text and option.meaning in text


def test_cache_info_counts_and_clear_removes(capsys, own_cache):
    store("example", "one", b"some bytes")
    assert str(own_cache) in run(capsys, "cache")
    names = len(current().files())
    assert f"removed {names} files; 0.0 MB left in {own_cache}" in run(capsys, "cache", "clear")
    assert fetch("example", "one") is None and not list(own_cache.glob("*.record"))
    assert "removed 0 files" in run(capsys, "cache", "clean")


def test_cache_counts_and_removes_builds_of_the_software_driver(capsys, own_cache):
    for name in ("software-driver-0123456789abcdef", "software-nvcc-01-23", "somebody-elses"):
        (own_cache / name / "inside").mkdir(parents=True)
        (own_cache / name / "inside" / "file").write_bytes(bytes(2**20))
    report = run(capsys, "cache")
    assert "2           builds of the software CUDA driver and of pycuda" in report and "size        2.0 of" in report
    assert "removed 2 files; 0.0 MB left" in run(capsys, "cache", "clear")
    assert [path.name for path in own_cache.iterdir()] == ["somebody-elses"]


def test_cache_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit):
        main(["cache", "burn"])
    assert "invalid choice" in capsys.readouterr().err


def test_rewrite_keeps_the_meaning(capsys, graph, file):
    rewritten = from_text(run(capsys, "rewrite", file))
    assert [str(node.op) for node in rewritten.nodes()] == ["softplus", "sum[1]"]
    x = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_allclose(evaluate_graph(rewritten, [x])[0], evaluate_graph(graph, [x])[0], rtol=1e-14)


def test_stages_in_a_pipe(capsys, file, monkeypatch):
    rewritten = run(capsys, "rewrite", file)
    for command, expected in [("groups", "kernel softplus_sum: softplus sum[1]\n"), ("program", "Launch(kernel=0")]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(rewritten))
        assert expected in run(capsys, command, "-")


@needs_compiler
def test_kernels_are_c(capsys, file, tmp_path):
    from symtensor.codegen.preamble import preamble

    text = run(capsys, "kernels", file)
    tool = toolchain()
    assert tool is not None
    tool.compile(preamble(tool.vector_math) + "\n" + text, tmp_path / "kernels.so")
    [name] = re.findall(r"^int (\w+)\(void \*const \*buffers", text, re.MULTILINE)
    assert hasattr(ctypes.CDLL(str(tmp_path / "kernels.so")), name)


def test_text_that_is_no_graph(capsys, tmp_path):
    path = tmp_path / "broken.txt"
    path.write_text("input %x: float64 ()\n%1: float64 () = frobnicate(%x)\nreturn %1\n")
    assert main(["rewrite", str(path)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "line 2" in output.err and "there is no op 'frobnicate'" in output.err and "Traceback" not in output.err


def test_as_a_process(file):
    command = [sys.executable, "-m", "symtensor.tools.command", "groups", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("kernel ")


def test_a_process_reads_slices_that_it_has_not_made(tmp_path):
    path = tmp_path / "slice.txt"
    x = T.dvector("x")
    path.write_text(to_text(Graph([x], [x[1:] * 2])))
    command = [sys.executable, "-m", "symtensor.tools.command", "groups", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("kernel mul")
