"""Functions on two devices of the software driver, which does everything as late as it may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symtensor.base.config import config
from tests.driver_mode import chosen, expect_no_findings

pytest.importorskip("pycuda", reason="pycuda is not installed: `make test` builds it")


@pytest.fixture(scope="session", autouse=True)
def _devices() -> Iterator[None]:
    from symtensor.runtime.cuda import software
    from symtensor.runtime.cuda.devices import open_device

    mode = chosen("shuffled")
    software.load(mode)
    with config.change(cuda_driver="software"):
        for name in ("cuda0", "cuda1"):
            open_device(name)
    software.load("check" if mode == "check" else "fast")  # kernels are compiled for the mode of their devices
    yield


@pytest.fixture(autouse=True)
def _software_driver() -> Iterator[None]:
    with config.change(cuda_driver="software"):
        yield
    expect_no_findings()
