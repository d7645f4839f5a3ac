"""Parts of C expressions: numbers, what reductions start from and how they combine.

>>> from symtensor.lower.kernel import Scope
>>> literal(Scope().literal(0.1, "float32")), literal(Scope().literal(-3, "int64"))
('0.1f', '(-3)')
"""

from __future__ import annotations

import numpy as np

from symtensor.lower.kernel import Literal, Reduction
from symtensor.types.dtype import DISCRETE

__all__ = ["CLAUSE", "combined", "initial", "literal", "nan_matters"]

CLAUSE = {"sum": "+", "prod": "*", "max": "max", "min": "min", "any": "|", "all": "&"}


def nan_matters(reduction: Reduction) -> bool:
    """Whether NaN must be looked for beside a reduction, since vector instructions lose it."""
    return reduction.kind in ("max", "min") and reduction.value.dtype.startswith("float")


def combined(reduction: Reduction, left: str, right: str) -> str:
    """Two partial results made one."""
    if reduction.kind in ("max", "min"):
        sign = ">" if reduction.kind == "max" else "<"
        nan = f" | ({right} != {right})" if reduction.value.dtype.startswith("float") else ""
        return f"({right} {sign} {left}){nan} ? {right} : {left}"
    return f"{left} {CLAUSE[reduction.kind]} {right}"


def initial(reduction: Reduction) -> str:
    """What a reduction of nothing gives."""
    if reduction.kind in ("sum", "any"):
        return "0"
    if reduction.kind in ("prod", "all"):
        return "1"
    low = reduction.kind in ("max", "argmax")
    dtype = reduction.value.dtype
    if dtype.startswith("float"):
        infinity = "__builtin_inff()" if dtype == "float32" else "__builtin_inf()"
        return f"-{infinity}" if low else infinity
    if dtype == "bool":
        return "0" if low else "1"
    info = np.iinfo(dtype)
    return _integer(int(info.min if low else info.max))


def _integer(value: int) -> str:
    if value == -2**63:
        return "(-9223372036854775807L - 1)"
    text = f"{value}UL" if value > 2**63 - 1 else f"{value}L" if abs(value) > 2**31 - 1 else str(value)
    return f"({text})" if value < 0 else text


def literal(value: Literal) -> str:
    """A number as C."""
    number = value.value
    if value.dtype in DISCRETE:
        return _integer(int(number))
    suffix = "f" if value.dtype == "float32" else ""
    if np.isnan(number):
        return f'__builtin_nan{suffix}("")'
    if np.isinf(number):
        return f"({'-' if number < 0 else ''}__builtin_inf{suffix}())"
    text = repr(float(number)) if value.dtype == "float64" else str(number)
    if "e" not in text and "." not in text:
        text += ".0"
    text += suffix
    return f"({text})" if text.startswith("-") else text
