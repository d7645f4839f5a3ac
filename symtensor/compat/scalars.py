"""Functions of numbers by users, written as Theano's scalar ops are, and `Elemwise`, which applies them to arrays.

They run in Python, between kernels: by the NumPy or SciPy function that `nfunc_spec` names, else by calling `impl` for
each element. `c_code` is not run. `symtensor.elementwise` makes ops that are compiled.

>>> from symtensor.tensor import dvector
>>> from symtensor.runtime.function import function
>>> from symtensor.gradient import grad
>>> class Cube(UnaryScalarOp):
...     def impl(self, x):
...         return x ** 3
...     def grad(self, inputs, gradients):
...         return [gradients[0] * 3 * inputs[0] ** 2]
>>> cube = Elemwise(Cube(upgrade_to_float, name="cube"))
>>> x = dvector("x")
>>> function([x], [cube(x), grad(cube(x).sum(), x)])([1.0, 2.0])
[array([1., 8.]), array([ 3., 12.])]
>>> from symtensor.compat import scalars
>>> Elemwise(scalars.GammaLn(upgrade_to_float, name="gammaln"))(x), scalars.int8
(gammaln(x), int8)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np

from symtensor.base.errors import MissingMethodError, TypeMismatch
from symtensor.compat.ops import cotangents_by
from symtensor.ir import node as nodes
from symtensor.ir.node import Variable
from symtensor.ops import special  # noqa: F401 (defines some of KINDS)
from symtensor.ops.convert import together
from symtensor.ops.elementwise import Elementwise, broadcast_shapes, primitives
from symtensor.ops.shape import broadcast_to
from symtensor.ops.size import size_value
from symtensor.types import dtype as dtypes
from symtensor.types.tensor import TensorType

__all__ = ["BinaryScalarOp", "Elemwise", "Scalar", "ScalarOp", "UnaryScalarOp", "get_scalar_type", "same_out",
           "same_out_nocomplex", "specific_out", "transfer_type", "upcast_out", "upgrade_to_float",
           "upgrade_to_float_no_complex"]


# -- types ------------------------------------------------------------------------------------------------

class Scalar(TensorType):
    """The type of one number. As text it is its dtype."""

    __slots__ = ()

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype)

    def __repr__(self) -> str:
        return self.dtype


def get_scalar_type(dtype: Any) -> Scalar:
    """The type of one number of a dtype."""
    return Scalar(dtype)


int_types = tuple(Scalar(dtype) for dtype in dtypes.INTEGERS if dtype not in dtypes.UNSIGNED)
uint_types = tuple(map(Scalar, dtypes.UNSIGNED))
float_types = tuple(map(Scalar, ("float16", "float32", "float64")))  # Theano had no bfloat16
complex_types = tuple(map(Scalar, dtypes.COMPLEX))
integer_types = int_types + uint_types
discrete_types = (Scalar("bool"), *integer_types)
continuous_types = float_types + complex_types
all_types = discrete_types + continuous_types


# -- the type of a result from those of the operands ------------------------------------------------------

Preference = Callable[..., Sequence[TensorType]]


def upcast_out(*types: Any) -> list[Scalar]:
    """That which holds all of them."""
    return [Scalar(dtypes.promote(*(type.dtype for type in types)))]


same_out = upcast_out


def same_out_nocomplex(*types: Any) -> list[Scalar]:
    """That which holds all of them. Raises TypeMismatch for complex numbers."""
    return _real(upcast_out(*types))


def upgrade_to_float(*types: Any) -> list[Scalar]:
    """The float that holds all of them, or complex numbers."""
    return [Scalar(dtypes.float_of(upcast_out(*types)[0].dtype))]


def upgrade_to_float_no_complex(*types: Any) -> list[Scalar]:
    """The float that holds all of them. Raises TypeMismatch for complex numbers."""
    return _real(upgrade_to_float(*types))


def _real(found: list[Scalar]) -> list[Scalar]:
    if found[0].dtype in dtypes.COMPLEX:
        raise TypeMismatch(f"complex numbers ({found[0]}) are not taken", fix="use real(x), imag(x) or abs(x)")
    return found


class specific_out:
    """These types, whatever the operands are."""

    def __init__(self, *types: TensorType) -> None:
        self.types = types

    def __call__(self, *operands: Any) -> list[TensorType]:
        return list(self.types)


class transfer_type:
    """The types of the operands at these positions."""

    def __init__(self, *positions: int) -> None:
        self.positions = positions

    def __call__(self, *types: Any) -> list[Any]:
        return [types[position] for position in self.positions]


# -- ops --------------------------------------------------------------------------------------------------

class ScalarOp:
    """A function of numbers: `impl(*numbers)`, and `grad(inputs, gradients)` if it has a derivative.

    Applied to expressions it gives what `Elemwise` of it gives: a number is a tensor of no axes. A `nfunc_spec`, such
    as ("scipy.special.i0e", 1, 1), names a function of arrays that is used instead of `impl`.
    """

    nin = -1
    nout = 1
    nfunc_spec: tuple[str, int, int] | None = None
    output_types_preference: Preference = staticmethod(upcast_out)

    def __init__(self, output_types_preference: Preference | None = None, name: str | None = None) -> None:
        self.name = name
        if output_types_preference is not None:
            self.output_types_preference = output_types_preference

    def output_types(self, types: Sequence[TensorType]) -> list[TensorType]:
        """The type of the result for operands of these types."""
        return list(self.output_types_preference(*types))

    def impl(self, *numbers: Any) -> Any:
        """The value for numbers."""
        raise MissingMethodError(f"the scalar op {self} has no impl",
                                 fix=f"define impl(self, *numbers) in class {type(self).__name__}; c_code is not run")

    def __call__(self, *operands: Any) -> Any:
        return Applied(self)(*operands)

    def __eq__(self, other: object) -> Any:
        return self is other or (type(self) is type(other) and vars(self) == vars(other))

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return self.name or type(self).__name__.lower()


class UnaryScalarOp(ScalarOp):
    """A function of one number."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A function of two numbers."""

    nin = 2


class Applied(nodes.Op):
    """A user's function of numbers, applied to each element; operands are spread to one shape first."""

    scalar_op: ScalarOp

    def prepare(self, *operands: Any) -> list[Variable]:
        own = self.scalar_op
        if own.nin >= 0 and len(operands) != own.nin:
            raise TypeMismatch(f"{self} takes {own.nin} operands, not {len(operands)}")
        variables = together(operands)
        shape = broadcast_shapes([v.type.shape for v in variables])
        return [v if v.type.shape == shape else broadcast_to(v, [size_value(size) for size in shape])
                for v in variables]

    def infer(self, *inputs: Variable) -> list[TensorType]:
        types = self.scalar_op.output_types([Scalar(v.type.dtype) for v in inputs])
        shape = broadcast_shapes([v.type.shape for v in inputs])
        return [TensorType.of(type.dtype, shape) for type in types]

    def evaluate(self, *values: np.ndarray) -> Any:
        own = self.scalar_op
        types = own.output_types([Scalar(value.dtype.name) for value in values])
        function = _found(own.nfunc_spec[0]) if own.nfunc_spec else np.frompyfunc(own.impl, len(values), len(types))
        with np.errstate(all="ignore"):
            found = function(*values)
        results = found if isinstance(found, tuple) else (found,)
        arrays = [np.asarray(result).astype(type.dtype) for result, type in zip(results, types)]
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    def pullback(self, *values: Any) -> Any:
        made = len(self.scalar_op.output_types([Scalar("float64")] * max(self.scalar_op.nin, 1)))
        return cotangents_by(self.scalar_op, values[:-2 * made], values[-2 * made:-made], values[-made:])

    def __repr__(self) -> str:
        return repr(self.scalar_op)


def _found(name: str) -> Any:
    """A function of NumPy or SciPy by its name."""
    module, _, own = name.rpartition(".")
    return reduce(getattr, own.split("."), import_module(module if module.startswith("scipy") else "numpy"))


class _AnyElementwise(type):

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, (Elementwise, Applied))


class Elemwise(metaclass=_AnyElementwise):
    """`Elemwise(scalar_op)`: the op that applies a function of numbers to each element. All such ops are instances.

    Of symtensor's own functions it is the function itself. Memory is planned by the compiler: `inplace_pattern` is
    taken and without effect.
    """

    def __new__(cls, scalar_op: Any, inplace_pattern: Any = None, name: str | None = None,  # type: ignore[misc]
                nfunc_spec: Any = None, openmp: Any = None) -> Any:
        return scalar_op if isinstance(scalar_op, Elementwise) else Applied(scalar_op)


# -- Theano's classes of its own functions ----------------------------------------------------------------

class _Kind(type):
    """A class of Theano's of which there is one instance here: `GammaLn(...)` is gammaln."""

    op: Elementwise

    def __call__(cls, *preference: Any, **options: Any) -> Elementwise:
        return cls.op

    def __instancecheck__(cls, value: object) -> bool:
        return value == cls.op


KINDS = {
    "Abs": "abs", "Add": "add", "And": "and_", "ArcCos": "arccos", "ArcCosh": "arccosh", "ArcSin": "arcsin",
    "ArcSinh": "arcsinh", "ArcTan": "arctan", "ArcTan2": "arctan2", "ArcTanh": "arctanh", "Ceil": "ceil", "Cos": "cos",
    "Cosh": "cosh", "EQ": "eq", "Erf": "erf", "Erfc": "erfc", "Erfcinv": "erfcinv", "Erfcx": "erfcx",
    "Erfinv": "erfinv", "Exp": "exp", "Exp2": "exp2", "Expm1": "expm1", "Floor": "floor", "GE": "ge", "GT": "gt",
    "GammaLn": "gammaln", "Identity": "identity", "IntDiv": "floor_div", "Inv": "reciprocal",
    "Invert": "invert", "IsInf": "isinf", "IsNan": "isnan", "LE": "le", "LT": "lt",
    "Log": "log", "Log10": "log10", "Log1p": "log1p", "Log2": "log2", "Maximum": "maximum", "Minimum": "minimum",
    "Mod": "mod", "Mul": "mul", "NEQ": "neq", "Neg": "neg", "OR": "or_", "Pow": "power", "Psi": "psi",
    "RoundHalfAwayFromZero": "round_half_away_from_zero", "RoundHalfToEven": "round_half_to_even",
    "ScalarSigmoid": "sigmoid", "ScalarSoftplus": "softplus", "Sgn": "sign", "Sin": "sin", "Sinh": "sinh",
    "Sqr": "square", "Sqrt": "sqrt", "Sub": "sub", "Switch": "switch", "Tan": "tan", "Tanh": "tanh",
    "TrueDiv": "true_div", "Trunc": "trunc", "XOR": "xor",
}
"""Theano's classes of scalar ops, and the ops that they are."""


def __getattr__(name: str) -> Any:
    if name in dtypes.ALL:
        return Scalar(name)
    if name not in KINDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _Kind(name, (), {"op": primitives[KINDS[name]]})
