"""The second cache: programs, found by the unoptimised graph and everything else that shapes them.

A graph that some process has compiled before needs no rewriting and no planning, only its kernels loaded. The
key holds the graph's text with the user's lines, the rules in force, the configuration and this package's own files.

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
from types import CodeType

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


def key(graph: Graph, level: str, arguments: int, updates: Sequence[int]) -> str | None:
    """What a program is stored under; None for a graph whose ops cannot be told from their text."""
    try:
        text = to_text(graph, lines=True)
    except TextError:
        return None
    bodies = sorted({_body(node.op) for node in graph.nodes() if isinstance(node.op, Elementwise)})
    rules = [f"{rule.name} {rule.place}" for phase in PIPELINE.get(level, ()) for rule in phase.rules]
    setting = repr((level, arguments, list(updates), config.floatX, config.cast_policy, np.__version__))
    return digest(text, *bodies, *rules, setting, _package())


def _body(op: Elementwise) -> str:
    """The code of an op's scalar body, as text."""
    body = op.definition.body
    return "" if body is None else f"{op.name} {_code(body.__code__)}"


def _code(code: CodeType) -> str:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


@cache
def _package() -> str:
    """The state of this package's own files."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = []
    for directory, _, files in os.walk(root):
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
