"""The benchmark on a GPU, as far as it can be run without one: all of it but the times."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))
os.environ.setdefault("BENCH_THREADS", "1")
import gpu  # noqa: E402


def test_a_dry_run_checks_each_case_and_claims_no_time() -> None:
    pytest.importorskip("pycuda", reason="pycuda is not installed: `make test` builds it")
    command = [sys.executable, str(BENCH / "gpu.py"), "--dry"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[:-1] == [
        f"{case.name}: ran and is right, by our own kernels" for case in gpu.cases(dry=True)]
    assert not re.search(r"\d (s|ms|us|ns)\b", found.stdout)


def test_without_a_gpu_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def absent(name: str) -> None:
        raise OSError(name)
    monkeypatch.setattr(gpu.ctypes, "CDLL", absent)
    assert gpu.main([]) == 1
    printed = capsys.readouterr().out
    assert "symtensor: there is no libcuda.so.1: install NVIDIA's driver" in printed
    assert "nothing is measured" in printed


OF_CUPY = [case for case in gpu.cases(dry=True) if "cupy" in case.frameworks]


@pytest.mark.parametrize("case", OF_CUPY, ids=lambda case: case.name)
def test_what_cupy_is_given_to_do_is_right(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(synchronize=lambda: None, ptr=None)
    stand_in = ModuleType("cupy")
    vars(stand_in).update(vars(np), asnumpy=np.asarray, cuda=SimpleNamespace(get_current_stream=lambda: stream))
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    monkeypatch.setenv(gpu.DRY, "1")
    gpu.Timer(gpu, "cupy", case)
