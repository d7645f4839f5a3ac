"""One graph computed in four ways, and the rule to blame where they differ.

The reference is the NumPy meaning of each op, on the graph as it is. Rewriting and generated code are tried alone and
together.

>>> import symtensor.tensor as T
>>> from symtensor.ir.text import to_text
>>> x = T.dvector("x")
>>> text, status = compared(to_text(Graph([x], [T.log(1 + T.exp(x))])), {"x.0": 4})
>>> print(text)
as written, NumPy    the reference
as written, C        agrees
rewritten, NumPy     agrees
rewritten, C         agrees
>>> status
0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from symtensor.base.errors import GraphError
from symtensor.ir.graph import Graph
from symtensor.ir.interpret import evaluate_graph
from symtensor.ir.text import from_text
from symtensor.rewrite.phases import optimize
from symtensor.runtime.arguments import In
from symtensor.runtime.compiled import compile_graph
from symtensor.runtime.debug import differing, tolerance_of
from symtensor.types import dim as dims
from symtensor.types.dim import Size
from symtensor.types.dtype import DISCRETE

__all__ = ["compared", "random_arguments"]

Arrays = Sequence[np.ndarray]

_DEFAULT_SIZE = 7


def compared(text: str, sizes: Mapping[str, int] | None = None, seed: int = 0) -> tuple[str, int]:
    """What each way gives for random arguments, against the reference; if rewriting differs, the rules to blame.

    With it the status of the command: 1 where anything differs. `sizes` gives values of symbols by name, 7 where it
    does not. Raises GraphError for a size that is negative with these.
    """
    arguments = random_arguments(from_text(text), sizes or {}, seed)
    reference = evaluate_graph(from_text(text), arguments)
    ways: dict[str, Callable[[], Arrays]] = {
        "as written, C": lambda: _compiled(text, "None", arguments),
        "rewritten, NumPy": lambda: _rewritten(text, (), arguments),
        "rewritten, C": lambda: _compiled(text, "fast_run", arguments)}
    lines = ["as written, NumPy    the reference"]
    verdicts = {way: _difference(run(), reference) for way, run in ways.items()}
    lines += [f"{way:<21}{verdict or 'agrees'}" for way, verdict in verdicts.items()]
    if verdicts["rewritten, NumPy"]:
        lines += [f"without {name}: agrees" for name in _guilty(text, arguments, reference)]
    return "\n".join(lines), int(any(verdicts.values()))


def random_arguments(graph: Graph, sizes: Mapping[str, int], seed: int = 0) -> list[np.ndarray]:
    """An array for each input: normal floats, small integers; integer scalars that are sizes get that size."""
    known = {symbol: sizes.get(symbol.name, _DEFAULT_SIZE) for variable in graph.inputs
             for size in variable.type.shape for symbol in dims.symbols_of(size)}
    values = {variable: sizes.get(symbol.name, _DEFAULT_SIZE) for symbol, variable in graph.sources.items()
              if variable.owner is None and symbol.axis is None}
    rng = np.random.default_rng(seed)
    return [np.array(values[v], v.type.dtype) if v in values
            else _random(v.type.dtype, [_number(size, known) for size in v.type.shape], rng) for v in graph.inputs]


def _number(size: Size, known: Mapping[dims.Symbol, int]) -> int:
    number = dims.evaluate(size, known)
    if number < 0:
        raise GraphError(f"the size {size} is {number} here", fix="give other sizes: --size name=number")
    return number


def _random(dtype: str, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.integers(0, 2, shape) if dtype in DISCRETE else rng.normal(size=shape)).astype(dtype)


def _rewritten(text: str, excluding: Sequence[str], arguments: Arrays) -> Arrays:
    graph = from_text(text)
    optimize(graph, "fast_run", excluding)
    return evaluate_graph(graph, arguments)


def _compiled(text: str, level: str, arguments: Arrays) -> Arrays:
    graph = from_text(text)
    function = compile_graph(graph, declared=[In(v) for v in graph.inputs], shared=[], wrap="list", updates=[],
                             mode=level)
    results: Arrays = function(*arguments)
    return results


def _guilty(text: str, arguments: Arrays, reference: Arrays) -> Iterable[str]:
    """The rules each of which, left out alone, makes the rewritten graph agree."""
    for name in optimize(from_text(text), "fast_run").fired:
        if not _difference(_rewritten(text, [name], arguments), reference):
            yield name


def _difference(results: Arrays, reference: Arrays) -> str:
    """The first result that is not near the reference, and where it is farthest; empty if there is none."""
    for number, (result, wanted) in enumerate(zip(results, reference)):
        if result.shape != wanted.shape or result.dtype != wanted.dtype:
            return f"output {number} is {result.dtype} {result.shape}, not {wanted.dtype} {wanted.shape}"
        wrong = differing(wanted, result, 1.0, tolerance_of([wanted.dtype.name]))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            return f"output {number} differs at {place}: {result[place]}, not {wanted[place]} ({wrong.sum()} elements)"
    return ""
