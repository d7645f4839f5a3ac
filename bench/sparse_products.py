"""A sparse matrix of 100,000 x 100,000 with a million elements times a dense one of 64 columns, float32.

>>> [case.arguments for case in CASES]
[(False,), (True,)]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import scipy.sparse
from harness import Case

SIZE, ELEMENTS, COLUMNS = 100_000, 1_000_000, 64
WHAT = "1e5 x 1e5 of 1e6 elements, times 64 columns"
CASES = [Case(f"sparse dot, {WHAT}", (False,), bar=1.5, moved=12 * ELEMENTS + 8 * SIZE * COLUMNS,
              frameworks=("symtensor", "numpy", "torch")),
         Case(f"sparse dot with both derivatives, {WHAT}", (True,), moved=36 * ELEMENTS + 20 * SIZE * COLUMNS,
              frameworks=("symtensor", "numpy"))]
Call = Callable[[], Any]


@cache
def inputs() -> tuple[Any, np.ndarray]:
    """The matrix, whose elements lie anywhere, and the dense one."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, SIZE, (2, ELEMENTS))
    matrix = scipy.sparse.coo_matrix((rng.random(ELEMENTS, "float32"), places), shape=(SIZE, SIZE)).tocsr()
    return matrix, rng.random((SIZE, COLUMNS), "float32")


def reference(derivatives: bool) -> list[np.ndarray]:
    return [in_numpy(derivatives)()]


def in_symtensor(derivatives: bool) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    from symtensor import sparse
    x, w = sparse.csr_matrix("x", "float32"), T.fmatrix("w")
    product = sparse.dot(x, w)
    if not derivatives:
        return partial(st.function([x, w], product), *inputs())
    by_x, by_w = st.grad((product ** 2).sum(), [x, w])
    step = st.function([x, w], [product, by_x.data, by_w])
    return lambda: step(*inputs())[2]


def in_numpy(derivatives: bool) -> Call:
    matrix, w = inputs()
    if not derivatives:
        return lambda: matrix @ w
    rows = np.repeat(np.arange(SIZE), np.diff(matrix.indptr))

    def step() -> np.ndarray:
        slope = 2 * (matrix @ w)
        np.einsum("ij,ij->i", slope[rows], w[matrix.indices])  # by the sparse matrix
        return matrix.T @ slope
    return step


def in_torch(derivatives: bool) -> Call:
    import torch
    torch.set_grad_enabled(False)
    matrix, w = inputs()
    parts = (torch.from_numpy(part.astype("int64")) for part in (matrix.indptr, matrix.indices))
    own = torch.sparse_csr_tensor(*parts, torch.from_numpy(matrix.data), matrix.shape)
    dense = torch.from_numpy(w)
    return lambda: own @ dense


MAKERS = {"symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch}
