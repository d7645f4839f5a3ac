"""pycuda on the software driver: tests of this folder need both, and run in one process with one device each."""

from __future__ import annotations

import pytest

pytest.importorskip("pycuda", reason="pycuda is not installed: `make test` builds it")
