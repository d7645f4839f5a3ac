"""NumPy's functions of variables: `np.exp(x)`, `np.sum(x)`, `np.dot(a, x)` are those of `symtensor.tensor`.

NumPy asks the arguments of its functions whether one of them knows better: ufuncs by `__array_ufunc__`, other functions
by `__array_function__`, conversions by `__array__`. Which function of NumPy is which of ours stands in the tables here.

>>> import numpy as np
>>> from symtensor.tensor.inputs import dvector
>>> x = dvector("x")
>>> np.exp(x), np.sum(x, axis=0), np.ones(3) * x
(exp(x), sum(x), ([1.0, 1.0, 1.0] * x))
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

import numpy as np

from symtensor.base.errors import TypeMismatch
from symtensor.ir.node import Constant, Variable, complaint, extend_variables
from symtensor.ops import scalar
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import as_bool
from symtensor.ops.shape import expand_dims
from symtensor.ops.size import dimension

__all__: list[str] = []


def _same(names: str) -> dict[str, Any]:
    return {name: name for name in names.split()}


def _truths(combine: Any) -> Callable[..., Variable]:
    return lambda *values: combine(*(as_bool(as_variable(value)) for value in values))


UFUNCS: dict[str, Any] = _same(
    "add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh"
    " deg2rad divmod exp exp2 expm1 floor hypot invert isinf isnan log log10 log1p log2 matmul maximum minimum power"
    " rad2deg reciprocal sign sin sinh sqrt square tan tanh trunc true_divide"
) | {
    "absolute": "abs_", "conjugate": "conj", "degrees": "rad2deg", "divide": "true_div", "equal": "eq", "fabs": "abs_",
    "floor_divide": "floor_div", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le",
    "multiply": "mul", "negative": "neg", "not_equal": "neq", "positive": as_variable, "radians": "deg2rad",
    "remainder": "mod", "rint": "round", "subtract": "sub", "true_divide": "true_div",
    "isfinite": lambda x: scalar.invert(scalar.or_(scalar.isnan(x), scalar.isinf(x))),
    "logical_and": _truths(scalar.and_), "logical_or": _truths(scalar.or_), "logical_xor": _truths(scalar.xor),
    "logical_not": _truths(scalar.invert),
}
"""NumPy's ufuncs: the function of `symtensor.tensor` that each is."""

_METHODS = {("add", "reduce"): "T.sum", ("multiply", "reduce"): "T.prod", ("maximum", "reduce"): "T.max",
            ("minimum", "reduce"): "T.min", ("logical_and", "reduce"): "T.all", ("logical_or", "reduce"): "T.any",
            ("add", "accumulate"): "T.cumsum", ("multiply", "accumulate"): "T.cumprod",
            ("multiply", "outer"): "T.outer", ("add", "at"): "T.inc_subtensor(x[index], value)"}
"""What to use in the place of a method of a ufunc."""


def _rounded(a: Any, decimals: int = 0) -> Variable:
    if decimals != 0:
        raise complaint(TypeMismatch, "np.round of an expression gives whole numbers, and no decimals", as_variable(a),
                        fix="T.round(a * 10 ** n) / 10 ** n")
    return _function("round")(a)  # type: ignore[no-any-return]


def _size(a: Any, axis: int | None = None) -> Variable:
    x = as_variable(a)
    return x.size if axis is None else dimension(x, range(x.type.ndim)[axis])  # type: ignore[attr-defined, no-any-return]


def _expanded(a: Any, axis: int | Sequence[int]) -> Variable:
    x, axes = as_variable(a), [axis] if isinstance(axis, int) else list(axis)
    ndim = x.type.ndim + len(axes)
    return expand_dims(x, sorted(one % ndim for one in axes))


def _clipped(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Variable:
    result, low, high = as_variable(a), a_min if min is None else min, a_max if max is None else max
    result = result if low is None else scalar.maximum(result, low)
    return result if high is None else scalar.minimum(result, high)


FUNCTIONS: dict[str, Any] = _same(
    "all allclose any argmax argmin argsort bincount broadcast_to choose compress concatenate cov cumprod cumsum diag"
    " diagonal diff dot einsum flatnonzero full_like i0 imag isclose kron linspace max mean min moveaxis nonzero"
    " ones_like outer pad prod ptp ravel ravel_multi_index real repeat reshape roll searchsorted shape sort squeeze"
    " stack std sum swapaxes take take_along_axis tensordot tile trace transpose tril triu unique unravel_index var"
    " where zeros_like angle"
) | {
    "amax": "max", "amin": "min", "around": _rounded, "round": _rounded, "ndim": lambda a: as_variable(a).type.ndim,
    "size": _size, "expand_dims": _expanded, "clip": _clipped,
} | _same(
    "linalg.cholesky linalg.det linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv linalg.matrix_power"
    " linalg.norm linalg.pinv linalg.qr linalg.slogdet linalg.solve linalg.svd linalg.svdvals linalg.tensorinv"
    " linalg.tensorsolve")
"""NumPy's other functions, without `np.`: the function of `symtensor.tensor` that each is, or one made here."""


def _function(named: Any) -> Callable[..., Any]:
    """A function of an entry of a table."""
    if not isinstance(named, str):
        return named  # type: ignore[no-any-return]
    from symtensor import tensor  # which has all the vocabulary when it is loaded, and loads this
    found: Any = tensor
    for part in named.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _refuse(what: str, values: Iterable[Any], fix: str) -> NoReturn:
    raise complaint(TypeMismatch, what, *(value for value in values if isinstance(value, Variable)), fix=fix)


def _nearest(name: str) -> str:
    """What to do about a function that is not there."""
    from symtensor import tensor
    known = [own for own in dir(tensor) if not own.startswith("_")]
    near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    return f"T.{near[0]}, or a composition" if near else "compose it of what symtensor.tensor has; x.eval() is an array"


_OPTIONS = {
    "out": ("an expression cannot be written into an array", "leave out= away, and name the result"),
    "where": ("there is no where= for expressions", "T.switch(condition, value, otherwise)"),
    "dtype": ("the dtype follows from the arguments", "cast the result: .astype(dtype)"),
    "initial": ("there is no initial= for expressions", "combine the result with it"),
}
"""Options that NumPy's functions have and ours have not: why, and what to do."""


def _without_options(name: str, values: Iterable[Any], given: Iterable[str]) -> None:
    """Raise TypeMismatch for options of NumPy that are given."""
    for option in given:
        why, fix = _OPTIONS.get(option, (f"there is no {option}= for expressions", f"leave {option}= away"))
        _refuse(f"np.{name}: {why}", values, fix)


@cache
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def _matched(name: str, numpy: Any, own: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The call of our function with what was given for NumPy's: operands by position, options by their names.

    An option that is given as what it is by default, as methods of NumPy do, is not given.
    """
    bound = _signature(numpy).bind(*args, **kwargs)
    ours = list(_signature(own).parameters.values())
    operands, options = [], {}
    for parameter in _signature(numpy).parameters.values():
        if parameter.name not in bound.arguments:
            continue
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            operands += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            options.update(value)
        elif parameter.default is parameter.empty or ours[0].kind is parameter.VAR_POSITIONAL:
            operands.append(value)
        elif value is not parameter.default:
            options[parameter.name] = value
    missing = [option for option in options if all(parameter.name != option for parameter in ours)]
    _without_options(name, [*args, *kwargs.values()], missing)
    return own(*operands, **options)


@extend_variables
class _Protocols:
    """What NumPy asks variables."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__":
            _refuse(f"np.{name}.{method} takes arrays, and not expressions", inputs,
                    _METHODS.get((name, method), f"np.{name}, or a reduction such as T.sum"))
        _without_options(name, inputs, kwargs)
        if name not in UFUNCS:
            _refuse(f"np.{name} takes arrays, and not expressions", inputs, _nearest(name))
        return _function(UFUNCS[name])(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = function.__module__.removeprefix("numpy").removeprefix(".")
        name = f"{module}.{function.__name__}" if module else function.__name__
        if name not in FUNCTIONS:
            _refuse(f"np.{name} takes arrays, and not expressions", args, _nearest(name))
        return _matched(name, function, _function(FUNCTIONS[name]), args, kwargs)

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> Any:
        if isinstance(self, Constant):
            return np.array(self.data, dtype)
        if not self.type.ndim:  # np.prod((x.shape[0], 2)) computes with scalars as Python objects
            alone = np.empty((), object)
            alone[()] = self
            return alone
        raise complaint(TypeMismatch, f"{self!r} is no array: it is a symbolic expression", self,
                        fix="x.eval(), x.get_value() of a shared variable; functions of arrays take it as it is")
