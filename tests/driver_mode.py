"""The mode of the software driver in which tests of kernels run: what SYMTENSOR_SOFTWARE_MODE names, or a test's own.

`make cuda-guard` and `make cuda-check` run them in the modes that are too slow for every day.

>>> chosen("fast") == (GIVEN or "fast"), chosen("check")
(True, 'check')
"""

from __future__ import annotations

import os

from symtensor.runtime.cuda import software

GIVEN = os.environ.get("SYMTENSOR_SOFTWARE_MODE")  # as it is before any test changes it


def chosen(own: str) -> str:
    """The mode for a test that would run in its `own`; what is to be checked is, in any case."""
    return own if own == "check" else GIVEN or own


def expect_no_findings() -> None:
    """Raise AssertionError for what the mode check has found since the last call."""
    findings, _ = software.report()
    assert GIVEN != "check" or not findings, findings[0].text
