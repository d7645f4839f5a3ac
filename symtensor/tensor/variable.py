"""The methods of variables: `x.sum(axis=0)`, `x.T`, `x[1:]`, `x.shape`, `x.eval()`.

>>> from symtensor.tensor.inputs import matrix
>>> x = matrix("x")
>>> x.T.type, x[0].type, x.mean(axis=1).type
(TensorType(float64, (x.1, x.0)), TensorType(float64, (x.1,)), TensorType(float64, (x.0,)))
>>> rows, columns = x.shape
>>> x.shape[0].owner.op
Dimension(axis=0)
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint, extend_variables
from symtensor.ops import scalar
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.operators import deferring
from symtensor.ops.size import shape_of
from symtensor.ops.transfer import transfer
from symtensor.tensor import (
    complex_parts,
    creation,
    elementwise,
    indexing,
    linear,
    manipulation,
    ordering,
    reduction,
    selection,
    sequences,
)
from symtensor.tensor.arguments import product

__all__: list[str] = []


@extend_variables
class _Methods(Variable):
    """What every variable can be asked, and turned into."""

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each axis, whether its size is known to be 1."""
        return self.type.broadcastable

    @property
    def shape(self) -> Variable:
        """The sizes, as an int64 vector to index and unpack."""
        return manipulation.shape(self)

    @property
    def size(self) -> Variable:
        """The number of elements, an int64 scalar."""
        return product(shape_of(self))

    def __len__(self) -> int:
        if self.type.ndim and isinstance(self.type.shape[0], int):
            return self.type.shape[0]
        raise complaint(TypeMismatch, f"{self!r} has no length: it is a symbolic expression", self,
                        fix="use x.shape[0], or x.ndim")

    def __iter__(self) -> Iterator[Variable]:
        length = self.type.shape[0] if self.type.ndim else None
        if not isinstance(length, int):
            raise complaint(TypeMismatch, "only a tensor whose first size is known can be iterated over", self,
                            fix="fix the size: matrix(shape=(3, None)), or compute with whole tensors")
        return (indexing.getitem(self, position) for position in range(length))

    def __getitem__(self, index: Any) -> Variable:
        return indexing.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise complaint(TypeMismatch, f"{self!r} cannot be changed: it is a symbolic expression", self,
                        fix="y = set_subtensor(x[index], value), or inc_subtensor")

    @deferring
    def __matmul__(self, other: Any) -> Variable:
        return linear.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return linear.matmul(other, self)

    @property
    def T(self) -> Variable:
        """The axes reversed."""
        return manipulation.transpose(self)

    @property
    def real(self) -> Variable:
        """The real part."""
        return complex_parts.real(self)

    @property
    def imag(self) -> Variable:
        """The imaginary part."""
        return complex_parts.imag(self)

    def conjugate(self) -> Variable:
        """The complex conjugate."""
        return complex_parts.conj(self)

    def transpose(self, *axes: Any) -> Variable:
        """The axes permuted, by default reversed."""
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return manipulation.transpose(self, given or None)

    def reshape(self, shape: Any, *more: Any, ndim: int | None = None) -> Variable:
        """The elements in another shape, given as one argument or several; one size may be -1."""
        return manipulation.reshape(self, (shape, *more) if more else shape, ndim)

    def astype(self, dtype: Any) -> Variable:
        """The elements converted to another dtype."""
        return elementwise.cast(self, dtype)

    def clip(self, a_min: Any, a_max: Any) -> Variable:
        """The elements brought between two bounds."""
        return elementwise.clip(self, a_min, a_max)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Variable:
        """The mean over axes, by default all."""
        return reduction.mean(self, axis, dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def norm(self, L: float, axis: Any = None, keepdims: bool = False) -> Variable:
        """The L-norm over axes."""
        return reduction.norm(self, L, axis, keepdims)

    def compress(self, a: Any, axis: int | None = None) -> Variable:
        """The slices along an axis where a condition holds."""
        return selection.compress(a, self, axis)

    def transfer(self, target: str | None) -> Variable:
        """The same value on a device: "cpu", "cuda", "cuda1", the name of a context; None for the one in use.

        What is computed from it is computed there; as a result of a function it stays there.
        """
        return transfer(self, target)

    def get_parents(self) -> list[Any]:
        """The application it is computed by, in a list; nothing for an input."""
        return [] if self.owner is None else [self.owner]

    def copy(self, name: str | None = None) -> Variable:
        """A variable of the same value."""
        result: Variable = scalar.identity(self)
        result.name = name
        return result

    def clone(self) -> Variable:
        """A new variable of the same type and name with no owner; a constant with the same value."""
        if isinstance(self, Constant):
            return Constant(self.data, self.name)
        copy = Variable(self.type, name=self.name)
        vars(copy.tag).update(vars(self.tag))
        return copy

    def eval(self, inputs_to_values: Mapping[Variable, Any] | None = None) -> Any:
        """The value for given values of the variables it is computed from, as an array.

        Compiles a function, which is kept for the next call with the same variables. Raises MissingInputError,
        TypeMismatch for what is no dict of variables.
        """
        given = {} if inputs_to_values is None else inputs_to_values
        if not isinstance(given, Mapping) or any(isinstance(key, str) for key in given):
            raise complaint(TypeMismatch, f"eval takes a dict from variables to values, not {reprlib.repr(given)}",
                            self, fix="x.eval({a: 1.0, b: 2.0}), where a and b are the variables themselves")
        from symtensor.runtime.function import function  # runtime is loaded when something is first computed
        values = dict(given)
        compiled = _evaluators.setdefault(self, {})
        key = frozenset(values)
        if key not in compiled:
            compiled[key] = (list(values), function(list(values), self))
        order, evaluator = compiled[key]
        return evaluator(*(values[v] for v in order))


_evaluators: WeakKeyDictionary[Variable, dict[frozenset[Variable], Any]] = WeakKeyDictionary()
"""The functions that `eval` compiled, by the variables given; apart from variables, which are copied and pickled."""

# Functions of a tensor and further arguments that are methods as they are.
_METHODS = {
    manipulation: "dimshuffle flatten ravel swapaxes squeeze repeat",
    reduction: "sum prod var std max min argmax argmin any all ptp",
    elementwise: "round arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh deg2rad exp exp2 expm1 floor"
                 " log log10 log1p log2 rad2deg sin sinh sqrt tan tanh trunc",
    complex_parts: "conj",
    creation: "zeros_like ones_like fill",
    selection: "take nonzero nonzero_values choose diagonal trace",
    sequences: "cumsum cumprod",
    ordering: "sort argsort searchsorted",
    linear: "dot",
}


def _method(function: Any) -> Any:
    """A function as a method; an op, which is no function, as one with its doc."""
    if not isinstance(function, Elementwise):
        return function

    def method(self: Variable) -> Variable:
        return function(self)
    method.__doc__ = function.__doc__
    return method


for _module, _names in _METHODS.items():
    for _name in _names.split():
        setattr(Variable, _name, _method(getattr(_module, _name)))
