"""Tests that others wrote for their own libraries, from the source releases of these, run on symtensor.

A `Suite` says where they are and which cannot pass, and why. The release is fetched with pip.

>>> Suite("pycuda", "2026.1", ("test/test_driver.py",), "", {}, least_passed=1).folder
'pycuda-2026.1'
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Suite:
    """A release, its tests, a conftest.py for them, the tests left out, with reasons, and how many must pass.

    Files that are `outdated` do not work with today's pytest, and are removed. Paths are from the folder `within` which
    pytest runs.
    """

    package: str
    version: str
    tests: Sequence[str]
    conftest: str
    left_out: Mapping[str, str]
    least_passed: int
    outdated: Sequence[str] = ()
    within: str = "."

    @property
    def folder(self) -> str:
        """The folder that the archive of the release holds."""
        return f"{self.package}-{self.version}"

    def run(self, arguments: Sequence[str]) -> int:
        """Fetch the release and run its tests with pytest's `arguments`; 0 where all pass, and they are many enough."""
        with tempfile.TemporaryDirectory() as place:
            self._fetch(place)
            root = Path(place, self.folder, self.within)
            for file in self.outdated:
                Path(root, file).unlink()
            Path(root, "conftest.py").write_text(self.conftest, encoding="utf-8")
            line = [sys.executable, "-m", "pytest", "-q", "-rf", "-W", "ignore", "-p", "no:cacheprovider",
                    "--rootdir=.", *self.tests, *(f"--deselect={test}" for test in self.left_out), *arguments]
            done = subprocess.run(line, cwd=root, stdout=subprocess.PIPE, text=True)
        for test, reason in self.left_out.items():
            print(f"left out: {test}: {reason}")
        print(done.stdout)
        passed = re.search(r"(\d+) passed", done.stdout)
        return done.returncode or int(passed is None or int(passed[1]) < self.least_passed)

    def _fetch(self, place: str) -> None:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--no-binary", self.package, "--dest", place, f"{self.package}=={self.version}"], check=True)
        with tarfile.open(next(Path(place).glob("*.tar.gz"))) as archive:
            archive.extractall(place, filter="data")
