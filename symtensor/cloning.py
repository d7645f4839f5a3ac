"""Copies of expressions in which some variables stand for others.

>>> import symtensor.tensor as T
>>> x, y = T.scalars("x", "y")
>>> from symtensor.printing import pp
>>> pp(clone(x + 1, {x: y * y}))
'((y * y) + 1)'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.graph import leaves, substitute
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast

__all__ = ["clone"]


def clone(output: Any, replace: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] | None = None,
          strict: bool = True, share_inputs: bool = True) -> Any:
    """A copy of an expression, or a list of them, in which variables are replaced, all at once.

    A replacement must be of the rank and dtype of what it replaces; with `strict` false it is converted to the
    dtype. Without `share_inputs` the copy has inputs of its own. Raises TypeMismatch.

    >>> import symtensor.tensor as T
    >>> x = T.dvector("x")
    >>> clone(x.sum(), {x: T.ones(3)}).type
    TensorType(float64, ())
    """
    pairs = dict(replace or {})
    mapping = {old: _replacement(old, new, strict) for old, new in pairs.items()}
    outputs = list(output) if isinstance(output, (list, tuple)) else [output]
    if not share_inputs:
        replaced = substitute(outputs, mapping)
        fresh = {v: v.clone() for v in leaves(replaced) if not isinstance(v, Constant)}  # type: ignore[attr-defined]
        copies: Sequence[Variable] = substitute(replaced, fresh)
    else:
        copies = substitute(outputs, mapping)
    return list(copies) if isinstance(output, (list, tuple)) else copies[0]


def _replacement(old: Variable, new: Any, strict: bool) -> Variable:
    new = as_variable(new)
    if new.type.ndim != old.type.ndim or (strict and new.type.dtype != old.type.dtype):
        raise complaint(TypeMismatch, f"clone: {new!r} cannot stand for {old!r}", old, new,
                        fix="convert it, or pass strict=False")
    return cast(new, old.type.dtype)
