"""From a Python function of variables to a function of the IR.

What an expression takes from outside is captured where it enters: whatever does not depend on the parameters is
computed once, outside.

>>> import symtensor.tensor as T
>>> x, w = T.dvector("x"), T.dmatrix("w")
>>> step, captured = closed([x], [x + T.exp(w).sum(axis=0)])
>>> step.parameters, captured
([x, sum(exp(w), axis=0)], [sum(exp(w), axis=0)])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symtensor.ir.function import Function
from symtensor.ir.graph import applications, substitute
from symtensor.ir.node import Constant, Variable
from symtensor.types import dim as dims
from symtensor.types.dim import Size, Symbol
from symtensor.types.tensor import TensorType

__all__ = ["closed", "dependent"]


def dependent(parameters: Iterable[Variable], results: Sequence[Variable]) -> set[Variable]:
    """The variables that `results` are computed from and that depend on `parameters`, these included."""
    inside = set(parameters)
    for node in applications(results, set(inside)):
        if any(v in inside for v in node.inputs):
            inside.update(node.outputs)
    return inside


def closed(parameters: Sequence[Variable], results: Sequence[Variable]) -> tuple[Function, list[Variable]]:
    """The function from `parameters`, and then from what it captures, to `results`; and what it captures."""
    inside = dependent(parameters, results)
    uses = [v for node in applications(results, set(parameters)) if node.outputs[0] in inside for v in node.inputs]
    captured = list(dict.fromkeys(v for v in (*uses, *results) if v not in inside and not isinstance(v, Constant)))
    everything = [*parameters, *captured]
    rename = _Renaming(v.type for v in everything)
    copies = [Variable(rename(v.type), name=v.name or repr(v)) for v in everything]
    return Function.of(copies, substitute(results, dict(zip(everything, copies)))), captured


class _Renaming:
    """Types with sizes of their own, in which equal sizes stay equal, and sizes made of others as far as possible."""

    def __init__(self, types: Iterable[TensorType]) -> None:
        self._new: dict[Size, Size] = {}
        for size in (size for type in types for size in type.shape):
            lone = dims.lone_symbol(size)
            if lone is not None and size not in self._new:
                self._new[size] = dims.symbol(lone.name)

    def __call__(self, type: TensorType) -> TensorType:
        return TensorType.of(type.dtype, tuple(map(self._size, type.shape)))

    def _size(self, size: Size) -> Size:
        if isinstance(size, int):
            return size
        if size not in self._new:
            known = all(dims.of_atom(symbol) in self._new for symbol in dims.symbols_of(size))
            self._new[size] = dims.substitute(size, self._of_symbol) if known else dims.symbol("size")
        return self._new[size]

    def _of_symbol(self, symbol: Symbol) -> Size | None:
        return self._new.get(dims.of_atom(symbol))
