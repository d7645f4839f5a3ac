"""Expressions as text: `debugprint` for the tree of a graph, `pp` for a formula.

>>> import symtensor.tensor as T
>>> x = T.dvector("x")
>>> y = (x + 1) * (x + 1).sum()
>>> pp(y)
'((x + 1) * sum((x + 1)))'
>>> debugprint(x.sum() * 2)
mul [id A]
 |sum[0] [id B]
 | |x [id C]
 |2 [id D]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TextIO

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.formula import formula
from symtensor.ir.graph import Graph
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.effects import Print

__all__ = ["Print", "debugprint", "expressions", "pp", "pprint", "pydotprint"]  # noqa: F822


# -- the tree ---------------------------------------------------------------------------------------------

def debugprint(obj: Any, depth: int = -1, print_type: bool = False, file: TextIO | str | None = None,
               ids: str = "CHAR", stop_on_name: bool = False) -> str | None:
    """Print the tree of applications that computes a variable, a list of variables, or a compiled function.

    A node stands before its inputs, which are one column further to the right. What was printed before is not printed
    again below: it has the same id. `depth` limits the columns, `stop_on_name` ends at named variables. `ids` is
    "CHAR" (A, B, ...), "int", "id" (Python's), or "" for none. `file` is a stream, "str" to return the text, or None
    for the standard output. Raises TypeMismatch for what is no expression.

    >>> import symtensor.tensor as T
    >>> debugprint(-T.dscalar("x"), print_type=True, file="str")
    'neg [id A] <float64 ()>\\n |x [id B] <float64 ()>\\n'
    """
    tree = _Tree(depth, print_type, _namer(ids), stop_on_name)
    text = "".join(line + "\n" for variable in expressions(obj) for line in tree.lines(variable))
    if file == "str":
        return text
    print(text, end="", file=sys.stdout if file is None else file)  # type: ignore[arg-type]
    return None


def expressions(obj: Any) -> Sequence[Variable]:
    """The expressions that an object stands for.

    >>> import symtensor.tensor as T
    >>> x = T.dscalar("x")
    >>> expressions([x, [x + 1]])
    [x, (x + 1.0)]
    """
    if isinstance(obj, Variable):
        return [obj]
    if isinstance(obj, Apply):
        return obj.outputs
    if isinstance(obj, Graph):
        return obj.outputs
    if isinstance(obj, Iterable):
        return [variable for part in obj for variable in expressions(part)]
    if isinstance(getattr(obj, "graph", None), Graph):
        return obj.graph.outputs
    raise TypeMismatch(f"{obj!r} is no expression to print", fix="give a variable, a list of them, or a function")


def _namer(ids: str) -> Callable[[Variable], str]:
    """What numbers the variables as they are met."""
    numbers: dict[Variable, int] = {}
    serial = count()

    def number(variable: Variable) -> int:
        if variable not in numbers:
            numbers[variable] = next(serial)
        return numbers[variable]

    styles: dict[str, Callable[[Variable], str]] = {
        "CHAR": lambda v: f" [id {_letters(number(v))}]", "int": lambda v: f" [id {number(v)}]",
        "id": lambda v: f" [id {id(v)}]", "": lambda v: ""}
    if ids not in styles:
        raise TypeMismatch(f"debugprint: there are no ids {ids!r}", fix='one of "CHAR", "int", "id", ""')
    return styles[ids]


def _letters(number: int) -> str:
    """0, 1, ... as A, B, ..., Z, BA, BB, ..."""
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text = chr(ord("A") + digit) + text
        if not number:
            return text


@dataclass
class _Tree:
    """A printer of trees; what it has printed it remembers."""

    depth: int
    print_type: bool
    identify: Callable[[Variable], str]
    stop_on_name: bool
    done: set[Variable] = field(default_factory=set)

    def lines(self, root: Variable) -> Iterator[str]:
        """The lines of one tree. A bar leads down from each node to its last input."""
        pending = [(root, "", "")]
        while pending:
            variable, prefix, below = pending.pop()
            yield prefix + self._label(variable)
            level = len(below) // 2
            if variable.owner is None or not self._opens(variable) or level == self.depth - 1:
                continue
            self.done.add(variable)
            inputs = variable.owner.inputs
            pending += [(v, below + " |", below + ("  " if v is inputs[-1] and i == len(inputs) - 1 else " |"))
                        for i, v in reversed(list(enumerate(inputs)))]

    def _opens(self, variable: Variable) -> bool:
        """Whether the inputs of a variable's node are to be printed below it."""
        return variable not in self.done and not (self.stop_on_name and variable.name)

    def _label(self, variable: Variable) -> str:
        owner = variable.owner
        if owner is None:
            text = _leaf(variable)
        else:
            text = f"{owner.op}.{variable.index}" if len(owner.outputs) > 1 else str(owner.op)
        text += self.identify(variable)
        if self.print_type:
            text += f" <{variable.type.describe()}>"
        if owner is not None and variable.name:
            text += f" '{variable.name}'"
        return text + (" ..." if owner is not None and variable in self.done and owner.inputs else "")


# -- the formula ------------------------------------------------------------------------------------------

def pp(obj: Any) -> str:
    """An expression as a formula in Python's notation; parts that occur twice are written twice.

    Several expressions, as of a function with several results, are written as a list. Raises TypeMismatch for what is
    no expression; `debugprint` shows what is shared.

    >>> import symtensor.tensor as T
    >>> x, w = T.dvector("x"), T.dmatrix("w")
    >>> pp(T.dot(x, w)[1:] * 2), pp(T.maximum(-x, 0).sum())
    ('((x @ w)[1:] * 2)', 'sum(maximum((-x), 0))')
    """
    formulas = [formula(variable, _leaf) for variable in expressions(obj)]
    return formulas[0] if len(formulas) == 1 else f"[{', '.join(formulas)}]"


pprint = pp


def _leaf(variable: Variable) -> str:
    if isinstance(variable, Constant) and not variable.name and variable.data.size <= 20:
        if not variable.type.ndim:
            return str(variable.data[()]).removesuffix(".0")
        return np.array2string(variable.data, separator=", ").replace("\n", "")
    return repr(variable)


def __getattr__(name: str) -> Any:
    if name != "pydotprint":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from symtensor.pictures import pydotprint  # Theano's address of it
    return pydotprint
