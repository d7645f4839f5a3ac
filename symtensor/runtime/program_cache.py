"""The second cache: programs, found by the unoptimised graph and everything else that shapes them.

A graph that some process has compiled before needs no rewriting and no planning, only its kernels loaded. The
key holds the graph's text, what ops with a body compute, the configuration and this package's own files. Where the
user wrote what is not in it: a stored program numbers places, and is told the present ones when it is loaded. With
rules of others in force nothing is kept: what they do cannot be told from their text.

>>> from symtensor import ops
>>> from symtensor.types.tensor import TensorType
>>> x = TensorType("float64", (None,))("x")
>>> first, second = (entry(Graph([x], [x * 2]), Choice("fast_run"), 1, []).key for _ in range(2))
>>> first == second != entry(Graph([x], [x * 3]), Choice("fast_run"), 1, []).key
True
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from symtensor.base.config import config
from symtensor.base.errors import TextError
from symtensor.codegen.seal import digest
from symtensor.codegen.store import StoredFile, fetch, records, store
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply
from symtensor.ir.provenance import Lines
from symtensor.ir.text import text_and_places, to_text
from symtensor.lower.program import Program
from symtensor.ops.elementwise import Elementwise
from symtensor.rewrite.phases import Choice

__all__ = ["Entry", "entry", "why", "latest"]

_KIND = "program"
_KEY_KIND = "key"
"""Beside each program, what its key was made of: it tells why another one was not found."""
_MOST_TEXT = 1 << 20
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True)
class Entry:
    """Where a graph's program is kept.

    `fields` are what the key is made of, by name. `places` are the lines the graph's text numbers, and `labels` what
    inputs without a name are called in messages: after the line that made them, so that it changes when lines move.
    """

    fields: Mapping[str, str]
    places: Sequence[Lines]
    labels: Sequence[str]

    @property
    def key(self) -> str:
        """The name of the record."""
        return digest(*self.fields.values())

    def load(self) -> Program | None:
        """The program, if it is there and whole, with the places of the graph that was asked for."""
        data = fetch(_KIND, self.key)
        if data is None:
            return None
        try:
            program = pickle.loads(data)
            assert isinstance(program, Program)
            return self._translated(program, [self.places[number] for number in program.places], _named)
        except Exception:  # a record of another version may fail in any way: it is a miss, and is written anew
            return None

    def save(self, program: Program) -> None:
        """Store a program; one with an op that cannot be pickled is not stored."""
        numbers = {lines: number for number, lines in enumerate(self.places)}
        if not all(lines in numbers for lines in program.places):
            return
        stored = self._translated(program, [numbers[lines] for lines in program.places], _unnamed)
        try:
            data = pickle.dumps(stored, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError, TextError):
            return
        where = str(self.places[-1][0]) if self.places and self.places[-1] else "unknown"
        store(_KEY_KIND, self.key, _written({**self.fields, "where": where}))
        store(_KIND, self.key, data)

    def _translated(self, program: Program, places: list[Any],
                    text: Callable[[str, Sequence[str]], str]) -> Program:
        names = ("messages", "origins") if self.labels else ()
        changed = {name: _in_texts(getattr(program, name), lambda own: text(own, self.labels)) for name in names}
        return replace(program, places=places, **changed)


def _unnamed(text: str, labels: Sequence[str]) -> str:
    """A text in which labels are numbers."""
    if not labels:
        return text
    longest_first = "|".join(sorted(map(re.escape, labels), key=len, reverse=True))
    return re.sub(rf"({longest_first})(?!\d)", lambda match: f"\0{labels.index(match.group())}\0", text)


def _named(text: str, labels: Sequence[str]) -> str:
    """A text in which numbers are labels again."""
    return re.sub("\0(\\d+)\0", lambda match: labels[int(match.group(1))], text) if "\0" in text else text


def _in_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Nested lists and tuples with each text changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_in_texts(part, change) for part in value)
    return value


def entry(graph: Graph, choice: Choice, arguments: int, updates: Sequence[int],
          more: Mapping[str, str] | None = None) -> Entry | None:
    """Where the program of a graph is kept; None for a graph whose ops cannot be told from their text.

    `more` are fields of the key beside those that every program has.
    """
    phases = choice.phases()
    rules = [rule for phase, left_out in phases for rule in phase.members() if rule.name not in left_out]
    try:
        text, places = text_and_places(graph)
        bodies = _bodies(graph)
    except TextError:
        return None
    if bodies is None or not all(rule.place.startswith(_PACKAGE) for rule in rules):
        return None
    if not all(type(node.op).__module__.startswith("symtensor.") for node in _all_nodes(graph)):
        return None  # the code of a user's op, which may have run while constants were folded, is not known here
    labels = [repr(variable) for variable in graph.inputs if not variable.name]
    return Entry({
        "files of symtensor": _package(), "numpy": np.__version__,
        "rules": digest(*(f"{rule.name} {rule.place}" for rule in rules)),
        "level": choice.level, "floatX": config.floatX, "cast_policy": config.cast_policy,
        "arguments": str(arguments), "updates": repr(list(updates)),
        "names": repr([labels.index(label) for label in labels]), "bodies": "\n".join(bodies), **(more or {}),
        "graph": _unnamed(text, labels),
    }, [(), *places], labels)


def _all_nodes(graph: Graph) -> list[Apply]:
    """The nodes of a graph and of the functions in it."""
    found: list[Apply] = []
    pending = [graph]
    while pending:
        nodes = pending.pop().nodes()
        found += nodes
        pending += (function.graph for node in nodes for function in node.op.functions().values())
    return found


def _bodies(graph: Graph) -> list[str] | None:
    """What the ops with a scalar body compute, as text; None for an op whose name means another one by now."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    pending = _all_nodes(graph)
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


# --- why a program is not there ------------------------------------------------------------------

def why(own: Entry) -> str:
    """Why no program was found for an entry: where the nearest that is stored differs."""
    return _reason(own.fields, [(key, _read(data)) for key, _, data in records(_KEY_KIND) if key != own.key])


def latest(count: int) -> list[tuple[StoredFile, str, str]]:
    """Of the newest programs the file, the line of the user's, and why it was not there before."""
    stored = [(key, file, _read(data)) for key, file, data in records(_KEY_KIND)]
    return [(file, fields["where"], _reason(fields, [(other, older) for other, _, older in stored[number + 1:]]))
            for number, (_, file, fields) in enumerate(stored[:count])]


def _written(fields: Mapping[str, str]) -> bytes:
    """Fields as text: for each its name and the value's length on a line, then the value; of a long one, its digest."""
    short = {name: value if len(value) <= _MOST_TEXT else digest(value) for name, value in fields.items()}
    return "".join(f"{name}: {len(value)}\n{value}\n" for name, value in short.items()).encode()


def _read(data: bytes) -> dict[str, str]:
    text, fields = data.decode(), {}
    while text:
        head, _, text = text.partition("\n")
        name, _, length = head.rpartition(": ")
        fields[name], text = text[:int(length)], text[int(length) + 1:]
    return fields


def _reason(own: Mapping[str, str], others: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """In what a program's fields differ from the nearest of others."""
    found = [(*_difference(own, fields), key) for key, fields in others]
    if not found:
        return "no other program is in the cache"
    _, reason, nearest = min(found, key=lambda entry: entry[0])
    return f"{reason} (nearest: {nearest})"


def _difference(own: Mapping[str, str], other: Mapping[str, str]) -> tuple[int, str]:
    """How far two programs' fields are apart, and the last of them that differs, in words."""
    reason, distance = "its file was removed or is damaged", 0
    for name in own.keys() & other.keys() - {"where"}:
        mine, theirs = own[name].splitlines(), other[name].splitlines()
        distance += len(set(mine) ^ set(theirs))
    for name in own:
        mine, theirs = own[name].splitlines(), other.get(name, "").splitlines()
        if mine != theirs and name != "where":
            line = next((n for n, pair in enumerate(zip(mine, theirs)) if pair[0] != pair[1]),
                        min(len(mine), len(theirs)))
            now, before = ("".join(text[line:line + 1])[:120] or "nothing" for text in (mine, theirs))
            reason = f"{name} differs: now {now!r}, before {before!r}"
    return distance, reason
