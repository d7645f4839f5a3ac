"""What depends on the order of a million elements: sorting, selecting, running totals, searching, and indexing.

>>> CASES[0].name, CASES[0].arguments
('sort, 1e6 float32', ('sort', 'float32'))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from harness import Case

COUNT, PLACES, FEW, SORTED = 1_000_000, 100_000, 100, 100_000
SQUARE, SHORT = 1000, 64
DTYPES = ("float32", "int32", "int64")
BYTES = {"float32": 4, "int32": 4, "int64": 8}
Call = Callable[..., Any]


def _moved(what: str, dtype: str) -> float:
    """Bytes that must be read and written."""
    element, wide = BYTES[dtype], 4 if dtype == "float32" else 8
    each = {"argsort": element + 8, "topk": element, "search": element + 8, "take": 2 * element + 8,
            "scatter": element + 8}
    return COUNT * each.get(what.split()[0], 2 * element if what.startswith("sort") else element + wide)


def _case(label: str, what: str, dtype: str, *frameworks: str) -> Case:
    return Case(f"{label}, 1e6 {dtype}", (what, dtype), bar=1.0, moved=_moved(what, dtype),
                frameworks=frameworks or ("symtensor", "numpy", "torch", "jax"))


CASES = [*(_case(label, what, dtype) for label, what in (
    ("sort", "sort"), ("sort of rows of 1000", "sort rows"), ("sort of columns of 1000", "sort columns"),
    ("argsort", "argsort"), (f"largest {FEW} and where", "topk"), ("cumsum", "cumsum"),
    ("cumsum of rows of 1000", "cumsum rows"), ("cumsum of columns of 1000", "cumsum columns")) for dtype in DTYPES),
    *(_case(f"{what} of rows of {SHORT}", f"{what} short rows", dtype) for what in ("sort", "argsort")
      for dtype in ("float32", "int64")),
    _case(f"searchsorted in {SORTED}", "search", "float32"),
    _case("take", "take", "float32"), _case(f"scatter-add to {PLACES}", "scatter", "float32")]


@cache
def elements(what: str, dtype: str) -> np.ndarray:
    """The elements, as a matrix where rows or columns are asked for."""
    rng = np.random.default_rng(0)
    if dtype == "float32":
        values = rng.standard_normal(COUNT, "float32") if what != "cumsum" else rng.random(COUNT, "float32")
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, COUNT, dtype)
    if what.endswith("short rows"):
        return values.reshape(-1, SHORT)
    return values.reshape(SQUARE, -1) if what.endswith(("rows", "columns")) else values


@cache
def positions() -> np.ndarray:
    """Where to read, or to add: many come more than once."""
    return np.random.default_rng(1).integers(0, PLACES, COUNT)


def _axis(what: str) -> int:
    return 0 if what.endswith("columns") else -1


def reference(what: str, dtype: str) -> list[np.ndarray]:
    x = elements(what, dtype)
    if what.startswith("argsort"):
        return [np.argsort(x, kind="stable")]
    if what == "scatter":
        return [np.bincount(positions(), x, PLACES)]
    if what.startswith("cumsum") and dtype == "float32":
        return [x.cumsum(_axis(what), "float64")]
    return [in_numpy(what, dtype)()]


def in_symtensor(what: str, dtype: str) -> Call:
    import symtensor as st
    import symtensor.tensor as T
    values = elements(what, dtype)
    x, places = T.tensor(dtype, shape=(None,) * values.ndim, name="x"), T.lvector("places")
    if what in ("take", "scatter"):
        result = x[places] if what == "take" else T.inc_subtensor(T.zeros(PLACES, dtype)[places], x)
        f = st.function([x, places], result)
        return lambda: f(values, positions())
    if what == "search":
        ascending = T.tensor(dtype, shape=(None,), name="ascending")
        g, vector = st.function([ascending, x], T.searchsorted(ascending, x)), np.sort(values[:SORTED])
        return lambda: g(vector, values)
    expressions: dict[str, Call] = {
        "sort": lambda: T.sort(x, _axis(what)), "argsort": lambda: T.argsort(x),
        "topk": lambda: T.topk_and_argtopk(x, FEW), "cumsum": lambda: T.cumsum(x, _axis(what))}
    h = st.function([x], expressions[what.split()[0]]())
    return (lambda: h(values)[0]) if what == "topk" else (lambda: h(values))


def in_numpy(what: str, dtype: str) -> Call:
    x, places = elements(what, dtype), positions()

    def largest() -> np.ndarray:
        found = np.argpartition(x, -FEW)[-FEW:]
        return x[found[np.argsort(x[found])[::-1]]]

    def added() -> np.ndarray:
        result = np.zeros(PLACES, dtype)
        np.add.at(result, places, x)
        return result

    ascending = np.sort(x.reshape(-1)[:SORTED])
    calls: dict[str, Call] = {
        "sort": lambda: np.sort(x, _axis(what)), "argsort": lambda: np.argsort(x, kind="stable"), "topk": largest,
        "cumsum": lambda: np.cumsum(x, _axis(what)), "search": lambda: np.searchsorted(ascending, x),
        "take": lambda: x[places], "scatter": added}
    return calls[what.split()[0]]


def in_torch(what: str, dtype: str) -> Call:
    import torch
    torch.set_grad_enabled(False)
    x, places = torch.from_numpy(elements(what, dtype)), torch.from_numpy(positions())
    ascending = torch.sort(x.reshape(-1)[:SORTED])[0]
    calls: dict[str, Call] = {
        "sort": lambda: torch.sort(x, _axis(what))[0], "argsort": lambda: torch.argsort(x, stable=True),
        "topk": lambda: torch.topk(x, FEW)[0], "cumsum": lambda: torch.cumsum(x, _axis(what)),
        "search": lambda: torch.searchsorted(ascending, x), "take": lambda: torch.index_select(x, 0, places),
        "scatter": lambda: torch.zeros(PLACES, dtype=x.dtype).index_add_(0, places, x)}
    return calls[what.split()[0]]


def in_jax(what: str, dtype: str) -> Call:
    import jax
    jax.config.update("jax_enable_x64", True)
    from jax import numpy as jnp
    x, places = jnp.asarray(elements(what, dtype)), jnp.asarray(positions())
    ascending = jnp.sort(x.reshape(-1)[:SORTED])
    functions: dict[str, Call] = {
        "sort": lambda x, _: jnp.sort(x, _axis(what)), "argsort": lambda x, _: jnp.argsort(x, stable=True),
        "topk": lambda x, _: jax.lax.top_k(x, FEW),
        "cumsum": lambda x, _: jnp.cumsum(x, _axis(what), None if dtype == "float32" else "int64"),
        "search": lambda x, _: jnp.searchsorted(ascending, x), "take": lambda x, places: x[places],
        "scatter": lambda x, places: jnp.zeros(PLACES, x.dtype).at[places].add(x)}
    compiled = jax.jit(functions[what.split()[0]])
    if what == "topk":
        return lambda: jax.block_until_ready(compiled(x, places))[0]
    return lambda: compiled(x, places).block_until_ready()


MAKERS = {"symtensor": in_symtensor, "numpy": in_numpy, "torch": in_torch, "jax": in_jax}
