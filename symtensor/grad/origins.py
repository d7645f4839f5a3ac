"""What derivatives were made from, remembered beside the graph.

A derivative need not mention the expression it is the derivative of: that of dot(x, w) by w along v is dot(x, v). A
program may still list w among the inputs of a function that computes it, as Theano's do, and is not mistaken.

>>> from symtensor.types.tensor import TensorType
>>> x, w = (Variable(TensorType("float64", ()), name=name) for name in "xw")
>>> derivative = x * 2
>>> remember([derivative], [x * w])
>>> sorted(map(repr, origins([derivative + 1])))
['w', 'x']
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from symtensor.ir.graph import ancestors
from symtensor.ir.node import Variable

__all__ = ["origins", "remember"]

_origins: WeakKeyDictionary[Variable, frozenset[Variable]] = WeakKeyDictionary()


def remember(derivatives: Iterable[Variable | None], expressions: Iterable[Variable]) -> None:
    """Note that `derivatives` were made from `expressions`; a derivative that is None or an input needs no note.

    >>> from symtensor.types.tensor import TensorType
    >>> x = Variable(TensorType("float64", ()), name="x")
    >>> remember([x], [x * x])
    >>> origins([x])
    set()
    """
    expressions = list(expressions)
    inputs = frozenset(v for v in ancestors(expressions) if v.owner is None) | origins(expressions)
    for derivative in derivatives:
        if derivative is not None and derivative.owner is not None:
            _origins[derivative] = _origins.get(derivative, frozenset()) | inputs


def origins(expressions: Iterable[Variable]) -> set[Variable]:
    """The inputs of what derivatives among `expressions` and their ancestors were made from.

    >>> origins([])
    set()
    """
    found: set[Variable] = set()
    for variable in ancestors(expressions):
        found |= _origins.get(variable, frozenset())
    return found
