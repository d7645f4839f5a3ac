"""What holds for every test: a kernel cache inside the working tree, and no defect passed over in silence.

>>> import os
>>> os.environ["SYMTENSOR_ON_REWRITE_ERROR"]
'raise'
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import ml_dtypes  # noqa: F401  # tests name every dtype to NumPy, bfloat16 too
import pytest
from hypothesis import settings

# Set before the package is imported, since an option is read from the environment once.
os.environ.setdefault("SYMTENSOR_CACHE_DIR", str(Path(__file__).parent / ".pytest_cache" / "symtensor"))
os.environ.setdefault("SYMTENSOR_ON_REWRITE_ERROR", "raise")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("SYMTENSOR_SOFTWARE_DEVICES", "2")

# The same examples in every run: a test that fails once fails always. Compiling takes longer than hypothesis allows.
settings.register_profile("symtensor", deadline=None, derandomize=True)
settings.load_profile("symtensor")


# A shell starts what runs in its background with Ctrl-C ignored; the tests of what Ctrl-C does need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switch that has golden files written rather than compared."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew; look at the change in git")
