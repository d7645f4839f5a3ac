"""Copies of expressions in which some variables stand for others, or for many values at once.

>>> import symtensor.tensor as T
>>> x, y = T.scalars("x", "y")
>>> from symtensor.printing import pp
>>> pp(clone(x + 1, {x: y * y}))
'((y * y) + 1)'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from symtensor.base.errors import TypeMismatch
from symtensor.ir.graph import applications, leaves, remake, substitute
from symtensor.ir.node import Constant, Variable, complaint
from symtensor.ops import vectorize as vectorizing
from symtensor.ops.convert import as_variable
from symtensor.ops.elementwise import cast

__all__ = ["clone", "map_variables", "vectorize"]


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


def map_variables(replacer: Callable[[Variable], Any], graphs: Iterable[Variable],
                  additional_inputs: Iterable[Variable] = ()) -> list[Variable]:
    """Expressions with each variable they are computed from put through `replacer`, from the inputs on.

    `replacer(variable)` gives what stands for a variable, of its type, or the variable itself; where it stands for one
    that is computed, its inputs have been replaced already. Raises TypeMismatch.

    >>> import symtensor.tensor as T
    >>> from symtensor.printing import pp
    >>> x = T.dscalar("x")
    >>> [doubled] = map_variables(lambda v: v * 2 if v is x else v, [T.exp(x)])
    >>> pp(doubled)
    'exp((x * 2))'
    """
    graphs = list(graphs)
    made: dict[Variable, Variable] = {}

    def put(old: Variable, now: Variable) -> None:
        new = replacer(now)
        if new is not old:
            made[old] = _replacement(old, new, True)

    for variable in dict.fromkeys([*leaves(graphs), *additional_inputs]):
        put(variable, variable)
    for node in applications(graphs):
        remake(node, made)
        for variable in node.outputs:
            put(variable, made.get(variable, variable))
    return [made.get(v, v) for v in graphs]


def vectorize(outputs: Any, replace: Mapping[Variable, Any]) -> Any:
    """An expression, or a list of them, for many values at once: with one axis more, in front.

    The keys of `replace` become its values, which have one axis more than they, all of one length. Each op is applied
    to all values together; only one that has no form for many, such as a convolution by filters of each value, or a
    branch by a condition of each, is a loop over them. So derivatives for each example of a batch are those of one,
    vectorized. Raises TypeMismatch, and GradientError for an op whose sizes would differ between values.

    >>> import symtensor as st
    >>> import symtensor.tensor as T
    >>> x, w, many = T.dvector("x"), T.dvector("w"), T.dmatrix("many")
    >>> slope = st.grad(T.tanh(T.dot(x, w)) ** 2, w)
    >>> vectorize(slope, {x: many}).type.ndim
    2
    """
    pairs = {old: as_variable(new) for old, new in dict(replace).items()}
    for old, new in pairs.items():
        if new.type.ndim != old.type.ndim + 1:
            raise complaint(TypeMismatch, f"vectorize: many values of {old!r} have {old.type.ndim + 1} axes, not"
                            f" {new.type.ndim}", old, new, fix="stack the values along a new first axis")
    if not pairs:
        raise TypeMismatch("vectorize: nothing is to be replaced", fix="vectorize(y, {x: many})")
    several = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    found = vectorizing.vectorize(several, {old: cast(new, old.type.dtype) for old, new in pairs.items()})
    return found if isinstance(outputs, (list, tuple)) else found[0]
