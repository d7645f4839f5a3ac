"""What checkpoints cost and save: the gradient of a long LSTM with every step kept, and in blocks.

    OMP_NUM_THREADS=1 python bench/checkpoints.py            # 10,000 steps, a state every 100
    OMP_NUM_THREADS=1 python bench/checkpoints.py 2500 50    # other sizes

Float32, a batch of 8, 64 units. Printed for each: the peak memory of a call as the program plans it, and the least
processor time of five calls; then the second over the first.

>>> [line.split()[0] for line in rows(20, 5)]
['every', 'blocks', 'ratio']
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


def measured(loop: Callable[..., Any], steps: int, **options: Any) -> tuple[np.ndarray, int, float]:
    """The slope of the weights, the bytes at the peak and the seconds of the quickest of five calls."""
    x, h0, c0, w = T.fmatrix("x"), T.fmatrix("h0"), T.fmatrix("c0"), T.fmatrix("w")
    shapes = {"x": (steps, 4 * UNITS), "h0": (BATCH, UNITS), "c0": (BATCH, UNITS), "w": (UNITS, 4 * UNITS)}
    random = np.random.default_rng(1)
    values = [(random.standard_normal(shape) / 4).astype("float32") for shape in shapes.values()]
    (hs, _), _ = loop(lstm, x, [h0, c0], w, **options)
    f = st.function([x, h0, c0, w], st.grad((hs[-1] ** 2).sum(), w))
    seconds = []
    for _ in range(5):
        started = time.process_time()
        slope = f(*values)
        seconds.append(time.process_time() - started)
    return slope, f.peak_bytes(shapes), min(seconds)


def rows(steps: int = 10_000, block: int = 100) -> Iterator[str]:
    """The table, once both are measured and their results agree."""
    slope, kept, seconds = measured(st.scan, steps)
    again, fewer, longer = measured(st.scan_checkpoints, steps, save_every_N=block, padding=False)
    np.testing.assert_allclose(again, slope, rtol=1e-3, atol=1e-6)
    yield f"every step kept     {kept / 1e6:8.1f} MB  {seconds * 1e3:8.1f} ms"
    yield f"blocks of {block:<6}    {fewer / 1e6:8.1f} MB  {longer * 1e3:8.1f} ms"
    yield f"ratio               {fewer / kept:8.3f}     {longer / seconds:8.2f}"


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(row)
