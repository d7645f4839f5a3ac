"""How a language of the C family writes scalars: types, numbers, operations, what reductions start from and combine.

What an op is in C stands beside its meaning, in `ops.scalar`. C and CUDA differ in little: the fields of a `Dialect`.

>>> from symtensor.lower.kernel import Scope
>>> from symtensor.ops.scalar import sqrt
>>> scope = Scope()
>>> [C.number(scope.literal(value, "float32")) for value in (0.1, -3, -np.inf)]
['0.1f', '(-3.0f)', '(-__builtin_inff())']
>>> C.operation(scope.compute(sqrt, scope.load(0, 0, "float32")), ["x"])
'sqrtf(x)'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symtensor.lower.kernel import Compute, Literal, Reduction
from symtensor.types.dtype import DISCRETE, FLOATS, INTEGERS, NARROW, fits, itemsize

__all__ = ["C", "COMBINE", "CUDA", "Dialect", "TYPES"]

TYPES = {
    "bool": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long",
    "bfloat16": "bfloat16", "float16": "float16", "float32": "float", "float64": "double",
}
"""The type of each dtype that generated code handles (LP64); narrow floats are bits with a name, see `narrow`."""

COMBINE = {"sum": "+", "prod": "*", "any": "|", "all": "&"}
"""The operator that combines two elements, of each kind of reduction that has one."""

_WRAPPING = frozenset(("add", "sub", "mul", "neg", "square"))
"""Ops whose result may be beyond the range of integers."""


@dataclass(frozen=True)
class Dialect:
    """The words in which a language differs. `infinity` and `nan` are by the suffix of the dtype's math functions;
    `truth` is the type of bools that are not in memory;
    `quotient` is that of two numbers of points; `wraps` says whether signed integers wrap around, as tensors do."""

    types: Mapping[str, str]
    infinity: Mapping[str, str]
    nan: Mapping[str, str]
    restrict: str
    truth: str
    quotient: str = "{0} / {1}"
    wraps: bool = True

    def pointer(self, slot: int, dtype: str, constant: bool) -> str:
        """The declarator of the pointer to a buffer, which no other overlaps."""
        return f"{'const ' if constant else ''}{self.types[dtype]} *{self.restrict} b{slot}"

    def number(self, literal: Literal) -> str:
        """A number known now."""
        number, dtype = literal.value, literal.dtype
        if dtype in DISCRETE:
            return _integer(int(number))
        if dtype in NARROW:
            return f"narrow_{dtype}({self.number(replace(literal, value=np.float32(number), dtype='float32'))})"
        if np.isnan(number):
            return self.nan[_suffix(dtype)]
        if np.isinf(number):
            return f"({'-' if number < 0 else ''}{self.infinity[_suffix(dtype)]})"
        text = repr(float(number)) if dtype == "float64" else str(number)
        if "e" not in text and "." not in text:
            text += ".0"
        text += _suffix(dtype)
        return f"({text})" if text.startswith("-") else text

    def zero(self, dtype: str) -> str:
        """Zero as it is kept."""
        return f"narrow_{dtype}(0)" if dtype in NARROW else "0"

    def operation(self, value: Compute, arguments: Sequence[str]) -> str:
        """A scalar op applied to the texts of its arguments."""
        dtype = value.arguments[-1].dtype
        if value.op.name == "cast":
            return self._converted(arguments[0], dtype, value.dtype)
        definition = value.op.definition
        template = definition.c
        if dtype in DISCRETE and definition.c_integer:
            template = definition.c_integer
        if dtype == "bool" and definition.c_bool:
            template = definition.c_bool
        if value.op.name in _WRAPPING:
            arguments = [self._wrapping(text, dtype) for text in arguments]
        return template.format(*arguments, f=_suffix(dtype), s="_" + dtype)

    def _wrapping(self, text: str, dtype: str) -> str:
        """An integer in which arithmetic wraps around: without a sign, and no narrower than an int."""
        if self.wraps or dtype not in INTEGERS:
            return text
        return f"({self.types['uint64' if itemsize(dtype) == 8 else 'uint32']}){text}"

    def _converted(self, text: str, dtype: str, to: str) -> str:
        """A number as one of another dtype. Truth is a choice: a mask of vector registers is not unpacked for it."""
        if to == "bool":
            return f"{text} != 0"
        if dtype in NARROW:
            return f"wide_{dtype}({text})"
        if to in NARROW:
            wide = "float32" if fits(dtype, "float32") else "float64"
            number = text if dtype == wide else self._converted(text, dtype, wide)
            return f"narrow_{to}({number if wide == 'float32' else f'odd_float32({number})'})"
        if dtype == "bool":
            return f"{text} ? 1{'.0' if to in FLOATS else ''}{_suffix(to)} : 0"
        return f"({self.types[to]}){text}"

    def initial(self, reduction: Reduction) -> str:
        """What a reduction of nothing gives."""
        if reduction.kind in ("sum", "any"):
            return "0"
        if reduction.kind in ("prod", "all"):
            return "1"
        low = reduction.kind in ("max", "argmax")
        dtype = reduction.value.dtype
        if dtype in FLOATS:
            return f"-{self.infinity[_suffix(dtype)]}" if low else self.infinity[_suffix(dtype)]
        if dtype == "bool":
            return "0" if low else "1"
        info = np.iinfo(dtype)
        return _integer(int(info.min if low else info.max))

    def combined(self, reduction: Reduction, left: str, right: str) -> str:
        """Two partial results made one; NaN if either is."""
        if reduction.kind in COMBINE:
            left, right = (self._wrapping(text, reduction.value.dtype) for text in (left, right))
            return f"{left} {COMBINE[reduction.kind]} {right}"
        nan = f" | ({right} != {right})" if reduction.value.dtype in FLOATS else ""
        return f"({self.better(reduction, left, right)}){nan} ? {right} : {left}"

    def better(self, reduction: Reduction, left: str, right: str) -> str:
        """Whether `right` is nearer to what a maximum, a minimum or a search for its place looks for."""
        return f"{right} {'>' if reduction.kind in ('max', 'argmax') else '<'} {left}"

    def added(self, place: str, dtype: str, value: str) -> str:
        """The statement that adds to what is kept at a place; truth stays truth."""
        if dtype in NARROW:
            return f"{place} = narrow_{dtype}(wide_{dtype}({place}) + wide_{dtype}({value}));"
        return f"{place} {'|=' if dtype == 'bool' else '+='} {value};"

    def not_a_number(self, dtype: str) -> str:
        """The NaN of a dtype."""
        return self.nan[_suffix(dtype)]


def _suffix(dtype: str) -> str:
    """What the names of math functions, and numbers, of a dtype end in."""
    return "f" if dtype == "float32" else ""


def _integer(value: int) -> str:
    if value == -2**63:
        return "(-9223372036854775807L - 1)"
    text = f"{value}UL" if value > 2**63 - 1 else f"{value}L" if abs(value) > 2**31 - 1 else str(value)
    return f"({text})" if value < 0 else text


C = Dialect(TYPES, {"f": "__builtin_inff()", "": "__builtin_inf()"},
            {"f": '__builtin_nanf("")', "": '__builtin_nan("")'}, "restrict", "_Bool")
"""GNU C."""
CUDA = replace(C, restrict="__restrict__", truth=TYPES["bool"], quotient="quotient({0}, {1})", wraps=False)
"""CUDA C++, where the preamble of `codegen.cuda` defines the functions that only GNU C has."""
