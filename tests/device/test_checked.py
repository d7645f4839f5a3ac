"""Functions on a device in the mode check, which finds what threads do to each other; in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTING = """
import numpy as np, symtensor as st, symtensor.tensor as T
from symtensor.runtime.cuda import software
st.config.cuda_driver = "software"
software.load("check")
x, m, c = T.fvector("x"), T.fmatrix("m"), T.bscalar("c")
xs, ms = np.linspace(-1, 1, 300, dtype="float32"), np.linspace(-1, 1, 300, dtype="float32").reshape(5, 60)
p, q = st.shared(np.float32(1), "p"), st.shared(np.float32(2), "q")
r, s = st.shared(np.ones(1, "float32"), "r"), st.shared(np.ones(60, "float32"), "s")

def checked(inputs, outputs, *arrays, **more):
    f, g = (st.function(inputs, outputs, device=device, **more) for device in ("cuda", "cpu"))
    before = [v.get_value() for v in (p, q, r, s)]
    wanted = g(*arrays), [v.get_value() for v in (p, q, r, s)]
    for v, value in zip((p, q, r, s), before):
        v.set_value(value)
    for found, value in zip((f(*arrays), [v.get_value() for v in (p, q, r, s)]), wanted):
        for one, other in zip(found, value):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    findings, _ = software.report()
    assert not findings, (f.kernels, findings[0].text)
"""


def run(code: str, *command: str) -> str:
    """What a process prints."""
    done = subprocess.run([sys.executable, *(command or ("-c", SETTING + code))], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_numbers_that_are_updated_in_place_are_read_before_by_nobody_else() -> None:
    run("""
checked([], [], updates=[(p, p + 1)])
checked([x], [], xs, updates=[(p, p - x.sum())])
checked([x], [], xs, updates=[(p, p - x.sum()), (q, q * x.max())])
checked([m], [m * p], ms, updates=[(p, p - (m * p).sum())])
checked([m], [], ms[:, :1], updates=[(r, r - m.sum(axis=0))])
checked([m], [], ms, updates=[(s, s - m.sum(axis=0)), (p, p * 2), (q, q + p)])
""")


def test_joint_launches_and_branches() -> None:
    run("""
checked([x, m], [T.exp(x), T.tanh(m), x[::-1] * 2, m.T + 1], xs, ms)
checked([c, x], st.ifelse(c, [T.exp(x), x.sum()], [x, x.max()]), np.int8(1), xs)
checked([c, x], st.ifelse(c, [T.exp(x), x.sum()], [x, x.max()]), np.int8(0), xs)
""")


def test_conditions_are_single_bytes_and_kernels_that_fail_say_so_once() -> None:
    run("""
first = T.fvector("first", shape=(300,))
hs = st.scan(lambda h: st.ifelse(h.sum() > 0, h - 1, h * h), None, first, n_steps=20)[0]
checked([first], [hs], xs)
i = T.lvector("i")
f = st.function([x, i], x[i] * 2, device="cuda")
try:
    f(xs, np.arange(250, 350))
except IndexError as error:
    print(type(error).__name__)
assert not software.report()[0]
""")


def test_a_training_step_is_few_launches_of_which_none_is_at_fault() -> None:
    pytest.importorskip("pycuda", reason="pycuda is not installed: `make test` builds it")
    lines = re.findall(r"MLP step, (\w+): (\d+) launches, (\d+) on the processor, moved: (\d) in .*, (\d) out",
                       run("", str(ROOT / "bench" / "cuda_counts.py"), "--only", "MLP"))
    assert [method for method, *_ in lines] == ["sgd", "momentum", "adam"]
    assert all(int(launches) <= 25 and counts == ["0", "2", "1"] for _, launches, *counts in lines)
