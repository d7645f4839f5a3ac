"""Rewrite rules checked automatically: does a rule preserve what its class says?

Both sides are built on variables of every dtype the rule admits and evaluated on zeros of both signs,
ones, tiny, huge, infinite, NaN and random numbers; the truth is the left side over the real
numbers, by mpmath with hundreds of digits.

>>> from symtensor import ops
>>> from symtensor.ops.scalar import log, log1p
>>> from symtensor.rewrite.rule import Phase, rule
>>> example = Phase("example", "A phase for this page.")
>>> @rule(example, keeps="exact")
... def log_one_plus(x): return log(1 + x), log1p(x)
>>> check_rule(log_one_plus)
Traceback (most recent call last):
...
symtensor.base.errors.CheckFailed: rule log_one_plus does not keep exact: log(add(1, x)) -> log1p(x)
  operand  x = -0.0 (float32)
  operand  left  0.0
  operand  right -0.0
  operand  exact 0.0
  fix      declare a looser class, or restrict the rule with `when` or `dtypes`
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from symtensor.base.errors import CheckFailed, SymtensorError
from symtensor.ir.interpret import evaluate
from symtensor.ir.node import Constant, Variable
from symtensor.ops.elementwise import Elementwise
from symtensor.ops.shape import broadcast_like
from symtensor.rewrite.pattern import Applied, Bindings, build, match, orders
from symtensor.rewrite.rule import Equation
from symtensor.testing.exact import DIGITS, as_exact, exact_values
from symtensor.testing.matrix_rules import check_on_matrices, is_about_matrices, matrix_candidates
from symtensor.types.dtype import FLOATS, kind_of, limits, numpy_dtype
from symtensor.types.tensor import TensorType

__all__ = ["check_rule", "instances"]

_DTYPES = ("bool", "int8", "uint8", "int64", "float32", "float64", "complex128")
_SAMPLES = 400
_ULPS = 8
"""Units in the last place that the library functions of either side may be off."""


def check_rule(rule: Equation) -> None:
    """Raise CheckFailed, with a counterexample, if a rule is not of the class it declares, or never applies."""
    applied = False
    for bindings in instances(rule):
        applied = True
        (check_on_matrices if is_about_matrices(rule) else _check_instance)(rule, bindings)
    if not applied:
        raise CheckFailed(f"rule {rule.name} applies to no variables of any dtype: {rule!r}",
                          fix="`examples` must give values for the holes that are parameters of ops")


# -- instances --------------------------------------------------------------------------------------------

def instances(rule: Equation) -> Iterator[Bindings]:
    """What the holes of a rule may stand for, so that it applies: variables, and parameters from its examples."""
    candidates = matrix_candidates(rule) if is_about_matrices(rule) else _candidates(rule)
    return (bindings for bindings in candidates if _applies(rule, bindings))


def _candidates(rule: Equation) -> Iterator[Bindings]:
    """Variables of a dtype (or bool), and parameters."""
    parameters = [hole for hole in rule.holes if str(hole.name) in rule.examples]
    variables = [hole for hole in rule.holes if hole not in parameters]
    ndim = 1 if _is_elementwise(rule.left) else 2
    for values in itertools.product(*(rule.examples[str(hole.name)] for hole in parameters)):
        for dtypes in _dtype_choices(len(variables)):
            made = [Variable(TensorType(dtype, (None,) * ndim), name=str(hole.name))
                    for hole, dtype in zip(variables, dtypes)]
            if ndim == 2:  # operands of one shape, of which the sizes are known to be equal
                made = [Variable(TensorType(v.type.dtype, made[0].type.shape), name=v.name) for v in made]
            yield dict(zip(parameters, values)) | dict(zip(variables, made))


def _dtype_choices(count: int) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(choice for dtype in _DTYPES
                              for choice in itertools.product((dtype, "bool"), repeat=count)))


def _is_elementwise(pattern: Any) -> bool:
    return not isinstance(pattern, Applied) or (isinstance(pattern.op, Elementwise)
                                                and all(map(_is_elementwise, pattern.inputs)))


def _applies(rule: Equation, bindings: Bindings) -> bool:
    """Whether the left side on these variables can be written, without a conversion, and the rule takes it."""
    try:
        left = build(rule.left, bindings)
    except (SymtensorError, TypeError):
        return False
    root = left[0] if isinstance(left, list) else left
    found = [b for b in (match(p, root) for p in orders(rule.left)) if b is not None]
    if not any(all(b[hole] is bindings[hole] or b[hole] == bindings[hole] for hole in b) for b in found):
        return False
    return rule.admits(bindings)


# -- one instance -----------------------------------------------------------------------------------------

@dataclass
class _Sides:
    """Values of both sides, over the machine's numbers and over the reals, with the largest value on the way."""

    inputs: Mapping[Variable, np.ndarray]
    left: np.ndarray
    right: np.ndarray
    exact_left: np.ndarray
    exact_right: np.ndarray
    largest: np.ndarray


def _check_instance(rule: Equation, bindings: Bindings) -> None:
    left = build(rule.left, bindings)
    right = build(rule.right, bindings)
    if not isinstance(right, Variable):
        right = Constant(np.asarray(right).astype(numpy_dtype(left.type.dtype)))
    if right.type.dtype != left.type.dtype:
        raise CheckFailed(f"rule {rule.name} turns {left.type.dtype} into {right.type.dtype}: {rule!r}",
                          operands=[f"{v.name}: {v.type.describe()}" for v in bindings.values()
                                    if isinstance(v, Variable)], fix="restrict it with `dtypes`")
    variables = [v for v in bindings.values() if isinstance(v, Variable)]
    inputs = dict(zip(variables, _samples([v.type.dtype for v in variables], variables[0].type.ndim)))
    right = broadcast_like(right, left)
    sides = _sides(left, right, inputs)
    wrong = ~_KEPT[rule.keeps](sides, left.type.dtype)
    if wrong.any():
        raise _failure(rule, sides, tuple(int(i) for i in np.argwhere(wrong)[0]))


def _sides(left: Variable, right: Variable, inputs: Mapping[Variable, np.ndarray]) -> _Sides:
    with np.errstate(all="ignore"):
        value_left, value_right = evaluate([left, right], inputs)
    if kind_of(value_left.dtype) == "b" or any(kind_of(value.dtype) == "c" for value in inputs.values()):
        nothing = np.full(value_left.shape, mpmath.mpf("nan"), dtype=object)
        return _Sides(inputs, value_left, value_right, nothing, nothing, nothing)
    values = exact_values([left, right], inputs)
    largest = np.zeros(value_left.shape, dtype=object)
    for value in values.values():
        sizes = value if value.shape == largest.shape else max(value.ravel(), key=abs, default=mpmath.mpf(0))
        largest = np.asarray(np.frompyfunc(_larger, 2, 1)(largest, sizes), dtype=object)
    exact = [np.broadcast_to(values[v], value_left.shape) if v in values else _plain(v, inputs, value_left.shape)
             for v in (left, right)]
    return _Sides(inputs, value_left, value_right, exact[0], exact[1], largest)


def _plain(variable: Variable, inputs: Mapping[Variable, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of an expression that is just an input or a constant, as exact numbers."""
    data = variable.data if isinstance(variable, Constant) else inputs[variable]
    return np.broadcast_to(as_exact(data), shape)


def _larger(x: Any, y: Any) -> Any:
    return mpmath.inf if mpmath.isnan(y) else max(x, abs(y))


# -- what each class demands ------------------------------------------------------------------------------
# Each takes both sides and the dtype and says for each element whether it is kept.

def _exact(sides: _Sides, dtype: str) -> np.ndarray:
    same = _equal(sides)
    return same & (np.signbit(sides.left) == np.signbit(sides.right)) if dtype in FLOATS else same


def _equal(sides: _Sides, dtype: str = "") -> np.ndarray:
    left, right = sides.left, sides.right
    return np.asarray((left == right) | ((left != left) & (right != right)))


def _signs(sides: _Sides, dtype: str) -> np.ndarray:
    """NaN has a sign that means nothing; zeros have one that `exact` keeps."""
    return _exact(sides, dtype) | (np.isnan(sides.left) & np.isnan(sides.right)) if dtype in FLOATS else _equal(sides)


def _nearer(sides: _Sides, dtype: str) -> np.ndarray:
    if dtype not in FLOATS:
        return _close(sides, dtype)
    overflowed = ~np.isfinite(sides.left) & _finite_inputs(sides)
    undefined = np.isnan(sides.left) & ~_any_nan(sides)
    is_real = _is_finite(sides.exact_left)
    closer = _error(sides.right, sides.exact_left) <= _error(sides.left, sides.exact_left) + _slack(
        abs(sides.exact_left), dtype)
    return _equal(sides) | (is_real & closer.astype(bool)) | (~is_real & (overflowed | undefined))


def _finite(sides: _Sides, dtype: str) -> np.ndarray:
    if dtype not in FLOATS:
        return _close(sides, dtype)
    outside = ~_finite_inputs(sides) | np.isnan(sides.left)
    return outside | _nearer(sides, dtype)


def _real(sides: _Sides, dtype: str) -> np.ndarray:
    if dtype not in FLOATS:
        return _close(sides, dtype)
    limit = mpmath.mpf(float(limits(dtype).max))
    inside = _finite_inputs(sides) & _is_finite(sides.exact_left) & (sides.largest < limit).astype(bool)
    scale = np.where(inside, sides.largest, mpmath.mpf(0))
    with mpmath.workdps(DIGITS):
        identity = np.abs(sides.exact_left - sides.exact_right) <= scale * mpmath.mpf(10) ** (-DIGITS // 2)
    near = _error(sides.right, sides.exact_left) <= _slack(scale, dtype)
    return ~inside | (identity.astype(bool) & near.astype(bool))


def _close(sides: _Sides, dtype: str) -> np.ndarray:
    """For integers and bool the same; for complex numbers the same within rounding, where all is finite."""
    if kind_of(sides.left.dtype) != "c":
        return _equal(sides)
    usual = np.isfinite(sides.left) & (abs(sides.left) < 1e100) & (abs(sides.left) > 1e-100)
    with np.errstate(invalid="ignore"):
        return _equal(sides) | ~usual | (abs(sides.left - sides.right) <= 1e-14 * abs(sides.left))


_KEPT = {"exact": _signs, "value": _equal, "nearer": _nearer, "finite": _finite, "real": _real}


def _error(value: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far machine numbers are from exact ones; infinite for NaN and infinities."""
    with mpmath.workdps(DIGITS):
        difference = np.abs(as_exact(value) - np.where(_is_finite(exact), exact, mpmath.mpf(0)))
    return np.where(np.isfinite(value), difference, mpmath.inf)


def _slack(scale: np.ndarray, dtype: str) -> np.ndarray:
    """Some units in the last place of numbers as large as `scale`; what is below the normal numbers may vanish."""
    info = limits(dtype)
    sizes = np.where(_is_finite(scale), scale, mpmath.mpf(0))
    return _ULPS * sizes * mpmath.mpf(float(info.eps)) + mpmath.mpf(float(info.tiny))


def _is_finite(values: np.ndarray) -> np.ndarray:
    return np.frompyfunc(lambda v: isinstance(v, bool) or bool(mpmath.isfinite(v)), 1, 1)(values).astype(bool)


def _finite_inputs(sides: _Sides) -> np.ndarray:
    return _spread(sides, lambda x: np.isfinite(x), np.logical_and)


def _any_nan(sides: _Sides) -> np.ndarray:
    return _spread(sides, lambda x: x != x, np.logical_or)


def _spread(sides: _Sides, ask: Any, combine: Any) -> np.ndarray:
    """A question about the inputs of each element; about all inputs where elements are mixed."""
    answers = [np.asarray(ask(value)) for value in sides.inputs.values()]
    if all(a.shape == sides.left.shape for a in answers):
        return np.asarray(combine.reduce(answers))
    return np.full(sides.left.shape, combine.reduce([combine.reduce(a.ravel()) for a in answers]))


# -- numbers to try ---------------------------------------------------------------------------------------

def _special(dtype: str) -> np.ndarray:
    kind = kind_of(dtype)
    if kind == "b":
        return np.array([False, True])
    if kind in "iu":
        info = np.iinfo(dtype)
        small = [v for v in (-7, -2, -1, 0, 1, 2, 3, 7, 100) if v >= info.min]
        return np.array([*small, info.min, info.max], dtype=dtype)
    if kind == "c":
        return np.array([0, 1, -1, 1j, -1j, 1 + 1j, 2.5 - 3j, 1e-10, -4], dtype=dtype)
    info = limits(dtype)
    edges = [float(v) for v in (info.smallest_subnormal, info.tiny, 1 - info.epsneg, 1 + info.eps, info.max)]
    positive = [0.0, *edges, 1e-30, 1e-16, 1e-8, 1e-3, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, np.pi, 10.0, 17.0, 40.0,
                89.0, 300.0, 720.0, 1e4, 1e10, 1e19, 1e30, np.inf]
    with np.errstate(over="ignore"):
        return np.array([*(v * s for v in positive for s in (-1, 1)), np.nan]).astype(dtype)


def _samples(dtypes: Sequence[str], ndim: int) -> list[np.ndarray]:
    """Arrays of values for each variable: all combinations of special values if few, else some; and random ones."""
    rng = np.random.default_rng(len(dtypes))
    special = [_special(dtype) for dtype in dtypes]
    count = int(np.prod([len(values) for values in special]))
    chosen = np.arange(count) if count <= _SAMPLES else rng.choice(count, _SAMPLES, replace=False)
    places = np.unravel_index(chosen, [len(values) for values in special])
    columns = [np.concatenate([values[place], _random(rng, dtype)])
               for values, place, dtype in zip(special, places, dtypes)]
    if ndim == 1:
        return columns
    usable = np.logical_and.reduce([np.isfinite(c) & (abs(c.astype("complex128")) < 1e5) for c in columns])
    rows = int(usable.sum()) // 4
    return [column[usable][:rows * 4].reshape(rows, 4) for column in columns]


def _random(rng: np.random.Generator, dtype: str, count: int = 60) -> np.ndarray:
    kind = kind_of(dtype)
    if kind == "b":
        return rng.integers(0, 2, count).astype(bool)
    if kind in "iu":
        return rng.integers(0, 100, count).astype(dtype)
    values = rng.normal(size=count) * 10.0 ** rng.integers(-6, 3, count)
    return (values + 1j * rng.normal(size=count) if kind == "c" else values).astype(dtype)


def _failure(rule: Equation, sides: _Sides, index: tuple[int, ...]) -> CheckFailed:
    inputs = [f"{variable.name} = {value[index] if value.ndim == len(index) else value} ({value.dtype})"
              for variable, value in sides.inputs.items()]
    exact = mpmath.nstr(sides.exact_left[index], 17)
    return CheckFailed(f"rule {rule.name} does not keep {rule.keeps}: {rule!r}",
                       operands=[*inputs, f"left  {sides.left[index]}", f"right {sides.right[index]}",
                                 f"exact {exact}"],
                       fix="declare a looser class, or restrict the rule with `when` or `dtypes`")
