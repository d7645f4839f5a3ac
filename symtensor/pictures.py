"""Pictures of graphs: `pydotprint`, by the program `dot` of Graphviz, or as text for it.

>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> print(dot_text([T.exp(x) * 2]))
digraph {
  n0 [label="x\\nfloat64 (x.0,)", shape=box, style=filled, fillcolor="palegreen"]
  n1 [label="exp", shape=ellipse, style=filled, fillcolor="white"]
  n0 -> n1
  n2 [label="2.0\\nfloat64 ()", shape=box, style=filled, fillcolor="lightgray"]
  n3 [label="mul", shape=ellipse, style=filled, fillcolor="white"]
  n1 -> n3 [label="0"]
  n2 -> n3 [label="1"]
  n4 [label="float64 (x.0,)", shape=box, style=filled, fillcolor="lightblue"]
  n3 -> n4
}
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from symtensor.base.errors import CompileError
from symtensor.ir.graph import applications
from symtensor.ir.node import Constant, Variable
from symtensor.printing import expressions
from symtensor.runtime.shared import SharedVariable

__all__ = ["dot_text", "pydotprint"]

INPUT, CONSTANT, SHARED, OUTPUT, NODE = "palegreen", "lightgray", "gold", "lightblue", "white"
_TEXT = ("dot", "gv")


def dot_text(outputs: Sequence[Variable]) -> str:
    """Expressions in Graphviz's language: boxes are values, ellipses applications, numbers say which argument it is.

    >>> import symtensor.tensor as T
    >>> len(dot_text([T.dscalar("x") + 1]).splitlines())
    9
    """
    return "\n".join(["digraph {", *(f"  {line}" for line in _lines(outputs)), "}"])


def _lines(outputs: Sequence[Variable]) -> Iterator[str]:
    serial = count()
    names: dict[Any, str] = {}

    def node(key: Any, label: str, colour: str, shape: str = "box") -> str:
        names[key] = f"n{next(serial)}"
        quoted = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{names[key]} [label="{quoted}", shape={shape}, style=filled, fillcolor="{colour}"]'

    for application in applications(list(outputs)):
        for v in application.inputs:
            if v.owner is None and v not in names:
                yield node(v, f"{v!r}\n{v.type.describe()}", _colour(v))
        yield node(application, str(application.op), NODE, "ellipse")
        several = len(application.inputs) > 1
        for position, v in enumerate(application.inputs):
            label = f' [label="{position}"]' if several else ""
            yield f"{names[v if v.owner is None else v.owner]} -> {names[application]}{label}"
    for v in outputs:
        if v.owner is None:
            yield node(("output", v), f"{v!r}\n{v.type.describe()}", OUTPUT)
        else:
            label = f"{v.name}\n" if v.name else ""
            yield node(("output", v), label + v.type.describe(), OUTPUT)
            yield f"{names[v.owner]} -> {names['output', v]}"


def _colour(leaf: Variable) -> str:
    return CONSTANT if isinstance(leaf, Constant) else SHARED if isinstance(leaf, SharedVariable) else INPUT


def pydotprint(fct: Any, outfile: str | None = None, compact: bool = True, format: str = "png",
               print_output_file: bool = True, **options: Any) -> str:
    """A picture of an expression, a list of them or a compiled function, in a file; the path of it.

    The format is that of the file's name, else `format`: "png", "svg", "pdf" and what else the program `dot` makes, or
    "dot" for its text, which needs no program. Theano's further options choose looks, and are taken without effect.
    Raises CompileError where there is no `dot`, TypeMismatch for what is no expression.

    >>> import symtensor.tensor as T, os, tempfile
    >>> path = pydotprint(T.exp(T.dscalar("x")), os.path.join(tempfile.mkdtemp(), "exp.dot"), print_output_file=False)
    >>> open(path).read().startswith("digraph {")
    True
    """
    path = outfile or f"symtensor.{format}"
    ending = os.path.splitext(path)[1][1:]
    if not ending:
        path, ending = f"{path}.{format}", format
    text = dot_text(expressions(fct))
    if ending in _TEXT:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        program = shutil.which("dot")
        if program is None:
            raise CompileError(f"a picture in the format {ending} needs the program dot, which is not on the path",
                               fix='install Graphviz, or give a file name that ends in ".dot"')
        done = subprocess.run([program, f"-T{ending}", "-o", path], input=text, text=True, capture_output=True,
                              check=False)
        if done.returncode:
            raise CompileError(f"dot makes no picture: {done.stderr.strip()[:200]}",
                               fix='give a file name that ends in ".png", ".svg" or ".pdf"')
    if print_output_file:
        print(f"the picture is in {path}")
    return path
