"""`symtensor doctor` on machines where something is missing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.codegen import store, toolchain
from symtensor.runtime import core
from symtensor.tools import doctor


@pytest.fixture
def nothing_known(monkeypatch):
    """What this process has found out about compilers and caches does not count."""
    monkeypatch.setattr(toolchain, "_found", {})
    monkeypatch.setattr(toolchain, "_reports", {})
    monkeypatch.setattr(store, "_stores", {})
    monkeypatch.setattr(store, "_warned", False)


def test_every_probe_reports_and_only_needed_ones_count(monkeypatch):
    found = list(doctor.probes())
    assert [probe.name for probe in found] == [
        "Python", "NumPy", "C runtime", "C compiler", "vector math", "BLAS", "LAPACK", "oneDNN", "cache",
        "threads"]
    assert all(probe.result for probe in found)
    monkeypatch.setattr(doctor, "probes", lambda: iter([doctor.Probe("a", False, "gone", "get a", needed=False)]))
    assert doctor.report() == ("slower   a            gone\n         run: get a", 0)
    monkeypatch.setattr(doctor, "probes", lambda: iter([doctor.Probe("a", False, "gone", "get a")]))
    assert doctor.report()[1] == 1


def test_no_compiler(nothing_known, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_ziglang", lambda: None)
    probe = doctor.probe_compiler()
    assert not probe.found and probe.needed and probe.command == "pip install ziglang"
    assert "gcc: not installed" in probe.result and "ziglang: not installed" in probe.result
    assert not doctor.probe_vector_math().found


def test_a_compiler_that_does_not_work_is_told_from_one_that_is_not_there(nothing_known, monkeypatch, tmp_path):
    broken = tmp_path / "gcc"
    broken.write_text("#!/bin/sh\necho 'the licence has expired'\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_ziglang", lambda: None)
    assert "the licence has expired" in doctor.probe_compiler().result


def test_a_compiler_asked_for_that_is_not_there(nothing_known):
    with config.change(cxx="nosuchcompiler"):
        probe = doctor.probe_compiler()
    assert not probe.found and "nosuchcompiler" in probe.result and probe.command.startswith("unset SYMTENSOR_CXX")


def test_no_libraries(monkeypatch):
    monkeypatch.setattr(doctor, "load_library", lambda library: {"sgemm": 1, "dgemm": 0} if library == "blas" else {})
    blas, onednn = doctor.probe_blas(), doctor.probe_onednn()
    assert not blas.found and "dgemm" in blas.result and not blas.needed
    assert onednn.command == f"pip install {core.ONEDNN}==2023.2.0"


def test_no_runtime(monkeypatch):
    monkeypatch.setattr(doctor, "core", None)
    assert not doctor.probe_runtime().found
    assert doctor.probe_threads().result.startswith("1:")


def test_cache_that_can_be_written(nothing_known, tmp_path):
    with config.change(cache_dir=str(tmp_path / "cache"), cache=True):
        probe = doctor.probe_cache()
    assert probe.found and str(tmp_path) in probe.result
    assert not list((tmp_path / "cache").glob("*.record"))


def test_cache_that_cannot_be_written(nothing_known, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with config.change(cache_dir=str(tmp_path / "file" / "cache"), cache=True):
        probe = doctor.probe_cache()
    assert not probe.found and "cannot be used" in probe.result
    assert probe.command.startswith(f"mkdir -p {tmp_path}{os.sep}file")


def test_cache_turned_off():
    with config.change(cache=False):
        probe = doctor.probe_cache()
    assert not probe.found and not probe.needed
