"""Theano's classes of ops, for programs that ask for them by `isinstance`, or make ops of them.

A class is here where one of symtensor's ops is what it says. What it makes is a function.

>>> import symtensor.tensor as T
>>> x = T.dmatrix("x")
>>> isinstance(x.T.owner.op, DimShuffle), isinstance(x[1:].owner.op, DimShuffle)
(True, False)
>>> DimShuffle((False, False), (1, "x", 0))(x).type.ndim, Sum(axis=0)(x).type.ndim
(3, 1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symtensor.ops.contract import MatMul
from symtensor.ops.index import Gather, Scatter, SetSubtensor
from symtensor.ops.reduce import ArgReduce, Reduce
from symtensor.ops.scalar import eq, switch
from symtensor.ops.shape import Broadcast, Dimshuffle
from symtensor.tensor import creation, linear, manipulation, reduction

__all__ = ["ARange", "AdvancedIncSubtensor1", "AdvancedSubtensor1", "All", "Alloc", "Any_", "Argmax", "CAReduce",
           "DimShuffle", "Dot", "IncSubtensor", "MaxAndArgmax", "Prod", "ProdWithoutZeros", "Split", "Sum"]


class _Class(type):
    """A class whose instances are ops of symtensor's that pass a test, and which makes a function of tensors."""

    holds: Callable[[Any], bool]
    make: Callable[..., Any]

    def __instancecheck__(cls, value: object) -> bool:
        return cls.holds(value)

    def __call__(cls, *parameters: Any, **options: Any) -> Any:
        return cls.make(*parameters, **options)


def _class(name: str, holds: Callable[[Any], bool], make: Callable[..., Any]) -> Any:
    return _Class(name, (), {"holds": staticmethod(holds), "make": staticmethod(make)})


def _reduces(kind: str) -> Callable[[Any], bool]:
    return lambda op: isinstance(op, Reduce) and op.kind == kind


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda axis=None, **options: lambda x: function(x, axis=axis, **options)


def ARange(dtype: str) -> Callable[..., Any]:
    """`ARange(dtype)(start, stop, step)`: the numbers in between."""
    return lambda start, stop, step: creation.arange(start, stop, step, dtype)


def _product_without_zeros(x: Any, axis: Any = None, **options: Any) -> Any:
    return reduction.prod(switch(eq(x, 0), 1, x), axis=axis, **options)


def _shuffled(input_broadcastable: Any, new_order: Any, inplace: bool = True) -> Callable[[Any], Any]:
    return lambda x: manipulation.dimshuffle(x, *new_order)


def Split(len_splits: int) -> Callable[..., Any]:
    """What cuts a tensor into so many parts: `Split(2)(x, axis, sizes)`."""
    return lambda x, axis, splits_size: manipulation.split(x, splits_size, len_splits, axis)


_COMBINED: dict[str, Callable[..., Any]] = {
    "add": reduction.sum, "mul": reduction.prod, "maximum": reduction.max, "minimum": reduction.min,
    "and_": reduction.all, "or_": reduction.any}


def _unmade(*parameters: Any, **options: Any) -> Any:
    raise TypeError("ops of this class are made by indexing: x[places], set_subtensor, inc_subtensor")


DimShuffle = _class("DimShuffle", lambda op: isinstance(op, Dimshuffle), _shuffled)
CAReduce = _class("CAReduce", lambda op: isinstance(op, Reduce), lambda scalar_op, axis=None: (
    lambda x: _COMBINED[str(scalar_op)](x, axis=axis)))
Sum = _class("Sum", _reduces("sum"), _reduction(reduction.sum))
Prod = _class("Prod", _reduces("prod"), _reduction(reduction.prod))
ProdWithoutZeros = _class("ProdWithoutZeros", lambda op: False, _reduction(_product_without_zeros))
All = _class("All", _reduces("all"), _reduction(reduction.all))
Any_ = _class("Any", _reduces("any"), _reduction(reduction.any))
Argmax = _class("Argmax", lambda op: isinstance(op, ArgReduce), _reduction(reduction.argmax))
MaxAndArgmax = _class("MaxAndArgmax", lambda op: isinstance(op, ArgReduce), _reduction(reduction.max_and_argmax))
Alloc = _class("Alloc", lambda op: isinstance(op, Broadcast), lambda: creation.alloc)
Dot = _class("Dot", lambda op: isinstance(op, MatMul), lambda: linear.dot)
AdvancedSubtensor1 = AdvancedSubtensor = _class("AdvancedSubtensor", lambda op: isinstance(op, Gather), _unmade)
AdvancedIncSubtensor1 = AdvancedIncSubtensor = _class("AdvancedIncSubtensor", lambda op: isinstance(op, Scatter),
                                                      _unmade)
IncSubtensor = _class("IncSubtensor", lambda op: isinstance(op, SetSubtensor), _unmade)
