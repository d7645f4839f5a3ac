"""Expressions over the real numbers: every op's meaning with hundreds of digits, by mpmath.

Numbers are `mpf` objects in NumPy arrays of objects; what is not defined over the reals is NaN.

>>> from symtensor import ops
>>> from symtensor.ops.scalar import log
>>> from symtensor.types.tensor import TensorType
>>> x = Variable(TensorType("float64", ()), name="x")
>>> found = exact_values([log(x + 1)], {x: np.array(1e-300)})
>>> print(mpmath.nstr(list(found.values())[-1].item(), 5))
1.0e-300
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np

from symtensor.ir.graph import applications
from symtensor.ir.node import Apply, Constant, Variable
from symtensor.ops.elementwise import Cast, Elementwise
from symtensor.types.dtype import kind_of

__all__ = ["DIGITS", "exact_values", "as_exact"]

DIGITS = 800
"""Enough to hold 1 + the smallest float64 number and have hundreds of digits left."""
_LARGEST_EXPONENT = 10**7
NAN = mpmath.mpf("nan")


def as_exact(values: Any) -> np.ndarray:
    """An array of numbers as an array of the same numbers in mpmath's form; truth values stay as they are."""
    array = np.asarray(values)
    result = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        result[index] = bool(value) if array.dtype == bool else mpmath.mpf(value.item())
    return result


def exact_values(outputs: Sequence[Variable], inputs: Mapping[Variable, np.ndarray]) -> dict[Variable, np.ndarray]:
    """The values over the reals of all variables that `outputs` are computed from, and of `outputs`."""
    with mpmath.workdps(DIGITS):
        known = {variable: as_exact(value) for variable, value in inputs.items()}
        computed: dict[Variable, np.ndarray] = {}
        for node in applications(outputs, known):
            operands = [known[v] if v in known else as_exact(v.data) for v in node.inputs]  # type: ignore[attr-defined]
            known[node.outputs[0]] = computed[node.outputs[0]] = _apply(node, operands)
        return computed


def _apply(node: Apply, operands: list[np.ndarray]) -> np.ndarray:
    if not isinstance(node.op, Elementwise):
        numbers = [v.data if isinstance(v, Constant) else value for v, value in zip(node.inputs, operands)]
        return np.asarray(node.op.evaluate(*numbers), dtype=object)
    function = _cast(node.op.dtype) if isinstance(node.op, Cast) else FUNCTIONS[node.op.name]
    result = np.frompyfunc(_guarded(function), len(operands), 1)(*operands)
    return np.asarray(result, dtype=object)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        try:
            result = function(*values)
        except (ZeroDivisionError, ValueError, OverflowError):
            return NAN
        return NAN if isinstance(result, mpmath.mpc) and function is not mpmath.mpc else result
    return call


def _cast(dtype: str) -> Callable[[Any], Any]:
    if dtype == "bool":
        return lambda x: x != 0
    if kind_of(dtype) in "iu":
        return lambda x: mpmath.mpf(int(x))
    return lambda x: mpmath.mpf(x)


def _exp(x: Any) -> Any:
    if mpmath.isfinite(x) and abs(x) > _LARGEST_EXPONENT:
        return mpmath.inf if x > 0 else mpmath.mpf(0)
    return mpmath.exp(x)


def _power(x: Any, y: Any) -> Any:
    if y == 0 or x == 1:
        return mpmath.mpf(1)
    if mpmath.isfinite(x) and mpmath.isfinite(y) and x != 0 and abs(y * mpmath.log(abs(x))) > _LARGEST_EXPONENT:
        return NAN
    return mpmath.power(x, y)


def _choose(better: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    return lambda x, y: NAN if mpmath.isnan(x) or mpmath.isnan(y) else x if better(x, y) else y


def _round_half_away(x: Any) -> Any:
    whole = mpmath.floor(abs(x) + mpmath.mpf(1) / 2)
    return whole if x > 0 else -whole


def _softplus(x: Any) -> Any:
    return x if x > _LARGEST_EXPONENT else mpmath.log(1 + _exp(x))


def _hyperbolic(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: NAN if mpmath.isfinite(x) and abs(x) > _LARGEST_EXPONENT else function(x)


def _tanh(x: Any) -> Any:
    return mpmath.mpf(1 if x > 0 else -1) if abs(x) > _LARGEST_EXPONENT else mpmath.tanh(x)


def _trigonometric(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: function(x) if mpmath.isfinite(x) else NAN


def _bits(integers: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: integers(x, y) if isinstance(x, bool) else mpmath.mpf(integers(int(x), int(y)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x or y if isinstance(x, bool) else x + y, "sub": lambda x, y: x - y,
    "mul": lambda x, y: x and y if isinstance(x, bool) else x * y, "true_div": lambda x, y: x / y,
    "neg": lambda x: -x, "abs": abs, "square": lambda x: x if isinstance(x, bool) else x * x,
    "reciprocal": lambda x: 1 / x, "sqrt": mpmath.sqrt, "power": _power,
    "sign": mpmath.sign, "floor_div": lambda x, y: mpmath.floor(x / y), "mod": lambda x, y: x % y,
    "maximum": _choose(lambda x, y: x > y), "minimum": _choose(lambda x, y: x < y),
    "floor": mpmath.floor, "ceil": mpmath.ceil, "trunc": lambda x: mpmath.floor(x) if x > 0 else mpmath.ceil(x),
    "round_half_to_even": mpmath.nint, "round_half_away_from_zero": _round_half_away,
    "exp": _exp, "exp2": lambda x: _exp(x * mpmath.log(2)), "expm1": lambda x: _exp(x) - 1,
    "log": mpmath.log, "log2": lambda x: mpmath.log(x) / mpmath.log(2), "log10": mpmath.log10,
    "log1p": lambda x: mpmath.log(1 + x), "sigmoid": lambda x: 1 / (1 + _exp(-x)), "softplus": _softplus,
    "sin": _trigonometric(mpmath.sin), "cos": _trigonometric(mpmath.cos), "tan": _trigonometric(mpmath.tan),
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arctan2": mpmath.atan2,
    "sinh": _hyperbolic(mpmath.sinh), "cosh": _hyperbolic(mpmath.cosh), "tanh": _tanh,
    "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh,
    "erf": mpmath.erf, "erfc": mpmath.erfc, "hypot": mpmath.hypot,
    "complex": mpmath.mpc, "real": lambda z: z.real, "imag": lambda z: z.imag,
    "eq": lambda x, y: x == y, "neq": lambda x, y: x != y, "lt": lambda x, y: x < y, "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y,
    "isnan": lambda x: not isinstance(x, bool) and mpmath.isnan(x),
    "isinf": lambda x: not isinstance(x, bool) and mpmath.isinf(x),
    "and_": _bits(lambda x, y: x & y), "or_": _bits(lambda x, y: x | y), "xor": _bits(lambda x, y: x ^ y),
    "invert": lambda x: not x if isinstance(x, bool) else mpmath.mpf(~int(x)),
    "switch": lambda c, x, y: x if c else y, "identity": lambda x: x, "stop_gradient": lambda x: x,
}
"""The meaning of elementwise ops over the reals, by name."""
