"""What checkpoints cost and save: the gradient of a long LSTM with every step kept, in blocks, and within a tenth.

    OMP_NUM_THREADS=1 python bench/checkpoints.py            # 10,000 steps, a state every 100
    OMP_NUM_THREADS=1 python bench/checkpoints.py 2500 50    # other sizes

Float32, a batch of 8, 64 units. Printed for each: the peak memory of a call as the program plans it, and the least
processor time of five calls, and both over those with every step kept. The budget is a tenth of the history, which is
what is kept beyond one step. The bar: within it, in less than twice the time.

>>> [line.split()[0] for line in rows(20, 5)]
['every', 'blocks', 'budget']
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import symtensor as st
import symtensor.tensor as T

BATCH, UNITS = 8, 64


def lstm(row: Any, h: Any, c: Any, w: Any) -> tuple[Any, Any]:
    """One step: gates from the row and the state before it, as one product."""
    z = T.dot(h, w) + row
    i, f, o, g = (z[:, part * UNITS:(part + 1) * UNITS] for part in range(4))
    c = T.nnet.sigmoid(f) * c + T.nnet.sigmoid(i) * T.tanh(g)
    return T.nnet.sigmoid(o) * T.tanh(c), c


def shapes(steps: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the arguments."""
    return {"x": (steps, 4 * UNITS), "h0": (BATCH, UNITS), "c0": (BATCH, UNITS), "w": (UNITS, 4 * UNITS)}


def measured(loop: Callable[..., Any], steps: int, **options: Any) -> tuple[Any, np.ndarray, float]:
    """The function, the slope of the weights it gives, and the seconds of the quickest of five calls."""
    x, h0, c0, w = T.fmatrix("x"), T.fmatrix("h0"), T.fmatrix("c0"), T.fmatrix("w")
    random = np.random.default_rng(1)
    values = [(random.standard_normal(shape) / 4).astype("float32") for shape in shapes(steps).values()]
    (hs, _), _ = loop(lstm, x, [h0, c0], w, **options)
    f = st.function([x, h0, c0, w], st.grad(((hs if loop is st.foldl else hs[-1]) ** 2).sum(), w))
    seconds = []
    for _ in range(5):
        started = time.process_time()
        slope = f(*values)
        seconds.append(time.process_time() - started)
    return f, slope, min(seconds)


def rows(steps: int = 10_000, block: int = 100) -> Iterator[str]:
    """The table, once all are measured and their results agree."""
    plain, slope, seconds = measured(st.scan, steps)
    kept = plain.peak_bytes(shapes(steps))
    budget = (kept - plain.peak_bytes(shapes(1))) // 10
    yield f"{'every step kept':<19} {kept / 1e6:8.2f} MB  {seconds * 1e3:8.1f} ms"
    ways = {f"blocks of {block}": measured(st.scan_checkpoints, steps, save_every_N=block, padding=False),
            f"budget {budget / 1e6:.2f} MB": measured(st.foldl, steps, save_bytes=budget)}
    for name, (f, again, longer) in ways.items():
        np.testing.assert_allclose(again, slope, rtol=1e-3, atol=1e-6)
        fewer = f.peak_bytes(shapes(steps))
        yield (f"{name:<19} {fewer / 1e6:8.2f} MB  {longer * 1e3:8.1f} ms  {fewer / kept:6.3f} of the memory,"
               f" {longer / seconds:5.2f} of the time")


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(row)
