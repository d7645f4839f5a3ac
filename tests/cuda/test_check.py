"""`symtensor cuda-check` on a program of symtensor, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
import numpy as np
import symtensor as st
import symtensor.tensor as T
x = T.fvector("x")
print(st.function([x], T.exp(x).sum(), device="cuda")(np.zeros(3, "float32")), *sys.argv[1:])
"""


def test_functions_run_on_the_software_driver(tmp_path: Path) -> None:
    """In each mode, one after the other, though kernels are kept and no option names the driver."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    for mode in ("fast", "check"):
        done = subprocess.run([sys.executable, "-m", "symtensor.tools.command", "cuda-check", "--mode", mode, program,
                               "given"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("3.0 given\n")
        assert ("no findings" in done.stdout) == (mode == "check")
