"""The second cache: programs, found by the unoptimised graph and everything else that shapes them.

A graph that some process has compiled before needs no rewriting and no planning, only its kernels loaded. The
key holds the graph's text with the user's lines, what ops with a body compute, the configuration and this package's
own files. With rules of others in force nothing is kept: what they do cannot be told from their text.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None,))("x")
>>> first, second = (key(Graph([x], [x * 2]), "fast_run", 1, []) for _ in range(2))
>>> first == second != key(Graph([x], [x * 3]), "fast_run", 1, [])
True
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from functools import cache

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TextError
from symtensor.codegen.cache import fetch, store
from symtensor.codegen.seal import digest
from symtensor.ir.graph import Graph
from symtensor.ir.text import to_text
from symtensor.lower.program import Program
from symtensor.ops.elementwise import Elementwise
from symtensor.rewrite.phases import PIPELINE

__all__ = ["key", "load", "save"]

_KIND = "program"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def key(graph: Graph, level: str, arguments: int, updates: Sequence[int]) -> str | None:
    """What a program is stored under; None for a graph whose ops cannot be told from their text."""
    rules = [rule for phase in PIPELINE.get(level, ()) for rule in phase.rules]
    try:
        text = to_text(graph, lines=True)
        bodies = _bodies(graph)
    except TextError:
        return None
    if bodies is None or not all(rule.place.startswith(_PACKAGE) for rule in rules):
        return None
    if not all(type(node.op).__module__.startswith("symtensor.") for node in graph.nodes()):
        return None  # the code of a user's op, which may have run while constants were folded, is not known here
    setting = repr((level, arguments, list(updates), config.floatX, config.cast_policy, np.__version__))
    return digest(text, *bodies, *(f"{rule.name} {rule.place}" for rule in rules), setting, _package())


def _bodies(graph: Graph) -> list[str] | None:
    """What the ops with a scalar body compute, as text; None for an op whose name means another one by now."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    pending = graph.nodes()
    while pending:
        node = pending.pop()
        if not isinstance(node.op, Elementwise) or node.op.definition.body is None:
            continue
        if not node.op.is_current:
            return None
        dtypes = tuple(v.type.dtype for v in node.inputs)
        if (node.op.name, dtypes) not in found:
            inputs, output = node.op.trace(dtypes)
            body = Graph(inputs, [output])
            found[node.op.name, dtypes] = to_text(body)
            pending += body.nodes()
    return [f"{name} {found[name, dtypes]}" for name, dtypes in sorted(found)]


@cache
def _package() -> str:
    """The state of this package's own files."""
    found = []
    for directory, _, files in os.walk(_PACKAGE):
        for name in files:
            if name.endswith(".py"):
                status = os.stat(os.path.join(directory, name))
                found.append(f"{directory}/{name} {status.st_mtime_ns} {status.st_size}")
    return digest(*sorted(found))


def load(name: str) -> Program | None:
    """The program stored under a key, if it is there and whole."""
    data = fetch(_KIND, name)
    if data is None:
        return None
    try:
        program = pickle.loads(data)
    except Exception:  # a record of another version may fail in any way: it is a miss, and is written anew
        return None
    return program if isinstance(program, Program) else None


def save(name: str, program: Program) -> None:
    """Store a program; one with an op that cannot be pickled is not stored."""
    try:
        data = pickle.dumps(program, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError):
        return
    store(_KIND, name, data)
