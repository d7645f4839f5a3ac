"""Where functions spend their time."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symtensor as st
import symtensor.tensor as T
from symtensor.base.errors import NotSupported
from symtensor.runtime.profile import ProfileStats


def test_instructions_are_listed_by_the_time_they_took():
    x, n = T.dmatrix("x"), T.lscalar("n")
    hs, _ = st.scan(lambda h: T.dot(h, h) / 2, outputs_info=x, n_steps=n)
    f = st.function([x, n], [hs[-1], T.exp(x).sum()], profile=True, name="work")
    for _ in range(3):
        f(np.eye(20), 4)
    text = f.profile.text()
    head, titles, *lines = text.splitlines()
    assert re.match(r"work: 3 calls, \d+\.\d+ ms in instructions; made in \d+\.\d ms \(", head), head
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times, reverse=True) and times[0] > 0
    assert any(" loop scan" in line and "test_profile.py" in line for line in lines)
    assert any(" library matmul" in line for line in lines) and any(" kernel " in line for line in lines)
    assert len(f.profile.text(n_ops_to_print=1).splitlines()) == 3


def test_functions_share_what_measures_them_and_leave_it():
    x, stats = T.dvector("x"), ProfileStats()
    first, second = (st.function([x], op(x), profile=stats, name=op.name) for op in (T.exp, T.sin))
    first([1.0])
    shown = io.StringIO()
    stats.summary(file=shown)
    assert "exp: 1 calls" in shown.getvalue() and "sin: 0 calls" in shown.getvalue()
    assert first in stats and first.profile is second.profile is stats
    first.profile = None
    assert first not in stats and first.profile is None and second in stats
    first.profile = True
    first([1.0])
    assert "exp: 1 calls" in first.profile.text()


def test_what_is_not_measured_says_so():
    x = T.dvector("x")
    assert st.function([x], x + 1).profile is None and st.function([x], x + 1, mode="DebugMode").profile is None
    with pytest.raises(NotSupported, match="op by op in NumPy is not measured(.*\n)*  fix      measure it in the mode"):
        st.function([x], x + 1, mode="NanGuardMode", profile=True)


def test_the_option_measures_all_and_prints_at_the_end():
    program = "import symtensor as st, symtensor.tensor as T; x = T.dscalar(); st.function([x], x + 1, name='one')(1)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env={
        **os.environ, "SYMTENSOR_FLAGS": "profile=True", "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 0 and "one: 1 calls" in done.stderr, done.stderr
